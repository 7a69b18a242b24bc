"""Draw the figures of chapter 08: `python -m figures.chapter08` writes notebooks/figures/08_*.svg.

Each figure has its alternative text in ALT; the builder puts it into the chapter.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.drawing import BLUE, GREY, INK, ORANGE, arrow, box, panel, sheet, write

FILL = "#d8d8dc"
STEEP = 1.0  # curvature of the bowl
ALT = {
    "08_sets": (
        "Three boxes, one below the other. Training set, 26 of 28 speakers: it moves the weights, "
        "thousands of times. Validation set, the other two: it chooses the checkpoint, some "
        "twenty times. Test set, two new speakers: it gives the number that is reported, "
        "once. A crossed-out arrow from the test set back to the choice: not that way."
    ),
    "08_rates": (
        "A bowl, three times, and the way of a weight that starts on its left slope, at a ring. "
        "Rate 0.1: many small steps down the slope, not yet at the bottom. Rate 0.9: one step "
        "nearly to the bottom. Rate 2.1: it jumps from side to side, each time higher."
    ),
    "08_boundary": (
        "A recording as a bar, its first three fifths for training, the rest for validation. Below "
        "it overlapping crops. Those that end before the boundary belong to the training, those "
        "that begin after it to the validation. Three crops reach over the boundary; they are "
        "crossed out, because they belong to neither."
    ),
}


def draw_sets() -> Figure:
    """Who uses which set, and how often."""
    figure, axes = sheet(224)
    rows = (
        ("training", "26 of 28 speakers", "moves the weights", "thousands of times"),
        ("validation", "the other two", "chooses the checkpoint", "some twenty times"),
        ("test", "two new speakers", "gives the number", "once"),
    )
    for top, (name, who, does, often) in zip((8, 82, 156), rows, strict=True):
        box(axes, f"{name}\n{who}", (6, top, 146, 58), fill=FILL)
        arrow(axes, (156, top + 29), (190, top + 29))
        axes.text(196, top + 20, does, va="center", fontweight="bold")
        axes.text(196, top + 40, often, va="center", fontsize=11)
    arrow(axes, (349, 172), (349, 110), color=ORANGE, linewidth=2, linestyle="--")
    for side in (-1, 1):
        arrow(axes, (341, 142 - 8 * side), (357, 142 + 8 * side), head=False, color=ORANGE,
              linewidth=3)  # fmt: skip
    return figure


def draw_rates() -> Figure:
    """Steps in a bowl: too small, right, too large."""
    figure, axes = sheet(150)
    starts = {0.1: (-1.8, 6), 0.9: (-1.8, 6), 2.1: (-1.2, 5)}
    for left, (rate, (start, steps)) in zip((6, 126, 246), starts.items(), strict=True):
        axes.text(left + 54, 14, f"rate {rate}", ha="center", va="center", fontweight="bold")
        bowl = panel(figure, left, 26, 108, 116)
        places = np.linspace(-2.2, 2.2, 60)
        bowl.plot(places, places**2, color=GREY, linewidth=1.5)
        path = start * (1 - rate * STEEP) ** np.arange(steps)
        bowl.plot(path, path**2, "-", color=BLUE, linewidth=1.2)
        bowl.plot(path, path**2, "o", color=INK, markersize=5)
        bowl.plot(path[:1], path[:1] ** 2, "o", color=ORANGE, markersize=9, fillstyle="none",
                  markeredgewidth=2)  # fmt: skip
        bowl.set(xlim=(-2.3, 2.3), ylim=(-0.3, 5.0))
        bowl.axis("off")
    return figure


def draw_boundary() -> Figure:
    """Overlapping crops at the boundary of two parts."""
    figure, axes = sheet(214)
    left, boundary, right, crop, hop = 10, 216, 350, 72, 24
    box(axes, "training", (left, 8, boundary - left, 26), fill=FILL)
    box(axes, "validation", (boundary, 8, right - boundary, 26), fill="white")
    arrow(axes, (boundary, 4), (boundary, 208), head=False, color=INK, linestyle=":", linewidth=2)
    for number in range(9):
        begin, top = 88 + hop * number, 44 + 20 * number
        end = begin + crop
        if end > right:
            break
        over = begin < boundary < end
        _crop(axes, begin, top, crop, over, FILL if end <= boundary else "white")
    return figure


def _crop(axes: Axes, begin: float, top: float, width: float, over: bool, fill: str) -> None:
    box(axes, "", (begin, top, width, 14), fill=fill)
    if over:
        for start, end in ((top, top + 14), (top + 14, top)):
            arrow(axes, (begin + 4, start), (begin + width - 4, end), head=False, color=ORANGE,
                  linewidth=2)  # fmt: skip


def draw(name: str) -> Figure:
    """Draw one figure.

    Args:
        name: a key of ALT.

    Returns:
        The figure.
    """
    drawings = {"08_sets": draw_sets, "08_rates": draw_rates, "08_boundary": draw_boundary}
    return drawings[name]()


if __name__ == "__main__":
    write(ALT, draw)
