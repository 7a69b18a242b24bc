"""Checks of the exercises of chapter 03, dual-norm attention."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from effifusion_lite.attention import ConvolutionModule, DualNormAttention, TwoStageBlock
from effifusion_lite.lesson.checks.chapter03_causal import check_causal_weights
from effifusion_lite.lesson.checks.outcome import Case, run
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

__all__ = ["check_along_time", "check_causal_weights", "check_mixes"]

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
            "the changed place is multiplied by a number, and a layer norm takes exactly that out "
            "again: add another number to each channel, with torch.randn",
            lambda layer, x: _mixes(layer, x, change=x[0, 0, 0]),
        ),
        (
            "you look along three lines through the changed place, and some layers leak "
            "diagonally: look at whole slices, so at all places in other items, in other frames, "
            "at other frequencies",
            lambda layer, x: _mixes(layer, x, lines=True),
        ),
        (
            "rounding is taken for mixing: compare with a small tolerance such as 1e-4, not with 0",
            lambda layer, x: _mixes(layer, x, tolerance=0.0),
        ),
    ]
    generator = torch.Generator().manual_seed(_SEED)
    x = torch.randn(3, 6, 5, _CHANNELS, generator=generator)
    cases = [{"layer": layer, "x": x} for layer in _layers()]
    mistakes += _numbers(function, cases)
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
        (
            "the way out is right, the way in is not: transpose time and frequency before you "
            "reshape, so that the numbers of one frequency follow each other",
            _in_untransposed,
        ),
        (
            "the way in is right; on the way out B and F are swapped: what was folded as [B, F] "
            "has to be unfolded as [B, F]",
            lambda x, attend: (
                attend(_sequences(x)).unflatten(0, (x.shape[2], len(x))).permute(1, 2, 0, 3)
            ),
        ),
        (
            "the way out is right; on the way in B and F are swapped: fold [B, F], in the order "
            "in which you unfold",
            lambda x, attend: _unfolded(attend(x.permute(2, 0, 1, 3).flatten(0, 1)), x),
        ),
        ("attend is never called: the result is x", lambda x, attend: x),
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


def _numbers(function: Callable, cases: list[Case]) -> Mistakes:
    """The mistake that gives numbers, such as counts, which are above 0 where True is right."""
    given = {}
    for case in cases:
        truth = _mixes(**case)
        result = run(function, _mixes, case).result
        if result is None or result.shape != truth.shape or not result.isfinite().all():
            return []
        if not torch.equal(result.real > 1e-4, truth):
            return []
        given[case["layer"]] = result
    return [
        (
            "these are numbers, above 0 where True is right: ask whether there is any, with "
            ".any() in place of .sum(), .mean() or .amax()",
            lambda layer, x: given[layer],
        )
    ]


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

    def diagonal(*dims: int) -> Callable:
        return lambda x: point(x) + x.roll([1] * len(dims), dims)

    return [
        Layer("attention along time", time),
        Layer("attention along frequency", frequency),
        Layer("a layer for each point alone", point),
        Layer("attention without batch_first", leaks),
        Layer("a convolution along time", convolution),
        Layer("a two-stage block", block),
        Layer("a layer that rounds", rounds),
        Layer("a layer that leaks from frame and frequency to the next of both", diagonal(1, 2)),
        Layer("a layer that leaks from item and frame to the next of both", diagonal(0, 1)),
    ]


def _mixes(
    layer: Callable,
    x: Tensor,
    tolerance: float = 1e-4,
    change: Tensor | None = None,
    lines: bool = False,
) -> Tensor:
    if change is None:
        change = torch.randn(x.shape[-1], generator=torch.Generator().manual_seed(_SEED))
    changed = x.clone()
    changed[0, 0, 0] += change
    moved = (layer(changed) - layer(x)).abs().amax(-1) > tolerance  # [B, T, F]
    if lines:
        return torch.stack([moved[1:, 0, 0].any(), moved[0, 1:, 0].any(), moved[0, 0, 1:].any()])
    return torch.stack([moved[1:].any(), moved[:, 1:].any(), moved[:, :, 1:].any()])


def _along_time(x: Tensor, attend: Callable) -> Tensor:
    return _unfolded(attend(_sequences(x)), x)


def _sequences(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(0, 1)  # [B * F, T, C]


def _unfolded(sequences: Tensor, x: Tensor) -> Tensor:
    return sequences.unflatten(0, (len(x), x.shape[2])).transpose(1, 2)


def _reshaped(x: Tensor, attend: Callable) -> Tensor:
    batch, frames, bins, channels = x.shape
    return attend(x.reshape(batch * bins, frames, channels)).reshape(x.shape)


def _out_untransposed(x: Tensor, attend: Callable) -> Tensor:
    return attend(_sequences(x)).reshape(x.shape)


def _in_untransposed(x: Tensor, attend: Callable) -> Tensor:
    batch, frames, bins, channels = x.shape
    return _unfolded(attend(x.reshape(batch * bins, frames, channels)), x)


def _items_joined(x: Tensor, attend: Callable) -> Tensor:
    batch, frames, bins, channels = x.shape
    sequences = x.flatten(0, 1).transpose(0, 1)  # [F, B * T, C]
    return attend(sequences).transpose(0, 1).reshape(batch, frames, bins, channels)
