"""Sound files in and out: each format, each kind of bad file, each level."""

import errno
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from effifusion_lite.audio import AudioError, load_audio, peak_db, resample, rms_db, save_audio
from effifusion_lite.audio import streams as blocks
from effifusion_lite.audio.encoding import ClippingWarning
from effifusion_lite.audio.streams import AudioFormat, read_format


def tone(length=8000, rate=16000, frequency=440.0, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * frequency * np.arange(length) / rate)).astype("float32")


# ---------------------------------------------------------------- reading and writing


@pytest.mark.parametrize(
    ("name", "subtype", "rate", "channels", "error"),
    [
        ("a.wav", "PCM_16", 16000, 1, 2**-15),
        ("a.wav", "PCM_24", 44100, 2, 2**-23),
        ("a.wav", "FLOAT", 8000, 6, 0),
        ("a.wav", "DOUBLE", 96000, 1, 0),
        ("a.flac", "PCM_16", 48000, 2, 2**-15),
        ("a.flac", "PCM_24", 22050, 1, 2**-23),
        ("a.aiff", "PCM_16", 16000, 1, 2**-15),
        ("a.ogg", "VORBIS", 44100, 2, 0.1),
        ("a.mp3", "MPEG_LAYER_III", 44100, 2, 0.1),
        ("a.opus", "OPUS", 48000, 1, 0.6),  # Opus keeps the sound, not the waveform
    ],
)
def test_round_trip(tmp_path, name, subtype, rate, channels, error):
    waveform = np.stack([tone(rate, rate, 300 * (1 + c), 0.5 / (1 + c)) for c in range(channels)])
    save_audio(tmp_path / name, waveform, rate, subtype)
    loaded, loaded_rate = load_audio(tmp_path / name)
    assert loaded_rate == rate
    assert loaded.shape == waveform.shape  # the lossy formats, too, keep the length
    assert loaded.dtype == np.float32
    assert np.abs(loaded - waveform).max() <= error
    assert read_format(tmp_path / name).subtype == subtype


def test_a_file_that_is_read_and_written_keeps_every_16_bit_sample(tmp_path):
    samples = np.arange(-(2**15), 2**15, dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="PCM_16")
    waveform, rate = load_audio(tmp_path / "a.wav")
    save_audio(tmp_path / "b.wav", waveform, rate, "PCM_16")
    np.testing.assert_array_equal(soundfile.read(tmp_path / "b.wav", dtype="int16")[0], samples)


def test_mono_may_be_saved_without_a_channel_axis(tmp_path):
    save_audio(tmp_path / "a.wav", tone(100), 16000, "FLOAT")
    np.testing.assert_array_equal(load_audio(tmp_path / "a.wav")[0], tone(100)[None])


def test_long_files_are_read_in_blocks(tmp_path, monkeypatch):
    save_audio(tmp_path / "a.wav", tone(1000), 16000, "FLOAT")
    monkeypatch.setattr(blocks, "BLOCK", 300)
    np.testing.assert_array_equal(load_audio(tmp_path / "a.wav")[0], tone(1000)[None])


def test_loading_resamples(tmp_path):
    save_audio(tmp_path / "a.wav", np.stack([tone(44100, 44100)] * 2), 44100, "FLOAT")
    waveform, rate = load_audio(tmp_path / "a.wav", 16000)
    assert rate == 16000
    assert waveform.shape == (2, 16000)
    assert np.abs(waveform[:, 200:-200] - tone(16000)[200:-200]).max() < 1e-3


def test_the_format_can_differ_from_the_name(tmp_path):
    save_audio(tmp_path / "a.wav", tone(100), 16000, "PCM_24", "WAVEX")
    assert read_format(tmp_path / "a.wav") == AudioFormat("WAVEX", "PCM_24", 16000, 1)


# ---------------------------------------------------------------- files that cannot be read


def _text(path):
    path.write_text("These are words and no waveform. " * 50)


