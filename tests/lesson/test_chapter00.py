"""The checks of chapter 00: stub, solution, and each likely mistake by name."""

import numpy as np
import pytest

from effifusion_lite.audio import active_speech_level, measure_snr, mix_at_snr, peak_db, rms_db
from effifusion_lite.lesson.checks import chapter00
from effifusion_lite.listening import clips
from notebooks import build

HUNTED = "met where a noise holds still, and missed where its level changes"


def _function(name, solved):
    """The reader's function, from the exercise cell of the chapter."""
    cells = build.compose(*build.sources(["00"]), solved).cells
    source = next(
        cell.source for cell in cells if cell.cell_type == "code" and f"def {name}(" in cell.source
    )
    names = {"np": np, "active_speech_level": active_speech_level, "rms_db": rms_db}
    exec(source, names)
    return names[name]


def _of_beginning(mixture):
    """A mixture that gets the beginning of the noise."""
    return lambda s, n, r: mixture(s, n[: len(s)], r)


def _gain(wanted_db):
    return 10 ** (wanted_db / 20)


def _ratios(clean, enhanced, factor=10.0, axis=1):
    count = len(clean) // 480
    signal = clean[: count * 480].reshape(count, 480)
    error = (enhanced - clean)[: count * 480].reshape(count, 480)
    return factor * np.log10(np.sum(signal**2, axis=axis) / np.sum(error**2, axis=axis))


def _in_slices(clean, enhanced):
    """What a loop over slices gives, whose last one may be shorter."""
    for start in range(0, len(clean), 480):
        part = slice(start, start + 480)
        error = enhanced[part] - clean[part]
        yield np.clip(10 * np.log10(np.sum(clean[part] ** 2) / np.sum(error**2)), -10, 35)


def test_the_bug_is_told_by_what_it_does(capsys):
    assert chapter00.check_mixture(_function("my_mixture", solved=False)) is False
    printed = capsys.readouterr().out
    assert HUNTED in printed
    assert "rms_db" not in printed and "len(clean)" not in printed  # where to look stays open


