"""Draw the figures of chapter 01: `python -m figures.chapter01` writes notebooks/figures/01_*.svg.

Each figure has its alternative text in ALT; the builder puts it into the chapter.
"""

import numpy as np
from matplotlib.figure import Figure

from figures.drawing import BLUE, GREY, INK, ORANGE, arrow, box, panel, sheet, stems, write

EIGHT = np.array([1.0, 2, 2, 0, -1, -2, -2, 0])  # the samples of the chapter
TURN = 2 * np.pi * np.arange(8) / 8  # one turn in eight samples

ALT = {
    "01_way_of_the_data": (
        "The way of the data. Above, from left to right: the waveform [N] goes through the STFT "
        "and splits into magnitude and phase [F, T]; the magnitude is compressed; both enter the "
        "generator. "
        "Below, from right to left: the generator's magnitude is expanded, joined with its phase, "
        "and the inverse STFT gives the enhanced waveform [N]."
    ),
    "01_inner_product": (
        "Eight samples, multiplied one by one by a cosine with one turn in eight samples: the "
        "products add up to 4.83. The same samples, multiplied by a sine with one turn: the "
        "products add up to 6.83."
    ),
    "01_why_two": (
        "A plane with the sum of the products with the cosine to the right, and that of the "
        "products with the sine upwards. Four arrows start in its middle, for the eight samples "
        "moved by 0, 1, 2 and 3 places. Each points an eighth of a turn further than the one "
        "before. All have the length 8.36, so they end on one circle. The first one has the parts "
        "4.83 and 6.83."
    ),
    "01_padding": (
        "Eight samples, 1, 2, 2, 0, −1, −2, −2, 0, with two zeros before and two after them. "
        "Below, five frames of four samples, each two samples after the one before, with a bump "
        "for the window. The first is centred on sample 0, the last on sample 8, which is the "
        "first zero after the samples; half of each of these two lies over zeros."
    ),
    "01_frames": (
        "A waveform with zeros added before its beginning. Four Hann windows of 400 samples lie "
        "over it, each 100 samples after the one before; the first is centred on sample 0 and "
        "half of it lies over the zeros. Below, the sum of their squares becomes constant where "
        "four windows overlap."
    ),
    "01_slope": (
        "Magnitude in dB before compression to the right, after it upwards. Without compression "
        "the line has slope 1. With the power 0.3 it has slope 0.3: five magnitudes 20 dB apart, "
        "from −40 to 40 dB, end up 6 dB apart, from −12 to 12 dB."
    ),
}


def draw_way_of_the_data() -> Figure:
    """The blocks of this chapter around the generator."""
    figure, axes = sheet(250)
    for text, place, fill, ends in (
        ("waveform\n[N]", (2, 36, 66, 44), "white", 16),
        ("STFT", (80, 36, 48, 44), "#d8d8dc", 3),
        ("magnitude\n[F, T]", (142, 12, 76, 40), "white", 16),
        ("phase\n[F, T]", (142, 66, 76, 40), "white", 16),
        ("compress", (232, 12, 68, 40), "#d8d8dc", 3),
        ("", (320, 6, 36, 238), "white", 3),
        ("expand", (232, 144, 68, 40), "#d8d8dc", 3),
        ("magnitude\n[F, T]", (142, 144, 76, 40), "white", 16),
        ("phase\n[F, T]", (142, 198, 76, 40), "white", 16),
        ("inverse\nSTFT", (80, 168, 48, 44), "#d8d8dc", 3),
        ("enhanced\nwaveform\n[N]", (2, 162, 66, 56), "white", 16),
    ):
        box(axes, text, place, fill, round_by=ends, size=11)
    axes.text(338, 125, "generator (chapter 04)", rotation=270, ha="center", va="center")
    arrow(axes, (68, 58), (80, 58))
    arrow(axes, (128, 58), (135, 58), (135, 32), (142, 32))
    arrow(axes, (135, 58), (135, 86), (142, 86))
    arrow(axes, (218, 32), (232, 32))
    arrow(axes, (300, 32), (320, 32))
    arrow(axes, (218, 86), (320, 86))
    arrow(axes, (320, 164), (300, 164))
    arrow(axes, (232, 164), (218, 164))
    arrow(axes, (320, 218), (218, 218))
    arrow(axes, (142, 164), (135, 164), (135, 190), head=False)
    arrow(axes, (142, 218), (135, 218), (135, 190), (128, 190))
    arrow(axes, (80, 190), (68, 190))
    return figure


