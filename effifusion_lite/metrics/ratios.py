"""Ratios of signal to error in dB, of the waveform alone: SI-SDR and segmental SNR.

Chapter: 05 Losses and metrics.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.metrics.comparable import MetricError, comparable, refuse_silence

SEGMENT, OVERLAP = 0.03, 0.75  # seconds; share of a segment
LOWEST_SNR, HIGHEST_SNR = -10.0, 35.0  # dB, limits of one segment
ROUNDING = 1e-20  # ratio of energies (200 dB) that is due to rounding alone


def si_sdr(clean: np.ndarray, enhanced: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio: blind to the level, strict about the waveform.

    Both waveforms lose their mean; the enhanced one is then split into the part along the clean
    one and the rest.

    Args:
        clean: the reference.
        enhanced: what is judged.

    Returns:
        Energy of the one part over energy of the other, dB.

    Shape:
        two of `[N]` samples.

    Raises:
        MetricError: a waveform is constant, or the two are equal (the ratio is infinite).

    Source: Le Roux, Wisdom, Erdogan and Hershey (2019), with the means removed.
    """
    clean, enhanced = comparable(clean, enhanced)
    for name, waveform in (("clean", clean), ("enhanced", enhanced)):
        if np.ptp(waveform) == 0:
            raise MetricError(f"the {name} recording is silent or constant")
    clean, enhanced = clean - clean.mean(), enhanced - enhanced.mean()
    target = clean * ((enhanced @ clean) / (clean @ clean))
    rest = enhanced - target
    target_energy, rest_energy = target @ target, rest @ rest
    if rest_energy <= ROUNDING * target_energy:
        raise MetricError("SI-SDR is infinite: enhanced equals clean")
    if target_energy <= ROUNDING * rest_energy:
        raise MetricError("SI-SDR is minus infinity: enhanced holds nothing of clean")
    return float(10 * np.log10(target_energy / rest_energy))


def segmental_snr(clean: np.ndarray, enhanced: np.ndarray, sample_rate: int = SAMPLE_RATE) -> float:
    """Mean signal-to-noise ratio of short segments, each limited to −10 to 35 dB.

    Args:
        clean: the reference.
        enhanced: what is judged; its level counts.
        sample_rate: Hz.

    Returns:
        Mean over Hann-windowed segments of 30 ms that overlap by 75 %, dB.

    Shape:
        two of `[N]` samples.

    Raises:
        MetricError: the clean recording is silent, or shorter than 37.5 ms.

    Source: Loizou, Speech Enhancement (2013), as his program computes it: the window has no zero at
        its ends, and the last segment is left out.
    """
    clean, enhanced = comparable(clean, enhanced)
    refuse_silence(clean, "clean")
    clean_segments = segments(clean, sample_rate)  # [S, L]
    enhanced_segments = segments(enhanced, sample_rate)  # [S, L]
    signal = np.sum(clean_segments**2, axis=1)  # [S]
    noise = np.sum((clean_segments - enhanced_segments) ** 2, axis=1)  # [S]
    epsilon = np.finfo(np.float64).eps
    ratios = 10 * np.log10(signal / (noise + epsilon) + epsilon)  # [S]
    return float(np.clip(ratios, LOWEST_SNR, HIGHEST_SNR).mean())


def segments(waveform: np.ndarray, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Hann-windowed segments of 30 ms that overlap by 75 %.

    Args:
        waveform: samples.
        sample_rate: Hz.

    Returns:
        The segments; the last one is left out, and the window has no zero at its ends.

    Shape:
        `[N]` samples -> `[S, L]`: S segments of L samples.

    Raises:
        MetricError: there are less than 37.5 ms.

    Source: Loizou, Speech Enhancement (2013), as his programs cut them.
    """
    length = round(SEGMENT * sample_rate)
    hop = int(length * (1 - OVERLAP))
    count = (len(waveform) - length) // hop
    if count < 1:
        raise MetricError("segments of 30 ms need at least 37.5 ms")
    return sliding_window_view(waveform, length)[::hop][:count] * np.hanning(length + 2)[1:-1]
