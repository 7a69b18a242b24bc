"""Size and cost of a generator.

Chapter: 04 The generator.
"""

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from effifusion_lite.audio import SAMPLE_RATE

MAC_SECONDS = 2  # s of audio that are counted, the length of a training segment


def describe(model) -> dict:
    """Size and cost of a generator.

    Args:
        model: an `EffiFusionGenerator`.

    Returns:
        `parameters`; `modules`, the parameters of each part; `macs_per_second`, the
        multiply-accumulates for a second of audio, attention counted, in a segment of 2 s (the
        attention's share grows with the length); `size_bytes`, parameters and buffers in memory.

    Source: `torch.utils.flop_counter`, which counts two operations for each.
    """
    config = model.config.spectral
    frames = 1 + MAC_SECONDS * SAMPLE_RATE // config.hop_length
    magnitude = torch.empty(1, config.bins, frames, device="meta")  # [1, F, T], shapes alone
    with torch.no_grad(), counted() as counter:
        copy.deepcopy(model).to("meta")(magnitude, magnitude)
    modules = {
        name: sum(parameter.numel() for parameter in module.parameters())
        for name, module in model.named_children()
    }
    state = model.state_dict().values()
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "modules": modules,
        "macs_per_second": counter.get_total_flops() // 2 // MAC_SECONDS,
        "size_bytes": sum(tensor.numel() * tensor.element_size() for tensor in state),
    }


@contextmanager
def counted() -> Iterator[FlopCounterMode]:
    """Counts what runs inside, attention included: two operations for each multiply-accumulate.

    Returns:
        A context that gives the counter; its `get_total_flops()` can be read at any time.

    Source: `torch.utils.flop_counter`.
    """
    # Sums in place are products too, which the counter does not know by itself.
    in_place = {torch.ops.aten.addmm_: _count_in_place}
    counter = FlopCounterMode(display=False, custom_mapping=in_place)
    # Attention as plain matrix products, which the counter knows.
    with sdpa_kernel(SDPBackend.MATH), counter:
        yield counter


@torch.no_grad()
def time_ratio(model, other, frames: int = 161, repeats: int = 5) -> float:
    """Measure how long a generator takes relative to another, on one core.

    What counts is the time of the processor, which does not go on while it works for others. Both
    run in turns, so that whatever slows the core for a while slows both; each turn gives a ratio.

    Args:
        model: an `EffiFusionGenerator`, the one that is compared with.
        other: the generator whose time is asked for.
        frames: length of the input; 161 frames are one second.
        repeats: turns.

    Returns:
        Median over the turns of the time of `other` over the time of `model`.

    Raises:
        ValueError: there is no run.

    Chapter: 07 Dynamic pruning.
    """
    if repeats < 1:
        raise ValueError(f"at least one turn has to be timed, not {repeats}")
    generator = torch.Generator().manual_seed(1)
    magnitude = torch.rand(1, model.config.spectral.bins, frames, generator=generator)  # [1, F, T]
    phase = torch.zeros_like(magnitude)
    turns = []  # seconds of both, in each turn
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(repeats + 1):
            seconds = []
            for network in (model, other):
                started = time.process_time()
                network(magnitude, phase)
                seconds.append(time.process_time() - started)
            turns.append(seconds)
    finally:
        torch.set_num_threads(threads)
    return median(second / first for first, second in turns[1:])  # the first turn warms up


def _count_in_place(total, rows, matrix, **_) -> int:
    """Operations of a sum of a matrix and a product of two, from their shapes."""
    return 2 * rows[0] * rows[1] * matrix[1]
