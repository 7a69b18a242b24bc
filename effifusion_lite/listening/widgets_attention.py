"""Where a trained network looks: the attention viewer, and what its weights have in common.

Chapter: 03 Dual-norm attention.
"""

import html
import itertools
from collections.abc import Mapping

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from effifusion_lite import weights
from effifusion_lite.attention import DualNormAttention
from effifusion_lite.generator import EffiFusionGenerator
from effifusion_lite.listening.live import Live, respond, without_kernel
from effifusion_lite.listening.page import Page
from effifusion_lite.plotting import image_html, plot_spectrogram
from effifusion_lite.spectral import analyse, stft

Point = tuple[float, float]  # s, Hz
Place = tuple[int, str]  # number of the block from 1, axis
LEAST, MOST = 0.3, 1000  # weight / mean, the same in all pictures so that they can be compared


@torch.no_grad()
def attention_inputs(model: EffiFusionGenerator, noisy: np.ndarray) -> dict[Place, Tensor]:
    """What goes into each attention of a network while it enhances one recording.

    Args:
        model: the generator.
        noisy: the recording, 16 kHz.

    Returns:
        For each number of a block, from 1, and axis, "time" or "frequency", the input.

    Shape:
        `noisy` [N] samples; each input [1, T, F', C] with half as many frequencies F' as the
        spectrum.
    """
    waveform = torch.as_tensor(noisy, dtype=torch.float32)[None]  # [1, N]
    magnitude, phase = analyse(waveform / waveform.square().mean().sqrt(), model.config.spectral)
    pieces: dict[Place, list[Tensor]] = {}
    hooks = []
    for number, block in enumerate(model.blocks, start=1):
        for axis in ("time", "frequency"):
            kept = pieces[number, axis] = []
            layer = getattr(block, axis).attention
            # A block works on a part of its sequences at a time.
            hooks.append(layer.register_forward_pre_hook(lambda _, x, kept=kept: kept.append(*x)))
    try:
        model(magnitude, phase)
    finally:
        for hook in hooks:
            hook.remove()
    return {
        (number, axis): torch.cat(parts, dim=2 if axis == "time" else 1)
        for (number, axis), parts in pieces.items()
    }


@torch.no_grad()
def attention_weights(layer: DualNormAttention, sequences: Tensor) -> Tensor:
    """How much each place of a sequence looks at each other place of it.

    Args:
        layer: the attention, whose own axis does not matter here.
        sequences: its input, along one axis.

    Returns:
        Weights; each row has the sum 1.

    Shape:
        [S, L, C], S sequences of length L → [S, heads, L, L], row: who looks, column: at what.
    """
    normed = layer.norm_in(sequences)
    query, key = (
        projection(normed).unflatten(-1, (-1, layer.head_channels)).transpose(1, 2)
        for projection in (layer.query, layer.key)
    )  # [S, heads, L, D] each
    return torch.softmax(query @ key.mT / layer.head_channels**0.5, dim=-1)


def noise_shares(
    model: EffiFusionGenerator, clean: np.ndarray, noisy: np.ndarray
) -> dict[Place, tuple[float, float]]:
    """How much each attention looks at points in which the noise is stronger than the speech.

    Args:
        model: the generator.
        clean: the speech, 16 kHz.
        noisy: the speech with noise.

    Returns:
        For each attention the share of such points on the lines that were looked at, and the share
        of the weight that goes to them. The two are equal where it looks everywhere alike.

    Shape:
        `clean` and `noisy` [N] samples.
    """
    both = torch.as_tensor(np.stack([clean, noisy - clean]), dtype=torch.float32)  # [2, N]
    speech, noise = stft(both).abs()  # [F, T] each
    stronger = (noise > speech)[::2].T.float()  # [T, F'], as the encoder halves frequency
    shares = {}
    for place, x in attention_inputs(model, noisy).items():
        layer = getattr(model.blocks[place[0] - 1], place[1]).attention
        if place[1] == "time":  # some frequencies, then some frames, to save time
            lines = [(x[:, :, row], stronger[:, row]) for row in range(2, 100, 8)]
        else:
            lines = [(x[:, frame], stronger[frame]) for frame in range(20, x.shape[1], 16)]
        points = torch.stack([there.mean() for _, there in lines])
        weight = torch.stack([(attention_weights(layer, s) @ there).mean() for s, there in lines])
        shares[place] = (points.mean().item(), weight.mean().item())
    return shares


def attention_viewer(
    noisy: np.ndarray, points: Mapping[str, Point], name_or_path: str = "lite"
) -> Live:
    """Make a live viewer of attention: along time and along frequency, from a point of your choice.

    Args:
        noisy: the recording, 16 kHz.
        points: for each description a point in seconds and Hz; without a kernel these are shown,
            for each block, and the live viewer starts with the first of them.
        name_or_path: weights, see `weights.load`.

    Returns:
        The widget.

    Shape:
        `noisy` [N] samples.

    Raises:
        ValueError: there is no point, or one lies outside the recording.
    """
    model = weights.load(name_or_path)
    inputs = attention_inputs(model, noisy)
    spectrum = stft(torch.as_tensor(noisy, dtype=torch.float32)[None])[0].abs()  # [F, T]
    seconds = spectrum.shape[1] / 160
    if not points:
        raise ValueError("give at least one point, in seconds and Hz")
    for description, (second, hertz) in points.items():
        if not (0 <= second < seconds and 0 <= hertz <= 8000):
            raise ValueError(
                f"{description!r} lies at {second} s and {hertz} Hz, outside the recording of "
                f"{seconds:.1f} s and 8000 Hz"
            )

    def picture(point: Point, number: int) -> Page:
        return _picture(model, inputs, spectrum, point, number)

    start = next(iter(points.values()))
    moments = [round(step * 0.05, 2) for step in range(int(seconds / 0.05))]
    time = _nearest_slider(moments, start[0], "time (s)")
    frequency = _nearest_slider([*range(0, 8001, 80)], start[1], "frequency (Hz)")
    block = widgets.Dropdown(options=range(1, len(model.blocks) + 1), description="block")

    def work() -> list[Page]:
        return [picture((time.value, frequency.value), block.value)]

    folded = [
        _folded(f"{description}, block {number}", picture(point, number).html)
        for (description, point), number in itertools.product(points.items(), block.options)
    ]
    text = "With one you choose any point. Some prepared points; open them one by one:"
    box = respond([time, frequency, block], work, [picture(start, 1)])
    return Live(box, without_kernel(text, "\n".join(folded)))


