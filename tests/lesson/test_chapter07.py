"""The checks of chapter 07: each likely mistake by name."""

import pytest
import torch

from effifusion_lite.lesson.checks import chapter07


def flat(weights):
    return torch.cat([weight.flatten() for weight in weights])


def threshold(weights, rate):
    values = flat(weights).abs().sort().values
    return values[round(rate * len(values))]


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
        (lambda w, r: threshold(w, 0.5), "use the argument rate"),
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
        (lambda *a: removed(*a)[0], "shape ["),
    ],
)
def test_mistakes_in_exercise_2_are_named(mistake, message, capsys):
    assert chapter07.check_removal(mistake) is False
    assert message in capsys.readouterr().out


def trained(weight, velocity, gradients, learning_rate):
    for gradient in gradients:
        velocity = 0.9 * velocity + gradient
        weight = weight - learning_rate * velocity
    return weight


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
        (lambda w, v, g, m, r: trained(w, v, g, 0.1) * m, "use the argument"),
    ],
)
def test_mistakes_in_exercise_3_are_named(mistake, message, capsys):
    assert chapter07.check_training(mistake) is False
    assert message in capsys.readouterr().out


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
