"""Scores of many recordings: means with intervals, by noise and SNR, compared file by file.

Chapter: 09 Results and ablations.
"""

from effifusion_lite.evaluation.conditions import read_conditions
from effifusion_lite.evaluation.earlier import compare_with_earlier, read_evaluation
from effifusion_lite.evaluation.pairs import EvaluationError, find_pairs
from effifusion_lite.evaluation.results import Evaluation
from effifusion_lite.evaluation.scores import evaluate
from effifusion_lite.evaluation.wiener import wiener_filter

__all__ = [
    "Evaluation",
    "EvaluationError",
    "compare_with_earlier",
    "evaluate",
    "find_pairs",
    "read_conditions",
    "read_evaluation",
    "wiener_filter",
]
