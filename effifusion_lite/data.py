"""Training data: clean speech and noise mixed on the fly, or ready-made pairs.

Every batch is a function of (seed, step) alone. Nothing has to be remembered to resume a training
exactly, and the order never repeats from one pass over the data to the next.

Chapter: 08 VoiceBank+DEMAND.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soxr
import torch
from torch import Tensor
from torch.utils.data import Dataset
from tqdm.auto import tqdm

from effifusion_lite.audio import EXTENSIONS, SAMPLE_RATE, load_audio, rms_db
from effifusion_lite.levels import active_speech_level
from effifusion_lite.listening.noises import make_noise

SILENCE_DB = -75.0  # dB relative to full scale; quieter crops hold nothing to learn from
DRAWS = 8  # tries to find a crop that holds speech
# Noise made by program, and how often each kind is drawn: what streets, rooms and vehicles sound
# like comes before what is rare.
MADE_NOISE = {
    "coloured": 0.2,
    "babble": 0.3,
    "car": 0.15,
    "dishes": 0.1,
    "keyboard": 0.1,
    "fan": 0.05,
    "music": 0.05,
    "rain": 0.05,
}
VOICES = 12  # recordings of speech that one babble is made of
ENVELOPE_POINTS = 7  # of a random spectral envelope, an octave apart up to 8 kHz


class DataError(ValueError):
    """A folder without usable audio; the message says what is expected."""


@dataclass(frozen=True)
class MixtureConfig:
    """How speech and noise are mixed.

    Args:
        segment: length of a training example in samples.
        snr_db: lowest and highest signal-to-noise ratio in dB (active speech level).
        level_db: lowest and highest level of the noisy mixture in dB relative to full scale.
        generated_noise: share of examples whose noise is made by program instead of recorded.
        second_noise: share of examples with a second, quieter noise under the first.
        noise_weights: pairs of a word and a factor: recordings with the word in their file name are
            drawn more often or more rarely by that factor.
        tilt_db: largest random change of the spectral slope of speech and of noise, in dB from the
            lowest to the highest frequency.
        envelope_db: standard deviation of a random spectral envelope of the noise, in dB; that of
            speech is a third.
        speed: slowest and fastest speed of speech, which changes its pitch too.

    Chapter: 08.
    Source: choice of this project.
    """

    segment: int = 32000
    snr_db: tuple[float, float] = (-3.0, 18.0)
    level_db: tuple[float, float] = (-38.0, -15.0)
    generated_noise: float = 0.15
    second_noise: float = 0.3
    noise_weights: tuple[tuple[str, float], ...] = ()
    tilt_db: float = 6.0
    envelope_db: float = 0.0
    speed: tuple[float, float] = (1.0, 1.0)


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

    Chapter: 08.
    Source: choice of this project.
    """

    def __init__(self, data: Batches, size: int, steps: int, first: int = 0):
        self.data, self.size, self.steps, self.first = data, size, steps, first

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        return self.data.batch(step, self.size, self.first)


