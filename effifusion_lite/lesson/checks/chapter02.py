"""Checks of the exercises of chapter 02, depthwise-separable convolutions."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from effifusion_lite.lesson.checks.outcome import run
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

_EPS = 1e-5  # of the instance norm


def check_separable(function: Callable, strict: bool = False) -> bool:
    """Check exercise 1: a depthwise-separable convolution with two calls.

    Args:
        function: `(x, kernels, matrix, dilation) -> y`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `x` [B, C, T, F], `kernels` [C, 1, 3, 3], `matrix` [D, C], the result [B, D, T, F].

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "the padding does not grow with the dilation: the outer taps lie dilation frames away, "
            "so pad by dilation along time, and by 1 along frequency",
            lambda x, k, m, d: _pointwise(_depthwise(x, k, (d, 1), (1, 1)), m),
        ),
        (
            "the padding is missing: the result has to be as long as x",
            lambda x, k, m, d: _pointwise(_depthwise(x, k, (d, 1), (0, 0)), m),
        ),
        (
            "the dilation is not used: the taps lie dilation frames apart",
            lambda x, k, m, d: _pointwise(_depthwise(x, k, (1, 1)), m),
        ),
        (
            "the axes are swapped: the dilation runs along time, which comes before frequency",
            lambda x, k, m, d: _pointwise(_depthwise(x, k, (1, d)), m),
        ),
        (
            "the dilation runs along frequency too: give conv2d a pair, (dilation, 1)",
            lambda x, k, m, d: _pointwise(_depthwise(x, k, (d, d)), m),
        ),
        (
            "pointwise before depthwise: convolve each channel first, then mix the channels",
            lambda x, k, m, d: _depthwise(_pointwise(x, m), k, (d, 1)),
        ),
        (
            "the pointwise part is missing: mix the channels with the matrix",
            lambda x, k, m, d: _depthwise(x, k, (d, 1)),
        ),
        (
            "the depthwise part is missing: convolve each channel with its kernel",
            lambda x, k, m, d: _pointwise(x, m),
        ),
        (
            "the matrix is transposed: row d of it holds the weights of output channel d",
            lambda x, k, m, d: _pointwise(_depthwise(x, k, (d, 1)), m.T),
        ),
        (
            "the kernels are transposed: their first axis is time, as in x",
            lambda x, k, m, d: _pointwise(_depthwise(x, k.mT, (d, 1)), m),
        ),
        (
            "the kernels are flipped: what is called convolution here does not flip them",
            lambda x, k, m, d: _pointwise(_depthwise(x, k.flip(2, 3), (d, 1)), m),
        ),
    ]
    square = [_separable_case(4, 4, dilation) for dilation in (1, 2, 4)]
    others = [_separable_case(*sizes) for sizes in ((3, 5, 2), (4, 2, 2))]
    problems = compare(function, _separable, mistakes, square)
    if not problems:
        problems = _where_channels_change(function, others)
    return verdict("Exercise 1", problems, len(square) + len(others), strict)


