"""Checks of the exercises of chapter 09, results, ablations, listening room."""

from collections.abc import Callable

import numpy as np

from effifusion_lite.lesson.checks.chapter09_fewest import check_fewest
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

__all__ = ["check_error", "check_fewest", "check_holm"]


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

    def steps(p, factors=None, running=np.maximum.accumulate, back=True, most=1.0, down=False):
        order = np.argsort(p)[::-1] if down else np.argsort(p)
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

    def maximum_unsorted(p):
        ranks = np.argsort(np.argsort(p))
        return np.minimum(np.maximum.accumulate((len(p) - ranks) * p), 1)

    def upwards(m):
        return np.arange(1, m + 1)

    from_the_largest = "the p-values are in descending order: the smallest comes first, times M"
    fixed = "the number of p-values is written as a number: M is `len(p_values)`"

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
            lambda p: steps(p, upwards),
        ),
        (
            "the largest value so far is taken in the order in which the p-values came: take it "
            "from the smallest p-value on, and put the values back afterwards",
            maximum_unsorted,
        ),
        (from_the_largest, lambda p: steps(p, down=True)),
        (from_the_largest, lambda p: steps(p, upwards, down=True)),
        (from_the_largest, lambda p: steps(p)[np.argsort(p)[::-1]]),
        *((fixed, lambda p, m=m: steps(p, lambda _: np.arange(m, 0, -1))) for m in (3, 4, 5, 9)),
        *((fixed, lambda p, m=m: _by_rank(p, m)) for m in (3, 4, 5, 9)),
        (
            "true or false: return the corrected p-values themselves",
            lambda p: steps(p) < 0.05,
        ),
        ("true or false, and nothing is corrected: return corrected p-values", lambda p: p < 0.05),
        (
            "your function returns a list: return an array, such as `np.array(result)`",
            lambda p: steps(p).tolist(),
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

    def by(one_number):  # of each listener; with the mean of these numbers, and with that of all
        def whole(ratings):
            values = one_number(ratings)
            return np.array([values.mean(), listeners(values[:, None])[1]])

        return whole, lambda ratings: of(one_number(ratings), len(ratings), ratings)

    def within(ratings):
        return ratings.std(1, ddof=1).mean()

    first = "only the first sentence of each listener is used: take the mean of all"
    total = "this is each listener's sum, not the mean: the error is too large by their number"
    middle = "this is each listener's median: take the mean, as the whole does"
    inner = "this is the spread within a listener: take the spread of the listeners' means"
    written = "the number of listeners is written as a number: it is `len(ratings)`"
    variance = "this is a variance: its root is missing"

    mistakes: Mistakes = [
        (
            "all ratings count as if each came from another listener: ten sentences of one "
            "listener are not ten listeners",
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
        *((first, mistake) for mistake in by(lambda ratings: ratings[:, 0])),
        *((total, mistake) for mistake in by(lambda ratings: ratings.sum(1))),
        *((middle, mistake) for mistake in by(lambda ratings: np.median(ratings, 1))),
        *(
            (inner, lambda r, n=n: np.array([r.mean(), within(r) / np.sqrt(n(r))]))
            for n in (len, np.size, lambda r: r.shape[1], lambda r: 1)
        ),
        *((written, lambda r, n=n: of(r.mean(1), n, r)) for n in (12, 60)),
        *((written, lambda r, n=n: of(r, n, r)) for n in (12, 60)),
        *(
            (variance, lambda r, n=n: np.array([r.mean(), r.mean(1).var(ddof=1) / n(r)]))
            for n in (len, lambda r: 1, lambda r: np.sqrt(len(r)))
        ),
        (
            "this is half the interval, 1.96 times the standard error: return the error",
            lambda ratings: listeners(ratings) * [1, 1.96],
        ),
        ("mean and error are exchanged: the mean comes first", lambda r: listeners(r)[::-1]),
        *(
            (f"your function returns a {kind.__name__}: return `np.array([mean, error])`", mistake)
            for kind in (tuple, list)
            for mistake in [lambda ratings, kind=kind: kind(listeners(ratings))]
        ),
    ]
    draw = np.random.default_rng(3)
    cases = []
    for count, sentences in ((4, 3), (6, 2), (5, 8), (9, 4)):
        habits = draw.normal(60, 12, (count, 1))
        cases.append({"ratings": habits + draw.normal(0, 5, (count, sentences))})
    problems = compare(function, listeners, mistakes, cases)
    problems = problems or _copied(function, cases[0]["ratings"])
    return verdict("Exercise 3", problems, len(cases) + 1, strict)


def _by_rank(p: np.ndarray, count: int) -> np.ndarray:
    """Holm's rule with a fixed count, one p-value after the other."""
    result, before = np.zeros(len(p)), 0.0
    for rank, index in enumerate(np.argsort(p)):
        before = max(before, (count - rank) * p[index])
        result[index] = min(before, 1)
    return result


def _copied(function: Callable, ratings: np.ndarray) -> list[str]:
    """The property: what each listener says twice does not make the mean surer."""
    once, twice = function(ratings), function(np.tile(ratings, 2))
    if not np.allclose(once, twice):
        return ["the error changes if each listener says the same twice"]
    return []
