"""Scores of an earlier evaluation, out of its JSON file.

Chapter: 09 Results and ablations.
"""

import json
from pathlib import Path

from effifusion_lite.metrics import Scores
from effifusion_lite.pairs import EvaluationError
from effifusion_lite.results import ALL_METRICS, Evaluation, FileScores

TOLERANCE = 0.01  # of a noisy file's score from one evaluation to the next


def read_evaluation(path: str | Path) -> Evaluation:
    """Read what `effifusion evaluate --json` wrote.

    Args:
        path: the file.

    Returns:
        The scores of each file, without the reasons of missing ones, conditions and comparison.

    Raises:
        EvaluationError: the file holds something else.

    Chapter: 09.
    Source: choice of this project.
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
        The evaluation; files that the earlier one did not score stay without a comparison.

    Raises:
        EvaluationError: they have no file in common, or the noisy versions were not the same.

    Chapter: 09.
    Source: choice of this project.
    """
    before = {file.name: file for file in earlier.files}
    common = [file for file in evaluation.files if file.name in before]
    if not common:
        raise EvaluationError(f"{name} scores none of these files")
    for file in common:
        for metric in ALL_METRICS:
            old, new = before[file.name].value("noisy", metric), file.value("noisy", metric)
            if old is not None and new is not None and abs(old - new) > TOLERANCE:
                raise EvaluationError(
                    f"{name} scores another noisy {file.name}, {metric} {old:.3f} in place of "
                    f"{new:.3f}: compare evaluations of the same recordings"
                )
    system = "enhanced" if "enhanced" in earlier.systems else "noisy"
    return evaluation.with_compared(
        {file.name: getattr(before[file.name], system) for file in common}, name
    )


def _scores(values: dict) -> Scores | None:
    """Scores of one system; None where it has none at all."""
    scores = Scores(**{m: values.get(m) for m in ALL_METRICS})
    return None if scores == Scores() else scores
