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


def _depthwise(x, kernels, dilation, padding=None):
    padding = (dilation, 1) if padding is None else padding
    return functional.conv2d(x, kernels, None, 1, padding, (dilation, 1), groups=len(kernels))


def _fuse(kernels, mix, pad=lambda room: [room // 2] * 4, columns=None):
    size = kernels[-1].shape[-1]
    parts = columns(mix, len(kernels)) if columns else mix.chunk(len(kernels), dim=1)
    padded = [functional.pad(kernel[:, 0], pad(size - kernel.shape[-1])) for kernel in kernels]
    return sum(p[:, :, None, None] * k for p, k in zip(parts, padded, strict=True))


def _norm(pieces, weight, bias, eps=1e-5):
    return functional.instance_norm(torch.cat(pieces, 2), weight=weight, bias=bias, eps=eps)


def _normalised(pieces, weight, bias, mean, variance):
    scale = weight[:, None, None] / (variance + 1e-5).sqrt()
    return torch.cat([scale * (piece - mean) + bias[:, None, None] for piece in pieces], 2)


def _summed(pieces, points):
    """Mean and variance from sums, as the solution takes them, divided by any number."""
    mean = sum(piece.sum((2, 3), keepdim=True) for piece in pieces) / points
    squares = sum((piece - mean).square().sum((2, 3), keepdim=True) for piece in pieces)
    return mean, squares / points


def _all_points(pieces):
    return sum(piece[0, 0].numel() for piece in pieces)


def _means(pieces):
    return torch.stack([piece.mean((2, 3), keepdim=True) for piece in pieces])


def _variances(pieces):
    return torch.stack([piece.var((2, 3), correction=0, keepdim=True) for piece in pieces])


def _moments(pieces):
    whole = torch.cat(pieces, 2)
    return whole.mean((2, 3), keepdim=True), whole.var((2, 3), correction=0, keepdim=True)


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
            "the groups are missing",
        ),
        (
            lambda x, k, m, d: functional.conv2d(_depthwise(x, k, d), m),
            "two more axes at its end",
        ),
        (
            lambda x, k, m, d: functional.conv2d(_depthwise(x, k, d), m[:, :, None]),
            "two more axes at its end",
        ),
        (
            lambda x, k, m, d: functional.conv2d(_depthwise(x, k, d), m[None, None]),
            "two more axes at its end",
        ),
        (
            lambda x, k, m, d: _separable(x, k[[0] * len(k)], m, (d, 1), (d, 1)),
            "all channels get the kernel of channel 0",
        ),
        (
            lambda x, k, m, d: _separable(x, k.flip(2), m, (d, 1), (d, 1)),
            "flipped along time",
        ),
        (
            lambda x, k, m, d: _separable(x, k.flip(3), m, (d, 1), (d, 1)),
            "flipped along frequency",
        ),
        (
            lambda x, k, m, d: _separable(
                functional.pad(x, (0, 0, 2 * d, 0)), k, m, (0, 1), (d, 1)
            ),
            "before the first frame (causal)",
        ),
        (
            lambda x, k, m, d: _separable(
                functional.pad(x, (0, 0, 0, 2 * d)), k, m, (0, 1), (d, 1)
            ),
            "all behind the last frame",
        ),
        (
            lambda x, k, m, d: functional.conv2d(_depthwise(x, k, d).relu(), m[:, :, None, None]),
            "nonlinearity between",
        ),
        (
            lambda x, k, m, d: _separable(x, k, m, (d, 1), (d, 1)).relu(),
            "nonlinearity after",
        ),
        (
            lambda x, k, m, d: functional.conv2d(
                _depthwise(x, k, d, padding=0), m[:, :, None, None], padding=(d, 1)
            ),
            "the padding is in the pointwise part",
        ),
        (
            lambda x, k, m, d: functional.conv2d(
                _depthwise(x, k, d), m[:, :, None, None], padding=1
            ),
            "the pointwise part pads, too",
        ),
        (
            lambda x, k, m, d: functional.conv2d(
                _depthwise(x, k, d), m[:, :, None, None], padding=(d, 1)
            ),
            "the pointwise part pads, too",
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
        (lambda k, m: _fuse(k, m, lambda room: (0, room, 0, room)), "in the middle of the large"),
        (lambda k, m: _fuse(k, m, lambda room: (room, 0, room, 0)), "in the middle of the large"),
        (lambda k, m: _fuse(k, m, lambda room: (0, room, room, 0)), "in the middle of the large"),
        (
            lambda k, m: _fuse(k, m, lambda room: (room // 2, room // 2, 0, room)),
            "in the middle of the large",
        ),
        (
            lambda k, m: _fuse(k, torch.cat(m.chunk(len(k), 1)[::-1], 1)),
            "the branches are reversed",
        ),
        (
            lambda k, m: _fuse(k, m, columns=lambda m, n: [m[:, : m.shape[1] // n]] * n),
            "all branches get the columns of the first",
        ),
        (
            lambda k, m: _fuse(k, m, columns=lambda m, n: [m[:, -(m.shape[1] // n) :]] * n),
            "all branches get the columns of the last",
        ),
        (lambda k, m: _fuse(k, torch.ones_like(m))[0], "the mix is not used"),
        (lambda k, m: _fuse(k, torch.ones_like(m))[0][:, None], "the mix is not used"),
        (lambda k, m: _fuse([x[:1].repeat(len(x), 1, 1, 1) for x in k], m), "kernels of channel 0"),
        (lambda k, m: _fuse([x.flip(2) for x in k], m), "flipped along time"),
        (lambda k, m: _fuse([x.flip(3) for x in k], m), "flipped along frequency"),
        (
            lambda k, m: _fuse(sorted(k, key=len), m)[:, :, 1:],
            "kernels [[4, 1, 3, 3], [4, 1, 5, 5]",
        ),
        (lambda k, m: (_fuse(k, m), k.reverse())[0], "y = x[::-1] instead of x.reverse()"),
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


@pytest.mark.filterwarnings("ignore:var")  # one of the mistakes divides by 0
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
        (
            lambda p, w, b: _normalised(p, w, b, _moments(p)[0], _variances(p).mean(0)),
            "the mean is right now",
        ),
        (
            lambda p, w, b: _normalised(
                p, w, b, _means(p).mean(0), _variances(p).mean(0) + _means(p).var(0, correction=0)
            ),
            "the variance of the means is there now",
        ),
        (
            lambda p, w, b: _normalised(
                p, w, b, _means(p).mean(0), _variances(p).mean(0) + _means(p).var(0)
            ),
            "divided by the number of pieces less one",
        ),
        (
            lambda p, w, b: _normalised(
                p,
                w,
                b,
                mean := _means(p).mean(0),
                (torch.cat(p, 2) - mean).square().mean((2, 3), keepdim=True),
            ),
            "the mean is still that of the pieces' means",
        ),
        (
            lambda p, w, b: _normalised(
                p,
                w,
                b,
                _moments(p)[0],
                sum(
                    (x - x.mean((2, 3), keepdim=True)).square().sum((2, 3), keepdim=True) for x in p
                )
                / _all_points(p),
            ),
            "two pieces of constant value",
        ),
        (lambda p, w, b: _normalised(p, w, b, *_moments(p[:1])), "of the first piece alone"),
        (lambda p, w, b: _normalised(p, w, b, *_moments(p[-1:])), "of the last piece alone"),
        (
            lambda p, w, b: torch.cat(
                [_normalised([x], w, b, x.mean((2, 3), keepdim=True), _moments(p)[1]) for x in p],
                2,
            ),
            "each piece loses its own mean",
        ),
        (lambda p, w, b: _normalised(p, w, b, 0.0, _moments(p)[1]), "the mean is not subtracted"),
        (
            lambda p, w, b: _normalised(p, w, b, *_summed(p, sum(x.shape[2] for x in p))),
            "divided by the number of frames alone",
        ),
        (
            lambda p, w, b: _normalised(p, w, b, *_summed(p, sum(x.numel() for x in p))),
            "points of all channels and items",
        ),
        (
            lambda p, w, b: _normalised(p, w, b, *_summed(p, len(p))),
            "divided by the number of pieces",
        ),
        (lambda p, w, b: _norm(p, None, b), "the weight is not used"),
        (lambda p, w, b: _norm(p, w, None), "the bias has no effect: it is missing"),
        (lambda p, w, b: _norm(p, w, -b), "the bias is subtracted"),
        (_norm, "joined before the last step"),
        (
            lambda p, w, b: _normalised(p, w, b, *_moments(p)),
            "joined before the last step",
        ),
        (
            lambda p, w, b: (
                torch.cat([_normalised([x], w, 0 * b, *_summed(p, _all_points(p))) for x in p], 2)
                + b[:, None, None]
            ),
            "joined before the last step",
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
            "added before the norm",
        ),
        (
            lambda p, w, b: (_norm(p, None, None) + b[:, None, None]) * w[:, None, None],
            "the bias is multiplied by the weight",
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


def test_sums_over_the_pieces_need_no_joining(capsys):
    def one_pass(pieces, weight, bias):
        points = _all_points(pieces)
        mean = sum(piece.sum((2, 3), keepdim=True) for piece in pieces) / points
        squares = sum(piece.square().sum((2, 3), keepdim=True) for piece in pieces) / points
        return _normalised(pieces, weight, bias, mean, squares - mean.square())

    assert chapter02.check_norm_of_pieces(one_pass, strict=True) is True
    assert "all 3 checks passed" in capsys.readouterr().out


def test_sizes_of_all_pieces_are_said(capsys):
    chapter02.check_norm_of_pieces(lambda pieces, w, b: torch.cat(pieces, 1))
    assert "pieces 1 × [1, 3, 12, 5]" in capsys.readouterr().out
    chapter02.check_norm_of_pieces(lambda p, w, b: _norm(p, w, b) if len(p) == 1 else p[0])
    assert "wrong for pieces [[2, 3, 4, 5], [2, 3, 9, 5], [2, 3, 2, 5]]" in capsys.readouterr().out


@pytest.mark.parametrize(
    "check", [chapter02.check_separable, chapter02.check_fuse, chapter02.check_norm_of_pieces]
)
def test_a_mistake_is_said_once(check, capsys):
    check(lambda *arguments: None)
    assert len(capsys.readouterr().out.splitlines()) == 2
