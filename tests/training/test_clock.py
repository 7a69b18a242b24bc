import pytest

from effifusion_lite.training.clock import Clock


def test_shares_of_the_time(monkeypatch):
    times = iter([10.0, 11.0, 14.0, 15.0, 20.0])
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    clock = Clock()
    for name in ("data", "networks", "labels", "validation"):
        clock.lap(name)
    assert clock.training == pytest.approx(5.0)
    assert clock.shares() == "validation 50%, networks 30%, data 10%, labels 10%"
