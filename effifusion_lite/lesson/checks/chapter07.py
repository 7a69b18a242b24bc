"""Checks of the exercises of chapter 07, dynamic pruning."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from effifusion_lite.lesson.checks.chapter07_removal import check_removal
from effifusion_lite.lesson.checks.outcome import equal, run
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict
from effifusion_lite.pruning import magnitude_mask

__all__ = ["check_removal", "check_threshold", "check_training"]

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
            "negative weights count as 0: a weight of -3 is a large one, so take the magnitudes "
            "first",
            lambda weights, rate: _joined(weights).relu().sort().values[_dropped(weights, rate)],
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
        (
            "the magnitudes are in descending order, so the largest ones would go: sort them in "
            "ascending order",
            lambda weights, rate: _ordered(weights).flip(0)[_dropped(weights, rate)],
        ),
        (
            "the magnitudes are not in order: sort them before you count",
            lambda weights, rate: _joined(weights).abs()[_dropped(weights, rate)],
        ),
        (
            "this is the place of the weight, not its magnitude: `argsort` gives places, `sort` "
            "gives values",
            lambda weights, rate: _joined(weights).abs().argsort()[_dropped(weights, rate)],
        ),
        (
            "`sort` returns two tensors, values and places: take `.values`",
            lambda weights, rate: (_ordered(weights),)[2],
        ),
        (
            "`torch.quantile` computes a number between two magnitudes: return the smallest one "
            "that stays",
            lambda weights, rate: torch.quantile(_ordered(weights), rate),
        ),
        *(
            (
                f"rate * n is rounded {way}: round(rate * n) weights go, the nearest whole number",
                lambda weights, rate, whole=whole: _ordered(weights)[
                    whole(rate * len(_ordered(weights)))
                ],
            )
            for way, whole in (("down", math.floor), ("up", math.ceil))
        ),
        *(
            (
                f"the rate is always {percent} %: use the argument rate",
                lambda weights, rate, percent=percent: _threshold(weights, percent / 100),
            )
            for percent in range(5, 100, 5)
        ),
        *(
            (
                "this is a plain number: return a tensor, so leave out `.item()` and NumPy",
                lambda weights, rate, kind=kind: kind(_threshold(weights, rate)),
            )
            for kind in (float, np.float32, np.float64)
        ),
    ]
    generator = torch.Generator().manual_seed(1)
    cases = []
    # Shares at which rounding down and rounding up differ from rounding: 74.2, 25.6 and 71.2.
    for rate, scales in ((0.53, (1.0, 0.2, 3.0)), (0.32, (0.1, 2.0)), (0.89, (0.5, 0.05))):
        shapes = [(8, 5), (4, 10), (6, 10)][: len(scales)]
        weights = [
            scale * torch.randn(shape, generator=generator)
            for scale, shape in zip(scales, shapes, strict=True)
        ]
        cases.append({"weights": weights, "rate": rate})
    problems = compare(function, _threshold, mistakes, cases)
    if problems and _ignores_weights(function, cases):
        problems = ["the result is the same for other `weights`: use the argument weights"]
    return verdict("Exercise 1", problems, len(cases), strict)


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
    generator = torch.Generator().manual_seed(1)
    cases = []
    # Velocities so large that in each case some weight under the mask outgrows one that stays.
    for shape, steps, rate, learning_rate in (((4, 6), 5, 0.5, 0.1), ((3, 5), 3, 0.4, 0.02)):
        weight, velocity = (torch.randn(shape, generator=generator) for _ in range(2))
        velocity /= learning_rate
        cases.append(
            {
                "weight": weight,
                "velocity": velocity,
                "gradients": [torch.randn(shape, generator=generator) for _ in range(steps)],
                "mask": magnitude_mask(weight, rate),
                "learning_rate": learning_rate,
            }
        )
    problems = compare(function, _masked_training, _TRAINING_MISTAKES, cases)
    if any("relative error" in problem for problem in problems):
        problems = _places(function, cases) or problems
    return verdict("Exercise 3", problems, len(cases), strict)


def _ignores_weights(function: Callable, cases: list[dict]) -> bool:
    """Whether the function gives the same number for other weights."""
    generator = torch.Generator().manual_seed(2)
    for case in cases:
        weights = [torch.randn(weight.shape, generator=generator) for weight in case["weights"]]
        other = case | {"weights": weights}
        found, again = (run(function, _threshold, c) for c in (case, other))
        if found.result is None or not found.same(again):
            return False
    return True


def _joined(weights: list[Tensor]) -> Tensor:
    return torch.cat([weight.flatten() for weight in weights])


def _ordered(weights: list[Tensor], signed: bool = False) -> Tensor:
    """All weights in ascending order, by magnitude or by value."""
    values = _joined(weights)
    return (values if signed else values.abs()).sort().values


def _dropped(weights: list[Tensor], rate: float) -> int:
    return round(rate * sum(weight.numel() for weight in weights))


def _threshold(weights: list[Tensor], rate: float) -> Tensor:
    """The smallest magnitude that the package's mask keeps, over all matrices together."""
    values = _joined(weights)
    return values.abs()[magnitude_mask(values, rate) == 1].min()