def draw_inner_product() -> Figure:
    """Eight samples times a cosine and times a sine, and the sums."""
    figure, axes = sheet(378)
    for column, (name, wave) in enumerate((("cosine", np.cos(TURN)), ("sine", np.sin(TURN)))):
        left = 20 + 180 * column
        rows = (("samples", EIGHT, BLUE), (f"× {name}", wave, ORANGE), ("=", EIGHT * wave, INK))
        for number, (text, values, colour) in enumerate(rows):
            top = 30 + 112 * number
            axes.text(left + 70, top - 12, text, ha="center", va="center", color=colour)
            inside = panel(figure, left, top, 140, 76)
            inside.set(xlim=(-0.3, 7.3), ylim=(-2.2, 2.2))
            stems(inside, values, colour)
        text = f"sum {EIGHT @ wave:.2f}"
        axes.text(left + 70, 360, text, ha="center", va="center", fontweight="bold")
    return figure


def draw_why_two() -> Figure:
    """The two sums as an arrow that turns, but keeps its length, when the samples move."""
    figure, axes = sheet(310)
    inside = panel(figure, 20, 4, 320, 270)
    sums = []
    for places in range(4):
        moved = np.roll(EIGHT, places)
        sums.append((moved @ np.cos(TURN), moved @ np.sin(TURN)))
    turn, length = np.linspace(0, 2 * np.pi, 60), np.hypot(*sums[0])
    inside.plot(length * np.cos(turn), length * np.sin(turn), ":", color=GREY)
    for places, (x, y) in enumerate(sums):
        style = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.5, "shrinkA": 0, "shrinkB": 0}
        inside.annotate("", (x, y), xytext=(0, 0), arrowprops=style)
        inside.text(1.13 * x, 1.13 * y, places, ha="center", va="center", fontweight="bold")
    inside.axhline(0, color=GREY, linewidth=1)
    inside.axvline(0, color=GREY, linewidth=1)
    x, y = sums[0]
    inside.plot((x, x), (0, y), "--", color=BLUE, linewidth=1)
    inside.text(x, -0.4, f"cosine {x:.2f}", ha="center", va="top", color=BLUE, fontsize=11)
    inside.text(x + 0.4, y / 2, f"sine {y:.2f}", va="center", color=BLUE, fontsize=11)
    inside.set(xlim=(-12.4, 12.4), ylim=(-9, 10), aspect="equal")
    inside.axis("off")
    text = f"Samples moved by 0, 1, 2, 3 places: each length {length:.2f}"
    axes.text(180, 294, text, ha="center", va="center", fontsize=11)
    return figure


