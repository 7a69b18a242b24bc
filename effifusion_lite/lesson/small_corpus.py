"""A small corpus in the shape of VoiceBank+DEMAND: for chapter 08, which trains while one waits.

Where EFFIFUSION_VBD names a prepared folder with training and validation pairs, it is a part of
them; else it is made of the built-in voices and noises.
"""

import csv
import shutil
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import soundfile

from effifusion_lite.audio import mix_at_snr
from effifusion_lite.listening import clips
from effifusion_lite.listening.corpus import prepared_folder

RATE = 16000  # Hz
COLUMNS = ("file", "split", "speaker", "gender", "noise", "snr_db", "duration_s", "text")
SNRS = (0, 5, 10, 15)  # dB, those of the corpus' training set
KINDS = ("speech_shaped", "babble", "fan", "car", "rain", "dishes")
NOISE_SECONDS = 20  # of each noise, from which pieces are cut
LIMITS = {"train": 200, "valid": 8}  # pairs that are taken, at most
PEAK = 0.9  # of a mixture, relative to full scale

Row = dict[str, str]


def small_corpus(folder: Path) -> list[Row]:
    """Write training and validation pairs as 16 kHz FLAC, and `manifest.csv`, into a folder.

    Args:
        folder: where to; it is made, and what it holds is replaced.

    Returns:
        The rows of the manifest, one for each pair.

    Raises:
        ValueError: EFFIFUSION_VBD names a folder that does not serve.
    """
    source = prepared_folder()
    rows = [] if source is None else _taken(source)
    if {row["split"] for row in rows} != {*LIMITS}:
        source, rows = None, []
    shutil.rmtree(folder, ignore_errors=True)
    for split, side in product(LIMITS, ("clean", "noisy")):
        (folder / split / side).mkdir(parents=True)
    if source is None:
        rows = [*_mixed(folder)]
    for row in rows if source else ():
        for side in ("clean", "noisy"):
            place = Path(row["split"], side, row["file"])
            shutil.copyfile(source / place, folder / place)
    with open(folder / "manifest.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def _taken(source: Path) -> list[Row]:
    """Rows of a prepared folder, at even distances."""
    with open(source / "manifest.csv", newline="", encoding="utf-8") as file:
        every = list(csv.DictReader(file))
    rows = []
    for split, limit in LIMITS.items():
        there = [row for row in every if row["split"] == split]
        count = min(limit, len(there))
        rows += [there[i * len(there) // count] for i in range(count)]
    return rows


def _mixed(folder: Path) -> Iterator[Row]:
    """Write pairs of the built-in voices and noises."""
    for seed, split in enumerate(LIMITS):
        rng = np.random.default_rng(seed)
        noises = {kind: clips.noise(kind, NOISE_SECONDS, seed, split) for kind in KINDS}
        spoken = [clip for clip in clips.manifest() if clip.split == split]
        if split == "valid":
            spoken = _evenly(spoken, LIMITS[split])
        conditions = [*product(KINDS, SNRS)]
        voices = clips.speech(split)
        for number, clip in enumerate(spoken):
            kind, snr_db = conditions[
                (7 * number + seed) % len(conditions)
            ]  # 7 and 24: all of them
            start = round(clip.start_s * RATE)
            clean = voices[clip.voice][start : start + round(clip.duration_s * RATE)]
            begin = rng.integers(len(noises[kind]) - len(clean))
            noisy = mix_at_snr(clean, noises[kind][begin : begin + len(clean)], snr_db)
            gain = min(1.0, PEAK / np.abs(noisy).max())
            name = f"{clip.name}.flac"
            for side, waveform in (("clean", clean), ("noisy", noisy)):
                soundfile.write(folder / split / side / name, gain * waveform, RATE)
            values = (name, split, clip.voice, clip.gender, kind, str(snr_db))
            yield dict(zip(COLUMNS, (*values, f"{len(clean) / RATE:.3f}", clip.text), strict=True))


def _evenly(items: list, count: int) -> list:
    return [items[i * len(items) // count] for i in range(count)]


def read_pairs(folder: Path, rows: Iterable[Row]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Clean and noisy waveform of each row.

    Args:
        folder: of `small_corpus`.
        rows: of its manifest.

    Shape:
        both [N] samples at 16 kHz.
    """
    for row in rows:
        yield tuple(
            soundfile.read(folder / row["split"] / side / row["file"], dtype="float32")[0]
            for side in ("clean", "noisy")
        )
