"""Training data: folders of sound files, ready-made pairs, and batches of a training.

Every batch is a function of (seed, step) alone. Nothing has to be remembered to resume a training
exactly, and the order never repeats from one pass over the data to the next. Speech and noise that
are mixed on the fly stand in ``mixing.py``.

Chapter: 08 VoiceBank+DEMAND.
"""

import hashlib
import warnings
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm.auto import tqdm

from effifusion_lite.audio import (
    EXTENSIONS,
    SAMPLE_RATE,
    describe_left_out,
    find_partners,
    find_sounds,
    load_audio,
    rms_db,
)

SILENCE_DB = -75.0  # dB relative to full scale; quieter crops hold nothing to learn from
LOUDEST = 2.0  # times full scale; what is louder is a mistake of scale, not a resampler's ripple
DRAWS = 8  # tries to find a crop that holds speech


class DataError(ValueError):
    """A folder without usable audio; the message says what is expected."""


class Batches(Protocol):
    """What a training needs of its data."""

    def batch(self, step: int, size: int, first: int = 0) -> tuple[Tensor, Tensor]:
        """Noisy and clean waveforms of one step, each ``[size, N]`` (samples, 16 kHz).

        They are examples ``first`` to ``first + size - 1`` of the step.
        """


class StepDataset(Dataset):
    """The batches of a training, numbered by step, for a :class:`torch.utils.data.DataLoader`.

    Args:
        data: where the batches come from.
        size: number of examples in a batch, or in the share of it that is taken.
        steps: number of batches.
        first: number of the first example that is taken.
    """

    def __init__(self, data: Batches, size: int, steps: int, first: int = 0):
        self.data, self.size, self.steps, self.first = data, size, steps, first

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        return self.data.batch(step, self.size, self.first)


