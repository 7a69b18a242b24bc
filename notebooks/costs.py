"""What the cells of a chapter cost when it was built: seconds of each, and the largest memory.

`notebooks/costs.csv` keeps them, one line a chapter and one for each cell of five seconds and more,
for `notebooks/report.py`. They come from the machine that built the chapter.
"""

import csv
import time
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

FILE = Path(__file__).resolve().parent / "costs.csv"
LONG = 5.0  # seconds: from here on a cell has a line of its own
FIELDS = ("chapter", "cell", "seconds", "memory_mb")  # cell "all" is the chapter


@dataclass(frozen=True)
class Cost:
    """Seconds of a cell (its id) or of a chapter ("all"), and the chapter's memory in MB."""

    chapter: str
    cell: str
    seconds: float
    memory_mb: int | None = None


class Clock:
    """Measures a run of a notebook, from hooks of `nbclient.NotebookClient`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.memory_mb: int | None = None
        self._started = 0.0

    def start(self, cell: NotebookNode, cell_index: int) -> None:
        self._started = time.perf_counter()

    def stop(self, cell: NotebookNode, pid: int) -> None:
        """Take the time of a cell, and the kernel's largest memory where there is a /proc."""
        self.seconds[cell.id] = time.perf_counter() - self._started
        status = Path(f"/proc/{pid}/status")
        if status.exists():
            peak = next(line for line in status.read_text().splitlines() if "VmHWM" in line)
            self.memory_mb = int(peak.split()[1]) // 1000

    def costs(self, chapter: str) -> list[Cost]:
        """The chapter and its long cells."""
        whole = Cost(chapter, "all", sum(self.seconds.values()), self.memory_mb)
        long = [Cost(chapter, cell, s) for cell, s in self.seconds.items() if s >= LONG]
        return [whole, *long]


def read(path: Path = FILE) -> list[Cost]:
    """Read the costs of all chapters; none where nothing was built yet."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as lines:
        return [
            Cost(row["chapter"], row["cell"], float(row["seconds"]), _number(row["memory_mb"]))
            for row in csv.DictReader(lines)
        ]


def replace(chapter: str, costs: list[Cost], path: Path = FILE) -> None:
    """Write the costs of one chapter in place of what was known of it."""
    kept = [cost for cost in read(path) if cost.chapter != chapter]
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(FIELDS)
        for cost in sorted([*kept, *costs], key=lambda cost: cost.chapter):
            writer.writerow([cost.chapter, cost.cell, f"{cost.seconds:.1f}", cost.memory_mb or ""])


def _number(text: str) -> int | None:
    return int(text) if text else None
