"""Check of the bug hunt of chapter 06, one step of generator and discriminator."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from effifusion_lite.lesson.checks.outcome import equal
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

_SEED = 1
_STEPS = 3
_HERE = "number"  # argument that numbers the cases
_PARTS = (
    "the generator's loss",
    "the discriminator's loss",
    "the generator's new weights",
    "the discriminator's new weights",
)


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
    mistakes: Mistakes = [(sentence, _of(step)) for sentence, step in _mistakes()]
    cases = [{_HERE: number} for number in range(3)]
    problems = _not_two(function) or compare(_of(function), _of(Step()), mistakes, cases)
    stopped = [p.partition(": ")[2] for p in problems if p.startswith(_HERE) and "stopped" in p]
    if problems and problems[0].startswith((_HERE, "right for")):
        problems = stopped or [_which_part(function)]
    problems = problems or _reached_by_the_judge(function)
    return verdict("Exercise 3", problems, len(cases) + 1, strict)


def _mean_square(difference: Tensor) -> Tensor:
    return difference.square().mean()


@dataclass(frozen=True)
class Step:
    """One step as it should be, or with the faults that are asked for.

    Args:
        wanted: what the generator wants to hear, of the label.
        target: the discriminator's target for enhanced speech, of the label.
        clean_target: its target for clean speech, None where the term is missing.
        error: how a difference becomes a loss.
        factors: of the generator's loss and of the discriminator's.
        swapped: whether the generator's half and the discriminator's call `judge(enhanced, clean)`.
        judged: what is judged in the discriminator's half, of generator, noisy and enhanced.
        opinion: what becomes of the score of enhanced speech in that half.
        cleared: whether each optimiser's gradients are set to 0; `late` for the discriminator's,
            whether between the halves.
        collected: whether the generator's half leaves a gradient in the discriminator.
        moves: how many steps each optimiser makes.
        judge_first: whether the discriminator's half comes first.
        back: the order in which the losses are returned.
    """

    wanted: Callable = torch.ones_like
    target: Callable = lambda label: label
    clean_target: float | None = 1.0
    error: Callable = _mean_square
    factors: tuple[float, float] = (1.0, 1.0)
    swapped: tuple[bool, bool] = (False, False)
    judged: Callable = lambda generator, noisy, enhanced: enhanced.detach()
    opinion: Callable = lambda score: score
    cleared: tuple[bool, bool] = (True, True)
    collected: bool = False
    moves: tuple[int, int] = (1, 1)
    judge_first: bool = False
    back: tuple[int, int] = (0, 1)

    def __call__(self, generator, judge, first, second, noisy, clean, label):
        def opinion(enhanced: Tensor, swapped: bool) -> Tensor:
            return judge(enhanced, clean) if swapped else judge(clean, enhanced)

        def move(optimiser, times: int) -> None:
            for _ in range(times):
                optimiser.step()

        def judge_half() -> Tensor:
            judged = self.judged(generator, noisy, enhanced)
            score = self.opinion(opinion(judged, self.swapped[1]))
            loss = self.error(score - self.target(label))
            if self.clean_target is not None:
                loss = self.error(judge(clean, clean) - self.clean_target) + loss
            loss = self.factors[1] * loss
            loss.backward(retain_graph=True)
            move(second, self.moves[1])
            return loss

        for optimiser, cleared in zip((first, second), self.cleared, strict=True):
            if cleared:
                optimiser.zero_grad()
        enhanced = generator(noisy)
        judge_loss = judge_half() if self.judge_first else None
        kept = [None if p.grad is None else p.grad.clone() for p in judge.parameters()]
        loss = self.error(opinion(enhanced, self.swapped[0]) - self.wanted(label))
        loss = self.factors[0] * loss
        loss.backward(retain_graph=True)
        move(first, self.moves[0])
        if not self.collected:
            for parameter, gradient in zip(judge.parameters(), kept, strict=True):
                parameter.grad = gradient
        losses = loss, judge_half() if judge_loss is None else judge_loss
        return losses[self.back[0]], losses[self.back[1]]


def _mistakes() -> Iterator[tuple[str, Step]]:
    """A sentence about each likely mistake, and the step that makes it."""
    right = Step()
    for kept in (False, True):
        yield (
            "the generator's new weights depend on the label: no gradient of the discriminator's "
            "loss may reach it",
            replace(right, judge_first=True, judged=lambda g, x, e: e, collected=kept),
        )
        yield (
            "the discriminator makes its step first, so the enhanced speech is judged by an "
            "already updated discriminator: generator first",
            replace(right, judge_first=True, collected=kept),
        )
        yield (
            "the generator's weights stay as they are: its optimiser makes no step, or its "
            "gradient is cut off or cleared before the step",
            replace(right, moves=(0, 1), collected=kept),
        )
        yield (
            "the discriminator's gradient is never set to 0: it adds up from step to step",
            replace(right, cleared=(True, False), collected=kept),
        )
        yield (
            "the generator's gradient is never set to 0: it adds up from step to step",
            replace(right, cleared=(False, True), collected=kept),
        )
        yield (
            "no gradient is ever set to 0: they add up from step to step",
            replace(right, cleared=(False, False), collected=kept),
        )
    yield (
        "the discriminator's weights stay as they are: its optimiser makes no step, or its "
        "gradient is cleared between `backward` and the step",
        replace(right, moves=(1, 0)),
    )
    yield "the generator's optimiser makes two steps", replace(right, moves=(2, 1))
    yield "the discriminator's optimiser makes two steps", replace(right, moves=(1, 2))
    targets = {
        "1, which is what the generator wants: it has to be the label": torch.ones_like,
        "0, as in a GAN of real and fake: it has to be the label": torch.zeros_like,
    }
    for text, target in targets.items():
        sentence = f"the discriminator's target for enhanced speech is {text}"
        yield sentence, replace(right, target=target)
    sentence = "the discriminator's target for clean speech is 0: it has to be 1"
    yield sentence, replace(right, clean_target=0.0)
    sentence = "the discriminator's loss lacks the term of (clean, clean)"
    yield sentence, replace(right, clean_target=None)
    wishes = {
        "0: it wants to hear 1": torch.zeros_like,
        "the label: it wants to hear 1, whatever the label is": lambda label: label,
    }
    for text, wanted in wishes.items():
        yield f"the generator's target is {text}", replace(right, wanted=wanted)
    yield (
        "the discriminator judges noisy speech: it has to judge what the generator made of it",
        replace(right, judged=lambda g, x, e: x),
    )
    yield (
        "the discriminator judges speech that the generator made after its step: the label "
        "belongs to the speech from before it",
        replace(right, judged=lambda g, x, e: g(x).detach()),
    )
    yield (
        "the score is detached, so the discriminator learns nothing from enhanced speech: detach "
        "the enhanced speech instead",
        replace(right, opinion=lambda score: score.detach()),
    )
    halves = {
        (True, False): "in the generator's half",
        (False, True): "in the discriminator's half",
        (True, True): "in both halves",
    }
    for swapped, where in halves.items():
        yield f"call judge(clean, enhanced) {where}, clean first", replace(right, swapped=swapped)
    kinds = {
        "the sum of the squares: take the mean": lambda difference: difference.square().sum(),
        "the mean of the absolute errors: take the squares": lambda difference: (
            difference.abs().mean()
        ),
    }
    for text, error in kinds.items():
        yield f"the losses are {text}", replace(right, error=error)
    for factor, text in ((0.5, "is halved"), (-1.0, "has the wrong sign")):
        yield f"the generator's loss {text}", replace(right, factors=(factor, 1.0))
        yield f"the discriminator's loss {text}", replace(right, factors=(1.0, factor))
        both = "both losses " + text.replace("is", "are").replace("has", "have")
        yield both, replace(right, factors=(factor, factor))
    sentence = "the losses are returned in the wrong order: the generator's comes first"
    yield sentence, replace(right, back=(1, 0))


class _Judge(nn.Module):
    """Judges pairs of vectors [B, 4]: [B]."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 1)

    def forward(self, clean: Tensor, enhanced: Tensor) -> Tensor:
        return torch.sigmoid(self.layer(torch.cat([clean, enhanced], dim=1))[:, 0])


