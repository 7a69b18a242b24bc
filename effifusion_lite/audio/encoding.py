"""Sound files written from streams of blocks: whole or not at all, and never clipped unsaid.

Chapter: 10 Out of the notebook.
"""

import io
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from effifusion_lite.audio.files import written_beside
from effifusion_lite.audio.streams import AudioError, AudioFormat

FLOAT_SUBTYPES = {"FLOAT", "DOUBLE"}  # these hold samples beyond full scale


class ClippingWarning(UserWarning):
    """A waveform was made softer because the file would have clipped it."""


def gain_against_clipping(path: Path, peak: float, subtype: str) -> float:
    """What to multiply a waveform by before it is stored, so that nothing is clipped.

    Args:
        path: the file, for the warning.
        peak: largest magnitude of all samples.
        subtype: soundfile's name of the sample type.

    Returns:
        1 / peak where the subtype ends at full scale and the peak lies beyond, with a
        `ClippingWarning`; else 1.
    """
    if peak <= 1 or subtype in FLOAT_SUBTYPES:
        return 1.0
    lower = 20 * np.log10(peak)
    warnings.warn(
        f"{path.name} is made {lower:.1f} dB softer, since {subtype} would clip it",
        ClippingWarning,
        stacklevel=3,
    )
    return 1 / peak


def check_format(path: Path, stored: AudioFormat) -> None:
    """Refuse at once what `write_blocks` would refuse in the end.

    Args:
        path: the file, for the message.
        stored: how its samples shall be stored.

    Raises:
        AudioError: the format does not go with subtype, rate or channels.
    """
    _writer(path, io.BytesIO(), stored).close()


def write_blocks(path: Path, blocks: Iterable[np.ndarray], stored: AudioFormat) -> None:
    """Write a sound file: all of it or nothing (see `files.written_beside`).

    Args:
        path: the file. An existing one is replaced.
        blocks: floating point; what lies beyond full scale is clipped unless `stored` is a float
            subtype.
        stored: how to store them.

    Shape:
        each `[C, n]` samples.

    Raises:
        AudioError: the format does not go with subtype, rate or channels, or the file cannot be
            written.
    """
    try:
        # The encoder runs in a thread, since Ctrl-C reaches the main thread alone: in a callback of
        # soundfile it would be lost, and half a file taken for a whole one.
        with written_beside(path) as file, ThreadPoolExecutor(1) as thread:
            sink = _Sink(file)
            try:
                thread.submit(_encode, path, sink, blocks, stored).result()
            except KeyboardInterrupt as stop:
                sink.error = stop  # the encoder stops at its next write
                raise
    except OSError as error:
        raise AudioError(f"{path} cannot be written: {error.strerror}") from error


class _Sink:
    """A file that soundfile writes to, whose first error is kept for the caller to raise.

    soundfile swallows the exceptions of a file, and libsndfile does not bear a write that falls
    short. So it is told that all went well, until it is asked for nothing more.
    """

    def __init__(self, file: BinaryIO):
        self._file, self.tell = file, file.tell
        self.error: BaseException | None = None

    def write(self, content: bytes) -> int:
        self._try(self._file.write, content)
        return len(content)

    def seek(self, offset: int, whence: int) -> None:
        self._try(self._file.seek, offset, whence)  # writes out what waits in the buffer

    def _try(self, function: Callable, *arguments) -> None:
        if self.error is None:
            try:
                function(*arguments)
            except (OSError, ValueError) as error:  # ValueError: the file was closed
                self.error = error


def _encode(path: Path, sink: _Sink, blocks: Iterable[np.ndarray], stored: AudioFormat) -> None:
    try:
        with _writer(path, sink, stored) as sound:
            for block in blocks:
                for start in range(0, block.shape[1], stored.block):  # encoders take small bites
                    sound.write(np.ascontiguousarray(block[:, start : start + stored.block].T))
                    if sink.error is not None:
                        raise sink.error
    finally:
        if sink.error is not None:  # also what went wrong only at the end
            raise sink.error


def _writer(path: Path, file: BinaryIO | _Sink, stored: AudioFormat) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(
            file, "w", stored.sample_rate, stored.channels, stored.subtype, format=stored.format
        )
    except (soundfile.SoundFileError, ValueError) as error:
        raise AudioError(
            f"{path} is not written: {stored.format} does not take {stored.channels} channels of "
            f"{stored.subtype} at {stored.sample_rate} Hz, choose another format or subtype "
            f"({error})"
        ) from error
