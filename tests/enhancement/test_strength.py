"""The original mixed back: by the same share everywhere, sample by sample."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from effifusion_lite.audio import load_audio, save_audio
from effifusion_lite.audio import streams as blocks_module
from effifusion_lite.command_line.parser import main
from effifusion_lite.enhancement import enhance
from effifusion_lite.enhancement.recordings import enhance_file
from effifusion_lite.enhancement.strength import mix_back
from effifusion_lite.generator import EffiFusionGenerator, preset

RATES = [8000, 11025, 16000, 48000]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return EffiFusionGenerator(preset("tiny", channels=16, blocks=1)).eval()


def noise(*shape, seed=0):
    return (np.random.default_rng(seed).normal(size=shape) * 0.1).astype("float32")


def cut(waveform, edges):
    return np.split(waveform, sorted(edges), axis=1)


@given(
    strength=st.floats(0, 1),
    one=st.lists(st.integers(0, 400), max_size=5),
    other=st.lists(st.integers(0, 400), max_size=5),
)
def test_the_blocks_of_both_streams_need_not_agree(strength, one, other):
    enhanced, original = noise(1, 400), noise(1, 400, seed=1)
    mixed = list(mix_back(cut(enhanced, one), iter(cut(original, other)), strength))
    assert [block.shape for block in mixed] == [block.shape for block in cut(enhanced, one)]
    expected = strength * enhanced + (1 - strength) * original
    np.testing.assert_allclose(np.concatenate(mixed, axis=1), expected, atol=1e-7)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("as_tensor", [False, True])
def test_the_output_lies_between_original_and_enhanced(model, rate, as_tensor):
    waveform = noise(2, 3 * rate) * [[1], [0.01]]  # two windows
    waveform[:, rate : rate + rate // 2] = 0  # silence, which does not go through the network
    waveform = torch.from_numpy(waveform) if as_tensor else waveform
    enhanced = enhance(waveform, rate, model)
    for strength in (0.8, 0.3):
        mixed = enhance(waveform, rate, model, strength=strength)
        assert type(mixed) is type(waveform) and mixed.dtype == waveform.dtype
        expected = strength * enhanced + (1 - strength) * waveform
        np.testing.assert_allclose(np.asarray(mixed), np.asarray(expected), atol=1e-6)


@pytest.mark.parametrize("rate", RATES)
def test_the_ends_are_the_recording_and_the_network(model, rate):
    waveform = noise(3 * rate)
    np.testing.assert_array_equal(enhance(waveform, rate, model, strength=0), waveform)
    np.testing.assert_array_equal(
        enhance(waveform, rate, model, strength=1), enhance(waveform, rate, model)
    )


@pytest.mark.parametrize("rate", [8000, 44100])
def test_a_file_is_mixed_like_its_waveform(tmp_path, monkeypatch, model, rate):
    """Block by block, in stereo, with silence in one channel only."""
    waveform = noise(2, 5 * rate + 17) * [[1], [0.01]]
    waveform[1, rate : 4 * rate] = 0
    save_audio(tmp_path / "a.wav", waveform, rate, "FLOAT")
    expected = enhance(waveform.astype("float32"), rate, model, strength=0.6)
    monkeypatch.setattr(blocks_module, "BLOCK", 5000)
    enhance_file(tmp_path / "a.wav", tmp_path / "b.wav", model, strength=0.6)
    mixed, _ = load_audio(tmp_path / "b.wav")
    np.testing.assert_allclose(mixed, expected, atol=1e-6)


@pytest.mark.parametrize("strength", [-0.1, 1.01, float("nan"), float("inf"), -float("inf")])
def test_a_strength_that_is_no_share(tmp_path, model, strength):
    with pytest.raises(ValueError, match="must lie between 0, the recording as it is, and 1"):
        enhance(noise(4000), 16000, model, strength=strength)
    save_audio(tmp_path / "a.wav", noise(4000), 16000)
    with pytest.raises(ValueError, match=f"a strength of {strength} cannot be"):
        enhance_file(tmp_path / "a.wav", tmp_path / "out" / "b.wav", model, strength=strength)
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------- on the command line


def run(*words):
    return main([str(word) for word in words])


def test_the_command_mixes_and_remembers_the_strength(tmp_path, weights, capsys):
    source, out = tmp_path / "a.wav", tmp_path / "out"
    save_audio(source, noise(1, 8000), 16000, "FLOAT")
    sounds, skipped = [], []
    for words in ([], ["--strength", 0.8], ["--strength", "0.80"], ["--strength", 1]):
        assert run("enhance", source, "-o", out, "--weights", weights, *words) == 0
        skipped.append("skipped" in capsys.readouterr().err)
        sounds.append(load_audio(out / "a.wav")[0])
    assert skipped == [False, False, True, False]
    np.testing.assert_array_equal(sounds[0], sounds[3])
    expected = 0.8 * sounds[0] + 0.2 * load_audio(source)[0]
    np.testing.assert_allclose(sounds[1], expected, atol=1e-6)


def test_workers_mix_as_well(tmp_path, weights):
    (tmp_path / "in").mkdir()
    for name in ("a.wav", "b.wav"):
        save_audio(tmp_path / "in" / name, noise(1, 8000), 16000, "FLOAT")
    words = ["--weights", weights, "--jobs", 2, "--strength", 0]
    assert run("enhance", tmp_path / "in", "-o", tmp_path / "out", *words) == 0
    for name in ("a.wav", "b.wav"):
        original = load_audio(tmp_path / "in" / name)[0]
        np.testing.assert_array_equal(load_audio(tmp_path / "out" / name)[0], original)


@pytest.mark.parametrize("text", ["1.5", "-0.2", "nan", "much"])
def test_the_command_refuses_what_is_no_share(tmp_path, text, capsys):
    save_audio(tmp_path / "a.wav", noise(1, 800), 16000)
    with pytest.raises(SystemExit) as stopped:
        run("enhance", tmp_path / "a.wav", "-o", tmp_path / "out", f"--strength={text}")
    assert stopped.value.code == 2
    assert "argument --strength: must be a number between 0 and 1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
