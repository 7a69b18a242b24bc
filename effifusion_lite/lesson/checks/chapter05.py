"""Checks of the exercises of chapter 05, losses and metrics."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

_SEED = 5
_TURN = 2 * torch.pi


def check_phase_distance(function: Callable, strict: bool = False) -> bool:
    """Check exercise 1: the mean distance of two phases on the circle.

    Args:
        function: `(first, second) -> mean distance in radians`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `first` and `second` [F, T] radians, the result a scalar.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "the difference is not wrapped: 3.1 and -3.1 radians are close on the circle",
            lambda a, b: (a - b).abs().mean(),
        ),
        (
            "the size is missing: without it errors to the left and to the right cancel",
            lambda a, b: _wrapped(a - b).mean(),
        ),
        (
            "wrapped to 0 ... 2 pi by the modulo: a difference of -0.1 becomes 6.18; wrap it to "
            "-pi ... pi",
            lambda a, b: ((a - b) % _TURN).mean(),
        ),
        (
            "wrapped by the modulo with the wrong sign: add half a turn before it and take half a "
            "turn away after it, (x + pi) % 2 pi - pi",
            lambda a, b: ((a - b + torch.pi) % _TURN + torch.pi).abs().mean(),
        ),
        (
            "half a turn is added and not taken away again: (x + pi) % 2 pi - pi",
            lambda a, b: ((a - b + torch.pi) % _TURN).mean(),
        ),
        (
            "wrapped by half turns: whole turns of 2 pi mean nothing, half turns do",
            lambda a, b: ((a - b) - torch.pi * ((a - b) / torch.pi).round()).abs().mean(),
        ),
        (
            "this squares the distance: it should be its size",
            lambda a, b: _wrapped(a - b).square().mean(),
        ),
        (
            "this is the sum: divide it by the number of values",
            lambda a, b: _wrapped(a - b).abs().sum(),
        ),
        (
            "this is the cosine of the difference, not an angle",
            lambda a, b: (a - b).cos().mean(),
        ),
    ]
    generator = torch.Generator().manual_seed(_SEED)
    cases = []
    for shape, turns in (((5, 7), 1.0), ((3, 4), 3.0), ((4, 9), 0.7)):
        both = _TURN * turns * (torch.rand(2, *shape, generator=generator) - 0.5)  # [2, F, T]
        cases.append({"first": both[0], "second": both[1]})
    problems = compare(function, _phase_distance, mistakes, cases)
    return verdict("Exercise 1", problems, len(cases), strict)


def check_si_sdr_loss(function: Callable, strict: bool = False) -> bool:
    """Check exercise 2: SI-SDR as a loss, for a batch, with gradients.

    Args:
        function: `(clean, enhanced) -> loss`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `clean` and `enhanced` [B, N] samples, the result a scalar: minus the mean SI-SDR in dB.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "the projection is missing: without alpha this is a plain SNR, which depends on the "
            "level",
            lambda c, e: -_ratio(_centre(c), _centre(e) - _centre(c)).mean(),
        ),
        (
            "the means are not removed: a constant offset, which nobody hears, counts as error",
            lambda c, e: -_si_sdr(c, e).mean(),
        ),
        (
            "neither is the mean removed nor the clean speech scaled: this is a plain SNR",
            lambda c, e: -_ratio(c, e - c).mean(),
        ),
        (
            "20 * log10 of energies: energies are squares, so their ratio takes 10 * log10",
            lambda c, e: 2 * _si_sdr_loss(c, e),
        ),
        (
            "the natural logarithm: decibels take log10",
            lambda c, e: _si_sdr_loss(c, e) * np.log(10),
        ),
        (
            "alpha divides by the energy of the enhanced speech: it is the one of the clean speech",
            lambda c, e: -_with_alpha(c, e, lambda c, e: _dot(e, c) / _dot(e, e)),
        ),
        (
            "alpha only matches the energies: it has to be the inner product of both over the "
            "energy of the clean speech",
            lambda c, e: -_with_alpha(c, e, lambda c, e: (_dot(e, e) / _dot(c, c)).sqrt()),
        ),
        (
            "the recordings of a batch are pooled: compute one ratio for each, then their mean",
            lambda c, e: _si_sdr_loss(c.reshape(1, -1), e.reshape(1, -1)),
        ),
        (
            "the energies of the batch are summed before the ratio is taken: one ratio each, then "
            "their mean",
            _summed_energies,
        ),
        (
            "the error is enhanced minus clean: subtract alpha times clean",
            lambda c, e: (
                -_ratio(_projected(_centre(c), _centre(e)), _centre(e) - _centre(c)).mean()
            ),
        ),
        (
            "the clean speech is over the error, not its projection: scale it by alpha above too",
            lambda c, e: (
                -_ratio(_centre(c), _centre(e) - _projected(_centre(c), _centre(e))).mean()
            ),
        ),
    ]
    generator = torch.Generator().manual_seed(_SEED)
    cases = []
    for shape, level in (((2, 300), 0.5), ((3, 500), 2.0), ((1, 400), 0.7)):
        clean = torch.randn(shape, generator=generator) + 0.3
        loud = torch.linspace(0.5, 2, shape[0])[:, None]  # [B, 1]
        error = 0.6 * loud * torch.randn(shape, generator=generator)
        cases.append({"clean": loud * clean, "enhanced": level * (loud * clean) + error - 0.2})
    problems = compare(function, _si_sdr_loss, mistakes, cases) or _no_gradient(function, cases[0])
    return verdict("Exercise 2", problems, len(cases) + 1, strict)


def check_gain(function: Callable, strict: bool = False) -> bool:
    """Check exercise 3: the mean gain over the same files, and its standard error.

    Args:
        function: `(before, after) -> [mean gain, standard error]`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `before` and `after` [N] scores of the same files, the result [2].

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "add the same number to both scores of one file, so that the file is easier for both: "
            "the result changes, and it should not",
            _unpaired,
        ),
        (
            "this is the standard deviation of the files: divide by the root of their number",
            lambda b, a: np.array([(a - b).mean(), (a - b).std(ddof=1)]),
        ),
        (
            "the deviation is divided by n, not n - 1: ddof=1",
            lambda b, a: np.array([(a - b).mean(), (a - b).std() / len(b) ** 0.5]),
        ),
        (
            "divided by n in place of its root: the error falls with the root of the number",
            lambda b, a: np.array([(a - b).mean(), (a - b).std(ddof=1) / len(b)]),
        ),
        (
            "before minus after: a gain is positive where after is larger",
            lambda b, a: np.array([-1, 1]) * _gain(b, a),
        ),
    ]
    generator = np.random.default_rng(_SEED)
    cases = []
    for files, spread in ((6, 0.5), (11, 2.0), (30, 1.0)):
        before = 2 + spread * generator.standard_normal(files)
        after = before + 0.05 + 0.1 * generator.standard_normal(files)
        cases.append({"before": before, "after": after})
    problems = compare(function, _gain, mistakes, cases)
    return verdict("Exercise 3", problems, len(cases), strict)


