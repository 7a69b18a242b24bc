"""Draw the figures of chapter 07: `python -m figures.chapter07` writes notebooks/figures/07_*.svg.

Each figure has its alternative text in ALT; the builder puts it into the chapter.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from figures.drawing import BLUE, GREY, INK, ORANGE, arrow, panel, sheet, write

CELL = 22  # units, side of an entry of a matrix
FIRST_ZEROS = {(0, 1), (1, 0), (2, 0), (3, 1)}
SECOND_ZEROS = {(0, 0), (0, 3), (1, 1), (1, 2)}
UNIT = 2  # that is removed

ALT = {
    "07_mask_or_removal": (
        "Two layers as matrices, twice. The first has 4 rows, one for each hidden unit, and 2 "
        "columns; the second has 2 rows and 4 columns, one for each hidden unit. Above, a mask: "
        "half of the entries, here and there, are zero, and both matrices are as large as before. "
        "Below, a removal: row 2 of the first matrix and column 2 of the second are crossed out; "
        "a matrix with 3 rows and one with 3 columns stay."
    ),
    "07_schedule": (
        "Share of zeros over training steps, for a final rate of 70 %. A curve rises steeply from "
        "0 at the start and flattens towards 70 % at three quarters of the training; from there "
        "on it is level, and the masks are frozen. Points on the curve mark where the masks are "
        "drawn anew."
    ),
    "07_weight_that_returns": (
        "Magnitude of one weight over training steps, and the threshold, which rises. At the "
        "second drawing of the masks the weight is below the threshold, so it is masked: the "
        "network computes with zero, while the stored weight goes on moving. It grows, and at the "
        "fourth drawing it is above the threshold again and comes back."
    ),
}


def draw_mask_or_removal() -> Figure:
    """Zeros here and there, against a row and a column that are taken out."""
    figure, axes = sheet(318)
    for top, title in ((0, "mask: zeros here and there"), (160, "removal: row 2 and column 2")):
        axes.text(8, top + 14, title, va="center", fontweight="bold")
        axes.text(8, top + 38, "first layer", va="center", fontsize=11)
        axes.text(140 + 2 * CELL, top + 38, "second layer", ha="center", va="center", fontsize=11)
    for rows, columns, left, zeros in ((4, 2, 8, FIRST_ZEROS), (2, 4, 140, SECOND_ZEROS)):
        for row in range(rows):
            for column in range(columns):
                _entry(axes, left, 52, row, column, (row, column) in zeros)
                gone = UNIT == (row if columns == 2 else column)
                _entry(axes, left, 212, row, column, gone, crossed=gone)
    for unit in range(4):
        for top in (52, 212):
            y = top + CELL * (unit + 0.5)
            axes.text(8 + 2 * CELL + 8, y, f"unit {unit}", va="center", fontsize=11, color=GREY)
            x = 140 + CELL * (unit + 0.5)
            axes.text(x, top + 2 * CELL + 11, str(unit), ha="center", va="center", fontsize=11,
                      color=GREY)  # fmt: skip
    axes.text(140 + 4 * CELL + 14, 74, "as large\nas before", va="center", fontsize=11)
    axes.text(140 + 4 * CELL + 14, 234, "3 rows,\n3 columns\nstay", va="center", fontsize=11)
    return figure


def _entry(axes: Axes, left, top, row, column, zero: bool, crossed: bool = False) -> None:
    x, y = left + CELL * column, top + CELL * row
    fill = "white" if zero else "#d8d8dc"
    axes.add_patch(Rectangle((x, y), CELL, CELL, facecolor=fill, edgecolor=GREY, linewidth=1))
    if crossed:
        for start, end in ((y + 4, y + CELL - 4), (y + CELL - 4, y + 4)):
            arrow(axes, (x + 4, start), (x + CELL - 4, end), head=False, color=ORANGE, linewidth=2)
    elif zero:
        axes.text(x + CELL / 2, y + CELL / 2, "0", ha="center", va="center", fontsize=11)


def draw_schedule() -> Figure:
    """The cubic schedule and the steps at which masks are drawn."""
    figure, _ = sheet(230)
    axes = panel(figure, 48, 16, 296, 168)
    progress = np.linspace(0, 1, 101)
    steps = np.concatenate([75 * progress, [100]])
    shares = 70 * np.concatenate([1 - (1 - progress) ** 3, [1]])
    axes.plot(steps, shares, color=BLUE, linewidth=2)
    drawn = np.linspace(0, 75, 11)
    axes.plot(drawn, 70 * (1 - (1 - drawn / 75) ** 3), "o", color=INK, markersize=6)
    axes.axvspan(75, 100, color="black", alpha=0.12, linewidth=0)
    axes.text(87.5, 22, "masks\nfrozen", ha="center", va="center", fontsize=11)
    axes.text(30, 30, "points: masks\ndrawn anew", va="center", fontsize=11)
    axes.set(xlim=(0, 100), ylim=(0, 80), xlabel="training (%)", ylabel="zeros (%)")
    axes.set_yticks([0, 35, 70])
    return figure


def draw_weight_that_returns() -> Figure:
    """A weight below the threshold for a while, and above it again."""
    figure, _ = sheet(236)
    axes = panel(figure, 40, 16, 304, 174)
    steps = np.arange(5)
    weight = np.array([0.9, 0.3, 0.55, 1.1, 1.25])
    threshold = np.array([0.2, 0.5, 0.68, 0.76, 0.8])
    axes.axvspan(1, 3, color="black", alpha=0.12, linewidth=0)
    axes.plot(steps, threshold, "--", color=ORANGE, linewidth=2, label="threshold")
    axes.plot(steps, weight, "-o", color=BLUE, linewidth=2, markersize=6, label="stored weight")
    axes.text(2, 0.1, "masked: computes as 0", ha="center", va="center", fontsize=11)
    axes.text(3.12, 0.95, "back", va="center", fontsize=11)
    axes.set(xlim=(-0.2, 4.2), ylim=(0, 1.6), xlabel="drawing of the masks", ylabel="magnitude")
    axes.set_xticks(steps, [str(step + 1) for step in steps])
    axes.set_yticks([])
    axes.legend(fontsize=11, loc="upper left", ncol=2, frameon=False)
    return figure


def draw(name: str) -> Figure:
    """Draw one figure.

    Args:
        name: a key of ALT.

    Returns:
        The figure.
    """
    drawings = {"mask_or_removal": draw_mask_or_removal, "schedule": draw_schedule}
    return (drawings | {"weight_that_returns": draw_weight_that_returns})[
        name.removeprefix("07_")
    ]()


if __name__ == "__main__":
    write(ALT, draw)
