"""Build the chapters: notebooks/source/NN_name.py -> notebooks/NN_name.ipynb, with outputs.

    python -m notebooks.build            all chapters, and the listening lab, executed
    python -m notebooks.build 00 01      these chapters
    python -m notebooks.build listening_lab    that page alone
    python -m notebooks.build --check    compare the notebooks with their sources, write nothing
    python -m notebooks.build --solved   exercises filled in, into build/solved

A source is a Python file in jupytext's percent format. Tags give cells a meaning:

    exercise   code; the lines from `# BEGIN SOLUTION` to `# END SOLUTION` become a stub
    hint       markdown; becomes a collapsed hint, numbered from the exercise on
    solution   markdown; becomes a collapsed text that ends with the code of the exercise before it
    quiz       code that calls `quiz(...)`; becomes markdown, so that no answer stands in the open

Everything else is kept as it is. Outputs are those of the built-in clips, whatever EFFIFUSION_VBD
says, so that what is committed holds no sound of the corpus.
"""

import argparse
import ast
import hashlib
import os
import re
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from effifusion_lite.listening.corpus import VARIABLE

NOTEBOOKS = Path(__file__).resolve().parent
SOURCES = NOTEBOOKS / "source"
SOLVED = NOTEBOOKS.parent / "build" / "solved"
CELL_TIMEOUT = 300  # seconds
SIZE_LIMIT = 2_000_000  # bytes of a finished notebook
STUB = "...  # your code here"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
}

_SOLUTION = re.compile(
    r"^(?P<indent>[ \t]*)# BEGIN SOLUTION\n(?P<body>.*?)^[ \t]*# END SOLUTION[ \t]*$",
    re.DOTALL | re.MULTILINE,
)
_COLOUR_CODES = re.compile(r"\x1b\[[0-9;]*m")


class BuildError(ValueError):
    """A source that does not follow the rules, or a notebook that does not run."""


def sources(chapters: list[str]) -> list[Path]:
    """List the sources of the chapters asked for ("01", or a whole name), or all sources.

    Raises:
        BuildError: a chapter has no source.
    """
    every = sorted(SOURCES.glob("*.py"))
    unknown = [chapter for chapter in chapters if not any(_is(path, chapter) for path in every)]
    if unknown:
        raise BuildError(f"no source in {SOURCES} for chapter {', '.join(unknown)}")
    return [path for path in every if not chapters or any(_is(path, name) for name in chapters)]


def compose(source: Path, solved: bool = False) -> NotebookNode:
    """Make the notebook of one source, without outputs.

    Args:
        source: the chapter in percent format.
        solved: keep the solutions in the exercise cells instead of stubs.

    Returns:
        The notebook, with cell ids that depend on nothing but the text.

    Raises:
        BuildError: an exercise without solution lines or without a `solution` cell, or a
            `solution` or `hint` cell that follows no exercise.
    """
    exercise, hints, cells = None, 0, []
    for cell in jupytext.read(source, fmt="py:percent").cells:
        tags = cell.metadata.get("tags", [])
        if "exercise" in tags:
            if exercise is not None:
                raise BuildError(f"{source.name}: this exercise lacks a solution cell:\n{exercise}")
            exercise, hints = cell.source, 0
            if not _SOLUTION.search(exercise):
                raise BuildError(f"{source.name}: no solution lines in this exercise:\n{exercise}")
            cells.append(_code(fill(exercise) if solved else blank(exercise), tags))
        elif "hint" in tags or "solution" in tags:
            if exercise is None:
                raise BuildError(f"{source.name}: no exercise before this cell:\n{cell.source}")
            if "hint" in tags:
                hints += 1
                cells.append(_markdown(fold(f"Hint {hints}", cell.source), tags))
            else:
                text = f"{cell.source}\n\n```python\n{fill(exercise)}\n```"
                cells.append(_markdown(fold("Solution", text), tags))
                exercise = None
        elif "quiz" in tags:
            cells.append(_markdown(_quiz_html(cell.source), tags))
        elif cell.cell_type == "code":
            cells.append(_code(cell.source, tags))
        else:
            cells.append(_markdown(cell.source, tags))
    if exercise is not None:
        raise BuildError(f"{source.name}: this exercise lacks a solution cell:\n{exercise}")
    notebook = new_notebook(cells=cells, metadata=METADATA)
    _number(notebook)
    return notebook


def blank(source: str) -> str:
    """Replace the solution lines of an exercise by a stub."""
    return _SOLUTION.sub(lambda match: f"{match['indent']}{STUB}", source)


