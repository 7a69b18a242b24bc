"""The training: its loop, with logs, validation, checkpoints and a clean stop.

Chapter: 06 The GAN loop.
"""

import math
import signal
import sys
import time
import warnings
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.data import Batches, StepDataset
from effifusion_lite.generator import EffiFusionGenerator
from effifusion_lite.metrics import MetricError, load_pesq
from effifusion_lite.training.board import Board
from effifusion_lite.training.clock import Clock
from effifusion_lite.training.configuration import TrainingConfig
from effifusion_lite.training.distributed import processes
from effifusion_lite.training.labels import leave_signals_to_parent
from effifusion_lite.training.pace import fitted, on_trial
from effifusion_lite.training.record import Record
from effifusion_lite.training.runs import BROKEN, Run, damaged
from effifusion_lite.training.step import Trainer
from effifusion_lite.training.validation import Validation

IGNORED = signal.SIG_IGN  # as SIGHUP is under nohup
STOPS = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]


@contextmanager
def _stop_signals():
    """A list that is filled by the first Ctrl-C or SIGTERM, or the end of the terminal (SIGHUP); a
    second Ctrl-C interrupts at once."""
    received: list[int] = []

    def remember(number, frame):
        if received:
            raise KeyboardInterrupt
        received.append(number)

    try:
        caught = [n for n in STOPS if signal.getsignal(n) is not IGNORED]
        before = {n: signal.signal(n, remember) for n in caught}
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
    tensorboard: bool = False,
    compiled: bool = False,
    fit: bool = False,
) -> EffiFusionGenerator:
    """Trains a generator; a run that was stopped or killed goes on exactly where its checkpoint is.

    The folder of the run gets ``config.json``, ``log.csv``, ``valid.csv``, ``checkpoint.pt``,
    ``best.safetensors`` (best PESQ on the validation, once all pruning is done) and
    ``last.safetensors``. Under ``torchrun``, all processes train it together; the first one alone
    validates and writes.

    Args:
        config: the training.
        data: training data.
        out: folder of the run.
        validation: what the best weights are chosen by; without it the last are the best.
        init: generator to start from.
        resume: go on with the run in ``out``.
        minutes: stop after this time, with a checkpoint to resume from.
        fit: replace the number of steps by what fits into ``minutes`` here, from the warm-up to the
            last validation. Some steps are tried for this, timed and forgotten. The number is kept
            in ``config.json``. Should the machine become slower, the training is stopped in time
            all the same, before its learning rate has fallen, and can be resumed.
        device: "auto", "cpu", "cuda" or "mps".
        tensorboard: write curves and recordings of the validation for TensorBoard, too.
        compiled: let ``torch.compile`` translate the generator first, for GPUs.

    Returns:
        The averaged generator at the end, pruned if asked for.

    Raises:
        TrainingError: if loss or gradient is not finite.
        RunError: if ``out`` holds a run and ``resume`` is false, or holds none and it is true, or
            one of another configuration or of other recordings.
        ValueError: if the GAN is on and PESQ cannot be computed here, Muon is asked for and torch
            has none, ``init`` has another configuration than the run, the batch cannot be divided
            over the processes, or ``fit`` has no ``minutes``, too few, or a run to resume.
    """
    deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
    if fit and (minutes is None or resume):
        raise ValueError("fit needs minutes, and a new run: one that is resumed has its plan")
    if init is not None and init.config != config.generator:
        raise ValueError("the weights to start from have another configuration than the run")
    if validation is not None and not validation.pairs:
        warnings.warn("without a validation the last weights are the best", stacklevel=2)
        validation = None
    device = find_device(device)
    if config.gan:
        _require_pesq()
    with processes(device) as group:
        group.share(config.batch_size)  # or an error, before anything is written
        run = Run(Path(out), asdict(config), resume) if group.first else None
        if run is not None:
            run.hears(data, resume)
        if fit:
            trial = Trainer(on_trial(config), device, group, compiled)
            batches = partial(_loader, trial, data)
            config = fitted(config, trial, batches, validation, deadline)
            del trial
            if run is not None:
                run.keep(asdict(config))
        trainer = Trainer(config, device, group, compiled)
        first = 0
        if resume:
            first, state = group.from_first(None if run is None else run.restore())
            try:
                trainer.load_state(state)
            except BROKEN as error:
                raise damaged(Path(out)) from error
        elif init is not None:
            trainer.generator.load_state_dict(init.state_dict())
            trainer.average.load_state_dict(init.state_dict())
        board = None
        if tensorboard and group.first:
            board = Board(run.folder / "tensorboard", first)
        record = Record(run, validation, board)
        with trainer.pool:
            _steps(trainer, _loader(trainer, data, first), first, record, deadline)
        return trainer.averaged().cpu().eval()


