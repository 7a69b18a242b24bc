"""Checks of the exercises of chapter 00, hear the problem."""

from collections.abc import Callable

import numpy as np

from effifusion_lite.audio import active_speech_level, mix_at_snr, peak_db, rms_db
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict
from effifusion_lite.listening import clips

_SEGMENT = 480  # samples, 30 ms at 16 kHz
_LOWEST, _HIGHEST = -10.0, 35.0  # dB


def check_gain(function: Callable, strict: bool = False) -> bool:
    """Check exercise 1: the one gain of a row of versions.

    Args:
        function: `(versions) -> gain in dB`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `versions` list of waveforms [N].

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "the largest sample is not always positive: take np.abs first",
            lambda versions: -1 - 20 * np.log10(max(v.max() for v in versions)),
        ),
        (
            "a peak can be positive, too: take np.abs first",
            lambda versions: -1 - 20 * np.log10(max(-v.min() for v in versions)),
        ),
        (
            "the two sides are swapped: -1 - 20 * log10(peak), not 20 * log10(peak) - 1",
            lambda versions: 20 * np.log10(_peak(versions)) - 1,
        ),
        (
            "the level of a sample is 20 * log10(peak): 10 * log10 is for energies",
            lambda versions: -1 - 10 * np.log10(_peak(versions)),
        ),
        (
            "the logarithm is the natural one: decibels take np.log10",
            lambda versions: -1 - 20 * np.log(_peak(versions)),
        ),
        (
            "the peak is not in dB yet: take -1 - 20 * log10(peak)",
            lambda versions: -1 - _peak(versions),
        ),
        (
            "this brings the peak to 0 dB: leave one decibel of room",
            lambda versions: _gain(versions) + 1,
        ),
        (
            "the sign is reversed: a loud row needs a negative gain",
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
            "this is the gain of the last version alone: look at all of them",
            lambda versions: -1 - peak_db(versions[-1]),
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
    cases = []
    for peak, scales in ((-1.0, (0.05, 0.2, 0.01)), (2.5, (0.1, 0.02, 0.3, 0.05))):
        versions = [scale * generator.standard_normal(1000) for scale in scales]
        versions[int(np.argmax(scales))][500] = 2 * peak
        cases.append({"versions": versions})
    problems = compare(function, _gain, mistakes, cases)
    return verdict("Exercise 1", problems, len(cases), strict)


def check_segmental_snr(function: Callable, strict: bool = False) -> bool:
    """Check exercise 2: the segmental signal-to-noise ratio.

    Args:
        function: `(clean, enhanced) -> mean of the limited ratios in dB`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `clean` and `enhanced` [N] samples.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
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
            "the lower limit is missing: np.clip each ratio to -10 to 35 dB",
            lambda s, e: np.mean(np.minimum(_ratios(s, e), _HIGHEST)),
        ),
        (
            "the upper limit is missing: np.clip each ratio to -10 to 35 dB",
            lambda s, e: np.mean(np.maximum(_ratios(s, e), _LOWEST)),
        ),
        (
            "this is the median of the segments: take their mean",
            lambda s, e: np.median(np.clip(_ratios(s, e), _LOWEST, _HIGHEST)),
        ),
        (
            "the sums run over the wrong axis, across the segments: sum the 480 samples of each",
            lambda s, e: np.mean(np.clip(_ratios(s, e, axis=0), _LOWEST, _HIGHEST)),
        ),
        (
            "the ratio is upside down: the energy of the speech over the energy of the error",
            lambda s, e: np.mean(np.clip(-_ratios(s, e), _LOWEST, _HIGHEST)),
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
            "the logarithm is taken of the mean: take the ratio of each segment in dB and limit "
            "it, then take the mean",
            lambda s, e: np.clip(10 * np.log10(np.mean(10 ** (_ratios(s, e) / 10))), -10, 35),
        ),
        (
            "the energy of the speech is that of the clean signal, not of the enhanced one",
            lambda s, e: np.mean(np.clip(_ratios(e, 2 * e - s), _LOWEST, _HIGHEST)),
        ),
        (
            "a rest of less than 480 samples at the end counts as a segment: leave it out",
            lambda s, e: np.mean(np.clip(_with_rest(s, e), _LOWEST, _HIGHEST)),
        ),
        (
            "these are the ratios of all segments: return their mean",
            lambda s, e: np.clip(_ratios(s, e), _LOWEST, _HIGHEST),
        ),
    ]
    generator = np.random.default_rng(1)
    cases = []
    for samples, start, end in ((4800, -75.0, -5.0), (10_000, -10.0, 50.0), (7200, -60.0, 30.0)):
        clean = generator.standard_normal(samples)
        error = _factor(np.linspace(start, end, samples)) * generator.standard_normal(samples)
        cases.append({"clean": clean, "enhanced": clean + error})
    problems = compare(function, _segmental_snr, mistakes, cases)
    return verdict("Exercise 2", problems, len(cases), strict)


