"""`effifusion evaluate`.

Chapter: 10 Out of the notebook.
"""

import argparse
from collections import Counter
from pathlib import Path

from effifusion_lite.commands.common import positive, report


def add_evaluate(commands) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="score noisy and enhanced recordings against clean ones",
        description="Score noisy and enhanced recordings against clean ones, at 16 kHz: PESQ, "
        "STOI, SI-SDR, segmental SNR, means with standard errors.",
    )
    parser.add_argument("clean", type=Path, metavar="CLEAN", help="folder (or file)")
    parser.add_argument("noisy", type=Path, metavar="NOISY", help="folder of equal file names")
    system = parser.add_mutually_exclusive_group()
    system.add_argument("--weights", metavar="W", help="enhance with these: name or path")
    system.add_argument("--enhanced", type=Path, metavar="DIR", help="folder of enhanced files")
    system.add_argument("--baseline", choices=["wiener"], help="enhance without a network")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--limit", type=positive, metavar="N", help="the first N files only")
    choice.add_argument("--list", type=Path, metavar="FILE", help="file names, one a line")
    parser.add_argument("--json", type=Path, metavar="F", help="write means and scores")
    parser.add_argument("--csv", type=Path, metavar="F", help="write the scores of each file")
    parser.add_argument("--processes", type=positive, metavar="N", help="default: all cores")
    parser.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from effifusion_lite.evaluation import evaluate, find_pairs
    from effifusion_lite.files import write_atomically

    names = None
    if options.list is not None:
        lines = options.list.read_text(encoding="utf-8").splitlines()
        names = [line.strip() for line in lines if line.strip()]
    pairs = find_pairs(options.clean, options.noisy, options.enhanced, names, options.limit)
    evaluation = evaluate(pairs, _enhancer(options), options.processes)
    print(evaluation.table())
    if options.json is not None:
        write_atomically(options.json, evaluation.to_json().encode())
    if options.csv is not None:
        write_atomically(options.csv, evaluation.to_csv().encode())
    for reason, count in Counter(evaluation.missing_scores()).items():
        report(f"{count} of {len(pairs)} files without {reason}")
    errors = [file.error for file in evaluation.files if file.error]
    for error in errors:
        report(error)
    return 1 if errors else 0


def _enhancer(options: argparse.Namespace):
    if options.baseline == "wiener":
        from effifusion_lite.wiener import wiener_filter

        return wiener_filter
    if options.weights is None:
        return None
    from effifusion_lite.audio import SAMPLE_RATE
    from effifusion_lite.enhancement import enhance
    from effifusion_lite.weights import load

    model = load(options.weights)
    return lambda waveform: enhance(waveform, SAMPLE_RATE, model)
