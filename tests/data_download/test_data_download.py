"""The downloader against a local server with small archives of the corpus' shape."""

from __future__ import annotations

import io
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from local_corpus import (
    RATE,
    TEST_NAMES,
    TRAIN_NAMES,
    Server,
    condition,
    corpus,
    pack,
    prepare,
    serve,
    side,
    voice,
    wav,
)

from data_download import DataError
from data_download import check as check_module
from data_download import convert as convert_module
from data_download import download as download_module
from data_download.__main__ import main, parser
from data_download.convert import convert, convert_all, members
from data_download.dataset import VOICEBANK_DEMAND, Dataset
from data_download.download import BLOCK
from data_download.manifest import Condition, read_logs, read_manifest, whole_pairs
from data_download.sample import select_evenly

REPOSITORY = Path(__file__).parents[2]


# ------------------------------------------------------------------ archives of the same shape


@pytest.fixture(scope="session")
def archives() -> dict[str, bytes]:
    """The seven archives; the test clean one has a folder and `__MACOSX`, the train ones not."""
    folder = "clean_testset_wav/"
    clean = {f"{folder}{name}.wav": wav(voice(name, 0.0)) for name in TEST_NAMES}
    clean |= {
        folder: b"",
        f"__MACOSX/{folder}._p232_001.wav": b"resource fork",
        f"__MACOSX/{folder}p257_099.wav": b"resource fork",
        f"{folder}.DS_Store": b"x",
    }
    log = "".join(f"{n} {condition(n)[0]} {condition(n)[1]:e}\n" for n in TEST_NAMES + TRAIN_NAMES)
    return {
        "clean_testset_wav.zip": pack(clean),
        "noisy_testset_wav.zip": side(TEST_NAMES, 0.02, "noisy_testset_wav/"),
        "clean_trainset_28spk_wav.zip": side(TRAIN_NAMES, 0.0, ""),
        "noisy_trainset_28spk_wav.zip": side(TRAIN_NAMES, 0.02, ""),
        "testset_txt.zip": pack(
            {f"testset_txt/{n}.txt": f"Say {n}.\n".encode() for n in TEST_NAMES}
        ),
        "trainset_28spk_txt.zip": pack({f"{n}.txt": f"Say {n}.\n".encode() for n in TRAIN_NAMES}),
        "logfiles.zip": pack(
            {"log_testset.txt": log.encode(), "log_trainset_56spk.txt": b"p232_001 car 99\n"}
        ),
    }


# ----------------------------------------------------------------------------- a local server


@pytest.fixture
def server(archives: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download_module, "WAITS", (0.0, 0.0))
    with serve(archives) as state:
        yield state


def the_error(capsys: pytest.CaptureFixture) -> str:
    """The one line of the error, which stands last in stderr after the progress bars."""
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("data_download: ") and "Traceback" not in line
    return line


def flacs(out: Path) -> dict[str, int]:
    """Every FLAC file of a prepared folder with its time of change."""
    return {str(p.relative_to(out)): p.stat().st_mtime_ns for p in out.rglob("*.flac")}


# ---------------------------------------------------------------------- the whole way, once


