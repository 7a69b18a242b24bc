"""Checks of the exercises of chapter 01, spectrograms and compression."""

from collections.abc import Callable

import torch
from torch import Tensor

from effifusion_lite.lesson.checks.chapter01_phase import check_frequency, check_recombine
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict
from effifusion_lite.spectral import SpectralConfig, compress, magnitude_phase, stft

__all__ = ["check_compressed_magnitude", "check_frequency", "check_recombine", "check_stft"]

_SEED = 1


def check_compressed_magnitude(function: Callable, strict: bool = False) -> bool:
    """Check exercise 1: spectrum -> compressed magnitude, with a gradient that stays finite.

    Args:
        function: `(spectrum, exponent) -> compressed magnitude`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `spectrum` complex [B, F, T], the result real [B, F, T].

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "the compression works on decibels: raise the linear magnitude to the power c, no "
            "logarithm is needed",
            lambda spectrum, c: _decibel(spectrum) ** c,
        ),
        (
            "this is a logarithm: the compression here is a power law, magnitude ** c",
            lambda spectrum, c: _decibel(spectrum),
        ),
        (
            "the exponent is inverted: the way in takes magnitude ** c, the way back ** (1 / c)",
            lambda spectrum, c: _compressed(spectrum, 1 / c),
        ),
        (
            "the square root is missing: (re^2 + im^2) ** c is the magnitude to the power 2c",
            lambda spectrum, c: _compressed(spectrum, 2 * c),
        ),
        (
            "the imaginary part is missing: the magnitude is sqrt(re^2 + im^2), not |re|",
            lambda spectrum, c: compress(spectrum.real.abs(), c),
        ),
        (
            "this is the magnitude itself: it still has to be raised to the power c",
            lambda spectrum, c: _compressed(spectrum, 1.0),
        ),
        (
            "this multiplies by c: it has to be the exponent, magnitude ** c",
            lambda spectrum, c: c * _compressed(spectrum, 1.0),
        ),
    ]
    cases = [
        {"spectrum": _random_spectrum(shape), "exponent": exponent}
        for shape, exponent in (((1, 201, 7), 0.3), ((3, 5, 4), 0.45), ((2, 11, 3), 0.8))
    ]
    problems = compare(function, _compressed, mistakes, cases) or _gradient_on_silence(function)
    return verdict("Exercise 1", problems, len(cases) + 1, strict)


def check_stft(function: Callable, strict: bool = False) -> bool:
    """Check exercise 2: the STFT without a loop.

    Args:
        function: `(waveform, n_fft, hop_length) -> spectrum`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `waveform` [N], the result complex [F, T] with F = n_fft // 2 + 1, T = 1 + N // hop_length.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "the padding is missing: add n_fft // 2 zeros on both sides, so that frame t is "
            "centred on sample t * hop_length",
            lambda x, n, h: _torch_stft(x, n, h, center=False),
        ),
        (
            "the padding mirrors the signal, as torch.stft does by default: here it is zeros "
            "(pad_mode='constant')",
            lambda x, n, h: _torch_stft(x, n, h, pad_mode="reflect"),
        ),
        (
            "the window is missing: multiply each frame by a Hann window before the FFT",
            lambda x, n, h: _torch_stft(x, n, h, window=torch.ones(n)),
        ),
        (
            "the window is the symmetric one: torch.hann_window(n_fft) is periodic, and its "
            "shifted squares add up to a constant",
            lambda x, n, h: _torch_stft(x, n, h, torch.hann_window(n, periodic=False)),
        ),
        (
            "the hop is n_fft // 2: use the argument hop_length",
            lambda x, n, h: _torch_stft(x, n, n // 2),
        ),
        (
            "the hop is n_fft, so that the frames do not overlap: use the argument hop_length",
            lambda x, n, h: _torch_stft(x, n, n),
        ),
        (
            "the hop is n_fft // 4: use the argument hop_length",
            lambda x, n, h: _torch_stft(x, n, n // 4),
        ),
        (
            "frames and frequencies are swapped: the result is [F, T], frequency first",
            lambda x, n, h: _spectrum(x, n, h).T,
        ),
        (
            "the result is divided by sqrt(n_fft), as norm='ortho' does: leave norm out",
            lambda x, n, h: _spectrum(x, n, h) / n**0.5,
        ),
        (
            "the result is divided by n_fft, as norm='forward' does: leave norm out",
            lambda x, n, h: _spectrum(x, n, h) / n,
        ),
        (
            "all n_fft bins are there: the upper half mirrors the lower one, torch.fft.rfft "
            "leaves it out",
            lambda x, n, h: _torch_stft(x, n, h, onesided=False),
        ),
    ]
    generator = torch.Generator().manual_seed(_SEED)
    sizes = ((1600, 400, 100), (1234, 400, 100), (2000, 512, 100), (1500, 400, 64), (2000, 512, 64))
    cases = [
        {
            "waveform": torch.randn(samples, generator=generator),
            "n_fft": n_fft,
            "hop_length": hop_length,
        }
        for samples, n_fft, hop_length in sizes
    ]
    problems = compare(function, _spectrum, mistakes, cases)
    return verdict("Exercise 2", problems, len(cases), strict)


def _random_spectrum(shape: tuple[int, ...]) -> Tensor:
    generator = torch.Generator().manual_seed(_SEED)
    return 3 * torch.randn(shape, dtype=torch.complex64, generator=generator)


def _compressed(spectrum: Tensor, exponent: float) -> Tensor:
    return compress(magnitude_phase(spectrum)[0], exponent)


def _decibel(spectrum: Tensor) -> Tensor:
    return 20 * torch.log10(magnitude_phase(spectrum)[0])


def _gradient_on_silence(function: Callable) -> list[str]:
    """Say whether, and why, the gradient of a right function is not finite on silence."""
    try:
        compressing, plain = (_gradient(function, exponent) for exponent in (0.3, 1.0))
    except Exception as error:
        return [f"on silence your function stopped with {type(error).__name__}: {error}"]
    if compressing is None or plain is None:
        return ["no gradient can flow through your function: stay with torch operations"]
    if compressing.isfinite().all():
        return []
    if plain.isfinite().all():  # with c = 1: so it is the power
        reason = "magnitude ** c has an infinite slope at 0 where c < 1"
    else:
        reason = "a square root, like every power below 1, has an infinite slope at 0"
    return [
        f"the values are right, but on silence the gradient is not finite: {reason}; add a small "
        "epsilon, sqrt(re^2 + im^2 + 1e-9)"
    ]


def _gradient(function: Callable, exponent: float) -> Tensor | None:
    silence = torch.zeros(1, 4, 3, dtype=torch.complex64, requires_grad=True)
    result = function(silence, exponent)
    if not result.requires_grad:
        return None
    result.sum().backward()
    return silence.grad


def _spectrum(waveform: Tensor, n_fft: int, hop_length: int) -> Tensor:
    return stft(waveform[None], SpectralConfig(n_fft, hop_length, win_length=n_fft))[0]


def _torch_stft(
    waveform: Tensor,
    n_fft: int,
    hop_length: int,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "constant",
    onesided: bool = True,
) -> Tensor:
    return torch.stft(
        waveform,
        n_fft,
        hop_length,
        window=torch.hann_window(n_fft) if window is None else window,
        center=center,
        pad_mode=pad_mode,
        onesided=onesided,
        return_complex=True,
    )
