"""Checks of the exercises of chapter 06, the GAN loop."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from effifusion_lite.lesson.checks.chapter06_norm import check_spectral_norm, with_gradient
from effifusion_lite.lesson.checks.chapter06_step import check_step, plain_networks
from effifusion_lite.lesson.checks.outcome import describe, equal
from effifusion_lite.lesson.checks.report import compare, verdict

__all__ = ["check_discriminator_loss", "check_spectral_norm", "check_step", "plain_networks"]

_SEED = 1


def check_discriminator_loss(function: Callable, strict: bool = False) -> bool:
    """Check exercise 1: the discriminator's loss, where labels may be missing.

    Args:
        function: `(of_clean, of_enhanced, labels) -> loss`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        three of [B], the result a scalar.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    generator = torch.Generator().manual_seed(_SEED)
    cases = {}
    for name, size, missing in (
        ("all labels known", 4, ()),
        ("some labels NaN", 5, (1, 3)),
        ("all labels NaN", 3, (0, 1, 2)),
    ):
        of_clean, of_enhanced, labels = torch.rand(3, size, generator=generator)
        labels[list(missing)] = torch.nan
        cases[name] = {"of_clean": of_clean, "of_enhanced": of_enhanced, "labels": labels}
    problems = compare(function, _loss, [*_mistakes_of_loss()], [*cases.values()])
    problems = problems or with_gradient(lambda: _wrong_gradient(function, cases))
    for name, case in cases.items():
        problems = [problem.replace(describe(case), name) for problem in problems]
    return verdict("Exercise 1", problems, 2 * len(cases), strict)


def _mistakes_of_loss() -> Iterator[tuple[str, Callable]]:
    def square(difference: Tensor) -> Tensor:
        return difference.square().mean()

    def second(opinions: Tensor, labels: Tensor, error: Callable = square) -> Tensor:
        known = ~labels.isnan()
        return error(opinions[known] - labels[known]) if known.any() else torch.zeros(())

    yield (
        "where labels are NaN your loss is NaN: pick the known pairs, x[~labels.isnan()]",
        lambda c, e, y: square(c - 1) + square(e - y),
    )
    yield (
        "where all labels are NaN your loss is NaN: the mean of no numbers. Leave the second term "
        "out there",
        lambda c, e, y: square(c - 1) + _known(e, y).mean(),
    )
    yield (
        "a missing label counts as 0, which is the worst score: leave the pair out",
        lambda c, e, y: square(c - 1) + square(e - y.nan_to_num()),
    )
    yield (
        "the second term is divided by all pairs, also by those without a label: take the mean "
        "over the known ones",
        lambda c, e, y: square(c - 1) + _known(e, y).sum() / len(y),
    )
    yield (
        "a pair without a label is left out of both terms: (clean, clean) needs no label",
        lambda c, e, y: second(c, torch.where(y.isnan(), y, 1.0)) + second(e, y),
    )
    yield (
        "where all labels are NaN your loss is 0: the term of (clean, clean) needs no label",
        lambda c, e, y: 0 * square(c) if y.isnan().all() else _loss(c, e, y),
    )
    for everywhere in (True, False):  # a target that is no label needs no mask
        for target, why in (
            (0.0, "0, as in a GAN of real and fake: here it is the label"),
            (1.0, "1: that is what the generator wants, not the discriminator"),
        ):
            yield (
                f"the target of (clean, enhanced) is {why}",
                lambda c, e, y, t=target, every=everywhere: (
                    square(c - 1) + (square(e - t) if every else second(e, 0 * y + t))
                ),
            )
        yield (
            "the two targets are swapped: (clean, clean) gets 1, (clean, enhanced) its label",
            lambda c, e, y, every=everywhere: (
                second(c, y) + (square(e - 1) if every else second(e, 0 * y + 1))
            ),
        )
    yield "the target of (clean, clean) is 0: it is 1", lambda c, e, y: square(c) + second(e, y)
    yield (
        "the target of (clean, clean) is the label: it is 1",
        lambda c, e, y: second(c, y) + second(e, y),
    )
    yield "the term of (clean, clean) is missing", lambda c, e, y: second(e, y)
    yield "the term of (clean, enhanced) is missing", lambda c, e, y: square(c - 1)
    yield (
        "the second term is subtracted: add the two terms",
        lambda c, e, y: square(c - 1) - second(e, y),
    )
    for text, error in (
        ("the sum of the squares: take their mean", lambda d: d.square().sum()),
        ("the root of the mean square: leave the root out", lambda d: d.square().mean().sqrt()),
        ("the mean of absolute errors: the loss takes squared ones", lambda d: d.abs().mean()),
        ("the mean of the errors: square them", torch.mean),
    ):
        for where, one, other in (
            ("each term", error, error),
            ("the first term", error, square),
            ("the second term", square, error),
        ):
            yield (
                f"{where} is {text}",
                lambda c, e, y, one=one, other=other: one(c - 1) + second(e, y, other),
            )


def _known(opinions: Tensor, labels: Tensor) -> Tensor:
    known = ~labels.isnan()
    return (opinions[known] - labels[known]).square()


def _loss(of_clean: Tensor, of_enhanced: Tensor, labels: Tensor) -> Tensor:
    loss = (of_clean - 1).square().mean()
    return loss if labels.isnan().all() else loss + _known(of_enhanced, labels).mean()


def _wrong_gradient(function: Callable, cases: dict[str, dict]) -> list[str]:
    """Say where no gradient, or a wrong one, comes back to the two opinions."""
    for name, case in cases.items():
        found, wanted = (_gradients(loss, **case) for loss in (function, _loss))
        for argument, mine, right in zip(("of_clean", "of_enhanced"), found, wanted, strict=True):
            if mine.isnan().any():
                return [
                    f"the values are right, but with {name} the gradient of {argument} is NaN: "
                    "backward multiplies by 0 what you mask after the subtraction, and 0 times NaN "
                    "is NaN. Pick the known pairs first"
                ]
            if not equal(mine, right):
                return [
                    f"the values are right, but with {name} the gradient of {argument} is "
                    f"{'wrong' if mine.any() else 'missing: nothing may be detached'}"
                ]
    return []


def _gradients(loss: Callable, of_clean: Tensor, of_enhanced: Tensor, labels: Tensor) -> list:
    opinions = [opinion.clone().requires_grad_() for opinion in (of_clean, of_enhanced)]
    value = loss(*opinions, labels.clone())
    if value.requires_grad:
        value.backward()
    return [torch.zeros_like(o) if o.grad is None else o.grad for o in opinions]
