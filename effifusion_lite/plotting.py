"""Figures of the series: spectrograms on one colour scale, and pictures that carry their text.

All functions draw with matplotlib on the `Axes` they are given and return nothing that has to be
kept. `show` turns a finished figure into an `<img alt="...">`, so that a reader who cannot see the
picture still gets its content.
"""

import base64
import html
import io

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image

FULL_SCALE = 100.0  # STFT magnitude of a sine of amplitude 1: half the sum of a 400-point Hann
LEVEL_RANGE = (-80.0, 10.0)  # dB; the one colour scale of all spectrograms of the series
DPI = 80
NARROW = 480  # pixels; wider pictures keep at least SHRUNK of their width, and scroll on a phone
SHRUNK = 0.75
COLOURS = 128  # in a picture
JPEG_QUALITY = 75  # of a bare map: a quarter of the size of a PNG with 64 colours


def to_decibel(magnitude, floor: float = -200.0) -> np.ndarray:
    """Express STFT magnitudes in dB relative to a full-scale sine.

    Args:
        magnitude: linear STFT magnitude, array or tensor.
        floor: the level given to magnitudes that are zero or lower than it, in dB.

    Returns:
        The level, float64, 0 dB for the peak bin of a sine of amplitude 1.

    Shape:
        Any shape in, the same shape out.
    """
    relative = np.asarray(magnitude, dtype=np.float64) / FULL_SCALE
    return 20 * np.log10(np.maximum(relative, 10 ** (floor / 20)))


def plot_map(
    values,
    axes: Axes,
    title: str = "",
    label: str = "",
    limits: tuple[float, float] | None = None,
    colours: str = "magma",
    hop_length: int = 100,
    sample_rate: int = 16000,
) -> AxesImage:
    """Draw any time-frequency map with its axes in seconds and Hz.

    Args:
        values: the map, array or tensor without gradient.
        axes: where to draw.
        title: title of the plot.
        label: text beside the colour bar, with its unit; no colour bar where it is empty.
        limits: values of the lowest and the highest colour; the map's own range if None.
        colours: name of a matplotlib colour map; take a cyclic one ("twilight") for phases.
        hop_length: samples from one frame to the next.
        sample_rate: samples per second, Hz.

    Returns:
        The image, whose data can be replaced later.

    Shape:
        `values` [F, T]: F frequencies from 0 Hz to half the sample rate, T frames.

    Raises:
        ValueError: `values` does not have two dimensions.
    """
    values = np.asarray(values)
    if values.ndim != 2:
        raise ValueError(
            f"a spectrogram has two dimensions [F, T], this one has shape {values.shape}: "
            "take one item of the batch, for example values[0]"
        )
    low, high = limits if limits is not None else (None, None)
    seconds = values.shape[1] * hop_length / sample_rate
    image = axes.imshow(
        values,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(0, seconds, 0, sample_rate / 2),
        vmin=low,
        vmax=high,
        cmap=colours,
    )
    axes.set(title=title, xlabel="time (s)", ylabel="frequency (Hz)")
    if label:
        axes.figure.colorbar(image, ax=axes, label=label, pad=0.02)
    return image


def plot_spectrogram(
    magnitude,
    axes: Axes,
    title: str = "",
    label: str = "level (dB)",
    limits: tuple[float, float] = LEVEL_RANGE,
    hop_length: int = 100,
    sample_rate: int = 16000,
) -> AxesImage:
    """Draw the level of a spectrogram in dB, on the colour scale that all chapters share.

    Args:
        magnitude: linear (not compressed) STFT magnitude, array or tensor without gradient.
        axes: where to draw.
        title: title of the plot.
        label: text beside the colour bar; no colour bar where it is empty.
        limits: levels of the lowest and the highest colour, dB relative to a full-scale sine.
        hop_length: samples from one frame to the next.
        sample_rate: samples per second, Hz.

    Returns:
        The image, whose data (in dB) can be replaced later.

    Shape:
        `magnitude` [F, T].

    Raises:
        ValueError: `magnitude` does not have two dimensions.
    """
    level = to_decibel(magnitude)
    return plot_map(level, axes, title, label, limits, "magma", hop_length, sample_rate)


def plot_waveform(waveform, axes: Axes, title: str = "", sample_rate: int = 16000) -> None:
    """Draw a waveform over seconds.

    Args:
        waveform: samples, array or tensor without gradient.
        axes: where to draw.
        title: title of the plot.
        sample_rate: samples per second, Hz.

    Shape:
        `waveform` [N].
    """
    waveform = np.asarray(waveform)
    seconds = np.arange(waveform.shape[-1]) / sample_rate
    axes.plot(seconds, waveform, linewidth=0.6)
    axes.set(title=title, xlabel="time (s)", ylabel="amplitude", xlim=(0, seconds[-1]))
    axes.grid(alpha=0.3)


def image_html(figure: Figure, alt: str) -> str:
    """Turn a figure into an HTML image with its text, and close the figure.

    Args:
        figure: a finished figure.
        alt: what the picture shows, in one or two sentences.

    Returns:
        An `<img>` element that holds the PNG itself. A wide figure lies in a box in which it
        scrolls where the page is too narrow for its letters, a phone's for example.

    Raises:
        ValueError: `alt` is empty.
    """
    _need_text(alt)
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI, bbox_inches="tight", facecolor="white")
    plt.close(figure)
    # A palette makes the picture of a spectrogram three times smaller.
    palette = Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    palette.save(small, format="PNG", optimize=True)
    if palette.width <= NARROW:
        return _image(small, "png", alt, "max-width: 100%")
    least = round(SHRUNK * palette.width)
    image = _image(small, "png", alt, f"max-width: 100%; min-width: {least}px")
    return (
        '<div role="group" aria-label="Wide figure" tabindex="0" style="overflow-x: auto">'
        f"{image}</div>"
    )


def map_html(values, alt: str, limits: tuple[float, float], colours: str = "magma") -> str:
    """Turn a time-frequency map into a bare HTML image: one pixel a value, no axes, no margin.

    Args:
        values: the map, array or tensor without gradient.
        alt: what the picture shows, in one or two sentences.
        limits: values of the lowest and the highest colour.
        colours: name of a matplotlib colour map.

    Returns:
        An `<img>` element that holds the JPEG itself, the lowest frequency at the bottom.

    Shape:
        `values` [F, T].

    Raises:
        ValueError: `alt` is empty.
    """
    _need_text(alt)
    shares = Normalize(*limits, clip=True)(np.asarray(values, np.float64))  # [F, T]
    pixels = plt.get_cmap(colours)(shares[::-1], bytes=True)[..., :3]  # [F, T, 3]
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, format="JPEG", quality=JPEG_QUALITY)
    return _image(file, "jpeg", alt, "width: 100%")


def _need_text(alt: str) -> None:
    if not alt.strip():
        raise ValueError("say in `alt` what the picture shows: some readers have only this text")


def _image(file: io.BytesIO, kind: str, alt: str, style: str) -> str:
    data = base64.b64encode(file.getvalue()).decode("ascii")
    text = html.escape(" ".join(alt.split()))
    return f'<img alt="{text}" src="data:image/{kind};base64,{data}" style="{style}">'


def show(figure: Figure, alt: str) -> None:
    """Display a figure as a picture with alternative text, and close the figure.

    Args:
        figure: a finished figure.
        alt: what the picture shows, in one or two sentences.

    Raises:
        ValueError: `alt` is empty.
    """
    text = f"Figure: {' '.join(alt.split())}"
    display({"text/html": image_html(figure, alt), "text/plain": text}, raw=True)
