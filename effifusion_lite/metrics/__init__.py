"""How good a recording is: PESQ and STOI, ratios of energies, composites (CSIG, CBAK, COVL), and
DNSMOS, which needs no original.

Chapter: 05 Losses and metrics.
"""

from effifusion_lite.metrics.comparable import MetricError
from effifusion_lite.metrics.perceptual import (
    COMPOSITES,
    METRICS,
    OPINIONS,
    Scores,
    pesq,
    score,
    stoi,
)
from effifusion_lite.metrics.ratios import segmental_snr, si_sdr
from effifusion_lite.metrics.reference_free import Dnsmos, dnsmos

__all__ = [
    "COMPOSITES",
    "METRICS",
    "OPINIONS",
    "Dnsmos",
    "MetricError",
    "Scores",
    "dnsmos",
    "pesq",
    "score",
    "segmental_snr",
    "si_sdr",
    "stoi",
]
