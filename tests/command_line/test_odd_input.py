"""Kinds of odd input that public reports of other tools tell of, through the command."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
import torch
from commands import messages, run

from effifusion_lite.audio import load_audio, save_audio
from effifusion_lite.pruning import grow
from effifusion_lite.weights import load, read_metadata, save_weights

RATE = 16000
TONE = 0.2 * np.sin(2 * np.pi * 150 * np.arange(2 * RATE) / RATE)
RECIPE = """generator = "tiny"
steps = 2
batch_size = 1
warmup = 1
gan = false
validate_every = 1
checkpoint_every = 1
log_every = 1
[mixture]
segment = 4000
"""


def noise(seed=0, length=2 * RATE):
    return 0.05 * np.random.default_rng(seed).normal(size=length)


@pytest.fixture
def material(tmp_path):
    """Pairs, held-out pairs, and a recipe."""
    for index in range(3):
        clean = TONE * (np.sin(2 * np.pi * (2 + index) * np.arange(2 * RATE) / RATE) > 0)
        for folder in ("pairs", "valid"):
            for side, waveform in (("clean", clean), ("noisy", clean + noise(index))):
                path = tmp_path / folder / side / f"{index}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                save_audio(path, waveform, RATE)
    (tmp_path / "r.toml").write_text(RECIPE)
    return tmp_path


def train(material, *more):
    recipe, pairs = material / "r.toml", material / "pairs"
    return run("train", "--config", recipe, "--pairs", pairs, "--out", material / "run", *more)


def wave(material, name, side="clean", folder="pairs"):
    return material / folder / side / name


# ---------------------------------------------------------------- training data


def test_samples_that_are_no_numbers_are_refused_with_the_file(material, capsys):
    path = wave(material, "1.wav")
    broken = TONE.copy()
    broken[5000:5100] = np.nan
    soundfile.write(path, broken, RATE, subtype="FLOAT")
    assert train(material) == 1
    assert f"{path} holds NaN or infinite samples" in messages(capsys)[-1]
    assert not (material / "run").exists()


def test_samples_far_beyond_full_scale_are_scaled_down_and_it_is_said(material, capsys):
    from effifusion_lite.data import Pairs

    before = Pairs(material / "pairs").pairs
    for side in ("clean", "noisy"):
        for index in range(3):
            path = wave(material, f"{index}.wav", side)
            waveform, _ = load_audio(path)
            soundfile.write(path, waveform[0] * 32768, RATE, subtype="FLOAT")
    with pytest.warns(UserWarning, match="times full scale; it is scaled down"):
        after = Pairs(material / "pairs").pairs
    for one, other in zip(before, after, strict=True):
        assert np.abs(other).max() == 32767  # as loud as 16 bits can be, nothing clipped
        ratio = np.abs(one[1]).max() / np.abs(one[0]).max()
        assert np.abs(other[1]).max() / np.abs(other[0]).max() == pytest.approx(ratio, rel=1e-3)
    assert train(material) == 0
    assert capsys.readouterr().err.count("times full scale") == 3


def test_nested_pairs_belong_together_by_their_paths(material, capsys):
    from effifusion_lite.data import read_pairs

    for side, waveform in (("clean", TONE), ("noisy", TONE + noise())):
        for speaker in ("p1", "p2"):
            path = wave(material, f"{speaker}/0.wav", side)
            path.parent.mkdir()
            save_audio(path, waveform, RATE)
    assert len(read_pairs(material / "pairs")) == 5
    wave(material, "p2/0.wav", "noisy").unlink()
    assert train(material) == 1
    assert "p2/0.wav is missing" in messages(capsys)[-1]


def test_noisy_files_without_a_clean_one_are_counted(material, capsys):
    save_audio(wave(material, "extra.wav", "noisy"), noise(), RATE)
    assert train(material) == 0
    [warning] = [line for line in messages(capsys) if "warning" in line]
    assert "1 noisy files have no clean one of that name and are left out: extra.wav" in warning


def test_a_corpus_of_silence_is_refused(material, capsys):
    for index in range(3):
        save_audio(wave(material, f"{index}.wav"), np.zeros(2 * RATE), RATE)
    assert train(material) == 1
    assert "holds nothing but silence" in messages(capsys)[-1]


@pytest.mark.parametrize("silent", [1, 3])
def test_a_validation_without_speech_is_told_before_the_training(material, silent, capsys):
    for index in range(silent):
        save_audio(wave(material, f"{index}.wav", folder="valid"), np.zeros(2 * RATE), RATE)
    assert train(material, "--valid-pairs", material / "valid") == 0
    warnings = [line for line in messages(capsys) if "warning" in line]
    assert f"leaves out {silent} of 3 recordings" in warnings[0]
    assert (len(warnings) == 2) == (silent == 3)
    for name in ("last", "best"):
        assert (material / "run" / f"{name}.safetensors").is_file()


def test_a_run_goes_on_with_its_own_recordings_only(material, capsys):
    recipe = material / "r.toml"
    assert train(material, "--minutes", "0.0001") == 0
    moved = material / "moved"
    (material / "pairs").rename(moved)  # the same recordings in another place
    words = ["train", "--config", recipe, "--out", material / "run", "--resume", "--pairs"]
    assert run(*words, moved, "--minutes", "0.0001") == 0
    save_audio(moved / "clean" / "0.wav", TONE, RATE)
    capsys.readouterr()
    assert run(*words, moved) == 1
    assert "has heard other recordings" in messages(capsys)[-1]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_the_end_of_the_terminal_leaves_a_checkpoint(material):
    (material / "r.toml").write_text(RECIPE.replace("steps = 2", "steps = 5000"))
    words = ["train", "--config", material / "r.toml", "--pairs", material / "pairs"]
    words = [sys.executable, "-m", "effifusion_lite", *words, "--out", material / "run"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    log, end = material / "run" / "log.csv", time.monotonic() + 240
    while not (log.is_file() and len(log.read_text().splitlines()) > 2):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGHUP)
    assert "resume to finish" in process.communicate(timeout=60)[1].decode()
    assert process.returncode == 0 and (material / "run" / "checkpoint.pt").is_file()


# ---------------------------------------------------------------- recipes


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("clip = -1.0", "clip"),
        ("learning_rate = 0.0", "learning_rate"),
        ("weight_decay = -1.0", "weight_decay"),
        ("log_every = true", "log_every"),
        ("betas = [0.9]", "betas"),
        ('learning_rate = "1e-3"', "learning_rate"),
        ("seed = -1", "seed"),
        ("label_workers = 0", "label_workers"),
        ("mixture = 5", "mixture"),
    ],
)
def test_a_recipe_is_refused_with_the_key(material, line, key, capsys):
    recipe = RECIPE.replace("log_every = 1\n", "") if key == "log_every" else RECIPE
    recipe = recipe.split("[mixture]")[0] if key == "mixture" else recipe
    (material / "r.toml").write_text(f"{line}\n{recipe}")
    assert train(material) == 1
    [message] = messages(capsys)
    assert f"{key} must be" in message


def test_a_byte_order_mark_is_no_part_of_a_recipe_or_a_list(material, capsys):
    (material / "r.toml").write_text(RECIPE, encoding="utf-8-sig")
    assert train(material) == 0
    (material / "l.txt").write_bytes(b"\xef\xbb\xbf0.wav\r\n0.wav\r\n")
    folders = [material / "pairs" / side for side in ("clean", "noisy")]
    assert run("evaluate", *folders, "--list", material / "l.txt", "--processes", 1) == 0
    assert "\n1 files" in capsys.readouterr().out  # listed twice, scored once


def test_growth_refuses_noise_that_is_none(tmp_path, capsys):
    for value in ("nan", "-0.1"):
        out = tmp_path / "grown.safetensors"
        words = ["--preset", "lite", "--noise", value, "-o", out]
        assert run("grow", "tiny", *words) == 1
        assert "noise must be at least 0" in messages(capsys)[-1]
        assert not out.exists()
    assert grow(load("tiny"), load("lite").config, 0.0) is not None


@pytest.mark.parametrize("content", [[], {}, {"step": 1, "best": 0.0}, {"step": 1, "state": {}}])
def test_an_odd_checkpoint_is_one_sentence(material, content, capsys):
    assert train(material) == 0
    content = content if content == [] else {"best": 0.0} | content
    torch.save(content, material / "run" / "checkpoint.pt")
    (material / "run" / "log.csv").write_text("")
    words = ["train", "--pairs", material / "pairs", "--out", material / "run", "--resume"]
    assert run(*words) == 1
    assert "checkpoint.pt is damaged: start a new run" in messages(capsys)[-1]


def test_other_encodings_are_named(material, capsys):
    (material / "r.toml").write_text(RECIPE, encoding="utf-16")
    assert train(material) == 1
    assert "r.toml is no text in UTF-8" in messages(capsys)[-1]
    (material / "l.txt").write_text("0.wav", encoding="utf-16")
    folders = [material / "pairs" / side for side in ("clean", "noisy")]
    assert run("evaluate", *folders, "--list", material / "l.txt") == 1
    assert "l.txt is no text in UTF-8" in messages(capsys)[-1]


def test_tables_with_semicolons_and_decimal_commas(material, capsys):
    (material / "m.csv").write_text("file;noise;snr_db\n0.wav;bus;2,5\n1.wav;cafe;17,5\n")
    folders = [material / "pairs" / side for side in ("clean", "noisy")]
    words = ["--groups", material / "m.csv", "--processes", 1]
    assert run("evaluate", *folders, *words) == 0
    output = capsys.readouterr().out
    assert "2.5 dB (1) noisy" in output and "17.5 dB (1) noisy" in output


# ---------------------------------------------------------------- recordings


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_at_once(tmp_path, weights, capsys):
    os.mkfifo(tmp_path / "f.wav")
    assert run("enhance", tmp_path / "f.wav", "-o", tmp_path / "out", "--weights", weights) == 1
    assert "is a pipe or a device" in messages(capsys)[-1]


def test_a_header_that_says_nothing_follows(tmp_path, weights, capsys):
    path = tmp_path / "z.wav"
    save_audio(path, TONE, RATE)
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = bytes(4)
    path.write_bytes(content)
    assert run("enhance", path, "-o", tmp_path / "out", "--weights", weights) == 1
    assert "its header says, but at least" in messages(capsys)[-1]


def test_a_folder_with_all_kinds_of_files(tmp_path, weights, capsys):
    folder, elsewhere = tmp_path / "in", tmp_path / "real"
    for path in (folder / "a.wav", elsewhere / "b.wav", folder / "c.w64"):
        path.parent.mkdir(exist_ok=True)
        save_audio(path, noise(length=999), RATE)
    (folder / "link").symlink_to(elsewhere)
    (folder / "d.m4a").write_text("x")
    out = tmp_path / "out"
    assert run("enhance", folder, "-o", out, "--weights", weights, "--jobs", 1) == 1
    assert [line for line in messages(capsys) if "d.m4a left out" in line]
    made = sorted(p.relative_to(out).as_posix() for p in out.rglob("*.w*"))
    assert made == ["a.wav", "c.w64", "link/b.wav"]


def test_a_broken_onnx_model_is_one_sentence(tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    save_audio(tmp_path / "a.wav", TONE, RATE)
    for content in (b"\x08\x07" + b"x" * 500, b"", b"no model"):
        (tmp_path / "b.onnx").write_bytes(content)
        words = ["-o", tmp_path / "out", "--weights", tmp_path / "b.onnx", "--backend", "onnx"]
        assert run("enhance", tmp_path / "a.wav", *words) == 1
        [message] = messages(capsys)
        assert "is not a complete .onnx file" in message or "of another program" in message


# ---------------------------------------------------------------- results


def test_equal_weights_are_equal_files(tmp_path):
    facts = {name: "ü" * length for length, name in enumerate("abcdefgh")}
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    for path, metadata in ((first, facts), (second, dict(reversed(facts.items())))):
        save_weights(load("tiny"), path, metadata)
    assert first.read_bytes() == second.read_bytes()
    assert facts.items() <= read_metadata(first).items()
    save_weights(load(first), second, facts)
    assert first.read_bytes() == second.read_bytes()


def test_a_link_stays_a_link_and_a_device_is_written_through(material, capfdbinary):
    folders = [material / "pairs" / side for side in ("clean", "noisy")]
    words = ["evaluate", *folders, "--limit", 1, "--processes", 1, "--json"]
    target, link = material / "elsewhere" / "scores.json", material / "link.json"
    target.parent.mkdir()
    link.symlink_to(target)
    assert run(*words, link) == 0
    assert link.is_symlink() and "files" in json.loads(target.read_text())
    if os.path.exists("/dev/null"):
        assert run(*words, "/dev/null") == 0
        assert not os.path.isfile("/dev/null")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_gets_the_result(material):
    pipe = material / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
    folders = [material / "pairs" / side for side in ("clean", "noisy")]
    assert run("evaluate", *folders, "--limit", 1, "--processes", 1, "--json", pipe) == 0
    assert "files" in json.loads(reader.communicate(timeout=60)[0])


def test_two_results_need_two_places_and_one_that_fails_stands_alone(material, capsys):
    folders = [material / "pairs" / side for side in ("clean", "noisy")]
    words = ["evaluate", *folders, "--limit", 1, "--processes", 1]
    place = material / "x.txt"
    assert run(*words, "--json", place, "--csv", place) == 1
    assert "is named for two results" in messages(capsys)[-1]
    (material / "folder").mkdir()
    assert run(*words, "--json", material / "folder", "--csv", place) == 1
    output = capsys.readouterr()
    assert "Is a directory" in output.err and "PESQ" in output.out
    assert place.read_text().startswith("file,noise")


def test_scores_are_written_before_they_are_shown(material):
    """On a terminal that cannot show a name, with a name that is no UTF-8."""
    folders = [material / "pairs" / side for side in ("clean", "noisy")]
    odd = os.fsdecode(b"\xff\xfc.wav")
    for folder in folders:
        os.rename(folder / "0.wav", folder / odd)
    (folders[0] / odd).unlink()  # so that its name is shown
    words = ["evaluate", *folders, "--processes", "1", "--csv", material / "s.csv"]
    result = subprocess.run(
        [sys.executable, "-m", "effifusion_lite", *words, "--json", material / "s.json"],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert result.returncode == 1 and b"Traceback" not in result.stderr
    assert b"does not exist" in result.stderr and b"2 files" in result.stdout
    assert b"\xff\xfc.wav" in (material / "s.csv").read_bytes()
    assert len(json.loads((material / "s.json").read_text())["files"]) == 3
