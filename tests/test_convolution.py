import pytest
import torch
import torch.nn.functional as F
from torch import nn

from effifusion_lite.convolution import (
    ConvBlock,
    DepthwiseConv,
    DepthwiseSeparableConv,
    DilatedDenseBlock,
    InstanceNorm,
    MultiScaleBlock,
    PointwiseConv,
    StandardConv,
    SubPixelUpsample,
)


def channels_last(*shape, dtype=torch.float32):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    return x.to(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("kernel", "dilation", "shape"),
    [
        ((3, 3), 1, (2, 8, 20, 13)),
        ((3, 3), 4, (2, 8, 21, 13)),
        ((3, 3), 8, (1, 8, 5, 13)),
        ((5, 5), 1, (3, 8, 20, 13)),
        ((7, 7), 1, (2, 4, 20, 13)),
        ((9, 9), 2, (2, 4, 21, 12)),
        ((31, 1), 1, (2, 8, 40, 13)),
        ((1, 31), 1, (2, 8, 9, 40)),
        ((3, 1), 2, (2, 8, 9, 4)),
    ],
)
def test_depthwise_gradients_equal_those_of_the_plain_convolution(kernel, dilation, shape):
    conv = DepthwiseConv(shape[1], kernel, dilation).double()
    x = channels_last(*shape, dtype=torch.float64).requires_grad_()
    padding = (dilation * (kernel[0] // 2), kernel[1] // 2)
    plain = F.conv2d(x, conv.weight, None, 1, padding, (dilation, 1), groups=shape[1])
    ours = conv(x)
    torch.testing.assert_close(ours, plain)
    upstream = channels_last(*ours.shape, dtype=torch.float64).sin()
    inputs = (x, conv.weight)
    ours, plain = (torch.autograd.grad(y, inputs, upstream) for y in (ours, plain))
    torch.testing.assert_close(ours, plain)


def test_depthwise_convolution_equals_a_slow_twin():
    conv = DepthwiseConv(2, (3, 3), dilation=2)
    x = channels_last(1, 2, 6, 5)
    y = conv(x)
    for c in range(2):
        for t in range(6):
            for f in range(5):
                total = 0.0
                for i in range(3):
                    for j in range(3):
                        s, g = t + 2 * (i - 1), f + j - 1
                        if 0 <= s < 6 and 0 <= g < 5:
                            total += conv.weight[c, 0, i, j].item() * x[0, c, s, g].item()
                assert abs(y[0, c, t, f].item() - total) < 1e-5


def test_instance_norm_equals_the_library_and_keeps_the_layout():
    ours, library = InstanceNorm(5), nn.InstanceNorm2d(5, affine=True)
    for norm in (ours, library):
        nn.init.uniform_(norm.weight, generator=torch.Generator().manual_seed(1))
        nn.init.uniform_(norm.bias, generator=torch.Generator().manual_seed(2))
    x = channels_last(3, 5, 11, 7) * 3 + 100
    y = ours(x)
    torch.testing.assert_close(y, library(x), atol=1e-3, rtol=1e-3)
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_instance_norm_has_the_gradients_of_the_library():
    ours, library = InstanceNorm(5).double(), nn.InstanceNorm2d(5, affine=True).double()
    nn.init.uniform_(ours.weight, generator=torch.Generator().manual_seed(1))
    library.load_state_dict(ours.state_dict())
    x = channels_last(3, 5, 11, 7, dtype=torch.float64).requires_grad_()
    upstream = channels_last(3, 5, 11, 7, dtype=torch.float64).cos()
    gradients = [
        torch.autograd.grad(norm(x), (x, norm.weight, norm.bias), upstream)
        for norm in (ours, library)
    ]
    torch.testing.assert_close(*gradients)


def test_pointwise_convolution_is_a_1x1_convolution():
    conv = PointwiseConv(3, 4, bias=True)
    x = channels_last(2, 3, 5, 6)
    torch.testing.assert_close(conv(x), F.conv2d(x, conv.weight[:, :, None, None], conv.bias))


def test_separable_convolution_has_fewer_weights():
    def count(module):
        return sum(p.numel() for p in module.parameters())

    assert count(DepthwiseSeparableConv(64, 64)) == 9 * 64 + 64 * 64
    assert count(StandardConv(64, 64)) == 9 * 64 * 64


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("bins", [12, 13])
def test_shapes(separable, bins):
    x = channels_last(2, 8, 9, bins)
    assert DilatedDenseBlock(8, separable=separable)(x).shape == x.shape
    assert MultiScaleBlock(8, separable=separable)(x).shape == x.shape
    assert SubPixelUpsample(8, separable)(x).shape == (2, 8, 9, 2 * bins)
    halved = ConvBlock(8, 4, (1, 3), stride=2, separable=separable)(x)
    assert halved.shape == (2, 4, 9, (bins + 1) // 2)


def test_upsampling_puts_neighbours_side_by_side():
    up = SubPixelUpsample(3)
    x = channels_last(1, 3, 4, 5)
    wide = up.conv(x)
    y = up(x)
    torch.testing.assert_close(y[..., 0::2], wide[:, :3])
    torch.testing.assert_close(y[..., 1::2], wide[:, 3:])


def test_dense_block_reaches_as_far_as_its_dilations_say():
    block = DilatedDenseBlock(4)
    for layer in block.layers:  # the norms spread any change over the whole recording
        layer[1] = nn.Identity()
    x = channels_last(1, 4, 64, 3).requires_grad_()
    block(x)[0, :, 32].sum().backward()
    reached = x.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert reached.min() == 32 - 15
    assert reached.max() == 32 + 15


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((4, (2, 3)), "odd"), ((4, (3, 3), 2, 2), "cannot be combined")],
)
def test_impossible_kernels_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DepthwiseConv(*arguments)
