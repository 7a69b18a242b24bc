"""Checks of the exercises of chapter 03, dual-norm attention."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from effifusion_lite.attention import ConvolutionModule, DualNormAttention, TwoStageBlock
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

_SEED = 1
_CHANNELS = 8


class Layer:
    """A function with a name, which a copy leaves as it is."""

    def __init__(self, name: str, function: Callable):
        self.name, self.function = name, function

    def __call__(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self.function(x)

    def __repr__(self) -> str:
        return self.name

    def __deepcopy__(self, memo) -> "Layer":
        return self


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
            "the masked scores are 0, and exp(0) is 1: set them to -inf",
            lambda q, k: torch.softmax(_scores(q, k) * _back(q), -1),
        ),
        (
            "a place may not look at itself here: keep the diagonal",
            lambda q, k: _weights(_scores(q, k), kept=_back(q).tril(-1)),
        ),
    ]
    generator = torch.Generator().manual_seed(_SEED)
    cases = [
        {
            "query": torch.randn(length, size, generator=generator),
            "key": torch.randn(length, size, generator=generator),
        }
        for length, size in ((5, 4), (9, 4), (9, 16), (5, 3))
    ]
    problems = compare(function, lambda q, k: _weights(_scores(q, k)), mistakes, cases)
    return verdict("Exercise 1", problems, len(cases), strict)


def check_mixes(function: Callable, strict: bool = False) -> bool:
    """Check exercise 2: along which axes does a layer mix?

    Args:
        function: `(layer, x) -> mixes`; `layer` maps a tensor to one of the same shape.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `x` [B, T, F, C], the result three truth values: batch, time, frequency.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "time and frequency are swapped: the order is batch, time, frequency, as in x",
            lambda layer, x: _mixes(layer, x)[[0, 2, 1]],
        ),
        (
            "all is turned round: True means that a change at one place moves another place",
            lambda layer, x: ~_mixes(layer, x),
        ),
        (
            "the changed place itself is counted: of course it moves; look at the other places of "
            "the axis only",
            lambda layer, x: torch.ones(3, dtype=torch.bool),
        ),
        (
            "the same number is added to all channels of a place, and a layer norm takes exactly "
            "that out again: change the channels differently, with torch.randn",
            lambda layer, x: _mixes(layer, x, change=torch.ones(_CHANNELS)),
        ),
        (
            "rounding is taken for mixing: compare with a small tolerance such as 1e-4, not with 0",
            lambda layer, x: _mixes(layer, x, tolerance=0.0),
        ),
    ]
    generator = torch.Generator().manual_seed(_SEED)
    x = torch.randn(3, 6, 5, _CHANNELS, generator=generator)
    cases = [{"layer": layer, "x": x} for layer in _layers()]
    problems = compare(function, _mixes, mistakes, cases)
    return verdict("Exercise 2", problems, len(cases), strict)


