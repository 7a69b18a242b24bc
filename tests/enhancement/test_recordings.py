"""A sound file enhanced into another: as the whole waveform, in memory that does not grow."""

import os

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peak import peak_kb

from effifusion_lite.audio import AudioError, load_audio, save_audio
from effifusion_lite.audio import streams as blocks_module
from effifusion_lite.audio.encoding import ClippingWarning
from effifusion_lite.audio.streams import read_format
from effifusion_lite.enhancement import enhance, recordings
from effifusion_lite.enhancement import windows as enhancement
from effifusion_lite.enhancement.recordings import enhance_file
from effifusion_lite.generator import EffiFusionGenerator, preset


class Gain:
    """What enhances by making louder, and calls `during` for each window."""

    config = preset("tiny")

    def __init__(self, gain=1.0, during=lambda: None):
        self.gain, self.during = gain**0.3, during  # of the compressed magnitude

    def __call__(self, magnitude, phase):
        self.during()
        return magnitude * self.gain, phase


def noise(*shape, seed=0):
    return (np.random.default_rng(seed).normal(size=shape) * 0.1).astype("float32")


@pytest.mark.parametrize(
    ("name", "subtype", "rate", "error"),
    [
        ("a.wav", "FLOAT", 44100, 1e-6),
        ("a.flac", "PCM_16", 8000, 2**-15),
        ("a.wav", "PCM_24", 16000, 1e-6),
    ],
)
def test_a_file_is_enhanced_like_its_waveform(tmp_path, monkeypatch, name, subtype, rate, error):
    """In windows, in blocks, in stereo: the same as all of it at once."""
    monkeypatch.setattr(enhancement.enhance_in_windows, "__defaults__", (None, 0.7, 0.2, False))
    model = EffiFusionGenerator(preset("tiny", channels=16, blocks=1)).eval()
    save_audio(tmp_path / name, noise(2, 3 * rate + 17) * [[1], [0.01]], rate, subtype)
    waveform, _ = load_audio(tmp_path / name)
    expected = enhance(waveform, rate, model)
    monkeypatch.setattr(blocks_module, "BLOCK", 5000)
    enhance_file(tmp_path / name, tmp_path / "out" / name, model)
    enhanced, _ = load_audio(tmp_path / "out" / name)
    assert enhanced.shape == expected.shape
    assert np.abs(enhanced - expected / max(1, np.abs(expected).max())).max() <= error
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    length=st.integers(1, 30000),
    rate=st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000, 96000]),
    channels=st.integers(1, 6),
    level=st.floats(-100, 0),
    subtype=st.sampled_from(["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"]),
)
@pytest.mark.filterwarnings("ignore::effifusion_lite.audio.encoding.ClippingWarning")
def test_any_file_keeps_length_format_and_level(tmp_path, length, rate, channels, level, subtype):
    path, out = tmp_path / "a.wav", tmp_path / "b.wav"
    waveform = np.clip(noise(channels, length, seed=length) * 10 * 10 ** (level / 20), -1, 1)
    save_audio(path, waveform, rate, subtype)
    enhance_file(path, out, Gain())
    assert read_format(out) == read_format(path)
    noisy, (enhanced, _) = load_audio(path)[0], load_audio(out)
    assert enhanced.shape == noisy.shape
    assert np.isfinite(enhanced).all()
    if rate == 16000:  # no resampling: what changes nothing gives back what was there
        rounding = {"PCM_U8": 2**-6, "PCM_16": 2**-14}.get(subtype, 1e-5)
        assert np.abs(enhanced - noisy).max() <= rounding + 0.01 * np.abs(noisy).max()


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_what_would_clip_is_made_softer_as_a_whole(tmp_path, name):
    rate = 16000
    waveform = 0.4 * np.sin(2 * np.pi * 300 * np.arange(20 * rate) / rate)
    waveform[: 10 * rate] *= 0.1  # long before the peak, and softer by the same
    save_audio(tmp_path / name, waveform, rate)
    with pytest.warns(ClippingWarning, match=r"a\..* is made 4.1 dB softer, since PCM_16"):
        enhance_file(tmp_path / name, tmp_path / "out" / name, Gain(4))
    enhanced, _ = load_audio(tmp_path / "out" / name)
    assert np.abs(enhanced).max() == pytest.approx(1, abs=1e-3)
    assert np.abs(enhanced[0, 1000:-1000] - waveform[1000:-1000] * 2.5).max() < 0.01


