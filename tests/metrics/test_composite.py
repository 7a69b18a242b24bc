"""CSIG, CBAK and COVL: known values, slow twins, and the values of real recordings."""

import csv
import math

import numpy as np
import pytest
import soundfile
from scipy.linalg import solve_toeplitz

from effifusion_lite.metrics import COMPOSITES, MetricError, score, segmental_snr
from effifusion_lite.metrics.composite import (
    BANDWIDTHS,
    composite,
    log_likelihood_ratio,
    weighted_spectral_slope,
)
from effifusion_lite.metrics.ratios import segments

RATE = 16000


def noise(seed, length=RATE):
    return np.random.default_rng(seed).normal(size=length) * 0.1


def speech_like(seed=0, seconds=2.0):
    """Noise in syllables of 0.25 s with digital silence between."""
    length = int(seconds * RATE)
    return noise(seed, length) * ((np.arange(length) / RATE) % 0.5 < 0.25)


def mean_of_smallest(distances):
    return np.mean(sorted(distances)[: round(0.95 * len(distances))])


# ---------------------------------------------------------------- slow and obvious twins


def slow_band_levels(segment):
    power = np.abs(np.fft.fft(segment, 1024)) ** 2
    levels, centre = [], 50.0
    for width in BANDWIDTHS:
        energy = 0.0
        for k in range(512):
            distance = k - math.floor(centre / 8000 * 512)
            gain = 70 / width * math.exp(-11 * (distance / (width / 8000 * 512)) ** 2)
            energy += power[k] * gain if gain > math.exp(-30 / (2 * 2.303)) else 0.0
        levels.append(10 * math.log10(max(energy, 1e-10)))
        centre += width
    return levels


def slow_weights(levels):
    weights = []
    slopes = np.diff(levels)
    for band, slope in enumerate(slopes):
        end = band
        if slope > 0:
            while end < 24 and slopes[end] > 0:
                end += 1
            nearest = levels[end - 1]
        else:
            while end >= 0 and slopes[end] <= 0:
                end -= 1
            nearest = levels[end + 1]
        highest = 20 / (20 + max(levels) - levels[band])
        weights.append(highest / (1 + nearest - levels[band]))
    return np.array(weights)


def test_weighted_spectral_slope_equals_a_slow_and_obvious_twin():
    clean = speech_like(seconds=0.5)[2000:6000]
    enhanced = clean + 0.1 * noise(1, len(clean)).cumsum()
    distances = []
    for one, other in zip(segments(clean), segments(enhanced), strict=True):
        one, other = slow_band_levels(one), slow_band_levels(other)
        weights = (slow_weights(one) + slow_weights(other)) / 2
        squares = (np.diff(one) - np.diff(other)) ** 2
        distances.append(sum(weights * squares) / sum(weights))
    expected = mean_of_smallest(distances)
    assert expected > 1
    assert weighted_spectral_slope(clean, enhanced) == pytest.approx(expected, rel=1e-9)


def test_log_likelihood_ratio_equals_a_slow_and_obvious_twin():
    clean, enhanced = noise(0, 4000), noise(0, 4000) + noise(1, 4000).cumsum()
    distances = []
    for one, other in zip(segments(clean), segments(enhanced), strict=True):
        lags = [[sum(x[k:] * x[: 480 - k]) for k in range(17)] for x in (one, other)]
        own, foreign = ([1, *-solve_toeplitz(r[:16], r[1:])] for r in lags)
        # What a filter leaves of a segment, with all that it rings on for.
        errors = [sum(np.convolve(one, taps) ** 2) for taps in (foreign, own)]
        distances.append(math.log(errors[0] / errors[1]))
    expected = mean_of_smallest(distances)
    assert expected > 0.2
    assert log_likelihood_ratio(clean, enhanced) == pytest.approx(expected, rel=1e-6)


# ---------------------------------------------------------------- known values


def test_equal_recordings_have_no_distance_and_the_best_opinions():
    clean = noise(0)
    assert log_likelihood_ratio(clean, clean) == 0
    assert weighted_spectral_slope(clean, clean) == 0
    best = composite(clean, clean, 4.64)
    assert (best.csig, best.cbak, best.covl) == (5, 5, 5)


def test_a_gain_changes_cbak_alone():
    # Half the amplitude leaves half as error, 6.02 dB below, and moves each band by one level.
    clean, pesq = noise(0), 3.0
    opinions = composite(clean, 0.5 * clean, pesq)
    assert opinions.csig == pytest.approx(3.093 + 0.603 * pesq, abs=1e-6)
    assert opinions.covl == pytest.approx(1.594 + 0.805 * pesq, abs=1e-6)
    assert opinions.cbak == pytest.approx(1.634 + 0.478 * pesq + 0.063 * 6.0206, abs=1e-4)


def test_opinions_keep_to_their_scale():
    worst = composite(noise(0), noise(7).cumsum(), -3.0)
    assert (worst.csig, worst.cbak, worst.covl) == (1, 1, 1)


def test_more_noise_has_lower_opinions():
    clean = speech_like()
    results = [score(clean, clean + gain * noise(5, len(clean))) for gain in (0.003, 0.1, 1.0)]
    for name in COMPOSITES:
        values = [getattr(result, name) for result in results]
        assert values[0] > values[1] > values[2]


@pytest.mark.parametrize("enhanced", [np.zeros(2 * RATE), np.ones(2 * RATE), speech_like() * 1e-9])
def test_digital_silence_and_constants_have_finite_distances(enhanced):
    clean = speech_like()
    for one, other in ((clean, enhanced), (clean + 1e-3, enhanced)):
        assert 0 <= log_likelihood_ratio(one, other) < 50
        assert 0 <= weighted_spectral_slope(one, other) < 1e4


def test_what_cannot_be_scored():
    for metric in (log_likelihood_ratio, weighted_spectral_slope):
        with pytest.raises(MetricError, match="the clean recording is silent"):
            metric(np.zeros(RATE), noise(0))
        with pytest.raises(MetricError, match="at least 37.5 ms"):
            metric(noise(0, 599), noise(0, 599))
        with pytest.raises(MetricError, match="one length"):
            metric(noise(0), noise(0, 599))


# ---------------------------------------------------------------- real recordings


def test_opinions_of_real_noisy_files_equal_the_manifest(shared_data):
    with open(shared_data / "manifest.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["file"].startswith("vbd_dev/noisy/")]
    for row in rows[::10]:
        noisy = shared_data / row["file"]
        clean = noisy.parents[1] / "clean" / noisy.name
        clean, noisy = (soundfile.read(path)[0] for path in (clean, noisy))
        opinions = composite(clean, noisy, float(row["pesq_wb"]))
        for name in COMPOSITES:
            assert getattr(opinions, name) == pytest.approx(float(row[name]), abs=1e-3)


def test_dividing_by_32768_once_more_gives_higher_opinions(shared_data):
    noisy = next((shared_data / "vbd_dev" / "noisy").glob("p257_370.*"))
    clean = noisy.parents[1] / "clean" / noisy.name
    clean, noisy = (soundfile.read(path)[0] for path in (clean, noisy))
    proper, inflated = (
        weighted_spectral_slope(clean / scale, noisy / scale) for scale in (1, 32768)
    )
    assert inflated < proper - 1
    assert segmental_snr(clean, noisy) == pytest.approx(
        segmental_snr(32768 * clean, 32768 * noisy), abs=1e-3
    )
