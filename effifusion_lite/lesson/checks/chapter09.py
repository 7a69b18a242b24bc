"""Checks of the exercises of chapter 09, results, ablations, listening room."""

from collections.abc import Callable

import numpy as np

from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict


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

    def normal(trials, level):
        from scipy.stats import norm

        return int(np.ceil(trials / 2 + norm.isf(level) * np.sqrt(trials) / 2))

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
        (
            "numbers below one half are unlikely too: begin where guessing does better than half",
            lambda trials, level: _first(trials, lambda k: _exactly(k, trials) < level),
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
            "the normal distribution: with so few trials it is not near enough, count exactly",
            normal,
        ),
        (
            "this is the probability: return the number of right answers",
            lambda trials, level: _at_least(_fewest(trials, level), trials),
        ),
    ]
    cases = [
        {"trials": trials, "level": level}
        for trials, level in ((10, 0.05), (20, 0.05), (20, 0.01), (12, 0.1), (40, 0.05), (25, 0.01))
    ]
    problems = compare(function, _fewest, mistakes, cases)
    return verdict("Exercise 1", problems, len(cases), strict)


def check_holm(function: Callable, strict: bool = False) -> bool:
    """Check exercise 2: p-values corrected by Holm's rule.

    Args:
        function: `(p_values) -> corrected p-values`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `p_values` [M], the result [M] in the same order.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """

    def steps(p, factors=None, running=np.maximum.accumulate, back=True, most=1.0):
        order = np.argsort(p)
        factors = np.arange(len(p), 0, -1) if factors is None else factors(len(p))
        corrected = np.minimum(running(factors * p[order]), most)
        if not back:
            return corrected
        result = np.empty_like(corrected)
        result[order] = corrected
        return result

    def nothing(values):
        return values

    def from_above(values):
        return np.minimum.accumulate(values[::-1])[::-1]

    def unsorted(p):
        return np.minimum(np.maximum.accumulate(np.arange(len(p), 0, -1) * p), 1)

    def sorted_twice(p):
        order = np.argsort(p)
        return steps(p, back=False)[order]

    mistakes: Mistakes = [
        (
            "this is Bonferroni's rule: all p-values are multiplied by M; here only the smallest "
            "is, the next one by M - 1",
            lambda p: np.minimum(len(p) * p, 1),
        ),
        (
            "a corrected value is smaller than one before it: a larger p-value must not end up "
            "below a smaller one",
            lambda p: steps(p, running=nothing),
        ),
        (
            "no corrected value may exceed 1: it is a probability",
            lambda p: steps(p, most=np.inf),
        ),
        (
            "a larger p-value must not end up below a smaller one, and none above 1",
            lambda p: steps(p, running=nothing, most=np.inf),
        ),
        (
            "the values are in ascending order: return them in the order in which they came",
            lambda p: steps(p, back=False),
        ),
        (
            "indexed by `order` once more: `result[order] = corrected` brings them back",
            sorted_twice,
        ),
        ("the p-values are not sorted before they are multiplied", unsorted),
        (
            "the factors are in the wrong order: the smallest p-value takes the largest factor, M",
            lambda p: steps(p, lambda m: np.arange(1, m + 1)),
        ),
        (
            "the factors begin at M - 1: the smallest p-value is multiplied by M",
            lambda p: steps(p, lambda m: np.arange(m - 1, -1, -1)),
        ),
        (
            "multiplied by M over the rank: this is Benjamini and Hochberg's rule, which holds "
            "down the share of false findings, not the chance of any",
            lambda p: steps(p, lambda m: m / np.arange(1, m + 1), from_above),
        ),
        (
            "multiplied by M over the rank: the factors are M, M - 1, ..., 1",
            lambda p: steps(p, lambda m: m / np.arange(1, m + 1)),
        ),
        (
            "the smallest of all *later* values: Holm's rule takes the largest of all earlier ones",
            lambda p: steps(p, running=from_above),
        ),
        ("nothing is corrected", nothing),
    ]
    draw = np.random.default_rng(9)
    cases = [
        {"p_values": np.array(values)}
        for values in (
            [0.011, 0.02, 0.5, 0.004, 0.021],
            [0.6, 0.03, 0.012, 0.9],
            [*draw.uniform(0, 0.2, 8)],
            [0.04, 0.01, 0.03, 0.02],
        )
    ]
    problems = compare(function, steps, mistakes, cases)
    return verdict("Exercise 2", problems, len(cases), strict)


def check_error(function: Callable, strict: bool = False) -> bool:
    """Check exercise 3: the standard error of a mean rating.

    Args:
        function: `(ratings) -> [mean, standard error]`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `ratings` [L, S], listeners and sentences; the result [2].

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """

    def of(values, count, ratings):
        return np.array([ratings.mean(), values.std(ddof=1) / np.sqrt(count)])

    def listeners(ratings):
        return of(ratings.mean(1), len(ratings), ratings)

    def population(ratings):
        return np.array([ratings.mean(), ratings.mean(1).std() / np.sqrt(len(ratings))])

    mistakes: Mistakes = [
        (
            "all ratings count as if each came from another listener: ten sentences of one "
            "listener are no ten listeners",
            lambda ratings: of(ratings, ratings.size, ratings),
        ),
        (
            "the spread is that of single ratings: take the mean of each listener first, then the "
            "spread of these means",
            lambda ratings: of(ratings, len(ratings), ratings),
        ),
        (
            "the mean is taken over the listeners: the spread is then that of the sentences",
            lambda ratings: of(ratings.mean(0), ratings.shape[1], ratings),
        ),
        (
            "the mean is taken over the listeners: take it over the sentences, axis 1",
            lambda ratings: of(ratings.mean(0), len(ratings), ratings),
        ),
        (
            "divided by the root of all ratings: there are only as many means as listeners",
            lambda ratings: of(ratings.mean(1), ratings.size, ratings),
        ),
        (
            "divided by the root of the number of sentences: the means are those of listeners",
            lambda ratings: of(ratings.mean(1), ratings.shape[1], ratings),
        ),
        (
            "this is the spread of the listeners: divide it by the root of their number",
            lambda ratings: of(ratings.mean(1), 1, ratings),
        ),
        (
            "divided by the number of listeners, not by its root",
            lambda ratings: of(ratings.mean(1), len(ratings) ** 2, ratings),
        ),
        ("`ddof=1` is missing: with few listeners the spread comes out too small", population),
    ]
    draw = np.random.default_rng(3)
    cases = []
    for count, sentences in ((4, 3), (6, 2), (5, 8), (9, 4)):
        habits = draw.normal(60, 12, (count, 1))
        cases.append({"ratings": habits + draw.normal(0, 5, (count, sentences))})
    problems = compare(function, listeners, mistakes, cases)
    problems = problems or _copied(function, cases[0]["ratings"])
    return verdict("Exercise 3", problems, len(cases) + 1, strict)


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


def _copied(function: Callable, ratings: np.ndarray) -> list[str]:
    """The property: what each listener says twice does not make the mean surer."""
    once, twice = function(ratings), function(np.tile(ratings, 2))
    if not np.allclose(once, twice):
        return ["the error changes if each listener says the same twice"]
    return []
