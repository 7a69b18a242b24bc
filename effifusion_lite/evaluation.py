"""Scores of a folder of recordings: noisy against enhanced, with means and standard errors.

Chapter: 09 Results and ablations.
"""

import csv
import io
import json
import signal
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from effifusion_lite.audio import EXTENSIONS, SAMPLE_RATE, AudioError, load_audio
from effifusion_lite.metrics import METRICS, Scores, score

HEADINGS = ("PESQ", "STOI", "SI-SDR dB", "segmental SNR dB")
DIGITS = (3, 3, 2, 2)
AHEAD = 4  # files that may wait for each scoring process


class EvaluationError(ValueError):
    """The files cannot be evaluated at all; the message says what to do."""


@dataclass(frozen=True)
class Pair:
    """One recording: its name, and where its versions lie."""

    name: str
    clean: Path
    noisy: Path
    enhanced: Path | None = None


@dataclass(frozen=True)
class FileScores:
    """Scores of one recording; `error` says why it has none."""

    name: str
    noisy: Scores = field(default_factory=Scores)
    enhanced: Scores | None = None
    error: str | None = None


@dataclass(frozen=True)
class Evaluation:
    """Scores of all recordings, with their means, as JSON, CSV and table.

    Chapter: 09.
    Source: choice of this project.
    """

    files: tuple[FileScores, ...]

    def values(self, system: str, metric: str) -> np.ndarray:
        """Score of each file, NaN where there is none.

        Args:
            system: "noisy", "enhanced" or "gain" (enhanced minus noisy).
            metric: one of `metrics.METRICS`.

        Shape:
            `[number of files]`.
        """
        if system == "gain":
            return self.values("enhanced", metric) - self.values("noisy", metric)
        scores = [getattr(file, system) or Scores() for file in self.files]
        return np.array([getattr(score, metric) for score in scores], dtype=float)

    def mean(self, system: str, metric: str) -> float | None:
        """Mean over all files that have this score; None where no file has."""
        values = self.values(system, metric)
        return float(np.nanmean(values)) if not np.isnan(values).all() else None

    def standard_error(self, system: str, metric: str) -> float | None:
        """Standard error of the mean; None with less than two scores."""
        values = self.values(system, metric)
        values = values[~np.isnan(values)]
        return float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else None

    def missing_scores(self) -> list[str]:
        """What could not be scored and why, one entry for each score of each file."""
        return [reason for file in self.files for reason in _reasons(file)]

    @property
    def systems(self) -> tuple[str, ...]:
        """Rows of the table."""
        has_enhanced = any(file.enhanced for file in self.files)
        return ("noisy", "enhanced", "gain") if has_enhanced else ("noisy",)

    def to_dict(self) -> dict:
        """`{"noisy": {means}, "enhanced": {means}, "files": [...]}`, ready for JSON."""
        means = {
            system: {metric: self.mean(system, metric) for metric in METRICS}
            for system in ("noisy", "enhanced")
        }
        return {**means, "files": [_file_to_dict(file) for file in self.files]}

    def to_json(self) -> str:
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """One line for each file: name, four noisy and four enhanced scores, what is missing."""
        text = io.StringIO()
        columns = [f"{system}_{metric}" for system in ("noisy", "enhanced") for metric in METRICS]
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["file", *columns, "missing"])
        for file in self.files:
            scores = (file.noisy, file.enhanced or Scores())
            values = [getattr(score, metric) for score in scores for metric in METRICS]
            missing = [file.error] if file.error else _reasons(file)
            writer.writerow([file.name, *values, "; ".join(missing)])
        return text.getvalue()

    def table(self) -> str:
        """Means and standard errors as text."""
        scored = sum(file.error is None for file in self.files)
        lines = [f"{f'{scored} files':12}" + "".join(f"{heading:>19}" for heading in HEADINGS)]
        for system in self.systems:
            cells = (self._cell(system, *column) for column in zip(METRICS, DIGITS, strict=True))
            lines.append(f"{system:12}" + "".join(f"{cell:>19}" for cell in cells))
        return "\n".join(lines)

    def _cell(self, system: str, metric: str, digits: int) -> str:
        mean, error = self.mean(system, metric), self.standard_error(system, metric)
        if mean is None:
            return "-"
        return f"{mean:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")


