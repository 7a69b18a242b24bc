"""One second through the generator: after each stage its shape, a picture, and where it has one, a
sound. Two generators side by side, say trained and untrained, as a slider or as a page of its own.

A stage in the middle has no sound by itself. Where its features have the shape that the decoders
take, they are handed to the magnitude decoder at once: what would the mask be if the network ended
here? That mask, with the noisy phase, is the sound.
"""

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.generator import EffiFusionGenerator
from effifusion_lite.listening.loudness import common_gain
from effifusion_lite.listening.page import Page, audio
from effifusion_lite.listening.slider import slider
from effifusion_lite.plotting import LEVEL_RANGE, image_html, plot_map, to_decibel
from effifusion_lite.spectral import SpectralConfig, analyse, stft, synthesise, wrap

ENCODER = {
    "raised": "Two channels become C.",
    "dense block": "Four layers look back and ahead in time, each further than the one before.",
    "halved": "Every second frequency is kept: half the points, half the work.",
    "multi-scale block": "Small and large kernels side by side.",
}
DECODER = {
    "dense block": "The same kind of block as in the encoder, with weights of its own.",
    "upsampled": "Twice the channels, laid side by side as twice the frequencies.",
}


@dataclass(frozen=True)
class Stage:
    """What one stage of the generator gives.

    Args:
        name: where it is.
        text: what it does, in a sentence.
        shape: shape of the tensor that comes out.
        kind: what the picture shows: "level" (linear magnitude), "features" (root mean square over
            the channels), "mask" or "angle".
        picture: what is drawn.
        sound: what it sounds like, full scale = 1; None where it has no sound.

    Shape:
        picture `[F, T]`, sound `[N]` samples.

    Chapter: 04 The generator.
    """

    name: str
    text: str
    shape: tuple[int, ...]
    kind: str
    picture: np.ndarray
    sound: np.ndarray | None = None


@torch.no_grad()
def trace(noisy: np.ndarray, model: EffiFusionGenerator) -> list[Stage]:
    """Follow a recording through a generator.

    Args:
        noisy: the recording, 16 kHz, full scale = 1.
        model: the generator, with a phase decoder.

    Returns:
        All stages, from the waveform to the enhanced waveform.

    Shape:
        noisy `[N]` samples, best 16000 of them; so is each sound.

    Raises:
        ValueError: the recording is silent or has several channels, or the generator has no phase
            decoder.

    Chapter: 04 The generator.
    """
    if np.ndim(noisy) != 1 or not np.any(noisy):
        raise ValueError("trace takes a recording [N] that is not silent")
    if model.phase_decoder is None:
        raise ValueError("trace takes a generator with a phase decoder")
    waveform = torch.as_tensor(noisy, dtype=torch.float32)[None]  # [1, N]
    level = waveform.square().mean().sqrt()
    magnitude, phase = analyse(waveform / level, model.config.spectral)  # [1, F, T]

    def sound(magnitude: Tensor, phase: Tensor) -> np.ndarray:
        length = waveform.shape[-1]
        return (level * synthesise(magnitude, phase, length, model.config.spectral))[0].numpy()

    return list(_stages(model, magnitude, phase, sound))


