"""Checks of the exercises of chapter 07, dynamic pruning."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict
from effifusion_lite.pruning import magnitude_mask

MOMENTUM = 0.9  # of exercise 3


def check_threshold(function: Callable, strict: bool = False) -> bool:
    """Check exercise 1: one threshold for several matrices.

    Args:
        function: `(weights, rate) -> threshold`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `weights` list of matrices.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "this is the threshold of the first matrix alone: one threshold is for all of them",
            lambda weights, rate: _threshold(weights[:1], rate),
        ),
        (
            "this is the threshold of the last matrix alone: one threshold is for all of them",
            lambda weights, rate: _threshold(weights[-1:], rate),
        ),
        (
            "this is the mean of the thresholds of the matrices: sort the weights of all of them "
            "together",
            lambda weights, rate: torch.stack([_threshold([w], rate) for w in weights]).mean(),
        ),
        (
            "the signs count: a weight of -3 is a large one, so take the magnitudes first",
            lambda weights, rate: _ordered(weights, signed=True)[_dropped(weights, rate)],
        ),
        (
            "`rate` is the share that goes, not the share that stays",
            lambda weights, rate: _threshold(weights, 1 - rate),
        ),
        (
            "a share of the largest magnitude is no share of the weights: sort them and count",
            lambda weights, rate: rate * _ordered(weights)[-1],
        ),
        (
            "this is the largest weight that goes: return the smallest one that stays",
            lambda weights, rate: _ordered(weights)[_dropped(weights, rate) - 1],
        ),
        (
            "this is one threshold for each matrix: return one number",
            lambda weights, rate: torch.stack([_threshold([w], rate) for w in weights]),
        ),
        (
            "the magnitudes are squared: return a magnitude",
            lambda weights, rate: _threshold(weights, rate) ** 2,
        ),
    ]
    generator = torch.Generator().manual_seed(1)
    cases = []
    for rate, scales in ((0.5, (1.0, 0.2, 3.0)), (0.3, (0.1, 2.0)), (0.9, (0.5, 0.05))):
        shapes = [(8, 5), (4, 10), (6, 10)][: len(scales)]
        weights = [
            scale * torch.randn(shape, generator=generator)
            for scale, shape in zip(scales, shapes, strict=True)
        ]
        cases.append({"weights": weights, "rate": rate})
    problems = compare(function, _threshold, mistakes, cases)
    return verdict("Exercise 1", problems, len(cases), strict)


def check_removal(function: Callable, strict: bool = False) -> bool:
    """Check exercise 2: channels removed from a gated layer.

    Args:
        function: `(expand, bias, reduce, units) -> the three without the units`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `expand` [2 * H, C], `bias` [2 * H], `reduce` [C, H], `units` [n].

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """

    def gates_stay(expand, bias, reduce, units):
        rows = _others(2 * reduce.shape[1], units)
        return expand[rows], bias[rows], reduce[:, _others(reduce.shape[1], units)]

    def values_stay(expand, bias, reduce, units):
        rows = _others(2 * reduce.shape[1], units + reduce.shape[1])
        return expand[rows], bias[rows], reduce[:, _others(reduce.shape[1], units)]

    def bias_stays(expand, bias, reduce, units):
        return _without(expand, bias, reduce, units)[0], bias, reduce[:, _rest(reduce, units)]

    def columns_stay(expand, bias, reduce, units):
        return *_without(expand, bias, reduce, units)[:2], reduce

    def last_columns(expand, bias, reduce, units):
        return *_without(expand, bias, reduce, units)[:2], reduce[:, : -len(units)]

    def first_columns(expand, bias, reduce, units):
        return *_without(expand, bias, reduce, units)[:2], reduce[:, len(units) :]

    def pairs(expand, bias, reduce, units):
        rows = _others(2 * reduce.shape[1], torch.cat([2 * units, 2 * units + 1]))
        return expand[rows], bias[rows], reduce[:, _rest(reduce, units)]

    def zeros(expand, bias, reduce, units):
        rows = torch.cat([units, units + reduce.shape[1]])
        return (
            expand.index_fill(0, rows, 0),
            bias.index_fill(0, rows, 0),
            reduce.index_fill(1, units, 0),
        )

    def the_removed(expand, bias, reduce, units):
        rows = torch.cat([units, units + reduce.shape[1]])
        return expand[rows], bias[rows], reduce[:, units]

    mistakes: Mistakes = [
        (
            "the gates of the units are still there: unit u has two rows, u and H + u",
            _together(gates_stay),
        ),
        (
            "the values of the units are still there: unit u has two rows, u and H + u",
            _together(values_stay),
        ),
        (
            "the bias has an entry for each row of `expand`: remove the same entries",
            _together(bias_stays),
        ),
        (
            "the columns are still there: what made a unit and what reads it go together",
            _together(columns_stay),
        ),
        (
            "rows of some units, columns of others: the shapes fit, but `reduce` loses its last "
            "columns, not those of the units",
            _together(last_columns),
        ),
        (
            "rows of some units, columns of others: the shapes fit, but `reduce` loses its first "
            "columns, not those of the units",
            _together(first_columns),
        ),
        (
            "value and gate of a unit are no neighbours: they are in rows u and H + u",
            _together(pairs),
        ),
        (
            "the units are masked with zeros, and the matrices are as large as before: take the "
            "rows and columns out",
            _together(zeros),
        ),
        (
            "these are the units that should go: keep the others",
            _together(the_removed),
        ),
    ]
    generator = torch.Generator().manual_seed(1)
    cases = []
    for hidden, channels, units in ((6, 3, [1, 2]), (10, 4, [0, 3, 7, 8]), (5, 2, [2])):
        cases.append(
            {
                "expand": torch.randn(2 * hidden, channels, generator=generator),
                "bias": torch.randn(2 * hidden, generator=generator),
                "reduce": torch.randn(channels, hidden, generator=generator),
                "units": torch.tensor(units),
            }
        )
    problems = compare(_together(function), _together(_without), mistakes, cases)
    problems = problems or _compare_outputs(function, cases)
    return verdict("Exercise 2", problems, 2 * len(cases), strict)


