"""CSIG, CBAK and COVL: what listeners would say of speech, of background, and of both together.

Each is a sum of PESQ and of three distances, with weights that were fitted to the opinions of
listeners: log-likelihood ratio (shape of the spectrum), weighted spectral slope (its formants), and
segmental SNR. Samples are floats in [−1, 1], a sample of 16 bits divided by 32768. That is the
"int16 scaling" of the original: the weighted spectral slope takes a band below 1e-10 for empty, and
dividing such floats by 32768 once more makes quiet bands empty and all three scores too high.

Chapter: 05 Losses and metrics.
"""

from dataclasses import dataclass

import numpy as np

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.metrics.comparable import comparable, refuse_silence
from effifusion_lite.metrics.ratios import segmental_snr, segments

KEPT = 0.95  # share of the segments, those with the smallest distance
ORDER = 16  # of linear prediction
WHITE_NOISE = 1e-10  # of a segment's energy: with TINY it keeps the prediction of silence finite
TINY = 1e-12  # energy of a segment; rounding to 16 bits leaves 1e-8
N_FFT = 1024  # the power of two above twice a segment
# Hz, of 25 critical bands: the first lies at 50 Hz, the next one bandwidth above it, and so on.
BANDWIDTHS = np.array(
    [70.0] * 7
    + [77.3724, 86.0056, 95.3398, 105.411, 116.256, 127.914, 140.423, 153.823, 168.154]
    + [183.457, 199.776, 217.153, 235.631, 255.255, 276.072, 298.126, 321.465, 346.136]
)
LOWEST_BAND = 50.0  # Hz
STEEPNESS = 11.0  # of a band's slopes
NEGLIGIBLE = np.exp(-30 / (2 * 2.303))  # gain of a band that counts as none
EMPTY = 1e-10  # energy of a band
GLOBAL_PEAK, LOCAL_PEAK = 20.0, 1.0  # dB: how fast weight falls below the highest and nearest peak


@dataclass(frozen=True)
class Composite:
    """Three opinions, 1 (bad) to 5 (excellent)."""

    csig: float  # distortion of the speech
    cbak: float  # intrusiveness of the background
    covl: float  # overall quality


def composite(clean: np.ndarray, enhanced: np.ndarray, pesq: float) -> Composite:
    """Predicted opinions of speech distortion, background intrusiveness and overall quality.

    Args:
        clean: the reference, 16 kHz, in [−1, 1]; its absolute level counts.
        enhanced: what is judged, 16 kHz, in [−1, 1].
        pesq: PESQ of the two, wide band (`metrics.pesq`).

    Returns:
        The three, each limited to 1 to 5.

    Shape:
        two of `[N]` samples.

    Raises:
        MetricError: the clean recording is silent, or shorter than 37.5 ms.

    Source: Hu and Loizou (2008), with wide-band PESQ in place of the narrow-band one, as the field
        reports them.
    """
    likelihood = log_likelihood_ratio(clean, enhanced)
    slope = weighted_spectral_slope(clean, enhanced)
    ratio = segmental_snr(clean, enhanced)
    return Composite(
        csig=_opinion(3.093 - 1.029 * likelihood + 0.603 * pesq - 0.009 * slope),
        cbak=_opinion(1.634 + 0.478 * pesq - 0.007 * slope + 0.063 * ratio),
        covl=_opinion(1.594 + 0.805 * pesq - 0.512 * likelihood - 0.007 * slope),
    )


def log_likelihood_ratio(clean: np.ndarray, enhanced: np.ndarray) -> float:
    """How much worse the clean speech is predicted by the enhanced speech's filter than by its own.

    Args:
        clean: the reference, 16 kHz.
        enhanced: what is judged, 16 kHz; its level does not count.

    Returns:
        Mean of the logarithm of the ratio of the two errors, over the 95 % of the segments where it
        is smallest; 0 where the spectra have one shape.

    Shape:
        two of `[N]` samples.

    Raises:
        MetricError: the clean recording is silent, or shorter than 37.5 ms.

    Source: Hu and Loizou (2008); the white noise below each segment is a choice of this
        project.
    """
    clean_segments, enhanced_segments = _segments(clean, enhanced)
    covariance = _covariance(clean_segments)  # [S, P + 1, P + 1]
    own = _prediction(covariance)  # [S, P + 1]
    other = _prediction(_covariance(enhanced_segments))
    distance = np.log(_error(other, covariance) / _error(own, covariance))  # [S]
    return _mean_of_smallest(distance)


