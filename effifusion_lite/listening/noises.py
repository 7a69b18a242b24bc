"""Noises made by program: eight kinds that differ in spectrum and in how they change over time.

Steady ones (speech-shaped noise, fan, car) can be learned from any moment; rain crackles; babble
has the spectrum and the rhythm of speech itself; keyboard and dishes are silence with short loud
events; music has tones that look like vowels. All come from a seed, so no file is needed.
"""

from collections.abc import Callable, Sequence

import numpy as np
import soxr
from scipy.signal import fftconvolve

RATE = 16000  # Hz, of all noises
LEVEL = -26.0  # dB, RMS level of all noises
TALKERS = 10


def make_noise(
    kind: str, seconds: float, seed: int, speech: Sequence[np.ndarray] = ()
) -> np.ndarray:
    """Make a noise from its seed.

    Args:
        kind: one of `KINDS`.
        seconds: length, s.
        seed: equal seeds give equal noises.
        speech: recordings of several voices at 16 kHz, from which babble is made; other kinds do
            not use it.

    Returns:
        The noise at 16 kHz with an RMS level of -26 dB relative to full scale.

    Shape:
        [N] samples, N = round(16000 * seconds).

    Raises:
        ValueError: the kind is unknown, the length is not positive, or babble gets no speech.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no noise {kind!r}: choose one of {', '.join(KINDS)}")
    samples = round(seconds * RATE)
    if samples < 1:
        raise ValueError(f"a noise must be longer than {seconds} seconds")
    generator = np.random.default_rng([seed, KINDS.index(kind)])
    if kind == "babble":
        waveform = _babble(samples, generator, speech)
    else:
        waveform = _MAKERS[kind](samples, generator)
    rms = np.sqrt(np.mean(waveform**2))
    return (waveform * 10 ** (LEVEL / 20) / max(rms, 1e-12)).astype(np.float32)


def _coloured(samples: int, generator: np.random.Generator, points: dict[float, float]):
    """Gaussian noise whose spectrum runs through the points {Hz: dB}, on a log frequency axis."""
    length = max(samples, RATE)
    spectrum = np.fft.rfft(generator.standard_normal(length))  # [F]
    frequency = np.maximum(np.fft.rfftfreq(length, 1 / RATE), 1.0)
    level = np.interp(np.log(frequency), np.log([*points]), [*points.values()])
    return np.fft.irfft(spectrum * 10 ** (level / 20), length)[:samples]


def _wander(samples: int, generator: np.random.Generator, rate: float) -> np.ndarray:
    """A smooth random curve with unit variance that changes about `rate` times a second."""
    knots = max(4, int(samples / RATE * rate) + 4)
    values = generator.standard_normal(knots)
    fine = np.interp(np.linspace(0, knots - 1, samples), np.arange(knots), values)
    width = max(3, int(RATE / rate))
    window = np.hanning(width + 2)[1:-1]
    padded = np.pad(fine, width // 2, mode="edge")
    return fftconvolve(padded, window / window.sum(), mode="same")[width // 2 :][:samples]


def _unit(waveform: np.ndarray) -> np.ndarray:
    return waveform / np.sqrt(np.mean(waveform**2))


def _add(target: np.ndarray, sound: np.ndarray, start: int) -> None:
    end = min(len(target), start + len(sound))
    if 0 <= start < end:
        target[start:end] += sound[: end - start]


def _ring(generator: np.random.Generator, modes, decays, gains) -> np.ndarray:
    """A struck object: decaying sines at `modes` Hz, each falling to 1/e in `decays` seconds."""
    time = np.arange(int(6 * max(decays) * RATE)) / RATE
    phases = generator.uniform(0, 2 * np.pi, len(modes))
    return sum(
        gain * np.exp(-time / decay) * np.sin(2 * np.pi * mode * time + phase)
        for mode, decay, gain, phase in zip(modes, decays, gains, phases, strict=True)
    )


def _in_a_room(waveform: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Add the echoes of a room that takes about half a second to fall silent."""
    decay = np.exp(-np.arange(int(0.5 * RATE)) / (0.07 * RATE))
    response = 0.06 * decay * generator.standard_normal(len(decay))
    response[0] = 1.0
    return fftconvolve(waveform, response)[: len(waveform)]


def _babble(samples, generator, speech):
    if len(speech) == 0:
        raise ValueError("babble is made of voices: give recordings of speech")
    total = np.zeros(samples)
    for _ in range(TALKERS):
        parts, length = [], 0
        while length < samples + RATE:
            part = speech[generator.integers(len(speech))]
            part = soxr.resample(part, RATE, RATE * generator.uniform(0.88, 1.14))  # other pitch
            parts.append(part)
            length += len(part)
        start = generator.integers(0, length - samples)
        talker = np.concatenate(parts)[start : start + samples]
        if talker.any():
            total += _unit(talker) * 10 ** (generator.uniform(-5, 1) / 20)
    return _in_a_room(total, generator)


def _speech_shaped(samples, generator):
    # The long-term spectrum of speech: most power below 500 Hz, then falling by 9 dB an octave.
    return _coloured(samples, generator, {60: -30, 120: 0, 500: 0, 1000: -9, 8000: -36})


def _car(samples, generator):
    road = _unit(_coloured(samples, generator, {20: -6, 40: 0, 80: -3, 200: -20, 8000: -70}))
    tyres = _unit(_coloured(samples, generator, {100: -10, 300: 0, 1000: 0, 3000: -18, 8000: -40}))
    revolution = 38 * (1 + 0.03 * _wander(samples, generator, 0.5))  # Hz
    phase = 2 * np.pi * np.cumsum(revolution) / RATE
    engine = sum(np.sin(k * phase + k * k) / k for k in (1, 2, 3, 4, 6, 8))
    swell = 10 ** (1.5 * _wander(samples, generator, 1.0) / 20)
    return swell * (road + 0.18 * tyres + 0.5 * _unit(engine))


