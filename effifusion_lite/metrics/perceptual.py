"""Scores of enhanced speech against the clean original: PESQ, STOI, and all scores at once.

SI-SDR and segmental SNR stand in `ratios`, CSIG, CBAK and COVL in `composite`. All take two mono
waveforms of one length. What cannot be scored raises `MetricError` with the reason; `score` has all
scores and the reasons of those that are missing.

Chapter: 05 Losses and metrics.
"""

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from types import ModuleType

import numpy as np

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.metrics.comparable import (
    MetricError,
    comparable,
    load_package,
    refuse_silence,
)
from effifusion_lite.metrics.composite import composite
from effifusion_lite.metrics.ratios import segmental_snr, si_sdr

METRICS = ("pesq", "stoi", "si_sdr", "segmental_snr")
COMPOSITES = ("csig", "cbak", "covl")
OPINIONS = ("sig", "bak", "ovrl")  # of `dnsmos`
SHORTEST_PESQ, LONGEST_PESQ = 0.25, 20  # seconds; see `pesq`


@dataclass(frozen=True)
class Scores:
    """All scores of one recording.

    Those of `METRICS` with a reason in `reasons` are None; `COMPOSITES` are None where PESQ is.
    Extended STOI and `OPINIONS` are filled in by `evaluate`, not by `score`.
    """

    pesq: float | None = None  # 1.04 to 4.64
    stoi: float | None = None  # 0 to 1
    si_sdr: float | None = None  # dB
    segmental_snr: float | None = None  # dB, -10 to 35
    reasons: dict[str, str] = field(default_factory=dict)  # name of the score: why it is None
    csig: float | None = None  # 1 to 5, as cbak and covl
    cbak: float | None = None
    covl: float | None = None
    estoi: float | None = None  # 0 to 1
    sig: float | None = None  # 1 to 5, as bak and ovrl
    bak: float | None = None
    ovrl: float | None = None


def load_pesq() -> ModuleType:
    """The package `pesq`.

    Raises:
        MetricError: it is missing, or cannot be loaded.
    """
    return load_package(
        "pesq",
        "PESQ needs the package pesq: install it with `pip install pesq` (it needs a C compiler), "
        "all other scores work without it",
    )


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
        MetricError: the package `pesq` is missing or broken, one waveform is silent, too short or
            too long, or PESQ finds no speech in the clean one.

    Source: ITU-T P.862.2, by the package `pesq`; the limit of 20 s is a choice of this project.
    """
    clean, enhanced = comparable(clean, enhanced)
    itu = load_pesq()
    if len(clean) > LONGEST_PESQ * SAMPLE_RATE:
        raise MetricError(
            f"PESQ takes at most {LONGEST_PESQ} s, this is {len(clean) / SAMPLE_RATE:.1f} s: "
            "score the recording in pieces"
        )
    refuse_silence(clean, "clean")
    refuse_silence(enhanced, "enhanced")
    try:
        return float(itu.pesq(SAMPLE_RATE, clean, enhanced, "wb"))
    except itu.BufferTooShortError as error:
        raise MetricError("PESQ needs at least 0.25 s") from error
    except itu.NoUtterancesError as error:
        raise MetricError("PESQ finds no speech in the clean recording") from error
    except (itu.PesqError, ValueError) as error:
        raise MetricError(f"PESQ failed: {error}") from error


def stoi(
    clean: np.ndarray,
    enhanced: np.ndarray,
    sample_rate: int = SAMPLE_RATE,
    extended: bool = False,
) -> float:
    """Short-time objective intelligibility.

    Args:
        clean: the reference.
        enhanced: what is judged.
        sample_rate: Hz; pystoi resamples to its 10 kHz by itself.
        extended: compare the bands of a frame with each other as well, not only each with itself
            over time: better where the noise comes and goes.

    Returns:
        0 (nothing to be understood) to 1; a little below 0 is possible.

    Shape:
        two of `[N]` samples.

    Raises:
        MetricError: the clean recording is silent, or holds less than 30 frames (0.4 s) of speech.

    Source: Taal, Hendriks, Heusdens and Jensen (2011); extended: Jensen and Taal (2016); both by
        the package `pystoi`.
    """
    from pystoi import stoi as pystoi

    clean, enhanced = comparable(clean, enhanced)
    refuse_silence(clean, "clean")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Not enough STFT frames")  # it would return 1e-5
        try:
            return float(pystoi(clean, enhanced, sample_rate, extended))
        except (RuntimeWarning, np.exceptions.AxisError) as error:  # the latter below one frame
            raise MetricError("STOI needs at least 0.4 s of speech without its pauses") from error


def score(clean: np.ndarray, enhanced: np.ndarray) -> Scores:
    """All scores at 16 kHz; a score that cannot be computed is None and has its reason.

    Args:
        clean: the reference, 16 kHz, in [−1, 1].
        enhanced: what is judged, 16 kHz, in [−1, 1].

    Returns:
        The scores and the reasons for those that are missing.

    Shape:
        two of `[N]` samples.

    Raises:
        MetricError: the two cannot be compared at all: not mono, of two lengths, empty, NaN.
    """
    clean, enhanced = comparable(clean, enhanced)
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
    if "pesq" in values:
        values |= asdict(composite(clean, enhanced, values["pesq"]))
    return Scores(**values, reasons=reasons)
