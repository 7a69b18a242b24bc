"""Checks of the exercises of chapter 02, depthwise-separable convolutions."""

from collections.abc import Callable
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from effifusion_lite.lesson.checks.chapter02_norm import check_norm_of_pieces
from effifusion_lite.lesson.checks.outcome import run
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

__all__ = ["check_fuse", "check_norm_of_pieces", "check_separable"]

_MIDDLE = (0.5, 0.5)
_FLIPPED = {
    (2, 3): "the kernels are flipped: what is called convolution here does not flip them",
    (2,): "the kernels are flipped along time: their first row lies on the earliest frame",
    (3,): "the kernels are flipped along frequency: their first column lies on the lowest bin",
}
_WRONG_PADDING: Mistakes = [
    (
        "the padding does not grow with the dilation: the outer weights lie dilation frames away, "
        "so pad by dilation along time, and by 1 along frequency",
        lambda x, k, m, d: _pointwise(_depthwise(x, k, (d, 1), (1, 1)), m),
    ),
    (
        "the padding is missing: the result has to be as long as x",
        lambda x, k, m, d: _pointwise(_depthwise(x, k, (d, 1), (0, 0)), m),
    ),
    (
        "the padding along time is all before the first frame (causal): half of it belongs behind "
        "the last",
        lambda x, k, m, d: _separable(x, k, m, d, (1, 1, 2 * d, 0)),
    ),
    (
        "the padding along time is all behind the last frame: half of it belongs before the first",
        lambda x, k, m, d: _separable(x, k, m, d, (1, 1, 0, 2 * d)),
    ),
    *[
        (
            "the padding is in the pointwise part: it belongs to the depthwise part, whose kernels "
            "hang over the edge",
            lambda x, k, m, d, both=both: _pointwise(
                F.pad(_depthwise(x, k, (d, 1), (0, 0)), both(d)), m
            ),
        )
        for both in (lambda d: (1, 1, 1, 1), lambda d: (1, 1, d, d))
    ],
    *[
        (
            "the pointwise part pads, too: its kernels of size 1 never hang over the edge",
            lambda x, k, m, d, both=both: F.pad(_separable(x, k, m, d), both(d)),
        )
        for both in (lambda d: (1, 1, 1, 1), lambda d: (1, 1, d, d))
    ],
]


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
        *_WRONG_PADDING,
        (
            "the dilation is not used: the weights lie dilation frames apart",
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
            "the groups are missing: with groups=C each channel meets its own kernel alone; "
            "without them conv2d takes [C, 1, 3, 3] for kernels of one input channel",
            lambda x, k, m, d: F.conv2d(x, k, padding=(d, 1), dilation=(d, 1)),
        ),
        *[
            (
                "conv2d wants the matrix as kernels of size 1: give it two more axes at its end, "
                "matrix[:, :, None, None]",
                lambda x, k, m, d, axes=axes: F.conv2d(_depthwise(x, k, (d, 1)), m[axes]),
            )
            for axes in (..., (..., None), (None, None), (None, ..., None))
        ],
        (
            "all channels get the kernel of channel 0: each has one of its own",
            lambda x, k, m, d: _separable(x, k[:1].expand_as(k), m, d),
        ),
        (
            "there is a nonlinearity between the two parts: a separable convolution has none",
            lambda x, k, m, d: _pointwise(_depthwise(x, k, (d, 1)).relu(), m),
        ),
        (
            "there is a nonlinearity after the two parts: a separable convolution has none",
            lambda x, k, m, d: _separable(x, k, m, d).relu(),
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
            lambda x, k, m, d: _separable(x, k, m.T, d),
        ),
        (
            "the kernels are transposed: their first axis is time, as in x",
            lambda x, k, m, d: _separable(x, k.mT, m, d),
        ),
        *[
            (_FLIPPED[axes], lambda x, k, m, d, axes=axes: _separable(x, k.flip(axes), m, d))
            for axes in _FLIPPED
        ],
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
        *[
            (
                "the small kernels do not lie in the middle of the large one: each of the four "
                "sides gets (K - k) // 2 zeros",
                lambda kernels, mix, places=places: _fuse(kernels, mix, places),
            )
            for places in product((0.0, 0.5, 1.0), repeat=2)
            if places != _MIDDLE
        ],
        (
            "the columns of the mix are read in the wrong order: all channels of the first branch "
            "come first, then those of the second",
            lambda kernels, mix: _fuse(kernels, _columns(mix, kernels).transpose(1, 2).flatten(1)),
        ),
        (
            "the branches are reversed: the first columns of the mix belong to the first kernel, "
            "which is the smallest",
            lambda kernels, mix: _fuse(kernels, _parts(mix, kernels).flip(1).flatten(1)),
        ),
        (
            "all branches get the columns of the first: each has C columns of its own",
            lambda kernels, mix: _fuse(kernels, _same_part(mix, kernels, 0)),
        ),
        (
            "all branches get the columns of the last: each has C columns of its own",
            lambda kernels, mix: _fuse(kernels, _same_part(mix, kernels, -1)),
        ),
        *[
            (
                "the mix is not used: branch b of channel c enters output d with mix[d, b * C + c]",
                lambda kernels, mix, wanted=wanted: wanted(_fuse(kernels, torch.ones_like(mix))),
            )
            for wanted in (
                lambda fused: fused,
                lambda fused: fused[0],  # [C, K, K]
                lambda fused: fused[0][:, None],  # [C, 1, K, K]
                lambda fused: fused[:1],  # [1, C, K, K]
            )
        ],
        (
            "only the largest branch is there: add the others to it, padded with zeros",
            lambda kernels, mix: _fuse(
                [torch.zeros_like(kernel) for kernel in kernels[:-1]] + kernels[-1:], mix
            ),
        ),
        (
            "all channels get the kernels of channel 0: each has one of its own in each branch",
            lambda kernels, mix: _fuse([k[:1].expand_as(k) for k in kernels], mix),
        ),
        *[
            (
                _FLIPPED[axes],
                lambda kernels, mix, axes=axes: _fuse([k.flip(axes) for k in kernels], mix),
            )
            for axes in _FLIPPED
        ],
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


