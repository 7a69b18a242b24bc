"""Check of the spectral norm of chapter 06, found by power iteration."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from effifusion_lite.lesson.checks.outcome import equal
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

_SEED = 1
_MANY = 300  # turns after which power iteration has arrived


def check_spectral_norm(function: Callable, strict: bool = False) -> bool:
    """Check exercise 2: spectral norm by power iteration.

    Args:
        function: `(weight, turns) -> weight / sigma`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `weight` [O, ...], so is the result.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "this is the exact singular value: here it is what the given number of turns finds",
            lambda w, n: w / torch.linalg.svdvals(w.flatten(1))[0],
        ),
        (
            "this divides by the root of the sum of squares (the Frobenius norm), which is larger "
            "than the largest singular value",
            lambda w, n: w / w.norm(),
        ),
        (
            "there is one turn too many",
            lambda w, n: _normalised(w, n + 1),
        ),
        (
            "there is one turn too few",
            lambda w, n: _normalised(w, n - 1),
        ),
        (
            "no turn is made: repeat the two products `turns` times",
            lambda w, n: _normalised(w, 0),
        ),
        (
            "no turn is made, and the first v is not of length 1",
            lambda w, n: w / w.flatten(1).sum(1).norm(),
        ),
        (
            "the number of turns is fixed at one: use the argument turns",
            lambda w, n: _normalised(w, 1),
        ),
        (
            "the weight is multiplied by sigma: divide",
            lambda w, n: w * _sigma(w, n),
        ),
        (
            "the weight comes back as it was: divide it by sigma",
            lambda w, n: w,
        ),
        (
            "this is sigma itself: the result is the weight divided by it",
            _sigma,
        ),
        (
            "sigma is the length of the last W^T u, from before v was renewed: after the last turn "
            "it is |W v|",
            lambda w, n: w / _turned(w, n)[1],
        ),
        (
            "the root is taken of sigma: |W v| is sigma itself, |W^T W v| is its square",
            lambda w, n: w / _sigma(w, n).sqrt(),
        ),
        (
            "this divides by the square of sigma: |W^T W v| is its square, |W v| is sigma",
            lambda w, n: w / _sigma(w, n) ** 2,
        ),
        (
            "this divides by |W^T W v|, which is about the square of sigma: |W v| is sigma",
            lambda w, n: w / (w.flatten(1).T @ w.flatten(1) @ _turned(w, n)[0]).norm(),
        ),
        (
            "the last v is not of length 1: divide v by its norm in each turn, as well as u",
            lambda w, n: w / (_turned(w, n)[1] * _sigma(w, n)),
        ),
        (
            "the result is a matrix: give it the shape of the weight again",
            lambda w, n: _normalised(w, n).flatten(1),
        ),
        *(
            (
                "v is never brought to length 1, so it grows with each turn: divide it by its norm",
                lambda w, n, start=start: w / _grown(w, n, start),
            )
            for start in (True, False)
        ),
    ]
    generator = torch.Generator().manual_seed(_SEED)
    cases = [
        {"weight": torch.randn(shape, generator=generator), "turns": turns}
        for shape in ((8, 3, 4, 4), (9, 7))
        for turns in (2, 5)
    ]
    problems = compare(function, _normalised, mistakes, cases)
    said = problems[0] if problems else ""
    if said and said not in dict(mistakes) and "the values are right" not in said:
        problems = _about_turns(function, cases[0]["weight"]) or problems
    problems = problems or with_gradient(lambda: _wrong_at_the_end(function))
    return verdict("Exercise 2", problems, len(cases) + 2, strict)


def with_gradient(look: Callable[[], list[str]]) -> list[str]:
    """What a look at the gradients finds, or that the reader's function stops there.

    Args:
        look: calls the reader's function with inputs that want a gradient.

    Returns:
        Sentences that say what is wrong.
    """
    try:
        return look()
    except Exception as error:
        return [
            "the values are right, but with a gradient your function stopped with "
            f"{type(error).__name__}: {error}"
        ]


def _turned(weight: Tensor, turns: int) -> tuple[Tensor, Tensor]:
    """The direction v after some turns, and the length of W^T u in the last one."""
    matrix = weight.flatten(1)
    v = torch.ones_like(matrix[0]) / matrix.shape[1] ** 0.5
    length = v.norm()
    for _ in range(turns):
        u = nn.functional.normalize(matrix @ v, dim=0)
        length = (matrix.T @ u).norm()
        v = matrix.T @ u / length
    return v, length


def _sigma(weight: Tensor, turns: int) -> Tensor:
    return (weight.flatten(1) @ _turned(weight, turns)[0]).norm()


def _normalised(weight: Tensor, turns: int) -> Tensor:
    return weight / _sigma(weight, turns)


def _grown(weight: Tensor, turns: int, unit: bool) -> Tensor:
    """The length of W v where v grows; at first its length is 1, or its entries are."""
    matrix = weight.flatten(1)
    v = torch.ones_like(matrix[0]) / (matrix.shape[1] ** 0.5 if unit else 1)
    for _ in range(turns):
        v = matrix.T @ (matrix @ v)
    return (matrix @ v).norm()


def _about_turns(function: Callable, weight: Tensor) -> list[str]:
    """Say that the result has nothing to do with `turns`, or that only its beginning is wrong."""
    try:
        results = [function(weight.clone(), turns) for turns in (2, 2, 5, _MANY)]
    except Exception:
        return []  # `compare` has told what stopped
    if not all(isinstance(result, Tensor) for result in results):
        return []
    few, again, more, many = results
    if not equal(few, again):
        return ["the result is another one each time: begin with equal entries, not random ones"]
    if equal(few, more):
        return ["the result is the same after 2 turns and after 5: use the argument turns"]
    if equal(many, _normalised(weight, _MANY)):
        return [
            "after many turns the result is right, after few it is not: you begin elsewhere. Begin "
            "with a v of equal entries, one for each column of weight.flatten(1)"
        ]
    return []


def _wrong_at_the_end(function: Callable) -> list[str]:
    """Say that many turns overflow, or that sigma has no gradient."""
    generator = torch.Generator().manual_seed(_SEED)
    weight = torch.randn(6, 5, generator=generator).requires_grad_()
    direction = torch.randn(6, 5, generator=generator)
    result = function(weight, _MANY)
    exact = _normalised(weight, _MANY)
    if not result.isfinite().all():
        return [
            f"right for a few turns, but after {_MANY} the result is not finite: v grows with each "
            "turn, so bring it to length 1 each time"
        ]
    if not result.requires_grad:
        return ["the values are right, but no gradient can flow: stay with torch operations"]
    found, wanted = (
        torch.autograd.grad((direction * value).sum(), weight)[0] for value in (result, exact)
    )
    if not equal(found, wanted):
        return [
            "the values are right, but sigma carries no gradient: compute its last line, |W v|, "
            "with torch, without .item(), detach or no_grad"
        ]
    return []
