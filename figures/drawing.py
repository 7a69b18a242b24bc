"""What the drawn figures share: a sheet that is readable on a phone, boxes, arrows, small files.

A sheet is 360 units wide, as many as a phone has pixels, so a text of size 11 has 11 pixels there.
Colours only repeat what shape, border and darkness say as well.
"""

import io
import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

FOLDER = Path(__file__).resolve().parents[1] / "notebooks" / "figures"
BLUE, ORANGE, GREY, INK = "#1a5fb4", "#c64600", "#5e5c64", "#1d1d20"
STYLE = {"svg.fonttype": "path", "svg.hashsalt": "effifusion-lite", "font.size": 12}
WIDTH = 360  # units of a sheet, and pixels of a phone
SHOWN = 420  # pixels that a sheet takes where there is room


def sheet(height: float) -> tuple[Figure, Axes]:
    """An empty sheet.

    Args:
        height: in units.

    Returns:
        The figure, and axes without frame whose units are those of the sheet, y downwards.
    """
    figure = plt.figure(figsize=(WIDTH / 72, height / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    axes.axis("off")
    return figure, axes


def panel(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes for a plot on a sheet, without a frame above and on the right.

    Args:
        figure: figure of a sheet.
        left, top, width, height: place in units.

    Returns:
        The axes.
    """
    whole = figure.get_figheight() * 72
    axes = figure.add_axes(
        (left / WIDTH, 1 - (top + height) / whole, width / WIDTH, height / whole)
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=11)
    return axes


def stems(axes: Axes, values: Sequence[float], colour: str = INK, form: str = "") -> None:
    """Draw samples as stems on a line.

    Args:
        axes: their panel, whose axes are taken away.
        values: the samples.
        colour: of the stems.
        form: how each value is written at its end, such as ".1f"; not at all if empty.
    """
    axes.axis("off")
    axes.axhline(0, color=GREY, linewidth=1, clip_on=False)
    axes.vlines(range(len(values)), 0, values, color=colour, linewidth=2, clip_on=False)
    axes.plot(values, "o", color=colour, markersize=6, clip_on=False)
    for place, value in enumerate(values if form else ()):
        up = value >= 0
        text = f"{value:{form}}".replace("-", "−")
        at = {"xytext": (0, 6 if up else -6), "textcoords": "offset points", "ha": "center"}
        axes.annotate(text, (place, value), va="bottom" if up else "top", fontsize=11, **at)


def box(
    axes: Axes,
    text: str,
    place: tuple[float, float, float, float],
    fill: str = "white",
    thick: bool = False,
    round_by: float = 3,
    size: float = 12,
) -> None:
    """Draw a box with a text in its middle; the text is white where the box is dark.

    Args:
        axes: axes of a sheet.
        text: the text.
        place: left, top, width, height.
        fill: colour of the box.
        thick: border of 2.5 units in place of 1.
        round_by: radius of the corners.
        size: of the text.
    """
    left, top, width, height = place
    style = f"round,pad=0,rounding_size={round_by}"
    line = {"edgecolor": "black" if thick else GREY, "linewidth": 2.5 if thick else 1}
    axes.add_patch(
        FancyBboxPatch((left, top), width, height, style, facecolor=fill, clip_on=False, **line)
    )
    colour = "white" if fill == INK else INK
    middle = left + width / 2, top + height / 2
    axes.text(*middle, text, ha="center", va="center_baseline", color=colour, fontsize=size)


def arrow(axes: Axes, *points: tuple[float, float], head: bool = True, **line) -> None:
    """Draw a line through points, with a head at its end.

    Args:
        axes: axes of a sheet.
        points: two or more places (x, y).
        head: draw the head.
        line: colour and the like.
    """
    line = {"color": INK, "linewidth": 1.2, "clip_on": False} | line
    axes.plot(*zip(*points, strict=True), **line)
    if head:
        (x0, y0), (x1, y1) = points[-2:]
        length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
        u, v = (x1 - x0) / length, (y1 - y0) / length
        corners = [(x1, y1)] + [(x1 - 7 * u - s * v, y1 - 7 * v + s * u) for s in (3.5, -3.5)]
        axes.fill(*zip(*corners, strict=True), color=line["color"], linewidth=0, clip_on=False)


def save(figure: Figure, name: str, shown_width: int = SHOWN) -> None:
    """Write a figure beside the notebooks and close it.

    Args:
        figure: the figure.
        name: its file without `.svg`.
        shown_width: pixels that it takes where there is room.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", facecolor="white", metadata=nothing)
    plt.close(figure)
    (FOLDER / f"{name}.svg").write_text(_slim(buffer.getvalue(), shown_width), encoding="utf-8")


def write(alts: Sequence[str], draw, shown_width: int = SHOWN) -> None:
    """Draw and write several figures in the common style.

    Args:
        alts: names of the figures.
        draw: makes the figure of a name.
        shown_width: pixels that each takes where there is room.
    """
    with plt.rc_context(STYLE):
        for name in alts:
            save(draw(name), name, shown_width)


def _slim(svg: str, width: int) -> str:
    """The same drawing in a smaller file, shown with that many pixels."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r">\s+<", "><", svg)
    svg = re.sub(r"\s+", " ", svg)
    svg = re.sub(r"[1-9]\d*\.\d{2,}", lambda number: f"{float(number[0]):.1f}", svg)
    svg = re.sub(r' id="(figure|axes|patch|line2d|text)_\d+"', "", svg)
    svg = svg.replace("DejaVuSans-", "g").replace("stroke-linejoin: miter", "")
    svg = re.sub(r'(<use [^>]*)transform="translate\((\S+) 0\)"', r'\1x="\2"', svg)
    svg = re.sub(r" ?([MLQCz]) ", r"\1", svg)
    svg = re.sub(
        r' style="([^"]*)"',
        lambda style: f' style="{re.sub("; *$|(?<=[:;]) ", "", style[1])}"',
        svg,
    )
    size = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg)
    height = width * float(size[2]) / float(size[1])
    return svg.replace(size[0], f'width="{width}" height="{height:.0f}"', 1) + "\n"
