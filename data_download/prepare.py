"""From the server to a prepared folder; what is already there is left alone."""

from __future__ import annotations

import zipfile
from pathlib import Path

import requests
from tqdm.auto import tqdm

from data_download.convert import convert_all, members
from data_download.dataset import MIB, DataError, Dataset, Part
from data_download.download import bytes_missing, fetch, need_room, new_session
from data_download.manifest import (
    SIDES,
    describe,
    pair_paths,
    read_logs,
    read_texts,
    whole_pairs,
    write_manifest,
)
from data_download.remote import sample_remote


def prepare(
    dataset: Dataset,
    out: Path,
    subset: str = "all",
    sample: int | None = None,
    keep_archives: bool = False,
) -> None:
    """Download, convert and describe the corpus, or the part of it that is missing.

    Args:
        dataset: the corpus, with the addresses to use.
        out: folder to prepare; OUT/archives holds the archives meanwhile (the small ones, of
            logs and texts, stay).
        subset: "train", "test" or "all".
        sample: only this many test pairs.
        keep_archives: keep the archives of the wav files too.

    Raises:
        DataError: where the server, an archive or the space on the disk does not serve.
    """
    parts = [part for part in dataset.parts if subset in ("all", part.name)]
    if sample is not None:
        parts = [dataset.part("test")]
        if sample > parts[0].pairs:
            raise DataError(f"--sample can be {parts[0].pairs} at most: there are no more pairs.")
    folder = out / "archives"
    folder.mkdir(parents=True, exist_ok=True)
    missing = {part: max(0, (sample or part.pairs) - count_pairs(out, part)) for part in parts}
    wanted = [part for part in parts if missing[part]]
    announce(dataset, out, missing, whole=sample is None)
    with new_session() as session:
        conditions = read_logs(fetch(dataset.logs, dataset, folder, session))
        texts: dict[str, str] = {}
        for part in dataset.parts:
            if part in parts or (folder / part.text.name).exists():
                texts |= fetch_texts(dataset, part, folder, session)
        for split in sorted({split for part in wanted for split in part.splits}):
            for side in SIDES:
                (out / split / side).mkdir(parents=True, exist_ok=True)
        for part in wanted:
            if sample:
                sample_remote(dataset, part, conditions, sample, out, session)
            else:
                convert_part(dataset, part, out, session)
    write_manifest(out, describe(out, dataset, conditions, texts))
    if not keep_archives and sample is None:
        for part in parts:
            for archive in (part.clean, part.noisy):
                (folder / archive.name).unlink(missing_ok=True)


def count_pairs(out: Path, part: Part) -> int:
    """The number of whole pairs of a part in a prepared folder."""
    return sum(len(whole_pairs(out, split)) for split in part.splits)


def announce(dataset: Dataset, out: Path, missing: dict[Part, int], whole: bool) -> None:
    """Say what will be downloaded and stored, and stop where the disk has no room for it.

    Args:
        dataset: the corpus.
        out: folder to prepare.
        missing: number of pairs that each part lacks.
        whole: whether archives are downloaded, or only these pairs out of them.
    """
    download = stored = 0
    for part, pairs in missing.items():
        archives = (part.clean, part.noisy)
        if whole and pairs:
            download += sum(bytes_missing(archive, out / "archives") for archive in archives)
        else:
            download += pairs * sum(archive.size for archive in archives) // part.pairs
        stored += pairs * dataset.pair_bytes
    tqdm.write(
        f"To download: about {download / MIB:,.0f} MiB;"
        f" to prepare: {sum(missing.values()):,} pairs, about {stored / MIB:,.0f} MiB."
    )
    need_room(out, stored + download * whole)


def fetch_texts(
    dataset: Dataset, part: Part, folder: Path, session: requests.Session
) -> dict[str, str]:
    """The sentences of a part; a server without them only costs the column of the manifest."""
    try:
        return read_texts(fetch(part.text, dataset, folder, session))
    except DataError as problem:
        tqdm.write(f"Without texts, the column stays empty: {problem}")
        return {}


def convert_part(dataset: Dataset, part: Part, out: Path, session: requests.Session) -> None:
    """Fetch both archives of a part and write those FLAC files that are missing."""
    paths = [
        fetch(archive, dataset, out / "archives", session) for archive in (part.clean, part.noisy)
    ]
    found = []
    for path in paths:
        with zipfile.ZipFile(path) as archive:
            found.append(members(archive, ".wav"))
    if found[0].keys() != found[1].keys():
        odd = sorted(found[0].keys() ^ found[1].keys())
        raise DataError(
            f"{paths[0].name} and {paths[1].name} do not hold the same files ({odd[0]} is only in"
            " one): delete both and take them from another server."
        )
    for side, path in enumerate(paths):
        jobs = [
            (member, pair_paths(out, dataset.split(part, name), name)[side])
            for name, member in found[side].items()
        ]
        convert_all(path, [job for job in jobs if not job[1].exists()])
