"""Removal of whole units: pruning that makes the layers smaller, and so saves time.

A unit is a hidden unit of a feed-forward layer, a hidden channel of a convolution module, an
attention head, or a channel inside the encoder or a decoder. Some layers make it and some read it.
What is read with weights of zero can be taken out, and the result stays the same. The channels that
the whole network shares stay: each block adds to them, so nothing reads them with zeros alone.

Chapter: 07 Dynamic pruning.
"""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from effifusion_lite.attention import ConvolutionModule, DualNormAttention, FeedForward
from effifusion_lite.convolution import ConvBlock, DepthwiseSeparableConv, DilatedDenseBlock

Model = TypeVar("Model", bound=nn.Module)
MULTIPLE = 8  # numbers of channels that a processor handles well are multiples of this


@dataclass(frozen=True)
class Slot:
    """Where the units stand in a parameter: unit ``u`` has ``size`` entries from
    ``start + u * size`` on, along one dimension.

    Args:
        parameter: its name in the model.
        dim: dimension along which the units are counted.
        start: entry at which the first unit begins.
        size: entries of a unit.

    Chapter: 07.
    Source: choice of this project.
    """

    parameter: str
    dim: int
    start: int = 0
    size: int = 1

    def entries(self, units: Tensor) -> Tensor:
        """Entries of the given units, ``[n]`` → ``[n * size]``."""
        return (self.start + units[:, None] * self.size + torch.arange(self.size)).flatten()

    def norms(self, model: nn.Module, count: int) -> Tensor:
        """L2 norm of each of ``count`` units in the parameter, ``[count]``."""
        weight = model.get_parameter(self.parameter).detach()
        part = weight.narrow(self.dim, self.start, count * self.size).movedim(self.dim, 0)
        return part.reshape(count, -1).norm(dim=1)


@dataclass(frozen=True)
class Units:
    """Units that can be removed one by one.

    Args:
        count: how many there are.
        made_by: slots of the layers that make them.
        scaled_by: those of these slots that decide how large a unit becomes.
        read_by: ways on which they are read; the last slot of each way holds the weights that
            decide whether anything is read.
        whole: attention heads, whose number need not be a multiple of anything.

    Chapter: 07.
    Source: choice of this project.
    """

    count: int
    made_by: tuple[Slot, ...]
    scaled_by: tuple[Slot, ...]
    read_by: tuple[tuple[Slot, ...], ...]
    whole: bool = False

    def slots(self) -> list[Slot]:
        """All places where the units stand."""
        return [*self.made_by, *(slot for way in self.read_by for slot in way)]

    def importance(self, model: nn.Module) -> Tensor:
        """Size of each unit times the size of the weights that read it, ``[count]``."""
        scale = sum(slot.norms(model, self.count).square() for slot in self.scaled_by).sqrt()
        ways = (
            math.prod(slot.norms(model, self.count) for slot in way).square()
            for way in self.read_by
        )
        return scale * sum(ways).sqrt()


def removable_units(model: nn.Module) -> dict[str, Units]:
    """All units of a generator that can be removed.

    Args:
        model: an ``EffiFusionGenerator``, of whatever widths.

    Returns:
        Units by the name of the module in which they are hidden, or which makes them.

    Chapter: 07.
    Source: choice of this project.
    """
    return dict(_in_conformers(model)) | dict(_in_convolutions(model))


def _in_conformers(model: nn.Module) -> Iterator[tuple[str, Units]]:
    for name, module in model.named_modules():
        if isinstance(module, FeedForward):
            rows = _rows(model, f"{name}.1")
            columns = Slot(f"{name}.3.weight", 1)
            yield name, Units(module[1].out_features, rows, rows, ((columns,),))
        elif isinstance(module, ConvolutionModule):
            count = module.reduce.in_features
            values, gates = (_rows(model, f"{name}.expand", start) for start in (0, count))
            way = Slot(f"{name}.depthwise.weight", 0), Slot(f"{name}.reduce.weight", 1)
            yield name, Units(count, values + gates, values, (way,))
        elif isinstance(module, DualNormAttention):
            size = module.head_channels
            values = _rows(model, f"{name}.value", size=size)
            others = _rows(model, f"{name}.query", size=size) + _rows(
                model, f"{name}.key", size=size
            )
            way = (Slot(f"{name}.output.weight", 1, size=size),)
            count = module.value.out_features // size
            yield name, Units(count, values + others, values, (way,), whole=True)


