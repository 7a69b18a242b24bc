"""Each exercise of each chapter: its check refuses what the reader finds and takes the solution."""

import ast
import importlib
import re

import pytest

from effifusion_lite.lesson.checks.report import CheckFailed
from notebooks.compose import blank, fill
from notebooks.report import chapters
from notebooks.rules import sections, source_cells


def _exercises():
    """Chapter, name of the reader's function, its cell, and the imports above section 1."""
    for source in chapters():
        head = "\n".join(cell.source for cell in sections(source)[0].cells)
        imports = [n for n in ast.parse(head).body if isinstance(n, ast.Import | ast.ImportFrom)]
        for cell in source_cells(source):
            if "exercise" in cell.tags:
                name = re.findall(r"^(?:def|class) (\w+)", fill(cell.source), re.MULTILINE)[-1]
                yield pytest.param(
                    source, name, cell.source, imports, id=f"{source.stem[:2]}-{name}"
                )


def _checked(source, name, code, imports, **options):
    """Run the reader's cell and hand it to the check that the chapter calls with it."""
    calls = "\n".join(cell.source for cell in source_cells(source))
    room, check = re.search(rf"(chapter\d\d)\.(check_\w+)\({name}\b", calls).groups()
    module = importlib.import_module(f"effifusion_lite.lesson.checks.{room}")
    names: dict = {}
    exec(compile(ast.Module(imports, []), source.name, "exec"), names)
    exec(code, names)
    return getattr(module, check)(names[name], **options)


exercises = pytest.mark.parametrize(("source", "name", "code", "imports"), [*_exercises()])


@exercises
def test_solution_passes(source, name, code, imports, capsys):
    assert _checked(source, name, fill(code), imports, strict=True) is True
    assert "checks passed" in capsys.readouterr().out


@exercises
def test_what_the_reader_finds_does_not_pass(source, name, code, imports, capsys):
    assert _checked(source, name, blank(code), imports) is False
    said = capsys.readouterr().out
    assert "not yet" in said
    assert ("BEGIN BUG" in code) != ("put your code where the three dots stand" in said)
    with pytest.raises(CheckFailed):
        _checked(source, name, blank(code), imports, strict=True)


@exercises
def test_a_mistake_is_said_once(source, name, code, imports, capsys):
    nothing = f"def {name}(*arguments): return None"
    assert _checked(source, name, nothing, imports) is False
    assert len(capsys.readouterr().out.splitlines()) == 2
