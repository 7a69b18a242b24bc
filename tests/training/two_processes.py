"""What tests/training/test_distributed.py lets torchrun start twice.

Arguments: folder of noise, folder to write into.
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch

from effifusion_lite.data import MixtureConfig, Mixtures
from effifusion_lite.generator import GeneratorConfig
from effifusion_lite.listening import clips
from effifusion_lite.training import Trainer, TrainingConfig, pace, train
from effifusion_lite.training.distributed import Group, processes

CONFIG = TrainingConfig(
    generator=GeneratorConfig(channels=8, blocks=1, head_channels=4, conv_kernel=5),
    mixture=MixtureConfig(segment=16000),
    steps=4,
    batch_size=4,
    warmup=2,
    gan_start=0.0,
    prune=0.5,
    prune_start=0.0,
    label_workers=1,
)


STEPS, STOP = 8, 5  # of the whole training, and in which it is stopped


def gradients(model):
    return {name: p.grad.clone() for name, p in model.named_parameters()}


def two_steps(group: Group, noise: Path) -> dict:
    """Gradients of both networks at the first step with each, and what the processes share."""
    data = Mixtures(clips.speech_folder("valid"), noise, CONFIG.mixture)
    trainer = Trainer(CONFIG, torch.device("cpu"), group)
    size = group.share(CONFIG.batch_size)
    with trainer.pool:
        trainer.train_step(0, *data.batch(0, size, group.rank * size))
        found = {"generator": gradients(trainer.generator)}
        trainer.state()  # is called by all
        report = group.mean(trainer.train_step(1, *data.batch(1, size, group.rank * size)))
        found["discriminator"] = gradients(trainer.discriminator)
        found["pending"] = trainer.state()["pending"][1]
    same = trainer.average.state_dict(), trainer.pruner.masks, trainer.discriminator.state_dict()
    return found | {"same": same, "label": report["label"]}


class Stopping(Mixtures):
    """Data that brings a SIGTERM for this process and its workers."""

    def batch(self, step, size, first=0):
        if step == STOP:
            os.killpg(os.getpgrp(), signal.SIGTERM)
        return super().batch(step, size, first)


def stop_and_go_on(group: Group, noise: Path, out: Path) -> None:
    """A whole training, and one in which the second process is told to stop."""
    config = replace(CONFIG, steps=STEPS, prune_start=0.3, checkpoint_every=100, log_every=1)
    folders = clips.speech_folder("valid"), noise, config.mixture
    data = Mixtures(*folders)
    train(config, data, out / "whole", device="cpu")
    train(config, data if group.first else Stopping(*folders), out / "broken", device="cpu")
    if group.first:
        stopped = torch.load(out / "broken" / "checkpoint.pt", weights_only=True)["step"]
        (out / "stopped").write_text(str(stopped))
    train(config, data, out / "broken", resume=True, device="cpu")


def fit(group: Group, noise: Path, out: Path) -> None:
    """A training whose processes measure different times, and have to agree on its length."""
    measure = pace.measure

    def slower(*trial):  # so that a few quick steps seem to fill the time, on any machine
        return replace(measure(*trial), start=0.0, early=20.0 + 20 * group.rank, late=30.0)

    pace.measure, pace.SHARE, pace.SHORTEST = slower, 0.0, 1
    config = replace(CONFIG, gan_start=0.5, mixture=MixtureConfig(segment=4000))
    data = Mixtures(clips.speech_folder("valid"), noise, config.mixture)
    train(config, data, out / "fitted", minutes=5, device="cpu", fit=True)


if __name__ == "__main__":
    noise, out = map(Path, sys.argv[1:])
    with processes(torch.device("cpu")) as group:
        torch.save(two_steps(group, noise), out / f"{group.rank}.pt")
        stop_and_go_on(group, noise, out)
        fit(group, noise, out)