def fill(source: str) -> str:
    """Keep the solution lines of an exercise and drop their markers."""
    return _SOLUTION.sub(lambda match: match["body"].rstrip("\n"), source)


def fold(title: str, text: str) -> str:
    """Put markdown out of sight: opened by a click or a key, also on static pages."""
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"


def execute(notebook: NotebookNode, corpus: Path | None = None) -> NotebookNode:
    """Run a notebook from top to bottom in place, and keep only outputs that a page can show.

    Args:
        notebook: of `compose`.
        corpus: a prepared VoiceBank+DEMAND from which the chapter takes its clips; None means the
            built-in clips, whatever EFFIFUSION_VBD says.

    Raises:
        BuildError: a cell fails or takes longer than CELL_TIMEOUT seconds.
    """
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    )
    try:
        clips = str(corpus) if corpus else ""
        client.execute(env={**os.environ, "PYTHONHASHSEED": "0", VARIABLE: clips})
    except (CellExecutionError, CellTimeoutError) as error:
        raise BuildError(_COLOUR_CODES.sub("", str(error))) from error
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.metadata.pop("execution", None)
            cell.outputs = [output for output in map(_static, cell.outputs) if output]
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def difference(committed: NotebookNode, built: NotebookNode) -> str:
    """Say in one line where two notebooks differ in their cells, outputs aside; "" if nowhere."""

    def texts(notebook):
        return [(cell.id, cell.cell_type, cell.source) for cell in notebook.cells]

    old, new = texts(committed), texts(built)
    if len(old) != len(new):
        return f"{len(old)} cells in the notebook, {len(new)} in the source"
    changed = [
        number for number, pair in enumerate(zip(old, new, strict=True)) if pair[0] != pair[1]
    ]
    return f"cells {changed} differ from the source" if changed else ""


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook if it is small enough.

    Raises:
        BuildError: it is larger than SIZE_LIMIT.
    """
    text = nbformat.writes(notebook) + "\n"
    if len(text.encode()) > SIZE_LIMIT:
        raise BuildError(f"{path.name} has {len(text.encode())} bytes, the limit is {SIZE_LIMIT}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Build or check the chapters named on the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m notebooks.build", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("chapters", nargs="*", metavar="NN", help="chapters; all if none is named")
    parser.add_argument("--no-execute", action="store_true", help="write without running")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    parser.add_argument("--solved", action="store_true", help="fill the exercises in")
    parser.add_argument("--out", type=Path, help="folder to write to")
    options = parser.parse_args(arguments)
    folder = options.out or (SOLVED if options.solved else NOTEBOOKS)
    try:
        stale = [
            path.stem for path in sources(options.chapters) if not _build(path, folder, options)
        ]
    except BuildError as error:
        print(f"build: {error}", file=sys.stderr)
        return 1
    if stale:
        print(f"build: run `python -m notebooks.build {' '.join(stale)}`", file=sys.stderr)
    return 1 if stale else 0


def _build(source: Path, folder: Path, options: argparse.Namespace) -> bool:
    target = folder / f"{source.stem}.ipynb"
    notebook = compose(source, options.solved)
    if options.check:
        if not target.exists():
            print(f"{target}: missing")
            return False
        problem = difference(nbformat.read(target, as_version=4), notebook)
        print(f"{target}: {problem or 'as its source'}")
        return not problem
    if not options.no_execute:
        execute(notebook)
    write(notebook, target)
    print(f"{target}: {len(notebook.cells)} cells, {target.stat().st_size / 1000:.0f} kB")
    return True


def _is(path: Path, chapter: str) -> bool:
    return path.stem == chapter or path.stem.split("_")[0] == chapter


def _code(source: str, tags: list[str]) -> NotebookNode:
    return new_code_cell(source, metadata={"tags": tags} if tags else {})


def _markdown(source: str, tags: list[str]) -> NotebookNode:
    return new_markdown_cell(source, metadata={"tags": tags} if tags else {})


def _number(notebook: NotebookNode) -> None:
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def _quiz_html(source: str) -> str:
    names: dict = {}
    pages = []
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Expr):
            pages.append(eval(ast.unparse(statement), names).html)
        else:
            exec(ast.unparse(statement), names)
    return "\n\n".join(pages)


def _static(output: NotebookNode) -> NotebookNode | None:
    """Drop the view of a live widget; what stands beside it in the same output stays."""
    if WIDGET_VIEW not in output.get("data", {}):
        return output
    del output["data"][WIDGET_VIEW]
    return output if "text/html" in output["data"] else None


if __name__ == "__main__":
    sys.exit(main())
