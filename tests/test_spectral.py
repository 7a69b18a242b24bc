import numpy as np
import pytest
import torch

from effifusion_lite import spectral
from effifusion_lite.spectral import SpectralConfig


@pytest.mark.parametrize("length", [1, 79, 100, 101, 399, 400, 16000, 16001, 12345])
def test_round_trip_gives_each_sample_back(length):
    waveform = torch.randn(2, length, generator=torch.Generator().manual_seed(length))
    magnitude, phase = spectral.analyse(waveform)
    assert magnitude.shape == phase.shape == (2, 201, 1 + length // 100)
    back = spectral.synthesise(magnitude, phase, length)
    assert back.shape == waveform.shape
    torch.testing.assert_close(back, waveform, atol=1e-4, rtol=0)


def test_stft_equals_a_slow_twin():
    waveform = np.random.default_rng(0).standard_normal(1234)
    padded = np.pad(waveform, 200)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = [np.fft.rfft(padded[i : i + 400] * window) for i in range(0, 1235, 100)]
    expected = np.stack(frames, axis=1)
    ours = spectral.stft(torch.tensor(waveform)[None].float())[0].numpy()
    assert ours.shape == expected.shape
    assert np.abs(ours - expected).max() < 1e-4 * np.abs(expected).max()


def test_silence_has_finite_gradients_and_stays_silent():
    silence = torch.zeros(1, 4000, requires_grad=True)
    magnitude, phase = spectral.analyse(silence)
    waveform = spectral.synthesise(magnitude, phase, 4000)
    (magnitude.sum() + phase.sum() + waveform.sum()).backward()
    assert silence.grad.isfinite().all()
    assert waveform.abs().max() < 1e-3


def test_compression_is_a_power_and_has_an_inverse():
    magnitude = torch.tensor([0.0, 1e-4, 1.0, 32.0])
    compressed = spectral.compress(magnitude, 0.3)
    torch.testing.assert_close(compressed, torch.tensor([0.0, 0.0630957, 1.0, 2.8284271]))
    torch.testing.assert_close(spectral.expand(compressed, 0.3), magnitude)


def test_other_settings_and_no_compression():
    config = SpectralConfig(n_fft=512, hop_length=128, win_length=512, compression=1.0)
    waveform = torch.randn(1, 5000, generator=torch.Generator().manual_seed(0))
    magnitude, phase = spectral.analyse(waveform, config)
    assert magnitude.shape[1] == config.bins == 257
    torch.testing.assert_close(
        spectral.synthesise(magnitude, phase, 5000, config), waveform, atol=1e-4, rtol=0
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hop_length": 0}, "hop_length"),
        ({"hop_length": 300}, "hop_length"),
        ({"n_fft": 200}, "win_length"),
        ({"compression": 0.0}, "compression"),
        ({"compression": 1.5}, "compression"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SpectralConfig(**settings)


@pytest.mark.parametrize("shape", [(100,), (1, 0), (1, 2, 100)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"\[B, N\]"):
        spectral.stft(torch.zeros(shape))