def _nearest_slider(values: list, value: float, text: str) -> widgets.SelectionSlider:
    nearest = min(values, key=lambda other: abs(other - value))
    return widgets.SelectionSlider(
        options=values, value=nearest, description=text, continuous_update=False
    )


def _folded(title: str, content: str) -> str:
    # Details of one name open one at a time, without a script.
    return (
        f'<details name="attention-viewer"><summary>{html.escape(title)}</summary>{content}'
        "</details>"
    )


def _picture(
    model: EffiFusionGenerator,
    inputs: dict[Place, Tensor],
    spectrum: Tensor,
    point: Point,
    number: int,
) -> Page:
    second, hertz = point
    frame, row = round(second * 160), round(hertz / 80)  # frames and rows of the encoder's output
    block = model.blocks[number - 1]
    along_time = attention_weights(block.time.attention, inputs[number, "time"][:, :, row])
    along_frequency = attention_weights(
        block.frequency.attention, inputs[number, "frequency"][:, frame]
    )
    looks_time = along_time[0, :, frame] * along_time.shape[-1]  # [heads, T], mean 1
    looks_frequency = along_frequency[0, :, row] * along_frequency.shape[-1]  # [heads, F']

    figure = _draw(spectrum, point, looks_time, looks_frequency)
    figure.axes[0].set_title(f"Block {number} looks from {second:.2f} s, {hertz:.0f} Hz")
    mean_time, mean_frequency = looks_time.mean(0), looks_frequency.mean(0)
    text = (
        f"Block {number} looks from {second:.2f} s and {hertz:.0f} Hz. Along time it looks most at "
        f"{mean_time.argmax().item() / 160:.2f} s, with {mean_time.max():.1f} times the mean "
        f"weight; along frequency at {80 * mean_frequency.argmax().item()} Hz, with "
        f"{mean_frequency.max():.1f} times the mean."
    )
    alt = (
        "Spectrogram with a marked point; below it, for each head, the weights over time, beside "
        f"it over Hz, on logarithmic axes. {text}"
    )
    return Page(f"{image_html(figure, alt)}<p>{text}</p>", text)


def _draw(spectrum: Tensor, point: Point, along_time: Tensor, along_frequency: Tensor) -> Figure:
    """Draw a spectrogram; below it the weights of each head over time, beside it over Hz."""
    second, hertz = point
    heads = len(along_time)
    figure = plt.figure(figsize=(6.4, 2.6 + 0.75 * heads), layout="constrained")
    ratios = {"width_ratios": [4] + [0.75] * heads, "height_ratios": [2.2] + [0.75] * heads}
    grid = figure.add_gridspec(1 + heads, 1 + heads, **ratios)
    main = figure.add_subplot(grid[0, 0])
    plot_spectrogram(spectrum, main, label="")
    main.plot(second, hertz, "o", color="white", markersize=9, markeredgecolor="black")
    main.set(xlabel="")
    main.tick_params(labelbottom=False)
    moments, rows = np.arange(along_time.shape[1]) / 160, 80 * np.arange(along_frequency.shape[1])
    ticks = {"ticks": (1, 10, 100), "labels": ("1", "", "100")}
    for head in range(heads):
        below = figure.add_subplot(grid[1 + head, 0], sharex=main)
        below.fill_between(moments, LEAST, along_time[head].clamp_min(LEAST), linewidth=0)
        below.axvline(second, color="black", linewidth=0.7)
        below.axhline(1, color="black", linewidth=0.7, linestyle=":")
        below.set(yscale="log", ylim=(LEAST, MOST), ylabel=f"head {head + 1}")
        below.set_yticks(**ticks)
        below.tick_params(labelbottom=head == heads - 1)
        beside = figure.add_subplot(grid[0, 1 + head], sharey=main)
        beside.fill_betweenx(rows, LEAST, along_frequency[head].clamp_min(LEAST), linewidth=0)
        beside.axhline(hertz, color="black", linewidth=0.7)
        beside.axvline(1, color="black", linewidth=0.7, linestyle=":")
        beside.set(xscale="log", xlim=(LEAST, MOST), title=f"head {head + 1}")
        beside.set_xticks(**ticks)
        beside.tick_params(labelleft=False)
        for axes in (below, beside):
            axes.minorticks_off()
    below.set_xlabel("time (s)")
    corner = figure.add_subplot(grid[1:, 1:])
    corner.axis("off")
    corner.text(0.5, 0.5, "weight / mean,\nlogarithmic;\ndotted: 1", ha="center", va="center")
    return figure
