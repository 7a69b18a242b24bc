"""The built-in listening set: synthetic speech, noises from seeds, and mixtures of the two.

Every sound here is made by program, so it may be shared, and it is always there: no download. The
parts stay apart: other voices and sentences for listening, training and validation, and the crowd
in a listening clip is made of voices that speak nowhere else.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from effifusion_lite.levels import mix_at_snr
from effifusion_lite.listening.noises import KINDS, RATE, make_noise

FOLDER = Path(__file__).parent
CROWDS = {"listening": "babble", "train": "train", "valid": "valid"}  # whose voices babble


@dataclass(frozen=True)
class Clip:
    """One row of the manifest: what a clip is, where it lies, and what is to be heard in it.

    `kind` is "clean", "noisy" (mixed from a clean clip and a noise when it is loaded) or "speech"
    (a sentence of the training, validation or babble part). `scored` is False for voices that stay
    out of every score, since the same speaker is in the training data of the shipped weights.

    Chapter: 00.
    Source: choice of this project.
    """

    name: str
    kind: str
    split: str
    file: str
    start_s: float
    duration_s: float
    text: str
    language: str
    voice: str
    gender: str
    clean: str
    noise: str
    snr_db: float | None
    seed: int | None
    scored: bool
    licence: str
    listen_for: str


@cache
def manifest() -> tuple[Clip, ...]:
    """Describe every clip of the set.

    Returns:
        All clips: the clean and noisy ones for listening first, then training, validation, babble.

    Chapter: 00.
    Source: choice of this project.
    """
    with open(FOLDER / "clips" / "clips.csv", newline="", encoding="utf-8") as file:
        return tuple(_clip(row) for row in csv.DictReader(file))


def names(kind: str | None = None) -> list[str]:
    """List the clips for listening.

    Args:
        kind: "clean" or "noisy"; both if None.

    Returns:
        Names that `load`, `info` and (for noisy clips) `pair` take.

    Raises:
        ValueError: there is no such kind.

    Chapter: 00.
    Source: choice of this project.
    """
    if kind not in (None, "clean", "noisy"):
        raise ValueError(f"there are no clips of kind {kind!r}: ask for 'clean', 'noisy' or None")
    heard = [clip for clip in manifest() if clip.split == "listening"]
    return [clip.name for clip in heard if kind in (None, clip.kind)]


def info(name: str) -> Clip:
    """Look up one clip: its text, voice, noise, licence, and what is to be heard.

    Args:
        name: name of a clip.

    Returns:
        The row of the manifest.

    Raises:
        ValueError: no clip has this name.

    Chapter: 00.
    Source: choice of this project.
    """
    for clip in manifest():
        if clip.name == name:
            return clip
    raise ValueError(f"there is no clip {name!r}: choose one of {', '.join(names())}")


def load(name: str) -> tuple[np.ndarray, int]:
    """Load a clip; a noisy one is mixed anew from its clean clip, its noise and its seed.

    Args:
        name: name of a clip.

    Returns:
        The waveform, float32, and its sample rate of 16000 Hz.

    Shape:
        [N] samples.

    Raises:
        ValueError: no clip has this name.

    Chapter: 00.
    Source: choice of this project.
    """
    clip = info(name)
    if clip.kind == "noisy":
        return pair(name)[1], RATE
    start, samples = round(clip.start_s * RATE), round(clip.duration_s * RATE)
    waveform, _ = soundfile.read(
        FOLDER / clip.file, frames=samples, start=start, dtype="float32", always_2d=False
    )
    return waveform, RATE


def pair(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Load a noisy clip together with the clean speech in it.

    Args:
        name: name of a noisy clip, one of `names("noisy")`.

    Returns:
        Clean and noisy waveform at 16 kHz, float32, equally long.

    Shape:
        Both [N] samples.

    Raises:
        ValueError: no clip has this name, or it is not a noisy one.

    Chapter: 00.
    Source: choice of this project.
    """
    clip = info(name)
    if clip.kind != "noisy":
        raise ValueError(f"{name!r} is not a noisy clip: choose one of {', '.join(names('noisy'))}")
    clean, _ = load(clip.clean)
    disturbance = noise(clip.noise, len(clean) / RATE, clip.seed)
    return clean, mix_at_snr(clean, disturbance, clip.snr_db, RATE)


def noise(kind: str, seconds: float, seed: int, split: str = "listening") -> np.ndarray:
    """Make a noise from its seed; babble takes its voices from the part of the set that is named.

    Args:
        kind: one of `noises.KINDS`.
        seconds: length, s.
        seed: equal seeds give equal noises.
        split: "listening", "train" or "valid": whose voices babble.

    Returns:
        The noise at 16 kHz, float32, RMS level -26 dB.

    Shape:
        [N] samples, N = round(16000 * seconds).

    Raises:
        ValueError: kind or split is unknown, or the length is not positive.

    Chapter: 00.
    Source: choice of this project.
    """
    if split not in CROWDS:
        raise ValueError(f"there is no split {split!r}: choose one of {', '.join(CROWDS)}")
    crowd = list(speech(CROWDS[split]).values()) if kind == "babble" else ()
    return make_noise(kind, seconds, seed, crowd)


def speech_folder(split: str) -> Path:
    """Find the folder with the recordings of one part, one Ogg file for each voice.

    Args:
        split: "train", "valid" or "babble".

    Returns:
        The folder, which can be given to training as its speech.

    Raises:
        ValueError: there is no such part.

    Chapter: 00.
    Source: choice of this project.
    """
    if split not in CROWDS.values():
        raise ValueError(f"there is no split {split!r}: choose one of {', '.join(CROWDS.values())}")
    return FOLDER / "training" / split


def speech(split: str) -> dict[str, np.ndarray]:
    """Load the speech of one part, the sentences of each voice in a row.

    Args:
        split: "train", "valid" or "babble".

    Returns:
        For each voice its waveform at 16 kHz, float32.

    Shape:
        Each [N] samples.

    Raises:
        ValueError: there is no such part.

    Chapter: 00.
    Source: choice of this project.
    """
    files = sorted(speech_folder(split).glob("*.ogg"))
    return {file.stem: soundfile.read(file, dtype="float32")[0] for file in files}


def _clip(row: dict[str, str]) -> Clip:
    numbers = {
        "start_s": float(row["start_s"]),
        "duration_s": float(row["duration_s"]),
        "snr_db": float(row["snr_db"]) if row["snr_db"] else None,
        "seed": int(row["seed"]) if row["seed"] else None,
        "scored": row["scored"] == "yes",
    }
    return Clip(**(row | numbers))


__all__ = [
    "KINDS",
    "Clip",
    "info",
    "load",
    "manifest",
    "names",
    "noise",
    "pair",
    "speech",
    "speech_folder",
]
