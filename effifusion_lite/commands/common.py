"""What all commands share: messages, and numbers on the command line.

Chapter: 10 Out of the notebook.
"""

import argparse
import sys


def report(message: str) -> None:
    """Say one thing to the user, on stderr."""
    print(f"effifusion: {message}", file=sys.stderr)


def describe_error(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
