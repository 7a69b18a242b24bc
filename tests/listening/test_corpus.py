"""The chapters' clips where EFFIFUSION_VBD names a prepared folder: pairs of the corpus instead."""

import csv
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from local_corpus import corpus, pack, prepare, serve, wav

from effifusion_lite.data import Pairs
from effifusion_lite.evaluation import find_pairs
from effifusion_lite.lesson.small_corpus import small_corpus
from effifusion_lite.listening import clips, red_thread
from effifusion_lite.listening.corpus import LICENCE, NO_TEXT, VARIABLE, prepared_folder
from effifusion_lite.listening.manifest import manifest
from notebooks import build, compose

# Our own synthetic clips play the recordings, under the names of the corpus.
BUILT_IN = {
    "p232_001": ("garage_fan", "bus", 12.5),
    "p232_002": ("station_speech_shaped", "cafe", 2.5),
    "p257_001": ("river_rain", "psquare", 2.5),
    "p257_002": ("kettle_babble", "office", 7.5),
}


def archives() -> dict[str, bytes]:
    sounds = {name: clips.pair(clip) for name, (clip, _, _) in BUILT_IN.items()}
    log = "".join(f"{name} {noise} {snr_db}\n" for name, (_, noise, snr_db) in BUILT_IN.items())
    stems = ("clean_trainset_28spk_wav", "noisy_trainset_28spk_wav", "trainset_28spk_txt")
    files = {f"{stem}.zip": pack({}) for stem in stems}
    for number, side in enumerate(("clean", "noisy")):
        stem = f"{side}_testset_wav"
        files[f"{stem}.zip"] = pack(
            {
                f"{stem}/{name}.wav": wav(soxr.resample(pair[number], 16000, 48000))
                for name, pair in sounds.items()
            }
        )
    texts = {f"testset_txt/{name}.txt": f"Say {name} aloud.".encode() for name in BUILT_IN}
    return files | {"testset_txt.zip": pack(texts), "logfiles.zip": pack({"log.txt": log.encode()})}


@pytest.fixture(scope="module")
def ready(tmp_path_factory) -> Path:
    """A folder that the downloader prepared; tests that change it take a copy."""
    out = tmp_path_factory.mktemp("ready") / "vbd"
    with pytest.MonkeyPatch.context() as patch, serve(archives()) as server:
        patch.setenv("NO_PROXY", "127.0.0.1")
        assert prepare(server, out, "--sample", "4", dataset=_with_pairs(server)) == 0
    return out


def _with_pairs(server):
    dataset = corpus(server)
    train, test = dataset.parts
    return replace(dataset, parts=(train, replace(test, pairs=len(BUILT_IN))))


