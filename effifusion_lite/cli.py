"""The command `effifusion`: enhance, evaluate, train, info.

Chapter: 10 Out of the notebook.
"""

import argparse
import copy
import json
import sys
import warnings
from collections import Counter
from contextlib import closing
from pathlib import Path

from effifusion_lite import __version__

MAC_SECONDS = 2  # s of audio that `info` counts, the length of a training segment


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: words of the command line; None takes those of the process.

    Returns:
        Exit code: 0 all done, 1 something failed and was reported, 130 stopped by Ctrl-C. Usage
        errors leave with 2.

    Chapter: 10.
    Source: choice of this project.
    """
    options = build_parser().parse_args(arguments)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            return options.run(options)
        except KeyboardInterrupt:
            report("stopped")
            return 130
        except (ValueError, OSError) as error:
            report(_describe_error(error))
            return 1


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands.

    Chapter: 10.
    Source: choice of this project.
    """
    parser = argparse.ArgumentParser(
        prog="effifusion", description="Speech enhancement with EffiFusion-GAN."
    )
    parser.add_argument("--version", action="version", version=f"effifusion-lite {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_enhance(commands)
    _add_evaluate(commands)
    _add_train(commands)
    _add_info(commands)
    return parser


def report(message: str) -> None:
    """Say one thing to the user, on stderr."""
    print(f"effifusion: {message}", file=sys.stderr)


def _describe_error(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    report(f"warning: {message}")


def _add_enhance(commands) -> None:
    parser = commands.add_parser(
        "enhance",
        help="take the noise out of recordings",
        description="Take the noise out of recordings. The output keeps the file's name, sample "
        "rate, channels, length and sample type; tags are lost, and what lies above 8 kHz is gone. "
        "Of folders all sound files are taken, and their sub-folders are kept. Files that are "
        "enhanced already are skipped, so a stopped command goes on when it is given again.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recordings, folders")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", required=True, help="folder")
    parser.add_argument("--weights", default="lite", metavar="NAME|PATH", help="default: lite")
    parser.add_argument(
        "--jobs", type=_positive, metavar="N", help="files at once; default: all cores"
    )
    parser.add_argument("--overwrite", action="store_true", help="enhance again what is there")
    parser.set_defaults(run=_enhance)


def _enhance(options: argparse.Namespace) -> int:
    from tqdm.auto import tqdm

    from effifusion_lite.batch import cores, enhance_all, is_done, plan, sigterm_as_ctrl_c

    options.output.mkdir(parents=True, exist_ok=True)
    jobs, errors = plan(options.files, options.output)
    for error in errors:
        report(error)
    left = jobs if options.overwrite else [job for job in jobs if not is_done(job)]
    if len(left) < len(jobs):
        report(
            f"{len(jobs) - len(left)} of {len(jobs)} files are enhanced already and skipped: "
            "--overwrite enhances them again"
        )
    failed = len(errors)
    outcomes = enhance_all(left, options.weights, options.jobs or cores())
    bar = tqdm(total=len(left), unit="file", disable=len(left) < 2)
    with sigterm_as_ctrl_c(), bar, closing(outcomes):
        for outcome in outcomes:
            with tqdm.external_write_mode(file=sys.stderr):
                for warning in outcome.warnings:
                    report(f"warning: {warning}")
                if outcome.error is not None:
                    report(outcome.error)
                    failed += 1
            bar.update()
    return 1 if failed else 0


def _add_evaluate(commands) -> None:
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
    choice.add_argument("--limit", type=_positive, metavar="N", help="the first N files only")
    choice.add_argument("--list", type=Path, metavar="FILE", help="file names, one a line")
    parser.add_argument("--json", type=Path, metavar="F", help="write means and scores")
    parser.add_argument("--csv", type=Path, metavar="F", help="write the scores of each file")
    parser.add_argument("--processes", type=_positive, metavar="N", help="default: all cores")
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


def _add_train(commands) -> None:
    parser = commands.add_parser(
        "train",
        help="train a model",
        description="Train a model. RUN gets the logs, a checkpoint, best.safetensors and "
        "last.safetensors. Ctrl-C stops after the step; --resume goes on exactly there.",
    )
    config = parser.add_mutually_exclusive_group(required=True)
    config.add_argument("--config", type=Path, metavar="F", help="TOML recipe or RUN/config.json")
    config.add_argument("--preset", metavar="P", help="full, lite or tiny")
    parser.add_argument("--speech", type=Path, metavar="D", help="clean speech to mix with noise")
    parser.add_argument("--noise", type=Path, metavar="D", help="noise to mix with speech")
    parser.add_argument("--valid-speech", type=Path, metavar="D", help="speech of other speakers")
    parser.add_argument("--valid-noise", type=Path, metavar="D", help="other noises")
    parser.add_argument("--pairs", type=Path, metavar="D", help="folder with clean/ and noisy/")
    parser.add_argument("--out", type=Path, metavar="RUN", required=True, help="folder of the run")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--resume", action="store_true", help="go on with the run in RUN")
    start.add_argument("--init", metavar="W", help="start from these weights: name or path")
    parser.add_argument("--gan", action=argparse.BooleanOptionalAction, help="use a discriminator")
    parser.add_argument("--prune", type=float, metavar="RATE", help="share of weights to remove")
    parser.add_argument("--steps", type=_positive, metavar="N", help="all schedules follow it")
    parser.add_argument("--minutes", type=float, metavar="N", help="stop after this time")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda", "mps"])
    parser.set_defaults(run=_train, usage_error=parser.error)


def _train(options: argparse.Namespace) -> int:
    given = [options.speech is not None, options.noise is not None, options.pairs is not None]
    if given not in ([True, True, False], [False, False, True]):
        options.usage_error("give either --speech and --noise, or --pairs")
    if (options.valid_speech is None) != (options.valid_noise is None):
        options.usage_error("--valid-speech and --valid-noise belong together")

    from effifusion_lite.data import Mixtures, Pairs
    from effifusion_lite.trainer import TrainingError
    from effifusion_lite.training import train
    from effifusion_lite.validation import Validation
    from effifusion_lite.weights import load

    config = _training_config(options)
    if options.pairs is None:
        data = Mixtures(options.speech, options.noise, config.mixture, config.seed)
    else:
        data = Pairs(options.pairs, config.mixture.segment, config.seed)
    validation = init = None
    if options.valid_speech is not None:
        validation = Validation(options.valid_speech, options.valid_noise)
    if options.init is not None:
        init = load(options.init)
    try:
        train(
            config, data, options.out, validation, init, options.resume, options.minutes,
            options.device,
        )  # fmt: skip
    except TrainingError as error:
        raise ValueError(str(error)) from error
    best = options.out / "best.safetensors"
    print(f"weights: {best if best.exists() else options.out / 'last.safetensors'}")
    return 0


def _training_config(options: argparse.Namespace):
    """The configuration of the file or preset, with what the command line changes."""
    from dataclasses import replace

    from effifusion_lite.configuration import TrainingConfig, read_recipe
    from effifusion_lite.generator import preset

    if options.config is None:
        config = TrainingConfig(generator=preset(options.preset))
    else:
        config = read_recipe(options.config)
    changes = {name: getattr(options, name) for name in ("gan", "prune", "steps")}
    return replace(config, **{k: v for k, v in changes.items() if v is not None})


def _add_info(commands) -> None:
    parser = commands.add_parser(
        "info",
        help="size and cost of a model",
        description=f"Parameters, multiply-accumulates (on {MAC_SECONDS} s of audio, attention "
        "counted, Fourier transforms not) and bytes in memory of a model.",
    )
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--preset", metavar="P", help="full, lite or tiny")
    model.add_argument("--weights", metavar="W", help="name or path")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_info)


def _info(options: argparse.Namespace) -> int:
    from effifusion_lite.generator import EffiFusionGenerator, preset
    from effifusion_lite.weights import load

    if options.weights is not None:
        model = load(options.weights)
    else:
        model = EffiFusionGenerator(preset(options.preset))
    facts = describe(model)
    if options.json:
        print(json.dumps(facts, indent=2))
        return 0
    print(f"parameters       {facts['parameters']:>13,}")
    for name, count in facts["modules"].items():
        print(f"  {name:<18} {count:>10,}")
    print(f"MACs per second  {facts['macs_per_second']:>13,}  (on {MAC_SECONDS} s of audio)")
    print(f"bytes            {facts['size_bytes']:>13,}")
    return 0


def describe(model) -> dict:
    """Size and cost of a generator.

    Args:
        model: an `EffiFusionGenerator`.

    Returns:
        `parameters`; `modules`, the parameters of each part; `macs_per_second`, the
        multiply-accumulates for a second of audio, attention counted, in a segment of 2 s (the
        attention's share grows with the length); `size_bytes`, parameters and buffers in memory.

    Chapter: 10.
    Source: `torch.utils.flop_counter`, which counts two operations for each.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from effifusion_lite.audio import SAMPLE_RATE

    config = model.config.spectral
    frames = 1 + MAC_SECONDS * SAMPLE_RATE // config.hop_length
    magnitude = torch.empty(1, config.bins, frames, device="meta")  # [1, F, T], shapes alone
    counter = FlopCounterMode(display=False)
    # Attention as plain matrix products, which the counter knows.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        copy.deepcopy(model).to("meta")(magnitude, magnitude)
    modules = {
        name: sum(parameter.numel() for parameter in module.parameters())
        for name, module in model.named_children()
    }
    state = model.state_dict().values()
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "modules": modules,
        "macs_per_second": counter.get_total_flops() // 2 // MAC_SECONDS,
        "size_bytes": sum(tensor.numel() * tensor.element_size() for tensor in state),
    }


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
