"""Memory of whole calls, and the time of the import, each in a process of its own.

Chapter: 10 Out of the notebook.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.command_line.benchmarks.timing import Row

LONG = (5, 60)  # minutes of the recordings of the section `long`

# Linux hands ru_maxrss on from the process that started this one, so its own peak is read there.
PEAK = """
import pathlib, resource, sys
def peak():
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS
"""
TEN_SECONDS = """
import torch
before = peak()
from effifusion_lite.command_line.benchmarks.speed import noise, random_model
from effifusion_lite.enhancement import enhance
enhance(noise(), 16000, random_model({name!r}))
print(peak() - before)
"""
WHOLE_FILE = """
from effifusion_lite.command_line.parser import main
code = main(["enhance", {source!r}, "-o", {out!r}, "--weights", "lite"])
assert code == 0
print(peak())
"""
IMPORT = """
import time
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
"""


def _number(program: str) -> float:
    """What a program prints at last."""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    if run.returncode:
        raise OSError(f"a measurement failed: {run.stderr.strip().splitlines()[-1]}")
    return float(run.stdout.split()[-1])


def memory(repeats: int) -> Iterator[Row]:
    """Peak memory of ten seconds, beyond what torch takes by itself."""
    for name in ("full", "lite", "tiny"):
        peaks = [_number(PEAK + TEN_SECONDS.format(name=name)) for _ in range(min(3, repeats))]
        yield Row.of("memory", f"{name}, 10 s, beyond the import of torch", "MB", peaks)


def long(repeats: int) -> Iterator[Row]:
    """Peak memory of `effifusion enhance` on long recordings, all of the process."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for minutes in LONG:
            source = Path(folder) / f"{minutes}.wav"
            with soundfile.SoundFile(source, "w", SAMPLE_RATE, 1) as file:
                for _ in range(minutes):
                    file.write(0.1 * rng.standard_normal(60 * SAMPLE_RATE))
            out = str(Path(folder) / "out")
            peak = _number(PEAK + WHOLE_FILE.format(source=str(source), out=out))
            yield Row.of("long", f"lite, {minutes} minutes, whole process", "MB", [peak])


def imports(repeats: int) -> Iterator[Row]:
    """Time of the import: of the package, and of what enhancement needs, torch included."""
    for module in ("effifusion_lite", "effifusion_lite.enhancement.windows"):
        seconds = [_number(IMPORT.format(module=module)) for _ in range(min(3, repeats))]
        yield Row.of("imports", f"import {module}", "s", seconds)
