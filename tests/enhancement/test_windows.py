"""Enhancement of any recording, with a small generator of random weights."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from effifusion_lite.audio import AudioError, resample, rms_db
from effifusion_lite.enhancement import enhance, enhance_16k
from effifusion_lite.enhancement.windows import WINDOW, enhance_in_windows, measure
from effifusion_lite.generator import EffiFusionGenerator, preset
from effifusion_lite.spectral import analyse, synthesise
from effifusion_lite.weights import WeightsError, save_weights


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return EffiFusionGenerator(preset("tiny", channels=16, blocks=1)).eval()


class Identity(torch.nn.Module):
    """A generator that changes nothing; what comes back shows what surrounds the model."""

    def __init__(self):
        super().__init__()
        self.config = preset("tiny")
        self.gain = torch.nn.Parameter(torch.ones(()))
        self.levels = []

    def forward(self, magnitude, phase):
        waveform = synthesise(
            magnitude, phase, max(1, 100 * (magnitude.shape[-1] - 1)), self.config.spectral
        )
        self.levels.append(waveform.square().mean().sqrt().item())
        return magnitude * self.gain, phase


def noise(*shape, seed=0):
    return (np.random.default_rng(seed).normal(size=shape) * 0.1).astype("float32")


# ---------------------------------------------------------------- right results


@settings(max_examples=40)
@given(
    length=st.integers(1, 6000),
    rate=st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000, 96000]),
    channels=st.sampled_from([None, 1, 2, 6]),
    level=st.floats(-80, 20),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
    as_tensor=st.booleans(),
)
def test_any_waveform_keeps_type_and_shape(model, length, rate, channels, level, dtype, as_tensor):
    shape = (length,) if channels is None else (channels, length)
    waveform = (noise(*shape) * 10 * 10 ** (level / 20)).astype(dtype)
    given_waveform = torch.from_numpy(waveform) if as_tensor else waveform
    enhanced = enhance(given_waveform, rate, model)
    assert type(enhanced) is type(given_waveform)
    assert enhanced.dtype == given_waveform.dtype
    assert enhanced.shape == given_waveform.shape
    assert np.isfinite(np.asarray(enhanced)).all()


def test_enhancement_is_scale_analyse_model_synthesise_and_scale_back(model):
    waveform = torch.from_numpy(noise(1, 4000))
    rms = (waveform**2).sum().div(4000).sqrt()
    with torch.no_grad():
        magnitude, phase = model(*analyse(waveform / rms, model.config.spectral))
        expected = synthesise(magnitude, phase, 4000, model.config.spectral) * rms
    torch.testing.assert_close(enhance_16k(model, waveform), expected, atol=1e-5, rtol=1e-4)


def test_the_level_of_the_input_is_the_level_of_the_output(model):
    quiet, loud = noise(8000) * 1e-3, noise(8000)
    np.testing.assert_allclose(
        enhance(quiet, 16000, model), enhance(loud, 16000, model) * 1e-3, atol=1e-7
    )


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_model_that_changes_nothing_gives_the_recording_back(rate):
    time = np.arange(rate) / rate
    waveform = (0.3 * np.sin(2 * np.pi * 440 * time)).astype("float32")
    inner = slice(rate // 20, -rate // 20)
    error = enhance(waveform, rate, Identity())[inner] - waveform[inner]
    assert np.abs(error).max() < 2e-3  # so there is no delay either


def test_the_model_sees_a_root_mean_square_of_one():
    model = Identity()
    for gain in (1e-4, 1, 1e4, 1e20):
        enhance(noise(8000) * np.float32(gain), 16000, model)
    assert model.levels == pytest.approx([1] * 4, abs=1e-3)


def test_channels_are_enhanced_each_on_its_own(model):
    stereo = noise(2, 4410)
    stereo[1] *= 0.01
    enhanced = enhance(stereo, 44100, model)
    for channel in (0, 1):
        np.testing.assert_array_equal(enhanced[channel], enhance(stereo[channel], 44100, model))


def test_a_batch_of_two_equals_two_of_one(model):
    pair = torch.from_numpy(noise(2, 5000)) * torch.tensor([[1.0], [1e-3]])
    together = enhance_16k(model, pair)
    alone = torch.cat([enhance_16k(model, one[None]) for one in pair])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-4)


def test_what_lies_above_8_khz_is_gone():
    high = np.sin(2 * np.pi * 12000 * np.arange(48000) / 48000).astype("float32")
    enhanced = enhance(high, 48000, Identity())
    assert rms_db(enhanced[1000:-1000]) < -80


@pytest.mark.parametrize("rate", [16000, 44100])
def test_silence_gives_silence(model, rate):
    assert not enhance(np.zeros((2, 5000), "float32"), rate, model).any()
    half = noise(2, 5000)
    half[1] = 0
    enhanced = enhance(half, rate, model)
    assert enhanced[0].any()
    assert not enhanced[1].any()


def test_a_constant_and_a_clipped_recording_come_back_finite(model):
    for waveform in (np.full(8000, 0.2), np.clip(noise(8000) * 100, -1, 1)):
        assert np.isfinite(enhance(waveform, 16000, model)).all()


def test_the_input_stays_as_it_is_and_no_gradient_flows(model):
    waveform = torch.from_numpy(noise(4000)).requires_grad_()
    before = waveform.detach().clone()
    assert not enhance(waveform, 16000, model).requires_grad
    torch.testing.assert_close(waveform.detach(), before, atol=0, rtol=0)


def test_weights_are_a_name_a_path_or_a_model(model, tmp_path):
    save_weights(model, tmp_path / "w.safetensors", {})
    expected = enhance(noise(4000), 16000, model)
    np.testing.assert_array_equal(enhance(noise(4000), 16000, tmp_path / "w.safetensors"), expected)
    np.testing.assert_array_equal(
        enhance(noise(4000), 16000, str(tmp_path / "w.safetensors")), expected
    )
    with pytest.raises(WeightsError, match="there are no weights 'nonsense'"):
        enhance(noise(4000), 16000, "nonsense")


def test_the_package_offers_it_and_imports_torch_only_then():
    program = """
