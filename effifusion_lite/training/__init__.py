"""The training: one step (`step`), its loop (`loop`), and what a run leaves behind (`runs`).

Chapter: 06 The GAN loop.
"""

from effifusion_lite.training.configuration import TrainingConfig, read_recipe
from effifusion_lite.training.loop import train
from effifusion_lite.training.step import Trainer, TrainingError
from effifusion_lite.training.validation import Validation

__all__ = ["Trainer", "TrainingConfig", "TrainingError", "Validation", "read_recipe", "train"]
