"""`effifusion evaluate`.

Chapter: 10 Out of the notebook.
"""

import argparse
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from effifusion_lite.command_line.common import check_places, describe_error, positive, report


def add_evaluate(commands) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="score noisy and enhanced recordings against clean ones",
        description="Score noisy and enhanced recordings against clean ones, at 16 kHz: PESQ, "
        "STOI, extended STOI, SI-SDR, segmental SNR, CSIG, CBAK and COVL (int16 scaling), means "
        "with standard errors. What --weights or --baseline make of the clean recordings is "
        "scored, too: whatever is missing there was no noise.",
    )
    parser.add_argument("clean", type=Path, metavar="CLEAN", help="folder (or file)")
    parser.add_argument("noisy", type=Path, metavar="NOISY", help="folder of equal file names")
    system = parser.add_mutually_exclusive_group()
    system.add_argument("--weights", metavar="W", help="enhance with these: name or path")
    system.add_argument("--enhanced", type=Path, metavar="DIR", help="folder of enhanced files")
    system.add_argument("--baseline", choices=["wiener"], help="enhance without a network")
    parser.add_argument(
        "--compare",
        metavar="B",
        help="difference from B with its 95%% t interval: weights, `wiener`, `noisy`, a folder of "
        "enhanced files, or the JSON file of an earlier evaluation",
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--limit", type=positive, metavar="N", help="the first N files only")
    choice.add_argument("--list", type=Path, metavar="FILE", help="file names, one a line")
    parser.add_argument(
        "--groups",
        type=Path,
        metavar="F",
        help="means by noise and by SNR, told by F: a CSV file with the columns file, noise and "
        "snr_db, or lines `file noise snr`",
    )
    parser.add_argument("--json", type=Path, metavar="F", help="write means and scores")
    parser.add_argument("--csv", type=Path, metavar="F", help="write the scores of each file")
    parser.add_argument(
        "--figure", type=Path, metavar="F", help="draw means with 95%% intervals: .svg or .png"
    )
    parser.add_argument(
        "--dnsmos",
        action="store_true",
        help="SIG, BAK and OVRL of DNSMOS P.835, too, which knows no clean recording; slow",
    )
    parser.add_argument("--processes", type=positive, metavar="N", help="default: all cores")
    parser.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from effifusion_lite.audio import read_text
    from effifusion_lite.evaluation import (
        compare_with_earlier,
        evaluate,
        find_pairs,
        read_conditions,
        read_evaluation,
    )
    from effifusion_lite.evaluation.figure import check_figure

    other, names, conditions, earlier = options.compare, None, None, None
    enhancer = _enhancer(options)
    if other is not None and enhancer is None and options.enhanced is None:
        raise ValueError("--compare needs --weights, --enhanced or --baseline beside it")
    if other is not None and other.endswith(".json"):
        earlier = read_evaluation(other)
    recordings, compared = _rival(other)
    if options.dnsmos and find_spec("speechmos") is None:
        raise ValueError('--dnsmos needs speechmos: pip install "effifusion-lite[dnsmos]"')
    check_places(options.json, options.csv, options.figure)
    if options.figure is not None:
        check_figure(options.figure)
    if options.list is not None:
        lines = read_text(options.list).splitlines()
        names = [line.strip() for line in lines if line.strip()]
    pairs = find_pairs(
        options.clean, options.noisy, options.enhanced, names, options.limit, recordings
    )
    if options.groups is not None:
        conditions = read_conditions(options.groups, [pair.name for pair in pairs])
    evaluation = evaluate(
        pairs,
        enhancer,
        options.processes,
        compared=compared,
        compared_with=other,
        opinions=options.dnsmos,
    )
    if earlier is not None:
        evaluation = compare_with_earlier(evaluation, earlier, other)
    if conditions is not None:
        evaluation = evaluation.with_conditions(conditions)
    failed = _write(options, evaluation)
    if not all(file.error for file in evaluation.files):  # nothing but dashes otherwise
        print(evaluation.table())
    if conditions is not None and len(conditions) < len(pairs):
        unknown = len(pairs) - len(conditions)
        report(f"{unknown} of {len(pairs)} files are in no group: {options.groups} lacks them")
    if earlier is not None and any(file.compared is None for file in evaluation.files):
        unknown = sum(file.compared is None for file in evaluation.files)
        report(f"{unknown} of {len(pairs)} files are not compared: {other} lacks their scores")
    for reason, count in Counter(evaluation.missing_scores()).items():
        report(f"{count} of {len(pairs)} files without {reason}")
    errors = [file.error for file in evaluation.files if file.error]
    for error in errors:
        report(error)
    return 1 if errors or failed else 0


def _write(options: argparse.Namespace, evaluation) -> bool:
    """Write the results that were asked for, all that can be; did one fail?"""
    from effifusion_lite.audio import write_atomically
    from effifusion_lite.evaluation.figure import draw_figure

    def figure() -> bytes:
        return draw_figure(evaluation, options.figure.suffix[1:].lower())

    failed = False
    for path, content in (
        (options.json, lambda: evaluation.to_json().encode()),
        # A name that is no UTF-8 keeps its bytes.
        (options.csv, lambda: evaluation.to_csv().encode(errors="surrogateescape")),
        (options.figure, figure),
    ):
        if path is not None:
            try:
                write_atomically(path, content())
            except OSError as error:
                report(describe_error(error))
                failed = True
    return failed


def _enhancer(options: argparse.Namespace):
    if options.baseline == "wiener":
        return _wiener()
    return None if options.weights is None else _network(options.weights)


def _rival(other: str | None):
    """Recordings of the system to compare with, or what enhances as it does; both may be None."""
    from effifusion_lite.audio import EXTENSIONS

    if other is None or other == "noisy" or other.endswith(".json"):
        return None, None
    if other == "wiener":
        return None, _wiener()
    if Path(other).is_dir() or Path(other).suffix.lower() in EXTENSIONS:
        return Path(other), None
    return None, _network(other)


def _wiener():
    from effifusion_lite.evaluation import wiener_filter

    return wiener_filter


def _network(weights: str):
    from effifusion_lite.audio import SAMPLE_RATE
    from effifusion_lite.enhancement import enhance
    from effifusion_lite.weights import load

    model = load(weights)
    return lambda waveform: enhance(waveform, SAMPLE_RATE, model)
