"""Pairs of clean and spoilt speech, made of the built-in voices and noises."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from effifusion_lite.audio import mix_at_snr
from effifusion_lite.evaluation import wiener_filter
from effifusion_lite.listening import clips

RATE = 16000  # Hz


def spoilt_pairs(
    split: str,
    kinds: Sequence[str],
    count: int,
    seed: int,
    seconds: float = 1.0,
    snr_db: tuple[float, float] = (-5.0, 30.0),
    filtered: bool = True,
) -> tuple[Tensor, Tensor]:
    """Cut pieces of speech at random and mix each with a noise, the kinds in turn.

    Args:
        split: "train" or "valid": whose voices speak.
        kinds: kinds of noise.
        count: number of pairs.
        seed: other pieces, noises and ratios for another number.
        seconds: length of each.
        snr_db: lowest and highest signal-to-noise ratio, dB.
        filtered: send every second round of the kinds through the Wiener filter.

    Returns:
        Clean and spoilt waveforms at 16 kHz.

    Shape:
        two of [count, N] samples.

    Raises:
        ValueError: there is no such part, or no such noise.
    """
    rng, voices = np.random.default_rng(seed), [*clips.speech(split).values()]
    length = round(seconds * RATE)
    pairs = []
    for i in range(count):
        voice = voices[rng.integers(len(voices))]
        start = rng.integers(len(voice) - length)
        clean = voice[start : start + length]
        kind, own_seed = kinds[i % len(kinds)], int(rng.integers(10**6))
        spoilt = mix_at_snr(
            clean, clips.noise(kind, seconds, own_seed, split), rng.uniform(*snr_db)
        )
        if filtered and i // len(kinds) % 2:
            spoilt = wiener_filter(spoilt)
        pairs.append(np.stack([clean, spoilt]).astype(np.float32))
    clean, spoilt = torch.from_numpy(np.stack(pairs)).unbind(1)
    return clean, spoilt
