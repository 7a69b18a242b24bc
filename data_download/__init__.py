"""Gets VoiceBank+DEMAND and prepares it: `python -m data_download --help`."""

from __future__ import annotations

import os
from pathlib import Path

from data_download.dataset import DataError
from data_download.manifest import SIDES, Row, read_manifest, whole_pairs

__all__ = ["DataError", "Row", "prepared_folder", "read_manifest"]

VARIABLE = "EFFIFUSION_VBD"


def prepared_folder() -> Path | None:
    """The prepared VoiceBank+DEMAND folder that the environment variable EFFIFUSION_VBD names.

    Chapters use the real corpus where it is set, and the built-in clips where it is not.

    Returns:
        The folder, or None where the variable is not set or empty.

    Raises:
        DataError: where the folder has no manifest, or lacks files that its manifest lists.

    Chapter: 08.
    Source: choice of this project.
    """
    value = os.environ.get(VARIABLE, "")
    if not value:
        return None
    folder = Path(value).expanduser()
    try:
        rows = read_manifest(folder)
    except DataError as problem:
        raise DataError(f"{VARIABLE} is set, but: {problem} (or unset {VARIABLE})") from None
    there = {split: whole_pairs(folder, split) for split in {row.split for row in rows}}
    lost = [row for row in rows if Path(row.file).stem not in there[row.split]]
    if lost or not rows:
        what = f"lacks {lost[0].split}/{'|'.join(SIDES)}/{lost[0].file}" if lost else "has no pairs"
        raise DataError(
            f"{VARIABLE} names {folder}, which {what}: run python -m data_download"
            f" voicebank-demand --out {folder} again, or unset {VARIABLE}."
        )
    return folder
