"""The chapters: equal to their sources, executed, light, and readable without eyes or kernel."""

import html.parser
import re
import runpy
from pathlib import Path

import nbformat
import pytest

from notebooks import build

REPOSITORY = Path(__file__).resolve().parents[2]
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
    cells = build.compose(source).cells
    return [cell for cell in cells if "exercise" in cell.metadata.get("tags", [])]


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A folder of sources with one small chapter; returns its path."""
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    path = tmp_path / "42_small.py"
    path.write_text(EXERCISE)
    return path


@chapters
def test_notebook_equals_its_source(source):
    assert build.difference(committed(source), build.compose(source)) == ""


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
    assert notebook.metadata == build.METADATA
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
def test_texts_of_drawn_figures_are_those_beside_the_figures(source):
    alts = {}
    for script in (REPOSITORY / "figures").glob("chapter*.py"):
        alts |= runpy.run_path(str(script))["ALT"]
    for cell in committed(source).cells:
        for alt, name in _markdown_pictures(cell).items():
            assert alt == alts[name]
            assert (REPOSITORY / "figures" / f"{name}.svg").is_file()


@pytest.mark.parametrize(
    "source", [path for path in SOURCES if exercises(path)], ids=lambda path: path.stem
)
def test_solved_run_passes_all_checks_and_the_stub_run_none(source):
    count = len(exercises(source))
    solved = build.execute(build.compose(source, solved=True))
    assert len(re.findall("checks passed", texts(solved))) == count
    assert "not yet" not in texts(solved)
    assert len(re.findall("not yet", texts(committed(source)))) == count
    assert "checks passed" not in texts(committed(source))


def test_stub_and_solution_come_from_one_source(written):
    stub, solved = build.compose(written), build.compose(written, solved=True)
    assert stub.cells[1].source == f"def double(x):\n    {build.STUB}"
    assert solved.cells[1].source == "def double(x):\n    return 2 * x"
    assert stub.cells[3].source.startswith("<details>\n<summary>Solution</summary>\n\nLike this.")
    assert "    return 2 * x\n```\n\n</details>" in stub.cells[3].source


def test_hint_and_quiz_become_folded_markdown(written):
    cells = build.compose(written).cells
    assert cells[2].cell_type == cells[4].cell_type == "markdown"
    assert cells[2].source == "<details>\n<summary>Hint 1</summary>\n\nThink.\n\n</details>"
    assert "<summary>this</summary>" in cells[4].source
    assert "import" not in cells[4].source


def test_cell_ids_depend_on_the_text_alone(written):
    first = [cell.id for cell in build.compose(written).cells]
    written.write_text("# %% [markdown]\n# New start.\n\n" + EXERCISE)
    second = [cell.id for cell in build.compose(written).cells]
    assert second[1:] == first
    written.write_text("# %%\n1\n\n# %%\n1\n")
    assert len({cell.id for cell in build.compose(written).cells}) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('# %% tags=["exercise"]\n1\n', "no solution lines"),
        ('# %% tags=["exercise"]\n# BEGIN SOLUTION\n1\n# END SOLUTION\n', "lacks a solution"),
        ('# %% [markdown] tags=["hint"]\n# Think.\n', "no exercise before"),
    ],
)
def test_source_that_breaks_the_rules_is_refused(written, text, message):
    written.write_text(text)
    with pytest.raises(build.BuildError, match=message):
        build.compose(written)


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
    written.write_text(EXERCISE.replace("Double", "Triple"))
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
    notebook = build.execute(build.compose(written))
    assert [sorted(output.data) for output in outputs(notebook)] == [["text/html", "text/plain"]]
    assert outputs(notebook)[0].data["text/html"] == "<p>still</p>"
    assert notebook.metadata == build.METADATA


class _Pictures(html.parser.HTMLParser):
    """Collects the texts of all pictures of a page."""

    def __init__(self):
        super().__init__()
        self.alts = []

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.alts.append(dict(attributes).get("alt"))


def _markdown_pictures(cell):
    """Text -> name of the drawn figures in a markdown cell."""
    if cell.cell_type != "markdown":
        return {}
    found = re.findall(r"!\[(.*?)\]\(\.\./figures/(\w+)\.svg\)", cell.source, flags=re.DOTALL)
    return {" ".join(alt.split()): name for alt, name in found}
