"""Fetch one archive: resume, verify, and only then give it its name.

Why own code: pooch, which serves downloads well elsewhere, always starts a file anew (version
1.9 sends no Range header), and 2.8 GB over a shaky line need a resume. What is left to do
beside `requests` is the loop below; reading single files out of a remote zip, the harder part,
is done by `remotezip` (see `remote.py`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
import zipfile
import zlib
from pathlib import Path

import requests
from tqdm.auto import tqdm

from data_download.dataset import MIB, Archive, DataError, Dataset

TIMEOUT = (10, 60)  # seconds to connect, seconds without a byte
TRY_AGAIN = {429, 500, 502, 503, 504}
BLOCK = 2**14  # bytes; what a break loses at most
WAITS = (1.0, 3.0, 10.0, 30.0)  # seconds between attempts that bring nothing new


class AddressError(OSError):
    """This address does not give the file; the next one may."""


class BrokenOff(OSError):
    """The server gave a part of the file and may go on when asked again."""


def new_session() -> requests.Session:
    """A session for all requests; zip files are never compressed a second time on the way."""
    session = requests.Session()
    session.headers.update({"User-Agent": "effifusion-lite", "Accept-Encoding": "identity"})
    return session


def fetch(
    archive: Archive,
    dataset: Dataset,
    folder: Path,
    session: requests.Session,
) -> Path:
    """Return the verified archive in `folder`; download what of it is missing.

    The bytes go into NAME.part, which stays after a break and is gone on with by the next
    call. NAME exists only once its checksum is right.

    Args:
        archive: the archive.
        dataset: gives the addresses.
        folder: where archives lie.
        session: of `new_session`.

    Raises:
        DataError: where no address gives the file, or its checksum is wrong.
    """
    target = folder / archive.name
    if target.exists():
        fault = find_fault(target, archive)
        if fault:
            raise DataError(f"{target} {fault}: delete it and run the same command again.")
        return target
    need_room(folder, bytes_missing(archive, folder))
    part = _part(target)
    refusals = []
    for address in dataset.addresses(archive):
        try:
            _download(address, part, session)
            break
        except AddressError as problem:
            refusals.append(str(problem))
    else:
        raise DataError(
            f"{archive.name} could not be downloaded ({'; '.join(refusals)}): check the connection"
            " and run the same command again, or name another server with --mirror URL."
        )
    fault = find_fault(part, archive)
    if fault:
        part.unlink()
        raise DataError(
            f"The downloaded {archive.name} {fault} and was deleted: run the same command again,"
            " and if that does not help name another server with --mirror URL."
        )
    os.replace(part, target)
    return target


def bytes_missing(archive: Archive, folder: Path) -> int:
    """What is still to download of an archive, in bytes."""
    target = folder / archive.name
    return 0 if target.exists() else max(0, archive.size - _size(_part(target)))


def need_room(folder: Path, needed: int) -> None:
    """Raise DataError where the disk of `folder` has less than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"The disk of {folder} has {free / MIB:,.0f} MiB free and {needed / MIB:,.0f} MiB are"
            " needed: free some space, name another folder with --out, or take less with"
            " --subset test or --sample 20."
        )


def find_fault(path: Path, archive: Archive) -> str | None:
    """Say what is wrong with an archive file, or None: MD5 where known, else the zip's CRCs."""
    if archive.md5 is not None:
        digest = hashlib.md5()
        text = f"checksum of {path.stem}"
        with (
            path.open("rb") as file,
            tqdm(desc=text, total=_size(path), unit="B", unit_scale=True, delay=1) as bar,
        ):
            while block := file.read(MIB):
                digest.update(block)
                bar.update(len(block))
        return None if digest.hexdigest() == archive.md5 else "has the wrong checksum"
    try:
        with zipfile.ZipFile(path) as file:
            return "is damaged" if file.testzip() else None
    except (zipfile.BadZipFile, zlib.error):
        return "is no whole zip file"


def _download(address: str, part: Path, session: requests.Session) -> None:
    """Fill `part` from one address; after each break go on where it stopped."""
    reached, failures, most = False, 0, _size(part)
    while True:
        try:
            _transfer(address, part, session)
            return
        except (requests.RequestException, BrokenOff) as problem:
            reached = reached or not isinstance(problem, requests.ConnectionError)
            if _size(part) > most:
                reached, failures, most = True, 0, _size(part)
            if not reached or failures == len(WAITS):
                raise AddressError(f"{address}: {_short(problem)}") from problem
            tqdm.write(
                f"{part.stem}: {_short(problem)}; going on in {WAITS[failures]:g} s",
                file=sys.stderr,
            )
            time.sleep(WAITS[failures])
            failures += 1


def _transfer(address: str, part: Path, session: requests.Session) -> None:
    """One request: everything from the present end of `part` on, or all of it."""
    begun = _size(part)
    headers = {"Range": f"bytes={begun}-"} if begun else {}
    with session.get(address, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == 416:  # nothing after our last byte; the checksum judges
            return
        if answer.status_code in TRY_AGAIN:
            raise BrokenOff(f"the server answers {answer.status_code}")
        if answer.status_code not in (200, 206):
            raise AddressError(f"{address}: the server answers {answer.status_code}")
        if "text/html" in answer.headers.get("Content-Type", ""):
            raise AddressError(f"{address}: a web page came in place of the file")
        if answer.status_code == 200:  # first bytes, or a server that gives no ranges
            begun = 0
        elif not answer.headers.get("Content-Range", "").startswith(f"bytes {begun}-"):
            raise AddressError(f"{address}: the server gave another range than asked for")
        length = answer.headers.get("Content-Length")
        total = begun + int(length) if length else None
        with (
            part.open("ab" if begun else "wb") as file,
            tqdm(
                desc=part.stem,
                total=total,
                initial=begun,
                unit="B",
                unit_scale=True,
                unit_divisor=1024,
            ) as bar,
        ):
            for block in answer.iter_content(BLOCK):
                file.write(block)
                bar.update(len(block))
    if total is not None and _size(part) < total:
        raise BrokenOff("the connection broke off")


def _part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _short(problem: Exception) -> str:
    """A few words for a user instead of the nested texts of the network libraries."""
    if isinstance(problem, requests.Timeout):
        return "no answer in time"
    if isinstance(problem, requests.exceptions.SSLError):
        return "no secure connection"
    if isinstance(problem, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(problem, requests.ConnectionError):
        return "no connection"
    return str(problem)
