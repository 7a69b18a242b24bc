"""The checks of the exercises name each likely mistake."""

import pytest
import torch
from torch.nn import functional

from effifusion_lite.lesson.checks import chapter02


def _separable(x, kernels, matrix, padding, dilation, groups=None, first="depthwise"):
    def depthwise(x):
        return functional.conv2d(
            x, kernels, padding=padding, dilation=dilation, groups=groups or x.shape[1]
        )

    def pointwise(x):
        return functional.conv2d(x, matrix[:, :, None, None])

    return pointwise(depthwise(x)) if first == "depthwise" else depthwise(pointwise(x))


def _fuse(kernels, mix, pad=lambda room: [room // 2] * 4, columns=None):
    size = kernels[-1].shape[-1]
    parts = columns(mix, len(kernels)) if columns else mix.chunk(len(kernels), dim=1)
    padded = [functional.pad(kernel[:, 0], pad(size - kernel.shape[-1])) for kernel in kernels]
    return sum(p[:, :, None, None] * k for p, k in zip(parts, padded, strict=True))


def _norm(pieces, weight, bias, eps=1e-5):
    return functional.instance_norm(torch.cat(pieces, 2), weight=weight, bias=bias, eps=eps)


def _by_pieces(pieces, weight, bias, counts):
    """Mean and variance as weighted means over the pieces."""
    counts = torch.tensor(counts, dtype=torch.float32) / sum(counts)
    mean = sum(c * p.mean((2, 3), keepdim=True) for c, p in zip(counts, pieces, strict=True))
    variance = sum(
        c * p.var((2, 3), correction=0, keepdim=True) for c, p in zip(counts, pieces, strict=True)
    )
    scale = weight[:, None, None] / (variance + 1e-5).sqrt()
    return (torch.cat(pieces, 2) - mean) * scale + bias[:, None, None]


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda x, k, m, d: _separable(x, k, m, 1, (d, 1)), "padding does not grow"),
        (lambda x, k, m, d: _separable(x, k, m, 0, (d, 1)), "padding is missing"),
        (lambda x, k, m, d: _separable(x, k, m, 1, 1), "dilation is not used"),
        (lambda x, k, m, d: _separable(x, k, m, (1, d), (1, d)), "the axes are swapped"),
        (lambda x, k, m, d: _separable(x, k, m, d, d), "runs along frequency too"),
        (
            lambda x, k, m, d: _separable(x, k, m, (d, 1), (d, 1), first="pointwise"),
            "pointwise before depthwise",
        ),
        (
            lambda x, k, m, d: _separable(x, k, m, (d, 1), (d, 1), groups=len(m)),
            "the groups are the channels in, C, not those out",
        ),
        (
            lambda x, k, m, d: _separable(x, k, m, (d, 1), (d, 1), groups=1),
            "stopped with RuntimeError",
        ),
        (lambda x, k, m, d: _separable(x, k, m.T, (d, 1), (d, 1)), "the matrix is transposed"),
        (lambda x, k, m, d: _separable(x, k.mT, m, (d, 1), (d, 1)), "kernels are transposed"),
        (lambda x, k, m, d: _separable(x, k.flip(2, 3), m, (d, 1), (d, 1)), "are flipped"),
        (
            lambda x, k, m, d: functional.conv2d(
                x, k, padding=(d, 1), dilation=(d, 1), groups=len(k)
            ),
            "pointwise part is missing",
        ),
        (
            lambda x, k, m, d: functional.conv2d(x, m[:, :, None, None]),
            "depthwise part is missing",
        ),
        (
            lambda x, k, m, d: _separable(x, k, m, (2, 1), (2, 1)),
            "wrong for dilation=1: use the argument dilation",
        ),
        (lambda x, k, m, d: 2 * _separable(x, k, m, (d, 1), (d, 1)), "every value is 2 times"),
        (
            lambda x, k, m, d: _separable(x, k, m, (d, 1), (d, 1))[:, :4],
            "right for x [2, 4, 12, 9]",
        ),
    ],
)
def test_mistakes_in_exercise_1_are_named(mistake, message, capsys):
    assert chapter02.check_separable(mistake) is False
    assert message in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda k, m: _fuse(k, m, lambda room: (0, room, 0, room)), "lie in the corner"),
        (lambda k, m: _fuse(k, m, lambda room: (room, 0, room, 0)), "in the last corner"),
        (
            lambda k, m: _fuse(k, m, columns=lambda m, n: [m[:, b::n] for b in range(n)]),
            "columns of the mix are read in the wrong order",
        ),
        (lambda k, m: _fuse(k, torch.ones_like(m)), "the mix is not used"),
        (lambda k, m: _fuse([0 * x for x in k[:-1]] + k[-1:], m), "only the largest branch"),
        (lambda k, m: _fuse([x.flip(2, 3) for x in k], m), "the kernels are flipped"),
        (lambda k, m: _fuse(k, m).transpose(0, 1), "channels in and out are swapped"),
        (lambda k, m: _fuse(k, m).mT, "its last two dimensions are swapped"),
        (lambda k, m: _fuse(k, m) / len(k), "a factor that depends on the case: 1/3"),
        (lambda k, m: _fuse([x.mul_(1) for x in k], m.mul_(2)) / 2, "in place (mix)"),
    ],
)
def test_mistakes_in_exercise_2_are_named(mistake, message, capsys):
    assert chapter02.check_fuse(mistake) is False
    assert message in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            lambda p, w, b: _by_pieces(p, w, b, [1] * len(p)),
            "the same recording, cut in two ways",
        ),
        (
            lambda p, w, b: _by_pieces(p, w, b, [x.shape[2] for x in p]),
            "two pieces of constant value",
        ),
        (lambda p, w, b: torch.cat([_norm([x], w, b) for x in p], 2), "normalised by itself"),
        (
            lambda p, w, b: torch.cat(
                [_norm(p[: i + 1], w, b)[:, :, -x.shape[2] :] for i, x in enumerate(p)], 2
            ),
            "what was heard until then",
        ),
        (
            lambda p, w, b: functional.batch_norm(
                torch.cat(p, 2), None, None, weight=w, bias=b, training=True
            ),
            "over the items of the batch",
        ),
        (
            lambda p, w, b: (
                (x := torch.cat(p, 2))
                .sub(x.mean(2, keepdim=True))
                .div((x.var(2, correction=0, keepdim=True) + 1e-5).sqrt())
                .mul(w[:, None, None])
                .add(b[:, None, None])
            ),
            "over time alone",
        ),
        (
            lambda p, w, b: (
                (x := torch.cat(p, 2))
                .sub(x.mean((2, 3), keepdim=True))
                .div((x.var((2, 3), keepdim=True) + 1e-5).sqrt())
                .mul(w[:, None, None])
                .add(b[:, None, None])
            ),
            "number of points less one",
        ),
        (
            lambda p, w, b: (
                (x := torch.cat(p, 2))
                .sub(x.mean((2, 3), keepdim=True))
                .div(x.std((2, 3), correction=0, keepdim=True) + 1e-5)
                .mul(w[:, None, None])
                .add(b[:, None, None])
            ),
            "epsilon is added outside the root",
        ),
        (lambda p, w, b: _norm(p, w, b, eps=1e-20), "epsilon is missing"),
        (
            lambda p, w, b: _norm([x + b[:, None, None] for x in p], w, None),
            "the offset is added before the norm",
        ),
        (
            lambda p, w, b: (_norm(p, None, None) + b[:, None, None]) * w[:, None, None],
            "the offset is multiplied by the gain",
        ),
        (
            lambda p, w, b: (
                (x := torch.cat(p, 2))
                .sub(x.mean((2, 3), keepdim=True))
                .div(x.var((2, 3), correction=0, keepdim=True) + 1e-5)
                .mul(w[:, None, None])
                .add(b[:, None, None])
            ),
            "divide by its square root",
        ),
    ],
)
def test_mistakes_in_exercise_3_are_named(mistake, message, capsys):
    assert chapter02.check_norm_of_pieces(mistake) is False
    assert message in capsys.readouterr().out


@pytest.mark.parametrize(
    "check", [chapter02.check_separable, chapter02.check_fuse, chapter02.check_norm_of_pieces]
)
def test_a_mistake_is_said_once(check, capsys):
    check(lambda *arguments: None)
    assert len(capsys.readouterr().out.splitlines()) == 2
