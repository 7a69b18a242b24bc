"""The checks of chapter 03: each likely mistake by name."""

import pytest
import torch

from effifusion_lite.lesson.checks import chapter03
from effifusion_lite.lesson.mixtures import short_mixtures

MINUS_INFINITY = float("-inf")


def _scores(q, k):
    return q @ k.T / q.shape[-1] ** 0.5


def _ahead(scores):
    return torch.ones_like(scores).triu(1).bool()


def _masked(scores, dim=-1):
    return torch.softmax(scores.masked_fill(_ahead(scores), MINUS_INFINITY), dim)


def _normalised(weights, dim=-1):
    return weights / weights.sum(dim, keepdim=True)


def _filled(q, k, number):
    scores = _scores(q, k)
    return torch.softmax(scores.masked_fill(_ahead(scores), number), -1)


def _scores_only(q, k, number=MINUS_INFINITY):
    return _scores(q, k).masked_fill(_ahead(_scores(q, k)), number)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda q, k: _masked(q @ k.T), "not scaled"),
        (lambda q, k: _masked(q @ k.T / q.shape[-1]), "divided by D"),
        (lambda q, k: _masked(q @ k.T / len(q) ** 0.5), "divided by sqrt(L)"),
        (lambda q, k: _masked(q @ k.T * q.shape[-1] ** 0.5), "multiplied by sqrt(D)"),
        (lambda q, k: _masked(_scores(q, k), dim=0), "softmax runs over the wrong axis"),
        (lambda q, k: _masked(_scores(k, q)), "query and key are swapped"),
        (lambda q, k: _masked(_scores(q, k)).T, "the result is transposed"),
        (
            lambda q, k: torch.softmax(
                _scores(q, k).masked_fill(_ahead(_scores(q, k)).T, MINUS_INFINITY), -1
            ),
            "mask is turned round",
        ),
        (lambda q, k: torch.softmax(_scores(q, k), -1), "there is no mask"),
        (lambda q, k: torch.softmax(_scores(q, k), -1).tril(), "mask comes after softmax"),
        (lambda q, k: torch.softmax(_scores(q, k).tril(), -1), "e to the power 0 is not 0"),
        (lambda q, k: torch.softmax(_scores(q, k), 0).tril(), "after a softmax over the columns"),
        (lambda q, k: _normalised(torch.softmax(_scores(q, k), -1).tril(), 0), "the columns have"),
        (_scores_only, "softmax is missing: these are scores, and"),
        (lambda q, k: _scores_only(q, k, 0.0), "softmax is missing: these are scores, with 0"),
        (lambda q, k: _normalised(_scores(q, k).tril()), "e is not raised to it first"),
        (lambda q, k: _masked(q @ k.T) / q.shape[-1] ** 0.5, "the root comes after softmax"),
        (
            lambda q, k: torch.softmax(_scores(q, k) + MINUS_INFINITY * _ahead(_scores(q, k)), -1),
            "0 * -inf is NaN",
        ),
        (lambda q, k: torch.softmax(q @ k.T * (MINUS_INFINITY * _ahead(q @ k.T)), -1), "0 * -inf"),
        (lambda q, k: _filled(q, k, -5.0), "the masked scores are -5, and e to the power -5 is"),
        (lambda q, k: _filled(q, k, -10.0), "the masked scores are -10, and"),
        (lambda q, k: _filled(q, k, -1.0), "the masked scores are -1, and"),
        (lambda q, k: _filled(q, k, 0.0), "the masked scores are 0, and e to the power 0 is"),
        (
            lambda q, k: torch.softmax(
                _scores(q, k).masked_fill(~_ahead(_scores(q, k)).T, MINUS_INFINITY), -1
            ),
            "keep the diagonal",
        ),
        (lambda q, k: _masked(q @ k.T / 2), "wrong for"),  # D = 4 of the first case
        (lambda q, k: _masked(_scores(q, k))[:, :-1], "shape [5, 4] where [5, 5] is expected"),
        (lambda q, k: _masked(_scores(q.mul_(1.0 + 1e-3), k)), "in place (query)"),
    ],
)
def test_mistakes_in_exercise_1_are_named(mistake, message, capsys):
    assert chapter03.check_causal_weights(mistake) is False
    assert message in capsys.readouterr().out


def test_a_number_is_named_only_where_all_masked_scores_are_that_number(capsys):
    def mixed(q, k):
        scores = _scores(q, k)
        ahead = torch.arange(len(q)).float() - 5  # another number in each column
        return torch.softmax(torch.where(_ahead(scores), ahead, scores), -1)

    assert chapter03.check_causal_weights(mixed) is False
    assert "masked scores are" not in capsys.readouterr().out


def test_the_largest_negative_number_masks_as_well():
    assert chapter03.check_causal_weights(lambda q, k: _filled(q, k, -1e9)) is True


def test_weights_may_be_normalised_after_the_mask():
    def masked_after(q, k):
        return _normalised(torch.softmax(_scores(q, k), -1).tril())

    assert chapter03.check_causal_weights(masked_after) is True


def _moved(layer, x, change=None, tolerance=1e-4, place=(0, 0, 0)):
    generator = torch.Generator().manual_seed(7)
    changed = x.clone()
    changed[place] += torch.randn(x.shape[-1], generator=generator) if change is None else change
    return (layer(changed) - layer(x)).abs().amax(-1) > tolerance


def _mixes(*arguments, **options):
    moved = _moved(*arguments, **options)
    return torch.stack([moved[1:].any(), moved[:, 1:].any(), moved[:, :, 1:].any()])


