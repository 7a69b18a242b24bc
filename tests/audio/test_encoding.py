"""Sound files written from blocks: whole or not at all, whatever fails."""

import random

import pytest
from sounds import FORMATS, cut, noise

from effifusion_lite.audio import AudioError
from effifusion_lite.audio.encoding import (
    ClippingWarning,
    check_format,
    gain_against_clipping,
    write_blocks,
)
from effifusion_lite.audio.streams import AudioFormat


@pytest.mark.parametrize("stored", FORMATS, ids=lambda f: f"{f.format} {f.subtype}")
def test_a_disk_that_is_full_at_any_byte_is_noticed(tmp_path, full_disk, stored):
    waveform = noise(stored.channels, 20000)
    write_blocks(tmp_path / "a", [waveform], stored)
    before = (tmp_path / "a").read_bytes()
    size = len(before)
    places = random.Random(0).sample(range(size), 20)
    for place in [0, 40, *places, size - 1]:
        with full_disk(place), pytest.raises(AudioError, match="/a cannot be written: File too la"):
            write_blocks(tmp_path / "a", cut(waveform, 3000), stored)
        assert (tmp_path / "a").read_bytes() == before
        assert [path.name for path in tmp_path.iterdir()] == ["a"]
    with full_disk(size):
        write_blocks(tmp_path / "a", cut(waveform, 3000), stored)
    assert (tmp_path / "a").stat().st_size == size


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), RuntimeError("x")])
def test_what_interrupts_the_blocks_leaves_nothing(tmp_path, failure):
    def blocks():
        yield noise(1, 100000)
        raise failure

    with pytest.raises(type(failure)):
        write_blocks(tmp_path / "a.wav", blocks(), FORMATS[0])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (AudioFormat("MP3", "MPEG_LAYER_III", 44100, 6), "does not take 6 channels"),
        (AudioFormat("FLAC", "FLOAT", 44100, 1), "FLAC does not take 1 channels of FLOAT"),
        (AudioFormat("OGG", "OPUS", 44100, 1), "at 44100 Hz"),
        (AudioFormat("XYZ", "PCM_16", 44100, 1), "XYZ does not take"),
    ],
)
def test_formats_that_do_not_exist_are_refused_before_and_while_writing(tmp_path, stored, message):
    with pytest.raises(AudioError, match=message):
        check_format(tmp_path / "a", stored)
    with pytest.raises(AudioError, match=message):
        write_blocks(tmp_path / "a", [noise(stored.channels, 100)], stored)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stored", FORMATS, ids=lambda f: f"{f.format} {f.subtype}")
def test_formats_that_exist_are_taken(tmp_path, stored):
    check_format(tmp_path / "a", stored)


def test_gain_against_clipping(tmp_path, recwarn):
    assert gain_against_clipping(tmp_path / "a", 1.0, "PCM_16") == 1
    assert gain_against_clipping(tmp_path / "a", 4.0, "DOUBLE") == 1
    assert not recwarn.list
    with pytest.warns(ClippingWarning, match="a.wav is made 12.0 dB softer, since PCM_24 would"):
        assert gain_against_clipping(tmp_path / "a.wav", 4.0, "PCM_24") == 0.25
