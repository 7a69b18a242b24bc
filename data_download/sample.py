"""Few pairs, chosen evenly over speaker, noise and SNR; and a folder of such pairs for a class."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from tqdm.auto import tqdm

from data_download.convert import write_whole
from data_download.dataset import DataError, speaker_of
from data_download.manifest import (
    MANIFEST,
    SIDES,
    Condition,
    read_manifest,
    whole_pairs,
    write_manifest,
)


def select_evenly(
    utterances: Iterable[str], conditions: Mapping[str, Condition], count: int, seed: int = 0
) -> list[str]:
    """Choose pairs that are even over speaker, noise and SNR.

    One after the other, each time a pair whose speaker, noise and SNR are least ahead of those
    that were given least; among such, one from the cell (speaker, noise, SNR) that has given
    least; chance, by the seed, decides what is left open. Where every combination is there, as
    in the test set, no speaker is more than one pair ahead of another, and so with noises and
    SNRs. A smaller choice is the beginning of a larger one.

    Args:
        utterances: names to choose from.
        conditions: noise and SNR of each; utterances without an entry share a condition.
        count: how many.
        seed: the same seed, the same choice.

    Raises:
        DataError: where there are fewer than `count`.
    """
    names = sorted(utterances)
    if count > len(names):
        raise DataError(f"There are only {len(names)} pairs to choose from, not {count}.")
    random.Random(seed).shuffle(names)
    cells: dict[tuple, list[str]] = {}
    for name in names:
        condition = conditions.get(name, Condition("", None))
        cell = (speaker_of(name), condition.noise, condition.snr_db)
        cells.setdefault(cell, []).append(name)
    given: Counter = Counter()  # of cells, and of (0, speaker), (1, noise), (2, SNR)
    chosen: list[str] = []
    while len(chosen) < count:
        left = [cell for cell in cells if cells[cell]]
        least = [min(given[i, cell[i]] for cell in left) for i in range(3)]
        cell = min(
            left,
            key=lambda cell: (sum(given[i, cell[i]] - least[i] for i in range(3)), given[cell]),
        )
        chosen.append(cells[cell].pop())
        given.update([cell, *enumerate(cell)])
    return chosen


def sample_class(folder: Path, pairs: int, seed: int, out: Path) -> None:
    """Copy test pairs, even over speaker, noise and SNR, into a prepared folder of their own.

    Args:
        folder: a prepared folder.
        pairs: how many.
        seed: the same seed, the same pairs.
        out: the new folder; it may hold what an interrupted call of this kind has left.

    Raises:
        DataError: where `folder` is not prepared or has too few test pairs, or `out` is in use.
    """
    rows = {Path(row.file).stem: row for row in read_manifest(folder) if row.split == "test"}
    conditions = {name: Condition(row.noise, row.snr_db) for name, row in rows.items()}
    chosen = [rows[name] for name in sorted(select_evenly(rows, conditions, pairs, seed))]
    if (out / MANIFEST).exists() or whole_pairs(out, "test") - {
        Path(row.file).stem for row in chosen
    }:
        raise DataError(f"{out} holds another choice of pairs: name a new folder with --out.")
    for side in SIDES:
        (out / "test" / side).mkdir(parents=True, exist_ok=True)
    for row in tqdm(chosen, desc="copying", unit="pair"):
        for source, target in zip(row.paths(folder), row.paths(out), strict=True):
            write_whole(target, source.read_bytes())
    write_manifest(out, chosen)
