"""Build the chapters: notebooks/source/NN_name.py -> notebooks/NN_name.ipynb, with outputs.

    python -m notebooks.build            all chapters, and the listening lab, executed
    python -m notebooks.build 00 01      these chapters
    python -m notebooks.build listening_lab    that page alone
    python -m notebooks.build --check    compare the notebooks with their sources, write nothing
    python -m notebooks.build --solved   exercises filled in, into build/solved

notebooks/compose.py says what the tags of a source mean. Outputs are those of the built-in clips,
whatever EFFIFUSION_VBD says, so that what is committed holds no sound of the corpus.
"""

import argparse
import os
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode

from effifusion_lite.listening.corpus import VARIABLE
from notebooks.compose import METADATA, BuildError, compose
from notebooks.costs import Clock, replace

NOTEBOOKS = Path(__file__).resolve().parent
SOURCES = NOTEBOOKS / "source"
SOLVED = NOTEBOOKS.parent / "build" / "solved"
CELL_TIMEOUT = 300  # seconds
SIZE_LIMIT = 2_000_000  # bytes of a finished notebook
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

_COLOUR_CODES = re.compile(r"\x1b\[[0-9;]*m")


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


def execute(
    notebook: NotebookNode, corpus: Path | None = None, clock: Clock | None = None
) -> NotebookNode:
    """Run a notebook from top to bottom in place, and keep only outputs that a page can show.

    Args:
        notebook: of `compose`.
        corpus: a prepared VoiceBank+DEMAND from which the chapter takes its clips; None means the
            built-in clips, whatever EFFIFUSION_VBD says.
        clock: measures the cells.

    Raises:
        BuildError: a cell fails or takes longer than CELL_TIMEOUT seconds.
    """
    clock = clock or Clock()
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(NOTEBOOKS)}},
        on_cell_execute=clock.start,
        on_cell_executed=lambda cell, **_: clock.stop(cell, client.km.provisioner.pid),
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
        parts = ("id", "cell_type", "source", "metadata")
        return [[cell.get(part) for part in parts] for cell in notebook.cells]

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
    clock = Clock()
    if not options.no_execute:
        execute(notebook, clock=clock)
    write(notebook, target)
    if clock.seconds and target.parent == NOTEBOOKS:
        replace(source.stem, clock.costs(source.stem))
    print(f"{target}: {len(notebook.cells)} cells, {target.stat().st_size / 1000:.0f} kB")
    return True


def _is(path: Path, chapter: str) -> bool:
    return path.stem == chapter or path.stem.split("_")[0] == chapter


def _static(output: NotebookNode) -> NotebookNode | None:
    """Drop the view of a live widget; what stands beside it in the same output stays."""
    if WIDGET_VIEW not in output.get("data", {}):
        return output
    del output["data"][WIDGET_VIEW]
    return output if "text/html" in output["data"] else None


if __name__ == "__main__":
    sys.exit(main())
