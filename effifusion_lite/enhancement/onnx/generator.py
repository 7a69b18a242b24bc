"""The generator as an ONNX graph, written layer by layer.

The graph maps compressed magnitude and phase ``[B, F, T]`` to the same; B and T are free. It is not
traced from a run of the model: a trace keeps the layouts that are fast in PyTorch and may keep the
traced length. Layout: ``[B, C, T, F]`` for convolutions, and for the conformers ``[P, C]``, the P
points of time and frequency as rows, so that each linear layer is one matrix product. A conformer
works on one frequency, or a few frames, after the other.

Chapter: 10 Out of the notebook.
"""

import json
import math
from pathlib import Path

from torch import nn

from effifusion_lite.attention import (
    Conformer,
    ConvolutionModule,
    DualNormAttention,
    FeedForward,
)
from effifusion_lite.audio import write_atomically
from effifusion_lite.convolution import (
    ConvBlock,
    DepthwiseSeparableConv,
    DilatedDenseBlock,
    MultiScaleBlock,
    SubPixelUpsample,
)
from effifusion_lite.enhancement.onnx.graph import Graph
from effifusion_lite.generator import EffiFusionGenerator, MagnitudeDecoder, PhaseDecoder
from effifusion_lite.spectral import IMAG_EPS, REAL_EPS
from effifusion_lite.weights import FORMAT

OPSET = 18
FRAMES = 4  # that a conformer along frequency works on at once
IR_VERSION = 9  # of the file format
CONTRIB = "com.microsoft"  # attention that never holds all scores at once is no standard operator
INSTALL = "install it with `pip install 'effifusion-lite[onnx]'`"


