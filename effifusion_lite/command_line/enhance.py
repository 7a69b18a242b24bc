"""`effifusion enhance`.

Chapter: 10 Out of the notebook.
"""

import argparse
import sys
from contextlib import closing
from pathlib import Path

from effifusion_lite.command_line.common import positive, report, share


def add_enhance(commands) -> None:
    parser = commands.add_parser(
        "enhance",
        help="take the noise out of recordings",
        description="Take the noise out of recordings. The output keeps the file's name, sample "
        "rate, channels, length and sample type; tags are lost, and so is, at full strength, what "
        "lies above 8 kHz. "
        "Of folders all sound files are taken, and their sub-folders are kept. Files that are "
        "enhanced already, with the same weights and strength, are skipped, so a stopped command "
        "goes on when it is given again.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recordings, folders")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", required=True, help="folder")
    parser.add_argument("--weights", default="lite", metavar="NAME|PATH", help="default: lite")
    parser.add_argument(
        "--strength",
        type=share,
        default=1,
        metavar="S",
        help="0 to 1, default: 1; the output is S times the enhanced plus 1 - S times the original",
    )
    parser.add_argument("--backend", choices=["torch", "onnx"], help="what runs the model")
    parser.add_argument(
        "--jobs", type=positive, metavar="N", help="files at once; default: all cores"
    )
    parser.add_argument("--overwrite", action="store_true", help="enhance again what is there")
    parser.set_defaults(run=_enhance)


def _enhance(options: argparse.Namespace) -> int:
    from tqdm.auto import tqdm

    from effifusion_lite.cpu.threads import cores
    from effifusion_lite.enhancement.batch import (
        Made,
        enhance_all,
        is_done,
        plan,
        sigterm_as_ctrl_c,
    )

    options.output.mkdir(parents=True, exist_ok=True)
    jobs, errors = plan(options.files, options.output)
    for error in errors:
        report(error)
    made = Made(options.output, _settings(options))
    left = jobs if options.overwrite else [job for job in jobs if not is_done(job, made)]
    if len(left) < len(jobs):
        report(
            f"{len(jobs) - len(left)} of {len(jobs)} files are enhanced already and skipped: "
            "--overwrite enhances them again"
        )
    failed = len(errors)
    processes = options.jobs or cores()
    outcomes = enhance_all(left, options.weights, processes, options.backend, options.strength)
    bar = tqdm(total=len(left), unit="file", disable=len(left) < 2)
    with sigterm_as_ctrl_c(), bar, closing(outcomes):
        for outcome in outcomes:
            with tqdm.external_write_mode(file=sys.stderr):
                for warning in outcome.warnings:
                    report(f"warning: {warning}")
                if outcome.error is not None:
                    report(outcome.error)
                    failed += 1
                else:
                    made.add(outcome.job)
            bar.update()
    return 1 if failed else 0


def _settings(options: argparse.Namespace) -> dict[str, str | float]:
    """What decides an output beside its source."""
    import hashlib

    from effifusion_lite import __version__
    from effifusion_lite.weights import find

    weights = hashlib.sha256(find(options.weights).read_bytes()).hexdigest()
    return {"weights": weights, "version": __version__, "strength": options.strength}