def plain_networks(seed: int) -> tuple[nn.Module, nn.Module]:
    """Make a generator and a discriminator of vectors of 4 numbers, for exercise 3.

    Args:
        seed: of the weights.

    Returns:
        The generator, a linear layer, and the discriminator, one linear layer and a sigmoid, in
        `layer`.

    Shape:
        generator [B, 4] → [B, 4], discriminator two of [B, 4] → [B].
    """
    generator = torch.Generator().manual_seed(seed)
    networks = nn.Linear(4, 4), _Judge()
    for parameter in (p for network in networks for p in network.parameters()):
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return networks


def _run(step: Callable, number: int, steps: int) -> tuple[list, tuple[nn.Module, nn.Module]]:
    """The losses of some steps on networks of a case, and the networks."""
    generator = torch.Generator().manual_seed(_SEED + number)
    networks = plain_networks(_SEED + number)
    optimisers = [torch.optim.SGD(network.parameters(), 0.5) for network in networks]
    found = []
    for _ in range(steps):
        noisy, clean = torch.randn(2, 6, 4, generator=generator)
        label = torch.rand(6, generator=generator)
        losses = step(*networks, *optimisers, noisy, clean, label)
        if losses is None or losses is ...:
            return [], networks
        found += [torch.as_tensor(loss).detach().reshape(-1) for loss in losses]
    return found, networks


