"""`effifusion benchmark`.

Chapter: 10 Out of the notebook.
"""

import argparse
from pathlib import Path

from effifusion_lite.command_line.common import check_places, positive


def add_benchmark(commands) -> None:
    parser = commands.add_parser(
        "benchmark",
        help="measure speed and memory on this machine",
        description="Measure speed and memory on this machine: medians, with the smallest and the "
        "largest value. Sections: inference, profile, training, layers, pruning, memory, imports; "
        "and, only when they are named, compiled (torch.compile: some minutes), busy (beside other "
        "programs: some minutes) and long (an hour of audio: a quarter of an hour). Let nothing "
        "else run beside it.",
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help="default: all quick ones")
    parser.add_argument("--repeats", type=positive, default=5, metavar="N", help="default: 5")
    parser.add_argument("--json", type=Path, metavar="F", help="write machine and numbers")
    parser.set_defaults(run=_benchmark)


def _benchmark(options: argparse.Namespace) -> int:
    from effifusion_lite.audio import write_atomically
    from effifusion_lite.command_line.benchmarks.report import (
        SECTIONS,
        SLOW,
        machine,
        measure,
        to_json,
    )

    check_places(options.json)
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    sections = options.sections or [name for name in SECTIONS if name not in SLOW]
    rows = []
    for row in measure(sections, options.repeats):
        print(row, flush=True)
        rows.append(row)
    if options.json is not None:
        write_atomically(options.json, to_json(rows).encode())
    return 0
