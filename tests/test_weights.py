import json
import pickle

import pytest
import torch
from safetensors.torch import save

from effifusion_lite import weights
from effifusion_lite.generator import (
    EffiFusionGenerator,
    GeneratorConfig,
    count_parameters,
    preset,
)
from effifusion_lite.weights import WeightsError

CONFIG = GeneratorConfig(channels=8, blocks=1, head_channels=4, conv_kernel=5)


@pytest.fixture
def saved(tmp_path):
    model = EffiFusionGenerator(CONFIG)
    path = tmp_path / "model.safetensors"
    weights.save_weights(model, path, {"step": "7"})
    return model, path


def test_weights_come_back_with_their_configuration(saved):
    model, path = saved
    loaded = weights.load(path)
    assert loaded.config == CONFIG
    assert not loaded.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name])
    assert weights.read_metadata(path)["step"] == "7"


def test_shipped_weights_load_and_are_what_their_name_says():
    assert set(weights.available()) == {"tiny", "lite", "lite-pruned", "full"}
    for name in ("tiny", "lite", "full"):
        assert weights.load(name).config == preset(name)


def test_shipped_weights_are_a_small_download():
    assert sum(path.stat().st_size for path in weights.SHIPPED.rglob("*.safetensors")) < 8e6


def test_shipped_pruned_weights_are_half_as_many():
    sizes = {name: count_parameters(weights.load(name)) for name in ("lite", "lite-pruned")}
    assert sizes["lite-pruned"] < 0.5 * sizes["lite"]


def test_every_set_of_shipped_weights_has_a_card():
    for name in weights.available():
        card = (weights.SHIPPED / f"{name}.md").read_text(encoding="utf-8")
        assert card.startswith(f"# Weights `{name}`")
        assert f"effifusion train --config recipes/{name}" in card
        assert "TRAINING_DATA.md" in card and "Licence of the weights: CC BY 4.0" in card


def test_weights_older_than_the_correction_of_the_phase_keep_their_meaning(saved):
    model, path = saved
    header = weights.read_metadata(path)
    config = json.loads(header["config"])
    del config["phase_correction"]
    path.write_bytes(save(model.state_dict(), {**header, "config": json.dumps(config)}))
    assert not weights.load(path).config.phase_correction


def test_truncated_file_is_refused(saved):
    path = saved[1]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="not a complete .safetensors file"):
        weights.load(path)


def test_pickle_is_refused_unopened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was opened",))

    path = tmp_path / "trap.safetensors"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(WeightsError, match="not a complete .safetensors file"):
        weights.load(path)


def test_weights_of_another_program_are_refused(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match="another program"):
        weights.load(path)


def test_weights_that_do_not_fit_their_configuration_are_refused(tmp_path):
    model = EffiFusionGenerator(CONFIG)
    model.config = GeneratorConfig(channels=16, blocks=1, head_channels=4, conv_kernel=5)
    path = tmp_path / "mixed.safetensors"
    weights.save_weights(model, path)
    with pytest.raises(WeightsError, match="do not fit together"):
        weights.load(path)


def test_missing_weights_name_those_that_are_there():
    with pytest.raises(WeightsError, match="full, lite, lite-pruned, tiny"):
        weights.load("nowhere")


def test_a_failed_save_leaves_the_old_file(saved, monkeypatch):
    model, path = saved
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        weights.save_weights(model, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
