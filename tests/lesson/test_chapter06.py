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


def _said(check, function, capsys):
    """What a check prints that refuses a function."""
    assert check(function) is False
    return capsys.readouterr().out


# ---- exercise 1 --------------------------------------------------------------------------------


def _one(c):
    return (c - 1).square().mean()


def _known(e, y):
    return (e - y)[~y.isnan()].square()


def _term(e, y):
    return _known(e, y).mean() if (~y.isnan()).any() else 0


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
            lambda c, e, y: _one(c) + _term(e, y) if (~y.isnan()).any() else torch.zeros(()),
            "where all labels are NaN your loss is 0",
        ),
        (lambda c, e, y: _one(c) + _term(e, 0 * y), "as in a GAN of real and fake"),
        (lambda c, e, y: _one(c) + e.square().mean(), "as in a GAN of real and fake"),
        (lambda c, e, y: _one(c) + _term(e, 0 * y + 1), "what the generator wants"),
        (lambda c, e, y: _one(c) + _one(e), "what the generator wants"),
        (lambda c, e, y: _one(e) + _term(c, y), "the two targets are swapped"),
        (lambda c, e, y: c.square().mean() + _term(e, y), "the target of (clean, clean) is 0"),
        (lambda c, e, y: _term(c, y) + _term(e, y) + 0 * c.sum(), "(clean, clean) is the label"),
        (lambda c, e, y: _known(e, y).sum() / max(1, (~y.isnan()).sum()), "(clean, clean) is miss"),
        (lambda c, e, y: _one(c), "(clean, enhanced) is missing"),
        (lambda c, e, y: _one(c) - _term(e, y), "is subtracted"),
        (lambda c, e, y: (c - 1).square().sum() + _known(e, y).sum(), "each term is the sum"),
        (lambda c, e, y: _one(c) + _known(e, y).sum(), "the second term is the sum"),
        (lambda c, e, y: (c - 1).square().sum() + _term(e, y), "the first term is the sum"),
        (
            lambda c, e, y: (
                _one(c).sqrt() + _known(e, y).sum().div(max(1, len(_known(e, y)))).sqrt()
            ),
            "each term is the root",
        ),
        (
            lambda c, e, y: (
                (c - 1).abs().mean() + (e - y).abs().nansum() / max(1, (~y.isnan()).sum())
            ),
            "each term is the mean of absolute errors",
        ),
        (
            lambda c, e, y: (c - 1).mean() + (e - y).nansum() / max(1, (~y.isnan()).sum()),
            "each term is the mean of the errors",
        ),
        (lambda c, e, y: (_one(c) + _term(e, y)) / 2, "every value is 1/2 times"),
        (
            lambda c, e, y: _one(c) + (2 if y.isnan().any() else 1) * _term(e, y),
            "right for all labels known, wrong for some labels NaN",
        ),
        (lambda c, e, y: float(_one(c)), "returns float where a torch.Tensor is expected"),
    ],
)
def test_mistakes_in_exercise_1_are_named(mistake, message, capsys):
    assert message in _said(chapter06.check_discriminator_loss, mistake, capsys)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            lambda c, e, y: (
                _one(c)
                + torch.where(y.isnan(), 0.0, (e - y).square()).sum()
                / (~y.isnan()).sum().clamp_min(1)
            ),
            "with some labels NaN the gradient of of_enhanced is NaN",
        ),
        (
            lambda c, e, y: _one(c) + (e - y).square().nanmean().nan_to_num(),
            "labels NaN the gradient of of_enhanced is NaN",
        ),
        (lambda c, e, y: _one(c).detach() + _term(e, y), "the gradient of of_clean is missing"),
        (
            lambda c, e, y: (_one(c) + _term(e, y)).detach(),
            "all labels known the gradient of of_clean is missing",
        ),
        (
            lambda c, e, y: _one(c) + _term(e.detach(), y),
            "all labels known the gradient of of_enhanced is missing",
        ),
        (
            lambda c, e, y: torch.as_tensor((_one(c) + _term(e, y)).numpy()),
            "with a gradient your function stopped with RuntimeError",
        ),
    ],
)
def test_what_backward_would_find_in_exercise_1_is_told(mistake, message, capsys):
    said = _said(chapter06.check_discriminator_loss, mistake, capsys)
    assert "the values are right, but" in said and message in said


# ---- exercise 2 --------------------------------------------------------------------------------


