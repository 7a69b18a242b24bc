"""The checks of chapter 08: each likely mistake by name; and its small corpus."""

import csv
import math
import shutil
from collections import Counter

import numpy as np
import pytest
import soundfile
import torch

from effifusion_lite.audio import measure_snr
from effifusion_lite.data import read_pairs as pairs_of
from effifusion_lite.lesson import small_corpus as lesson
from effifusion_lite.lesson.checks import chapter08
from effifusion_lite.listening.corpus import VARIABLE


def rate(step, steps, warmup, cooldown):
    return min(1.0, (step + 1) / warmup, (steps - step) / (cooldown * steps))


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda s, n, w, c: min(1.0, s / w, (n - s) / (c * n)), "step 0 has the factor 0"),
        (lambda s, n, w, c: min(1.0, (n - s) / (c * n)), "the warm-up is missing"),
        (lambda s, n, w, c: min(1.0, (s + 1) / w), "does not fall at the end"),
        (lambda s, n, w, c: rate(s, n, w, 1 - c), "not the place where the fall begins"),
        (
            lambda s, n, w, c: min(1.0, (s + 1) / w, (n - s) / c),
            "the last `cooldown * steps` steps",
        ),
        (lambda s, n, w, c: min(1.0, (s + 1) / w, (n - s - 1) / (c * n)), "the last step"),
        (
            lambda s, n, w, c: (
                (s + 1) / w
                if s + 1 < w
                else 0.5 - 0.5 * math.cos(math.pi * min(1, (n - s) / (c * n)))
            ),
            "not a cosine",
        ),
        (
            lambda s, n, w, c: (
                (s + 1) / w
                if s < w
                else 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (s - w) / (n - w)))
            ),
            "the second plan",
        ),
        (
            lambda s, n, w, c: min((s + 1) / w, 1, 1 - (s - (1 - c) * n) / n),
            "not steep enough",
        ),
        (lambda s, n, w, c: (s + 1) / w * (n - s) / (c * n), "beyond 1"),
        (lambda s, n, w, c: max((s + 1) / w, 1.0, (n - s) / (c * n)), "the largest of the lines"),
        (lambda s, n, w, c: min((s + 1) // w, 1, (n - s) / (c * n)), "jumps from 0 to 1"),
        (lambda s, n, w, c: min(1.0, (s + 1) / w, (n - s) / c), "not a number of steps"),
        (lambda s, n, w, c: min((s + 1) / w, (n - s) / (c * n)), "the third line of the plan"),
        (lambda s, n, w, c: rate(s, n, w + 1, c), "a step too long"),
        (lambda s, n, w, c: rate(s, n, w - 1, c), "a step too short"),
        (
            lambda s, n, w, c: min(1.0, (s + 1) / w, (n - s) / (c * (n - w))),
            "not of those after the warm-up",
        ),
        (lambda s, n, w, c: min(1.0, (s + 1) / w) if s < (1 - c) * n else 0.0, "drops to 0"),
        (lambda s, n, w, c: min(1.0, (s + 1) / w, (s - n) / (c * n)), "is negative"),
        (
            lambda s, n, w, c: (
                min(1.0, (s + 1) / w) if s < n - c * n else (s - (1 - c) * n) / (c * n)
            ),
            "rises in the cool-down",
        ),
        (
            lambda s, n, w, c: min(1.0, (s + 1) / w, max(0.0, 2 - s / (c * n))),
            "that much before the end",
        ),
        (lambda s, n, w, c: rate(s, 100, w, c), "use the argument steps ("),
        (lambda s, n, w, c: rate(s, n, 10, c), "use the argument warmup ("),
        (lambda s, n, w, c: rate(s, n, w, 0.4), "use the argument cooldown ("),
        (lambda s, n, w, c: 0.002 * rate(s, n, w, c), "a constant factor"),
    ],
)
def test_mistakes_in_exercise_1_are_named(mistake, message, capsys):
    assert chapter08.check_rate(mistake) is False
    assert message in capsys.readouterr().out


def in_order(speakers, backwards=False, by_name=False):
    counts = Counter(sorted(speakers.tolist()))
    names = sorted(counts) if by_name else sorted(counts, key=counts.get)
    return names[::-1] if backwards else names


def while_it(speakers, goes_on):
    """Speakers are added as long as the numbers of pairs before and after allow it."""
    held_out = np.zeros(len(speakers), bool)
    for name in in_order(speakers):
        if goes_on(held_out.sum(), held_out.sum() + (speakers == name).sum()):
            held_out |= speakers == name
    return held_out


