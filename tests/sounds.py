"""Sounds and formats of sound files that several tests write."""

import numpy as np

from effifusion_lite.audio.streams import AudioFormat

FORMATS = [
    AudioFormat("WAV", "PCM_16", 16000, 1),
    AudioFormat("WAV", "FLOAT", 44100, 2),
    AudioFormat("FLAC", "PCM_24", 48000, 2),
    AudioFormat("OGG", "VORBIS", 44100, 2),
    AudioFormat("OGG", "OPUS", 48000, 1),
    AudioFormat("MP3", "MPEG_LAYER_III", 44100, 2),
    AudioFormat("AIFF", "PCM_16", 16000, 1),
    AudioFormat("AU", "PCM_16", 16000, 1),
    AudioFormat("CAF", "PCM_16", 16000, 1),
    AudioFormat("W64", "PCM_16", 16000, 1),
]


def noise(channels, length, seed=0):
    samples = np.random.default_rng(seed).normal(size=(channels, length))
    return (samples * 0.1).astype("float32")


def cut(waveform, size):
    return [waveform[:, i : i + size] for i in range(0, waveform.shape[1], size)]
