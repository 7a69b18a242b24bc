"""Sound files of folders: the one way in, the same for all commands.

Chapter: 10 Out of the notebook.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

# What libsndfile reads, and by what name others call it.
EXTENSIONS = {
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd",
    ".caf", ".w64", ".rf64",
}  # fmt: skip
UNREADABLE = {
    ".m4a", ".aac", ".mp4", ".m4b", ".mov", ".webm", ".mkv", ".mka", ".wma", ".amr", ".3gp", ".ac3",
    ".ape", ".wv", ".dsf",
}  # fmt: skip
NAMED = 3  # files that are left out and named; the others are counted


@dataclass(frozen=True)
class Found:
    """What a folder holds: sound files, and recordings in formats that cannot be read."""

    files: list[Path]
    left_out: list[Path]


def find_sounds(folder: str | Path, without: str | Path | None = None) -> Found:
    """All sound files below a folder, in order of their path.

    Links to folders are followed, each folder once. Hidden files and folders are passed by
    (`._a.wav`, `.ipynb_checkpoints`), and folders whose name looks like that of a file.

    Args:
        folder: where to look.
        without: a folder to pass by, such as that of the results.

    Returns:
        The files, told by the ending of their name.

    Raises:
        OSError: a folder cannot be read.
    """
    without = None if without is None else os.path.realpath(without)
    seen = {os.path.realpath(folder)}
    files = []
    for place, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        kept = []
        for name in sorted(folders):
            real = os.path.realpath(os.path.join(place, name))
            if name[0] != "." and real != without and real not in seen:
                seen.add(real)
                kept.append(name)
        folders[:] = kept
        files += [Path(place) / name for name in names if name[0] != "."]
    kinds = ({file for file in files if file.suffix.lower() in k} for k in (EXTENSIONS, UNREADABLE))
    return Found(*map(sorted, kinds))


def find_partners(folder: str | Path, names: Iterable[str]) -> list[Path]:
    """The files of these names below a folder, in whichever form of Unicode it has them.

    An `ä` is one character in a name from Linux or Windows, and often two in one from macOS.

    Args:
        folder: where to look.
        names: paths below it.

    Returns:
        A path for each name; where there is no such file, that of the name itself.

    Raises:
        OSError: a folder cannot be read.
    """
    paths = [(name, Path(folder) / name) for name in names]
    if all(path.exists() for _, path in paths):
        return [path for _, path in paths]
    found = {composed(f.relative_to(folder).as_posix()): f for f in find_sounds(folder).files}
    return [path if path.exists() else found.get(composed(n), path) for n, path in paths]


def composed(name: str) -> str:
    """A name in the form of Unicode in which each letter with its accents is one character."""
    return normalize("NFC", name)


def describe_left_out(folder: str | Path, files: Iterable[Path]) -> str:
    """A sentence about recordings that cannot be read.

    Args:
        folder: where they lie.
        files: what `find_sounds` left out, at least one.
    """
    names = [file.relative_to(folder).as_posix() for file in files]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (
        f"{folder}: {', '.join(names[:NAMED])}{more} left out, since this format cannot be read: "
        "convert to WAV or FLAC first, for example with `ffmpeg -i in.m4a out.wav`"
    )


def _refuse(error: OSError) -> None:
    raise error