def _truncated_header(path):
    soundfile.write(path, tone(100), 16000)
    path.write_bytes(path.read_bytes()[:20])


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("missing.wav", lambda path: None, "does not exist"),
        ("folder.wav", lambda path: path.mkdir(), "is a directory"),
        ("empty.wav", lambda path: path.touch(), r"is empty \(0 bytes\)"),
        ("text.wav", _text, "is not a sound file"),
        ("text.raw", _text, "is not a sound file"),
        ("header.wav", _truncated_header, "is not a sound file"),
        ("none.wav", lambda path: soundfile.write(path, np.zeros(0), 16000), "holds no samples"),
        ("none.flac", lambda path: soundfile.write(path, np.zeros(0), 16000), "."),
    ],
)
def test_bad_files_are_named_in_one_sentence(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(AudioError, match=message) as caught:
        load_audio(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_without_permission(tmp_path, monkeypatch):
    save_audio(tmp_path / "a.wav", tone(), 16000)

    def refuse(self, mode):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything, so no chmod
    with pytest.raises(AudioError, match=r"a\.wav cannot be opened: Permission denied"):
        load_audio(tmp_path / "a.wav")


def test_a_truncated_file_gives_what_it_holds(tmp_path):
    save_audio(tmp_path / "a.wav", tone(8000), 16000, "PCM_16")
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[: 44 + 2 * 5000])
    waveform, _ = load_audio(tmp_path / "a.wav")
    assert waveform.shape == (1, 5000)


# ---------------------------------------------------------------- files that cannot be written


@pytest.mark.parametrize(
    ("name", "waveform", "rate", "subtype", "message"),
    [
        ("a.xyz", tone(), 16000, None, "unknown format"),
        ("a", tone(), 16000, None, "unknown format"),
        ("a.wav", np.zeros(0, "float32"), 16000, None, "is not written: a waveform is floating"),
        ("a.wav", np.zeros((2, 3, 4)), 16000, None, "is not written: a waveform is floating"),
        ("a.wav", np.zeros(10, np.int16), 16000, None, "this is int16 of shape"),
        ("a.wav", np.array([0, np.nan]), 16000, None, "NaN"),
        ("a.wav", np.array([0, np.inf]), 16000, None, "NaN or infinite"),
        ("a.flac", tone(), 16000, "FLOAT", "FLAC does not take 1 channels of FLOAT"),
        ("a.mp3", np.zeros((6, 100)), 16000, None, "MP3 does not take 6 channels"),
        ("a.opus", tone(), 44100, "OPUS", "at 44100 Hz"),
        ("missing/a.wav", tone(), 16000, None, "cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(tmp_path, name, waveform, rate, subtype, message):
    with pytest.raises(AudioError, match=message):
        save_audio(tmp_path / name, waveform, rate, subtype)
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- level


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_what_would_clip_is_made_softer_as_a_whole(tmp_path, name):
    waveform = np.stack([tone(amplitude=2.0), tone(amplitude=0.5)])
    with pytest.warns(ClippingWarning, match=r"a\..* 6\.0 dB softer, since PCM_16"):
        save_audio(tmp_path / name, waveform, 16000)
    loaded, _ = load_audio(tmp_path / name)
    assert np.abs(loaded - waveform / np.abs(waveform).max()).max() < 2**-14


def test_float_files_keep_what_lies_beyond_full_scale(tmp_path, recwarn):
    save_audio(tmp_path / "a.wav", tone(amplitude=2.0), 16000, "FLOAT")
    assert np.abs(load_audio(tmp_path / "a.wav")[0]).max() > 1.99
    assert not recwarn.list


def test_full_scale_is_written_as_it_is(tmp_path, recwarn):
    save_audio(tmp_path / "a.wav", np.array([1.0, -1.0, 0.5]), 16000)
    samples, _ = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert samples.tolist() == [32767, -32768, 16384]
    assert not recwarn.list


def test_levels():
    assert rms_db(np.ones(10)) == 0
    assert rms_db(tone(16000, amplitude=1.0)) == pytest.approx(-3.0103, abs=1e-3)
    assert rms_db(np.full((2, 8), 1e-4, np.float32)) == pytest.approx(-80, abs=1e-4)
    assert rms_db(np.zeros(4)) == -np.inf
    assert peak_db(np.array([0.1, -0.5])) == pytest.approx(-6.0206, abs=1e-4)
    assert peak_db(np.zeros(4)) == -np.inf


# ---------------------------------------------------------------- sample rate


@given(
    length=st.integers(1, 3000),
    rates=st.tuples(*[st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000, 96000])] * 2),
    channels=st.integers(0, 3),
)
def test_resampling_gives_the_rounded_length(length, rates, channels):
    shape = (channels, length) if channels else (length,)
    waveform = np.random.default_rng(length).normal(size=shape).astype("float32")
    resampled = resample(waveform, *rates)
    assert resampled.shape[:-1] == shape[:-1]
    assert resampled.shape[-1] == max(1, round(length * rates[1] / rates[0]))
    assert resampled.dtype == np.float32
    assert np.isfinite(resampled).all()


def test_resampling_delays_nothing_and_takes_away_what_aliases():
    low = tone(48000, 48000, 1000)
    high = tone(48000, 48000, 10000)
    resampled = resample(low + high, 48000, 16000)
    assert np.abs(resampled[100:-100] - tone(16000, 16000, 1000)[100:-100]).max() < 1e-3


def test_resampling_keeps_the_channels_apart():
    stereo = np.stack([tone(4410, 44100), np.zeros(4410, "float32")])
    resampled = resample(stereo, 44100, 16000)
    assert not resampled[1].any()
    np.testing.assert_array_equal(resampled[0], resample(stereo[0], 44100, 16000))


@pytest.mark.parametrize("rate", [0, -16000, 1, 10**9])
def test_rates_that_cannot_be_right(rate):
    with pytest.raises(AudioError, match=f"a sample rate of {rate} Hz cannot be right"):
        resample(tone(), rate, 16000)


def test_nothing_cannot_be_resampled():
    with pytest.raises(AudioError, match="without samples"):
        resample(np.zeros(0), 44100, 16000)
