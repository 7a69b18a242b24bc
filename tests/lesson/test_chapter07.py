"""The checks of chapter 07: each likely mistake by name."""

import math

import pytest
import torch
import torch.nn.functional as F

from effifusion_lite.lesson.checks import chapter07


def flat(weights):
    return torch.cat([weight.flatten() for weight in weights])


MATRICES = [torch.arange(float(rows * 7)).view(rows, 7) for rows in (5, 9)]


def ordered(weights):
    return flat(weights).abs().sort().values


def dropped(weights, rate):
    return round(rate * len(flat(weights)))


def threshold(weights, rate):
    return ordered(weights)[dropped(weights, rate)]


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda w, r: threshold(w[:1], r), "of the first matrix alone"),
        (lambda w, r: threshold(w[-1:], r), "of the last matrix alone"),
        (lambda w, r: sum(threshold([x], r) for x in w) / len(w), "mean of the thresholds"),
        (lambda w, r: flat(w).sort().values[round(r * len(flat(w)))], "the signs count"),
        (lambda w, r: threshold(w, 1 - r), "the share that goes"),
        (lambda w, r: r * flat(w).abs().max(), "no share of the weights"),
        (
            lambda w, r: flat(w).abs().sort().values[round(r * len(flat(w))) - 1],
            "largest weight that goes",
        ),
        (lambda w, r: torch.stack([threshold([x], r) for x in w]), "return one number"),
        (lambda w, r: threshold(w, r).square(), "squared"),
        (lambda w, r: threshold(w, 0.5), "always 50 %: use the argument rate"),
        (lambda w, r: threshold(w, 0.7), "always 70 %: use the argument rate"),
        (lambda w, r: ordered(w).flip(0)[dropped(w, r)], "in descending order"),
        (lambda w, r: flat(w).abs()[dropped(w, r)], "not in order"),
        (lambda w, r: flat(w).relu().sort().values[dropped(w, r)], "negative weights count as 0"),
        (lambda w, r: flat(w).abs().argsort()[dropped(w, r)], "`argsort` gives places"),
        (lambda w, r: flat(w).abs().sort()[dropped(w, r)], "take `.values`"),
        (lambda w, r: torch.quantile(flat(w).abs(), r), "between two magnitudes"),
        (lambda w, r: ordered(w)[int(r * len(flat(w)))], "rounded down"),
        (lambda w, r: ordered(w)[math.ceil(r * len(flat(w)))], "rounded up"),
        (lambda w, r: threshold(w, r).item(), "a plain number"),
        (lambda w, r: threshold(w, r).numpy()[()], "a plain number"),
        (lambda w, r: threshold(MATRICES, r), "the same for other `weights`"),
    ],
)
def test_mistakes_in_exercise_1_are_named(mistake, message, capsys):
    assert chapter07.check_threshold(mistake) is False
    assert message in capsys.readouterr().out


def keep(count, units):
    stays = torch.ones(count, dtype=torch.bool)
    stays[units] = False
    return stays