def find_pairs(
    clean: str | Path,
    noisy: str | Path,
    enhanced: str | Path | None = None,
    names: Sequence[str] | None = None,
    limit: int | None = None,
) -> list[Pair]:
    """Find the recordings of two or three folders by their equal names.

    Args:
        clean: folder of clean recordings, or one file.
        noisy: folder of noisy recordings, or one file; it decides which are evaluated.
        enhanced: folder of enhanced recordings, or one file.
        names: names to take, such as `p232_001.wav`, in this order; None takes all.
        limit: take the first ones only.

    Returns:
        The pairs; a partner that does not exist is reported by `evaluate`, file by file.

    Raises:
        EvaluationError: a folder does not exist, or there is nothing to evaluate.

    Chapter: 09.
    Source: choice of this project.
    """
    folders = {"CLEAN": Path(clean), "NOISY": Path(noisy)}
    if enhanced is not None:
        folders["ENHANCED"] = Path(enhanced)
    for title, folder in folders.items():
        if not folder.exists():
            raise EvaluationError(f"{title} {folder} does not exist")
        if folder.is_dir() != folders["NOISY"].is_dir():
            raise EvaluationError(f"NOISY and {title} must all be folders, or all be files")
    if folders["NOISY"].is_file():
        return [Pair(folders["NOISY"].name, *folders.values())]
    if names is None:
        files = sorted(folders["NOISY"].rglob("*"))
        files = [f for f in files if f.suffix.lower() in EXTENSIONS and f.name[0] != "."]
        names = [file.relative_to(folders["NOISY"]).as_posix() for file in files]
    names = names[:limit]
    if not names:
        raise EvaluationError(f"there is no sound file to evaluate in {folders['NOISY']}")
    return [Pair(name, *(folder / name for folder in folders.values())) for name in names]


def evaluate(
    pairs: Sequence[Pair],
    enhancer: Callable[[np.ndarray], np.ndarray] | None = None,
    processes: int | None = None,
    progress: bool = True,
) -> Evaluation:
    """Score noisy and enhanced recordings against the clean ones, all at 16 kHz (soxr HQ).

    Enhancement runs in this process, scoring in others beside it. In a script, call this under
    `if __name__ == "__main__":`, or with `processes=1`.

    Args:
        pairs: what `find_pairs` found.
        enhancer: makes enhanced `[N]` from noisy `[N]` at 16 kHz, for pairs without an enhanced
            file.
        processes: for scoring; None takes one for each core, 1 scores in this process.
        progress: show a progress bar.

    Returns:
        The scores. A file that cannot be read, or whose versions differ in length, has its `error`.

    Raises:
        EvaluationError: a scoring process died.

    Chapter: 09.
    Source: choice of this project.
    """
    processes = min(processes or cpu_count() or 1, len(pairs))
    if processes <= 1:
        pool = ThreadPoolExecutor(1)
    else:  # spawned, since a fork of a process with torch's threads may hang
        pool = ProcessPoolExecutor(processes, get_context("spawn"), _ignore_interrupt)
    files, waiting = [], deque()
    try:
        for pair in tqdm(pairs, unit="file", disable=not progress):
            waiting.append(_submit(pool, pair, enhancer))
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
    return Evaluation(tuple(files))


def _submit(pool: Executor, pair: Pair, enhancer: Callable | None) -> Future:
    try:
        clean, noisy = _load_mono(pair.clean), _load_mono(pair.noisy)
        _compare_lengths(pair.clean, clean, pair.noisy, noisy)
        enhanced = None
        if pair.enhanced is not None:
            enhanced = _load_mono(pair.enhanced)
            _compare_lengths(pair.clean, clean, pair.enhanced, enhanced)
        elif enhancer is not None:
            enhanced = enhancer(noisy)
    except AudioError as error:
        failed = Future()
        failed.set_result(FileScores(pair.name, error=str(error)))
        return failed
    return pool.submit(_score_file, pair.name, clean, noisy, enhanced)


def _score_file(
    name: str, clean: np.ndarray, noisy: np.ndarray, enhanced: np.ndarray | None
) -> FileScores:
    enhanced_scores = None if enhanced is None else score(clean, enhanced)
    return FileScores(name, score(clean, noisy), enhanced_scores)


def _load_mono(path: Path) -> np.ndarray:
    waveform, _ = load_audio(path, SAMPLE_RATE)
    if len(waveform) != 1:
        raise AudioError(f"{path} has {len(waveform)} channels: scores are for mono recordings")
    if not np.isfinite(waveform).all():
        raise AudioError(f"{path} holds NaN or infinite samples: repair the recording first")
    return waveform[0]  # [N]


def _compare_lengths(clean_path: Path, clean: np.ndarray, path: Path, waveform: np.ndarray) -> None:
    if len(clean) != len(waveform):
        raise AudioError(
            f"{path} has {len(waveform)} samples at 16 kHz, and {clean_path} has {len(clean)}: "
            "both must be of one length"
        )


def _ignore_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the business of the main process


def _reasons(file: FileScores) -> list[str]:
    systems = {"noisy": file.noisy, "enhanced": file.enhanced or Scores()}
    return [
        f"{system} {metric}: {reason}"
        for system, scores in systems.items()
        for metric, reason in scores.reasons.items()
    ]


def _file_to_dict(file: FileScores) -> dict:
    scores = {"noisy": file.noisy, "enhanced": file.enhanced or Scores()}
    values = {
        system: {metric: getattr(score, metric) for metric in METRICS}
        for system, score in scores.items()
    }
    missing = [file.error] if file.error else _reasons(file)
    return {"file": file.name, **values, "missing": missing}
