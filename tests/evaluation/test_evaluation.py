"""Scores of folders: pairs found, means, groups, comparisons, and what is missing."""

import csv
import io
import json
import re
from importlib.util import find_spec

import numpy as np
import pytest
import soundfile

from effifusion_lite.audio import load_audio, save_audio
from effifusion_lite.evaluation import (
    Evaluation,
    EvaluationError,
    compare_with_earlier,
    evaluate,
    find_pairs,
    read_evaluation,
    wiener_filter,
)
from effifusion_lite.evaluation import scores as evaluation
from effifusion_lite.evaluation.conditions import Condition
from effifusion_lite.evaluation.results import ALL_METRICS
from effifusion_lite.evaluation.scores import FileScores, Pair
from effifusion_lite.metrics import METRICS, Scores, dnsmos, score, stoi

RATE = 16000
needs_speechmos = pytest.mark.skipif(
    find_spec("speechmos") is None,
    reason='the package speechmos is not installed: pip install "effifusion-lite[dnsmos]"',
)


def speech_like(seed, seconds=1.5, rate=RATE):
    time = np.arange(int(seconds * rate)) / rate
    return np.random.default_rng(seed).normal(size=time.size) * 0.1 * (time % 0.5 < 0.3)


def noise(seed, length):
    return np.random.default_rng(seed).normal(size=length) * 0.02


