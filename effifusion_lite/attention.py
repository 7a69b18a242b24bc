"""Attention with two norms, the convolution-enhanced transformer, and the two-stage block.

Layout: tensors are ``[B, T, F, C]`` (batch, frames, frequency, channels), contiguous; this is the
same memory as a channels-last ``[B, C, T, F]``. Each module works along one axis and treats every
position of the other axis as a sequence of its own, without copying the tensor into another order.

Chapter: 03 Dual-norm attention.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from effifusion_lite.convolution import DepthwiseConv

Axis = Literal["time", "frequency"]
# Frames times frequencies that a conformer works on at once on a CPU, and while it learns, when
# several threads share each operation.
CACHED_POINTS, LEARNING_POINTS = 4096, 16384


class DualNormAttention(nn.Module):
    """Multi-head self-attention along one axis, with a norm before and a norm after it.

    ``x + gain * norm_out(attention(norm_in(x)))``: the first norm feeds the attention, the second
    brings its result to a known scale, and a learned gain for each channel, the residual
    refinement, decides how much of it is added.

    Args:
        channels: number of channels C.
        axis: "time" or "frequency".
        head_channels: channels of one head.
        dual_norm: without it the second norm is left out, for the ablation.

    Shape:
        ``[B, T, F, C]`` → the same.

    Raises:
        ValueError: if ``channels`` is not a multiple of ``head_channels``.

    Source: dual LayerNorm and refined residuals as summaries of arXiv 2508.14525 report; place of
        the second norm and form of the gain (Touvron et al. 2021) are a choice of this project.
    """

    def __init__(self, channels: int, axis: Axis, head_channels: int = 16, dual_norm: bool = True):
        super().__init__()
        if channels % head_channels:
            raise ValueError(
                f"channels ({channels}) must be a multiple of head_channels ({head_channels})"
            )
        self.axis, self.head_channels = axis, head_channels
        self.norm_in = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels, bias=False)  # a bias here would change nothing
        self.value = nn.Linear(channels, channels)
        self.output = nn.Linear(channels, channels)
        norm_out = nn.LayerNorm(channels, elementwise_affine=False)
        self.norm_out = norm_out if dual_norm else nn.Identity()
        self.gain = nn.Parameter(torch.full((channels,), 0.5))

    def _split(self, x: Tensor) -> Tensor:
        """Sequences and heads, as a view: ``[B, T, F, C]`` → ``[batch, heads, length, D]``."""
        batch, frames, bins, channels = x.shape
        if self.axis == "time":  # every frequency counts as further heads
            heads = bins * (channels // self.head_channels)
            return x.view(batch, frames, heads, self.head_channels).transpose(1, 2)
        heads = channels // self.head_channels  # every frame counts as a further item of the batch
        return x.view(batch * frames, bins, heads, self.head_channels).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm_in(x)
        query, key, value = (self._split(p(y)) for p in (self.query, self.key, self.value))
        y = F.scaled_dot_product_attention(query, key, value)  # [batch, heads, length, D]
        y = y.transpose(1, 2).reshape(*x.shape[:-1], -1)  # [B, T, F, heads * D]
        return torch.addcmul(x, self.gain, self.norm_out(self.output(y)))


class FeedForward(nn.Sequential):
    """Two linear layers with a hard swish between them, applied to each point alone.

    Args:
        channels: number of channels C.
        hidden: number of hidden units.

    Shape:
        ``[..., C]`` → the same.

    Source: Gulati et al. (2020), Conformer.
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__(
            nn.LayerNorm(channels),
            nn.Linear(channels, hidden),
            nn.Hardswish(),
            nn.Linear(hidden, channels),
        )


class ConvolutionModule(nn.Module):
    """Gated linear unit, long depthwise convolution along one axis, linear layer.

    Args:
        channels: number of channels C.
        axis: "time" or "frequency".
        kernel_size: length of the depthwise convolution, odd.
        hidden: channels inside the module.

    Shape:
        ``[B, T, F, C]`` → the same.

    Source: Gulati et al. (2020), Conformer, without its batch norm: the output for one recording
        must not depend on the others of the batch.
    """

    def __init__(self, channels: int, axis: Axis, kernel_size: int, hidden: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, 2 * hidden)
        size = (kernel_size, 1) if axis == "time" else (1, kernel_size)
        self.depthwise = DepthwiseConv(hidden, size)
        self.reduce = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.glu(self.expand(self.norm(x)))  # [B, T, F, H]
        x = self.depthwise(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # [B, T, F, H]
        return self.reduce(F.hardswish(x))  # [B, T, F, C]


class Conformer(nn.Module):
    """Convolution-enhanced transformer along one axis: half feed-forward, attention, convolution,
    half feed-forward, norm.

    Args:
        channels: number of channels C.
        axis: "time" or "frequency".
        head_channels: channels of one attention head.
        dual_norm: second norm of the attention, see :class:`DualNormAttention`.
        kernel_size: length of the depthwise convolution, odd.
        expansion: hidden units of a feed-forward layer for each channel.

    Shape:
        ``[B, T, F, C]`` → the same.

    Source: Gulati et al. (2020); convolution expansion 2 and kernel 31 as in MP-SENet (2023).
    """

    def __init__(
        self,
        channels: int,
        axis: Axis,
        head_channels: int = 16,
        dual_norm: bool = True,
        kernel_size: int = 31,
        expansion: int = 4,
    ):
        super().__init__()
        self.feed_forward_in = FeedForward(channels, expansion * channels)
        self.attention = DualNormAttention(channels, axis, head_channels, dual_norm)
        self.convolution = ConvolutionModule(channels, axis, kernel_size, 2 * channels)
        self.feed_forward_out = FeedForward(channels, expansion * channels)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.add(x, self.feed_forward_in(x), alpha=0.5)
        x = self.attention(x)
        x = x + self.convolution(x)
        x = torch.add(x, self.feed_forward_out(x), alpha=0.5)
        return self.norm(x)


class TwoStageBlock(nn.Module):
    """A conformer along time for each frequency, then one along frequency for each frame.

    Args:
        channels: number of channels C.
        head_channels: channels of one attention head.
        dual_norm: second norm of the attention, see :class:`DualNormAttention`.
        kernel_size: length of the depthwise convolutions, odd.
        expansion: hidden units of a feed-forward layer for each channel.

    Shape:
        ``[B, T, F, C]`` → the same.

    Source: Cao et al. (2022), CMGAN; Lu et al. (2023), MP-SENet.
    """

    def __init__(
        self,
        channels: int,
        head_channels: int = 16,
        dual_norm: bool = True,
        kernel_size: int = 31,
        expansion: int = 4,
    ):
        super().__init__()
        settings = (head_channels, dual_norm, kernel_size, expansion)
        self.time = Conformer(channels, "time", *settings)
        self.frequency = Conformer(channels, "frequency", *settings)

    def forward(self, x: Tensor) -> Tensor:
        x = _add_in_pieces(self.time, x, dim=2)
        return _add_in_pieces(self.frequency, x, dim=1)


def _add_in_pieces(conformer: Conformer, x: Tensor, dim: int) -> Tensor:
    """``x`` plus the conformer of it, a part of its independent sequences at a time, which lie side
    by side along ``dim``.

    The result is the same; on a CPU the many intermediate tensors then stay in the cache.
    """
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return x + conformer(x)
    points = x.shape[:-1].numel() // x.shape[dim]
    limit = LEARNING_POINTS if torch.is_grad_enabled() else CACHED_POINTS
    pieces = x.split(max(1, limit // points), dim)
    return torch.cat([piece + conformer(piece) for piece in pieces], dim)
