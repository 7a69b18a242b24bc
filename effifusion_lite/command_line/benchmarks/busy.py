"""What a call takes while other torch programs compute beside it.

Chapter: 10 Out of the notebook.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

from effifusion_lite.command_line.benchmarks.timing import Row, ratios

OTHERS = 2  # programs that run beside the measured one
CALLS = 3  # measured calls of a process
# What libgomp does where nobody says how its threads wait, and what this package sets.
SETTINGS = {"as torch waits": {"GOMP_SPINCOUNT": "300000"}, "as this package waits": {}}

PREPARE = """
import time
import effifusion_lite
from effifusion_lite.command_line.benchmarks.speed import noise, random_model
model, waveform = random_model("tiny"), noise()[:3 * 16000]
effifusion_lite.enhance(waveform, 16000, model)
print("ready", flush=True)
"""
FOR_EVER = "while True:\n    effifusion_lite.enhance(waveform, 16000, model)\n"
MEASURE = f"""
for _ in range({CALLS}):
    start = time.perf_counter()
    effifusion_lite.enhance(waveform, 16000, model)
    print(time.perf_counter() - start, flush=True)
"""


def busy(repeats: int) -> Iterator[Row]:
    """Three seconds through `tiny`, alone and beside two other programs that do the same."""
    for name, setting in SETTINGS.items():
        alone = [_seconds(setting, 0) for _ in range(min(3, repeats))]
        beside = [_seconds(setting, OTHERS) for _ in range(min(3, repeats))]
        yield Row.of("busy", f"{name}: alone", "s", alone)
        yield Row.of("busy", f"{name}: beside {OTHERS} programs", "s", beside)
        yield Row.of("busy", f"{name}: ratio", "times", ratios(beside, alone))


def _seconds(setting: dict[str, str], others: int) -> float:
    """Mean time of a call in a new process."""
    with ExitStack() as running:
        for _ in range(others):
            running.callback(_start(PREPARE + FOR_EVER, setting).kill)
        process = running.enter_context(_start(PREPARE + MEASURE, setting))
        seconds = [float(line) for line in process.stdout]
    if process.returncode or len(seconds) < CALLS:
        raise OSError("a measurement failed: the measured program ended early")
    return sum(seconds) / CALLS


def _start(program: str, setting: dict[str, str]) -> subprocess.Popen:
    """A program that has done its first call."""
    said = {"OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}
    environment = {name: value for name, value in os.environ.items() if name not in said}
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment | setting,
        stdout=subprocess.PIPE,
        text=True,
    )
    process.stdout.readline()
    return process
