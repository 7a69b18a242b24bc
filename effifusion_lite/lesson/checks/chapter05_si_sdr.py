"""Check of exercise 2 of chapter 05: SI-SDR as a loss."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

_SEED = 5
_NO_KEEPDIM = (
    "a batch of several recordings stops with an error: sums and means that are combined with "
    "[B, N] need keepdim=True"
)


def check_si_sdr_loss(function: Callable, strict: bool = False) -> bool:
    """Check exercise 2: SI-SDR as a loss, for a batch, with gradients.

    Args:
        function: `(clean, enhanced) -> loss`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `clean` and `enhanced` [B, N] samples, the result a scalar: minus the mean SI-SDR in dB.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "the projection is missing: without alpha this is a plain SNR, which depends on the "
            "level",
            lambda c, e: -_ratio(_centre(c), _centre(e) - _centre(c)).mean(),
        ),
        (
            "the means are not removed: a constant offset, which nobody hears, counts as error",
            lambda c, e: -_si_sdr(c, e).mean(),
        ),
        (
            "neither is the mean removed nor the clean speech scaled: this is a plain SNR",
            lambda c, e: -_ratio(c, e - c).mean(),
        ),
        (
            "20 * log10 of energies: energies are squares, so their ratio takes 10 * log10",
            lambda c, e: 2 * _si_sdr_loss(c, e),
        ),
        (
            "10 * log10 of amplitudes: square the norms, or take 20 * log10",
            lambda c, e: _si_sdr_loss(c, e) / 2,
        ),
        (
            "the logarithm is missing: this is minus the mean ratio of the energies, not in dB",
            lambda c, e: -_energy_ratio(c, e).mean(),
        ),
        (
            "the natural logarithm: decibels take log10",
            lambda c, e: _si_sdr_loss(c, e) * np.log(10),
        ),
        (
            "the logarithm of the mean ratio: take the logarithm of each ratio, then the mean",
            lambda c, e: -10 * torch.log10(_energy_ratio(c, e).mean()),
        ),
        (
            "this is the sum over the batch: take the mean",
            lambda c, e: _si_sdr_loss(c, e) * len(c),
        ),
        (
            "this is the first recording of the batch only",
            lambda c, e: _si_sdr_loss(c[:1], e[:1]),
        ),
        (
            "the mean of the clean speech is removed, that of the enhanced speech is not",
            lambda c, e: -_si_sdr(_centre(c), e).mean(),
        ),
        (
            "the mean of the enhanced speech is removed, that of the clean speech is not",
            lambda c, e: -_si_sdr(c, _centre(e)).mean(),
        ),
        (
            "the means run over the batch (dimension 0): each recording has its own, along the "
            "last dimension",
            lambda c, e: -_si_sdr(c - c.mean(0), e - e.mean(0)).mean(),
        ),
        (
            "one mean for the whole batch: each recording has its own, mean(-1, keepdim=True)",
            lambda c, e: -_si_sdr(c - c.mean(), e - e.mean()).mean(),
        ),
        (
            "alpha divides by the norm of the clean speech: it is its energy, the norm squared",
            lambda c, e: -_with_alpha(c, e, lambda c, e: _dot(e, c) / _dot(c, c).sqrt()),
        ),
        (
            "one alpha for the whole batch: each recording has its own",
            lambda c, e: -_with_alpha(c, e, lambda c, e: (e * c).sum() / (c * c).sum()),
        ),
        (
            "one alpha and one ratio for the whole batch: each recording has its own",
            lambda c, e: -_ratio_of_all(c, e, (_centre(e) * _centre(c)).sum()),
        ),
        *((_NO_KEEPDIM, mistake) for mistake in (_flat_alpha, _flat_alpha_last, _flat_mean)),
        (
            "alpha divides by the energy of the enhanced speech: it is the one of the clean speech",
            lambda c, e: -_with_alpha(c, e, lambda c, e: _dot(e, c) / _dot(e, e)),
        ),
        (
            "alpha only matches the energies: it has to be the inner product of both over the "
            "energy of the clean speech",
            lambda c, e: -_with_alpha(c, e, lambda c, e: (_dot(e, e) / _dot(c, c)).sqrt()),
        ),
        (
            "the recordings of a batch are pooled: compute one ratio for each, then their mean",
            lambda c, e: _si_sdr_loss(c.reshape(1, -1), e.reshape(1, -1)),
        ),
        (
            "the energies of the batch are summed before the ratio is taken: one ratio each, then "
            "their mean",
            _summed_energies,
        ),
        (
            "the error is enhanced minus clean: subtract alpha times clean",
            lambda c, e: (
                -_ratio(_projected(_centre(c), _centre(e)), _centre(e) - _centre(c)).mean()
            ),
        ),
        (
            "the clean speech is over the error, not its projection: scale it by alpha above too",
            lambda c, e: (
                -_ratio(_centre(c), _centre(e) - _projected(_centre(c), _centre(e))).mean()
            ),
        ),
    ]
    generator = torch.Generator().manual_seed(_SEED)
    cases = []
    for shape, level in (((2, 300), 0.5), ((3, 500), 2.0), ((1, 400), 0.7)):
        clean = torch.randn(shape, generator=generator) + 0.3
        loud = torch.linspace(0.5, 2, shape[0])[:, None]  # [B, 1]
        error = 0.6 * loud * torch.randn(shape, generator=generator)
        cases.append({"clean": loud * clean, "enhanced": level * (loud * clean) + error - 0.2})
    problems = compare(function, _si_sdr_loss, mistakes, cases)
    if all("the dtype is" in problem for problem in problems):  # then the values are right
        problems = _no_gradient(function, cases[0]) or problems
    return verdict("Exercise 2", problems, len(cases) + 1, strict)


