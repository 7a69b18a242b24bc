"""Writing files so that a reader never sees half of one."""

import os
from pathlib import Path


def write_atomically(path: str | Path, content: bytes | memoryview) -> None:
    """Writes a file beside its place, then puts it there in one step.

    If the disk is full or the program is killed, the file that stood there before stays whole.

    Args:
        path: the file.
        content: what it shall hold.

    Raises:
        OSError: if the file cannot be written; its message names the file.

    Chapter: 06.
    Source: choice of this project.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            beside.write_bytes(content)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
