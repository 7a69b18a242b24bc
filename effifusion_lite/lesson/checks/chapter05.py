"""Checks of the exercises of chapter 05, losses and metrics."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from effifusion_lite.lesson.checks.chapter05_si_sdr import check_si_sdr_loss
from effifusion_lite.lesson.checks.outcome import equal, run
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

__all__ = ["check_delay", "check_gain", "check_si_sdr_loss"]

_SEED = 5
_TURN = 2 * torch.pi


def check_delay(function: Callable, strict: bool = False) -> bool:
    """Check exercise 1: the delay of an output, from the steps of its phase error.

    Args:
        function: `(clean_phase, phase, n_fft) -> delay in samples`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        both phases [F, T] radians, the result a scalar.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """

    def late(change: Callable) -> Callable:
        """The right function, but for what it makes of the steps."""
        return lambda a, b, n: _samples(change(_steps(a, b)), n)

    mistakes: Mistakes = [
        ("the steps are not wrapped to -pi ... pi", late(lambda x: x)),
        (
            "the mean is wrapped, not the steps: wrap each step, then take the mean",
            late(lambda x: _wrapped(x.mean())),
        ),
        (
            "each phase is wrapped, and their difference is not: it is the step that is wrapped",
            lambda a, b, n: _samples(_steps(_wrapped(a), _wrapped(b)), n),
        ),
        (
            "the error is wrapped, and its steps are not: a step can again be a turn too large",
            lambda a, b, n: _samples(_wrapped(b - a).diff(dim=0), n),
        ),
        *(
            ("this takes off one turn at most: a step can be several turns too large", late(once))
            for once in (_once, lambda x: torch.minimum(x.abs(), _TURN - x.abs()))
        ),
        (
            "the sign is lost: without the absolute value, an early output gets a negative delay",
            late(lambda x: _wrapped(x).abs()),
        ),
        (
            "the sign is lost, and with it the minus: do not take the absolute value",
            lambda a, b, n: -_samples(_wrapped(_steps(a, b)).abs(), n),
        ),
        (
            "wrapped to 0 ... 2 pi by the modulo: a step of -0.1 becomes 6.18; wrap it to "
            "-pi ... pi",
            late(lambda x: x % _TURN),
        ),
        (
            "half a turn is added and not taken away again: (x + pi) % (2 pi) - pi",
            late(lambda x: (x + torch.pi) % _TURN),
        ),
        (
            "the modulo with the wrong sign: (x + pi) % (2 pi) - pi",
            late(lambda x: (x + torch.pi) % _TURN + torch.pi),
        ),
        (
            "fmod (or trunc) rounds towards zero, so a step of 6.2 stays 6.2: take off the "
            "nearest whole turn",
            late(lambda x: x.fmod(_TURN)),
        ),
        (
            "clamped: a step of 6.2 is -0.08 on the circle, not 3.14",
            late(lambda x: x.clamp(-torch.pi, torch.pi)),
        ),
        (
            "wrapped by half turns: whole turns of 2 pi mean nothing, half turns do",
            late(lambda x: x - torch.pi * (x / torch.pi).round()),
        ),
        ("the square of the step: take the step itself", late(lambda x: _wrapped(x).square())),
        ("the sine of the step, not the step", late(torch.sin)),
        ("the cosine of the step, not the step", late(torch.cos)),
        ("1 - cos of the step, not the step", late(lambda x: 1 - x.cos())),
        (
            "the chord between two points on the circle, not the angle between them",
            late(lambda x: (torch.polar(torch.ones_like(x), x) - 1).abs()),
        ),
        (
            "the angle of the mean arrow: here each step is wrapped, then the mean is taken",
            late(lambda x: torch.atan2(x.sin().mean(), x.cos().mean())),
        ),
        ("the median: take the mean", late(lambda x: _wrapped(x).median())),
        (
            "this is the sum: divide it by the number of steps",
            late(lambda x: _wrapped(x).mean() * x.numel()),
        ),
        (
            "the sum of the two phases: the error is their difference",
            lambda a, b, n: _samples(_wrapped((a + b).diff(dim=0)), n),
        ),
        (
            "this wraps the error itself: take its steps along frequency first",
            lambda a, b, n: _samples(_wrapped(b - a), n),
        ),
        (
            "steps along time: frequency is dimension 0",
            lambda a, b, n: _samples(_wrapped((b - a).diff(dim=1)), n),
        ),
        (
            "late and early are swapped: a delay turns the phases backwards, hence the minus",
            lambda a, b, n: -_delay(a, b, n),
        ),
        (
            "n_fft is missing: a step of one whole turn is a delay of n_fft samples",
            lambda a, b, n: _delay(a, b, n) / n,
        ),
        (
            "2 pi is missing: a step of one whole turn is a delay of n_fft samples",
            lambda a, b, n: _delay(a, b, n) * _TURN,
        ),
        (
            "this is the step in radians: turn it into samples, by n_fft / (2 pi)",
            lambda a, b, n: _delay(a, b, n) * _TURN / n,
        ),
        (
            "multiplied by 2 pi / n_fft: to turn radians into samples, divide by it",
            lambda a, b, n: _delay(a, b, n) * (_TURN / n) ** 2,
        ),
        (
            "the number of bins in place of n_fft",
            lambda a, b, n: _delay(a, b, n) * len(a) / n,
        ),
    ]
    generator = torch.Generator().manual_seed(1)  # where no mistake comes out near 0
    cases = []
    for n_fft, frames, delay in ((16, 7, 2.0), (32, 5, -3.5), (24, 6, 7.0)):
        shape = n_fft // 2 + 1, frames
        clean = _TURN * (torch.rand(shape, generator=generator) - 0.5)  # [F, T]
        bins = torch.arange(shape[0])[:, None]  # [F, 1]
        error = -_TURN * delay / n_fft * bins  # [F, 1]
        noise = 0.3 * torch.randn(shape, generator=generator)  # [F, T]
        turns = torch.randint(-2, 3, shape, generator=generator) + bins  # [F, T]
        phase = _wrapped(clean + error + noise) + _TURN * turns
        cases.append({"clean_phase": clean, "phase": phase, "n_fft": n_fft})
    problems = compare(function, _delay, mistakes, cases)
    return verdict("Exercise 1", problems, len(cases), strict)


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
            "this is the standard deviation of the differences: divide it by the root of the "
            "number of files",
            _with_error(lambda d: d.std(ddof=1)),
        ),
        (
            "the deviation is divided by n, not n - 1: ddof=1",
            _with_error(lambda d: d.std() / len(d) ** 0.5),
        ),
        (
            "divided by n in place of its root: the error falls with the root of the number",
            _with_error(lambda d: d.std(ddof=1) / len(d)),
        ),
        (
            "this is the variance of the mean: take its root",
            _with_error(lambda d: d.var(ddof=1) / len(d)),
        ),
        (
            "the variance in place of the standard deviation: take its root",
            _with_error(lambda d: d.var(ddof=1) / len(d) ** 0.5),
        ),
        (
            "twice the standard error: the factor 2 belongs to the comparison, not to the error",
            _with_error(lambda d: 2 * d.std(ddof=1) / len(d) ** 0.5),
        ),
        (
            "n - 1 twice: ddof=1 has it already, so divide by the root of n",
            _with_error(lambda d: d.std(ddof=1) / (len(d) - 1) ** 0.5),
        ),
        (
            "the error of the absolute differences: take the differences with their sign",
            _with_error(lambda d: abs(d).std(ddof=1) / len(d) ** 0.5),
        ),
        *(
            (f"the error of {name} alone: it is the spread of the differences that counts", one)
            for name, one in (
                ("before", lambda b, a: np.array([(a - b).mean(), _error(b)])),
                ("after", lambda b, a: np.array([(a - b).mean(), _error(a)])),
            )
        ),
        *(
            (
                "the difference of two spreads: take the difference of the scores, file by file, "
                "and then its spread",
                one,
            )
            for one in (
                lambda b, a: np.array([(a - b).mean(), _error(a) - _error(b)]),
                lambda b, a: np.array([(a - b).mean(), _error(b) - _error(a)]),
                lambda b, a: np.array([(a - b).mean(), abs(_error(a) - _error(b))]),
                lambda b, a: np.array(
                    [(a - b).mean(), abs(_error(a) ** 2 - _error(b) ** 2) ** 0.5]
                ),
            )
        ),
        (
            "the covariance is added twice: for a difference it is subtracted twice",
            lambda b, a: _with_covariance(b, a, 2),
        ),
        (
            "the covariance is added: for a difference it is subtracted, twice",
            lambda b, a: _with_covariance(b, a, 1),
        ),
        (
            "the covariance is subtracted once: it counts twice",
            lambda b, a: _with_covariance(b, a, -1),
        ),
        (
            "the median of the differences: the gain is their mean",
            lambda b, a: np.array([np.median(a - b), _error(a - b)]),
        ),
        (
            "the sum of the differences: the gain is their mean",
            lambda b, a: np.array([(a - b).sum(), _error(a - b)]),
        ),
        (
            "the two results are swapped: first the gain, then its error",
            lambda b, a: _gain(b, a)[::-1],
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
    if problems and problems[0] not in dict(mistakes):
        problems[0] = _which(function, cases) or problems[0]
    return verdict("Exercise 3", problems, len(cases), strict)


def _wrapped(angle: Tensor) -> Tensor:
    return angle - _TURN * (angle / _TURN).round()


def _once(angle: Tensor) -> Tensor:
    return angle - _TURN * (angle > torch.pi) + _TURN * (angle < -torch.pi)


def _steps(clean_phase: Tensor, phase: Tensor) -> Tensor:
    return (phase - clean_phase).diff(dim=0)


def _samples(steps: Tensor, n_fft: int) -> Tensor:
    return -steps.mean() * n_fft / _TURN


def _delay(clean_phase: Tensor, phase: Tensor, n_fft: int) -> Tensor:
    return _samples(_wrapped(_steps(clean_phase, phase)), n_fft)


def _error(scores: np.ndarray) -> float:
    return scores.std(ddof=1) / len(scores) ** 0.5


def _gain(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return np.array([(after - before).mean(), _error(after - before)])


def _with_error(error: Callable) -> Callable:
    """The mean gain, and something else in place of its error."""
    return lambda before, after: np.array([(after - before).mean(), error(after - before)])


def _with_covariance(before: np.ndarray, after: np.ndarray, times: int) -> np.ndarray:
    variance = before.var(ddof=1) + after.var(ddof=1) + times * np.cov(before, after)[0, 1]
    return np.array([(after - before).mean(), (variance / len(before)) ** 0.5])


def _less_variance(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    variance = abs(_error(after) ** 2 - _error(before) ** 2)
    return np.array([(after - before).mean(), variance**0.5])


def _unpaired(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return _with_covariance(before, after, 0)


def _which(function: Callable, cases: list[dict]) -> str:
    """Say which of the two results is wrong where one is right in all cases, or ""."""
    outcomes = [run(function, _gain, case) for case in cases]
    if any(o.result is None or o.result.shape != o.expected.shape for o in outcomes):
        return ""
    gains, errors = ([equal(o.result[i], o.expected[i]) for o in outcomes] for i in (0, 1))
    first = outcomes[0]
    if all(errors):
        return f"the error is right, the gain is not ({_values(first, 0)})"
    if not all(gains):
        return ""
    files = [float((o.expected[1] / o.result[1]) ** 2 * len(o.case["before"])) for o in outcomes]
    if max(files) - min(files) < 1e-3 * min(files):
        return (
            "the gain is right, the error is not: it is divided by the root of "
            f"{files[0]:.4g} in all cases, so take the number of files of the argument"
        )
    return f"the gain is right, the error is not ({_values(first, 1)})"


def _values(outcome, place: int) -> str:
    return f"{outcome.result[place]:.4g} where {outcome.expected[place]:.4g} is expected"
