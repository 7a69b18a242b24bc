"""The ONNX graph equals the model, at any length and batch; its file says what it is."""

import copy
import json
import sys

import numpy as np
import pytest
import soundfile
import torch
from models import changed

from effifusion_lite import weights
from effifusion_lite.command_line.parser import main
from effifusion_lite.enhancement import enhance, enhance_16k
from effifusion_lite.enhancement.onnx.backend import load_backend
from effifusion_lite.pruning import choose_units, remove_units
from effifusion_lite.weights import WeightsError, save_weights


def require_onnx():
    pytest.importorskip("onnx", reason="onnx is not installed: pip install '.[onnx]'")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install '.[onnx]'")


def as_onnx(model):
    require_onnx()
    from effifusion_lite.enhancement.onnx.backend import OnnxGenerator
    from effifusion_lite.enhancement.onnx.generator import build

    return OnnxGenerator(build(model))


@torch.no_grad()
def assert_equal(model, exported, batch, frames):
    """Magnitude within 1e-4, and the complex spectrum: where the magnitude is small, the phase
    means little. Where both parts of its arc tangent are small, rounding decides it, that of torch
    too: the spectrum is compared with that of the model in double precision."""
    generator = torch.Generator().manual_seed(frames)
    magnitude = torch.rand(batch, 201, frames, generator=generator)
    phase = 6 * torch.rand(batch, 201, frames, generator=generator) - 3
    expected, result = model(magnitude, phase), exported(magnitude, phase)
    exact = copy.deepcopy(model).double()(magnitude.double(), phase.double())
    assert result[0].shape == result[1].shape == (batch, 201, frames)
    assert (result[0] - expected[0]).abs().max() < 1e-4
    exact = torch.polar(exact[0], exact[1].double())
    assert (torch.polar(*result) - exact).abs().max() < 1e-4
    assert result[1].abs().max() <= torch.pi + 1e-6


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"separable": False},
        {"dual_norm": False},
        {"phase_decoder": False},
        {"phase_correction": False},
        {"multi_scale_kernels": ()},
        {"channels": 8, "blocks": 2, "mask_ceiling": 3.0},
    ],
    ids=str,
)
def test_graph_equals_the_model_at_any_length_and_batch(changes):
    model = changed(**changes)
    exported = as_onnx(model)
    for batch, frames in ((1, 7), (1, 1), (1, 60), (2, 33)):
        assert_equal(model, exported, batch, frames)
    assert exported.config == model.config


@pytest.mark.parametrize("name", ["tiny", "lite"])
def test_graph_of_the_shipped_weights_gives_the_same_waveform(name):
    model = weights.load(name)
    exported = as_onnx(model)
    generator = torch.Generator().manual_seed(0)
    for batch, samples in ((1, 4000), (1, 9999), (2, 16000)):
        assert_equal(model, exported, batch, 1 + samples // 100)
        waveform = 0.1 * torch.randn(batch, samples, generator=generator)
        difference = enhance_16k(exported, waveform) - enhance_16k(model, waveform)
        assert difference.abs().max() < 1e-5


@pytest.mark.parametrize("rate", [0.3, 0.7])
def test_graph_of_a_model_with_removed_units(rate):
    model = changed(channels=32)
    smaller = remove_units(model, choose_units(model, rate))
    assert_equal(smaller, as_onnx(smaller), 2, 21)


def test_silence_stays_silence():
    assert not enhance_16k(as_onnx(changed()), torch.zeros(1, 3000)).any()


def test_file_holds_configuration_and_names(tmp_path):
    require_onnx()
    import onnx

    path = tmp_path / "tiny.onnx"
    assert main(["export", "--weights", "tiny", str(path)]) == 0
    content = onnx.load(path)
    onnx.checker.check_model(content)
    metadata = {entry.key: entry.value for entry in content.metadata_props}
    assert json.loads(metadata["config"])["channels"] == 16
    for value in (*content.graph.input, *content.graph.output):
        sizes = value.type.tensor_type.shape.dim
        assert [s.dim_param or s.dim_value for s in sizes] == ["batch", 201, "frames"]
    assert [value.name for value in content.graph.input] == ["magnitude", "phase"]


@pytest.fixture
def recording(tmp_path):
    noisy = np.random.default_rng(0).normal(size=(5000, 2)) * 0.05
    soundfile.write(tmp_path / "a.wav", noisy, 16000, "FLOAT")
    return tmp_path / "a.wav"


@pytest.mark.parametrize("exported", [True, False], ids=["file", "in memory"])
def test_enhance_with_either_backend_is_the_same(tmp_path, recording, exported):
    require_onnx()
    source = tmp_path / "small.safetensors"
    save_weights(changed(), source)
    chosen, words = source, ["--backend", "onnx"]
    if exported:
        chosen, words = tmp_path / "small.onnx", []
        assert main(["export", "--weights", str(source), str(chosen)]) == 0
    out = tmp_path / "out"
    words = ["enhance", str(recording), "-o", str(out), "--weights", str(chosen), *words]
    assert main(words) == 0
    expected = enhance(soundfile.read(recording)[0].T, 16000, source).T
    assert np.abs(soundfile.read(out / "a.wav")[0] - expected).max() < 1e-5


def test_wrong_files_are_refused(tmp_path):
    require_onnx()
    from onnx import helper

    path = tmp_path / "x.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(WeightsError, match="x.onnx is not a complete .onnx file"):
        load_backend(path)
    node = helper.make_node("Identity", ["a"], ["b"])
    ends = [helper.make_tensor_value_info(name, 1, [1]) for name in "ab"]
    graph = helper.make_graph([node], "other", ends[:1], ends[1:])
    opset = [helper.make_opsetid("", 18)]
    path.write_bytes(
        helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    )
    with pytest.raises(WeightsError, match="another program"):
        load_backend(path)
    with pytest.raises(ValueError, match="leave out --backend torch"):
        load_backend(path, "torch")
    with pytest.raises(FileNotFoundError):
        load_backend(tmp_path / "nowhere.onnx")


def test_unknown_backend_and_wrong_names_are_refused(tmp_path, capsys):
    with pytest.raises(ValueError, match="choose torch or onnx"):
        load_backend("tiny", "tensorflow")
    assert main(["export", str(tmp_path / "model.pt")]) == 1
    assert "ends in .onnx" in capsys.readouterr().err
    assert main(["export", "--weights", "nonsense", str(tmp_path / "x.onnx")]) == 1
    assert "there are no weights 'nonsense'" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_missing_package_is_said_in_one_sentence(tmp_path, recording, missing, monkeypatch, capsys):
    if missing == "onnxruntime":
        pytest.importorskip("onnx", reason="onnx is not installed: pip install '.[onnx]'")
    monkeypatch.setitem(sys.modules, missing, None)  # importing it now fails
    words = ["enhance", str(recording), "-o", str(tmp_path / "out"), "--weights", "tiny"]
    assert main([*words, "--backend", "onnx"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and f"needs the package {missing}: install it with" in lines[0]
