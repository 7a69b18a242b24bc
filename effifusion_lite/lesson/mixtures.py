"""Short mixtures of the built-in training voices, for networks that are trained while one waits."""

import numpy as np
import torch
from torch import Tensor

from effifusion_lite.audio import mix_at_snr
from effifusion_lite.listening import clips

RATE = 16000  # Hz
KINDS = ("rain", "fan", "keyboard", "car", "dishes")
QUIETEST = 0.01  # RMS below which a piece holds no speech


def short_mixtures(
    split: str, count: int, seed: int, seconds: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Mix pieces of speech and made noise at 0 to 10 dB.

    Args:
        split: "train" or "valid": whose voices speak.
        count: number of mixtures.
        seed: other pieces and noises for another number.
        seconds: length of each.

    Returns:
        Noisy and clean waveforms at 16 kHz, both divided by the RMS of the noisy one.

    Shape:
        two of [count, N] samples.

    Raises:
        ValueError: there is no such part.
    """
    length = round(seconds * RATE)
    generator = np.random.default_rng(seed)
    speech = np.concatenate([*clips.speech(split).values()])
    noise = np.concatenate([clips.noise(kind, 6, seed, split) for kind in KINDS])
    pairs = []
    while len(pairs) < count:
        starts = [generator.integers(len(sound) - length) for sound in (speech, noise)]
        clean, disturbance = (
            sound[start : start + length]
            for sound, start in zip((speech, noise), starts, strict=True)
        )
        if clean.std() > QUIETEST:
            pairs.append((mix_at_snr(clean, disturbance, generator.uniform(0, 10)), clean))
    both = torch.from_numpy(np.array(pairs, dtype=np.float32))  # [count, 2, N]
    both = both / both[:, :1].square().mean(-1, keepdim=True).sqrt()
    return both[:, 0].contiguous(), both[:, 1].contiguous()
