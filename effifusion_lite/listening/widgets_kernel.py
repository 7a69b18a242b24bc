"""The kernel desk: set nine weights, see what they make of a spectrogram, and hear it."""

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
import traitlets
from torch import Tensor

from effifusion_lite import metrics
from effifusion_lite.listening.live import Live, Unusable, respond, without_kernel
from effifusion_lite.listening.page import Page
from effifusion_lite.listening.player import Row, row
from effifusion_lite.plotting import image_html, plot_map
from effifusion_lite.spectral import SpectralConfig, analyse, synthesise

STEPS = (1, 2, 4, 8, 16)  # frames or bins from one weight to the next
# Nine weights as they are drawn, frequency upwards and time to the right; steps; offset.
KERNELS = {
    "smear in time": ((0, 0, 0, 0.33, 0.33, 0.33, 0, 0, 0), 4, 1, 0.0),
    "echo": ((0, 0, 0, 0.6, 1, 0, 0, 0, 0), 16, 1, 0.0),
    "blur in frequency": ((0, 0.33, 0, 0, 0.33, 0, 0, 0.33, 0), 1, 2, 0.0),
    "onsets": ((0, 0, 0, -1, 1, 0, 0, 0, 0), 4, 1, 0.0),
    "as it is": ((0, 0, 0, 0, 1, 0, 0, 0, 0), 1, 1, 0.0),
    "as it is, less an offset": ((0, 0, 0, 0, 1, 0, 0, 0, 0), 1, 1, -0.4),
}


class _Setting(traitlets.HasTraits):
    """All controls in one value, so that a chosen kernel starts the work once."""

    value = traitlets.Tuple()


def kernel_desk(noisy: np.ndarray, clean: np.ndarray, sample_rate: int = 16000) -> Live:
    """Make a live desk for one 3x3 kernel over a compressed spectrogram.

    Args:
        noisy: speech with noise.
        clean: the speech in it, for the ratio that is shown.
        sample_rate: samples per second, Hz.

    Returns:
        The widget: nine weights, the steps between them and an offset; kernel and outcome as a
        picture, and as sound with the noisy phase. Where no Python runs, its first state is shown,
        which smears in time.

    Shape:
        `noisy` and `clean` [N] samples.

    Raises:
        ValueError: the two cannot be compared.
    """
    if np.ndim(noisy) != 1 or np.shape(noisy) != np.shape(clean):
        raise ValueError(
            f"give noisy and clean speech of one length [N], not {list(np.shape(noisy))} and "
            f"{list(np.shape(clean))}"
        )
    start = next(iter(KERNELS))
    choice = widgets.Dropdown(options=[*KERNELS], value=start, description="kernel")
    narrow = widgets.Layout(width="5em")
    weights = [widgets.BoundedFloatText(min=-9, max=9, step=0.1, layout=narrow) for _ in range(9)]
    for index, weight in enumerate(weights):
        weight.tooltip = f"weight in row {index // 3 + 1} from the top, column {index % 3 + 1}"
    steps = [
        widgets.SelectionSlider(options=STEPS, description=name, continuous_update=False)
        for name in ("step, frames", "step, bins")
    ]
    offset = widgets.FloatText(step=0.1, description="offset")
    setting = _Setting()

    def read(change=None) -> None:
        numbers = tuple(weight.value for weight in weights)
        setting.value = (numbers, *(step.value for step in steps), offset.value)

    def choose(change=None) -> None:
        kernel, *others = KERNELS[choice.value]
        with setting.hold_trait_notifications():
            for control, value in zip((*weights, *steps, offset), (*kernel, *others), strict=True):
                control.value = value

    for control in (*weights, *steps, offset):
        control.observe(read, names="value")
    choice.observe(choose, names="value")
    choose()

    def work() -> list[Page | Row]:
        return _apply(noisy, clean, sample_rate, *setting.value)

    grid = widgets.GridBox(weights, layout=widgets.Layout(grid_template_columns="repeat(3, 5.5em)"))
    first = work()
    text = (
        "(Here the word means the Python that runs a notebook, not the nine weights.) With one, "
        "you set the weights, their steps and the offset; what you see here is the first setting."
    )
    return Live(
        respond([choice, grid, *steps, offset], work, first, [setting]),
        without_kernel(text, "".join(part.html for part in first)),
    )


def _apply(
    noisy: np.ndarray,
    clean: np.ndarray,
    sample_rate: int,
    weights: tuple[float, ...],
    frames: int,
    bins: int,
    offset: float,
) -> list[Page | Row]:
    waveform = torch.as_tensor(noisy, dtype=torch.float32)[None]  # [1, N]
    scale = (waveform.shape[1] / waveform.square().sum()).sqrt()
    magnitude, phase = analyse(scale * waveform)  # [1, F, T] each
    drawn = torch.tensor(weights).view(3, 3)  # [frequency from high to low, time]
    kernel = drawn.flip(0)[None, None]  # [1, 1, F, T]
    step = (bins, frames)
    outcome = (
        F.conv2d(magnitude[None], kernel, padding=step, dilation=step)[0] + offset
    )  # [1, F, T]
    if not outcome.max() > 0:
        raise Unusable("this kernel leaves nothing: no value is above 0, raise a weight")
    outcome = outcome.clamp_min(0)
    heard = (synthesise(outcome, phase, waveform.shape[1]) / scale)[0].numpy()  # [N]
    config = SpectralConfig()
    hop, bin_width = config.hop_length / sample_rate, sample_rate / config.n_fft
    ratios = [metrics.si_sdr(clean, sound) for sound in (noisy, heard)]  # dB
    text = (
        f"The kernel spans {2000 * frames * hop:.0f} ms and {2 * bins * bin_width:.0f} Hz. SI-SDR, "
        f"the ratio of speech to error, over these {len(noisy) / sample_rate:.1f} s: "
        f"{ratios[0]:.1f} dB before, {ratios[1]:.1f} dB after."
    )
    figure = _figure(drawn, outcome[0], 1000 * frames * hop, bins * bin_width)
    picture = image_html(figure, f"The kernel and the spectrogram after it. {text}")
    sounds = row({"noisy": noisy, "after the kernel": heard}, sample_rate, equal_loudness=True)
    return [Page(f"{picture}<p>{text}</p>", text), sounds]


def _figure(kernel: Tensor, outcome: Tensor, step_ms: float, step_hz: float) -> plt.Figure:
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(8, 2.8), width_ratios=(1, 2.4), layout="constrained"
    )
    largest = max(1.0, kernel.abs().max().item())
    left.imshow(kernel.numpy(), cmap="PuOr", vmin=-largest, vmax=largest)
    for row_index in range(3):
        for column in range(3):
            weight = kernel[row_index, column].item()
            left.text(column, row_index, f"{weight:g}", ha="center", va="center", fontweight="bold")
    left.set(title="Kernel", xlabel="time (ms)", ylabel="frequency (Hz)")
    left.set_xticks(range(3), [f"{step * step_ms:g}" for step in (-1, 0, 1)])
    left.set_yticks(range(3), [f"{step * step_hz:g}" for step in (1, 0, -1)])
    limits = (0, outcome.max().item())
    plot_map(outcome, right, "After the kernel", "magnitude, compressed", limits)
    return figure
