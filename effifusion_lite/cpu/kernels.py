"""Forward and backward passes that are faster on a CPU than the library's, with the same results.

Layout: ``[B, C, T, F]`` in the channels-last memory format, as in ``convolution``.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


class InstanceNormFunction(torch.autograd.Function):
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


class DepthwiseFunction(torch.autograd.Function):
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
        return depthwise(x, weight, dilation)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_x = depthwise(grad, weight.flip(2, 3), ctx.dilation)
        if ctx.needs_input_grad[1]:
            x, grad = (t.permute(0, 2, 3, 1).contiguous() for t in (x, grad))  # [B, T, F, C]
            grad_weight = _depthwise_weight_gradient(x, grad, *weight.shape[2:], ctx.dilation)
        return grad_x, grad_weight, None


def depthwise(x: Tensor, weight: Tensor, dilation: int = 1, stride: int = 1) -> Tensor:
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
