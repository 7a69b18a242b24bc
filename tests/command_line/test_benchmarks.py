"""The benchmark: what it prints and writes. Its numbers are no test."""

import json

import pytest

from effifusion_lite.command_line.benchmarks import memory, speed
from effifusion_lite.command_line.benchmarks.profile import GROUPS, REST, group_of
from effifusion_lite.command_line.benchmarks.report import SECTIONS, SLOW, measure
from effifusion_lite.command_line.benchmarks.timing import Row, ratios, take_turns
from effifusion_lite.command_line.parser import main


def test_functions_take_turns_and_the_first_call_does_not_count():
    calls = []
    seconds = take_turns({name: lambda name=name: calls.append(name) for name in "ab"}, repeats=3)
    assert "".join(calls) == "ab" + "ab" * 3
    assert [len(values) for values in seconds.values()] == [3, 3]


def test_a_row_holds_median_and_range():
    row = Row.of("speed", "thing", "s", [3.0, 1.0, 2.0, 10.0, 2.5])
    assert (row.median, row.low, row.high) == (2.5, 1.0, 10.0)
    assert "2.5 s  (1 to 10)" in str(row)
    assert ratios([4.0, 9.0], [2.0, 3.0]) == [2.0, 3.0]


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(speed, "SECONDS", 1)
    monkeypatch.setattr(speed, "SEGMENT", 8000)
    monkeypatch.setattr(speed, "BATCHES", {"tiny": 2})


def test_each_quick_section_measures_something(short):
    for name in SECTIONS:
        if name in SLOW | {"memory", "imports"}:
            continue
        rows = list(measure([name], repeats=1))
        assert rows
        assert all(row.section == name and 0 < row.low <= row.high for row in rows)


def test_shares_of_a_profile_make_a_whole(short):
    rows = [row for row in measure(["profile"], repeats=1) if row.unit == "%"]
    assert {row.name.split(", ")[1] for row in rows} == {*GROUPS, REST}
    assert sum(row.median for row in rows) == pytest.approx(200)  # of two networks
    assert group_of("aten::_scaled_dot_product_flash_attention_for_cpu") == "attention"
    assert group_of("aten::native_layer_norm") == "norms"
    assert group_of("aten::addmm") == "matrix products"
    assert group_of("aten::view") == REST


def test_peaks_are_those_of_the_measured_process_alone():
    import numpy as np

    here = np.ones(60_000_000)  # 480 MB in this process
    small = memory._number(memory.PEAK + "print(peak())")
    large = memory._number(memory.PEAK + "x = bytearray(200_000_000)\nprint(peak())")
    assert here.sum() > 0
    assert small < 100
    assert 190 < large - small < 230


def test_a_measurement_that_fails_is_an_error():
    with pytest.raises(OSError, match="a measurement failed: ZeroDivisionError"):
        memory._number("1 / 0")


def test_command_prints_and_writes(short, tmp_path, capsys):
    target = tmp_path / "b.json"
    assert main(["benchmark", "layers", "--repeats", "1", "--json", str(target)]) == 0
    content = json.loads(target.read_text())
    assert content["machine"]["cores"] > 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(content["rows"])
    assert main(["benchmark", "nonsense"]) == 1
    assert "there is no section 'nonsense'" in capsys.readouterr().err
