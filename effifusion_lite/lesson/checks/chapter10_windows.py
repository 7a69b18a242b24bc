"""Check of the exercise of chapter 10 that is about the windows of a recording."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict


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

    def no_overlap_to_the_end(length, size, fade):
        return from_starts(range(0, max(1, length - fade), size), length, size)

    def one_more_sample(length, size, fade):
        return from_starts(range(0, max(1, length - fade + 1), size - fade), length, size)

    def too_close(length, size, fade):
        return from_starts(range(0, max(1, length - fade), size - fade - 1), length, size)

    def inclusive(length, size, fade):
        return _windows(length, size, fade) - torch.tensor([0, 1])

    def swapped(length, size, fade):
        return _windows(length, size, fade).flip(1)

    def backwards(length, size, fade):
        return _windows(length, size, fade).flip(0)

    def with_lengths(length, size, fade):
        windows = _windows(length, size, fade)
        return torch.stack([windows[:, 0], windows[:, 1] - windows[:, 0]], dim=1)

    def beyond(length, size, fade):
        starts = torch.arange(0, max(1, length - fade), size - fade)
        return torch.stack([starts, starts + size], dim=1)

    def none_for_short(length, size, fade):
        return from_starts(range(0, length - fade, size - fade), length, size)

    def shifted(length, size, fade):
        windows = beyond(length, size, fade)
        windows[-1] -= (windows[-1, 1] - length).clamp_min(0)
        return windows.clamp_min(0)

    def equal_windows(length, size, fade):
        count = max(1, -(-(length - fade) // (size - fade)))
        edges = [index * (length - fade) // count for index in range(count + 1)]
        rows = [(start, end + fade) for start, end in pairwise(edges)]
        return torch.tensor(rows).reshape(-1, 2)

    def one_if_short(length, size, fade):
        short = torch.tensor([[0, length]])
        return short if length <= size else too_few(length, size, fade)

    def one_at_least(length, size, fade):
        return from_starts(range(0, max(length - size, 1), size - fade), length, size)

    def wider(length, size, fade):
        return from_starts(range(0, max(1, length - fade), size + fade), length, size)

    def latest(length, size, fade):
        starts = torch.arange(0, max(1, length - fade), size - fade)
        return torch.stack([starts, (starts + size).clamp_min(length)], dim=1)

    only_short = "only short recordings are mended: of longer ones the end is in no window"
    mistakes: Mistakes = [
        ("the end of the recording is in no window: look at the last row", too_few),
        ("what does not fill a whole window is in no window: a window may be shorter", exact_only),
        ("there is a window too many: what begins less than `fade` samples before the end is in "
         "the window before already", too_many),
        ("the windows do not overlap: each starts `fade` samples before the end of the one before",
         no_overlap),
        ("the windows do not overlap: each starts `fade` samples before the end of the one before",
         no_overlap_to_the_end),
        (only_short, one_if_short),
        (only_short, one_at_least),
        ("neighbours do not share `fade` samples: they start every `size - fade`", wider),
        ("the windows go on beyond the end: `min`, not `max`, of the two ends", latest),
        ("here all windows but the last have `size` samples; in section 1 all are equally long",
         equal_windows),
        ("there is a window too many where exactly the crossfade is left over", one_more_sample),
        ("neighbours share `fade + 1` samples: they start every `size - fade`", too_close),
        ("an end is the place after the last sample of a window, as in a slice", inclusive),
        ("the columns are swapped: first the start, then the end", swapped),
        ("the rows are in the wrong order: the first window comes first", backwards),
        ("the second column holds lengths: it should hold ends", with_lengths),
        ("the last window goes on beyond the end of the recording", beyond),
        ("a recording that is not longer than the crossfade has no window: it needs one",
         none_for_short),
        ("the last window is moved back until it fits: it overlaps by more than `fade` samples",
         shifted),
    ]  # fmt: skip
    short = ((length, 8, 2) for length in range(1, 20))  # every length, through three windows
    sizes = ((20, 8, 2), (26, 8, 2), *short, (8, 8, 3), (5, 8, 3), (2, 8, 3), (40, 10, 4))
    cases = [dict(zip(("length", "size", "fade"), case, strict=True)) for case in sizes]
    problems = compare(function, _windows, mistakes, cases)
    return verdict("Exercise 3", problems, len(cases), strict)


def _windows(length: int, size: int, fade: int) -> Tensor:
    starts = range(0, max(1, length - fade), size - fade)
    return torch.tensor([(start, min(start + size, length)) for start in starts])
