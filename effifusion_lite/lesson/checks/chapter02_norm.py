"""Check of the exercise of chapter 02 about the instance norm of a recording in pieces."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from effifusion_lite.lesson.checks.outcome import Case, call
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

_EPS = 1e-5  # of the instance norm


def check_norm_of_pieces(function: Callable, strict: bool = False) -> bool:
    """Check exercise 3: the instance norm of a recording that comes in pieces.

    Args:
        function: `(pieces, weight, bias) -> normalised`. It may join the pieces at its end only.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `pieces` a list of [B, C, T_i, F], `weight` and `bias` [C]; the result [B, C, T, F], where T
        is the sum of the T_i.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    cases = _cases()
    problems = compare(function, _norm, _MISTAKES, cases)
    if not problems and any(_joins_before_the_end(function, case) for case in cases):
        problems = [
            "the values are right, but the pieces are joined before the last step: the recording "
            "is too long for that, and the sums over each piece are enough"
        ]
    return verdict("Exercise 3", problems, len(cases), strict)


class _Watch(TorchFunctionMode):
    """Notes whether anything is computed from a tensor with more values than `limit`."""

    def __init__(self, limit: int):
        super().__init__()
        self.limit, self.exceeded = limit, False

    def __torch_function__(self, function, types, args=(), kwargs=None):
        values = [v for arg in args for v in (arg if isinstance(arg, list | tuple) else [arg])]
        tensors = [value for value in values if isinstance(value, Tensor)]
        if function.__name__ != "__get__":  # a look at the shape is no computation
            self.exceeded |= any(tensor.numel() > self.limit for tensor in tensors)
        return function(*args, **(kwargs or {}))


def _joins_before_the_end(function: Callable, case: Case) -> bool:
    """Whether anything is computed from more than the longest piece."""
    with _Watch(max(piece.numel() for piece in case["pieces"])) as watch:
        call(function, case)
    return watch.exceeded


def _cases() -> list[Case]:
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
    return cases


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