def check_mixture(function: Callable, strict: bool = False) -> bool:
    """Check exercise 3, a bug hunt: speech and the beginning of a noise at a wanted ratio.

    Args:
        function: `(clean, noise, snr_db) -> noisy`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed. The bug itself is told by what it
        does, not by its place.

    Shape:
        `clean` and the result [N] samples, `noise` [M] samples with M >= N.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "the ratio that was asked for is met where a noise holds still, and missed where its "
            "level changes: measure it with several noises",
            lambda s, n, snr: s + _factor(active_speech_level(s) - rms_db(n) - snr) * _cut(n, s),
        ),
        (
            "this adds the end of the noise: add its beginning, noise[: len(clean)]",
            lambda s, n, snr: mix_at_snr(s, n[len(n) - len(s) :], snr),
        ),
        (
            "the noise is measured like speech: take rms_db for it, its quiet parts count",
            lambda s, n, snr: (
                s
                + _factor(active_speech_level(s) - active_speech_level(_cut(n, s)) - snr)
                * _cut(n, s)
            ),
        ),
        (
            "the level of all samples is used: take active_speech_level for the speech, so that "
            "its pauses do not count",
            lambda s, n, snr: s + _factor(rms_db(s) - rms_db(_cut(n, s)) - snr) * _cut(n, s),
        ),
        (
            "the sign of the gain is reversed: a higher ratio has to make the noise weaker",
            lambda s, n, snr: s + _factor(-_noise_gain(s, n, snr)) * _cut(n, s),
        ),
        (
            "the wanted ratio is added to the gain: subtract it, so that a higher ratio makes the "
            "noise weaker",
            lambda s, n, snr: s + _factor(_noise_gain(s, n, -snr)) * _cut(n, s),
        ),
        (
            "samples take 10 ** (dB / 20): 10 ** (dB / 10) is the factor of a power",
            lambda s, n, snr: s + _factor(2 * _noise_gain(s, n, snr)) * _cut(n, s),
        ),
        (
            "the gain is still in dB: turn it into a factor, 10 ** (gain_db / 20)",
            lambda s, n, snr: s + _noise_gain(s, n, snr) * _cut(n, s),
        ),
        (
            "the noise is taken as if its level were 0 dB: subtract rms_db(noise) in the gain",
            lambda s, n, snr: s + _factor(active_speech_level(s) - snr) * _cut(n, s),
        ),
        (
            "the speech was scaled: leave it as it is, and give the gain to the noise",
            lambda s, n, snr: _factor(-_noise_gain(s, n, snr)) * s + _cut(n, s),
        ),
        (
            "this is the noise alone: add the speech to it",
            lambda s, n, snr: mix_at_snr(s, _cut(n, s), snr) - s,
        ),
    ]
    cases = []
    for name, kind, snr_db in (("clb_zebra", "babble", 5.0), ("rms_boat", "dishes", -2.5)):
        clean = clips.load(name)[0].astype(np.float64)
        clean = np.concatenate([clean, np.zeros(8000)])
        noise = clips.noise(kind, 2 * len(clean) / 16000, seed=1).astype(np.float64)
        noise *= np.linspace(0.1, 0.5, len(noise))
        cases.append({"clean": clean, "noise": noise, "snr_db": snr_db})
    problems = compare(function, lambda s, n, snr: mix_at_snr(s, _cut(n, s), snr), mistakes, cases)
    return verdict("Exercise 3", problems, len(cases), strict)


def _factor(decibel):
    return 10 ** (decibel / 20)


def _noise_gain(clean: np.ndarray, noise: np.ndarray, snr_db: float) -> float:
    return active_speech_level(clean) - rms_db(_cut(noise, clean)) - snr_db


def _cut(noise: np.ndarray, clean: np.ndarray) -> np.ndarray:
    return noise[: len(clean)]


def _peak(versions: list[np.ndarray]) -> float:
    return max(np.abs(version).max() for version in versions)


def _gain(versions: list[np.ndarray]) -> float:
    return -1 - max(map(peak_db, versions))


def _ratios(clean: np.ndarray, enhanced: np.ndarray, axis: int = 1) -> np.ndarray:
    count = len(clean) // _SEGMENT
    signal = clean[: count * _SEGMENT].reshape(count, _SEGMENT)  # [S, 480]
    error = (enhanced - clean)[: count * _SEGMENT].reshape(count, _SEGMENT)  # [S, 480]
    return 10 * np.log10(np.sum(signal**2, axis=axis) / np.sum(error**2, axis=axis))


def _with_rest(clean: np.ndarray, enhanced: np.ndarray) -> np.ndarray:
    missing = (0, -len(clean) % _SEGMENT)
    return _ratios(np.pad(clean, missing), np.pad(enhanced, missing))


def _segmental_snr(clean: np.ndarray, enhanced: np.ndarray) -> float:
    return float(np.mean(np.clip(_ratios(clean, enhanced), _LOWEST, _HIGHEST)))
