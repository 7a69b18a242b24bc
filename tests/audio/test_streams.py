"""Sound files as streams: reading, resampling and writing in blocks equal the whole."""

import io
import resource

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sounds import FORMATS, cut, noise

from effifusion_lite.audio import AudioError
from effifusion_lite.audio import streams as module
from effifusion_lite.audio.encoding import write_blocks
from effifusion_lite.audio.streams import fit_blocks, open_sound, read_blocks, resample_blocks


def joined(blocks):
    return np.concatenate(list(blocks), axis=1)


# ---------------------------------------------------------------- streams equal the whole


@pytest.mark.parametrize("stored", FORMATS, ids=lambda f: f"{f.format} {f.subtype}")
def test_where_a_file_is_cut_into_blocks_makes_no_difference(tmp_path, monkeypatch, stored):
    waveform = noise(stored.channels, 30001)
    write_blocks(tmp_path / "whole", [waveform], stored)
    whole = joined(read_blocks(tmp_path / "whole"))
    assert whole.shape == waveform.shape
    monkeypatch.setattr(module, "BLOCK", 3000)
    write_blocks(tmp_path / "blocks", cut(waveform, 7001), stored)
    blocks = list(read_blocks(tmp_path / "blocks"))
    assert len(blocks) > 5
    # encoders that look at their first or last block as a whole
    tolerance = 0.05 if stored.subtype in ("VORBIS", "OPUS") else 1e-6
    np.testing.assert_allclose(joined(blocks), whole, atol=tolerance)
    # libsndfile gives the last sample of Opus by the size of the block
    np.testing.assert_array_equal(joined(read_blocks(tmp_path / "whole"))[:, :-1], whole[:, :-1])


@settings(max_examples=60)
@given(
    length=st.integers(1, 20000),
    rates=st.tuples(*[st.sampled_from([8000, 11025, 16000, 44100, 48000, 96000])] * 2),
    channels=st.integers(1, 3),
    size=st.sampled_from([100, 997, 4096, 100000]),
)
def test_resampling_in_blocks_equals_resampling_the_whole(length, rates, channels, size):
    waveform = noise(channels, length)
    wanted = max(1, round(length * rates[1] / rates[0]))
    fitted = joined(fit_blocks(resample_blocks(cut(waveform, size), *rates), wanted))
    assert fitted.shape == (channels, wanted)
    whole = soxr.resample(waveform.T, *rates, quality="HQ").T
    common = min(wanted, whole.shape[1])
    assert wanted - common <= 1
    np.testing.assert_allclose(fitted[:, :common], whole[:, :common], atol=1e-6)


def test_ten_minutes_of_resampling_drift_by_no_sample():
    """A click at the very end comes back where it was, after 44.1 kHz -> 16 kHz -> 44.1 kHz."""
    length, size = 600 * 44100 + 12345, 60 * 44100

    def blocks():
        for start in range(0, length, size):
            block = np.zeros((1, min(size, length - start)), np.float32)
            if start + block.shape[1] == length:
                block[0, -2000] = 1
            yield block

    inner = fit_blocks(resample_blocks(blocks(), 44100, 16000), round(length * 16000 / 44100))
    count, peak, place = 0, 0.0, None
    for block in fit_blocks(resample_blocks(inner, 16000, 44100), length):
        if block.size and block.max() > peak:
            peak, place = block.max(), count + int(block.argmax())
        count += block.shape[1]
    assert count == length
    assert place == length - 2000


@pytest.mark.parametrize(("length", "expected"), [(2, [[1, 2]]), (5, [[1, 2, 3, 4, 0]])])
def test_fit_blocks(length, expected):
    blocks = [np.array([[1, 2, 3]]), np.array([[4]])]
    assert joined(fit_blocks(blocks, length)).tolist() == expected


# ---------------------------------------------------------------- reading what is broken


def test_a_header_with_an_impossible_rate_is_named(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(1, 100)[0], 16000)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[24:28] = (3).to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(AudioError, match=r"a.wav is damaged: a sample rate of 3 Hz cannot be"):
        open_sound(tmp_path / "a.wav")


def test_a_header_that_promises_hours_costs_no_memory(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(1, 100)[0], 16000)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[4:8] = content[40:44] = (2**31).to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert joined(read_blocks(tmp_path / "a.wav")).shape == (1, 100)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def _encoded(stored):
    file = io.BytesIO()
    soundfile.write(
        file, noise(stored.channels, 2000).T, stored.sample_rate, stored.subtype,
        format=stored.format,
    )  # fmt: skip
    return file.getvalue()


ENCODED = {f"{stored.format} {stored.subtype}": _encoded(stored) for stored in FORMATS}


def assert_read_or_refused(path):
    try:
        with open_sound(path) as sound:
            channels, rate = sound.channels, sound.samplerate
        blocks = list(read_blocks(path))
    except AudioError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
    else:
        assert 1000 <= rate <= 1_000_000
        assert {block.shape[0] for block in blocks} == {channels}
        assert all(block.dtype == np.float32 and block.size for block in blocks)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(ENCODED)),
    # headers are where most can go wrong
    damage=st.lists(
        st.tuples(st.one_of(st.integers(0, 200), st.integers(0, 9000)), st.integers(0, 255)),
        max_size=20,
    ),
    cut_at=st.one_of(st.none(), st.integers(0, 9000)),
    appended=st.binary(max_size=50),
)
def test_damaged_files_are_read_or_refused(tmp_path, name, damage, cut_at, appended):
    content = bytearray(ENCODED[name])
    for place, value in damage:
        content[place % len(content)] = value
    path = tmp_path / f"a.{name.split()[0].lower()}"
    path.write_bytes(content[:cut_at] + appended)
    assert_read_or_refused(path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    magic=st.sampled_from(
        [b"", b"RIFF\0\0\1\0WAVEfmt ", b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"FORM", b"caff"]
        + [b".snd", b"RF64", b"riff", b"MAT", b"2BIT", b"SDS", b"Creative Voice File"]
    ),
    content=st.binary(max_size=500),
    suffix=st.sampled_from(["wav", "flac", "ogg", "mp3", "aiff", "raw", "caf", ""]),
)
def test_random_bytes_are_read_or_refused(tmp_path, magic, content, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(magic + content)
    assert_read_or_refused(path)