@pytest.fixture
def folders(tmp_path):
    """Three pairs, of which the enhanced versions hold half of the noise."""
    for index, name in enumerate(["a.wav", "b.flac", "speaker/c.wav"]):
        clean = speech_like(index)
        for folder, gain in (("clean", 0), ("noisy", 1), ("enhanced", 0.5)):
            (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
            waveform = clean + gain * noise(index + 10, len(clean))
            save_audio(tmp_path / folder / name, waveform, RATE)
    return tmp_path / "clean", tmp_path / "noisy", tmp_path / "enhanced"


# ---------------------------------------------------------------- finding pairs


def test_pairs_have_equal_names_and_nothing_but_sound(folders):
    clean, noisy, enhanced = folders
    (noisy / "README.txt").write_text("no sound")
    (noisy / "._a.wav").write_text("left by another system")
    pairs = find_pairs(clean, noisy, enhanced)
    assert [pair.name for pair in pairs] == ["a.wav", "b.flac", "speaker/c.wav"]
    assert pairs[2] == Pair(
        "speaker/c.wav",
        clean / "speaker/c.wav",
        noisy / "speaker/c.wav",
        enhanced / "speaker/c.wav",
    )


def test_limit_names_and_single_files(folders):
    clean, noisy, _ = folders
    assert [pair.name for pair in find_pairs(clean, noisy, limit=2)] == ["a.wav", "b.flac"]
    chosen = find_pairs(clean, noisy, names=["b.flac", "a.wav"])
    assert [pair.name for pair in chosen] == ["b.flac", "a.wav"]
    single = find_pairs(clean / "a.wav", noisy / "b.flac")
    assert single == [Pair("b.flac", clean / "a.wav", noisy / "b.flac")]


def test_folders_that_cannot_be_evaluated(folders, tmp_path):
    clean, noisy, _ = folders
    (tmp_path / "empty").mkdir()
    with pytest.raises(EvaluationError, match="CLEAN .*missing does not exist"):
        find_pairs(tmp_path / "missing", noisy)
    with pytest.raises(EvaluationError, match="ENHANCED .*missing does not exist"):
        find_pairs(clean, noisy, tmp_path / "missing")
    with pytest.raises(EvaluationError, match="must all be folders, or all be files"):
        find_pairs(clean, noisy / "a.wav")
    with pytest.raises(EvaluationError, match="no sound file to evaluate in .*empty"):
        find_pairs(clean, tmp_path / "empty")


# ---------------------------------------------------------------- scores


@pytest.mark.parametrize("processes", [1, 2])
def test_files_are_scored_in_order(folders, processes):
    pairs = find_pairs(*folders)
    result = evaluate(pairs, processes=processes, progress=False)
    assert [file.name for file in result.files] == [pair.name for pair in pairs]
    for index, file in enumerate(result.files):
        clean = speech_like(index)
        expected = score(clean, clean + 0.5 * noise(index + 10, len(clean)))
        for metric in METRICS:  # 16 bits move the scores a little
            assert getattr(file.enhanced, metric) == pytest.approx(
                getattr(expected, metric), abs=0.02
            )
            assert getattr(file.enhanced, metric) > getattr(file.noisy, metric)


def test_an_enhancer_gives_the_enhanced_version(folders):
    clean, noisy, _ = folders
    result = evaluate(find_pairs(clean, noisy), lambda x: 0.9 * x, processes=1, progress=False)
    for file in result.files:
        assert file.enhanced.si_sdr == pytest.approx(file.noisy.si_sdr, abs=1e-3)
        assert file.enhanced.segmental_snr != file.noisy.segmental_snr
        assert file.clean_enhanced.pesq > 4.6  # 0.9 of the clean recording
    alone = evaluate(find_pairs(clean, noisy), processes=1, progress=False).files[0]
    assert alone.enhanced is alone.clean_enhanced is None


def test_what_is_taken_from_the_clean_recording_stands_beside(folders):
    clean, noisy, half = folders
    pairs = find_pairs(clean, noisy)
    result = evaluate(pairs, wiener_filter, 1, progress=False)
    assert result.systems == ("noisy", "enhanced", "clean_enhanced")
    assert result.table().splitlines()[0].split()[-2:] == ["clean,", "enhanced"]
    rows = list(csv.DictReader(io.StringIO(result.to_csv())))
    assert [float(row["clean_enhanced_pesq"]) for row in rows] == [
        pytest.approx(file.clean_enhanced.pesq) for file in result.files
    ]
    for file, pair in zip(result.files, pairs, strict=True):
        waveform = load_audio(pair.clean, RATE)[0][0]
        expected = score(waveform, wiener_filter(waveform))
        assert file.clean_enhanced.si_sdr == pytest.approx(expected.si_sdr)
        assert file.clean_enhanced.estoi == pytest.approx(
            stoi(waveform, wiener_filter(waveform), extended=True)
        )
    assert evaluate(find_pairs(clean, noisy, half), processes=1, progress=False).systems == (
        "noisy",
        "enhanced",
    )


@needs_speechmos
def test_opinions_are_those_of_each_recording_alone(folders):
    clean, noisy, half = folders
    pair = find_pairs(clean, noisy, half)[0]
    result = evaluate([pair], processes=1, progress=False, opinions=True)
    for system, path in (("clean", pair.clean), ("noisy", pair.noisy), ("enhanced", pair.enhanced)):
        expected = dnsmos(load_audio(path, RATE)[0][0])
        found = getattr(result.files[0], system)
        assert (found.sig, found.bak, found.ovrl) == (expected.sig, expected.bak, expected.ovrl)
    assert result.files[0].clean.pesq is None
    assert "OVRL" in result.table()


def test_more_files_than_may_wait_keep_their_order(folders, monkeypatch):
    monkeypatch.setattr(evaluation, "AHEAD", 1)
    pairs = find_pairs(*folders) * 3
    result = evaluate(pairs, processes=1, progress=False)
    assert [file.name for file in result.files] == [pair.name for pair in pairs]


def test_other_rates_are_resampled(tmp_path):
    clean = speech_like(0, rate=48000)
    noisy = clean + noise(1, len(clean))
    for name, waveform in (("clean", clean), ("noisy", noisy)):
        save_audio(tmp_path / f"{name}.wav", waveform, 48000)
    pairs = find_pairs(tmp_path / "clean.wav", tmp_path / "noisy.wav")
    file = evaluate(pairs, processes=1, progress=False).files[0]
    assert file.error is None
    assert None not in [getattr(file.noisy, metric) for metric in METRICS]


def _remove(path):
    path.unlink()


def _shorten(path):
    save_audio(path, speech_like(0)[:-1], RATE)


def _widen(path):
    save_audio(path, np.stack([speech_like(0)] * 2), RATE)


def _spoil(path):
    path.write_text("no sound")


def _nan(path):
    soundfile.write(path, np.full(24000, np.nan), RATE, subtype="FLOAT")


@pytest.mark.parametrize("folder", [0, 2])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_remove, "does not exist"),
        (_shorten, "23999 samples at 16 kHz.* 24000|24000 samples at 16 kHz.* 23999"),
        (_widen, "has 2 channels: scores are for mono"),
        (_spoil, "is not a sound file"),
        (_nan, "holds NaN"),
    ],
)
def test_a_bad_file_is_named_and_the_rest_is_scored(folders, folder, damage, message):
    pairs = find_pairs(*folders, limit=2)
    damage(folders[folder] / "a.wav")
    result = evaluate(pairs, processes=1, progress=False)
    errors = [file.error for file in result.files]
    assert errors[1:] == [None]
    assert re.search(message, errors[0])
    assert str(folders[folder] / "a.wav") in errors[0]
    assert result.mean("noisy", "pesq") is not None


