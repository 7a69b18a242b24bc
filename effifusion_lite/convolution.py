"""Convolutional blocks of the generator.

Layout: tensors are ``[B, C, T, F]`` (batch, channels, frames, frequency) in the channels-last
memory format, so that the channels of one point lie side by side. Only then is a depthwise
convolution fast on a CPU, and ``x.permute(0, 2, 3, 1)`` costs nothing.

Chapter: 02 Depthwise-separable convolutions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class InstanceNorm(nn.Module):
    """Instance norm over time and frequency that keeps the channels-last layout.

    Each channel of each item gets zero mean and unit variance over all its ``T * F`` points, then a
    learned gain and offset. The output therefore depends on the whole recording, its length
    included.

    Args:
        channels: number of channels C.
        eps: added to the variance.

    Shape:
        ``[B, C, T, F]`` → the same.

    Chapter: 02.
    Source: Ulyanov et al. (2016); used as in MP-SENet (2023).
    """

    def __init__(self, channels: int, eps: float = 1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(torch.promote_types(x.dtype, torch.float32))  # bfloat16 is too coarse here
        if x.device.type == "cpu" and not torch.compiler.is_compiling():
            return _InstanceNormFunction.apply(x, self.weight, self.bias, self.eps)
        variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)  # [B, C, 1, 1]
        scale = self.weight.view(-1, 1, 1) * torch.rsqrt(variance + self.eps)
        return (x - mean) * scale + self.bias.view(-1, 1, 1)


class _InstanceNormFunction(torch.autograd.Function):
    """For one item it is a batch norm, whose kernels are the fastest in this layout."""

    @staticmethod
    def forward(ctx, x, weight, bias, eps):
        y = torch.empty_like(x)
        mean, scale = x.new_empty(2, *x.shape[:2])  # two of [B, C]
        for item, *results in zip(x.split(1), y.split(1), mean, scale, strict=True):
            settings = (weight, bias, None, None, True, 0.0, eps)
            torch.native_batch_norm(item, *settings, out=results)
        ctx.save_for_backward(x, weight, mean, scale)
        ctx.eps = eps
        return y

    @staticmethod
    def backward(ctx, grad):
        x, weight, mean, scale = ctx.saved_tensors
        items = zip(grad.split(1), x.split(1), mean, scale, strict=True)
        gradients = [
            torch.ops.aten.native_batch_norm_backward(
                g, item, weight, None, None, m, s, True, ctx.eps, [True] * 3
            )
            for g, item, m, s in items
        ]
        grad_x, grad_weight, grad_bias = zip(*gradients, strict=True)
        return torch.cat(grad_x), sum(grad_weight), sum(grad_bias), None


class _DepthwiseFunction(torch.autograd.Function):
    """Depthwise convolution, stride 1, odd kernel, same length, with a backward pass fast on a CPU.

    The library's backward pass is slow where its forward pass is not: for dilated kernels, and for
    the weights of kernels wider than 3. Both gradients can be had from the fast cases instead: that
    of the input is a convolution with the flipped kernel; for that of the weights, a dilated or a
    wide kernel is taken row by row.
    """

    @staticmethod
    def forward(ctx, x, weight, dilation):
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return _depthwise(x, weight, dilation)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_x = _depthwise(grad, weight.flip(2, 3), ctx.dilation)
        if ctx.needs_input_grad[1]:
            x, grad = (t.permute(0, 2, 3, 1).contiguous() for t in (x, grad))  # [B, T, F, C]
            grad_weight = _depthwise_weight_gradient(x, grad, *weight.shape[2:], ctx.dilation)
        return grad_x, grad_weight, None


def _depthwise(x: Tensor, weight: Tensor, dilation: int = 1, stride: int = 1) -> Tensor:
    rows, columns = weight.shape[2:]
    padding = (dilation * (rows // 2), columns // 2)
    return F.conv2d(x, weight, None, (1, stride), padding, (dilation, 1), groups=x.shape[1])


def _depthwise_weight_gradient(
    x: Tensor, grad: Tensor, rows: int, columns: int, dilation: int
) -> Tensor:
    """Gradient of a kernel ``[C, 1, rows, columns]`` from two ``[B, T, F, C]``."""
    if rows == 1:  # along frequency only: frequency takes the place of time
        x, grad = (t.flatten(0, 1).unsqueeze(2) for t in (x, grad))  # [B * T, F, 1, C]
        return _kernel_gradient(x, grad, columns, 1).transpose(2, 3)
    if dilation == 1 and columns <= 3:
        return _kernel_gradient(x, grad, rows, columns)
    gradient = x.new_zeros(x.shape[-1], 1, rows, columns)
    for row in range(rows):
        shift = dilation * (row - rows // 2)
        if (length := x.shape[1] - abs(shift)) > 0:
            # Frame t + shift of the input meets frame t of the output. Item by item, to copy none.
            pairs = zip(
                x.narrow(1, max(0, shift), length).split(1),
                grad.narrow(1, max(0, -shift), length).split(1),
                strict=True,
            )
            gradient[:, :, [row]] = sum(
                _depthwise_weight_gradient(*pair, 1, columns, 1) for pair in pairs
            )
    return gradient


def _kernel_gradient(x: Tensor, grad: Tensor, rows: int, columns: int) -> Tensor:
    """The library's gradient of an undilated kernel, fast for up to three columns."""
    channels = x.shape[-1]
    return torch.ops.aten.convolution_backward(
        grad.permute(0, 3, 1, 2),
        x.permute(0, 3, 1, 2),
        x.new_empty(channels, 1, rows, columns),
        None,
        [1, 1],
        [rows // 2, columns // 2],
        [1, 1],
        False,
        [0, 0],
        channels,
        [False, True, False],
    )[1]


class DepthwiseConv(nn.Module):
    """Depthwise convolution: one small kernel for each channel, output as long as the input.

    Args:
        channels: number of channels C.
        kernel_size: (time, frequency), both odd.
        dilation: step between the taps along time, in frames.
        stride: step along frequency, in bins.

    Shape:
        ``[B, C, T, F]`` → ``[B, C, T, ceil(F / stride)]``.

    Raises:
        ValueError: if a kernel size is even, or a stride is combined with a dilation.

    Chapter: 02.
    Source: Howard et al. (2017), MobileNets; dilation along time as summaries of arXiv 2508.14525
        report.
    """

    def __init__(
        self, channels: int, kernel_size: tuple[int, int], dilation: int = 1, stride: int = 1
    ):
        super().__init__()
        if not all(size % 2 for size in kernel_size):
            raise ValueError(f"kernel_size must be odd in both directions, not {kernel_size}")
        if stride > 1 and dilation > 1:
            raise ValueError("stride and dilation cannot be combined")
        self.dilation, self.stride = dilation, stride
        self.weight = nn.Parameter(torch.empty(channels, 1, *kernel_size))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolve(x, self.weight)

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """The convolution with these kernels, which may be those of some of the channels only."""
        learns = torch.is_grad_enabled() and weight.requires_grad
        if x.device.type == "cpu" and learns and self.stride == 1:
            return _DepthwiseFunction.apply(x, weight, self.dilation)
        return _depthwise(x, weight, self.dilation, self.stride)


class PointwiseConv(nn.Linear):
    """A 1x1 convolution: the same small matrix at each point of time and frequency.

    In channels-last memory that is a linear layer, with no data to move.

    Args:
        in_channels: number of channels in.
        out_channels: number of channels out.
        bias: learned offset for each output channel.

    Shape:
        ``[B, in_channels, T, F]``, or parts of it in the order of their channels →
        ``[B, out_channels, T, F]``.

    Chapter: 02.
    Source: Howard et al. (2017), MobileNets.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = False):
        super().__init__(in_channels, out_channels, bias)

    def forward(self, *parts: Tensor) -> Tensor:
        # The matrix times joined channels is a sum over the parts, which need not be copied.
        matrices = self.weight.split([part.shape[1] for part in parts], dim=1)
        batch, _, frames, bins = parts[0].shape
        rows = [part.permute(0, 2, 3, 1).flatten(0, 2) for part in parts]  # [B * T * F, its C]
        total = F.linear(rows[0], matrices[0], self.bias)  # [B * T * F, out_channels]
        for row, matrix in zip(rows[1:], matrices[1:], strict=True):
            # Autocast does not reach what works in place: bring both to the type of the first.
            total = total.addmm_(row.to(total.dtype), matrix.t().to(total.dtype))
        return total.view(batch, frames, bins, -1).permute(0, 3, 1, 2)


class DepthwiseSeparableConv(nn.Sequential):
    """Depthwise, then pointwise convolution, in place of one full convolution.

    It needs ``k C + C D`` weights where the full convolution needs ``k C D``, with ``k`` the number
    of taps, C channels in and D channels out.

    Args:
        in_channels: number of channels C in.
        out_channels: number of channels D out.
        kernel_size: (time, frequency), both odd.
        dilation: step between the taps along time, in frames.
        stride: step along frequency, in bins.

    Shape:
        ``[B, in_channels, T, F]``, or parts of it in the order of their channels →
        ``[B, out_channels, T, ceil(F / stride)]``.

    Raises:
        ValueError: as :class:`DepthwiseConv`.

    Chapter: 02.
    Source: arXiv 2508.14525 (abstract); Howard et al. (2017).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int] = (3, 3),
        dilation: int = 1,
        stride: int = 1,
    ):
        super().__init__(
            DepthwiseConv(in_channels, kernel_size, dilation, stride),
            PointwiseConv(in_channels, out_channels),
        )

    def forward(self, *parts: Tensor) -> Tensor:
        depthwise, pointwise = self
        kernels = depthwise.weight.split([part.shape[1] for part in parts])
        return pointwise(*map(depthwise.convolve, parts, kernels))


