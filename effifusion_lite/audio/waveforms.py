"""Sound files in and out, the sample rate, and the level.

Files are read and written by soundfile (libsndfile): WAV, FLAC, OGG, MP3 and what else it knows.
Waveforms are float32 `[C, N]` (channels, samples) with full scale at ±1.

Chapter: 00 Hear the problem.
"""

from pathlib import Path

import numpy as np
import soundfile

from effifusion_lite.audio.encoding import gain_against_clipping, write_blocks
from effifusion_lite.audio.streams import (
    AudioError,
    AudioFormat,
    fit_blocks,
    open_sound,
    read_blocks,
    resample_blocks,
    resampled_length,
)

SAMPLE_RATE = 16_000  # Hz, the rate that the model and the scores work at
FORMATS = {
    ".oga": "OGG", ".opus": "OGG", ".aif": "AIFF", ".aifc": "AIFF", ".snd": "AU",
}  # fmt: skip  # others are named by their extension


def load_audio(path: str | Path, sample_rate: int | None = None) -> tuple[np.ndarray, int]:
    """Read a sound file.

    Args:
        path: the file; format, sample rate, channels and sample type are taken as they are.
        sample_rate: resample to this rate (Hz); None keeps the file's own.

    Returns:
        The waveform, float32 with full scale at ±1, and its sample rate in Hz.

    Shape:
        waveform `[C, N]` samples; a mono file has C = 1.

    Raises:
        AudioError: the file is missing, is a directory, is empty, is no sound, or holds no samples.
    """
    with open_sound(path) as file:
        rate = file.samplerate
    waveform = np.concatenate(list(read_blocks(path)), axis=1)  # [C, N]
    if sample_rate is None or sample_rate == rate:
        return waveform, rate
    return resample(waveform, rate, sample_rate), sample_rate


def save_audio(
    path: str | Path,
    waveform: np.ndarray,
    sample_rate: int,
    subtype: str | None = None,
    format: str | None = None,
) -> None:
    """Write a sound file: all of it or nothing.

    The file is written beside its place and then moved there, so that no reader, error or Ctrl-C
    ever leaves half a file. Samples beyond full scale: float subtypes keep them; for all others the
    whole waveform is made softer, until its peak is 1, and a `ClippingWarning` says by how much.

    Args:
        path: the file; its extension chooses the format. An existing file is replaced.
        waveform: real numbers with full scale at ±1.
        sample_rate: Hz.
        subtype: soundfile's name of the sample type, such as `PCM_16`, `PCM_24`, `FLOAT`; None
            takes the format's usual one (16 bits for WAV and FLAC).
        format: soundfile's name of the format, where it is not to follow from the extension.

    Shape:
        waveform `[N]` or `[C, N]` samples.

    Raises:
        AudioError: the waveform is empty or holds NaN, the format is unknown or does not go with
            subtype, rate or channels, or the file cannot be written.
    """
    path = Path(path)
    format = format or FORMATS.get(path.suffix.lower(), path.suffix[1:].upper())
    if format not in soundfile.available_formats():
        raise AudioError(f"{path}: unknown format, name the file .wav, .flac, .ogg or .mp3")
    subtype = subtype or soundfile.default_subtype(format)
    samples = np.atleast_2d(np.asarray(waveform))  # [C, N]
    if samples.ndim != 2 or samples.size == 0 or not np.issubdtype(samples.dtype, np.floating):
        raise AudioError(
            f"{path} is not written: a waveform is floating point of shape [N] or [C, N], "
            f"this is {samples.dtype} of shape {list(np.shape(waveform))}"
        )
    if not np.isfinite(samples).all():
        raise AudioError(f"{path} is not written: the waveform holds NaN or infinite samples")
    samples = samples.astype(np.result_type(samples.dtype, np.float32), copy=False)
    samples = samples * gain_against_clipping(path, float(np.abs(samples).max()), subtype)
    write_blocks(path, [samples], AudioFormat(format, subtype, sample_rate, len(samples)))


def resample(waveform: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Change the sample rate with soxr's "HQ" filter, which delays nothing.

    The resampler moves scores, so the whole project uses this one for files.

    Args:
        waveform: floating point.
        from_rate: Hz.
        to_rate: Hz.

    Returns:
        The resampled waveform, of the same type.

    Shape:
        `[N]` or `[C, N]` samples -> `[M]` or `[C, M]` with M = round(N · to_rate / from_rate),
        at least 1.

    Raises:
        AudioError: a rate lies outside 1 kHz to 1 MHz, or the waveform is empty.

    Source: soxr (libsoxr) at quality HQ, a choice of this project.
    """
    waveform = np.asarray(waveform)
    length = waveform.shape[-1]
    wanted = resampled_length(length, from_rate, to_rate)
    if length == 0:
        raise AudioError("a waveform without samples cannot be resampled")
    resampled = resample_blocks([np.atleast_2d(waveform)], from_rate, to_rate)
    fitted = np.concatenate(list(fit_blocks(resampled, wanted)), axis=1)  # [C, M]
    return fitted.reshape(*waveform.shape[:-1], wanted)


def rms_db(waveform: np.ndarray) -> float:
    """Level of a waveform: root mean square over all samples and channels.

    Args:
        waveform: full scale at ±1.

    Returns:
        dB relative to full scale: 0 for a constant of 1, −3.01 for a full-scale sine, and minus
        infinity for silence.

    Shape:
        any, at least one sample.
    """
    return _decibel(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))


def peak_db(waveform: np.ndarray) -> float:
    """Level of the largest sample, in dB relative to full scale; minus infinity for silence.

    Shape:
        any, at least one sample.
    """
    return _decibel(np.abs(waveform).max())


def _decibel(amplitude: float) -> float:
    return 20 * float(np.log10(amplitude)) if amplitude > 0 else -np.inf