def _apply(pieces: list, mean: Tensor, variance: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    scale = weight.view(-1, 1, 1) * torch.rsqrt(variance + _EPS)
    return (torch.cat(pieces, dim=2) - mean) * scale + bias.view(-1, 1, 1)


def _mean(values: list[Tensor], pieces: list[Tensor], weighted: bool = True) -> Tensor:
    """The mean of one value for each piece, by frames or by pieces."""
    shares = [piece.shape[2] if weighted else 1 for piece in pieces]
    return sum(s * v for s, v in zip(shares, values, strict=True)) / sum(shares)


def _means(pieces: list[Tensor]) -> list[Tensor]:
    return [piece.mean((2, 3), keepdim=True) for piece in pieces]  # [B, C, 1, 1] each


def _variances(pieces: list[Tensor]) -> list[Tensor]:
    return [piece.var((2, 3), correction=0, keepdim=True) for piece in pieces]


def _about(pieces: list[Tensor], mean: Tensor) -> Tensor:
    """Mean square of all points about a mean."""
    return (torch.cat(pieces, dim=2) - mean).square().mean((2, 3), keepdim=True)


def _averages(pieces: list[Tensor], by_frames: bool, means_by_frames: bool) -> tuple:
    mean = _mean(_means(pieces), pieces, means_by_frames)
    return mean, _mean(_variances(pieces), pieces, by_frames)


def _between(pieces: list[Tensor], correction: int) -> tuple:
    """Mean of the variances plus variance of the means, each piece counted once."""
    mean, variance = _averages(pieces, False, False)
    squares = sum((own - mean).square() for own in _means(pieces))
    return mean, variance + squares / (len(pieces) - correction)


def _unequal_mean(pieces: list[Tensor]) -> tuple:
    mean = _mean(_means(pieces), pieces, weighted=False)
    return mean, _about(pieces, mean)


def _divided(pieces: list[Tensor], count: Callable) -> tuple:
    """Mean and variance as sums over all points, divided by what `count` makes of the pieces."""
    whole = torch.cat(pieces, dim=2)
    mean = whole.sum((2, 3), keepdim=True) / count(pieces)
    return mean, (whole - mean).square().sum((2, 3), keepdim=True) / count(pieces)


def _whole(pieces: list[Tensor]) -> tuple:
    return _divided(pieces, lambda pieces: pieces[0].shape[3] * sum(p.shape[2] for p in pieces))


def _own_means(pieces: list[Tensor], weight: Tensor, bias: Tensor) -> Tensor:
    centred = [piece - mean for piece, mean in zip(pieces, _means(pieces), strict=True)]
    return _apply(centred, torch.tensor(0.0), _whole(pieces)[1], weight, bias)


_CONSTANT = "what about two pieces of constant value, 0 and 1?"
_MISTAKES: Mistakes = [
    (
        "one piece comes out right, several do not: the same recording, cut in two ways, has to "
        "give the same numbers",
        lambda pieces, w, b: _apply(pieces, *_averages(pieces, False, False), w, b),
    ),
    (
        "long and short pieces count right now, but the variance is still the mean of the pieces' "
        f"variances: {_CONSTANT}",
        lambda pieces, w, b: _apply(pieces, *_averages(pieces, True, True), w, b),
    ),
    (
        "the mean is right now, but the variance is still the average of the pieces' variances: "
        f"{_CONSTANT}",
        lambda pieces, w, b: _apply(pieces, *_averages(pieces, False, True), w, b),
    ),
    (
        "the variance of the means is there now, but a short piece still counts as much as a long "
        "one",
        lambda pieces, w, b: _apply(pieces, *_between(pieces, 0), w, b),
    ),
    (
        "the variance of the means is divided by the number of pieces less one, which is 0 for a "
        "single piece; and a short piece still counts as much as a long one",
        lambda pieces, w, b: _apply(pieces, *_between(pieces, 1), w, b),
    ),
    (
        "the mean is still that of the pieces' means, so that a short piece counts as much as a "
        "long one",
        lambda pieces, w, b: _apply(pieces, *_unequal_mean(pieces), w, b),
    ),
    (
        "each piece is normalised by itself: the statistics are those of the whole recording",
        lambda pieces, w, b: torch.cat([_norm([piece], w, b) for piece in pieces], 2),
    ),
    (
        "each piece is normalised by what was heard until then: a remedy for streaming, but not "
        "what the network was trained with",
        lambda pieces, w, b: torch.cat(
            [
                _norm(pieces[: i + 1], w, b)[:, :, -piece.shape[2] :]
                for i, piece in enumerate(pieces)
            ],
            2,
        ),
    ),
    *[
        (
            f"mean and variance are those of the {name} piece alone: take all pieces",
            lambda pieces, w, b, i=i: _apply(pieces, *_whole([pieces[i]]), w, b),
        )
        for name, i in (("first", 0), ("last", -1))
    ],
    (
        "the variance is right, but each piece loses its own mean: subtract that of the whole",
        _own_means,
    ),
    (
        "the mean is not subtracted",
        lambda pieces, w, b: _apply(pieces, torch.tensor(0.0), _whole(pieces)[1], w, b),
    ),
    (
        "the sums over time and frequency are divided by the number of frames alone: a frame has F "
        "points",
        lambda pieces, w, b: _apply(
            pieces, *_divided(pieces, lambda pieces: sum(p.shape[2] for p in pieces)), w, b
        ),
    ),
    (
        "the sums of one channel are divided by the number of points of all channels and items",
        lambda pieces, w, b: _apply(
            pieces, *_divided(pieces, lambda pieces: sum(p.numel() for p in pieces)), w, b
        ),
    ),
    (
        "the sums are divided by the number of pieces: divide them by the number of points",
        lambda pieces, w, b: _apply(pieces, *_divided(pieces, len), w, b),
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
        "this divides by the variance: divide by its square root",
        lambda pieces, w, b: _norm(pieces, w, b, power=1.0),
    ),
    (
        "the weight is not used: multiply each channel by its own",
        lambda pieces, w, b: _norm(pieces, torch.ones_like(w), b),
    ),
    (
        "the bias has no effect: it is missing, or added before the norm, where subtracting the "
        "mean takes it away again",
        lambda pieces, w, b: _norm(pieces, w, torch.zeros_like(b)),
    ),
    (
        "the bias is subtracted: add it",
        lambda pieces, w, b: _norm(pieces, w, -b),
    ),
    (
        "the bias is multiplied by the weight: multiply first, then add",
        lambda pieces, w, b: _norm(pieces, w, w * b),
    ),
]