@pytest.fixture(scope="module")
def ready(archives: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared folder; tests that change it take a copy."""
    out = tmp_path_factory.mktemp("ready") / "vbd"
    with pytest.MonkeyPatch.context() as patch, serve(archives) as state:
        patch.setenv("NO_PROXY", "127.0.0.1")
        assert prepare(state, out) == 0
    return out


@pytest.fixture
def copy(ready: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ready, tmp_path / "copy"))


def test_layout_and_audio_of_a_prepared_folder(ready: Path) -> None:
    valid = {name for name in TRAIN_NAMES if name[:4] in ("p226", "p287")}
    assert whole_pairs(ready, "test") == set(TEST_NAMES)
    assert whole_pairs(ready, "valid") == valid
    assert whole_pairs(ready, "train") == set(TRAIN_NAMES) - valid
    info = soundfile.info(ready / "test" / "noisy" / "p232_001.flac")
    assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
    source, _ = soundfile.read(io.BytesIO(wav(voice("p232_001", 0.02))), dtype="float32")
    prepared, _ = soundfile.read(ready / "test" / "noisy" / "p232_001.flac", dtype="float32")
    wanted = soxr.resample(source, RATE, 16000, "HQ")
    assert len(prepared) == len(wanted) == round(len(source) / 3)
    assert np.abs(prepared - wanted).max() <= 1.01 / 2**15


def test_manifest_says_split_gender_noise_snr_length_and_text(ready: Path) -> None:
    rows = {row.file: row for row in read_manifest(ready)}
    assert len(rows) == len(TEST_NAMES) + len(TRAIN_NAMES)
    row = rows["p257_002.flac"]
    assert (row.split, row.speaker, row.gender) == ("test", "p257", "F")
    assert (row.noise, row.snr_db, row.text) == ("cafe", 2.5, "Say p257_002.")
    assert row.duration_s == pytest.approx(len(voice("p257_002", 0)) / RATE, abs=1e-3)
    assert rows["p287_001.flac"].split == "valid" and rows["p228_001.flac"].split == "train"
    assert rows["p232_001.flac"].noise == "bus"  # the log of the 56-speaker set does not count
    assert all(path.exists() for path in row.paths(ready))


def test_only_the_small_archives_stay(ready: Path) -> None:
    stay = {path.name for path in (ready / "archives").iterdir()}
    assert stay == {"logfiles.zip", "testset_txt.zip", "trainset_28spk_txt.zip"}
    assert not list(ready.rglob("*.part"))


def test_second_call_asks_the_server_for_nothing(server: Server, copy: Path) -> None:
    before = flacs(copy)
    assert prepare(server, copy) == 0
    assert server.requests == [] and flacs(copy) == before


def test_archives_that_an_interrupted_call_left_are_deleted(server: Server, copy: Path) -> None:
    archive = copy / "archives" / "clean_testset_wav.zip"
    archive.write_bytes(server.files[archive.name])
    assert prepare(server, copy, "--keep-archives") == 0 and archive.exists()
    assert prepare(server, copy) == 0 and not archive.exists()
    assert server.requests == []


def test_only_what_is_missing_is_written(server: Server, copy: Path) -> None:
    before = flacs(copy)
    (copy / "test" / "noisy" / "p232_003.flac").unlink()
    assert prepare(server, copy, "--keep-archives") == 0
    after = flacs(copy)
    assert {name for name in after if after[name] != before[name]} == {"test/noisy/p232_003.flac"}
    kept = {path.name for path in (copy / "archives").glob("*_wav.zip")}
    assert kept == {"clean_testset_wav.zip", "noisy_testset_wav.zip"}


def test_subsets_add_up(server: Server, tmp_path: Path) -> None:
    assert prepare(server, tmp_path, "--subset", "test") == 0
    assert {row.split for row in read_manifest(tmp_path)} == {"test"}
    assert not (tmp_path / "train").exists()
    assert prepare(server, tmp_path, "--subset", "train") == 0
    rows = read_manifest(tmp_path)
    assert len(rows) == len(TEST_NAMES) + len(TRAIN_NAMES) and all(row.text for row in rows)
    assert len(server.asked("/clean_testset_wav.zip")) == 1


def test_mirror_is_asked_by_official_names(server: Server, tmp_path: Path) -> None:
    dataset = replace(corpus(server), address_forms=())
    mirror = f"{server.url}/course {{1}}/"
    assert prepare(server, tmp_path, "--subset", "test", "--mirror", mirror, dataset=dataset) == 0
    assert {path.rsplit("/", 1)[0] for path, _ in server.requests} == {"/course%20%7B1%7D"}


def test_texts_are_optional(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    dataset = corpus(server)
    del server.files["testset_txt.zip"]
    assert prepare(server, tmp_path, "--subset", "test", dataset=dataset) == 0
    assert "Without texts" in capsys.readouterr().out
    assert {row.text for row in read_manifest(tmp_path)} == {""}


# ------------------------------------------------------------------------ failures of the server


def test_break_in_the_middle_is_resumed_by_range(server: Server, tmp_path: Path) -> None:
    size = len(server.files["clean_testset_wav.zip"])
    server.breaks = [("clean_testset_wav.zip", 50_000), ("clean_testset_wav.zip", 60_000)]
    assert prepare(server, tmp_path, "--subset", "test") == 0
    asked = server.asked("/clean_testset_wav.zip")
    starts = [int(wanted.removeprefix("bytes=").removesuffix("-")) for wanted in asked[1:]]
    assert asked[0] is None and len(starts) == 2
    assert 50_000 - BLOCK < starts[0] <= 50_000
    assert starts[0] + 60_000 - BLOCK < starts[1] <= starts[0] + 60_000
    assert server.sent["clean_testset_wav.zip"] < size + 2 * BLOCK
    assert whole_pairs(tmp_path, "test") == set(TEST_NAMES)


def test_break_without_ranges_starts_anew(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    server.breaks = [("noisy_testset_wav.zip", 50_000)]
    assert prepare(server, tmp_path, "--subset", "test") == 0
    assert server.sent["noisy_testset_wav.zip"] == 50_000 + len(
        server.files["noisy_testset_wav.zip"]
    )
    assert whole_pairs(tmp_path, "test") == set(TEST_NAMES)


def test_next_call_goes_on_where_the_server_failed_for_good(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    dataset = corpus(server)
    server.breaks = [("clean_testset_wav.zip", 70_000)] + 9 * [("clean_testset_wav.zip", 0)]
    assert prepare(server, tmp_path, "--subset", "test") == 1
    error = the_error(capsys)
    assert "clean_testset_wav.zip could not be downloaded" in error and "--mirror" in error
    part = tmp_path / "archives" / "clean_testset_wav.zip.part"
    size = part.stat().st_size
    assert 70_000 - BLOCK < size <= 70_000
    assert flacs(tmp_path) == {} and not (tmp_path / "manifest.csv").exists()
    server.breaks, server.requests = [], []
    assert prepare(server, tmp_path, "--subset", "test", dataset=dataset) == 0
    assert server.asked("/clean_testset_wav.zip") == [f"bytes={size}-"]


def test_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.statuses = {"/first/clean_testset_wav.zip": [503, 429, 200]}
    assert prepare(server, tmp_path, "--subset", "test") == 0
    assert len(server.asked("/first/clean_testset_wav.zip")) == 3
    assert server.asked("/second/clean_testset_wav.zip") == []


@pytest.mark.parametrize("misbehaviour", ["404", "403", "page"])
def test_second_form_of_address(server: Server, tmp_path: Path, misbehaviour: str) -> None:
    if misbehaviour == "page":
        server.page = "/first/"
    else:
        server.statuses = {"/first/": [int(misbehaviour)]}
    assert prepare(server, tmp_path, "--subset", "test") == 0
    first = [path for path, _ in server.requests if path.startswith("/first/")]
    second = [path for path, _ in server.requests if path.startswith("/second/")]
    assert len(first) == len(second) == 4  # one try for each archive
    assert whole_pairs(tmp_path, "test") == set(TEST_NAMES)


def test_no_address_serves(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    server.statuses = {"/": [404]}
    assert prepare(server, tmp_path) == 1
    error = the_error(capsys)
    assert "logfiles.zip could not be downloaded" in error
    assert f"{server.url}/second/logfiles.zip: the server answers 404" in error


def test_no_connection_is_said_at_once(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    dataset = replace(corpus(server), address_forms=("http://127.0.0.1:9/{name}",))
    assert prepare(server, tmp_path, dataset=dataset) == 1
    assert "no connection" in the_error(capsys)


def test_wrong_checksum_deletes_the_download(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    dataset = corpus(server)
    server.files["noisy_testset_wav.zip"] = server.files["clean_testset_wav.zip"]
    assert prepare(server, tmp_path, "--subset", "test", dataset=dataset) == 1
    assert "noisy_testset_wav.zip has the wrong checksum and was deleted" in the_error(capsys)
    assert not list((tmp_path / "archives").glob("noisy_testset_wav*"))
    assert flacs(tmp_path) == {}


def test_wrong_archive_that_lies_there_is_named(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "clean_testset_wav.zip").write_bytes(b"something else")
    assert prepare(server, tmp_path, "--subset", "test") == 1
    assert "clean_testset_wav.zip has the wrong checksum: delete it" in the_error(capsys)


def test_whole_part_of_a_killed_call_is_only_verified(server: Server, tmp_path: Path) -> None:
    part = tmp_path / "archives" / "clean_testset_wav.zip.part"
    part.parent.mkdir()
    part.write_bytes(server.files["clean_testset_wav.zip"])
    assert prepare(server, tmp_path, "--subset", "test") == 0
    assert server.sent["clean_testset_wav.zip"] == 0
    assert whole_pairs(tmp_path, "test") == set(TEST_NAMES)


def test_longer_part_than_the_file_is_given_up(server: Server, tmp_path: Path) -> None:
    part = tmp_path / "archives" / "clean_testset_wav.zip.part"
    part.parent.mkdir()
    part.write_bytes(bytes(len(server.files["clean_testset_wav.zip"]) + 5))
    assert prepare(server, tmp_path, "--subset", "test") == 1
    assert not part.exists()
    assert prepare(server, tmp_path, "--subset", "test") == 0


def test_truncated_text_archive_without_checksum_is_found(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    server.files["testset_txt.zip"] = server.files["testset_txt.zip"][:-30]
    assert prepare(server, tmp_path, "--subset", "test") == 0
    assert "testset_txt.zip is no whole zip file" in capsys.readouterr().out
    assert not (tmp_path / "archives" / "testset_txt.zip").exists()


# ------------------------------------------------------------------------------- the disk


def test_disk_without_room_is_said_before_any_request(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=500_000))
    assert prepare(server, tmp_path) == 1
    output = capsys.readouterr()
    assert "To download: about" in output.out and "25 pairs" in output.out
    assert "0 MiB free" in output.err and "free some space" in output.err
    assert server.requests == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device of Linux")
def test_disk_that_fills_up_during_the_download(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "clean_testset_wav.zip.part").symlink_to("/dev/full")
    assert prepare(server, tmp_path, "--subset", "test") == 1
    assert "The disk is full" in the_error(capsys)
    assert not (tmp_path / "archives" / "clean_testset_wav.zip").exists()


def test_disk_that_fills_up_during_the_conversion_leaves_no_half_file(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    whole = Path.write_bytes
    written = []

    def fail_at_fourth(path: Path, data: bytes) -> int:
        written.append(path)
        if len(written) == 4:
            whole(path, data[:100])
            raise OSError(28, "No space left on device")
        return whole(path, data)

    monkeypatch.setattr(Path, "write_bytes", fail_at_fourth)
    assert prepare(server, tmp_path, "--subset", "test") == 1
    assert "The disk is full" in the_error(capsys)
    assert len(flacs(tmp_path)) == 3 and not list((tmp_path / "test").rglob("*.part"))
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server.requests = []
    assert prepare(server, tmp_path, "--subset", "test") == 0
    assert server.requests == [] and whole_pairs(tmp_path, "test") == set(TEST_NAMES)


# ------------------------------------------------------------------------- hostile archives


@pytest.mark.parametrize(
    "name", ["../p232_001.wav", "/p232_001.wav", "..\\x\\p1_1.wav", "C:/p1_1.wav"]
)
def test_path_that_escapes_is_refused(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture, name: str
) -> None:
    server.files["clean_testset_wav.zip"] = pack({name: wav(voice("p232_001", 0))})
    out = tmp_path / "deep" / "out"
    assert prepare(server, out, "--subset", "test") == 1
    assert "leaves its folder" in the_error(capsys)
    assert [path for path in tmp_path.rglob("*.wav")] == [] and flacs(out) == {}


def test_by_products_of_macos_are_no_members(archives: dict[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(archives["clean_testset_wav.zip"])) as archive:
        assert any("__MACOSX" in name for name in archive.namelist())
        assert sorted(members(archive, ".wav")) == TEST_NAMES


def test_archives_that_do_not_match_are_named(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    server.files["noisy_testset_wav.zip"] = side(TEST_NAMES[:-1], 0.02, "")
    assert prepare(server, tmp_path, "--subset", "test") == 1
    assert "do not hold the same files (p257_008 is only in one)" in the_error(capsys)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"no audio", "is no audio"), (wav(np.zeros((4800, 2))), "has 2 channels")],
)
def test_member_that_is_no_mono_audio(tmp_path: Path, data: bytes, message: str) -> None:
    with zipfile.ZipFile(io.BytesIO(pack({"p1_1.wav": data}))) as archive:
        with pytest.raises(DataError, match=message):
            convert(archive, "p1_1.wav", tmp_path / "p1_1.flac")
    assert list(tmp_path.iterdir()) == []


def test_parallel_processes_write_what_one_writes(
    archives: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(archives["noisy_trainset_28spk_wav.zip"])
    for folder, workers in (("one", 1), ("two", 2)):
        (tmp_path / folder).mkdir()
        jobs = [(f"{n}.wav", tmp_path / folder / f"{n}.flac") for n in TRAIN_NAMES]
        convert_all(path, jobs, workers=workers, batch=2)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / f).iterdir()} for f in ("one", "two"))
    assert len(one) == len(TRAIN_NAMES) and one == two


def test_fault_in_a_parallel_process_reaches_the_caller(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    entries = {f"{name}.wav": wav(voice(name, 0)) for name in TRAIN_NAMES}
    path.write_bytes(pack(entries | {"p228_002.wav": b"no audio"}))
    with pytest.raises(DataError, match="p228_002.wav in its archive is no audio"):
        convert_all(path, [(n, tmp_path / f"{n}.flac") for n in entries], workers=2, batch=2)


# --------------------------------------------------------------------------------- --sample


def test_sample_reads_only_its_pairs(server: Server, tmp_path: Path, monkeypatch) -> None:
    names = [f"{speaker}_{n:03d}" for speaker in ("p232", "p257") for n in range(1, 21)]
    for key, noise in (("clean", 0.0), ("noisy", 0.02)):
        server.files[f"{key}_testset_wav.zip"] = side(names, noise, f"{key}_testset_wav/")
    log = "".join(f"{n} {condition(n)[0]} {condition(n)[1]}\n" for n in names)
    server.files["logfiles.zip"] = pack({"log_testset.txt": log.encode()})
    dataset = corpus(server)
    dataset = replace(dataset, parts=(dataset.parts[0], replace(dataset.part("test"), pairs=40)))
    assert prepare(server, tmp_path, "--sample", "8", dataset=dataset) == 0
    rows = read_manifest(tmp_path)
    cells = Counter((row.speaker, row.noise, row.snr_db) for row in rows)
    assert len(cells) == 8 and set(cells.values()) == {1}
    size = len(server.files["noisy_testset_wav.zip"])
    assert server.sent["noisy_testset_wav.zip"] < 2**18 + 0.25 * size < size / 2
    assert not list((tmp_path / "archives").glob("*_wav.zip*"))
    info = soundfile.info(tmp_path / "test" / "clean" / rows[0].file)
    assert (info.samplerate, info.subtype) == (16000, "PCM_16")

    # A larger sample keeps what is there and reads only the rest; the same one reads nothing.
    before, asked = flacs(tmp_path), len(server.asked("/noisy_testset_wav.zip"))
    assert prepare(server, tmp_path, "--sample", "10", dataset=dataset) == 0
    assert len(server.asked("/noisy_testset_wav.zip")) == asked + 3  # contents, two members
    assert len(read_manifest(tmp_path)) == 10 and before.items() <= flacs(tmp_path).items()
    server.requests = []
    assert prepare(server, tmp_path, "--sample", "10", dataset=dataset) == 0
    assert server.requests == []


def test_sample_without_ranges_takes_the_whole_archive(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    server.ranges = False
    assert prepare(server, tmp_path, "--sample", "4") == 0
    assert "cannot be read in parts" in capsys.readouterr().out
    assert len(whole_pairs(tmp_path, "test")) == 4
    server.requests = []
    assert prepare(server, tmp_path, "--sample", "6") == 0  # the kept archives serve again
    assert server.requests == [] and len(whole_pairs(tmp_path, "test")) == 6


def test_whole_test_set_after_a_sample_keeps_the_sample(server: Server, tmp_path: Path) -> None:
    assert prepare(server, tmp_path, "--sample", "4") == 0
    before = flacs(tmp_path)
    assert prepare(server, tmp_path, "--subset", "test") == 0
    assert len(before) == 8 and before.items() <= flacs(tmp_path).items()
    assert len(read_manifest(tmp_path)) == len(TEST_NAMES)


def test_sample_takes_the_second_form_of_address(server: Server, tmp_path: Path) -> None:
    server.statuses = {"/first/": [404]}
    assert prepare(server, tmp_path, "--sample", "4") == 0
    assert all(wanted for wanted in server.asked("/second/noisy_testset_wav.zip"))
    assert len(read_manifest(tmp_path)) == 4


def test_break_during_a_sample_keeps_what_is_whole(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    give = convert_module.soxr.resample

    def break_after_three(*arguments):
        if len(flacs(tmp_path)) == 3:
            server.breaks = [("clean_testset_wav.zip", 1000)]
        return give(*arguments)

    monkeypatch.setattr(convert_module.soxr, "resample", break_after_three)
    assert prepare(server, tmp_path, "--sample", "4") == 1
    assert "The connection broke off while pairs were read" in the_error(capsys)
    assert len(flacs(tmp_path)) == 4 and not (tmp_path / "manifest.csv").exists()
    monkeypatch.setattr(convert_module.soxr, "resample", give)
    assert prepare(server, tmp_path, "--sample", "4") == 0
    assert len(read_manifest(tmp_path)) == 4


# ------------------------------------------------------------------------------------- Ctrl-C


def start(server: Server, out: Path, dataset: Dataset) -> subprocess.Popen:
    """The command line in a process of its own, with the small data set."""
    code = (
        "import sys\n"
        "from data_download.__main__ import main\n"
        "from data_download.dataset import *\n"
        "if __name__ == '__main__':\n"
        f"    sys.exit(main(['voicebank-demand', '--out', {str(out)!r}, '--subset', 'test'],"
        f" {dataset!r}))\n"
    )
    script = out.parent / "run.py"
    script.write_text(code)
    return subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that the signal reaches its group, as from a terminal
    )


def interrupt(process: subprocess.Popen, when: Callable[[], bool]) -> None:
    """Send Ctrl-C to all processes of the group as soon as `when` holds."""
    try:
        for _ in range(6000):
            if when():
                break
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        else:
            pytest.fail("the moment for Ctrl-C never came")
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "interrupted; the same command goes on" in errors and "Traceback" not in errors


@pytest.mark.skipif(os.name == "nt", reason="sends a signal to a process group of POSIX")
def test_ctrl_c_in_the_download_is_clean_and_resumed(server: Server, tmp_path: Path) -> None:
    out = tmp_path / "out"
    part = out / "archives" / "noisy_testset_wav.zip.part"
    server.pause = 0.01
    process = start(server, out, corpus(server))
    interrupt(process, lambda: part.exists() and part.stat().st_size > 0)
    size = part.stat().st_size
    assert 0 < size < len(server.files["noisy_testset_wav.zip"])
    server.pause, server.requests = 0.0, []
    assert prepare(server, out, "--subset", "test") == 0
    assert server.asked("/noisy_testset_wav.zip") == [f"bytes={size}-"]


@pytest.mark.skipif(os.name == "nt", reason="sends a signal to a process group of POSIX")
def test_ctrl_c_in_the_conversion_is_clean_and_resumed(server: Server, tmp_path: Path) -> None:
    out = tmp_path / "out"
    data = wav(np.tile(voice("p232_001", 0.0), 2))
    archive = pack({f"p232_{n:03d}.wav": data for n in range(1, 201)})
    for key in ("clean", "noisy"):
        server.files[f"{key}_testset_wav.zip"] = archive
    dataset = corpus(server)
    dataset = replace(dataset, parts=(dataset.parts[0], replace(dataset.part("test"), pairs=200)))
    process = start(server, out, dataset)
    interrupt(process, lambda: len(flacs(out)) > 0)
    before = flacs(out)
    assert 0 < len(before) < 400 and not list((out / "test").rglob("*.part"))
    lengths = {len(soundfile.read(out / name)[0]) for name in before}
    assert lengths == {round(soundfile.info(io.BytesIO(data)).frames / 3)}
    server.requests = []
    assert prepare(server, out, "--subset", "test", dataset=dataset) == 0
    assert server.requests == [] and before.items() <= flacs(out).items()
    assert len(read_manifest(out)) == 200


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal masks")
def test_processes_start_without_ctrl_c(
    archives: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first moments of a process, before it can ignore Ctrl-C by itself."""
    path = tmp_path / "a.zip"
    path.write_bytes(archives["clean_trainset_28spk_wav.zip"])
    submit = convert_module.ProcessPoolExecutor.submit
    masks = []

    def look_into_process(pool, *work):
        masks.append(submit(pool, signal.pthread_sigmask, signal.SIG_BLOCK, ()).result())
        return submit(pool, *work)

    monkeypatch.setattr(convert_module.ProcessPoolExecutor, "submit", look_into_process)
    jobs = [(f"{name}.wav", tmp_path / f"{name}.flac") for name in TRAIN_NAMES]
    convert_all(path, jobs, workers=2, batch=3)
    assert len(masks) == 3 and all(signal.SIGINT in mask for mask in masks)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


# ------------------------------------------------------------------------------------ --check


@pytest.fixture(scope="module")
def baseline(ready: Path) -> float:
    """The mean PESQ that the small noisy files really have."""
    pesq = pytest.importorskip("pesq").pesq
    scores = []
    for name in TEST_NAMES:
        clean, noisy = (
            soundfile.read(ready / "test" / kind / f"{name}.flac")[0] for kind in ("clean", "noisy")
        )
        scores.append(pesq(16000, clean, noisy, "wb"))
    return float(np.mean(scores))


def test_check_accepts_what_was_prepared(
    server: Server, ready: Path, baseline: float, capsys: pytest.CaptureFixture
) -> None:
    dataset = replace(corpus(server), noisy_pesq=baseline)
    assert prepare(server, ready, "--check", dataset=dataset) == 0
    output = capsys.readouterr().out
    assert "test: 16 pairs, 16 expected" in output and "train: 9 pairs, 9 expected" in output
    assert re.search(r"PESQ is \d\.\d{3} on 16 of them; \d\.\d{3} ± 0.010 is expected", output)
    assert server.requests == []


def test_check_names_a_wrong_baseline(
    server: Server, ready: Path, baseline: float, capsys: pytest.CaptureFixture
) -> None:
    dataset = replace(corpus(server), noisy_pesq=baseline + 0.05)
    assert prepare(server, ready, "--check", dataset=dataset) == 1
    assert "In test the noisy files' PESQ is" in capsys.readouterr().out


def test_check_says_that_pesq_is_missing(
    server: Server, ready: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "pesq", None)
    assert prepare(server, ready, "--check") == 0
    assert "PESQ is not checked: the package pesq is not installed" in capsys.readouterr().out


def write_audio(path: Path, samples: np.ndarray, rate: int) -> None:
    soundfile.write(path, samples, rate, format="FLAC", subtype="PCM_16")


DAMAGES = {
    "one side missing": (
        lambda out: (out / "test/noisy/p232_001.flac").unlink(),
        ["test has 15 pairs instead of 16", "clean/p232_001.flac belongs to no pair", "disagree"],
    ),
    "other length": (
        lambda out: write_audio(out / "train/clean/p228_001.flac", np.zeros(160), 16000),
        ["train/p228_001 is 160 samples long clean and"],
    ),
    "other rate": (
        lambda out: write_audio(out / "valid/noisy/p226_001.flac", np.zeros(160), 8000),
        ["valid/noisy/p226_001 is not 16000 Hz mono"],
    ),
    "no audio": (
        lambda out: (out / "valid/noisy/p226_001.flac").write_bytes(b"x"),
        ["p226_001.flac cannot be read"],
    ),
    "half file": (
        lambda out: (out / "test/noisy/p232_009.flac.part").write_bytes(b"x"),
        ["p232_009.flac.part belongs to no pair"],
    ),
    "split missing": (
        lambda out: shutil.rmtree(out / "train"),
        ["train has 6 pairs instead of 9", "disagree on p228_001"],
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_check_finds(
    server: Server, copy: Path, monkeypatch, capsys: pytest.CaptureFixture, damage: str
) -> None:
    monkeypatch.setattr(check_module, "check_pesq", lambda *_: [])
    do, faults = DAMAGES[damage]
    do(copy)
    assert prepare(server, copy, "--check") == 1
    output = capsys.readouterr()
    for fault in faults:
        assert fault in output.out
    assert "without --check" in output.err


def test_check_of_a_subset_and_of_a_sample(server: Server, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(check_module, "check_pesq", lambda *_: [])
    assert prepare(server, tmp_path, "--sample", "4") == 0
    assert prepare(server, tmp_path, "--check", "--sample", "4") == 0
    assert prepare(server, tmp_path, "--check", "--sample", "5") == 1
    assert prepare(server, tmp_path, "--check", "--subset", "test") == 1


def test_check_of_an_unprepared_folder(server: Server, tmp_path: Path, capsys) -> None:
    assert prepare(server, tmp_path, "--check") == 1
    assert "holds no manifest.csv" in the_error(capsys)


def test_check_of_pesq_on_real_test_files(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """40 of the 200 real noisy test files: within the stated tolerance of 1.970."""
    pytest.importorskip("pesq")
    monkeypatch.setattr(check_module, "PESQ_FILES", 40)
    shutil.copytree(shared_data / "vbd_dev", tmp_path / "test")
    names = sorted(path.stem for path in (tmp_path / "test" / "noisy").iterdir())
    assert len(names) == 200
    assert check_module.check_pesq(VOICEBANK_DEMAND, tmp_path, names) == []
    off = replace(VOICEBANK_DEMAND, noisy_pesq=2.4)
    assert len(check_module.check_pesq(off, tmp_path, names)) == 1


# ------------------------------------------------------------------------- choosing evenly


def full_factorial(per_cell: int) -> dict[str, Condition]:
    """The real test set's cells: 2 speakers, 5 noises, 4 SNRs."""
    conditions = {}
    for speaker in ("p232", "p257"):
        number = 0
        for noise in ("bus", "cafe", "living", "office", "psquare"):
            for snr in (2.5, 7.5, 12.5, 17.5):
                for _ in range(per_cell):
                    number += 1
                    conditions[f"{speaker}_{number:03d}"] = Condition(noise, snr)
    return conditions


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 120), seed=st.integers(0, 2**31))
def test_choice_is_even_over_speaker_noise_and_snr(count: int, seed: int) -> None:
    conditions = full_factorial(per_cell=4)
    chosen = select_evenly(conditions, conditions, count, seed)
    assert len(set(chosen)) == count
    keys = [(name[:4], conditions[name].noise, conditions[name].snr_db) for name in chosen]
    for margin, kinds in ((0, 2), (1, 5), (2, 4)):
        counts = Counter(key[margin] for key in keys)
        spread = [counts.get(kind, 0) for kind in counts] + [0] * (kinds - len(counts))
        assert max(spread) - min(spread) <= 1, counts
    assert max(Counter(keys).values()) <= count // 40 + 2
    assert select_evenly(conditions, conditions, count, seed) == chosen
    assert (
        select_evenly(conditions, conditions, max(1, count // 2), seed)
        == chosen[: max(1, count // 2)]
    )


def test_choice_depends_on_the_seed_and_not_on_the_order() -> None:
    conditions = full_factorial(per_cell=4)
    names = list(conditions)
    choice = select_evenly(names, conditions, 50, 1)
    random.Random(3).shuffle(names)
    assert select_evenly(names, conditions, 50, 1) == choice
    assert set(select_evenly(names, conditions, 50, 2)) != set(choice)


def test_choice_takes_everything_where_cells_are_uneven() -> None:
    conditions = {"p1_1": Condition("bus", 0.0), "p1_2": Condition("bus", 0.0)}
    assert sorted(select_evenly(["p1_1", "p1_2", "p2_1"], conditions, 3)) == [
        "p1_1",
        "p1_2",
        "p2_1",
    ]
    with pytest.raises(DataError, match="only 2 pairs to choose from, not 3"):
        select_evenly(conditions, conditions, 3)


def lesson(folder: Path, out: Path, pairs: int, seed: int) -> int:
    command = ["sample-class", str(folder), "--pairs", str(pairs), "--seed", str(seed)]
    return main([*command, "--out", str(out)])


def test_sample_class_is_a_prepared_folder_of_its_own(ready: Path, tmp_path: Path) -> None:
    assert lesson(ready, tmp_path / "a", 8, 1) == lesson(ready, tmp_path / "b", 8, 1) == 0
    assert lesson(ready, tmp_path / "c", 8, 2) == 0
    a, b, c = (read_manifest(tmp_path / name) for name in "abc")
    assert a == b and a != c
    cells = Counter((row.speaker, row.noise, row.snr_db) for row in a)
    assert len(cells) == 8 and set(cells.values()) == {1}
    for row in a:
        for source, target in zip(row.paths(ready), row.paths(tmp_path / "a"), strict=True):
            assert source.read_bytes() == target.read_bytes()


def test_sample_class_refuses(ready: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert lesson(ready, tmp_path / "a", 99, 1) == 1
    assert "There are only 16 pairs" in the_error(capsys)
    assert lesson(tmp_path / "nowhere", tmp_path / "a", 4, 1) == 1
    assert "holds no manifest.csv" in the_error(capsys)
    assert lesson(ready, tmp_path / "a", 4, 1) == 0
    assert lesson(ready, tmp_path / "a", 4, 2) == 1
    assert "holds another choice of pairs" in the_error(capsys)
    assert lesson(ready, ready, 4, 1) == 1


def test_interrupted_sample_class_can_be_repeated(ready: Path, tmp_path: Path) -> None:
    assert lesson(ready, tmp_path, 4, 1) == 0
    (tmp_path / "manifest.csv").unlink()
    next((tmp_path / "test" / "noisy").iterdir()).unlink()
    assert lesson(ready, tmp_path, 4, 1) == 0
    assert len(read_manifest(tmp_path)) == len(whole_pairs(tmp_path, "test")) == 4


# -------------------------------------------------------------------------- the small pieces


def test_logs_are_read_in_their_known_variants(tmp_path: Path) -> None:
    lines = [
        "p232_001 bus 1.750000e+01",
        "p232_002.wav cafe 7.5",
        "p232_003,0,living",
        "",
        "name noise snr",
        "p232_004 office",
    ]
    path = tmp_path / "logfiles.zip"
    log = "\r\n".join(lines).encode()
    path.write_bytes(pack({"logs/log_testset.txt": log, "log_readme.txt": b"p1 \xff\n"}))
    assert read_logs(path) == {
        "p232_001": Condition("bus", 17.5),
        "p232_002": Condition("cafe", 7.5),
        "p232_003": Condition("living", 0.0),
    }


def test_foreign_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path,label\na,b\n")
    with pytest.raises(DataError, match="has no column file"):
        read_manifest(tmp_path)


def test_what_is_written_of_the_real_corpus() -> None:
    train, test = VOICEBANK_DEMAND.parts
    assert (train.pairs, test.pairs) == (11572, 824)
    women, men = VOICEBANK_DEMAND.women - {"p257"}, VOICEBANK_DEMAND.men - {"p232"}
    assert len(women) == len(men) == 14 and not women & men
    archives = [a for part in VOICEBANK_DEMAND.parts for a in (part.clean, part.noisy, part.text)]
    for archive in [*archives, VOICEBANK_DEMAND.logs]:
        assert archive.md5 is None or re.fullmatch("[0-9a-f]{32}", archive.md5)
        assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", archive.bitstream)
        addresses = VOICEBANK_DEMAND.addresses(archive)
        assert archive.bitstream in addresses[0] and addresses[-1].endswith(archive.name)


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["voicebank-demand"],
        ["voicebank-demand", "--out", "x", "--subset", "valid"],
        ["voicebank-demand", "--out", "x", "--sample", "0"],
        ["voicebank-demand", "--out", "x", "--sample", "3", "--subset", "train"],
        ["voicebank-demand", "--out", "x", "--mirror", "ftp://x"],
        ["sample-class", "x"],
    ],
)
def test_wrong_usage_exits_with_two(options: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(options)
    assert stop.value.code == 2


def test_missing_library_is_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for name in ("prepare", "remote"):
        monkeypatch.delitem(sys.modules, f"data_download.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "remotezip", None)
    assert prepare(server, tmp_path) == 1
    assert "The package remotezip is missing: pip install" in the_error(capsys)


def test_folder_is_read_without_the_network_libraries(ready: Path) -> None:
    code = (
        "import sys; sys.modules.update(requests=None, remotezip=None, urllib3=None)\n"
        "from pathlib import Path\n"
        "from data_download import __main__, read_manifest\n"
        "print(len(read_manifest(Path(sys.argv[1]))))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(ready)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == str(len(TEST_NAMES) + len(TRAIN_NAMES))


def test_the_setting_for_the_chapters_is_named_by_its_whole_path(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert prepare(server, Path("vbd"), "--sample", "2") == 0
    assert f"export EFFIFUSION_VBD={tmp_path / 'vbd'}\n" in capsys.readouterr().out


def test_sample_larger_than_the_corpus(server: Server, tmp_path: Path, capsys) -> None:
    assert prepare(server, tmp_path, "--sample", "17") == 1
    assert "--sample can be 16 at most" in the_error(capsys)


DOCUMENTS = ["README.md", "data_download/README.md", "notebooks/source/00_hear_the_problem.py"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_in_the_documents_are_valid(document: str) -> None:
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    commands = re.findall(r"^(?:# )?(?:\S*/)?python -m data_download (.*?)(?: +#.*)?$", text, re.M)
    assert any("--sample" in command for command in commands)
    for command in commands:
        parser().parse_args(shlex.split(command))


def test_chapter_00_says_that_voices_are_synthetic_and_offers_a_sample_first() -> None:
    text = (REPOSITORY / "notebooks/source/00_hear_the_problem.py").read_text(encoding="utf-8")
    head = text.split("# %%\n")[0]  # up to the first code
    assert "All built-in voices are synthetic" in head and "--sample 50" in head
    assert "EFFIFUSION_VBD=" in head and head.index("--sample") < head.index("After this chapter")


def test_help_says_what_was_not_tested(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["voicebank-demand", "--help"])
    assert stop.value.code == 0
    assert "was not tested here" in " ".join(capsys.readouterr().out.split())