def _places(function: Callable, cases: list[dict]) -> list[str]:
    """Say whether the weights that stay are right, where that is all that can be said."""
    outcomes = [run(function, _masked_training, case) for case in cases]
    masks = [case["mask"] for case in cases]
    if not all(o.result is not None and o.result.shape == o.expected.shape for o in outcomes):
        return []
    pairs = [*zip(outcomes, masks, strict=True)]
    if all(equal(o.result * mask, o.expected * mask) for o, mask in pairs):
        return ["the weights that stay are right, but those under the mask are not zero at the end"]
    if all((o.result[mask == 0] == 0).all() for o, mask in pairs):
        return ["the weights under the mask are zero, but those that stay are not trained rightly"]
    return []


def _train(weight, velocity, gradients, learning_rate, momentum=MOMENTUM) -> Tensor:
    """Steps of gradient descent with momentum."""
    for gradient in gradients:
        velocity = momentum * velocity + gradient
        weight = weight - learning_rate * velocity
    return weight


def _masked_training(weight, velocity, gradients, mask, learning_rate, momentum=MOMENTUM) -> Tensor:
    return _train(weight, velocity, gradients, learning_rate, momentum) * mask


def _masked_velocity(weight, velocity, gradients, mask, learning_rate) -> Tensor:
    """The velocity is masked before each step, and the newest gradient is not."""
    for gradient in gradients:
        velocity = MOMENTUM * velocity * mask + gradient
        weight = weight - learning_rate * velocity
    return weight


def _drawn_anew(weight, mask) -> Tensor:
    """As many zeros as in the mask, where the magnitudes are smallest now."""
    return weight * magnitude_mask(weight, 1 - mask.mean().item())


def _drawn_in_each_step(weight, velocity, gradients, mask, learning_rate) -> Tensor:
    for gradient in gradients:
        velocity = MOMENTUM * velocity + gradient
        weight = _drawn_anew(weight - learning_rate * velocity, mask)
    return weight


def _under(mask: Tensor, gradients: list[Tensor]) -> list[Tensor]:
    return [gradient * mask for gradient in gradients]


_COUNT = "weights that were pruned are no longer zero at the end: count them"
_STAY = "the weights under the mask never become zero: a gradient of zero only lets them be"
_ANEW = (
    "the mask is drawn anew after the training, so that other weights are zero: here the mask is "
    "given and stays"
)
# w weight, v velocity, g gradients, m mask, r learning rate
_TRAINING_MISTAKES: Mistakes = [
    (_COUNT, lambda w, v, g, m, r: _train(w * m, v, _under(m, g), r)),
    (_COUNT, lambda w, v, g, m, r: _train(w * m, v, g, r)),
    ("nothing is pruned at all", lambda w, v, g, m, r: _train(w, v, g, r)),
    (_STAY, lambda w, v, g, m, r: _train(w, v, _under(m, g), r)),
    (
        "the weights under the mask stay as they were at the start: the mask belongs on the "
        "weights as well as on the velocity",
        lambda w, v, g, m, r: _train(w, v * m, _under(m, g), r),
    ),
    *(
        (
            "the last gradient still moves the weights under the mask: put the mask on the "
            "velocity after the gradient has been added",
            lambda w, v, g, m, r, start=start: _masked_velocity(w * m if start else w, v, g, m, r),
        )
        for start in (True, False)
    ),
    (
        "the mask is inverted: 1 stays, 0 goes",
        lambda w, v, g, m, r: _masked_training(w, v, g, 1 - m, r),
    ),
    ("nothing is trained: the weights that stay have to move", lambda w, v, g, m, r: w * m),
    (
        "the momentum is gone: the weights that stay should move as they would without a mask",
        lambda w, v, g, m, r: (w - r * sum(g)) * m,
    ),
    (
        "the factor 0.9 is missing: the velocity keeps 0.9 of what it was",
        lambda w, v, g, m, r: _masked_training(w, v, g, m, r, momentum=1),
    ),
    (
        "the velocity is thrown away: the weights that stay keep theirs",
        lambda w, v, g, m, r: _masked_training(w, 0 * v, g, m, r),
    ),
    (
        "only the first gradient is used: is `return` inside the loop? It belongs after it",
        lambda w, v, g, m, r: _masked_training(w, v, g[:1], m, r),
    ),
    (
        "only the last gradient is used: each gradient of the list makes a step",
        lambda w, v, g, m, r: _masked_training(w, v, g[-1:], m, r),
    ),
    (
        "the weights move up the slope: subtract the learning rate times the velocity",
        lambda w, v, g, m, r: _masked_training(w, v, g, m, -r),
    ),
    (
        "the learning rate is missing: subtract learning_rate * velocity",
        lambda w, v, g, m, r: _masked_training(w, v, g, m, 1),
    ),
    *(
        (
            f"the learning rate is always {rate}: use the argument learning_rate",
            lambda w, v, g, m, r, rate=rate: _masked_training(w, v, g, m, rate),
        )
        for rate in (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 1e-4)
    ),
    (_ANEW, lambda w, v, g, m, r: _drawn_anew(_train(w * m, v, _under(m, g), r), m)),
    (_ANEW, lambda w, v, g, m, r: _drawn_anew(_train(w * m, v, g, r), m)),
    (_ANEW, lambda w, v, g, m, r: _drawn_anew(_train(w, v, g, r), m)),
    (_ANEW, _drawn_in_each_step),
    (
        _ANEW,
        lambda w, v, g, m, r: _drawn_in_each_step(w * m, v, _under(m, g), m, r),
    ),
]
