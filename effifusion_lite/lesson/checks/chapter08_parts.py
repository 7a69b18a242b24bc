"""Check of chapter 08's bug hunt: crops of one recording for training and validation."""

from collections.abc import Callable

import torch
from torch import Tensor

from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

TRAINING, VALIDATION, LEFT_OUT = 0, 1, -1  # parts


def check_parts(function: Callable, strict: bool = False) -> bool:
    """Check exercise 3: crops of one recording for training and validation.

    Args:
        function: `(length, segment, hop, share) -> parts`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `parts` [crops], 0 for training, 1 for validation, -1 for neither.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """

    def leaks(length, segment, hop, share):
        starts, boundary = _starts(length, segment, hop, share)
        return (starts >= boundary).long()

    def in_validation(length, segment, hop, share):
        starts, boundary = _starts(length, segment, hop, share)
        return (starts + segment > boundary).long()

    def all_train(length, segment, hop, share):
        starts, boundary = _starts(length, segment, hop, share)
        return torch.where(starts < boundary, TRAINING, VALIDATION * (starts >= boundary + segment))

    def both_cut(length, segment, hop, share):
        starts, boundary = _starts(length, segment, hop, share)
        parts = _parts(length, segment, hop, share)
        return torch.where((starts >= boundary) & (starts < boundary + segment), LEFT_OUT, parts)

    def one_left_out(length, segment, hop, share):
        starts, boundary = _starts(length, segment, hop, share)
        parts = leaks(length, segment, hop, share)
        return torch.where((starts < boundary) & (starts + hop >= boundary), LEFT_OUT, parts)

    def by_middle(length, segment, hop, share):
        starts, boundary = _starts(length, segment, hop, share)
        return (starts + segment // 2 >= boundary).long()

    def after(length, segment, hop, share):
        starts, boundary = _starts(length, segment, hop, share)
        parts = _parts(length, segment, hop, share)
        return torch.where(starts == boundary, LEFT_OUT, parts)

    def touching(length, segment, hop, share):
        starts, boundary = _starts(length, segment, hop, share)
        parts = _parts(length, segment, hop, share)
        return torch.where(starts + segment == boundary, LEFT_OUT, parts)

    def half(length, segment, hop, share):
        starts, boundary = _starts(length, segment, hop, share)
        parts = leaks(length, segment, hop, share)
        over = (starts < boundary) & (starts + segment // 2 > boundary)
        return torch.where(over, LEFT_OUT, parts)

    def at_the_share(length, segment, hop, share):
        return _parts(length, segment, hop, 1 - share)

    def to_the_last_sample(length, segment, hop, share):
        starts, boundary = _starts(length, segment, hop, share)
        parts = _parts(length, segment, hop, share)
        return torch.where(starts + segment - 1 == boundary, TRAINING, parts)

    def a_hop_early(length, segment, hop, share):
        starts, boundary = _starts(length, segment, hop, share)
        parts = _parts(length, segment, hop, share)
        return torch.where(starts + hop >= boundary, VALIDATION, parts)

    def kept(length, segment, hop, share):
        parts = _parts(length, segment, hop, share)
        return parts[parts != LEFT_OUT]

    mistakes: Mistakes = [
        ("samples are heard in both parts: look at the crops that begin before the boundary and "
         "end after it", leaks),
        ("samples are heard in both parts: a crop over the boundary is half training, so the "
         "validation must not have it either", in_validation),
        ("samples are heard in both parts: training crops reach over the boundary still",
         all_train),
        ("too much is left out: a crop that begins at the boundary or after it is no leak",
         both_cut),
        ("only the last crop before the boundary is left out: with a small hop several reach over "
         "it", one_left_out),
        ("samples are heard in both parts: the middle of a crop tells nothing about its ends",
         by_middle),
        ("a crop that begins exactly at the boundary is all validation: keep it", after),
        ("a crop that ends exactly at the boundary reaches over nothing: keep it", touching),
        ("crops whose larger half lies in the training part are kept: they reach over the "
         "boundary, too", half),
        ("the first `share` is the validation here, not the last: the boundary is at "
         "(1 − share) · length", at_the_share),
        ("one sample is heard in both parts: the last sample of a crop is number "
         "start + segment − 1, and `boundary` is the first one of the validation",
         to_the_last_sample),
        ("the validation begins a crop too early: its crops start at the boundary or after it",
         a_hop_early),
        ("the crops that belong to neither part are missing: they stay, with −1", kept),
        ("the labels are swapped: 0 is training, 1 is validation",
         lambda *case: _swapped(_parts(*case))),
        ("nothing is left for the training", lambda *case: _parts(*case).clamp_min(0) * 0 + 1),
    ]  # fmt: skip
    cases = [
        {"length": length, "segment": segment, "hop": hop, "share": share}
        for length, segment, hop, share in (
            (1000, 100, 25, 0.2),
            (1000, 150, 50, 0.25),
            (640, 64, 8, 0.5),
            (900, 90, 30, 0.1),
            (1000, 101, 25, 0.2),
        )
    ]
    problems = compare(function, _parts, mistakes, cases)
    return verdict("Exercise 3", problems, len(cases), strict)


def _starts(length: int, segment: int, hop: int, share: float) -> tuple[Tensor, int]:
    return torch.arange(0, length - segment + 1, hop), round((1 - share) * length)


def _parts(length: int, segment: int, hop: int, share: float) -> Tensor:
    starts, boundary = _starts(length, segment, hop, share)
    parts = torch.full_like(starts, LEFT_OUT)
    parts[starts + segment <= boundary] = TRAINING
    parts[starts >= boundary] = VALIDATION
    return parts


def _swapped(parts: Tensor) -> Tensor:
    return torch.where(parts == LEFT_OUT, LEFT_OUT, 1 - parts)