def _sigma(w, turns, unit=True, each=True, start=None):
    matrix = w.flatten(1)
    v = torch.ones(matrix.shape[1]) if start is None else start(matrix)
    v = v / v.norm() if unit else v
    for _ in range(turns):
        v = matrix.T @ (matrix @ v)
        v = v / v.norm() if each else v
    return (matrix @ v).norm()


def _ratio(w, turns):
    """Right, until v overflows."""
    matrix = w.flatten(1)
    v = torch.ones(matrix.shape[1])
    for _ in range(turns):
        v = matrix.T @ (matrix @ v)
    return w / ((matrix @ v).norm() / v.norm())


def _last_v_is_long(w, turns):
    matrix = w.flatten(1)
    v = torch.ones(matrix.shape[1])
    for _ in range(turns):
        u = matrix @ v
        v = matrix.T @ (u / u.norm())
    return w / (matrix @ v).norm()


def _transposed(w, turns):
    return w / _sigma(w.flatten(1).T, turns)


def _too_early(w, turns):
    matrix = w.flatten(1)
    v = torch.ones(matrix.shape[1]) / matrix.shape[1] ** 0.5
    for _ in range(turns):
        u = matrix @ v
        u = u / u.norm()
        sigma = (matrix.T @ u).norm()
        v = matrix.T @ u / sigma
    return w / sigma


def _at_random(matrix):
    return torch.randn(matrix.shape[1])


def _axis(matrix):
    return torch.eye(matrix.shape[1])[0]


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda w, n: w / torch.linalg.matrix_norm(w.flatten(1), 2), "exact singular value"),
        (lambda w, n: w / w.square().sum().sqrt(), "Frobenius"),
        (lambda w, n: w / _sigma(w, n + 1), "one turn too many"),
        (lambda w, n: w / _sigma(w, n - 1), "one turn too few"),
        (lambda w, n: w / _sigma(w, 0), "no turn is made: repeat"),
        (lambda w, n: w / _sigma(w, 0, unit=False), "no turn is made, and the first v is not"),
        (lambda w, n: w / _sigma(w, 1), "fixed at one"),
        (lambda w, n: w / _sigma(w, 2), "the same after 2 turns and after 5: use the argument"),
        (lambda w, n: w / _sigma(w, 3), "the same after 2 turns and after 5: use the argument"),
        (lambda w, n: w / _sigma(w, 20), "use the argument turns"),
        (lambda w, n: w * _sigma(w, n), "multiplied by sigma"),
        (lambda w, n: 1 * w, "comes back as it was"),
        (lambda w, n: _sigma(w, n), "this is sigma itself"),
        (lambda w, n: w / _sigma(w, n) ** 0.5, "the root is taken of sigma"),
        (lambda w, n: w / _sigma(w, n) ** 2, "square of sigma"),
        (_last_v_is_long, "the last v is not of length 1"),
        (lambda w, n: w.flatten(1) / _sigma(w, n), "the result is a matrix"),
        (lambda w, n: w / _sigma(w, n, each=False), "v is never brought to length 1"),
        (lambda w, n: w / _sigma(w, n, unit=False, each=False), "v is never brought to length 1"),
        (_too_early, "from before v was renewed"),
        (lambda w, n: w / _sigma(w, n, start=_at_random), "another one each time"),
        (lambda w, n: w / _sigma(w, n, start=_axis), "you begin elsewhere"),
        (_transposed, "you begin elsewhere"),
        (
            lambda w, n: w / _sigma(w.reshape(-1, w.shape[-1]), n),
            "right for weight [9, 7], wrong for weight [8, 3, 4, 4]",
        ),
        (_ratio, "the result is not finite: v grows"),
        (lambda w, n: w.div_(_sigma(w, n)), "changes its input in place (weight)"),
        (lambda w, n: 2 * w / _sigma(w, n), "every value is 2 times"),
        (lambda w, n: -w / _sigma(w, n), "wrong sign"),
        (lambda w, n: w / _sigma(w, n).detach(), "sigma carries no gradient"),
        (lambda w, n: w / _sigma(w, n).item(), "sigma carries no gradient"),
        (lambda w, n: (w / _sigma(w, n)).detach(), "no gradient can flow"),
        (
            lambda w, n: w / torch.as_tensor(_sigma(w, n).numpy()),
            "with a gradient your function stopped with RuntimeError",
        ),
    ],
)
def test_mistakes_in_exercise_2_are_named(mistake, message, capsys):
    said = _said(chapter06.check_spectral_norm, mistake, capsys)
    assert message in said
    assert ("use the argument" in said) == ("use the argument" in message or "fixed" in message)


