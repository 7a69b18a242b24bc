"""Make a notebook of a chapter's source: exercises blanked, answers folded, figures taken in.

A source is a Python file in jupytext's percent format. Tags give cells a meaning:

    frame      code; folded, still there to open: plots, players, tables
    guess      code; its outcome is folded, since the text above asks for a guess
    try        code; the answer to the Try-it above it, folded with its outcome
    exercise   code; the lines from `# BEGIN SOLUTION` to `# END SOLUTION` become a stub; where
               lines from `# BEGIN BUG` to `# END BUG` stand before them, these are shown instead
    hint       markdown; becomes a collapsed hint, numbered from the exercise on
    solution   markdown; becomes a collapsed text that ends with the code of the exercise before it
    answer     markdown; becomes a collapsed text, the answer to an open question
    quiz       code that calls `quiz(...)`; becomes markdown, its answers in an order of chance, so
               that neither the code nor the place tells which is right

A drawn figure stands in the source as `![](figures/NAME.svg)`, beside the notebooks. Its text is
ALT["NAME"] of the script that draws it, one of those in the folder figures/ of the project.
"""

import ast
import hashlib
import re
import runpy
from dataclasses import replace
from functools import cache
from pathlib import Path

import jupytext
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from effifusion_lite.lesson.quiz import Quiz

FIGURES = Path(__file__).resolve().parent / "figures"
SCRIPTS = FIGURES.parents[1] / "figures"
STUB = "...  # your code here"
TRY = "# Answer: "
# What JupyterLab shows of a folded cell, or of a folded outcome, is its first line.
CLOSED = "# One answer: open this cell.\n"
OUTCOME = 'print("What came out:")\n'
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
}
# What of a cell is folded, by its tag: in JupyterLab by metadata, in Sphinx by a tag of its own.
FOLDED = {"frame": {"source"}, "guess": {"outputs"}, "try": {"source", "outputs"}}
HIDE = {("source",): "hide-input", ("outputs",): "hide-output", ("outputs", "source"): "hide-cell"}

_SOLUTION = re.compile(
    r"^(?P<indent>[ \t]*)# BEGIN SOLUTION\n(?P<body>.*?)^[ \t]*# END SOLUTION[ \t]*$",
    re.DOTALL | re.MULTILINE,
)
_BUG = re.compile(r"^[ \t]*# BEGIN BUG\n(?P<body>.*?)^[ \t]*# END BUG[ \t]*\n", re.DOTALL | re.M)
_FIGURE = re.compile(r"!\[\]\(figures/(?P<name>\w+)\.svg\)")


class BuildError(ValueError):
    """A source that does not follow the rules, or a notebook that does not run."""


def compose(source: Path, solved: bool = False) -> NotebookNode:
    """Make the notebook of one source, without outputs.

    Args:
        source: the chapter in percent format.
        solved: keep the solutions in the exercise cells instead of stubs.

    Returns:
        The notebook, with cell ids that depend on nothing but the text.

    Raises:
        BuildError: an exercise without solution lines or without a `solution` cell, a `solution` or
            `hint` cell that follows no exercise, a `try` cell that does not say what it answers, or
            a figure that is missing or has no text.
    """
    exercise, hints, cells = None, 0, []
    for cell in jupytext.read(source, fmt="py:percent").cells:
        tags, text = cell.metadata.get("tags", []), _with_texts(cell.source, source)
        if "exercise" in tags:
            if exercise is not None:
                raise BuildError(f"{source.name}: this exercise lacks a solution cell:\n{exercise}")
            exercise, hints = text, 0
            if not _SOLUTION.search(exercise):
                raise BuildError(f"{source.name}: no solution lines in this exercise:\n{exercise}")
            cells.append(_code(fill(exercise) if solved else blank(exercise), tags))
        elif "hint" in tags or "solution" in tags:
            if exercise is None:
                raise BuildError(f"{source.name}: no exercise before this cell:\n{text}")
            if "hint" in tags:
                hints += 1
                cells.append(_markdown(fold(f"Hint {hints}", text), tags))
            else:
                text = f"{text}\n\n```python\n{fill(exercise)}\n```"
                cells.append(_markdown(fold("Solution", text), tags))
                exercise = None
        elif "answer" in tags:
            cells.append(_markdown(fold("One answer", text), tags))
        elif "quiz" in tags:
            cells.append(
                _markdown("\n\n".join(shuffled(quiz).html for quiz in quizzes(text)), tags)
            )
        elif cell.cell_type == "code":
            if "try" in tags and not text.startswith(TRY):
                raise BuildError(f"{source.name}: begin this cell with `{TRY}...`:\n{text}")
            first = CLOSED if "try" in tags else OUTCOME if tags == ["guess"] else ""
            cells.append(_code(first + text, tags))
        else:
            cells.append(_markdown(text, tags))
    if exercise is not None:
        raise BuildError(f"{source.name}: this exercise lacks a solution cell:\n{exercise}")
    notebook = new_notebook(cells=cells, metadata=METADATA)
    _number(notebook)
    return notebook


