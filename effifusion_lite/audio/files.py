"""Texts read whatever wrote them, and files written so that a reader never sees half of one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def read_text(path: str | Path) -> str:
    """The text of a file in UTF-8, with a byte order mark or without.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it holds something else; the message names it.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: save it in this encoding") from error


@contextmanager
def written_beside(path: str | Path) -> Iterator[BinaryIO]:
    """A file that stands beside its place while it is written, and moves there when it is whole.

    A link stays one: its target is written. A device or a pipe is written through. If the disk is
    full, the block raises anything or the program is stopped, the file that stood there before
    stays whole, and nothing is left beside it.

    Args:
        path: where the file belongs.

    Returns:
        A context; its value is the open file.

    Raises:
        OSError: if the file cannot be written; its message names the file.
    """
    path = Path(path)
    if _is_no_file(path):
        with open(path, "wb") as file:
            yield file
        return
    path = path.resolve()
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


def _is_no_file(path: Path) -> bool:
    """Is it a device or a pipe, or a name under which a system shows one (`/dev/stdout`)?"""
    return path.parts[:2] == ("/", "dev") or (
        path.exists() and not path.is_file() and not path.is_dir()
    )


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
