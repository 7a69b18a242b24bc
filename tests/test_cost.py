"""Time of a generator relative to another; what `describe` counts is tested with its users."""

import pytest
import torch

from effifusion_lite import cost
from effifusion_lite.generator import EffiFusionGenerator, preset


def test_a_larger_network_takes_longer_and_the_threads_come_back():
    tiny, lite = (EffiFusionGenerator(preset(name)).eval() for name in ("tiny", "lite"))
    threads = torch.get_num_threads()
    ratio = cost.time_ratio(tiny, lite, frames=41, repeats=3)
    assert ratio > 1.3
    assert torch.get_num_threads() == threads


def test_the_median_of_the_turns_counts(monkeypatch):
    """One turn in which the core was disturbed changes nothing; neither does the first turn."""
    clock = iter(
        time
        for first, second in ((9, 1), (1, 2), (1, 2), (1, 50))
        for time in (0, first, 0, second)
    )
    monkeypatch.setattr(cost.time, "process_time", lambda: next(clock))
    model = EffiFusionGenerator(preset("tiny")).eval()
    assert cost.time_ratio(model, model, frames=5, repeats=3) == 2


def test_no_turn_is_refused():
    model = EffiFusionGenerator(preset("tiny"))
    with pytest.raises(ValueError, match="at least one turn"):
        cost.time_ratio(model, model, repeats=0)
