"""Wav files inside a zip archive become 16 kHz FLAC files; nothing is unpacked in between.

No name from an archive ever becomes a path: a member is found by its last component, which must
look like "p226_001.wav", and the target is composed by us. Still an archive with a path that
leaves its folder is refused, because it cannot be the official one.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import re
import signal
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

import soundfile
import soxr
from tqdm.auto import tqdm

from data_download.dataset import SAMPLE_RATE, DataError
from effifusion_lite.cpu.threads import cores

UTTERANCE = re.compile(r"p\d+_\d+")


def members(archive: zipfile.ZipFile, suffix: str) -> dict[str, str]:
    """Find the files of utterances in an archive.

    Args:
        archive: open zip file, local or remote.
        suffix: ".wav" or ".txt".

    Returns:
        {"p226_001": name of the member}, without `__MACOSX` and other by-products.

    Raises:
        DataError: where a member's path leaves the folder of the archive.
    """
    found = {}
    for name in archive.namelist():
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or PureWindowsPath(name).drive:
            raise DataError(
                f"An archive holds the path {name!r}, which leaves its folder: it is not the"
                " official one; delete it and take it from another server."
            )
        if (
            "__MACOSX" not in path.parts
            and path.suffix.lower() == suffix
            and UTTERANCE.fullmatch(path.stem)
        ):
            found[path.stem] = name
    return found


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that either is not there or is whole: beside it first, then renamed."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def convert(archive: zipfile.ZipFile, member: str, target: Path) -> None:
    """Write one mono wav member as 16 kHz, 16 bit FLAC.

    Args:
        archive: open zip file, local or remote.
        member: name of a wav file in it, any sample rate (48 kHz in the corpus).
        target: path of the FLAC file; its folder exists.

    Raises:
        DataError: where the member is no mono audio.
    """
    data = archive.read(member)
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")  # [N] at `rate` Hz
    except soundfile.LibsndfileError as problem:
        raise DataError(f"{member} in its archive is no audio ({problem.error_string})") from None
    if samples.ndim != 1:
        raise DataError(f"{member} in its archive has {samples.shape[1]} channels, not one.")
    samples = soxr.resample(samples, rate, SAMPLE_RATE, "HQ")  # [N] -> [N * 16000 / rate]
    flac = io.BytesIO()
    soundfile.write(flac, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    write_whole(target, flac.getvalue())


def convert_all(
    path: Path, jobs: Sequence[tuple[str, Path]], workers: int | None = None, batch: int = 100
) -> None:
    """Convert many members of one archive in parallel processes.

    Args:
        path: the zip file.
        jobs: (member, target) pairs.
        workers: number of processes; None means one for each core.
        batch: members that a process takes at a time; it opens the archive once for them.
    """
    batches = [jobs[start : start + batch] for start in range(0, len(jobs), batch)]
    workers = min(workers or cores(), len(batches))
    with tqdm(desc=f"{path.stem} to 16 kHz", total=len(jobs), unit="file") as bar:
        if workers < 2:
            for some in batches:
                bar.update(_convert_batch(path, some))
            return
        # "spawn" behaves alike on all systems, and forks no process that holds connections.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, initializer=_ignore_interrupt) as pool:
            try:
                with _interrupt_not_inherited():
                    futures = [pool.submit(_convert_batch, path, some) for some in batches]
                for future in as_completed(futures):
                    bar.update(future.result())
            except BaseException:
                pool.shutdown(cancel_futures=True)  # batches that run are finished, in a second
                raise


def _convert_batch(path: Path, jobs: Sequence[tuple[str, Path]]) -> int:
    with zipfile.ZipFile(path) as archive:
        for member, target in jobs:
            convert(archive, member, target)
    return len(jobs)


def _ignore_interrupt() -> None:
    """Ctrl-C reaches every process; only the first one answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _interrupt_not_inherited() -> Iterator[None]:
    """Let processes that start in here never see Ctrl-C, not even before `_ignore_interrupt`.

    They inherit the mask of this thread. Windows has no such mask; there a process that has only
    just started may answer Ctrl-C with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
