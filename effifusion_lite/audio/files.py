"""Writing files so that a reader never sees half of one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def written_beside(path: str | Path) -> Iterator[BinaryIO]:
    """A file that stands beside its place while it is written, and moves there when it is whole.

    If the disk is full, the block raises anything or the program is stopped, the file that stood
    there before stays whole, and nothing is left beside it.

    Args:
        path: where the file belongs.

    Returns:
        A context; its value is the open file.

    Raises:
        OSError: if the file cannot be written; its message names the file.
    """
    path = Path(path)
    # The end of the name is enough to know it by; all of it could become too long.
    beside = path.with_name(f".{path.name[-50:]}.{os.getpid()}.part")
    try:
        try:
            with open(beside, "w+b") as file:
                yield file
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_atomically(path: str | Path, content: bytes | memoryview) -> None:
    """Writes a file beside its place, then puts it there in one step.

    Args:
        path: the file.
        content: what it shall hold.

    Raises:
        OSError: if the file cannot be written; its message names the file.
    """
    with written_beside(path) as file:
        file.write(content)
