"""Under which noise and at which SNR a recording was made, as a table or a log file tells.

Chapter: 09 Results and ablations.
"""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from effifusion_lite.audio import read_text
from effifusion_lite.evaluation.pairs import EvaluationError

COLUMNS = {"file", "noise", "snr_db"}


@dataclass(frozen=True)
class Condition:
    """Noise by name and SNR in dB; None where it is not known."""

    noise: str | None = None
    snr_db: float | None = None


def read_conditions(path: str | Path, names: Sequence[str]) -> dict[str, Condition]:
    """Read noise and SNR of recordings.

    Args:
        path: a table with the columns file, noise and snr_db, between commas, semicolons or tabs,
            such as the manifest.csv that `python -m data_download` writes, or a log file of
            VoiceBank+DEMAND, whose lines name file, noise and SNR ("p232_001 bus 1.750000e+01").
        names: recordings that are asked for; folders and endings of names do not count.

    Returns:
        The condition of each recording that the file knows.

    Raises:
        EvaluationError: the file is neither, knows none of the recordings, or gives two conditions
            to one of them.
    """
    try:
        lines = read_text(path).splitlines()
    except ValueError as error:
        raise EvaluationError(f"{error}, or name a manifest.csv or an unpacked log file") from error
    comma = max(",;\t", key=lines[0].count) if lines else ","
    is_table = bool(lines) and COLUMNS <= set(next(csv.reader(lines[:1], delimiter=comma)))
    wanted = {PurePath(name).stem for name in names}
    known = {}
    for file, condition in _table(lines, comma) if is_table else _log(lines):
        stem = PurePath(file).stem
        if stem in wanted and known.setdefault(stem, condition) != condition:
            raise EvaluationError(f"{path} gives two conditions to {stem}: leave one of them")
    if not known:
        raise EvaluationError(
            f"{path} tells noise and SNR of none of the files: it must be a table with the columns "
            'file, noise and snr_db, or have lines such as "p232_001 bus 17.5"'
        )
    return {name: known[PurePath(name).stem] for name in names if PurePath(name).stem in known}


def _table(lines: list[str], comma: str) -> Iterator[tuple[str, Condition]]:
    for row in csv.DictReader(lines, delimiter=comma):
        snr_db = (row["snr_db"] or "").replace(",", ".")  # a decimal comma
        condition = Condition(row["noise"] or None, _number(snr_db))
        if condition != Condition():  # that of a clean recording
            yield row["file"], condition


def _log(lines: list[str]) -> Iterator[tuple[str, Condition]]:
    for line in lines:
        file, *rest = line.replace(",", " ").split() or [""]
        numbers = [word for word in rest if _number(word) is not None]
        words = [word for word in rest if _number(word) is None]
        if len(numbers) == len(words) == 1:  # in any order; other lines are headings
            yield file, Condition(words[0], _number(numbers[0]))


def _number(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