# ---------------------------------------------------------------- means and reports

TWO = Evaluation(
    (
        FileScores("a.wav", Scores(1.0, 0.5, 2.0, 3.0), Scores(2.0, 0.7, 6.0, 4.0)),
        FileScores("b.wav", Scores(2.0, 0.7, 4.0, 7.0), Scores(4.0, 0.7, 7.0, 9.0)),
    )
)
PARTLY = Evaluation(
    (
        TWO.files[0],
        FileScores(
            "b.wav",
            Scores(None, 0.7, 4.0, 7.0, {"pesq": "no speech"}),
            Scores(None, 0.7, 7.0, 9.0, {"pesq": "no speech"}),
        ),
        FileScores("c.wav", error="c.wav does not exist"),
    )
)
NO_MORE = dict.fromkeys(set(ALL_METRICS) - set(METRICS))


def test_means_standard_errors_and_gain():
    assert TWO.mean("noisy", "pesq") == 1.5
    assert TWO.mean("enhanced", "si_sdr") == 6.5
    assert TWO.mean("gain", "pesq") == 1.5
    # Two values that lie d apart: standard deviation d / sqrt(2), standard error d / 2.
    assert TWO.standard_error("noisy", "pesq") == pytest.approx(0.5)
    assert TWO.standard_error("gain", "si_sdr") == pytest.approx(0.5)
    assert TWO.standard_error("gain", "segmental_snr") == pytest.approx(0.5)


def test_what_is_missing_is_left_out_of_the_means():
    assert PARTLY.mean("noisy", "pesq") == 1.0
    assert PARTLY.standard_error("noisy", "pesq") is None
    assert PARTLY.mean("noisy", "stoi") == pytest.approx(0.6)
    assert PARTLY.missing_scores() == ["noisy pesq: no speech", "enhanced pesq: no speech"]
    nothing = Evaluation((FileScores("c.wav", error="no file"),))
    assert nothing.mean("noisy", "pesq") is None
    assert nothing.to_dict()["noisy"] == dict.fromkeys(ALL_METRICS)


def test_json_has_the_agreed_form():
    content = json.loads(PARTLY.to_json())
    assert list(content) == ["noisy", "enhanced", "files"]
    assert content["noisy"] == NO_MORE | {
        "pesq": 1.0,
        "stoi": pytest.approx(0.6),
        "si_sdr": 3.0,
        "segmental_snr": 5.0,
    }
    assert content["enhanced"]["si_sdr"] == 6.5
    assert content["files"][1] == {
        "file": "b.wav",
        "noisy": {"pesq": None, "stoi": 0.7, "si_sdr": 4.0, "segmental_snr": 7.0} | NO_MORE,
        "enhanced": {"pesq": None, "stoi": 0.7, "si_sdr": 7.0, "segmental_snr": 9.0} | NO_MORE,
        "missing": ["noisy pesq: no speech", "enhanced pesq: no speech"],
    }
    assert content["files"][2]["missing"] == ["c.wav does not exist"]
    assert content["files"][2]["noisy"] == dict.fromkeys(ALL_METRICS)


