"""Dynamic pruning of the generator while it trains.

Chapter: 07 Dynamic pruning.
"""

from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from effifusion_lite.generator import EffiFusionGenerator


@dataclass(frozen=True)
class PruningSchedule:
    """How the share of removed weights grows: cubic from 0 at ``start`` to ``rate`` at ``end``.

    Args:
        rate: share of the prunable weights that is zero in the end, 0 to below 1.
        start: first step with pruning.
        end: step from which the masks are frozen.
        interval: steps from one drawing of the masks to the next.

    Raises:
        ValueError: if the numbers make no schedule.

    Source: Zhu and Gupta (2017), arXiv 1710.01878; the paper's own schedule is not known.
    """

    rate: float
    start: int
    end: int
    interval: int = 50

    def __post_init__(self):
        if not 0 <= self.rate < 1:
            raise ValueError(f"the pruning rate must be at least 0 and below 1, not {self.rate}")
        if not 0 <= self.start < self.end or self.interval < 1:
            raise ValueError("pruning needs 0 <= start < end and an interval of at least 1")

    def rate_at(self, step: int) -> float:
        """Share of weights to remove at a step."""
        progress = min(max((step - self.start) / (self.end - self.start), 0.0), 1.0)
        return self.rate * (1 - (1 - progress) ** 3)


def prunable_weights(model: EffiFusionGenerator) -> dict[str, nn.Parameter]:
    """The matrices that pruning may touch, by name.

    These are the pointwise convolutions and the linear layers of the conformers. Depthwise kernels,
    norms, biases, and the first and last layer stay whole.

    Args:
        model: the generator.

    Returns:
        Name and parameter of each matrix.

    Source: choice of this project; the paper prunes "convolutional layers" without saying which.
    """
    last = {
        f"{name}.layers.4"
        for name, part in model.named_children()
        if name.endswith("decoder") and part is not None
    }
    return {
        f"{name}.weight": module.weight
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name not in last and not name.startswith("encoder.0")
    }


class DynamicPruner:
    """Trains a generator with part of its weights held at zero.

    The dense weights live on as a shadow: forward and backward pass see the masked weights, but the
    optimiser moves the dense ones, those under the mask too. At each interval the masks are drawn
    anew from the dense weights, so that a weight may return, until they are frozen.

    Args:
        model: the generator.
        schedule: when how much is removed.

    Source: Guo et al. (2016), dynamic network surgery, for the shadow; Zhu and Gupta (2017) for the
        schedule. It is this project's reading of "dynamic pruning" (arXiv 2508.14525, abstract).
    """

    def __init__(self, model: EffiFusionGenerator, schedule: PruningSchedule):
        self.model, self.schedule = model, schedule
        self.weights = prunable_weights(model)
        self.masks: dict[str, Tensor] = {}

    def update(self, step: int) -> None:
        """Draws the masks anew if the schedule says so. To be called before each training step.

        At ``schedule.end`` the masks are drawn for the last time, and what lies under them is
        cleared.
        """
        schedule = self.schedule
        due = schedule.start <= step <= schedule.end and (
            (step - schedule.start) % schedule.interval == 0 or step == schedule.end
        )
        if not due or schedule.rate == 0:
            return
        rate = schedule.rate_at(step)
        for name, weight in self.weights.items():
            self.masks[name] = magnitude_mask(weight.detach(), rate)
        if step == schedule.end:
            self.apply(self.model)

    @contextmanager
    def masked(self, step: int):
        """Inside, the model has the masked weights; afterwards the dense ones, until the masks
        freeze.

        What the backward pass computes inside is the gradient at the masked weights; the optimiser
        then applies it to the dense ones.
        """
        dense = {name: self.weights[name].detach().clone() for name in self.masks}
        self.apply(self.model)
        try:
            yield
        finally:
            if step < self.schedule.end:
                with torch.no_grad():
                    for name, values in dense.items():
                        self.weights[name].copy_(values)

    @torch.no_grad()
    def apply(self, model: EffiFusionGenerator) -> None:
        """Sets the weights of a model of the same shape to zero where the masks are, for good."""
        for name, mask in self.masks.items():
            model.get_parameter(name).mul_(mask)


def magnitude_mask(weight: Tensor, rate: float) -> Tensor:
    """Mask that drops the given share of a matrix, the smallest magnitudes first.

    Args:
        weight: the matrix.
        rate: share to drop, 0 to 1.

    Returns:
        Ones and zeros.

    Shape:
        any shape, kept.

    Source: Han et al. (2015), magnitude pruning.
    """
    dropped = round(rate * weight.numel())
    mask = torch.ones_like(weight)
    mask.view(-1)[weight.abs().flatten().argsort()[:dropped]] = 0
    return mask


def sparsity(model: EffiFusionGenerator) -> dict[str, float]:
    """What pruning removed, and what it saved.

    Args:
        model: the generator.

    Returns:
        ``prunable``: share of all parameters that pruning may touch; ``zero_of_prunable`` and
        ``zero_of_all``: shares that are zero. Zeros save neither time nor memory by themselves:
        dense matrix products multiply by zero as slowly as by any other number.

    Source: definition.
    """
    weights = prunable_weights(model).values()
    total = sum(p.numel() for p in model.parameters())
    prunable = sum(w.numel() for w in weights)
    zeros = sum(int((w == 0).sum()) for w in weights)
    return {
        "prunable": prunable / total,
        "zero_of_prunable": zeros / prunable,
        "zero_of_all": zeros / total,
    }
