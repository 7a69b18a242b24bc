"""The checks of chapter 05: each likely mistake by name."""

import numpy as np
import pytest
import torch

from effifusion_lite.lesson.checks import chapter05
from notebooks import build
from notebooks.compose import blank, fill
from notebooks.rules import source_cells

TURN = 2 * torch.pi


def _function(name, variant):
    """The reader's function, from the exercise cell of the chapter's source."""
    cells = source_cells(*build.sources(["05"]))
    source = next(cell.source for cell in cells if f"def {name}(" in cell.source)
    names = {"torch": torch, "np": np}
    exec(variant(source), names)
    return names[name]


def _wrap(x):
    return torch.atan2(x.sin(), x.cos())


def _zero_mean(x):
    return x - x.mean(-1, keepdim=True)


def _loss(c, e, centre=_zero_mean, project=True, factor=10.0, log=torch.log10, over="clean"):
    c, e = centre(c), centre(e)
    energy = c if over == "clean" else e
    alpha = (e * c).sum(-1, keepdim=True) / energy.square().sum(-1, keepdim=True)
    target = alpha * c if project else c
    return -factor * log(target.square().sum(-1) / (e - target).square().sum(-1)).mean()


def _energies(c, e):
    """Energy of enhanced over energy of clean."""
    first, second = _zero_mean(e).square(), _zero_mean(c).square()
    return first.sum(-1, keepdim=True) / second.sum(-1, keepdim=True)


def _with(c, e, alpha):
    c, e = _zero_mean(c), _zero_mean(e)
    target = alpha * c
    return -10 * torch.log10(target.square().sum(-1) / (e - target).square().sum(-1)).mean()


def _parts(c, e, above, below):
    """Ratio with the target (1) or the clean speech itself (0) above and in the error."""
    c, e = _zero_mean(c), _zero_mean(e)
    target = (e * c).sum(-1, keepdim=True) / c.square().sum(-1, keepdim=True) * c
    top, rest = target if above else c, e - (target if below else c)
    return -10 * torch.log10(top.square().sum(-1) / rest.square().sum(-1)).mean()


def _pooled(c, e):
    c, e = _zero_mean(c), _zero_mean(e)
    target = (e * c).sum(-1, keepdim=True) / c.square().sum(-1, keepdim=True) * c
    return -10 * torch.log10(target.square().sum() / (e - target).square().sum())


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda a, b: (a - b).abs().mean(), "the difference is not wrapped"),
        (lambda a, b: _wrap(a - b).mean(), "the size is missing"),
        (lambda a, b: ((a - b) % TURN).mean(), "wrapped to 0 ... 2 pi by the modulo"),
        (
            lambda a, b: ((a - b + torch.pi) % TURN + torch.pi).abs().mean(),
            "by the modulo with the wrong sign",
        ),
        (lambda a, b: ((a - b + torch.pi) % TURN).mean(), "not taken away again"),
        (lambda a, b: ((a - b + torch.pi / 2) % torch.pi - torch.pi / 2).abs().mean(), "half tur"),
        (lambda a, b: _wrap(a - b).square().mean(), "squares the distance"),
        (lambda a, b: _wrap(a - b).abs().sum(), "this is the sum"),
        (lambda a, b: (a - b).cos().mean(), "the cosine of the difference"),
        (lambda a, b: -_wrap(a - b).abs().mean(), "wrong sign"),
        (lambda a, b: _wrap(a - b).abs(), "shape [5, 7] where [] is expected"),
    ],
)
def test_mistakes_in_exercise_1_are_named(mistake, message, capsys):
    assert chapter05.check_phase_distance(mistake) is False
    assert message in capsys.readouterr().out


def test_a_modulo_done_right_passes():
    assert chapter05.check_phase_distance(
        lambda a, b: ((a - b + torch.pi) % TURN - torch.pi).abs().mean(), strict=True
    )


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda c, e: _loss(c, e, project=False), "the projection is missing"),
        (lambda c, e: _loss(c, e, centre=lambda x: x), "the means are not removed"),
        (lambda c, e: _loss(c, e, lambda x: x, project=False), "neither is the mean removed"),
        (lambda c, e: _loss(c, e, factor=20.0), "20 * log10 of energies"),
        (lambda c, e: _loss(c, e, log=torch.log), "the natural logarithm"),
        (lambda c, e: _with(c, e, _energies(c, e) ** 0.5), "alpha only matches the energies"),
        (lambda c, e: _parts(c, e, 1, 0), "the error is enhanced minus clean"),
        (lambda c, e: _parts(c, e, 0, 1), "is over the error, not its projection"),
        (lambda c, e: _loss(c, e, over="enhanced"), "alpha divides by the energy of the enhanced"),
        (lambda c, e: _loss(c.reshape(1, -1), e.reshape(1, -1)), "a batch are pooled"),
        (_pooled, "the energies of the batch are summed"),
        (lambda c, e: -_loss(c, e), "every value has the wrong sign"),
        (lambda c, e: _loss(c, e).detach(), "no gradient can flow"),
        (lambda c, e: _loss(c.sub_(c.mean(-1, keepdim=True)), e), "in place (clean)"),
    ],
)
def test_mistakes_in_exercise_2_are_named(mistake, message, capsys):
    assert chapter05.check_si_sdr_loss(mistake) is False
    assert message in capsys.readouterr().out


def test_si_sdr_is_symmetric_so_swapped_arguments_are_right():
    assert chapter05.check_si_sdr_loss(lambda c, e: _loss(e, c), strict=True)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda b, a: np.array([(a - b).mean(), (a - b).std(ddof=1)]), "the standard deviation of"),
        (lambda b, a: np.array([(a - b).mean(), (a - b).std() / len(a) ** 0.5]), "ddof=1"),
        (lambda b, a: np.array([(a - b).mean(), (a - b).std(ddof=1) / len(a)]), "of its root"),
        (
            lambda b, a: np.array([(b - a).mean(), (a - b).std(ddof=1) / len(a) ** 0.5]),
            "before minus after",
        ),
        (lambda b, a: (a - b).mean(), "shape [] where [2] is expected"),
    ],
)
def test_mistakes_in_exercise_3_are_named(mistake, message, capsys):
    assert chapter05.check_gain(mistake) is False
    assert message in capsys.readouterr().out


def test_the_bug_is_found_by_its_property_and_not_named(capsys):
    before, after = np.array([1.0, 2, 3]), np.array([1.1, 2.2, 3.1])
    easier = np.array([0.0, 5, -3])
    buggy, right = _function("my_gain", blank), _function("my_gain", fill)
    assert buggy(before, after)[0] == pytest.approx(right(before, after)[0])  # gains are right
    assert buggy(before + easier, after + easier)[1] > 2 * buggy(before, after)[1]
    assert right(before + easier, after + easier) == pytest.approx(right(before, after))
    assert chapter05.check_gain(buggy) is False
    printed = capsys.readouterr().out
    assert "add the same number to both scores" in printed
    assert "variance" not in printed