def taken(speakers, share, names, more=0):
    number = next(k for k in range(99) if np.isin(speakers, names[:k]).mean() >= share)
    return np.isin(speakers, names[: number + more])


def ties(speakers, order):
    """Names by their number of pairs, equal ones in a given order."""
    return sorted(dict.fromkeys(order), key=speakers.tolist().count)


def last_of(speakers, share):
    names = in_order(speakers)
    return next(n for k, n in enumerate(names, 1) if np.isin(speakers, names[:k]).mean() >= share)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda s, p: np.arange(len(s)) >= len(s) - math.ceil(p * len(s)), "on both sides"),
        (lambda s, p: np.arange(len(s)) < math.ceil(p * len(s)), "on both sides"),
        (
            lambda s, p: np.isin(s, in_order(s)[: math.ceil(p * len(set(s.tolist())))]),
            "not of the speakers",
        ),
        (lambda s, p: taken(s, p, in_order(s, backwards=True)), "those who have most"),
        (lambda s, p: taken(s, p, in_order(s, by_name=True)), "by their names"),
        (lambda s, p: taken(s, p, in_order(s), -1), "too few"),
        (lambda s, p: taken(s, p, in_order(s), 1), "too many"),
        (lambda s, p: while_it(s, lambda _, after: after <= p * len(s)), "a little more"),
        (lambda s, p: while_it(s, lambda before, _: before <= p * len(s)), "reached exactly"),
        (lambda s, p: np.random.default_rng(0).random(len(s)) < p, "on both sides"),
        (lambda s, p: taken(s, 0.2, in_order(s)), "use the argument"),
        (lambda s, p: s == in_order(s)[0], "only one speaker"),
        (lambda s, p: ~taken(s, p, in_order(s)), "True stands for held out"),
        (lambda s, p: s == last_of(s, p), "only the last of the speakers"),
        (lambda s, p: taken(s, p, ties(s, sorted(s.tolist(), reverse=True))), "equally many"),
        (lambda s, p: taken(s, p, ties(s, s.tolist())), "first in the list"),
        (lambda s, p: taken(s, 1 - p, in_order(s)), "leaves `share` for the training"),
        (lambda s, p: np.zeros(len(s), bool), "nobody is held out"),
        (lambda s, p: s.sort() or taken(s, p, in_order(s)), "changes its input in place"),
        (lambda s, p: np.unique(s), "an array of str"),
        (lambda s, p: np.flatnonzero(taken(s, p, in_order(s))), "shape ["),
    ],
)
def test_mistakes_in_exercise_2_are_named(mistake, message, capsys):
    assert chapter08.check_split(mistake) is False
    assert message in capsys.readouterr().out


def cut(length, segment, hop, share):
    return torch.arange(0, length - segment + 1, hop), round((1 - share) * length)


def parts(case, training, validation):
    """Labels from what makes a crop training or validation, of its start and the boundary."""
    starts, boundary = cut(*case)
    labels = torch.full_like(starts, -1)
    labels[training(starts, boundary)] = 0
    labels[validation(starts, boundary)] = 1
    return labels


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            lambda *c: parts(c, lambda s, b: s < b, lambda s, b: s >= b),
            "begin before the boundary and end after it",
        ),
        (
            lambda *c: parts(c, lambda s, b: s + c[1] <= b, lambda s, b: s + c[1] > b),
            "half training",
        ),
        (
            lambda *c: parts(c, lambda s, b: s + c[1] <= b, lambda s, b: s >= b + c[1]),
            "too much is left out",
        ),
        (
            lambda *c: parts(c, lambda s, b: s + c[2] < b, lambda s, b: s >= b),
            "only the last crop",
        ),
        (
            lambda *c: parts(c, lambda s, b: s + c[1] < b, lambda s, b: s >= b),
            "exactly at the boundary",
        ),
        (
            lambda *c: parts(c, lambda s, b: s + c[1] // 2 <= b, lambda s, b: s >= b),
            "larger half",
        ),
        (
            lambda *c: parts(c, lambda s, b: s >= b, lambda s, b: s + c[1] <= b),
            "the labels are swapped",
        ),
        (
            lambda *c: parts(c, lambda s, b: s + c[1] // 2 < b, lambda s, b: s + c[1] // 2 >= b),
            "the middle of a crop",
        ),
        (
            lambda *c: parts(c, lambda s, b: s + c[1] <= b, lambda s, b: s > b),
            "begins exactly at the boundary",
        ),
        (lambda *c: torch.ones(len(cut(*c)[0]), dtype=torch.int64), "nothing is left"),
        (
            lambda *c: parts(c, lambda s, b: s + c[1] - 1 <= b, lambda s, b: s >= b),
            "one sample is heard in both",
        ),
        (
            lambda *c: parts((*c[:3], 1 - c[3]), lambda s, b: s + c[1] <= b, lambda s, b: s >= b),
            "not the last: the boundary",
        ),
        (
            lambda *c: parts(c, lambda s, b: s + c[1] <= b, lambda s, b: s + c[2] >= b),
            "a crop too early",
        ),
        (
            lambda *c: (lambda found: found[found >= 0])(
                parts(c, lambda s, b: s + c[1] <= b, lambda s, b: s >= b)
            ),
            "they stay, with −1",
        ),
        (
            lambda *c: 2 + parts(c, lambda s, b: s + c[1] <= b, lambda s, b: s >= b),
            "values are wrong, the first at [0]: 2 where 0 is expected",
        ),
        (
            lambda *c: parts(c, lambda s, b: s + 100 <= b, lambda s, b: s >= b),
            ": look at what your function does with segment (",
        ),
    ],
)
def test_mistakes_in_exercise_3_are_named(mistake, message, capsys):
    assert chapter08.check_parts(mistake) is False
    assert message in capsys.readouterr().out


