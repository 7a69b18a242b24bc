"""The same training on two processes as on one."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from two_processes import STEPS, STOP, two_steps

from effifusion_lite.command_line.benchmarks.speed import threads
from effifusion_lite.training import read_recipe
from effifusion_lite.training.distributed import ALONE, Group

LIMIT = 400  # s, on a busy machine


@pytest.fixture(scope="module")
def written(rain_folder, tmp_path_factory):
    """What two processes wrote."""
    folder = tmp_path_factory.mktemp("out")
    program = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    script = Path(__file__).parent / "two_processes.py"
    subprocess.run([*program, script, rain_folder, folder], check=True, timeout=LIMIT)
    return folder


def assert_near(found, expected):
    """Equal but for the rounding of sums: a share of each parameter's own largest gradient, and a
    tiny one of the largest of all, for biases before a norm, whose gradients are rounding alone."""
    largest = max(gradient.abs().max() for gradient in expected.values())
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        atol = 1e-3 * gradient.abs().max() + 1e-6 * largest
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=atol.item(), msg=name)


def test_two_processes_have_the_gradients_of_one(written, rain_folder):
    with threads(1):  # as each of the two: more would round sums in another way
        alone = two_steps(ALONE, rain_folder)
    first, second = (torch.load(written / f"{rank}.pt") for rank in range(2))
    for one in (first, second):
        assert_near(one["generator"], alone["generator"])
        assert_near(one["discriminator"], alone["discriminator"])
        torch.testing.assert_close(one["pending"], alone["pending"], atol=0.02, rtol=0.02)
        assert one["label"] == pytest.approx(alone["label"], abs=0.01)
    for a, b in zip(first["same"], second["same"], strict=True):
        assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_all_processes_stop_at_one_step_and_go_on_there(written):
    assert int((written / "stopped").read_text()) == STOP + 1
    whole, broken = (load_file(written / run / "last.safetensors") for run in ("whole", "broken"))
    assert all(torch.equal(whole[name], broken[name]) for name in whole)
    rows = list(csv.DictReader(open(written / "broken" / "log.csv")))
    assert [int(row["step"]) for row in rows] == list(range(1, STEPS + 1))
    assert sum(row["label"] not in ("", "nan") for row in rows) == STEPS - 1


def test_all_processes_agree_on_the_length_of_a_fitted_training(written):
    steps = read_recipe(written / "fitted" / "config.json").steps
    assert 2 <= steps <= 11  # 285 s of 25 s each, less what the trial took
    checkpoint = torch.load(written / "fitted" / "checkpoint.pt", weights_only=True)
    assert checkpoint["step"] == steps


def test_a_batch_is_divided_evenly_or_not_at_all():
    assert Group(1, 3).share(6) == 2
    with pytest.raises(ValueError, match="a batch of 4 examples does not divide evenly over 3"):
        Group(1, 3).share(4)
    whole = torch.arange(6)
    assert torch.equal(torch.cat([Group(rank, 3).part(whole) for rank in range(3)]), whole)


def test_alone_without_torchrun(monkeypatch):
    assert "WORLD_SIZE" not in os.environ
    assert ALONE.first and ALONE.any(True) and not ALONE.any(False)
    assert ALONE.from_first("x") == "x"
