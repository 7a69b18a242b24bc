"""Draw the figures of chapter 09: `python -m figures.chapter09` writes notebooks/figures/09_*.svg.

Each figure has its alternative text in ALT; the builder puts it into the chapter.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from figures.drawing import BLUE, GREY, INK, ORANGE, arrow, box, panel, sheet, write

BUILT = "#d8d8dc"
FILES = (0.2, 0.9, 0.5, 1.1, 0.4, 0.7, 0.3, 0.9)  # of section 1
SEEDS = ((1.98, 1.96, 1.93), (1.955, 1.934, 1.907))  # drawn, not measured

ALT = {
    "09_interval": (
        "Eight gains as points on a line from 0 to 1.2. Below them three bars around their mean: "
        "the spread of single files, the standard error, which is shorter by a factor of √8, "
        "and the interval, which is t times the standard error on each side."
    ),
    "09_simpson": (
        "Scores of two systems on easy and on hard files. A is above B in both groups. But A was "
        "tested on one easy and three hard files, B on three easy and one hard: the mean of all "
        "files, a cross for each, is lower for A."
    ),
    "09_pairs": (
        "Left, the scores of two variants, three seeds each, as two columns of points that "
        "overlap. Right, the same points with the seeds joined by lines: all three lines fall by "
        "nearly the same amount."
    ),
    "09_power": (
        "Two bells over the gain that a study finds: one around zero, if there is nothing, one "
        "around the true gain. Two vertical bounds, at the same distance left and right of zero: "
        "what lies beyond one of them counts as shown. The dark part of the second bell beyond the "
        "right bound is the power; the part between the bounds is missed. Beyond the left bound "
        "this bell has almost nothing."
    ),
    "09_rating": (
        "On top the open reference. Below it versions under the letters A to E, each with a slider "
        "from 0, bad, to 100, excellent. Arrows tell what two of the letters are: one is the "
        "reference once more and should get 100, one is the anchor, the reference without what is "
        "above 3.5 kHz."
    ),
}


def draw_interval() -> Figure:
    """Spread, standard error and interval of eight gains."""
    figure, _ = sheet(206)
    axes = panel(figure, 12, 6, 336, 158)
    mean, spread = np.mean(FILES), np.std(FILES, ddof=1)
    shown = {}
    for value in FILES:  # equal ones above each other
        shown[value] = shown.get(value, 0) + 1
        axes.plot(value, 3.55 + 0.28 * shown[value], "o", color=INK, markersize=7)
    axes.axvline(mean, color=GREY, linewidth=1, linestyle=":")
    error = spread / np.sqrt(len(FILES))
    bars = ((3.0, spread, "spread", GREY), (2.0, error, "standard error", ORANGE))
    for height, half, text, colour in (*bars, (1.0, 2.36 * error, "interval", BLUE)):
        axes.plot([mean - half, mean + half], [height, height], color=colour, linewidth=6)
        axes.text(mean, height + 0.2, text, ha="center", va="bottom", fontsize=12, color=colour,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
    axes.spines["left"].set_visible(False)
    axes.set(xlim=(0, 1.25), ylim=(0.5, 4.6), yticks=[])
    axes.set_xlabel("gain of a file", fontsize=11)
    return figure


def draw_simpson() -> Figure:
    """Better in both groups, worse on the mean."""
    figure, _ = sheet(236)
    axes = panel(figure, 44, 14, 300, 190)
    scores = {
        "A": (BLUE, "o", [3.0], [2.0, 2.0, 2.0], -0.1),
        "B": (ORANGE, "s", [2.9, 2.9, 2.9], [1.9], 0.1),
    }
    for system, (colour, mark, easy, hard, shift) in scores.items():
        for middle, values in ((0, easy), (1, hard)):
            places = middle + shift + 0.16 * np.sign(shift) * np.arange(len(values))
            axes.plot(places, values, mark, color=colour, markersize=8)
            outer = places[-1] + 0.1 * np.sign(shift)
            side = "right" if shift < 0 else "left"
            axes.text(outer, values[0], system, ha=side, va="center", color=colour, fontsize=12)
        axes.plot(2 + 2 * shift, np.mean(easy + hard), "X", color=colour, markersize=12)
        place = 2 + 2 * shift, np.mean(easy + hard) - 0.1
        axes.text(*place, system, ha="center", va="top", color=colour, fontsize=12)
    axes.set(xlim=(-0.7, 2.6), ylim=(1.7, 3.15), yticks=(2, 2.5, 3))
    axes.set_xticks((0, 1, 2), ("easy", "hard", "all"), fontsize=12)
    axes.set_ylabel("score", fontsize=11)
    return figure


def draw_pairs() -> Figure:
    """The same six scores, alone and joined by seed."""
    figure, _ = sheet(206)
    for left, joined, title in ((30, False, "two means"), (208, True, "three differences")):
        axes = panel(figure, left, 26, 140, 140)
        for seed, mark in enumerate("os^"):
            values = [variant[seed] for variant in SEEDS]
            if joined:
                axes.plot((0, 1), values, color=GREY, linewidth=1)
            for place, value in enumerate(values):
                colour = (BLUE, ORANGE)[place]
                axes.plot(place, value, mark if joined else "o", color=colour, markersize=9)
        axes.set(xlim=(-0.4, 1.4), ylim=(1.9, 2.0), yticks=[])
        axes.set_xticks((0, 1), ("complete", "variant"), fontsize=11)
        axes.set_title(title, fontsize=12)
        axes.set_ylabel("" if joined else "score", fontsize=11)
    return figure


def draw_power() -> Figure:
    """What a study finds if there is nothing, and if there is something."""
    figure, _ = sheet(206)
    axes = panel(figure, 10, 8, 340, 164)
    x, bound, true = np.linspace(-3.2, 5.6, 400), 1.96, 2.3
    axes.plot(x, norm.pdf(x), "--", color=GREY)
    axes.plot(x, norm.pdf(x - true), color=INK)
    axes.fill_between(x, norm.pdf(x - true), where=x >= bound, color=BLUE)
    axes.axvline(bound, ymax=0.86, color=INK, linewidth=1)
    axes.text(bound, 0.425, "bound", ha="center", fontsize=12)
    axes.axvline(-bound, ymax=0.54, color=INK, linewidth=1)
    axes.text(-bound, 0.27, "bound", ha="center", fontsize=12)
    axes.text(-0.3, 0.41, "no gain", ha="right", fontsize=12, color=GREY)
    axes.text(3.2, 0.36, "a true gain", ha="left", fontsize=12)
    axes.text(2.9, 0.13, "power", ha="center", color="white", fontsize=12)
    axes.annotate("missed", (1.45, 0.12), xytext=(0.15, 0.12), fontsize=11, ha="center",
                  va="center", arrowprops={"arrowstyle": "->"})  # fmt: skip
    axes.spines["left"].set_visible(False)
    axes.set(xlim=(-3.2, 5.6), ylim=(0, 0.48), yticks=[])
    axes.set_xticks((0, true), ("0", "gain"), fontsize=11)
    axes.set_xlabel("gain that a study finds", fontsize=11)
    return figure


def draw_rating() -> Figure:
    """An open reference, letters with sliders, and what two of them are."""
    figure, axes = sheet(246)
    box(axes, "open reference", (20, 6, 150, 28), BUILT)
    for number, (letter, rating) in enumerate(zip("ABCDE", (52, 100, 61, 30, 64), strict=True)):
        _slider(axes, letter, rating, 58 + 36 * number)
    axes.text(62, 50, "0 bad", fontsize=11, ha="left", va="center")
    axes.text(222, 50, "100 excellent", fontsize=11, ha="right", va="center")
    traps = {108: "reference once\nmore: give it 100", 180: "anchor: nothing\nabove 3.5 kHz"}
    for middle, text in traps.items():
        axes.text(250, middle, text, fontsize=11, va="center")
        arrow(axes, (246, middle), (222, middle), color=GREY)
    return figure


def _slider(axes: Axes, letter: str, rating: float, top: float) -> None:
    """A letter, a line from 0 to 100, and where it stands."""
    box(axes, letter, (20, top, 28, 28), "white")
    axes.plot([62, 212], [top + 14, top + 14], color=GREY, linewidth=2)
    axes.plot(62 + 1.5 * rating, top + 14, "o", color=BLUE, markersize=12)


def draw(name: str) -> Figure:
    """Draw one figure.

    Args:
        name: a key of ALT.

    Returns:
        The figure.
    """
    return globals()[name.replace("09", "draw")]()


if __name__ == "__main__":
    write(ALT, draw)
