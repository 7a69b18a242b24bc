"""The command line: `python -m data_download voicebank-demand` and `sample-class`."""

from __future__ import annotations

import argparse
import errno
import shlex
import sys
from pathlib import Path

from data_download.check import check
from data_download.dataset import VOICEBANK_DEMAND, DataError, Dataset
from data_download.sample import sample_class

NOT_TESTED = (
    "The program is tested against a server of its own tests; against the real server"
    " (datashare.ed.ac.uk) it was not tested here."
)


def parser() -> argparse.ArgumentParser:
    """The options."""
    main = argparse.ArgumentParser(prog="python -m data_download", epilog=NOT_TESTED)
    commands = main.add_subparsers(dest="command", required=True)

    corpus = commands.add_parser(
        "voicebank-demand",
        help="download VoiceBank+DEMAND and prepare it as 16 kHz FLAC",
        description="Download VoiceBank+DEMAND (5.2 GiB), resample it to 16 kHz FLAC (about"
        " 1.3 GiB) and write a manifest. A second call does only what is missing.",
        epilog=NOT_TESTED,
    )
    corpus.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to prepare")
    corpus.add_argument(
        "--subset",
        choices=("test", "train", "all"),
        help="test: 824 pairs, 310 MiB; train: 11,572 pairs, 5 GiB, two speakers of it as valid;"
        " all (default)",
    )
    corpus.add_argument(
        "--sample",
        type=_count,
        metavar="N",
        help="only N test pairs, read out of the remote archives without downloading all of them",
    )
    corpus.add_argument(
        "--mirror",
        type=_address,
        metavar="URL",
        help="take the archives from this web folder, where they lie by their official names",
    )
    corpus.add_argument(
        "--keep-archives",
        action="store_true",
        help="keep the archives in DIR/archives; else they are deleted once they are prepared",
    )
    corpus.add_argument(
        "--check",
        action="store_true",
        help="only verify what is prepared: numbers, lengths, PESQ of a sample of the noisy files",
    )

    lesson = commands.add_parser(
        "sample-class",
        help="copy some test pairs of a prepared folder, for a class",
        description="Copy test pairs of a prepared folder into a new one, evenly over speaker,"
        " noise and SNR; the same seed gives the same pairs.",
    )
    lesson.add_argument("folder", type=Path, metavar="DIR", help="a prepared folder")
    lesson.add_argument("--pairs", type=_count, default=50, help="how many (default 50)")
    lesson.add_argument("--seed", type=int, default=0, help="(default 0)")
    lesson.add_argument("--out", type=Path, required=True, metavar="D", help="a new folder")
    return main


def main(arguments: list[str] | None = None, dataset: Dataset = VOICEBANK_DEMAND) -> int:
    """Run the command; the exit code is 0, 1 after an error, 130 after Ctrl-C.

    Args:
        arguments: words of the command line; None means those of the process.
        dataset: the corpus to get.
    """
    options = parser()
    chosen = options.parse_args(arguments)
    try:
        if chosen.command == "sample-class":
            sample_class(chosen.folder, chosen.pairs, chosen.seed, chosen.out)
            print(f"{chosen.pairs} pairs lie in {chosen.out}.")
            return 0
        if chosen.sample and chosen.subset in ("train", "all"):
            options.error("--sample takes test pairs: leave --subset out or say --subset test")
        return _voicebank_demand(chosen, dataset)
    except KeyboardInterrupt:
        print(
            "\ndata_download: interrupted; the same command goes on where it stopped.",
            file=sys.stderr,
        )
        return 130
    except DataError as problem:
        print(f"data_download: {problem}", file=sys.stderr)
    except OSError as problem:
        print(f"data_download: {_explain(problem)}", file=sys.stderr)
    return 1


def _voicebank_demand(chosen: argparse.Namespace, dataset: Dataset) -> int:
    if chosen.mirror:
        dataset = dataset.at_mirror(chosen.mirror)
    subset = chosen.subset or "all"
    if chosen.check:
        faults = check(dataset, chosen.out, subset, chosen.sample)
        for fault in faults:
            print(fault)
        if faults:
            raise DataError(
                f"{chosen.out} has {len(faults)} faults: delete the files named above and run the"
                " same command without --check, which gets what is missing."
            )
        print(f"{chosen.out} is as it should be.")
        return 0
    try:  # only this command needs the libraries of the network
        from data_download.prepare import prepare
    except ModuleNotFoundError as problem:
        raise DataError(
            f"The package {problem.name} is missing: pip install 'effifusion-lite[data]'"
        ) from None
    prepare(dataset, chosen.out, subset, chosen.sample, chosen.keep_archives)
    folder = shlex.quote(str(chosen.out.resolve()))  # absolute: a notebook runs in another folder
    print(f"Prepared: {chosen.out}. To use it in the chapters: export EFFIFUSION_VBD={folder}")
    return 0


def _explain(problem: OSError) -> str:
    if problem.errno == errno.ENOSPC:
        return "The disk is full: free some space and run the same command; it goes on from here."
    where = f" ({problem.filename})" if problem.filename else ""
    return f"{problem.strerror or problem}{where}."


def _count(word: str) -> int:
    if not word.isdigit() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word} is no number above 0")
    return int(word)


def _address(word: str) -> str:
    if not word.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{word} is no address that begins with http")
    return word


if __name__ == "__main__":
    sys.exit(main())
