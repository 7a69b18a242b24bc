"""Check of exercise 1 of chapter 09: how many right answers of a blind test are enough."""

from collections.abc import Callable

import numpy as np

from effifusion_lite.lesson.checks.outcome import run
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

EDGES = ((4, 5 / 16), (4, 1 / 16), (3, 0.05))  # trials and level: equal, equal, none is enough
EQUAL = (
    "right except where the probability equals `level`: of 4 answers, 3 or more are right with a "
    "probability of 5/16, which is not *below* a level of 5/16"
)
NONE_ENOUGH = (
    "right except at the edges: 4 of 4 for a level of 5/16, and `trials + 1` where no number is "
    "enough, such as 4 trials with 1/16 and 3 trials with 0.05"
)


def check_fewest(function: Callable, strict: bool = False) -> bool:
    """Check exercise 1: how many right answers of a blind test are enough.

    Args:
        function: `(trials, level) -> smallest number of right answers`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """

    def rounded(trials, level):
        return round((1 - level) * trials)

    def at_most(trials, level):
        return _first(trials, lambda right: _at_least(right, trials) <= level)

    nought = (
        "your result is always 0, but 0 or more right answers are certain: what you compare with "
        "`level` is another probability; print it (of exactly that number, 1 minus the "
        "probability, or `comb(right, trials)` with its arguments exchanged?)"
    )
    mistakes: Mistakes = [
        (
            "this is one too few: guessing reaches it with a probability that is not below `level`",
            lambda trials, level: _fewest(trials, level) - 1,
        ),
        (
            "this is one too many: one right answer less is already less likely than `level`; "
            "count `right` or more, not more than `right`",
            lambda trials, level: _fewest(trials, level) + 1,
        ),
        (
            "this is the first number that is, by itself, less likely than `level`: count all "
            "results that are as good or better",
            lambda trials, level: _first(
                trials, lambda k: k >= trials / 2 and _exactly(k, trials) < level
            ),
        ),
        (nought, lambda trials, level: 0),
        (
            "your result is always `trials`: does the loop end in its first round? From the top, "
            "go on until a number is not enough, and return the one before",
            lambda trials, level: trials,
        ),
        (
            "your result is always `trials + 1`: does the loop from the top end in its first "
            "round, with a probability that is already above `level`?",
            lambda trials, level: trials + 1,
        ),
        (
            "these are all numbers that are enough: return the smallest",
            lambda *case: np.arange(_fewest(*case), case[0] + 1),
        ),
        (
            "an array with one number in it: return the number",
            lambda *case: np.array([_fewest(*case)]),
        ),
        (
            "this is a share of the trials: return the number of right answers",
            lambda trials, level: _fewest(trials, level) / trials,
        ),
        (
            "both tails: to be right too seldom is no sign of hearing, so take the whole `level` "
            "on one side",
            lambda trials, level: _fewest(trials, level / 2),
        ),
        ("this is how many may be wrong", lambda trials, level: trials - _fewest(trials, level)),
        (
            "a share of the trials of 1 - level: the number that is enough comes from the binomial "
            "distribution",
            rounded,
        ),
        (
            "this is the probability: return the number of right answers",
            lambda trials, level: _at_least(_fewest(trials, level), trials),
        ),
    ]
    of_level = {0.05: (10, 20, 30, 40), 0.01: (20, 25), 0.1: (10, 12)}
    cases = [{"trials": n, "level": level} for level in of_level for n in of_level[level]]
    if _near(function):
        mistakes.append(
            (
                "never far off, but not exact, like the normal distribution in place of the "
                "binomial one: with so few trials, count exactly",
                function,
            )
        )
    problems = compare(function, _fewest, mistakes, cases)
    edges = [{"trials": trials, "level": level} for trials, level in EDGES]
    problems = problems or compare(
        function, _fewest, [(EQUAL, at_most), (NONE_ENOUGH, function)], edges
    )
    return verdict("Exercise 1", problems, len(cases) + len(edges), strict)


def _exactly(right: int, trials: int) -> float:
    from scipy.stats import binom

    return float(binom.pmf(right, trials, 0.5))


def _at_least(right: int, trials: int) -> float:
    from scipy.stats import binom

    return float(binom.sf(right - 1, trials, 0.5))


def _first(trials: int, holds: Callable[[int], bool]) -> int:
    return next(right for right in range(trials + 2) if right > trials or holds(right))


def _fewest(trials: int, level: float) -> int:
    return _first(trials, lambda right: _at_least(right, trials) < level)


def _near(function: Callable) -> bool:
    """Whether a function of trials and level is at most 2 off, and depends on both of them."""
    cases = [{"trials": n, "level": level} for n in (10, 20, 40) for level in (0.01, 0.05, 0.1)]
    outcomes = [run(function, _fewest, case) for case in cases]
    if any(o.result is None or o.result.ndim for o in outcomes):
        return False
    found, right = (
        np.reshape([float(value) for value in values], (3, 3))
        for values in ([o.result for o in outcomes], [o.expected for o in outcomes])
    )
    return (np.abs(found - right) <= 2).all() and np.ptp(found, 1).all() and np.ptp(found, 0).all()
