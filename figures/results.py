"""Write the page of results, RESULTS.md, and its figure: `python figures/results.py`.

It reads what others have measured: `recipes/scores/NAME.csv` (`effifusion evaluate --csv`) and
`recipes/scores/benchmark.json` (`effifusion benchmark --json`) for the weights of this project,
`recipes/ablation` (`tools/ablation.py`), and `peers.csv` beside this file for all others.
"""

import csv
import json
import tomllib
from pathlib import Path
from statistics import mean, stdev

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from effifusion_lite.cost import describe
from effifusion_lite.scoring.intervals import mean_interval
from effifusion_lite.weights import load

FOLDER = Path(__file__).resolve().parent
SCORES = FOLDER.parent / "recipes" / "scores"
ABLATION_RESULTS = FOLDER.parent / "recipes" / "ablation"
PAGE = FOLDER.parent / "RESULTS.md"
OURS = ("tiny", "lite-pruned", "lite", "full")
SPEED = {"lite-pruned": "lite, 50%, removed, one thread"}  # rows of the benchmark by other names
NAMES = {"noisy": "noisy", "wiener": "Wiener filter (`effifusion_lite/wiener.py`)"}
METRICS = ("pesq", "stoi", "si_sdr", "segmental_snr", "csig", "cbak", "covl")
CORPUS = "VoiceBank+DEMAND"
COLOURS = {"ours": "#1a5fb4", CORPUS: "#c64600", "other data": "#5e5c64"}
MARKERS = {"ours": "o", CORPUS: "s", "other data": "^"}
BELOW = ("GTCRN (VB+D)", "FastEnhancer-B", "lite-pruned")  # labels that stand below their marks
STYLE = {"svg.fonttype": "path", "svg.hashsalt": "effifusion-lite", "font.size": 10}
ALT = {
    "results": (
        "PESQ on 200 test files against multiply-accumulates per second of audio, on a logarithmic "
        "axis. Three kinds of marks: the weights of this project, systems trained on other data, "
        "systems trained on VoiceBank+DEMAND itself. Two dashed lines: the noisy files, and the "
        "Wiener filter of this project. The values stand in the tables of the page."
    ),
}

HEAD = """# Results

Written by `python figures/results.py` from what `effifusion evaluate` and `effifusion benchmark`
have measured; see the end of the page for the commands.

**What the scores are.** Means over 200 of the 824 test files of VoiceBank+DEMAND, drawn evenly over
speaker, noise and SNR (`recipes/test_200.txt`). The weights of this project were **not trained on
the corpus**: compare them with the rows trained on other data. The test files were scored once
after each training, and chose no weights. Errors and intervals are those of the choice of files;
the same training with another seed moves a score too, see the ranges under "Ablation".
"""

INTERVALS = """
In brackets the 95 % interval of the mean difference; where it holds 0, the difference is not shown.
PESQ and CSIG are both estimates of what listeners would say, of all of the sound and of the speech
alone: where PESQ rises and CSIG does not, noise is taken away at the cost of the voice.

## Beside the others

Our weights were trained with a differentiable PESQ among the losses, which favours them in that
score; RNNoise, DTLN, UL-UNAS and GTCRN were not, as far as is known.
"""

PAPER = """
## The paper's number and ours

The paper (arXiv 2508.14525) reports PESQ 3.45 with 1.08 M parameters on VoiceBank+DEMAND. The best
PESQ above is {best:.2f}, of `{name}`. Why they differ:

- **Data.** The paper's model is trained on the corpus itself: other speakers and noises than those
  of the test files, but recorded and mixed in the same way. Ours has never heard it. For a small
  network (GTCRN) that alone is worth about 0.35 PESQ, as its two rows above show.
- **Time.** `full` has the paper's size, but heard 40 minutes of mixtures, in under two hours on
  one core of a CPU, after what the smaller networks that it was grown from had learnt in a few
  hours. The paper's relatives train for days on graphics cards.
- **Files.** 200 of the 824: the mean of the noisy files is 1.989 instead of 1.970.
- **What is not known.** Of the paper, only its abstract and summaries were read here: our losses,
  training and multi-scale block are choices of this project.
"""

ABLATION = """
## Ablation

What is each part of the network worth? Variants of `tiny`, each trained from nothing on {hours:g}
hours of mixtures with {seeds} seeds (`tools/ablation.toml`), and scored by its last weights on the
validation mixtures: 48 of 4 s, SNR 0 to 17.5 dB, not the 200 files. Mean and range over the seeds;
with the same seed, all variants hear the same mixtures (but for the second half of the one whose
units are removed). A difference to the complete model that is not larger than the ranges is "not
shown". CPU time: enhancing a clip on one thread, relative to the complete model, in turns.

{table}

Standard convolutions are better in SI-SDR; in PESQ, where the seeds differ more, that is not shown.
The separable ones of the complete model take away more than half of the weights and operations. At
16 channels that saves little time on a CPU; at 64 it saves more, see "Speed" in the README.

`python tools/ablation.py clips --to FOLDER` lets them be heard: clips of the listening set through
the first seed of each. {rest}
"""

