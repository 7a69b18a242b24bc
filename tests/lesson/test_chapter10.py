"""The checks of chapter 10: each likely mistake by name."""

import math

import pytest
import torch

from effifusion_lite.enhancement.windows import enhance_in_windows
from effifusion_lite.generator import preset
from effifusion_lite.lesson.checks import chapter10


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda n, w, f: (n - f) // (w - f), "round up, not down"),
        (lambda n, w, f: max(1, (n - f) // (w - f)), "a remainder needs a window too"),
        (lambda n, w, f: (n - f) // (w - f) + 1, "a window too many where the last one fits"),
        (lambda n, w, f: math.ceil(n / w), "windows overlap"),
        (lambda n, w, f: math.ceil(n / (w - f)), "not `window - fade`"),
        (lambda n, w, f: math.ceil((n - w) / (w - f)), "the windows after the first one"),
        (lambda n, w, f: math.ceil((n - f) / (w - f)), "shorter than the crossfade"),
        (lambda n, w, f: (n - f) / (w - f), "not rounded"),
    ],
)
def test_mistakes_in_exercise_1_are_named(mistake, message, capsys):
    assert chapter10.check_count(mistake) is False
    assert message in capsys.readouterr().out


def test_the_count_is_that_of_the_package():
    class Same(torch.nn.Module):
        """Counts its calls."""

        calls = 0

        def __init__(self):
            super().__init__()
            self.config = preset("tiny")
            self.weight = torch.nn.Parameter(torch.ones(()))

        def forward(self, magnitude, phase):
            self.calls += 1
            return magnitude, phase

    for length in (100, 16000, 16001, 28000, 28001):
        model = Same()
        blocks = [torch.ones(1, length).numpy()]
        list(enhance_in_windows(model, blocks, length, None, 1.0, 0.25))
        assert model.calls == chapter10._count(length, 16000, 4000)


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
    ],
)
def test_mistakes_in_exercise_2_are_named(mistake, message, capsys):
    assert chapter10.check_overlap_add(mistake) is False
    assert message in capsys.readouterr().out


def cut(starts, length, size):
    return torch.tensor([(s, min(s + size, length)) for s in starts]).reshape(-1, 2)


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
    ],
)
def test_mistakes_in_exercise_3_are_named(mistake, message, capsys):
    assert chapter10.check_windows(mistake) is False
    assert message in capsys.readouterr().out


def test_the_windows_cover_all_and_overlap_by_the_crossfade():
    for length in range(1, 60):
        windows = chapter10._windows(length, 8, 3)
        assert windows[0, 0] == 0 and windows[-1, 1] == length
        assert (windows[1:, 0] == windows[:-1, 1] - 3).all()
        assert len(windows) == chapter10._count(length, 8, 3)
