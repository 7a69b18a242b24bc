"""The command `effifusion`: its parser, its errors and its exit codes.

Chapter: 10 Out of the notebook.
"""

import argparse
import io
import sys
import warnings

from effifusion_lite import __version__
from effifusion_lite.command_line.benchmark import add_benchmark
from effifusion_lite.command_line.common import describe_error, report
from effifusion_lite.command_line.enhance import add_enhance
from effifusion_lite.command_line.evaluate import add_evaluate
from effifusion_lite.command_line.model import add_export, add_grow, add_info, add_prune
from effifusion_lite.command_line.train import add_log, add_train
from effifusion_lite.cpu.memory import keep_freed_memory


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: words of the command line; None takes those of the process.

    Returns:
        Exit code: 0 all done, 1 something failed and was reported, 130 stopped by Ctrl-C. Usage
        errors leave with 2.
    """
    options = build_parser().parse_args(arguments)
    keep_freed_memory()
    for stream in (sys.stdout, sys.stderr):  # what a terminal cannot show stops nothing
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            return options.run(options)
        except KeyboardInterrupt:
            report("stopped")
            return 130
        except (ValueError, OSError) as error:
            report(describe_error(error))
            return 1


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="effifusion", description="Speech enhancement with EffiFusion-GAN."
    )
    parser.add_argument("--version", action="version", version=f"effifusion-lite {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (
        add_enhance,
        add_evaluate,
        add_train,
        add_log,
        add_prune,
        add_grow,
        add_export,
        add_info,
        add_benchmark,
    ):
        add(commands)
    return parser


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    report(f"warning: {message}")
