"""Sound files in and out, the sample rate, and the level.

Files are read and written by soundfile (libsndfile): WAV, FLAC, OGG, MP3 and what else it knows.
Waveforms are float32 `[C, N]` (channels, samples) with full scale at ±1.

Chapter: 00 Hear the problem.
"""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from effifusion_lite.files import write_atomically

SAMPLE_RATE = 16_000  # Hz, the rate that the model and the scores work at
LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000  # Hz; what lies outside is a broken header
BLOCK = 1 << 20  # samples per channel that are read at once
FLOAT_SUBTYPES = {"FLOAT", "DOUBLE"}  # these hold samples beyond full scale
EXTENSIONS = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf"}
FORMATS = {".oga": "OGG", ".opus": "OGG", ".aif": "AIFF"}  # others are named by their extension


class AudioError(ValueError):
    """A sound file that cannot be read or written; the message says what to do."""


class ClippingWarning(UserWarning):
    """A waveform was made softer because the file would have clipped it."""


@dataclass(frozen=True)
class AudioFormat:
    """How a file stores its samples, in soundfile's words: `WAV`, `PCM_16`; and its rate in Hz."""

    format: str
    subtype: str
    sample_rate: int


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

    Chapter: 00.
    Source: choice of this project.
    """
    path = Path(path)
    blocks = []
    with _open(path) as file:
        rate = file.samplerate
        try:  # in blocks: a header may promise more than there is
            while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
                blocks.append(block)  # [N, C]
        except (soundfile.SoundFileError, MemoryError) as error:
            raise AudioError(f"{path} is damaged and cannot be read to its end: {error}") from error
    if not blocks:
        raise AudioError(f"{path} holds no samples: the recording is empty")
    waveform = np.ascontiguousarray(np.concatenate(blocks).T)  # [C, N]
    if sample_rate is None or sample_rate == rate:
        return waveform, rate
    return resample(waveform, rate, sample_rate), sample_rate


def read_format(path: str | Path) -> AudioFormat:
    """Read how a file stores its samples, for `save_audio` to store others the same way.

    Args:
        path: the file.

    Returns:
        Format, subtype and sample rate (Hz).

    Raises:
        AudioError: as `load_audio`, as far as the header shows it.

    Chapter: 10.
    Source: choice of this project.
    """
    with _open(Path(path)) as file:
        return AudioFormat(file.format, file.subtype, file.samplerate)


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

    Chapter: 00.
    Source: choice of this project.
    """
    path = Path(path)
    format = format or FORMATS.get(path.suffix.lower(), path.suffix[1:].upper())
    if format not in soundfile.available_formats():
        raise AudioError(f"{path}: unknown format, name the file .wav, .flac, .ogg or .mp3")
    subtype = subtype or soundfile.default_subtype(format)
    samples = np.atleast_2d(np.asarray(waveform)).T  # [N, C]
    if samples.ndim != 2 or samples.size == 0 or not np.issubdtype(samples.dtype, np.floating):
        raise AudioError(
            f"{path} is not written: a waveform is floating point of shape [N] or [C, N], "
            f"this is {samples.dtype} of shape {list(np.shape(waveform))}"
        )
    if not np.isfinite(samples).all():
        raise AudioError(f"{path} is not written: the waveform holds NaN or infinite samples")
    samples = samples.astype(np.result_type(samples.dtype, np.float32), copy=False)
    peak = float(np.abs(samples).max())
    if peak > 1 and subtype not in FLOAT_SUBTYPES:
        lower = 20 * np.log10(peak)
        warnings.warn(
            f"{path.name} is made {lower:.1f} dB softer, since {subtype} would clip it",
            ClippingWarning,
            stacklevel=2,
        )
        samples = samples / peak
    encoded = io.BytesIO()  # encoded in memory: what fails later can only be the disk
    try:
        soundfile.write(encoded, samples, sample_rate, subtype=subtype, format=format)
    except (soundfile.SoundFileError, ValueError) as error:
        channels = samples.shape[1]
        raise AudioError(
            f"{path} is not written: {format} does not take {channels} channels of {subtype} at "
            f"{sample_rate} Hz, choose another format or subtype ({error})"
        ) from error
    try:
        write_atomically(path, encoded.getbuffer())
    except OSError as error:
        raise AudioError(f"{path} cannot be written: {error.strerror}") from error


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

    Chapter: 00.
    Source: soxr (libsoxr) at quality HQ, a choice of this project.
    """
    for rate in (from_rate, to_rate):
        if not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise AudioError(
                f"a sample rate of {rate} Hz cannot be right: it must lie between "
                f"{LOWEST_RATE} and {HIGHEST_RATE} Hz"
            )
    waveform = np.asarray(waveform)
    length = waveform.shape[-1]
    if length == 0:
        raise AudioError("a waveform without samples cannot be resampled")
    if from_rate == to_rate:
        return waveform
    wanted = max(1, round(length * to_rate / from_rate))
    resampled = soxr.resample(waveform.T, from_rate, to_rate, quality="HQ").T  # [C, about M]
    return fit_length(np.ascontiguousarray(resampled), wanted)


def fit_length(waveform: np.ndarray, length: int) -> np.ndarray:
    """Cut the end of a waveform, or put zeros there, until it has `length` samples.

    Shape:
        `[..., N]` -> `[..., length]` samples.

    Chapter: 00.
    Source: choice of this project.
    """
    missing = max(0, length - waveform.shape[-1])
    padding = [(0, 0)] * (waveform.ndim - 1) + [(0, missing)]
    return np.pad(waveform[..., :length], padding)


def rms_db(waveform: np.ndarray) -> float:
    """Level of a waveform: root mean square over all samples and channels.

    Args:
        waveform: full scale at ±1.

    Returns:
        dB relative to full scale: 0 for a constant of 1, −3.01 for a full-scale sine, and minus
        infinity for silence.

    Shape:
        any, at least one sample.

    Chapter: 00.
    Source: choice of this project.
    """
    return _decibel(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))


def peak_db(waveform: np.ndarray) -> float:
    """Level of the largest sample, in dB relative to full scale; minus infinity for silence.

    Shape:
        any, at least one sample.

    Chapter: 00.
    Source: choice of this project.
    """
    return _decibel(np.abs(waveform).max())


def _decibel(amplitude: float) -> float:
    return 20 * float(np.log10(amplitude)) if amplitude > 0 else -np.inf


def _open(path: Path) -> soundfile.SoundFile:
    try:
        path.open("rb").close()
        if path.stat().st_size == 0:
            raise AudioError(f"{path} is empty (0 bytes): record or copy it again")
        return soundfile.SoundFile(path)
    except FileNotFoundError as error:
        raise AudioError(f"{path} does not exist: check the name and the folder") from error
    except IsADirectoryError as error:
        raise AudioError(f"{path} is a directory: name a sound file") from error
    except OSError as error:
        raise AudioError(f"{path} cannot be opened: {error.strerror}") from error
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: raw files have no header
        raise AudioError(
            f"{path} is not a sound file that can be read (WAV, FLAC, OGG, MP3 and others can): "
            f"{getattr(error, 'error_string', error)}"
        ) from error
