"""The checks of chapter 05: each likely mistake by name."""

import numpy as np
import pytest
import torch

from effifusion_lite import losses
from effifusion_lite.lesson.checks import chapter05
from effifusion_lite.metrics import si_sdr
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


def _each(c, e):
    """SI-SDR of each recording [B], as a ratio of energies."""
    return torch.stack([10 ** (-_loss(a, b) / 10) for a, b in zip(c, e, strict=True)])


def _centred(c, e, first, second):
    """The loss with other means removed."""
    return _loss(first(c), second(e), centre=lambda x: x)


def _no_keepdim(c, e):
    c, e = _zero_mean(c), _zero_mean(e)
    target = (c * e).sum(-1) / (c * c).sum(-1) * c
    return -10 * torch.log10(target.square().sum(-1) / (e - target).square().sum(-1)).mean()


def _by_package(c, e):
    found = [si_sdr(a.detach().numpy(), b.detach().numpy()) for a, b in zip(c, e, strict=True)]
    return -torch.tensor(np.mean(found))


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


def _energy(x):
    return _zero_mean(x).square().sum(-1, keepdim=True)


def _product(c, e):
    return (_zero_mean(c) * _zero_mean(e)).sum(-1, keepdim=True)


def _whole_batch(c, e):
    c, e = _zero_mean(c), _zero_mean(e)
    target = (c * e).sum() / (c * c).sum() * c
    return -10 * ((target * target).sum() / ((e - target) ** 2).sum()).log10()


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


def _late(change):
    """The delay, but for what is made of the steps."""
    return lambda a, b, n: -change((b - a)[1:] - (b - a)[:-1]).mean() * n / TURN


def _right(a, b, n):
    return _late(_wrap)(a, b, n)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (_late(lambda x: x), "the steps are not wrapped"),
        (_late(lambda x: _wrap(x.mean())), "the mean is wrapped, not the steps"),
        (lambda a, b, n: _late(lambda x: x)(_wrap(a), _wrap(b), n), "each phase is wrapped"),
        (lambda a, b, n: _late(lambda x: x)(0 * a, _wrap(b - a), n), "the error is wrapped, and"),
        (
            _late(lambda x: torch.where(x > torch.pi, x - TURN, x + TURN * (x < -torch.pi))),
            "several turns too large",
        ),
        (_late(lambda x: torch.minimum(x.abs(), TURN - x.abs())), "several turns too large"),
        (_late(lambda x: _wrap(x).abs()), "without the absolute value"),
        (lambda a, b, n: -_late(lambda x: _wrap(x).abs())(a, b, n), "and with it the minus"),
        (_late(lambda x: x - TURN * (x / TURN).floor()), "wrapped to 0 ... 2 pi by the modulo"),
        (_late(lambda x: (x + torch.pi).remainder(TURN)), "not taken away again"),
        (_late(lambda x: (x + torch.pi) % TURN + torch.pi), "the modulo with the wrong sign"),
        (_late(lambda x: torch.fmod(x, TURN)), "fmod (or trunc)"),
        (_late(lambda x: x - TURN * (x / TURN).trunc()), "fmod (or trunc)"),
        (_late(lambda x: x.clip(-torch.pi, torch.pi)), "clamped"),
        (_late(lambda x: (x + torch.pi / 2) % torch.pi - torch.pi / 2), "by half turns"),
        (_late(lambda x: _wrap(x) ** 2), "the square of the step"),
        (_late(lambda x: x.sin()), "the sine of the step"),
        (_late(lambda x: x.cos()), "the cosine of the step"),
        (_late(lambda x: 1 - x.cos()), "1 - cos of the step"),
        (_late(lambda x: 2 * (x / 2).sin().abs()), "the chord between two points"),
        (_late(lambda x: torch.exp(1j * x).mean().angle()), "the angle of the mean arrow"),
        (_late(lambda x: _wrap(x).median()), "the median"),
        (lambda a, b, n: _right(a, b, n) * (len(a) - 1) * a.shape[1], "this is the sum: divide"),
        (lambda a, b, n: _right(-a, b, n), "the sum of the two phases"),
        (lambda a, b, n: -_wrap(b - a).mean() * n / TURN, "this wraps the error itself"),
        (lambda a, b, n: _right(a.T, b.T, n), "steps along time"),
        (lambda a, b, n: _right(b, a, n), "late and early are swapped"),
        (lambda a, b, n: _right(a, b, 1), "n_fft is missing"),
        (lambda a, b, n: _right(a, b, n) * TURN, "2 pi is missing"),
        (lambda a, b, n: _right(a, b, TURN), "the step in radians"),
        (lambda a, b, n: _right(a, b, TURN**2 / n), "multiplied by 2 pi / n_fft"),
        (lambda a, b, n: _right(a, b, len(a)), "the number of bins in place of n_fft"),
        (lambda a, b, n: _late(lambda x: _wrap(x).mean(1))(a, b, n)[None], "shape [1] where []"),
    ],
)
def test_mistakes_in_exercise_1_are_named(mistake, message, capsys):
    assert chapter05.check_delay(mistake) is False
    assert message in capsys.readouterr().out


