"""Few pairs out of the archives on the server, without downloading these (`--sample`)."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import requests
import urllib3
from remotezip import RemoteZip, RemoteZipError
from tqdm.auto import tqdm

from data_download.convert import convert, members
from data_download.dataset import Archive, DataError, Dataset, Part
from data_download.download import TIMEOUT, fetch
from data_download.manifest import Condition, pair_paths
from data_download.sample import select_evenly

# What reading from a remote archive raises when the connection breaks off or gives no ranges.
BROKEN = (RemoteZipError, urllib3.exceptions.HTTPError, EOFError, zipfile.BadZipFile, zlib.error)


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
        try:
            for name in tqdm(chosen, desc="sample", unit="pair"):
                targets = pair_paths(out, dataset.split(part, name), name)
                for archive, names, target in zip(archives, found, targets, strict=True):
                    if not target.exists():
                        convert(archive, names[name], target)
        except BROKEN as problem:
            raise DataError(
                "The connection broke off while pairs were read: run the same command again;"
                " those that are there stay."
            ) from problem


def _open(
    archive: Archive, dataset: Dataset, folder: Path, session: requests.Session
) -> zipfile.ZipFile:
    """Open an archive where it lies, or by ranges at an address, or after its download."""
    if not (folder / archive.name).exists():
        for address in dataset.addresses(archive):
            try:
                # 256 KiB hold the table of contents of 824 files: one request instead of two
                return RemoteZip(address, 2**18, session=session, timeout=TIMEOUT)
            except BROKEN as problem:
                tqdm.write(f"{archive.name} cannot be read in parts at {address} ({problem})")
    return zipfile.ZipFile(fetch(archive, dataset, folder, session))