class StandardConv(nn.Conv2d):
    """Full convolution with the arguments of :class:`DepthwiseSeparableConv`, for the ablation.

    Shape:
        as :class:`DepthwiseSeparableConv`.

    Chapter: 02.
    Source: the convolution of MP-SENet (2023).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int] = (3, 3),
        dilation: int = 1,
        stride: int = 1,
    ):
        padding = (dilation * (kernel_size[0] // 2), kernel_size[1] // 2)
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            (1, stride),
            padding,
            (dilation, 1),
            bias=False,
        )

    def forward(self, *parts: Tensor) -> Tensor:
        return super().forward(torch.cat(parts, dim=1))


class ConvBlock(nn.Sequential):
    """Convolution, instance norm and hard swish.

    Args:
        in_channels: number of channels in.
        out_channels: number of channels out.
        kernel_size: (time, frequency), both odd.
        dilation: step between the taps along time, in frames.
        stride: step along frequency, in bins.
        separable: depthwise-separable convolution if true, full convolution if false.

    Shape:
        ``[B, in_channels, T, F]`` → ``[B, out_channels, T, ceil(F / stride)]``.

    Chapter: 02.
    Source: hard swish of Howard et al. (2019), MobileNetV3, in place of the relatives' PReLU, whose
        gradient is slow: a choice of this project.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int] = (3, 3),
        dilation: int = 1,
        stride: int = 1,
        separable: bool = True,
    ):
        conv = DepthwiseSeparableConv if separable else StandardConv
        super().__init__(
            conv(in_channels, out_channels, kernel_size, dilation, stride),
            InstanceNorm(out_channels),
            nn.Hardswish(),
        )


