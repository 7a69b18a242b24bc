"""The sections of the benchmark, and the machine they ran on.

Chapter: 10 Out of the notebook.
"""

import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from effifusion_lite.command_line.benchmarks import busy, memory, profile, speed
from effifusion_lite.command_line.benchmarks.timing import Row
from effifusion_lite.cpu.threads import cores

SECTIONS = {
    "inference": speed.inference,
    "compiled": speed.compiled,
    "profile": profile.profiled,
    "training": speed.training,
    "layers": speed.layers,
    "pruning": speed.pruning,
    "memory": memory.memory,
    "imports": memory.imports,
    "busy": busy.busy,
    "long": memory.long,
}
SLOW = {"compiled", "busy", "long"}  # minutes, a quarter of an hour: only when they are asked for


def machine() -> dict[str, str | int]:
    """What the numbers were measured on.

    Returns:
        Processor, number of cores, system, and versions.
    """
    cpus = Path("/proc/cpuinfo")
    names = [x for x in cpus.read_text().splitlines() if "model name" in x] if cpus.exists() else []
    return {
        "processor": names[0].split(":")[1].strip() if names else platform.processor(),
        "cores": cores(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def measure(sections: Sequence[str], repeats: int) -> Iterator[Row]:
    """The rows of some sections, as they come.

    Args:
        sections: names out of `SECTIONS`.
        repeats: how often each thing is measured.

    Returns:
        Rows.

    Raises:
        ValueError: a section is unknown.
    """
    for name in sections:
        if name not in SECTIONS:
            raise ValueError(f"there is no section {name!r}: choose from {', '.join(SECTIONS)}")
    for name in sections:
        yield from SECTIONS[name](repeats)


def to_json(rows: Sequence[Row]) -> str:
    """Machine and rows as text."""
    content = {"machine": machine(), "rows": [asdict(row) for row in rows]}
    return json.dumps(content, indent=2) + "\n"
