"""Scores of a generator while it trains, on recordings that the training does not see.

Chapter: 06 The GAN loop.
"""

import warnings
from collections.abc import Iterable
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.data import MixtureConfig, Mixtures, read_pairs
from effifusion_lite.enhancement import enhance_16k
from effifusion_lite.generator import EffiFusionGenerator
from effifusion_lite.metrics import METRICS, score

# What a model leaves of clean speech, in which there is nothing to remove.
CLEAN_IN = ("clean_pesq", "clean_si_sdr")


class Validation:
    """Noisy and clean recordings that a generator is scored on, the same ones each time.

    Args:
        pairs: noisy and clean waveform of each; where the clean one is silent, nothing can be
            scored, and the pair is left out with a warning.

    Shape:
        pairs of ``[N]`` (samples, 16 kHz), of any lengths.
    """

    def __init__(self, pairs: Iterable[tuple[Tensor, Tensor]]):
        pairs = list(pairs)
        self.pairs = [pair for pair in pairs if pair[1].any()]
        if silent := len(pairs) - len(self.pairs):
            warnings.warn(
                f"the validation leaves out {silent} of {len(pairs)} recordings: silent speech "
                "cannot be scored",
                stacklevel=2,
            )

    @classmethod
    def of_mixtures(
        cls,
        speech: str | Path,
        noise: str | Path,
        mixtures: int = 48,
        seconds: float = 4.0,
        snr_db: tuple[float, float] = (0.0, 17.5),
    ) -> "Validation":
        """Mixtures of held-out speech and noise.

        Args:
            speech: folder with clean speech of other speakers than those of the training.
            noise: folder with other recordings of noise.
            mixtures: number of mixtures.
            seconds: length of each.
            snr_db: lowest and highest signal-to-noise ratio in dB.

        Raises:
            DataError: if a folder holds no sound files.
        """
        config = MixtureConfig(generated_noise=0.0, second_noise=0.0, tilt_db=0.0)
        config = replace(config, segment=round(seconds * SAMPLE_RATE), snr_db=snr_db)
        noisy, clean = Mixtures(speech, noise, config, seed=1).batch(0, mixtures)
        return cls(zip(noisy, clean, strict=True))

    @classmethod
    def of_pairs(cls, folder: str | Path, limit: int = 96) -> "Validation":
        """Whole recordings of held-out speakers.

        Args:
            folder: holds the folders ``clean`` and ``noisy``.
            limit: largest number of pairs, at even distances in the order of their names.

        Raises:
            DataError: as :func:`effifusion_lite.data.batches.read_pairs`.
        """
        pairs = read_pairs(folder, limit)
        return cls(torch.from_numpy(pair / np.float32(32768)).unbind() for pair in pairs)

    @torch.no_grad()
    def __call__(
        self, model: EffiFusionGenerator, pool: Executor
    ) -> tuple[dict[str, float], list[Tensor]]:
        """Mean scores of the model, and what they were computed from.

        Args:
            model: the generator.
            pool: processes that compute the scores.

        Returns:
            Mean of each score over the recordings that have it, those of :data:`CLEAN_IN` for the
            clean recordings through the model, and the enhanced recordings.

        Shape:
            each enhanced recording ``[N]`` (samples, 16 kHz).
        """
        device = next(model.parameters()).device
        jobs: dict[str, list[Future]] = {"": [], "clean_": []}
        outputs = []
        for noisy, clean in self.pairs:
            for prefix, waveform in (("", noisy), ("clean_", clean)):
                enhanced = enhance_16k(model, waveform[None].to(device))[0].cpu()
                jobs[prefix].append(pool.submit(score, clean.numpy(), enhanced.numpy()))
                if not prefix:
                    outputs.append(enhanced)
        means = {}
        for prefix, of_all in jobs.items():
            scores = [job.result() for job in of_all]
            for name in METRICS:
                values = [getattr(s, name) for s in scores if getattr(s, name) is not None]
                if values and (not prefix or prefix + name in CLEAN_IN):
                    means[prefix + name] = float(np.mean(values))
        return means, outputs
