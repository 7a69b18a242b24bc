"""Checks of the exercises of chapter 10, out of the notebook."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from effifusion_lite.lesson.checks.chapter10_windows import check_windows
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

__all__ = ["check_overlap_add", "check_window", "check_windows"]


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
            "the windows would not overlap: they have to be longer than `length / count`",
            lambda length, count, fade: math.ceil(length / count),
        ),
        (
            "this is how much each window adds: with the crossfade it is longer",
            lambda length, count, fade: math.ceil((length - fade) / count),
        ),
        (
            "there is one fewer crossfade than there are windows: the last one fades into none",
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
            "this rounds to the nearest number: round up, or the end may be in no window",
            lambda length, count, fade: round((length - fade) / count) + fade,
        ),
        (
            "the crossfade is added twice",
            lambda length, count, fade: math.ceil((length - fade) / count) + 2 * fade,
        ),
        (
            "windows overlap, so the crossfade makes them longer, not shorter",
            lambda length, count, fade: math.ceil((length - fade) / count) - fade,
        ),
        (
            "a part of a sample is not a sample: round up",
            lambda length, count, fade: (length - fade) / count + fade,
        ),
        (
            "this is the formula of section 1, a number of windows, with `count` in place of the "
            "window: turn it round and solve it for the window",
            lambda length, count, fade: max(1, -(-(length - fade) // (count - fade))),
        ),
    ]
    values = (
        (10, 3, 1),
        (11, 3, 1),
        (160_000, 5, 2_000),
        (20, 1, 4),
        (22, 4, 3),
        (33, 4, 1),
        (13, 4, 3),
    )
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

    def at_k(pieces, starts):
        def triangle(piece):
            return 1 - (2 * torch.arange(len(piece)) / len(piece) - 1).abs()

        total, weight = _sums(pieces, starts, triangle)
        return total / weight

    def at_k_above_zero(pieces, starts):
        return at_k(pieces, starts).nan_to_num()

    def by_number(pieces, starts):
        return _sums(pieces, starts, _triangle)[0] / len(pieces)

    def squared(pieces, starts):
        total, weight = _sums(pieces, starts, lambda piece: _triangle(piece).square())
        return total / weight

    def slope(pieces, starts):
        total, weight = _sums(
            pieces, starts, lambda piece: 2 - 2 * (torch.arange(len(piece)) + 0.5) / len(piece)
        )
        return total / weight

    def last_piece(pieces, starts):
        return _overlap_add(pieces, starts)[: starts[-1] + len(pieces[-1])]

    def last_piece_at_once(pieces, starts):
        total = torch.zeros(starts[-1] + len(pieces[-1]))
        for piece, start in zip(pieces, starts, strict=True):
            total[start : start + len(piece)] += _triangle(piece) * piece
        return last_piece(pieces, starts)

    def all_lengths(pieces, starts):
        result, wanted = _overlap_add(pieces, starts), sum(map(len, pieces))
        return torch.cat([result, torch.full((wanted - len(result),), torch.nan)])

    def all_at_zero(pieces, starts):
        return _overlap_add(pieces, [0] * len(pieces))

    def in_order(pieces, starts):
        return _overlap_add(pieces, sorted(starts))

    def inverted(pieces, starts):
        total, weight = _sums(pieces, starts, lambda piece: 1 - _triangle(piece))
        return total / weight

    def placed(pieces, starts, places):
        """As many pieces as there are places, put there, as long as the whole."""
        length = len(_overlap_add(pieces, starts))
        total, weight = _sums(pieces[: len(places)], places, _triangle, length)
        return total / weight

    def half_as_steep(pieces, starts):
        def triangle(piece):
            return 1 - ((torch.arange(len(piece)) + 0.5) / len(piece) - 1).abs()

        total, weight = _sums(pieces, starts, triangle)
        return total / weight

    def twice(pieces, starts):
        total, _ = _sums(pieces, starts, lambda piece: _triangle(piece).square())
        return total / _sums(pieces, starts, _triangle)[1]

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
        ("the weights are those of k, not of k + 1/2: the first is 0, and 0 / 0 is not a number",
         at_k),
        ("the weights are those of k, not of k + 1/2: the first sample gets the weight 0",
         at_k_above_zero),
        ("each sample is divided by the number of all pieces: divide it by the sum of the weights "
         "that it got itself", by_number),
        ("the weights are squared", squared),
        ("the weight falls from one end to the other: the absolute value is missing",
         slope),
        ("the whole ends where the last of the pieces *in time* ends, which need not be the last "
         "one of the list", last_piece),
        ("the whole ends where the last of the pieces *in time* ends, which need not be the last "
         "one of the list", last_piece_at_once),
        ("the whole is as long as all pieces together: they overlap, so it is shorter",
         all_lengths),
        ("all pieces are put at the beginning: read `starts`", all_at_zero),
        ("each piece belongs to the start with the same number in the list: do not sort them",
         in_order),
        ("the triangle is upside down: the weight has to be largest in the middle", inverted),
        ("the pieces need not start at equal distances: read `starts`", even_steps),
        ("the pieces are put at 0, 1, 2, ...: read `starts`",
         lambda p, s: placed(p, s, range(len(p)))),
        ("all pieces are put at the beginning: read `starts`",
         lambda p, s: placed(p, s, [0] * len(p))),
        ("only the first piece is there: `return` is inside the loop",
         lambda p, s: placed(p, s, s[:1])),
        ("the factor 2 is missing: the weight rises to the end of the piece", half_as_steep),
        ("the pieces are multiplied by their weights twice", twice),
    ]  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    cases = []
    whole = (((8, 8, 8), (0, 5, 9)), ((6, 9), (0, 2)), ((5, 7, 5), (0, 3, 6)), ((12, 4), (0, 3)),
             ((5, 7, 4), (3, 0, 6)))  # fmt: skip
    for sizes, starts in whole:
        pieces = [1 + torch.randn(size, generator=generator) for size in sizes]
        cases.append({"pieces": pieces, "starts": list(starts)})
    problems = compare(function, _overlap_add, mistakes, cases)
    return verdict("Exercise 2", problems, len(cases), strict)


def _shortest(length: int, count: int, fade: int) -> int:
    return math.ceil((length - fade) / count) + fade


def _triangle(piece: Tensor) -> Tensor:
    """`[n]`: 1 in the middle, half a step above 0 at the ends."""
    places = (torch.arange(len(piece)) + 0.5) / len(piece)
    return 1 - (2 * places - 1).abs()


def _sums(
    pieces: list[Tensor], starts: Iterable[int], weigh: Callable, length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Sum of the weighted pieces and of the weights, both `[N]`; they end with the last piece."""
    ends = (start + len(piece) for piece, start in zip(pieces, starts, strict=True))
    length = max(ends) if length is None else length
    total, weights = torch.zeros(length), torch.zeros(length)
    for piece, start in zip(pieces, starts, strict=True):
        weight = weigh(piece)
        total[start : start + len(piece)] += weight * piece
        weights[start : start + len(piece)] += weight
    return total, weights


def _overlap_add(pieces: list[Tensor], starts: list[int]) -> Tensor:
    total, weights = _sums(pieces, starts, _triangle)
    return total / weights
