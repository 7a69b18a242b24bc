"""Draw the figures of chapter 10: `python -m figures.chapter10` writes notebooks/figures/10_*.svg.

Each figure has its alternative text in ALT; the builder puts it into the chapter.
"""

import numpy as np
from matplotlib.figure import Figure

from figures.drawing import BLUE, GREY, INK, ORANGE, arrow, box, panel, sheet, write

WINDOWS = 3
SIZE, FADE = 120, 24  # units of a window and of a crossfade
LIGHT = "#d8d8dc"

ALT = {
    "10_windows": (
        "A recording as a long bar. Below it three windows of equal length, each shifted to the "
        "right; neighbours overlap by a short stretch, the crossfade. Below them their weights: "
        "each is 1 in the middle, falls to 0 along the crossfade while the next one rises, and "
        "the two add up to 1 everywhere."
    ),
    "10_way": (
        "The way of a recording, from top to bottom: any rate and channels; one channel at a "
        "time; to 16 kHz; digital silence taken out; windows; the network; windows joined; "
        "silence put back; back to the old rate. A second way leads from the recording past all "
        "of these to a last box, where the original is mixed back by the strength."
    ),
    "10_bits": (
        "Four weights, triangles, on a line from −0.9 to 0.9: 0.9, −0.31, 0.002 and 0.45. Above, "
        "the line has marks for 4 bits, 15 values. In the middle, the marks for 8 bits are so "
        "close that they look like a bar. Below, the same marks between −0.018 and 0.018, as under "
        "a magnifying glass: here they stand apart, and the weight of 0.002 lies nearest to the "
        "mark at 0."
    ),
}


def draw_windows() -> Figure:
    """Windows that overlap, and weights that add up to 1."""
    figure, axes = sheet(262)
    left, step = 24, SIZE - FADE
    length = WINDOWS * step + FADE
    axes.text(left, 14, "recording", va="center", fontsize=11)
    box(axes, "", (left, 24, length, 18), fill=LIGHT)
    for index in range(WINDOWS):
        x = left + index * step
        box(axes, f"window {index + 1}", (x, 54 + 28 * index, SIZE, 22), size=11)
    for index in range(1, WINDOWS):
        x = left + index * step
        for edge in (x, x + FADE):
            arrow(axes, (edge, 44), (edge, 246), head=False, color=GREY, linewidth=0.8)
    axes.text(left, 156, "weights", va="center", fontsize=11)
    styles = ((BLUE, "-"), (ORANGE, "--"), (INK, "-"))
    for index, (colour, line) in enumerate(styles):
        x = left + index * step
        up = [(x, 240), (x + FADE, 180)] if index else [(x, 180)]
        last = index == WINDOWS - 1
        down = [(x + SIZE, 180)] if last else [(x + step, 180), (x + SIZE, 240)]
        arrow(axes, *up, *down, head=False, color=colour, linewidth=2, linestyle=line)
    arrow(axes, (left, 240), (left + length, 240), head=False, color=GREY, linewidth=0.8)
    for height, text in ((180, "1"), (240, "0")):
        axes.text(left - 10, height, text, ha="center", va="center", fontsize=11)
    axes.text(left + step + FADE / 2, 254, "crossfade", ha="center", va="center", fontsize=11)
    return figure


def draw_way() -> Figure:
    """What stands around the network."""
    figure, axes = sheet(372)
    steps = (
        ("recording: any rate, channels", INK),
        ("one channel at a time", "white"),
        ("to 16 kHz", "white"),
        ("digital silence taken out", "white"),
        ("windows", LIGHT),
        ("network", LIGHT),
        ("windows joined", LIGHT),
        ("silence put back", "white"),
        ("back to the old rate", "white"),
        ("strength: mix the original back", INK),
    )
    for index, (text, fill) in enumerate(steps):
        top = 6 + 37 * index
        box(axes, text, (24, top, 236, 25), fill=fill, size=11)
        if index:
            arrow(axes, (142, top - 12), (142, top - 1))
    first, last = 6 + 12.5, 6 + 37 * (len(steps) - 1) + 12.5
    arrow(axes, (260, first), (312, first), (312, last), (261, last))
    axes.text(322, (first + last) / 2, "original", rotation=90, ha="center", va="center",
              fontsize=11)  # fmt: skip
    return figure


def draw_bits() -> Figure:
    """Four weights on grids of 4 and of 8 bits."""
    figure, axes = sheet(288)
    weights = np.array([0.9, -0.31, 0.002, 0.45])
    for top, bits, end in ((36, 4, 0.9), (128, 8, 0.9), (220, 8, 0.018)):
        closer = "" if end == 0.9 else ", near 0"
        text = f"{bits} bits: {2**bits - 1} values{closer}; triangles: weights"
        axes.text(12, top - 14, text, va="center", fontsize=11.5)
        lines = panel(figure, 24, top, 312, 36)
        count = 2 ** (bits - 1) - 1
        values = 0.9 * np.arange(-count, count + 1) / count
        seen = values[np.abs(values) < end / 0.89]
        lines.vlines(seen, 0, 0.5, color=GREY, linewidth=1)
        shown = weights[np.abs(weights) <= end]
        lines.plot(shown, np.full(len(shown), 0.8), "v", color=ORANGE, markersize=9, clip_on=False)
        lines.set(xlim=(-end / 0.9, end / 0.9), ylim=(0, 1), yticks=[], xticks=(-end, 0, end))
        lines.spines["left"].set_visible(False)
    return figure


def draw(name: str) -> Figure:
    """Draw one figure.

    Args:
        name: a key of ALT.

    Returns:
        The figure.
    """
    drawings = {"windows": draw_windows, "way": draw_way, "bits": draw_bits}
    return drawings[name.removeprefix("10_")]()


if __name__ == "__main__":
    write(ALT, draw)