class GeneratorGraph(Graph):
    """The layers of the generator as nodes of a graph."""

    def conv_block(self, x: str, block: ConvBlock) -> str:
        return self.norm_hard_swish(self.conv(x, block[0]), block[1])

    def dense_block(self, x: str, block: DilatedDenseBlock) -> str:
        seen = [(x, self.channels_in(block.layers[0][0]))]
        for convolution, norm, _ in block.layers:
            y = self.norm_hard_swish(self.conv_of_parts(seen, convolution), norm)
            seen.append((y, norm.weight.numel()))
        return seen[-1][0]

    def channels_in(self, conv: nn.Module) -> int:
        separable = isinstance(conv, DepthwiseSeparableConv)
        return conv[1].in_features if separable else conv.in_channels

    def encoder_layer(self, x: str, layer: nn.Module) -> str:
        if isinstance(layer, DilatedDenseBlock):
            return self.dense_block(x, layer)
        if isinstance(layer, MultiScaleBlock):
            return self.multi_scale_block(x, layer)
        return self.conv_block(x, layer)

    def multi_scale_block(self, x: str, block: MultiScaleBlock) -> str:
        channels = block.mix[1].weight.numel()
        scales = [(self.conv(x, branch), channels) for branch in block.branches]
        y = self.norm_hard_swish(self.conv_of_parts(scales, block.mix[0]), block.mix[1])
        return self.add("Add", [x, y])

    def feed_forward(self, x: str, module: FeedForward) -> str:
        """Half of the module's output, as the conformer adds it."""
        norm, first, _, second = module
        hidden = self.hard_swish(self.linear(self.layer_norm(x, norm), first.weight, first.bias))
        return self.linear(hidden, 0.5 * second.weight, 0.5 * second.bias)

    def attention(self, x: str, module: DualNormAttention, length: str) -> str:
        """What attention adds; rows ``[P, C]`` are sequences of the given length."""
        y, parts = self.layer_norm(x, module.norm_in), []
        for layer in (module.query, module.key, module.value):
            part = self.linear(y, layer.weight, layer.bias)
            parts.append(self.reshape(part, [-1, length, layer.out_features]))
        heads = module.value.out_features // module.head_channels
        y = self.add("MultiHeadAttention", parts, {"num_heads": heads}, CONTRIB)
        y = self.reshape(y, [-1, module.value.out_features])
        y = self.linear(y, module.output.weight, module.output.bias)
        if isinstance(module.norm_out, nn.LayerNorm):
            return self.layer_norm(y, module.norm_out, module.gain)
        return self.add("Mul", [y, self.constant(module.gain)])

    def convolution_module(self, x: str, module: ConvolutionModule, length: str) -> str:
        y, hidden = self.layer_norm(x, module.norm), module.reduce.in_features
        weights, biases = module.expand.weight.split(hidden), module.expand.bias.split(hidden)
        values, gates = (self.linear(y, w, b) for w, b in zip(weights, biases, strict=True))
        y = self.add("Mul", [values, self.add("Sigmoid", [gates])])
        y = self.reshape(y, [-1, length, 1, hidden])
        kernel = module.depthwise.weight.flatten(2)[..., None]  # [H, 1, K, 1]
        padding = kernel.shape[2] // 2
        y = self.add(
            "Conv",
            [self.transpose(y, 0, 3, 1, 2), self.constant(kernel)],
            {"group": hidden, "pads": [padding, 0] * 2},
        )  # [N, H, L, 1]
        y = self.hard_swish(self.reshape(self.transpose(y, 0, 2, 3, 1), [-1, hidden]))
        return self.linear(y, module.reduce.weight, module.reduce.bias)

    def conformer(self, x: str, module: Conformer, length: str) -> str:
        x = self.add("Add", [x, self.feed_forward(x, module.feed_forward_in)])
        x = self.add("Add", [x, self.attention(x, module.attention, length)])
        x = self.add("Add", [x, self.convolution_module(x, module.convolution, length)])
        x = self.add("Add", [x, self.feed_forward(x, module.feed_forward_out)])
        return self.layer_norm(x, module.norm)

    def each(self, x: str, module: Conformer, channels: int) -> str:
        """``x + module(x)`` for one item of ``[N, ..., L, C]`` after the other.

        What a conformer makes of one item fits into a processor's cache, and into little memory.
        """
        from onnx import TensorProto, helper

        inner = GeneratorGraph(f"{self.prefix}v{len(self.nodes)}_")
        item = f"{inner.prefix}item"
        rows = inner.reshape(item, [-1, channels])
        length = inner.add("Shape", [item], {"start": -2, "end": -1})
        y = inner.add("Add", [rows, inner.conformer(rows, module, length)])
        y = inner.add("Reshape", [y, inner.add("Shape", [item])])
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in (item, y)]
        body = inner.as_onnx(ends[:1], ends[1:], f"{inner.prefix}body")
        return self.add("Scan", [x], {"body": body, "num_scan_inputs": 1})

    def each_group(self, x: str, module: Conformer, channels: int) -> str:
        """As :meth:`each`, but ``FRAMES`` items of ``[N, L, C]`` at a time; zeros fill them up."""
        count, length = self.size(x, 0), self.size(x, 1)
        missing = self.add("Mod", [self.add("Neg", [count]), self.constant([FRAMES])])
        sides = [self.constant([0, 0, 0]), missing, self.constant([0, 0])]
        x = self.add("Pad", [x, self.add("Concat", sides, {"axis": 0})])
        x = self.each(self.reshape(x, [-1, FRAMES, length, channels]), module, channels)
        x = self.reshape(x, [-1, length, channels])
        return self.add("Slice", [x, self.constant([0]), count, self.constant([0])])

    def blocks(self, x: str, blocks: nn.Sequential, channels: int) -> str:
        """``[B, C, T, F]`` → the same."""
        batch, frames, bins = (self.size(x, axis) for axis in (0, 2, 3))
        # In two steps, since turning a matrix over and moving whole rows are the fast cases; with a
        # reshape between them, since ONNX Runtime would make one slow step of the two.
        x = self.transpose(self.reshape(x, [batch, channels, -1]), 0, 2, 1)  # [B, T * F, C]
        x = self.reshape(x, [batch, frames, bins, channels])
        x = self.transpose(x, 0, 2, 1, 3)  # [B, F, T, C]
        for block in blocks:
            y = self.each(self.reshape(x, [-1, frames, channels]), block.time, channels)
            y = self.reshape(y, [batch, bins, frames, channels])
            y = self.reshape(self.transpose(y, 0, 2, 1, 3), [-1, bins, channels])
            y = self.each_group(y, block.frequency, channels)  # [B * T, F, C]
            y = self.reshape(y, [batch, frames, bins, channels])
            x = self.transpose(y, 0, 2, 1, 3)  # [B, F, T, C]
        return self.transpose(y, 0, 3, 1, 2)

    def decoder(self, x: str, decoder: MagnitudeDecoder | PhaseDecoder) -> str:
        """``[B, C, T, F']`` → ``[B, outputs, F, T]``."""
        dense, upsample, norm, _, last = decoder.layers
        batch, frames, half = (self.size(x, axis) for axis in (0, 2, 3))
        x = self.dense_block(x, dense)
        x = self.upsampled(x, upsample, norm.weight.numel())  # [B, C, 2 * T, F']
        x = self.conv(self.norm_hard_swish(x, norm), last)  # [B, outputs, 2 * T, F']
        x = self.reshape(x, [batch, last.out_features, 2, frames, half])
        x = self.transpose(x, 0, 1, 4, 2, 3)  # [B, outputs, F', 2, T]
        x = self.reshape(x, [batch, last.out_features, -1, frames])  # [B, outputs, 2 * F', T]
        ends = [self.constant([n]) for n in (0, decoder.bins, 2)]
        return self.add("Slice", [x, *ends])

    def upsampled(self, x: str, module: SubPixelUpsample, channels: int) -> str:
        """Even and odd frequencies one after the other along time: up to the last layer, nothing
        depends on their order."""
        batch, frames, half = (self.size(x, axis) for axis in (0, 2, 3))
        x = self.reshape(self.conv(x, module.conv), [batch, 2, channels, -1])
        return self.reshape(self.transpose(x, 0, 2, 1, 3), [batch, channels, -1, half])

    def mask(self, x: str, decoder: MagnitudeDecoder) -> str:
        """``[B, C, T, F']`` → mask ``[B, F, T]``."""
        logits = self.add("Squeeze", [self.decoder(x, decoder), self.constant([1])])
        slope = self.constant(decoder.slope[:, None])  # [F, 1]
        sigmoid = self.add("Sigmoid", [self.add("Mul", [logits, slope])])
        return self.add("Mul", [sigmoid, self.constant(decoder.ceiling)])

    def phase(self, x: str, decoder: PhaseDecoder) -> str:
        """``[B, C, T, F']`` → phase ``[B, F, T]``, an arc tangent over the whole circle."""
        parts = self.decoder(x, decoder)  # [B, 2, F, T]
        real, imag = (self.add("Gather", [parts, self.constant(i)], {"axis": 1}) for i in (0, 1))
        real = self.add("Add", [real, self.constant(REAL_EPS)])
        imag = self.add("Add", [imag, self.constant(IMAG_EPS)])
        zero = self.constant(0.0)
        side = self.add(
            "Where",
            [self.add("Less", [imag, zero]), self.constant(-math.pi), self.constant(math.pi)],
        )
        turn = self.add("Where", [self.add("Less", [real, zero]), side, zero])
        angle = self.add("Add", [self.add("Atan", [self.add("Div", [imag, real])]), turn])
        if not decoder.correction:
            return angle
        angle = self.add("Add", [angle, "phase"])
        whole = self.constant(2 * math.pi)
        turns = self.add("Round", [self.add("Div", [angle, whole])])
        return self.add("Sub", [angle, self.add("Mul", [turns, whole])])


