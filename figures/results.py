"""Write the page of results, RESULTS.md, and its figures: `python figures/results.py`.

It reads what others have measured: `recipes/scores/NAME.csv` (`effifusion evaluate --csv`) and
`recipes/scores/benchmark.json` (`effifusion benchmark --json`) for the weights of this project,
`recipes/failures.csv` (`tools/failures.py`), `recipes/ablation` (`tools/ablation.py`),
`recipes/curves` (`valid.csv` of each run, by the name of its recipe), and `peers.csv` beside this
file for all others. The text around the tables is `results.template.md`.
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
from effifusion_lite.evaluation.intervals import mean_interval
from effifusion_lite.weights import load

FOLDER = Path(__file__).resolve().parent
SCORES = FOLDER.parent / "recipes" / "scores"
FAILURES = FOLDER.parent / "recipes" / "failures.csv"
QUIET = 17.5  # dB, the highest SNR of the corpus
VOICES = 165  # Hz, between the fundamental frequencies of men and of women
CURVES = FOLDER.parent / "recipes" / "curves"
ABLATION_RESULTS = FOLDER.parent / "recipes" / "ablation"
TEMPLATE = FOLDER / "results.template.md"
PAGE = FOLDER.parent / "RESULTS.md"
OURS = ("tiny", "lite-pruned", "lite", "full")
SPEED = {"lite-pruned": "lite, 50%, removed, one thread"}  # rows of the benchmark by other names
NAMES = {"noisy": "noisy", "wiener": "Wiener filter (`effifusion_lite/evaluation/wiener.py`)"}
METRICS = ("pesq", "stoi", "si_sdr", "segmental_snr", "csig", "cbak", "covl")
GOALS = {  # of the columns of MEASURED
    "tiny": (2.80, 17.0, 0.935, 3.6, 4.45, 26.0, -0.05),
    "lite": (2.90, 18.0, 0.941, 3.8, 4.5, 28.0, -0.05),
    "full": (3.00, 18.3, 0.943, 3.9, 4.5, 28.0, -0.05),
}
MEASURED = {  # column of a file of scores, by its heading; digits
    "PESQ": ("enhanced_pesq", 3),
    "SI-SDR dB": ("enhanced_si_sdr", 2),
    "STOI": ("enhanced_stoi", 3),
    "CSIG": ("enhanced_csig", 2),
    "clean in: PESQ": ("clean_enhanced_pesq", 2),
    "clean in: SI-SDR dB": ("clean_enhanced_si_sdr", 1),
}
STEP_HOURS = 4 / 3600  # of mixtures in a step of the trainings below
LEARNT = {  # recipes that the weights went through, and the step at which the next one began
    "tiny": {"tiny": 2200, "tiny-2": 6000, "tiny-3": 3600, "tiny-4": 300},
    "lite": {"tiny": 2200, "tiny-2": 6000, "tiny-3": 3600, "lite-8": 1150, "lite-9": 100},
    "lite, earlier": {
        "tiny": 2200, "lite": 2600, "lite-2": 1050, "lite-3": 1800, "lite-4": 1823, "lite-5": 1100,
        "lite-6": 1500,
    },
}  # fmt: skip
CORPUS = "VoiceBank+DEMAND"
COLOURS = {"ours": "#1a5fb4", CORPUS: "#c64600", "other data": "#5e5c64"}
MARKERS = {"ours": "o", CORPUS: "s", "other data": "^"}
BELOW = ("GTCRN (VB+D)", "FastEnhancer-B", "lite-pruned")  # labels that stand below their marks
STYLE = {"svg.fonttype": "path", "svg.hashsalt": "effifusion-lite", "font.size": 10}
ALT = {
    "results": (
        "PESQ on 200 of the 824 test files against multiply-accumulates per second of audio, on a "
        "logarithmic axis. Three kinds of marks: the weights of this project, GTCRN trained on "
        "other data, and systems trained on VoiceBank+DEMAND itself. Two dashed lines: the noisy "
        "files, and the Wiener filter of this project. The values stand in the tables of the page."
    ),
    "learning": (
        "PESQ and SI-SDR on the 48 validation mixtures against hours of mixtures heard. The curve "
        "of `lite` begins where the third part of `tiny` ends; that of an earlier `lite`, no "
        "longer shipped, where the first part of `tiny` ends. The values stand in `recipes/curves`."
    ),
}


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


def without_reference() -> str:
    """Table of the judge that knows no clean recording, of extended STOI, and of clean in."""
    lines = [
        "| system | extended STOI | SIG | BAK | OVRL | SIG at 17.5 dB | clean in: PESQ | "
        "clean in: SI-SDR dB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in ("clean", "noisy", "wiener", *OURS):
        with open(SCORES / f"{name if name in (*OURS, 'wiener') else 'wiener'}.csv") as file:
            rows = list(csv.DictReader(file))
        system = name if name in ("clean", "noisy") else "enhanced"
        quiet = [row for row in rows if float(row["snr_db"]) == QUIET]
        columns = [
            (rows, f"{system}_estoi", 3),
            *((rows, f"{system}_{opinion}", 2) for opinion in ("sig", "bak", "ovrl")),
            (quiet, f"{system}_sig", 2),
            (rows, "clean_enhanced_pesq" if system == "enhanced" else None, 2),
            (rows, "clean_enhanced_si_sdr" if system == "enhanced" else None, 1),
        ]
        cells = [
            f"{mean(float(row[column]) for row in of):.{digits}f}"
            if column is not None and of[0][column]
            else ""
            for of, column, digits in columns
        ]
        label = "the clean files" if name == "clean" else NAMES.get(name, f"`{name}`")
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def goals() -> str:
    """Table of the goals, and by how much they are missed."""
    heads = (*MEASURED, f"SIG at {QUIET} dB, beside the clean files")
    lines = [f"| goal | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for name, wanted in GOALS.items():
        rows = files(name)
        found = [(mean(float(row[key]) for row in rows), n) for key, n in MEASURED.values()]
        quiet = [row for row in rows if float(row["snr_db"]) == QUIET]
        found.append((mean(float(r["enhanced_sig"]) - float(r["clean_sig"]) for r in quiet), 3))
        cells = []
        for (value, digits), goal in zip(found, wanted, strict=True):
            missing = goal - value
            text = "reached" if missing <= 0 else f"missed by {missing:.{digits}f}"
            cells.append(f"{goal:.{digits}f}, {text}")
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
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


def failures() -> list[dict]:
    """What `tools/failures.py` has measured, numbers as numbers."""
    with open(FAILURES, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{k: v if k in ("system", "noise") else float(v) for k, v in r.items()} for r in rows]


def _means(rows: list[dict], digits: dict[str, int]) -> list[str]:
    return [f"{np.nanmean([row[name] for row in rows]):z.{n}f}" for name, n in digits.items()]


def voice_lost() -> str:
    """Table of what each system takes away of the voice, where there is most and least noise."""
    rows = failures()
    lines = [
        "| system | PESQ | SI-SDR dB | loud, 2.5 dB | 17.5 dB | quiet, 2.5 dB | 17.5 dB |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name in ("noisy", "wiener", *OURS):
        mine = [row for row in rows if row["system"] == name]
        cells = _means(mine, {"pesq": 2, "si_sdr": 1})
        for part in ("loud_db", "quiet_db"):
            for snr in (2.5, 17.5):
                cells += _means([row for row in mine if row["snr_db"] == snr], {part: 1})
        lines.append(f"| {NAMES.get(name, f'`{name}`')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def hard_cases() -> str:
    """Table of the scores of `lite` by voice, and under the noises where it helps least."""
    rows = failures()
    cases = {
        f"voice below {VOICES} Hz": lambda row: row["pitch_hz"] < VOICES,
        f"voice above {VOICES} Hz": lambda row: row["pitch_hz"] >= VOICES,
    }
    for noise in sorted({row["noise"] for row in rows}):
        cases[f"`{noise}`"] = lambda row, noise=noise: row["noise"] == noise
    found = []
    for case, holds in cases.items():
        noisy, ours = (
            [r for r in rows if r["system"] == s and holds(r)] for s in ("noisy", "lite")
        )
        gain = mean(row["pesq"] for row in ours) - mean(row["pesq"] for row in noisy)
        digits = {"pesq": 2, "si_sdr": 1}
        lost = _means(ours, {"loud_db": 1, "quiet_db": 1})
        pairs = zip(_means(noisy, digits), _means(ours, digits), strict=True)
        cells = [str(len(ours)), *(f"{a} → {b}" for a, b in pairs), *lost]
        found.append((gain, f"| {case} | {' | '.join(cells)} |"))
    lines = [
        "| case | mixtures | PESQ | SI-SDR dB | loud, dB | quiet, dB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    return "\n".join(lines + [line for _, line in found[:2] + sorted(found[2:])[:6]])


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
        "| system | trained on | PESQ, 200 files | STOI | SI-SDR dB | PESQ, all 824 | how |",
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
        if peer["parameters"] and peer["system"] != "GTCRN (VB+D)":  # the same network twice
            macs = peer["macs_per_second"] and f"{int(peer['macs_per_second']) / 1e6:,.0f}"
            lines.append(
                f"| {peer['system']} | {int(peer['parameters']):,} | {macs} | "
                f"{peer['real_time_factor']} | {peer['memory_mb']} |"
            )
    return "\n".join(lines)


def ablation() -> dict[str, str]:
    """The study: its budget, its table, and what is not measured yet."""
    table = (ABLATION_RESULTS / "table.md").read_text().strip()
    study = tomllib.loads((FOLDER.parent / "tools" / "ablation.toml").read_text())
    missing = [name for name in study["variants"] if f"\n| {name} |" not in table]
    rest = f"Not measured: {', '.join(missing)}." if missing else ""
    facts = {"hours": f"{study['hours']:g}", "seeds": str(len(study["seeds"]))}
    return {**facts, "ablation": table, "rest": rest}


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
        label = "ours, trained on other data" if kind == "ours" else f"trained on {kind}"
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
    axes.set_ylabel("PESQ on 200 of the 824 test files")
    axes.legend(loc="upper left")


def learning(curve: str) -> dict[str, list[float]]:
    """Hours of mixtures heard, PESQ and SI-SDR at each validation of a curve of `LEARNT`."""
    found, before, weights = {"hours": [], "pesq": [], "si_sdr": []}, 0.0, curve.split(",")[0]
    for recipe, last in LEARNT[curve].items():
        if recipe.split("-")[0] == weights:  # what came before is another network's
            with open(CURVES / f"{recipe}.csv", newline="") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) <= last]
            for row in rows:
                found["hours"].append(before + int(row["step"]) * STEP_HOURS)
                for metric in ("pesq", "si_sdr"):
                    found[metric].append(float(row[metric]))
        before += last * STEP_HOURS
    return found


def draw_learning(panels: list[Axes]) -> None:
    """PESQ and SI-SDR of the validation against hours of mixtures."""
    titles = {"pesq": "PESQ, validation", "si_sdr": "SI-SDR, validation (dB)"}
    for axes, (metric, title) in zip(panels, titles.items(), strict=True):
        for curve, style in zip(LEARNT, ("o-", "s-", "s:"), strict=True):
            found = learning(curve)
            axes.plot(found["hours"], found[metric], style, markersize=4, label=curve)
        axes.set_xlabel("hours of mixtures")
        axes.set_title(title, fontsize=10)
        axes.grid(alpha=0.3)
    panels[0].legend(loc="lower right")


def page() -> str:
    """The whole page: the template with its tables."""
    best = max(OURS, key=lambda name: mean(scores(name)["pesq"]))
    return TEMPLATE.read_text(encoding="utf-8").format(
        quality=quality_of_ours(),
        without_reference=without_reference(),
        goals=goals(),
        conditions=by_condition(),
        differences=differences(),
        voice_lost=voice_lost(),
        hard_cases=hard_cases(),
        peers=beside_the_peers(),
        alt=ALT["results"],
        alt_learning=ALT["learning"],
        cost=cost(),
        best=f"{mean(scores(best)['pesq']):.2f}",
        name=best,
        **ablation(),
    )


def main() -> None:
    """Write the page and the figures."""
    PAGE.write_text(page(), encoding="utf-8")
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
        draw_results(axes)
        figure.savefig(FOLDER / "results.svg", metadata={"Date": None})
        plt.close(figure)
        figure, panels = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
        draw_learning(panels)
        figure.savefig(FOLDER / "learning.svg", metadata={"Date": None})
        plt.close(figure)


if __name__ == "__main__":
    main()