def draw_padding() -> Figure:
    """Frames of four over eight samples with two zeros on both sides."""
    figure, axes = sheet(292)
    cell, left = 26, 24
    padded = np.pad(EIGHT, 2)
    for place, value in enumerate(padded):
        fill = "#d8d8dc" if place in (0, 1, 10, 11) else "white"
        text = f"{value:.0f}".replace("-", "−")
        box(axes, text, (left + cell * place, 26, cell, 26), fill, round_by=0.01)
    axes.text(left + cell, 14, "zeros", ha="center", va="center", fontsize=11)
    axes.text(left + 6 * cell, 14, "samples 0 to 7", ha="center", va="center", fontsize=11)
    axes.text(left + 11 * cell, 14, "zeros", ha="center", va="center", fontsize=11)
    x = np.linspace(0, 4, 30)
    for t in range(5):
        base = 96 + 46 * t
        start = left + cell * (2 * t + 0.5)  # the window is 0 in the middle of its first cell
        height = 32 * np.sin(np.pi * x / 4) ** 2
        axes.fill_between(
            start + cell * x, base, base - height, color=BLUE, alpha=0.25, linewidth=0
        )
        arrow(axes, (start, base), (start + 4 * cell, base), head=False, color=BLUE)
        middle = start + 2 * cell
        arrow(axes, (middle, base), (middle, 54), head=False, color=GREY, linestyle=":")
        axes.plot(middle, base, "o", color=BLUE, markersize=6)
        beside = start - 8 if t > 2 else start + 4 * cell + 8
        text = f"frame {t}"
        axes.text(beside, base - 8, text, ha="right" if t > 2 else "left", va="center", color=BLUE)
    return figure


def draw_frames() -> Figure:
    """Four overlapping windows over a waveform, and the sum of their squares."""
    samples = np.arange(-200, 700, 4)
    noise = np.random.default_rng(1).standard_normal(len(samples))
    waveform = np.where(samples < 0, 0.0, 0.3 * np.sin(samples / 9) + 0.12 * noise)
    figure, _ = sheet(310)
    above, below = panel(figure, 60, 8, 290, 160), panel(figure, 60, 186, 290, 80)
    above.plot(samples, waveform, color=GREY, linewidth=0.8)
    total = np.zeros(len(samples))
    for frame in range(4):
        place = (samples - 100 * frame + 200) / 400  # from 0 to 1 within the window
        window = np.where((place >= 0) & (place < 1), np.sin(np.pi * place) ** 2, 0)
        inside = window > 0
        above.plot(samples[inside], window[inside], color=BLUE, linewidth=1.2)
        above.text(100 * frame, 1.06, f"t={frame}", ha="center", color=BLUE, fontsize=11)
        total += window**2
    above.axvspan(-200, 0, color="black", alpha=0.12, linewidth=0)
    above.text(-190, -0.7, "zeros")
    above.set(ylim=(-0.9, 1.3), yticks=(0, 1), xticks=())
    below.plot(samples, total, color=ORANGE)
    below.set(ylim=(0, 1.8), yticks=(0, 1.5), xticks=range(-200, 601, 200))
    below.set_xlabel("sample", fontsize=11)
    for inside, text in ((above, "amplitude"), (below, "sum of\nsquares")):
        inside.set_xlim(-200, 700)
        inside.set_ylabel(text, fontsize=11)
    return figure


def draw_slope() -> Figure:
    """Compression in dB: a line with the slope of the exponent."""
    figure, _ = sheet(290)
    inside = panel(figure, 58, 10, 290, 230)
    before = np.arange(-40, 41, 20)
    inside.plot(before, before, ":", color=GREY)
    inside.plot(before, 0.3 * before, "o-", color=INK)
    inside.text(20, 42, "power 1:\nslope 1", color=GREY, va="top", ha="right")
    inside.text(38, -8, "power 0.3:\nslope 0.3", va="top", ha="right")
    for value in before:
        inside.plot((value, value, -48), (-48, 0.3 * value, 0.3 * value), ":", color=BLUE, lw=1)
    inside.set(xlim=(-48, 44), ylim=(-48, 44), xticks=before, yticks=0.3 * before)
    inside.set_xlabel("magnitude before (dB)")
    inside.set_ylabel("after compression (dB)")
    return figure


def draw(name: str) -> Figure:
    """Draw one figure.

    Args:
        name: a key of ALT.

    Returns:
        The figure.
    """
    return globals()[name.replace("01", "draw")]()


if __name__ == "__main__":
    write(ALT, draw)
