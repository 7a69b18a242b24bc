"""Draw the figures of chapter 01: `python figures/chapter01.py` writes 01_*.svg beside this file.

Each figure has its alternative text in ALT; the chapter repeats it, and a test compares the two.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

FOLDER = Path(__file__).resolve().parent
BLUE, ORANGE, GREY = "#1a5fb4", "#c64600", "#5e5c64"
STYLE = {"svg.fonttype": "path", "svg.hashsalt": "effifusion-lite", "font.size": 10}

ALT = {
    "01_way_of_the_data": (
        "The way of the data. Above, from left to right: the waveform [N] goes through the STFT "
        "and splits into magnitude and phase [F, T]; the magnitude is compressed; both enter the "
        "generator. "
        "Below, from right to left: the generator's magnitude is expanded, joined with its phase, "
        "and the inverse STFT gives the enhanced waveform [N]."
    ),
    "01_frames": (
        "A waveform with zeros added before its beginning. Four Hann windows of 400 samples lie "
        "over it, each 100 samples after the one before; the first is centred on sample 0 and "
        "half of it lies over the zeros. Below, the sum of their squares becomes constant where "
        "four windows overlap."
    ),
}


def draw_way_of_the_data(axes: Axes) -> None:
    """Draw the blocks of this chapter around the generator."""
    above = [
        ("waveform\n[N]", 0.0, 2.0, GREY),
        ("STFT", 1.7, 2.0, BLUE),
        ("magnitude\n[F, T]", 3.4, 2.6, GREY),
        ("phase\n[F, T]", 3.4, 1.4, GREY),
        ("compress\n$m^{0.3}$", 5.1, 2.6, BLUE),
    ]
    below = [
        ("expand\n$m^{1/0.3}$", 5.1, -0.4, BLUE),
        ("magnitude\n[F, T]", 3.4, -0.4, GREY),
        ("phase\n[F, T]", 3.4, -1.6, GREY),
        ("inverse\nSTFT", 1.7, -1.0, BLUE),
        ("enhanced\nwaveform [N]", 0.0, -1.0, GREY),
    ]
    for text, x, y, colour in above + below:
        _box(axes, text, x, y, 0.85, colour)
    _box(axes, "generator\n(chapter 04)", 7.0, 0.5, 4.8, ORANGE)
    for start, end in (
        ((0.65, 2.0), (1.05, 2.0)),
        ((2.35, 2.1), (2.75, 2.5)),
        ((2.35, 1.9), (2.75, 1.5)),
        ((4.05, 2.6), (4.45, 2.6)),
        ((5.75, 2.6), (6.35, 2.6)),
        ((4.05, 1.4), (6.35, 1.4)),
        ((6.35, -0.4), (5.75, -0.4)),
        ((4.45, -0.4), (4.05, -0.4)),
        ((6.35, -1.6), (4.05, -1.6)),
        ((2.75, -0.5), (2.35, -0.9)),
        ((2.75, -1.5), (2.35, -1.1)),
        ((1.05, -1.0), (0.65, -1.0)),
    ):
        axes.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "->", "color": "black"})
    axes.set(xlim=(-0.8, 7.8), ylim=(-2.2, 3.2))
    axes.axis("off")


def draw_frames(above: Axes, below: Axes) -> None:
    """Draw four overlapping windows over a waveform, and the sum of their squares."""
    samples = np.arange(-200, 700)
    generator = np.random.default_rng(1)
    noise = np.convolve(generator.standard_normal(len(samples)), np.hanning(9) / 4, "same")
    waveform = np.where(samples < 0, 0.0, 0.3 * noise + 0.3 * np.sin(samples / 9))
    above.plot(samples, waveform, color=GREY, linewidth=0.8)
    window = np.hanning(401)[:400]
    total = np.zeros(len(samples))
    for frame in range(4):
        start = 100 * frame
        above.plot(samples[start : start + 400], window, color=BLUE, linewidth=1.2)
        above.text(100 * frame, 1.04, f"t = {frame}", ha="center", color=BLUE)
        total[start : start + 400] += window**2
    above.axvspan(-200, 0, color="black", alpha=0.08)
    above.text(-190, -0.85, "zeros")
    above.set(ylabel="amplitude", xlim=(-200, 700), ylim=(-1, 1.25))
    below.plot(samples, total, color=ORANGE)
    below.set(xlabel="sample", ylabel="sum of $w^2$", ylim=(0, 1.8), xticks=range(-200, 701, 100))
    below.grid(alpha=0.3)


def draw(name: str) -> plt.Figure:
    """Draw one figure.

    Args:
        name: a key of ALT.

    Returns:
        The figure.
    """
    if name == "01_way_of_the_data":
        figure, axes = plt.subplots(figsize=(8.6, 4.2), layout="constrained")
        draw_way_of_the_data(axes)
    else:
        figure, axes = plt.subplots(
            2, 1, figsize=(8, 3.6), sharex=True, height_ratios=(2, 1), layout="constrained"
        )
        draw_frames(*axes)
    return figure


def main() -> None:
    """Write all figures of the chapter."""
    with plt.rc_context(STYLE):
        for name in ALT:
            figure = draw(name)
            figure.savefig(FOLDER / f"{name}.svg", facecolor="white", metadata={"Date": None})
            plt.close(figure)


def _box(axes: Axes, text: str, x: float, y: float, height: float, colour: str) -> None:
    """A rounded box of width 1.1 with its middle at (x, y)."""
    shape = FancyBboxPatch(
        (x - 0.55, y - height / 2),
        1.1,
        height,
        boxstyle="round,pad=0.06",
        facecolor="white",
        edgecolor=colour,
        linewidth=1.5,
    )
    axes.add_patch(shape)
    axes.text(x, y, text, ha="center", va="center", color=colour)


if __name__ == "__main__":
    main()
