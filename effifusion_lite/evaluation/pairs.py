"""The recordings of an evaluation: which files belong together.

Chapter: 09 Results and ablations.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from effifusion_lite.audio import describe_left_out, find_partners, find_sounds


class EvaluationError(ValueError):
    """The files cannot be evaluated at all; the message says what to do."""


@dataclass(frozen=True)
class Pair:
    """One recording: its name, and where its versions lie."""

    name: str
    clean: Path
    noisy: Path
    enhanced: Path | None = None
    compared: Path | None = None


def find_pairs(
    clean: str | Path,
    noisy: str | Path,
    enhanced: str | Path | None = None,
    names: Sequence[str] | None = None,
    limit: int | None = None,
    compared: str | Path | None = None,
) -> list[Pair]:
    """Find the recordings of two to four folders by their equal names (see `find_partners`).

    Args:
        clean: folder of clean recordings, or one file.
        noisy: folder of noisy recordings, or one file; it decides which are evaluated.
        enhanced: folder of enhanced recordings, or one file.
        names: names to take, such as `p232_001.wav`, in this order; None takes all.
        limit: take the first ones only.
        compared: folder of recordings that another system enhanced, or one file.

    Returns:
        The pairs; a partner that does not exist is reported by `evaluate`, file by file.

    Raises:
        EvaluationError: a folder does not exist, or there is nothing to evaluate.
    """
    folders = {"clean": clean, "noisy": noisy, "enhanced": enhanced, "compared": compared}
    folders = {title: Path(folder) for title, folder in folders.items() if folder is not None}
    for title, folder in folders.items():
        if not folder.exists():
            raise EvaluationError(f"{title.upper()} {folder} does not exist")
        if folder.is_dir() != folders["noisy"].is_dir():
            raise EvaluationError(f"NOISY and {title.upper()} must all be folders, or all be files")
    if folders["noisy"].is_file():
        return [Pair(folders["noisy"].name, **folders)]
    if names is None:
        found = find_sounds(folders["noisy"])
        if found.left_out:
            warnings.warn(describe_left_out(folders["noisy"], found.left_out), stacklevel=2)
        names = [file.relative_to(folders["noisy"]).as_posix() for file in found.files]
    names = list(dict.fromkeys(names))[:limit]  # one that is listed twice counts once
    if not names:
        raise EvaluationError(f"there is no sound file to evaluate in {folders['noisy']}")
    files = {
        title: dict(zip(names, find_partners(folder, names), strict=True))
        for title, folder in folders.items()
    }
    return [Pair(n, **{title: of_names[n] for title, of_names in files.items()}) for n in names]
