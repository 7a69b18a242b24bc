"""The Wiener filter, decision-directed: what 30 lines without any learning can do.

Chapter: 05 Losses and metrics, 09 Results and ablations.
"""

import numpy as np
import torch

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.spectral import SpectralConfig, istft, stft

# Chosen on validation mixtures of this project's training data.
NOISE_ONLY = 0.1  # s at the start that are taken for noise alone
SMOOTHING = 0.97  # weight of the frame before in the signal-to-noise ratio
NOISE_MEMORY = 0.98  # weight of the noise known so far, in frames without speech
SPEECH_THRESHOLD = 0.15  # mean log likelihood ratio above which a frame counts as speech
LOWEST_RATIO = 10 ** (-25 / 10)  # of signal power to noise power
LOWEST_GAIN = 10 ** (-15 / 20)  # leaves some noise, which hides musical tones
TINY = 1e-12  # power


def wiener_filter(waveform: np.ndarray, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Enhance speech by a gain for each point of the spectrum that follows its noise.

    The gain is `ratio / (1 + ratio)` with the ratio of speech to noise power, which is estimated
    from the enhanced frame before and from the noisy frame now (decision-directed). The noise is
    taken from the first 0.1 s, and after that from each frame that holds no speech. A recording
    that starts with digital silence or with speech therefore stays as noisy as it is.

    Args:
        waveform: noisy speech, floating point.
        sample_rate: Hz.

    Returns:
        Enhanced speech of the same type.

    Shape:
        `[N]` samples -> `[N]` samples.

    Raises:
        ValueError: the waveform is not mono floating point, is empty, or holds NaN.

    Source: Scalart and Filho (1996); speech decision of Sohn, Kim and Sung (1999). The constants
        are a choice of this project.
    """
    waveform = np.asarray(waveform)
    if waveform.ndim != 1 or len(waveform) == 0 or waveform.dtype.kind != "f":
        raise ValueError(
            "the Wiener filter takes a floating point waveform of shape [N], not "
            f"{waveform.dtype} of shape {list(waveform.shape)}"
        )
    if not np.isfinite(waveform).all():
        raise ValueError("the waveform holds NaN or infinite samples: repair the recording first")
    hop = round(sample_rate / 160)  # 6.25 ms, frames of 25 ms
    config = SpectralConfig(4 * hop, hop, 4 * hop)
    spectrum = stft(torch.from_numpy(waveform.astype(np.float32))[None], config)  # [1, F, T]
    power = spectrum[0].abs().square().numpy().T.astype(np.float64)  # [T, F]
    gains = torch.from_numpy(_gains(power, round(NOISE_ONLY * sample_rate / hop)).T)  # [F, T]
    enhanced = istft(spectrum * gains.float(), len(waveform), config)[0]  # [N]
    return enhanced.numpy().astype(waveform.dtype)


def _gains(power: np.ndarray, noise_frames: int) -> np.ndarray:
    """Power of the noisy spectrum `[T, F]` to gains `[T, F]`."""
    noise = np.maximum(power[:noise_frames].mean(axis=0), TINY)  # [F]
    speech = np.zeros_like(noise)  # [F], power of the enhanced frame before
    gains = np.empty_like(power)
    for t, frame in enumerate(power):
        ratio = _speech_to_noise(frame, speech, noise)
        likelihood = frame / noise * ratio / (1 + ratio) - np.log1p(ratio)
        if likelihood.mean() < SPEECH_THRESHOLD:
            noise = np.maximum(NOISE_MEMORY * noise + (1 - NOISE_MEMORY) * frame, TINY)
            ratio = _speech_to_noise(frame, speech, noise)
        gains[t] = np.maximum(ratio / (1 + ratio), LOWEST_GAIN)
        speech = gains[t] ** 2 * frame
    return gains


def _speech_to_noise(frame: np.ndarray, speech: np.ndarray, noise: np.ndarray) -> np.ndarray:
    now = np.maximum(frame / noise - 1, 0)
    return np.maximum(SMOOTHING * speech / noise + (1 - SMOOTHING) * now, LOWEST_RATIO)