class DilatedDenseBlock(nn.Module):
    """Layers with growing dilation along time, each of which sees the outputs of all before it.

    Args:
        channels: number of channels C, in and out.
        dilations: dilation of each layer, in frames.
        separable: depthwise-separable convolutions if true, full convolutions if false.

    Shape:
        ``[B, C, T, F]`` → the same.

    Chapter: 02.
    Source: dense connections and dilations 1, 2, 4, 8 as summaries of arXiv 2508.14525 report;
        Pandey and Wang (2020) for the dilated dense block.
    """

    def __init__(
        self, channels: int, dilations: tuple[int, ...] = (1, 2, 4, 8), separable: bool = True
    ):
        super().__init__()
        self.layers = nn.ModuleList(
            ConvBlock(channels * (i + 1), channels, dilation=dilation, separable=separable)
            for i, dilation in enumerate(dilations)
        )

    def forward(self, x: Tensor) -> Tensor:
        seen = [x]  # of [B, C, T, F]
        for convolution, norm, unit in self.layers:
            seen.append(unit(norm(convolution(*seen))))
        return seen[-1]


class MultiScaleBlock(nn.Module):
    """Depthwise convolutions of several kernel sizes side by side, then a pointwise convolution.

    The result is added to the input.

    Args:
        channels: number of channels C, in and out.
        kernel_sizes: side of each square kernel, odd.
        separable: full convolutions in the branches if false.

    Shape:
        ``[B, C, T, F]`` → the same.

    Chapter: 02.
    Source: "depthwise separable convolutions within a multi-scale block" (arXiv 2508.14525,
        abstract); number, size and place of the branches are a choice of this project.
    """

    def __init__(
        self, channels: int, kernel_sizes: tuple[int, ...] = (3, 5, 7), separable: bool = True
    ):
        super().__init__()
        if separable:
            branches = [DepthwiseConv(channels, (size, size)) for size in kernel_sizes]
        else:
            branches = [StandardConv(channels, channels, (size, size)) for size in kernel_sizes]
        self.branches = nn.ModuleList(branches)
        self.mix = nn.Sequential(
            PointwiseConv(channels * len(kernel_sizes), channels),
            InstanceNorm(channels),
            nn.Hardswish(),
        )

    def forward(self, x: Tensor) -> Tensor:
        mix, norm, unit = self.mix
        return x + unit(norm(mix(*(branch(x) for branch in self.branches))))


class SubPixelUpsample(nn.Module):
    """Doubles the number of frequencies: twice the channels are computed, then laid side by side.

    In channels-last memory the rearrangement ``[B, T, F, 2 * C]`` → ``[B, T, 2 * F, C]`` is a view.

    Args:
        channels: number of channels C, in and out.
        separable: depthwise-separable convolution if true, full convolution if false.

    Shape:
        ``[B, C, T, F]`` → ``[B, C, T, 2 * F]``.

    Chapter: 02.
    Source: Shi et al. (2016), along one axis as in CMGAN (2022).
    """

    def __init__(self, channels: int, separable: bool = True):
        super().__init__()
        conv = DepthwiseSeparableConv if separable else StandardConv
        self.conv = conv(channels, 2 * channels, (1, 3))

    def forward(self, x: Tensor) -> Tensor:
        batch, _, frames, bins = x.shape
        x = self.conv(x).permute(0, 2, 3, 1)  # [B, T, F, 2 * C]
        x = x.reshape(batch, frames, 2 * bins, -1)
        return x.permute(0, 3, 1, 2)  # [B, C, T, 2 * F]
