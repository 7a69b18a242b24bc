"""Frames of the listening lab: one noisy recording through many generators, for a `slider`.

Along a training, and at rising shares of what is taken out of a trained generator.
"""

import copy
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.cost import describe
from effifusion_lite.enhancement import enhance
from effifusion_lite.generator import EffiFusionGenerator, preset
from effifusion_lite.listening.player import TITLES, score_text
from effifusion_lite.metrics import score
from effifusion_lite.pruning import (
    DynamicPruner,
    PruningSchedule,
    choose_units,
    remove_units,
    sparsity,
)
from effifusion_lite.weights import training_steps

RATES = tuple(range(0, 100, 10))  # % that is taken out
REMOVED, MASKED = "units removed", "weights masked"  # the two ways of doing it
SHOWN = ("pesq", "si_sdr")  # scores below a frame


@dataclass(frozen=True)
class Frames:
    """What a `slider` moves through: for each place its sound, and the line below the picture.

    Chapter: none, the listening lab.
    """

    sounds: Mapping[Hashable, np.ndarray]
    texts: Mapping[Hashable, str]


def training_frames(clean: np.ndarray, noisy: np.ndarray) -> Frames:
    """Enhance a recording with `tiny` as it was at some steps of its first training.

    Args:
        clean: the speech in the recording, 16 kHz.
        noisy: the recording, 16 kHz.

    Returns:
        Frames at "noisy", at the steps from 0 (untrained) on, and at "clean", with their scores.

    Shape:
        Both [N] samples; so is each sound.

    Raises:
        WeightsError: a file of weights is damaged.

    Chapter: none, the listening lab.
    """
    steps = {0: untrained(), **training_steps()}
    enhanced = {step: enhance(noisy, SAMPLE_RATE, model) for step, model in steps.items()}
    sounds = {"noisy": noisy, **enhanced, "clean": clean}
    texts = {place: _scores_text(clean, sounds[place]) for place in ("noisy", *steps)}
    return Frames(sounds, texts)


def untrained() -> EffiFusionGenerator:
    """Make the generator with which the training of `tiny` began.

    Returns:
        The generator in eval mode, with the weights that the seed 0 draws.

    Chapter: none, the listening lab.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return EffiFusionGenerator(preset("tiny")).eval()


def pruning_frames(
    clean: np.ndarray,
    noisy: np.ndarray,
    model: EffiFusionGenerator,
    rates: Sequence[int] = RATES,
) -> Frames:
    """Enhance a recording with a generator of which more and more is taken out.

    The least important units are removed, as `effifusion prune` does it, or the smallest weights
    are set to zero. Nothing is trained afterwards.

    Args:
        clean: the speech in the recording, 16 kHz.
        noisy: the recording, 16 kHz.
        model: the generator; it stays as it is.
        rates: shares to take out, in percent, 0 to below 100.

    Returns:
        Frames at the pairs of a rate and REMOVED or MASKED: with parameters, those of them that are
        zero, multiply-accumulates (MACs) as a share of those of `model`, and scores.

    Shape:
        Both waveforms [N] samples; so is each sound.

    Raises:
        ValueError: a rate is out of range.

    Chapter: none, the listening lab.
    """
    whole = describe(model)["macs_per_second"]
    sounds, texts = {}, {}
    for rate in rates:
        for way, change in ((REMOVED, _remove), (MASKED, _mask)):
            changed = change(model, rate / 100) if rate else model
            sound = enhance(noisy, SAMPLE_RATE, changed)
            cost = describe(changed)
            zero = sparsity(changed)["zero_of_all"]
            sounds[rate, way] = sound
            texts[rate, way] = (
                f"{cost['parameters']:,} parameters, {100 * zero:.0f} % of them zero; "
                f"{100 * cost['macs_per_second'] / whole:.0f} % of the MACs; "
                f"{_scores_text(clean, sound)}"
            )
    return Frames(sounds, texts)


def _remove(model: EffiFusionGenerator, rate: float) -> EffiFusionGenerator:
    return remove_units(model, choose_units(model, rate))


def _mask(model: EffiFusionGenerator, rate: float) -> EffiFusionGenerator:
    masked = copy.deepcopy(model)
    DynamicPruner(masked, PruningSchedule(rate, start=0, end=1)).update(1)  # all of it at once
    return masked


def _scores_text(clean: np.ndarray, sound: np.ndarray) -> str:
    scores = score(clean, sound)
    return ", ".join(f"{TITLES[metric]} {score_text(scores, metric)}" for metric in SHOWN)
