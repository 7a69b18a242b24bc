"""Waveform to compressed magnitude and phase, and back.

Layout: waveforms are ``[B, N]`` (batch, samples), spectra ``[B, F, T]`` (batch, frequency, frames)
with ``F = n_fft // 2 + 1`` and ``T = 1 + N // hop_length``. Everything here is float32.

Chapter: 01 Spectrograms and compression.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from effifusion_lite.settings import check_fields

# The square root has no finite gradient at zero without the first. The others are MP-SENet's, for
# results that can be compared: torch's atan2 has the gradient 0 there.
MAGNITUDE_EPS = 1e-9
REAL_EPS = 1e-5
IMAG_EPS = 1e-10


@dataclass(frozen=True)
class SpectralConfig:
    """Settings of the short-time Fourier transform and of the power-law compression.

    Args:
        n_fft: length of the Fourier transform in samples.
        hop_length: step from frame to frame in samples.
        win_length: length of the Hann window in samples.
        compression: exponent c of ``magnitude ** c``; 1 switches the compression off.

    Raises:
        ValueError: if a value is of another type, the windows do not overlap enough to be inverted,
            or c is not in (0, 1].

    Source: c = 0.3 as summaries of arXiv 2508.14525 report; 400/100/400 as in MP-SENet (2023).
    """

    n_fft: int = 400
    hop_length: int = 100
    win_length: int = 400
    compression: float = 0.3

    def __post_init__(self):
        check_fields(self)
        if not 0 < self.hop_length <= self.win_length // 2:
            raise ValueError("hop_length must be between 1 and half of win_length")
        if not self.win_length <= self.n_fft:
            raise ValueError("win_length must not be longer than n_fft")
        if not 0 < self.compression <= 1:
            raise ValueError("compression must be greater than 0 and at most 1")

    @property
    def bins(self) -> int:
        """Number of frequencies F."""
        return self.n_fft // 2 + 1


def _window(config: SpectralConfig, device) -> Tensor:
    return torch.hann_window(config.win_length, dtype=torch.float32, device=device)


def stft(waveform: Tensor, config: SpectralConfig = SpectralConfig()) -> Tensor:
    """Short-time Fourier transform with centred, zero-padded frames.

    Args:
        waveform: real waveform.
        config: transform settings.

    Returns:
        Complex spectrum.

    Shape:
        waveform ``[B, N]`` (samples) → ``[B, F, T]``, ``T = 1 + N // hop_length``.

    Raises:
        ValueError: if ``waveform`` does not have two dimensions or is empty.

    Source: Allen and Rabiner (1977).
    """
    if waveform.ndim != 2 or waveform.shape[-1] == 0:
        raise ValueError(
            f"stft takes a waveform of shape [B, N] with N >= 1, not {list(waveform.shape)}"
        )
    return torch.stft(
        waveform.float(),
        config.n_fft,
        config.hop_length,
        config.win_length,
        _window(config, waveform.device),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )


def istft(spectrum: Tensor, length: int, config: SpectralConfig = SpectralConfig()) -> Tensor:
    """Inverse of :func:`stft` by overlap-add, cut to exactly ``length`` samples.

    Args:
        spectrum: complex spectrum.
        length: number of samples to return.
        config: transform settings.

    Returns:
        Real waveform.

    Shape:
        spectrum ``[B, F, T]`` → ``[B, length]`` (samples).

    Source: Griffin and Lim (1984), weighted overlap-add.
    """
    return torch.istft(
        spectrum,
        config.n_fft,
        config.hop_length,
        config.win_length,
        _window(config, spectrum.device),
        center=True,
        length=length,
    )


def magnitude_phase(spectrum: Tensor) -> tuple[Tensor, Tensor]:
    """Magnitude and phase of a complex spectrum, with finite gradients at zero.

    Args:
        spectrum: complex spectrum.

    Returns:
        Magnitude ``sqrt(re² + im² + 1e-9)`` and phase ``atan2(im + 1e-10, re + 1e-5)``.

    Shape:
        spectrum ``[B, F, T]`` → magnitude ``[B, F, T]`` (linear), phase ``[B, F, T]`` (radians).

    Source: the offsets are those of MP-SENet (2023).
    """
    real, imag = spectrum.real, spectrum.imag
    magnitude = torch.sqrt(real.square() + imag.square() + MAGNITUDE_EPS)
    return magnitude, torch.atan2(imag + IMAG_EPS, real + REAL_EPS)


def wrap(angle: Tensor) -> Tensor:
    """The same angle between −π and π: ``x − 2π · round(x / 2π)``.

    Shape:
        any shape, kept (radians).

    Source: definition.
    """
    turns = torch.round(angle.detach() / (2 * torch.pi))  # whole numbers: nothing to derive
    return angle - 2 * torch.pi * turns


def compress(magnitude: Tensor, exponent: float = 0.3) -> Tensor:
    """Power-law compression ``magnitude ** exponent``.

    Shape:
        any shape, kept; magnitude linear and not negative.

    Source: exponent 0.3 as summaries of arXiv 2508.14525 report.
    """
    return magnitude.pow(exponent)


def expand(magnitude: Tensor, exponent: float = 0.3) -> Tensor:
    """Inverse of :func:`compress`: ``magnitude ** (1 / exponent)``.

    Shape:
        any shape, kept; compressed magnitude, not negative.

    Source: inverse of :func:`compress`.
    """
    return magnitude.pow(1.0 / exponent)


def analyse(waveform: Tensor, config: SpectralConfig = SpectralConfig()) -> tuple[Tensor, Tensor]:
    """Waveform to compressed magnitude and phase, the input of the generator.

    Args:
        waveform: real waveform.
        config: transform settings.

    Returns:
        Compressed magnitude and phase.

    Shape:
        waveform ``[B, N]`` (samples) → two of ``[B, F, T]`` (compressed linear; radians).

    Raises:
        ValueError: as :func:`stft`.

    Source: :func:`stft`, :func:`magnitude_phase`, :func:`compress` in a row.
    """
    magnitude, phase = magnitude_phase(stft(waveform, config))
    return compress(magnitude, config.compression), phase


def complex_spectrum(magnitude: Tensor, phase: Tensor) -> Tensor:
    """Complex numbers from magnitude and phase.

    Shape:
        two of ``[B, F, T]`` (linear or compressed; radians) → complex ``[B, F, T]``.

    Source: Euler's formula.
    """
    return torch.complex(magnitude * phase.cos(), magnitude * phase.sin())


def synthesise(
    magnitude: Tensor, phase: Tensor, length: int, config: SpectralConfig = SpectralConfig()
) -> Tensor:
    """Compressed magnitude and phase back to a waveform of exactly ``length`` samples.

    Args:
        magnitude: compressed magnitude.
        phase: phase in radians.
        length: number of samples to return.
        config: transform settings.

    Returns:
        Real waveform.

    Shape:
        two of ``[B, F, T]`` → ``[B, length]`` (samples).

    Source: inverse of :func:`analyse`.
    """
    spectrum = complex_spectrum(expand(magnitude, config.compression), phase)
    return istft(spectrum, length, config)
