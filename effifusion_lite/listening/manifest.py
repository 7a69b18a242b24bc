"""The table of the listening set: one row for each clip, built in or of a prepared corpus."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Clip:
    """One row of the manifest: what a clip is, where it lies, and what is to be heard in it.

    `kind` is "clean", "noisy" or "speech" (a sentence of the training, validation or babble part).
    A built-in noisy clip has no `file`: it is mixed from its clean clip and its noise when it is
    loaded. `scored` is False for voices that stay out of every score, since the same speaker is in
    the training data of the shipped weights.
    """

    name: str
    kind: str
    split: str
    file: str
    start_s: float
    duration_s: float
    text: str
    language: str
    voice: str
    gender: str
    clean: str
    noise: str
    snr_db: float | None
    seed: int | None
    scored: bool
    licence: str
    listen_for: str

    @property
    def condition(self) -> str:
        """Noise and signal-to-noise ratio in words, such as "speech shaped noise, 2.5 dB"."""
        noise = f"{self.noise.replace('_', ' ')} noise" if self.noise else "unknown noise"
        return noise if self.snr_db is None else f"{noise}, {self.snr_db:g} dB"


@cache
def manifest() -> tuple[Clip, ...]:
    """Describe every clip of the built-in set.

    Returns:
        All clips: the clean and noisy ones for listening first, then training, validation, babble.
    """
    with open(FOLDER / "clips" / "clips.csv", newline="", encoding="utf-8") as file:
        return tuple(_clip(row) for row in csv.DictReader(file))


def _clip(row: dict[str, str]) -> Clip:
    numbers = {
        "start_s": float(row["start_s"]),
        "duration_s": float(row["duration_s"]),
        "snr_db": float(row["snr_db"]) if row["snr_db"] else None,
        "seed": int(row["seed"]) if row["seed"] else None,
        "scored": row["scored"] == "yes",
    }
    return Clip(**(row | numbers))
