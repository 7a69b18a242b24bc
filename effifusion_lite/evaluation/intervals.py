"""How sure a mean is: Student's 95 % interval.

Chapter: 09 Results and ablations.
"""

from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean of `count` values, and where the true mean lies with 95 % confidence."""

    mean: float
    low: float
    high: float
    count: int

    @property
    def shown(self) -> bool:
        """Whether the true mean is shown to differ from zero: the interval does not hold it."""
        return not self.low <= 0 <= self.high


def mean_interval(values: np.ndarray) -> Interval | None:
    """Mean and its interval, mean ± t · standard error.

    Args:
        values: scores, or differences of paired scores, that do not depend on each other; NaN is
            left out.

    Returns:
        The interval; None with less than two values.

    Shape:
        `[number of files]`.

    Source: Student (1908).
    """
    from scipy.stats import t

    values = values[~np.isnan(values)]
    if len(values) < 2:
        return None
    mean, error = values.mean(), values.std(ddof=1) / len(values) ** 0.5
    half = t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * error
    return Interval(float(mean), float(mean - half), float(mean + half), len(values))
