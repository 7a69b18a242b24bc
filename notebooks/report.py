"""What each chapter costs its reader, and where it is too much.

    python -m notebooks.report           the table of all chapters
    python -m notebooks.report --write   put it into notebooks/README.md

Lines and cells are those of the source that are not folded; exercises stand apart. Seconds and
memory are those of the last build.
"""

import argparse
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import nbformat

from notebooks import build, costs
from notebooks.compose import BuildError, compose, quizzes
from notebooks.rules import frame_lines, lines, source_cells

README = build.NOTEBOOKS / "README.md"
START, END = "<!-- report -->\n", "<!-- end of report -->\n"
PLAYERS = ("row(", "slider(", "abx(", "thread(")
WORDS_A_MINUTE = 200
SECONDS_A_LINE = 10  # of code that is read

# The largest value that a chapter may have.
LIMITS = {
    "longest cell (lines)": 15,
    "median cell (lines)": 6,
    "frame (%)": 25,
    "code cells": 40,
    "reading (min)": 75,
    "time (s)": 180,
    "memory (MB)": 3000,
    "size (kB)": build.SIZE_LIMIT // 1000,
}
LONGER = {("07", "time (s)"): 240, ("08", "time (s)"): 480}


@dataclass(frozen=True)
class Report:
    """One chapter: its name and its values, by the name of each."""

    chapter: str
    values: dict[str, int | str]

    def excesses(self) -> list[str]:
        """Say which limits the chapter exceeds; [] where it keeps its budget."""
        number = self.chapter.split("_")[0]
        found = []
        for name, limit in LIMITS.items():
            allowed, value = LONGER.get((number, name), limit), self.values[name]
            if isinstance(value, int) and value > allowed:
                found.append(f"{self.chapter}: {name} {value}, at most {allowed}")
        return found


def report(source: Path) -> Report:
    """Read one chapter: its source, its notebook and what it cost to build."""
    cells = source_cells(source)
    notebook = compose(source)
    by_tag = Counter(tag for cell in notebook.cells for tag in cell.metadata.get("tags", []))
    prose = "\n".join(c.source for c in cells if c.cell_type == "markdown" and not c.tags)
    code = [c.source for c in cells if c.cell_type == "code" and c.tags in ([], ["guess"])]
    long = [len(lines(text)) for text in code]
    every = "\n".join(c.source for c in cells if c.cell_type == "code")
    reading = len(prose.split()) / WORDS_A_MINUTE + sum(long) * SECONDS_A_LINE / 60
    bugs = sum("# BEGIN BUG" in c.source for c in cells if "exercise" in c.tags)
    opened = len(re.findall(r"^### Exercise \d · Open", prose, re.MULTILINE))
    spent = [cost for cost in costs.read() if cost.chapter == source.stem]
    whole = next((cost for cost in spent if cost.cell == "all"), None)
    slow = sorted((round(cost.seconds) for cost in spent if cost.cell != "all"), reverse=True)
    target = build.NOTEBOOKS / f"{source.stem}.ipynb"
    built = nbformat.read(target, as_version=4) if target.exists() else notebook
    texts = [str(o.get("data", "")) for c in built.cells for o in c.get("outputs", [])]
    return Report(
        source.stem,
        {
            "words": len(prose.split()),
            "reading (min)": round(reading),
            "code cells": len(code),
            "folded": by_tag["frame"] + by_tag["try"],
            "lines": sum(long),
            "longest cell (lines)": max(long),
            "median cell (lines)": round(median(long)),
            "frame (%)": round(100 * sum(map(frame_lines, code)) / sum(long)),
            "figures": sum("<img" in text for text in texts),
            "drawings": sum(cell.source.count("](figures/") for cell in notebook.cells),
            "widgets": sum("This page has no kernel" in text for text in texts),
            "players": sum(every.count(call) for call in PLAYERS),
            "Try-its, guesses": f"{by_tag['try']}, {by_tag['guess']}",
            "to write, bug hunts, open": f"{by_tag['exercise'] - bugs}, {bugs}, {opened}",
            "folded answers": by_tag["answer"],
            "quiz": sum(len(quizzes(c.source)) for c in cells if "quiz" in c.tags),
            "claims": every.count("Claim(\n"),
            "not shown": len(re.findall(r"[Nn]ot shown", every)),
            "time (s)": round(whole.seconds) if whole else "not built",
            "cells over 5 s": ", ".join(map(str, slow)) or "none",
            "memory (MB)": (whole and whole.memory_mb) or "not known",
            "size (kB)": target.stat().st_size // 1000 if target.exists() else "not built",
        },
    )


def table(reports: list[Report]) -> str:
    """Set chapters side by side, a value a line, with its limit."""
    heads = ["", *(found.chapter.split("_")[0] for found in reports), "at most"]
    rows = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    for name in reports[0].values:
        rows.append([name, *(str(r.values[name]) for r in reports), str(LIMITS.get(name, ""))])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def chapters() -> list[Path]:
    """The sources that are chapters: the listening lab has nothing to solve and no budget."""
    return [source for source in build.sources([]) if source.stem[:2].isdigit()]


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or write it; the status is 1 where a chapter exceeds its budget."""
    parser = argparse.ArgumentParser(prog="python -m notebooks.report", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    options = parser.parse_args(arguments)
    try:
        reports = [report(source) for source in chapters()]
    except BuildError as error:
        print(f"report: {error}", file=sys.stderr)
        return 1
    print(table(reports), end="")
    if options.write:
        text = README.read_text(encoding="utf-8")
        before, after = text.split(START)[0], text.split(END)[1]
        README.write_text(f"{before}{START}{table(reports)}{END}{after}", encoding="utf-8")
    excesses = [text for found in reports for text in found.excesses()]
    print(*excesses, sep="\n")
    return 1 if excesses else 0


if __name__ == "__main__":
    sys.exit(main())
