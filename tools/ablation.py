"""The ablation study of `tools/ablation.toml`: train, compare, listen.

    python tools/ablation.py run --speech D --noise D --valid-speech D --valid-noise D --out DIR
    python tools/ablation.py table --out DIR
    python tools/ablation.py clips --out DIR --to FOLDER

`run` trains each variant with each seed; `--seeds 0` takes some of the seeds, so that several calls
share the work. It can be stopped at any time and goes on where it was; runs that are finished are
left alone. Each is scored once, by its last weights, on the validation mixtures. `table` needs only
what `run` left; `clips` sends built-in clips through the first seed of each variant.
"""

import argparse
import json
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from statistics import mean

import torch

from effifusion_lite.audio import SAMPLE_RATE, save_audio
from effifusion_lite.benchmark.timing import ratios, take_turns
from effifusion_lite.configuration import TrainingConfig
from effifusion_lite.cost import describe
from effifusion_lite.enhancement import enhance
from effifusion_lite.generator import preset
from effifusion_lite.labels import worker_pool
from effifusion_lite.listening import clips
from effifusion_lite.mixing import Mixtures
from effifusion_lite.pruning import sparsity
from effifusion_lite.removal import choose_units, remove_units
from effifusion_lite.training import train
from effifusion_lite.validation import Validation
from effifusion_lite.weights import load, read_metadata, save_weights

STUDY = Path(__file__).with_suffix(".toml")
CLIPS = ("kettle_babble", "station_speech_shaped", "boat_car")  # for listening
SCORES = ("pesq", "si_sdr")


def configuration(base: dict, variant: dict, hours: float, seed: int) -> TrainingConfig:
    """The training of a variant: the base with what the variant changes."""
    values = {**base, **{k: v for k, v in variant.items() if k not in ("generator", "remove")}}
    network = preset(base["generator"]).to_dict()
    for name, value in variant.get("generator", {}).items():
        network[name] = {**network[name], **value} if isinstance(value, dict) else value
    config = TrainingConfig.from_dict({**values, "generator": network, "seed": seed})
    seconds = config.batch_size * config.mixture.segment / SAMPLE_RATE
    return replace(config, steps=max(2, round(3600 * hours / seconds)))


def run(study: dict, options: argparse.Namespace) -> None:
    """Trains and scores whatever is not finished."""
    seeds = options.seeds or study["seeds"]
    if unknown := sorted(set(seeds) - set(study["seeds"])):
        raise SystemExit(f"ablation: the study has the seeds {study['seeds']}, not {unknown}")
    validation = Validation.of_mixtures(options.valid_speech, options.valid_noise)
    with worker_pool(2) as pool:
        for name, variant in study["variants"].items():
            for seed in seeds:
                folder = options.out / name / str(seed)
                if (folder / "scores.json").exists():
                    continue
                print(f"{name}, seed {seed}", file=sys.stderr)
                model = _trained_variant(study, variant, seed, folder, options)
                save_weights(model, folder / "model.safetensors", {"variant": name})
                scores, _ = validation(model, pool)
                (folder / "scores.json").write_text(json.dumps(scores))


