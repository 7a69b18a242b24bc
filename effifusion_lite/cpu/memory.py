"""What the C library does with memory that was freed."""

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # numbers of these settings in glibc's malloc.h


def keep_freed_memory() -> bool:
    """Lets this process keep memory that it freed, for what it needs next.

    glibc gives large blocks back to the system at once, and the system clears each page before it
    hands it out again: a fifth of the time of a training step on a CPU. For programs that do one
    thing, not for a library in somebody's process: what is kept is not there for other programs.

    Returns:
        Whether the C library is one that can be told so; elsewhere nothing changes.

    Source: mallopt(3) of glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, -1))
