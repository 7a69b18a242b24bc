"""Clean speech and noise, mixed on the fly.

Chapter: 08 VoiceBank+DEMAND.
"""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soxr
import torch
from torch import Tensor

from effifusion_lite.audio import SAMPLE_RATE, active_speech_level, rms_db
from effifusion_lite.data.augmentation import (
    made_noise,
    recording_floor,
    shape_spectrum,
    with_rumble,
)
from effifusion_lite.data.batches import (
    DRAWS,
    SILENCE_DB,
    DataError,
    audio_files,
    digest_of,
    drawing_odds,
    read_all,
)
from effifusion_lite.settings import AT_LEAST_0, AT_LEAST_1, POSITIVE, RISING, SHARE, check_fields

NEARLY_CLEAN_DB = (
    50.0  # the highest SNR; what is left of the noise is then below most recordings' own
)


@dataclass(frozen=True)
class MixtureConfig:
    """How speech and noise are mixed.

    Args:
        segment: length of a training example in samples.
        snr_db: lowest and highest signal-to-noise ratio in dB (active speech level).
        level_db: lowest and highest level of the noisy mixture in dB relative to full scale.
        generated_noise: share of examples whose noise is made by program instead of recorded.
        second_noise: share of examples with a second, quieter noise under the first.
        noise_weights: pairs of a text and a factor: recordings with a word in their file name that
            begins with the text are drawn more often or more rarely by that factor ("rain" means
            "heavy_rain2", and not "train").
        tilt_db: largest random change of the spectral slope of speech and of noise, in dB from the
            lowest to the highest frequency.
        envelope_db: standard deviation of a random spectral envelope of the noise, in dB; that of
            speech is a third.
        speed: slowest and fastest speed of speech, which changes its pitch too.
        speech_weights: as ``noise_weights``, for words in the path of a recording of speech below
            its folder ("vctk" means all speakers of "vctk_p226" and the like).
        nearly_clean: share of examples whose SNR lies between the highest one and 50 dB.
        floor: share of examples whose speech, the target too, has a recording's own rumble and
            hiss, which is not to be removed.
        noise_rumble: share of examples whose noise has strong rumble, which recordings made
            through a high-pass filter lack.
        rumble_db: lowest and highest level of that rumble in dB relative to the noise.
        rumble_hz: lowest and highest frequency above which it falls, drawn on a logarithmic scale.

    Raises:
        ValueError: if a value is of another type, or out of range.
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
    speech_weights: tuple[tuple[str, float], ...] = ()
    nearly_clean: float = 0.0
    floor: float = 0.0
    noise_rumble: float = 0.0
    rumble_db: tuple[float, float] = (-10.0, 20.0)
    rumble_hz: tuple[float, float] = (40.0, 150.0)

    def __post_init__(self):
        shares = "generated_noise second_noise nearly_clean floor noise_rumble"
        rules = dict.fromkeys(shares.split(), SHARE)
        rules |= dict.fromkeys("tilt_db envelope_db".split(), AT_LEAST_0)
        rules |= dict.fromkeys("snr_db level_db speed rumble_db rumble_hz".split(), RISING)
        check_fields(self, rules | {"segment": AT_LEAST_1})
        check_fields(self, dict.fromkeys(("speed", "rumble_hz"), POSITIVE))
        for text, factor in (*self.noise_weights, *self.speech_weights):
            if factor < 0:
                raise ValueError(f"the weight of {text!r} must be at least 0, not {factor}")


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
    """

    def __init__(
        self,
        speech: str | Path,
        noise: str | Path,
        config: MixtureConfig = MixtureConfig(),
        seed: int = 0,
    ):
        self.config, self.seed = config, seed
        files = audio_files(speech)
        self.speech = read_all(files, speech)
        self.speaker = [str(file.parent) for file in files]
        self.of_speaker: dict[str, list[int]] = {}
        for index, speaker in enumerate(self.speaker):
            self.of_speaker.setdefault(speaker, []).append(index)
        names = [file.relative_to(speech).as_posix() for file in files]
        weights = [_weight(name, config.speech_weights) for name in names]
        self.speech_odds = drawing_odds(self.speech, weights)
        files = audio_files(noise)
        self.noise = read_all(files, noise)
        weights = [_weight(file.name, config.noise_weights) for file in files]
        self.noise_odds = drawing_odds(self.noise, weights)

    @property
    def seconds(self) -> tuple[float, float]:
        """Length of all speech and of all noise in seconds."""
        return tuple(sum(map(len, bank)) / SAMPLE_RATE for bank in (self.speech, self.noise))

    @property
    def digest(self) -> str:
        """Tells these recordings from others, wherever they lie."""
        return digest_of(self.speech, self.noise)

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
        clean = shape_spectrum(self._speech(rng), rng, 0.5 * config.tilt_db, ripple / 3)
        noise = self._noise_crop(rng)
        if rng.random() < config.second_noise:
            noise = noise + 10 ** (rng.uniform(-15, -3) / 20) * self._noise_crop(rng)
        noise = shape_spectrum(noise, rng, config.tilt_db, ripple)
        if config.noise_rumble and rng.random() < config.noise_rumble:
            noise = with_rumble(noise, rng, config.rumble_db, config.rumble_hz)
        gain_db = active_speech_level(clean) - rms_db(noise) - self._snr_db(rng)
        if config.floor and rng.random() < config.floor:
            clean = clean + recording_floor(clean, rng)
        noisy = clean + 10 ** (gain_db / 20) * noise
        gain = 10 ** ((rng.uniform(*config.level_db) - rms_db(noisy)) / 20)
        return (gain * noisy).astype(np.float32), (gain * clean).astype(np.float32)

    def _snr_db(self, rng: np.random.Generator) -> float:
        share, (lowest, highest) = self.config.nearly_clean, self.config.snr_db
        if share and rng.random() < share:
            lowest, highest = highest, max(highest, NEARLY_CLEAN_DB)
        return rng.uniform(lowest, highest)

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

    def _voices(self, rng: np.random.Generator, number: int) -> list[np.ndarray]:
        chosen = rng.choice(len(self.speech), number, p=self.speech_odds)
        return [self.speech[index] / 32768 for index in chosen]

    def _noise_crop(self, rng: np.random.Generator) -> np.ndarray:
        """Noise of RMS 1, from a recording or made by program."""
        length = self.config.segment
        if rng.random() < self.config.generated_noise:
            noise = made_noise(length, rng, partial(self._voices, rng))
            return noise / np.sqrt(np.mean(noise**2))
        for _ in range(DRAWS):
            recording = self.noise[rng.choice(len(self.noise), p=self.noise_odds)]
            start = rng.integers(len(recording))
            noise = np.take(recording, range(start, start + length), mode="wrap") / 32768
            rms = np.sqrt(np.mean(noise**2))
            if rms > 10 ** (SILENCE_DB / 20):  # else a pause of the recording
                return noise / rms
        raise DataError("the folder of noise holds next to nothing but silence")


def _weight(name: str, weights: tuple[tuple[str, float], ...]) -> float:
    begins = (
        (re.search(rf"(?<![^\W\d_]){re.escape(text)}", name), factor) for text, factor in weights
    )
    return float(np.prod([factor for found, factor in begins if found]))
