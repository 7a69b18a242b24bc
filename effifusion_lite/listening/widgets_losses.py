"""The loss desk: choose the weights of the losses; a spectrogram follows them, without a network.

The start is the noisy speech. Each step moves the compressed magnitude and the phase of every bin
down the weighted sum of the losses, which know the clean speech. So this shows what a loss asks
for, not what a network can give.
"""

from dataclasses import fields

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch

from effifusion_lite.listening.live import Live, Unusable, respond, without_kernel
from effifusion_lite.listening.page import Page
from effifusion_lite.listening.player import Row, row
from effifusion_lite.losses import LossWeights, PerceptualLoss, generator_losses, weighted_sum
from effifusion_lite.metrics import score
from effifusion_lite.plotting import image_html
from effifusion_lite.spectral import SpectralConfig, analyse, synthesise

WEIGHTS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
STEPS = (20, 60, 120, 240)
RATES = (0.01, 0.03, 0.1)
TERMS = tuple(field.name for field in fields(LossWeights) if field.name != "metric")
START = {"magnitude": 1.0}


def descend(
    clean: np.ndarray, noisy: np.ndarray, weights: LossWeights, steps: int = 60, rate: float = 0.03
) -> tuple[np.ndarray, list[float]]:
    """Move the spectrogram of noisy speech down a weighted sum of losses, by Adam.

    Args:
        clean: the speech that the losses compare with.
        noisy: the same speech with noise, where the descent starts.
        weights: weight of each loss; that of the discriminator's score is not used.
        steps: how many steps.
        rate: their size, in compressed magnitude and in radians.

    Returns:
        The waveform at the end, and the weighted sum before each step.

    Shape:
        `clean`, `noisy` and the waveform [N] samples at 16 kHz.

    Source: choice of this project.
    """
    both = torch.from_numpy(np.stack([clean, noisy])).float()  # [2, N]
    level = both[1].square().mean().sqrt()  # the generator's input has an RMS of 1
    config, (target, start) = SpectralConfig(), both[:, None] / level  # [1, N] each
    places = [part.clone().requires_grad_() for part in analyse(start, config)]  # [1, F, T] each
    perceptual = PerceptualLoss() if weights.perceptual else None
    optimiser, curve = torch.optim.Adam(places, lr=rate), []
    for _ in range(steps):
        losses, _ = generator_losses(
            target, places[0].abs(), places[1], config, perceptual=perceptual
        )
        total = weighted_sum(losses, weights)
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        curve.append(total.item())
    with torch.no_grad():
        waveform = synthesise(places[0].abs(), places[1], len(clean), config)[0] * level
    return waveform.numpy(), curve


def loss_desk(clean: np.ndarray, noisy: np.ndarray) -> Live:
    """Make a live desk with a weight for each loss.

    Args:
        clean: speech.
        noisy: the same speech with noise.

    Returns:
        The widget: weights, number and size of the steps, a button; then the curve, and the result
        beside noisy and clean speech with its scores. Without a kernel the initial state is shown:
        magnitude alone.

    Shape:
        Both [N] samples at 16 kHz.

    Raises:
        ValueError: the two cannot be compared.
    """
    if np.ndim(clean) != 1 or np.shape(clean) != np.shape(noisy):
        raise ValueError(
            f"give clean and noisy speech of one length [N], not {list(np.shape(clean))} and "
            f"{list(np.shape(noisy))}"
        )
    knobs = {
        name: widgets.SelectionSlider(
            options=WEIGHTS, value=START.get(name, 0.0), description=name, continuous_update=False
        )
        for name in TERMS
    }
    steps = widgets.Dropdown(options=STEPS, value=60, description="steps")
    rate = widgets.Dropdown(options=RATES, value=0.03, description="step size")
    runs = widgets.IntText(value=0, layout=widgets.Layout(display="none"))
    button = widgets.Button(description="Run", tooltip="Descend with these weights")

    def press(_) -> None:
        runs.value += 1

    def work() -> list[Page | Row]:
        chosen = {name: knob.value for name, knob in knobs.items()}
        if not any(chosen.values()):
            raise Unusable("all weights are 0: raise at least one")
        return _result(clean, noisy, chosen, steps.value, rate.value)

    button.on_click(press)
    first = work()
    box = respond([*knobs.values(), steps, rate, button, runs], work, first, watched=[runs])
    text = "With one you choose the weights; this is the initial state, magnitude alone."
    return Live(box, without_kernel(text, first[0].html + first[1].html))


def _result(clean, noisy, chosen: dict[str, float], steps: int, rate: float) -> list[Page | Row]:
    weights = LossWeights(**dict.fromkeys(TERMS, 0.0) | chosen | {"metric": 0.0})
    result, curve = descend(clean, noisy, weights, steps, rate)
    named = ", ".join(f"{value:g} × {name}" for name, value in chosen.items() if value)
    figure, axes = plt.subplots(figsize=(6, 2.2), layout="constrained")
    axes.plot(curve)
    axes.set(xlabel="step", ylabel="weighted sum", title=named)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    alt = f"Curve of {named} over {steps} steps: from {curve[0]:.3g} to {curve[-1]:.3g}."
    versions = {"noisy": noisy, "after the descent": result, "clean": clean}
    scored = {name: score(clean, versions[name]) for name in ("noisy", "after the descent")}
    listen_for = (
        "What is wrong with the result: noise, roughness, a dull sound? Or is nothing wrong?"
    )
    player = row(versions, title=named, listen_for=listen_for, scores=scored, pictures=False)
    return [Page(image_html(figure, alt) + f"<p>{alt}</p>", alt), player]
