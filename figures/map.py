"""Draw the map of the series: `python -m figures.map` writes notebooks/figures/map_*.svg.

`map_NN` shows the network and its training with the part of chapter NN lit: "you are here".
`map_NN_part` is its small form, to stand before a section. Lit means dark with white text and a
thick border, built in an earlier chapter or section means grey. The texts of all are in ALT.
"""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.drawing import GREY, INK, arrow, box, sheet, write

HEIGHT, SMALL_HEIGHT = 752, 104
BUILT = "#d8d8dc"
FILLS = {"lit": INK, "built": BUILT, "later": "white"}

# Part: text, its chapters as they are printed, and place (left, top, width, height).
BOXES = {
    "mix": ("clean speech + noise", "00 08", (65, 6, 230, 26)),
    "noisy": ("noisy waveform", "10", (95, 46, 170, 26)),
    "stft": ("STFT", "01", (120, 86, 120, 26)),
    "compress": ("compress", "01", (36, 130, 130, 26)),
    "phase": ("phase", "01", (194, 130, 130, 26)),
    "encoder": ("encoder", "02", (115, 194, 130, 26)),
    "time": ("along time", "", (52, 258, 112, 26)),
    "frequency": ("along frequency", "", (186, 258, 122, 26)),
    "magnitude_dense": ("dense block", "02", (44, 328, 124, 26)),
    "mask": ("mask", "04", (44, 366, 124, 26)),
    "phase_dense": ("dense block", "02", (192, 328, 124, 26)),
    "angle": ("angle", "04", (192, 366, 124, 26)),
    "expand": ("expand", "01", (36, 454, 130, 26)),
    "istft": ("inverse STFT", "01", (105, 496, 150, 26)),
    "enhanced": ("enhanced waveform", "10", (14, 536, 200, 26)),
    "clean": ("clean waveform", "", (224, 536, 122, 26)),
    "losses": ("losses", "05", (14, 616, 78, 26)),
    "discriminator": ("discriminator", "06", (106, 616, 114, 26)),
    "scores": ("scores", "00 05 09", (234, 616, 112, 26)),
    "step": ("training step", "06 08", (14, 658, 206, 26)),
    "pruning": ("pruning", "07", (254, 658, 92, 26)),
}
DATA = {"noisy", "phase", "enhanced", "clean"}  # what is no operation has round ends
# Frame: text, its chapter, place.
FRAMES = {
    "generator": ("generator", "04", (12, 172, 336, 266)),
    "blocks": ("N blocks: attention", "03", (44, 234, 272, 58)),
    "magnitude_decoder": ("magnitude decoder", "", (36, 306, 140, 94)),
    "phase_decoder": ("phase decoder", "", (184, 306, 140, 94)),
    "training": ("training", "", (6, 576, 346, 114)),
}
CONVOLUTIONS = ("encoder", "magnitude_dense", "phase_dense")
ATTENTION = ("blocks", "time", "frequency")
DECODERS = ("magnitude_decoder", "mask", "phase_decoder", "angle")
LIT = {
    0: ("mix", "noisy", "enhanced", "clean", "scores"),
    1: ("stft", "compress", "phase", "expand", "istft"),
    2: CONVOLUTIONS,
    3: ATTENTION,
    4: ("generator", *CONVOLUTIONS, *ATTENTION, *DECODERS),
    5: ("losses", "scores"),
    6: ("discriminator", "step"),
    7: ("pruning",),
    8: ("mix", "step"),
    9: ("scores",),
    10: ("noisy", "enhanced"),
}

