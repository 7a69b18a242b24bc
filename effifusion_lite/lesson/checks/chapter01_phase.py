"""Checks of the exercises of chapter 01 that are about phase: a frequency, and the way back."""

from collections.abc import Callable

import torch
from torch import Tensor

from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict
from effifusion_lite.spectral import complex_spectrum, compress, expand, wrap

_SEED = 1
_RATE = 16000  # Hz


def check_frequency(function: Callable, strict: bool = False) -> bool:
    """Check exercise 3: phase -> instantaneous frequency.

    Args:
        function: `(phase, n_fft, hop_length) -> frequency in Hz`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `phase` [F, T] radians with F = n_fft // 2 + 1, the result [F, T - 1] Hz at 16 kHz.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "whole turns are lost: the phase tells the step from frame to frame only up to whole "
            "turns, so compare it with the step of the bin's own frequency, 2 pi f hop / n_fft, "
            "and wrap what is left",
            lambda p, n, h: _hertz(p.diff(dim=1), h),
        ),
        (
            "whole turns are lost: this wraps the step itself, so that no frequency is above "
            "8000 / hop Hz; subtract the step of the bin's own frequency first, wrap, and add it "
            "again",
            lambda p, n, h: _hertz(wrap(p.diff(dim=1)), h),
        ),
        (
            "this is the distance from the bin's own frequency: add 16000 f / n_fft",
            lambda p, n, h: _hertz(_extra(p, n, h), h),
        ),
        (
            "this is the frequency of the bin alone, the phase does not change it",
            lambda p, n, h: _hertz(_own_step(n, h).expand(-1, p.shape[1] - 1), h),
        ),
        (
            "the phase runs backwards: subtract the earlier frame from the later one",
            lambda p, n, h: _hertz(_own_step(n, h) + wrap(-p.diff(dim=1) - _own_step(n, h)), h),
        ),
        (
            "the distance from the bin's own frequency has the wrong sign",
            lambda p, n, h: _hertz(_own_step(n, h) - _extra(p, n, h), h),
        ),
        (
            "the angle is wrapped to 0 ... 2 pi, which lifts every lower frequency by a whole "
            "turn: wrap it to -pi ... pi",
            lambda p, n, h: _hertz(_own_step(n, h) + _extra(p, n, h) % (2 * torch.pi), h),
        ),
        (
            "from one frame to the next there are hop_length samples, not n_fft",
            lambda p, n, h: _hertz(_own_step(n, h), h) + _hertz(_extra(p, n, h), n),
        ),
        (
            "this is in radians per sample: times 16000 / (2 pi) makes it Hz",
            lambda p, n, h: (_own_step(n, h) + _extra(p, n, h)) / h,
        ),
        (
            "this is in turns per sample: times 16000 makes it Hz",
            lambda p, n, h: _frequency(p, n, h) / _RATE,
        ),
        (
            "2 pi is missing: an angle of 2 pi is one turn",
            lambda p, n, h: 2 * torch.pi * _frequency(p, n, h),
        ),
    ]
    cases = [
        {"phase": _steps_of_phase(n_fft, hop_length), "n_fft": n_fft, "hop_length": hop_length}
        for n_fft, hop_length in ((400, 100), (512, 100), (400, 64), (512, 64))
    ]
    problems = compare(function, _frequency, mistakes, cases)
    return verdict("Exercise 3", problems, len(cases), strict)


def check_recombine(function: Callable, strict: bool = False) -> bool:
    """Check exercise 4: compressed magnitude and phase -> complex spectrum.

    Args:
        function: `(compressed, phase, exponent) -> spectrum`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `compressed` and `phase` (radians) [B, F, T], the result complex [B, F, T].

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "the compression is not undone: expand the magnitude first, compressed ** (1 / c)",
            lambda m, p, c: torch.polar(m, p),
        ),
        (
            "the magnitude is compressed a second time: the exponent of the way back is 1 / c",
            lambda m, p, c: torch.polar(compress(m, c), p),
        ),
        (
            "the magnitude is divided by c: m ** 1 / c means (m ** 1) / c, so write m ** (1 / c)",
            lambda m, p, c: torch.polar(m / c, p),
        ),
        (
            "all magnitudes are right, the phases are not: what comes out for the magnitude 1 and "
            "the phase 1?",
            lambda m, p, c: torch.polar(m, p) ** (1 / c),
        ),
        (
            "the phase has the wrong sign, and the compression is not undone: "
            "torch.polar(compressed ** (1 / exponent), phase)",
            lambda m, p, c: torch.polar(m, -p),
        ),
        (
            "the arguments of torch.polar are swapped: the magnitude comes first",
            lambda m, p, c: torch.polar(p, expand(m, c)),
        ),
        (
            "the arguments of torch.polar are swapped, and the compression is not undone: "
            "torch.polar(compressed ** (1 / exponent), phase)",
            lambda m, p, c: torch.polar(p, m),
        ),
        (
            "torch.complex takes real and imaginary part, not magnitude and phase: m cos(p) and "
            "m sin(p), or torch.polar",
            lambda m, p, c: torch.complex(expand(m, c), p),
        ),
        (
            "torch.complex takes real and imaginary part, not magnitude and phase; and the "
            "compression is not undone, compressed ** (1 / c)",
            lambda m, p, c: torch.complex(m, p),
        ),
        (
            "the phase is taken for degrees: it is in radians, no conversion is needed",
            lambda m, p, c: torch.polar(expand(m, c), torch.deg2rad(p)),
        ),
        (
            "the phase is converted to degrees: torch.cos and torch.sin take radians",
            lambda m, p, c: torch.polar(expand(m, c), torch.rad2deg(p)),
        ),
        (
            "sine and cosine are swapped: the cosine belongs to the real part",
            lambda m, p, c: torch.polar(expand(m, c), torch.pi / 2 - p),
        ),
        (
            "the imaginary part is missing: this is m cos(p) alone",
            lambda m, p, c: expand(m, c) * p.cos(),
        ),
    ]
    generator = torch.Generator().manual_seed(_SEED)
    cases = []
    for shape, exponent in (((1, 201, 7), 0.3), ((2, 11, 3), 0.45)):
        compressed = 3 * torch.rand(shape, generator=generator)
        phase = torch.pi * (2 * torch.rand(shape, generator=generator) - 1)
        cases.append({"compressed": compressed, "phase": phase, "exponent": exponent})
    problems = compare(function, _recombined, mistakes, cases)
    return verdict("Exercise 4", problems, len(cases), strict)