def _trained_variant(study: dict, variant: dict, seed: int, folder: Path, options):
    config = configuration(study["base"], variant, study["hours"], seed)
    data = Mixtures(options.speech, options.noise, config.mixture, seed)
    if "remove" not in variant:
        return _trained(config, data, folder)
    half = replace(config, steps=config.steps // 2)
    model = _trained(half, data, folder / "before")
    smaller = remove_units(model, choose_units(model, variant["remove"]))
    data.seed = seed + 1000  # other mixtures in the second half
    return _trained(replace(half, generator=smaller.config), data, folder / "after", smaller)


def _trained(config, data, folder, init=None):
    """The model at the end of a run that may be new, half done, or finished."""
    begun = (folder / "checkpoint.pt").exists()
    model = train(config, data, folder, init=None if begun else init, resume=begun)
    steps = json.loads((folder / "config.json").read_text())["steps"]
    if int(read_metadata(folder / "last.safetensors")["step"]) < steps:
        raise KeyboardInterrupt  # a signal stopped the run; the next call goes on with it
    return model


def finished(study: dict, out: Path) -> dict[str, list[Path]]:
    """Folders of the finished runs of each variant, in the order of the study."""
    found = {
        name: [
            f for seed in study["seeds"] if (f := out / name / str(seed) / "scores.json").exists()
        ]
        for name in study["variants"]
    }
    return {name: [file.parent for file in files] for name, files in found.items() if files}


def table(study: dict, options: argparse.Namespace) -> None:
    """Prints mean and range of the scores, the size, and the time on one CPU thread."""
    torch.set_num_threads(1)
    runs = finished(study, options.out)
    base = next(iter(study["variants"]))
    if base not in runs:
        raise SystemExit(f"ablation: no run of {base!r} is finished in {options.out}")
    models = {name: load(folders[0] / "model.safetensors") for name, folders in runs.items()}
    waveform = clips.load(CLIPS[0])[0]
    seconds = take_turns(
        {n: lambda m=m: enhance(waveform, SAMPLE_RATE, m) for n, m in models.items()}, 3
    )
    scores = {
        name: {s: [json.loads((f / "scores.json").read_text())[s] for f in folders] for s in SCORES}
        for name, folders in runs.items()
    }
    print("| variant | runs | PESQ | SI-SDR dB | parameters | MMAC/s | CPU time | PESQ lost |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, model in models.items():
        cost = describe(model)
        parameters = f"{cost['parameters']:,}"
        if zero := sparsity(model)["zero_of_all"]:
            parameters += f", {100 * zero:.0f} % of them zero"
        cells = [
            _spread(scores[name][score], digits)
            for score, digits in zip(SCORES, (3, 2), strict=True)
        ]
        print(
            f"| {name} | {len(runs[name])} | {cells[0]} | {cells[1]} | {parameters} | "
            f"{cost['macs_per_second'] / 1e6:,.0f} | "
            f"{_spread(ratios(seconds[name], seconds[base]), 2)} | "
            f"{_lost(scores[base]['pesq'], scores[name]['pesq']) if name != base else ''} |"
        )


def _spread(values: list[float], digits: int) -> str:
    return f"{mean(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def _lost(base: list[float], variant: list[float]) -> str:
    """The difference of the means, where it is larger than the ranges over the seeds."""
    if min(len(base), len(variant)) < 2:
        return "one seed: not shown"
    lost = mean(base) - mean(variant)
    spread = max(max(base) - min(base), max(variant) - min(variant))
    return f"{lost:+.3f}" if abs(lost) > spread else "not shown"


def listen(study: dict, options: argparse.Namespace) -> None:
    """Writes each clip: clean, noisy, and enhanced by the first seed of each variant."""
    for clip in CLIPS:
        clean, noisy = clips.pair(clip)
        versions = {"clean": clean, "noisy": noisy}
        for name, folders in finished(study, options.out).items():
            model = load(folders[0] / "model.safetensors")
            versions[name] = enhance(noisy, SAMPLE_RATE, model)
        for name, waveform in versions.items():
            path = options.to / clip / f"{name.replace(' ', '_').replace('_%', '')}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            save_audio(path, waveform, SAMPLE_RATE)
            print(path)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, default=STUDY, metavar="F", help="TOML of the study")
    commands = parser.add_subparsers(required=True)
    for name, function in (("run", run), ("table", table), ("clips", listen)):
        command = commands.add_parser(name)
        command.add_argument("--out", type=Path, required=True, metavar="DIR")
        command.set_defaults(function=function)
        if function is run:
            for folder in ("--speech", "--noise", "--valid-speech", "--valid-noise"):
                command.add_argument(folder, type=Path, required=True, metavar="D")
            command.add_argument("--seeds", type=int, nargs="+", metavar="N", help="some of them")
        if function is listen:
            command.add_argument("--to", type=Path, required=True, metavar="FOLDER")
    options = parser.parse_args(arguments)
    try:
        options.function(tomllib.loads(options.study.read_text()), options)
    except KeyboardInterrupt:
        raise SystemExit("ablation: stopped; the same command goes on") from None


if __name__ == "__main__":
    main()