def blank(source: str) -> str:
    """Replace the solution lines of an exercise by a stub, or by the code that holds a bug."""
    bug = _BUG.search(source)
    if bug is None:
        return _SOLUTION.sub(lambda match: f"{match['indent']}{STUB}", source)
    return _SOLUTION.sub("", _BUG.sub(bug["body"], source)).rstrip()


def fill(source: str) -> str:
    """Keep the solution lines of an exercise and drop their markers, and the bug."""
    return _SOLUTION.sub(lambda match: match["body"].rstrip("\n"), _BUG.sub("", source))


def metadata(tags: list[str]) -> dict:
    """What a code cell with these tags carries, so that JupyterLab and Sphinx fold it."""
    folded = set().union(*(FOLDED.get(tag, set()) for tag in tags))
    if not folded:
        return {"tags": tags} if tags else {}
    return {
        "tags": [*tags, HIDE[tuple(sorted(folded))]],
        "jupyter": {f"{part}_hidden": True for part in sorted(folded)},
    }


def fold(title: str, text: str) -> str:
    """Put markdown out of sight: opened by a click or a key, also on static pages."""
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"


def quizzes(source: str) -> list[Quiz]:
    """Run the code of a `quiz` cell and return its questions."""
    names: dict = {}
    found = []
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Expr):
            found.append(eval(ast.unparse(statement), names))
        else:
            exec(ast.unparse(statement), names)
    return found


def shuffled(quiz: Quiz) -> Quiz:
    """Put the answers in an order of chance that depends on nothing but the text."""

    def chance(answer: str) -> bytes:
        return hashlib.sha256(f"{quiz.question}\n{answer}".encode()).digest()

    return replace(
        quiz, answers={text: quiz.answers[text] for text in sorted(quiz.answers, key=chance)}
    )


@cache
def texts_of_figures() -> dict[str, str]:
    """Name -> alternative text of all drawn figures."""
    texts: dict[str, str] = {}
    for script in sorted(SCRIPTS.glob("*.py")):
        texts |= runpy.run_path(str(script)).get("ALT", {})
    return texts


def _with_texts(markdown: str, source: Path) -> str:
    def image(match: re.Match) -> str:
        name = match["name"]
        if not (FIGURES / f"{name}.svg").is_file() or name not in texts_of_figures():
            raise BuildError(f"{source.name}: {name} is not drawn, or lacks its text")
        return f"![{texts_of_figures()[name]}](figures/{name}.svg)"

    return _FIGURE.sub(image, markdown)


def _code(source: str, tags: list[str]) -> NotebookNode:
    return new_code_cell(source, metadata=metadata(tags))


def _markdown(source: str, tags: list[str]) -> NotebookNode:
    return new_markdown_cell(source, metadata={"tags": tags} if tags else {})


def _number(notebook: NotebookNode) -> None:
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
