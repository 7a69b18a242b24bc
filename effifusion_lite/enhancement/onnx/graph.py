"""What an ONNX graph is written with: nodes, constants, and the layers of ``convolution.py``.

Chapter: 10 Out of the notebook.
"""

import numpy as np
from torch import Tensor, nn

from effifusion_lite.convolution import (
    DepthwiseConv,
    DepthwiseSeparableConv,
    InstanceNorm,
    PointwiseConv,
)


class Graph:
    """Nodes and constants of an ONNX graph while it is written. Values are known by name.

    Args:
        prefix: begins all names: those of a graph inside another one must differ from its.
    """

    def __init__(self, prefix: str = ""):
        self.prefix, self.nodes, self.constants = prefix, [], {}

    def add(
        self, operator: str, inputs: list[str], attributes: dict | None = None, domain: str = ""
    ) -> str:
        """Adds a node with one output, and returns the output's name."""
        from onnx import helper

        name = f"{self.prefix}v{len(self.nodes)}"
        node = helper.make_node(operator, inputs, [name], name, domain=domain)
        for key, value in (attributes or {}).items():
            node.attribute.append(helper.make_attribute(key, value))
        self.nodes.append(node)
        return name

    def constant(self, value: Tensor | list[int] | int | float) -> str:
        """The name of a constant: float32 for tensors and floats, int64 for whole numbers."""
        if isinstance(value, Tensor):
            array = value.detach().cpu().float().contiguous().numpy()
        else:
            array = np.array(value, np.float32 if isinstance(value, float) else np.int64)
        name = f"{self.prefix}c{len(self.constants)}"
        self.constants[name] = array
        return name

    def reshape(self, x: str, shape: list[int | str]) -> str:
        """A reshape; sizes are numbers, -1, or names of values that hold a size."""
        sizes = [s if isinstance(s, str) else self.constant([s]) for s in shape]
        return self.add("Reshape", [x, self.add("Concat", sizes, {"axis": 0})])

    def size(self, x: str, axis: int) -> str:
        """The length of a value along one axis."""
        return self.add("Shape", [x], {"start": axis, "end": axis + 1})

    def transpose(self, x: str, *order: int) -> str:
        return self.add("Transpose", [x], {"perm": order})

    def hard_swish(self, x: str) -> str:
        return self.add("HardSwish", [x])

    def linear(self, x: str, weight: Tensor, bias: Tensor | None) -> str:
        """``[P, C]`` → ``[P, D]``."""
        constants = [self.constant(t) for t in (weight, bias) if t is not None]
        return self.add("Gemm", [x, *constants], {"transB": 1})

    def layer_norm(self, x: str, norm: nn.LayerNorm, gain: Tensor | None = None) -> str:
        """Layer norm of ``[P, C]``; ``gain`` takes the place of a weight that it does not have."""
        weight = norm.weight if gain is None else gain
        constants = [self.constant(t) for t in (weight, norm.bias) if t is not None]
        return self.add("LayerNormalization", [x, *constants], {"axis": -1, "epsilon": norm.eps})

    def conv(self, x: str, conv: nn.Module, read: slice = slice(None)) -> str:
        """Any convolution of ``convolution.py``: ``[B, C, T, F]`` → ``[B, D, T, F']``.

        ``read`` names the channels that ``x`` holds, where it is only a part of what is convolved.
        """
        if isinstance(conv, DepthwiseSeparableConv):
            return self.conv(self.conv(x, conv[0], read), conv[1], read)
        if isinstance(conv, PointwiseConv):
            weight, stride, dilation, groups = conv.weight[:, read, None, None], 1, 1, 1
        elif isinstance(conv, DepthwiseConv):
            weight, stride, dilation = conv.weight[read], conv.stride, conv.dilation
            groups = weight.shape[0]
        else:
            weight, stride, dilation, groups = (
                conv.weight[:, read],
                conv.stride[1],
                conv.dilation[0],
                1,
            )
        bias = getattr(conv, "bias", None)
        rows, columns = weight.shape[2:]
        padding = [dilation * (rows // 2), columns // 2]
        return self.add(
            "Conv",
            [x, *(self.constant(t) for t in (weight, bias) if t is not None)],
            {
                "group": groups,
                "strides": [1, stride],
                "dilations": [dilation, 1],
                "pads": padding * 2,
            },
        )

    def conv_of_parts(self, parts: list[tuple[str, int]], conv: nn.Module) -> str:
        """The convolution of parts ``(value, number of channels)``: a sum, which the runtime does
        while it convolves, and for which nothing is copied."""
        total, start = "", 0
        for part, width in parts:
            y = self.conv(part, conv, slice(start, start + width))
            total = self.add("Add", [y, total]) if total else y
            start += width
        return total

    def norm_hard_swish(self, x: str, norm: InstanceNorm) -> str:
        constants = [self.constant(norm.weight), self.constant(norm.bias)]
        return self.hard_swish(
            self.add("InstanceNormalization", [x, *constants], {"epsilon": norm.eps})
        )

    def as_onnx(self, inputs: list, outputs: list, name: str):
        """The graph with the given ends, each a description of a value."""
        from onnx import helper, numpy_helper

        constants = [numpy_helper.from_array(array, key) for key, array in self.constants.items()]
        return helper.make_graph(self.nodes, name, inputs, outputs, constants)