def test_a_modulo_done_right_passes():
    assert chapter05.check_delay(_late(lambda x: (x + torch.pi) % TURN - torch.pi), strict=True)


def test_no_loss_of_the_package_solves_exercise_1(capsys):
    for place in range(3):
        call = lambda a, b, n, k=place: losses.phase_losses(a[None], b[None])[k]  # noqa: E731
        assert chapter05.check_delay(call) is False
    assert chapter05.check_delay(_late(losses.anti_wrap)) is False
    assert "without the absolute value" in capsys.readouterr().out


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
        (lambda c, e: _loss(c, e, factor=5.0), "10 * log10 of amplitudes"),
        (lambda c, e: -_each(c, e).mean(), "the logarithm is missing"),
        (lambda c, e: -10 * _each(c, e).mean().log10(), "the logarithm of the mean ratio"),
        (lambda c, e: -10 * _each(c, e).log10().sum(), "this is the sum over the batch"),
        (lambda c, e: -10 * _each(c, e).log10()[0], "the first recording of the batch only"),
        (lambda c, e: _centred(c, e, _zero_mean, lambda x: x), "that of the enhanced speech is no"),
        (lambda c, e: _centred(c, e, lambda x: x, _zero_mean), "that of the clean speech is not"),
        (lambda c, e: _loss(c, e, centre=lambda x: x - x.mean(0)), "the means run over the batch"),
        (lambda c, e: _loss(c, e, centre=lambda x: x - x.mean()), "one mean for the whole batch"),
        (lambda c, e: _with(c, e, _product(c, e) / _energy(c) ** 0.5), "the norm of the clean"),
        (
            lambda c, e: _with(c, e, _product(c, e).sum() / _energy(c).sum()),
            "one alpha for",
        ),
        (_whole_batch, "one alpha and one ratio for the whole batch"),
        (_no_keepdim, "need keepdim=True"),
        (lambda c, e: _loss(c, e, centre=lambda x: x - x.mean(-1)), "need keepdim=True"),
        (_by_package, "no gradient can flow"),
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


def _se(x, ddof=1):
    return x.std(ddof=ddof) / len(x) ** 0.5


def _error(error):
    return lambda b, a: np.array([(a - b).mean(), error(a - b)])


def _errors(error):
    return lambda b, a: np.array([(a - b).mean(), error(b, a)])


def _covariance(times, b, a):
    together = np.cov(b, a)
    return ((together[0, 0] + together[1, 1] + times * together[0, 1]) / len(a)) ** 0.5


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (_error(lambda d: d.std(ddof=1)), "the standard deviation of the differences"),
        (_error(lambda d: _se(d, 0)), "ddof=1"),
        (_error(lambda d: d.std(ddof=1) / len(d)), "of its root"),
        (lambda b, a: np.array([(b - a).mean(), _se(a - b)]), "before minus after"),
        (_error(lambda d: _se(d) ** 2), "this is the variance of the mean"),
        (_error(lambda d: d.var(ddof=1) / len(d) ** 0.5), "in place of the standard deviation"),
        (_error(lambda d: 2 * _se(d)), "twice the standard error"),
        (_error(lambda d: d.std(ddof=1) / (len(d) - 1) ** 0.5), "n - 1 twice"),
        (_error(lambda d: _se(np.abs(d))), "the error of the absolute differences"),
        (_errors(lambda b, a: _se(b)), "the error of before alone"),
        (_errors(lambda b, a: _se(a)), "the error of after alone"),
        (_errors(lambda b, a: _se(a) - _se(b)), "the difference of two spreads"),
        (_errors(lambda b, a: _se(b) - _se(a)), "the difference of two spreads"),
        (_errors(lambda b, a: abs(_se(b) - _se(a))), "the difference of two spreads"),
        (
            _errors(lambda b, a: abs(a.var(ddof=1) - b.var(ddof=1)) ** 0.5 / len(b) ** 0.5),
            "the difference of two spreads",
        ),
        (_errors(lambda b, a: _covariance(2, b, a)), "the covariance is added twice"),
        (_errors(lambda b, a: _covariance(1, b, a)), "the covariance is added: "),
        (_errors(lambda b, a: _covariance(-1, b, a)), "the covariance is subtracted once"),
        (lambda b, a: np.array([np.median(a - b), _se(a - b)]), "the median of the differences"),
        (lambda b, a: np.array([np.sum(a - b), _se(a - b)]), "the sum of the differences"),
        (lambda b, a: np.array([_se(a - b), (a - b).mean()]), "the two results are swapped"),
        (_error(lambda d: d.std(ddof=1) / 50**0.5), "divided by the root of 50 in all cases"),
        (_error(lambda d: np.ptp(d)), "the gain is right, the error is not ("),
        (lambda b, a: np.array([a.mean(), _se(a - b)]), "the error is right, the gain is not ("),
        (lambda b, a: (a - b).mean(), "shape [] where [2] is expected"),
    ],
)
def test_mistakes_in_exercise_3_are_named(mistake, message, capsys):
    assert chapter05.check_gain(mistake) is False
    assert message in capsys.readouterr().out


def test_the_covariance_subtracted_twice_is_the_same():
    assert chapter05.check_gain(_errors(lambda b, a: _covariance(-2, b, a)), strict=True)


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
