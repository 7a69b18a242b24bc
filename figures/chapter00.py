"""Draw the figures of chapter 00: `python -m figures.chapter00` writes notebooks/figures/00_*.svg.

Each figure has its alternative text in ALT; the builder puts it into the chapter.
"""

import numpy as np
from matplotlib.figure import Figure

from figures.drawing import BLUE, GREY, INK, ORANGE, panel, sheet, stems, write

SPEECH = np.array([10.0, -10, 10, -10, 0, 0, 0, 0])
NOISE = np.array([1.0, 1, -1, 1, -1, -1, 1, -1])
VOICE = np.array([0.1, -0.2, 0.1, 0.2])
WITH_NOISE = VOICE + np.array([0.1, -0.2, 0.2, -0.1])

ALT = {
    "00_mixture": (
        "Eight samples of speech, 10, −10, 10, −10 and four zeros, plus 7.1 times eight samples of "
        "noise, each 1 or −1, are the mixture: 17.1, −2.9, 2.9, −2.9, −7.1, −7.1, 7.1, −7.1."
    ),
    "00_active_level": (
        "Speech in four bursts with three pauses as long as a burst. Two lines below show its "
        "level: the level of all of it, pauses too, is 2.4 dB lower than that of the bursts alone."
    ),
    "00_one_gain": (
        "Four samples of a voice, alone and with noise. Left, each is brought to full scale by its "
        "own gain, 5 for the voice alone and 2.5 for the voice with noise: the voice in the noise "
        "is half as large. Right, both have the gain 2.5: the voice is equally large in both."
    ),
}


def draw_mixture() -> Figure:
    """Speech plus gain times noise, on eight samples."""
    gain = (np.mean(SPEECH**2) / np.mean(NOISE**2)) ** 0.5
    figure, axes = sheet(352)
    rows = (
        ("speech", "", SPEECH, BLUE, ".0f"),
        (f"{gain:.1f} × noise", "+", gain * NOISE, ORANGE, ".1f"),
        ("mixture", "=", SPEECH + gain * NOISE, INK, ".1f"),
    )
    for number, (name, sign, values, colour, form) in enumerate(rows):
        top = 22 + 116 * number
        axes.text(4, top + 40, name, va="center", color=colour)
        axes.text(30, top + 2, sign, fontsize=20, va="center")
        inside = panel(figure, 112, top, 236, 80)
        inside.set(xlim=(-0.3, 7.3), ylim=(-18, 18))
        stems(inside, values, colour, form)
    return figure


def draw_active_level() -> Figure:
    """A waveform with pauses; its level over all and over the bursts."""
    pieces = np.arange(7) % 2 == 0  # spoken, pause, spoken, ...
    time = np.arange(0, 7, 1 / 60)
    rise = np.sin(np.pi * (time % 1)) ** 0.5
    waveform = np.where(pieces[time.astype(int)], rise * np.sin(2 * np.pi * 7.3 * time), 0)
    spoken = pieces[time.astype(int)]
    levels = [10 * np.log10(np.mean(part**2)) for part in (waveform[spoken], waveform)]
    figure, axes = sheet(212)
    above = panel(figure, 10, 10, 340, 90)
    above.plot(time, waveform, color=BLUE, linewidth=1)
    for start in np.flatnonzero(~pieces):
        above.axvspan(start, start + 1, color="black", alpha=0.12, linewidth=0)
        axes.text(10 + 340 * (start + 0.5) / 7, 30, "pause", ha="center", fontsize=11)
    above.set(xlim=(0, 7))
    below = panel(figure, 10, 112, 340, 94)
    below.set(xlim=(0, 7), ylim=(levels[1] - 1, levels[0] + 2))
    drop = levels[0] - levels[1]
    texts = ("level of the bursts alone", f"level of all, pauses too: {drop:.1f} dB lower")
    for level, text, style in zip(levels, texts, ("-", "--"), strict=True):
        below.axhline(level, color=INK, linestyle=style)
        below.annotate(text, (0, level), xytext=(2, 5), textcoords="offset points")
    for inside in (above, below):
        inside.axis("off")
    return figure


def draw_one_gain() -> Figure:
    """Two versions, brought to full scale each on its own, and with one gain."""
    own = [1 / np.abs(samples).max() for samples in (VOICE, WITH_NOISE)]
    figure, axes = sheet(330)
    columns = (("each its own gain", own), ("one gain", [min(own)] * 2))
    for column, (title, gains) in enumerate(columns):
        left = 14 + 176 * column
        axes.text(left + 78, 14, title, ha="center", va="center", fontweight="bold")
        for number, (samples, gain) in enumerate(zip((VOICE, WITH_NOISE), gains, strict=True)):
            top = 52 + 144 * number
            name = ("voice", "(voice + noise)")[number]
            axes.text(left + 78, top - 14, f"{gain:.1f} × {name}", ha="center", va="center")
            inside = panel(figure, left, top, 156, 96)
            inside.set(xlim=(-0.5, 3.5), ylim=(-1, 1))
            for limit in (-1, 1):
                inside.axhline(limit, color=GREY, linestyle=":", linewidth=1, clip_on=False)
            inside.bar(range(4), gain * samples, 0.5, color="#d8d8dc", edgecolor=GREY)
            stems(inside, gain * VOICE, BLUE)
    axes.text(180, 318, "blue: the voice in it · dotted: full scale", ha="center", va="center",
              fontsize=11)  # fmt: skip
    return figure


def draw(name: str) -> Figure:
    """Draw one figure.

    Args:
        name: a key of ALT.

    Returns:
        The figure.
    """
    drawings = {"mixture": draw_mixture, "active_level": draw_active_level}
    return (drawings | {"one_gain": draw_one_gain})[name.removeprefix("00_")]()


if __name__ == "__main__":
    write(ALT, draw)
