"""A training is followed, stopped and resumed; the rate desk follows its controls."""

import time

import numpy as np
import pytest
import soundfile
import torch
from IPython.core.interactiveshell import InteractiveShell

from effifusion_lite.listening import widgets_training
from effifusion_lite.listening.widgets_training import (
    SEEDS,
    Course,
    curves,
    follow,
    rate_desk,
    start_training,
)

RECIPE = """
steps = {steps}
batch_size = 1
warmup = 2
gan = false
validate_every = 10
checkpoint_every = 2
log_every = 1
label_workers = 1
mixture = {{segment = 1600}}
[generator]
channels = 8
blocks = 1
head_channels = 8
expansion = 1
dilations = [1]
multi_scale_kernels = []
"""


@pytest.fixture
def shell(monkeypatch):
    """A shell, which shows what is displayed; a training is looked at often."""
    monkeypatch.setattr(widgets_training, "LOOK", 0.1)
    monkeypatch.setattr(widgets_training, "DRAW", 0.2)
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


@pytest.fixture
def speech():
    rng = np.random.default_rng(0)
    clean = 0.1 * np.sin(np.arange(8000) / 20)
    return clean, clean + 0.02 * rng.standard_normal(8000)


@pytest.fixture
def arguments(tmp_path, speech):
    """Options of a training, but its length."""
    for number, side in enumerate(("clean", "noisy")):
        (tmp_path / "pairs" / side).mkdir(parents=True)
        soundfile.write(tmp_path / "pairs" / side / "p1_001.flac", speech[number], 16000)
    return ["--pairs", tmp_path / "pairs", "--out", tmp_path / "run"]


def begin(tmp_path, arguments, steps):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(steps=steps))
    return start_training([*arguments, "--config", tmp_path / "recipe.toml"], tmp_path / "told")


def test_a_training_is_stopped_and_goes_on(tmp_path, arguments, speech, shell, capsys):
    course = Course(tmp_path / "run", tmp_path / "told")
    process = begin(tmp_path, arguments, 100_000)
    follow(process, course, *speech, stop_after=0.0, every=0.2)
    stopped, model = course.generator()
    assert process.returncode == 0 and 2 <= stopped < course.planned() == 100_000
    assert stopped in course.sounds and course.sounds[stopped].shape == (8000,)
    assert model.training is False and course.seconds > 0
    follow(start_training([*arguments, "--resume", "--minutes", "0.02"], tmp_path / "told"),
           course, *speech)  # fmt: skip
    after, _ = course.generator()
    assert after > stopped and {stopped, after} <= {*course.sounds}
    assert [line["step"] for line in course.table("log")] == [*range(1, after + 1)]
    assert f"{after} of 100000 steps" in curves(course).text
    shown = capsys.readouterr().out
    assert f"step {stopped}" in shown and "clean" in shown
    assert "stopped after" in (tmp_path / "told").read_text()


def test_an_interrupt_of_the_cell_stops_the_training(
    tmp_path, arguments, speech, shell, monkeypatch
):
    course, sleep = Course(tmp_path / "run", tmp_path / "told"), time.sleep

    def interrupted(seconds):
        sleep(seconds)
        if course.kept():
            raise KeyboardInterrupt

    monkeypatch.setattr(widgets_training.time, "sleep", interrupted)
    process = begin(tmp_path, arguments, 100_000)
    follow(process, course, *speech)
    assert process.returncode == 0 and course.generator()[0] < 100_000


def test_a_training_that_fails_is_told(tmp_path, arguments, speech, shell):
    process = begin(tmp_path, arguments, 0)
    with pytest.raises(RuntimeError, match="steps must be at least 1"):
        follow(process, Course(tmp_path / "run", tmp_path / "told"), *speech)


# ---- the rate desk -----------------------------------------------------------------------------


def controls(live):
    return {child.description: child for child in live.widget.children if hasattr(child, "options")}


def shown(live):
    return [output["data"]["text/plain"] for output in live.widget.children[-1].outputs]


def falling(rate, schedule, steps, seed):
    return torch.tensor([1.0, rate + seed])


def test_the_first_state_is_shown_with_and_without_kernel():
    live = rate_desk(falling, ["constant", "cosine"])
    [text] = shown(live)
    assert text == (
        "Peak rate 0.003, constant, 300 steps: the validation loss ends at 0.003 to 2.003."
    )
    assert "no kernel" in live.html and "<img" in live.html and text in live.html


def test_a_control_calls_the_training_with_its_values(shell):
    calls = []

    def run(*arguments):
        calls.append(arguments)
        return falling(*arguments)

    live = rate_desk(run, ["constant", "cosine"])
    for name, value, expected in (
        ("peak rate", 0.1, (0.1, "constant", 300)),
        ("schedule", "cosine", (0.1, "cosine", 300)),
        ("steps", 100, (0.1, "cosine", 100)),
    ):
        calls.clear()
        controls(live)[name].value = value
        assert calls == [(*expected, seed) for seed in range(SEEDS)]


def test_a_loss_that_is_no_number_is_told():
    live = rate_desk(lambda *_: torch.tensor([1.0, torch.nan]), ["constant"])
    assert shown(live)[0].endswith("the loss is no number any more.")
