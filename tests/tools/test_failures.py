"""Where weights fail: what is measured of a mixture."""

import csv

import numpy as np
import pytest
import soundfile
from scripts import script

from effifusion_lite.audio import measure_snr
from effifusion_lite.listening import clips


@pytest.fixture(scope="module")
def failures():
    return script("tools/failures.py")


@pytest.fixture(scope="module")
def noise_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    noise = 0.1 * np.random.default_rng(0).normal(size=48000)
    soundfile.write(folder / "hiss.wav", noise, 16000)
    return folder


def test_what_is_left_of_the_voice_is_told_apart_by_level(failures):
    clean = np.random.default_rng(0).normal(size=32000)
    clean[16000:] *= 0.1  # 20 dB below
    enhanced = np.concatenate([clean[:16000], 0.5 * clean[16000:]])
    assert failures.voice_left(clean, enhanced, failures.LOUD) == pytest.approx(0, abs=0.01)
    assert failures.voice_left(clean, enhanced, failures.QUIET) == pytest.approx(-6.02, abs=0.01)
    noise = np.random.default_rng(1).normal(size=32000)
    assert failures.voice_left(clean, enhanced + noise, failures.LOUD) == pytest.approx(0, abs=0.2)
    assert np.isnan(failures.voice_left(clean[:16000], clean[:16000], failures.QUIET))


def test_pitch_is_the_fundamental_frequency(failures):
    time = np.arange(16000) / 16000
    voice = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20))
    assert failures.pitch(voice) == pytest.approx(120, rel=0.01)


def test_each_noise_is_mixed_at_each_snr(failures, noise_folder):
    found = failures.mixtures(clips.speech_folder("valid"), noise_folder)
    assert [facts["snr_db"] for facts, _, _ in found] == list(failures.SNRS)
    for facts, clean, noisy in found:
        assert measure_snr(clean, noisy - clean) == pytest.approx(facts["snr_db"], abs=0.01)
        assert facts["noise"] == "hiss" and 60 < facts["pitch_hz"] < 400


def test_a_row_for_each_system_and_mixture(failures, noise_folder, tmp_path, monkeypatch):
    pytest.importorskip("pesq", reason="pesq is not installed")
    monkeypatch.setattr(failures, "available", lambda: ["tiny"])
    monkeypatch.setattr(failures, "SNRS", (7.5,))
    out = tmp_path / "failures.csv"
    folders = [
        "--valid-speech",
        str(clips.speech_folder("valid")),
        "--valid-noise",
        str(noise_folder),
    ]
    failures.main([*folders, "--out", str(out)])
    rows = list(csv.DictReader(out.open()))
    assert [row["system"] for row in rows] == ["noisy", "wiener", "tiny"]
    assert float(rows[2]["si_sdr"]) > float(rows[0]["si_sdr"]) + 3
    assert abs(float(rows[0]["loud_db"])) < 0.5
