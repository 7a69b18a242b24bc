"""PESQ of the enhanced speech of each training step, computed in worker processes.

Chapter: 06 The GAN loop.
"""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.connection import wait

import numpy as np

from effifusion_lite.metrics import MetricError, pesq

PESQ_FLOOR, PESQ_RANGE = 1.0, 3.5


def worker_pool(workers: int) -> ProcessPoolExecutor:
    """Processes for scoring that end with their parent, however it ends, and leave signals to it.

    Args:
        workers: number of processes.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, initializer=_start_worker)


def leave_signals_to_parent(*_) -> None:
    """Lets a worker process work on through a Ctrl-C or SIGTERM that reaches the whole group."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _start_worker() -> None:
    leave_signals_to_parent()
    parent = multiprocessing.parent_process()
    threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def normalised_pesq(clean: np.ndarray, enhanced: np.ndarray) -> float:
    """``(PESQ − 1) / 3.5``, or NaN where PESQ cannot be computed, as on silence.

    Args:
        clean: clean speech at 16 kHz.
        enhanced: enhanced speech.

    Returns:
        About 0 to 1, or NaN.

    Shape:
        two of ``[N]`` (samples) → number.

    Source: MetricGAN (Fu et al. 2019) with the range of MP-SENet (2023).
    """
    try:
        return (pesq(clean, enhanced) - PESQ_FLOOR) / PESQ_RANGE
    except MetricError:
        return float("nan")


class PesqLabels:
    """The labels of one batch, on their way.

    Args:
        executor: where they are computed.
        clean: clean waveforms.
        enhanced: enhanced waveforms.

    Shape:
        two of ``[B, N]`` (samples, 16 kHz).
    """

    def __init__(self, executor: ProcessPoolExecutor, clean: np.ndarray, enhanced: np.ndarray):
        pairs = zip(clean, enhanced, strict=True)
        self.futures: list[Future] = [executor.submit(normalised_pesq, *pair) for pair in pairs]

    def collect(self) -> list[float]:
        """Waits for the labels: normalised PESQ of each item, NaN where it could not be
        computed."""
        return [future.result() for future in self.futures]