def _in_convolutions(model: nn.Module) -> Iterator[tuple[str, Units]]:
    """The stem of the encoder, the layers of the dense blocks, the doubling of frequency."""
    stem = model.encoder[0]
    block = model.encoder[1]
    read_by = _dense_ways(model, "encoder.1", block, 0)
    yield "encoder.0", _channels(model, "encoder.0", stem, read_by)
    after = _convolution_way(model, "encoder.2.0")
    yield from _in_dense_block(model, "encoder.1", _width(stem), after)
    for decoder in ("magnitude_decoder", "phase_decoder"):
        if getattr(model, decoder) is None:
            continue
        layers = f"{decoder}.layers"
        after = _convolution_way(model, f"{layers}.1.conv")
        yield from _in_dense_block(model, f"{layers}.0", model.config.channels, after)
        norm = _rows(model, f"{layers}.2")
        count = model.get_parameter(norm[0].parameter).numel()
        halves = [slot for start in (0, count) for slot in _made(model, f"{layers}.1.conv", start)]
        way = (Slot(f"{layers}.4.weight", 1),)
        yield f"{layers}.1", Units(count, (*halves, *norm), norm, (way,))


def _in_dense_block(
    model: nn.Module, name: str, channels_in: int, after: tuple[Slot, ...]
) -> Iterator[tuple[str, Units]]:
    block = model.get_submodule(name)
    start = channels_in
    for i, layer in enumerate(block.layers):
        last = i + 1 == len(block.layers)
        ways = (after,) if last else _dense_ways(model, name, block, i + 1, start)
        yield f"{name}.layers.{i}", _channels(model, f"{name}.layers.{i}", layer, ways)
        start += _width(layer)


def _dense_ways(
    model: nn.Module, name: str, block: DilatedDenseBlock, first: int, start: int = 0
) -> tuple[tuple[Slot, ...], ...]:
    """How channels from ``start`` on are read by the layers of a dense block from ``first`` on."""
    layers = range(first, len(block.layers))
    return tuple(_convolution_way(model, f"{name}.layers.{i}.0", start) for i in layers)


def _channels(model: nn.Module, name: str, block: ConvBlock, read_by) -> Units:
    norm = _rows(model, f"{name}.1")
    return Units(_width(block), (*_made(model, f"{name}.0"), *norm), norm, read_by)


def _width(block: ConvBlock) -> int:
    return block[1].weight.numel()


def _rows(model: nn.Module, name: str, start: int = 0, size: int = 1) -> tuple[Slot, ...]:
    """Weight and bias of a layer, counted along its outputs."""
    parameters = model.get_submodule(name).named_parameters()
    return tuple(Slot(f"{name}.{leaf}", 0, start, size) for leaf, _ in parameters)


def _made(model: nn.Module, name: str, start: int = 0) -> tuple[Slot, ...]:
    """Where a convolution, separable or full, makes its channels."""
    separable = isinstance(model.get_submodule(name), DepthwiseSeparableConv)
    return _rows(model, f"{name}.1" if separable else name, start)


def _convolution_way(model: nn.Module, name: str, start: int = 0) -> tuple[Slot, ...]:
    """How a convolution, separable or full, reads its channels from ``start`` on."""
    if isinstance(model.get_submodule(name), DepthwiseSeparableConv):
        return Slot(f"{name}.0.weight", 0, start), Slot(f"{name}.1.weight", 1, start)
    return (Slot(f"{name}.weight", 1, start),)


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

    Chapter: 07.
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

    Chapter: 07.
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

    Chapter: 07.
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

    Chapter: 07.
    Source: choice of this project.
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
