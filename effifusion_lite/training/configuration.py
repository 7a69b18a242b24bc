"""The configuration of a training, and recipes: files that hold one.

Chapter: 06 The GAN loop.
"""

import json
import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from effifusion_lite.audio import SAMPLE_RATE, read_text
from effifusion_lite.data import MixtureConfig
from effifusion_lite.generator import GeneratorConfig, preset
from effifusion_lite.losses import LossWeights
from effifusion_lite.metrics import SHORTEST_PESQ
from effifusion_lite.pruning import PruningSchedule
from effifusion_lite.settings import (
    AT_LEAST_0,
    AT_LEAST_1,
    BELOW_1,
    POSITIVE,
    SHARE,
    check_fields,
)


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides a training, but its data. Times are in steps or in shares of all
    steps.

    Args:
        generator: the network.
        mixture: how speech and noise are mixed.
        losses: weights of the terms of the loss.
        steps: length of the training; learning rate, GAN and pruning are scheduled along it.
        batch_size: examples in a step.
        learning_rate: peak of the generator's learning rate.
        discriminator_learning_rate: peak of the discriminator's, along the same curve.
        muon: learning rate of the generator's matrices as a multiple of ``learning_rate``; they are
            trained with Muon then (torch 2.9 or newer). With 0, AdamW trains them like all else.
        betas: of AdamW.
        weight_decay: of both, for kernels and matrices; norms, biases, and slopes have none.
        warmup: steps in which the learning rate rises to its peak.
        cooldown: share of the steps, the last ones, in which the learning rate falls linearly to
            zero after it stayed at its peak; with 0 it stays there to the end. None stands for a
            cosine from the peak to 1 % of it.
        clip: largest norm of the generator's gradient.
        ema: decay of the moving average of the weights, which is what is validated and kept.
        ema_share: before that decay is reached, the average covers the last steps up to this share
            of all so far: little where a training begins with random weights, which are soon of no
            use; 1 where it begins with good ones.
        gan: train with the metric discriminator.
        gan_start: share of the steps before the discriminator comes in.
        prune: share of the prunable weights to set to zero, 0 for none.
        prune_start: share of the steps before pruning begins.
        prune_end: share of the steps from which the masks are frozen.
        validate_every: steps from one validation to the next.
        checkpoint_every: steps from one checkpoint to the next.
        log_every: steps from one line of the log to the next.
        workers: processes that load data; 0 loads it in the training process.
        label_workers: processes that compute PESQ.
        seed: of weights and data.

    Raises:
        ValueError: if a number is out of range.

    Source: AdamW and betas as MP-SENet (2023); Muon as Jordan et al. (2024), with the scale of Liu
        et al. (2025), arXiv 2502.16982; warm-up, constant rate and cool-down as MiniCPM (Hu
        et al. 2024), arXiv 2404.06395; the rest is a choice of this project.
    """

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    mixture: MixtureConfig = field(default_factory=MixtureConfig)
    losses: LossWeights = field(default_factory=LossWeights)
    steps: int = 20000
    batch_size: int = 4
    learning_rate: float = 2e-3
    discriminator_learning_rate: float = 1e-3
    muon: float = 0.0
    betas: tuple[float, float] = (0.8, 0.99)
    weight_decay: float = 0.01
    warmup: int = 300
    cooldown: float | None = None
    clip: float = 5.0
    ema: float = 0.999
    ema_share: float = 1 / 9
    gan: bool = True
    gan_start: float = 0.5
    prune: float = 0.0
    prune_start: float = 0.6
    prune_end: float = 0.8
    validate_every: int = 1000
    checkpoint_every: int = 500
    log_every: int = 20
    workers: int = 0
    label_workers: int = 2
    seed: int = 0

    def __post_init__(self):
        counts = "steps batch_size validate_every checkpoint_every log_every label_workers"
        rates = "learning_rate discriminator_learning_rate clip ema_share"
        rules = dict.fromkeys(counts.split(), AT_LEAST_1)
        rules |= dict.fromkeys(rates.split(), POSITIVE)
        rules |= dict.fromkeys("muon weight_decay warmup workers seed".split(), AT_LEAST_0)
        rules |= dict.fromkeys("gan_start cooldown prune_start prune_end".split(), SHARE)
        rules |= dict.fromkeys("betas ema prune".split(), BELOW_1)
        check_fields(self, rules)
        check_fields(self, {"ema_share": SHARE})
        if not any(vars(self.losses).values()):
            raise ValueError("losses are all 0: nothing would be learnt")
        segment, shortest = self.mixture.segment, self.generator.spectral.n_fft
        if segment < shortest:
            raise ValueError(f"segment must be at least {shortest}, one frame, not {segment}")
        if self.gan and segment < SHORTEST_PESQ * SAMPLE_RATE:
            shortest = round(SHORTEST_PESQ * SAMPLE_RATE)
            raise ValueError(
                f"segment must be at least {shortest} with the discriminator, since PESQ takes no "
                f"less, not {segment}"
            )
        if not 0 <= self.prune_start < self.prune_end < 1:
            raise ValueError("pruning needs 0 <= prune_start < prune_end < 1")

    def rate_at(self, step: int) -> float:
        """Factor on the learning rates at a step.

        It rises linearly, then follows a cosine down to 0.01; with ``cooldown`` it stays at 1, then
        falls linearly and would reach 0 at the step after the last.

        Args:
            step: number of the step, from 0.
        """
        if step < self.warmup:
            return (step + 1) / self.warmup
        if self.cooldown is not None:
            fall = max(self.warmup, (1 - self.cooldown) * self.steps)
            return min(max((self.steps - step) / max(1, self.steps - fall), 0.0), 1.0)
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))

    def pruning_schedule(self) -> PruningSchedule | None:
        """The schedule of the pruning, or None where there is none."""
        if self.prune == 0:
            return None
        end = max(1, int(self.prune_end * self.steps))
        return PruningSchedule(self.prune, min(int(self.prune_start * self.steps), end - 1), end)

    @classmethod
    def from_dict(cls, values: dict) -> "TrainingConfig":
        """A configuration from plain values, as ``dataclasses.asdict`` or a file gives them.

        Args:
            values: fields by name. ``generator`` is the name of a preset or its fields; what is
                left out keeps its default.

        Raises:
            TypeError: if a name is unknown.
            ValueError: if a value is out of range.
        """
        if not isinstance(values, dict):
            raise ValueError("a table of settings is needed")
        for name in ("mixture", "losses"):
            if not isinstance(values.get(name, {}), dict):
                raise ValueError(f"{name} must be a table, not {values[name]!r}")
        if not isinstance(values.get("generator", {}), dict | str):
            raise ValueError("generator must be the name of a preset, or a table")
        values = _with_tuples(values)
        generator = values.get("generator", {})
        if isinstance(generator, str):
            values["generator"] = preset(generator)
        else:
            values["generator"] = GeneratorConfig.from_dict(generator)
        for name, kind in (("mixture", MixtureConfig), ("losses", LossWeights)):
            values[name] = kind(**_with_tuples(values.get(name, {})))
        return cls(**values)


def _with_tuples(values: dict) -> dict:
    return {k: _as_tuple(v) for k, v in values.items()}


def _as_tuple(value):
    return tuple(_as_tuple(v) for v in value) if isinstance(value, list) else value


def read_recipe(path: str | Path, generator: GeneratorConfig | None = None) -> TrainingConfig:
    """The configuration in a file: TOML as in ``recipes/``, or the JSON of a run's folder.

    Args:
        path: the file.
        generator: the network, in the place of the one that the file names.

    Returns:
        The configuration.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it holds something else, or neither it nor ``generator`` names the network.
    """
    text = read_text(path)
    try:
        values = json.loads(text) if Path(path).suffix == ".json" else tomllib.loads(text)
        if generator is not None:
            values["generator"] = generator.to_dict()
        elif "generator" not in values:
            raise ValueError("it names no generator; weights to start from (--init) bring theirs")
        return TrainingConfig.from_dict(values)
    except (TypeError, AttributeError, ValueError) as error:
        reason = " ".join(str(error).splitlines())  # a key may hold the end of a line
        raise ValueError(f"{path} is no training configuration: {reason}") from error
