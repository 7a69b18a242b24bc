"""The figure of an evaluation: what it shows, and what cannot be drawn."""

import io
from pathlib import Path

import pytest
from PIL import Image

from effifusion_lite.evaluation import Evaluation
from effifusion_lite.evaluation import figure as score_figure
from effifusion_lite.evaluation.conditions import Condition
from effifusion_lite.evaluation.figure import check_figure, draw_figure
from effifusion_lite.evaluation.results import FileScores
from effifusion_lite.metrics import Scores


def scores(value):
    return Scores(1 + value, 0.5 + value / 10, value, 2 * value, {}, 3.0, 2.0, 2.5)


FILES = tuple(
    FileScores(f"{noise}{snr}", scores(snr / 10), scores(snr / 10 + gain), None, scores(gain), c)
    for noise, gain in (("bus", 0.5), ("cafe", 1.0))
    for snr in (2.5, 17.5)
    for c in [Condition(noise, snr)]
)


def test_svg_holds_the_means_as_text_and_is_the_same_each_time():
    evaluation = Evaluation(FILES, "wiener")
    content = draw_figure(evaluation, "svg").decode()
    assert "95 % intervals</title>" in content
    for line in evaluation.table().splitlines():
        assert line in content
    assert draw_figure(evaluation, "svg").decode() == content


def test_png():
    picture = Image.open(io.BytesIO(draw_figure(Evaluation(FILES), "png")))
    assert picture.format == "PNG"
    assert picture.info["Description"].startswith("4 files")


@pytest.mark.parametrize("files", [FILES[:1], (FileScores("a", error="a does not exist"),)])
def test_one_file_or_none_can_be_drawn(files):
    assert draw_figure(Evaluation(files), "svg").startswith(b"<?xml")


def drawn(evaluation, metric):
    from matplotlib.figure import Figure

    axis = Figure().subplots()
    groups = {"all": evaluation} | evaluation.groups("noise") | evaluation.groups("snr_db")
    score_figure._draw_metric(axis, groups, metric)
    return axis


def test_means_and_intervals_of_all_groups_are_drawn():
    evaluation = Evaluation(FILES, "wiener")
    axis = drawn(evaluation, "pesq")
    names = [label.get_text() for label in axis.get_xticklabels()]
    assert names == ["all (4)", "bus (2)", "cafe (2)", "2.5 dB (2)", "17.5 dB (2)"]
    assert axis.get_legend_handles_labels()[1] == ["noisy", "enhanced", "wiener"]
    enhanced = axis.containers[1]
    expected = evaluation.groups("noise")["cafe"].interval("enhanced", "pesq")
    assert enhanced.lines[0].get_ydata()[2] == expected.mean
    low, high = enhanced.lines[2][0].get_segments()[2][:, 1]
    assert (low, high) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_the_axis_ends_where_the_scores_of_files_end():
    low, high = drawn(Evaluation(FILES), "si_sdr").get_ylim()  # scores from 0.25 to 2.75
    assert (low, high) == (pytest.approx(0.125), pytest.approx(2.875))


def test_what_cannot_be_drawn(monkeypatch):
    check_figure(Path("figure.SVG"))
    with pytest.raises(ValueError, match="a name that ends in .svg or .png"):
        check_figure(Path("figure.jpg"))
    monkeypatch.setattr(score_figure, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="needs matplotlib: pip install"):
        check_figure(Path("figure.svg"))
