"""Checks of the exercises of chapter 01, spectrograms and compression."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from effifusion_lite.lesson.checks.chapter01_phase import check_frequency, check_recombine
from effifusion_lite.lesson.checks.chapter01_stft import check_stft
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict
from effifusion_lite.spectral import compress, magnitude_phase

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
            "this is a logarithm: the compression here is a power law, magnitude ** c",
            lambda spectrum, c: magnitude_phase(spectrum)[0].log1p(),
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
            "the real part is missing: the magnitude is sqrt(re^2 + im^2), not |im|",
            lambda spectrum, c: compress(spectrum.imag.abs(), c),
        ),
        (
            "the magnitude is sqrt(re^2 + im^2), not |re + im|",
            lambda spectrum, c: compress((spectrum.real + spectrum.imag).abs(), c),
        ),
        (
            "the result is divided by its maximum: leave that out, the power is all",
            lambda spectrum, c: _compressed(spectrum, c) / _compressed(spectrum, c).max(),
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
        "epsilon under the root, sqrt(re^2 + im^2 + 1e-9)"
    ]


def _gradient(function: Callable, exponent: float) -> Tensor | None:
    silence = torch.zeros(1, 4, 3, dtype=torch.complex64, requires_grad=True)
    result = function(silence, exponent)
    if not result.requires_grad:
        return None
    result.sum().backward()
    return silence.grad