def _wrapped(angle: Tensor) -> Tensor:
    return angle - _TURN * (angle / _TURN).round()


def _phase_distance(first: Tensor, second: Tensor) -> Tensor:
    return _wrapped(first - second).abs().mean()


def _centre(waveform: Tensor) -> Tensor:
    return waveform - waveform.mean(-1, keepdim=True)


def _dot(first: Tensor, second: Tensor) -> Tensor:
    return (first * second).sum(-1, keepdim=True)


def _projected(clean: Tensor, enhanced: Tensor) -> Tensor:
    return clean * _dot(enhanced, clean) / _dot(clean, clean)


def _ratio(target: Tensor, error: Tensor) -> Tensor:
    return 10 * torch.log10(target.square().sum(-1) / error.square().sum(-1))


def _si_sdr(clean: Tensor, enhanced: Tensor) -> Tensor:
    target = _projected(clean, enhanced)
    return _ratio(target, enhanced - target)


def _si_sdr_loss(clean: Tensor, enhanced: Tensor) -> Tensor:
    return -_si_sdr(_centre(clean), _centre(enhanced)).mean()


def _with_alpha(clean: Tensor, enhanced: Tensor, alpha: Callable) -> Tensor:
    clean, enhanced = _centre(clean), _centre(enhanced)
    target = alpha(clean, enhanced) * clean
    return _ratio(target, enhanced - target).mean()


def _summed_energies(clean: Tensor, enhanced: Tensor) -> Tensor:
    target = _projected(_centre(clean), _centre(enhanced))
    error = _centre(enhanced) - target
    return -10 * torch.log10(target.square().sum() / error.square().sum())


def _no_gradient(function: Callable, case: dict) -> list[str]:
    """Say whether no finite gradient flows to the enhanced speech."""
    enhanced = case["enhanced"].clone().requires_grad_()
    try:
        result = function(case["clean"].clone(), enhanced)
    except Exception as error:
        return [
            "the values are right, but with a gradient your function stopped with "
            f"{type(error).__name__}: {error}"
        ]
    if not result.requires_grad:
        return ["the values are right, but no gradient can flow: stay with torch operations"]
    result.backward()
    if not enhanced.grad.isfinite().all():
        return ["the values are right, but the gradient is not finite"]
    return []


def _gain(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    difference = after - before
    return np.array([difference.mean(), difference.std(ddof=1) / len(difference) ** 0.5])


def _unpaired(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    error = (before.var(ddof=1) / len(before) + after.var(ddof=1) / len(after)) ** 0.5
    return np.array([after.mean() - before.mean(), error])
