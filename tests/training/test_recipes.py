"""Ten steps of every recipe, with its network and losses, on short examples."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from effifusion_lite.data import Mixtures, Pairs
from effifusion_lite.listening import clips
from effifusion_lite.training import read_recipe, train
from effifusion_lite.weights import available, load

RECIPES = Path(__file__).parents[2] / "recipes"
OF_PAIRS = ["vbd-1", "vbd-2"]
OF_MIXTURES = sorted({path.stem for path in RECIPES.glob("*.toml")} - set(OF_PAIRS))
STEPS = 10


def shortened(name, start=None):
    config = read_recipe(RECIPES / f"{name}.toml", None if start is None else start.config)
    mixture = replace(config.mixture, segment=8000)
    sizes = {"steps": STEPS, "batch_size": 1, "warmup": 2, "log_every": 1}
    processes = {"workers": 0, "label_workers": 1}
    return replace(config, mixture=mixture, **sizes, **processes)


def check(config, folder):
    """The log has what the recipe asks for; returns the weights."""
    rows = list(csv.DictReader(open(folder / "log.csv")))
    assert [int(row["step"]) for row in rows] == list(range(1, STEPS + 1))
    judged = [row for row in rows if row["metric"]]
    learnt = [row for row in rows if row["label"] not in ("", "nan")]
    before = round(config.gan_start * STEPS)
    assert len(judged) == (STEPS - before if config.gan else 0)
    assert len(learnt) == max(0, len(judged) - 1)  # the labels come a step late
    assert all(row["perceptual"] for row in rows) == (config.losses.perceptual > 0)
    model = load(folder / "best.safetensors")
    assert model.config == config.generator
    return model


@pytest.mark.parametrize("name", OF_MIXTURES)
def test_ten_steps_on_mixtures(name, rain_folder, tmp_path):
    start = load(name) if name in available() else None  # the network is then theirs
    config = shortened(name, start)
    if config.muon > 0 and not hasattr(torch.optim, "Muon"):
        pytest.skip("Muon: torch 2.9 or newer")
    data = Mixtures(clips.speech_folder("valid"), rain_folder, config.mixture)
    train(config, data, tmp_path / "run", init=start, device="cpu")
    check(config, tmp_path / "run")


def test_ten_steps_of_both_stages_on_true_pairs(shared_data, tmp_path):
    first, second = (shortened(name) for name in OF_PAIRS)
    data = Pairs(shared_data / "vbd_train_sample", first.mixture.segment)
    train(first, data, tmp_path / "first", device="cpu")
    start = check(first, tmp_path / "first")
    train(second, data, tmp_path / "second", init=start, device="cpu")
    check(second, tmp_path / "second")
