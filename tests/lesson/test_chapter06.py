"""The checks of chapter 06: each likely mistake by name."""

import pytest
import torch

from effifusion_lite.lesson.checks import chapter06
from notebooks import build
from notebooks.compose import blank, fill
from notebooks.rules import source_cells


def _function(name, variant):
    """The reader's function, from the exercise cell of the chapter's source."""
    cells = source_cells(*build.sources(["06"]))
    source = next(cell.source for cell in cells if f"def {name}(" in cell.source)
    names = {"torch": torch}
    exec(variant(source), names)
    return names[name]


def _one(c):
    return (c - 1).square().mean()


def _known(e, y):
    return (e - y)[~y.isnan()].square()


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda c, e, y: _one(c) + (e - y).square().mean(), "where labels are NaN your loss is"),
        (lambda c, e, y: _one(c) + _known(e, y).mean(), "where all labels are NaN"),
        (lambda c, e, y: _one(c) + (e - y).square().nanmean(), "where all labels are NaN"),
        (lambda c, e, y: _one(c) + (e - y.nan_to_num()).square().mean(), "counts as 0"),
        (lambda c, e, y: _one(c) + (e - y).square().nan_to_num().mean(), "divided by all pairs"),
        (
            lambda c, e, y: (
                (c - 1)[~y.isnan()].square().sum() / (~y.isnan()).sum().clamp_min(1)
                + _known(e, y).sum() / (~y.isnan()).sum().clamp_min(1)
            ),
            "left out of both terms",
        ),
        (
            lambda c, e, y: _one(c) + (_known(e, 0 * y).mean() if (~y.isnan()).any() else 0),
            "as in a GAN of real and fake",
        ),
        (
            lambda c, e, y: _one(c) + (_known(e, 0 * y + 1).mean() if (~y.isnan()).any() else 0),
            "what the generator wants",
        ),
        (lambda c, e, y: _known(e, y).sum() / max(1, (~y.isnan()).sum()), "(clean, clean) is miss"),
        (lambda c, e, y: _one(c), "(clean, enhanced) is missing"),
        (
            lambda c, e, y: (
                (c - 1).abs().mean() + (e - y).abs().nansum() / max(1, (~y.isnan()).sum())
            ),
            "absolute errors",
        ),
        (lambda c, e, y: float(_one(c)), "returns float where a torch.Tensor is expected"),
    ],
)
def test_mistakes_in_exercise_1_are_named(mistake, message, capsys):
    assert chapter06.check_discriminator_loss(mistake) is False
    assert message in capsys.readouterr().out


def _sigma(w, turns, normalise=True):
    matrix = w.flatten(1)
    v = torch.ones(matrix.shape[1])
    v = v / v.norm() if normalise else v
    for _ in range(turns):
        v = matrix.T @ (matrix @ v)
        v = v / v.norm()
    return (matrix @ v).norm()


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda w, n: w / torch.linalg.matrix_norm(w.flatten(1), 2), "exact singular value"),
        (lambda w, n: w / w.square().sum().sqrt(), "Frobenius"),
        (lambda w, n: w / _sigma(w, n + 1), "one turn too many"),
        (lambda w, n: w / _sigma(w, n - 1), "one turn too few"),
        (lambda w, n: w / _sigma(w, 1), "fixed at one"),
        (lambda w, n: w * _sigma(w, n), "multiplied by sigma"),
        (lambda w, n: _sigma(w, n), "this is sigma itself"),
        (lambda w, n: w / _sigma(w, n) ** 0.5, "the root is taken of sigma"),
        (lambda w, n: w / _sigma(w, n) ** 2, "square of sigma"),
        (lambda w, n: w.flatten(1) / _sigma(w, n), "the result is a matrix"),
        (lambda w, n: w / _sigma(w, 0, normalise=False), "not of length 1, or no turn"),
        (lambda w, n: w.div_(_sigma(w, n)), "changes its input in place (weight)"),
        (lambda w, n: 2 * w / _sigma(w, n), "every value is 2 times"),
        (lambda w, n: -w / _sigma(w, n), "wrong sign"),
    ],
)
def test_mistakes_in_exercise_2_are_named(mistake, message, capsys):
    assert chapter06.check_spectral_norm(mistake) is False
    assert message in capsys.readouterr().out


