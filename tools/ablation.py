"""The ablation study of `tools/ablation.toml`: train, compare, listen.

    python tools/ablation.py run --speech D --noise D --valid-speech D --valid-noise D --out DIR
    python tools/ablation.py table > recipes/ablation/table.md
    python tools/ablation.py clips --to FOLDER

`run` trains each variant with each seed in a folder below `--out`; the scores, and the weights of
the first seed, go to `recipes/ablation` or the folder given with `--results`, and what stands there
is not trained again. `--seeds 0` takes some of the seeds, so that several calls share the work. It
can be stopped at any time and goes on where it was. Each run is scored once, by its last weights,
on the validation mixtures. `table` and `clips` need only the results; `clips` sends built-in clips
through the weights.
"""

import argparse
import json
import sys
import tomllib
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from statistics import mean

import torch

from effifusion_lite.audio import SAMPLE_RATE, save_audio, write_atomically
from effifusion_lite.command_line.benchmarks.timing import ratios, take_turns
from effifusion_lite.cost import describe
from effifusion_lite.data import Mixtures
from effifusion_lite.enhancement import enhance
from effifusion_lite.generator import EffiFusionGenerator, preset
from effifusion_lite.listening import clips
from effifusion_lite.metrics import score
from effifusion_lite.pruning import choose_units, remove_units, sparsity
from effifusion_lite.training import TrainingConfig, Validation, train
from effifusion_lite.training.labels import worker_pool
from effifusion_lite.weights import load, read_metadata, save_weights