def check_fuse(function: Callable, strict: bool = False) -> bool:
    """Check exercise 2: depthwise branches and their mix as one full kernel.

    Args:
        function: `(kernels, mix) -> kernel`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `kernels` a list of n kernels [C, 1, k, k], k odd and rising; `mix` [D, n * C]; the result
        [D, C, K, K] with K the largest k.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "the small kernels lie in the corner of the large one: their middles have to meet",
            lambda kernels, mix: _fuse(kernels, mix, lambda room: (0, room)),
        ),
        (
            "the small kernels lie in the last corner of the large one: their middles have to meet",
            lambda kernels, mix: _fuse(kernels, mix, lambda room: (room, 0)),
        ),
        (
            "the columns of the mix are read in the wrong order: all channels of the first branch "
            "come first, then those of the second",
            lambda kernels, mix: _fuse(kernels, _interleaved(mix, len(kernels))),
        ),
        (
            "the mix is not used: branch b of channel c enters output d with mix[d, b * C + c]",
            lambda kernels, mix: _fuse(kernels, torch.ones_like(mix)),
        ),
        (
            "only the largest branch is there: add the others to it, padded with zeros",
            lambda kernels, mix: _fuse(
                [torch.zeros_like(kernel) for kernel in kernels[:-1]] + kernels[-1:], mix
            ),
        ),
        (
            "the kernels are flipped: what is called convolution here does not flip them",
            lambda kernels, mix: _fuse([kernel.flip(2, 3) for kernel in kernels], mix),
        ),
        (
            "channels in and out are swapped: a full kernel is [D, C, K, K], channels out first",
            lambda kernels, mix: _fuse(kernels, mix).transpose(0, 1),
        ),
    ]
    generator = torch.Generator().manual_seed(2)
    cases = []
    for channels, outputs, sizes in ((4, 6, (3, 5, 7)), (3, 3, (3, 5)), (2, 5, (1, 3, 5, 9))):
        kernels = [torch.randn(channels, 1, k, k, generator=generator) for k in sizes]
        mix = torch.randn(outputs, channels * len(sizes), generator=generator)
        cases.append({"kernels": kernels, "mix": mix})
    problems = compare(function, _fuse, mistakes, cases)
    return verdict("Exercise 2", problems, len(cases), strict)


def check_norm_of_pieces(function: Callable, strict: bool = False) -> bool:
    """Check exercise 3: the instance norm of a recording that comes in pieces.

    Args:
        function: `(pieces, weight, bias) -> normalised`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `pieces` a list of [B, C, T_i, F], `weight` and `bias` [C]; the result [B, C, T, F], where T
        is the sum of the T_i.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "one piece comes out right, several do not: the same recording, cut in two ways, has "
            "to give the same numbers",
            lambda pieces, w, b: _apply(pieces, *_averages(pieces, equal_parts=True), w, b),
        ),
        (
            "long and short pieces count right now, but the variance is still the mean of the "
            "pieces' variances: what about two pieces of constant value, 0 and 1?",
            lambda pieces, w, b: _apply(pieces, *_averages(pieces, equal_parts=False), w, b),
        ),
        (
            "each piece is normalised by itself: the statistics are those of the whole recording",
            lambda pieces, w, b: torch.cat([_norm([piece], w, b) for piece in pieces], 2),
        ),
        (
            "each piece is normalised by what was heard until then: a remedy for streaming, but "
            "not what the network was trained with",
            lambda pieces, w, b: torch.cat(
                [
                    _norm(pieces[: i + 1], w, b)[:, :, -piece.shape[2] :]
                    for i, piece in enumerate(pieces)
                ],
                2,
            ),
        ),
        (
            "the statistics run over the items of the batch, too: each item has its own",
            lambda pieces, w, b: _norm(pieces, w, b, axes=(0, 2, 3)),
        ),
        (
            "the statistics run over time alone: take all points of a channel, time and frequency",
            lambda pieces, w, b: _norm(pieces, w, b, axes=(2,)),
        ),
        (
            "the variance is divided by the number of points less one: divide by their number",
            lambda pieces, w, b: _norm(pieces, w, b, correction=1),
        ),
        (
            "epsilon is added outside the root: it belongs to the variance",
            lambda pieces, w, b: _outside(pieces, w, b),
        ),
        (
            "epsilon is missing: digital silence has a variance of 0",
            lambda pieces, w, b: _norm(pieces, w, b, eps=0.0),
        ),
        (
            "the offset is added before the norm, where subtracting the mean takes it away again",
            lambda pieces, w, b: _norm(pieces, w, torch.zeros_like(b)),
        ),
        (
            "the offset is multiplied by the gain: multiply first, then add",
            lambda pieces, w, b: _norm(pieces, w, w * b),
        ),
        (
            "this divides by the variance: divide by its square root",
            lambda pieces, w, b: _norm(pieces, w, b, power=1.0),
        ),
    ]
    generator = torch.Generator().manual_seed(3)
    cases = []
    for batch, channels, lengths in ((1, 3, (12,)), (2, 3, (4, 9, 2)), (2, 2, (3, 3, 8, 1))):
        loudness = torch.rand(len(lengths), generator=generator) + 0.05
        pieces = [
            loud * (torch.randn(batch, channels, length, 5, generator=generator) + 1)
            for loud, length in zip(loudness, lengths, strict=True)
        ]
        weight, bias = torch.randn(2, channels, generator=generator)
        # One channel is nearly silent, so that epsilon counts.
        pieces = [
            piece * torch.tensor([0.01] + [1.0] * (channels - 1))[:, None, None] for piece in pieces
        ]
        cases.append({"pieces": pieces, "weight": weight, "bias": bias})
    problems = compare(function, _norm, mistakes, cases)
    return verdict("Exercise 3", problems, len(cases), strict)


