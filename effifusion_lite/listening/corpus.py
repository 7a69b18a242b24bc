"""Pairs of a prepared VoiceBank+DEMAND that stand for the built-in clips, where there is one.

The environment variable EFFIFUSION_VBD names a folder that `python -m data_download` prepared.
Each noisy clip of the listening set then gives its place to a pair of the test set: spoken by a
voice of the same gender, at the nearest signal-to-noise ratio, of a similar length.
"""

import csv
import os
from collections import Counter
from functools import cache, partial
from pathlib import Path

from effifusion_lite.listening.manifest import Clip, manifest

VARIABLE = "EFFIFUSION_VBD"
COLUMNS = {"file", "split", "speaker", "gender", "noise", "snr_db", "duration_s", "text"}
LICENCE = "VoiceBank+DEMAND (Valentini-Botinhao, University of Edinburgh), CC BY 4.0"
NO_TEXT = "(the folder holds no texts)"
LISTEN_FOR = {  # the noises of the test set, recorded in public places (DEMAND)
    "bus": "In a bus: does the rumble, nearly all of it below 150 Hz, cover any word?",
    "cafe": "In a cafe: which words are hidden by the people who talk around the voice?",
    "living": "In a living room: what do you hear besides the rumble, and how high does it reach?",
    "office": "In an office: what do the pauses hold besides a rumble below 150 Hz?",
    "psquare": "On a public square: what can you make out in the pauses besides the town's rumble?",
}
LISTEN_FOR_OTHERS = "A recorded noise, alone in the pauses: which words does it cover?"


def prepared_folder() -> Path | None:
    """Find the prepared VoiceBank+DEMAND that the environment variable EFFIFUSION_VBD names.

    Returns:
        The folder, or None where the variable is not set or empty.

    Raises:
        ValueError: the folder has no manifest, or lacks files that its manifest lists.
    """
    value = os.environ.get(VARIABLE, "")
    return _verified(Path(value).expanduser().resolve()) if value else None


@cache
def stand_ins(folder: Path) -> dict[str, Clip]:
    """Choose for each built-in clip a clip of a prepared folder, from its test set.

    Args:
        folder: a prepared folder.

    Returns:
        For the name of each built-in clip for listening the clip that takes its place. Pairs are
        used once, as long as there are enough of them.

    Raises:
        ValueError: the folder has no test pairs.
    """
    rows = [row for row in _rows(folder) if row["split"] == "test"]
    if not rows:
        raise ValueError(
            f"{VARIABLE} names {folder}, which has no test pairs: add some with python -m "
            f"data_download voicebank-demand --out {folder} --sample 50, or unset {VARIABLE}"
        )
    files: Counter = Counter()  # how often each was chosen
    noises: Counter = Counter()

    def distance(row: dict[str, str], clip: Clip) -> tuple:
        """How badly a pair stands for a clip; what counts most comes first."""
        other = row["gender"] != clip.gender
        snr_db = abs(float(row["snr_db"]) - clip.snr_db) if row["snr_db"] else 99.0
        length = abs(float(row["duration_s"]) - clip.duration_s)
        return files[row["file"]], other, snr_db, noises[row["noise"]], length, row["file"]

    clean, noisy = {}, {}
    for clip in manifest():
        if clip.kind == "noisy":
            row = min(rows, key=partial(distance, clip=clip))
            files[row["file"]] += 1
            noises[row["noise"]] += 1
            clean[clip.clean] = _clip(folder, row, "clean")
            noisy[clip.name] = _clip(folder, row, "noisy")
    return clean | noisy


def _clip(folder: Path, row: dict[str, str], kind: str) -> Clip:
    utterance = Path(row["file"]).stem
    clean, noisy = f"{utterance}_clean", kind == "noisy"
    return Clip(
        name=utterance if noisy else clean,
        kind=kind,
        split="listening",
        file=str(folder / "test" / kind / row["file"]),
        start_s=0.0,
        duration_s=float(row["duration_s"]),
        text=row["text"] or NO_TEXT,
        language="en",
        voice=row["speaker"],
        gender=row["gender"],
        clean=clean if noisy else "",
        noise=row["noise"] if noisy else "",
        snr_db=float(row["snr_db"]) if noisy and row["snr_db"] else None,
        seed=None,
        scored=True,  # no speaker of the test set is in the training data of the shipped weights
        licence=LICENCE,
        listen_for=LISTEN_FOR.get(row["noise"], LISTEN_FOR_OTHERS)
        if noisy
        else "A recorded voice: do you hear breath, a room, a person who reads?",
    )


def _rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "manifest.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def _verified(folder: Path) -> Path:
    """Return the folder where its manifest and the files that it lists are there."""
    remedy = f"run python -m data_download voicebank-demand --out {folder}, or unset {VARIABLE}"
    if not (folder / "manifest.csv").is_file():
        raise ValueError(f"{VARIABLE} names {folder}, which holds no manifest.csv: {remedy}")
    rows = _rows(folder)
    if not rows or not COLUMNS <= rows[0].keys():
        raise ValueError(f"{VARIABLE} names {folder}, whose manifest lists no pairs: {remedy}")
    for row in rows:
        for side in ("clean", "noisy"):
            path = folder / row["split"] / side / row["file"]
            if not path.is_file():
                raise ValueError(f"{VARIABLE} names {folder}, which lacks {path}: {remedy}")
    return folder
