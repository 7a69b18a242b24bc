"""Draw the figures of chapter 02: `python -m figures.chapter02` writes notebooks/figures/02_*.svg.

Each figure has its alternative text in ALT; the builder puts it into the chapter.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from figures.drawing import BLUE, GREY, ORANGE, WIDTH, write

ALT = {
    "02_kernel": (
        "A spectrogram drawn as a grid of squares, time to the right and frequency upwards. A "
        "kernel of 3 by 3 squares lies over nine of them; an arrow leads from it to a single "
        "square of a second grid, the output. A dashed outline shows the kernel one step later."
    ),
    "02_separable": (
        "Two tables, one above the other, with a column for each of three input channels. Above, a "
        "full convolution: three rows of three kernels; each row leads to one output channel. "
        "Below, a separable one: a single row of three kernels, and under it three rows of three "
        "numbers; each row of numbers leads to one output channel."
    ),
    "02_dilation": (
        "Three rows of squares, one above the other, each a line of frames. With dilation 1 the "
        "three marked frames lie side by side, with dilation 2 one frame is left out between them, "
        "with dilation 4 three frames. Below, a stack of layers with dilations 1, 2 and 4: lines "
        "fan out from one output frame to fifteen input frames."
    ),
    "02_dense_block": (
        "From top to bottom: the input and four layers with dilations 1, 2, 4 and 8. Arrows lead "
        "from the input and from every layer to all layers below it, so the layers take in 1, 2, 3 "
        "and 4 times C channels and give out C each. The output is that of the last layer."
    ),
    "02_multi_scale": (
        "From top to bottom: the input splits into three branches, depthwise 3 by 3, 5 by 5 and 7 "
        "by 7; their outputs are joined to 3 C channels, a pointwise convolution brings them to C, "
        "then norm and hard swish. A line leads from the input past all of it to a plus sign "
        "before the output."
    ),
}


def draw_kernel(axes: Axes) -> None:
    """Draw a kernel over one grid and the point that it makes in another."""
    generator = np.random.default_rng(2)
    values = 0.15 * generator.random((6, 11))
    for frequency in (1, 3, 5):
        values[frequency, 1:5] += 0.55
        values[frequency, 7:10] += 0.4
    _grid(axes, values, 0, 8)
    _grid(axes, np.zeros((6, 11)), 0, 0)
    t, f = 3, 3  # the point
    later = Rectangle((t, 8 + f - 1), 3, 3, fill=False, edgecolor=GREY, lw=2, linestyle="--")
    axes.add_patch(later)
    axes.add_patch(Rectangle((t - 1, 8 + f - 1), 3, 3, fill=False, edgecolor=ORANGE, lw=3.5))
    axes.add_patch(Rectangle((t, f), 1, 1, facecolor=ORANGE, edgecolor="black"))
    _arrow(axes, (t + 0.5, 8 + f - 1), (t + 0.5, f + 1), ORANGE)
    axes.text(0, 14.3, "input", fontweight="bold")
    axes.text(2.0, 14.3, "the kernel covers 3 × 3 values", color=ORANGE)
    axes.text(11, 7.25, "dashed: one step later", color=GREY, ha="right")
    axes.text(0, 6.35, "output", fontweight="bold")
    axes.text(4.2, 6.35, "one sum", color=ORANGE)
    axes.text(11, -0.9, "time →", ha="right")
    axes.text(-0.3, 3, "frequency →", rotation=90, ha="right", va="center")
    axes.set(xlim=(-1.2, 11.1), ylim=(-1.3, 15.2))


def draw_separable(axes: Axes) -> None:
    """Draw a full convolution with its nine kernels above a separable one with three."""
    columns, rows = (1.2, 4.0, 6.8), (12.6, 10.7, 8.8)
    axes.text(0, 16.2, "full: 9 kernels", fontweight="bold")
    for number, x in enumerate(columns, 1):
        _box(axes, f"in {number}", x, 15.0, 2.0, 1.1, GREY)
        axes.plot((x, x), (14.4, rows[-1]), color=GREY, lw=1, zorder=1)
        for y in rows:
            _kernel(axes, x, y, 0.72)
    for number, y in enumerate(rows, 1):
        _arrow(axes, (columns[0], y), (9.2, y), BLUE)
        _box(axes, f"out {number}", 10.4, y, 2.4, 1.1, GREY)
    axes.text(0, 7.1, "separable: 3 kernels, 9 numbers", fontweight="bold")
    numbers = ((0.7, -0.2, 0.1), (0.3, 0.9, -0.5), (-0.4, 0.2, 0.6))
    for column, x in enumerate(columns):
        _box(axes, f"in {column + 1}", x, 5.9, 2.0, 1.1, GREY)
        axes.plot((x, x), (5.3, -1.2), color=GREY, lw=1, zorder=1)
        _kernel(axes, x, 4.2, 0.72)
        for y, weights in zip((2.3, 0.5, -1.3), numbers, strict=True):
            style = {"boxstyle": "square,pad=0.25", "facecolor": "white", "edgecolor": ORANGE}
            text = f"{weights[column]:.1f}".replace("-", "\u2212")
            axes.text(x, y, text, ha="center", va="center", bbox=style, zorder=3)
    for number, y in enumerate((2.3, 0.5, -1.3), 1):
        _arrow(axes, (columns[0], y), (9.2, y), ORANGE)
        _box(axes, f"out {number}", 10.4, y, 2.4, 1.1, GREY)
    axes.text(8.2, 4.2, "depthwise", color=BLUE, va="center")
    axes.text(8.2, 3.25, "pointwise", color=ORANGE, va="center")
    axes.set(xlim=(-0.1, 11.8), ylim=(-2.2, 16.9))


def draw_dilation(axes: Axes) -> None:
    """Draw the frames that kernels of three dilations meet, and what a stack of them sees."""
    for height, dilation in ((14.5, 1), (12.3, 2), (10.1, 4)):
        axes.text(0, height + 1.2, f"dilation {dilation}")
        for frame in range(15):
            met = frame in (7 - dilation, 7, 7 + dilation)
            style = {"facecolor": ORANGE if met else "white", "edgecolor": "black", "lw": 0.8}
            axes.add_patch(Rectangle((frame, height), 0.9, 0.9, **style))
    axes.text(0, 8.7, "dilations 1, 2, 4 in a stack", fontweight="bold")
    rows = {0: 0.0, 1: 2.1, 2: 4.2, 3: 6.3}
    seen = {7}
    for layer, dilation in ((3, 4), (2, 2), (1, 1)):
        below = set()
        for frame in seen:
            for tap in (frame - dilation, frame, frame + dilation):
                below.add(tap)
                ends = (rows[layer] + 0.1, rows[layer - 1] + 0.8)
                axes.plot((frame + 0.45, tap + 0.45), ends, color=BLUE, lw=1.2, zorder=1)
        seen = below
    for layer, height in rows.items():
        met = {3: {7}, 2: {3, 7, 11}, 1: {1, 3, 5, 7, 9, 11, 13}, 0: set(range(15))}[layer]
        for frame in range(15):
            style = {"facecolor": ORANGE if frame in met else "white", "edgecolor": "black"}
            axes.add_patch(Rectangle((frame, height), 0.9, 0.9, lw=0.8, zorder=2, **style))
    axes.text(7.45, 7.6, "one output frame", ha="center", color=ORANGE)
    axes.text(7.45, -0.5, "15 input frames", ha="center", va="top", color=ORANGE)
    axes.set(xlim=(-0.2, 15.2), ylim=(-1.6, 16.7))


def draw_dense_block(axes: Axes) -> None:
    """Draw four layers, each with arrows from everything above it."""
    heights = (12.0, 9.2, 6.4, 3.6, 0.8)
    names = ["input", *(f"layer, dilation {dilation}" for dilation in (1, 2, 4, 8))]
    for index, (name, y) in enumerate(zip(names, heights, strict=True)):
        _box(axes, name, 3.2, y, 5.6, 1.3, BLUE if index else GREY)
        if index:
            count = "C" if index == 1 else f"{index} C"
            axes.text(0.5, y + 0.95, f"{count} in, C out", color=GREY)
    for start, line in enumerate(("-", "--", ":", "-")):
        _arrow(axes, (4.2, heights[start] - 0.72), (4.2, heights[start + 1] + 0.72), "black")
        if start < 3:
            x, top = 9.4 - 1.1 * start, heights[start] - 0.25
            bottom = heights[4] + 0.4 - 0.35 * start
            axes.plot((6.05, x, x), (top, top, bottom), color="black", lw=1.4, linestyle=line)
        for end in range(start + 2, 5):
            y = heights[end] + 0.4 - 0.35 * start
            axes.plot((6.4, x), (y, y), color="black", lw=1.4, linestyle=line)
            _arrow(axes, (6.5, y), (6.05, y), "black")
    _arrow(axes, (3.2, heights[4] - 0.72), (3.2, -1.3), "black")
    axes.text(3.6, -1.1, "output: C channels", va="center")
    axes.set(xlim=(0, 10), ylim=(-1.6, 12.9))


def draw_multi_scale(axes: Axes) -> None:
    """Draw three branches, their mix, and the way past them."""
    _box(axes, "input, C channels", 5, 13.6, 5.4, 1.3, GREY)
    for x, size in ((1.9, 3), (5.0, 5), (8.1, 7)):
        _arrow(axes, (5 + 0.25 * (x - 5), 12.9), (x, 11.1), "black")
        _box(axes, f"depthwise\n{size} × {size}", x, 10.0, 2.6, 2.0, BLUE)
        _arrow(axes, (x, 8.95), (5 + 0.4 * (x - 5), 7.5), "black")
    _box(axes, "joined: 3 C channels", 5, 6.8, 5.8, 1.2, GREY)
    _arrow(axes, (5, 6.15), (5, 5.25), "black")
    _box(axes, "pointwise: C channels", 5, 4.6, 5.8, 1.2, ORANGE)
    _arrow(axes, (5, 3.95), (5, 3.05), "black")
    _box(axes, "norm, hard swish", 5, 2.4, 5.8, 1.2, GREY)
    _arrow(axes, (5, 1.75), (5, 0.95), "black")
    axes.text(5, 0.45, "+", ha="center", va="center", fontsize=16, fontweight="bold")
    axes.add_patch(plt.Circle((5, 0.5), 0.42, fill=False, lw=1.5))
    axes.plot((7.75, 9.9, 9.9), (13.6, 13.6, 0.5), color="black", lw=1.2)
    _arrow(axes, (9.9, 0.5), (5.45, 0.5), "black")
    _arrow(axes, (5, 0.05), (5, -0.8), "black")
    axes.text(5.4, -0.6, "output", va="center")
    axes.set(xlim=(0.3, 10.2), ylim=(-1.1, 14.5))


FIGURES = {
    "02_kernel": (draw_kernel, 6.4),
    "02_separable": (draw_separable, 6.8),
    "02_dilation": (draw_dilation, 6.0),
    "02_dense_block": (draw_dense_block, 6.4),
    "02_multi_scale": (draw_multi_scale, 6.6),
}


def draw(name: str) -> plt.Figure:
    """Draw one figure.

    Args:
        name: a key of ALT.

    Returns:
        The figure.
    """
    work, height = FIGURES[name]
    figure, axes = plt.subplots(figsize=(WIDTH / 72, height), layout="constrained")
    work(axes)
    axes.axis("off")
    return figure


def _grid(axes: Axes, values: np.ndarray, x: float, y: float) -> None:
    """Squares whose darkness is their value, with the lower left corner at (x, y)."""
    for (f, t), value in np.ndenumerate(values):
        colour = str(1 - value)
        axes.add_patch(Rectangle((x + t, y + f), 1, 1, facecolor=colour, edgecolor=GREY, lw=0.6))


def _kernel(axes: Axes, x: float, y: float, size: float) -> None:
    """A small table of 3 by 3 squares with its middle at (x, y)."""
    side = 2 * size / 3
    for i in range(3):
        for j in range(3):
            corner = (x - size + i * side, y - size + j * side)
            style = {"facecolor": "white", "edgecolor": BLUE, "lw": 1.1, "zorder": 3}
            axes.add_patch(Rectangle(corner, side, side, **style))


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=13,
            color=colour,
            lw=1.2,
            shrinkA=0,
            shrinkB=0,
        )
    )


def _box(
    axes: Axes, text: str, x: float, y: float, width: float, height: float, colour: str
) -> None:
    """A rounded box with its middle at (x, y)."""
    shape = FancyBboxPatch(
        (x - width / 2 + 0.1, y - height / 2 + 0.1),
        width - 0.2,
        height - 0.2,
        boxstyle="round,pad=0.1",
        facecolor="white",
        edgecolor=colour,
        linewidth=1.6,
    )
    axes.add_patch(shape)
    axes.text(x, y, text, ha="center", va="center", color="black")


if __name__ == "__main__":
    write(ALT, draw)
