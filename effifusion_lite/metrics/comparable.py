"""What two waveforms must be, so that one can be scored against the other.

Chapter: 05 Losses and metrics.
"""

import numpy as np


class MetricError(ValueError):
    """A score that cannot be computed; the message gives the reason."""


def comparable(clean: np.ndarray, enhanced: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both waveforms as float64, once they are known to be a pair.

    Args:
        clean: the reference.
        enhanced: what is judged.

    Returns:
        The two, float64.

    Shape:
        two of `[N]` samples.

    Raises:
        MetricError: not mono, of two lengths, empty, NaN.
    """
    clean, enhanced = one_waveform(clean, "clean"), one_waveform(enhanced, "enhanced")
    if len(clean) != len(enhanced):
        raise MetricError(
            f"clean and enhanced must have one length, they have {len(clean)} and {len(enhanced)} "
            "samples: take the pair from one source, or cut the longer one"
        )
    if len(clean) == 0:
        raise MetricError("there are no samples to score")
    return clean, enhanced


def one_waveform(waveform: np.ndarray, name: str) -> np.ndarray:
    """A waveform as float64, once it is known to be one.

    Args:
        waveform: samples.
        name: what the message calls it.

    Returns:
        The same, float64.

    Shape:
        `[N]` samples.

    Raises:
        MetricError: not mono, NaN.
    """
    waveform = np.asarray(waveform, np.float64)
    if waveform.ndim != 1:
        raise MetricError(f"{name} must be mono [N], it has shape {list(waveform.shape)}")
    if not np.isfinite(waveform).all():
        raise MetricError(f"{name} holds NaN or infinite samples")
    return waveform


def refuse_silence(waveform: np.ndarray, name: str) -> None:
    """Raise MetricError where all samples are zero.

    Args:
        waveform: samples.
        name: what the message calls it.
    """
    if not waveform.any():
        raise MetricError(f"the {name} recording is silent")
