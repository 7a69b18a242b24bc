"""A recording through the generator, stage by stage: it ends where the generator ends."""

import re

import numpy as np
import pytest
import torch
from models import changed

from effifusion_lite.enhancement import enhance_16k
from effifusion_lite.listening.trace import trace, trace_page, trace_slider


@pytest.fixture(scope="module")
def noisy():
    rng = np.random.default_rng(0)
    return (0.1 * np.sin(0.12 * np.arange(4000)) + 0.05 * rng.standard_normal(4000)).astype(
        np.float32
    )


@pytest.fixture(scope="module")
def traces(noisy):
    models = {"one": changed(blocks=2), "<other>": changed(blocks=2, mask_ceiling=1.0)}
    return {name: trace(noisy, model) for name, model in models.items()}


def test_the_last_stage_is_what_the_network_gives(noisy, traces):
    model = changed(blocks=2)
    whole = enhance_16k(model, torch.from_numpy(noisy)[None])[0].numpy()
    np.testing.assert_allclose(traces["one"][-1].sound, whole, atol=1e-5)
    assert not np.allclose(traces["one"][-1].sound, noisy, atol=1e-3)


def test_magnitude_and_phase_alone_are_the_halves_of_the_network(noisy, traces):
    of_name = {stage.name: stage for stage in traces["one"]}
    silenced = changed(blocks=2)
    with torch.no_grad():
        silenced.phase_decoder.layers[-1].weight.zero_()
        silenced.phase_decoder.layers[-1].bias.copy_(torch.tensor([1.0, 0.0]))
    expected = enhance_16k(silenced, torch.from_numpy(noisy)[None])[0].numpy()
    np.testing.assert_allclose(of_name["magnitude alone"].sound, expected, atol=1e-4)
    assert np.abs(of_name["phase alone"].picture).max() <= np.pi + 1e-5


def test_shapes_are_those_of_the_tensors(traces):
    shapes = {stage.name: stage.shape for stage in traces["one"]}
    assert shapes["two channels"] == (1, 2, 41, 201)
    assert shapes["encoder, halved"] == (1, 16, 41, 101)
    assert shapes["block 2"] == (1, 41, 101, 16)
    assert shapes["magnitude decoder, upsampled"] == (1, 16, 41, 202)
    assert shapes["magnitude alone"] == (1, 201, 41)


def test_each_decodable_stage_has_a_sound_and_they_differ(traces):
    heard = [stage.sound for stage in traces["one"] if stage.sound is not None]
    assert len(heard) == 6  # noisy, after encoder, after block 1, magnitude, phase, both
    assert len({sound.tobytes() for sound in heard}) == 6


def test_the_page_holds_all_of_it_and_loads_nothing(traces):
    page = trace_page(traces, "One <second>", "what & who")
    assert 2 * page.count("<section>") == page.count("<img") == 2 * len(traces["one"])
    assert page.count("<audio") == 12
    assert "<title>One &lt;second&gt;</title>" in page and "what &amp; who" in page
    assert "&lt;other&gt;" in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page) and "<script" not in page


def test_the_slider_moves_through_stages_and_generators(traces):
    page = trace_slider(traces)
    assert page.html.count("<audio") == 12
    assert "stage" in page.html and "weights" in page.html


def test_what_cannot_be_traced_is_refused(noisy, traces):
    with pytest.raises(ValueError, match="not silent"):
        trace(np.zeros(100), changed())
    with pytest.raises(ValueError, match="phase decoder"):
        trace(noisy, changed(phase_decoder=False))
    with pytest.raises(ValueError, match="equally many blocks"):
        trace_page({**traces, "short": trace(noisy, changed(blocks=1))}, "")
