"""What a training hears: speech and noise mixed on the fly, or ready-made pairs.

Chapter: 08 VoiceBank+DEMAND.
"""

from effifusion_lite.data.batches import (
    Batches,
    DataError,
    Pairs,
    StepDataset,
    audio_files,
    read_pairs,
)
from effifusion_lite.data.mixing import MixtureConfig, Mixtures

__all__ = [
    "Batches",
    "DataError",
    "MixtureConfig",
    "Mixtures",
    "Pairs",
    "StepDataset",
    "audio_files",
    "read_pairs",
]
