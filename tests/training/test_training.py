import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from effifusion_lite.audio import save_audio
from effifusion_lite.data import MixtureConfig, Mixtures
from effifusion_lite.generator import EffiFusionGenerator, GeneratorConfig, preset
from effifusion_lite.listening import clips
from effifusion_lite.pruning import sparsity
from effifusion_lite.training import (
    Trainer,
    TrainingConfig,
    TrainingError,
    Validation,
    read_recipe,
    train,
)
from effifusion_lite.training.loop import find_device
from effifusion_lite.training.runs import RunError
from effifusion_lite.training.step import scale
from effifusion_lite.training.validation import CLEAN_IN
from effifusion_lite.weights import available, load, read_metadata

SMALL = GeneratorConfig(channels=8, blocks=1, head_channels=4, conv_kernel=5)
CONFIG = TrainingConfig(
    generator=SMALL,
    mixture=MixtureConfig(segment=8000),
    steps=12,
    batch_size=2,
    warmup=2,
    gan_start=0.2,
    prune=0.5,
    prune_start=0.3,
    prune_end=0.8,
    checkpoint_every=3,
    log_every=1,
    label_workers=1,
)

needs_muon = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="Muon: torch 2.9 or newer")


@pytest.fixture(scope="module")
def data(rain_folder):
    return Mixtures(clips.speech_folder("valid"), rain_folder, CONFIG.mixture)


def command(tmp_path, rain_folder, out, *more, **changes):
    recipe = tmp_path / "recipe.json"
    values = {**CONFIG.__dict__, "generator": SMALL.to_dict()} | changes
    values |= {name: values[name].__dict__ for name in ("mixture", "losses")}
    recipe.write_text(json.dumps(values))
    folders = ["--speech", clips.speech_folder("valid"), "--noise", rain_folder]
    words = ["train", "--config", recipe, *folders, "--out", tmp_path / out, *more]
    return [sys.executable, "-m", "effifusion_lite", *map(str, words)]


