"""The pruning desk: a share to remove for each kind of unit; what it saves, costs, sounds like."""

import html
from collections.abc import Mapping

import ipywidgets as widgets
import numpy as np
from torch import Tensor

from effifusion_lite.cost import describe, time_ratio
from effifusion_lite.enhancement import enhance
from effifusion_lite.generator import EffiFusionGenerator
from effifusion_lite.listening.live import Live, respond, without_kernel
from effifusion_lite.listening.page import Page
from effifusion_lite.listening.player import Row, row
from effifusion_lite.metrics import score
from effifusion_lite.pruning import choose_units, removable_units, remove_units

RATES = (0, 10, 20, 30, 40, 50, 60, 70, 80, 90)  # % of the units of a kind
# Kind of unit, as the reader sees it: what stands in the names of the modules that hide it.
KINDS = {
    "hidden units": "feed_forward",
    "conformer channels": "convolution",
    "attention heads": "attention",
    "encoder channels": "encoder.",
    "decoder channels": "decoder.",
}


def pruning_desk(
    clean: np.ndarray,
    noisy: np.ndarray,
    model: EffiFusionGenerator,
    rate: int = 50,
    sample_rate: int = 16000,
) -> Live:
    """Make a live desk on which units of each kind are removed from a generator.

    Nothing is trained afterwards.

    Args:
        clean: speech.
        noisy: the same speech with noise, which the generators enhance.
        model: a trained generator; it stays as it is.
        rate: share of each kind that is removed at first, one of `RATES`, in percent.
        sample_rate: samples per second, Hz.

    Returns:
        The widget: a slider for each kind of unit; parameters, multiply-accumulates and time as
        shares of those of `model`; the sound and its scores. Without a kernel its first state.

    Shape:
        `clean` and `noisy` [N] samples.

    Raises:
        ValueError: the two cannot be compared, or `rate` is none of `RATES`.
    """
    if np.ndim(clean) != 1 or np.shape(clean) != np.shape(noisy):
        raise ValueError(
            f"give clean and noisy speech of one length [N], not {list(np.shape(clean))} and "
            f"{list(np.shape(noisy))}"
        )
    if rate not in RATES:
        raise ValueError(f"the desk cannot start at {rate} %: choose one of {RATES}")
    controls = {
        kind: widgets.SelectionSlider(
            options=[(f"{share} %", share) for share in RATES],
            value=rate,
            description=kind,
            continuous_update=False,
            style={"description_width": "10em"},
        )
        for kind in KINDS
    }
    whole = enhance(noisy, sample_rate, model)  # [N]

    def work() -> list[Page | Row]:
        shares = {kind: control.value for kind, control in controls.items()}
        smaller = without(model, {kind: share / 100 for kind, share in shares.items()})
        text = f"{_removed(shares)}: {savings_text(model, smaller)}"
        sounds = {
            "noisy": noisy,
            "whole network": whole,
            "units removed": enhance(noisy, sample_rate, smaller),
            "clean": clean,
        }
        scored = ("noisy", "whole network", "units removed")
        player = row(
            sounds,
            sample_rate,
            listen_for="Is there more noise in the pauses, or less of the voice?",
            scores={name: score(clean, sounds[name]) for name in scored},
            pictures=False,
        )
        return [Page(f"<p>{html.escape(text)}</p>", text), player]

    first = work()
    text = "With one you choose a share for each kind of unit; this is the first state."
    shown = "\n".join(item.html for item in first)
    return Live(respond([*controls.values()], work, first), without_kernel(text, shown))


def without(model: EffiFusionGenerator, shares: Mapping[str, float]) -> EffiFusionGenerator:
    """Remove the least important units, kind by kind.

    Args:
        model: the generator; it stays as it is.
        shares: share to remove of each kind, a key of `KINDS`, at least 0 and below 1; kinds that
            are not named stay whole.

    Returns:
        A smaller generator.

    Raises:
        KeyError: there is no such kind.
        ValueError: a share is not in its range.
    """
    chosen: dict[str, Tensor] = {}
    for kind, share in shares.items():
        part = KINDS[kind]
        if share:
            numbers = choose_units(model, share)
            chosen |= {name: numbers[name] for name in removable_units(model) if part in name}
    return remove_units(model, chosen)


def savings_text(model: EffiFusionGenerator, smaller: EffiFusionGenerator) -> str:
    """Say which share of a generator's parameters, multiply-accumulates and time a smaller one has.

    Args:
        model: a generator.
        smaller: what was made of it.

    Returns:
        A sentence. Its time is measured here and now, see :func:`time_ratio`.
    """
    before, after = describe(model), describe(smaller)
    parameters, macs = (100 * after[key] / before[key] for key in ("parameters", "macs_per_second"))
    return (
        f"{after['parameters']:,} parameters ({parameters:.0f} %), {macs:.0f} % of the MACs, "
        f"{100 * time_ratio(model, smaller):.0f} % of the time."
    )


def _removed(shares: Mapping[str, int]) -> str:
    if len(set(shares.values())) == 1:
        return f"{[*shares.values()][0]} % of each kind of unit removed"
    return "Removed: " + ", ".join(f"{share} % of the {kind}" for kind, share in shares.items())