@pytest.fixture(scope="module")
def whole(ready, tmp_path_factory) -> Path:
    """A folder that has training and validation pairs as well, of speakers named as the corpus'."""
    folder = tmp_path_factory.mktemp("whole") / "vbd"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "")
        rows = small_corpus(folder)
    names = {voice: f"p{226 + n}" for n, voice in enumerate(sorted({r["speaker"] for r in rows}))}
    for number, line in enumerate(rows):
        old, line["speaker"] = line["file"], names[line["speaker"]]
        line["file"] = f"{line['speaker']}_{number:03}.flac"
        for side in ("clean", "noisy"):
            place = folder / line["split"] / side
            (place / old).rename(place / line["file"])
    shutil.copytree(ready / "test", folder / "test")
    with open(ready / "manifest.csv", newline="", encoding="utf-8") as file:
        rows += csv.DictReader(file)
    with open(folder / "manifest.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture
def copy(ready, tmp_path) -> Path:
    return Path(shutil.copytree(ready, tmp_path / "copy"))


@pytest.fixture
def prepared(ready, monkeypatch) -> Path:
    """The setting, on."""
    monkeypatch.setenv(VARIABLE, str(ready))
    return ready


def change(folder: Path, **columns: str) -> None:
    """Give all rows of a manifest these values."""
    path = folder / "manifest.csv"
    with open(path, newline="", encoding="utf-8") as file:
        rows = [row | columns for row in csv.DictReader(file)]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


# ---- the clips ---------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_setting_the_clips_are_built_in(monkeypatch, value):
    monkeypatch.delenv(VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    assert prepared_folder() is None and clips.origin() == "built in"
    assert clips.info("garage_fan").voice == "rms" and "garage_fan" in clips.names("noisy")


def test_pairs_of_the_folder_are_listed(prepared):
    assert prepared_folder() == prepared and str(prepared) in clips.origin()
    assert set(clips.names("noisy")) == set(BUILT_IN)
    assert set(clips.names("clean")) == {f"{name}_clean" for name in BUILT_IN}
    assert clips.names() == clips.names("clean") + clips.names("noisy")


def test_a_pair_is_described_by_its_manifest(prepared):
    clip = clips.info("p257_002")
    assert (clip.voice, clip.gender, clip.noise, clip.snr_db) == ("p257", "F", "office", 7.5)
    assert clip.text == "Say p257_002 aloud." and clip.condition == "office noise, 7.5 dB"
    assert clip.licence == LICENCE and clip.scored and "office" in clip.listen_for
    clean = clips.info(clip.clean)
    assert (clean.kind, clean.noise, clean.snr_db, clean.text) == ("clean", "", None, clip.text)
    assert "?" in clean.listen_for and clean.duration_s == clip.duration_s


def test_sounds_are_those_of_the_files(prepared):
    for name in clips.names("noisy"):
        clean, noisy = clips.pair(name)
        for side, waveform in (("clean", clean), ("noisy", noisy)):
            file, _ = soundfile.read(prepared / "test" / side / f"{name}.flac", dtype="float32")
            assert waveform.dtype == np.float32 and abs(len(file) - len(waveform)) <= 8  # 1/2 ms
            assert np.array_equal(waveform, file[: len(waveform)])
        assert np.array_equal(clips.load(name)[0], noisy)
        assert np.array_equal(clips.load(f"{name}_clean")[0], clean)


def test_built_in_names_stand_for_pairs_of_like_kind(prepared):
    for clip in manifest():
        if clip.split == "listening":
            assert clips.info(clip.name).kind == clip.kind
            assert clips.load(clip.name)[1] == 16000
    assert clips.info("boat_car").name == "p232_002"  # a man, 0 dB: 2.5 dB is nearer than 12.5
    assert clips.info("river_rain").name == "p257_001"  # a woman, though a man has the nearer ratio
    assert clips.info("rms_boat").name == "p232_002_clean"
    chosen = [clips.info(clip.name).name for clip in manifest() if clip.kind == "noisy"]
    assert set(chosen[:4]) == set(BUILT_IN)  # none twice before all were taken
    assert len(chosen) == 13 and max(map(chosen.count, BUILT_IN)) == 4


def test_the_red_thread_takes_the_pair_and_leaves_prepared_sounds_out(prepared):
    made = red_thread.versions(5)
    assert [*made] == [
        "noisy",
        "Wiener filter",
        "true magnitude, noisy phase",
        "untrained",
        "clean",
    ]
    pair = clips.pair("garage_fan")
    assert all(
        np.array_equal(made[k], w[:64000]) for k, w in zip(("clean", "noisy"), pair, strict=True)
    )
    assert "losses alone" in red_thread.thread(5).html


def test_what_training_takes_stays_built_in(prepared):
    assert len(clips.speech("train")) == 12 and clips.info("alan_00").voice == "alan"
    assert clips.noise("babble", 0.5, 1).shape == (8000,)


def test_clip_without_text_noise_or_ratio(copy, monkeypatch):
    change(copy, text="", noise="", snr_db="", gender="")
    monkeypatch.setenv(VARIABLE, str(copy))
    clip = clips.info("garage_fan")
    assert clip.text == NO_TEXT and clip.snr_db is None and clip.condition == "unknown noise"
    assert "recorded noise" in clip.listen_for


def test_condition_of_a_built_in_clip():
    assert clips.info("station_speech_shaped").condition == "speech shaped noise, 2.5 dB"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: shutil.rmtree(folder), r"holds no manifest\.csv"),
        (lambda folder: (folder / "manifest.csv").write_text("a,b\n1,2\n"), "lists no pairs"),
        (lambda folder: (folder / "manifest.csv").write_text(""), "lists no pairs"),
        (lambda folder: (folder / "test/noisy/p232_002.flac").unlink(), r"lacks .*p232_002\.flac"),
        (lambda folder: _only_train(folder), "has no test pairs"),
    ],
)
def test_folder_that_does_not_serve_is_named(copy, monkeypatch, spoil, message):
    spoil(copy)
    monkeypatch.setenv(VARIABLE, str(copy))
    with pytest.raises(ValueError, match=message) as error:
        clips.names()
    text = str(error.value)
    assert str(copy) in text and "data_download voicebank-demand" in text and "unset" in text