def _depthwise(x: Tensor, kernels: Tensor, dilation: tuple, padding: tuple | None = None) -> Tensor:
    padding = dilation if padding is None else padding
    return F.conv2d(x, kernels, padding=padding, dilation=dilation, groups=x.shape[1])


def _pointwise(x: Tensor, matrix: Tensor) -> Tensor:
    return torch.einsum("dc,bctf->bdtf", matrix, x)


def _separable(x: Tensor, kernels: Tensor, matrix: Tensor, dilation: int) -> Tensor:
    return _pointwise(_depthwise(x, kernels, (dilation, 1)), matrix)


def _separable_case(channels: int, outputs: int, dilation: int) -> dict:
    generator = torch.Generator().manual_seed(dilation)
    return {
        "x": torch.randn(2, channels, 12, 9, generator=generator),
        "kernels": torch.randn(channels, 1, 3, 3, generator=generator),
        "matrix": torch.randn(outputs, channels, generator=generator),
        "dilation": dilation,
    }


def _where_channels_change(function: Callable, cases: list[dict]) -> list[str]:
    """The function is right for C = D: say what it makes of other numbers of channels."""
    outcomes = [run(function, _separable, case) for case in cases]
    if all(outcome.problem for outcome in outcomes):
        channels, outputs = cases[0]["x"].shape[1], cases[0]["matrix"].shape[0]
        return [
            f"right where C = D, but with {channels} channels in and {outputs} out "
            f"{outcomes[0].problem}; the groups are the channels in, C, not those out"
        ]
    return compare(function, _separable, [], cases)


def _fuse(kernels: list[Tensor], mix: Tensor, margins: Callable | None = None) -> Tensor:
    """One kernel [D, C, K, K]; `margins` shares the room around a small kernel out to two sides."""
    margins = margins or (lambda room: (room // 2, room - room // 2))
    largest = kernels[-1].shape[-1]
    padded = [F.pad(kernel, 2 * margins(largest - kernel.shape[-1])) for kernel in kernels]
    parts = mix.view(len(mix), len(kernels), -1)  # [D, n, C]
    return torch.einsum("dnc,nchw->dchw", parts, torch.stack(padded)[:, :, 0])


def _interleaved(mix: Tensor, branches: int) -> Tensor:
    return mix.view(len(mix), -1, branches).transpose(1, 2).flatten(1)


def _norm(
    pieces: list[Tensor],
    weight: Tensor,
    bias: Tensor,
    axes: tuple = (2, 3),
    correction: int = 0,
    eps: float = _EPS,
    power: float = 0.5,
) -> Tensor:
    whole = torch.cat(pieces, dim=2)
    variance, mean = torch.var_mean(whole, axes, correction=correction, keepdim=True)
    scale = weight.view(-1, 1, 1) / (variance + eps) ** power
    return (whole - mean) * scale + bias.view(-1, 1, 1)


def _outside(pieces: list[Tensor], weight: Tensor, bias: Tensor) -> Tensor:
    whole = torch.cat(pieces, dim=2)
    deviation, mean = torch.std_mean(whole, (2, 3), correction=0, keepdim=True)
    return (whole - mean) / (deviation + _EPS) * weight.view(-1, 1, 1) + bias.view(-1, 1, 1)


def _averages(pieces: list[Tensor], equal_parts: bool) -> tuple[Tensor, Tensor]:
    """Mean of the pieces' means, and of their variances, by piece or by frame."""
    frames = torch.tensor([piece.shape[2] for piece in pieces], dtype=torch.float32)
    shares = torch.ones_like(frames) if equal_parts else frames
    shares = (shares / shares.sum()).view(-1, 1, 1, 1, 1)
    statistics = [torch.var_mean(p, (2, 3), correction=0, keepdim=True) for p in pieces]
    variances, means = (torch.stack(side) for side in zip(*statistics, strict=True))
    return (shares * means).sum(0), (shares * variances).sum(0)


def _apply(pieces: list, mean: Tensor, variance: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    scale = weight.view(-1, 1, 1) * torch.rsqrt(variance + _EPS)
    return (torch.cat(pieces, dim=2) - mean) * scale + bias.view(-1, 1, 1)
