"""Size and cost of a generator.

Chapter: 04 The generator.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

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


def _count_in_place(total, rows, matrix, **_) -> int:
    """Operations of a sum of a matrix and a product of two, from their shapes."""
    return 2 * rows[0] * rows[1] * matrix[1]
