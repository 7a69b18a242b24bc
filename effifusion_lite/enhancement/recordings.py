"""Enhancement of a sound file of any length: read, enhanced and written as a stream.

Chapter: 10 Out of the notebook.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import numpy as np

from effifusion_lite.audio import AudioError
from effifusion_lite.audio.encoding import check_format, gain_against_clipping, write_blocks
from effifusion_lite.audio.streams import AudioFormat, read_blocks, read_format
from effifusion_lite.enhancement.strength import check_strength, mix_back
from effifusion_lite.enhancement.windows import enhance_channel, measure
from effifusion_lite.generator import EffiFusionGenerator


def enhance_file(
    source: str | Path,
    target: str | Path,
    model: EffiFusionGenerator,
    progress: bool = False,
    strength: float = 1,
) -> None:
    """Enhance a sound file into another of the same format, rate, channels and length.

    The file is first read for its length, its level, its silence, and samples that are no numbers,
    so that hours of work do not end in an error; then twice for each channel, to be enhanced and to
    be mixed back. The result goes as float32 into a nameless file beside the target, since only at
    its end is known whether it must be made softer; from there it is encoded. So the disk needs
    room for both: it is reserved first.

    Args:
        source: the noisy recording.
        target: where the enhanced one goes; its folder is made, an existing file replaced.
        model: as `enhancement.enhance_16k`.
        progress: show a progress bar for a long recording.
        strength: share of the enhanced sound, as in `enhancement.enhance`.

    Raises:
        AudioError: source cannot be read or target not be written, or they are the same file.
        ValueError: the recording holds NaN or infinite samples, or the model gives them; the
            strength does not lie between 0 and 1.
    """
    check_strength(strength)
    source, target = Path(source), Path(target)
    if target.exists() and source.exists() and target.samefile(source):
        raise AudioError(f"{source} would be overwritten: choose another folder than its own")
    stored = read_format(source)
    check_format(target, stored)
    rate = stored.sample_rate
    try:
        length, *known = measure(read_blocks(source), rate)
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=target.parent) as raw:
            size = 4 * length * stored.channels  # bytes of float32
            _reserve(raw, size + source.stat().st_size)
            peak = 0.0
            for channel, of_channel in enumerate(zip(*known, strict=True)):
                noisy = _read_channel(source, channel)
                clean = enhance_channel(model, noisy, rate, length, *of_channel, progress)
                mixed = mix_back(clean, _read_channel(source, channel), strength)
                peak = max(peak, _keep(raw, mixed))
            raw.truncate(size)  # what was reserved for the encoded file is free again
            gain = gain_against_clipping(target, peak, stored.subtype)
            write_blocks(target, _kept(raw, stored, length, gain), stored)
    except AudioError:
        raise  # it names its file
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    except OSError as error:
        raise AudioError(f"{target} cannot be written: {error.strerror}") from error


def _read_channel(source: Path, channel: int) -> Iterator[np.ndarray]:
    for block in read_blocks(source):
        yield block[channel : channel + 1]


def _reserve(file: BinaryIO, size: int) -> None:
    if hasattr(os, "posix_fallocate"):  # elsewhere a full disk shows when it is full
        os.posix_fallocate(file.fileno(), 0, size)


def _keep(file: BinaryIO, blocks: Iterator[np.ndarray]) -> float:
    """Write the float32 of a channel, `[1, n]`, after what is there; return the peak."""
    peak = 0.0
    for block in blocks:
        file.write(np.ascontiguousarray(block, dtype=np.float32).data)
        peak = max(peak, float(np.abs(block).max(initial=0)))
    file.flush()
    return peak


def _kept(file: BinaryIO, stored: AudioFormat, length: int, gain: float) -> Iterator[np.ndarray]:
    """Read again what `_keep` wrote, channels side by side `[C, n]`, times `gain`."""
    for start in range(0, length, stored.block):
        samples = []
        for channel in range(stored.channels):
            file.seek(4 * (channel * length + start))
            content = file.read(4 * min(stored.block, length - start))
            samples.append(np.frombuffer(content, np.float32))
        yield np.stack(samples) * np.float32(gain)