import sys
import effifusion_lite
assert "torch" not in sys.modules
from effifusion_lite.enhancement import enhance
assert effifusion_lite.enhance is enhance
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


# ---------------------------------------------------------------- long recordings


def in_windows(model, waveform, rms=None, block=5000, window=1.0, crossfade=0.25):
    blocks = [waveform[:, i : i + block] for i in range(0, waveform.shape[1], block)]
    pieces = enhance_in_windows(model, iter(blocks), waveform.shape[1], rms, window, crossfade)
    return np.concatenate(list(pieces), axis=1)


@settings(max_examples=30)
@given(
    length=st.one_of(st.sampled_from([1, 15999, 16000, 16001, 28000]), st.integers(1, 70000)),
    channels=st.integers(1, 3),
    block=st.sampled_from([777, 5000, 16000, 100000]),
    of_file=st.booleans(),
)
def test_windows_of_a_model_that_changes_nothing_leave_no_seam(length, channels, block, of_file):
    waveform = noise(channels, length)
    rms = np.sqrt((waveform**2).mean(axis=1)) if of_file else None
    enhanced = in_windows(Identity(), waveform, rms, block)
    assert enhanced.shape == waveform.shape
    assert np.abs(enhanced - waveform).max() < 2e-3


def test_windows_fade_from_one_result_to_the_next():
    class Alternating(Identity):
        def forward(self, magnitude, phase):
            self.levels.append(None)
            # `gain` acts on the compressed magnitude: 0 takes the even windows away.
            return magnitude * (len(self.levels) % 2), phase

    enhanced = in_windows(Alternating(), 1 + noise(1, 40000) * 1e-3)[0]
    fade = enhanced[12000:16000]  # of the first window into the second
    assert np.abs(fade - np.linspace(1, 0, 4000)).max() < 0.05
    assert np.abs(enhanced[17000:23000]).max() < 0.05
    assert np.abs(enhanced[28500:39000] - 1).max() < 0.05


