"""How fast the model runs and trains, and what its parts and pruning contribute.

Chapter: 10 Out of the notebook.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np
import torch
from torch import nn

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.command_line.benchmarks.timing import Row, ratios, take_turns
from effifusion_lite.convolution import DepthwiseSeparableConv, StandardConv
from effifusion_lite.cpu.threads import cores
from effifusion_lite.enhancement import enhance
from effifusion_lite.generator import EffiFusionGenerator, preset
from effifusion_lite.listening import clips
from effifusion_lite.pruning import choose_units, mask_units, remove_units
from effifusion_lite.training import Trainer, TrainingConfig

SECONDS = 10  # of audio that is enhanced
SEGMENT = 32000  # samples of a training example
BATCHES = {"tiny": 4, "lite": 2}  # examples in a training step
RATE = 0.5  # share of the units that is removed


@contextmanager
def threads(number: int) -> Iterator[None]:
    """While it lasts, torch computes with that many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def random_model(name: str) -> EffiFusionGenerator:
    """A generator of a preset with random weights."""
    torch.manual_seed(0)
    return EffiFusionGenerator(preset(name)).eval()


def noise() -> np.ndarray:
    """Ten seconds of noise at 16 kHz."""
    return 0.1 * np.random.default_rng(0).standard_normal(SECONDS * SAMPLE_RATE, np.float32)


def inference(repeats: int) -> Iterator[Row]:
    """Real-time factor of whole calls on one thread: eager torch beside ONNX Runtime."""
    waveform = noise()
    with threads(1):
        for name in ("full", "lite", "tiny"):
            systems = {"torch": random_model(name)}
            if find_spec("onnxruntime") and find_spec("onnx"):
                from effifusion_lite.enhancement.onnx.backend import OnnxGenerator
                from effifusion_lite.enhancement.onnx.generator import build

                systems["ONNX Runtime"] = OnnxGenerator(build(systems["torch"]))
            yield from _real_time_factors("inference", name, systems, waveform, repeats)


def compiled(repeats: int) -> Iterator[Row]:
    """The same for `torch.compile`, which needs a C++ compiler and a minute for each model."""
    with threads(1):
        for name in ("full", "lite"):
            model = random_model(name)
            systems = {"torch": model, "torch.compile": _Compiled(model)}
            yield from _real_time_factors("compiled", name, systems, noise(), repeats)


class _Compiled:
    def __init__(self, model: EffiFusionGenerator):
        self.config, self.model = model.config, torch.compile(model, dynamic=False)

    def __call__(self, magnitude, phase):
        return self.model(magnitude, phase)


def _real_time_factors(section, name, systems, waveform, repeats) -> Iterator[Row]:
    def call(model) -> Callable[[], object]:
        return lambda: enhance(waveform, SAMPLE_RATE, model)

    seconds = take_turns({system: call(model) for system, model in systems.items()}, repeats)
    for system, values in seconds.items():
        factors = [value / SECONDS for value in values]
        yield Row.of(section, f"{name}, {system}, one thread", "x real time", factors)
    first, *others = seconds
    for other in others:
        speedup = ratios(seconds[first], seconds[other])
        yield Row.of(section, f"{name}, {other} against {first}", "x faster", speedup)


def training(repeats: int) -> Iterator[Row]:
    """Seconds of audio that a training goes through in a second, on two threads at most, with
    discriminator and PESQ labels.
    """
    number = min(2, cores())
    for name, size in BATCHES.items():
        config = TrainingConfig(generator=preset(name), gan=True, gan_start=0, label_workers=1)
        noisy, clean = _batch(size)
        trainer = Trainer(config, torch.device("cpu"))
        with trainer.pool, threads(number):
            step = iter(range(config.steps))
            call = {name: lambda: trainer.train_step(next(step), noisy, clean)}  # noqa: B023
            seconds = take_turns(call | {"again": call[name]}, repeats)
            trainer.state()  # waits for the last labels
        audio = size * SEGMENT / SAMPLE_RATE
        speeds = [audio / value for values in seconds.values() for value in values]
        yield Row.of("training", f"{name}, {number} threads", "s of audio per s", speeds)


def _batch(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    pairs = [clips.pair(name) for name in clips.names("noisy")[:size]]
    noisy, clean = (
        np.stack([np.resize(side, SEGMENT) for side in sides]).astype(np.float32)
        for sides in zip(*((noisy, clean) for clean, noisy in pairs), strict=True)
    )
    return torch.from_numpy(noisy), torch.from_numpy(clean)


def layers(repeats: int) -> Iterator[Row]:
    """Depthwise-separable against full convolution, in both memory layouts; the lesson of
    chapter 02.
    """
    torch.manual_seed(0)
    x = torch.randn(1, 64, 321, 101)
    calls = {}
    for kind, conv in (("separable", DepthwiseSeparableConv), ("full", StandardConv)):
        for layout, form in (
            ("channels last", torch.channels_last),
            ("channels first", torch.contiguous_format),
        ):
            module = conv(64, 64).to(memory_format=form)
            calls[f"{kind} convolution, {layout}"] = _forward(
                module, x.contiguous(memory_format=form)
            )
    with threads(1):
        seconds = take_turns(calls, repeats)
    for name, values in seconds.items():
        yield Row.of("layers", name, "ms", [1000 * value for value in values])
    separable, full = (
        [
            min(pair)
            for pair in zip(*(v for k, v in seconds.items() if k.startswith(kind)), strict=True)
        ]
        for kind in ("separable", "full")
    )
    yield Row.of("layers", "separable against full, each in its better layout", "x faster",
                 ratios(full, separable))  # fmt: skip


def pruning(repeats: int) -> Iterator[Row]:
    """Masked against removed units of `lite`; the lesson of chapter 07."""
    dense = random_model("lite")
    chosen = choose_units(dense, RATE)
    masked = random_model("lite")
    mask_units(masked, chosen)
    systems = {"dense": dense, "masked": masked, "removed": remove_units(dense, chosen)}
    with threads(1):
        yield from _real_time_factors("pruning", f"lite, {RATE:.0%}", systems, noise(), repeats)


def _forward(module: nn.Module, x: torch.Tensor) -> Callable[[], object]:
    def call():
        with torch.no_grad():
            return module(x)

    return call