def removed(expand, bias, reduce, units, gates=True, values=True):
    hidden = reduce.shape[1]
    rows = torch.ones(2 * hidden, dtype=torch.bool)
    if values:
        rows[units] = False
    if gates:
        rows[units + hidden] = False
    return expand[rows], bias[rows], reduce[:, keep(hidden, units)]


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda *a: removed(*a, gates=False), "the gates of the units are still there"),
        (lambda *a: removed(*a, values=False), "the values of the units are still there"),
        (lambda *a: (removed(*a)[0], a[1], removed(*a)[2]), "the bias has an entry"),
        (lambda *a: (*removed(*a)[:2], a[2]), "the columns are still there"),
        (lambda *a: (*removed(*a)[:2], a[2][:, : -len(a[3])]), "loses its last columns"),
        (lambda *a: (*removed(*a)[:2], a[2][:, len(a[3]) :]), "loses its first columns"),
        (
            lambda e, b, r, u: (
                e[keep(len(e), torch.cat([2 * u, 2 * u + 1]))],
                b[keep(len(b), torch.cat([2 * u, 2 * u + 1]))],
                removed(e, b, r, u)[2],
            ),
            "no neighbours",
        ),
        (
            lambda e, b, r, u: (
                e.index_fill(0, torch.cat([u, u + r.shape[1]]), 0),
                b.index_fill(0, torch.cat([u, u + r.shape[1]]), 0),
                r.index_fill(1, u, 0),
            ),
            "masked with zeros",
        ),
        (
            lambda e, b, r, u: (
                e[torch.cat([u, u + r.shape[1]])],
                b[torch.cat([u, u + r.shape[1]])],
                r[:, u],
            ),
            "keep the others",
        ),
        (lambda *a: removed(*a)[0], "return three tensors"),
        (lambda *a: removed(*a)[::2], "return three tensors"),
        (lambda *a: (*removed(*a)[:2], removed(*a)[2].T), "`reduce` is transposed"),
        (lambda *a: tuple(removed(*a)[i] for i in (0, 2, 1)), "in another order"),
        (lambda *a: tuple(removed(*a)[i] for i in (1, 0, 2)), "in another order"),
        (
            lambda e, b, r, u: (
                *(x.roll(r.shape[1] - len(u), 0) for x in removed(e, b, r, u)[:2]),
                removed(e, b, r, u)[2],
            ),
            "the gates come before the values",
        ),
        (lambda *a: (removed(*a)[0], a[1][: -2 * len(a[3])], removed(*a)[2]), "its last entries"),
        (lambda *a: (removed(*a)[0], a[1][2 * len(a[3]) :], removed(*a)[2]), "its first entries"),
        (lambda *a: (removed(*a)[0], 0 * removed(*a)[1], removed(*a)[2]), "its entries are 0"),
        (
            lambda e, b, r, u: (
                e[keep(len(e), torch.cat([u, u + e.shape[1]]))],
                b[keep(len(e), torch.cat([u, u + e.shape[1]]))],
                removed(e, b, r, u)[2],
            ),
            "not in C + u",
        ),
        (
            lambda *a: (
                *removed(*a)[:2],
                removed(*a)[2] * a[2].shape[1] / removed(*a)[2].shape[1],
            ),
            "is multiplied by H over",
        ),
        (
            lambda e, b, r, u: removed(e, b, r, torch.arange(len(u)) + r.shape[1] - len(u)),
            "the last n units go",
        ),
        (lambda *a: removed(*a[:3], a[3][:1]), "only the first of the `units`"),
        (
            lambda *a: (*removed(*a)[:2], a[2][keep(len(a[2]), [0])]),
            "`reduce` has shape [2, 6] where [3, 4] is expected",
        ),
        (
            lambda *a: (*removed(*a)[:2], removed(*a)[2].sin()),
            "the values of `reduce` are wrong; those of `expand` and `bias` are right",
        ),
        (lambda *a: None, "nothing yet"),
    ],
)
def test_mistakes_in_exercise_2_are_named(mistake, message, capsys):
    assert chapter07.check_removal(mistake) is False
    assert message in capsys.readouterr().out


def test_an_untouched_exercise_2_misses_no_return(capsys):
    def untouched(expand, bias, reduce, units):
        """Nothing has been written yet."""
        ...

    assert chapter07.check_removal(untouched) is False
    assert "`return` is missing" not in capsys.readouterr().out


def test_exercise_2_without_return(capsys):
    def silent(expand, bias, reduce, units):
        removed(expand, bias, reduce, units)

    assert chapter07.check_removal(silent) is False
    assert "`return` is missing" in capsys.readouterr().out


def test_what_exercise_2_asks_for_computes_what_the_masked_layer_computes():
    generator = torch.Generator().manual_seed(1)
    expand, bias, reduce, x = (
        torch.randn(shape, generator=generator) for shape in ((12, 3), (12,), (3, 6), (7, 3))
    )
    units = torch.tensor([1, 4])
    masked = F.glu(x @ expand.T + bias) @ reduce.index_fill(1, units, 0).T
    assert chapter07.check_removal(removed, strict=True) is True
    small_expand, small_bias, small_reduce = removed(expand, bias, reduce, units)
    smaller = F.glu(x @ small_expand.T + small_bias) @ small_reduce.T
    assert torch.allclose(masked, smaller, atol=1e-5)


def trained(weight, velocity, gradients, learning_rate, momentum=0.9):
    for gradient in gradients:
        velocity = momentum * velocity + gradient
        weight = weight - learning_rate * velocity
    return weight


