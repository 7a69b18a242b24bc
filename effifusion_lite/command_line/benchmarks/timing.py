"""Timing of several things, turn by turn.

Chapter: 10 Out of the notebook.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Row:
    """One measurement: the median, the smallest and the largest of its repetitions.

    Args:
        section: what it belongs to.
        name: what was measured.
        unit: unit of the numbers.
        median: the middle one.
        low: the smallest one.
        high: the largest one.
    """

    section: str
    name: str
    unit: str
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, section: str, name: str, unit: str, values: list[float]) -> "Row":
        """The row of some repetitions."""
        low, median, high = (float(np.quantile(values, q)) for q in (0, 0.5, 1))
        return cls(section, name, unit, median, low, high)

    def __str__(self) -> str:
        spread = "" if self.low == self.high else f"  ({self.low:.3g} to {self.high:.3g})"
        return f"{self.section:<10} {self.name:<52} {self.median:>8.3g} {self.unit}{spread}"


def take_turns(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds that each function takes, called in turns so that all meet the same load.

    Args:
        functions: by name; each is called once before, unmeasured.
        repeats: measured calls of each.

    Returns:
        Seconds of each call, by name.
    """
    for function in functions.values():
        function()
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratios(above: list[float], below: list[float]) -> list[float]:
    """Ratio of two measurements, turn by turn."""
    return [a / b for a, b in zip(above, below, strict=True)]
