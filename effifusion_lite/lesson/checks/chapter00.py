"""Checks of the exercises of chapter 00, hear the problem."""

from collections.abc import Callable

import numpy as np
import torch

from effifusion_lite.audio import active_speech_level, mix_at_snr, peak_db, rms_db
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict
from effifusion_lite.listening import clips

_SEGMENT = 480  # samples, 30 ms at 16 kHz
_LOWEST, _HIGHEST = -10.0, 35.0  # dB


def check_mixture(function: Callable) -> bool:
    """Check exercise 1: speech and noise at a wanted signal-to-noise ratio.

    Args:
        function: `(clean, noise, snr_db) -> noisy`.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `clean`, `noise` and the result [N] samples.
    """
    mistakes: Mistakes = [
        (
            "the level of all samples is used: take active_speech_level for the speech, so that "
            "its pauses do not count",
            lambda s, n, snr: s + _factor(rms_db(s) - rms_db(n) - snr) * n,
        ),
        (
            "the sign is turned round: a higher ratio has to make the noise weaker",
            lambda s, n, snr: s + _factor(snr + rms_db(n) - active_speech_level(s)) * n,
        ),
        (
            "the gain belongs to an amplitude: 10 ** (dB / 20); 10 ** (dB / 10) is one of power",
            lambda s, n, snr: s + _factor(2 * (active_speech_level(s) - rms_db(n) - snr)) * n,
        ),
        (
            "the noise is taken at the level that it has: its own level belongs into the gain",
            lambda s, n, snr: s + _factor(active_speech_level(s) - snr) * n,
        ),
        (
            "the speech was scaled: leave it as it is, and give the gain to the noise",
            lambda s, n, snr: _factor(snr + rms_db(n) - active_speech_level(s)) * s + n,
        ),
        (
            "this is the noise alone: add the speech to it",
            lambda s, n, snr: mix_at_snr(s, n, snr) - s,
        ),
    ]
    problems = []
    for name, kind, snr_db in (("clb_zebra", "babble", 5.0), ("rms_boat", "rain", -2.5)):
        clean = clips.load(name)[0].astype(np.float64)
        clean = np.concatenate([clean, np.zeros(8000)])
        noise = 0.3 * clips.noise(kind, len(clean) / 16000, seed=1).astype(np.float64)
        problems.append(_compare(function, mix_at_snr, mistakes, (clean, noise, snr_db)))
    return verdict("Exercise 1", problems)


def check_gain(function: Callable) -> bool:
    """Check exercise 2: the one gain of a row of versions.

    Args:
        function: `(versions) -> gain in dB`.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `versions` list of waveforms [N].
    """
    mistakes: Mistakes = [
        (
            "the largest sample is not always positive: take np.abs first",
            lambda versions: -1 - 20 * np.log10(max(v.max() for v in versions)),
        ),
        (
            "this brings the peak to 0 dB: leave one decibel of room",
            lambda versions: _gain(versions) + 1,
        ),
        (
            "the sign is turned round: a loud row needs a negative gain",
            lambda versions: -_gain(versions),
        ),
        (
            "this is the gain of the softest version: the loudest one would clip",
            lambda versions: -1 - min(map(peak_db, versions)),
        ),
        (
            "this is the gain of the first version alone: look at all of them",
            lambda versions: -1 - peak_db(versions[0]),
        ),
        (
            "the RMS level does not show the peak: take the largest absolute sample",
            lambda versions: -1 - max(map(rms_db, versions)),
        ),
        (
            "this is the factor: the gain is wanted in dB, 20 * log10(factor)",
            lambda versions: _factor(_gain(versions)),
        ),
        (
            "this is one gain for each version: a row has one gain for all of them",
            lambda versions: np.array([-1 - peak_db(v) for v in versions]),
        ),
    ]
    generator = np.random.default_rng(1)
    problems = []
    for scales in ((0.05, 0.2, 0.01), (0.1, 0.05, 0.3)):
        versions = [scale * generator.standard_normal(1000) for scale in scales]
        versions[int(np.argmax(scales))][500] = -10 * max(scales)
        problems.append(_compare(function, _gain, mistakes, (versions,)))
    return verdict("Exercise 2", problems)