def _centre(waveform: Tensor) -> Tensor:
    return waveform - waveform.mean(-1, keepdim=True)


def _dot(first: Tensor, second: Tensor) -> Tensor:
    return (first * second).sum(-1, keepdim=True)


def _projected(clean: Tensor, enhanced: Tensor) -> Tensor:
    return clean * _dot(enhanced, clean) / _dot(clean, clean)


def _ratio(target: Tensor, error: Tensor) -> Tensor:
    return 10 * torch.log10(target.square().sum(-1) / error.square().sum(-1))


def _si_sdr(clean: Tensor, enhanced: Tensor) -> Tensor:
    target = _projected(clean, enhanced)
    return _ratio(target, enhanced - target)


def _energy_ratio(clean: Tensor, enhanced: Tensor) -> Tensor:
    return 10 ** (_si_sdr(_centre(clean), _centre(enhanced)) / 10)


def _ratio_of_all(clean: Tensor, enhanced: Tensor, product: Tensor) -> Tensor:
    clean, enhanced = _centre(clean), _centre(enhanced)
    target = product / clean.square().sum() * clean
    return 10 * torch.log10(target.square().sum() / (enhanced - target).square().sum())


def _flat_alpha(clean: Tensor, enhanced: Tensor) -> Tensor:
    clean, enhanced = _centre(clean), _centre(enhanced)
    target = (enhanced * clean).sum(-1) / clean.square().sum(-1) * clean
    return -_ratio(target, enhanced - target).mean()


def _flat_alpha_last(clean: Tensor, enhanced: Tensor) -> Tensor:
    clean, enhanced = _centre(clean), _centre(enhanced)
    target = clean * ((enhanced * clean).sum(-1) / clean.square().sum(-1))
    return -_ratio(target, enhanced - target).mean()


def _flat_mean(clean: Tensor, enhanced: Tensor) -> Tensor:
    return -_si_sdr(clean - clean.mean(-1), enhanced - enhanced.mean(-1)).mean()


def _si_sdr_loss(clean: Tensor, enhanced: Tensor) -> Tensor:
    return -_si_sdr(_centre(clean), _centre(enhanced)).mean()


def _with_alpha(clean: Tensor, enhanced: Tensor, alpha: Callable) -> Tensor:
    clean, enhanced = _centre(clean), _centre(enhanced)
    target = alpha(clean, enhanced) * clean
    return _ratio(target, enhanced - target).mean()


def _summed_energies(clean: Tensor, enhanced: Tensor) -> Tensor:
    target = _projected(_centre(clean), _centre(enhanced))
    error = _centre(enhanced) - target
    return -10 * torch.log10(target.square().sum() / error.square().sum())


def _no_gradient(function: Callable, case: dict) -> list[str]:
    """Say whether no finite gradient flows to the enhanced speech."""
    enhanced = case["enhanced"].clone().requires_grad_()
    try:
        result = function(case["clean"].clone(), enhanced)
    except Exception as error:
        return [
            "the values are right, but with a gradient your function stopped with "
            f"{type(error).__name__}: {error}"
        ]
    if not result.requires_grad:
        return ["the values are right, but no gradient can flow: stay with torch operations"]
    result.backward()
    if not enhanced.grad.isfinite().all():
        return ["the values are right, but the gradient is not finite"]
    return []