def late(weight, velocity, gradients, mask, learning_rate):
    for gradient in gradients:
        velocity = 0.9 * velocity * mask + gradient
        weight = weight - learning_rate * velocity
    return weight


def redrawn(weight, mask):
    """As many zeros as before the training, at the magnitudes that are smallest now."""
    flat_weight = weight.flatten().clone()
    flat_weight[flat_weight.abs().argsort()[: int((mask == 0).sum())]] = 0
    return flat_weight.view_as(weight)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda w, v, g, m, r: trained(w * m, v, [x * m for x in g], r), "no longer zero"),
        (lambda w, v, g, m, r: trained(w * m, v, g, r), "no longer zero"),
        (lambda w, v, g, m, r: trained(w, v, g, r), "nothing is pruned"),
        (lambda w, v, g, m, r: trained(w, v, [x * m for x in g], r), "only lets them be"),
        (lambda w, v, g, m, r: trained(w, v, g, r) * (1 - m), "the mask is inverted"),
        (lambda w, v, g, m, r: w * m, "nothing is trained"),
        (lambda w, v, g, m, r: (w - r * sum(g)) * m, "the momentum is gone"),
        (lambda w, v, g, m, r: trained(w, 0 * v, g, r) * m, "velocity is thrown away"),
        (lambda w, v, g, m, r: trained(w, v, g, 0.1) * m, "use the argument learning_rate"),
        (lambda w, v, g, m, r: trained(w, v, g, 0.01) * m, "use the argument learning_rate"),
        (lambda w, v, g, m, r: trained(w, v, g[:1], r) * m, "inside the loop"),
        (lambda w, v, g, m, r: trained(w, v, g[-1:], r) * m, "only the last gradient"),
        (lambda w, v, g, m, r: trained(w, v, g, -r) * m, "up the slope"),
        (lambda w, v, g, m, r: trained(w, v, g, 1) * m, "learning rate is missing"),
        (lambda w, v, g, m, r: trained(w, v, g, r, momentum=1) * m, "the factor 0.9 is missing"),
        (
            lambda w, v, g, m, r: trained(w, v * m, [x * m for x in g], r),
            "stay as they were at the start",
        ),
        (lambda w, v, g, m, r: late(w * m, v, g, m, r), "the last gradient still moves"),
        (lambda w, v, g, m, r: late(w, v, g, m, r), "the last gradient still moves"),
        (
            lambda w, v, g, m, r: redrawn(trained(w * m, v, [x * m for x in g], r), m),
            "drawn anew",
        ),
        (lambda w, v, g, m, r: redrawn(trained(w, v, g, r), m), "drawn anew"),
        (
            lambda w, v, g, m, r: trained(w, v, g, r) * m + (1 - m),
            "that stay are right, but those under the mask are not zero",
        ),
        (
            lambda w, v, g, m, r: trained(w, v, g, r / 3) * m,
            "under the mask are zero, but those that stay are not trained rightly",
        ),
    ],
)
def test_mistakes_in_exercise_3_are_named(mistake, message, capsys):
    assert chapter07.check_training(mistake) is False
    assert message in capsys.readouterr().out


def test_a_mask_drawn_anew_is_wrong_in_each_case_of_exercise_3(capsys):
    """So no argument can be blamed, even for a reader who draws it in another way."""

    def other(weight, velocity, gradients, mask, learning_rate):
        weight = trained(weight * mask, 1.5 * velocity, gradients, learning_rate)
        return redrawn(weight, mask)

    assert chapter07.check_training(other) is False
    assert "use the argument" not in capsys.readouterr().out


def test_a_mask_on_velocity_and_weight_is_right():
    def both(weight, velocity, gradients, mask, learning_rate):
        gradients = [gradient * mask for gradient in gradients]
        return trained(weight * mask, velocity * mask, gradients, learning_rate)

    assert chapter07.check_training(both, strict=True) is True


def test_the_bug_of_exercise_3_spares_weights_at_rest():
    """It shows only where a velocity was there before: a property that the check must bring."""
    weight, mask = torch.ones(2, 2), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    gradients = [mask, mask]
    still = trained(weight * mask, torch.zeros(2, 2), gradients, 0.1)
    moving = trained(weight * mask, torch.ones(2, 2), gradients, 0.1)
    assert (still[mask == 0] == 0).all() and (moving[mask == 0] != 0).all()
