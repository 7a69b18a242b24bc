"""The power desk: its studies show a gain as often as theory says, and it follows its sliders."""

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell

from effifusion_lite.evaluation.power import power
from effifusion_lite.listening.widgets_power import STUDIES, power_desk, studies


def controls(live):
    return {child.description: child for child in live.widget.children if hasattr(child, "options")}


def shown(live):
    return [output["data"]["text/plain"] for output in live.widget.children[-1].outputs]


@pytest.mark.parametrize(("gain", "spread", "count"), [(0.03, 0.02, 3), (0.0, 0.05, 8)])
def test_studies_show_as_often_as_theory_says(gain, spread, count):
    found, said = studies(gain, spread, count)
    assert found.shape == said.shape == (STUDIES,)
    assert np.mean(said) == pytest.approx(power(gain, spread, count), abs=0.025)
    assert np.mean(found) == pytest.approx(gain, abs=0.002)
    if gain:
        assert np.mean(found[said]) > 1.2 * gain  # the curse of the winner


def test_the_first_state_is_shown_with_and_without_kernel():
    live = power_desk()
    [text] = shown(live)
    assert f"% of {STUDIES} studies show a difference" in text and "+0.030 is true" in text
    assert "no kernel" in live.html and "<img" in live.html and text in live.html


def test_a_slider_changes_what_is_shown(capsys):
    InteractiveShell.instance()  # which prints what is displayed
    live = power_desk()
    assert int(shown(live)[0].split(" %")[0]) < 50
    controls(live)["seeds of each"].value = 20
    assert "100 % of 4000 studies" in capsys.readouterr().out
    controls(live)["true gain"].value = 0.0
    assert "All of them are wrong" in capsys.readouterr().out
    InteractiveShell.clear_instance()
