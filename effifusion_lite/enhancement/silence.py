"""Digital silence, taken out of a recording before it is enhanced and put back after.

The network's instance norm takes mean and variance over all of a window. Zeros shift both, and the
speech beside them is enhanced worse; so it is enhanced as if they were not there. What is silent is
decided once, from what is kept of frames of 10 ms: 600 bytes for each second of a channel.

Chapter: 10 Out of the notebook.
"""

from collections.abc import Iterable, Iterator

import numpy as np

FRAME = 160  # samples, 10 ms of 16 kHz
SHORTEST = 2  # frames; from 30 ms on, zeros are taken out wherever they begin
# A frame is silent if its peak lies 80 dB below the loudest sample of the channel. Where that is
# above -10 dB of full scale, dither in the last of 16 bits is silent; and so is what resampling or
# MP3 leaves of zeros a few frames from a sound. It is relative, so that a recording that is merely
# soft does not vanish.
QUIET = 1e-4
# 5 ms that stay of a silence between two stretches: half of them after the one, half before the
# other. Joined without them, both share frames of the STFT, which costs PESQ 0.1 to 0.15 where
# speech was muted; from 10 ms on, they are more zeros than the norms bear. At the ends nothing is
# joined.
JOINT = 80
BLOCK = 1 << 16  # zeros that are put back at once


class Frames:
    """What is kept of each frame of a stream, from which follows where it sounds."""

    def __init__(self):
        self._kept: list[tuple[np.ndarray, ...]] = []  # see `_describe`
        self._rest: np.ndarray | None = None  # [C, n], the begin of a frame

    def add(self, block: np.ndarray) -> None:
        """Take in the next block.

        Args:
            block: 16 kHz.

        Shape:
            block `[C, n]` samples.
        """
        if self._rest is not None:
            block = np.concatenate([self._rest, block], axis=1)
        whole = block.shape[1] // FRAME * FRAME
        self._rest = block[:, whole:].copy()
        self._kept.append(_describe(block[:, :whole]))

    def sounding(self, length: int) -> list[np.ndarray]:
        """Say which stretches of each channel are not silent.

        Args:
            length: samples of the stream, which may have had some more or less at its end.

        Returns:
            For each channel the start and end of each stretch, in samples and in their order.
            Without silence it is one stretch, of all; of a silent channel there is none.

        Shape:
            each `[K, 2]`.
        """
        last = _describe(np.pad(self._rest, ((0, 0), (0, -self._rest.shape[1] % FRAME))))
        kept = [np.concatenate(parts, axis=1) for parts in zip(*self._kept, last, strict=True)]
        return [_sounding(*channel, length) for channel in zip(*kept, strict=True)]


def _describe(samples: np.ndarray) -> tuple[np.ndarray, ...]:
    """`[C, n]` to three `[C, frames]`: peak, and the number of zeros before and after the sound."""
    frames = samples.reshape(len(samples), -1, FRAME)  # [C, frames, FRAME]
    peaks = np.maximum(frames.max(axis=2), -frames.min(axis=2))
    sounds = frames != 0
    before, after = sounds.argmax(axis=2), sounds[:, :, ::-1].argmax(axis=2)
    return peaks, before.astype(np.uint8), after.astype(np.uint8)


def _sounding(peaks: np.ndarray, before: np.ndarray, after: np.ndarray, length: int) -> np.ndarray:
    """What is known of the frames of one channel, `[frames]`, to stretches `[K, 2]`."""
    quiet = peaks <= QUIET * peaks.max(initial=0)
    runs = np.flatnonzero(np.diff(quiet, prepend=False, append=False)).reshape(-1, 2)
    start, end = runs[runs[:, 1] - runs[:, 0] >= SHORTEST].T  # frames
    # The zeros at the edges of the neighbours belong to the silence, too.
    start = FRAME * start - np.where(start > 0, after[start - 1], 0)
    end = np.where(end < len(peaks), FRAME * end + np.append(before, 0)[end], length)
    edges = np.stack([start, end], axis=1).clip(max=length)  # [K - 1, 2], of silence
    between = (edges[:, 0] > 0) & (edges[:, 1] < length)
    edges[between] += (JOINT // 2, -(JOINT // 2))
    stretches = np.array([0, *edges.ravel(), length]).reshape(-1, 2)
    return stretches[stretches[:, 0] < stretches[:, 1]]


def take_out(blocks: Iterable[np.ndarray], sounding: np.ndarray) -> Iterator[np.ndarray]:
    """Leave only what sounds of a stream.

    Args:
        blocks: one channel.
        sounding: its stretches, as `Frames.sounding` gives them.

    Returns:
        The stretches joined, in blocks that are not empty.

    Shape:
        each `[1, n]` samples; sounding `[K, 2]`.
    """
    position = 0
    for block in blocks:
        after = position + block.shape[1]
        first = np.searchsorted(sounding[:, 1], position, "right")
        last = np.searchsorted(sounding[:, 0], after)
        for start, end in sounding[first:last] - position:
            yield block[:, max(0, start) : end]
        position = after


def put_back(
    blocks: Iterable[np.ndarray], sounding: np.ndarray, length: int
) -> Iterator[np.ndarray]:
    """Put zeros where `take_out` took silence out.

    Args:
        blocks: the stretches joined, one channel.
        sounding: the stretches.
        length: samples of the whole stream.

    Returns:
        The whole stream.

    Shape:
        each `[1, n]` samples, `length` in all; sounding `[K, 2]`.
    """
    blocks, held, position = iter(blocks), np.zeros((1, 0), np.float32), 0
    for start, end in sounding:
        yield from _zeros(start - position)
        position = start
        while position < end:
            held = held if held.shape[1] else next(blocks)
            piece, held = held[:, : end - position], held[:, end - position :]
            position += piece.shape[1]
            yield piece
    yield from _zeros(length - position)


def _zeros(count: int) -> Iterator[np.ndarray]:
    for start in range(0, count, BLOCK):
        yield np.zeros((1, min(BLOCK, count - start)), np.float32)
