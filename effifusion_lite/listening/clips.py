"""The listening set: synthetic speech, noises from seeds, and mixtures of the two.

Every sound here is made by program, so it may be shared, and it is always there: no download. The
parts stay apart: other voices and sentences for listening, training and validation, and the crowd
in a listening clip is made of voices that speak nowhere else.

Where the environment variable EFFIFUSION_VBD names a prepared VoiceBank+DEMAND, pairs of its test
set take the places of the clips for listening (`corpus.py`): the names of the built-in clips stay
valid and stand for those pairs, whose own names are listed by `names`.
"""

from pathlib import Path

import numpy as np
import soundfile

from effifusion_lite.audio import mix_at_snr
from effifusion_lite.listening import corpus
from effifusion_lite.listening.manifest import FOLDER, Clip, manifest
from effifusion_lite.listening.noises import KINDS, RATE, make_noise

CROWDS = {"listening": "babble", "train": "train", "valid": "valid"}  # whose voices babble


def names(kind: str | None = None) -> list[str]:
    """List the clips for listening.

    Args:
        kind: "clean" or "noisy"; both if None.

    Returns:
        Names that `load`, `info` and (for noisy clips) `pair` take.

    Raises:
        ValueError: there is no such kind.
    """
    if kind not in (None, "clean", "noisy"):
        raise ValueError(f"there are no clips of kind {kind!r}: ask for 'clean', 'noisy' or None")
    heard = _listening().values()
    return list(dict.fromkeys(clip.name for clip in heard if kind in (None, clip.kind)))


def info(name: str) -> Clip:
    """Look up one clip: its text, voice, noise, licence, and what is to be heard.

    Args:
        name: name of a clip.

    Returns:
        The row of the manifest.

    Raises:
        ValueError: no clip has this name.
    """
    heard = _listening()
    if name in heard:
        return heard[name]
    for clip in (*heard.values(), *manifest()):
        if clip.name == name:
            return clip
    raise ValueError(f"there is no clip {name!r}: choose one of {', '.join(names())}")


def load(name: str) -> tuple[np.ndarray, int]:
    """Load a clip; a built-in noisy one is mixed anew from its clean clip, its noise and its seed.

    Args:
        name: name of a clip.

    Returns:
        The waveform, float32, and its sample rate of 16000 Hz.

    Shape:
        [N] samples.

    Raises:
        ValueError: no clip has this name.
    """
    clip = info(name)
    if clip.kind == "noisy":
        return pair(name)[1], RATE
    return _read(clip), RATE


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
    """
    clip = info(name)
    if clip.kind != "noisy":
        raise ValueError(f"{name!r} is not a noisy clip: choose one of {', '.join(names('noisy'))}")
    clean, _ = load(clip.clean)
    if clip.file:
        return clean, _read(clip)
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
    """
    files = sorted(speech_folder(split).glob("*.ogg"))
    return {file.stem: soundfile.read(file, dtype="float32")[0] for file in files}


def origin() -> str:
    """Say in words where the clips for listening come from.

    Returns:
        "built in", or "VoiceBank+DEMAND in " and its folder.
    """
    folder = corpus.prepared_folder()
    return f"VoiceBank+DEMAND in {folder}" if folder else "built in"


def _listening() -> dict[str, Clip]:
    """The clips for listening, by the names that the chapters know."""
    folder = corpus.prepared_folder()
    if folder:
        return corpus.stand_ins(folder)
    return {clip.name: clip for clip in manifest() if clip.split == "listening"}


def _read(clip: Clip) -> np.ndarray:
    start, samples = round(clip.start_s * RATE), round(clip.duration_s * RATE)
    return soundfile.read(FOLDER / clip.file, frames=samples, start=start, dtype="float32")[0]


__all__ = [
    "KINDS",
    "Clip",
    "info",
    "load",
    "manifest",
    "names",
    "noise",
    "origin",
    "pair",
    "speech",
    "speech_folder",
]