def test_the_bug_hides_where_the_noise_is_steady_and_shows_where_it_is_not():
    buggy = _function("my_mixture", solved=False)
    speech, _ = clips.load("clb_zebra")
    missed = {}
    for kind in ("fan", "dishes"):
        noises = [clips.noise(kind, 3 * len(speech) / 16000, seed=seed) for seed in (1, 2, 3)]
        measured = [measure_snr(speech, buggy(speech, noise, 5.0) - speech) for noise in noises]
        missed[kind] = max(abs(snr_db - 5.0) for snr_db in measured)
    assert missed["fan"] < 0.1 and missed["dishes"] > 1.0


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda v: -1 - 20 * np.log10(np.max([x.max() for x in v])), "not always positive"),
        (lambda v: -max(map(peak_db, v)), "leave one decibel"),
        (lambda v: 1 + max(map(peak_db, v)), "sign is reversed"),
        (lambda v: 20 * np.log10(max(np.abs(x).max() for x in v)) - 1, "the two sides are swapped"),
        (lambda v: -1 - 10 * np.log10(max(np.abs(x).max() for x in v)), "10 * log10 is for"),
        (lambda v: -1 - 20 * np.log(max(np.abs(x).max() for x in v)), "natural one"),
        (lambda v: -1 - max(np.abs(x).max() for x in v), "not in dB yet"),
        (lambda v: -1 - 20 * np.log10(max(-x.min() for x in v)), "can be positive, too"),
        (lambda v: -1 - peak_db(v[-1]), "last version alone"),
        (lambda v: -1 - peak_db(v[1]), "right for versions 3 × [1000], wrong for versions 4 × "),
        (lambda v: 3.0, "versions 3 × [1000]: 3 where -7.021 is expected"),
        (lambda v: -1 - min(map(peak_db, v)), "softest version"),
        (lambda v: -1 - peak_db(v[0]), "first version alone"),
        (lambda v: -1 - max(map(rms_db, v)), "RMS level"),
        (lambda v: _gain(-1 - max(map(peak_db, v))), "this is the factor"),
        (lambda v: np.array([-1 - peak_db(x) for x in v]), "one gain for each"),
    ],
)
def test_mistakes_in_exercise_1_are_named(mistake, message, capsys):
    assert chapter00.check_gain(mistake) is False
    assert message in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda s, e: _ratios(s, e).mean(), "not limited"),
        (lambda s, e: np.clip(_ratios(s, e).mean(), -10, 35), "the mean is limited"),
        (lambda s, e: np.maximum(_ratios(s, e), -10).mean(), "upper limit is missing"),
        (lambda s, e: np.minimum(_ratios(s, e), 35).mean(), "lower limit is missing"),
        (lambda s, e: np.median(np.clip(_ratios(s, e), -10, 35)), "this is the median"),
        (lambda s, e: np.clip(_ratios(s, e, axis=0), -10, 35).mean(), "wrong axis"),
        (lambda s, e: np.clip(-_ratios(s, e), -10, 35).mean(), "upside down"),
        (lambda s, e: 10 * np.log10(np.sum(s**2) / np.sum((s - e) ** 2)), "one ratio"),
        (lambda s, e: np.clip(_ratios(s, e + s), -10, 35).mean(), "noise is the difference"),
        (lambda s, e: np.clip(_ratios(s, e, 20.0), -10, 35).mean(), "not 20"),
        (lambda s, e: np.clip(_ratios(s, e, 10 * np.log(10)), -10, 35).mean(), "natural one"),
        (lambda s, e: np.clip(_ratios(s, e), -10, 35), "return their mean"),
        (
            lambda s, e: np.clip(10 * np.log10((10 ** (_ratios(s, e) / 10)).mean()), -10, 35),
            "logarithm is taken of the mean",
        ),
        (lambda s, e: np.clip(_ratios(e, 2 * e - s), -10, 35).mean(), "not of the enhanced one"),
        (lambda s, e: np.mean([*_in_slices(s, e)]), "counts as a segment"),
    ],
)
def test_mistakes_in_exercise_2_are_named(mistake, message, capsys):
    assert chapter00.check_segmental_snr(mistake) is False
    assert message in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda s, n, r: s + _gain(rms_db(s) - rms_db(n) - r) * n, "level of all samples"),
        (lambda s, n, r: s + n / _gain(active_speech_level(s) - rms_db(n) - r), "sign of the gain"),
        (lambda s, n, r: s + _gain(active_speech_level(s) - rms_db(n) + r) * n, "ratio is added"),
        (
            lambda s, n, r: s + _gain(active_speech_level(s) - rms_db(n) - r) ** 2 * n,
            "factor of a power",
        ),
        (lambda s, n, r: s + (active_speech_level(s) - rms_db(n) - r) * n, "still in dB"),
        (lambda s, n, r: s + _gain(active_speech_level(s) - r) * n, "as if its level were 0 dB"),
        (lambda s, n, r: s / _gain(active_speech_level(s) - rms_db(n) - r) + n, "was scaled"),
        (
            lambda s, n, r: s + _gain(active_speech_level(s) - active_speech_level(n) - r) * n,
            "measured like speech",
        ),
        (lambda s, n, r: mix_at_snr(s, n, r) - s, "noise alone"),
        (lambda s, n, r: s + n, "the values differ"),
        (lambda s, n, r: mix_at_snr(s, n, 5.0), "right for snr_db=5.0, wrong for snr_db=-2.5"),
        (lambda s, n, r: mix_at_snr(s, n, 5.0), "use the argument snr_db"),
        (lambda s, n, r: 2 * mix_at_snr(s, n, r), "every value is 2 times the expected one"),
        (lambda s, n, r: (s, n), "returns tuple where an array of numbers is expected"),
        (lambda s, n, r: np.array(["a"]), "returns an array of str"),
        (lambda s, n, r: s[:100], "snr_db=5.0: shape [100] where ["),
    ],
)
def test_mistakes_in_exercise_3_are_named(mistake, message, capsys):
    assert chapter00.check_mixture(_of_beginning(mistake)) is False
    assert message in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda s, n, r: mix_at_snr(s, n[-len(s) :], r), "adds the end of the noise"),
        (lambda s, n, r: s + n, "your function stopped with ValueError"),
        (
            lambda s, n, r: s + _gain(active_speech_level(s) - rms_db(n) - r) * n[: len(s)],
            HUNTED,
        ),
    ],
)
def test_mistakes_with_the_length_of_the_noise_are_named(mistake, message, capsys):
    assert chapter00.check_mixture(mistake) is False
    assert message in capsys.readouterr().out


def test_a_mixture_made_in_place_is_told_so(capsys):
    def in_place(clean, noise, snr_db):
        clean[:] = mix_at_snr(clean, noise[: len(clean)], snr_db)
        return clean

    assert chapter00.check_mixture(in_place) is False
    printed = capsys.readouterr().out
    assert "the values are right, but your function changes its input in place (clean)" in printed


def test_a_sound_of_the_notebook_in_place_of_the_argument_is_told(capsys):
    names = {"mix_at_snr": mix_at_snr, "speech": np.sin(np.arange(16000.0))}
    exec(
        "def my_mixture(clean, noise, snr_db):\n"
        "    return mix_at_snr(speech, noise[: len(clean)], snr_db)",
        names,
    )
    assert chapter00.check_mixture(names["my_mixture"]) is False
    printed = capsys.readouterr().out
    assert "snr_db=5.0: your function stopped with ValueError: speech and noise must" in printed
    assert "reads speech from the notebook: take the argument clean in place of speech" in printed


def test_versions_that_lose_one_are_told_so(capsys):
    def sorting(versions):
        versions.sort(key=peak_db)
        return -1 - peak_db(versions.pop())

    assert chapter00.check_gain(sorting) is False
    assert "the values are right, but your function changes" in capsys.readouterr().out
