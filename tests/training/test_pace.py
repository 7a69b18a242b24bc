"""A training that is as long as there is time for."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from effifusion_lite.data import MixtureConfig, Mixtures
from effifusion_lite.generator import GeneratorConfig
from effifusion_lite.listening import clips
from effifusion_lite.training import TrainingConfig, Validation, pace, read_recipe, train
from effifusion_lite.training.distributed import Group
from effifusion_lite.training.pace import Pace

CONFIG = TrainingConfig(
    generator=GeneratorConfig(channels=8, blocks=1, head_channels=4, conv_kernel=5),
    mixture=MixtureConfig(segment=4000),
    batch_size=1,
    cooldown=0.5,
    gan=False,
    log_every=1,
    label_workers=1,
)
PACE = Pace(start=10.0, early=1.0, late=2.0, validation=30.0, checkpoint=5.0)


@pytest.fixture
def data(rain_folder):
    return Mixtures(clips.speech_folder("valid"), rain_folder, CONFIG.mixture)


def test_the_time_of_a_training():
    config = replace(CONFIG, validate_every=50, checkpoint_every=40)
    assert PACE.seconds(config, 100) == 10 + 100 + 2 * 30 + 3 * 5
    assert PACE.seconds(config, 101) == 10 + 101 + 3 * 30 + 3 * 5  # the last step has one, too
    adversarial = replace(config, gan=True, gan_start=0.4)
    assert PACE.seconds(adversarial, 100) == 10 + 40 + 2 * 60 + 2 * 30 + 3 * 5


@pytest.mark.parametrize("gan", [False, True])
@pytest.mark.parametrize("seconds", [300, 3600, 36000])
def test_steps_and_warm_up_follow_the_time(gan, seconds):
    config = PACE.fit(replace(CONFIG, gan=gan, prune=0.5, steps=7), seconds)
    assert PACE.seconds(config, config.steps) <= 0.95 * seconds
    assert PACE.seconds(config, config.steps + 1) > 0.95 * seconds
    assert config.warmup == min(300, config.steps // 10)
    assert config.pruning_schedule().end == int(0.8 * config.steps)
    assert config.rate_at(config.steps - 1) == pytest.approx(2 / config.steps)


@pytest.mark.parametrize("seconds", [-5, 0, 10, 60])
def test_too_little_time_is_told(seconds):
    with pytest.raises(ValueError, match="only [0-9]+ steps would fit .* give more minutes"):
        PACE.fit(CONFIG, seconds)


class Clock:
    """Stands for the module ``time``; steps and scores make its time go by."""

    now = 0.0

    def monotonic(self):
        return self.now


class Trial:
    """A trainer whose first steps of each kind are slow."""

    group, pool = Group(), None

    def __init__(self, config, clock):
        self.config, self.clock, self.steps = config, clock, []

    def train_step(self, step, noisy, clean):
        late = step >= self.config.gan_start * self.config.steps
        first = step % (self.config.steps // 2) < 2
        self.clock.now += 20 if first else 3 if late else 2
        self.steps.append(step)

    def state(self):
        self.clock.now += 0.5
        return {}

    def averaged(self):
        return None


def test_slow_first_steps_are_left_out(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    monkeypatch.setattr(
        Validation, "__call__", lambda self, *_: setattr(clock, "now", clock.now + len(self.pairs))
    )
    trial = Trial(pace.on_trial(replace(CONFIG, gan=True)), clock)
    steps = range(trial.config.steps)
    validation = Validation([(torch.zeros(1), torch.ones(1))] * 10)
    found = pace.measure(trial, lambda first: ((0, 0) for _ in steps[first:]), validation, 1000)
    assert found == Pace(36 + 34 + 1, 2, 3, pytest.approx(10), 0.5)
    assert trial.steps == [*range(10), *range(200, 208)]  # 1.5 % of the time each, and more than it


def test_a_fitted_training_keeps_its_plan_and_resumes_to_the_same_bits(
    tmp_path, data, rain_folder, capsys, monkeypatch
):
    measure = pace.measure

    def slower(*trial):  # so that a few quick steps seem to fill the time, on any machine
        assert min(measure(*trial).__dict__.values()) >= 0
        return Pace(start=20.0, early=10.0, late=10.0, validation=5.0, checkpoint=1.0)

    monkeypatch.setattr(pace, "measure", slower)
    monkeypatch.setattr(pace, "SHARE", 0.0)
    config = replace(CONFIG, gan=True)
    validation = Validation.of_mixtures(
        clips.speech_folder("valid"), rain_folder, mixtures=2, seconds=0.5
    )
    fitted = {"minutes": 6, "device": "cpu", "fit": True}
    train(config, data, tmp_path / "run", validation, **fitted)
    assert "steps fit into the" in capsys.readouterr().err
    planned = read_recipe(tmp_path / "run" / "config.json")
    assert planned == replace(config, steps=planned.steps, warmup=planned.steps // 10)
    assert pace.SHORTEST <= planned.steps <= 32
    checkpoint = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert checkpoint["step"] == planned.steps

    train(planned, data, tmp_path / "broken", minutes=0, device="cpu")
    told = f"stopped after 1 of {planned.steps} steps"
    assert told in capsys.readouterr().err
    train(planned, data, tmp_path / "broken", device="cpu", resume=True)
    one, other = (load_file(tmp_path / run / "last.safetensors") for run in ("run", "broken"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_fit_is_for_new_runs_with_a_time(tmp_path, data):
    for wrong in ({}, {"minutes": 1.0, "resume": True}):
        with pytest.raises(ValueError, match="fit needs minutes, and a new run"):
            train(CONFIG, data, tmp_path / "run", fit=True, **wrong)
    with pytest.raises(ValueError, match="too few for a training"):
        train(CONFIG, data, tmp_path / "run", minutes=0.001, device="cpu", fit=True)
    train(replace(CONFIG, steps=1), data, tmp_path / "run", device="cpu")  # the folder is free
