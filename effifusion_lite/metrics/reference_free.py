"""Scores that need no clean original: DNSMOS P.835, three opinions predicted by a network.

Chapter: 05 Losses and metrics.
"""

from dataclasses import dataclass

import numpy as np

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.metrics.comparable import (
    MetricError,
    load_package,
    one_waveform,
    refuse_silence,
)


@dataclass(frozen=True)
class Dnsmos:
    """Three opinions, 1 (bad) to 5 (excellent)."""

    sig: float  # the speech alone: is it distorted?
    bak: float  # the background alone: does it intrude?
    ovrl: float  # both together


def dnsmos(waveform: np.ndarray) -> Dnsmos:
    """What listeners of an ITU-T P.835 test would say, predicted from the recording alone.

    The network hears windows of 9.01 s; a shorter recording is repeated until it fills one. It
    knows nothing of what was said, so a wrong word in a good voice costs nothing.

    Args:
        waveform: what is judged, 16 kHz, in [−1, 1]; its level counts a little.

    Returns:
        The predicted opinions, means over windows that begin one second after another.

    Shape:
        `[N]` samples.

    Raises:
        MetricError: the package `speechmos` is missing, the recording is silent, not mono, empty,
            or not within [−1, 1].

    Source: Reddy, Gopal and Cutler (2022), by the package `speechmos` (MIT), models inside.
    """
    waveform = one_waveform(waveform, "the recording")
    refuse_silence(waveform, "judged")
    if np.abs(waveform).max() > 1:
        raise MetricError("DNSMOS takes samples in [−1, 1]: scale the recording")
    model = load_package(
        "speechmos.dnsmos",
        'DNSMOS needs the package speechmos: pip install "effifusion-lite[dnsmos]", all other '
        "scores work without it",
    )
    found = model.run(waveform, SAMPLE_RATE)
    return Dnsmos(*(float(found[f"{name}_mos"]) for name in ("sig", "bak", "ovrl")))
