"""What all commands share: messages, and numbers on the command line.

Chapter: 10 Out of the notebook.
"""

import argparse
import errno
import os
import sys
from pathlib import Path


def report(message: str) -> None:
    """Say one thing to the user, on stderr."""
    print(f"effifusion: {message}", file=sys.stderr)


def describe_error(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def check_places(*files: Path | None) -> None:
    """See that the folders of files to be written are there, before hours go into their content.

    Raises:
        FileNotFoundError: a folder is missing.
        ValueError: two results have one place.
    """
    places = [file for file in files if file is not None]
    for file in places:
        if not file.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file.parent))
    for file in places:
        if sum(file.resolve() == other.resolve() for other in places) > 1:
            raise ValueError(f"{file} is named for two results: give each a place of its own")


def share(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError("must be a number between 0 and 1")
    return number


def duration(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError("must be a number that is at least 0")
    return number


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
