"""What a file holds that is not what its name says, told by its first bytes.

Chapter: 10 Out of the notebook.
"""

from mmap import ACCESS_READ, mmap
from pathlib import Path

CONVERT = "convert it to WAV or FLAC first, for example with `ffmpeg -i in.m4a out.wav`"
PAGE = "a web page: its download gave an answer of the site in the place of the file"
# Where a text begins, the text, and what it tells.
SIGNS = (
    (0, b"version https://git-lfs.", "a pointer of Git LFS: get the file with `git lfs pull`"),
    (0, b"<!doctype html", PAGE),
    (0, b"<html", PAGE),
    (0, b"<?xml", PAGE),
    (4, b"ftyp", f"MPEG-4: {CONVERT}"),
    (0, b"\x1a\x45\xdf\xa3", f"Matroska or WebM: {CONVERT}"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", f"Windows Media: {CONVERT}"),
    (0, b"#!AMR", f"AMR: {CONVERT}"),
    (0, b"\x1f\x8b", "a compressed archive: unpack it first"),
)


def describe_content(path: str | Path) -> str | None:
    """What a file is that cannot be read as what it is named.

    Args:
        path: an existing file.

    Returns:
        A sentence that begins with the path, or None where the content tells nothing.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").lower()
    for place, text, what in SIGNS:
        if head[place:].startswith(text.lower()):
            return f"{path} holds {what}"
    return None


def holds_several(path: str | Path) -> bool:
    """Does an Ogg file hold several recordings, one after the other?

    Streams that run side by side begin on the first pages. A stream that begins on a later page is
    another recording.

    Args:
        path: an Ogg file that can be opened.

    Raises:
        OSError: the file cannot be read.

    Source: RFC 3533 (2003), sections 4 and 6.
    """
    with open(path, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        page = 0
        while content[page : page + 4] == b"OggS" and content[page + 5] & 2:
            lengths = content[page + 27 : page + 27 + content[page + 26]]
            page += 27 + len(lengths) + sum(lengths)
        return content.find(b"OggS\x00\x02", page) >= 0