def _only_train(folder):
    (folder / "test").rename(folder / "train")
    change(folder, split="train")


def test_relative_and_home_folders(copy, monkeypatch):
    monkeypatch.chdir(copy.parent)
    monkeypatch.setenv("HOME", str(copy.parent))
    for value in ("copy", "~/copy"):
        monkeypatch.setenv(VARIABLE, value)
        assert prepared_folder() == copy


def test_the_package_reads_a_folder_without_the_downloader(ready):
    code = (
        "import sys; sys.modules.update(data_download=None)\n"
        "from effifusion_lite.listening import clips; print(clips.info('boat_car').name)\n"
    )
    environment = {"PYTHONPATH": str(build.NOTEBOOKS.parent), VARIABLE: str(ready)}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "p232_002"


def test_a_folder_serves_training_and_scoring_as_it_is(ready):
    assert len(Pairs(ready / "test").pairs) == len(BUILT_IN)
    found = find_pairs(ready / "test" / "clean", ready / "test" / "noisy")
    assert len(found) == len(BUILT_IN)


def test_chapter_08_trains_on_a_part_of_a_folder_that_has_training_pairs(
    whole, tmp_path, monkeypatch
):
    monkeypatch.setenv(VARIABLE, str(whole))
    rows = small_corpus(tmp_path / "small")
    assert {line["split"] for line in rows} == {"train", "valid"}
    assert all(line["speaker"].startswith("p2") for line in rows)
    assert clips.info("boat_car").name == "p232_002"  # the test set still stands for the clips
    assert len(Pairs(tmp_path / "small" / "valid").pairs) > 1


# ---- the chapters ------------------------------------------------------------------------------


def pages(notebook) -> str:
    """All text and HTML of the outputs."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(
        output.text if output.output_type == "stream" else output.data.get("text/html", "")
        for output in outputs
        if output.output_type == "stream" or "data" in output
    )


@pytest.mark.parametrize("source", build.sources([]), ids=lambda path: path.stem)
def test_solved_chapter_holds_for_the_corpus_too(ready, source, request):
    trains = source.stem.startswith("08")  # on the corpus' own training pairs, if there are any
    folder = request.getfixturevalue("whole") if trains else ready
    notebook = compose.compose(source, solved=True)
    for cell in notebook.cells:  # four minutes of live training are run with the built-in clips
        cell.source = cell.source.replace('"--minutes", "4"', '"--minutes", "1"')
    notebook = build.execute(notebook, corpus=folder)
    shown = pages(notebook)
    assert not trains or ("p226" in shown and "annie" not in shown)
    exercises = [cell for cell in notebook.cells if "exercise" in cell.metadata.get("tags", [])]
    assert len(re.findall("checks passed", shown)) == len(exercises)
    assert "not yet" not in shown and "Say p" in shown
    for clip in manifest():
        if clip.split == "listening":
            assert clip.text not in shown and clip.listen_for not in shown
            assert clip.name not in shown


def test_a_build_takes_the_built_in_clips_whatever_is_set(tmp_path, monkeypatch, ready):
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    (tmp_path / "42_small.py").write_text(
        "# %%\nfrom effifusion_lite.listening import clips\n\nprint(clips.origin())\n"
    )
    monkeypatch.setenv(VARIABLE, str(ready))
    assert build.main(["42", "--out", str(tmp_path)]) == 0
    built = (tmp_path / "42_small.ipynb").read_text()
    assert "built in" in built and str(ready) not in built
