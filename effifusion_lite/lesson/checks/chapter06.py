"""Checks of the exercises of chapter 06, the GAN loop."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

_SEED = 1
_HERE = "number"  # argument that numbers the cases of exercise 3


def check_discriminator_loss(function: Callable, strict: bool = False) -> bool:
    """Check exercise 1: the discriminator's loss, where labels may be missing.

    Args:
        function: `(of_clean, of_enhanced, labels) -> loss`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        three of [B], the result a scalar.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "where labels are NaN your loss is NaN: pick the known pairs, x[~labels.isnan()]",
            lambda c, e, y: (c - 1).square().mean() + (e - y).square().mean(),
        ),
        (
            "where all labels are NaN your loss is NaN: the mean of no numbers. Leave the second "
            "term out there",
            lambda c, e, y: (c - 1).square().mean() + _known(e, y).mean(),
        ),
        (
            "a missing label counts as 0, which is the worst score: leave the pair out",
            lambda c, e, y: (c - 1).square().mean() + (e - y.nan_to_num()).square().mean(),
        ),
        (
            "the second term is divided by all pairs, also by those without a label: take the "
            "mean over the known ones",
            lambda c, e, y: (c - 1).square().mean() + _known(e, y).sum() / len(y),
        ),
        (
            "a pair without a label is left out of both terms: (clean, clean) needs no label",
            lambda c, e, y: (
                _known(c, torch.where(y.isnan(), y, 1.0)).nanmean().nan_to_num()
                + _known(e, y).nanmean().nan_to_num()
            ),
        ),
        (
            "the target of (clean, enhanced) is 0, as in a GAN of real and fake: here it is the "
            "label",
            lambda c, e, y: _loss(c, e, torch.where(y.isnan(), y, 0.0)),
        ),
        (
            "the target of (clean, enhanced) is 1: that is what the generator wants, not the "
            "discriminator",
            lambda c, e, y: _loss(c, e, torch.where(y.isnan(), y, 1.0)),
        ),
        (
            "the term of (clean, clean) is missing",
            lambda c, e, y: _loss(torch.ones_like(c), e, y),
        ),
        (
            "the term of (clean, enhanced) is missing",
            lambda c, e, y: (c - 1).square().mean(),
        ),
        (
            "these are absolute errors: the loss takes squared ones",
            lambda c, e, y: (c - 1).abs().mean() + _known(e, y).sqrt().nanmean().nan_to_num(),
        ),
    ]
    generator = torch.Generator().manual_seed(_SEED)
    cases = []
    for size, missing in ((4, ()), (5, (1, 3)), (3, (0, 1, 2))):
        of_clean, of_enhanced, labels = torch.rand(3, size, generator=generator)
        labels[list(missing)] = torch.nan
        cases.append({"of_clean": of_clean, "of_enhanced": of_enhanced, "labels": labels})
    problems = compare(function, _loss, mistakes, cases)
    return verdict("Exercise 1", problems, len(cases), strict)


def check_spectral_norm(function: Callable, strict: bool = False) -> bool:
    """Check exercise 2: spectral norm by power iteration.

    Args:
        function: `(weight, turns) -> weight / sigma`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `weight` [O, ...], so is the result.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "this is the exact singular value: here it is what the given number of turns finds",
            lambda w, n: w / torch.linalg.svdvals(w.flatten(1))[0],
        ),
        (
            "this divides by the root of the sum of squares (the Frobenius norm), which is larger "
            "than the largest singular value",
            lambda w, n: w / w.norm(),
        ),
        (
            "there is one turn too many",
            lambda w, n: _normalised(w, n + 1),
        ),
        (
            "there is one turn too few",
            lambda w, n: _normalised(w, n - 1),
        ),
        (
            "the number of turns is fixed at one: use the argument turns",
            lambda w, n: _normalised(w, 1),
        ),
        (
            "the weight is multiplied by sigma: divide",
            lambda w, n: w * w / _normalised(w, n),
        ),
        (
            "this is sigma itself: the result is the weight divided by it",
            lambda w, n: _sigma(w, n),
        ),
        (
            "sigma is the length of the last W^T u, from before v was renewed: after the last turn "
            "it is |W v|",
            lambda w, n: w / _before_last(w, n),
        ),
        (
            "the root is taken of sigma: |W v| is sigma itself, |W^T W v| is its square",
            lambda w, n: w / _sigma(w, n).sqrt(),
        ),
        (
            "this divides by the square of sigma: |W^T W v| is its square, |W v| is sigma",
            lambda w, n: w / _sigma(w, n) ** 2,
        ),
        (
            "the result is a matrix: give it the shape of the weight again",
            lambda w, n: _normalised(w, n).flatten(1),
        ),
        (
            "the first v is not of length 1, or no turn was made: sigma is far too large",
            lambda w, n: w / w.flatten(1).sum(1).norm(),
        ),
    ]
    generator = torch.Generator().manual_seed(_SEED)
    cases = [
        {"weight": torch.randn(shape, generator=generator) + 0.2, "turns": turns}
        for shape, turns in (((8, 3, 4, 4), 2), ((8, 3, 4, 4), 5), ((6, 5), 2), ((6, 5), 30))
    ]
    problems = compare(function, _normalised, mistakes, cases)
    return verdict("Exercise 2", problems, len(cases), strict)


def check_step(function: Callable, strict: bool = False) -> bool:
    """Check exercise 3: one step of generator and discriminator.

    Args:
        function: `(generator, judge, first, second, noisy, clean, label) -> both losses`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "both losses are right, and so is the generator; the discriminator's new weights are "
            "not: do they depend on the generator's loss?",
            _of(lambda *given: _step(*given, collected=True)),
        ),
        (
            "the generator's new weights depend on the label: no gradient of the discriminator's "
            "loss may reach it",
            _of(lambda *given: _joint(*given, detached=False)),
        ),
        (
            "the discriminator's step comes first, so the generator follows a newer opinion than "
            "it was asked for: generator first",
            _of(lambda *given: _joint(*given, detached=True)),
        ),
        (
            "the generator does not learn: its gradient is cut off (detach belongs into the "
            "discriminator's half), or its optimiser makes no step",
            _of(lambda *given: _step(*given, move_generator=False)),
        ),
        (
            "the discriminator does not learn: requires_grad_(True) before its half, and a step of "
            "its optimiser",
            _of(lambda *given: _step(*given, move_judge=False)),
        ),
        (
            "the discriminator's target for enhanced speech is 1: it has to be the label",
            _of(lambda g, j, a, b, x, c, y: _step(g, j, a, b, x, c, torch.ones_like(y))),
        ),
        (
            "the discriminator judges speech that the generator made after its step: the label "
            "belongs to the speech from before it",
            _of(lambda *given: _step(*given, anew=True)),
        ),
    ]
    cases = [{_HERE: number} for number in range(3)]
    problems = compare(_of(function), _of(_step), mistakes, cases)
    return verdict("Exercise 3", problems, len(cases), strict)


