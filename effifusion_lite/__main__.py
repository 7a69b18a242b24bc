"""``python -m effifusion_lite`` does what ``effifusion`` does."""

import sys

from effifusion_lite.command_line.parser import main

if __name__ == "__main__":
    sys.exit(main())