def audio_files(folder: str | Path) -> list[Path]:
    """All sound files below a folder, in order of their path.

    Raises:
        DataError: if the folder does not exist or holds none.

    Chapter: 08.
    Source: choice of this project.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder: give a folder of sound files")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in EXTENSIONS)
    if not files:
        raise DataError(f"{folder} holds no sound files ({', '.join(sorted(EXTENSIONS))})")
    return files


def read_mono(path: Path) -> np.ndarray:
    """A sound file as 16-bit mono at 16 kHz, the form in which a whole corpus fits into memory.

    Shape:
        ``[N]`` (samples, int16).

    Raises:
        AudioError: if the file cannot be read.

    Chapter: 08.
    Source: choice of this project.
    """
    waveform, _ = load_audio(path, SAMPLE_RATE)
    return np.round(waveform.mean(0).clip(-1, 1) * 32767).astype(np.int16)


def read_folder(folder: str | Path) -> list[np.ndarray]:
    """Every sound file below a folder, decoded into memory.

    Raises:
        DataError: if there is none.
        AudioError: if one cannot be read.

    Chapter: 08.
    Source: choice of this project.
    """
    return [read_mono(p) for p in tqdm(audio_files(folder), f"reading {folder}", leave=False)]


class Mixtures:
    """Clean speech mixed with noise at random signal-to-noise ratio, level and spectral slope.

    Speech is grouped by the folder of the file: a short utterance is continued by another one of
    the same folder, which is meant to be the same speaker.

    Args:
        speech: folder with clean speech, one folder for each speaker.
        noise: folder with noise.
        config: how they are mixed.
        seed: other mixtures for another number.

    Raises:
        DataError: if a folder holds no sound files.

    Chapter: 08.
    Source: choice of this project.
    """

    def __init__(
        self,
        speech: str | Path,
        noise: str | Path,
        config: MixtureConfig = MixtureConfig(),
        seed: int = 0,
    ):
        self.config, self.seed = config, seed
        paths = audio_files(speech)
        self.speech = read_folder(speech)
        self.speaker = [str(path.parent) for path in paths]
        self.of_speaker: dict[str, list[int]] = {}
        for index, speaker in enumerate(self.speaker):
            self.of_speaker.setdefault(speaker, []).append(index)
        self.noise = read_folder(noise)
        self.speech_odds = _odds(self.speech)
        weights = [_weight(path.name, config.noise_weights) for path in audio_files(noise)]
        self.noise_odds = _odds(self.noise, weights)

    @property
    def seconds(self) -> tuple[float, float]:
        """Length of all speech and of all noise in seconds."""
        return tuple(sum(map(len, bank)) / SAMPLE_RATE for bank in (self.speech, self.noise))

    def batch(self, step: int, size: int, first: int = 0) -> tuple[Tensor, Tensor]:
        """Noisy and clean waveforms of one training step.

        Args:
            step: number of the step.
            size: number of examples.
            first: number of the first one, so that processes can share the examples of a step.

        Returns:
            Noisy and clean.

        Shape:
            two of ``[size, segment]`` (samples, 16 kHz).
        """
        numbers = range(first, first + size)
        pairs = [self.example(np.random.default_rng([self.seed, step, i])) for i in numbers]
        noisy, clean = (torch.from_numpy(np.stack(side)) for side in zip(*pairs, strict=True))
        return noisy, clean

    def example(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """One noisy and clean waveform.

        Shape:
            two of ``[segment]`` (samples, float32).
        """
        config = self.config
        ripple = config.envelope_db
        clean = _shape(self._speech(rng), rng, 0.5 * config.tilt_db, ripple / 3)
        noise = self._noise_crop(rng)
        if rng.random() < config.second_noise:
            noise = noise + 10 ** (rng.uniform(-15, -3) / 20) * self._noise_crop(rng)
        noise = _shape(noise, rng, config.tilt_db, ripple)
        gain_db = active_speech_level(clean) - rms_db(noise) - rng.uniform(*config.snr_db)
        noisy = clean + 10 ** (gain_db / 20) * noise
        gain = 10 ** ((rng.uniform(*config.level_db) - rms_db(noisy)) / 20)
        return (gain * noisy).astype(np.float32), (gain * clean).astype(np.float32)

    def _speech(self, rng: np.random.Generator) -> np.ndarray:
        """Speech at a random speed."""
        slowest, fastest = self.config.speed
        if slowest == fastest == 1:
            return self._speech_crop(rng, self.config.segment)
        speed = rng.uniform(slowest, fastest)
        crop = self._speech_crop(rng, int(np.ceil(self.config.segment * speed)) + 1)
        return soxr.resample(crop, SAMPLE_RATE * speed, SAMPLE_RATE)[: self.config.segment]

    def _speech_crop(self, rng: np.random.Generator, length: int) -> np.ndarray:
        """The first of some random crops that is as loud as its utterance on average, or the
        loudest."""
        loudest, best = -np.inf, None
        for _ in range(DRAWS):
            utterance = self._utterance(rng, length)
            start = rng.integers(len(utterance) - length + 1)
            crop = utterance[start : start + length] / 32768
            level = rms_db(crop)
            if level > max(rms_db(utterance / 32768) - 3, SILENCE_DB):
                return crop
            if level > loudest:
                loudest, best = level, crop
        if loudest < SILENCE_DB:
            raise DataError("the folder of speech holds next to nothing but silence")
        return best

    def _utterance(self, rng: np.random.Generator, length: int) -> np.ndarray:
        index = rng.choice(len(self.speech), p=self.speech_odds)
        parts = [self.speech[index]]
        while sum(map(len, parts)) < length:
            parts.append(self.speech[rng.choice(self.of_speaker[self.speaker[index]])])
        return np.concatenate(parts)

    def _noise_crop(self, rng: np.random.Generator) -> np.ndarray:
        """Noise of RMS 1, from a recording or made by program."""
        length = self.config.segment
        if rng.random() < self.config.generated_noise:
            noise = self._made_noise(length, rng)
            return noise / np.sqrt(np.mean(noise**2))
        for _ in range(DRAWS):
            recording = self.noise[rng.choice(len(self.noise), p=self.noise_odds)]
            start = rng.integers(len(recording))
            noise = np.take(recording, range(start, start + length), mode="wrap") / 32768
            rms = np.sqrt(np.mean(noise**2))
            if rms > 10 ** (SILENCE_DB / 20):  # else a pause of the recording
                return noise / rms
        raise DataError("the folder of noise holds next to nothing but silence")

    def _made_noise(self, length: int, rng: np.random.Generator) -> np.ndarray:
        kind = rng.choice(list(MADE_NOISE), p=list(MADE_NOISE.values()))
        if kind == "coloured":
            noise = coloured_noise(length, rng.uniform(-12, 3), rng)
            return noise * slow_modulation(length, rng.uniform(0, 12), rng)
        voices = []
        if kind == "babble":
            chosen = rng.choice(len(self.speech), VOICES, p=self.speech_odds)
            voices = [self.speech[index] / 32768 for index in chosen]
        speed = rng.uniform(0.7, 1.4) if kind != "babble" else 1.0
        seconds = speed * length / SAMPLE_RATE + 0.01
        noise = make_noise(kind, seconds, int(rng.integers(2**31)), voices)
        return soxr.resample(noise, SAMPLE_RATE * speed, SAMPLE_RATE)[:length]


def _weight(name: str, weights: tuple[tuple[str, float], ...]) -> float:
    return float(np.prod([factor for word, factor in weights if word in name]))


def _odds(bank: list[np.ndarray], weights: list[float] | float = 1.0) -> np.ndarray:
    """Long files count more, but less than in proportion to their length."""
    odds = np.sqrt([len(samples) for samples in bank]) * weights
    return odds / odds.sum()


def coloured_noise(length: int, slope_db: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise whose power changes by ``slope_db`` from one octave to the next.

    Args:
        length: number of samples.
        slope_db: 0 is white, −3 pink, −6 brown noise.
        rng: source of randomness.

    Shape:
        ``[length]`` (samples, 16 kHz).

    Chapter: 08.
    Source: choice of this project.
    """
    frequency = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    gain = np.maximum(frequency, 50.0) ** (slope_db / 20 / np.log10(2))
    return np.fft.irfft(np.fft.rfft(rng.standard_normal(length)) * gain / gain.max(), length)


