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
            "this is in radians per hop: divided by 2 pi hop_length, times 16000, it is in Hz",
            lambda p, n, h: _own_step(n, h) + _extra(p, n, h),
        ),
        (
            "this is in turns per sample: times 16000 makes it Hz",
            lambda p, n, h: _frequency(p, n, h) / _RATE,
        ),
        (
            "2 pi is missing: an angle of 2 pi is one turn",
            lambda p, n, h: 2 * torch.pi * _frequency(p, n, h),
        ),
        *_MISTAKES_WITH_STEPS,
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
            "the magnitude multiplies the real part alone, brackets are missing: "
            "m * (cos(p) + 1j * sin(p))",
            lambda m, p, c: torch.complex(expand(m, c) * p.cos(), p.sin()),
        ),
        (
            "the real part is expanded, the imaginary part is not: both need compressed ** (1 / c)",
            lambda m, p, c: torch.complex(expand(m, c) * p.cos(), m * p.sin()),
        ),
        (
            "the imaginary part is expanded, the real part is not: both need compressed ** (1 / c)",
            lambda m, p, c: torch.complex(m * p.cos(), expand(m, c) * p.sin()),
        ),
        (
            "the magnitude is compressed a second time, with the exponent 0.3: the exponent of the "
            "way back is 1 / c",
            lambda m, p, c: torch.polar(m**0.3, p),
        ),
        (
            "real and imaginary part are expanded one by one: the power belongs to the magnitude, "
            "before the cosine and the sine",
            lambda m, p, c: torch.complex((m * p.cos()) ** (1 / c), (m * p.sin()) ** (1 / c)),
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


def _with_bins(step: Tensor, phase: Tensor, hop_length: int) -> Tensor:
    """The frequency, had each bin another step [F, 1] than its own, radians."""
    return _hertz(step + wrap(phase.diff(dim=1) - step), hop_length)


def _bins_plus(extra: Tensor, n_fft: int) -> Tensor:
    """Add a distance [F, T] in Hz to the frequency of each bin."""
    return _RATE * torch.arange(n_fft // 2 + 1)[:, None] / n_fft + extra


def _upside_down(n_fft: int, hop_length: int) -> Tensor:
    return 2 * torch.pi * torch.arange(n_fft // 2 + 1)[:, None] * n_fft / hop_length


def _one_turn(extra: Tensor) -> Tensor:
    extra = torch.where(extra > torch.pi, extra - 2 * torch.pi, extra)
    return torch.where(extra < -torch.pi, extra + 2 * torch.pi, extra)


def _in_degrees(phase: Tensor, n_fft: int, hop_length: int) -> Tensor:
    """The frequency of phases that are taken for degrees."""
    step = torch.rad2deg(_own_step(n_fft, hop_length))
    extra = phase.diff(dim=1) - step
    return (step + extra - 360 * torch.round(extra / 360)) / (360 * hop_length) * _RATE


_UNSUBTRACTED = (
    "the frequency of the bin is added, but its step is not subtracted: the measured step holds "
    "the step of the bin's own frequency already, so subtract that before you wrap"
)
_NO_TURNS = (
    "2 pi is missing in the expected step: f * hop_length / n_fft are turns, times 2 pi they are "
    "radians, like the phase"
)
_NO_HOP = (
    "the hop is missing in the expected step: 2 pi f / n_fft is the angle from sample to sample, "
    "and there are hop_length samples from frame to frame"
)
_UPSIDE_DOWN = "the fraction is upside down: the expected step is 2 pi f * hop_length / n_fft"
_FMOD = (
    "torch.fmod keeps the sign of the angle, so it does not bring it to -pi ... pi: subtract "
    "2 pi * torch.round(angle / (2 pi))"
)
_ALONG_FREQUENCY = (
    "the difference is taken from bin to bin: take it from frame to frame, "
    "phase[:, 1:] - phase[:, :-1]"
)
_MISTAKES_WITH_STEPS: Mistakes = [
    (_UNSUBTRACTED, lambda p, n, h: _bins_plus(_hertz(wrap(p.diff(dim=1)), h), n)),
    (_UNSUBTRACTED, lambda p, n, h: _bins_plus(_hertz(p.diff(dim=1), h), n)),
    (_NO_TURNS, lambda p, n, h: _with_bins(_own_step(n, h) / (2 * torch.pi), p, h)),
    (
        _NO_TURNS,
        lambda p, n, h: _bins_plus(
            _hertz(wrap(p.diff(dim=1) - _own_step(n, h) / (2 * torch.pi)), h), n
        ),
    ),
    (_NO_HOP, lambda p, n, h: _with_bins(_own_step(n, 1), p, h)),
    (_NO_HOP, lambda p, n, h: _bins_plus(_hertz(wrap(p.diff(dim=1) - _own_step(n, 1)), h), n)),
    (_UPSIDE_DOWN, lambda p, n, h: _with_bins(_upside_down(n, h), p, h)),
    (
        _UPSIDE_DOWN,
        lambda p, n, h: _bins_plus(_hertz(wrap(p.diff(dim=1) - _upside_down(n, h)), h), n),
    ),
    (
        "the hop is missing in the result: the angle belongs to hop_length samples, divide by "
        "hop_length",
        lambda p, n, h: h * _frequency(p, n, h),
    ),
    (
        "the hop is missing in the distance from the bin: its angle belongs to hop_length samples",
        lambda p, n, h: _bins_plus(_hertz(_extra(p, n, h), 1), n),
    ),
    (
        "the expected step is added to the measured one: subtract it before you wrap",
        lambda p, n, h: _hertz(_own_step(n, h) + wrap(p.diff(dim=1) + _own_step(n, h)), h),
    ),
    (
        "the bins are numbered 0, 1, 2, ..., not in Hz: the expected step is 2 pi f * hop_length "
        "/ n_fft with the number f",
        lambda p, n, h: _with_bins(_own_step(n, h) * _RATE / n, p, h),
    ),
    (
        "2 pi is missing in the distance from the bin: an angle of 2 pi is one turn",
        lambda p, n, h: _bins_plus(2 * torch.pi * _hertz(_extra(p, n, h), h), n),
    ),
    (
        "one turn at most is taken off: several are hidden, so subtract the nearest whole number "
        "of turns",
        lambda p, n, h: _hertz(_own_step(n, h) + _one_turn(p.diff(dim=1) - _own_step(n, h)), h),
    ),
    (
        _FMOD,
        lambda p, n, h: _hertz(
            _own_step(n, h) + torch.fmod(p.diff(dim=1) - _own_step(n, h), 2 * torch.pi), h
        ),
    ),
    (
        _FMOD,
        lambda p, n, h: _hertz(
            _own_step(n, h)
            + torch.fmod(p.diff(dim=1) - _own_step(n, h) + torch.pi, 2 * torch.pi)
            - torch.pi,
            h,
        ),
    ),
    ("the phase is taken for degrees: it is in radians, one turn is 2 pi", _in_degrees),
    (
        "the bins are counted from 1: bin 0 has the frequency 0",
        lambda p, n, h: _with_bins(_own_step(n, h) + 2 * torch.pi * h / n, p, h),
    ),
    (_ALONG_FREQUENCY, lambda p, n, h: p.diff(dim=0) - _own_step(n, h)),
    (
        "the expected steps are a row: as a column [F, 1], with [:, None], each belongs to its bin",
        lambda p, n, h: p.diff(dim=1) - _own_step(n, h)[:, 0],
    ),
]


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