def _depthwise(x: Tensor, kernels: Tensor, dilation: tuple, padding: tuple | None = None) -> Tensor:
    padding = dilation if padding is None else padding
    return F.conv2d(x, kernels, padding=padding, dilation=dilation, groups=x.shape[1])


def _pointwise(x: Tensor, matrix: Tensor) -> Tensor:
    return torch.einsum("dc,bctf->bdtf", matrix, x)


def _separable(
    x: Tensor, kernels: Tensor, matrix: Tensor, dilation: int, padding: tuple | None = None
) -> Tensor:
    x = F.pad(x, padding or (1, 1, dilation, dilation))
    return _pointwise(_depthwise(x, kernels, (dilation, 1), (0, 0)), matrix)


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


def _fuse(kernels: list[Tensor], mix: Tensor, places: tuple = _MIDDLE) -> Tensor:
    """One kernel [D, C, K, K]; `places` says for both axes which share of the zeros is before."""
    largest = kernels[-1].shape[-1]
    padded = []
    for kernel in kernels:
        room = largest - kernel.shape[-1]
        time, frequency = (int(place * room) for place in places)
        padded.append(F.pad(kernel, (frequency, room - frequency, time, room - time)))
    return torch.einsum("dnc,nchw->dchw", _parts(mix, kernels), torch.stack(padded)[:, :, 0])


def _parts(mix: Tensor, kernels: list[Tensor]) -> Tensor:
    return mix.view(len(mix), len(kernels), -1)  # [D, n, C]


def _columns(mix: Tensor, kernels: list[Tensor]) -> Tensor:
    return mix.view(len(mix), -1, len(kernels))  # [D, C, n], which is how it is misread


def _same_part(mix: Tensor, kernels: list[Tensor], index: int) -> Tensor:
    part = _parts(mix, kernels)[:, index]  # [D, C]
    return part.repeat(1, len(kernels))
