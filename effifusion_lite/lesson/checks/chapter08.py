"""Checks of the exercises of chapter 08, training on VoiceBank+DEMAND."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from effifusion_lite.lesson.checks.outcome import run
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict
from effifusion_lite.training import TrainingConfig

DIVIDED = "a speaker is on both sides: hold out all pairs of a speaker, or none"
TRAINING, VALIDATION, LEFT_OUT = 0, 1, -1  # parts of exercise 3


def check_rate(function: Callable, strict: bool = False) -> bool:
    """Check exercise 1: warm-up, constant rate, cool-down.

    Args:
        function: `(step, steps, warmup, cooldown) -> factor`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """

    def late(step, steps, warmup, cooldown):
        return min(1.0, step / warmup, (steps - step) / (cooldown * steps))

    def no_warmup(step, steps, warmup, cooldown):
        return min(1.0, (steps - step) / (cooldown * steps))

    def no_cooldown(step, steps, warmup, cooldown):
        return min(1.0, (step + 1) / warmup)

    def begins_there(step, steps, warmup, cooldown):
        return _rate(step, steps, warmup, 1 - cooldown)

    def to_the_end(step, steps, warmup, cooldown):
        return min(1.0, (step + 1) / warmup, (steps - step - 1) / (cooldown * steps))

    def cosine(step, steps, warmup, cooldown):
        rising = min(1.0, (step + 1) / warmup)
        falling = min(1.0, (steps - step) / (cooldown * steps))
        return rising if rising < 1 else 0.5 - 0.5 * math.cos(math.pi * falling)

    def only_cosine(step, steps, warmup, cooldown):
        progress = max(0.0, (step - warmup) / (steps - warmup))
        falling = 0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * progress))
        return (step + 1) / warmup if step < warmup else falling

    def not_steep(step, steps, warmup, cooldown):
        falling = 1 - max(0.0, (step - (1 - cooldown) * steps) / steps)
        return min((step + 1) / warmup, falling)

    def product(step, steps, warmup, cooldown):
        return (step + 1) / warmup * (steps - step) / (cooldown * steps)

    def largest(step, steps, warmup, cooldown):
        return max((step + 1) / warmup, 1.0, (steps - step) / (cooldown * steps))

    def whole(step, steps, warmup, cooldown):
        return min((step + 1) // warmup, 1, (steps - step) / (cooldown * steps))

    mistakes: Mistakes = [
        ("step 0 has the factor 0, so nothing is learnt in it: count from step + 1", late),
        ("the warm-up is missing: the first steps have a small factor", no_warmup),
        ("the cool-down is missing: the factor falls over the last `cooldown * steps` steps",
         no_cooldown),
        ("`cooldown` is the share in which the rate falls, not the place where the fall begins",
         begins_there),
        ("the last step has the factor 0: zero would be reached one step after the last",
         to_the_end),
        ("the fall is a straight line, not a cosine", cosine),
        ("this is the second plan, a cosine; here the rate stays at 1 and falls in a straight line",
         only_cosine),
        ("the fall is not steep enough: it takes `cooldown * steps` steps from 1 to 0", not_steep),
        ("the factor goes beyond 1: take the smallest of the lines, not their product", product),
        ("this is the largest of the lines: the factor is never above any of them", largest),
        ("the warm-up jumps from 0 to 1: // divides without a remainder, / gives a line", whole),
    ]  # fmt: skip
    plans = ((100, 10, 0.4), (50, 5, 0.2), (1000, 40, 0.5))
    cases = [
        {"step": step, "steps": steps, "warmup": warmup, "cooldown": cooldown}
        for steps, warmup, cooldown in plans
        for step in (0, warmup // 2, warmup, steps // 3, round(0.9 * steps), steps - 1)
    ]
    problems = compare(function, _rate, mistakes, cases)
    return verdict("Exercise 1", problems, len(cases), strict)


def check_split(function: Callable, strict: bool = False) -> bool:
    """Check exercise 2: hold out whole speakers.

    Args:
        function: `(speakers, share) -> held_out`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `speakers` [n] names, `held_out` [n] bool.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """

    def share_of_speakers(speakers, share):
        chosen = _by_count(speakers)
        return np.isin(speakers, chosen[: math.ceil(share * len(chosen))])

    def largest(speakers, share):
        return _held_out(speakers, share, _by_count(speakers)[::-1])

    def by_name(speakers, share):
        return _held_out(speakers, share, sorted(set(speakers.tolist())))

    def one_less(speakers, share):
        names = _by_count(speakers)
        count = len(set(speakers[_held_out(speakers, share, names)].tolist()))
        return np.isin(speakers, names[: count - 1])

    def one_more(speakers, share):
        names = _by_count(speakers)
        count = len(set(speakers[_held_out(speakers, share, names)].tolist()))
        return np.isin(speakers, names[: count + 1])

    def never_more(speakers, share):
        held_out = np.zeros(len(speakers), bool)
        for name in _by_count(speakers):
            if (held_out | (speakers == name)).mean() <= share:
                held_out |= speakers == name
        return held_out

    def beyond(speakers, share):
        held_out = np.zeros(len(speakers), bool)
        for name in _by_count(speakers):
            if held_out.mean() <= share:
                held_out |= speakers == name
        return held_out

    def one_speaker(speakers, share):
        return np.isin(speakers, _by_count(speakers)[:1])

    mistakes: Mistakes = [
        ("`share` is a share of the pairs, not of the speakers", share_of_speakers),
        ("the speakers with the fewest pairs go first; this begins with those who have most",
         largest),
        ("the speakers with the fewest pairs go first; this takes them by their names", by_name),
        ("too few: with the last speaker the share is reached, so this one is held out, too",
         one_less),
        ("too few: at least the share is held out, so it may be a little more", never_more),
        ("too many: stop as soon as the share is reached", one_more),
        ("too many where the share is reached exactly: then nobody else is needed", beyond),
        ("only one speaker is held out: go on until the share is reached", one_speaker),
        ("everything is held out", lambda speakers, share: np.ones(len(speakers), bool)),
        ("this marks what is left for the training: True stands for held out",
         lambda speakers, share: ~_split(speakers, share)),
    ]  # fmt: skip
    cases = []
    for seed, (counts, share) in enumerate(
        (((9, 2, 7, 3, 5), 0.1), ((4, 11, 6, 8, 3, 7, 5, 20), 0.5), ((5, 3, 8, 6, 2, 9, 4, 3), 0.2))
    ):
        names = [f"p{226 + 3 * i}" for i, count in enumerate(counts) for _ in range(count)]
        order = np.random.default_rng(seed).permutation(len(names))
        cases.append({"speakers": np.array(names)[order], "share": share})
    problems = compare(function, _split, mistakes, cases)
    if problems and any(_divides(function, case) for case in cases):
        problems = [DIVIDED]
    return verdict("Exercise 2", problems, len(cases), strict)


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
        )
    ]
    problems = compare(function, _parts, mistakes, cases)
    return verdict("Exercise 3", problems, len(cases), strict)


def _rate(step: int, steps: int, warmup: int, cooldown: float) -> float:
    plan = TrainingConfig(steps=steps, warmup=warmup, cooldown=cooldown)
    return plan.rate_at(step)


def _by_count(speakers: np.ndarray) -> list[str]:
    names, counts = np.unique(speakers, return_counts=True)
    return [name for _, name in sorted(zip(counts.tolist(), names.tolist(), strict=True))]


def _held_out(speakers: np.ndarray, share: float, order: list[str]) -> np.ndarray:
    held_out = np.zeros(len(speakers), bool)
    for name in order:
        if held_out.mean() >= share:
            break
        held_out |= speakers == name
    return held_out


def _split(speakers: np.ndarray, share: float) -> np.ndarray:
    return _held_out(speakers, share, _by_count(speakers))


def _divides(function: Callable, case: dict) -> bool:
    """Whether some, but not all pairs of a speaker are held out."""
    result, speakers = run(function, _split, case).result, case["speakers"]
    if result is None or result.shape != speakers.shape:
        return False
    marks = [result.numpy()[speakers == name] for name in set(speakers.tolist())]
    return any(mark.min() != mark.max() for mark in marks)


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
