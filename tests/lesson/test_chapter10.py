"""The checks of chapter 10: each likely mistake by name."""

import math

import pytest
import torch

from effifusion_lite.enhancement.windows import enhance_in_windows
from effifusion_lite.generator import preset
from effifusion_lite.lesson.checks import chapter10, chapter10_windows


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda n, c, f: math.ceil(n / c), "would not overlap"),
        (lambda n, c, f: math.ceil((n - f) / c), "how much each window adds"),
        (lambda n, c, f: math.ceil((n + c * f) / c), "one fewer crossfade"),
        (lambda n, c, f: round((n - f) / c) + f, "to the nearest"),
        (lambda n, c, f: math.ceil((n - f) / c) + 2 * f, "added twice"),
        (lambda n, c, f: math.ceil((n - f) / c) - f, "longer, not shorter"),
        (lambda n, c, f: torch.tensor(math.ceil((n - f) / c) + f), "where a number is expected"),
        (lambda n, c, f: math.ceil((n + f) / c), "more than one crossfade"),
        (lambda n, c, f: (n - f) // c + f, "rounded down"),
        (lambda n, c, f: (n - f) // c + f + 1, "a sample too many"),
        (lambda n, c, f: (n - f) / c + f, "a part of a sample"),
        (lambda n, c, f: max(1, -(-(n - f) // (c - f))), "the formula of section 1"),
        (
            lambda n, c, f: -(-n // c) + (c - 1) * f // c,
            "right for length=10, wrong for length=11 (4 where 5",
        ),
    ],
)
def test_mistakes_in_exercise_1_are_named(mistake, message, capsys):
    assert chapter10.check_window(mistake) is False
    assert message in capsys.readouterr().out


class Same(torch.nn.Module):
    """A generator that changes nothing and counts its calls."""

    def __init__(self):
        super().__init__()
        self.config = preset("tiny")
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.calls = 0

    def forward(self, magnitude, phase):
        self.calls += 1
        return magnitude, phase


@pytest.mark.parametrize(("length", "count"), [(40000, 3), (40001, 3), (20000, 1), (51234, 4)])
def test_the_shortest_window_is_that_of_the_package(length, count):
    fade = 4000
    shortest = chapter10._shortest(length, count, fade)
    for window, expected in ((shortest, count), (shortest - 1, count + 1)):
        model, blocks = Same(), [torch.ones(1, length).numpy()]
        for _ in enhance_in_windows(model, blocks, length, None, window / 16000, fade / 16000):
            pass
        assert model.calls == expected


def weighed(pieces, starts, weigh):
    length = max(s + len(p) for p, s in zip(pieces, starts, strict=True))
    total, weights = torch.zeros(length), torch.zeros(length)
    for piece, start in zip(pieces, starts, strict=True):
        weight = weigh(len(piece))
        total[start : start + len(piece)] += weight * piece
        weights[start : start + len(piece)] += weight
    return total, weights


def triangle(n):
    return 1 - (2 * (torch.arange(n) + 0.5) / n - 1).abs()


def last_one_counts(pieces, starts):
    whole = torch.zeros(max(s + len(p) for p, s in zip(pieces, starts, strict=True)))
    for piece, start in zip(pieces, starts, strict=True):
        whole[start : start + len(piece)] = piece
    return whole


def divided(pair):
    return pair[0] / pair[1]


def to_length(pieces, starts, length):
    total, weights = torch.zeros(2, length)
    for piece, start in zip(pieces, starts, strict=True):
        total[start : start + len(piece)] += triangle(len(piece)) * piece
        weights[start : start + len(piece)] += triangle(len(piece))
    return total / weights


def placed(pieces, starts, places):
    """As many pieces as there are places, put there, as long as the whole."""
    length = max(s + len(p) for p, s in zip(pieces, starts, strict=True))
    return to_length(pieces[: len(places)], places, length)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda p, s: weighed(p, s, torch.ones)[0], "twice as loud"),
        (lambda p, s: weighed(p, s, triangle)[0], "divide by their sum"),
        (lambda p, s: divided(weighed(p, s, torch.ones)), "plain mean"),
        (
            lambda p, s: weighed(p, s, triangle)[0] / weighed(p, s, torch.ones)[1],
            "not by the sum of their weights",
        ),
        (
            lambda p, s: weighed(p, s, torch.ones)[0] / weighed(p, s, triangle)[1],
            "the pieces are not multiplied",
        ),
        (last_one_counts, "a later piece replaces"),
        (lambda p, s: torch.cat(p), "one after the other"),
        (
            lambda p, s: divided(weighed(p, s, lambda n: 1 - torch.linspace(-1, 1, n).abs())),
            "0 / 0",
        ),
        (lambda p, s: divided(weighed(p, s, lambda n: 1 - triangle(n))), "upside down"),
        (
            lambda p, s: divided(weighed(p, [(s[1] - s[0]) * i for i in range(len(s))], triangle)),
            "read `starts`",
        ),
        (
            lambda p, s: divided(weighed(p, s, lambda n: 1 - (2 * torch.arange(n) / n - 1).abs())),
            "0 / 0 is not a number",
        ),
        (lambda p, s: weighed(p, s, triangle)[0] / len(p), "the number of all pieces"),
        (lambda p, s: divided(weighed(p, s, lambda n: triangle(n) ** 2)), "are squared"),
        (
            lambda p, s: divided(weighed(p, s, lambda n: 2 - 2 * (torch.arange(n) + 0.5) / n)),
            "the absolute value is missing",
        ),
        (lambda p, s: to_length(p, s, s[-1] + len(p[-1])), "the last of the pieces *in time*"),
        (lambda p, s: to_length(p, s, sum(map(len, p))), "as long as all pieces"),
        (lambda p, s: divided(weighed(p, [0] * len(s), triangle)), "put at the beginning"),
        (lambda p, s: divided(weighed(p, sorted(s), triangle)), "do not sort them"),
        (lambda p, s: s.sort() or divided(weighed(p, s, triangle)), "in place (starts)"),
        (lambda p, s: divided(weighed(p, s, torch.hann_window)), "starts [0, 5, 9]"),
        (lambda p, s: divided(weighed(p, s, triangle)).numpy(), "starts [0, 5, 9]"),
        (lambda p, s: placed(p, s, range(len(p))), "are put at 0, 1, 2"),
        (lambda p, s: placed(p, s, [0] * len(p)), "put at the beginning"),
        (lambda p, s: placed(p, s, s[:1]), "`return` is inside the loop"),
        (
            lambda p, s: divided(
                weighed(p, s, lambda n: 1 - ((torch.arange(n) + 0.5) / n - 1).abs())
            ),
            "factor 2 is missing",
        ),
        (
            lambda p, s: weighed(p, s, lambda n: triangle(n) ** 2)[0] / weighed(p, s, triangle)[1],
            "by their weights twice",
        ),
    ],
)
def test_mistakes_in_exercise_2_are_named(mistake, message, capsys):
    assert chapter10.check_overlap_add(mistake) is False
    assert message in capsys.readouterr().out


def cut(starts, length, size):
    return torch.tensor([(s, min(s + size, length)) for s in starts]).reshape(-1, 2)


def equal(length, size, fade):
    count = max(1, math.ceil((length - fade) / (size - fade)))
    edges = [i * (length - fade) // count for i in range(count + 1)]
    return torch.tensor([(a, b + fade) for a, b in zip(edges, edges[1:], strict=False)])


def right(length, size, fade):
    return cut(range(0, max(1, length - fade), size - fade), length, size)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda n, z, f: cut(range(0, n - z, z - f), n, z), "the end of the recording"),
        (lambda n, z, f: cut(range(0, n - z + 1, z - f), n, z), "may be shorter"),
        (lambda n, z, f: cut(range(0, n, z - f), n, z), "a window too many"),
        (lambda n, z, f: cut(range(0, n, z), n, z), "do not overlap"),
        (
            lambda n, z, f: torch.tensor([(s, s + z) for s in range(0, max(1, n - f), z - f)]),
            "beyond the end",
        ),
        (lambda n, z, f: cut(range(0, n - f, z - f), n, z), "has no window"),
        (lambda n, z, f: cut(range(0, max(1, n - f), z), n, z), "do not overlap"),
        (lambda n, z, f: cut(range(0, max(1, n - f + 1), z - f), n, z), "exactly the crossfade"),
        (lambda n, z, f: cut(range(0, max(1, n - f), z - f - 1), n, z), "`fade + 1` samples"),
        (lambda n, z, f: right(n, z, f) - torch.tensor([0, 1]), "as in a slice"),
        (lambda n, z, f: right(n, z, f).flip(1), "the columns are swapped"),
        (lambda n, z, f: right(n, z, f).flip(0), "in the wrong order"),
        (lambda n, z, f: right(n, z, f) - right(n, z, f)[:, :1] * torch.tensor([0, 1]), "lengths"),
        (lambda n, z, f: right(n, 8, f), ": use the argument size ("),
        *(
            (lambda n, z, f, end=end: cut(range(0, end(n, z, f), z - f), n, z), message)
            for end, message in (
                (lambda n, z, f: max(n - z, 1), "only short recordings are mended"),
                (
                    lambda n, z, f: max(n - (z - f), 1),
                    "right for length=20, wrong for length=9 (shape",
                ),
                (
                    lambda n, z, f: max(n - z + f, 1),
                    "right for length=20, wrong for length=9 (shape",
                ),
                (
                    lambda n, z, f: max(n - z // 2, 1),
                    "right for length=20, wrong for length=9 (shape",
                ),
                (
                    lambda n, z, f: max(n - 2 * f, 1),
                    "right for length=20, wrong for length=9 (shape",
                ),
                (
                    lambda n, z, f: max(n - f - 1, 1),
                    "right for length=20, wrong for length=9 (shape",
                ),
                (
                    lambda n, z, f: max(n - f - 2, 1),
                    "right for length=20, wrong for length=9 (shape",
                ),
            )
        ),
        (
            lambda n, z, f: torch.tensor([[0, n]]) if n <= z else cut(range(0, n - z, z - f), n, z),
            "only short recordings are mended",
        ),
        (lambda n, z, f: cut(range(0, max(1, n - f), z + f), n, z), "do not share `fade` samples"),
        (
            lambda n, z, f: torch.tensor(
                [(s, max(s + z, n)) for s in range(0, max(1, n - f), z - f)]
            ),
            "`min`, not `max`",
        ),
        (equal, "in section 1 all are equally long"),
    ],
)
def test_mistakes_in_exercise_3_are_named(mistake, message, capsys):
    assert chapter10.check_windows(mistake) is False
    assert message in capsys.readouterr().out


def test_the_windows_cover_all_and_overlap_by_the_crossfade():
    for length in range(1, 60):
        windows = chapter10_windows._windows(length, 8, 3)
        assert windows[0, 0] == 0 and windows[-1, 1] == length
        assert (windows[1:, 0] == windows[:-1, 1] - 3).all()
        assert len(windows) == max(1, math.ceil((length - 3) / 5))
