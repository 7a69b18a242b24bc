"""How loud the versions of a row are played: one gain for all, or equal loudness.

One gain keeps what the ear should hear: a version that is softer stays softer. But the louder of
two sounds is liked better, so a judgement about quality wants equal loudness (ITU-R BS.1770). Both
keep every peak below full scale, also between the samples (dBTP: decibels, true peak).
"""

from collections.abc import Sequence

import numpy as np
import pyloudnorm
from scipy.signal import resample_poly

from effifusion_lite.audio import peak_db, rms_db

LOUDEST = -26.0  # dB, RMS of the loudest version after the common gain
PEAK = -1.0  # dBTP, which no version exceeds
OVERSAMPLING = 4
BLOCK = 0.4  # s, the shortest sound whose loudness is defined


def true_peak_db(waveform: np.ndarray) -> float:
    """Measure the peak of the continuous wave that the samples stand for.

    Args:
        waveform: full scale = 1.

    Returns:
        True peak, dB relative to full scale (dBTP); minus infinity for silence.

    Shape:
        `waveform` [N] samples.

    Source: ITU-R BS.1770-4, annex 2: the largest of the samples at four times the rate.
    """
    return max(peak_db(waveform), peak_db(resample_poly(waveform, OVERSAMPLING, 1)))


def loudness(waveform: np.ndarray, sample_rate: int = 16000) -> float:
    """Measure how loud a sound is, with the ear's weighting and without its pauses.

    Args:
        waveform: full scale = 1.
        sample_rate: samples per second, Hz.

    Returns:
        Integrated loudness, dB relative to full scale (LUFS); minus infinity for silence and for
        sounds shorter than 0.4 s, whose loudness is not defined.

    Shape:
        `waveform` [N] samples.

    Source: ITU-R BS.1770-4, by the package `pyloudnorm`.
    """
    if len(waveform) < BLOCK * sample_rate:
        return -np.inf
    return float(pyloudnorm.Meter(sample_rate).integrated_loudness(np.asarray(waveform, float)))


def common_gain(waveforms: Sequence[np.ndarray]) -> float:
    """Choose the one gain of a row.

    Args:
        waveforms: all versions.

    Returns:
        The gain in dB that brings the loudest version to an RMS level of -26 dB, or less, so that
        no true peak exceeds -1 dBTP; 0 for silence.

    Shape:
        Each [N] samples.
    """
    level, peak = max(map(rms_db, waveforms)), max(map(true_peak_db, waveforms))
    return float(min(LOUDEST - level, PEAK - peak)) if np.isfinite(peak) else 0.0


def equal_gains(waveforms: Sequence[np.ndarray], sample_rate: int = 16000) -> list[float] | None:
    """Choose a gain for each version, so that all are equally loud.

    Args:
        waveforms: all versions.
        sample_rate: samples per second, Hz.

    Returns:
        The gains in dB: all come to the loudness of the loudest version, or to less, so that no
        true peak exceeds -1 dBTP. None where a version has no loudness: silence, or less than
        0.4 s.

    Shape:
        Each [N] samples.
    """
    levels = [loudness(waveform, sample_rate) for waveform in waveforms]
    if not np.isfinite(levels).all():
        return None
    room = [
        level + PEAK - true_peak_db(waveform)
        for level, waveform in zip(levels, waveforms, strict=True)
    ]
    target = min(max(levels), *room)
    return [target - level for level in levels]
