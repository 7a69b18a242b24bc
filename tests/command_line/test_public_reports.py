"""More kinds of fault from public reports of neighbouring tools; tests/README.md names them."""

import gzip
import io
import struct
import unicodedata

import numpy as np
import pytest
import soundfile
import torch
from commands import messages, run
from sounds import noise

from effifusion_lite import enhance
from effifusion_lite.audio import load_audio, save_audio
from effifusion_lite.audio.streams import read_format
from effifusion_lite.data import DataError, Pairs, read_pairs
from effifusion_lite.generator import GeneratorConfig
from effifusion_lite.metrics import score
from effifusion_lite.training import TrainingConfig
from effifusion_lite.weights import WeightsError, load

RATE = 16000
SOUND = noise(1, 8000)[0]


def encoded(format, subtype=None, rate=RATE):
    file = io.BytesIO()
    soundfile.write(file, SOUND, rate, subtype, format=format)
    return file.getvalue()


def pairs(folder, names=("0.wav", "1.wav")):
    for seed, name in enumerate(names):
        clean = noise(1, 8000, seed)[0]
        for side, waveform in (("clean", clean), ("noisy", clean + noise(1, 8000, 9)[0])):
            path = folder / side / name
            path.parent.mkdir(parents=True, exist_ok=True)
            save_audio(path, waveform, RATE)
    return folder


# ---------------------------------------------------------------- recordings


def test_mpeg_in_wav_is_read_and_written_as_usual_wav(tmp_path, weights, capsys):
    mpeg = encoded("MP3", "MPEG_LAYER_III")
    layer_3 = struct.pack("<HHIIHHHHIHHH", 85, 1, RATE, 8000, 1, 0, 12, 1, 2, 1152, 1, 1393)
    chunks = b"WAVE"
    for name, content in ((b"fmt ", layer_3), (b"data", mpeg + bytes(len(mpeg) % 2))):
        chunks += name + struct.pack("<I", len(content)) + content
    source, target = tmp_path / "a.wav", tmp_path / "out" / "a.wav"
    source.write_bytes(b"RIFF" + struct.pack("<I", len(chunks)) + chunks)
    for said in (False, True):  # the second time it is done
        assert run("enhance", source, "-o", target.parent, "--weights", weights) == 0
        assert bool(messages(capsys)) == said
    assert read_format(target).subtype == "PCM_16"
    assert load_audio(target)[0].shape == load_audio(source)[0].shape


def test_flac_of_unknown_length_is_read_to_its_end(tmp_path, weights, capsys):
    whole, unknown = tmp_path / "whole.flac", tmp_path / "unknown.flac"
    content = bytearray(encoded("FLAC"))
    whole.write_bytes(content)
    content[21] &= 0xF0  # 36 bits of STREAMINFO are the number of samples, 0 if it is not known
    content[22:26] = bytes(4)
    unknown.write_bytes(content)
    for _ in range(2):
        words = ["-o", tmp_path / "out", "--weights", weights, "--jobs", 1]
        assert run("enhance", whole, unknown, *words) == 0
    assert "2 of 2 files are enhanced already" in messages(capsys)[-1]
    first, second = (load_audio(tmp_path / "out" / p.name)[0] for p in (whole, unknown))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_joined_ogg_files_are_refused_and_not_cut(tmp_path, weights, subtype, capsys):
    path = tmp_path / "a.ogg"
    path.write_bytes(2 * encoded("OGG", subtype, 48000))
    assert run("enhance", path, "-o", tmp_path / "out", "--weights", weights) == 1
    assert f"{path} holds several recordings one after the other" in messages(capsys)[-1]


CONTENTS = {
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "a web page": b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>",
    "MPEG-4": b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(500),
    "Matroska or WebM": b"\x1a\x45\xdf\xa3" + bytes(500),
    "a compressed archive": gzip.compress(encoded("WAV")),
}


@pytest.mark.parametrize("what", CONTENTS)
def test_what_a_file_holds_in_truth_is_told(tmp_path, weights, what, capsys):
    path = tmp_path / "a.wav"
    path.write_bytes(CONTENTS[what])
    assert run("enhance", path, "-o", tmp_path / "out", "--weights", weights) == 1
    assert f"{path} holds {what}" in messages(capsys)[-1]
    with pytest.raises(WeightsError, match=f"a.wav holds {what}"):
        load(path)


def test_the_message_about_a_broken_file_stands_on_a_line_of_its_own(tmp_path, capsys):
    folder = pairs(tmp_path / "pairs")
    (folder / "noisy" / "1.wav").write_bytes(b"no sound")
    words = ["--pairs", folder, "--preset", "tiny", "--no-gan", "--out", tmp_path / "run"]
    assert run("train", *words) == 1
    assert "1.wav is not a sound file" in messages(capsys)[-1]


# ---------------------------------------------------------------- pairs


def test_names_in_two_forms_of_unicode_are_one_name(tmp_path, capsys):
    folder = pairs(tmp_path, ["häuser/ä.wav", "b.wav"])
    (folder / "noisy").rename(folder / "linux")
    for path in list((folder / "linux").rglob("*.wav")):
        name = path.relative_to(folder / "linux").as_posix()
        other = folder / "noisy" / unicodedata.normalize("NFD", name)
        other.parent.mkdir(parents=True, exist_ok=True)
        path.rename(other)
    assert len(read_pairs(folder)) == 2
    (folder / "l.txt").write_text("häuser/ä.wav\n", encoding="utf-8")
    words = ["evaluate", folder / "clean", folder / "noisy", "--processes", 1]
    for more, count in (((), 2), (("--list", folder / "l.txt"), 1)):
        assert run(*words, *more) == 0
        assert f"\n{count} files" in "\n" + capsys.readouterr().out


