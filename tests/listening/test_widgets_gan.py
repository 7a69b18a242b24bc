"""The GAN explorer follows its rates, and says where a path comes to rest."""

import torch
from IPython.core.interactiveshell import InteractiveShell

from effifusion_lite.listening.widgets_gan import SEEDS, gan_explorer


def controls(live):
    return {child.description: child for child in live.widget.children if hasattr(child, "options")}


def shown(live):
    return [output["data"]["text/plain"] for output in live.widget.children[-1].outputs]


def rising(rate_d, rate_g, steps, seed):
    """Reaches 2 at step 1 / rate_g and stays there."""
    return (rate_g * torch.arange(steps)).clamp_max(2.0)


def test_the_first_state_is_shown_with_and_without_kernel():
    live = gan_explorer(rising)
    [text] = shown(live)
    assert text.startswith(f"Highest value 2.00. {SEEDS} of {SEEDS} paths stay within 0.1 of 2, ")
    assert text.endswith("from step 20 to 20 on. The paths differ from each other by at most 0.00.")
    assert "no kernel" in live.html and "<img" in live.html and text in live.html


def test_a_control_calls_the_loop_with_its_values():
    InteractiveShell.instance()  # which shows what is displayed
    calls = []

    def loop(*arguments):
        calls.append(arguments)
        return rising(*arguments)

    live = gan_explorer(loop)
    calls.clear()
    controls(live)["rate of the discriminator"].value = 0.5
    assert calls == [(0.5, 0.1, 1000, seed) for seed in range(SEEDS)]
    calls.clear()
    controls(live)["steps"].value = 200
    assert calls == [(0.5, 0.1, 200, seed) for seed in range(SEEDS)]
    InteractiveShell.clear_instance()


def test_how_far_the_seeds_lie_apart_is_told():
    live = gan_explorer(lambda rate_d, rate_g, steps, seed: torch.tensor([2.0, 2.0 + 0.02 * seed]))
    assert shown(live)[0].endswith("The paths differ from each other by at most 0.04.")


def test_paths_that_do_not_arrive_are_told():
    away = gan_explorer(lambda *arguments: torch.full((10,), torch.nan))
    assert "No path has come to rest" in shown(away)[0]
    leaves = gan_explorer(lambda *arguments: torch.tensor([2.0, 2.0, 3.0]))
    assert "Highest value 3.00. No path" in shown(leaves)[0]
