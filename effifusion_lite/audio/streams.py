"""Sound files as streams of blocks: read and resampled in memory that does not grow.

A block is float32 `[C, n]` (channels, samples), full scale at ±1, n as it comes. `encoding` writes
them; what works on whole waveforms stands in `audio`.

Chapter: 10 Out of the notebook.
"""

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from effifusion_lite.audio.contents import describe_content, holds_several

LONGEST_HEADER = 4096  # bytes, of a file without samples
BLOCK = 1 << 18  # samples, over all channels, that are read or written at once
LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000  # Hz; what lies outside is a broken header
READ_ONLY = {("WAV", "MPEG_LAYER_III"), ("WAVEX", "MPEG_LAYER_III")}
UNKNOWN = (1 << 63) - 1  # libsndfile's number of samples where FLAC from a pipe does not tell it


class AudioError(ValueError):
    """A sound file that cannot be read or written; the message says what to do."""


@dataclass(frozen=True)
class AudioFormat:
    """How a file stores its samples, in soundfile's words: `WAV`, `PCM_16`; rate in Hz."""

    format: str
    subtype: str
    sample_rate: int
    channels: int

    @property
    def block(self) -> int:
        """Samples of each channel that are read or written at once."""
        return max(1, BLOCK // self.channels)


class _Forwards(soundfile.SoundFile):
    """A sound file that is read from its begin on: after each block soundfile would seek to where
    it is, which FLAC of unknown length refuses at its end."""

    def seekable(self) -> bool:
        return False


def open_sound(path: str | Path) -> soundfile.SoundFile:
    """Open a sound file for reading, from its begin on.

    Args:
        path: the file.

    Returns:
        The open file; close it, or use it in `with`.

    Raises:
        AudioError: the file is missing, is a directory or a pipe, is empty, is no sound, or holds
            several recordings one after the other.
    """
    path = Path(path)
    try:
        if stat.S_ISFIFO(path.stat().st_mode) or stat.S_ISCHR(path.stat().st_mode):
            raise AudioError(f"{path} is a pipe or a device: store the sound in a file first")
        path.open("rb").close()
        if path.stat().st_size == 0:
            raise AudioError(f"{path} is empty (0 bytes): record or copy it again")
        sound = _Forwards(path)
    except FileNotFoundError as error:
        raise AudioError(f"{path} does not exist: check the name and the folder") from error
    except IsADirectoryError as error:
        raise AudioError(f"{path} is a directory: name a sound file") from error
    except OSError as error:
        raise AudioError(f"{path} cannot be opened: {error.strerror}") from error
    except (soundfile.SoundFileError, TypeError) as error:  # TypeError: raw files have no header
        raise AudioError(
            describe_content(path)
            or f"{path} is not a sound file that can be read (WAV, FLAC, OGG, MP3 and others can): "
            f"{getattr(error, 'error_string', error)}"
        ) from error
    try:
        check_rate(sound.samplerate)
    except AudioError as error:
        sound.close()
        raise AudioError(f"{path} is damaged: {error}") from error
    if sound.format == "OGG" and holds_several(path):
        sound.close()
        raise AudioError(
            f"{path} holds several recordings one after the other, of which only the first can be "
            "read: make them one, for example with `ffmpeg -i in.ogg out.flac`"
        )
    return sound


def read_format(path: str | Path) -> AudioFormat:
    """Read how a file stores its samples, for others to be stored the same way.

    Args:
        path: the file.

    Returns:
        Format, subtype, sample rate (Hz) and number of channels; of a subtype that can be read and
        not be written (MPEG in WAV), the usual one of the format in its place.

    Raises:
        AudioError: as `open_sound`.
    """
    with open_sound(path) as file:
        subtype = file.subtype
        if (file.format, subtype) in READ_ONLY:
            subtype = soundfile.default_subtype(file.format)
        return AudioFormat(file.format, subtype, file.samplerate, file.channels)


def read_blocks(path: str | Path) -> Iterator[np.ndarray]:
    """Read a sound file block by block.

    Args:
        path: the file; a header that promises more samples than there are does no harm.

    Returns:
        The blocks, at least one.

    Shape:
        each `[C, n]` samples.

    Raises:
        AudioError: as `open_sound`; the file holds no samples, or is damaged.
    """
    with open_sound(path) as file:
        size, count = max(1, BLOCK // file.channels), 0
        try:
            while len(block := file.read(size, dtype="float32", always_2d=True)):
                count += 1
                yield np.ascontiguousarray(block.T)  # [C, n]
        except (soundfile.SoundFileError, MemoryError) as error:
            raise AudioError(f"{path} is damaged and cannot be read to its end: {error}") from error
        if not count:
            rest = Path(path).stat().st_size - LONGEST_HEADER
            if rest > 0:
                raise AudioError(
                    f"{path} holds no samples, its header says, but at least {rest} bytes follow: "
                    "its recording was cut off; repair the header, for example with "
                    "`ffmpeg -ignore_length 1 -i broken.wav whole.wav`"
                )
            raise AudioError(f"{path} holds no samples: the recording is empty")


def check_rate(rate: int) -> None:
    """Refuse a sample rate (Hz) that only a mistake or a broken header can give.

    Raises:
        AudioError: it lies outside 1 kHz to 1 MHz.
    """
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioError(
            f"a sample rate of {rate} Hz cannot be right: it must lie between {LOWEST_RATE} and "
            f"{HIGHEST_RATE} Hz"
        )


def resampled_length(length: int, from_rate: int, to_rate: int) -> int:
    """Samples that `length` samples become: round(length · to_rate / from_rate), at least 1.

    Raises:
        AudioError: a rate lies outside 1 kHz to 1 MHz.
    """
    check_rate(from_rate)
    check_rate(to_rate)
    return max(1, round(length * to_rate / from_rate))


def resample_blocks(
    blocks: Iterable[np.ndarray], from_rate: int, to_rate: int
) -> Iterator[np.ndarray]:
    """Change the sample rate of a stream with soxr's "HQ" filter, which delays nothing.

    Where the stream is cut into blocks makes no difference. The length is right within a sample:
    see `fit_blocks`.

    Args:
        blocks: floating point.
        from_rate: Hz.
        to_rate: Hz.

    Returns:
        The resampled blocks, of the same type.

    Shape:
        each `[C, n]` samples -> `[C, m]`.

    Source: soxr (libsoxr) at quality HQ, a choice of this project.
    """
    if from_rate == to_rate:
        yield from blocks
        return
    stream = None
    for block in blocks:
        if stream is None:
            stream = soxr.ResampleStream(from_rate, to_rate, len(block), block.dtype, "HQ")
        yield stream.resample_chunk(np.ascontiguousarray(block.T)).T  # [C, m]
    if stream is not None:
        nothing = np.zeros((0, len(block)), block.dtype)
        yield stream.resample_chunk(nothing, last=True).T  # [C, m]


def fit_blocks(blocks: Iterable[np.ndarray], length: int) -> Iterator[np.ndarray]:
    """Cut the end of a stream, or put zeros there, until it has `length` samples.

    Shape:
        each `[C, n]` samples, `length` in all.
    """
    missing = length
    for block in blocks:
        kept = block[:, :missing]
        missing -= kept.shape[1]
        yield kept
    if missing:
        yield np.zeros((len(block), missing), block.dtype)
