"""`effifusion prune`, `grow`, `export` and `info`.

Chapter: 10 Out of the notebook.
"""

import argparse
import json
from pathlib import Path

GROWTH_NOISE = 0.05  # tells equal channels apart; moves the magnitudes of `lite` by 2 % (RMS)


def add_prune(commands) -> None:
    parser = commands.add_parser(
        "prune",
        help="take the least important units out of a model",
        description="Take the least important hidden units, channels and attention heads out of a "
        "model, which makes its layers smaller and faster. It sounds worse until it is trained on: "
        "`effifusion train --init W2`.",
    )
    parser.add_argument("weights", metavar="W", help="name or path")
    parser.add_argument("--rate", type=float, required=True, help="share to remove, e.g. 0.5")
    parser.add_argument("-o", "--output", type=Path, metavar="W2", required=True, help="file")
    parser.set_defaults(run=_prune)


def _prune(options: argparse.Namespace) -> int:
    from effifusion_lite.cost import describe
    from effifusion_lite.pruning import choose_units, remove_units
    from effifusion_lite.weights import load, save_weights

    model = load(options.weights)
    smaller = remove_units(model, choose_units(model, options.rate))
    save_weights(smaller, options.output, {"pruned": f"{options.weights} at {options.rate}"})
    for label, key in (("parameters", "parameters"), ("MACs per second", "macs_per_second")):
        before, after = describe(model)[key], describe(smaller)[key]
        print(f"{label:<16} {before:>13,} -> {after:>13,}  ({after / before:.0%})")
    return 0


def add_grow(commands) -> None:
    parser = commands.add_parser(
        "grow",
        help="make a model wider and deeper, with nearly the same output",
        description="Make a model wider and deeper; it does nearly what it did, and has room to "
        "learn: `effifusion train --init W2`.",
    )
    parser.add_argument("weights", metavar="W", help="name or path")
    parser.add_argument("--preset", metavar="P", default="full", help="shape of the larger model")
    parser.add_argument(
        "--noise", type=float, default=GROWTH_NOISE, help="share of noise that tells channels apart"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="W2", required=True, help="file")
    parser.set_defaults(run=_grow)


def _grow(options: argparse.Namespace) -> int:
    from effifusion_lite.generator import count_parameters, preset
    from effifusion_lite.pruning import grow
    from effifusion_lite.weights import load, save_weights

    model = load(options.weights)
    larger = grow(model, preset(options.preset), options.noise)
    save_weights(larger, options.output, {"grown": f"{options.weights} to {options.preset}"})
    print(f"parameters {count_parameters(model):,} -> {count_parameters(larger):,}")
    return 0


def add_export(commands) -> None:
    parser = commands.add_parser(
        "export",
        help="write a model as ONNX",
        description="Write a model as an ONNX file: compressed magnitude and phase [B, F, T] in "
        "and out, any number of items and frames, the Fourier transforms outside.",
    )
    parser.add_argument("--weights", default="lite", metavar="NAME|PATH", help="default: lite")
    parser.add_argument("output", type=Path, metavar="FILE", help="the .onnx file to write")
    parser.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> int:
    from effifusion_lite.enhancement.onnx.generator import export
    from effifusion_lite.weights import load

    if options.output.suffix != ".onnx":
        raise ValueError(f"{options.output}: give a name that ends in .onnx")
    export(load(options.weights), options.output)
    return 0


def add_info(commands) -> None:
    parser = commands.add_parser(
        "info",
        help="size and cost of a model",
        description="Parameters, multiply-accumulates (on 2 s of audio, attention "
        "counted, Fourier transforms not) and bytes in memory of a model.",
    )
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--preset", metavar="P", help="full, lite or tiny")
    model.add_argument("--weights", metavar="W", help="name or path")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_info)


def _info(options: argparse.Namespace) -> int:
    from effifusion_lite.cost import MAC_SECONDS, describe
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
