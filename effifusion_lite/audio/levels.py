"""Levels of speech and noise, and mixing the two at a wanted signal-to-noise ratio.

A plain RMS level counts the pauses: the same voice seems quieter where the speaker breathes longer.
ITU-T P.56 (method B) therefore measures the level of speech only while somebody speaks. The
envelope of the waveform is compared with many thresholds at once; each threshold would call some
part of the recording active and so give its own level. The right threshold is the one that lies
15.9 dB below the level it leads to.
"""

import numpy as np
from scipy.ndimage import maximum_filter1d
from scipy.signal import lfilter

from effifusion_lite.audio.waveforms import rms_db

TIME_CONSTANT = 0.03  # s, of the envelope follower
HANGOVER = 0.2  # s, for which a sound stays active after it ended
MARGIN = 15.9  # dB, between the active level and its threshold
THRESHOLDS = np.arange(-100.0, 1.0)  # dB relative to full scale


def active_speech_level(waveform: np.ndarray, sample_rate: int = 16000) -> float:
    """Measure the level of speech, leaving its pauses out (ITU-T P.56, method B).

    Args:
        waveform: speech, full scale = 1.
        sample_rate: samples per second, Hz.

    Returns:
        Active speech level, dB relative to a constant signal of 1.

    Shape:
        `waveform` [N] samples.

    Raises:
        ValueError: the waveform has more than one channel, is not finite, or holds no sound.

    Source: ITU-T P.56 (12/2011), method B; thresholds 1 dB apart instead of 6 dB are a choice of
        this project.
    """
    waveform = _check(waveform, "speech")
    pole = np.exp(-1 / (sample_rate * TIME_CONSTANT))
    envelope = np.abs(waveform)
    for _ in range(2):
        envelope = lfilter([1 - pole], [1, -pole], envelope)
    window = round(sample_rate * HANGOVER) + 1
    held = maximum_filter1d(envelope, window, mode="constant", origin=(window - 1) // 2)  # [N]

    samples_below = np.searchsorted(np.sort(held), 10 ** (THRESHOLDS / 20))
    active = len(waveform) - samples_below  # samples that each threshold calls active
    thresholds, active = THRESHOLDS[active > 0], active[active > 0]
    if len(active) == 0:
        raise ValueError("the level of speech cannot be measured: the waveform holds no sound")
    levels = 10 * np.log10(np.sum(waveform**2) / active)

    distance = levels - thresholds - MARGIN  # falls from one threshold to the next
    above = np.flatnonzero(distance <= 0)
    if len(above) == 0 or above[0] == 0:  # a click, or a sound at the edge of the scale
        return float(levels[-1] if len(above) == 0 else levels[0])
    after = above[0]
    share = distance[after - 1] / (distance[after - 1] - distance[after])
    return float(levels[after - 1] + share * (levels[after] - levels[after - 1]))


def measure_snr(clean: np.ndarray, noise: np.ndarray, sample_rate: int = 16000) -> float:
    """Measure the signal-to-noise ratio of speech and the noise that is added to it.

    Args:
        clean: speech alone.
        noise: noise alone; of a noisy recording, noisy minus clean.
        sample_rate: samples per second, Hz.

    Returns:
        Active speech level minus RMS level of the noise, dB.

    Shape:
        `clean` [N] samples, `noise` [M] samples.

    Raises:
        ValueError: one of the two has more than one channel, is not finite, or holds no sound.

    Source: the labels of VoiceBank+DEMAND (Valentini-Botinhao 2017) use the active speech level.
    """
    return active_speech_level(clean, sample_rate) - rms_db(_check(noise, "noise"))


def mix_at_snr(
    clean: np.ndarray, noise: np.ndarray, snr_db: float, sample_rate: int = 16000
) -> np.ndarray:
    """Add noise to speech at a wanted signal-to-noise ratio; the speech keeps its level.

    The sum may exceed full scale: scale speech and mixture together before you save them.

    Args:
        clean: speech.
        noise: noise of the same length.
        snr_db: wanted signal-to-noise ratio, dB, in the sense of `measure_snr`.
        sample_rate: samples per second, Hz.

    Returns:
        The mixture, of the type of `clean`.

    Shape:
        `clean` and `noise` [N] samples -> [N] samples.

    Raises:
        ValueError: the lengths differ, or one of the two cannot be measured.
    """
    if np.shape(clean) != np.shape(noise):
        raise ValueError(
            f"speech and noise must have one length, but have {np.shape(clean)} and "
            f"{np.shape(noise)} samples: cut or repeat the noise first"
        )
    gain_db = measure_snr(clean, noise, sample_rate) - snr_db
    mixture = np.asarray(clean) + 10 ** (gain_db / 20) * np.asarray(noise)
    return mixture.astype(np.asarray(clean).dtype, copy=False)


def _check(waveform: np.ndarray, name: str) -> np.ndarray:
    waveform = np.asarray(waveform, dtype=np.float64)
    if waveform.ndim != 1:
        raise ValueError(f"{name} must have one channel [N], this has shape {waveform.shape}")
    if not np.isfinite(waveform).all():
        raise ValueError(f"{name} holds NaN or infinite samples: repair the recording first")
    if not waveform.any():
        raise ValueError(f"the level of {name} cannot be measured: the waveform holds no sound")
    return waveform
