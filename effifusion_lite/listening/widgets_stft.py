"""The STFT explorer: window, hop and compression; what is seen, what comes back, what is heard."""

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from effifusion_lite.listening.live import Live, respond, without_kernel
from effifusion_lite.listening.page import Page
from effifusion_lite.listening.player import Row, row
from effifusion_lite.plotting import image_html, plot_map
from effifusion_lite.spectral import SpectralConfig, analyse, istft, stft, synthesise

WINDOWS = (64, 128, 256, 400, 512, 1024, 2048)  # samples
OVERLAPS = (2, 4, 8)  # windows that each sample lies in
EXPONENTS = (1.0, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1)


def stft_explorer(clean: np.ndarray, noisy: np.ndarray, sample_rate: int = 16000) -> Live:
    """Make a live explorer of the short-time Fourier transform.

    Args:
        clean: speech.
        noisy: the same speech with noise, whose phase is borrowed.
        sample_rate: samples per second, Hz.

    Returns:
        The widget: the compressed magnitude as a picture, the error of the round trip, and the
        speech from its magnitude with its own, the noisy, zero, and random phase. Without a kernel
        the picture of its first state is shown: 400 samples, hop 100, exponent 0.3.

    Shape:
        `clean` and `noisy` [N] samples.

    Raises:
        ValueError: the two cannot be compared.
    """
    if np.ndim(clean) != 1 or np.shape(clean) != np.shape(noisy):
        raise ValueError(
            f"give clean and noisy speech of one length [N], not {list(np.shape(clean))} and "
            f"{list(np.shape(noisy))}"
        )
    both = torch.as_tensor(np.stack([clean, noisy]), dtype=torch.float32)  # [2, N]
    window = widgets.SelectionSlider(options=WINDOWS, value=400, description="window")
    overlap = widgets.Dropdown(
        options={f"window / {count}": count for count in OVERLAPS}, value=4, description="hop"
    )
    exponent = widgets.SelectionSlider(options=EXPONENTS, value=0.3, description="exponent c")
    for control in (window, exponent):
        control.continuous_update = False  # work where the slider is let go, not on the way

    def work() -> list[Page | Row]:
        hop = window.value // overlap.value
        config = SpectralConfig(window.value, hop, window.value, exponent.value)
        return [_picture(both[:1], config, sample_rate), _sounds(both, config, sample_rate)]

    first = work()
    text = "With one you choose window, hop and exponent; this is the first state."
    return Live(
        respond([window, overlap, exponent], work, first),
        without_kernel(text, first[0].html),
    )


def _picture(clean: Tensor, config: SpectralConfig, sample_rate: int) -> Page:
    magnitude, phase = analyse(clean, config)  # [1, F, T] each
    back = synthesise(magnitude, phase, clean.shape[-1], config)  # [1, N]
    error_db = 10 * torch.log10((back - clean).square().sum() / clean.square().sum()).item()
    text = (
        f"Windows of {1000 * config.win_length / sample_rate:.0f} ms, frequencies "
        f"{sample_rate / config.n_fft:.0f} Hz apart, {list(magnitude.shape[1:])} values; after the "
        f"round trip the error lies {-error_db:.0f} dB below the speech."
    )
    figure, axes = plt.subplots(figsize=(8, 2.6), layout="constrained")
    shown = magnitude[0] / magnitude.max()
    plot_map(
        shown,
        axes,
        f"Magnitude to the power {config.compression}",
        limits=(0, 1),
        hop_length=config.hop_length,
        sample_rate=sample_rate,
    )
    alt = f"Compressed magnitude of the speech. Median: {shown.median():.3f} of the maximum. {text}"
    return Page(f"{image_html(figure, alt)}<p>{text}</p>", text)


def _sounds(both: Tensor, config: SpectralConfig, sample_rate: int) -> Row:
    spectrum, noisy = stft(both, config)  # [F, T] each
    magnitude = spectrum.abs()
    turns = torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(1))
    phases = {
        "its own phase": spectrum.angle(),
        "noisy phase": noisy.angle(),
        "zero phase": torch.zeros_like(magnitude),
        "random phase": 2 * torch.pi * turns,
    }
    length, energy = both.shape[-1], both[0].square().sum()
    sounds = {}
    for name, phase in phases.items():
        sound = istft(torch.polar(magnitude, phase)[None], length, config)[0]  # [N]
        # Frames that contradict each other cancel: the level of the speech is restored.
        sounds[name] = (sound * (energy / sound.square().sum()).sqrt()).numpy()
    listen_for = "With which phase does the voice get rough, with which is it a robot's? And with "
    listen_for += "longer windows?"
    return row(sounds, sample_rate, listen_for=listen_for, pictures=False)