def check_training(function: Callable, strict: bool = False) -> bool:
    """Check exercise 3: a mask that lasts.

    Args:
        function: `(weight, velocity, gradients, mask, learning_rate) -> weight`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `weight`, `velocity` and `mask` [O, I], `gradients` list of [O, I].

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """

    def forgotten(weight, velocity, gradients, mask, learning_rate):
        return _train(weight * mask, velocity, [g * mask for g in gradients], learning_rate)

    def never_masked(weight, velocity, gradients, mask, learning_rate):
        return _train(weight, velocity, gradients, learning_rate)

    def gradients_alone(weight, velocity, gradients, mask, learning_rate):
        return _train(weight, velocity, [g * mask for g in gradients], learning_rate)

    def start_alone(weight, velocity, gradients, mask, learning_rate):
        return _train(weight * mask, velocity, gradients, learning_rate)

    def inverted(weight, velocity, gradients, mask, learning_rate):
        return _masked_training(weight, velocity, gradients, 1 - mask, learning_rate)

    def frozen(weight, velocity, gradients, mask, learning_rate):
        return weight * mask

    def no_momentum(weight, velocity, gradients, mask, learning_rate):
        return (weight - learning_rate * sum(gradients)) * mask

    def from_rest(weight, velocity, gradients, mask, learning_rate):
        return _masked_training(weight, 0 * velocity, gradients, mask, learning_rate)

    mistakes: Mistakes = [
        ("weights that were pruned are no longer zero at the end: count them", forgotten),
        ("nothing is pruned at all", never_masked),
        ("the weights under the mask never become zero: a gradient of zero only lets them be",
         gradients_alone),
        ("weights that were pruned are no longer zero at the end: count them", start_alone),
        ("the mask is inverted: 1 stays, 0 goes", inverted),
        ("nothing is trained: the weights that stay have to move", frozen),
        ("the momentum is gone: the weights that stay should move as they would without a mask",
         no_momentum),
        ("the velocity is thrown away: the weights that stay keep theirs", from_rest),
    ]  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    cases = []
    for shape, steps, rate, learning_rate in (((4, 6), 5, 0.5, 0.1), ((3, 5), 3, 0.4, 0.02)):
        weight, velocity = (torch.randn(shape, generator=generator) for _ in range(2))
        cases.append(
            {
                "weight": weight,
                "velocity": velocity,
                "gradients": [torch.randn(shape, generator=generator) for _ in range(steps)],
                "mask": magnitude_mask(weight, rate),
                "learning_rate": learning_rate,
            }
        )
    problems = compare(function, _masked_training, mistakes, cases)
    return verdict("Exercise 3", problems, len(cases), strict)


def _ordered(weights: list[Tensor], signed: bool = False) -> Tensor:
    """All weights in ascending order, by magnitude or by value."""
    values = torch.cat([weight.flatten() for weight in weights])
    return (values if signed else values.abs()).sort().values


def _dropped(weights: list[Tensor], rate: float) -> int:
    return round(rate * sum(weight.numel() for weight in weights))


def _threshold(weights: list[Tensor], rate: float) -> Tensor:
    """The smallest magnitude that the package's mask keeps, over all matrices together."""
    values = torch.cat([weight.flatten() for weight in weights])
    return values.abs()[magnitude_mask(values, rate) == 1].min()


def _others(count: int, units: Tensor) -> Tensor:
    stays = torch.ones(count, dtype=torch.bool)
    stays[units] = False
    return stays


def _rest(reduce: Tensor, units: Tensor) -> Tensor:
    return _others(reduce.shape[1], units)


def _without(expand: Tensor, bias: Tensor, reduce: Tensor, units: Tensor) -> tuple[Tensor, ...]:
    hidden = reduce.shape[1]
    rows = _others(2 * hidden, torch.cat([units, units + hidden]))
    return expand[rows], bias[rows], reduce[:, _rest(reduce, units)]


def _together(function: Callable) -> Callable:
    """The three matrices as one tensor, or whatever else the function returns."""

    def joined(expand, bias, reduce, units):
        result = function(expand, bias, reduce, units)
        if not isinstance(result, tuple | list) or len(result) != 3:
            return result
        return torch.cat([part.flatten() for part in result])

    return joined


def _compare_outputs(function: Callable, cases: list[dict]) -> list[str]:
    """The property: the smaller layer computes what the masked one computes."""
    generator = torch.Generator().manual_seed(2)
    for case in cases:
        expand, bias, reduce, units = case.values()
        x = torch.randn(7, expand.shape[1], generator=generator)  # [B, C]
        masked = F.glu(x @ expand.T + bias) @ reduce.index_fill(1, units, 0).T
        small_expand, small_bias, small_reduce = function(expand, bias, reduce, units)
        smaller = F.glu(x @ small_expand.T + small_bias) @ small_reduce.T
        if not torch.allclose(masked, smaller, atol=1e-5):
            return ["the smaller layer does not compute what the masked layer computes"]
    return []


def _train(weight, velocity, gradients, learning_rate) -> Tensor:
    """Steps of gradient descent with momentum."""
    for gradient in gradients:
        velocity = MOMENTUM * velocity + gradient
        weight = weight - learning_rate * velocity
    return weight


def _masked_training(weight, velocity, gradients, mask, learning_rate) -> Tensor:
    return _train(weight, velocity, gradients, learning_rate) * mask