def _stages(model: EffiFusionGenerator, magnitude, phase, sound) -> Iterator[Stage]:
    settings = model.config.spectral
    noisy = sound(magnitude, phase)
    text = "The noisy recording."
    yield Stage("waveform", text, (1, len(noisy)), "level", _level(noisy, settings), noisy)
    x = torch.stack([magnitude, phase], dim=-1).permute(0, 3, 2, 1)  # [1, 2, T, F]
    x = x.contiguous(memory_format=torch.channels_last)
    text = "Compressed magnitude and phase as two channels; the picture shows the magnitude."
    yield Stage("two channels", text, tuple(x.shape), "features", magnitude[0].numpy())
    for name, layer in zip(ENCODER, model.encoder, strict=False):
        x = layer(x)  # [1, C, T, F], F halved by the third
        stage = partial(Stage, f"encoder, {name}", ENCODER[name], tuple(x.shape))
        yield stage("features", _rms(x))
    mask = model.magnitude_decoder(x)  # [1, F, T]
    text = "The mask if the network ended here: the magnitude decoder gets the encoder's features."
    picture, heard = mask[0].numpy(), sound(mask * magnitude, phase)
    yield Stage("mask after the encoder", text, tuple(mask.shape), "mask", picture, heard)
    for number, block in enumerate(model.blocks, 1):
        y = block(x.permute(0, 2, 3, 1).contiguous())  # [1, T, F / 2, C]
        x = y.permute(0, 3, 1, 2)  # [1, C, T, F / 2]
        text = "Attention along time, then along frequency; channels last, as linear layers need."
        yield Stage(f"block {number}", text, tuple(y.shape), "features", _rms(x))
        if number < len(model.blocks):
            mask = model.magnitude_decoder(x)
            text = "The mask if the network ended here."
            picture, heard = mask[0].numpy(), sound(mask * magnitude, phase)
            name = f"mask after block {number}"
            yield Stage(name, text, tuple(mask.shape), "mask", picture, heard)
    yield from _decoder("magnitude decoder", model.magnitude_decoder, x)
    mask = model.magnitude_decoder(x)
    text = "The finished mask. Heard: the masked magnitude with the noisy phase."
    picture, heard = mask[0].numpy(), sound(mask * magnitude, phase)
    yield Stage("magnitude alone", text, tuple(mask.shape), "mask", picture, heard)
    yield from _decoder("phase decoder", model.phase_decoder, x)
    angle = model.phase_decoder(x, phase)
    turned = wrap(angle - phase)  # [1, F, T]
    text = (
        "By how much the phase is turned. Heard: the noisy magnitude with the phase of the network."
    )
    picture, heard = turned[0].numpy(), sound(magnitude, angle)
    yield Stage("phase alone", text, tuple(angle.shape), "angle", picture, heard)
    both = sound(mask * magnitude, angle)
    text = "The masked magnitude with the phase of the network: what the network gives."
    yield Stage("enhanced waveform", text, (1, len(both)), "level", _level(both, settings), both)


def _decoder(name: str, decoder, x: Tensor) -> Iterator[Stage]:
    for part, layer in zip(DECODER, decoder.layers, strict=False):
        x = layer(x)  # [1, C, T, F / 2], then [1, C, T, F + 1]
        yield Stage(f"{name}, {part}", DECODER[part], tuple(x.shape), "features", _rms(x))


def _rms(x: Tensor) -> np.ndarray:
    """Root mean square over the channels, `[1, C, T, F]` to `[F, T]`."""
    return x[0].square().mean(dim=0).sqrt().T.numpy()


def _level(waveform: np.ndarray, config: SpectralConfig) -> np.ndarray:
    return stft(torch.as_tensor(waveform)[None], config)[0].abs().numpy()


def trace_slider(traces: Mapping[str, list[Stage]], **texts: str) -> Page:
    """Let the reader move through the stages that have a sound.

    Args:
        traces: for each generator by name what `trace` gives.
        texts: title, transcript and so on, as `slider` takes them.

    Returns:
        A slider over stages, and a second one over generators.

    Raises:
        ValueError: the traces differ in their stages.

    Chapter: 04 The generator.
    """
    _same_stages(traces)
    heard = {
        (stage.name, name): stage
        for name, stages in traces.items()
        for stage in stages
        if stage.sound is not None
    }
    sounds = {place: stage.sound for place, stage in heard.items()}
    figures = {place: _figure(place[1], stage) for place, stage in heard.items()}
    return slider(sounds, ("stage", "weights"), figures=figures, **texts)