@torch.no_grad()
def _direction(matrix, turns):
    v = torch.ones(matrix.shape[1])
    for _ in range(turns):
        v = torch.nn.functional.normalize(matrix.T @ (matrix @ v), dim=0)
    return v


def test_a_direction_without_gradient_passes_as_in_the_library():
    def library_like(w, turns):
        return w / (w.flatten(1) @ _direction(w.flatten(1), turns)).norm()

    assert chapter06.check_spectral_norm(library_like) is True


# ---- exercise 3 --------------------------------------------------------------------------------


def _square(difference):
    return difference.square().mean()


def _step(changes=(), drop=()):
    """A reader's step: the right lines, some of them changed or dropped."""
    lines = {
        "frozen": "j.requires_grad_(False)",
        "clear_g": "a.zero_grad()",
        "make": "enhanced = g(x)",
        "loss": "loss = square(j(c, enhanced) - 1)",
        "back_g": "loss.backward()",
        "move_g": "a.step()",
        "thawed": "j.requires_grad_(True)",
        "clear_j": "b.zero_grad()",
        "judge": "judge_loss = square(j(c, c) - 1) + square(j(c, enhanced.detach()) - y)",
        "back_j": "judge_loss.backward()",
        "move_j": "b.step()",
        "return": "return loss.detach(), judge_loss.detach()",
    }
    lines = {name: line for name, line in (lines | dict(changes)).items() if name not in drop}
    names = {"square": _square, "torch": torch}
    body = "\n    ".join(lines.values())
    exec(f"def step(g, j, a, b, x, c, y):\n    {body}", names)
    return names["step"]


def _judge(clean="square(j(c, c) - 1)", enhanced="square(j(c, enhanced.detach()) - y)"):
    return {"judge": f"judge_loss = {clean} + {enhanced}"}


