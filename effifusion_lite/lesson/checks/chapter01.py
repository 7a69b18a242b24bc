"""Checks of the exercises of chapter 01, spectrograms and compression."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import pad

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
            "c times the decibels is the logarithm of the compressed magnitude: return the power "
            "magnitude ** c itself",
            lambda spectrum, c: c * _decibel(spectrum),
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
        *_large_epsilons(),
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
            "the result is divided by sqrt(n_fft), as norm='ortho' does: leave the division out",
            lambda x, n, h: _spectrum(x, n, h) / n**0.5,
        ),
        (
            "the result is divided by n_fft, as norm='forward' does: leave the division out",
            lambda x, n, h: _spectrum(x, n, h) / n,
        ),
        (
            "all n_fft bins are there: the upper half mirrors the lower one, torch.fft.rfft "
            "leaves it out",
            lambda x, n, h: _torch_stft(x, n, h, onesided=False),
        ),
        *_MISTAKES_WITH_FRAMES,
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


def _frames(x: Tensor, n: int, h: int, left: int | None = None, right: int | None = None) -> Tensor:
    """Frames [T, n], without a window, of the waveform with half a frame of zeros on both sides."""
    left, right = (n // 2 if zeros is None else zeros for zeros in (left, right))
    return pad(x, (left, right)).unfold(0, n, h)


def _of_frames(frames: Tensor) -> Tensor:
    return torch.fft.rfft(frames * torch.hann_window(frames.shape[1])).T


def _windowed_in_place(x: Tensor, n: int, h: int) -> Tensor:
    frames = _frames(x, n, h)
    frames *= torch.hann_window(n)
    return torch.fft.rfft(frames).T


_ONE_SIDE = "the padding is on one side only: add n_fft // 2 zeros on both sides"
_ALONG_TIME = "rfft runs over the frames (dim=0): it has to run over the samples of each frame"
_MISTAKES_WITH_FRAMES: Mistakes = [
    (
        "frames *= window changes samples that overlapping frames share, several times: write "
        "frames = frames * window",
        _windowed_in_place,
    ),
    (
        "the window is there twice: multiply each frame by it once",
        lambda x, n, h: _of_frames(_frames(x, n, h) * torch.hann_window(n)),
    ),
    (
        "reshape only counts the same numbers into another shape: to swap frames and "
        "frequencies, transpose with .T",
        lambda x, n, h: _spectrum(x, n, h).T.reshape(n // 2 + 1, -1),
    ),
    (_ONE_SIDE, lambda x, n, h: _of_frames(_frames(x, n, h, right=0))),
    (_ONE_SIDE, lambda x, n, h: _of_frames(_frames(x, n, h, left=0))),
    (_ONE_SIDE, lambda x, n, h: _of_frames(_frames(x, n, h, left=n, right=0))),
    (_ONE_SIDE, lambda x, n, h: _of_frames(_frames(x, n, h, left=0, right=n))),
    (
        "there are n_fft zeros on both sides: half of that, n_fft // 2, centres frame t on "
        "sample t * hop_length",
        lambda x, n, h: _of_frames(_frames(x, n, h, left=n, right=n)),
    ),
    (
        "two arguments of unfold are swapped: unfold(0, n_fft, hop_length), first the length of "
        "a frame, then the step",
        lambda x, n, h: pad(x, (n // 2, n // 2)).unfold(0, h, n) * torch.hann_window(n),
    ),
    (
        "the window comes after the transform: multiply the samples of each frame by it first",
        lambda x, n, h: torch.fft.rfft(_frames(x, n, h)) * torch.hann_window(n),
    ),
    (
        "the window comes after the transform: multiply the samples of each frame by it first",
        lambda x, n, h: torch.fft.rfft(_frames(x, n, h)).T * torch.hann_window(n),
    ),
    (
        _ALONG_TIME,
        lambda x, n, h: torch.fft.rfft(_frames(x, n, h) * torch.hann_window(n), dim=0),
    ),
    (
        _ALONG_TIME,
        lambda x, n, h: torch.fft.rfft(_frames(x, n, h) * torch.hann_window(n), dim=0).T,
    ),
]


def _random_spectrum(shape: tuple[int, ...]) -> Tensor:
    generator = torch.Generator().manual_seed(_SEED)
    return 3 * torch.randn(shape, dtype=torch.complex64, generator=generator)


def _large_epsilons() -> Mistakes:
    """The right formula with an epsilon that changes quiet bins, in each place it may have."""
    forms = (
        lambda spectrum, c, epsilon: (_power(spectrum) + epsilon).sqrt() ** c,
        lambda spectrum, c, epsilon: (_power(spectrum).sqrt() + epsilon) ** c,
        lambda spectrum, c, epsilon: _power(spectrum).sqrt() ** c + epsilon,
    )
    sentence = "the epsilon {} is too large, it changes quiet bins: 1e-9 under the root is enough"
    return [
        (sentence.format(f"{epsilon:g}"), partial(_with_epsilon, form, epsilon))
        for epsilon in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
        for form in forms
    ]


def _with_epsilon(form: Callable, epsilon: float, spectrum: Tensor, exponent: float) -> Tensor:
    return form(spectrum, exponent, epsilon)


def _power(spectrum: Tensor) -> Tensor:
    return spectrum.real.square() + spectrum.imag.square()


def _compressed(spectrum: Tensor, exponent: float) -> Tensor:
    return compress(magnitude_phase(spectrum)[0], exponent)


def _decibel(spectrum: Tensor) -> Tensor:
    return 20 * torch.log10(magnitude_phase(spectrum)[0])


def _gradient_on_silence(function: Callable) -> list[str]:
    """Say whether, and why, the gradient of a right function is not finite on silence."""
    try:
        compressing, plain = (_gradient(function, exponent) for exponent in (0.3, 1.0))
    except Exception as error:
        if "inplace operation" in str(error):
            return [
                "the values are right, but no gradient can be computed: an operation in place "
                "overwrites what it needs; write m = m ** c instead of m **= c"
            ]
        return [f"on silence your function stopped with {type(error).__name__}: {error}"]
    if compressing is None or plain is None:
        return [
            "the values are right, but no gradient can flow through your function: leave out "
            "torch.no_grad(), .detach() and .data, and stay with operations of torch"
        ]
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