def trace_page(traces: Mapping[str, list[Stage]], title: str, transcript: str = "") -> str:
    """Write all stages one below the other, the generators side by side.

    Args:
        traces: for each generator by name what `trace` gives.
        title: title of the page.
        transcript: what is said.

    Returns:
        An HTML page that loads nothing from elsewhere and needs no script.

    Raises:
        ValueError: the traces differ in their stages.

    Chapter: 04 The generator.
    """
    said = f"<p>What is said: {html.escape(transcript)}</p>" if transcript else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><main><h1>{html.escape(title)}</h1>{said}<p>All sounds have one gain. Turn the "
        f"volume down before the first one.</p>\n{trace_sections(traces)}\n</main></body></html>\n"
    )


def trace_sections(traces: Mapping[str, list[Stage]]) -> str:
    """Write the stages one below the other, as part of a page.

    Args:
        traces: for each generator by name what `trace` gives.

    Returns:
        HTML of a section for each stage.

    Raises:
        ValueError: the traces differ in their stages.

    Chapter: 04 The generator.
    """
    _same_stages(traces)
    sounds = [s.sound for stages in traces.values() for s in stages if s.sound is not None]
    gain = 10 ** (common_gain([np.asarray(sound, np.float64) for sound in sounds]) / 20)
    parts = []
    for number, stages in enumerate(zip(*traces.values(), strict=True)):
        first = stages[0]
        figures = []
        for name, stage in zip(traces, stages, strict=True):
            label = f"{stage.name}, {name}"
            heard = audio(gain * stage.sound, SAMPLE_RATE, label) if stage.sound is not None else ""
            figures.append(f"<figure>{_figure(name, stage)}{heard}</figure>")
        parts.append(
            f"<section><h2>{number} {html.escape(first.name)}</h2>"
            f"<p><code>{list(first.shape)}</code> {html.escape(first.text)}</p>"
            f"{''.join(figures)}</section>"
        )
    return "\n".join(parts)


_STYLE = (
    ":root { color-scheme: light dark } "
    "body { font: 1rem/1.5 system-ui, sans-serif; margin: 1rem } "
    "main { max-width: 46rem; margin: auto } "
    "section { border-top: 1px solid #888; padding-top: .5rem } "
    "figure { display: inline-block; margin: .25rem 1rem .75rem 0; vertical-align: top } "
    "img { display: block; max-width: 100%; height: auto } audio { width: 19rem; max-width: 90vw }"
)


def _same_stages(traces: Mapping[str, list[Stage]]) -> None:
    names = {tuple(stage.name for stage in stages) for stages in traces.values()}
    if len(names) != 1:
        raise ValueError("give traces of generators with the same stages: equally many blocks")


def _figure(name: str, stage: Stage) -> str:
    """Picture of one stage of one generator as HTML."""
    figure, axes = plt.subplots(figsize=(4.0, 2.2), layout="constrained")
    values = to_decibel(stage.picture) if stage.kind == "level" else stage.picture
    label, limits, colours, ticks = _SCALES[stage.kind]
    # Features have no unit: each picture has the scale of its own.
    limits = limits or (0, np.quantile(values, 0.995))
    image = plot_map(values, axes, f"{stage.name}, {name}", "", limits, colours)
    figure.colorbar(image, ax=axes, label=label, ticks=ticks, aspect=10, pad=0.02)
    numbers = f"median {np.median(values):.3g}, maximum {values.max():.3g}"
    return image_html(figure, f"{stage.name}, {name}: {_DRAWN[stage.kind]}; {numbers}.")


_SCALES = {  # text and limits of the colour bar, its colours and marks
    "level": ("level (dB)", LEVEL_RANGE, "magma", (-80, -40, 0)),
    "features": ("RMS over channels", None, "magma", None),
    "mask": ("mask", (0, 1.5), "viridis", (0, 0.5, 1, 1.5)),
    "angle": ("angle (radians)", (-1.0, 1.0), "RdBu", (-1, 0, 1)),
}
_DRAWN = {
    "level": "the level in dB",
    "features": "root mean square over the channels, bright where it is large",
    "mask": "the mask, from 0 to 1.5",
    "angle": "an angle in radians",
}