FOOT = """
## How the tables were made

```
effifusion evaluate DIR/test/clean DIR/test/noisy --list recipes/test_200.txt --weights NAME \\
    --groups DIR/manifest.csv --csv recipes/scores/NAME.csv
effifusion evaluate DIR/test/clean DIR/test/noisy --list recipes/test_200.txt --baseline wiener \\
    --groups DIR/manifest.csv --csv recipes/scores/wiener.csv
effifusion benchmark --repeats 3 --json recipes/scores/benchmark.json
python figures/results.py
```

`DIR` is the corpus as `data_download/` prepares it. CSIG, CBAK and COVL use samples scaled to
int16; some tools give up to 0.3 more for the same files. "Measured": scored for this project with
the same files and tools. "Quoted": the authors' number, on all 824 files. Real-time factors and
memory of the others were measured on a machine with two cores, one thread, in another run than
ours: read them as orders of magnitude. MAC: attention counted, Fourier transforms not.
"""


def files(name: str) -> list[dict[str, str]]:
    """What was measured of each file, for "noisy" or for one of the files in `SCORES`: name, noise,
    SNR, and scores by metric."""
    system = "noisy" if name == "noisy" else "enhanced"
    with open(SCORES / f"{'wiener' if name == 'noisy' else name}.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row | {metric: row[f"{system}_{metric}"] for metric in METRICS} for row in rows]


def scores(name: str) -> dict[str, list[float]]:
    """Scores of all files for each metric."""
    rows = files(name)
    return {metric: [float(row[metric]) for row in rows] for metric in METRICS}


def peers() -> list[dict[str, str]]:
    """The rows of `peers.csv`."""
    with open(FOLDER / "peers.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def benchmark() -> dict[str, float]:
    """Medians of the benchmark by name."""
    rows = json.loads((SCORES / "benchmark.json").read_text())["rows"]
    return {row["name"]: row["median"] for row in rows}


def quality_of_ours() -> str:
    """Table of all scores of this project's systems, with standard errors."""
    lines = [
        "| system | PESQ | STOI | SI-SDR dB | segmental SNR dB | CSIG | CBAK | COVL |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in ("noisy", "wiener", *OURS):
        cells = []
        for metric, values in scores(name).items():
            digits = 2 if metric in ("si_sdr", "segmental_snr") else 3
            error = stdev(values) / len(values) ** 0.5
            cells.append(f"{mean(values):.{digits}f} ± {error:.{digits}f}")
        lines.append(f"| {NAMES.get(name, f'`{name}`')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def by_condition() -> str:
    """Table of the mean PESQ for each noise and each SNR."""
    systems = {name: files(name) for name in ("noisy", "wiener", *OURS)}
    keys = [
        (key, value)
        for key in ("noise", "snr_db")
        for value in sorted(
            {row[key] for row in systems["noisy"]}, key=str if key == "noise" else float
        )
    ]
    labels = [value if key == "noise" else f"{value} dB" for key, value in keys]
    lines = [f"| PESQ | {' | '.join(labels)} |", f"|---|{'---:|' * len(labels)}"]
    for name, rows in systems.items():
        cells = [mean(float(row["pesq"]) for row in rows if row[k] == v) for k, v in keys]
        label = NAMES.get(name, f"`{name}`")
        lines.append(f"| {label} | {' | '.join(f'{cell:.2f}' for cell in cells)} |")
    return "\n".join(lines)


def differences() -> str:
    """Table of paired differences, with intervals."""
    best = "lite"  # the one that is recommended
    lines = [
        f"| `{best}` minus | PESQ | STOI | SI-SDR dB | CSIG |",
        "|---|---:|---:|---:|---:|",
    ]
    ours = scores(best)
    for name in ("noisy", "wiener", *(other for other in OURS if other != best)):
        other, cells = scores(name), []
        for metric in ("pesq", "stoi", "si_sdr", "csig"):
            pairs = zip(ours[metric], other[metric], strict=True)
            interval = mean_interval(np.array([a - b for a, b in pairs]))
            digits = 2 if metric == "si_sdr" else 3
            text = f"{interval.mean:+.{digits}f} ({interval.low:+.{digits}f} to "
            text += f"{interval.high:+.{digits}f})"
            cells.append(text if interval.shown else f"{text}, not shown")
        lines.append(f"| {NAMES.get(name, f'`{name}`')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def beside_the_peers() -> str:
    """Table of ours and others, by PESQ on the 200 files, then by that on all files."""
    rows = []
    for name in ("wiener", *OURS):
        values = {metric: mean(v) for metric, v in scores(name).items()}
        label = "Wiener filter of this project" if name == "wiener" else f"**`{name}`**"
        trained = "–" if name == "wiener" else "other data, see `TRAINING_DATA.md`"
        cells = (f"{values['stoi']:.3f}", f"{values['si_sdr']:.2f}", "", "measured")
        rows.append((values["pesq"], 0.0, label, trained, cells))
    for peer in peers():
        pesq = float(peer["pesq_200"] or 0)
        cells = (peer["stoi_200"], peer["si_sdr_200"], peer["pesq_824"], peer["source"])
        rows.append(
            (pesq or 9, float(peer["pesq_824"] or 0), peer["system"], peer["trained_on"], cells)
        )
    lines = [
        "| system | trained on | PESQ, 200 files | STOI | SI-SDR dB | PESQ, all 824 | |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for pesq, _, label, trained, cells in sorted(rows, key=lambda row: row[:2]):
        shown = f"{pesq:.3f}" if pesq < 9 else ""  # those without such a score come last
        lines.append(f"| {label} | {trained} | {shown} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cost() -> str:
    """Table of size, multiply-accumulates, time and memory."""
    measured = benchmark()
    lines = [
        "| system | parameters | MMAC per second of audio | real-time factor, one thread | "
        "MB for 10 s |",
        "|---|---:|---:|---:|---:|",
    ]
    for name in OURS:
        facts = describe(load(name))
        factor = measured[SPEED.get(name, f"{name}, torch, one thread")]
        memory = measured.get(f"{name}, 10 s, beyond the import of torch")
        lines.append(
            f"| **`{name}`** | {facts['parameters']:,} | {facts['macs_per_second'] / 1e6:,.0f} | "
            f"{factor:.3f} | "
            f"{'' if memory is None else f'{memory:.0f}'} |"
        )
    for peer in peers():
        if peer["macs_per_second"] and peer["system"] != "GTCRN (VB+D)":  # the same network twice
            lines.append(
                f"| {peer['system']} | {int(peer['parameters']):,} | "
                f"{int(peer['macs_per_second']) / 1e6:,.0f} | {peer['real_time_factor']} | "
                f"{peer['memory_mb']} |"
            )
    return "\n".join(lines)


def ablation() -> str:
    """Section on the study, with what is not measured yet."""
    table = (ABLATION_RESULTS / "table.md").read_text().strip()
    study = tomllib.loads((FOLDER.parent / "tools" / "ablation.toml").read_text())
    missing = [name for name in study["variants"] if f"\n| {name} |" not in table]
    rest = f"Not measured yet: {', '.join(missing)}." if missing else ""
    return ABLATION.format(hours=study["hours"], seeds=len(study["seeds"]), table=table, rest=rest)


def draw_results(axes: Axes) -> None:
    """PESQ against multiply-accumulates."""
    points = [
        (describe(load(name))["macs_per_second"], mean(scores(name)["pesq"]), name, "ours")
        for name in OURS
    ]
    for peer in peers():
        if peer["pesq_200"] and peer["macs_per_second"]:
            kind = CORPUS if peer["trained_on"] == CORPUS else "other data"
            macs, pesq = float(peer["macs_per_second"]), float(peer["pesq_200"])
            points.append((macs, pesq, peer["system"], kind))
    for kind, colour in COLOURS.items():
        chosen = [p for p in points if p[3] == kind]
        label = kind if kind == "ours" else f"trained on {kind}"
        axes.scatter(
            *zip(*((p[0], p[1]) for p in chosen), strict=True),
            color=colour,
            marker=MARKERS[kind],
            label=label,
            zorder=2,
        )
        for macs, pesq, name, _ in chosen:
            place = (5, -12 if name in BELOW else 5)
            axes.annotate(name, (macs, pesq), place, textcoords="offset points", color=colour)
    for name in ("noisy", "wiener"):
        height = mean(scores(name)["pesq"])
        axes.axhline(height, color="#77767b", linestyle="--", linewidth=1, zorder=1)
        label = {"noisy": "noisy", "wiener": "Wiener filter"}[name]
        axes.text(0.99, height + 0.02, label, ha="right", transform=axes.get_yaxis_transform())
    axes.set_xscale("log")
    axes.set_xlim(1e7, 1e11)
    axes.set_ylim(1.9, 3.6)
    axes.set_xlabel("multiply-accumulates per second of audio")
    axes.set_ylabel("PESQ on 200 test files")
    axes.legend(loc="upper left")


def page() -> str:
    """The whole page."""
    best = max(OURS, key=lambda name: mean(scores(name)["pesq"]))
    paper = PAPER.format(best=mean(scores(best)["pesq"]), name=best)
    parts = (
        HEAD,
        "## This project\n",
        quality_of_ours(),
        "\n± is one standard error of the mean over the files.\n\n## By noise and SNR\n",
        by_condition(),
        "\n## Differences, file by file\n",
        differences(),
        INTERVALS,
        beside_the_peers(),
        f"\n![{ALT['results']}](figures/results.svg)\n\n## What it costs\n",
        cost(),
        paper.rstrip(),
        ablation().rstrip(),
        FOOT,
    )
    return "\n".join(parts)


def main() -> None:
    """Write the page and the figure."""
    PAGE.write_text(page(), encoding="utf-8")
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
        draw_results(axes)
        figure.savefig(FOLDER / "results.svg", metadata={"Date": None})
        plt.close(figure)


if __name__ == "__main__":
    main()
