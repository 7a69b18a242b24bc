"""Draw the figures of chapter 06: `python -m figures.chapter06` writes notebooks/figures/06_*.svg.

Each figure has its alternative text in ALT; the builder puts it into the chapter.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.drawing import BLUE, INK, ORANGE, arrow, box, panel, sheet, write

FILL = "#d8d8dc"
ALT = {
    "06_who_follows": (
        "Three moments of a GAN on one number, one below the other. In each, round dots are the "
        "real numbers around 2, crosses are the fakes, and a curve is the discriminator, D from 0 "
        "to 1. First: the fakes lie left of the real numbers, the curve rises to the right, and an "
        "arrow says that the generator moves right. Second: the fakes have passed the real "
        "numbers, but the curve still rises to the right, and the arrow still points right. "
        "Third: the curve has turned and falls to the right; the arrow points left."
    ),
    "06_step": (
        "One step, in two halves. Above, the generator's half: noisy speech goes through the "
        "generator and becomes enhanced speech; enhanced and clean speech enter the "
        "discriminator, whose score, with the other losses, makes the generator's loss. The "
        "gradient runs back, drawn as a dashed line, through the discriminator, where nothing is "
        "collected, to the generator. Below, the discriminator's half: clean and enhanced speech "
        "of the step before, detached, enter the discriminator; its loss compares the score with "
        "the label, PESQ, that was computed meanwhile. The gradient reaches the discriminator "
        "and ends there. At the bottom: the new pair waits while its label is computed, and an "
        "arrow leads from it up into the second half, for the next step."
    ),
}


def draw_who_follows() -> Figure:
    """Fakes, real numbers and discriminator at three moments."""
    figure, axes = sheet(392)
    real, spread = np.array([1.6, 1.85, 2.0, 2.2, 2.45]), np.array([-0.4, -0.1, 0.1, 0.35])
    moments = (  # title, middle of the fakes, slope of D, direction and height of the arrow
        ("1  The discriminator sees: real is further right", 0.0, 1.3, 1.0, 0.85),
        ("2  The generator has passed it, the curve is late", 3.3, 1.3, 1.0, 0.45),
        ("3  The discriminator has learnt better", 3.3, -1.3, -1.0, 0.9),
    )
    for number, (title, fake, slope, direction, height) in enumerate(moments):
        top = 26 + 126 * number
        axes.text(24, top - 12, title, va="center", fontsize=11)
        inside = panel(figure, 40, top, 296, 76)
        x = np.linspace(-1.5, 5.5, 80)
        middle = (2 + fake) / 2 if number != 1 else 1.0
        inside.plot(x, 1 / (1 + np.exp(-slope * (x - middle))), color=INK)
        inside.plot(real, 0 * real, "o", color=BLUE, markersize=6, clip_on=False)
        inside.plot(fake + spread, 0 * spread, "x", color=ORANGE, markersize=7, clip_on=False)
        style = {"arrowstyle": "-|>", "color": ORANGE, "linewidth": 2, "shrinkA": 0, "shrinkB": 0}
        ends = (fake + 1.3 * direction, height), (fake, height)
        inside.annotate("", ends[0], xytext=ends[1], arrowprops=style)
        inside.set(xlim=(-1.5, 5.5), ylim=(-0.1, 1.05), xticks=(-1, 2, 5), yticks=(0, 1))
        axes.text(20, top + 38, "D", ha="center", va="center", fontsize=11)
    axes.plot(58, 382, "o", color=BLUE, markersize=6)
    axes.plot(118, 382, "x", color=ORANGE, markersize=7)
    arrow(axes, (172, 382), (190, 382), head=False)
    arrow(axes, (222, 382), (244, 382), color=ORANGE)
    for left, text in ((66, "real"), (126, "fake"), (196, "D"), (250, "generator")):
        axes.text(left, 382, text, va="center_baseline", fontsize=11)
    return figure


def draw_step() -> Figure:
    """The two halves of a step, who sees what, and where gradients run."""
    figure, axes = sheet(448)
    back = {"color": ORANGE, "linestyle": (0, (4, 3)), "linewidth": 1.6}
    _half(axes, 4, 206, "1  the generator's half")
    box(axes, "noisy", (16, 44, 62, 30), round_by=14, size=11)
    box(axes, "generator", (96, 44, 92, 30), FILL, True)
    box(axes, "enhanced", (206, 44, 80, 30), round_by=14, size=11)
    box(axes, "clean", (16, 112, 62, 30), round_by=14, size=11)
    box(axes, "discriminator", (132, 112, 112, 30), FILL)
    box(axes, "loss: score → 1, …", (206, 164, 136, 30), size=11)
    arrow(axes, (78, 59), (96, 59))
    arrow(axes, (188, 59), (206, 59))
    arrow(axes, (234, 74), (234, 112))
    arrow(axes, (78, 127), (132, 127))
    arrow(axes, (222, 142), (222, 164))
    arrow(axes, (206, 179), (160, 179), (160, 142), **back)
    arrow(axes, (160, 112), (160, 74), **back)
    axes.text(152, 160, "nothing collected", ha="right", va="center", fontsize=11)
    axes.text(338, 28, "dashed: gradient", ha="right", va="center", color=ORANGE, fontsize=11)
    _half(axes, 216, 166, "2  the discriminator's half: the pair that waited")
    box(axes, "enhanced", (16, 256, 76, 30), round_by=14, size=11)
    box(axes, "clean", (16, 294, 76, 30), round_by=14, size=11)
    box(axes, "discriminator", (146, 274, 112, 30), FILL, True)
    box(axes, "label: PESQ", (16, 340, 94, 30), round_by=14, size=11)
    box(axes, "loss: score → label", (190, 340, 152, 30), size=11)
    arrow(axes, (92, 271), (122, 271), (122, 283), (146, 283))
    arrow(axes, (92, 309), (122, 309), (122, 297), (146, 297))
    axes.plot((104, 110), (262, 280), color=INK, linewidth=2)  # the cut of detach
    axes.text(107, 253, "detach", ha="center", va="center", fontsize=11)
    arrow(axes, (210, 304), (210, 340))
    arrow(axes, (110, 355), (190, 355))
    arrow(axes, (300, 340), (300, 289), (258, 289), **back)
    box(axes, "3  the new pair waits; PESQ is computed", (4, 406, 352, 34), round_by=3, size=11)
    arrow(axes, (334, 406), (334, 382))
    axes.text(324, 394, "at the next step", ha="right", va="center_baseline", fontsize=11)
    return figure


def _half(axes: Axes, top: float, height: float, title: str) -> None:
    box(axes, "", (4, top, 352, height), round_by=3)
    axes.text(14, top + 20, title, va="center", fontweight="bold", fontsize=11)


def draw(name: str) -> Figure:
    """Draw one figure.

    Args:
        name: a key of ALT.

    Returns:
        The figure.
    """
    return globals()[name.replace("06", "draw")]()


if __name__ == "__main__":
    write(ALT, draw)