def _loader(trainer: Trainer, data: Batches, first: int) -> DataLoader:
    """This process's share of the batches, from the step ``first`` on."""
    config, group = trainer.config, trainer.group
    size = group.share(config.batch_size)
    return DataLoader(
        StepDataset(data, size, config.steps, group.rank * size),
        batch_size=None,
        sampler=range(first, config.steps),
        num_workers=config.workers,
        worker_init_fn=leave_signals_to_parent,
        generator=torch.Generator(),  # it draws a number at each start: not from the training's own
    )


def _steps(
    trainer: Trainer, loader: DataLoader, first: int, record: Record, deadline: float
) -> None:
    """Goes through the steps from ``first`` on, to the end or until it is time to stop."""
    config, group = trainer.config, trainer.group
    bar = tqdm(
        loader, "training", config.steps, initial=first, unit="step", disable=not group.first
    )
    clock = trainer.clock = Clock()
    logged, done = 0.0, first
    with _stop_signals() as signals:
        try:
            for step, (noisy, clean) in enumerate(bar, first):
                clock.lap("data")
                report = trainer.train_step(step, noisy, clean)
                clock.lap("networks")
                audio = group.size * noisy.numel() / SAMPLE_RATE  # s in a step
                done = step + 1
                if done % config.log_every == 0:
                    seconds = min(config.log_every, done - first) * audio
                    report = group.mean(report)
                    report["audio_per_second"] = seconds / (clock.training - logged)
                    logged = clock.training
                    record.log(done, report)
                    bar.set_postfix(
                        loss=report["loss"], audio_per_second=report["audio_per_second"]
                    )
                if done == config.steps or done % config.validate_every == 0:
                    record.validate(done, trainer)
                    clock.lap("validation")
                if done % config.checkpoint_every == 0:
                    record.save(done, trainer)
                    clock.lap("checkpoints")
                if group.any(bool(signals) or time.monotonic() > deadline):
                    break
        except BaseException:
            if group.size == 1:  # several cannot agree any more: their last checkpoint stands
                record.save(done, trainer)  # the state after the last good step
            raise
        record.save(done, trainer)
        record.finish(done, trainer)
    if group.first and done > first:
        rate = (done - first) * audio / clock.training
        print(f"{rate:.3g} s of audio in a second; of the time: {clock.shares()}", file=sys.stderr)
    if group.first and done < config.steps:
        print(f"stopped after {done} of {config.steps} steps: resume to finish", file=sys.stderr)


def find_device(name: str) -> torch.device:
    """The device of that name; "auto" takes the fastest one that is there.

    Raises:
        ValueError: if the device is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next((device for device, found in there.items() if found), "cpu")
    if not there.get(name, name == "cpu"):
        raise ValueError(f"there is no device {name!r} here: use --device cpu")
    return torch.device(name)


def _require_pesq() -> None:
    try:
        load_pesq()
    except MetricError as error:
        raise ValueError(
            f"the discriminator learns PESQ, train with --no-gan or mend this: {error}"
        ) from error
