"""The checks of chapter 09: each likely mistake by name."""

from math import comb

import numpy as np
import pytest
from scipy.stats import binom, norm

from effifusion_lite.lesson.checks import chapter09


def fewest(trials, level):
    tail = 0.0
    for right in range(trials, -1, -1):
        tail += comb(trials, right) / 2**trials
        if tail >= level:
            return right + 1
    return 0


def at_least(right, n):
    return sum(comb(n, k) for k in range(right, n + 1)) / 2**n


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda n, level: int(binom.isf(level, n, 0.5)), "one too few"),
        (lambda n, level: fewest(n, level) + 1, "one too many"),
        (
            lambda n, level: next(k for k in range(n // 2, n) if comb(n, k) / 2**n < level),
            "by itself",
        ),
        (
            lambda n, level: next(k for k in range(n) if comb(n, k) / 2**n < level),
            "your result is always 0",
        ),
        (lambda n, level: next(k for k in range(n) if 1 - at_least(k, n) < level), "always 0"),
        (lambda n, level: next(k for k in range(n) if comb(k, n) / 2**n < level), "always 0"),
        (
            lambda n, level: next(k for k in range(n, 0, -1) if at_least(k, n) < level),
            "first round",
        ),
        (lambda n, level: n + 1, "always `trials + 1`"),
        (
            lambda n, level: next(k for k in range(n + 2) if at_least(k, n) <= level),
            "5/16, which is not",
        ),
        (lambda n, level: min(fewest(n, level), n), "where no number is enough"),
        (
            lambda n, level: fewest(n, level) if fewest(n, level) <= n else None,
            "where no number is",
        ),
        (lambda n, level: np.arange(fewest(n, level), n + 1), "return the smallest"),
        (lambda n, level: np.array([fewest(n, level)]), "an array with one number"),
        (lambda n, level: fewest(n, level) / n, "this is a share of the trials"),
        (lambda n, level: fewest(n, level / 2), "both tails"),
        (lambda n, level: n - fewest(n, level), "may be wrong"),
        (lambda n, level: round((1 - level) * n), "a share of the trials"),
        (
            lambda n, level: int(np.ceil(n / 2 + norm.isf(level) * np.sqrt(n) / 2)),
            "like the normal distribution",
        ),
        (
            lambda n, level: int(np.ceil(norm.isf(level, n / 2 + 0.5, np.sqrt(n) / 2))),
            "never far off",
        ),
        (
            lambda n, level: round(norm.isf(level, n / 2 + 0.5, np.sqrt(n) / 2) + 0.9),
            "like the normal distribution",
        ),
        (lambda n, level: binom.sf(fewest(n, level) - 1, n, 0.5), "this is the probability"),
        (lambda n, level: fewest(n, 0.05), "use the argument level"),
        (lambda n, level: fewest(10, level), "use the argument trials"),
    ],
)
def test_mistakes_in_exercise_1_are_named(mistake, message, capsys):
    assert chapter09.check_fewest(mistake) is False
    assert message in capsys.readouterr().out


def test_exercise_1_can_be_counted():
    assert chapter09.check_fewest(fewest, strict=True) is True
    assert chapter09.check_fewest(
        lambda n, level: next(k for k in range(n + 2) if at_least(k, n) < level), strict=True
    )


def test_quantile_of_scipy_is_not_below_where_it_is_equal(capsys):
    assert chapter09.check_fewest(lambda n, level: int(binom.isf(level, n, 0.5)) + 1) is False
    assert "5/16, which is not" in capsys.readouterr().out


def holm(p, cap=True, largest=True, factors=None):
    """By the definition: one after the other."""
    result, before = np.zeros(len(p)), 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        factor = len(p) - rank if factors is None else factors(rank, len(p))
        value = factor * p[index]
        before = max(before, value) if largest else value
        result[index] = min(before, 1.0) if cap else before
    return result


def ranked(p):
    return (len(p) - np.argsort(np.argsort(p))) * p


