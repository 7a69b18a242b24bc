"""Draw the figures of chapter 03: `python -m figures.chapter03` writes notebooks/figures/03_*.svg.

Each figure has its alternative text in ALT; the builder puts it into the chapter.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from figures.drawing import GREY, INK, arrow, box, sheet, write

LIT = "#f6b26b"

ALT = {
    "03_steps": (
        "Attention for one frame, in three steps. Scores: the query of the vowel (2, 0) meets the "
        "keys of four frames; the scores are 2.83, 0, 0, 2.83. Softmax turns them into the weights "
        "0.47, 0.03, 0.03, 0.47, drawn as bars. The values of the frames, multiplied by their "
        "weights, add up to (1.89, 0.53)."
    ),
    "03_heads": (
        "Attention with two heads. Query, key and value of 32 channels are each cut into halves "
        "of 16. The first halves go to head 1, the second halves to head 2. Each head makes its "
        "own weights and finds 16 channels; the two results side by side have 32 channels again, "
        "and the output matrix mixes them."
    ),
    "03_two_axes": (
        "Two small spectrograms, time to the right and frequency upwards. Above, attention along "
        "time: one row is lit, and the point in it looks at all points of its row. Below, "
        "attention along frequency: one column is lit, and the point looks at all points of its "
        "column."
    ),
    "03_fold": (
        "Folding. Left: two recordings, each a picture of three frames with four frequencies. "
        "Right: their six frames below each other, a batch of six sequences of length four."
    ),
    "03_norms": (
        "Three columns, each a path x upwards with a branch beside it. Post-norm: the branch holds "
        "the attention; the norm lies on the path, after the sum. Pre-norm: the branch holds a "
        "norm, then the attention. Dual norm: the branch holds a norm, the attention, a second "
        "norm and the gain g."
    ),
    "03_block": (
        "Left, the two-stage block from top to bottom: a conformer along time, a sum with the path "
        "around it, a conformer along frequency, a sum. Right, one conformer opened: half a "
        "feed-forward, attention with dual norm, convolution module, half a feed-forward, each "
        "with a path around it, then a norm."
    ),
}


def label(axes: Axes, text: str, x: float, y: float, **options) -> None:
    """Write a text with its middle at (x, y)."""
    options = {"ha": "center", "va": "center_baseline", "color": INK, "fontsize": 12} | options
    axes.text(x, y, text, **options)


def part(
    axes: Axes, text: str, x: float, y: float, size: tuple[float, float], fill: str = "white"
) -> None:
    """Draw a box of a size with its middle at (x, y)."""
    width, height = size
    box(axes, text, (x - width / 2, y - height / 2, width, height), fill)


def plus(axes: Axes, x: float, y: float) -> None:
    """Draw the sign of a sum."""
    axes.add_patch(Circle((x, y), 9, facecolor="white", edgecolor=INK, zorder=3))
    label(axes, "+", x, y, zorder=4)


def draw_steps() -> Figure:
    """Attention over the four frames of section 2, with its numbers."""
    figure, axes = sheet(420)
    frames = np.array([[2, 0], [0, 0], [0, 2], [2, 1]])
    scores = frames @ frames[0] / 2**0.5
    weights = np.exp(scores) / np.exp(scores).sum()
    new = weights @ frames
    columns = (72, 152, 232, 312)
    label(axes, "1  the query meets each key", 8, 14, ha="left", weight="bold")
    part(axes, "query of the vowel (2, 0)", 180, 42, (190, 26), LIT)
    names = ("vowel", "pause", "hiss", "vowel again")
    for x, name, frame, score, weight in zip(columns, names, frames, scores, weights, strict=True):
        arrow(axes, (180, 55), (x, 84))
        part(axes, f"({frame[0]}, {frame[1]})", x, 98, (62, 26))
        label(axes, name, x, 122, fontsize=11)
        arrow(axes, (x, 132), (x, 152))
        label(axes, f"{score:.2f}", x, 164)
        arrow(axes, (x, 202), (x, 216))
        axes.add_patch(Rectangle((x - 16, 290), 32, -130 * weight, facecolor=LIT, edgecolor=INK))
        label(axes, f"{weight:.2f}", x, 302)
        arrow(axes, (x, 334), (180 + (x - 192) / 6, 374))
        label(axes, f"× ({frame[0]}, {frame[1]})", x, 322)
    label(axes, "2  softmax makes weights of the scores", 8, 190, ha="left", weight="bold")
    label(axes, "3  add", 8, 350, ha="left", weight="bold")
    part(axes, f"the vowel becomes ({new[0]:.2f}, {new[1]:.2f})", 180, 390, (230, 28), LIT)
    return figure


def draw_heads() -> Figure:
    """Channels cut into two heads, each with weights of its own."""
    figure, axes = sheet(400)
    heads = ((86, "head 1", LIT), (274, "head 2", "white"))
    label(axes, "32 channels of each place, three times", 180, 14, weight="bold")
    for left, name in ((8, "query"), (128, "key"), (248, "value")):
        label(axes, name, left + 52, 36)
        for half, (x, _, fill) in enumerate(heads):
            middle = left + 26 + 52 * half
            part(axes, "16", middle, 60, (52, 26), fill)
            arrow(axes, (middle, 73), (x + (middle - 180) / 8, 122))
    for x, name, fill in heads:
        part(axes, f"{name}\nits own weights,\ntimes its values", x, 156, (140, 66), fill)
        arrow(axes, (x, 189), (x, 216))
        label(axes, "finds 16 channels", x, 228, fontsize=11)
        arrow(axes, (x, 238), (180 + (26 if x > 180 else -26), 268))
        part(axes, "16", 180 + (26 if x > 180 else -26), 282, (52, 26), fill)
    label(axes, "side by side: 32", 244, 282, ha="left", fontsize=11)
    arrow(axes, (180, 295), (180, 318))
    part(axes, "output matrix mixes both", 180, 334, (190, 30))
    arrow(axes, (180, 349), (180, 372))
    label(axes, "32 channels of each place", 180, 386)
    return figure


def draw_two_axes() -> Figure:
    """The row and the column that a point looks at."""
    figure, axes = sheet(420)
    step, columns, rows = 28, 9, 5
    for top, title, along_time in (
        (34, "along time: each frequency on its own", True),
        (244, "along frequency: each frame on its own", False),
    ):
        label(axes, title, 186, top - 16, weight="bold")
        here = (3, 2)
        for column in range(columns):
            for row in range(rows):
                lit = row == here[1] if along_time else column == here[0]
                place = (60 + column * step, top + row * step)
                colour = LIT if lit else "white"
                line = {"edgecolor": INK if lit else GREY, "linewidth": 1.4 if lit else 0.6}
                axes.add_patch(Rectangle(place, step, step, facecolor=colour, **line))
        x, y = 60 + (here[0] + 0.5) * step, top + (here[1] + 0.5) * step
        ends = [(60 + 0.3 * step, y), (60 + (columns - 0.3) * step, y)]
        if not along_time:
            ends = [(x, top + 0.3 * step), (x, top + (rows - 0.3) * step)]
        for end in ends:
            arrow(axes, (x, y), end, linewidth=1.8)
        axes.add_patch(Circle((x, y), 6, facecolor=INK, zorder=4))
        label(axes, "time →", 186, top + rows * step + 14)
        label(axes, "frequency →", 40, top + rows * step / 2, rotation=90)
    return figure


def draw_fold() -> Figure:
    """Frames of two recordings become one batch."""
    figure, axes = sheet(330)
    step = 26
    label(axes, "[B, T, F] = [2, 3, 4]", 76, 16)
    label(axes, "[B · T, F] = [6, 4]", 276, 16)
    for item, (top, fill) in enumerate(((46, LIT), (206, "white"))):
        label(axes, f"recording {item + 1}", 76, top - 10, fontsize=11)
        for frame in range(3):
            left = 30 + frame * (step + 8)
            for row in range(4):
                place = (left, top + row * step)
                axes.add_patch(
                    Rectangle(place, step, step, facecolor=fill, edgecolor=INK, linewidth=1)
                )
            label(axes, f"{frame + 1}", left + step / 2, top + 4 * step + 11, fontsize=11)
            y = 62 + (3 * item + frame) * 42
            for row in range(4):
                place = (232 + row * step, y - step / 2)
                axes.add_patch(
                    Rectangle(place, step, step, facecolor=fill, edgecolor=INK, linewidth=1)
                )
            label(axes, f"{item + 1}, {frame + 1}", 212, y, fontsize=11)
        arrow(axes, (138, top + 52), (190, top + 52))
    label(axes, "frequency →", 284, 307, fontsize=11)
    return figure


def draw_norms() -> Figure:
    """Places of the norms in one residual layer."""
    figure, axes = sheet(380)
    branches = {
        "post-norm": ["attention"],
        "pre-norm": ["norm", "attention"],
        "dual norm": ["norm", "attention", "norm", "× g"],
    }
    for left, (title, parts) in zip((0, 120, 240), branches.items(), strict=True):
        path, branch = left + 18, left + 74
        label(axes, title, left + 58, 16, weight="bold")
        label(axes, "x", path, 362)
        top = 40
        if title == "post-norm":
            part(axes, "norm", path + 10, 74, (52, 26), LIT)
            arrow(axes, (path, 352), (path, 119))
            arrow(axes, (path, 101), (path, 88))
            arrow(axes, (path, 61), (path, top))
        else:
            arrow(axes, (path, 352), (path, 119))
            arrow(axes, (path, 101), (path, top))
        plus(axes, path, 110)
        y = 312
        arrow(axes, (path, 340), (branch, 340), (branch, y + 13))
        for number, name in enumerate(parts, start=1):
            part(axes, name, branch, y, (72, 26), LIT if name == "norm" else "white")
            last = number == len(parts)
            if not last:
                arrow(axes, (branch, y - 13), (branch, y - 31))
            else:
                arrow(axes, (branch, y - 13), (branch, 110), (path + 10, 110))
            y -= 44
    return figure


def draw_block() -> Figure:
    """The two-stage block and one of its conformers."""
    figure, axes = sheet(470)
    label(axes, "two-stage block", 76, 14, weight="bold")
    path = 92
    arrow(axes, (path, 28), (path, 92))
    for y, text in ((120, "conformer\nalong time"), (290, "conformer\nalong\nfrequency")):
        part(axes, text, path, y, (96, 54), LIT)
        arrow(axes, (path, y + 27), (path, y + 61))
        plus(axes, path, y + 70)
        arrow(axes, (path, y - 62), (22, y - 62), (22, y + 70), (path - 9, y + 70))
        arrow(axes, (path, y + 79), (path, y + 143 if y == 120 else y + 110))
    label(axes, "one conformer", 262, 14, weight="bold")
    path = 272
    parts = ("½ feed-forward", "attention,\ndual norm", "convolution\nmodule", "½ feed-forward")
    y = 62
    arrow(axes, (path, 28), (path, y - 17))
    for name in parts:
        part(axes, name, path, y, (112, 34))
        arrow(axes, (path, y + 17), (path, y + 36))
        plus(axes, path, y + 45)
        arrow(axes, (path, y - 26), (196, y - 26), (196, y + 45), (path - 9, y + 45))
        arrow(axes, (path, y + 54), (path, y + 79))
        y += 96
    part(axes, "norm", path, y - 6, (112, 24))
    arrow(axes, (path, y + 6), (path, y + 22))
    return figure


DRAW = {
    "03_steps": draw_steps,
    "03_heads": draw_heads,
    "03_two_axes": draw_two_axes,
    "03_fold": draw_fold,
    "03_norms": draw_norms,
    "03_block": draw_block,
}


def draw(name: str) -> Figure:
    """Draw one of the figures in ALT."""
    return DRAW[name]()


if __name__ == "__main__":
    write(ALT, draw)
