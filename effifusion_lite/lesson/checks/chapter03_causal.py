"""Check of exercise 1 of chapter 03: attention that never looks ahead."""

from collections.abc import Callable

import torch
from torch import Tensor

from effifusion_lite.lesson.checks.outcome import Case, run
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

_SEED = 1


def check_causal_weights(function: Callable, strict: bool = False) -> bool:
    """Check exercise 1: weights of attention that never looks ahead.

    Args:
        function: `(query, key) -> weights`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `query` and `key` [L, D], the result [L, L], row: who looks, column: at what.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "the scores are not scaled: divide them by sqrt(D), D = query.shape[-1]",
            lambda q, k: _weights(q @ k.T),
        ),
        (
            "the scores are divided by D: the scale is sqrt(D)",
            lambda q, k: _weights(q @ k.T / q.shape[1]),
        ),
        (
            "the scores are divided by sqrt(L), the length: the scale is sqrt(D), the size of "
            "one query",
            lambda q, k: _weights(q @ k.T / q.shape[0] ** 0.5),
        ),
        (
            "the scores are multiplied by sqrt(D): divide by it",
            lambda q, k: _weights(q @ k.T * q.shape[1] ** 0.5),
        ),
        (
            "softmax runs over the wrong axis: each row has to have the sum 1, so dim=-1",
            lambda q, k: _weights(_scores(q, k), dim=0),
        ),
        (
            "query and key are swapped: row i belongs to query i, query @ key.T",
            lambda q, k: _weights(_scores(k, q)),
        ),
        (
            "the mask is turned round: this looks ahead and never back; what has to go lies above "
            "the diagonal",
            lambda q, k: _weights(_scores(q, k), kept=_back(q).T),
        ),
        (
            "there is no mask: place i still looks at places after i",
            lambda q, k: torch.softmax(_scores(q, k), -1),
        ),
        (
            "the mask comes after softmax, so that the rows no longer have the sum 1: set the "
            "scores to -inf before it",
            lambda q, k: torch.softmax(_scores(q, k), -1) * _back(q),
        ),
        (
            "the mask comes after a softmax over the columns: set the scores to -inf before it, "
            "and take dim=-1, so that each row has the sum 1",
            lambda q, k: torch.softmax(_scores(q, k), 0) * _back(q),
        ),
        (
            "after the mask the columns have the sum 1, not the rows: divide by .sum(-1, "
            "keepdim=True), or mask the scores before softmax",
            lambda q, k: _shares(torch.softmax(_scores(q, k), -1) * _back(q), dim=0),
        ),
        (
            "softmax is missing: these are scores, and weights are positive with the sum 1 in "
            "each row",
            lambda q, k: _masked(_scores(q, k), _back(q)),
        ),
        (
            "softmax is missing: these are scores, with 0 above the diagonal, and weights are "
            "positive with the sum 1 in each row",
            lambda q, k: _scores(q, k) * _back(q),
        ),
        (
            "each score is divided by the sum of its row, but e is not raised to it first: softmax "
            "does both",
            lambda q, k: _shares(_scores(q, k) * _back(q)),
        ),
        (
            "the root comes after softmax: divide the scores by it, before softmax",
            lambda q, k: _weights(q @ k.T) / q.shape[1] ** 0.5,
        ),
        (
            "every number is NaN. Do you multiply a mask by -inf? 0 * -inf is NaN: take "
            "masked_fill, or torch.where",
            lambda q, k: torch.full((len(q), len(q)), torch.nan),
        ),
        (
            "a place may not look at itself here: keep the diagonal",
            lambda q, k: _weights(_scores(q, k), kept=_back(q).tril(-1)),
        ),
    ]
    generator = torch.Generator().manual_seed(_SEED)
    cases = [
        {
            "query": loud * torch.randn(length, size, generator=generator),
            "key": torch.randn(length, size, generator=generator),
        }
        for length, size, loud in ((5, 4, 1), (9, 4, 1), (9, 16, 1), (5, 3, 20))
    ]
    mistakes += _filled_with_a_number(function, cases)
    problems = compare(function, lambda q, k: _weights(_scores(q, k)), mistakes, cases)
    return verdict("Exercise 1", problems, len(cases), strict)


def _scores(query: Tensor, key: Tensor) -> Tensor:
    return query @ key.T / query.shape[-1] ** 0.5


def _back(query: Tensor) -> Tensor:
    return torch.ones(len(query), len(query)).tril()


def _weights(scores: Tensor, dim: int = -1, kept: Tensor | None = None) -> Tensor:
    return torch.softmax(_masked(scores, _back(scores) if kept is None else kept), dim)


def _masked(scores: Tensor, kept: Tensor, fill: float = -torch.inf) -> Tensor:
    return scores.masked_fill(kept == 0, fill)


def _shares(weights: Tensor, dim: int = -1) -> Tensor:
    return weights / weights.sum(dim, keepdim=True)


def _filled_with_a_number(function: Callable, cases: list[Case]) -> Mistakes:
    """The mistake that sets the masked scores to a number, which the first result tells."""
    scores = _scores(*cases[0].values())
    result = run(function, lambda *_: scores, cases[0]).result
    if result is None or result.shape != scores.shape or not (result[0, :2] > 0).all():
        return []
    number = round(float(scores[0, 0] + (result[0, 1] / result[0, 0]).log()), 4) + 0.0  # no -0
    return [
        (
            f"the masked scores are {number:.4g}, and e to the power {number:.4g} is not 0: set "
            "them to -inf",
            lambda q, k: torch.softmax(_masked(_scores(q, k), _back(q), number), -1),
        )
    ]
