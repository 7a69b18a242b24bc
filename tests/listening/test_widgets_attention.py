"""Where a network looks: its weights are those of the layer, the viewer follows its controls."""

import ipywidgets
import pytest
import torch

from effifusion_lite.attention import DualNormAttention
from effifusion_lite.generator import EffiFusionGenerator, preset
from effifusion_lite.listening import clips, widgets_attention
from effifusion_lite.listening.widgets_attention import (
    attention_inputs,
    attention_viewer,
    attention_weights,
    noise_shares,
)
from effifusion_lite.plotting import image_html

POINTS = {"low": (0.5, 240.0), "high": (1.0, 4000.0)}


@pytest.fixture(scope="module")
def pair():
    clean, noisy = clips.pair("garage_fan")
    return clean[:24000], noisy[:24000]


def network():
    torch.manual_seed(0)
    return EffiFusionGenerator(preset("tiny", channels=8, head_channels=4)).eval()


def test_weights_make_the_output_of_the_layer():
    torch.manual_seed(0)
    layer = DualNormAttention(8, "time", head_channels=4).eval()
    x = torch.randn(1, 9, 2, 8)  # [B, T, F, C]
    for row in range(2):
        sequence = x[:, :, row]  # [1, T, C]
        weights = attention_weights(layer, sequence)  # [1, heads, T, T]
        torch.testing.assert_close(weights.sum(-1), torch.ones(1, 2, 9))
        value = layer.value(layer.norm_in(sequence)).unflatten(-1, (2, 4)).transpose(1, 2)
        found = layer.output((weights @ value).transpose(1, 2).flatten(2))
        expected = sequence + layer.gain * layer.norm_out(found)
        torch.testing.assert_close(layer(x)[:, :, row], expected, atol=1e-5, rtol=1e-5)


def test_inputs_are_whole_although_a_block_works_in_pieces(pair, monkeypatch):
    model = network()
    whole = attention_inputs(model, pair[1])
    assert [*whole] == [(n, axis) for n in (1, 2) for axis in ("time", "frequency")]
    assert all(x.shape == (1, 241, 101, 8) for x in whole.values())
    monkeypatch.setattr("effifusion_lite.attention.CACHED_POINTS", 1000)
    pieces = attention_inputs(model, pair[1])
    torch.testing.assert_close(whole, pieces, atol=1e-4, rtol=1e-4)
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_an_untrained_network_looks_everywhere_alike(pair):
    shares = noise_shares(network(), *pair)
    for points, weight in shares.values():
        assert 0.1 < points < 0.95
        assert weight == pytest.approx(points, abs=0.03)


def test_viewer_has_prepared_points_and_follows_its_controls(pair, capsys):
    viewer = attention_viewer(pair[1], POINTS)
    assert "no kernel" in viewer.html
    assert viewer.html.count("<details name=") == viewer.html.count("<img alt=") == 4
    assert "Block 2 looks from 1.00 s and 4000 Hz" in viewer.html
    capsys.readouterr()
    sliders = [c for c in viewer.widget.children if isinstance(c, ipywidgets.SelectionSlider)]
    assert [slider.value for slider in sliders] == [0.5, 240]
    sliders[0].value = 1.2
    assert "Block 1 looks from 1.20 s and 240 Hz" in capsys.readouterr().out
    [block] = [c for c in viewer.widget.children if isinstance(c, ipywidgets.Dropdown)]
    block.value = 2
    assert "Block 2 looks from 1.20 s and 240 Hz" in capsys.readouterr().out


def test_each_head_has_its_panels_and_all_pictures_one_scale(pair, monkeypatch):
    figures = []

    def image_of(figure, alt):
        figures.append(figure)
        return image_html(figure, alt)

    monkeypatch.setattr(widgets_attention, "image_html", image_of)
    attention_viewer(pair[1], POINTS)
    scales = []
    for figure in figures:
        main, *panels = (axes for axes in figure.axes if axes.axison)
        below, beside = panels[::2], panels[1::2]
        assert len(below) == len(beside) == 2  # two heads, one shape in each panel
        assert all(len(axes.collections) == 1 for axes in panels)
        assert all(axes.get_xlim() == main.get_xlim() for axes in below)
        assert all(axes.get_ylim() == main.get_ylim() for axes in beside)
        scales += [a.get_ylim() for a in below] + [a.get_xlim() for a in beside]
        assert {a.get_yscale() for a in below} == {a.get_xscale() for a in beside} == {"log"}
    assert len(figures) == 5 and len({*scales}) == 1


@pytest.mark.parametrize(
    ("points", "message"), [({}, "at least one point"), ({"late": (9.0, 100.0)}, "'late' lies at")]
)
def test_viewer_refuses_points_that_are_not_there(pair, points, message):
    with pytest.raises(ValueError, match=message):
        attention_viewer(pair[1], points, "tiny")