def check_segmental_snr(function: Callable) -> bool:
    """Check exercise 3: the segmental signal-to-noise ratio.

    Args:
        function: `(clean, enhanced) -> mean of the limited ratios in dB`.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `clean` and `enhanced` [N] samples.
    """
    mistakes: Mistakes = [
        (
            "the ratios are not limited: np.clip each of them to -10 to 35 dB before the mean",
            lambda s, e: np.mean(_ratios(s, e)),
        ),
        (
            "the mean is limited: limit each segment, then take the mean",
            lambda s, e: np.clip(np.mean(_ratios(s, e)), _LOWEST, _HIGHEST),
        ),
        (
            "this is one ratio for the whole recording: cut it into segments of 480 samples first",
            lambda s, e: 10 * np.log10(np.sum(s**2) / np.sum((s - e) ** 2)),
        ),
        (
            "the noise is the difference, enhanced minus clean, not the enhanced signal itself",
            lambda s, e: np.mean(np.clip(_ratios(s, e + s), _LOWEST, _HIGHEST)),
        ),
        (
            "energies are squares already: 10 * log10 of their ratio, not 20",
            lambda s, e: np.mean(np.clip(2 * _ratios(s, e), _LOWEST, _HIGHEST)),
        ),
        (
            "the logarithm is the natural one: decibels take np.log10",
            lambda s, e: np.mean(np.clip(_ratios(s, e) * np.log(10), _LOWEST, _HIGHEST)),
        ),
        (
            "these are the ratios of all segments: return their mean",
            lambda s, e: np.clip(_ratios(s, e), _LOWEST, _HIGHEST),
        ),
    ]
    generator = np.random.default_rng(1)
    problems = []
    for samples, start, end in ((4800, -70.0, -10.0), (10_000, -10.0, 45.0)):
        clean = generator.standard_normal(samples)
        error = _factor(np.linspace(start, end, samples)) * generator.standard_normal(samples)
        problems.append(_compare(function, _segmental_snr, mistakes, (clean, clean + error)))
    return verdict("Exercise 3", problems)


def _compare(function: Callable, reference: Callable, mistakes: Mistakes, arguments: tuple) -> str:
    """Compare functions of this chapter, which work on NumPy arrays and numbers."""
    converted = [(sentence, _as_tensor(mistake)) for sentence, mistake in mistakes]
    return compare(_as_tensor(function), _as_tensor(reference), converted, arguments)


def _as_tensor(function: Callable) -> Callable:
    def converted(*arguments):
        result = function(*arguments)
        if result is None or result is ...:
            return result
        if not isinstance(result, (int, float, np.number, np.ndarray)):
            raise TypeError(f"it returns a {type(result).__name__}, not an array or a number")
        return torch.as_tensor(np.asarray(result, dtype=np.float64))

    return converted


def _factor(decibel):
    return 10 ** (decibel / 20)


def _gain(versions: list[np.ndarray]) -> float:
    return -1 - max(map(peak_db, versions))


def _ratios(clean: np.ndarray, enhanced: np.ndarray) -> np.ndarray:
    count = len(clean) // _SEGMENT
    signal = clean[: count * _SEGMENT].reshape(count, _SEGMENT)  # [S, 480]
    error = (enhanced - clean)[: count * _SEGMENT].reshape(count, _SEGMENT)  # [S, 480]
    return 10 * np.log10(np.sum(signal**2, axis=1) / np.sum(error**2, axis=1))  # [S]


def _segmental_snr(clean: np.ndarray, enhanced: np.ndarray) -> float:
    return float(np.mean(np.clip(_ratios(clean, enhanced), _LOWEST, _HIGHEST)))