CAREFUL = ("frozen", "thawed")  # without them the generator's half leaves a gradient
FIRST = {
    "loss": _judge()["judge"],
    "back_g": "judge_loss.backward(retain_graph=True)",
    "move_g": "b.step()",
    "judge": "loss = square(j(c, enhanced) - 1)",
    "back_j": "loss.backward()",
    "move_j": "a.step()",
    "clear_j": "pass",
    "make": "b.zero_grad(); enhanced = g(x)",
}


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (_step(FIRST, CAREFUL), "already updated discriminator: generator first"),
        (
            _step(
                FIRST | {"loss": "judge_loss = square(j(c, c) - 1) + square(j(c, enhanced) - y)"},
                CAREFUL,
            ),
            "the generator's new weights depend on the label",
        ),
        (_step(drop=["move_g"]), "the generator's weights stay as they are"),
        (_step({"back_g": "loss.backward(); a.zero_grad()"}), "the generator's weights stay"),
        (_step(drop=["move_j"]), "the discriminator's weights stay as they are"),
        (_step({"back_j": "judge_loss.backward(); b.zero_grad()"}), "cleared between `backward`"),
        (_step(drop=["clear_j"]), "the discriminator's gradient is never set to 0"),
        (_step(drop=["clear_j", *CAREFUL]), "the discriminator's gradient is never set to 0"),
        (_step(drop=["clear_g"]), "the generator's gradient is never set to 0"),
        (_step(drop=["clear_g", "clear_j"]), "no gradient is ever set to 0"),
        (_step(drop=["clear_g", "clear_j", *CAREFUL]), "no gradient is ever set to 0"),
        (_step({"move_g": "a.step(); a.step()"}), "the generator's optimiser makes two steps"),
        (_step({"move_j": "b.step(); b.step()"}), "the discriminator's optimiser makes two steps"),
        (_step(_judge(enhanced="square(j(c, enhanced.detach()) - 1)")), "has to be the label"),
        (_step(_judge(enhanced="square(j(c, enhanced.detach()))")), "is 0, as in a GAN of real"),
        (_step(_judge(clean="square(j(c, c))")), "target for clean speech is 0"),
        (_step(_judge(clean="0")), "lacks the term of (clean, clean)"),
        (_step({"loss": "loss = square(j(c, enhanced))"}), "the generator's target is 0"),
        (_step({"loss": "loss = square(j(c, enhanced) - y)"}), "the generator's target is the lab"),
        (_step(_judge(enhanced="square(j(c, x) - y)")), "the discriminator judges noisy speech"),
        (_step(_judge(enhanced="square(j(c, g(x).detach()) - y)")), "made after its step"),
        (_step(_judge(enhanced="square(j(c, enhanced).detach() - y)")), "the score is detached"),
        (_step({"loss": "loss = square(j(enhanced, c) - 1)"}), "in the generator's half, clean"),
        (
            _step(_judge(enhanced="square(j(enhanced.detach(), c) - y)")),
            "in the discriminator's half, clean first",
        ),
        (
            _step(
                {"loss": "loss = square(j(enhanced, c) - 1)"}
                | _judge(enhanced="square(j(enhanced.detach(), c) - y)")
            ),
            "in both halves, clean first",
        ),
        (
            _step(
                {"loss": "loss = (j(c, enhanced) - 1).square().sum()"}
                | _judge(
                    "(j(c, c) - 1).square().sum()", "(j(c, enhanced.detach()) - y).square().sum()"
                )
            ),
            "the losses are the sum of the squares",
        ),
        (
            _step(
                {"loss": "loss = (j(c, enhanced) - 1).abs().mean()"}
                | _judge("(j(c, c) - 1).abs().mean()", "(j(c, enhanced.detach()) - y).abs().mean()")
            ),
            "the losses are the mean of the absolute errors",
        ),
        (
            _step({"loss": "loss = square(j(c, enhanced) - 1) / 2"}),
            "the generator's loss is halved",
        ),
        (
            _step({"back_j": "judge_loss = judge_loss / 2; judge_loss.backward()"}),
            "the discriminator's loss is halved",
        ),
        (_step({"loss": "loss = -square(j(c, enhanced) - 1)"}), "generator's loss has the wrong"),
        (
            _step({"back_j": "judge_loss = -judge_loss; judge_loss.backward()"}),
            "the discriminator's loss has the wrong sign",
        ),
        (_step({"return": "return judge_loss, loss"}), "in the wrong order: the generator's comes"),
        (_step({"return": "return loss"}), "returns one value: return two losses"),
        (_step({"return": "return loss, judge_loss, enhanced"}), "returns 3: return two losses"),
        (_step(_judge(enhanced="square(j(c, enhanced) - y)")), "a second time"),
        (
            _step(
                _judge(enhanced="square(j(c, enhanced) - y)")
                | {"back_g": "loss.backward(retain_graph=True)"}
            ),
            "the discriminator's loss leaves a gradient in the generator",
        ),
        (
            _step(_judge(enhanced="3 * square(j(c, enhanced.detach()) - y)")),
            "not right: the discriminator's loss, the discriminator's new weights; right: the",
        ),
        (
            _step({"move_g": "[p.data.sub_(0.4 * p.grad) for p in g.parameters()]"}),
            "after step 1, not right: the generator's new weights; right: the generator's loss",
        ),
    ],
)
def test_mistakes_in_exercise_3_are_named(step, message, capsys):
    said = _said(chapter06.check_step, step, capsys)
    assert message in said and "number=" not in said


@pytest.mark.parametrize(
    "step",
    [
        _step(),
        _step(drop=CAREFUL),
        _step({"return": "return [loss, judge_loss]"}),
        _step({"clear_g": "b.zero_grad(); a.zero_grad()"}, ["clear_j"]),
        _step({"move_j": "b.step(); a.zero_grad(); b.zero_grad()"}),
    ],
)
def test_right_steps_pass(step):
    assert chapter06.check_step(step) is True


def test_the_bug_is_told_by_its_property_and_not_named(capsys):
    said = _said(chapter06.check_step, _function("my_step", blank), capsys)
    assert "after step 1, not right: the discriminator's new weights; right: the" in said
    for word in ("depend", "gradient", "zero", "requires_grad"):
        assert word not in said


def test_the_bug_pleases_as_the_exercise_says():
    """After many steps the wrong discriminator scores enhanced speech above its labels."""
    excess = {}
    for name, variant in (("wrong", blank), ("right", fill)):
        step = _function("my_step", variant)
        random = torch.Generator().manual_seed(3)
        generator, judge = chapter06.plain_networks(3)
        optimisers = [torch.optim.SGD(n.parameters(), 0.1) for n in (generator, judge)]
        for _ in range(200):
            noisy, clean = torch.randn(2, 16, 4, generator=random)
            step(generator, judge, *optimisers, noisy, clean, torch.full((16,), 0.3))
        noisy, clean = torch.randn(2, 200, 4, generator=random)
        excess[name] = judge(clean, generator(noisy)).mean().item() - 0.3
    assert excess["wrong"] > excess["right"] + 0.05
