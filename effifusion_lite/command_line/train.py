"""`effifusion train`.

Chapter: 10 Out of the notebook.
"""

import argparse
from pathlib import Path

from effifusion_lite.command_line.common import duration, positive


def add_train(commands) -> None:
    parser = commands.add_parser(
        "train",
        help="train a model",
        description="Train a model. RUN gets the logs, a checkpoint, best.safetensors and "
        "last.safetensors. Ctrl-C stops after the step; --resume goes on exactly there. On several "
        "GPUs: torchrun --nproc-per-node N -m effifusion_lite train ...",
    )
    config = parser.add_mutually_exclusive_group()
    config.add_argument("--config", type=Path, metavar="F", help="TOML recipe or RUN/config.json")
    config.add_argument("--preset", metavar="P", help="full, lite or tiny")
    parser.add_argument("--speech", type=Path, metavar="D", help="clean speech to mix with noise")
    parser.add_argument("--noise", type=Path, metavar="D", help="noise to mix with speech")
    parser.add_argument("--valid-speech", type=Path, metavar="D", help="speech of other speakers")
    parser.add_argument("--valid-noise", type=Path, metavar="D", help="other noises")
    parser.add_argument("--pairs", type=Path, metavar="D", help="folder with clean/ and noisy/")
    parser.add_argument("--valid-pairs", type=Path, metavar="D", help="pairs of other speakers")
    parser.add_argument("--out", type=Path, metavar="RUN", required=True, help="folder of the run")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--resume", action="store_true", help="go on with the run in RUN")
    start.add_argument("--init", metavar="W", help="start from these weights and their network")
    parser.add_argument("--gan", action=argparse.BooleanOptionalAction, help="use a discriminator")
    parser.add_argument("--prune", type=float, metavar="RATE", help="share of weights to be zero")
    parser.add_argument(
        "--cooldown", type=float, metavar="SHARE", help="of the steps, at a rate that falls to 0"
    )
    parser.add_argument("--steps", type=positive, metavar="N", help="all schedules follow it")
    parser.add_argument("--minutes", type=duration, metavar="N", help="stop after this time")
    parser.add_argument("--fit", action="store_true", help="the steps that fit into --minutes")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda", "mps"])
    parser.add_argument("--tensorboard", action="store_true", help="write curves and sounds, too")
    parser.add_argument("--compile", action="store_true", help="torch.compile, for GPUs")
    parser.set_defaults(run=_train, usage_error=parser.error)


def _train(options: argparse.Namespace) -> int:
    given = [options.speech is not None, options.noise is not None, options.pairs is not None]
    if given not in ([True, True, False], [False, False, True]):
        options.usage_error("give either --speech and --noise, or --pairs")
    if (options.valid_speech is None) != (options.valid_noise is None):
        options.usage_error("--valid-speech and --valid-noise belong together")
    if options.valid_pairs is not None and options.valid_speech is not None:
        options.usage_error("give either --valid-speech and --valid-noise, or --valid-pairs")
    if not (options.config or options.preset or options.init or options.resume):
        options.usage_error("give --config, --preset, --init or --resume")
    if options.fit and options.minutes is None:
        options.usage_error("--fit needs --minutes, the time to fit the training into")
    if options.fit and options.steps is not None:
        options.usage_error("give either --steps or --fit, which chooses the steps")
    if options.fit and options.resume:
        options.usage_error("--resume goes on with the steps that the run has: leave out --fit")

    from effifusion_lite.data import Mixtures, Pairs
    from effifusion_lite.training import TrainingError, Validation, train
    from effifusion_lite.training.distributed import is_first
    from effifusion_lite.weights import load

    init = None if options.init is None else load(options.init)
    config = _training_config(options, init)
    if options.pairs is None:
        data = Mixtures(options.speech, options.noise, config.mixture, config.seed)
    else:
        data = Pairs(options.pairs, config.mixture.segment, config.seed)
    validation = None
    if options.valid_speech is not None and is_first():
        validation = Validation.of_mixtures(options.valid_speech, options.valid_noise)
    elif options.valid_pairs is not None and is_first():
        validation = Validation.of_pairs(options.valid_pairs)
    try:
        train(
            config, data, options.out, validation, init, options.resume, options.minutes,
            options.device, options.tensorboard, options.compile, options.fit,
        )  # fmt: skip
    except TrainingError as error:
        raise ValueError(str(error)) from error
    if is_first():
        best = options.out / "best.safetensors"
        print(f"weights: {best if best.exists() else options.out / 'last.safetensors'}")
    return 0


def _training_config(options: argparse.Namespace, init):
    """The configuration of the file, preset, or run, with what the command line changes.

    The network is that of the weights to start from, unless a preset names one.
    """
    from dataclasses import replace

    from effifusion_lite.generator import preset
    from effifusion_lite.training import TrainingConfig, read_recipe

    if options.preset is not None:
        config = TrainingConfig(generator=preset(options.preset))
    elif options.config is not None:
        config = read_recipe(options.config, None if init is None else init.config)
    elif options.resume:
        config = read_recipe(options.out / "config.json")
    else:
        config = TrainingConfig(generator=init.config)
    changes = {name: getattr(options, name) for name in ("gan", "prune", "cooldown", "steps")}
    return replace(config, **{k: v for k, v in changes.items() if v is not None})


def add_log(commands) -> None:
    parser = commands.add_parser(
        "log",
        help="one line about a training",
        description="Print a line about a training, as recipes/runs.csv lists them: "
        "effifusion log RUN --weights NAME --data DATA >> recipes/runs.csv",
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument("--weights", default="", metavar="NAME", help="what they are called")
    parser.add_argument("--data", default="", metavar="TEXT", help="what it was trained on")
    parser.add_argument("--start", default="", metavar="W", help="weights that it started from")
    parser.add_argument("--note", default="", metavar="TEXT", help="what else there is to say")
    parser.set_defaults(run=_log)


def _log(options: argparse.Namespace) -> int:
    from effifusion_lite.training.runlog import csv_line, describe_run

    told = {name: getattr(options, name) for name in ("weights", "data", "start", "note")}
    print(csv_line(describe_run(options.run_folder) | told))
    return 0