def _known(opinions: Tensor, labels: Tensor) -> Tensor:
    known = ~labels.isnan()
    return (opinions[known] - labels[known]).square()


def _loss(of_clean: Tensor, of_enhanced: Tensor, labels: Tensor) -> Tensor:
    loss = (of_clean - 1).square().mean()
    return loss if labels.isnan().all() else loss + _known(of_enhanced, labels).mean()


def _turned(weight: Tensor, turns: int) -> tuple[Tensor, Tensor]:
    """The direction v after some turns, and the length of W^T u in the last one."""
    matrix = weight.flatten(1)
    v = torch.ones_like(matrix[0]) / matrix.shape[1] ** 0.5
    length = v.norm()
    for _ in range(turns):
        u = nn.functional.normalize(matrix @ v, dim=0)
        length = (matrix.T @ u).norm()
        v = matrix.T @ u / length
    return v, length


def _sigma(weight: Tensor, turns: int) -> Tensor:
    return (weight.flatten(1) @ _turned(weight, turns)[0]).norm()


def _before_last(weight: Tensor, turns: int) -> Tensor:
    return _turned(weight, turns)[1]


def _normalised(weight: Tensor, turns: int) -> Tensor:
    return weight / _sigma(weight, turns)


class _Judge(nn.Module):
    """Judges pairs of vectors [B, 4]: [B]."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 1)

    def forward(self, clean: Tensor, enhanced: Tensor) -> Tensor:
        return torch.sigmoid(self.layer(torch.cat([clean, enhanced], dim=1))[:, 0])


def _networks(number: int) -> tuple[torch.Generator, tuple[nn.Module, nn.Module]]:
    """Source of random numbers, generator and judge of a case."""
    generator = torch.Generator().manual_seed(_SEED + number)
    networks = nn.Linear(4, 4), _Judge()
    for parameter in (p for network in networks for p in network.parameters()):
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return generator, networks


def _of(step: Callable) -> Callable:
    """What three steps on networks of a case leave: losses and weights in one vector."""

    def outcome(number: int) -> Tensor | None:
        generator, networks = _networks(number)
        optimisers = [torch.optim.SGD(network.parameters(), 0.5) for network in networks]
        found = []
        for _ in range(3):
            noisy, clean = torch.randn(2, 6, 4, generator=generator)
            label = torch.rand(6, generator=generator)
            losses = step(*networks, *optimisers, noisy, clean, label)
            if losses is None or losses is ...:
                return None
            found += [torch.as_tensor(loss).detach().reshape(-1) for loss in losses]
        weights = [p.detach().flatten() for network in networks for p in network.parameters()]
        return torch.cat([*found, *weights])

    return outcome


def _judge_loss(judge: nn.Module, clean: Tensor, enhanced: Tensor, label: Tensor) -> Tensor:
    return (judge(clean, clean) - 1).square().mean() + (
        judge(clean, enhanced) - label
    ).square().mean()


def _step(
    generator,
    judge,
    first,
    second,
    noisy,
    clean,
    label,
    collected: bool = False,
    move_generator: bool = True,
    move_judge: bool = True,
    anew: bool = False,
):
    """One right step, or one with the fault that is asked for."""
    first.zero_grad()
    second.zero_grad()
    enhanced = generator(noisy)
    loss = (judge(clean, enhanced) - 1).square().mean()
    loss.backward()
    if move_generator:
        first.step()
    if not collected:
        second.zero_grad()
    judged = generator(noisy) if anew else enhanced
    judge_loss = _judge_loss(judge, clean, judged.detach(), label)
    judge_loss.backward()
    if move_judge:
        second.step()
    return loss, judge_loss


def _joint(generator, judge, first, second, noisy, clean, label, detached: bool):
    """The discriminator first; without detach its loss leaves a gradient in the generator."""
    first.zero_grad()
    second.zero_grad()
    enhanced = generator(noisy)
    judged = enhanced.detach() if detached else enhanced
    judge_loss = _judge_loss(judge, clean, judged, label)
    judge_loss.backward(retain_graph=True)
    second.step()
    loss = (judge(clean, enhanced) - 1).square().mean()
    loss.backward()
    first.step()
    return loss, judge_loss
