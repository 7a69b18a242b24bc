"""What a training leaves behind: logs, scores, checkpoints, weights, curves.

Chapter: 06 The GAN loop.
"""

from effifusion_lite.training.board import Board
from effifusion_lite.training.runs import Run
from effifusion_lite.training.step import Trainer
from effifusion_lite.training.validation import Validation


class Record:
    """Validates and writes in the first process of a training; in the others it does nothing.

    Args:
        run: the folder, None in all processes but the first.
        validation: what the best weights are chosen by; without it the last are the best.
        board: curves and sounds, if they are asked for.
    """

    def __init__(
        self, run: Run | None, validation: Validation | None = None, board: Board | None = None
    ):
        self.run, self.validation, self.board = run, validation, board
        if board is not None and validation is not None:
            noisy, clean = zip(*validation.pairs, strict=True)
            board.sounds("noisy", 0, noisy)
            board.sounds("clean", 0, clean)

    def log(self, step: int, report: dict[str, float]) -> None:
        """Keeps what the training says after ``step`` steps."""
        if self.run is not None:
            self.run.log(step, report)
        if self.board is not None:
            self.board.curves("training", step, report)

    def validate(self, step: int, trainer: Trainer) -> None:
        """Scores the averaged weights, and keeps them if they are the best so far."""
        if self.run is None or self.validation is None:
            return
        model = trainer.averaged()
        scores, enhanced = self.validation(model, trainer.pool)
        self.run.validated(step, scores, model, final=trainer.pruned(step))
        if self.board is not None:
            self.board.curves("validation", step, scores)
            self.board.sounds("enhanced", step, enhanced)

    def save(self, step: int, trainer: Trainer) -> None:
        """Writes the checkpoint; all processes call it together."""
        state = trainer.state()
        if self.run is not None:
            self.run.save(step, state)

    def finish(self, step: int, trainer: Trainer) -> None:
        """Writes the last weights."""
        if self.run is None:
            return
        for name in ["last"] if self.validation is not None else ["last", "best"]:
            self.run.save_weights(name, trainer.averaged(), step)
