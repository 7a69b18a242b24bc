"""Draw the figures of chapter 04: `python -m figures.chapter04` writes 04_*.svg beside this file.

Each figure has its alternative text in ALT; the chapter repeats it, and a test compares the two.
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Arc, Circle, Rectangle

from figures.drawing import BLUE, GREY, INK, ORANGE, arrow, box, panel, sheet, write

CLEAN = np.array([4.0, 2.0, 1.0, 0.5, 0.0, 3.0, 1.0, 0.2])  # the eight points of section 1
NOISY = np.array([4.0, 2.5, 0.8, 1.0, 0.8, 2.0, 0.4, 0.8])
LIGHT = "#d8d8dc"

ALT = {
    "04_mask": (
        "Eight points. Above, grey bars for the noisy magnitude and a black line for the clean "
        "one; at the third, sixth and seventh point the line is above the bar. Below, the ratio "
        "of the two at each point, cut at a ceiling of 2; a dashed line shows a ceiling of 1."
    ),
    "04_generator": (
        "The generator from top to bottom. Compressed magnitude and phase of the noisy sound, "
        "[B, 201, T] each, are stacked to [B, 2, T, 201]. The encoder makes [B, C, T, 101] of "
        "them, and the blocks keep that. Then two ways: the magnitude decoder gives a mask, which "
        "multiplies the noisy magnitude; the phase decoder gives an angle, which is added to the "
        "noisy phase and wrapped. Both results are [B, 201, T]."
    ),
    "04_subpixel": (
        "Two rows of four squares, the white ones numbered 1 to 4, the grey ones 10 to 40, become "
        "one row of eight, in which white and grey take turns: 1, 10, 2, 20, 3, 30, 4, 40."
    ),
    "04_phase": (
        "An arrow in the plane, with its real part r to the right and its imaginary part i "
        "upwards; the angle between the arrow and the axis of r is the phase. Two dashed arrows to "
        "the left, just above and just below the axis, are neighbours, though their angles are "
        "3.1 and −3.1."
    ),
}


def draw_mask() -> Figure:
    """Bars of two magnitudes, and the mask that leads from one to the other."""
    figure, axes = sheet(308)
    places = np.arange(1, 9)
    above = panel(figure, 40, 26, 310, 110)
    above.bar(places, NOISY, width=0.7, color=LIGHT, edgecolor=GREY)
    above.hlines(CLEAN, places - 0.45, places + 0.45, color=INK, linewidth=3)
    above.set(xticks=places, yticks=(0, 2, 4))
    axes.text(40, 16, "grey: noisy magnitude, black line: clean", fontsize=11.5)
    below = panel(figure, 40, 182, 310, 96)
    mask = np.minimum(CLEAN / NOISY, 2)
    below.bar(places, mask, width=0.7, color="white", edgecolor=INK, hatch="//")
    below.axhline(1, color=INK, linestyle="--", linewidth=1)
    below.axhline(2, color=INK, linewidth=1.5)
    below.set(xticks=places, yticks=(0, 1, 2), ylim=(0, 2.3))
    axes.text(40, 172, "mask = clean / noisy, ceiling 2 (dashed: 1)", fontsize=11.5)
    axes.text(195, 304, "point", ha="center", fontsize=11.5)
    return figure


def draw_generator() -> Figure:
    """The parts of the generator with the shapes between them."""
    figure, axes = sheet(560)
    box(axes, "noisy magnitude\n[B, 201, T]", (40, 8, 130, 42), round_by=12)
    box(axes, "noisy phase\n[B, 201, T]", (190, 8, 130, 42), round_by=12)
    box(axes, "stack", (130, 76, 100, 26))
    arrow(axes, (105, 50), (105, 62), (160, 62), (160, 76))
    arrow(axes, (255, 50), (255, 62), (200, 62), (200, 76))
    texts = (
        (132, "[B, 2, T, 201]"),
        (202, "[B, C, T, 101]"),
        (272, "[B, C, T, 101]"),
    )
    arrow(axes, (180, 102), (180, 142))
    box(axes, "encoder", (90, 142, 180, 30), fill=LIGHT)
    arrow(axes, (180, 172), (180, 212))
    box(axes, "blocks", (90, 212, 180, 30), fill=LIGHT)
    for y, text in texts:
        axes.text(190, y - 8, text, fontsize=11.5, va="center")
    axes.plot((180, 180), (242, 282), color=INK, linewidth=1.2)
    arrow(axes, (180, 282), (108, 282), (108, 300))
    arrow(axes, (180, 282), (252, 282), (252, 300))
    box(axes, "magnitude\ndecoder", (54, 300, 108, 44), fill=LIGHT)
    box(axes, "phase\ndecoder", (198, 300, 108, 44), fill=LIGHT)
    for x, text in ((108, "mask"), (252, "angle")):
        arrow(axes, (x, 344), (x, 392))
        axes.text(x + 8, 368, text, fontsize=11.5, va="center")
    for x, sign in ((108, "×"), (252, "+")):
        axes.add_patch(Circle((x, 405), 13, facecolor="white", edgecolor=INK, linewidth=1.5))
        axes.text(x, 405, sign, ha="center", va="center_baseline", fontsize=15)
    arrow(axes, (40, 29), (14, 29), (14, 405), (95, 405), linestyle="--")
    arrow(axes, (320, 29), (346, 29), (346, 405), (265, 405), linestyle="--")
    arrow(axes, (252, 418), (252, 446))
    box(axes, "wrap", (212, 446, 80, 26))
    arrow(axes, (108, 418), (108, 500))
    arrow(axes, (252, 472), (252, 500))
    box(axes, "enhanced\nmagnitude\n[B, 201, T]", (48, 500, 120, 56), round_by=12)
    box(axes, "enhanced\nphase\n[B, 201, T]", (192, 500, 120, 56), round_by=12)
    return figure


def draw_subpixel() -> Figure:
    """Two channels at four points, laid side by side as one channel at eight points."""
    figure, axes = sheet(236)
    size = 38
    left = (360 - 8 * size) / 2
    axes.text(left, 16, "two channels, four frequencies", fontsize=12)
    axes.text(left, 218, "one channel, eight frequencies", fontsize=12)
    for number in range(8):
        f, second = divmod(number, 2)
        text, fill = (f"{10 * (f + 1)}", LIGHT) if second else (f"{f + 1}", "white")
        start = left + 2 * size * f + size / 2, 26 + size * second
        end = left + size * number, 162
        for x, y in (start, end):
            square = Rectangle((x, y), size, size, facecolor=fill, edgecolor=INK, linewidth=1.2)
            axes.add_patch(square)
            middle = x + size / 2, y + size / 2
            axes.text(*middle, text, ha="center", va="center_baseline", fontsize=13)
        x = start[0] + (size - 5 if second else 5)
        arrow(axes, (x, 26 + 2 * size + 3), (end[0] + size / 2, 158), linewidth=1)
    return figure


def draw_phase() -> Figure:
    """Two numbers as an arrow, its angle, and two neighbours across the jump."""
    figure, axes = sheet(300)
    x0, y0, radius = 180, 150, 122
    arrow(axes, (40, y0), (336, y0), color=GREY)
    arrow(axes, (x0, 288), (x0, 14), color=GREY)
    axes.text(330, y0 + 18, "r", fontsize=14)
    axes.text(x0 + 8, 22, "i", fontsize=14)
    axes.add_patch(Circle((x0, y0), radius, fill=False, edgecolor=GREY, linewidth=0.8, alpha=0.6))
    angle = 0.7
    tip = x0 + radius * np.cos(angle), y0 - radius * np.sin(angle)
    axes.plot((tip[0], tip[0], x0), (y0, tip[1], tip[1]), ":", color=INK, linewidth=1.2)
    arrow(axes, (x0, y0), tip, color=BLUE, linewidth=2.5)
    axes.add_patch(Arc((x0, y0), 80, 80, theta1=-np.degrees(angle), theta2=0, linewidth=1.5))
    axes.text(x0 + 46, y0 - 12, "φ", fontsize=14)
    axes.text(x0 + 8, y0 + 60, "φ = atan2(i, r)", fontsize=13)
    for side in (1, -1):
        far = x0 + radius * np.cos(3.0), y0 - side * radius * np.sin(3.0)
        arrow(axes, (x0, y0), far, color=ORANGE, linewidth=2, linestyle="--")
    axes.text(40, y0 - 30, "3.1", fontsize=12, ha="center")
    axes.text(40, y0 + 38, "−3.1", fontsize=12, ha="center")
    return figure


DRAWN = {
    "04_mask": draw_mask,
    "04_generator": draw_generator,
    "04_subpixel": draw_subpixel,
    "04_phase": draw_phase,
}


def draw(name: str) -> Figure:
    """Draw one figure.

    Args:
        name: a key of ALT.

    Returns:
        The figure.
    """
    return DRAWN[name]()


if __name__ == "__main__":
    write(ALT, draw)
