"""A figure of an evaluation: each metric over all files, by noise and by SNR, with 95 % intervals.

Chapter: 09 Results and ablations.
"""

import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from effifusion_lite.evaluation.results import Evaluation
from effifusion_lite.evaluation.tables import COLUMNS, beside, label, metrics_of

FORMATS = (".svg", ".png")
STYLES = (("#555555", "o"), ("#0072b2", "s"), ("#d55e00", "^"))  # of systems; shape tells them too
SHIFT = 0.2  # between systems, where the distance of two groups is 1
DPI = 150


def check_figure(path: Path) -> None:
    """See that a figure can be drawn, before hours go into its scores.

    Args:
        path: where it shall be written.

    Raises:
        ValueError: its name ends in neither .svg nor .png, or matplotlib is missing.
    """
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"{path}: give the figure a name that ends in .svg or .png")
    if find_spec("matplotlib") is None:
        raise ValueError('a figure needs matplotlib: pip install "effifusion-lite[notebooks]"')


def draw_figure(evaluation: Evaluation, file_format: str) -> bytes:
    """Draw mean and 95 % t interval of each system: for all files, each noise and each SNR.

    An axis ends where the scores of single files end: the interval of very few files may reach
    beyond it. One file alone has no interval.

    Args:
        evaluation: the scores.
        file_format: "svg" or "png".

    Returns:
        The file's content; its metadata hold the means as text, for who cannot see the picture.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    groups = {"all": evaluation} | evaluation.groups("noise") | evaluation.groups("snr_db")
    metrics = metrics_of(evaluation)
    rows = (len(metrics) + 1) // 2
    figure = Figure(figsize=(11, 2.8 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, 2).flat
    for axis, metric in zip(axes, metrics, strict=False):
        _draw_metric(axis, groups, metric)
    for axis in axes[len(metrics) :]:
        axis.set_axis_off()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    content = io.BytesIO()
    metadata = {"Title": "Scores with 95 % intervals", "Description": evaluation.table()}
    if file_format == "svg":
        metadata["Date"] = None  # with the salt: the same scores give the same file
    with rc_context({"svg.hashsalt": "effifusion"}):
        figure.savefig(content, format=file_format, dpi=DPI, metadata=metadata)
    return content.getvalue()


def _draw_metric(axis, groups: dict[str, Evaluation], metric: str) -> None:
    whole = groups["all"]
    positions = np.arange(len(groups))
    systems = beside(whole)
    for index, system in enumerate(systems):
        means = np.array([group.mean(system, metric) for group in groups.values()], dtype=float)
        intervals = [group.interval(system, metric) for group in groups.values()]
        halves = [0.0 if i is None else i.high - i.mean for i in intervals]
        shifted = positions + SHIFT * (index - (len(systems) - 1) / 2)
        colour, marker = STYLES[index]
        bars = axis.errorbar(shifted, means, halves, color=colour, marker=marker, ls="", capsize=3)
        bars.set_label(label(whole, system))
    names = [f"{name} ({len(group.files)})" for name, group in groups.items()]
    axis.set_xticks(positions, names, rotation=40, ha="right", rotation_mode="anchor")
    for edge in {0, len(whole.groups("noise"))}:  # between all, noises and SNRs
        axis.axvline(edge + 0.5, color="#bbbbbb", linewidth=0.8)
    values = np.concatenate([whole.values(system, metric) for system in systems])
    values = values[~np.isnan(values)]
    if len(values) and np.ptp(values) > 0:
        margin = 0.05 * np.ptp(values)
        axis.set_ylim(values.min() - margin, values.max() + margin)
    axis.set(title=COLUMNS[metric][0], xlim=(-0.5, len(groups) - 0.5))
    axis.grid(axis="y", alpha=0.3)