def test_float_files_keep_what_lies_beyond_full_scale(tmp_path, recwarn):
    save_audio(tmp_path / "a.wav", noise(8000) * 20, 16000, "FLOAT")
    enhance_file(tmp_path / "a.wav", tmp_path / "b.wav", Gain())
    assert np.abs(load_audio(tmp_path / "b.wav")[0]).max() > 5
    assert not recwarn.list


def test_a_bad_sample_at_the_end_is_found_before_the_work_begins(tmp_path):
    waveform = noise(200000)
    waveform[-1] = np.nan
    soundfile.write(tmp_path / "a.wav", waveform, 16000, subtype="FLOAT")
    model = Gain(during=lambda: pytest.fail("the work began"))
    with pytest.raises(ValueError, match=r"a.wav: it holds NaN or infinite samples: repair"):
        enhance_file(tmp_path / "a.wav", tmp_path / "out" / "a.wav", model)
    assert not (tmp_path / "out").exists()


def test_a_model_of_nan_is_named_with_the_file(tmp_path):
    save_audio(tmp_path / "a.wav", noise(8000), 16000)
    with pytest.raises(ValueError, match=r"a.wav: the model returns NaN: its weights are broken"):
        enhance_file(tmp_path / "a.wav", tmp_path / "b.wav", Gain(np.nan))
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), MemoryError()])
def test_what_stops_the_work_leaves_nothing(tmp_path, failure):
    calls = []

    def stop():
        calls.append(None)
        if len(calls) == 2:
            assert len(list((tmp_path / "out").iterdir())) == 1  # the old file alone
            raise failure

    save_audio(tmp_path / "a.wav", noise(300000), 16000)
    save_audio(tmp_path / "out.wav", noise(100), 16000)
    (tmp_path / "out").mkdir()
    (tmp_path / "out.wav").rename(tmp_path / "out" / "a.wav")
    before = (tmp_path / "out" / "a.wav").read_bytes()
    with pytest.raises(type(failure)):
        enhance_file(tmp_path / "a.wav", tmp_path / "out" / "a.wav", Gain(during=stop))
    assert (tmp_path / "out" / "a.wav").read_bytes() == before
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.wav"]


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no disk can be reserved here")
def test_a_disk_that_is_too_small_is_named_before_the_work_begins(tmp_path, full_disk):
    save_audio(tmp_path / "a.wav", noise(300000), 16000)
    model = Gain(during=lambda: pytest.fail("the work began"))
    with full_disk(1_500_000), pytest.raises(AudioError, match="out/a.wav cannot be written: File"):
        enhance_file(tmp_path / "a.wav", tmp_path / "out" / "a.wav", model)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_disk_that_fills_in_the_meantime(tmp_path, monkeypatch, full_disk):
    monkeypatch.setattr(recordings, "_reserve", lambda *_: None)
    save_audio(tmp_path / "a.wav", noise(300000), 16000)
    for size in (700_000, 590_000):  # float32 are 1,200,000 bytes, the encoded file 600,044
        with full_disk(size), pytest.raises(AudioError, match="out/a.wav cannot be written: File"):
            enhance_file(tmp_path / "a.wav", tmp_path / "out" / "a.wav", Gain())
        assert list((tmp_path / "out").iterdir()) == []


def test_memory_is_constant_in_length(tmp_path):
    """100 s more of 96 kHz stereo are 77 MB as float32; in memory they are next to nothing."""
    short, long = (peak_kb(tmp_path, 96000, [1] * seconds) for seconds in (20, 120))
    assert long - short < 20_000
