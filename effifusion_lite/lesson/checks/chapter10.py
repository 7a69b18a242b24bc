"""Checks of the exercises of chapter 10, out of the notebook."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict


def check_window(function: Callable, strict: bool = False) -> bool:
    """Check exercise 1: the shortest window with which a number of windows is enough.

    Args:
        function: `(length, count, fade) -> samples of a window`; length and fade in samples.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "the pieces would not overlap: windows have to be longer than `length / count`",
            lambda length, count, fade: math.ceil(length / count),
        ),
        (
            "this is how much each window adds: with the crossfade it is longer",
            lambda length, count, fade: math.ceil((length - fade) / count),
        ),
        (
            "there is one crossfade less than there are windows: the last window fades into none",
            lambda length, count, fade: math.ceil(length / count) + fade,
        ),
        (
            "there is more than one crossfade: each window but the last has one",
            lambda length, count, fade: math.ceil((length + fade) / count),
        ),
        (
            "rounded down, the windows end before the recording does: round up",
            lambda length, count, fade: (length - fade) // count + fade,
        ),
        (
            "rounding down and adding one is a sample too many where the division leaves no rest",
            lambda length, count, fade: (length - fade) // count + fade + 1,
        ),
        (
            "a part of a sample is no sample: round up",
            lambda length, count, fade: (length - fade) / count + fade,
        ),
    ]
    values = ((10, 3, 1), (11, 3, 1), (160_000, 5, 2_000), (20, 1, 4), (21, 4, 3), (33, 4, 1))
    cases = [dict(zip(("length", "count", "fade"), case, strict=True)) for case in values]
    problems = compare(function, _shortest, mistakes, cases)
    return verdict("Exercise 1", problems, len(cases), strict)


def check_overlap_add(function: Callable, strict: bool = False) -> bool:
    """Check exercise 2: pieces at any places, joined by triangular weights.

    Args:
        function: `(pieces, starts) -> the whole`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `pieces` list of [n], `starts` list of numbers -> [N].

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """

    def plain_sum(pieces, starts):
        return _sums(pieces, starts, torch.ones_like)[0]

    def not_divided(pieces, starts):
        return _sums(pieces, starts, _triangle)[0]

    def plain_mean(pieces, starts):
        total, weight = _sums(pieces, starts, torch.ones_like)
        return total / weight

    def counted(pieces, starts):
        return _sums(pieces, starts, _triangle)[0] / _sums(pieces, starts, torch.ones_like)[1]

    def unweighted(pieces, starts):
        return _sums(pieces, starts, torch.ones_like)[0] / _sums(pieces, starts, _triangle)[1]

    def replaced(pieces, starts):
        whole = torch.zeros_like(not_divided(pieces, starts))
        for piece, start in zip(pieces, starts, strict=True):
            whole[start : start + len(piece)] = piece
        return whole

    def joined(pieces, starts):
        return torch.cat(pieces)

    def from_zero(pieces, starts):
        def triangle(piece):
            return 1 - (torch.linspace(-1, 1, len(piece))).abs()

        total, weight = _sums(pieces, starts, triangle)
        return total / weight

    def above_zero(pieces, starts):
        return from_zero(pieces, starts).nan_to_num()

    def inverted(pieces, starts):
        total, weight = _sums(pieces, starts, lambda piece: 1 - _triangle(piece))
        return total / weight

    def even_steps(pieces, starts):
        step = starts[1] - starts[0]
        return _overlap_add(pieces, [step * index for index in range(len(pieces))])

    mistakes: Mistakes = [
        ("the pieces are added without weights: where two overlap, the sum is twice as loud",
         plain_sum),
        ("the weighted pieces are added, but the weights of a place do not add up to 1: divide by "
         "their sum", not_divided),
        ("this is the plain mean of the pieces: near its edge a piece should count less",
         plain_mean),
        ("the sum is divided by the number of pieces, not by the sum of their weights", counted),
        ("the weights are summed, but the pieces are not multiplied by them", unweighted),
        ("a later piece replaces the one before: they should fade into each other", replaced),
        ("the pieces are put one after the other: they overlap", joined),
        ("the triangle is 0 at its ends, so the first sample is 0 / 0: put the samples at k + 1/2",
         from_zero),
        ("the triangle is 0 at its ends: put the samples at k + 1/2", above_zero),
        ("the triangle is upside down: the weight is largest in the middle of a piece", inverted),
        ("the pieces need not start at equal distances: read `starts`", even_steps),
    ]  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    cases = []
    whole = (((8, 8, 8), (0, 5, 9)), ((6, 9), (0, 2)), ((5, 7, 5), (0, 3, 6)), ((12, 4), (0, 3)))
    for sizes, starts in whole:
        pieces = [1 + torch.randn(size, generator=generator) for size in sizes]
        cases.append({"pieces": pieces, "starts": list(starts)})
    problems = compare(function, _overlap_add, mistakes, cases)
    return verdict("Exercise 2", problems, len(cases), strict)