def _lines(layer, x):
    moved = _moved(layer, x)
    return torch.stack([moved[1:, 0, 0].any(), moved[0, 1:, 0].any(), moved[0, 0, 1:].any()])


def _other_lines(layer, x):
    moved = _moved(layer, x, place=(1, 2, 3))
    lines = moved[:, 2, 3], moved[1, :, 3], moved[1, 2, :]
    return torch.stack([line.sum() > line.any() for line in lines])


def _counts(layer, x):
    moved = _moved(layer, x)
    return torch.stack([moved[1:].sum(), moved[:, 1:].sum(), moved[:, :, 1:].sum()])


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (_lines, "three lines through the changed place"),
        (_other_lines, "three lines through the changed place"),
        (_counts, "these are numbers, above 0 where True is right"),
        (lambda layer, x: _counts(layer, x) / x[..., 0].numel(), "these are numbers"),
        (
            lambda layer, x: _counts(layer, x)[[0, 2, 1]],
            "right for layer=a layer for each point alone, wrong for layer=attention along time",
        ),
        (lambda layer, x: _mixes(layer, x, change=x[0, 0, 0]), "is multiplied by a number"),
        (
            lambda layer, x: _mixes(layer, x)[[1, 0, 2]],
            "[True, False, False] where [False, True, False] is expected",
        ),
        (lambda layer, x: _mixes(layer, x).to(torch.int64), "dtype is torch.int64 where torch.bo"),
        (lambda layer, x: _mixes(layer, x)[[0, 2, 1]], "time and frequency are swapped"),
        (lambda layer, x: ~_mixes(layer, x), "turned round"),
        (lambda layer, x: _mixes(layer, x, place=(1, 1, 1)), "changed place itself is counted"),
        (lambda layer, x: _mixes(layer, x, change=1.0), "a layer norm takes exactly that out"),
        (lambda layer, x: _mixes(layer, x, tolerance=0.0), "rounding is taken for mixing"),
        (
            lambda layer, x: torch.tensor([False, True, False]),
            "right for layer=attention along time, wrong for layer=attention along freq",
        ),
        (lambda layer, x: [False, True, False], "returns list where a torch.Tensor is expected"),
    ],
)
def test_mistakes_in_exercise_2_are_named(mistake, message, capsys):
    assert chapter03.check_mixes(mistake) is False
    assert message in capsys.readouterr().out


def test_other_places_and_whole_slices_find_the_axes_as_well():
    def slices(layer, x):
        moved = []
        for dim in range(3):
            changed = x.clone()
            changed.select(dim, 0).add_(torch.randn(x.shape[-1]))
            there = (layer(changed) - layer(x)).abs().amax(-1) > 1e-3
            moved.append(there.narrow(dim, 1, x.shape[dim] - 1).any())
        return torch.stack(moved)

    assert chapter03.check_mixes(slices) is True


def _sequences(x):
    return x.transpose(1, 2).flatten(0, 1)


def _reshape(x, attend):
    batch, frames, bins, channels = x.shape
    return attend(x.reshape(batch * bins, frames, channels)).reshape(x.shape)


def _back(y, x):
    return y.unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (_reshape, "still the bug"),
        (lambda x, attend: attend(_sequences(x)).reshape(x.shape), "the way out is not"),
        (lambda x, attend: _back(attend(_sequences(x)), x).transpose(1, 2), "[B, F, T, C]: transp"),
        (
            lambda x, attend: _back(attend(x.reshape(-1, x.shape[1], x.shape[3])), x),
            "the way in is not",
        ),
        (
            lambda x, attend: (
                attend(_sequences(x)).unflatten(0, (x.shape[2], len(x))).permute(1, 2, 0, 3)
            ),
            "on the way out B and F are swapped",
        ),
        (
            lambda x, attend: _back(attend(x.permute(2, 0, 1, 3).flatten(0, 1)), x),
            "on the way in B and F are swapped",
        ),
        (lambda x, attend: x.clone(), "attend is never called"),
        (
            lambda x, attend: attend(x.flatten(0, 1)).reshape(x.shape),
            "this runs along frequency",
        ),
        (
            lambda x, attend: _back(attend(_sequences(x).mT.mT.transpose(0, 1)).transpose(0, 1), x),
            "the items of the batch see each other",
        ),
        (
            lambda x, attend: (
                attend(x.flatten(0, 1).transpose(0, 1)).transpose(0, 1).reshape(x.shape)
            ),
            "fold B and F, not B and T",
        ),
    ],
)
def test_mistakes_in_exercise_3_are_named(mistake, message, capsys):
    assert chapter03.check_along_time(mistake) is False
    assert message in capsys.readouterr().out


def test_short_mixtures_are_scaled_by_the_noisy_side():
    noisy, clean = short_mixtures("valid", 6, seed=1, seconds=0.25)
    assert noisy.shape == clean.shape == (6, 4000)
    torch.testing.assert_close(noisy.square().mean(-1), torch.ones(6))
    ratio = 10 * torch.log10(clean.square().sum(-1) / (noisy - clean).square().sum(-1))
    assert ratio.min() > -3 and ratio.max() < 13  # speech level is that of its loud parts
    again = short_mixtures("valid", 6, seed=1, seconds=0.25)
    assert torch.equal(again[0], noisy)
    assert not torch.equal(short_mixtures("valid", 6, seed=2, seconds=0.25)[0], noisy)
