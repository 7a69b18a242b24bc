"""How good a recording is: PESQ and STOI, ratios of energies, composites (CSIG, CBAK, COVL), and
DNSMOS, which needs no original.

Chapter: 05 Losses and metrics.
"""

from effifusion_lite.metrics.comparable import MetricError
from effifusion_lite.metrics.perceptual import (
    COMPOSITES,
    METRICS,
    OPINIONS,
    SHORTEST_PESQ,
    Scores,
    load_pesq,
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
    "SHORTEST_PESQ",
    "Dnsmos",
    "MetricError",
    "Scores",
    "dnsmos",
    "load_pesq",
    "pesq",
    "score",
    "segmental_snr",
    "si_sdr",
    "stoi",
]
