"""Draw the figures of chapter 06: `python -m figures.chapter06` writes notebooks/figures/06_*.svg.

Each figure has its alternative text in ALT; the builder puts it into the chapter.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.drawing import BLUE, GREY, INK, ORANGE, arrow, box, panel, sheet, write

FILL = "#d8d8dc"
ALT = {
    "06_who_follows": (
        "Three moments of a GAN on one number, one below the other. In each, round dots are the "
        "real numbers around 2, crosses are the fakes, and a curve is the discriminator. First: "
        "the fakes lie left of the real numbers, the curve rises to the right, and an arrow says "
        "that the generator moves right. Second: the fakes have passed the real numbers, but the "
        "curve still rises to the right, and so does the arrow. Third: the curve has turned and "
        "falls to the right; the arrow points left."
    ),
    "06_step": (
        "One step, in two halves. Above, the generator's half: noisy speech goes through the "
        "generator and becomes enhanced speech; enhanced and clean speech enter the "
        "discriminator, whose score, with the other losses, makes the generator's loss. The "
        "gradient runs back, drawn as a dashed line, through the discriminator, where nothing is "
        "collected, to the generator. Below, the discriminator's half: clean and enhanced speech "
        "of the step before, detached, enter the discriminator; its loss compares the score with "
        "the label, PESQ, that was computed meanwhile. The gradient reaches the discriminator "
        "and ends there. At the bottom: the new pair waits for its label until the next step."
    ),
}


def draw_who_follows() -> Figure:
    """Fakes, real numbers and discriminator at three moments."""
    figure, axes = sheet(392)
    real, spread = np.array([1.6, 1.85, 2.0, 2.2, 2.45]), np.array([-0.4, -0.1, 0.1, 0.35])
    moments = (
        ("1  The discriminator sees: real is further right", 0.0, 1.3, 1.0),
        ("2  The generator has passed it, the curve is late", 3.3, 1.3, 1.0),
        ("3  The discriminator has learnt better", 3.3, -1.3, -1.0),
    )
    for number, (title, fake, slope, direction) in enumerate(moments):
        top = 26 + 126 * number
        axes.text(24, top - 12, title, va="center", fontsize=11)
        inside = panel(figure, 24, top, 312, 76)
        x = np.linspace(-1.5, 5.5, 80)
        middle = (2 + fake) / 2 if number != 1 else 1.0
        inside.plot(x, 1 / (1 + np.exp(-slope * (x - middle))), color=INK)
        inside.plot(real, 0 * real, "o", color=BLUE, markersize=6, clip_on=False)
        inside.plot(fake + spread, 0 * spread, "x", color=ORANGE, markersize=7, clip_on=False)
        style = {"arrowstyle": "-|>", "color": ORANGE, "linewidth": 2, "shrinkA": 0, "shrinkB": 0}
        inside.annotate("", (fake + 1.3 * direction, 0.3), xytext=(fake, 0.3), arrowprops=style)
        inside.set(xlim=(-1.5, 5.5), ylim=(-0.1, 1.05), xticks=(-1, 2, 5), yticks=())
    axes.text(
        180, 382, "● real   × fake   curve: D(x)", ha="center", va="center", fontsize=11, color=INK
    )
    return figure


def draw_step() -> Figure:
    """The two halves of a step, who sees what, and where gradients run."""
    figure, axes = sheet(452)
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
    arrow(axes, (316, 164), (316, 92), (142, 92), (142, 74), **back)
    axes.text(104, 154, "nothing collected", ha="center", va="center", fontsize=11)
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
    box(axes, "3  the new pair waits; PESQ is computed", (4, 396, 352, 40), round_by=3, size=11)
    arrow(axes, (348, 396), (348, 384), color=GREY, head=False)
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
