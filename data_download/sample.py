"""Few pairs, chosen evenly: out of the remote archives (`--sample`), or for a class."""

from __future__ import annotations

import random
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests
import urllib3
from remotezip import RemoteZip, RemoteZipError
from tqdm.auto import tqdm

from data_download.convert import convert, members, write_whole
from data_download.dataset import Archive, DataError, Dataset, Part, speaker_of
from data_download.download import TIMEOUT, fetch
from data_download.manifest import (
    MANIFEST,
    SIDES,
    Condition,
    pair_paths,
    read_manifest,
    whole_pairs,
    write_manifest,
)


def select_evenly(
    utterances: Iterable[str], conditions: Mapping[str, Condition], count: int, seed: int = 0
) -> list[str]:
    """Choose pairs that are even over speaker, noise and SNR.

    One after the other, always from the cell (speaker, noise, SNR) that has given the fewest so
    far, and among those from the one whose speaker, noise and SNR have; chance, by the seed,
    decides what is left open. So a smaller choice is the beginning of a larger one.

    Args:
        utterances: names to choose from.
        conditions: noise and SNR of each; an utterance without an entry is a cell of its speaker.
        count: how many.
        seed: the same seed, the same choice.

    Raises:
        DataError: where there are fewer than `count`.
    """
    names = sorted(utterances)
    if count > len(names):
        raise DataError(f"There are only {len(names)} pairs to choose from, not {count}.")
    chance = random.Random(seed)
    chance.shuffle(names)
    cells: dict[tuple, list[str]] = {}
    for name in names:
        condition = conditions.get(name)
        noise, snr = (condition.noise, condition.snr_db) if condition else ("", None)
        cells.setdefault((speaker_of(name), noise, snr), []).append(name)
    taken: Counter = Counter()  # of cells, and of (0, speaker), (1, noise), (2, snr)
    chosen: list[str] = []
    while len(chosen) < count:
        cell = min(
            (cell for cell in cells if cells[cell]),
            key=lambda cell: (taken[cell], sum(taken[pair] for pair in enumerate(cell))),
        )
        chosen.append(cells[cell].pop())
        taken.update([cell, *enumerate(cell)])
    return chosen


def sample_remote(
    dataset: Dataset,
    part: Part,
    conditions: Mapping[str, Condition],
    count: int,
    out: Path,
    session: requests.Session,
) -> None:
    """Write `count` pairs of a part, reading only these out of the archives on the server.

    Archives that already lie in OUT/archives are used; where the server gives no ranges they
    are downloaded as a whole, and kept for a larger sample.
    """
    with ExitStack() as stack:
        archives = [
            stack.enter_context(_open(archive, dataset, out / "archives", session))
            for archive in (part.clean, part.noisy)
        ]
        found = [members(archive, ".wav") for archive in archives]
        chosen = select_evenly(found[0].keys() & found[1].keys(), conditions, count)
        for name in tqdm(chosen, desc="sample", unit="pair"):
            targets = pair_paths(out, dataset.split(part, name), name)
            for archive, names, target in zip(archives, found, targets, strict=True):
                if not target.exists():
                    convert(archive, names[name], target)


BROKEN = (RemoteZipError, urllib3.exceptions.HTTPError, EOFError, zipfile.BadZipFile, zlib.error)


@contextmanager
def _open(
    archive: Archive, dataset: Dataset, folder: Path, session: requests.Session
) -> Iterator[zipfile.ZipFile]:
    """Open an archive where it lies, or by ranges at an address, or after its download."""
    opened = None if (folder / archive.name).exists() else _open_remote(archive, dataset, session)
    if opened is None:
        opened = zipfile.ZipFile(fetch(archive, dataset, folder, session))
    with opened:
        try:
            yield opened
        except BROKEN as problem:
            raise DataError(
                f"The connection broke off while reading from {archive.name}: run the same command"
                " again; the pairs that are there stay."
            ) from problem


def _open_remote(
    archive: Archive, dataset: Dataset, session: requests.Session
) -> zipfile.ZipFile | None:
    for address in dataset.addresses(archive):
        try:
            # 256 KiB hold the table of contents of 824 files: one request instead of two
            return RemoteZip(address, 2**18, session=session, timeout=TIMEOUT)
        except BROKEN as problem:
            tqdm.write(f"{archive.name}: no ranges at {address} ({problem})")
    return None


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
