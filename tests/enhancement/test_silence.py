"""Digital silence: speech beside it is enhanced as if it were not there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peak import peak_kb

from effifusion_lite.audio import load_audio, resample, save_audio
from effifusion_lite.audio import streams as streams_module
from effifusion_lite.enhancement import enhance
from effifusion_lite.enhancement.recordings import enhance_file
from effifusion_lite.enhancement.silence import Frames, put_back, take_out
from effifusion_lite.enhancement.windows import enhance_in_windows, measure
from effifusion_lite.generator import preset
from effifusion_lite.listening import clips
from effifusion_lite.metrics import perceptual, ratios
from effifusion_lite.weights import load

RATE = 16000
SCORES = (perceptual.pesq, ratios.si_sdr)


@pytest.fixture(scope="module")
def model():
    return load("tiny")


@pytest.fixture(scope="module")
def speech():
    """Clean and noisy, 4 s."""
    return clips.pair("garage_fan")


def noise(*shape, seed=0):
    return (np.random.default_rng(seed).normal(size=shape) * 0.1).astype("float32")


def with_gaps(waveform, *gaps):
    """Zeros put in at (position, samples); returns also where the waveform is."""
    parts, last = [], 0
    for position, samples in gaps:
        parts += [np.ones(position - last, bool), np.zeros(samples, bool)]
        last = position
    sounds = np.concatenate([*parts, np.ones(len(waveform) - last, bool)])
    result = np.zeros(len(sounds), "float32")
    result[sounds] = waveform
    return result, sounds


def stretches(waveform, block=5000):
    frames = Frames()
    for start in range(0, waveform.shape[1], block):
        frames.add(waveform[:, start : start + block])
    return [one.tolist() for one in frames.sounding(waveform.shape[1])]


# ---------------------------------------------------------------- what it is for


@pytest.mark.parametrize(
    "gaps",
    [
        [(0, 12800)],
        [(0, 64011), (63200, 64000)],
    ],
    ids=["before", "both sides"],
)
@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_speech_comes_out_as_if_the_silence_were_not_there(speech, gaps, backend):
    if backend == "onnx":
        pytest.importorskip("onnx", reason="onnx is not installed: pip install '.[onnx]'")
        pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from effifusion_lite.enhancement.onnx.backend import load_backend

    model = load_backend("tiny", backend)
    noisy = speech[1]
    given_waveform, sounds = with_gaps(noisy, *gaps)
    enhanced = enhance(given_waveform, RATE, model)
    np.testing.assert_allclose(enhanced[sounds], enhance(noisy, RATE, model), atol=1e-5)
    assert not enhanced[~sounds].any()


def test_silence_put_inside_costs_next_to_nothing(model, speech):
    clean, noisy = speech
    gaps = [(10000, 8000), (20011, 40000), (40007, 8000), (50001, 16003)]
    given_waveform, sounds = with_gaps(noisy, *gaps)
    enhanced = enhance(given_waveform, RATE, model)
    lost = [
        score(clean, enhance(noisy, RATE, model)) - score(clean, enhanced[sounds])
        for score in SCORES
    ]
    assert lost[0] < 0.05  # four cuts in 4 s: 0.04 on the mean of six clips, 0.07 the most
    assert lost[1] < 0.5
    near = np.convolve(sounds, np.ones(81), "same") > 0  # 2.5 ms on both sides
    assert not enhanced[~near].any()


def test_muted_gaps_cost_little(model, speech):
    clean, noisy = speech
    kept = np.arange(len(noisy)) % 10007 < 7000  # 188 ms of each 625 ms are muted
    never, muted = enhance(noisy, RATE, model), enhance(noisy * kept, RATE, model)
    lost = [score(clean[kept], never[kept]) - score(clean[kept], muted[kept]) for score in SCORES]
    assert lost[0] < 0.15  # 0.86 where the zeros go through the network
    assert lost[1] < 1  # dB, 2.4 there


def test_silence_that_was_resampled_or_dithered(model, speech):
    clean, noisy = speech
    steps = np.random.default_rng(0).integers(-1, 2, 2 * 64000) / 32768
    dithered = np.concatenate([steps[:64000], 2 * noisy, steps[64000:]]).astype("float32")
    resampled = resample(np.pad(noisy, 64000), RATE, 44100)
    expected = perceptual.pesq(clean, enhance(noisy, RATE, model))
    for waveform, rate in ((dithered, RATE), (resampled, 44100)):
        enhanced = resample(enhance(waveform, rate, model), rate, RATE)[64000:][: len(clean)]
        assert perceptual.pesq(clean, enhanced) > expected - 0.05


def test_speech_shorter_than_a_window_between_long_silences(model, speech):
    word = speech[1][8000:14000]
    enhanced = enhance(np.pad(word, 100_000), RATE, model)
    np.testing.assert_allclose(enhanced[100_000:-100_000], enhance(word, RATE, model), atol=1e-5)


# ---------------------------------------------------------------- what is silent


def test_where_there_is_no_silence_nothing_changes(model, speech):
    noisy = speech[1].copy()
    noisy[20000:20319] = 0  # shorter than two frames
    length, rms, sounding = measure([noisy[None]], RATE)
    assert sounding[0].tolist() == [[0, length]]
    assert rms[0] == np.sqrt(np.square(noisy, dtype=np.float64).mean())
    expected = np.concatenate([*enhance_in_windows(model, [noisy[None]], length, rms)], axis=1)
    np.testing.assert_array_equal(enhance(noisy, RATE, model), expected[0])


@pytest.mark.parametrize("gain", [1e-6, 1, 1e6])
def test_what_is_silent_does_not_depend_on_the_level(gain):
    waveform = noise(1, 16000)
    waveform[:, 4000:8000] *= 1e-5
    assert stretches(waveform * np.float32(gain)) == [[[0, 4040], [7960, 16000]]]
    waveform[:, 4000:8000] *= 1e3
    assert stretches(waveform * np.float32(gain)) == [[[0, 16000]]]


@pytest.mark.parametrize("block", [1, 100, 777, 100_000])
def test_zeros_are_silent_to_the_sample_but_2_5_ms_beside_a_joint(block):
    waveform, _ = with_gaps(noise(9999), (0, 501), (3001, 1234), (3002, 480), (9999, 4444))
    assert stretches(waveform[None], block) == [[[501, 3542], [4696, 4777], [5177, 12214]]]


def test_each_channel_has_its_own_silence(model, speech):
    stereo = np.stack([np.pad(speech[1], (20000, 0)), np.pad(speech[1], (0, 20000))])
    enhanced = enhance(stereo, RATE, model)
    np.testing.assert_allclose(enhanced[0, 20000:], enhanced[1, :-20000], atol=1e-5)
    assert not enhanced[0, :20000].any()


@settings(max_examples=60)
@given(
    pieces=st.lists(st.tuples(st.booleans(), st.integers(1, 2000)), min_size=1, max_size=8),
    block=st.sampled_from([1, 160, 333, 100_000]),
    excess=st.integers(-1, 1),
)
def test_what_was_taken_out_is_put_back(pieces, block, excess):
    waveform = np.concatenate([noise(1, n) * sounds for sounds, n in pieces], axis=1)
    frames, length = Frames(), max(1, waveform.shape[1] + excess)
    frames.add(waveform)
    (sounding,) = frames.sounding(length)
    waveform = np.pad(waveform, ((0, 0), (0, 1)))[:, :length]
    blocks = [waveform[:, start : start + block] for start in range(0, length, block)]
    taken = list(take_out(blocks, sounding))
    assert sum(piece.shape[1] for piece in taken) == np.diff(sounding).sum()
    back = list(put_back(taken, sounding, length))
    np.testing.assert_array_equal(np.concatenate(back, axis=1), waveform)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_file_is_enhanced_like_its_waveform(tmp_path, monkeypatch, model, speech, rate):
    left, _ = with_gaps(speech[1], (0, 9000), (30000, 40000))
    right, _ = with_gaps(speech[1], (20000, 30000), (50000, 19000))
    waveform = np.stack([resample(channel, RATE, rate) for channel in (left, right)])
    save_audio(tmp_path / "a.wav", waveform, rate, "FLOAT")
    monkeypatch.setattr(streams_module, "BLOCK", 5000)
    enhance_file(tmp_path / "a.wav", tmp_path / "b.wav", model)
    enhanced, _ = load_audio(tmp_path / "b.wav")
    np.testing.assert_allclose(enhanced, enhance(waveform, rate, model), atol=1e-6)


def test_silence_does_not_gather_in_memory(tmp_path):
    """600 s of stereo are 77 MB as float32, between the halves of a window."""
    short, long = (peak_kb(tmp_path, 16000, [1, *[0] * seconds, 1]) for seconds in (5, 605))
    assert long - short < 20_000


def test_a_silent_recording_needs_no_model():
    class Nothing:
        config = preset("tiny")

    assert not enhance(np.zeros((2, 40000)), RATE, Nothing()).any()
