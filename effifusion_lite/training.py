"""The training: a generator and a discriminator, two optimisers, one loop.

Chapter: 06 The GAN loop.
"""

import copy
import importlib.util
import signal
import time
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.configuration import TrainingConfig
from effifusion_lite.data import Batches, StepDataset
from effifusion_lite.discriminator import MetricDiscriminator, discriminator_loss
from effifusion_lite.generator import EffiFusionGenerator
from effifusion_lite.labels import PesqLabels, worker_pool
from effifusion_lite.losses import generator_losses, weighted_sum
from effifusion_lite.pruning import DynamicPruner
from effifusion_lite.runs import Run
from effifusion_lite.spectral import analyse
from effifusion_lite.validation import Validation


class TrainingError(RuntimeError):
    """A training that cannot go on; the message names the step and what was kept."""


def scale(noisy: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """Both waveforms at the level at which the noisy one has a root mean square of 1.

    Shape:
        two of ``[B, N]`` → the same (samples).

    Chapter: 06.
    Source: MP-SENet (2023).
    """
    gain = torch.rsqrt(noisy.square().mean(-1, keepdim=True) + 1e-12)  # [B, 1]
    return noisy * gain, clean * gain


def _optimiser(model: nn.Module, config: TrainingConfig, rate: float) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=config.betas)