def test_a_noisy_recording_that_is_muted_teaches_nothing(tmp_path):
    folder = pairs(tmp_path)
    path = folder / "noisy" / "0.wav"
    waveform = load_audio(path)[0][0]
    waveform[2000:6000] = 0
    save_audio(path, waveform, RATE)
    for step in range(40):
        noisy, clean = Pairs(folder, segment=1000).batch(step, 4)
        assert noisy.any(dim=-1).all() and clean.any(dim=-1).all()
    save_audio(path, np.zeros(8000), RATE)
    with pytest.raises(DataError, match="0.wav is silent, .*0.wav is not: leave both out"):
        Pairs(folder)


# ---------------------------------------------------------------- settings


def test_segments_that_are_too_short_are_refused_before_the_training():
    shortest = GeneratorConfig().spectral.n_fft
    for segment, gan, bound in ((1, False, shortest), (shortest, True, 4000), (3999, True, 4000)):
        values = {"mixture": {"segment": segment}, "gan": gan}
        with pytest.raises(ValueError, match=f"segment must be at least {bound}"):
            TrainingConfig.from_dict(values)
    for segment, gan in ((shortest, False), (4000, True)):
        TrainingConfig.from_dict({"mixture": {"segment": segment}, "gan": gan})


@pytest.mark.parametrize("minutes", ["nan", "-1", "inf", "five"])
def test_minutes_that_are_no_time_are_refused(tmp_path, minutes, capsys):
    with pytest.raises(SystemExit):
        run("train", "--preset", "tiny", "--pairs", tmp_path, "--out", tmp_path / "run",
            "--minutes", minutes)  # fmt: skip
    assert "argument --minutes" in capsys.readouterr().err


# ---------------------------------------------------------------- packages


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """`broken(name, error)`: a package that is installed and raises the error when imported."""

    def install(name, error):
        (tmp_path / f"{name}.py").write_text(f"raise {error}")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(__import__("sys").modules, name, raising=False)

    return install


@pytest.mark.parametrize(
    "error",
    ["ValueError('numpy.dtype size changed')", "ImportError('numpy.core.multiarray failed')"],
)
def test_a_package_that_was_compiled_for_another_numpy(tmp_path, broken, error, capsys):
    broken("pesq", error)
    scores = score(SOUND, SOUND + noise(1, 8000, 1)[0])
    assert "pesq is installed and cannot be loaded (numpy." in scores.reasons["pesq"]
    assert scores.si_sdr is not None
    words = ["--pairs", pairs(tmp_path / "pairs"), "--preset", "tiny", "--out", tmp_path / "run"]
    assert run("train", *words) == 1
    [message] = messages(capsys)
    assert "--no-gan" in message and "pip install --force-reinstall" in message


def test_onnx_runtime_that_cannot_be_loaded_is_one_sentence(tmp_path, broken, capsys):
    pytest.importorskip("onnx")
    broken("onnxruntime", "ImportError('DLL load failed')")
    save_audio(tmp_path / "a.wav", SOUND, RATE)
    words = ["-o", tmp_path / "out", "--weights", "tiny", "--backend", "onnx"]
    assert run("enhance", tmp_path / "a.wav", *words) == 1
    assert "onnxruntime cannot be loaded: DLL load failed" in messages(capsys)[-1]


@pytest.mark.parametrize("newer", ["ir_version", "opset"])
def test_a_model_that_is_newer_than_onnx_runtime(tmp_path, newer):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from effifusion_lite.enhancement.onnx.backend import OnnxGenerator
    from effifusion_lite.enhancement.onnx.generator import build

    model = onnx.load_from_string(build(load("tiny")))
    if newer == "opset":
        model.opset_import[0].version = 99
    else:
        model.ir_version = 99
    with pytest.raises(WeightsError, match="is newer than what ONNX Runtime [0-9.]+ reads"):
        OnnxGenerator(model.SerializeToString())


# ---------------------------------------------------------------- arrays


def test_arrays_of_any_layout_are_enhanced_alike(weights):
    model = load(weights)
    expected = enhance(SOUND, RATE, model)
    read_only = SOUND.copy()
    read_only.flags.writeable = False
    for waveform in (
        SOUND[::-1].copy()[::-1],  # a negative stride
        np.repeat(SOUND, 2)[::2],
        SOUND.astype(">f4"),
        read_only,
        np.stack([SOUND, SOUND], axis=1).T[1],
    ):
        np.testing.assert_array_equal(enhance(waveform, RATE, model), expected)


def test_the_precision_of_the_program_around_does_not_matter(weights):
    model = load(weights)
    expected = enhance(SOUND, RATE, model)
    torch.set_default_dtype(torch.float64)
    try:
        np.testing.assert_allclose(enhance(SOUND, RATE, model), expected, atol=1e-6)
        np.testing.assert_allclose(enhance(SOUND, RATE, weights), expected, atol=1e-5)
    finally:
        torch.set_default_dtype(torch.float32)
