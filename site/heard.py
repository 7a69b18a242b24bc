"""Sounds that only the site has: rooms of a test for a class, and one second stage by stage."""

from pathlib import Path

import torch

from effifusion_lite import enhance, load
from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.evaluation import wiener_filter
from effifusion_lite.generator import EffiFusionGenerator
from effifusion_lite.listening import clips, room
from effifusion_lite.listening.trace import trace, trace_sections, trace_slider

CLASS_SENTENCES = ("station_speech_shaped", "garage_fan", "judge_keyboard")
CLASS_SECONDS = 3


def setup(app):
    """Connect this to Sphinx."""
    app.connect("builder-inited", write_parts)


def write_parts(app) -> None:
    """Write the parts of pages, where the pages name them."""
    (Path(app.srcdir) / "rooms.html").write_text(rooms(), encoding="utf-8")
    (Path(app.srcdir) / "stages.html").write_text(stages(), encoding="utf-8")


def rooms() -> str:
    """Make the listening rooms of the page for a class: one sentence each, with all systems."""
    weights = {name: load(name) for name in ("tiny", "lite-pruned", "lite")}
    made = []
    for name in CLASS_SENTENCES:
        clean, noisy = (side[: CLASS_SECONDS * SAMPLE_RATE] for side in clips.pair(name))
        versions = {"noisy": noisy, "Wiener filter": wiener_filter(noisy)}
        versions |= {size: enhance(noisy, SAMPLE_RATE, model) for size, model in weights.items()}
        title = f"A sentence with {clips.info(name).condition}"
        made.append(room(versions, clean, SAMPLE_RATE, title).html)
    return "\n".join(made)


def stages() -> str:
    """Follow one second through a trained and an untrained network, as chapter 04 does."""
    trained = load("lite")
    torch.manual_seed(0)
    models = {"trained": trained, "untrained": EffiFusionGenerator(trained.config).eval()}
    one_second = clips.pair("station_speech_shaped")[1][SAMPLE_RATE // 2 : 3 * SAMPLE_RATE // 2]
    traces = {name: trace(one_second, model) for name, model in models.items()}
    asked = "From which stage on is the noise softer? What changes with untrained weights?"
    moved = trace_slider(traces, title="One second, stage by stage", listen_for=asked)
    return f'{moved.html}\n<div class="stages">\n{trace_sections(traces)}\n</div>'
