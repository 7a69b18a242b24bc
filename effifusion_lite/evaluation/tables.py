"""An evaluation as text: means, means by noise and by SNR, and the comparison of two systems.

Chapter: 09 Results and ablations.
"""

from effifusion_lite.metrics import METRICS

COLUMNS = {  # of each metric: heading and digits
    "pesq": ("PESQ", 3),
    "stoi": ("STOI", 3),
    "estoi": ("ESTOI", 3),
    "si_sdr": ("SI-SDR dB", 2),
    "segmental_snr": ("segmental SNR dB", 2),
    "csig": ("CSIG", 3),
    "cbak": ("CBAK", 3),
    "covl": ("COVL", 3),
    "sig": ("SIG", 3),
    "bak": ("BAK", 3),
    "ovrl": ("OVRL", 3),
}
SHORT = {"si_sdr": "SI-SDR", "segmental_snr": "seg. SNR"}  # where columns are many
GROUPS = {"noise": "by noise", "snr_db": "by SNR"}


def table(evaluation) -> str:
    """All tables of an evaluation.

    Args:
        evaluation: a `results.Evaluation`.

    Returns:
        Means with standard errors, a line for each metric; means by noise and by SNR where these
        are known; paired differences with 95 % intervals where there is a system to compare with.
        Metrics beyond `METRICS` have a line where they could be computed.
    """
    blocks = [_means(evaluation)]
    for key, title in GROUPS.items():
        rows = [
            (f"{name} ({len(group.files)}) {label(group, system)}", group, system)
            for name, group in evaluation.groups(key).items()
            for system in beside(group)
        ]
        if rows:
            blocks.append(_group_means(title, rows, metrics_of(evaluation)))
    if evaluation.compared_with is not None:
        blocks.append(_comparison(evaluation))
    return "\n\n".join(blocks)


def metrics_of(evaluation) -> tuple[str, ...]:
    """The metrics to show: `METRICS`, and others where there are some.

    Args:
        evaluation: a `results.Evaluation`.
    """
    means = evaluation.means(evaluation.systems).values()
    return tuple(m for m in COLUMNS if m in METRICS or any(mean[m] is not None for mean in means))


def beside(evaluation) -> tuple[str, ...]:
    """The systems to show side by side: those that got the noisy recordings.

    Args:
        evaluation: a `results.Evaluation`.
    """
    return tuple(system for system in evaluation.systems if not system.startswith("clean"))


def label(evaluation, system: str) -> str:
    """What to call a system.

    Args:
        evaluation: a `results.Evaluation`.
        system: one of `results.SYSTEMS`.
    """
    if system == "compared":
        return evaluation.compared_with or system
    return system.replace("_", ", ")


def _means(evaluation) -> str:
    """One line for each metric, one column for each system."""
    columns = []
    for system in evaluation.systems:
        columns.append((label(evaluation, system), system))
        if system == "enhanced":
            columns.append(("gain", "gain"))
    scored = sum(file.error is None for file in evaluation.files)
    lines = [(f"{scored} files", *(name for name, _ in columns))]
    for metric in metrics_of(evaluation):
        cells = (_cell(evaluation, system, metric, errors=True) for _, system in columns)
        lines.append((COLUMNS[metric][0], *cells))
    return _aligned(lines)


def _group_means(title: str, rows: list[tuple], metrics: tuple[str, ...]) -> str:
    """One line for each row, which is a label, an evaluation and the system to show."""
    lines = [(title, *(SHORT.get(metric, COLUMNS[metric][0]) for metric in metrics))]
    for name, group, system in rows:
        lines.append((name, *(_cell(group, system, metric, errors=False) for metric in metrics)))
    return _aligned(lines)


def _aligned(lines: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        f"{first:{widths[0]}}"
        + "".join(f"  {cell:>{n}}" for cell, n in zip(cells, widths[1:], strict=True))
        for first, *cells in lines
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
