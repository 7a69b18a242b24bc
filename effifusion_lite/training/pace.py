"""How long a training takes here: a few steps are tried and timed, then its length is chosen.

Chapter: 06 The GAN loop.
"""

import io
import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from effifusion_lite.training.configuration import TrainingConfig
from effifusion_lite.training.step import Trainer
from effifusion_lite.training.validation import Validation

TRIED = 200  # steps of each kind, at most
SETTLED, LEAST = 2, 5  # steps that are not timed, as the first are slow; and that are
SHARE = 0.015  # of the time that is there, for trying each kind of step
RESERVE = 0.05  # of the time that is left, since a machine does not always work at one speed
SHORTEST = 20  # steps, below which a training is none


@dataclass(frozen=True)
class Pace:
    """Seconds that the parts of a training take.

    Args:
        start: what happens once: processes that start, code that is translated.
        early: a step without the discriminator.
        late: a step with it.
        validation: one validation.
        checkpoint: one checkpoint.
    """

    start: float
    early: float
    late: float
    validation: float
    checkpoint: float

    def seconds(self, config: TrainingConfig, steps: int) -> float:
        """Time that a training of that many steps takes, in seconds."""
        late = (1 - config.gan_start) * steps if config.gan else 0.0
        validations = -(-steps // config.validate_every)  # the last step ends with one
        checkpoints = steps // config.checkpoint_every + 1
        return (
            self.start
            + (steps - late) * self.early
            + late * self.late
            + validations * self.validation
            + checkpoints * self.checkpoint
        )

    def fit(self, config: TrainingConfig, seconds: float) -> TrainingConfig:
        """The longest training that the time is enough for, with a reserve of 5 %.

        Args:
            config: the training; its warm-up is cut to a tenth of the steps.
            seconds: the time.

        Raises:
            ValueError: if the time is too short for a training.
        """
        seconds *= 1 - RESERVE
        most = max(0, int(seconds / min(self.early, self.late)))
        steps = bisect_right(range(1, most + 1), seconds, key=lambda n: self.seconds(config, n))
        if steps < SHORTEST:
            raise ValueError(
                f"only {steps} steps would fit into the time, too few for a training (at least "
                f"{SHORTEST}): give more minutes, or take a smaller batch_size, shorter segments, "
                "a smaller network or a shorter validation"
            )
        return replace(config, steps=steps, warmup=min(config.warmup, steps // 10))


def on_trial(config: TrainingConfig) -> TrainingConfig:
    """A training to be timed: the first half of its steps is early, the other half late.

    The masks of pruning are left out; the reserve has to cover what they add to a step.
    """
    return replace(config, steps=2 * TRIED, gan_start=0.5, prune=0.0)


def fitted(
    config: TrainingConfig,
    trial: Trainer,
    batches: Callable[[int], Iterable[tuple[Tensor, Tensor]]],
    validation: Validation | None,
    deadline: float,
) -> TrainingConfig:
    """The longest training that there is time for. All processes call it together and agree.

    Args:
        config: the training.
        trial: networks of the training that :func:`on_trial` makes of it, to be thrown away.
        batches: gives the batches of the trial from a step on.
        validation: as in the training.
        deadline: when the training has to end, on the clock of ``time.monotonic``.

    Returns:
        The configuration with its steps and warm-up.

    Raises:
        ValueError: if there is too little time.
    """
    with trial.pool:
        pace = measure(trial, batches, validation, deadline - time.monotonic())
    pace, left = trial.group.from_first((pace, deadline - time.monotonic()))
    config = pace.fit(config, left)
    if trial.group.first:
        print(
            f"{config.steps} steps fit into the {left / 60:.3g} minutes that are left after a "
            f"trial: {pace.early:.3g} s for a step, {pace.late:.3g} s once there is a "
            f"discriminator, {pace.validation:.3g} s for a validation",
            file=sys.stderr,
        )
    return config


def measure(
    trainer: Trainer,
    batches: Callable[[int], Iterable[tuple[Tensor, Tensor]]],
    validation: Validation | None,
    seconds: float,
) -> Pace:
    """Times the parts of a training.

    Args:
        trainer: of a training as :func:`on_trial` makes it; it is of no use afterwards.
        batches: gives the batches from a step on.
        validation: as in the training.
        seconds: time that the whole training has.

    Returns:
        The times, as this process sees them.
    """
    start, early = _step(trainer, batches, 0, SHARE * seconds)
    late = early
    if trainer.config.gan:
        more, late = _step(trainer, batches, TRIED, SHARE * seconds)
        start += more
    checkpoint = _duration(lambda: torch.save(trainer.state(), io.BytesIO()))
    scoring = 0.0
    if validation is not None:  # in the first process alone
        model, pairs = trainer.averaged(), validation.pairs
        start += _duration(lambda: Validation(pairs[:1])(model, trainer.pool))  # its processes
        some = Validation(pairs[::4])
        scoring = _duration(lambda: some(model, trainer.pool)) * len(pairs) / len(some.pairs)
    return Pace(start, early, late, scoring, checkpoint)


def _step(trainer: Trainer, batches: Callable, first: int, seconds: float) -> tuple[float, float]:
    """Seconds that the first steps take beyond those after them, and seconds of one of these."""
    ends = [time.monotonic()]
    for step, (noisy, clean) in enumerate(batches(first), first):
        trainer.train_step(step, noisy, clean)
        ends.append(time.monotonic())
        timed = ends[SETTLED + 1 :]
        enough = len(timed) >= LEAST and timed[-1] - ends[SETTLED] > seconds
        if trainer.group.any(enough or len(timed) >= TRIED - SETTLED):
            break
    pace = (ends[-1] - ends[SETTLED]) / len(timed)
    return max(0.0, ends[SETTLED] - ends[0] - SETTLED * pace), pace


def _duration(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began
