"""The scores: known values, the values of real recordings, and what cannot be scored."""

import csv
import math
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import soundfile

from effifusion_lite.metrics import MetricError, Scores, pesq, score, segmental_snr, si_sdr, stoi
from effifusion_lite.metrics import perceptual as metrics

RATE = 16000


def noise(seed, length=RATE):
    return np.random.default_rng(seed).normal(size=length) * 0.1


def speech_like(seed=0, seconds=2.0):
    """Noise in syllables of 0.25 s with pauses between."""
    length = int(seconds * RATE)
    on = (np.arange(length) / RATE) % 0.5 < 0.25
    return noise(seed, length) * on


def orthogonal(clean, seed=1):
    """Noise with mean 0, the energy of `clean`, and nothing of it."""
    clean = clean - clean.mean()
    rest = noise(seed, len(clean))
    rest -= rest.mean()
    rest -= clean * (rest @ clean) / (clean @ clean)
    return rest * np.sqrt((clean @ clean) / (rest @ rest))


# ---------------------------------------------------------------- known values


@pytest.mark.parametrize("snr", [-10.0, 0.0, 7.5, 30.0])
@pytest.mark.parametrize("gain", [1.0, 0.01, -3.0])
def test_si_sdr_is_the_ratio_of_orthogonal_parts_at_any_gain(snr, gain):
    clean = noise(0) - noise(0).mean()
    enhanced = gain * (clean + orthogonal(clean) * 10 ** (-snr / 20))
    assert si_sdr(clean, enhanced) == pytest.approx(snr, abs=1e-6)
    assert si_sdr(clean + 0.3, enhanced - 0.2) == pytest.approx(snr, abs=1e-6)


