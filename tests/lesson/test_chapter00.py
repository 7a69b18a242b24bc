"""The checks of chapter 00: stub, solution, and each likely mistake by name."""

import jupytext
import numpy as np
import pytest

from effifusion_lite.audio import active_speech_level, mix_at_snr, peak_db, rms_db
from effifusion_lite.lesson.checks import chapter00
from notebooks import build

CHECKS = {
    "my_mixture": chapter00.check_mixture,
    "my_gain": chapter00.check_gain,
    "my_segmental_snr": chapter00.check_segmental_snr,
}


def _function(name, variant):
    """The reader's function, from the exercise cell of the chapter's source."""
    cells = jupytext.read(*build.sources(["00"]), fmt="py:percent").cells
    source = next(cell.source for cell in cells if f"def {name}(" in cell.source)
    names = {"np": np, "active_speech_level": active_speech_level, "rms_db": rms_db}
    exec(variant(source), names)
    return names[name]


def _gain(wanted_db):
    return 10 ** (wanted_db / 20)


def _ratios(clean, enhanced, factor=10.0):
    count = len(clean) // 480
    signal = clean[: count * 480].reshape(count, 480)
    error = (enhanced - clean)[: count * 480].reshape(count, 480)
    return factor * np.log10(np.sum(signal**2, axis=1) / np.sum(error**2, axis=1))


@pytest.mark.parametrize("name", CHECKS)
def test_solution_passes(name, capsys):
    assert CHECKS[name](_function(name, build.fill)) is True
    assert "checks passed" in capsys.readouterr().out


@pytest.mark.parametrize("name", CHECKS)
def test_stub_fails_and_says_what_to_do(name, capsys):
    assert CHECKS[name](_function(name, build.blank)) is False
    assert "put your code where the three dots stand" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda s, n, r: s + _gain(rms_db(s) - rms_db(n) - r) * n, "level of all samples"),
        (lambda s, n, r: s + n / _gain(active_speech_level(s) - rms_db(n) - r), "sign is turned"),
        (lambda s, n, r: s + _gain(active_speech_level(s) - rms_db(n) - r) ** 2 * n, "amplitude"),
        (lambda s, n, r: s + _gain(active_speech_level(s) - r) * n, "level that it has"),
        (lambda s, n, r: s / _gain(active_speech_level(s) - rms_db(n) - r) + n, "was scaled"),
        (lambda s, n, r: mix_at_snr(s, n, r) - s, "noise alone"),
        (lambda s, n, r: s + n, "the values differ"),
        (lambda s, n, r: (s, n), "it returns a tuple"),
        (lambda s, n, r: s[:100], "the shape is"),
    ],
)
def test_mistakes_in_exercise_1_are_named(mistake, message, capsys):
    assert chapter00.check_mixture(mistake) is False
    assert message in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda v: -1 - 20 * np.log10(np.max([x.max() for x in v])), "not always positive"),
        (lambda v: -max(map(peak_db, v)), "leave one decibel"),
        (lambda v: 1 + max(map(peak_db, v)), "sign is turned"),
        (lambda v: -1 - min(map(peak_db, v)), "softest version"),
        (lambda v: -1 - peak_db(v[0]), "first version alone"),
        (lambda v: -1 - max(map(rms_db, v)), "RMS level"),
        (lambda v: _gain(-1 - max(map(peak_db, v))), "this is the factor"),
        (lambda v: np.array([-1 - peak_db(x) for x in v]), "one gain for each"),
    ],
)
def test_mistakes_in_exercise_2_are_named(mistake, message, capsys):
    assert chapter00.check_gain(mistake) is False
    assert message in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda s, e: _ratios(s, e).mean(), "not limited"),
        (lambda s, e: np.clip(_ratios(s, e).mean(), -10, 35), "the mean is limited"),
        (lambda s, e: 10 * np.log10(np.sum(s**2) / np.sum((s - e) ** 2)), "one ratio"),
        (lambda s, e: np.clip(_ratios(s, e + s), -10, 35).mean(), "noise is the difference"),
        (lambda s, e: np.clip(_ratios(s, e, 20), -10, 35).mean(), "not 20"),
        (lambda s, e: np.clip(_ratios(s, e, 10 * np.log(10)), -10, 35).mean(), "natural one"),
        (lambda s, e: np.clip(_ratios(s, e), -10, 35), "return their mean"),
    ],
)
def test_mistakes_in_exercise_3_are_named(mistake, message, capsys):
    assert chapter00.check_segmental_snr(mistake) is False
    assert message in capsys.readouterr().out


@pytest.mark.parametrize("name", CHECKS)
def test_a_mistake_is_said_once(name, capsys):
    CHECKS[name](lambda *arguments: None)
    assert len(capsys.readouterr().out.splitlines()) == 2