def test_csv_has_a_line_for_each_file():
    rows = list(csv.DictReader(io.StringIO(PARTLY.to_csv())))
    assert [row["file"] for row in rows] == ["a.wav", "b.wav", "c.wav"]
    assert rows[0]["noisy_pesq"] == "1.0"
    assert rows[0]["enhanced_segmental_snr"] == "4.0"
    assert rows[1]["noisy_pesq"] == ""
    assert rows[2]["missing"] == "c.wav does not exist"


def test_table():
    head, pesq, stoi, si_sdr, segmental = TWO.table().splitlines()
    assert head.split() == "2 files noisy enhanced gain".split()
    assert pesq.split()[:7] == "PESQ 1.500 ± 0.500 3.000 ± 1.000".split()
    assert [line.split()[0] for line in (stoi, si_sdr)] == ["STOI", "SI-SDR"]
    assert segmental.split()[-3:] == ["1.50", "±", "0.50"]
    assert len({len(line) for line in TWO.table().splitlines()}) == 1  # aligned
    alone = Evaluation((FileScores("a.wav", Scores(None, 0.5, 2.0, 3.0)),))
    cells = [line.split()[-1] for line in alone.table().splitlines()]
    assert cells == ["noisy", "-", "0.500", "2.00", "3.00"]


def test_further_metrics_have_lines_where_there_are_some():
    scores = Scores(1.0, 0.5, 2.0, 3.0, {}, 3.1, 2.2, 2.3, estoi=0.4)
    lines = Evaluation((FileScores("a.wav", scores),)).table().splitlines()
    assert [line.split()[0] for line in lines[1:]] == (
        "PESQ STOI ESTOI SI-SDR segmental CSIG CBAK COVL".split()
    )
    assert [line.split()[-1] for line in lines[-3:]] == ["3.100", "2.200", "2.300"]


# ---------------------------------------------------------------- groups


def file_scores(name, noisy, enhanced, compared=None, condition=None):
    """A recording of which only SI-SDR is known."""
    scores = [None if v is None else Scores(si_sdr=v) for v in (noisy, enhanced, compared)]
    return FileScores(name, *scores[:2], None, scores[2], condition or Condition())


GROUPED = Evaluation(
    (
        file_scores("a.wav", 1.0, 4.0, None, Condition("cafe", 12.5)),
        file_scores("b.wav", 2.0, 6.0, None, Condition("bus", 2.5)),
        file_scores("c.wav", 3.0, 8.0, None, Condition("bus", 12.5)),
        file_scores("d.wav", 9.0, 9.0, None, Condition(None, None)),
    )
)


def test_groups_have_means_of_their_files_in_order():
    noises, ratios = GROUPED.groups("noise"), GROUPED.groups("snr_db")
    assert list(noises) == ["bus", "cafe"]
    assert list(ratios) == ["2.5 dB", "12.5 dB"]
    assert noises["bus"].mean("enhanced", "si_sdr") == 7.0
    assert ratios["12.5 dB"].mean("gain", "si_sdr") == 4.0
    assert TWO.groups("noise") == TWO.groups("snr_db") == {}


