import csv

import numpy as np
import pytest
import soundfile

from effifusion_lite.audio import active_speech_level, measure_snr, mix_at_snr, rms_db
from effifusion_lite.audio.levels import MARGIN


def bursts(rate=16000, on=0.5, off=0.5, count=4, amplitude=0.1, seed=0):
    """Noise that is switched on and off: an active level that is known beforehand."""
    generator = np.random.default_rng(seed)
    parts = []
    for _ in range(count):
        parts.append(amplitude * generator.standard_normal(round(on * rate)))
        parts.append(np.zeros(round(off * rate)))
    return np.concatenate(parts)


def slow_active_speech_level(waveform, rate):
    """The recommendation's own loop, sample by sample, for one threshold at a time."""
    pole, hangover = np.exp(-1 / (rate * 0.03)), round(rate * 0.2)
    envelope, p, q = [], 0.0, 0.0
    for sample in waveform:
        p = pole * p + (1 - pole) * abs(sample)
        q = pole * q + (1 - pole) * p
        envelope.append(q)
    previous = None
    for threshold in range(-100, 1):
        active, idle = 0, hangover
        for value in envelope:
            if value >= 10 ** (threshold / 20):
                active, idle = active + 1, 0
            elif idle < hangover:
                active, idle = active + 1, idle + 1
        level = 10 * np.log10(np.sum(waveform**2) / active)
        distance = level - threshold - MARGIN
        if distance <= 0:
            share = previous[1] / (previous[1] - distance)
            return previous[0] + share * (level - previous[0])
        previous = (level, distance)


def test_equals_the_slow_twin():
    waveform = bursts(rate=4000, count=2)
    fast, slow = active_speech_level(waveform, 4000), slow_active_speech_level(waveform, 4000)
    assert fast == pytest.approx(slow, abs=1e-9)


def test_steady_noise_has_its_rms_level():
    noise = 0.1 * np.random.default_rng(0).standard_normal(16000 * 5)
    assert active_speech_level(noise, 16000) == pytest.approx(-20, abs=0.1)
    assert rms_db(noise) == pytest.approx(-20, abs=0.1)


def test_pauses_do_not_count():
    spoken = bursts(on=1.0, off=1.0)
    padded = np.concatenate([spoken, np.zeros(16000 * 10)])
    assert active_speech_level(padded, 16000) == pytest.approx(
        active_speech_level(spoken, 16000), abs=0.05
    )
    assert rms_db(padded) < rms_db(spoken) - 3
    # Half of the time is silent; the hangover counts 0.2 s of each pause as active.
    assert active_speech_level(spoken, 16000) == pytest.approx(-20 - 10 * np.log10(1.2), abs=0.3)


@pytest.mark.parametrize("gain_db", [-40.0, -20.0, 6.0])
def test_level_follows_gain(gain_db):
    spoken = bursts()
    louder = active_speech_level(10 ** (gain_db / 20) * spoken, 16000)
    assert louder - active_speech_level(spoken, 16000) == pytest.approx(gain_db, abs=0.1)


def test_level_is_equal_at_every_sample_rate():
    low, high = bursts(rate=8000, count=6), bursts(rate=48000, count=6)
    assert active_speech_level(low, 8000) == pytest.approx(
        active_speech_level(high, 48000), abs=0.1
    )


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 12.5])
def test_mixture_has_the_wanted_snr(snr_db):
    clean = bursts().astype(np.float32)
    noise = np.random.default_rng(1).standard_normal(len(clean)).astype(np.float32)
    noisy = mix_at_snr(clean, noise, snr_db)
    assert noisy.dtype == np.float32 and noisy.shape == clean.shape
    assert measure_snr(clean, noisy - clean, 16000) == pytest.approx(snr_db, abs=0.01)


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros(16000), "holds no sound"),
        (np.zeros(0), "holds no sound"),
        (np.full(16000, 1e-9), "holds no sound"),
        (np.ones((2, 16000)), "one channel"),
        (np.array([0.1, np.nan]), "NaN"),
    ],
)
def test_what_cannot_be_measured_is_said(waveform, message):
    with pytest.raises(ValueError, match=message):
        active_speech_level(waveform, 16000)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="one length"):
        mix_at_snr(bursts(), bursts(count=3), 5.0)


def test_a_click_has_a_level():
    click = np.zeros(16000)
    click[100] = 1.0
    assert np.isfinite(active_speech_level(click, 16000))


def test_snr_of_the_corpus_agrees_with_its_labels(shared_data):
    with open(shared_data / "manifest.csv", newline="", encoding="utf-8") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["set"] == "vbd_dev" and row["kind"] == "noisy"
        ]
    assert len(rows) == 200
    errors = []
    for row in rows:
        noisy, rate = soundfile.read(shared_data / row["file"])
        clean, _ = soundfile.read(shared_data / row["file"].replace("/noisy/", "/clean/"))
        errors.append(measure_snr(clean, noisy - clean, rate) - float(row["snr_db"]))
    assert abs(np.mean(errors)) < 0.2
    assert np.mean(np.abs(errors)) < 0.2 and np.max(np.abs(errors)) < 1.0