def slow_modulation(length: int, depth_db: float, rng: np.random.Generator) -> np.ndarray:
    """A random gain that wanders between ``±depth_db / 2`` a few times a second.

    Shape:
        ``[length]`` (factor).

    Chapter: 08.
    Source: choice of this project.
    """
    points = max(3, round(length / SAMPLE_RATE * rng.uniform(1, 8)))
    corners = rng.uniform(-0.5, 0.5, points) * depth_db
    return 10 ** (np.interp(np.linspace(0, points - 1, length), range(points), corners) / 20)


def _shape(
    waveform: np.ndarray, rng: np.random.Generator, tilt_db: float, envelope_db: float
) -> np.ndarray:
    """Changes the spectral envelope at random, in proportion to pitch between 100 Hz and 8 kHz.

    The slope changes by up to ``± tilt_db`` over this range, and a curve with a standard deviation
    of ``envelope_db`` at each octave is added.
    """
    frequency = np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE)
    octaves = np.log2(np.maximum(frequency, 100) / 100)
    gain_db = rng.uniform(-1, 1) * tilt_db * (octaves / octaves[-1] - 0.5)
    points = rng.normal(0, envelope_db, ENVELOPE_POINTS)
    gain_db += np.interp(octaves, np.linspace(0, octaves[-1], ENVELOPE_POINTS), points)
    return np.fft.irfft(np.fft.rfft(waveform) * 10 ** (gain_db / 20), len(waveform))


def read_pairs(folder: str | Path, limit: int | None = None) -> list[np.ndarray]:
    """Pairs of equal file names in ``clean/`` and ``noisy/``, decoded into memory.

    Args:
        folder: holds the folders ``clean`` and ``noisy``.
        limit: largest number of pairs to read, at even distances in the order of their names.

    Returns:
        Noisy and clean of each pair.

    Shape:
        each ``[2, N]`` (samples, int16, 16 kHz).

    Raises:
        DataError: if a folder or a partner is missing, or two partners differ in length.

    Chapter: 08.
    Source: layout of VoiceBank+DEMAND (Valentini-Botinhao 2017).
    """
    folder = Path(folder)
    names = [path.name for path in audio_files(folder / "clean")]
    if limit is not None and limit < len(names):
        names = [names[i * len(names) // limit] for i in range(limit)]
    pairs = []
    for name in tqdm(names, f"reading {folder}", leave=False):
        if not (folder / "noisy" / name).is_file():
            raise DataError(f"{folder / 'noisy' / name} is missing: clean has a file of that name")
        noisy, clean = (read_mono(folder / side / name) for side in ("noisy", "clean"))
        if len(noisy) != len(clean):
            raise DataError(f"noisy and clean {name} in {folder} differ in length")
        pairs.append(np.stack([noisy, clean]))
    return pairs


class Pairs:
    """Ready-made pairs of equal file names in ``clean/`` and ``noisy/``.

    Args:
        folder: holds the folders ``clean`` and ``noisy``.
        segment: length of a training example in samples; shorter pairs are repeated.
        seed: other crops for another number.

    Raises:
        DataError: as :func:`read_pairs`.

    Chapter: 08.
    Source: choice of this project.
    """

    def __init__(self, folder: str | Path, segment: int = 32000, seed: int = 0):
        self.segment, self.seed = segment, seed
        self.pairs = read_pairs(folder)
        self.odds = _odds([pair[0] for pair in self.pairs])

    @property
    def seconds(self) -> tuple[float, float]:
        """Length of all clean and of all noisy recordings in seconds."""
        total = sum(pair.shape[1] for pair in self.pairs) / SAMPLE_RATE
        return total, total

    def batch(self, step: int, size: int, first: int = 0) -> tuple[Tensor, Tensor]:
        """Noisy and clean waveforms of one training step, as :meth:`Mixtures.batch`."""
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
            if rms_db(crop[1]) > SILENCE_DB:
                break
        return crop