def test_extended_stoi_is_stricter_about_a_noise_that_comes_and_goes():
    clean = speech_like(0)
    gated = clean + 0.5 * noise(1, len(clean)) * ((np.arange(len(clean)) // 1600) % 2)
    assert stoi(clean, clean, extended=True) == pytest.approx(1, abs=1e-3)
    assert stoi(clean, gated, extended=True) < stoi(clean, gated) - 0.02


def test_segmental_snr_of_a_gain_error():
    # enhanced = 0.9 clean leaves a tenth of the amplitude in each segment: 20 dB.
    assert segmental_snr(noise(0), 0.9 * noise(0)) == pytest.approx(20, abs=1e-6)


def test_segmental_snr_limits_each_segment():
    clean = noise(0)
    assert segmental_snr(clean, clean) == 35
    assert segmental_snr(clean, -99 * clean) == -10
    assert segmental_snr(clean, np.zeros_like(clean)) == pytest.approx(0, abs=1e-9)


def test_segmental_snr_equals_a_slow_and_obvious_twin():
    clean, enhanced = noise(0, 3000), noise(0, 3000) + 0.3 * noise(1, 3000)
    window = [0.5 * (1 - math.cos(2 * math.pi * n / 481)) for n in range(1, 481)]
    ratios = []
    for start in range(0, 3000 - 480 - 119, 120):
        signal = error = 0.0
        for n in range(480):
            signal += (clean[start + n] * window[n]) ** 2
            error += ((clean[start + n] - enhanced[start + n]) * window[n]) ** 2
        ratios.append(min(35, max(-10, 10 * math.log10(signal / error))))
    assert segmental_snr(clean, enhanced) == pytest.approx(sum(ratios) / len(ratios), abs=1e-9)


def test_pesq_and_stoi_of_a_perfect_copy():
    clean = speech_like()
    assert pesq(clean, clean) == pytest.approx(4.6439, abs=1e-3)
    assert stoi(clean, clean) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("metric", [pesq, stoi, si_sdr, segmental_snr])
def test_more_noise_never_scores_higher(metric):
    clean = speech_like()
    values = [metric(clean, clean + gain * noise(5, len(clean))) for gain in (0.01, 0.1, 1.0)]
    assert values[0] > values[1] > values[2]


@pytest.mark.parametrize("level", [-80, -30, 20])
def test_levels_common_to_both_change_no_score(level):
    gain = 10 ** (level / 20)
    clean, noisy = speech_like(), speech_like() + 0.1 * noise(5, 2 * RATE)
    reference, scaled = score(clean, noisy), score(gain * clean, gain * noisy)
    for name in metrics.METRICS:
        assert getattr(scaled, name) == pytest.approx(getattr(reference, name), abs=2e-3)


# ---------------------------------------------------------------- real recordings


def score_real(paths):
    clean, noisy = (soundfile.read(path)[0] for path in paths)
    return score(clean, noisy)


def test_scores_of_all_real_noisy_files_equal_the_manifest(shared_data):
    with open(shared_data / "manifest.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["file"].startswith("vbd_dev/noisy/")]
    assert len(rows) == 200
    noisy = [shared_data / row["file"] for row in rows]
    pairs = [(path.parents[1] / "clean" / path.name, path) for path in noisy]
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        results = list(pool.map(score_real, pairs, chunksize=10))
    columns = {"pesq": "pesq_wb", "stoi": "stoi", "si_sdr": "si_sdr"}
    for name in metrics.METRICS:
        expected = [float(row[columns.get(name, name)]) for row in rows]
        np.testing.assert_allclose([getattr(r, name) for r in results], expected, atol=1e-3, rtol=0)


# ---------------------------------------------------------------- what cannot be scored


@pytest.mark.parametrize("metric", [pesq, stoi, si_sdr, segmental_snr, score])
@pytest.mark.parametrize(
    ("clean", "enhanced", "message"),
    [
        (noise(0), noise(0)[:-1], "one length, they have 16000 and 15999 samples"),
        (noise(0)[None], noise(0), r"clean must be mono \[N\], it has shape \[1, 16000\]"),
        (noise(0), np.stack([noise(0)] * 2), "enhanced must be mono"),
        (np.append(noise(0), np.nan), np.append(noise(0), 0), "clean holds NaN or infinite"),
        (noise(0), np.append(noise(0)[1:], np.inf), "enhanced holds NaN or infinite"),
        (np.zeros(0), np.zeros(0), "no samples to score"),
    ],
)
def test_what_cannot_be_compared(metric, clean, enhanced, message):
    with pytest.raises(MetricError, match=message):
        metric(clean, enhanced)


SPEECH, SILENT = speech_like(), np.zeros(2 * RATE)


@pytest.mark.parametrize(
    ("metric", "clean", "enhanced", "message"),
    [
        (pesq, SILENT, SPEECH, "the clean recording is silent"),
        (pesq, SPEECH, SILENT, "the enhanced recording is silent"),
        (pesq, SPEECH[:3999], SPEECH[:3999], "at least 0.25 s"),
        (pesq, noise(0, 20 * RATE + 1), noise(1, 20 * RATE + 1), "at most 20 s, this is 20.0 s"),
        (stoi, SILENT, SPEECH, "the clean recording is silent"),
        (stoi, SPEECH[:100], SPEECH[:100], "at least 0.4 s"),
        (stoi, SPEECH[:6000], SPEECH[:6000], "at least 0.4 s"),
        (si_sdr, SILENT, SPEECH, "the clean recording is silent or constant"),
        (si_sdr, SPEECH, np.full(2 * RATE, 0.1), "the enhanced recording is silent or constant"),
        (si_sdr, SPEECH, SPEECH, "is infinite: enhanced equals clean"),
        (si_sdr, SPEECH, 0.3 * SPEECH, "is infinite: enhanced equals clean"),
        (si_sdr, SPEECH, orthogonal(SPEECH), "minus infinity: enhanced holds nothing of clean"),
        (segmental_snr, SILENT, SPEECH, "the clean recording is silent"),
        (segmental_snr, SPEECH[:599], SPEECH[:599], "at least 37.5 ms"),
    ],
)
def test_the_reason_is_named(metric, clean, enhanced, message):
    with pytest.raises(MetricError, match=message):
        metric(clean, enhanced)


def test_pesq_missing_says_how_to_install_it_and_the_rest_still_comes(monkeypatch):
    monkeypatch.setitem(sys.modules, "pesq", None)
    scores = score(SPEECH, SPEECH + 0.01 * noise(1, 2 * RATE))
    assert scores.pesq is None
    assert "pip install pesq" in scores.reasons["pesq"]
    assert list(scores.reasons) == ["pesq"]
    assert None not in (scores.stoi, scores.si_sdr, scores.segmental_snr)
    assert (scores.csig, scores.cbak, scores.covl) == (None, None, None)


def test_silence_has_no_score_but_four_reasons():
    scores = score(SILENT, SILENT)
    assert [getattr(scores, name) for name in metrics.METRICS] == [None] * 4
    assert [getattr(scores, name) for name in metrics.COMPOSITES] == [None] * 3
    assert set(scores.reasons) == set(metrics.METRICS)


def test_half_a_second_has_all_but_stoi_where_speech_is_short():
    scores = score(SPEECH[:6000], SPEECH[:6000] + 0.01 * noise(1, 6000))
    assert set(scores.reasons) == {"stoi"}
    assert isinstance(scores, Scores)


def test_integers_score_as_floats():
    clean = np.round(SPEECH * 2**15)
    noisy = np.round((SPEECH + 0.01 * noise(1, 2 * RATE)) * 2**15)
    assert score(clean.astype(np.int16), noisy.astype(np.int16)) == score(clean, noisy)


def test_as_many_utterances_as_20_seconds_can_hold_do_not_crash_pesq():
    # In a process of its own: beyond 50 utterances the reference implementation ends the process.
    program = """
import numpy as np
from effifusion_lite.metrics import pesq
time = np.arange(20 * 16000) / 16000
clean = np.random.default_rng(0).normal(size=time.size) * (time % 0.408 < 0.204)
print(pesq(clean, clean + 0.01 * np.random.default_rng(1).normal(size=time.size)))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert 1 < float(result.stdout) < 4.65