def test_each_window_is_given_out_as_soon_as_it_is_there():
    waveform, taken = noise(1, 160000), 0

    def blocks():
        nonlocal taken
        for start in range(0, 160000, 1000):
            taken += 1000
            yield waveform[:, start : start + 1000]

    given_out = 0
    for piece in enhance_in_windows(Identity(), blocks(), 160000, None, 1.0, 0.25):
        given_out += piece.shape[1]
        assert taken - given_out <= 4000  # the crossfade alone is held back
    assert given_out == 160000


def test_level_of_windows():
    waveform = noise(1, 32000)
    waveform[:, :16000] *= 0.01
    by_window, by_file = Identity(), Identity()
    in_windows(by_window, waveform)
    in_windows(by_file, waveform, measure([waveform], 16000)[1])
    assert by_window.levels[0] == pytest.approx(1, abs=0.01)
    assert by_file.levels[0] == pytest.approx(0.01 * 2**0.5, rel=0.05)


def test_long_recordings_are_cut_and_short_ones_are_not():
    short, long = Identity(), Identity()
    enhance(np.ones(int(WINDOW * 16000)), 16000, short)
    enhanced = enhance(np.ones(int(WINDOW * 16000) + 1), 16000, long)
    assert (len(short.levels), len(long.levels)) == (1, 2)
    assert enhanced.shape == (int(WINDOW * 16000) + 1,)


def test_long_recordings_are_scaled_as_a_whole():
    model, waveform = Identity(), noise(int(3 * WINDOW) * 16000)
    waveform[: len(waveform) // 2] *= 0.01
    enhance(waveform, 16000, model)
    assert model.levels[0] == pytest.approx(0.01 * 2**0.5, rel=0.05)


@pytest.mark.parametrize("crossfade", [0, 0.6, -1])
def test_a_crossfade_that_does_not_fit(crossfade):
    with pytest.raises(ValueError, match="at most half of window"):
        in_windows(Identity(), noise(1, 20000), crossfade=crossfade)


def test_measure_is_length_and_level_at_16_khz():
    waveform = np.stack([noise(44100), np.zeros(44100, "float32")])
    length, rms, sounding = measure([waveform[:, :10000], waveform[:, 10000:]], 44100)
    assert length == 44100
    assert rms[0] == pytest.approx(np.sqrt((resample(waveform[0], 44100, 16000) ** 2).mean()))
    assert rms[1] == 0
    assert [stretches.tolist() for stretches in sounding] == [[[0, 16000]], []]


def test_what_enhances_need_not_be_torch():
    class Backend:
        config = preset("tiny")

        def __call__(self, magnitude, phase):
            return magnitude, phase

    waveform = noise(8000)
    assert np.abs(enhance(waveform, 16000, Backend()) - waveform).max() < 2e-3


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.array([0.0, np.nan]), "NaN or infinite"),
        (np.array([0.0, -np.inf]), "NaN or infinite"),
        (torch.tensor([0.0, torch.inf]), "NaN or infinite"),
        (np.array([0.0, 1e300]), "NaN or infinite"),
        (np.zeros(0), r"empty: its shape is \[0\]"),
        (np.zeros((2, 0)), r"empty: its shape is \[2, 0\]"),
        (torch.zeros(0), "empty"),
        (np.zeros(10, np.int16), "not int16: divide 16-bit samples by 32768"),
        (torch.zeros(10, dtype=torch.int32), "not torch.int32"),
        (np.zeros(10, complex), "not complex128"),
        (torch.tensor(1.0), r"not \[\]"),
        (np.zeros((1, 2, 10)), r"shape \[N\] or \[C, N\], not \[1, 2, 10\]"),
        (np.zeros((48000, 2)), r"which is \[N, C\]: give its transpose"),
        ([0.0, 0.1], "a NumPy array or a torch tensor, not a list"),
    ],
)
def test_bad_input_is_one_sentence(model, waveform, message):
    with pytest.raises(ValueError, match=message) as caught:
        enhance(waveform, 16000, model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rate", [0, -1, 10, 10**8])
def test_bad_sample_rates(model, rate):
    with pytest.raises(AudioError, match="cannot be right"):
        enhance(noise(100), rate, model)


def test_broken_weights_are_named_and_give_no_nan():
    broken = Identity()
    broken.gain.data.fill_(torch.nan)
    with pytest.raises(ValueError, match="its weights are broken"):
        enhance(noise(1000), 16000, broken)