def weighted_spectral_slope(clean: np.ndarray, enhanced: np.ndarray) -> float:
    """Distance between the slopes of two spectra in critical bands; slopes at peaks weigh most.

    Args:
        clean: the reference, 16 kHz, in [−1, 1].
        enhanced: what is judged, 16 kHz, in [−1, 1].

    Returns:
        Mean of the weighted squared difference of the slopes (dB from band to band), over the 95 %
        of the segments where it is smallest; 0 where they are equal.

    Shape:
        two of `[N]` samples.

    Raises:
        MetricError: the clean recording is silent, or shorter than 37.5 ms.

    Source: Klatt (1982), with the bands and constants of Loizou, Speech Enhancement (2013).
    """
    levels = [_band_levels(part) for part in _segments(clean, enhanced)]  # two of [S, B]
    weights = sum(_slope_weights(level) for level in levels) / 2  # [S, B - 1]
    squares = (np.diff(levels[0]) - np.diff(levels[1])) ** 2  # [S, B - 1]
    distance = (weights * squares).sum(axis=1) / weights.sum(axis=1)  # [S]
    return _mean_of_smallest(distance)


def _segments(clean: np.ndarray, enhanced: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    clean, enhanced = comparable(clean, enhanced)
    refuse_silence(clean, "clean")
    return segments(clean), segments(enhanced)


def _covariance(parts: np.ndarray) -> np.ndarray:
    """Autocorrelation matrices `[S, P + 1, P + 1]` of segments `[S, L]`."""
    length = parts.shape[1]
    lags = [np.einsum("sl,sl->s", parts[:, k:], parts[:, : length - k]) for k in range(ORDER + 1)]
    correlation = np.stack(lags, axis=1)  # [S, P + 1]
    correlation[:, 0] += WHITE_NOISE * correlation[:, 0] + TINY
    step = np.arange(ORDER + 1)
    return correlation[:, abs(step[:, None] - step)]


def _prediction(covariance: np.ndarray) -> np.ndarray:
    """Filters `[S, P + 1]` that leave the least of what matrices `[S, P + 1, P + 1]` describe."""
    coefficients = np.linalg.solve(covariance[:, 1:, 1:], covariance[:, 1:, :1])[..., 0]  # [S, P]
    return np.concatenate([np.ones((len(covariance), 1)), -coefficients], axis=1)


def _error(prediction: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Energy `[S]` that filters `[S, P + 1]` leave."""
    return np.einsum("si,sij,sj->s", prediction, covariance, prediction)


def _band_levels(parts: np.ndarray) -> np.ndarray:
    """Levels in dB `[S, B]` of the critical bands of segments `[S, L]`."""
    per_bin = SAMPLE_RATE / N_FFT  # Hz
    centres = LOWEST_BAND + np.cumsum(BANDWIDTHS) - BANDWIDTHS
    offsets = np.arange(N_FFT // 2) - np.floor(centres / per_bin)[:, None]  # [B, F], bins
    gains = np.exp(-STEEPNESS * (offsets * per_bin / BANDWIDTHS[:, None]) ** 2)
    gains *= BANDWIDTHS[0] / BANDWIDTHS[:, None]  # a wider band gathers more
    gains[gains <= NEGLIGIBLE] = 0
    power = np.abs(np.fft.rfft(parts, N_FFT)[:, :-1]) ** 2  # [S, F]
    return 10 * np.log10(np.maximum(power @ gains.T, EMPTY))


def _slope_weights(levels: np.ndarray) -> np.ndarray:
    """Weights `[S, B - 1]` of the slopes between levels `[S, B]`."""
    starts = levels[:, :-1]  # [S, B - 1]
    below_highest = levels.max(axis=1, keepdims=True) - starts
    below_nearest = _nearest_peaks(levels) - starts
    return (GLOBAL_PEAK / (GLOBAL_PEAK + below_highest)) * (
        LOCAL_PEAK / (LOCAL_PEAK + below_nearest)
    )


def _nearest_peaks(levels: np.ndarray) -> np.ndarray:
    """Level `[S, B - 1]` of the peak to which each slope leads, up or down."""
    rising = np.diff(levels) > 0  # [S, B - 1]
    peaks = np.empty_like(levels[:, :-1])
    before = levels[:, 0]  # a fall from the first band has its peak there
    for band in range(rising.shape[1]):  # falling: the peak lies where the fall began
        before = np.where(rising[:, band], levels[:, band + 1], before)
        peaks[:, band] = before
    after = levels[:, -2]
    for band in reversed(range(rising.shape[1])):  # rising: the last band before the top
        after = np.where(rising[:, band], after, levels[:, band - 1])
        peaks[:, band] = np.where(rising[:, band], after, peaks[:, band])
    return peaks


def _mean_of_smallest(distance: np.ndarray) -> float:
    return float(np.sort(distance)[: round(KEPT * len(distance))].mean())


def _opinion(value: float) -> float:
    return float(np.clip(value, 1, 5))