def test_groups_stand_in_table_json_and_csv():
    _, by_noise, by_snr = GROUPED.table().split("\n\n")
    assert [line.split()[:3] for line in by_noise.splitlines()] == [
        ["by", "noise", "PESQ"],
        ["bus", "(2)", "noisy"],
        ["bus", "(2)", "enhanced"],
        ["cafe", "(1)", "noisy"],
        ["cafe", "(1)", "enhanced"],
    ]
    assert by_noise.splitlines()[2].split()[3:] == ["-", "-", "7.00", "-"]
    assert by_snr.splitlines()[1].split() == ["2.5", "dB", "(1)", "noisy", "-", "-", "2.00", "-"]
    content = GROUPED.to_dict()
    assert list(content) == ["noisy", "enhanced", "noise", "snr_db", "files"]
    assert content["noise"]["bus"]["count"] == 2
    assert content["snr_db"]["12.5 dB"]["noisy"]["si_sdr"] == 2.0
    assert content["files"][0]["noise"] == "cafe" and content["files"][0]["snr_db"] == 12.5
    assert "noise" not in content["files"][3]
    rows = list(csv.DictReader(io.StringIO(GROUPED.to_csv())))
    assert [(row["noise"], row["snr_db"]) for row in rows[::3]] == [("cafe", "12.5"), ("", "")]


def test_conditions_are_given_by_name():
    result = TWO.with_conditions({"b.wav": Condition("bus", 5.0)})
    assert [file.condition.noise for file in result.files] == [None, "bus"]
    assert result.values("enhanced", "pesq").tolist() == TWO.values("enhanced", "pesq").tolist()


# ---------------------------------------------------------------- comparison

COMPARED = Evaluation(
    (
        file_scores("a.wav", 1.0, 4.0, 2.0),
        file_scores("b.wav", 2.0, 6.0, 3.0),
        file_scores("c.wav", 3.0, 8.0, 4.0),
        file_scores("d.wav", 3.0, 8.0),  # not compared
    ),
    "wiener",
)


def test_the_difference_is_paired_and_has_its_interval():
    # Differences 2, 3, 4: standard deviation 1, and t = 4.3027 with two degrees of freedom.
    interval = COMPARED.interval("difference", "si_sdr")
    assert (interval.mean, interval.count, interval.shown) == (3.0, 3, True)
    assert interval.high - 3 == pytest.approx(4.3027 / 3**0.5, abs=1e-4)
    assert 3 - interval.low == pytest.approx(4.3027 / 3**0.5, abs=1e-4)
    assert COMPARED.interval("difference", "pesq") is None


def test_the_comparison_stands_in_table_json_and_csv():
    assert COMPARED.table().splitlines()[0].split() == "4 files noisy enhanced gain wiener".split()
    head, *lines = COMPARED.table().split("\n\n")[-1].splitlines()
    assert head == "enhanced minus wiener, file by file: mean, 95 % t interval"
    assert lines[2].split() == "SI-SDR dB +3.00 [+0.52, +5.48] 3 files".split()
    assert lines[0].split()[1:] == "- less than two files".split()
    content = COMPARED.to_dict()
    assert content["compared"]["si_sdr"] == 3.0
    assert content["comparison"]["with"] == "wiener"
    assert content["comparison"]["si_sdr"]["shown"] is True
    assert content["comparison"]["pesq"] is None
    rows = list(csv.DictReader(io.StringIO(COMPARED.to_csv())))
    assert [row["compared_si_sdr"] for row in rows] == ["2.0", "3.0", "4.0", ""]


def test_a_difference_is_not_shown_where_the_interval_holds_zero():
    files = [file_scores(f"{i}.wav", 0.0, float(i), 2.1) for i in range(5)]
    result = Evaluation(tuple(files), "wiener")
    assert result.interval("difference", "si_sdr").shown is False
    assert "5 files  not shown" in result.table()
    equal = Evaluation(tuple(file_scores(f"{i}.wav", 0.0, 2.0, 2.0) for i in range(5)), "wiener")
    assert equal.interval("difference", "si_sdr").shown is False


def test_noisy_is_compared_without_scores_of_its_own():
    result = Evaluation(TWO.files, "noisy")
    assert result.interval("difference", "si_sdr").mean == TWO.mean("gain", "si_sdr")
    assert result.systems == ("noisy", "enhanced")
    assert "enhanced minus noisy" in result.table()
    assert result.to_dict()["comparison"]["si_sdr"]["mean"] == 3.5


