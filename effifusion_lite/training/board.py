"""The course of a training for TensorBoard: curves, and what it sounds like.

Chapter: 06 The GAN loop.
"""

from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

from effifusion_lite.audio import SAMPLE_RATE

CLIPS = 3  # recordings of the validation that can be heard


class Board:
    """Writes an event file that ``tensorboard --logdir FOLDER`` shows.

    Args:
        folder: where it is written.
        first: steps that are done already; what an earlier file says of later ones is hidden.

    Raises:
        ValueError: if the package tensorboard is not installed.
    """

    def __init__(self, folder: str | Path, first: int = 0):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError as error:
            raise ValueError(
                'TensorBoard is not installed: pip install "effifusion-lite[train]", or train '
                "without --tensorboard"
            ) from error
        self.writer = SummaryWriter(str(folder), purge_step=first + 1)

    def curves(self, kind: str, step: int, values: dict[str, float]) -> None:
        """A point of each curve, under the heading ``kind``."""
        for name, value in values.items():
            self.writer.add_scalar(f"{kind}/{name}", value, step)
        self.writer.flush()

    def sounds(self, kind: str, step: int, waveforms: Iterable[Tensor]) -> None:
        """The first recordings, each ``[N]`` (samples, 16 kHz)."""
        for number, waveform in zip(range(CLIPS), waveforms, strict=False):
            tag, waveform = f"clip {number}/{kind}", waveform.clamp(-1, 1)
            self.writer.add_audio(tag, waveform, step, SAMPLE_RATE)
        self.writer.flush()
