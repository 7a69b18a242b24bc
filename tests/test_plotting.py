"""Figures: levels right, axes in seconds and Hz, a text in each picture."""

import base64
import io
import re

import matplotlib
import numpy as np
import pytest
import torch
from hearing import PHONE
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from effifusion_lite import plotting, spectral  # noqa: E402


def test_full_scale_sine_has_0_db():
    sine = torch.sin(2 * torch.pi * 1000 / 16000 * torch.arange(16000))
    level = plotting.to_decibel(spectral.stft(sine[None])[0].abs())  # [F, T]
    assert level[25, 80] == pytest.approx(0, abs=0.01)  # bin 25 lies at 1000 Hz
    assert plotting.to_decibel(np.zeros(2)).tolist() == [-200, -200]


def test_axes_are_in_seconds_and_hertz_and_the_scale_is_shared():
    figure, axes = plt.subplots()
    image = plotting.plot_spectrogram(torch.ones(201, 160), axes)
    assert image.get_extent() == [0, 1, 0, 8000]
    assert image.get_clim() == plotting.LEVEL_RANGE
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (s)", "frequency (Hz)")
    assert figure.axes[1].get_ylabel() == "level (dB)"
    plt.close(figure)


def test_batch_is_refused_with_advice():
    figure, axes = plt.subplots()
    with pytest.raises(ValueError, match=r"values\[0\]"):
        plotting.plot_map(torch.ones(1, 201, 10), axes)
    plt.close(figure)


def test_picture_carries_its_text_and_its_figure_is_closed():
    figure, axes = plt.subplots(figsize=(4, 2))
    plotting.plot_waveform(np.zeros(160), axes, "Silence")
    page = plotting.image_html(figure, 'A "flat"\n line.')
    assert 'alt="A &quot;flat&quot; line."' in page
    data = re.search(r"base64,([^\"]+)", page)[1]
    assert Image.open(io.BytesIO(base64.b64decode(data))).format == "PNG"
    assert not plt.fignum_exists(figure.number)


def test_wide_figure_scrolls_on_a_phone_and_a_narrow_one_shrinks(page_of):
    pages = []
    for inches in (11, 6):
        figure, axes = plt.subplots(figsize=(inches, 2))
        plotting.plot_waveform(np.zeros(160), axes)
        pages.append(plotting.image_html(figure, f"{inches} inches"))
    page = page_of("".join(pages), **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    wide, narrow = (page.get_by_alt_text(f"{inches} inches") for inches in (11, 6))
    natural = wide.evaluate("(image) => image.naturalWidth")
    assert wide.bounding_box()["width"] == pytest.approx(0.75 * natural, abs=1)
    assert narrow.bounding_box()["width"] < 390
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")
    assert page.evaluate("document.activeElement.querySelector('img').alt") == "11 inches"


def test_picture_without_text_is_refused():
    figure = plt.figure()
    with pytest.raises(ValueError, match="alt"):
        plotting.image_html(figure, " ")
    plt.close(figure)
    with pytest.raises(ValueError, match="alt"):
        plotting.map_html(np.zeros((2, 2)), "", (0, 1))