# The small form: text, place.
SMALL = {
    "noisy": ("", (2, 20, 24, 24)),
    "stft": ("STFT", (32, 20, 36, 24)),
    "compress": ("comp.", (75, 5, 40, 24)),
    "phase": ("phase", (75, 35, 40, 24)),
    "encoder": ("enc.", (122, 20, 34, 24)),
    "time": ("time", (163, 20, 34, 24)),
    "frequency": ("freq.", (203, 20, 34, 24)),
    "magnitude_decoder": ("mag.", (244, 5, 40, 24)),
    "phase_decoder": ("phase", (244, 35, 40, 24)),
    "istft": ("ISTFT", (291, 20, 38, 24)),
    "enhanced": ("", (335, 20, 24, 24)),
    "mix": ("mix", (2, 76, 34, 24)),
    "losses": ("losses", (44, 76, 48, 24)),
    "discriminator": ("discriminator", (100, 76, 88, 24)),
    "step": ("step", (196, 76, 38, 24)),
    "pruning": ("pruning", (242, 76, 56, 24)),
    "scores": ("scores", (306, 76, 52, 24)),
}
# Chapter and name of a small form: what is lit in it, and how a text calls that.
SECTIONS = {
    (0, "mix"): (("mix",), "the mixing of speech and noise"),
    (0, "scores"): (("scores",), "the scores"),
    (1, "stft"): (("stft",), "the STFT"),
    (1, "phase"): (("phase",), "the phase, which goes past the compression of the magnitude"),
    (1, "back"): (("istft",), "the inverse STFT"),
    (1, "compression"): (("compress",), "the compression of the magnitude"),
    (2, "encoder"): (("encoder",), "the encoder"),
    (2, "decoders"): (("magnitude_decoder", "phase_decoder"), "the two decoders"),
    (3, "time"): (("time",), "attention along time"),
    (3, "frequency"): (("frequency",), "attention along frequency"),
    (4, "encoder"): (("encoder",), "the encoder"),
    (4, "blocks"): (("time", "frequency"), "the blocks of attention along time and frequency"),
    (4, "magnitude_decoder"): (("magnitude_decoder",), "the magnitude decoder"),
    (4, "phase_decoder"): (("phase_decoder",), "the phase decoder"),
    (5, "losses"): (("losses",), "the losses"),
    (5, "scores"): (("scores",), "the scores"),
    (6, "discriminator"): (("discriminator",), "the discriminator"),
    (6, "step"): (("step",), "the training step"),
    (7, "pruning"): (("pruning",), "pruning"),
    (8, "mix"): (("mix",), "the mixing of speech and noise"),
    (8, "step"): (("step",), "the training step"),
    (9, "scores"): (("scores",), "the scores"),
    (10, "use"): (("noisy", "enhanced"), "the noisy waveform that goes in and what comes out"),
}

WAY = (
    "From top to bottom: clean speech and noise make the noisy waveform. The STFT of it is split "
    "into magnitude, which is compressed, and phase. Both enter the generator: an encoder, N "
    "blocks of attention along time and then along frequency, and side by side a magnitude "
    "decoder, which gives a mask, and a phase decoder, which gives an angle; each begins with a "
    "dense block. The compressed magnitude is multiplied by the mask, the angle is added to the "
    "phase. The magnitude is expanded, and the inverse STFT gives the enhanced waveform. In "
    "training, losses, discriminator and scores compare it with the clean waveform. The scores "
    "teach the discriminator, whose opinion is one of the losses. The training step changes both "
    "networks, and pruning takes weights out of the generator."
)
HERE = {
    0: "the mixing, the noisy, enhanced and clean waveforms, and the scores",
    1: "STFT, compression and phase, and on the way back expansion and inverse STFT",
    2: "the encoder and the dense blocks of both decoders",
    3: "the N blocks with attention along time and along frequency",
    4: "the whole generator",
    5: "the losses and the scores",
    6: "the discriminator and the training step",
    7: "pruning",
    8: "the mixing of clean speech and noise, and the training step",
    9: "the scores",
    10: "the noisy waveform that goes in and the enhanced waveform that comes out",
}
ALT = {"map_00": f"Map of the network and its training. Highlighted: {HERE[0]}. {WAY}"}
ALT |= {
    f"map_{chapter:02d}": "Map of the network and its training, the one that chapter 00 describes. "
    f"Highlighted, for this chapter: {HERE[chapter]}."
    for chapter in range(1, 11)
}
ALT |= {
    f"map_{chapter:02d}_{name}": f"Small map of the network and its training. Highlighted: {text}."
    for (chapter, name), (_, text) in SECTIONS.items()
}


def state(part: str, chapter: int, lit: tuple[str, ...]) -> str:
    """Say whether a part is "lit", "built" in an earlier chapter, or comes "later"."""
    if part in lit:
        return "lit"
    return "built" if any(part in LIT[earlier] for earlier in range(chapter)) else "later"


def draw_map(chapter: int) -> Figure:
    """Draw the map of one chapter."""
    figure, axes = sheet(HEIGHT)
    states = {part: state(part, chapter, LIT[chapter]) for part in (*BOXES, *FRAMES)}
    for part, (text, number, place) in FRAMES.items():
        _frame(axes, f"{text} {number}".strip(), place, states[part] == "lit")
    _connect(axes)
    for part, (text, number, place) in BOXES.items():
        ends = 13 if part in DATA else 3
        lit = states[part] == "lit"
        box(axes, f"{text}  {number}".strip(), place, FILLS[states[part]], lit, ends)
    _legend(axes, chapter)
    return figure