def test_an_earlier_evaluation_is_read_and_compared_by_name(tmp_path):
    (tmp_path / "before.json").write_text(PARTLY.to_json())
    earlier = read_evaluation(tmp_path / "before.json")
    for system in ("noisy", "enhanced"):
        for metric in ALL_METRICS:
            assert earlier.mean(system, metric) == PARTLY.mean(system, metric)
    new = Evaluation(
        (
            FileScores("b.wav", Scores(si_sdr=4.0), Scores(si_sdr=9.0)),
            FileScores("a.wav", Scores(si_sdr=2.5), Scores(si_sdr=9.0)),  # another noisy file
            FileScores("x.wav", Scores(si_sdr=2.0), Scores(si_sdr=9.0)),
        )
    )
    result = compare_with_earlier(new, earlier, "before.json")
    assert result.values("compared", "si_sdr")[0] == 7.0
    assert np.isnan(result.values("compared", "si_sdr")[1:]).all()
    assert result.compared_with == "before.json"


def test_noisy_scores_of_an_earlier_evaluation_are_compared_where_it_has_no_others(tmp_path):
    alone = Evaluation((FileScores("a.wav", Scores(si_sdr=2.0)),))
    (tmp_path / "before.json").write_text(alone.to_json())
    new = Evaluation((FileScores("a.wav", Scores(si_sdr=2.0), Scores(si_sdr=9.0)),))
    result = compare_with_earlier(new, read_evaluation(tmp_path / "before.json"), "before")
    assert result.values("difference", "si_sdr").tolist() == [7.0]


@pytest.mark.parametrize("content", ["no JSON", "[]", "{}", '{"files": [1]}', '{"files": [{}]}'])
def test_what_is_no_earlier_evaluation(tmp_path, content):
    (tmp_path / "before.json").write_text(content)
    with pytest.raises(EvaluationError, match="before.json holds no scores"):
        read_evaluation(tmp_path / "before.json")


def test_a_second_system_is_scored_beside_the_first(folders):
    clean, noisy, half = folders
    pairs = find_pairs(clean, noisy, compared=half)
    result = evaluate(pairs, lambda x: 0.9 * x, 1, progress=False, compared_with="half")
    again = evaluate(find_pairs(clean, noisy, half), processes=1, progress=False)
    for metric in METRICS:
        np.testing.assert_array_equal(
            result.values("compared", metric), again.values("enhanced", metric)
        )
    by_function = evaluate(
        find_pairs(clean, noisy), lambda x: x, 1, progress=False, compared=wiener_filter
    )
    expected = evaluate(find_pairs(clean, noisy), wiener_filter, 1, progress=False)
    assert by_function.mean("compared", "pesq") == expected.mean("enhanced", "pesq")
    assert by_function.mean("enhanced", "pesq") == by_function.mean("noisy", "pesq")


# ---------------------------------------------------------------- the Wiener filter


def test_the_wiener_filter_takes_steady_noise_away():
    time = np.arange(3 * RATE) / RATE
    voice = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 20))
    clean = 0.1 * voice * (time % 0.6 > 0.3)  # noise alone comes first
    for gain in (1, 1e-4):  # at any level
        noisy = (clean + noise(1, len(clean))) * gain
        before, after = score(clean, noisy), score(clean, wiener_filter(noisy))
        assert after.si_sdr > before.si_sdr + 3
        assert after.pesq > before.pesq + 0.1
    assert wiener_filter(noisy.astype("float32")).dtype == np.float32
    assert not wiener_filter(np.zeros(5000)).any()
    assert wiener_filter(np.ones(1)).shape == (1,)


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros((2, 10)), "floating point waveform of shape"),
        (np.zeros(0), "floating point waveform of shape"),
        (np.zeros(10, int), "floating point waveform of shape"),
        (np.array([0, np.nan]), "NaN"),
    ],
)
def test_what_the_wiener_filter_does_not_take(waveform, message):
    with pytest.raises(ValueError, match=message):
        wiener_filter(waveform)
