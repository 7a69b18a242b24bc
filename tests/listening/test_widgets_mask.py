"""The mask desk without a browser: it puts the chosen parts together."""

import numpy as np
import pytest
from models import changed

from effifusion_lite.listening import clips, widgets_mask
from effifusion_lite.listening.widgets_mask import mask_desk


def choose(live, **values):
    for child in live.widget.children:
        name = getattr(child, "description", "")
        if name in values:
            child.value = values[name]


@pytest.fixture(scope="module")
def pair():
    return [waveform[8000:16000] for waveform in clips.pair("zebra_dishes")]


def test_mask_desk_puts_chosen_parts_together(pair, capsys):
    live = mask_desk(*pair, changed())
    assert live.html.count("<audio") == 9 and "no kernel" in live.html
    choose(live, phase="oracle")
    assert "oracle magnitude, oracle phase" in capsys.readouterr().out
    choose(live, magnitude="estimated")
    assert "estimated magnitude, oracle phase" in capsys.readouterr().out
    choose(live, ceiling=0.5)
    assert "at the ceiling of 0.5" in capsys.readouterr().out


def test_noisy_parts_are_the_noisy_recording_and_oracles_the_clean_one(pair):
    clean, noisy = pair
    desk = widgets_mask._Desk(clean, noisy, changed())
    np.testing.assert_allclose(desk.sound("noisy", "noisy", 2.0), noisy, atol=1e-3)
    np.testing.assert_allclose(desk.sound("oracle", "oracle", 100.0), clean, atol=1e-3)


def test_mask_desk_refuses_what_cannot_be_compared():
    with pytest.raises(ValueError, match="one length"):
        mask_desk(np.zeros(100), np.zeros(99), changed())
