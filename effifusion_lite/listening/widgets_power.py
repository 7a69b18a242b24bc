"""The power desk: how often a small study shows a gain that is there, and what it then says."""

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np

from effifusion_lite.evaluation.intervals import CONFIDENCE
from effifusion_lite.listening.live import Live, respond, without_kernel
from effifusion_lite.listening.page import Page
from effifusion_lite.plotting import image_html

GAINS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
SPREADS = (0.005, 0.01, 0.02, 0.03, 0.05)
COUNTS = (2, 3, 4, 5, 8, 12, 20, 40)
STUDIES = 4000


def power_desk() -> Live:
    """Make a live desk that simulates studies of two groups of trainings.

    Returns:
        The widget: the gains that 4000 studies find, and which of them are shown. Without a kernel
        the picture of its first state is shown: a gain of 0.03, a spread of 0.02, 3 seeds.
    """
    gain, spread, count = (
        widgets.SelectionSlider(
            options=options,
            value=value,
            description=name,
            continuous_update=False,
            style={"description_width": "initial"},
        )
        for name, options, value in (
            ("true gain", GAINS, 0.03),
            ("spread between seeds", SPREADS, 0.02),
            ("seeds of each", COUNTS, 3),
        )
    )

    def work() -> list[Page]:
        return [_picture(gain.value, *studies(gain.value, spread.value, count.value))]

    first = work()
    text = "With one you choose gain, spread and number of seeds; here 0.03, 0.02 and 3."
    return Live(respond([gain, spread, count], work, first), without_kernel(text, first[0].html))


def studies(gain: float, spread: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Simulate studies that compare two groups by a t-test at the 5 % level.

    Args:
        gain: true difference of the two groups.
        spread: standard deviation between seeds.
        count: seeds in each group.

    Returns:
        The gain that each study finds, and whether it counts as shown.

    Shape:
        both [studies].
    """
    from scipy.stats import t

    draw = np.random.default_rng(9)
    groups = draw.normal([[[0.0]], [[gain]]], spread, (2, count, STUDIES))
    found = groups[1].mean(0) - groups[0].mean(0)  # [studies]
    error = np.sqrt(groups.var(1, ddof=1).sum(0) / count)  # [studies]
    bound = t.ppf((1 + CONFIDENCE) / 2, 2 * count - 2)
    return found, np.abs(found) > bound * error


def _picture(gain: float, found: np.ndarray, shown: np.ndarray) -> Page:
    text = f"{100 * shown.mean():.0f} % of {STUDIES} studies show a difference. "
    if shown.any() and gain:
        text += f"Those that do find a gain of {found[shown].mean():+.3f} on the mean, "
        text += f"where {gain:+.3f} is true; "
        text += f"{100 * (found[shown] < 0).mean():.1f} % of them have the wrong sign."
    elif not gain:
        text += "All of them are wrong: there is none."
    figure, axes = plt.subplots(figsize=(8, 2.8), layout="constrained")
    bins = np.linspace(found.min(), found.max(), 41)
    axes.hist(found, bins, color="#d8d8dc", edgecolor="#5e5c64", label="all studies")
    axes.hist(found[shown], bins, color="#1a5fb4", label="those that show a difference")
    axes.axvline(gain, color="black", linestyle="--", linewidth=1, label="true gain")
    axes.set(xlabel="gain that a study finds", ylabel="studies")
    axes.legend(fontsize=8)
    alt = f"Histogram of the gains that {STUDIES} simulated studies find. {text}"
    return Page(f"{image_html(figure, alt)}<p>{text}</p>", text)
