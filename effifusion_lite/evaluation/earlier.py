"""Scores of an earlier evaluation, out of its JSON file.

Chapter: 09 Results and ablations.
"""

import json
from pathlib import Path

from effifusion_lite.evaluation.pairs import EvaluationError
from effifusion_lite.evaluation.results import ALL_METRICS, Evaluation, FileScores
from effifusion_lite.metrics import Scores

TOLERANCE = 0.01  # of a noisy file's score from one evaluation to the next


def read_evaluation(path: str | Path) -> Evaluation:
    """Read what `effifusion evaluate --json` wrote.

    Args:
        path: the file.

    Returns:
        The scores of each file, without the reasons of missing ones, conditions and comparison.

    Raises:
        EvaluationError: the file holds something else.
    """
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))["files"]
        files = [
            FileScores(
                entry["file"], _scores(entry["noisy"]) or Scores(), _scores(entry["enhanced"])
            )
            for entry in entries
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EvaluationError(
            f"{path} holds no scores: name a file that `effifusion evaluate --json` wrote"
        ) from error
    return Evaluation(tuple(files))


def compare_with_earlier(evaluation: Evaluation, earlier: Evaluation, name: str) -> Evaluation:
    """The same evaluation, compared with the scores that an earlier one gave to the same files.

    Args:
        evaluation: the new scores.
        earlier: the scores to compare with: those of its enhanced files, or of the noisy ones where
            it has no others.
        name: what to call them.

    Returns:
        The evaluation. Files stay without a comparison that the earlier one does not have, or whose
        noisy version had other scores: that was another recording of this name.
    """
    before = {file.name: file for file in earlier.files}
    system = "enhanced" if "enhanced" in earlier.systems else "noisy"
    compared = {
        file.name: getattr(before[file.name], system)
        for file in evaluation.files
        if file.name in before and _same_noisy(file, before[file.name])
    }
    return evaluation.with_compared(compared, name)


def _same_noisy(one: FileScores, other: FileScores) -> bool:
    pairs = [(one.value("noisy", m), other.value("noisy", m)) for m in ALL_METRICS]
    return all(abs(a - b) <= TOLERANCE for a, b in pairs if a is not None and b is not None)


def _scores(values: dict) -> Scores | None:
    """Scores of one system; None where it has none at all."""
    scores = Scores(**{metric: values.get(metric) for metric in ALL_METRICS})
    return None if scores == Scores() else scores
