"""Where the time of the generator goes.

Chapter: 10 Out of the notebook.
"""

from collections import Counter
from collections.abc import Iterator

import torch
from torch.profiler import ProfilerActivity, profile

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.command_line.benchmarks.speed import SEGMENT, random_model, threads
from effifusion_lite.command_line.benchmarks.timing import Row

# What an operator of torch belongs to, by a part of its name; the first that fits counts.
GROUPS = {
    "attention": ("scaled_dot_product",),
    "convolutions": ("convolution",),
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm"),
    "norms": ("norm",),
    "units and gates": ("hardswish", "glu", "sigmoid"),
    "copies and sums": ("copy", "cat", "add", "fill", "mul"),
}
REST = "all else"


def profiled(repeats: int) -> Iterator[Row]:
    """Share of each kind of operator in the time of `full` and `lite`, on one thread and 2 s.

    Source: `torch.profiler`; its own cost counts for the many small operators under "all else".
    """
    frames = 1 + SEGMENT // 100
    for name in ("full", "lite"):
        model = random_model(name)
        magnitude = torch.rand(1, model.config.spectral.bins, frames)  # [1, F, T]
        with threads(1), torch.no_grad():
            model(magnitude, magnitude)
            with profile(activities=[ProfilerActivity.CPU], acc_events=True) as record:
                for _ in range(repeats):
                    model(magnitude, magnitude)
        times = Counter()
        for event in record.key_averages():
            times[group_of(event.key)] += event.self_cpu_time_total / 1e6
        total = sum(times.values())
        audio = repeats * SEGMENT / SAMPLE_RATE
        yield Row.of("profile", f"{name}, all", "s per s of audio", [total / audio])
        for kind in (*GROUPS, REST):
            yield Row.of("profile", f"{name}, {kind}", "%", [100 * times[kind] / total])


def group_of(operator: str) -> str:
    """The kind that an operator belongs to."""
    fits = (kind for kind, parts in GROUPS.items() if any(part in operator for part in parts))
    return next(fits, REST)
