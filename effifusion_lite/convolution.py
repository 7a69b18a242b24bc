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
        points = x.permute(0, 2, 3, 1).flatten(1, 2)  # [B, T * F, C]
        normed = _InstanceNormFunction.apply(points, self.weight, self.bias, self.eps)
        return normed.view(x.shape[0], *x.shape[2:], x.shape[1]).permute(0, 3, 1, 2)


class _InstanceNormFunction(torch.autograd.Function):
    """Instance norm of ``[B, P, C]`` over its points P, with few passes over the data.

    With ``y = (x - mean) * scale`` the gradient of x is
    ``scale * weight * (g - mean(g) - y * mean(g * y))``.
    """

    @staticmethod
    def forward(ctx, x, weight, bias, eps):
        mean = x.mean(1, keepdim=True)  # [B, 1, C]
        centred = x - mean  # [B, P, C]
        scale = torch.rsqrt((centred * centred).mean(1, keepdim=True) + eps)  # [B, 1, C]
        ctx.save_for_backward(centred, scale, weight)
        return torch.addcmul(bias, centred, scale * weight)

    @staticmethod
    def backward(ctx, grad):
        centred, scale, weight = ctx.saved_tensors
        points = grad.shape[1]
        total = grad.sum(1, keepdim=True)  # [B, 1, C]
        product = (grad * centred).sum(1, keepdim=True) * scale  # [B, 1, C], sum of g * y
        gain = scale * weight
        grad_x = torch.addcmul(-gain * total / points, grad, gain)
        grad_x.addcmul_(centred, -gain * scale * product / points)
        return grad_x, product.sum((0, 1)), total.sum((0, 1)), None


class _DepthwiseFunction(torch.autograd.Function):
    """Depthwise convolution, stride 1, odd kernel, same length, with a backward pass fast on a CPU.

    The library's backward pass is slow where its forward pass is not: for dilated kernels, and for
    the weights of kernels wider than 3. Both gradients can be had from the fast cases instead: that
    of the input is a convolution with the flipped kernel; for that of the weights a dilation
    disappears where d frames are looked at as one row, and a wide kernel is taken in parts.
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
            grad_weight = _depthwise_weight_gradient(x, grad, weight, ctx.dilation)
        return grad_x, grad_weight, None


def _depthwise(x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    rows, columns = weight.shape[2:]
    padding = (dilation * (rows // 2), columns // 2)
    return F.conv2d(x, weight, None, 1, padding, (dilation, 1), groups=x.shape[1])


def _kernel_gradient(x: Tensor, grad: Tensor, rows: int, columns: int) -> Tensor:
    """The library's gradient of an undilated kernel ``[C, 1, rows, columns]``."""
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


def _with_zero_border(x: Tensor, side: int, surplus: int) -> Tensor:
    """``[B, T, F, C]`` → ``[B, T + surplus, 1 + F + side, C]``."""
    batch, frames, bins, channels = x.shape
    bordered = x.new_empty(batch, frames + surplus, 1 + bins + side, channels)
    bordered[:, :frames, 1 : 1 + bins] = x
    bordered[:, :, 0] = 0
    bordered[:, :, 1 + bins :] = 0
    bordered[:, frames:] = 0
    return bordered


def _depthwise_weight_gradient(x: Tensor, grad: Tensor, weight: Tensor, dilation: int) -> Tensor:
    rows, columns = weight.shape[2:]
    x, grad = (t.permute(0, 2, 3, 1).contiguous() for t in (x, grad))  # [B, T, F, C]
    batch, frames, bins, channels = x.shape
    if rows == 1:  # along frequency only: frequency takes the place of time
        x, grad = (t.view(batch * frames, bins, 1, channels) for t in (x, grad))
        return _kernel_gradient(x, grad, columns, 1).view_as(weight)
    if dilation == 1 and columns <= 3:
        return _kernel_gradient(x, grad, rows, columns)
    # With zero columns between them, d frames can stand in one row: dilation d becomes 1.
    side, surplus = columns // 2, -frames % dilation
    x, grad = (_with_zero_border(t, side, surplus) for t in (x, grad))
    folded = (batch, (frames + surplus) // dilation, dilation * (1 + bins + side), channels)
    x, grad = x.view(folded), grad.view(folded)
    if columns <= 3:
        return _kernel_gradient(x, grad, rows, columns)
    # A wider kernel goes in parts of three columns; aside by one is one place on in the flat array.
    parts = []
    for shift in range(1 - side, side + 2, 3):
        moved = F.pad(x.flatten(1, 2), (0, 0, -shift, shift)).view(folded)
        parts.append(_kernel_gradient(moved, grad, rows, 3))
    return torch.cat(parts, dim=3)[..., :columns]


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
        if self.stride > 1:
            rows, columns = self.weight.shape[2:]
            padding = (rows // 2, columns // 2)
            return F.conv2d(x, self.weight, None, (1, self.stride), padding, 1, x.shape[1])
        if x.device.type == "cpu" and torch.is_grad_enabled() and self.weight.requires_grad:
            return _DepthwiseFunction.apply(x, self.weight, self.dilation)
        return _depthwise(x, self.weight, self.dilation)


class PointwiseConv(nn.Linear):
    """A 1x1 convolution: the same small matrix at each point of time and frequency.

    In channels-last memory that is a linear layer, with no data to move.

    Args:
        in_channels: number of channels in.
        out_channels: number of channels out.
        bias: learned offset for each output channel.

    Shape:
        ``[B, in_channels, T, F]`` → ``[B, out_channels, T, F]``.

    Chapter: 02.
    Source: Howard et al. (2017), MobileNets.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = False):
        super().__init__(in_channels, out_channels, bias)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


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
        ``[B, in_channels, T, F]`` → ``[B, out_channels, T, ceil(F / stride)]``.

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


class StandardConv(nn.Conv2d):
    """Full convolution with the arguments of :class:`DepthwiseSeparableConv`, for the ablation.

    Shape:
        ``[B, in_channels, T, F]`` → ``[B, out_channels, T, ceil(F / stride)]``.

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


class ConvBlock(nn.Sequential):
    """Convolution, instance norm and SiLU.

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
    Source: choice of this project (SiLU in place of the relatives' PReLU, whose gradient is slow).
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
            nn.SiLU(),
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
        seen = x
        for i, layer in enumerate(self.layers):
            x = layer(seen)  # [B, C, T, F]
            if i + 1 < len(self.layers):
                seen = torch.cat([seen, x], dim=1)  # [B, (i + 2) * C, T, F]
        return x


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
            nn.SiLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        scales = torch.cat([branch(x) for branch in self.branches], dim=1)  # [B, 3 * C, T, F]
        return x + self.mix(scales)


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