def check_windows(function: Callable, strict: bool = False) -> bool:
    """Check exercise 3: windows that reach the end.

    Args:
        function: `(length, size, fade) -> starts and ends`, all in samples.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        result [K, 2].

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """

    def from_starts(starts: range, length: int, size: int) -> Tensor:
        ends = [min(start + size, length) for start in starts]
        return torch.tensor([*zip(starts, ends, strict=True)]).reshape(-1, 2)

    def too_few(length, size, fade):
        return from_starts(range(0, length - size, size - fade), length, size)

    def exact_only(length, size, fade):
        return from_starts(range(0, length - size + 1, size - fade), length, size)

    def too_many(length, size, fade):
        return from_starts(range(0, length, size - fade), length, size)

    def no_overlap(length, size, fade):
        return from_starts(range(0, length, size), length, size)

    def beyond(length, size, fade):
        starts = torch.arange(0, max(1, length - fade), size - fade)
        return torch.stack([starts, starts + size], dim=1)

    def none_for_short(length, size, fade):
        return from_starts(range(0, length - fade, size - fade), length, size)

    def shifted(length, size, fade):
        windows = beyond(length, size, fade)
        windows[-1] -= (windows[-1, 1] - length).clamp_min(0)
        return windows.clamp_min(0)

    mistakes: Mistakes = [
        ("the end of the recording is in no window: look at the last row", too_few),
        ("what does not fill a whole window is in no window: a window may be shorter", exact_only),
        ("there is a window too many: what begins less than `fade` samples before the end is in "
         "the window before already", too_many),
        ("the windows do not overlap: each starts `fade` samples before the end of the one before",
         no_overlap),
        ("the last window goes on beyond the end of the recording", beyond),
        ("a recording that is not longer than the crossfade has no window: it needs one",
         none_for_short),
        ("the last window is moved back until it fits: it overlaps by more than `fade` samples",
         shifted),
    ]  # fmt: skip
    sizes = ((20, 8, 2), (21, 8, 2), (26, 8, 2), (8, 8, 3), (5, 8, 3), (2, 8, 3), (40, 10, 4))
    cases = [dict(zip(("length", "size", "fade"), case, strict=True)) for case in sizes]
    problems = compare(function, _windows, mistakes, cases)
    return verdict("Exercise 3", problems, len(cases), strict)


def _shortest(length: int, count: int, fade: int) -> int:
    return math.ceil((length - fade) / count) + fade


def _triangle(piece: Tensor) -> Tensor:
    """`[n]`: 1 in the middle, half a step above 0 at the ends."""
    places = (torch.arange(len(piece)) + 0.5) / len(piece)
    return 1 - (2 * places - 1).abs()


def _sums(pieces: list[Tensor], starts: list[int], weigh: Callable) -> tuple[Tensor, Tensor]:
    """Sum of the weighted pieces and of the weights, both `[N]`."""
    length = max(start + len(piece) for piece, start in zip(pieces, starts, strict=True))
    total, weights = torch.zeros(length), torch.zeros(length)
    for piece, start in zip(pieces, starts, strict=True):
        weight = weigh(piece)
        total[start : start + len(piece)] += weight * piece
        weights[start : start + len(piece)] += weight
    return total, weights


def _overlap_add(pieces: list[Tensor], starts: list[int]) -> Tensor:
    total, weights = _sums(pieces, starts, _triangle)
    return total / weights


def _windows(length: int, size: int, fade: int) -> Tensor:
    starts = range(0, max(1, length - fade), size - fade)
    return torch.tensor([(start, min(start + size, length)) for start in starts])
