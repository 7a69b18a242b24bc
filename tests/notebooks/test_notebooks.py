"""The chapters: equal to their sources, executed, light, and readable without eyes or kernel."""

import html.parser
import re
from collections import Counter

import nbformat
import pytest

from notebooks import build, compose, report, rules

SOURCES = build.sources([])
chapters = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)

EXERCISE = """# %% [markdown]
# Double it.

# %% tags=["exercise"]
def double(x):
    # BEGIN SOLUTION
    return 2 * x
    # END SOLUTION

# %% [markdown] tags=["hint"]
# Think.

# %% [markdown] tags=["solution"]
# Like this.

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz("Why?", {"this": "because", "that": "no"}, correct="this")
"""


def committed(source):
    return nbformat.read(build.NOTEBOOKS / f"{source.stem}.ipynb", as_version=4)


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def texts(notebook):
    return "".join(output.text for output in outputs(notebook) if output.output_type == "stream")


def exercises(source):
    cells = compose.compose(source).cells
    return [cell for cell in cells if "exercise" in cell.metadata.get("tags", [])]


@chapters
def test_notebook_equals_its_source(source):
    assert build.difference(committed(source), compose.compose(source)) == ""


@chapters
def test_notebook_is_executed_from_top_to_bottom(source):
    cells = [cell for cell in committed(source).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(output.output_type != "error" for output in outputs(committed(source)))


@chapters
def test_notebook_is_light_and_holds_nothing_volatile(source):
    notebook = committed(source)
    nbformat.validate(notebook)
    size = (build.NOTEBOOKS / f"{source.stem}.ipynb").stat().st_size
    assert size <= build.SIZE_LIMIT
    assert notebook.metadata == compose.METADATA
    assert not any(build.WIDGET_VIEW in output.get("data", {}) for output in outputs(notebook))
    assert not any("execution" in cell.metadata for cell in notebook.cells)


@chapters
def test_all_pictures_have_a_text(source):
    notebook = committed(source)
    pages = [output.data.get("text/html", "") for output in outputs(notebook) if "data" in output]
    pictures = _Pictures()
    pictures.feed("".join(pages))
    drawn = [alt for cell in notebook.cells for alt in _markdown_pictures(cell)]
    assert all((alt or "").strip() for alt in [*pictures.alts, *drawn])
    assert not any("image/png" in output.get("data", {}) for output in outputs(notebook))


@chapters
def test_each_section_runs_alone_and_leaves_the_names_of_others(source):
    assert not rules.faults(source)


@pytest.mark.parametrize("source", report.chapters(), ids=lambda path: path.stem)
def test_chapter_keeps_its_budget(source):
    assert not report.report(source).excesses()


def test_readme_holds_the_report():
    table = report.table([report.report(source) for source in report.chapters()])
    assert f"{report.START}{table}{report.END}" in report.README.read_text(encoding="utf-8")


def test_the_place_of_an_answer_does_not_tell_whether_it_is_right():
    questions = [
        compose.shuffled(quiz)
        for source in SOURCES
        for cell in rules.source_cells(source)
        if "quiz" in cell.tags
        for quiz in compose.quizzes(cell.source)
    ]
    places = Counter([*quiz.answers].index(quiz.correct) for quiz in questions)
    chance = sum(1 / len(quiz.answers) for quiz in questions)  # hits of whoever takes one place
    spread = sum((1 - 1 / len(quiz.answers)) / len(quiz.answers) for quiz in questions) ** 0.5
    assert max(places.values()) <= chance + 2.5 * spread


@pytest.mark.parametrize(
    "source", [path for path in SOURCES if exercises(path)], ids=lambda path: path.stem
)
def test_stub_run_passes_no_check(source):
    assert len(re.findall("not yet", texts(committed(source)))) == len(exercises(source))
    assert "checks passed" not in texts(committed(source))


def test_failing_cell_stops_the_build(written, tmp_path, capsys):
    written.write_text("# %%\n1 / 0\n")
    assert build.main(["42", "--out", str(tmp_path)]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert not (tmp_path / "42_small.ipynb").exists()


def test_check_finds_drift(written, tmp_path, capsys):
    folder = ["--out", str(tmp_path / "out")]
    assert build.main(["--check", *folder]) == 1  # nothing is built yet
    assert build.main(["--no-execute", *folder]) == 0
    assert build.main(["42", "--check", *folder]) == 0
    written.write_text(written.read_text().replace("Double", "Triple"))
    assert build.main(["42", "--check", *folder]) == 1
    assert "cells [0] differ" in capsys.readouterr().out


def test_unknown_chapter_is_named(written, capsys):
    assert build.main(["77"]) == 1
    assert "chapter 77" in capsys.readouterr().err


def test_widgets_leave_their_static_picture(written):
    written.write_text(
        "# %%\nimport ipywidgets\n\nfrom effifusion_lite.listening.live import Live\n\n"
        "Live(ipywidgets.IntSlider(), '<p>still</p>')\n\n# %%\nipywidgets.IntSlider()\n"
    )
    notebook = build.execute(compose.compose(written))
    assert [sorted(output.data) for output in outputs(notebook)] == [["text/html", "text/plain"]]
    assert outputs(notebook)[0].data["text/html"] == "<p>still</p>"
    assert notebook.metadata == compose.METADATA


class _Pictures(html.parser.HTMLParser):
    """Collects the texts of all pictures of a page."""

    def __init__(self):
        super().__init__()
        self.alts = []

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.alts.append(dict(attributes).get("alt"))


def _markdown_pictures(cell):
    """Texts of the drawn figures in a markdown cell."""
    if cell.cell_type != "markdown":
        return []
    return re.findall(r"!\[(.*?)\]\(", cell.source, flags=re.DOTALL)
