"""What the windows of `effifusion_lite.enhancement.windows` cost in score, and spare in memory.

    python tools/windows.py SPEECH NOISE

mixes recordings of 60 s from a folder of clean speech and a folder of noise, enhances each in one
piece and in windows, and prints for each length of window: PESQ (mean of the pieces of 20 s that
PESQ takes) and SI-SDR, what they lose against one piece, the time for a second of audio, and the
peak memory of the whole process. "level of" is what a window is scaled by: the root mean square of
the whole recording, or its own.
"""

import argparse
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import torch

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.enhancement.windows import CROSSFADE, WINDOW, enhance_in_windows, measure
from effifusion_lite.metrics import pesq, si_sdr
from effifusion_lite.metrics.perceptual import LONGEST_PESQ
from effifusion_lite.training import Validation
from effifusion_lite.weights import load

CHOICES = ((2.25, 0.25), (4.0, 0.5), (8.0, 1.0))  # s of window and of crossfade


def run(weights: str, noisy: np.ndarray, window: float, crossfade: float, of_file: bool):
    """Enhance mixtures `[B, N]`; returns them, the real-time factor and the peak memory in GB.

    It runs in a process of its own, so that the peak is that of this window.
    """
    torch.set_num_threads(1)
    model = load(weights)
    enhanced, before = [], time.perf_counter()
    for one in noisy[:, None]:  # [1, N]
        length, rms, _ = measure([one], SAMPLE_RATE)
        level = rms if of_file else None
        blocks = enhance_in_windows(model, [one], length, level, window, crossfade)
        enhanced += [np.concatenate(list(blocks), axis=1)[0]]
    factor = (time.perf_counter() - before) * SAMPLE_RATE / noisy.size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return np.stack(enhanced), factor, peak


def scores(clean: np.ndarray, enhanced: np.ndarray) -> np.ndarray:
    """PESQ and SI-SDR of each of `[B, N]`: `[B, 2]`."""
    step = LONGEST_PESQ * SAMPLE_RATE
    pieces = range(0, clean.shape[1] - step + 1, step)
    return np.array(
        [
            (np.mean([pesq(c[i : i + step], e[i : i + step]) for i in pieces]), si_sdr(c, e))
            for c, e in zip(clean, enhanced, strict=True)
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("speech", help="folder of clean speech")
    parser.add_argument("noise", help="folder of noise")
    parser.add_argument("--weights", default="lite")
    parser.add_argument("--mixtures", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    mixed = Validation.of_mixtures(options.speech, options.noise, options.mixtures, options.seconds)
    noisy, clean = (torch.stack(side).numpy() for side in zip(*mixed.pairs, strict=True))  # [B, N]
    print(f"{options.weights}, {options.mixtures} mixtures of {options.seconds:g} s, one thread")
    print("window  fade s  level of    PESQ  SI-SDR dB  lost: PESQ  SI-SDR dB  (worst)  s/s     GB")
    whole = None
    for window, fade, of_file in [
        (options.seconds, CROSSFADE, True),  # one piece
        *((*choice, True) for choice in CHOICES),
        (WINDOW, CROSSFADE, False),
    ]:
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            job = process.submit(run, options.weights, noisy, window, fade, of_file)
            result = job.result()
        enhanced, factor, peak = result
        values = scores(clean, enhanced)  # [B, 2]
        whole = values if whole is None else whole
        lost, worst = (whole - values).mean(0), (whole - values).max(0)
        print(
            f"{window:6g}{fade:8g}  {'recording' if of_file else 'window':9}"
            f"{values[:, 0].mean():7.3f}{values[:, 1].mean():11.2f}"
            f"{lost[0]:12.3f}{lost[1]:11.2f}  ({worst[0]:.3f}, {worst[1]:.2f})"
            f"{factor:6.3f}{peak:7.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
