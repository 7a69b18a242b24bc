"""Scores of a generator while it trains, on mixtures that the training does not see.

Chapter: 06 The GAN loop.
"""

from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from effifusion_lite.data import MixtureConfig, Mixtures
from effifusion_lite.enhancement import enhance_16k
from effifusion_lite.generator import EffiFusionGenerator
from effifusion_lite.metrics import METRICS, score


class Validation:
    """A fixed set of mixtures of held-out speech and noise.

    Args:
        speech: folder with clean speech of other speakers than those of the training.
        noise: folder with other recordings of noise.
        mixtures: number of mixtures.
        seconds: length of each.
        snr_db: lowest and highest signal-to-noise ratio in dB.

    Raises:
        DataError: if a folder holds no sound files.

    Chapter: 06.
    Source: choice of this project.
    """

    def __init__(
        self,
        speech: str | Path,
        noise: str | Path,
        mixtures: int = 48,
        seconds: float = 4.0,
        snr_db: tuple[float, float] = (0.0, 17.5),
    ):
        config = MixtureConfig(generated_noise=0.0, second_noise=0.0, tilt_db=0.0)
        config = replace(config, segment=round(seconds * 16000), snr_db=snr_db)
        self.noisy, self.clean = Mixtures(speech, noise, config, seed=1).batch(0, mixtures)

    @torch.no_grad()
    def __call__(self, model: EffiFusionGenerator, pool: Executor) -> dict[str, float]:
        """Mean scores of the model.

        Args:
            model: the generator.
            pool: processes that compute the scores.

        Returns:
            Mean of each score over the mixtures that have it.
        """
        device = next(model.parameters()).device
        jobs = []
        for noisy, clean in zip(self.noisy, self.clean, strict=True):
            enhanced = enhance_16k(model, noisy[None].to(device))[0].cpu()
            jobs.append(pool.submit(score, clean.numpy(), enhanced.numpy()))
        scores = [job.result() for job in jobs]
        means = {}
        for name in METRICS:
            values = [getattr(s, name) for s in scores if getattr(s, name) is not None]
            if values:
                means[name] = float(np.mean(values))
        return means
