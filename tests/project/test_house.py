"""The house: what a chapter builds stands at the root of the package, its machinery in a room."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "effifusion_lite"
STORY = {  # a chapter builds each of these
    "spectral", "convolution", "cost", "attention", "generator", "weights", "losses",
    "discriminator", "plotting",
}  # fmt: skip

# What each room and each story module imports of the others. A new arrow is a decision: it is
# written here, and must not run in a circle.
ARROWS: dict[str, set[str]] = {
    "attention": {"convolution"},
    "audio": set(),
    "command_line": {
        "audio",
        "convolution",
        "cost",
        "cpu",
        "data",
        "enhancement",
        "evaluation",
        "generator",
        "listening",
        "pruning",
        "training",
        "weights",
    },
    "convolution": {"cpu"},
    "cost": {"audio"},
    "cpu": set(),
    "data": {"audio", "listening", "settings"},
    "discriminator": set(),
    "enhancement": {"attention", "audio", "convolution", "cpu", "generator", "spectral", "weights"},
    "evaluation": {"audio", "cpu", "metrics", "spectral"},
    "generator": {"attention", "convolution", "pruning", "settings", "spectral"},
    "lesson": {
        "attention",
        "audio",
        "evaluation",
        "listening",
        "pruning",
        "spectral",
        "training",
    },
    "listening": {
        "attention",
        "audio",
        "cost",
        "enhancement",
        "evaluation",
        "generator",
        "losses",
        "metrics",
        "plotting",
        "pruning",
        "spectral",
        "weights",
    },
    "losses": {"settings", "spectral"},
    "metrics": {"audio"},
    "plotting": set(),
    "pretrained": set(),
    "pruning": {"attention", "convolution", "generator"},
    "settings": set(),
    "spectral": {"settings"},
    "training": {
        "audio",
        "data",
        "discriminator",
        "enhancement",
        "generator",
        "losses",
        "metrics",
        "pruning",
        "settings",
        "spectral",
        "weights",
    },
    "weights": {"audio", "generator"},
}

# A pruned model is built narrow: the only import that runs back up, inside a function.
BACK = ("generator", "pruning")


def rooms() -> list[str]:
    here = [path for path in PACKAGE.iterdir() if not path.name.startswith("__")]
    return sorted(path.stem for path in here if path.is_dir() or path.suffix == ".py")


def arrows() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {room: set() for room in rooms()}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if room in found and isinstance(node, ast.ImportFrom):
                names = _imported(node)
                found[room] |= (names & found.keys()) - {room}
    return found


def _imported(node: ast.ImportFrom) -> set[str]:
    package, _, inside = (node.module or "").partition(".")
    if package != PACKAGE.name:
        return set()
    return {inside.partition(".")[0]} if inside else {alias.name for alias in node.names}


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_the_root_shows_what_the_chapters_build_and_their_rooms():
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert modules == STORY
    assert len(rooms()) <= 22


def test_files_stay_short():
    assert sum(lines(PACKAGE / f"{name}.py") for name in STORY) <= 2500
    long = {path.name: lines(path) for path in PACKAGE.rglob("*.py") if lines(path) > 350}
    assert not long


def test_imports_between_rooms_are_those_that_were_decided():
    assert arrows() == ARROWS


def test_imports_run_one_way():
    graph = arrows()
    above, below = BACK
    assert below in graph[above]
    graph[above].discard(below)
    TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize("room", rooms())
def test_the_map_names_each_room(room):
    assert f"``{room}``" in ast.get_docstring(ast.parse((PACKAGE / "__init__.py").read_text()))
