"""Checks of the exercises of chapter 08, training on VoiceBank+DEMAND."""

import math
from collections.abc import Callable

import numpy as np

from effifusion_lite.lesson.checks.chapter08_parts import check_parts
from effifusion_lite.lesson.checks.outcome import run
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict
from effifusion_lite.training import TrainingConfig

__all__ = ["check_parts", "check_rate", "check_split"]
DIVIDED = "a speaker is on both sides: hold out all pairs of a speaker, or none"


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

    def no_ceiling(step, steps, warmup, cooldown):
        return min((step + 1) / warmup, (steps - step) / (cooldown * steps))

    def one_step_longer(step, steps, warmup, cooldown):
        return _rate(step, steps, warmup + 1, cooldown)

    def one_step_shorter(step, steps, warmup, cooldown):
        return _rate(step, steps, warmup - 1, cooldown)

    def after_the_warmup(step, steps, warmup, cooldown):
        return min(1.0, (step + 1) / warmup, (steps - step) / (cooldown * (steps - warmup)))

    def at_once(step, steps, warmup, cooldown):
        return min(1.0, (step + 1) / warmup) * (step < (1 - cooldown) * steps)

    def upside_down(step, steps, warmup, cooldown):
        return min(1.0, (step + 1) / warmup, (step - steps) / (cooldown * steps))

    def rises(step, steps, warmup, cooldown):
        begun = (1 - cooldown) * steps
        rising = min(1.0, (step + 1) / warmup)
        return rising if step < begun else (step - begun) / (cooldown * steps)

    def from_there(step, steps, warmup, cooldown):
        falling = 1 - (step - cooldown * steps) / (cooldown * steps)
        return min(1.0, (step + 1) / warmup, max(0.0, falling))

    mistakes: Mistakes = [
        ("step 0 has the factor 0, so nothing is learnt in it: count from step + 1", late),
        ("the warm-up is missing: the first steps have a small factor", no_warmup),
        ("the factor does not fall at the end: it falls over the last `cooldown * steps` steps "
         "(`cooldown` is a share, not a number of steps)", no_cooldown),
        ("`cooldown` is the share in which the rate falls, not the place where the fall begins",
         begins_there),
        ("`cooldown` is the share in which the rate falls: it begins to fall that much before the "
         "end", from_there),
        ("the last step has the factor 0: zero would be reached one step after the last",
         to_the_end),
        ("the fall is a straight line, not a cosine", cosine),
        ("this is the second plan, a cosine; here the rate stays at 1 and falls in a straight line",
         only_cosine),
        ("the fall is not steep enough: it takes `cooldown * steps` steps from 1 to 0", not_steep),
        ("the factor goes beyond 1: take the smallest of the lines, not their product", product),
        ("this is the largest of the lines: the factor is never above any of them", largest),
        ("the factor goes beyond 1 between the two lines: the third line of the plan is at 1",
         no_ceiling),
        ("the warm-up is a step too long: step `warmup - 1` has the factor 1", one_step_longer),
        ("the warm-up is a step too short: step `warmup - 1` is the first that has the factor 1",
         one_step_shorter),
        ("`cooldown` is a share of all steps, not of those after the warm-up", after_the_warmup),
        ("the factor drops to 0 at once: it should fall in a straight line", at_once),
        ("the factor is negative: what is left of the steps is `steps - step`", upside_down),
        ("the factor rises in the cool-down: it should fall from 1 towards 0", rises),
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

    def last_speaker(speakers, share):
        held_out = _split(speakers, share)
        last = [name for name in _by_count(speakers) if held_out[speakers == name].all()][-1]
        return speakers == last

    def ties_from_the_end(speakers, share):
        names = sorted(_by_count(speakers), reverse=True)
        names.sort(key=speakers.tolist().count)
        return _held_out(speakers, share, names)

    def ties_as_they_come(speakers, share):
        names = sorted(dict.fromkeys(speakers.tolist()), key=speakers.tolist().count)
        return _held_out(speakers, share, names)

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
        ("only the last of the speakers is held out: add each one to those before, with |=",
         last_speaker),
        ("of two speakers with equally many pairs, the one whose name comes first goes first",
         ties_from_the_end),
        ("of two speakers with equally many pairs, the one whose *name* comes first goes first, "
         "not the one who comes first in the list", ties_as_they_come),
        ("this holds out 1 − `share`, and leaves `share` for the training",
         lambda speakers, share: _split(speakers, 1 - share)),
        ("nobody is held out", lambda speakers, share: np.zeros(len(speakers), bool)),
        ("everything is held out", lambda speakers, share: np.ones(len(speakers), bool)),
        ("this marks what is left for the training: True stands for held out",
         lambda speakers, share: ~_split(speakers, share)),
    ]  # fmt: skip
    cases = []
    groups = (
        ((9, 2, 7, 3, 5), 0.1),
        ((4, 11, 6, 8, 3, 7, 5, 20), 0.5),
        ((5, 3, 8, 6, 2, 9, 4, 3), 0.2),
        ((6, 2, 9, 2, 2), 0.05),
    )
    for seed, (counts, share) in enumerate(groups):
        names = [f"p{226 + 3 * i}" for i, count in enumerate(counts) for _ in range(count)]
        order = np.random.default_rng(seed).permutation(len(names))
        cases.append({"speakers": np.array(names)[order], "share": share})
    problems = compare(function, _split, mistakes, cases)
    if problems and any(_divides(function, case) for case in cases):
        problems = [problem for problem in problems if "in place" in problem] or [DIVIDED]
    return verdict("Exercise 2", problems, len(cases), strict)


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
