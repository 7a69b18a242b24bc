"""Many files and folders: what goes where, several at once, going on, and what stops it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from effifusion_lite.audio import load_audio, save_audio
from effifusion_lite.command_line.parser import main
from effifusion_lite.enhancement import recordings
from effifusion_lite.enhancement.batch import Job, Made, enhance_all, is_done, plan

RATE = 16000
FILES, SECONDS = 14, 10  # of those that take some time


def noise(*shape, seed=0):
    return (np.random.default_rng(seed).normal(size=shape) * 0.05).astype("float32")


def run(*words):
    return main([str(word) for word in words])


def files_of(folder):
    """All files but the one that remembers what the others were made with."""
    files = {p.relative_to(folder).as_posix() for p in Path(folder).rglob("*") if p.is_file()}
    return sorted(files - {".effifusion"})


def messages(capsys):
    lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
    return [line for line in lines if line.startswith("effifusion: ")]


@pytest.fixture
def folder(tmp_path):
    """Three recordings in sub-folders, and what is none."""
    folder = tmp_path / "in"
    for name in ("a.wav", "sub/b.FLAC", "sub/deep er/ü.ogg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        save_audio(folder / name, noise(3000), RATE)
    (folder / "notes.txt").write_text("no sound")
    (folder / ".hidden.wav").write_text("no sound")
    (folder / ".trash").mkdir()
    save_audio(folder / ".trash" / "c.wav", noise(100), RATE)
    return folder


NAMES = ["a.wav", "sub/b.FLAC", "sub/deep er/ü.ogg"]


# ---------------------------------------------------------------- what goes where


def test_folders_keep_their_sub_paths(folder, tmp_path, weights):
    assert run("enhance", folder, "-o", tmp_path / "out", "--weights", weights, "--jobs", 1) == 0
    assert files_of(tmp_path / "out") == NAMES
    for name in NAMES:
        assert soundfile.info(tmp_path / "out" / name).frames == 3000


def test_an_output_inside_of_the_folder_is_no_input(folder):
    (folder / "out").mkdir()
    save_audio(folder / "out" / "a.wav", noise(100), RATE)
    jobs, errors = plan([folder], folder / "out")
    assert [str(job.source.relative_to(folder)) for job in jobs] == NAMES
    assert not errors


def test_a_folder_as_its_own_output(folder, weights, capsys):
    before = [(folder / name).read_bytes() for name in NAMES]
    assert run("enhance", folder / "a.wav", "-o", folder, "--weights", weights) == 1
    [error] = messages(capsys)
    assert "a.wav would be overwritten: choose another folder" in error
    assert run("enhance", folder, "-o", folder / "sub" / "..", "--weights", weights) == 1
    assert [(folder / name).read_bytes() for name in NAMES] == before


def test_a_link_to_the_input_is_the_input(folder, tmp_path, weights, capsys):
    (tmp_path / "link").symlink_to(folder)
    assert run("enhance", folder / "a.wav", "-o", tmp_path / "link", "--weights", weights) == 1
    assert "would be overwritten" in messages(capsys)[0]


def test_no_input_is_overwritten_by_the_output_of_another(tmp_path):
    for name in ("one/x.wav", "two/x.wav"):
        (tmp_path / name).parent.mkdir()
        save_audio(tmp_path / name, noise(100), RATE)
    jobs, errors = plan([tmp_path / "two" / "x.wav", tmp_path / "one" / "x.wav"], tmp_path / "one")
    assert jobs == []
    assert len(errors) == 2
    assert all("one/x.wav would be overwritten" in error for error in errors)


def test_two_inputs_of_one_name(tmp_path):
    sources = [tmp_path / "one" / "x.wav", tmp_path / "two" / "x.wav"]
    jobs, [error] = plan([*sources, sources[0]], tmp_path / "out")  # one is named twice
    assert jobs == [Job(sources[0], tmp_path / "out" / "x.wav")]
    assert error == f"{sources[1]}: {tmp_path}/out/x.wav is made from {sources[0]} already"


def test_folders_with_nothing_to_do(tmp_path, weights, capsys, monkeypatch):
    (tmp_path / "empty").mkdir()
    assert run("enhance", tmp_path / "empty", "-o", tmp_path / "out", "--weights", weights) == 1
    [error] = messages(capsys)
    assert error.endswith("empty holds no sound files: name a folder with recordings")

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)  # root may read every folder
    assert plan([tmp_path], tmp_path / "out")[1] == [
        f"{tmp_path} cannot be read: Permission denied"
    ]


# ---------------------------------------------------------------- going on


def test_what_is_done_is_skipped_and_said(folder, tmp_path, weights, capsys):
    words = ["enhance", folder, "-o", tmp_path / "out", "--weights", weights, "--jobs", 1]
    assert run(*words) == 0
    (tmp_path / "out" / "a.wav").unlink()
    kept = [tmp_path / "out" / name for name in NAMES[1:]]
    times = [path.stat().st_mtime_ns for path in kept]
    capsys.readouterr()
    assert run(*words) == 0
    [message] = messages(capsys)
    assert "2 of 3 files are enhanced already and skipped: --overwrite enhances them" in message
    assert files_of(tmp_path / "out") == NAMES
    assert [path.stat().st_mtime_ns for path in kept] == times
    assert run(*words, "--overwrite") == 0
    assert messages(capsys) == []
    assert all(path.stat().st_mtime_ns > t for path, t in zip(kept, times, strict=True))


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_done_is_what_is_whole_and_not_older(tmp_path, name):
    source, target = tmp_path / name, tmp_path / "out" / name
    target.parent.mkdir()
    job = Job(source, target)
    made = Made(target.parent, {"weights": "a"})
    made.add(job)
    made = Made(target.parent, {"weights": "a"})
    assert not is_done(job, made)
    save_audio(source, noise(2, 30000), 44100)
    assert not is_done(job, made)
    recordings.write_blocks(target, [noise(2, 30000)], recordings.read_format(source))
    assert is_done(job, made)
    later = target.stat().st_mtime + 10
    os.utime(source, (later, later))  # recorded anew
    assert not is_done(job, made)
    os.utime(target, (later, later))
    assert is_done(job, made)
    for other in (noise(2, 29999), noise(1, 30000)):  # an output of something else
        save_audio(target, other, 44100)
        os.utime(target, (later, later))
        assert not is_done(job, made)
    target.write_text("no sound")
    os.utime(target, (later, later))
    assert not is_done(job, made)


def test_an_output_of_other_weights_is_made_again(tmp_path, capsys):
    source, out = tmp_path / "a.wav", tmp_path / "out"
    save_audio(source, noise(1, 8000), RATE)
    sounds = []
    for name in ("tiny", "tiny", "lite"):
        assert run("enhance", source, "-o", out, "--weights", name) == 0
        said = [line for line in messages(capsys) if "already" in line]
        sounds.append((out / "a.wav").read_bytes())
        assert len(said) == (1 if len(sounds) == 2 else 0)
    assert sounds[0] == sounds[1] != sounds[2]


def test_what_is_not_known_to_be_made_is_not_done(tmp_path):
    job = Job(tmp_path / "a.wav", tmp_path / "out" / "a.wav")
    for path in (job.source, job.target):
        path.parent.mkdir(exist_ok=True)
        save_audio(path, noise(1, 8000), RATE)
    made = Made(job.target.parent, {"weights": "a"})
    assert not is_done(job, made)
    made.add(job)
    with open(made.file, "a") as file:
        file.write('{"output": "a.wav", "sett')  # killed while it wrote
    assert is_done(job, Made(job.target.parent, {"weights": "a"}))
    assert not is_done(job, Made(job.target.parent, {"weights": "b"}))


# ---------------------------------------------------------------- one bad file


@pytest.mark.parametrize("jobs", [1, 2])
def test_bad_files_are_reported_and_the_rest_goes_on(tmp_path, weights, capsys, jobs):
    for name in ("first.wav", "last.wav"):
        save_audio(tmp_path / name, noise(2000), RATE)
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "folder.wav").mkdir()
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), RATE, subtype="FLOAT")
    bad = ["missing", "text", "folder", "nan"]
    files = [tmp_path / f"{name}.wav" for name in ["first", *bad, "last"]]
    out = tmp_path / "out"
    assert run("enhance", *files, "-o", out, "--weights", weights, "--jobs", jobs) == 1
    assert files_of(out) == ["first.wav", "last.wav"]
    found = sorted(messages(capsys))
    assert len(found) == 4
    for line, name in zip(found, sorted(bad), strict=True):
        assert line.startswith(f"effifusion: {tmp_path}/{name}.wav")


def test_several_at_once_give_what_one_gives(folder, tmp_path, weights, capsys):
    save_audio(folder / "loud.wav", np.clip(noise(9000) * 100, -1, 1), RATE)
    said = []
    for jobs in (1, 3):
        words = ["--weights", weights, "--jobs", jobs]
        assert run("enhance", folder, "-o", tmp_path / f"out{jobs}", *words) == 0
        said.append(messages(capsys))
    assert said[0] == said[1]  # the warnings of workers too
    for name in [*NAMES, "loud.wav"]:
        one, three = (load_audio(tmp_path / f"out{jobs}" / name)[0] for jobs in (1, 3))
        np.testing.assert_allclose(one, three, atol=1e-4)


def test_weights_are_opened_before_any_worker_starts(folder, tmp_path, capsys):
    assert run("enhance", folder, "-o", tmp_path / "out", "--weights", "nonsense") == 1
    [error] = messages(capsys)
    assert "there are no weights 'nonsense'" in error


# ---------------------------------------------------------------- what stops it


@pytest.fixture
def long_files(tmp_path):
    """Recordings for which two workers need some seconds."""
    (tmp_path / "in").mkdir()
    for index in range(FILES):
        save_audio(tmp_path / "in" / f"{index}.wav", noise(SECONDS * RATE, seed=index), RATE)
    return tmp_path / "in"


needs_proc = pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="processes are watched in /proc"
)


def start(folder, out, weights):
    words = ["enhance", folder, "-o", out, "--weights", weights, "--jobs", 2]
    command = [sys.executable, "-m", "effifusion_lite", *map(str, words)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def workers_of(pid):
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"spawn_main" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except (FileNotFoundError, ProcessLookupError):
            pass  # it just ended
    return found


def wait_for(condition, process):
    limit = time.monotonic() + 120
    while not (result := condition()):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < limit
        time.sleep(0.01)
    return result


def is_gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@needs_proc
@pytest.mark.parametrize("way", ["Ctrl-C", "SIGTERM", "SIGKILL"])
def test_what_is_stopped_leaves_whole_files_and_no_process(tmp_path, long_files, weights, way):
    out = tmp_path / "out"
    process = start(long_files, out, weights)
    wait_for(lambda: list(out.glob("*.wav")), process)
    workers = workers_of(process.pid)
    if way == "Ctrl-C":  # the terminal sends it to all processes
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.Signals[way])
    _, error = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if way == "SIGKILL" else 130)
    assert "Traceback" not in error
    limit = time.monotonic() + 60  # workers that lost their main process finish their file
    while not all(map(is_gone, workers)) and time.monotonic() < limit:
        time.sleep(0.05)
    assert len(workers) == 2
    assert all(map(is_gone, workers))
    made = files_of(out)
    assert 1 <= len(made) < FILES
    for path in (out / name for name in made):
        assert path.suffix == ".wav"  # nothing half done lies about
        assert soundfile.info(path).frames == SECONDS * RATE
    if way != "SIGKILL":
        said = [line for line in error.splitlines() if line.startswith("effifusion: ")]
        assert said == ["effifusion: stopped"]


@needs_proc
def test_a_worker_that_dies_takes_only_its_own_file_along(tmp_path, long_files, weights):
    process = start(long_files, tmp_path / "out", weights)
    os.kill(wait_for(lambda: workers_of(process.pid), process)[0], signal.SIGKILL)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 1
    assert len(list((tmp_path / "out").glob("*.wav"))) == FILES - 1
    [said] = [x for x in error.replace("\r", "\n").splitlines() if x.startswith("effifusion: ")]
    assert "is not enhanced: its process ended with exit code -9; if memory was short" in said


def test_ctrl_c_in_one_process_leaves_whole_files_only(tmp_path, weights, monkeypatch, capsys):
    for name in "ab":
        save_audio(tmp_path / f"{name}.wav", noise(1000), RATE)
    calls, enhance_file = [], recordings.enhance_file

    def interrupted(*arguments):
        calls.append(None)
        if len(calls) == 2:
            raise KeyboardInterrupt
        enhance_file(*arguments)

    monkeypatch.setattr(recordings, "enhance_file", interrupted)
    files, out = [tmp_path / "a.wav", tmp_path / "b.wav"], tmp_path / "o"
    before = signal.getsignal(signal.SIGTERM)
    assert run("enhance", *files, "-o", out, "--weights", weights, "--jobs", 1) == 130
    assert messages(capsys) == ["effifusion: stopped"]
    assert files_of(out) == ["a.wav"]
    assert signal.getsignal(signal.SIGTERM) == before


@needs_proc
def test_closing_the_outcomes_ends_the_workers(tmp_path, long_files, weights):
    jobs, _ = plan([long_files], tmp_path / "out")
    (tmp_path / "out").mkdir()
    outcomes = enhance_all(jobs, weights, 2)
    assert next(outcomes).error is None
    assert len(workers_of(os.getpid())) == 2
    outcomes.close()
    assert workers_of(os.getpid()) == []
    assert 1 <= len(files_of(tmp_path / "out")) < FILES