def check_along_time(function: Callable, strict: bool = False) -> bool:
    """Check exercise 3, the bug hunt: attention along time, with frequencies folded into the batch.

    Args:
        function: `(x, attend) -> y`; `attend` maps sequences [S, L, C] to the same shape.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `x` [B, T, F, C], the result the same.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "still the bug: reshape alone reads the numbers in the order of the memory, so a "
            "sequence holds pieces of several frequencies. Let your function of exercise 2 judge",
            _reshaped,
        ),
        (
            "the way in is right, the way out is not: the result has to be reshaped to "
            "[B, F, T, C] first, then transposed back",
            _out_untransposed,
        ),
        (
            "the result is [B, F, T, C]: transpose time and frequency back at the end",
            lambda x, attend: _along_time(x, attend).transpose(1, 2),
        ),
        (
            "this runs along frequency: a sequence has to hold the frames of one frequency",
            lambda x, attend: _along_time(x.transpose(1, 2), attend).transpose(1, 2),
        ),
        (
            "the items of the batch see each other: the sequences are [B * F, T, C], batch first",
            lambda x, attend: _along_time(
                x, lambda s: attend(s.transpose(0, 1).contiguous()).transpose(0, 1)
            ),
        ),
        (
            "frames of all items are one sequence: fold B and F, not B and T",
            _items_joined,
        ),
    ]
    torch.manual_seed(_SEED)
    attention = nn.MultiheadAttention(_CHANNELS, 2, batch_first=True).eval()
    attend = Layer("attention", lambda s: 10 * attention(s, s, s, need_weights=False)[0])
    generator = torch.Generator().manual_seed(_SEED)
    cases = [
        {"x": torch.randn(*shape, _CHANNELS, generator=generator), "attend": attend}
        for shape in ((2, 6, 5), (1, 4, 7), (3, 5, 5))
    ]
    problems = compare(function, _along_time, mistakes, cases)
    return verdict("Exercise 3", problems, len(cases), strict)


def _scores(query: Tensor, key: Tensor) -> Tensor:
    return query @ key.T / query.shape[-1] ** 0.5


def _back(query: Tensor) -> Tensor:
    return torch.ones(len(query), len(query)).tril()


def _weights(scores: Tensor, dim: int = -1, kept: Tensor | None = None) -> Tensor:
    kept = _back(scores) if kept is None else kept
    return torch.softmax(scores.masked_fill(kept == 0, -torch.inf), dim)


def _layers() -> list[Layer]:
    with torch.random.fork_rng():
        torch.manual_seed(_SEED)
        time, frequency = (DualNormAttention(_CHANNELS, axis, 4) for axis in ("time", "frequency"))
        convolution = ConvolutionModule(_CHANNELS, "time", 3, _CHANNELS)
        block = TwoStageBlock(_CHANNELS, 4, kernel_size=3)
        point = nn.Sequential(nn.LayerNorm(_CHANNELS), nn.Linear(_CHANNELS, _CHANNELS))
        leaking = nn.MultiheadAttention(_CHANNELS, 2)  # takes the first axis for time

    def leaks(x: Tensor) -> Tensor:
        sequences = x.transpose(1, 2).flatten(0, 1)  # [B * F, T, C]
        y = 10 * leaking(sequences, sequences, sequences, need_weights=False)[0]
        return y.unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2)

    def rounds(x: Tensor) -> Tensor:
        # A large mean comes and goes: what is left of it is rounding.
        normed = torch.nn.functional.layer_norm(x, x.shape[-1:])
        return normed + 3e-7 * normed.sum((0, 1, 2)).sin()

    return [
        Layer("attention along time", time),
        Layer("attention along frequency", frequency),
        Layer("a layer for each point alone", point),
        Layer("attention without batch_first", leaks),
        Layer("a convolution along time", convolution),
        Layer("a two-stage block", block),
        Layer("a layer that rounds", rounds),
    ]


def _mixes(
    layer: Callable, x: Tensor, tolerance: float = 1e-4, change: Tensor | None = None
) -> Tensor:
    if change is None:
        change = torch.randn(x.shape[-1], generator=torch.Generator().manual_seed(_SEED))
    changed = x.clone()
    changed[0, 0, 0] += change
    moved = (layer(changed) - layer(x)).abs().amax(-1) > tolerance  # [B, T, F]
    return torch.stack([moved[1:].any(), moved[:, 1:].any(), moved[:, :, 1:].any()])


def _along_time(x: Tensor, attend: Callable) -> Tensor:
    batch, _, bins, _ = x.shape
    sequences = x.transpose(1, 2).flatten(0, 1)  # [B * F, T, C]
    return attend(sequences).unflatten(0, (batch, bins)).transpose(1, 2)


def _reshaped(x: Tensor, attend: Callable) -> Tensor:
    batch, frames, bins, channels = x.shape
    return attend(x.reshape(batch * bins, frames, channels)).reshape(x.shape)


def _out_untransposed(x: Tensor, attend: Callable) -> Tensor:
    return attend(x.transpose(1, 2).flatten(0, 1)).reshape(x.shape)


def _items_joined(x: Tensor, attend: Callable) -> Tensor:
    batch, frames, bins, channels = x.shape
    sequences = x.flatten(0, 1).transpose(0, 1)  # [F, B * T, C]
    return attend(sequences).transpose(0, 1).reshape(batch, frames, bins, channels)
