"""Sound as arrays and files: waveforms, levels in dB, streams too long for memory, encodings.

Chapter: 00 Hear the problem.
"""

from effifusion_lite.audio.contents import describe_content
from effifusion_lite.audio.files import read_text, write_atomically
from effifusion_lite.audio.folders import EXTENSIONS, describe_left_out, find_partners, find_sounds
from effifusion_lite.audio.levels import active_speech_level, measure_snr, mix_at_snr
from effifusion_lite.audio.streams import AudioError
from effifusion_lite.audio.waveforms import (
    SAMPLE_RATE,
    load_audio,
    peak_db,
    resample,
    rms_db,
    save_audio,
)

__all__ = [
    "AudioError",
    "EXTENSIONS",
    "SAMPLE_RATE",
    "active_speech_level",
    "describe_content",
    "describe_left_out",
    "find_partners",
    "find_sounds",
    "load_audio",
    "measure_snr",
    "mix_at_snr",
    "peak_db",
    "read_text",
    "resample",
    "rms_db",
    "save_audio",
    "write_atomically",
]
