"""Scores of a folder of recordings: noisy against enhanced, over several processes.

Chapter: 09 Results and ablations.
"""

import signal
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from effifusion_lite.audio import SAMPLE_RATE, AudioError, load_audio
from effifusion_lite.cpu.threads import cores
from effifusion_lite.evaluation.pairs import EvaluationError, Pair, find_pairs
from effifusion_lite.evaluation.results import Evaluation, FileScores
from effifusion_lite.metrics import MetricError, Scores, dnsmos, score, stoi

__all__ = ["Evaluation", "EvaluationError", "FileScores", "Pair", "evaluate", "find_pairs"]

AHEAD = 4  # files that may wait for each scoring process
Enhancer = Callable[[np.ndarray], np.ndarray]


def evaluate(
    pairs: Sequence[Pair],
    enhancer: Enhancer | None = None,
    processes: int | None = None,
    progress: bool = True,
    compared: Enhancer | None = None,
    compared_with: str | None = None,
    opinions: bool = False,
) -> Evaluation:
    """Score noisy and enhanced recordings against the clean ones, all at 16 kHz (soxr HQ).

    Enhancement runs in this process, scoring in others beside it. In a script, call this under
    `if __name__ == "__main__":`, or with `processes=1`.

    Args:
        pairs: what `find_pairs` found.
        enhancer: makes enhanced `[N]` from noisy `[N]` at 16 kHz, for pairs without an enhanced
            file. What it makes of the clean recording is scored as well.
        processes: for scoring; None takes one for each core, 1 scores in this process.
        progress: show a progress bar.
        compared: another enhancer, for pairs without a file to compare with.
        compared_with: "noisy", or what to call the system that is compared.
        opinions: add those of DNSMOS, of the clean recording, too; that takes several times as long
            as all other scores, and needs the package `speechmos`.

    Returns:
        The scores. A file that cannot be read, or whose versions differ in length, has its `error`.

    Raises:
        EvaluationError: a scoring process died.
    """
    processes = min(processes or cores(), len(pairs))
    if processes <= 1:
        pool = ThreadPoolExecutor(1)
    else:  # spawned, since a fork of a process with torch's threads may hang
        pool = ProcessPoolExecutor(processes, get_context("spawn"), _ignore_interrupt)
    files, waiting = [], deque()
    try:
        for pair in tqdm(pairs, unit="file", disable=not progress):
            waiting.append(_submit(pool, pair, enhancer, compared, opinions))
            if len(waiting) > AHEAD * processes:  # keeps few waveforms in memory
                files.append(waiting.popleft().result())
        files.extend(job.result() for job in waiting)
    except BrokenProcessPool as error:
        raise EvaluationError(
            "a scoring process died; for lack of memory score with one process, and in a script "
            'call evaluate under `if __name__ == "__main__":`'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
    return Evaluation(tuple(files), compared_with)


def _submit(
    pool: Executor,
    pair: Pair,
    enhancer: Enhancer | None,
    compared: Enhancer | None,
    opinions: bool,
) -> Future:
    try:
        clean = _load_mono(pair.clean)
        versions = {"noisy": _load_partner(pair.noisy, clean, pair)}
        for system, path, function in (
            ("enhanced", pair.enhanced, enhancer),
            ("compared", pair.compared, compared),
        ):
            if path is not None:
                versions[system] = _load_partner(path, clean, pair)
            elif function is not None:
                versions[system] = function(versions["noisy"])
        if pair.enhanced is None and enhancer is not None:
            versions["clean_enhanced"] = enhancer(clean)
    except AudioError as error:
        failed = Future()
        failed.set_result(FileScores(pair.name, error=str(error)))
        return failed
    return pool.submit(_score_file, pair.name, clean, versions, opinions)


def _score_file(
    name: str, clean: np.ndarray, versions: dict[str, np.ndarray], opinions: bool
) -> FileScores:
    scores = {system: _add_estoi(score(clean, w), clean, w) for system, w in versions.items()}
    if opinions:
        scores["clean"] = Scores()
        for system in scores.keys() - {"clean_enhanced"}:
            scores[system] = _add_opinions(scores[system], versions.get(system, clean))
    return FileScores(name, **scores)


def _add_estoi(scores: Scores, clean: np.ndarray, waveform: np.ndarray) -> Scores:
    try:
        return replace(scores, estoi=stoi(clean, waveform, extended=True))
    except MetricError as error:
        return replace(scores, reasons=scores.reasons | {"estoi": str(error)})


def _add_opinions(scores: Scores, waveform: np.ndarray) -> Scores:
    try:
        return replace(scores, **asdict(dnsmos(waveform)))
    except MetricError as error:
        return replace(scores, reasons=scores.reasons | {"DNSMOS": str(error)})


def _load_mono(path: Path) -> np.ndarray:
    waveform, _ = load_audio(path, SAMPLE_RATE)
    if len(waveform) != 1:
        raise AudioError(
            f"{path} has {len(waveform)} channels: scores are for mono recordings, so choose one "
            "channel, or their mean, in all files"
        )
    if not np.isfinite(waveform).all():
        raise AudioError(f"{path} holds NaN or infinite samples: repair the recording first")
    return waveform[0]  # [N]


def _load_partner(path: Path, clean: np.ndarray, pair: Pair) -> np.ndarray:
    waveform = _load_mono(path)
    if len(clean) != len(waveform):
        raise AudioError(
            f"{path} has {len(waveform)} samples at 16 kHz, and {pair.clean} has {len(clean)}: "
            "both must be of one length"
        )
    return waveform


def _ignore_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the business of the main process
