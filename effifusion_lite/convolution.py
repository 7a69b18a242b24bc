"""Convolutional blocks of the generator.

Layout: tensors are ``[B, C, T, F]`` (batch, channels, frames, frequency) in the channels-last
memory format, so that the channels of one point lie side by side. Only then is a depthwise
convolution fast on a CPU, and ``x.permute(0, 2, 3, 1)`` costs nothing.

Chapter: 02 Depthwise-separable convolutions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from effifusion_lite.cpu.kernels import DepthwiseFunction, InstanceNormFunction, depthwise


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
            return InstanceNormFunction.apply(x, self.weight, self.bias, self.eps)
        variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)  # [B, C, 1, 1]
        scale = self.weight.view(-1, 1, 1) * torch.rsqrt(variance + self.eps)
        return (x - mean) * scale + self.bias.view(-1, 1, 1)


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
            return DepthwiseFunction.apply(x, weight, self.dilation)
        return depthwise(x, weight, self.dilation, self.stride)


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
