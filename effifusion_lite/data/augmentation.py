"""Noise made by program, and random gains and spectra, for the mixtures of the training.

Chapter: 08 VoiceBank+DEMAND.
"""

from collections.abc import Callable

import numpy as np
import soxr

from effifusion_lite.audio import SAMPLE_RATE, rms_db
from effifusion_lite.listening.noises import make_noise

# Noise made by program, and how often each kind is drawn: what streets, rooms and vehicles sound
# like comes before what is rare.
MADE_NOISE = {
    "coloured": 0.2,
    "babble": 0.3,
    "car": 0.15,
    "dishes": 0.1,
    "keyboard": 0.1,
    "fan": 0.05,
    "music": 0.05,
    "rain": 0.05,
}
VOICES = 12  # recordings of speech that one babble is made of
ENVELOPE_POINTS = 7  # of a random spectral envelope, an octave apart up to 8 kHz


def made_noise(
    length: int, rng: np.random.Generator, draw_speech: Callable[[int], list[np.ndarray]]
) -> np.ndarray:
    """Noise of a random kind.

    Args:
        length: number of samples.
        rng: source of randomness.
        draw_speech: gives that many recordings of speech, each ``[N]`` (samples), for babble.

    Shape:
        ``[length]`` (16 kHz, at any level).
    """
    kind = rng.choice(list(MADE_NOISE), p=list(MADE_NOISE.values()))
    if kind == "coloured":
        noise = coloured_noise(length, rng.uniform(-12, 3), rng)
        return noise * slow_modulation(length, rng.uniform(0, 12), rng)
    voices = draw_speech(VOICES) if kind == "babble" else []
    speed = rng.uniform(0.7, 1.4) if kind != "babble" else 1.0
    seconds = speed * length / SAMPLE_RATE + 0.01
    noise = make_noise(kind, seconds, int(rng.integers(2**31)), voices)
    return soxr.resample(noise, SAMPLE_RATE * speed, SAMPLE_RATE)[:length]


def coloured_noise(length: int, slope_db: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise whose power changes by ``slope_db`` from one octave to the next.

    Args:
        length: number of samples.
        slope_db: 0 is white, −3 pink, −6 brown noise.
        rng: source of randomness.

    Shape:
        ``[length]`` (samples, 16 kHz).
    """
    frequency = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    gain = np.maximum(frequency, 50.0) ** (slope_db / 20 / np.log10(2))
    return np.fft.irfft(np.fft.rfft(rng.standard_normal(length)) * gain / gain.max(), length)


def recording_floor(speech: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rumble and the hiss that a recording of speech has of its own: one of them or both.

    Rumble lies below 50 to 120 Hz, 45 to 30 dB under the speech; hiss is nearly white, 65 to 45 dB
    under it.

    Args:
        speech: what it belongs to.
        rng: source of randomness.

    Shape:
        ``[N]`` → ``[N]`` (samples, 16 kHz), to be added.
    """
    noises = {
        "rumble": rumble(len(speech), rng.uniform(50, 120), rng),
        "hiss": coloured_noise(len(speech), rng.uniform(-3, 3), rng),
    }
    levels = {"rumble": rng.uniform(-45, -30), "hiss": rng.uniform(-65, -45)}
    chosen = rng.choice(["rumble", "hiss", "both"], p=[0.35, 0.35, 0.3])
    floor = np.zeros(len(speech))
    for name, noise in noises.items():
        if chosen in (name, "both"):
            floor += at_level(noise, rms_db(speech) + levels[name])
    return floor


def with_rumble(
    noise: np.ndarray,
    rng: np.random.Generator,
    level_db: tuple[float, float],
    edge_hz: tuple[float, float],
) -> np.ndarray:
    """Noise with the rumble of streets, machines and air conditioning, or of wind and drift.

    Args:
        noise: what it is added to.
        rng: source of randomness.
        level_db: lowest and highest level of the rumble relative to the noise.
        edge_hz: lowest and highest frequency above which it falls.

    Shape:
        ``[N]`` → the same (samples, 16 kHz).
    """
    low = rumble(len(noise), np.exp(rng.uniform(*np.log(edge_hz))), rng)
    low *= slow_modulation(len(noise), rng.uniform(0, 12), rng)
    return noise + at_level(low, rms_db(noise) + rng.uniform(*level_db))


def rumble(length: int, edge: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise that falls by 24 dB an octave above ``edge`` (Hz).

    Shape:
        ``[length]`` (samples, 16 kHz, at any level).
    """
    frequency = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    spectrum = np.fft.rfft(rng.standard_normal(length))
    return np.fft.irfft(spectrum / (1 + (frequency / edge) ** 4), length)


def at_level(waveform: np.ndarray, level_db: float) -> np.ndarray:
    """The waveform at this RMS level (dB relative to full scale).

    Shape:
        ``[N]`` → the same (samples).
    """
    return 10 ** ((level_db - rms_db(waveform)) / 20) * waveform


def slow_modulation(length: int, depth_db: float, rng: np.random.Generator) -> np.ndarray:
    """A random gain that wanders between ``±depth_db / 2`` a few times a second.

    Shape:
        ``[length]`` (factor).
    """
    points = max(3, round(length / SAMPLE_RATE * rng.uniform(1, 8)))
    corners = rng.uniform(-0.5, 0.5, points) * depth_db
    return 10 ** (np.interp(np.linspace(0, points - 1, length), range(points), corners) / 20)


def shape_spectrum(
    waveform: np.ndarray, rng: np.random.Generator, tilt_db: float, envelope_db: float
) -> np.ndarray:
    """Changes the spectral envelope at random, in proportion to pitch between 100 Hz and 8 kHz.

    The slope changes by up to ``± tilt_db`` over this range, and a curve with a standard deviation
    of ``envelope_db`` at each octave is added.

    Shape:
        ``[N]`` → the same (samples, 16 kHz).
    """
    frequency = np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE)
    octaves = np.log2(np.maximum(frequency, 100) / 100)
    gain_db = rng.uniform(-1, 1) * tilt_db * (octaves / octaves[-1] - 0.5)
    points = rng.normal(0, envelope_db, ENVELOPE_POINTS)
    gain_db += np.interp(octaves, np.linspace(0, octaves[-1], ENVELOPE_POINTS), points)
    return np.fft.irfft(np.fft.rfft(waveform) * 10 ** (gain_db / 20), len(waveform))