class Trainer:
    """Networks, optimisers and moving average of a training, and one step of it.

    Args:
        config: the training.
        device: where it runs.

    Chapter: 06.
    Source: MetricGAN (Fu et al. 2019) with the losses of MP-SENet (2023).
    """

    def __init__(self, config: TrainingConfig, device: torch.device):
        torch.manual_seed(config.seed)
        self.config, self.device = config, device
        self.generator = EffiFusionGenerator(config.generator).to(device)
        self.average = EffiFusionGenerator(config.generator).to(device).eval()
        self.average.load_state_dict(self.generator.state_dict())
        self.discriminator = MetricDiscriminator().to(device)
        self.optimiser = _optimiser(self.generator, config, config.learning_rate)
        self.discriminator_optimiser = _optimiser(
            self.discriminator, config, config.discriminator_learning_rate
        )
        schedule = config.pruning_schedule()
        self.pruner = None if schedule is None else DynamicPruner(self.generator, schedule)
        self.pool = worker_pool(config.label_workers)
        # Clean and enhanced magnitude of the last step, and its labels, late by that step.
        self.pending: tuple[Tensor, Tensor, PesqLabels | list[float]] | None = None

    def train_step(self, step: int, noisy: Tensor, clean: Tensor) -> dict[str, float]:
        """One step of both networks.

        Args:
            step: its number.
            noisy: noisy waveforms.
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
        for optimiser, rate in (
            (self.optimiser, config.learning_rate),
            (self.discriminator_optimiser, config.discriminator_learning_rate),
        ):
            for group in optimiser.param_groups:
                group["lr"] = rate * config.rate_at(step)

        noisy, clean = scale(noisy.to(self.device), clean.to(self.device))
        clean_magnitude, _ = analyse(clean, spectral)
        if self.pruner is not None:
            self.pruner.update(step)
        self.optimiser.zero_grad()
        self.discriminator.requires_grad_(False)
        with self.pruner.masked(step) if self.pruner is not None else nullcontext():
            with torch.autocast(self.device.type, torch.bfloat16, self.device.type == "cuda"):
                magnitude, phase = self.generator(*analyse(noisy, spectral))
            score = self.discriminator(clean_magnitude, magnitude) if adversarial else None
            losses, enhanced = generator_losses(clean, magnitude, phase, spectral, score)
            loss = weighted_sum(losses, config.losses)
            loss.backward()
        norm = nn.utils.clip_grad_norm_(self.generator.parameters(), config.clip)
        if not torch.isfinite(loss + norm):
            raise TrainingError(
                f"step {step}: the loss is {loss.item()} and the gradient's norm {norm.item()}; "
                "the weights from before this step are kept. Look at the data for NaN or lower the "
                "learning rate"
            )
        self.optimiser.step()
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
        labels = labels.collect() if isinstance(labels, PesqLabels) else labels
        labels = torch.tensor(labels, device=self.device)
        self.discriminator.requires_grad_(True)
        self.discriminator_optimiser.zero_grad()
        loss = discriminator_loss(self.discriminator, clean, enhanced, labels)
        loss.backward()
        self.discriminator_optimiser.step()
        return {"discriminator": loss.item(), "label": labels.nanmean().item()}

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        decay = min(self.config.ema, (1 + step) / (10 + step))
        for kept, new in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            kept.lerp_(new, 1 - decay)

    def averaged(self) -> EffiFusionGenerator:
        """A copy of the averaged generator, pruned as far as the training has come."""
        model = copy.deepcopy(self.average)
        if self.pruner is not None:
            self.pruner.apply(model)
        return model

    def state(self) -> dict:
        """All that the next step depends on; waits for the labels that are on their way."""
        pending = self.pending
        if pending is not None and isinstance(pending[2], PesqLabels):
            pending = self.pending = (*pending[:2], pending[2].collect())
        return {
            "generator": self.generator.state_dict(),
            "average": self.average.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "discriminator_optimiser": self.discriminator_optimiser.state_dict(),
            "masks": {} if self.pruner is None else self.pruner.masks,
            "pending": pending,
            "random": torch.get_rng_state(),
        }

    def load_state(self, state: dict) -> None:
        """Inverse of :meth:`state`."""
        self.generator.load_state_dict(state["generator"])
        self.average.load_state_dict(state["average"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.discriminator_optimiser.load_state_dict(state["discriminator_optimiser"])
        if self.pruner is not None:
            self.pruner.masks = state["masks"]
        self.pending = state["pending"]
        torch.set_rng_state(state["random"].cpu())


def _numpy(waveform: Tensor):
    return waveform.detach().float().cpu().numpy()


@contextmanager
def _stop_signals():
    """A list that is filled by the first Ctrl-C or SIGTERM; a second Ctrl-C interrupts at once."""
    received: list[int] = []

    def remember(number, frame):
        if received:
            raise KeyboardInterrupt
        received.append(number)

    try:
        before = {n: signal.signal(n, remember) for n in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread, where signals cannot be caught
        before = {}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def train(
    config: TrainingConfig,
    data: Batches,
    out: str | Path,
    validation: Validation | None = None,
    init: EffiFusionGenerator | None = None,
    resume: bool = False,
    minutes: float | None = None,
    device: str = "auto",
) -> EffiFusionGenerator:
    """Trains a generator; a run that was stopped or killed goes on exactly where its checkpoint is.

    The folder of the run gets ``config.json``, ``log.csv``, ``valid.csv``, ``checkpoint.pt``,
    ``best.safetensors`` (best PESQ on the validation) and ``last.safetensors``.

    Args:
        config: the training.
        data: training data.
        out: folder of the run.
        validation: what the best weights are chosen by; without it the last are the best.
        init: generator to start from.
        resume: go on with the run in ``out``.
        minutes: stop after this time, with a checkpoint to resume from.
        device: "auto", "cpu", "cuda" or "mps".

    Returns:
        The averaged generator at the end, pruned if asked for.

    Raises:
        TrainingError: if loss or gradient is not finite.
        RunError: if ``out`` holds a run and ``resume`` is false, or holds none and it is true, or
            one of another configuration.
        ValueError: if the GAN is on and PESQ cannot be computed here.

    Chapter: 06.
    Source: choice of this project.
    """
    device = find_device(device)
    if config.gan:
        _require_pesq()
    run = Run(Path(out), asdict(config), resume)
    trainer = Trainer(config, device)
    first = 0
    if resume:
        first, state = run.restore()
        trainer.load_state(state)
    elif init is not None:
        trainer.generator.load_state_dict(init.state_dict())
        trainer.average.load_state_dict(init.state_dict())
    steps = StepDataset(data, config.batch_size, config.steps)
    loader = DataLoader(
        steps, batch_size=None, sampler=range(first, config.steps), num_workers=config.workers
    )
    began = mark = time.monotonic()
    done = first
    with trainer.pool, _stop_signals() as signals:
        try:
            bar = tqdm(loader, "training", config.steps, initial=first, unit="step")
            for step, (noisy, clean) in enumerate(bar, first):
                report = trainer.train_step(step, noisy, clean)
                done = step + 1
                if done % config.log_every == 0:
                    now = time.monotonic()
                    seconds = min(config.log_every, done - first) * noisy.numel() / SAMPLE_RATE
                    report["audio_per_second"] = seconds / (now - mark)
                    mark = now
                    run.log(done, report)
                    bar.set_postfix(
                        loss=report["loss"], audio_per_second=report["audio_per_second"]
                    )
                last = done == config.steps
                if validation is not None and (last or done % config.validate_every == 0):
                    model = trainer.averaged()
                    run.validated(done, validation(model, trainer.pool), model)
                    mark = time.monotonic()
                if done % config.checkpoint_every == 0:
                    run.save(done, trainer.state())
                if signals or (minutes is not None and time.monotonic() - began > 60 * minutes):
                    break
        finally:  # after an error too: the state is then that after the last good step
            run.save(done, trainer.state())
        model = trainer.averaged()
        run.save_weights("last", model, done)
        if validation is None:
            run.save_weights("best", model, done)
    return model.cpu().eval()


def find_device(name: str) -> torch.device:
    """The device of that name; "auto" takes the fastest one that is there.

    Raises:
        ValueError: if the device is not there.

    Chapter: 06.
    Source: choice of this project.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next((device for device, found in there.items() if found), "cpu")
    if not there.get(name, name == "cpu"):
        raise ValueError(f"there is no device {name!r} here: use --device cpu")
    return torch.device(name)


def _require_pesq() -> None:
    if importlib.util.find_spec("pesq") is None:
        raise ValueError(
            "the discriminator learns PESQ, but the package pesq is not installed: install it (it "
            "needs a C compiler) or train with --no-gan"
        )