def _weights(network: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def _of(step: Callable) -> Callable:
    """What three steps on networks of a case leave: losses and weights in one vector."""

    def outcome(number: int) -> Tensor | None:
        found, networks = _run(step, number, _STEPS)
        return torch.cat([*found, *map(_weights, networks)]) if found else None

    return outcome


def _not_two(function: Callable) -> list[str]:
    """Say that something else than two losses comes back."""
    returned = []

    def watched(*arguments) -> None:
        returned.append(function(*arguments))

    try:
        _run(watched, 0, 1)
    except Exception:
        return []  # `compare` tells what stopped
    [losses] = returned
    if losses is None or losses is ...:
        return []
    if isinstance(losses, tuple | list) and len(losses) == 2:
        return []
    count = len(losses) if isinstance(losses, tuple | list) else "one value"
    return [f"your function returns {count}: return two losses, first the generator's"]


def _which_part(function: Callable) -> str:
    """Say which losses or weights differ after one step, or that a later step is the first."""
    for steps in range(1, _STEPS + 1):
        both = []
        for step in (function, Step()):
            losses, networks = _run(step, 0, steps)
            both.append([*losses[-2:], *map(_weights, networks)])
        right = [equal(*pair) for pair in zip(*both, strict=True)]
        if not all(right):
            break
    good = [part for part, fits in zip(_PARTS, right, strict=True) if fits]
    bad = [part for part, fits in zip(_PARTS, right, strict=True) if not fits]
    text = f"after step {steps}, not right: {', '.join(bad)}"
    return f"{text}; right: {', '.join(good)}" if good else text


def _reached_by_the_judge(function: Callable) -> list[str]:
    """Say that the discriminator's loss leaves a gradient in the generator."""
    gradients = []
    for step in (function, Step()):
        _, (generator, _) = _run(step, 0, 1)
        gradients.append([p.grad for p in generator.parameters()])
    for found, wanted in zip(*gradients, strict=True):
        if found is not None and found.any() and not equal(found, wanted):
            return [
                "losses and weights are right, but the discriminator's loss leaves a gradient in "
                "the generator: no gradient may run back into it in that half"
            ]
    return []