def audio_files(folder: str | Path) -> list[Path]:
    """All sound files below a folder, in order of their path, as `audio.find_sounds` finds them.

    Recordings in formats that cannot be read are named in a warning.

    Raises:
        DataError: if the folder does not exist or holds none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder: give a folder of sound files")
    found = find_sounds(folder)
    if found.left_out:
        warnings.warn(describe_left_out(folder, found.left_out), stacklevel=2)
    if not found.files:
        raise DataError(f"{folder} holds no sound files ({', '.join(sorted(EXTENSIONS))})")
    return found.files


def read_mono(path: Path) -> np.ndarray:
    """A sound file as 16-bit mono at 16 kHz, the form in which a whole corpus fits into memory.

    Shape:
        ``[N]`` (samples, int16).

    Raises:
        AudioError: if the file cannot be read.
        DataError: if it holds NaN or infinite samples.
    """
    return _in_16_bits(_read_float(path), path)


def _read_float(path: Path) -> np.ndarray:
    waveform, _ = load_audio(path, SAMPLE_RATE)
    if not np.isfinite(waveform).all():
        raise DataError(f"{path} holds NaN or infinite samples: repair the recording first")
    return waveform.mean(0)  # [N]


def _in_16_bits(waveform: np.ndarray, path: Path) -> np.ndarray:
    """The same, any shape, scaled down as a whole where it leaves full scale."""
    peak = max(1.0, float(np.abs(waveform).max()))
    if peak > LOUDEST:
        warnings.warn(
            f"{path}: samples reach {peak:.3g} times full scale; it is scaled down", stacklevel=3
        )
    return np.round(waveform / peak * 32767).astype(np.int16)


def read_all(files: list[Path], name: str | Path) -> list[np.ndarray]:
    """Sound files, decoded into memory, with a progress bar that shows their common name.

    Raises:
        AudioError: if one cannot be read.
    """
    with tqdm(files, f"reading {name}", leave=False) as bar:  # cleared before an error is told
        return [read_mono(file) for file in bar]


def digest_of(*banks: list[np.ndarray]) -> str:
    """A number, as text, that other recordings or another order of them would change.

    Args:
        banks: recordings, int16.
    """
    digest = hashlib.blake2b(digest_size=16)
    for samples in (samples for bank in banks for samples in bank):
        digest.update(repr(samples.shape).encode() + np.ascontiguousarray(samples).tobytes())
    return digest.hexdigest()


def drawing_odds(bank: list[np.ndarray], weights: list[float] | float = 1.0) -> np.ndarray:
    """How often each recording is drawn: long ones more, but less than by their length.

    Args:
        bank: the recordings.
        weights: a further factor for each, or for all.

    Returns:
        Probabilities.
    """
    odds = np.sqrt([len(samples) for samples in bank]) * weights
    return odds / odds.sum()


def read_pairs(folder: str | Path, limit: int | None = None) -> list[np.ndarray]:
    """Pairs of equal file names, sub-folders included, below ``clean/`` and ``noisy/``, decoded
    into memory.

    Noisy files without a clean one are counted in a warning.

    Args:
        folder: holds the folders ``clean`` and ``noisy``.
        limit: largest number of pairs to read, at even distances in the order of their names.

    Returns:
        Noisy and clean of each pair.

    Shape:
        each ``[2, N]`` (samples, int16, 16 kHz).

    Raises:
        DataError: if a folder or a partner is missing, two partners differ in length, the noisy one
            alone is silent, or one holds NaN or infinite samples.

    Source: layout of VoiceBank+DEMAND (Valentini-Botinhao 2017).
    """
    folder = Path(folder)
    names, noisy = (
        [path.relative_to(folder / side).as_posix() for path in audio_files(folder / side)]
        for side in ("clean", "noisy")
    )
    partners = find_partners(folder / "noisy", names)
    taken = {partner.relative_to(folder / "noisy").as_posix() for partner in partners}
    if alone := sorted(set(noisy) - taken):
        warnings.warn(
            f"{folder}: {len(alone)} noisy files have no clean one of that name and are left out: "
            f"{', '.join(alone[:3])}{', ...' if len(alone) > 3 else ''}",
            stacklevel=2,
        )
    files = list(zip(names, partners, strict=True))
    if limit is not None and limit < len(files):
        files = [files[i * len(files) // limit] for i in range(limit)]
    with tqdm(files, f"reading {folder}", leave=False) as bar:
        return [_read_pair(folder / "clean" / name, partner) for name, partner in bar]


def _read_pair(clean: Path, noisy: Path) -> np.ndarray:
    """Noisy and clean as int16 ``[2, N]``."""
    if not noisy.is_file():
        raise DataError(f"{noisy} is missing: clean has a file of that name")
    pair = [_read_float(noisy), _read_float(clean)]
    if len(pair[0]) != len(pair[1]):
        raise DataError(f"{noisy} and {clean} differ in length")
    if pair[1].any() and not pair[0].any():
        raise DataError(f"{noisy} is silent, {clean} is not: leave both out")
    return _in_16_bits(np.stack(pair), noisy)


class Pairs:
    """Ready-made pairs of equal file names in ``clean/`` and ``noisy/``.

    Args:
        folder: holds the folders ``clean`` and ``noisy``.
        segment: length of a training example in samples; shorter pairs are repeated.
        seed: other crops for another number.

    Raises:
        DataError: as :func:`read_pairs`, or if all clean recordings are silent.
    """

    def __init__(self, folder: str | Path, segment: int = 32000, seed: int = 0):
        self.segment, self.seed = segment, seed
        self.pairs = read_pairs(folder)
        if not any(pair[1].any() for pair in self.pairs):
            raise DataError(f"{Path(folder) / 'clean'} holds nothing but silence: speech is needed")
        self.odds = drawing_odds([pair[0] for pair in self.pairs])

    @property
    def seconds(self) -> tuple[float, float]:
        """Length of all clean and of all noisy recordings in seconds."""
        total = sum(pair.shape[1] for pair in self.pairs) / SAMPLE_RATE
        return total, total

    @property
    def digest(self) -> str:
        """Tells these recordings from others, wherever they lie."""
        return digest_of(self.pairs)

    def batch(self, step: int, size: int, first: int = 0) -> tuple[Tensor, Tensor]:
        """Noisy and clean waveforms of one training step, as ``Mixtures.batch``."""
        numbers = range(first, first + size)
        crops = [self._crop(np.random.default_rng([self.seed, step, i])) for i in numbers]
        noisy, clean = torch.from_numpy(np.stack(crops)).unbind(1)
        return noisy, clean

    def _crop(self, rng: np.random.Generator) -> np.ndarray:
        for _ in range(DRAWS):
            pair = self.pairs[rng.choice(len(self.pairs), p=self.odds)]
            pair = np.tile(pair, -(-self.segment // pair.shape[1]))  # [2, N]
            start = rng.integers(pair.shape[1] - self.segment + 1)
            crop = (pair[:, start : start + self.segment] / 32768).astype(np.float32)
            if min(rms_db(crop[0]), rms_db(crop[1])) > SILENCE_DB:
                break
        return crop