def test_the_right_parts_share_no_sample():
    """The property that the exercise prints, for what the check takes as right."""
    for case in ((1000, 100, 25, 0.2), (640, 64, 16, 0.5)):
        labels = parts(case, lambda s, b, case=case: s + case[1] <= b, lambda s, b: s >= b)
        starts, _ = cut(*case)
        heard = [
            {n for s in starts[labels == part].tolist() for n in range(s, s + case[1])}
            for part in (0, 1)
        ]
        assert heard[0] and heard[1] and not heard[0] & heard[1]


# ---- the small corpus --------------------------------------------------------------------------


def test_small_corpus_is_in_the_shape_of_the_large_one(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    rows = lesson.small_corpus(tmp_path / "corpus")
    with open(tmp_path / "corpus" / "manifest.csv", newline="") as file:
        assert [*csv.DictReader(file)] == rows
    of = {split: [r for r in rows if r["split"] == split] for split in ("train", "valid")}
    assert len(of["train"]) == 191 and len(of["valid"]) == lesson.LIMITS["valid"]
    assert not {r["speaker"] for r in of["train"]} & {r["speaker"] for r in of["valid"]}
    conditions = Counter((r["noise"], r["snr_db"]) for r in of["train"])
    assert len(conditions) == 24 and max(conditions.values()) - min(conditions.values()) <= 1
    assert len(pairs_of(tmp_path / "corpus" / "train")) == 191
    some = rows[::20]
    for row, (clean, noisy) in zip(some, lesson.read_pairs(tmp_path / "corpus", some), strict=True):
        assert len(clean) == len(noisy) == round(16000 * float(row["duration_s"]))
        assert measure_snr(clean, noisy - clean) == pytest.approx(float(row["snr_db"]), abs=0.1)


def prepared(folder, splits):
    """A prepared folder: tones under names of the corpus."""
    rows = []
    for split in splits:
        for side in ("clean", "noisy"):
            (folder / split / side).mkdir(parents=True)
        for number in range(30):
            name = f"p{len(splits) + len(split)}_{number:03}.flac"
            for side in ("clean", "noisy"):
                tone = 0.1 * np.sin(np.arange(1600) * (number + 1) / 50)
                soundfile.write(folder / split / side / name, tone, 16000)
            values = (name, split, name[:2], "F", "bus", "2.5", "0.1", "Say it.")
            rows.append(dict(zip(lesson.COLUMNS, values, strict=True)))
    with open(folder / "manifest.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, lesson.COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def test_a_part_of_a_prepared_corpus_takes_its_place(tmp_path, monkeypatch):
    prepared(tmp_path / "vbd", ("train", "valid", "test"))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "vbd"))
    rows = lesson.small_corpus(tmp_path / "corpus")
    assert Counter(r["split"] for r in rows) == {"train": 30, "valid": lesson.LIMITS["valid"]}
    for row in rows:
        place = f"{row['split']}/noisy/{row['file']}"
        copied, kept = (tmp_path / where / place for where in ("corpus", "vbd"))
        assert copied.read_bytes() == kept.read_bytes()


def test_without_training_pairs_the_built_in_clips_are_taken(tmp_path, monkeypatch):
    prepared(tmp_path / "vbd", ("test",))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "vbd"))
    rows = lesson.small_corpus(tmp_path / "corpus")
    assert "alan" in {row["speaker"] for row in rows}
    shutil.rmtree(tmp_path / "corpus" / "valid")
    assert lesson.small_corpus(tmp_path / "corpus") == rows  # a second call makes it whole
