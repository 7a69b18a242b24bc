"""The mask desk: magnitude and phase, each noisy, estimated or true, and the mask's ceiling."""

import itertools

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from effifusion_lite.generator import EffiFusionGenerator
from effifusion_lite.listening.live import Live, respond, without_kernel
from effifusion_lite.listening.page import Page
from effifusion_lite.listening.player import TITLES, Row, row, score_text
from effifusion_lite.listening.slider import slider
from effifusion_lite.metrics import Scores, score
from effifusion_lite.plotting import image_html, plot_map
from effifusion_lite.spectral import analyse, synthesise

SOURCES = ("noisy", "estimated", "oracle")  # where magnitude and phase can come from
CEILINGS = (0.5, 0.8, 1.0, 1.2, 1.5, 2.0, 4.0)
SHOWN = ("pesq", "si_sdr")


class _Desk:
    """Spectra of one recording, and what can be put together from them."""

    @torch.no_grad()
    def __init__(self, clean: np.ndarray, noisy: np.ndarray, model: EffiFusionGenerator):
        if np.ndim(clean) != 1 or np.shape(clean) != np.shape(noisy):
            raise ValueError(
                f"give clean and noisy speech of one length [N], not {list(np.shape(clean))} and "
                f"{list(np.shape(noisy))}"
            )
        both = torch.as_tensor(np.stack([clean, noisy]), dtype=torch.float32)  # [2, N]
        self.clean, self.noisy, self.config = clean, noisy, model.config.spectral
        self.level = both[1].square().mean().sqrt()
        magnitude, phase = analyse(both / self.level, self.config)  # [2, F, T] each
        estimated = model(magnitude[1:], phase[1:])  # two of [1, F, T]
        self.noisy_magnitude = magnitude[1:]  # [1, F, T]
        self.masks = {
            "noisy": torch.ones_like(magnitude[1:]),
            "estimated": estimated[0] / magnitude[1:],
            "oracle": magnitude[:1] / magnitude[1:],
        }
        self.phases = {"noisy": phase[1:], "estimated": estimated[1], "oracle": phase[:1]}

    def mask(self, magnitude: str, ceiling: float) -> Tensor:
        return self.masks[magnitude].clamp(max=ceiling)  # [1, F, T]

    def sound(self, magnitude: str, phase: str, ceiling: float) -> np.ndarray:
        masked = self.mask(magnitude, ceiling) * self.noisy_magnitude  # [1, F, T]
        waveform = synthesise(masked, self.phases[phase], len(self.noisy), self.config)  # [1, N]
        return (self.level * waveform)[0].numpy()

    def scores(self, sound: np.ndarray) -> Scores:
        return score(self.clean, sound)


def mask_desk(
    clean: np.ndarray, noisy: np.ndarray, model: EffiFusionGenerator, transcript: str = ""
) -> Live:
    """Make a live desk on which magnitude and phase are put together anew.

    Args:
        clean: speech, 16 kHz, which gives the oracle.
        noisy: the same speech with noise.
        model: the generator, which gives the estimates.
        transcript: what is said.

    Returns:
        The widget: choose where the magnitude comes from, where the phase comes from, and the
        largest value of the mask. Without a kernel two sliders move through all nine pairs, at a
        ceiling of 2.

    Shape:
        `clean` and `noisy` [N] samples.

    Raises:
        ValueError: the two cannot be compared.

    Chapter: 04 The generator.
    """
    desk = _Desk(clean, noisy, model)
    magnitude, phase = (
        widgets.ToggleButtons(options=SOURCES, value=value, description=name)
        for name, value in (("magnitude", "oracle"), ("phase", "noisy"))
    )
    ceiling = widgets.SelectionSlider(
        options=CEILINGS, value=2.0, description="ceiling", continuous_update=False
    )

    def work() -> list[Page | Row]:
        chosen = (magnitude.value, phase.value, ceiling.value)
        return [_picture(desk, *chosen), _sounds(desk, *chosen, transcript)]

    text = "With one you also choose the ceiling of the mask; here it is 2."
    box = respond([magnitude, phase, ceiling], work, work())
    return Live(box, without_kernel(text, _prepared(desk, transcript).html))


def _picture(desk: _Desk, magnitude: str, phase: str, ceiling: float) -> Page:
    mask = desk.mask(magnitude, ceiling)[0]  # [F, T]
    at_ceiling = (mask >= ceiling).float().mean().item()
    text = f"{100 * at_ceiling:.1f} % of the points are at the ceiling of {ceiling:g}."
    figure, axes = plt.subplots(figsize=(8, 2.6), layout="constrained")
    title = f"Mask: {magnitude} magnitude, ceiling {ceiling:g}"
    plot_map(mask, axes, title, "mask", (0, 2), "viridis")
    alt = f"{title}. Median {mask.median():.2f}, maximum {mask.max():.2f}. {text}"
    return Page(f"{image_html(figure, alt)}<p>{text}</p>", text)


def _sounds(desk: _Desk, magnitude: str, phase: str, ceiling: float, transcript: str) -> Row:
    chosen = f"{magnitude} magnitude, {phase} phase"
    versions = {
        "noisy": desk.noisy,
        chosen: desk.sound(magnitude, phase, ceiling),
        "clean": desk.clean,
    }
    return row(
        versions,
        transcript=transcript,
        listen_for="What is still wrong with the chosen version: noise, or the voice?",
        scores={name: desk.scores(versions[name]) for name in ("noisy", chosen)},
    )


def _prepared(desk: _Desk, transcript: str) -> Page:
    sounds = {pair: desk.sound(*pair, 2.0) for pair in itertools.product(SOURCES, SOURCES)}
    texts = {}
    for pair, sound in sounds.items():
        scores = desk.scores(sound)
        texts[pair] = ", ".join(f"{TITLES[m]} {score_text(scores, m)}" for m in SHOWN)
    return slider(
        sounds,
        ("magnitude", "phase"),
        transcript=transcript,
        listen_for="Which of the two sliders changes more, and what does it change?",
        texts=texts,
        start=("oracle", "noisy"),
    )