def build(model: EffiFusionGenerator) -> bytes:
    """The ONNX model of a generator.

    Args:
        model: the generator.

    Returns:
        Content of a .onnx file. Its inputs ``magnitude`` and ``phase`` and its outputs
        ``enhanced_magnitude`` and ``enhanced_phase`` have the shape ``[B, F, T]``; its metadata
        hold the configuration.

    Raises:
        ValueError: if the package onnx is not installed.
    """
    try:
        from onnx import TensorProto, helper
    except ModuleNotFoundError as error:
        raise ValueError(f"an ONNX model needs the package onnx: {INSTALL}") from error

    config, graph = model.config, GeneratorGraph()
    axis = graph.constant([1])
    both = [graph.add("Unsqueeze", [name, axis]) for name in ("magnitude", "phase")]
    x = graph.transpose(graph.add("Concat", both, {"axis": 1}), 0, 1, 3, 2)  # [B, 2, T, F]
    for layer in model.encoder:
        x = graph.encoder_layer(x, layer)
    x = graph.blocks(x, model.blocks, config.channels)
    mask, phase = graph.mask(x, model.magnitude_decoder), "phase"
    if model.phase_decoder is not None:
        phase = graph.phase(x, model.phase_decoder)
    for node in (
        helper.make_node("Mul", ["magnitude", mask], ["enhanced_magnitude"]),
        helper.make_node("Identity", [phase], ["enhanced_phase"]),
    ):
        graph.nodes.append(node)
    shape = ["batch", config.spectral.bins, "frames"]
    values = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name in ("magnitude", "phase", "enhanced_magnitude", "enhanced_phase")
    }
    ends = list(values.values())
    content = helper.make_model(
        graph.as_onnx(ends[:2], ends[2:], "effifusion"),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)],
        ir_version=IR_VERSION,
        producer_name="effifusion-lite",
    )
    metadata = {"format": FORMAT, "config": json.dumps(config.to_dict())}
    helper.set_model_props(content, metadata)
    return content.SerializeToString()


def export(model: EffiFusionGenerator, path: str | Path) -> None:
    """Writes a generator as an ONNX file.

    Args:
        model: the generator.
        path: file to write.

    Raises:
        OSError: if the file cannot be written.
        ValueError: if the package onnx is not installed.
    """
    write_atomically(path, build(model))
