"""Scores of all recordings of an evaluation, with their means, groups and differences.

Chapter: 09 Results and ablations.
"""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from effifusion_lite.evaluation.conditions import Condition
from effifusion_lite.evaluation.intervals import CONFIDENCE, Interval, mean_interval
from effifusion_lite.evaluation.tables import table
from effifusion_lite.metrics import COMPOSITES, OPINIONS, Scores

ALL_METRICS = ("pesq", "stoi", "estoi", "si_sdr", "segmental_snr") + COMPOSITES + OPINIONS
SYSTEMS = ("noisy", "enhanced", "compared", "clean", "clean_enhanced")


@dataclass(frozen=True)
class FileScores:
    """Scores of one recording; `error` says why it has none.

    `clean` has only what needs no original, and `clean_enhanced` tells what the system takes away
    where there is nothing to remove.
    """

    name: str
    noisy: Scores = field(default_factory=Scores)
    enhanced: Scores | None = None
    error: str | None = None
    compared: Scores | None = None
    condition: Condition = Condition()
    clean: Scores | None = None
    clean_enhanced: Scores | None = None

    def value(self, system: str, metric: str) -> float | None:
        """One score, None where there is none."""
        return getattr(getattr(self, system) or Scores(), metric)

    def reasons(self) -> list[str]:
        """What could not be scored and why."""
        return [
            f"{system} {metric}: {reason}"
            for system in SYSTEMS
            for metric, reason in (getattr(self, system) or Scores()).reasons.items()
        ]

    def missing(self) -> list[str]:
        """Why there are no scores at all, or what could not be scored."""
        return [self.error] if self.error else self.reasons()


@dataclass(frozen=True)
class Evaluation:
    """Scores of all recordings, with their means, as JSON, CSV and table.

    Args:
        files: the recordings.
        compared_with: what the enhanced files are compared with: "noisy", or a name for the system
            whose scores are "compared"; None for nothing.
    """

    files: tuple[FileScores, ...]
    compared_with: str | None = None

    def values(self, system: str, metric: str) -> np.ndarray:
        """Score of each file, NaN where there is none.

        Args:
            system: one of `SYSTEMS`, "gain" (enhanced minus noisy) or "difference" (enhanced minus
                what it is compared with).
            metric: one of `ALL_METRICS`.

        Shape:
            `[number of files]`.
        """
        if system in ("gain", "difference"):
            noisy = system == "gain" or self.compared_with == "noisy"
            subtrahend = self.values("noisy" if noisy else "compared", metric)
            return self.values("enhanced", metric) - subtrahend
        return np.array([file.value(system, metric) for file in self.files], dtype=float)

    def mean(self, system: str, metric: str) -> float | None:
        """Mean over all files that have this score; None where no file has."""
        values = self.values(system, metric)
        return float(np.nanmean(values)) if not np.isnan(values).all() else None

    def standard_error(self, system: str, metric: str) -> float | None:
        """Standard error of the mean; None with less than two scores."""
        values = self.values(system, metric)
        values = values[~np.isnan(values)]
        return float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else None

    def interval(self, system: str, metric: str) -> Interval | None:
        """Mean with its 95 % interval; None with less than two scores."""
        return mean_interval(self.values(system, metric))

    def missing_scores(self) -> list[str]:
        """What could not be scored and why, one entry for each score of each file."""
        return [reason for file in self.files for reason in file.reasons()]

    @property
    def systems(self) -> tuple[str, ...]:
        """The systems that have scores."""
        others = (s for s in SYSTEMS[1:] if any(getattr(file, s) for file in self.files))
        return ("noisy", *others)

    def with_conditions(self, conditions: Mapping[str, Condition]) -> "Evaluation":
        """The same, with noise and SNR of each file by its name."""
        files = (
            replace(file, condition=conditions.get(file.name, file.condition))
            for file in self.files
        )
        return replace(self, files=tuple(files))

    def with_compared(self, scores: Mapping[str, Scores], name: str) -> "Evaluation":
        """The same, compared with scores of another system, which are given by file name."""
        files = (replace(file, compared=scores.get(file.name)) for file in self.files)
        return replace(self, files=tuple(files), compared_with=name)

    def groups(self, key: str) -> dict[str, "Evaluation"]:
        """The evaluation of each noise, or of each SNR.

        Args:
            key: "noise" or "snr_db".

        Returns:
            For each name ("bus", "17.5 dB"), in order, the evaluation of its files. Files whose
            condition is not known are in no group.
        """
        values = {getattr(file.condition, key) for file in self.files} - {None}
        return {
            value if key == "noise" else f"{value:g} dB": replace(
                self, files=tuple(f for f in self.files if getattr(f.condition, key) == value)
            )
            for value in sorted(values)
        }

    def means(self, systems: tuple[str, ...]) -> dict[str, dict[str, float | None]]:
        """Means by system and metric."""
        return {system: {m: self.mean(system, m) for m in ALL_METRICS} for system in systems}

    def to_dict(self) -> dict:
        """`{"noisy": {means}, "enhanced": {means}, "files": [...]}`, ready for JSON.

        Before "files" stand "noise" and "snr_db", means of each group, where conditions are known,
        and before these "compared" and "comparison" where there is something to compare with,
        "clean" and "clean_enhanced" where these have scores.
        """
        systems = self._written()
        content = self.means(systems)
        if self.compared_with is not None:
            content["comparison"] = {"with": self.compared_with, "confidence": CONFIDENCE}
            for metric in ALL_METRICS:
                interval = self.interval("difference", metric)
                shown = interval and asdict(interval) | {"shown": interval.shown}
                content["comparison"][metric] = shown
        for key in ("noise", "snr_db"):
            if groups := self.groups(key):
                content[key] = {
                    name: {"count": len(group.files)} | group.means(systems)
                    for name, group in groups.items()
                }
        return content | {"files": [_file_to_dict(file, systems) for file in self.files]}

    def to_json(self) -> str:
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """One line for each file: name, noise, SNR, scores of all systems, what is missing."""
        text = io.StringIO()
        columns = [(s, m) for s in self._written() for m in ALL_METRICS]
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["file", "noise", "snr_db", *(f"{s}_{m}" for s, m in columns), "missing"])
        for file in self.files:
            values = [file.value(*column) for column in columns]
            condition = (file.condition.noise, file.condition.snr_db)
            writer.writerow([file.name, *condition, *values, "; ".join(file.missing())])
        return text.getvalue()

    def table(self) -> str:
        """Means with standard errors, means of groups, and the comparison, as text."""
        return table(self)

    def _written(self) -> tuple[str, ...]:
        """Systems that stand in a file: the first two always, so that its form is known."""
        return tuple(s for s in SYSTEMS if s in (*SYSTEMS[:2], *self.systems))


def _file_to_dict(file: FileScores, systems: tuple[str, ...]) -> dict:
    condition = {key: value for key, value in asdict(file.condition).items() if value is not None}
    scores = {system: {m: file.value(system, m) for m in ALL_METRICS} for system in systems}
    return {"file": file.name} | condition | scores | {"missing": file.missing()}
