"""Frames of the listening lab: each is what its place says, and so is the line below it."""

import re
import sys

import numpy as np
import pytest
import torch

from effifusion_lite import enhance, weights
from effifusion_lite.cost import describe
from effifusion_lite.generator import EffiFusionGenerator, GeneratorConfig, preset
from effifusion_lite.listening import clips
from effifusion_lite.listening.frames import (
    MASKED,
    REMOVED,
    pruning_frames,
    training_frames,
    untrained,
)
from effifusion_lite.metrics import perceptual as metrics
from effifusion_lite.pruning import choose_units, magnitude_mask, remove_units
from effifusion_lite.pruning.masks import prunable_weights
from effifusion_lite.training import Trainer, TrainingConfig
from tools import training_steps

RATE = 16000


@pytest.fixture(scope="module")
def recording():
    """A second of speech, clean and noisy."""
    return [waveform[RATE : 2 * RATE] for waveform in clips.pair("garage_fan")]


def said(text, pattern):
    return float(re.search(pattern, text)[1].replace(",", ""))


def test_training_frames_go_from_noisy_over_all_steps_to_clean(recording):
    clean, noisy = recording
    frames = training_frames(clean, noisy)
    steps = weights.training_steps()
    assert [*frames.sounds] == ["noisy", 0, *steps, "clean"]
    assert np.array_equal(frames.sounds["noisy"], noisy)
    assert np.array_equal(frames.sounds["clean"], clean)
    last = max(steps)
    assert np.array_equal(frames.sounds[last], enhance(noisy, RATE, steps[last]))
    for place, text in frames.texts.items():
        wanted = metrics.si_sdr(clean, frames.sounds[place])
        assert said(text, r"SI-SDR (-?[\d.]+) dB") == pytest.approx(wanted, abs=0.051)
    assert metrics.si_sdr(clean, frames.sounds[last]) > metrics.si_sdr(clean, frames.sounds[0])


def test_step_0_is_what_the_training_begins_with():
    before = torch.random.get_rng_state()
    first = untrained().state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    begun = Trainer(TrainingConfig(generator=preset("tiny")), torch.device("cpu")).average
    assert all(torch.equal(first[name], value) for name, value in begun.state_dict().items())


def test_pruning_frames_are_those_of_the_pruned_models(recording):
    clean, noisy = recording
    model = weights.load("tiny")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    frames = pruning_frames(clean, noisy, model, rates=(0, 50))
    assert [*frames.sounds] == [(rate, way) for rate in (0, 50) for way in (REMOVED, MASKED)]
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    for way in (REMOVED, MASKED):
        assert np.array_equal(frames.sounds[0, way], enhance(noisy, RATE, model))

    smaller = remove_units(model, choose_units(model, 0.5))
    assert np.array_equal(frames.sounds[50, REMOVED], enhance(noisy, RATE, smaller))
    text, cost, whole = frames.texts[50, REMOVED], describe(smaller), describe(model)
    assert said(text, r"([\d,]+) parameters") == cost["parameters"]
    share = 100 * cost["macs_per_second"] / whole["macs_per_second"]
    assert said(text, r"(\d+) % of the MACs") == pytest.approx(share, abs=0.51)

    with torch.no_grad():
        for weight in prunable_weights(model).values():
            weight.mul_(magnitude_mask(weight, 0.5))
    assert np.array_equal(frames.sounds[50, MASKED], enhance(noisy, RATE, model))
    text = frames.texts[50, MASKED]
    assert said(text, r"([\d,]+) parameters") == whole["parameters"]
    assert said(text, r"(\d+) % of the MACs") == 100
    zeros = 100 * sum(int((p == 0).sum()) for p in model.parameters()) / whole["parameters"]
    assert said(text, r"(\d+) % of them zero") == pytest.approx(zeros, abs=0.51)


def test_without_pesq_the_line_has_a_dash(recording, monkeypatch):
    monkeypatch.setitem(sys.modules, "pesq", None)
    frames = pruning_frames(*recording, weights.load("tiny"), rates=(0,))
    assert "PESQ –, SI-SDR" in frames.texts[0, REMOVED]


# ---- the weights -------------------------------------------------------------------------------


def test_steps_are_shipped_beside_the_named_weights_and_not_among_them():
    steps = weights.training_steps()
    assert 3 <= len(steps) <= training_steps.MOST and [*steps] == sorted(steps)
    assert not {path.stem for path in steps.values()} & {*weights.available()}
    for step, path in steps.items():
        assert weights.read_metadata(path)["step"] == str(step)
        model = weights.load(path)
        assert model.config == preset("tiny")
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
        assert path.stat().st_size < 125_000  # half precision
    card = (weights.SHIPPED / "steps" / "README.md").read_text(encoding="utf-8")
    assert "recipes/tiny.toml" in card and "tiny.md" in card and "CC BY 4.0" in card


def test_snapshots_become_few_files_of_half_precision(tmp_path):
    source, target = tmp_path / "snapshots", tmp_path / "steps"
    source.mkdir()
    target.mkdir()
    model = EffiFusionGenerator(GeneratorConfig(channels=8, blocks=1, head_channels=4))
    for step in range(10, 130, 10):
        weights.save_weights(model, source / f"tiny-{step:05d}.safetensors")
    (target / "tiny-00007.safetensors").touch()  # of a run before
    training_steps.main(source, target)
    made = weights.training_steps(target)
    assert len(made) == training_steps.MOST and min(made) == 10 and max(made) == 120
    assert weights.read_metadata(made[120])["step"] == "120"
    loaded = weights.load(made[120]).state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(loaded[name], value.half().float())
    with pytest.raises(SystemExit, match="there is no tiny"):
        training_steps.main(tmp_path, target)
    assert len(weights.training_steps(target)) == training_steps.MOST


def test_thinning_keeps_the_ends_and_even_ratios():
    assert training_steps.thin([1, 2, 3, 4, 8], most=4) in ([1, 2, 4, 8], [1, 2, 3, 8])
    assert training_steps.thin([1, 2, 4, 5, 6, 8], most=4) == [1, 2, 4, 8]
    assert training_steps.thin([60, 120]) == [60, 120]
