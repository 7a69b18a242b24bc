"""What holds for the source of each chapter, read from its code: what a section uses and binds.

A reader starts in the middle, comes back, changes a cell and runs it again. So a section must run
after the cells above section 1 and the definitions of earlier sections, and must not change what
others use.
"""

import ast
import builtins
import re
import symtable
from dataclasses import dataclass, field
from pathlib import Path

import jupytext

from notebooks.compose import fill

_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
BUILT_IN = frozenset(dir(builtins))
# Names whose calls show something and teach nothing about the matter: `plt` of `plt.subplots()`.
_FRAME = frozenset(
    "show row slider abx claim_table thread display image_html plt figure axes axis".split()
)


@dataclass(frozen=True)
class Cell:
    """A cell of a source; an exercise in its solved form comes from `fill`."""

    cell_type: str
    tags: list[str]
    source: str


@dataclass
class Section:
    """Code cells from one heading of the second order to the next; the head has no title."""

    title: str
    cells: list[Cell] = field(default_factory=list)


@dataclass(frozen=True)
class Names:
    """What a piece of code binds, what of it lasts for later sections, and what it needs."""

    bound: frozenset[str]
    lasting: frozenset[str]  # functions, classes, imports, CONSTANTS
    needed: frozenset[str]


def source_cells(source: Path) -> list[Cell]:
    """All cells of a chapter's source."""
    cells = jupytext.read(source, fmt="py:percent").cells
    return [Cell(cell.cell_type, cell.metadata.get("tags", []), cell.source) for cell in cells]


def sections(source: Path) -> list[Section]:
    """Split the source of a chapter; the first section is its head."""
    found = [Section("")]
    for cell in source_cells(source):
        if cell.cell_type == "markdown":
            found += [Section(title) for title in _HEADING.findall(cell.source)]
        elif "quiz" not in cell.tags:
            found[-1].cells.append(cell)
    return found


def names(code: str) -> Names:
    """Read which names a piece of code binds and needs."""
    table = symtable.symtable(code, "chapter", "exec")
    mine = {symbol.get_name(): symbol for symbol in table.get_symbols()}
    bound = {name for name, symbol in mine.items() if symbol.is_assigned() or symbol.is_imported()}
    lasting = {name for name in bound if name.isupper()}
    lasting |= {name for name in bound if mine[name].is_imported() or mine[name].is_namespace()}
    needed = {name for name, symbol in mine.items() if symbol.is_referenced()}
    needed |= {name for inner in table.get_children() for name in _globals(inner)}
    return Names(frozenset(bound), frozenset(lasting), frozenset(needed - bound - BUILT_IN))


def faults(source: Path) -> list[str]:
    """Say where a section cannot run alone, or changes what is not its own.

    Returns:
        One sentence a fault; an empty list where the rules of notebooks/README.md hold.
    """
    head, *rest = sections(source)
    lasting = dict.fromkeys(names(_code(head.cells)).bound, "the head")
    found = []
    for section in rest:
        plain = [cell for cell in section.cells if "try" not in cell.tags]
        own = names(_code(plain))
        bound: set[str] = set()
        for cell in section.cells:
            here = names(fill(cell.source))
            if "try" in cell.tags:
                taken = here.bound & (own.bound | own.needed | lasting.keys())
                found += [f"{section.title}: a Try-it binds {name}" for name in taken]
            if not _gathers(cell.source):
                missing = here.needed - bound - lasting.keys()
                found += [f"{section.title}: needs {name} of elsewhere" for name in missing]
            bound |= here.bound if "try" not in cell.tags else set()
        again = own.bound & lasting.keys()
        found += [f"{section.title}: binds {name} of {lasting[name]} again" for name in again]
        lasting |= dict.fromkeys(own.lasting - lasting.keys(), section.title)
    return sorted(set(found))


def lines(code: str) -> list[str]:
    """The lines of a cell that are read: no blank ones."""
    return [line for line in code.splitlines() if line.strip()]


def frame_lines(code: str) -> int:
    """Count the lines of statements that import, plot or show."""
    return sum(
        sum(bool(line.strip()) for line in code.splitlines()[node.lineno - 1 : node.end_lineno])
        for node in ast.parse(code).body
        if isinstance(node, ast.Import | ast.ImportFrom) or _calls(node) & _FRAME
    )


def _calls(statement: ast.stmt) -> set[str]:
    """First names of what is called in a statement that defines nothing: `plt` of `plt.plot()`."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return set()
    found = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Call):
            function = node.func
            while isinstance(function, ast.Attribute | ast.Subscript):
                function = function.value
            if isinstance(function, ast.Name):
                found.add(function.id)
    return found


def _globals(table: symtable.SymbolTable) -> set[str]:
    """Names that functions, classes and comprehensions take from the notebook."""
    found = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
    return found.union(*map(_globals, table.get_children()))


def _gathers(code: str) -> bool:
    """Whether a cell puts together what the sections found."""
    return "claim_table(" in code or "solved_" in code


def _code(cells: list[Cell]) -> str:
    return "\n".join(fill(cell.source) for cell in cells)