def test_the_length_before_the_last_v_is_named(capsys):
    def too_early(w, turns):
        matrix = w.flatten(1)
        v = torch.ones(matrix.shape[1]) / matrix.shape[1] ** 0.5
        for _ in range(turns):
            u = matrix @ v
            u = u / u.norm()
            sigma = (matrix.T @ u).norm()
            v = matrix.T @ u / sigma
        return w / sigma

    assert chapter06.check_spectral_norm(too_early) is False
    assert "from before v was renewed" in capsys.readouterr().out


def _judge_loss(judge, clean, enhanced, label):
    return _one(judge(clean, clean)) + (judge(clean, enhanced) - label).square().mean()


def _right(g, j, a, b, x, c, y, skip=(), target=None, anew=False):
    a.zero_grad()
    enhanced = g(x)
    loss = _one(j(c, enhanced))
    loss.backward()
    if "generator" not in skip:
        a.step()
    b.zero_grad()
    judged = g(x) if anew else enhanced
    judge_loss = _judge_loss(j, c, judged.detach(), y if target is None else target)
    judge_loss.backward()
    if "judge" not in skip:
        b.step()
    return loss, judge_loss


def _judge_first(g, j, a, b, x, c, y, cut):
    a.zero_grad()
    b.zero_grad()
    enhanced = g(x)
    judge_loss = _judge_loss(j, c, enhanced.detach() if cut else enhanced, y)
    judge_loss.backward(retain_graph=True)
    b.step()
    loss = _one(j(c, enhanced))
    loss.backward()
    a.step()
    return loss, judge_loss


def _not_detached(g, j, a, b, x, c, y):
    a.zero_grad()
    enhanced = g(x)
    loss = _one(j(c, enhanced))
    loss.backward()
    a.step()
    b.zero_grad()
    judge_loss = _judge_loss(j, c, enhanced, y)
    judge_loss.backward()
    b.step()
    return loss, judge_loss


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda *given: _judge_first(*given, cut=False), "depend on the label"),
        (lambda *given: _judge_first(*given, cut=True), "generator first"),
        (lambda *given: _right(*given, skip=("generator",)), "the generator does not learn"),
        (lambda *given: _right(*given, skip=("judge",)), "the discriminator does not learn"),
        (lambda *given: _right(*given, target=torch.ones(6)), "has to be the label"),
        (lambda *given: _right(*given, anew=True), "from before it"),
        (_not_detached, "a second time"),
    ],
)
def test_mistakes_in_exercise_3_are_named(mistake, message, capsys):
    assert chapter06.check_step(mistake) is False
    assert message in capsys.readouterr().out


def test_the_bug_is_told_by_its_property_and_not_named(capsys):
    assert chapter06.check_step(_function("my_step", blank)) is False
    printed = capsys.readouterr().out
    assert "do they depend on the generator's loss?" in printed
    assert "zero_grad" not in printed and "requires_grad" not in printed


def test_the_bug_pleases_as_the_exercise_says():
    """After many steps the wrong discriminator scores enhanced speech above its labels."""
    excess = {}
    for name, variant in (("wrong", blank), ("right", fill)):
        step = _function("my_step", variant)
        random = torch.Generator().manual_seed(3)
        torch.manual_seed(3)
        generator, judge = torch.nn.Linear(4, 4), chapter06._Judge()
        optimisers = [torch.optim.SGD(n.parameters(), 0.1) for n in (generator, judge)]
        for _ in range(200):
            noisy, clean = torch.randn(2, 16, 4, generator=random)
            step(generator, judge, *optimisers, noisy, clean, torch.full((16,), 0.3))
        noisy, clean = torch.randn(2, 200, 4, generator=random)
        excess[name] = judge(clean, generator(noisy)).mean().item() - 0.3
    assert excess["wrong"] > excess["right"] + 0.05
