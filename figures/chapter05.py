"""Draw the figures of chapter 05: `python -m figures.chapter05` writes notebooks/figures/05_*.svg.

Each figure has its alternative text in ALT; the builder puts it into the chapter.
"""

import numpy as np
from matplotlib.figure import Figure

from figures.drawing import BLUE, GREY, INK, ORANGE, arrow, box, panel, sheet, write

PAIR = (2.6, -2.9)  # phases in radians, close on the circle
BUILT = "#d8d8dc"

ALT = {
    "05_circle": (
        "Left, a circle with two phases as arrows, 2.6 and −2.9 radians, on both sides of the "
        "place where π meets −π. The long way round is 5.50 radians, the short one across that "
        "place 0.78. Right, the distance over the difference: a zigzag that rises from 0 to π, "
        "falls back to 0 at 2π, and repeats in both directions."
    ),
    "05_pesq": (
        "The stages of PESQ from top to bottom, for clean speech on the left and the output on the "
        "right: level and filter, 49 Bark bands, forgive colouring and level, loudness. The two "
        "meet in the disturbance, which splits into all of it and what was added; both become "
        "one number, which is taken from 4.5. The alignment of delays, a dashed box beside the "
        "first stage, exists only in the standard."
    ),
}


def draw_circle() -> Figure:
    """Two phases on the circle, and the distance over the difference."""
    figure, _ = sheet(214)
    left, right = panel(figure, 4, 8, 172, 190), panel(figure, 198, 40, 154, 120)
    angles = np.linspace(-np.pi, np.pi, 100)
    left.plot(np.cos(angles), np.sin(angles), color=GREY, linewidth=1)
    for phase, colour in zip(PAIR, (BLUE, ORANGE), strict=True):
        style = {"arrowstyle": "-|>", "color": colour, "linewidth": 2, "shrinkA": 0, "shrinkB": 0}
        left.annotate("", (np.cos(phase), np.sin(phase)), xytext=(0, 0), arrowprops=style)
        text = f"{phase}".replace("-", "−")
        place = 1.25 * np.cos(phase), 1.3 * np.sin(phase) + 0.12 * np.sign(phase)
        left.text(*place, text, ha="center", va="center", color=colour, fontsize=11)
    difference = PAIR[0] - PAIR[1]
    short = np.linspace(PAIR[0], PAIR[1] + 2 * np.pi, 30)
    left.plot(0.7 * np.cos(short), 0.7 * np.sin(short), color=INK, linewidth=3)
    long = np.linspace(PAIR[1], PAIR[0], 60)
    left.plot(0.55 * np.cos(long), 0.55 * np.sin(long), ":", color=GREY, linewidth=2)
    left.text(0.1, -0.16, f"{difference:.2f}", ha="center", va="center", fontsize=11, color=GREY)
    left.text(0, -1.5, f"short way {2 * np.pi - difference:.2f}", ha="center", fontsize=11)
    left.set(xlim=(-1.7, 1.3), ylim=(-1.7, 1.6), aspect="equal")
    left.axis("off")
    x = np.linspace(-3 * np.pi, 3 * np.pi, 301)
    right.plot(x, np.abs(x - 2 * np.pi * np.round(x / (2 * np.pi))), color=INK)
    ticks = np.arange(-2, 3) * np.pi
    right.set_xticks(ticks[::2], ["−2π", "0", "2π"])
    right.set_yticks([0, np.pi], ["0", "π"])
    right.set_xlabel("difference", fontsize=11)
    right.set_title("distance", fontsize=11, loc="left")
    return figure


def draw_pesq() -> Figure:
    """The stages of PESQ."""
    figure, axes = sheet(372)
    for text, middle in (("clean speech", 92), ("output", 230)):
        axes.text(middle, 12, text, ha="center", va="center")
    rows = ("1 level, filter", "2 Bark bands", "3 forgive", "4 loudness")
    for number, text in enumerate(rows):
        top = 32 + 52 * number
        for left in (32, 170):
            box(axes, text, (left, top, 120, 30), BUILT, size=11)
            arrow(axes, (left + 60, top - 14 if number == 0 else top - 22), (left + 60, top))
        if text == "3 forgive":
            arrow(axes, (152, top + 15), (170, top + 15), head=False, linestyle=":")
    axes.plot([300, 354, 354, 300, 300], [32, 32, 62, 62, 32], "--", color=GREY, linewidth=1)
    axes.text(327, 47, "delays", ha="center", va="center", fontsize=11)
    axes.text(327, 74, "standard", ha="center", va="center", fontsize=11, color=GREY)
    axes.text(327, 87, "only", ha="center", va="center", fontsize=11, color=GREY)
    arrow(axes, (300, 47), (290, 47), linestyle="--")
    box(axes, "5 disturbance", (92, 246, 140, 30), BUILT, size=11)
    arrow(axes, (92, 218), (92, 230), (130, 230), (130, 246))
    arrow(axes, (230, 218), (230, 230), (194, 230), (194, 246))
    box(axes, "all of it", (60, 292, 90, 28), "white", round_by=14, size=11)
    box(axes, "what was added", (174, 292, 124, 28), "white", round_by=14, size=11)
    arrow(axes, (130, 276), (105, 292))
    arrow(axes, (194, 276), (236, 292))
    box(axes, "6 one number: 4.5 − 0.1 · … − 0.0309 · …", (32, 338, 266, 30), BUILT, size=11)
    arrow(axes, (105, 320), (105, 338))
    arrow(axes, (236, 320), (236, 338))
    return figure


def draw(name: str) -> Figure:
    """Draw one figure.

    Args:
        name: a key of ALT.

    Returns:
        The figure.
    """
    return globals()[name.replace("05", "draw")]()


if __name__ == "__main__":
    write(ALT, draw)
