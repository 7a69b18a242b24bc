"""Units of the generator that can be removed, and where they stand in its parameters.

A unit is a hidden unit of a feed-forward layer, a hidden channel of a convolution module, an
attention head, or a channel inside the encoder or a decoder. Some layers make it and some read it.
What is read with weights of zero can be taken out, and the result stays the same. The channels that
the whole network shares stay: each block adds to them, so nothing reads them with zeros alone.

Chapter: 07 Dynamic pruning.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from effifusion_lite.attention import ConvolutionModule, DualNormAttention, FeedForward
from effifusion_lite.convolution import ConvBlock, DepthwiseSeparableConv, DilatedDenseBlock


@dataclass(frozen=True)
class Slot:
    """Where the units stand in a parameter: unit ``u`` has ``size`` entries from
    ``start + u * size`` on, along one dimension.

    Args:
        parameter: its name in the model.
        dim: dimension along which the units are counted.
        start: entry at which the first unit begins.
        size: entries of a unit.
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