def draw_small(chapter: int, name: str) -> Figure:
    """Draw the small form for one section."""
    figure, axes = sheet(SMALL_HEIGHT)
    lit = SECTIONS[chapter, name][0]
    names = [part for number, part in SECTIONS if number == chapter]
    earlier = {p for before in names[: names.index(name)] for p in SECTIONS[chapter, before][0]}
    for x, end in ((26, 32), (156, 163), (197, 203), (329, 335)):
        arrow(axes, (x, 32), (end, 32), head=False)
    for single, double in ((68, 75), (122, 115), (237, 244), (291, 284)):
        turn = (single + double) / 2
        for y in (17, 47):
            arrow(axes, (single, 32), (turn, 32), (turn, y), (double, y), head=False)
    for part, (text, place) in SMALL.items():
        now = state(part, chapter, lit)
        now = "built" if now == "later" and part in earlier else now
        box(axes, text, place, FILLS[now], now == "lit", 12 if part in DATA else 3, 11)
        if not text:
            _wave(axes, place, "white" if now == "lit" else INK, part == "noisy")
    return figure


def draw(name: str) -> Figure:
    """Draw one figure.

    Args:
        name: a key of ALT.

    Returns:
        The figure.
    """
    _, chapter, *part = name.split("_", 2)
    return draw_small(int(chapter), *part) if part else draw_map(int(chapter))


def _frame(axes: Axes, text: str, place: tuple, lit: bool) -> None:
    left, top, width, _ = place
    box(axes, "", place, "white", lit, 5)
    label = min(width, 7.2 * len(text) + 10)
    if text.startswith("generator"):
        left += (width - label) / 2  # the way of the magnitude runs where the others have theirs
    if lit:
        box(axes, text, (left, top, label, 18), INK, True)
    else:
        axes.text(left + 7, top + 11, text, va="center_baseline", color=INK)


def _connect(axes: Axes) -> None:
    """Draw the way of the data, the two ways around the network, and the way of training."""
    arrow(axes, (180, 32), (180, 46))
    arrow(axes, (180, 72), (180, 86))
    arrow(axes, (150, 112), (150, 121), (101, 121), (101, 130))
    arrow(axes, (210, 112), (210, 121), (259, 121), (259, 130))
    arrow(axes, (101, 156), (101, 207), (115, 207))
    arrow(axes, (259, 156), (259, 207), (245, 207))
    arrow(axes, (180, 220), (180, 234))
    arrow(axes, (164, 271), (186, 271))
    for x, start, outer, edge, sign in (
        (106, 101, 24, 96, "×"),
        (254, 259, 336, 264, "+"),
    ):
        arrow(axes, (x, 292), (x, 306))
        arrow(axes, (x, 354), (x, 366))
        arrow(axes, (x, 392), (x, 410))
        arrow(axes, (start, 164), (outer, 164), (outer, 420), (edge, 420), color=GREY)
        box(axes, sign, (x - 10, 410, 20, 20), round_by=10, size=14)
    arrow(axes, (106, 430), (106, 454))
    arrow(axes, (106, 480), (106, 488), (150, 488), (150, 496))
    arrow(axes, (254, 430), (254, 488), (210, 488), (210, 496))
    arrow(axes, (160, 522), (160, 536))
    for x in (53, 163, 290):
        arrow(axes, (x, 602), (x, 616))
    arrow(axes, (114, 562), (114, 602), (53, 602), (290, 602), (285, 602), (285, 562), head=False)
    arrow(axes, (234, 629), (220, 629))
    arrow(axes, (106, 629), (92, 629))
    arrow(axes, (53, 642), (53, 658))
    arrow(axes, (163, 658), (163, 642))
    arrow(axes, (220, 671), (254, 671))
    arrow(axes, (346, 671), (356, 671), (356, 300), (348, 300))


def _legend(axes: Axes, chapter: int) -> None:
    texts = ("this chapter", "built", "still to come")
    for text, fill, left in zip(texts, FILLS.values(), (14, 132, 206), strict=True):
        box(axes, "", (left, 704, 16, 16), fill, fill == INK)
        axes.text(left + 22, 712, text, va="center_baseline", fontsize=11, color=INK)
    text = f"The numbers are chapters. You are in {chapter:02d}."
    axes.text(14, 738, text, va="center_baseline", fontsize=11, color=INK)


def _wave(axes: Axes, place: tuple, colour: str, noisy: bool) -> None:
    """A small waveform: ragged or smooth."""
    left, top, width, height = place
    ragged, smooth = (0, 5, -3, 6, -6, 4, -5, 2, 0), (0, 3, 5, 3, 0, -3, -5, -3, 0)
    heights = ragged if noisy else smooth
    xs = [left + 4 + (width - 8) * index / 8 for index in range(9)]
    ys = [top + height / 2 - y for y in heights]
    arrow(axes, *zip(xs, ys, strict=True), head=False, color=colour)


if __name__ == "__main__":
    write(ALT, draw)
