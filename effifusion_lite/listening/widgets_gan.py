"""The GAN explorer: two learning rates, and the path that a generator of one number takes."""

from collections.abc import Callable

import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch
from torch import Tensor

from effifusion_lite.listening.live import Live, respond, without_kernel
from effifusion_lite.listening.page import Page
from effifusion_lite.plotting import image_html

RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
STEPS = (200, 500, 1000, 2000)
SEEDS = 3
GOAL, NEAR = 2.0, 0.1  # where the real numbers are; this close counts as there


def gan_explorer(loop: Callable[..., Tensor]) -> Live:
    """Make a live explorer of a GAN on one number.

    Args:
        loop: `(rate of the discriminator, rate of the generator, steps, seed) -> path`, the
            chapter's own.

    Returns:
        The widget: the paths of three seeds, and when they come to rest at 2. Without a kernel the
        picture of its first state is shown: both rates 0.1, 1000 steps.

    Shape:
        the path of `loop` [steps].
    """
    judge, maker, steps = (
        widgets.SelectionSlider(
            options=options,
            value=value,
            description=name,
            continuous_update=False,
            style={"description_width": "initial"},
        )
        for name, options, value in (
            ("rate of the discriminator", RATES, 0.1),
            ("rate of the generator", RATES, 0.1),
            ("steps", STEPS, 1000),
        )
    )

    def work() -> list[Page]:
        paths = [loop(judge.value, maker.value, steps.value, seed) for seed in range(SEEDS)]
        return [_picture(torch.stack(paths))]

    first = work()
    text = "With one you choose the two learning rates and the number of steps; both rates are 0.1."
    return Live(respond([judge, maker, steps], work, first), without_kernel(text, first[0].html))


def _picture(paths: Tensor) -> Page:
    rests = [_at_rest(path) for path in paths]
    known = [rest for rest in rests if rest is not None]
    text = f"Highest value {paths.max():.2f}. "
    if known:
        text += f"{len(known)} of {SEEDS} paths stay within {NEAR} of {GOAL:.0f}, "
        text += f"from step {min(known)} to {max(known)} on."
    else:
        text += f"No path has come to rest within {NEAR} of {GOAL:.0f}."
    text += f" The paths differ from each other by at most {_apart(paths):.2f}."
    figure, axes = plt.subplots(figsize=(8, 2.8), layout="constrained")
    for path, style in zip(paths, ("-", "--", ":"), strict=True):
        axes.plot(path, style, linewidth=1)
    axes.axhline(GOAL, color="black", linewidth=0.6)
    axes.set(xlabel="step", ylabel="shift of the generator")
    alt = f"The generator's number over {paths.shape[1]} steps, for {SEEDS} seeds. {text}"
    return Page(f"{image_html(figure, alt)}<p>{text}</p>", text)


def _apart(paths: Tensor) -> float:
    """The largest difference between two paths at the same step."""
    return (paths.amax(0) - paths.amin(0)).max().item()


def _at_rest(path: Tensor) -> int | None:
    """The step from which on a path stays near the goal, None if it does not."""
    away = ((path - GOAL).abs() >= NEAR) | path.isnan()  # [steps]
    last = int(away.nonzero()[-1]) + 1 if away.any() else 0
    return last if last < len(path) else None
