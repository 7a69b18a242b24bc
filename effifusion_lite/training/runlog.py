"""One line about a training, for the list of all trainings in ``recipes/runs.csv``.

Chapter: 06 The GAN loop.
"""

import csv
import io
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.metrics import METRICS
from effifusion_lite.training.configuration import TrainingConfig, read_recipe
from effifusion_lite.weights import read_metadata

VALID = {f"valid_{name}": name for name in METRICS}
COLUMNS = [
    "weights", "date", "data", "start", "steps", "planned", "audio_seconds", "settings",
    "best_step", *VALID, *(f"test200_{name}" for name in METRICS), "note",
]  # fmt: skip


def describe_run(folder: str | Path) -> dict[str, str]:
    """What the folder of a run says about it.

    Args:
        folder: the folder, of a run that ended or was stopped.

    Returns:
        Values by column. ``audio_seconds`` is the length of all examples that were computed;
        ``settings`` are those that are not the defaults; the scores are those of the best weights
        on the validation. What the folder does not know is left out.

    Raises:
        OSError: if a file is missing.
        ValueError: if a file is damaged.
    """
    folder = Path(folder)
    config, last = read_recipe(folder / "config.json"), folder / "last.safetensors"
    steps = int(read_metadata(last)["step"])
    seconds = steps * config.batch_size * config.mixture.segment / SAMPLE_RATE
    values = {
        "date": f"{datetime.fromtimestamp(last.stat().st_mtime, UTC):%Y-%m-%d}",
        "steps": str(steps),
        "planned": str(config.steps),
        "audio_seconds": f"{seconds:g}",
        "settings": "; ".join(_changes(asdict(config), asdict(TrainingConfig(steps=config.steps)))),
    }
    with open(folder / "valid.csv", newline="") as file:
        rows = {row["step"]: row for row in csv.DictReader(file)}
    best = folder / "best.safetensors"
    if rows and best.exists():
        values["best_step"] = read_metadata(best)["step"]
        row = rows[values["best_step"]]
        values |= {column: row[name] for column, name in VALID.items()}
    return values


def _changes(values: dict, defaults: dict, prefix: str = "") -> list[str]:
    changes = []
    for name, value in values.items():
        default = defaults.get(name)
        if isinstance(value, dict) and isinstance(default, dict):
            changes += _changes(value, default, f"{prefix}{name}.")
        elif value != default:
            changes.append(f"{prefix}{name}={value}")
    return changes


def csv_line(values: dict[str, str]) -> str:
    """A line for ``recipes/runs.csv``; what is not given stays empty.

    Raises:
        ValueError: if a name is no column.
    """
    text = io.StringIO()
    csv.DictWriter(text, COLUMNS, lineterminator="").writerow(values)
    return text.getvalue()
