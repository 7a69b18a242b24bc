"""The loss desk: what its descent reaches, and what the widget shows."""

import ipywidgets as widgets
import numpy as np
import pytest

from effifusion_lite.audio import mix_at_snr
from effifusion_lite.listening import clips
from effifusion_lite.listening.widgets_losses import TERMS, descend, loss_desk
from effifusion_lite.losses import LossWeights
from effifusion_lite.metrics import si_sdr

CLEAN = clips.load("rms_garage")[0][:8000]
NOISY = mix_at_snr(CLEAN, clips.noise("fan", 0.5, seed=1), 5)


def alone(name):
    return LossWeights(**dict.fromkeys(TERMS, 0.0) | {name: 1.0, "metric": 0.0})


@pytest.mark.parametrize("name", ["magnitude", "phase", "complex", "waveform", "perceptual"])
def test_each_loss_falls(name):
    waveform, curve = descend(CLEAN, NOISY, alone(name), steps=20)
    assert waveform.shape == CLEAN.shape
    assert len(curve) == 20
    assert curve[-1] < 0.9 * curve[0]


def test_a_loss_that_knows_the_waveform_raises_si_sdr_and_consistency_does_not():
    better, _ = descend(CLEAN, NOISY, alone("complex"), steps=60, rate=0.05)
    same, curve = descend(CLEAN, NOISY, alone("consistency"), steps=5, rate=0.01)
    assert si_sdr(CLEAN, better) > si_sdr(CLEAN, NOISY) + 5
    assert curve[0] < 1e-6
    assert si_sdr(CLEAN, same) == pytest.approx(si_sdr(CLEAN, NOISY), abs=0.5)


def test_the_desk_shows_its_initial_state_and_runs():
    desk = loss_desk(CLEAN, NOISY)
    assert "no kernel" in desk.html and "1 × magnitude" in desk.html
    children = {c.description: c for c in desk.widget.children if hasattr(c, "description")}
    assert set(TERMS) <= children.keys()
    [state] = [c for c in desk.widget.children if isinstance(c, widgets.HTML)]
    children["steps"].value = 20
    children["magnitude"].value = 0.0
    children["Run"].click()
    assert "raise at least one" in state.value
    children["waveform"].value = 1.0
    children["Run"].click()
    assert "Ready after" in state.value


def test_the_desk_refuses_what_it_cannot_compare():
    with pytest.raises(ValueError, match="one length"):
        loss_desk(CLEAN, np.zeros(10))
