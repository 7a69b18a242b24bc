"""``python -m effifusion_lite`` does what ``effifusion`` does."""

import sys

from effifusion_lite.cli import main

if __name__ == "__main__":
    sys.exit(main())
