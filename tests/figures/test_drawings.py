"""The drawn figures: each has a text, is what its script draws, and is readable on a phone."""

import importlib
import re
from pathlib import Path

import pytest

from figures import drawing, map, results
from notebooks.compose import texts_of_figures

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks" / "figures"
CHAPTERS = sorted(path.stem for path in (ROOT / "figures").glob("chapter*.py"))
ON_SHEETS = [path for path in FOLDER.glob("*.svg") if f'viewBox="0 0 {drawing.WIDTH} ' in
             path.read_text(encoding="utf-8")]  # fmt: skip


def test_every_figure_has_a_text_and_every_text_a_figure():
    texts = {*texts_of_figures()} - {*results.ALT}  # those stand on another page
    assert {path.stem for path in FOLDER.glob("*.svg")} == texts


@pytest.mark.parametrize("name", [*CHAPTERS, "map"])
def test_figures_are_what_their_script_draws(name, tmp_path, monkeypatch):
    script = importlib.import_module(f"figures.{name}")
    monkeypatch.setattr(drawing, "FOLDER", tmp_path)
    drawing.write(script.ALT, script.draw)
    for figure in script.ALT:
        drawn, kept = (
            (folder / f"{figure}.svg").read_text(encoding="utf-8") for folder in (tmp_path, FOLDER)
        )
        assert shapes(drawn) == shapes(kept)


def shapes(svg: str) -> list[str]:
    """Letters, lines and fills of a figure, in order; places may move with matplotlib's version."""
    return re.findall(r'href="#(\w+)"|<path (?!id).*?style="(.*?)"', svg)


def test_every_part_is_lit_in_some_chapter_and_built_after_it():
    lit = {part for parts in map.LIT.values() for part in parts}
    assert lit == {*map.BOXES, *map.FRAMES} - {"training"}
    assert map.state("mask", 3, map.LIT[3]) == "later"
    assert map.state("mask", 4, map.LIT[4]) == "lit"
    assert map.state("mask", 5, map.LIT[5]) == "built"


@pytest.mark.parametrize("path", ON_SHEETS, ids=lambda path: path.stem)
def test_sheets_are_small_and_their_texts_are_not(path):
    svg = path.read_text(encoding="utf-8")
    sizes = [100 * float(size) for size in re.findall(r"scale\((\S+) -", svg)]
    assert sizes and min(sizes) >= 11  # pixels on a phone
    assert len(svg) < 45_000
    assert svg.startswith(f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="{drawing.SHOWN}')
