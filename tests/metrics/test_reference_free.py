"""DNSMOS: what it says of known sounds, and what it refuses."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest

from effifusion_lite.listening import clips
from effifusion_lite.metrics import Dnsmos, MetricError, dnsmos

needs_speechmos = pytest.mark.skipif(
    find_spec("speechmos") is None,
    reason='the package speechmos is not installed: pip install "effifusion-lite[dnsmos]"',
)


@needs_speechmos
def test_noise_costs_the_background_most():
    clean, noisy = clips.pair("garage_fan")
    of_clean, of_noisy = dnsmos(clean), dnsmos(noisy)
    assert of_clean.bak > of_noisy.bak + 1
    assert of_clean.ovrl > of_noisy.ovrl
    assert of_clean.bak - of_noisy.bak > of_clean.sig - of_noisy.sig
    assert all(1 <= getattr(of_noisy, name) <= 5 for name in Dnsmos.__dataclass_fields__)


@needs_speechmos
def test_equal_recordings_get_equal_scores_and_stay_as_they_are():
    clean, _ = clips.pair("garage_fan")
    before = clean.copy()
    assert dnsmos(clean) == dnsmos(clean)
    assert np.array_equal(clean, before)


@pytest.mark.parametrize(
    ("waveform", "reason"),
    [
        (np.zeros(16000), "silent"),
        (np.zeros(0), "silent"),
        (np.full(16000, np.nan), "NaN"),
        (np.ones((2, 16000)), "mono"),
        (2 * np.ones(16000), r"\[−1, 1\]"),
    ],
)
def test_what_cannot_be_judged_says_why(waveform, reason):
    with pytest.raises(MetricError, match=reason):
        dnsmos(waveform)


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "speechmos", None)
    monkeypatch.delitem(sys.modules, "speechmos.dnsmos", raising=False)
    with pytest.raises(MetricError, match=r"effifusion-lite\[dnsmos\]"):
        dnsmos(0.1 * np.ones(16000))
