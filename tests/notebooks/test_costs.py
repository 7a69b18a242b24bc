"""The costs of a build: measured, kept by chapter, and read again."""

from notebooks import build, compose, costs


def test_a_run_is_measured(written):
    written.write_text("# %%\nimport time\n\ntime.sleep(0.2)\n\n# %%\nblock = bytearray(10**8)\n")
    clock = costs.Clock()
    build.execute(compose.compose(written), clock=clock)
    assert len(clock.seconds) == 2
    assert max(clock.seconds.values()) >= 0.2
    assert clock.memory_mb is None or clock.memory_mb > 100


def test_costs_of_one_chapter_replace_its_own(tmp_path):
    clock = costs.Clock()
    clock.seconds = {"a": 7.0, "b": 0.5}
    clock.memory_mb = 300
    file = tmp_path / "costs.csv"
    costs.replace("02", clock.costs("02"), file)
    costs.replace("01", [costs.Cost("01", "all", 3.0)], file)
    costs.replace("01", [costs.Cost("01", "all", 4.0)], file)
    assert costs.read(file) == [
        costs.Cost("01", "all", 4.0, None),
        costs.Cost("02", "all", 7.5, 300),
        costs.Cost("02", "a", 7.0, None),
    ]
    assert costs.read(tmp_path / "none.csv") == []