STUDY = Path(__file__).with_suffix(".toml")
RESULTS = Path(__file__).resolve().parent.parent / "recipes" / "ablation"
CLIPS = ("kettle_babble", "station_speech_shaped", "boat_car")  # for listening
SCORES = {"pesq": 3, "si_sdr": 2}  # and their digits


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
    todo = [(n, s) for n, runs in finished(study, options).items() for s in seeds if s not in runs]
    if not todo:
        raise SystemExit(
            f"ablation: all is finished in {options.results}; --results takes another folder"
        )
    if find_spec("pesq") is None:
        raise SystemExit("ablation: the study needs the package pesq")
    validation = Validation.of_mixtures(options.valid_speech, options.valid_noise)
    noisy, file = _of_noisy(validation), options.results / "noisy.json"
    if not file.exists():
        _write(file, {"scores": noisy})
    elif abs(json.loads(file.read_text())["scores"]["si_sdr"] - noisy["si_sdr"]) > 0.001:
        raise SystemExit(f"ablation: the mixtures are others than those of {options.results}")
    with worker_pool(2) as pool:
        for name, seed in todo:
            print(f"{name}, seed {seed}", file=sys.stderr)
            folder = options.out / name / str(seed)
            model = _trained_variant(study, study["variants"][name], seed, folder, options)
            scores, _ = validation(model, pool)
            if seed == study["seeds"][0]:
                path = weights(options.results, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                save_weights(model.half(), path, {"variant": name})
            result = {"training": settings(study, name), "scores": scores}
            _write(options.results / slug(name) / f"{seed}.json", result)


def _write(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())


def _of_noisy(validation: Validation) -> dict[str, float]:
    """Mean scores of the mixtures themselves."""
    scores = [score(clean.numpy(), noisy.numpy()) for noisy, clean in validation.pairs]
    return {name: mean(getattr(s, name) for s in scores) for name in SCORES}


def settings(study: dict, name: str) -> dict:
    """What the results of a variant depend on, but for the seed."""
    return {"hours": study["hours"], "base": study["base"], "variant": study["variants"][name]}


def slug(name: str) -> str:
    """The name of a variant as that of a file."""
    return name.replace(" %", "").replace(" ", "_")


def weights(results: Path, name: str) -> Path:
    """The file of the weights of a variant."""
    return results / slug(name) / "weights.safetensors"


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
    model = train(config, data, folder, init=init, resume=begun)
    if int(read_metadata(folder / "last.safetensors")["step"]) < config.steps:
        raise KeyboardInterrupt  # a signal stopped the run; the next call goes on with it
    return model


def finished(study: dict, options: argparse.Namespace) -> dict[str, dict[int, dict[str, float]]]:
    """Scores of the finished runs by variant, in the order of the study, and seed."""
    found = {}
    for name in study["variants"]:
        files = {s: options.results / slug(name) / f"{s}.json" for s in study["seeds"]}
        results = {seed: json.loads(f.read_text()) for seed, f in files.items() if f.exists()}
        for seed, result in results.items():
            if result["training"] != settings(study, name):
                raise SystemExit(
                    f"ablation: {files[seed]} comes from another study than {options.study}: give "
                    "another folder with --results"
                )
        found[name] = {seed: result["scores"] for seed, result in results.items()}
    return found


def first_models(study: dict, options: argparse.Namespace) -> dict[str, EffiFusionGenerator]:
    """The model of each variant whose first seed is finished: the complete one comes first."""
    first, base = study["seeds"][0], next(iter(study["variants"]))
    models = {
        name: load(weights(options.results, name))
        for name, runs in finished(study, options).items()
        if first in runs
    }
    if base not in models:
        raise SystemExit(f"ablation: seed {first} of {base!r} is not finished in {options.results}")
    return models


def table(study: dict, options: argparse.Namespace) -> None:
    """Prints mean and range of the scores, the size, and the time on one CPU thread."""
    torch.set_num_threads(1)
    models, runs = first_models(study, options), finished(study, options)
    base = next(iter(models))
    waveform = clips.load(CLIPS[0])[0]
    seconds = take_turns(
        {n: lambda m=m: enhance(waveform, SAMPLE_RATE, m) for n, m in models.items()}, 5
    )
    titles = ["variant", "runs", "PESQ", "difference", "SI-SDR dB", "difference", "parameters"]
    titles += ["MMAC/s", "CPU time"]
    print(f"| {' | '.join(titles)} |")
    print("|---" + "|---:" * (len(titles) - 1) + "|")
    noisy = json.loads((options.results / "noisy.json").read_text())["scores"]
    print(f"| the noisy mixtures | | {noisy['pesq']:.3f} | | {noisy['si_sdr']:.2f} | | | | |")
    for name, model in models.items():
        cells = [name, str(len(runs[name]))]
        for metric, digits in SCORES.items():
            of_base, values = ([r[metric] for r in runs[n].values()] for n in (base, name))
            cells.append(_spread(values, digits))
            cells.append(_difference(of_base, values, digits) if name != base else "")
        cost = describe(model)
        cells.append(f"{cost['parameters']:,}")
        if zero := sparsity(model)["zero_of_all"]:
            cells[-1] += f", {100 * zero:.0f} % of them zero"
        cells.append(f"{cost['macs_per_second'] / 1e6:,.0f}")
        cells.append(_spread(ratios(seconds[name], seconds[base]), 2))
        print(f"| {' | '.join(cells)} |")


def _spread(values: list[float], digits: int) -> str:
    return f"{mean(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def _difference(base: list[float], variant: list[float], digits: int) -> str:
    """The difference of the means, where it is larger than the ranges over the seeds."""
    if min(len(base), len(variant)) < 2:
        return "one seed: not shown"
    difference = mean(variant) - mean(base)
    spread = max(max(base) - min(base), max(variant) - min(variant))
    return f"{difference:+.{digits}f}" if abs(difference) > spread else "not shown"


def listen(study: dict, options: argparse.Namespace) -> None:
    """Writes each clip: clean, noisy, and enhanced by the first seed of each variant."""
    models = first_models(study, options)
    for clip in CLIPS:
        clean, noisy = clips.pair(clip)
        versions = {"clean": clean, "noisy": noisy}
        for name, model in models.items():
            versions[name] = enhance(noisy, SAMPLE_RATE, model)
        for name, waveform in versions.items():
            path = options.to / clip / f"{slug(name)}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            save_audio(path, waveform, SAMPLE_RATE)
            print(path)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, default=STUDY, metavar="F", help="TOML of the study")
    commands = parser.add_subparsers(required=True)
    for name, function in (("run", run), ("table", table), ("clips", listen)):
        command = commands.add_parser(name)
        command.add_argument("--results", type=Path, default=RESULTS, metavar="DIR")
        command.set_defaults(function=function)
        if function is run:
            command.add_argument("--out", type=Path, required=True, metavar="DIR")
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
