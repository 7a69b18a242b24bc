"""One step of the training: a generator, a discriminator, and their optimisers.

Chapter: 06 The GAN loop.
"""

import copy
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from effifusion_lite.discriminator import MetricDiscriminator, discriminator_loss
from effifusion_lite.generator import EffiFusionGenerator
from effifusion_lite.losses import PerceptualLoss, generator_losses, weighted_sum
from effifusion_lite.pruning import DynamicPruner
from effifusion_lite.spectral import analyse
from effifusion_lite.training.clock import Clock
from effifusion_lite.training.configuration import TrainingConfig
from effifusion_lite.training.distributed import ALONE, Group
from effifusion_lite.training.labels import PesqLabels, worker_pool


class TrainingError(RuntimeError):
    """A training that cannot go on; the message names the step and what was kept."""


def scale(noisy: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """Both waveforms at the level at which the noisy one has a root mean square of 1.

    Shape:
        two of ``[B, N]`` → the same (samples).

    Source: MP-SENet (2023).
    """
    gain = torch.rsqrt(noisy.square().mean(-1, keepdim=True) + 1e-12)  # [B, 1]
    return noisy * gain, clean * gain


def _optimisers(
    generator: nn.Module, discriminator: nn.Module, config: TrainingConfig
) -> dict[str, tuple[torch.optim.Optimizer, float]]:
    """All optimisers by their names in a checkpoint, each with the peak of its learning rate."""
    rate, found = config.learning_rate, {}
    parameters = list(generator.parameters())
    if config.muon > 0:
        matrices = [p for p in parameters if p.ndim == 2]
        parameters = [p for p in parameters if p.ndim != 2]
        found["muon"] = _muon(matrices, config), config.muon * rate
    found["optimiser"] = _adamw(parameters, config), rate
    judge = _adamw(list(discriminator.parameters()), config)
    return found | {"discriminator_optimiser": (judge, config.discriminator_learning_rate)}


def _adamw(parameters: list[nn.Parameter], config: TrainingConfig) -> torch.optim.AdamW:
    weights = [p for p in parameters if p.ndim > 1]
    vectors = [p for p in parameters if p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=config.betas)


def _muon(matrices: list[nn.Parameter], config: TrainingConfig) -> torch.optim.Optimizer:
    if not hasattr(torch.optim, "Muon"):
        raise ValueError(
            f"Muon is in torch from 2.9 on, and this is {torch.__version__}: leave muon out of the "
            "recipe, or install a newer torch"
        )
    return torch.optim.Muon(
        matrices, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"
    )


class Trainer:
    """Networks, optimisers and moving average of a training, and one step of it.

    Args:
        config: the training.
        device: where it runs.
        group: the processes that share each batch.
        compiled: let ``torch.compile`` translate the generator at the first step.

    Raises:
        ValueError: if the configuration asks for Muon and this torch has none.

    Source: MetricGAN (Fu et al. 2019) with the losses of MP-SENet (2023).
    """

    def __init__(
        self,
        config: TrainingConfig,
        device: torch.device,
        group: Group = ALONE,
        compiled: bool = False,
    ):
        torch.manual_seed(config.seed)
        self.config, self.device, self.group = config, device, group
        self.generator = EffiFusionGenerator(config.generator).to(device)
        self.average = EffiFusionGenerator(config.generator).to(device).eval()
        self.average.load_state_dict(self.generator.state_dict())
        self.discriminator = MetricDiscriminator().to(device)
        # What is called where gradients are needed: they are those of the whole batch.
        generator = torch.compile(self.generator) if compiled else self.generator
        self.generate = group.parallel(generator)
        self.discriminate = group.parallel(self.discriminator)
        self.optimisers = _optimisers(self.generator, self.discriminator, config)
        schedule = config.pruning_schedule()
        self.pruner = None if schedule is None else DynamicPruner(self.generator, schedule)
        self.perceptual = PerceptualLoss().to(device) if config.losses.perceptual > 0 else None
        self.pool = worker_pool(config.label_workers)
        self.clock = Clock()
        # Clean and enhanced magnitude of the last step, and its labels, late by that step.
        self.pending: tuple[Tensor, Tensor, PesqLabels | list[float]] | None = None

    def train_step(self, step: int, noisy: Tensor, clean: Tensor) -> dict[str, float]:
        """One step of both networks.

        Args:
            step: its number.
            noisy: noisy waveforms, of this process's share of the batch.
            clean: clean waveforms.

        Returns:
            All terms of the losses, the norm of the gradient, and the mean PESQ of the labels.

        Shape:
            two of ``[B, N]`` (samples, 16 kHz).

        Raises:
            TrainingError: if loss or gradient is not finite; the weights are those before the step.
        """
        config, spectral = self.config, self.config.generator.spectral
        adversarial = config.gan and step >= config.gan_start * config.steps
        for optimiser, rate in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = rate * config.rate_at(step)

        noisy, clean = scale(noisy.to(self.device), clean.to(self.device))
        clean_magnitude, _ = analyse(clean, spectral)
        if self.pruner is not None:
            self.pruner.update(step)
        self.generator.zero_grad()
        self.discriminator.requires_grad_(False)
        with self.pruner.masked(step) if self.pruner is not None else nullcontext():
            with torch.autocast(self.device.type, torch.bfloat16, self.device.type == "cuda"):
                magnitude, phase = self.generate(*analyse(noisy, spectral))
            score = self.discriminator(clean_magnitude, magnitude) if adversarial else None
            losses, enhanced = generator_losses(
                clean, magnitude, phase, spectral, score, self.perceptual
            )
            loss = weighted_sum(losses, config.losses)
            loss.backward()
        norm = nn.utils.clip_grad_norm_(self.generator.parameters(), config.clip)
        if not torch.isfinite(loss + norm):
            raise TrainingError(
                f"step {step}: the loss is {loss.item()} and the gradient's norm {norm.item()}; "
                "the weights from before this step are kept. Look at the data for NaN or lower the "
                "learning rate"
            )
        for name, (optimiser, _) in self.optimisers.items():
            if name != "discriminator_optimiser":
                optimiser.step()
        self._update_average(step)

        report = {name: value.item() for name, value in losses.items()}
        report |= {"loss": loss.item(), "gradient": norm.item()}
        if adversarial:
            report |= self._discriminator_step()
            labels = PesqLabels(self.pool, _numpy(clean), _numpy(enhanced))
            self.pending = clean_magnitude, magnitude.detach(), labels
        return report

    def _discriminator_step(self) -> dict[str, float]:
        """Trains the discriminator with the batch before, whose labels were computed meanwhile."""
        if self.pending is None:
            return {}
        clean, enhanced, labels = self.pending
        self.clock.lap("networks")
        labels = labels.collect() if isinstance(labels, PesqLabels) else labels
        self.clock.lap("labels")
        labels = torch.tensor(labels, device=self.device)
        self.discriminator.requires_grad_(True)
        self.discriminator.zero_grad()
        loss = discriminator_loss(self.discriminate, clean, enhanced, labels)
        loss.backward()
        self.optimisers["discriminator_optimiser"][0].step()
        return {"discriminator": loss.item(), "label": labels.nanmean().item()}

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        config = self.config
        decay = min(config.ema, (1 + step) / (1 + 1 / config.ema_share + step))
        for kept, new in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            kept.lerp_(new, 1 - decay)

    def averaged(self) -> EffiFusionGenerator:
        """A copy of the averaged generator, pruned as far as the training has come."""
        model = copy.deepcopy(self.average)
        if self.pruner is not None:
            self.pruner.apply(model)
        return model

    def pruned(self, steps: int) -> bool:
        """Whether nothing is left to prune after that many steps."""
        return self.pruner is None or steps > self.pruner.schedule.end

    def state(self) -> dict:
        """All that the next step depends on; waits for the labels that are on their way.

        All processes call it together, and each gets the whole.
        """
        pending = self.pending
        if pending is not None:
            clean, enhanced, labels = pending
            labels = labels.collect() if isinstance(labels, PesqLabels) else labels
            self.pending = clean, enhanced, labels
            labels = self.group.join(torch.tensor(labels, dtype=torch.float64)).tolist()
            pending = self.group.join(clean), self.group.join(enhanced), labels
        return {
            "generator": self.generator.state_dict(),
            "average": self.average.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            **{name: optimiser.state_dict() for name, (optimiser, _) in self.optimisers.items()},
            "masks": {} if self.pruner is None else self.pruner.masks,
            "pending": pending,
            "random": torch.get_rng_state(),
        }

    def load_state(self, state: dict) -> None:
        """Inverse of :meth:`state`."""
        self.generator.load_state_dict(state["generator"])
        self.average.load_state_dict(state["average"])
        self.discriminator.load_state_dict(state["discriminator"])
        for name, (optimiser, _) in self.optimisers.items():
            optimiser.load_state_dict(state[name])
        if self.pruner is not None:
            self.pruner.masks = {k: mask.to(self.device) for k, mask in state["masks"].items()}
        self.pending = state["pending"]
        if self.pending is not None:
            *spectra, labels = self.pending
            clean, enhanced = (self.group.part(spectrum).to(self.device) for spectrum in spectra)
            labels = self.group.part(torch.tensor(labels, dtype=torch.float64)).tolist()
            self.pending = clean, enhanced, labels
        torch.set_rng_state(state["random"].cpu())


def _numpy(waveform: Tensor):
    return waveform.detach().float().cpu().numpy()