def _steps_of_phase(n_fft: int, hop_length: int) -> Tensor:
    """Phases [F, 6] whose steps keep away from the edge where they wrap."""
    generator = torch.Generator().manual_seed(_SEED)
    extra = torch.pi * (1.8 * torch.rand(n_fft // 2 + 1, 6, generator=generator) - 0.9)
    return wrap((_own_step(n_fft, hop_length) + extra).double().cumsum(dim=1)).float()


def _own_step(n_fft: int, hop_length: int) -> Tensor:
    """By which angle [F, 1] a tone of each bin's own frequency moves on in a hop, radians."""
    return 2 * torch.pi * torch.arange(n_fft // 2 + 1)[:, None] * hop_length / n_fft


def _extra(phase: Tensor, n_fft: int, hop_length: int) -> Tensor:
    return wrap(phase.diff(dim=1) - _own_step(n_fft, hop_length))


def _hertz(step: Tensor, hop_length: int) -> Tensor:
    return step / (2 * torch.pi * hop_length) * _RATE


def _frequency(phase: Tensor, n_fft: int, hop_length: int) -> Tensor:
    return _hertz(_own_step(n_fft, hop_length) + _extra(phase, n_fft, hop_length), hop_length)


def _recombined(compressed: Tensor, phase: Tensor, exponent: float) -> Tensor:
    return complex_spectrum(expand(compressed, exponent), phase)