def wait_for(condition, process, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the training ended too early"
        assert time.monotonic() < end, "the training did not come that far"
        time.sleep(0.02)


def same_weights(first, second):
    first, second = load_file(first), load_file(second)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def stop_after(steps, pause, log, words, number):
    """Runs a training until so many steps are logged, and a moment more; then signals it."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: log.exists() and len(log.read_text().splitlines()) > steps, process)
    time.sleep(pause)
    process.send_signal(number)
    process.communicate()
    return process.returncode


def same(first, second):
    """Are two checkpoints equal, to each number of each tensor?"""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second or (first != first and second != second)  # a label may be NaN


def test_a_run_killed_at_random_moments_resumes_to_the_same_bits(tmp_path, rain_folder):
    """With discriminator, pruning and validation, in three parts of it and within a step."""
    for side, waveform in zip(("clean", "noisy"), clips.pair("river_rain"), strict=True):
        (tmp_path / "valid" / side).mkdir(parents=True)
        save_audio(tmp_path / "valid" / side / "0.wav", waveform[8000:24000], 16000)
    valid = ["--valid-pairs", tmp_path / "valid"]
    words = partial(command, tmp_path, rain_folder, validate_every=4, checkpoint_every=2)
    subprocess.run(words("whole", *valid), check=True, capture_output=True)
    run, rng, resume = tmp_path / "broken", np.random.default_rng(3), []
    for steps in (rng.integers(2, 5), rng.integers(5, 8), rng.integers(8, 11)):
        killed = words("broken", *valid, *resume)
        code = stop_after(steps, rng.uniform(0, 0.5), run / "log.csv", killed, signal.SIGKILL)
        assert code in (-signal.SIGKILL, 0)  # 0: on a fast machine all was done
        resume = ["--resume"]
    subprocess.run(words("broken", *valid, *resume), check=True, capture_output=True)
    logs = []
    for folder in (tmp_path / "whole", run):
        rows = list(csv.DictReader((folder / "log.csv").read_text().splitlines()))
        assert [int(row["step"]) for row in rows] == list(range(1, 13))
        assert sum(row["label"] != "" for row in rows) >= 7  # the discriminator took part
        assert all(float(row.pop("audio_per_second")) > 0 for row in rows)
        scores = (folder / "valid.csv").read_text()
        assert len(scores.splitlines()) == 1 + 12 // 4
        state = torch.load(folder / "checkpoint.pt", weights_only=True)
        weights = [load_file(folder / f"{name}.safetensors") for name in ("best", "last")]
        logs.append([rows, scores, state, weights])
    assert same(*logs)
    assert not list(run.glob("*.part"))


def test_a_run_that_is_asked_to_stop_resumes_to_the_same_bits(tmp_path, rain_folder):
    words = partial(command, tmp_path, rain_folder)
    subprocess.run(words("whole"), check=True, capture_output=True)
    log = tmp_path / "broken" / "log.csv"
    assert stop_after(7, 0, log, words("broken"), signal.SIGTERM) == 0
    subprocess.run(words("broken", "--resume"), check=True, capture_output=True)
    for name in ("best", "last"):
        file = f"{name}.safetensors"
        assert same_weights(tmp_path / "whole" / file, tmp_path / "broken" / file)


def test_training_prunes_and_learns(tmp_path, data):
    config = replace(CONFIG, steps=30, gan=False, checkpoint_every=30)
    model = train(config, data, tmp_path / "run")
    zeros = (model.blocks[0].time.feed_forward_in[1].weight == 0).float().mean()
    assert zeros == pytest.approx(0.5, abs=0.01)
    losses = [float(row["loss"]) for row in csv.DictReader(open(tmp_path / "run" / "log.csv"))]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


def test_nan_is_named_by_its_step_and_the_weights_before_it_are_kept(tmp_path, data):
    class Broken:
        def batch(self, step, size, first=0):
            noisy, clean = data.batch(step, size, first)
            if step == 5:
                noisy[0, 100] = float("nan")
            return noisy, clean

    config = replace(CONFIG, gan=False, prune=0.0)
    with pytest.raises(TrainingError, match="step 5"):
        train(config, Broken(), tmp_path / "broken")
    checkpoint = torch.load(tmp_path / "broken" / "checkpoint.pt", weights_only=True)
    assert checkpoint["step"] == 5
    assert all(t.isfinite().all() for t in checkpoint["state"]["generator"].values())
    resumed = train(config, data, tmp_path / "broken", resume=True)
    whole = train(config, data, tmp_path / "whole")
    for a, b in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(("share", "new_part"), [(1 / 9, 0.9), (1.0, 0.5)])
def test_the_moving_average_follows_the_weights(data, share, new_part):
    config = replace(CONFIG, gan=False, prune=0.0, ema_share=share)
    trainer = Trainer(config, torch.device("cpu"))
    before = trainer.generator.state_dict()["blocks.0.time.norm.weight"].clone()
    with trainer.pool:
        trainer.train_step(0, *data.batch(0, 2))
    new = trainer.generator.state_dict()["blocks.0.time.norm.weight"]
    kept = trainer.average.state_dict()["blocks.0.time.norm.weight"]
    torch.testing.assert_close(kept, before + new_part * (new - before))


@needs_muon
def test_muon_turns_the_gradient_of_each_matrix_into_a_rotation(data):
    config = replace(CONFIG, gan=False, prune=0.0, warmup=0, weight_decay=0.0)
    moved = {}
    for factor in (0.0, 3.0):
        trainer = Trainer(replace(config, muon=factor), torch.device("cpu"))
        before = {k: p.detach().clone() for k, p in trainer.generator.named_parameters()}
        with trainer.pool:
            trainer.train_step(0, *data.batch(0, 2))
        moved[factor] = {k: p - before[k] for k, p in trainer.generator.named_parameters()}
    matrices = {k for k, p in before.items() if p.ndim == 2}
    assert matrices
    for name, step in moved[3.0].items():
        if name in matrices:  # all directions are taken, and about as far
            values = torch.linalg.svdvals(step.detach())
            expected = 3 * config.learning_rate * 0.2 * max(step.shape) ** 0.5
            assert 0.6 * expected < values.mean() <= values.max() < 1.4 * expected, name
        else:
            torch.testing.assert_close(step, moved[0.0][name])


@needs_muon
def test_a_run_with_muon_resumes_to_the_same_bits(tmp_path, data):
    config = replace(CONFIG, gan=False, muon=3.0)
    train(config, data, tmp_path / "run", minutes=0)
    train(config, data, tmp_path / "run", resume=True)
    train(config, data, tmp_path / "whole")
    assert same_weights(
        tmp_path / "run" / "last.safetensors", tmp_path / "whole" / "last.safetensors"
    )


def test_an_older_torch_says_that_it_has_no_muon(tmp_path, data, monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon", raising=False)
    with pytest.raises(ValueError, match="Muon is in torch from 2.9 on"):
        train(replace(CONFIG, gan=False, muon=3.0), data, tmp_path / "run")


def test_a_translated_generator_learns_the_same(data, monkeypatch):
    quick = partial(torch.compile, backend="aot_eager")  # traces as the default, but writes no C++
    monkeypatch.setattr(torch, "compile", quick)
    config = replace(CONFIG, gan=False, prune_start=0.0)
    reports = []
    for compiled in (False, True):
        trainer = Trainer(config, torch.device("cpu"), compiled=compiled)
        reports.append([trainer.train_step(step, *data.batch(step, 2)) for step in range(2)])
    for plain, translated in zip(*reports, strict=True):
        assert translated == pytest.approx(plain, rel=1e-3)


def test_minutes_only_stop_and_leave_the_schedule_alone(tmp_path, data, capsys):
    config = replace(CONFIG, gan=False)
    train(config, data, tmp_path / "run", minutes=0)
    assert "s of audio in a second; of the time: networks" in capsys.readouterr().err
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["step"] == 1
    train(config, data, tmp_path / "run", resume=True)
    train(config, data, tmp_path / "whole")
    assert same_weights(
        tmp_path / "run" / "last.safetensors", tmp_path / "whole" / "last.safetensors"
    )


def test_best_weights_are_pruned_weights(tmp_path, data, rain_folder):
    validation = Validation.of_mixtures(
        clips.speech_folder("valid"), rain_folder, mixtures=2, seconds=1.0
    )
    config = replace(CONFIG, gan=False, validate_every=3)  # masks are frozen from step 9 on
    train(config, data, tmp_path / "run", validation)
    rows = list(csv.DictReader(open(tmp_path / "run" / "valid.csv")))
    assert [int(row["step"]) for row in rows] == [3, 6, 9, 12]
    assert all(0 < float(row["stoi"]) < 1 for row in rows)
    best = tmp_path / "run" / "best.safetensors"
    assert int(read_metadata(best)["step"]) == 12
    assert sparsity(load(best))["zero_of_prunable"] == pytest.approx(0.5, abs=0.01)


class Halver(torch.nn.Module):
    """A model that halves the compressed magnitude and keeps the phase."""

    def __init__(self):
        super().__init__()
        self.config, self.slot = preset("tiny"), torch.nn.Parameter(torch.zeros(1))

    def forward(self, magnitude, phase):
        return magnitude / 2, phase


def test_a_validation_scores_what_is_left_of_clean_speech(rain_folder):
    validation = Validation.of_mixtures(
        clips.speech_folder("valid"), rain_folder, mixtures=2, seconds=1.0
    )
    with ThreadPoolExecutor(1) as pool:
        scores, outputs = validation(Halver(), pool)
    assert scores["clean_si_sdr"] > 60 > scores["si_sdr"]  # a gain alone: nothing is lost
    assert scores["clean_pesq"] > 4.5 > scores["pesq"]
    assert len(outputs) == 2
    assert {name for name in scores if name.startswith("clean_")} == set(CLEAN_IN)


def test_a_run_from_before_clean_speech_was_scored_goes_on(tmp_path, data, rain_folder):
    validation = Validation.of_mixtures(
        clips.speech_folder("valid"), rain_folder, mixtures=2, seconds=1.0
    )
    config = replace(CONFIG, gan=False, prune=0.0, steps=4, validate_every=1)
    train(config, data, tmp_path / "run", validation, minutes=0)
    file = tmp_path / "run" / "valid.csv"
    shorter = [line.split(",")[: -len(CLEAN_IN)] for line in file.read_text().splitlines()]
    file.write_text("\n".join(map(",".join, shorter)) + "\n")
    train(config, data, tmp_path / "run", validation, resume=True)
    rows = list(csv.DictReader(open(file)))
    assert [bool(row["clean_si_sdr"]) for row in rows] == [False, True, True, True]


def test_curves_and_sounds_for_tensorboard(tmp_path, data, rain_folder):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    validation = Validation.of_mixtures(
        clips.speech_folder("valid"), rain_folder, mixtures=4, seconds=1.0
    )
    config = replace(CONFIG, gan=False, prune=0.0, steps=4, validate_every=2)
    train(config, data, tmp_path / "run", validation, minutes=0, tensorboard=True)
    train(config, data, tmp_path / "run", validation, resume=True, tensorboard=True)
    found = events.EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    found.Reload()
    rows = list(csv.DictReader(open(tmp_path / "run" / "log.csv")))
    curve = found.Scalars("training/loss")
    assert [event.step for event in curve] == [1, 2, 3, 4]
    assert [event.value for event in curve] == pytest.approx(
        [float(row["loss"]) for row in rows], rel=1e-4
    )
    assert [event.step for event in found.Scalars("validation/si_sdr")] == [2, 4]
    assert len(found.Tags()["audio"]) == 9  # three clips, noisy, clean and enhanced
    assert [event.step for event in found.Audio("clip 2/enhanced")] == [2, 4]
    heard, rate = soundfile.read(
        io.BytesIO(found.Audio("clip 0/noisy")[0].encoded_audio_string), dtype="float32"
    )
    assert rate == 16000
    np.testing.assert_allclose(heard, validation.pairs[0][0], atol=1e-4)


def test_a_run_starts_from_given_weights(tmp_path, data):
    config = replace(CONFIG, gan=False, prune=0.0, steps=1, learning_rate=1e-30)
    start = EffiFusionGenerator(SMALL)
    trained = train(config, data, tmp_path / "run", init=start)
    for a, b in zip(start.parameters(), trained.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-20)
    other = EffiFusionGenerator(replace(SMALL, dual_norm=False))
    with pytest.raises(ValueError, match="another configuration"):
        train(config, data, tmp_path / "other", init=other)


def test_runs_are_not_mixed_up(tmp_path, data):
    config = replace(CONFIG, gan=False, steps=2)
    with pytest.raises(RunError, match="holds no checkpoint"):
        train(config, data, tmp_path / "run", resume=True)
    train(config, data, tmp_path / "run")
    with pytest.raises(RunError, match="already holds a run"):
        train(config, data, tmp_path / "run")
    with pytest.raises(RunError, match="another learning_rate"):
        train(replace(config, learning_rate=1.0), data, tmp_path / "run", resume=True)
    checkpoint = tmp_path / "run" / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(RunError, match="damaged"):
        train(config, data, tmp_path / "run", resume=True)


def test_learning_rate_rises_and_falls():
    config = TrainingConfig(steps=1000, warmup=100)
    assert config.rate_at(49) == pytest.approx(0.5)
    assert config.rate_at(100) == pytest.approx(1.0)
    assert config.rate_at(550) == pytest.approx(0.505)
    assert config.rate_at(1000) == pytest.approx(0.01)


def test_learning_rate_stays_and_falls_in_the_cool_down():
    config = TrainingConfig(steps=1000, warmup=100, cooldown=0.2)
    assert config.rate_at(49) == pytest.approx(0.5)
    assert config.rate_at(100) == config.rate_at(800) == 1.0
    assert config.rate_at(900) == pytest.approx(0.5)
    assert config.rate_at(999) == pytest.approx(1 / 200)
    assert config.rate_at(1000) == config.rate_at(2000) == 0.0
    assert replace(config, cooldown=0.0).rate_at(999) == 1.0
    whole = replace(config, cooldown=1.0)  # begins to fall after the warm-up
    assert [whole.rate_at(step) for step in (100, 550)] == pytest.approx([1.0, 0.5])
    assert replace(whole, warmup=1000).rate_at(999) == 1.0
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="cooldown must be"):
            replace(config, cooldown=share)


def test_a_run_from_before_the_cool_down_existed_goes_on_with_its_cosine(tmp_path, data):
    config = replace(CONFIG, gan=False)
    train(config, data, tmp_path / "run", minutes=0)
    kept = tmp_path / "run" / "config.json"
    values = json.loads(kept.read_text())
    assert values.pop("cooldown") is None
    kept.write_text(json.dumps(values))
    with pytest.raises(RunError, match="another cooldown"):
        train(replace(config, cooldown=0.2), data, tmp_path / "run", resume=True)
    train(read_recipe(kept), data, tmp_path / "run", resume=True)
    train(config, data, tmp_path / "whole")
    assert same_weights(
        tmp_path / "run" / "last.safetensors", tmp_path / "whole" / "last.safetensors"
    )


def test_both_waveforms_are_scaled_by_the_noisy_one():
    noisy, clean = 0.1 * torch.ones(1, 100), 0.05 * torch.ones(1, 100)
    for waveform, level in zip(scale(noisy, clean), (1.0, 0.5), strict=True):
        torch.testing.assert_close(waveform, torch.full((1, 100), level))


def test_recipes_in_toml_and_their_errors(tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('generator = "tiny"\nsteps = 7\n[mixture]\nsnr_db = [0, 5]\n')
    config = read_recipe(recipe)
    assert (config.generator.channels, config.steps, config.mixture.snr_db) == (16, 7, (0, 5))
    for text in (
        "steps = 0",
        "log_every = 0",
        "prune_end = 1.0",
        "stepz = 3",
        "steps =",
    ):
        recipe.write_text(f'generator = "tiny"\n{text}\n')
        with pytest.raises(ValueError, match="no training configuration"):
            read_recipe(recipe)
    recipe.write_text('generator = "huge"\n')
    with pytest.raises(ValueError, match="no training configuration"):
        read_recipe(recipe)
    recipe.write_text("steps = 7\n")
    with pytest.raises(ValueError, match="names no generator"):
        read_recipe(recipe)
    assert read_recipe(recipe, config.generator).generator == config.generator


RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize("name", available())
def test_recipes_of_the_shipped_weights(name):
    network = load(name).config
    config = read_recipe(RECIPES / f"{name}.toml", network if name.endswith("pruned") else None)
    assert dict(config.mixture.noise_weights)["babble"] == 2.0
    assert config.generator == network


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_missing_device_is_named():
    with pytest.raises(ValueError, match="there is no device 'cuda'"):
        find_device("cuda")


def test_gan_without_pesq_says_what_to_do(tmp_path, data, monkeypatch):
    monkeypatch.setitem(sys.modules, "pesq", None)
    with pytest.raises(ValueError, match="--no-gan"):
        train(CONFIG, data, tmp_path / "run")


def test_workers_end_with_a_killed_parent(tmp_path, rain_folder):
    process = subprocess.Popen(
        command(tmp_path, rain_folder, "run"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    log = tmp_path / "run" / "log.csv"
    wait_for(lambda: log.exists() and len(log.read_text().splitlines()) > 6, process)
    children = open(f"/proc/{process.pid}/task/{process.pid}/children").read().split()
    assert children
    process.kill()
    process.communicate()
    end = time.monotonic() + 30
    while any(os.path.exists(f"/proc/{child}") for child in children):
        assert time.monotonic() < end, "worker processes outlive the training"
        time.sleep(0.1)
