"""From a source to a notebook: what is blanked, folded, shuffled, taken in, and refused."""

import pytest

from effifusion_lite.lesson import quiz
from notebooks import compose
from notebooks.compose import BuildError

BUG_HUNT = """# %% tags=["exercise"]
def half(x):
    # BEGIN BUG
    return x // 2
    # END BUG
    # BEGIN SOLUTION
    return x / 2
    # END SOLUTION

# %% [markdown] tags=["solution"]
# Whole numbers hide it.
"""


def test_stub_and_solution_come_from_one_source(written):
    stub, solved = compose.compose(written), compose.compose(written, solved=True)
    assert stub.cells[1].source == f"def double(x):\n    {compose.STUB}"
    assert solved.cells[1].source == "def double(x):\n    return 2 * x"
    assert stub.cells[3].source.startswith("<details>\n<summary>Solution</summary>\n\nLike this.")
    assert "    return 2 * x\n```\n\n</details>" in stub.cells[3].source


def test_bug_hunt_shows_the_bug_and_solves_it(written):
    written.write_text(BUG_HUNT)
    stub, solved = compose.compose(written), compose.compose(written, solved=True)
    assert stub.cells[0].source == "def half(x):\n    return x // 2"
    assert solved.cells[0].source == "def half(x):\n    return x / 2"
    assert "return x / 2" in stub.cells[1].source
    assert "BUG" not in stub.cells[1].source


def test_hint_answer_and_quiz_become_folded_markdown(written):
    written.write_text(written.read_text() + '\n# %% [markdown] tags=["answer"]\n# Forty.\n')
    cells = compose.compose(written).cells
    assert cells[2].cell_type == cells[4].cell_type == "markdown"
    assert cells[2].source == "<details>\n<summary>Hint 1</summary>\n\nThink.\n\n</details>"
    assert "<summary>this</summary>" in cells[4].source
    assert "import" not in cells[4].source
    assert cells[5].source == "<details>\n<summary>One answer</summary>\n\nForty.\n\n</details>"


def test_frame_and_try_cells_are_folded(written):
    written.write_text(
        '# %%\n1\n\n# %% tags=["frame"]\n2\n\n# %% tags=["try"]\n# Answer: three.\n3\n\n'
        '# %% tags=["guess"]\n4\n'
    )
    plain, frame, tried, guess = compose.compose(written).cells
    assert guess.metadata == {"tags": ["guess", "hide-output"], "jupyter": {"outputs_hidden": True}}
    assert guess.source.splitlines()[0] == compose.OUTCOME.strip()  # nor is the outcome
    assert plain.metadata == {}
    assert tried.source.splitlines()[0] == compose.CLOSED.strip()  # the answer is not seen
    assert frame.metadata.jupyter == {"source_hidden": True}
    assert tried.metadata.jupyter == {"source_hidden": True, "outputs_hidden": True}
    assert (frame.metadata.tags, tried.metadata.tags) == (
        ["frame", "hide-input"],
        ["try", "hide-cell"],
    )


def test_answers_of_a_quiz_stand_in_an_order_that_stays():
    answers = {text: f"because of {text}" for text in "abcd"}
    questions = [quiz(f"Question {number}?", answers, "a") for number in range(40)]
    places = [[*compose.shuffled(question).answers].index("a") for question in questions]
    assert set(places) == {0, 1, 2, 3}
    assert places == [[*compose.shuffled(question).answers].index("a") for question in questions]
    assert compose.shuffled(questions[0]).answers == answers  # the same pairs


def test_figure_gets_its_text(written, tmp_path, monkeypatch):
    monkeypatch.setattr(compose, "FIGURES", tmp_path)
    monkeypatch.setattr(compose, "texts_of_figures", lambda: {"02_kernel": "A kernel of nine."})
    written.write_text("# %% [markdown]\n# Look: ![](figures/02_kernel.svg)\n")
    with pytest.raises(BuildError, match="02_kernel"):
        compose.compose(written)
    (tmp_path / "02_kernel.svg").write_text("<svg/>")
    cell = compose.compose(written).cells[0]
    assert cell.source == "Look: ![A kernel of nine.](figures/02_kernel.svg)"


def test_cell_ids_depend_on_the_text_alone(written):
    first = [cell.id for cell in compose.compose(written).cells]
    written.write_text("# %% [markdown]\n# New start.\n\n" + written.read_text())
    second = [cell.id for cell in compose.compose(written).cells]
    assert second[1:] == first
    written.write_text("# %%\n1\n\n# %%\n1\n")
    assert len({cell.id for cell in compose.compose(written).cells}) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('# %% tags=["exercise"]\n1\n', "no solution lines"),
        ('# %% tags=["exercise"]\n# BEGIN SOLUTION\n1\n# END SOLUTION\n', "lacks a solution"),
        ('# %% [markdown] tags=["hint"]\n# Think.\n', "no exercise before"),
        ('# %% tags=["try"]\n1\n', "begin this cell"),
        ("# %% [markdown]\n# ![](figures/nowhere.svg)\n", "nowhere is not drawn"),
    ],
)
def test_source_that_breaks_the_rules_is_refused(written, text, message):
    written.write_text(text)
    with pytest.raises(BuildError, match=message):
        compose.compose(written)
