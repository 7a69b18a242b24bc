"""Enhancement of many files and folders: several at once, going on where it stopped.

torch is imported with the first file, so that a worker listens to its signals early.

Chapter: 10 Out of the notebook.
"""

import json
import os
import signal
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path

from effifusion_lite.audio import AudioError, describe_left_out, find_sounds
from effifusion_lite.audio.streams import UNKNOWN, open_sound

PATIENCE = 5  # s that a worker may take to clean up


@dataclass(frozen=True)
class Job:
    """A recording, and where its enhanced version goes."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a job: `error` is None where the target is written; warnings are sentences."""

    job: Job
    error: str | None = None
    warnings: tuple[str, ...] = ()


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """While it lasts, SIGTERM raises KeyboardInterrupt, after which all is cleaned up."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_) -> None:
    raise KeyboardInterrupt


def plan(sources: Sequence[Path], output: Path) -> tuple[list[Job], list[str]]:
    """Say which file goes where.

    Args:
        sources: files, and folders whose sound files are taken with their sub-paths, as
            `audio.find_sounds` does; `output` is passed by where it lies inside of such a folder.
        output: folder of the enhanced files.

    Returns:
        The jobs, and a sentence for each thing that cannot be done: a folder without sound files,
        files of a format that cannot be read, an output that is itself an input, a second file for
        the same output.
    """
    jobs, errors = [], []
    for given in sources:
        if not given.is_dir():
            jobs.append(Job(given, output / given.name))
            continue
        try:
            found = find_sounds(given, output)
        except OSError as error:
            errors.append(f"{error.filename} cannot be read: {error.strerror}")
            continue
        if found.left_out:
            errors.append(describe_left_out(given, found.left_out))
        elif not found.files:
            errors.append(f"{given} holds no sound files: name a folder with recordings")
        jobs += [Job(path, output / path.relative_to(given)) for path in found.files]
    inputs = {os.path.realpath(job.source) for job in jobs}
    first: dict[str, Job] = {}
    for job in jobs:
        target = os.path.realpath(job.target)
        earlier = first.setdefault(target, job)
        if target in inputs:
            errors.append(f"{job.target} would be overwritten: choose another folder than its own")
        elif os.path.realpath(earlier.source) != os.path.realpath(job.source):
            errors.append(f"{job.source}: {job.target} is made from {earlier.source} already")
    kept = [job for target, job in first.items() if target not in inputs]
    return kept, errors


class Made:
    """What the outputs of a folder were made with, kept there in the hidden file `.effifusion`.

    Args:
        output: folder of the enhanced files.
        settings: what decides an output beside its source: weights, version, strength.
    """

    def __init__(self, output: Path, settings: dict[str, str | float]):
        self.output, self.settings = output, settings
        self.file = output / ".effifusion"
        self.known: dict[str, dict] = {}
        if self.file.is_file():
            for line in self.file.read_text(encoding="utf-8").splitlines():
                with suppress(ValueError):  # a line that was cut off: its output is made again
                    entry = json.loads(line)
                    self.known[entry["output"]] = entry["settings"]

    def same(self, job: Job) -> bool:
        """Was this output made with these settings?"""
        return self.known.get(self._name(job)) == self.settings

    def add(self, job: Job) -> None:
        """Remember that this output is made."""
        entry = {"output": self._name(job), "settings": self.settings}
        with open(self.file, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def _name(self, job: Job) -> str:
        return job.target.relative_to(self.output).as_posix()


def is_done(job: Job, made: Made) -> bool:
    """Was this job done before?

    A file stands in its place only when it is whole (see `files.written_beside`); so it is done if
    the target was made with the same settings, is not older than the source, and has its rate,
    channels and length, where its header tells that.

    Args:
        job: source and target.
        made: what the outputs were made with.

    Returns:
        True if there is nothing left to do; a file that cannot be read was not done.
    """
    if not (job.target.is_file() and job.source.is_file() and made.same(job)):
        return False
    if job.target.stat().st_mtime < job.source.stat().st_mtime:
        return False
    try:
        with open_sound(job.source) as source, open_sound(job.target) as target:
            return _shape(source) == _shape(target) and source.frames in (target.frames, UNKNOWN)
    except AudioError:
        return False  # enhancing it will tell what is wrong


def _shape(sound) -> tuple[int, int]:
    return sound.samplerate, sound.channels


def enhance_all(
    jobs: Sequence[Job],
    weights: str | Path,
    processes: int,
    backend: str | None = None,
    strength: float = 1,
) -> Iterator[Outcome]:
    """Enhance files, in this process or several at once.

    With more than one process each is a fresh one, with one thread of torch. One that dies takes
    only its own file along; another takes its place. If this generator is closed or interrupted,
    they are ended and leave nothing half done. In a script, call this under
    `if __name__ == "__main__":`.

    Args:
        jobs: what `plan` made.
        weights: name of shipped weights, or path of a file.
        processes: number of files at once.
        backend: what runs the model, see `onnx.backend.load_backend`.
        strength: share of the enhanced sound, as in `enhancement.enhance`.

    Returns:
        The outcomes, in the order in which they come.

    Raises:
        ValueError: the weights cannot be loaded, or not by this backend.
    """
    from effifusion_lite.enhancement.onnx.backend import load_backend

    model = load_backend(weights, backend)  # once here too, to say at once what is wrong
    processes = min(processes, len(jobs))
    if processes > 1:
        yield from _enhance_in_workers(jobs, (weights, backend, strength), processes)
        return
    for job in jobs:
        yield _attempt(job, model, strength, progress=True)


def _attempt(job: Job, model, strength: float, progress: bool = False) -> Outcome:
    from effifusion_lite.enhancement.recordings import enhance_file

    error = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            enhance_file(job.source, job.target, model, progress, strength)
        except (ValueError, OSError) as reason:
            error = str(reason)
    return Outcome(job, error, tuple(str(warning.message) for warning in caught))


# ---------------------------------------------------------------- workers


def _enhance_in_workers(jobs: Sequence[Job], how: tuple, number: int) -> Iterator[Outcome]:
    waiting, idle, busy = deque(jobs), [], {}  # busy: pipe -> (worker, job)
    try:
        while waiting or busy:
            while waiting and len(busy) < number:
                worker = idle.pop() if idle else _Worker(how)
                busy[worker.pipe] = (worker, waiting.popleft())
                worker.give(busy[worker.pipe][1])
            for pipe in wait(list(busy)):
                worker, job = busy.pop(pipe)
                try:
                    outcome = pipe.recv()
                except (EOFError, ConnectionError):
                    worker.end()
                    yield Outcome(job, _describe_death(job, worker.process.exitcode))
                else:
                    idle.append(worker)
                    yield outcome
    finally:
        workers = [*idle, *(worker for worker, _ in busy.values())]
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.end()


def _describe_death(job: Job, code: int | None) -> str:
    return (
        f"{job.source} is not enhanced: its process ended with exit code {code}; if memory was "
        "short, try again with --jobs 1"
    )


class _Worker:
    """A process that enhances one file after another."""

    def __init__(self, how: tuple):
        context = get_context("spawn")  # a fork of a process with torch's threads may hang
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, *how), daemon=True)
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # what a child process inherits:
        try:  # Ctrl-C is the business of the main process
            self.process.start()
        finally:
            signal.signal(signal.SIGINT, before)
        theirs.close()  # so that the end of the process is the end of the pipe

    def give(self, job: Job) -> None:
        with suppress(ConnectionError):  # a dead worker shows when its outcome is waited for
            self.pipe.send(job)

    def end(self) -> None:
        self.process.join(PATIENCE)
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _work(pipe: Connection, weights: str | Path, backend: str | None, strength: float) -> None:
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        import torch

        from effifusion_lite.cpu.memory import keep_freed_memory
        from effifusion_lite.enhancement.onnx.backend import load_backend

        keep_freed_memory()
        torch.set_num_threads(1)
        model = load_backend(weights, backend)
        while True:
            pipe.send(_attempt(pipe.recv(), model, strength))
    except (KeyboardInterrupt, EOFError, ConnectionError):
        pass  # ended by the main process, or left alone by it
