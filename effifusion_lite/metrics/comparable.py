"""What two waveforms must be, so that one can be scored against the other.

Chapter: 05 Losses and metrics.
"""

from importlib import import_module
from types import ModuleType

import numpy as np


class MetricError(ValueError):
    """A score that cannot be computed; the message gives the reason."""


def load_package(name: str, otherwise: str) -> ModuleType:
    """A package that one score needs, and the others do not.

    Args:
        name: what to import.
        otherwise: what to say if it is not installed.

    Raises:
        MetricError: it is not installed, or is and cannot be loaded, as one that was compiled for
            another version of NumPy.
    """
    try:
        return import_module(name)
    except (ImportError, ValueError, OSError, AttributeError) as error:
        package = name.partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and error.name.partition(".")[0] == package:
            raise MetricError(otherwise) from error
        raise MetricError(
            f"the package {package} is installed and cannot be loaded ({error}): install it again, "
            f"`pip install --force-reinstall --no-cache-dir {package}`"
        ) from error


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
