"""Four scores of enhanced speech against the clean original: PESQ, STOI, SI-SDR, segmental SNR.

All take two mono waveforms of one length. What cannot be scored raises `MetricError` with the
reason; `score` collects all four and puts the reason beside each that is missing.

Chapter: 05 Losses and metrics.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from effifusion_lite.audio import SAMPLE_RATE

METRICS = ("pesq", "stoi", "si_sdr", "segmental_snr")
LONGEST_PESQ = 20  # seconds; see `pesq`
SEGMENT, OVERLAP = 0.03, 0.75  # seconds; share of a segment
LOWEST_SNR, HIGHEST_SNR = -10.0, 35.0  # dB, limits of one segment
ROUNDING = 1e-20  # ratio of energies (200 dB) that is due to rounding alone


class MetricError(ValueError):
    """A score that cannot be computed; the message gives the reason."""


@dataclass(frozen=True)
class Scores:
    """All four scores of one recording; None for a score that has a reason in `reasons`."""

    pesq: float | None = None  # 1.04 to 4.64
    stoi: float | None = None  # 0 to 1
    si_sdr: float | None = None  # dB
    segmental_snr: float | None = None  # dB, -10 to 35
    reasons: dict[str, str] = field(default_factory=dict)  # name of the score: why it is None


def pesq(clean: np.ndarray, enhanced: np.ndarray) -> float:
    """Perceptual evaluation of speech quality, wide band, at 16 kHz.

    The reference implementation keeps room for 50 utterances without ever counting them, and
    crashes the whole Python process beyond that. It takes no utterance and no pause for one below
    0.2 s, so 20 s can hold no more than 50: longer recordings are refused.

    Args:
        clean: the reference, 16 kHz.
        enhanced: what is judged, 16 kHz.

    Returns:
        MOS-LQO, 1.04 (bad) to 4.64 (no difference).

    Shape:
        two of `[N]` samples, 4,000 to 320,000 (0.25 to 20 s).

    Raises:
        MetricError: the package `pesq` is missing, one waveform is silent, too short or too long,
            or PESQ finds no speech in the clean one.

    Chapter: 05.
    Source: ITU-T P.862.2, by the package `pesq`; the limit of 20 s is a choice of this project.
    """
    clean, enhanced = _check(clean, enhanced)
    try:
        import pesq as itu
    except ImportError as error:
        raise MetricError(
            "PESQ needs the package pesq: install it with `pip install pesq` (it needs a C "
            "compiler), all other scores work without it"
        ) from error
    if len(clean) > LONGEST_PESQ * SAMPLE_RATE:
        raise MetricError(
            f"PESQ takes at most {LONGEST_PESQ} s, this is {len(clean) / SAMPLE_RATE:.1f} s: "
            "score the recording in pieces"
        )
    _refuse_silence(clean, "clean")
    _refuse_silence(enhanced, "enhanced")
    try:
        return float(itu.pesq(SAMPLE_RATE, clean, enhanced, "wb"))
    except itu.BufferTooShortError as error:
        raise MetricError("PESQ needs at least 0.25 s") from error
    except itu.NoUtterancesError as error:
        raise MetricError("PESQ finds no speech in the clean recording") from error
    except (itu.PesqError, ValueError) as error:
        raise MetricError(f"PESQ failed: {error}") from error


def stoi(clean: np.ndarray, enhanced: np.ndarray, sample_rate: int = SAMPLE_RATE) -> float:
    """Short-time objective intelligibility.

    Args:
        clean: the reference.
        enhanced: what is judged.
        sample_rate: Hz; pystoi resamples to its 10 kHz by itself.

    Returns:
        0 (nothing to be understood) to 1; a little below 0 is possible.

    Shape:
        two of `[N]` samples.

    Raises:
        MetricError: the clean recording is silent, or holds less than 30 frames (0.4 s) of speech.

    Chapter: 05.
    Source: Taal, Hendriks, Heusdens and Jensen (2011), by the package `pystoi`.
    """
    from pystoi import stoi as pystoi

    clean, enhanced = _check(clean, enhanced)
    _refuse_silence(clean, "clean")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Not enough STFT frames")  # it would return 1e-5
        try:
            return float(pystoi(clean, enhanced, sample_rate))
        except (RuntimeWarning, np.exceptions.AxisError) as error:  # the latter below one frame
            raise MetricError("STOI needs at least 0.4 s of speech without its pauses") from error


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

    Chapter: 05.
    Source: Le Roux, Wisdom, Erdogan and Hershey (2019), with the means removed.
    """
    clean, enhanced = _check(clean, enhanced)
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

    Chapter: 05.
    Source: Loizou, Speech Enhancement (2013), as his program computes it: the window has no zero at
        its ends, and the last segment is left out.
    """
    clean, enhanced = _check(clean, enhanced)
    _refuse_silence(clean, "clean")
    length = round(SEGMENT * sample_rate)
    hop = int(length * (1 - OVERLAP))
    count = (len(clean) - length) // hop
    if count < 1:
        raise MetricError("segmental SNR needs at least 37.5 ms")
    window = np.hanning(length + 2)[1:-1]
    clean_segments = sliding_window_view(clean, length)[::hop][:count] * window  # [S, L]
    enhanced_segments = sliding_window_view(enhanced, length)[::hop][:count] * window  # [S, L]
    signal = np.sum(clean_segments**2, axis=1)  # [S]
    noise = np.sum((clean_segments - enhanced_segments) ** 2, axis=1)  # [S]
    epsilon = np.finfo(np.float64).eps
    ratios = 10 * np.log10(signal / (noise + epsilon) + epsilon)  # [S]
    return float(np.clip(ratios, LOWEST_SNR, HIGHEST_SNR).mean())


def score(clean: np.ndarray, enhanced: np.ndarray) -> Scores:
    """All four scores at 16 kHz; a score that cannot be computed is None and has its reason.

    Args:
        clean: the reference, 16 kHz.
        enhanced: what is judged, 16 kHz.

    Returns:
        The scores and the reasons for those that are missing.

    Shape:
        two of `[N]` samples.

    Raises:
        MetricError: the two cannot be compared at all: not mono, of two lengths, empty, NaN.

    Chapter: 05.
    Source: choice of this project.
    """
    clean, enhanced = _check(clean, enhanced)
    functions: dict[str, Callable] = {
        "pesq": pesq,
        "stoi": stoi,
        "si_sdr": si_sdr,
        "segmental_snr": segmental_snr,
    }
    values, reasons = {}, {}
    for name, function in functions.items():
        try:
            values[name] = function(clean, enhanced)
        except MetricError as error:
            reasons[name] = str(error)
    return Scores(**values, reasons=reasons)


def _check(clean: np.ndarray, enhanced: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    clean, enhanced = np.asarray(clean, np.float64), np.asarray(enhanced, np.float64)
    for name, waveform in (("clean", clean), ("enhanced", enhanced)):
        if waveform.ndim != 1:
            raise MetricError(f"{name} must be mono [N], it has shape {list(waveform.shape)}")
        if not np.isfinite(waveform).all():
            raise MetricError(f"{name} holds NaN or infinite samples")
    if len(clean) != len(enhanced):
        raise MetricError(
            f"clean and enhanced must have one length, they have {len(clean)} and {len(enhanced)} "
            "samples: take the pair from one source, or cut the longer one"
        )
    if len(clean) == 0:
        raise MetricError("there are no samples to score")
    return clean, enhanced


def _refuse_silence(waveform: np.ndarray, name: str) -> None:
    if not waveform.any():
        raise MetricError(f"the {name} recording is silent")