def _fan(samples, generator):
    air = _unit(_coloured(samples, generator, {50: -12, 200: 0, 800: -3, 3000: -15, 8000: -30}))
    time = np.arange(samples) / RATE
    blades = 1 + 0.25 * np.sin(2 * np.pi * 23 * time)  # beats of the blades
    hum = sum(g * np.sin(2 * np.pi * f * time + f) for f, g in ((100, 1), (200, 0.5), (300, 0.3)))
    whine = np.sin(2 * np.pi * 1150 * time) + 0.4 * np.sin(2 * np.pi * 2300 * time)
    return air * blades + 0.5 * hum + 0.2 * whine


def _rain(samples, generator):
    hiss = _unit(_coloured(samples, generator, {200: -25, 1000: -8, 4000: 0, 8000: 0}))
    hiss *= 10 ** (2 * _wander(samples, generator, 0.8) / 20)  # gusts
    drops = np.zeros(samples)
    for start in generator.integers(0, samples, int(samples / RATE * 160)):
        pitch = np.exp(generator.uniform(np.log(900), np.log(6500)))
        drop = _ring(generator, [pitch], [generator.uniform(0.001, 0.006)], [1.0])
        _add(drops, drop * min(generator.pareto(2.5), 5), int(start))
    return hiss + 1.1 * _unit(drops + 1e-9)


def _keyboard(samples, generator):
    room = _unit(_coloured(samples, generator, {50: 0, 200: -6, 1000: -20, 8000: -40}))
    strokes = np.zeros(samples)
    time = generator.uniform(0, 0.2) * RATE
    while time < samples:
        for _ in range(generator.integers(3, 9)):  # a word, then a pause to think
            loudness = 10 ** (generator.uniform(-8, 0) / 20)
            _add(strokes, loudness * _click(generator), int(time))
            release = time + generator.uniform(0.07, 0.12) * RATE
            _add(strokes, 0.35 * loudness * _click(generator), int(release))
            time += generator.uniform(0.09, 0.2) * RATE
        time += generator.uniform(0.1, 0.5) * RATE
    return _in_a_room(_unit(strokes + 1e-9), generator) + 0.06 * room


def _click(generator):
    modes = generator.uniform(1500, 6000, 5)
    tick = _ring(generator, modes, [0.006] * 5, [0.4] * 5)
    thump = _ring(generator, [generator.uniform(160, 320)], [0.012], [0.8])
    click = np.zeros(max(len(tick), len(thump)))
    click[: len(thump)] += thump
    click[: len(tick)] += tick * (1 + 0.5 * generator.standard_normal(len(tick)))
    return click


def _dishes(samples, generator):
    room = _unit(_coloured(samples, generator, {50: 0, 300: -4, 2000: -12, 8000: -30}))
    clinks = np.zeros(samples)
    time = 0.0
    while time < samples:
        lowest = np.exp(generator.uniform(np.log(900), np.log(2600)))  # a plate, a cup, a glass
        modes = lowest * np.array([1.0, 2.32, 2.76, 4.2])
        modes = modes[modes < 7800]
        decays = generator.uniform(0.03, 0.16) * (lowest / modes) ** 0.5
        clink = _ring(generator, modes, decays, generator.uniform(0.3, 1, len(modes)))
        loudness = 10 ** (generator.uniform(-18, 0) / 20)
        for bounce in range(generator.integers(1, 4)):  # it falls back and touches again
            start = int(time + bounce * generator.uniform(0.04, 0.09) * RATE)
            _add(clinks, loudness * 0.5**bounce * clink, start)
        time += generator.exponential(0.22) * RATE
    scrape = _coloured(samples, generator, {500: -30, 2500: 0, 6000: 0, 8000: -10})
    scrape = _unit(scrape) * np.maximum(_wander(samples, generator, 2.0), 0) ** 2
    return _in_a_room(_unit(clinks + 1e-9), generator) + 0.12 * scrape + 0.08 * room


def _music(samples, generator):
    beat = 60 / generator.uniform(95, 125)  # s
    root = generator.choice([196.0, 220.0, 246.94])  # Hz
    chords = [(0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14)]  # semitones above the root
    tune = np.zeros(samples)
    for step in range(int(samples / RATE / (beat / 2)) + 1):
        start, chord = int(step * beat / 2 * RATE), chords[step // 8 % 4]
        note = root * 2 ** ((generator.choice(chord) + 12) / 12)
        _add(tune, _pluck(generator, note, 0.25), start)
        if step % 4 == 0:
            for tone in chord:
                _add(tune, 0.6 * _pluck(generator, root * 2 ** (tone / 12), 0.5), start)
            _add(tune, 1.2 * _pluck(generator, root / 2 * 2 ** (chord[0] / 12), 0.4), start)
        brush = generator.standard_normal(int(0.05 * RATE)) * np.exp(-np.arange(0.05 * RATE) / 120)
        _add(tune, np.diff(brush, prepend=0) * (0.25 if step % 2 else 0.1), start)
    return tune


def _pluck(generator, pitch, decay):
    harmonics = np.arange(1, int(min(10, 7500 / pitch)) + 1)
    gains = harmonics**-1.2
    return _ring(generator, pitch * harmonics, decay / harmonics**0.5, gains)


_MAKERS: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "speech_shaped": _speech_shaped,
    "car": _car,
    "fan": _fan,
    "rain": _rain,
    "keyboard": _keyboard,
    "dishes": _dishes,
    "music": _music,
}
KINDS = ("babble", *_MAKERS)
