"""Removal of whole units: pruning that makes the layers smaller, and so saves time.

Chapter: 07 Dynamic pruning.
"""

import copy
import math
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from effifusion_lite.pruning.units import Units, removable_units

Model = TypeVar("Model", bound=nn.Module)
MULTIPLE = 8  # numbers of channels that a processor handles well are multiples of this


def choose_units(model: nn.Module, rate: float) -> dict[str, Tensor]:
    """The least important units of each module, up to a share of them.

    Channels stay in a number that is a multiple of 8, and at least one unit stays.

    Args:
        model: the generator.
        rate: share to remove, above 0 and below 1.

    Returns:
        Numbers of the units to remove, by name.

    Raises:
        ValueError: if the rate is not between 0 and 1.

    Source: removal of whole filters by the size of their weights, layer by layer, as Li et al.
        (2017), arXiv 1608.08710; the L2 norms of the making times the reading weights are a choice
        of this project.
    """
    if not 0 < rate < 1:
        raise ValueError(f"the pruning rate must be above 0 and below 1, not {rate}")
    chosen = {}
    for name, units in removable_units(model).items():
        multiple = 1 if units.whole else MULTIPLE
        # The small number keeps 0.7 * 10 = 7.000000000000001 from becoming 8.
        kept = multiple * math.ceil((1 - rate) * units.count / multiple - 1e-9)
        order = units.importance(model).argsort(stable=True)  # least important first
        chosen[name] = order[: max(0, units.count - kept)].sort().values
    return chosen


@torch.no_grad()
def mask_units(model: nn.Module, chosen: dict[str, Tensor]) -> None:
    """Sets the weights that read the chosen units to zero: the units stay, without effect.

    Args:
        model: the generator, changed in place.
        chosen: numbers of units by name, as :func:`choose_units` gives them.

    Source: definition.
    """
    units = removable_units(model)
    for name, numbers in chosen.items():
        for *_, slot in units[name].read_by:
            model.get_parameter(slot.parameter).index_fill_(slot.dim, slot.entries(numbers), 0)


def remove_units(model: Model, chosen: dict[str, Tensor]) -> Model:
    """A smaller generator without the chosen units.

    Its output equals that of the model with these units masked, see :func:`mask_units`.

    Args:
        model: the generator; it stays as it is.
        chosen: numbers of units by name, as :func:`choose_units` gives them.

    Returns:
        The smaller generator; ``config.widths`` tells its widths.

    Source: Li et al. (2017), arXiv 1608.08710.
    """
    smaller = copy.deepcopy(model)
    for name, numbers in chosen.items():
        _remove(smaller, removable_units(smaller)[name], numbers)
    widths = {n: u.count for n, u in removable_units(smaller).items() if len(chosen.get(n, ()))}
    smaller.config = replace(model.config, widths={**model.config.widths, **widths})
    return smaller.to(memory_format=torch.channels_last)


def narrow(model: nn.Module, widths: dict[str, int]) -> None:
    """Gives a new generator the widths of one whose units were removed.

    Args:
        model: the generator, changed in place; which of its units stay has no meaning.
        widths: number of units to keep, by name, a whole number.

    Raises:
        ValueError: if a name is unknown or a width is not between 1 and what is there.
    """
    for name, width in widths.items():
        units = removable_units(model).get(name)
        if units is None or width not in range(1, units.count + 1):
            raise ValueError(f"widths: {name!r} cannot be {width} wide in this network")
        _remove(model, units, torch.arange(width, units.count))


def _remove(model: nn.Module, units: Units, numbers: Tensor) -> None:
    gone: dict[tuple[str, int], list[Tensor]] = {}  # a parameter may hold the units twice
    for slot in units.slots():
        gone.setdefault((slot.parameter, slot.dim), []).append(slot.entries(numbers))
    for (parameter, dim), entries in gone.items():
        name, _, leaf = parameter.rpartition(".")
        layer, weight = model.get_submodule(name), model.get_parameter(parameter).detach()
        stays = torch.ones(weight.shape[dim], dtype=torch.bool)
        stays[torch.cat(entries)] = False
        index = stays.nonzero().flatten().to(weight.device)
        setattr(layer, leaf, nn.Parameter(weight.index_select(dim, index)))
        if isinstance(layer, nn.Linear):
            layer.out_features, layer.in_features = layer.weight.shape
        elif isinstance(layer, nn.Conv2d):
            layer.out_channels, layer.in_channels = layer.weight.shape[:2]
