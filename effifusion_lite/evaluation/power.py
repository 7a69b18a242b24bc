"""How many trainings or files a comparison needs before it can show a gain of some size.

Chapter: 09 Results and ablations.
"""

from effifusion_lite.evaluation.intervals import CONFIDENCE

MOST = 100_000  # trainings, beyond which nobody asks


def power(
    gain: float,
    spread: float,
    count: int,
    paired: bool = False,
    level: float = 1 - CONFIDENCE,
) -> float:
    """Probability that a study shows a gain that is there, by a two-sided t-test.

    Args:
        gain: true difference of the two means.
        spread: standard deviation of one result; where the results are paired, that of a
            difference.
        count: results on each side, or pairs.
        paired: whether each result of one side has its partner on the other.
        level: p-value below which a gain counts as shown; divided by the number of comparisons for
            Bonferroni's rule.

    Returns:
        The probability, that of a wrong sign included, which is small.

    Raises:
        ValueError: `spread` is not positive, `count` is below 2, or `level` is not between 0 and 1.

    Source: noncentral t distribution, as in Cohen, Statistical power analysis (1988). Its square
    follows a noncentral F distribution, which SciPy computes where its noncentral t gives NaN.
    """
    from scipy.stats import f, ncf

    if not spread > 0 or count < 2:
        raise ValueError(
            f"a study needs a spread above 0, not {spread}, and 2 results, not {count}"
        )
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, not at {level}")
    if gain == 0:
        return level  # where SciPy's noncentral F distribution is wrong
    freedom = count - 1 if paired else 2 * count - 2
    shift = gain / spread * (count if paired else count / 2) ** 0.5
    return float(ncf.sf(f.isf(level, 1, freedom), 1, freedom, shift**2))


def count_needed(gain: float, spread: float, paired: bool = False, wanted: float = 0.8) -> int:
    """Smallest number of results with which a study shows a gain as often as is wanted.

    Args:
        gain: true difference of the two means, not 0.
        spread: as for `power`.
        paired: as for `power`.
        wanted: the probability that the study shows the gain.

    Returns:
        Results on each side, or pairs.

    Raises:
        ValueError: `spread` is not positive, or more than 100,000 would be needed.
    """
    low, high = 1, 2  # `low` is not enough
    while power(gain, spread, high, paired) < wanted:
        low, high = high, 2 * high
        if high > MOST:
            raise ValueError(f"a gain of {gain} at a spread of {spread} needs more than {MOST}")
    while high - low > 1:
        middle = (low + high) // 2
        enough = power(gain, spread, middle, paired) >= wanted
        low, high = (low, middle) if enough else (middle, high)
    return high