def back(running, p, order):
    result = np.empty_like(p)
    result[order] = running(np.arange(len(p), 0, -1) * p[order]).clip(max=1)
    return result


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda p: (len(p) * p).clip(max=1), "Bonferroni's rule"),
        (lambda p: holm(p, largest=False), "smaller than one before it"),
        (lambda p: holm(p, cap=False), "may exceed 1"),
        (lambda p: holm(p, largest=False, cap=False), "and none above 1"),
        (lambda p: np.sort(holm(p)), "in ascending order"),
        (lambda p: np.sort(holm(p))[np.argsort(p)], "once more"),
        (
            lambda p: np.maximum.accumulate(np.arange(len(p), 0, -1) * p).clip(max=1),
            "are not sorted",
        ),
        (lambda p: holm(p, factors=lambda rank, m: rank + 1), "wrong order"),
        (lambda p: holm(p, factors=lambda rank, m: m - rank - 1), "begin at M - 1"),
        (lambda p: holm(p, factors=lambda rank, m: m / (rank + 1)), "M over the rank: the"),
        (lambda p: p, "nothing is corrected"),
        (lambda p: holm(p).clip(max=0.04), "relative error"),
        (lambda p: holm(p, factors=lambda rank, m: 9 - rank), "written as a number"),
        (lambda p: np.maximum.accumulate(np.arange(9, 0, -1) * np.sort(p)), "written as a number"),
        (lambda p: np.maximum.accumulate(ranked(p)).clip(max=1), "from the smallest p-value on"),
        (lambda p: back(np.maximum.accumulate, p, np.argsort(-p)), "in descending order"),
        (lambda p: np.sort(holm(p))[::-1], "order"),
        (lambda p: holm(p) < 0.05, "true or false: return"),
        (lambda p: p < 0.05, "nothing is corrected: return"),
        (lambda p: holm(p).tolist(), "returns a list: return an array"),
    ],
)
def test_mistakes_in_exercise_2_are_named(mistake, message, capsys):
    assert chapter09.check_holm(mistake) is False
    assert message in capsys.readouterr().out


def test_the_rules_of_others_are_named(capsys):
    from scipy.stats import false_discovery_control

    assert chapter09.check_holm(false_discovery_control) is False
    assert "Benjamini and Hochberg" in capsys.readouterr().out

    def hochberg(p):
        order = np.argsort(p)[::-1]
        values = np.minimum.accumulate(np.arange(1, len(p) + 1) * p[order])
        result = np.empty_like(values)
        result[order] = values
        return result.clip(max=1)

    assert chapter09.check_holm(hochberg) is False
    assert "largest of all earlier ones" in capsys.readouterr().out


def test_exercise_2_by_the_definition():
    assert chapter09.check_holm(holm, strict=True) is True


def error(ratings, values, count, ddof=1):
    return np.array([ratings.mean(), np.std(values, ddof=ddof) / np.sqrt(count)])


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda r: error(r, r, r.size), "not ten listeners"),
        (lambda r: error(r, r, len(r)), "spread is that of single ratings"),
        (lambda r: error(r, r.mean(0), r.shape[1]), "spread is then that of the sentences"),
        (lambda r: error(r, r.mean(0), len(r)), "over the sentences, axis 1"),
        (lambda r: error(r, r.mean(1), r.size), "only as many means as listeners"),
        (lambda r: error(r, r.mean(1), r.shape[1]), "means are those of listeners"),
        (lambda r: error(r, r.mean(1), 1), "divide it by the root"),
        (lambda r: error(r, r.mean(1), len(r) ** 2), "not by its root"),
        (lambda r: error(r, r.mean(1), len(r), ddof=0), "`ddof=1` is missing"),
        (lambda r: error(r, r.mean(1), len(r))[1], "shape [] where [2] is expected"),
        (lambda r: error(r, r.mean(1), len(r))[::-1], "exchanged"),
        (lambda r: error(r, r.mean(1), 12), "written as a number"),
        (lambda r: error(r, r.mean(1), 60), "written as a number"),
        (lambda r: error(r, r, 60), "written as a number"),
        (lambda r: error(r, r.mean(1), len(r)) ** [1, 2], "this is a variance"),
        (lambda r: np.array([r.mean(), r.mean(1).var(ddof=1)]), "this is a variance"),
        (lambda r: error(r, r.mean(1), len(r)) * [1, 1.96], "half the interval"),
        (lambda r: np.array([r.mean(), r.std(1, ddof=1).mean()]), "spread within a listener"),
        (
            lambda r: np.array([r.mean(), r.std(1, ddof=1).mean() / np.sqrt(len(r))]),
            "spread within a listener",
        ),
        (lambda r: error(r[:, :1], r[:, 0], len(r)), "only the first sentence"),
        (lambda r: error(r, r[:, 0], len(r)), "only the first sentence"),
        (lambda r: error(r.sum(1), r.sum(1), len(r)), "each listener's sum"),
        (lambda r: error(r, r.sum(1), len(r)), "each listener's sum"),
        (lambda r: error(np.median(r, 1), np.median(r, 1), len(r)), "each listener's median"),
        (lambda r: tuple(error(r, r.mean(1), len(r))), "returns a tuple"),
        (lambda r: list(error(r, r.mean(1), len(r))), "returns a list"),
    ],
)
def test_mistakes_in_exercise_3_are_named(mistake, message, capsys):
    assert chapter09.check_error(mistake) is False
    assert message in capsys.readouterr().out


def test_exercise_3_by_a_loop():
    def loop(ratings):
        means = [sum(of_one) / len(of_one) for of_one in ratings.tolist()]
        mean = sum(means) / len(means)
        variance = sum((value - mean) ** 2 for value in means) / (len(means) - 1)
        return np.array([mean, (variance / len(means)) ** 0.5])

    assert chapter09.check_error(loop, strict=True) is True
