"""An evaluation as text: means, means by noise and by SNR, and the comparison of two systems.

Chapter: 09 Results and ablations.
"""

from effifusion_lite.metrics import COMPOSITES, METRICS

COLUMNS = {  # of each metric: heading and digits
    "pesq": ("PESQ", 3),
    "stoi": ("STOI", 3),
    "si_sdr": ("SI-SDR dB", 2),
    "segmental_snr": ("segmental SNR dB", 2),
    "csig": ("CSIG", 3),
    "cbak": ("CBAK", 3),
    "covl": ("COVL", 3),
}
GROUPS = {"noise": "by noise", "snr_db": "by SNR"}


def table(evaluation) -> str:
    """All tables of an evaluation.

    Args:
        evaluation: a `results.Evaluation`.

    Returns:
        Means with standard errors; means by noise and by SNR where these are known; paired
        differences with 95 % intervals where there is a system to compare with. Composites have
        columns where they could be computed.
    """
    scored = sum(file.error is None for file in evaluation.files)
    rows = []
    for system in evaluation.systems:
        rows.append((label(evaluation, system), evaluation, system))
        if system == "enhanced":
            rows.append(("gain", evaluation, "gain"))
    blocks = [_block(f"{scored} files", rows, metrics_of(evaluation), errors=True)]
    for key, title in GROUPS.items():
        rows = [
            (f"{name} ({len(group.files)}) {label(group, system)}", group, system)
            for name, group in evaluation.groups(key).items()
            for system in group.systems
        ]
        if rows:
            blocks.append(_block(title, rows, metrics_of(evaluation), errors=False))
    if evaluation.compared_with is not None:
        blocks.append(_comparison(evaluation))
    return "\n\n".join(blocks)


def metrics_of(evaluation) -> tuple[str, ...]:
    """The metrics to show: composites only where there are some, which without PESQ there are not.

    Args:
        evaluation: a `results.Evaluation`.
    """
    means = evaluation.means(evaluation.systems).values()
    return METRICS + tuple(c for c in COMPOSITES if any(mean[c] is not None for mean in means))


def label(evaluation, system: str) -> str:
    """What to call a system.

    Args:
        evaluation: a `results.Evaluation`.
        system: "noisy", "enhanced" or "compared".
    """
    return evaluation.compared_with or system if system == "compared" else system


def _block(title: str, rows: list[tuple], metrics: tuple[str, ...], errors: bool) -> str:
    """One table; each row has a label, an evaluation and the system whose means it shows."""
    labels = [title, *(row[0] for row in rows)]
    first = max(12, *(len(text) + 1 for text in labels))
    widths = [max(15 if errors else 8, len(COLUMNS[metric][0]) + 2) for metric in metrics]
    lines = [[COLUMNS[metric][0] for metric in metrics]]
    lines += [[_cell(*row[1:], metric, errors) for metric in metrics] for row in rows]
    return "\n".join(
        f"{text:{first}}" + "".join(f"{cell:>{n}}" for cell, n in zip(line, widths, strict=True))
        for text, line in zip(labels, lines, strict=True)
    )


def _cell(evaluation, system: str, metric: str, errors: bool) -> str:
    digits = COLUMNS[metric][1]
    mean, error = evaluation.mean(system, metric), evaluation.standard_error(system, metric)
    if mean is None:
        return "-"
    return f"{mean:.{digits}f}" + (f" ± {error:.{digits}f}" if errors and error is not None else "")


def _comparison(evaluation) -> str:
    lines = [f"enhanced minus {evaluation.compared_with}, file by file: mean, 95 % t interval"]
    for metric in metrics_of(evaluation):
        heading, digits = COLUMNS[metric]
        interval = evaluation.interval("difference", metric)
        if interval is None:
            lines.append(f"{heading:18}-  less than two files")
            continue
        mean, low, high = (
            f"{value:+.{digits}f}" for value in (interval.mean, interval.low, interval.high)
        )
        verdict = "" if interval.shown else "  not shown"
        limits = f"[{low}, {high}]"
        lines.append(f"{heading:18}{mean:>7}  {limits:18}{interval.count} files{verdict}")
    return "\n".join(lines)
