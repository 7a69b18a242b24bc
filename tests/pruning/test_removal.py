import pytest
import torch
from models import SMALL, changed

from effifusion_lite import weights
from effifusion_lite.generator import EffiFusionGenerator, GeneratorConfig, count_parameters
from effifusion_lite.pruning import choose_units, mask_units, removable_units, remove_units
from effifusion_lite.spectral import synthesise


def spectra(frames=13):
    generator = torch.Generator().manual_seed(1)
    magnitude = torch.rand(2, 201, frames, generator=generator)
    return magnitude, 6 * torch.rand(2, 201, frames, generator=generator) - 3


def outputs(model):
    """Magnitude, both parts whose angle is the phase, and the waveform made of them.

    The phase itself says nothing where both parts are near zero.
    """
    parts = []
    if model.phase_decoder is not None:
        layers = model.phase_decoder.layers
        hook = layers.register_forward_hook(lambda module, inputs, output: parts.append(output))
    with torch.no_grad():
        magnitude, phase = model(*spectra())
    if parts:
        hook.remove()
    return [magnitude, *parts, synthesise(magnitude, phase, 1200)]


def assert_equal_output(a, b):
    for x, y in zip(outputs(a), outputs(b), strict=True):
        assert (x - y).abs().max() < 1e-5


@pytest.mark.parametrize(
    "changes",
    [{}, {"separable": False}, {"phase_decoder": False}, {"multi_scale_kernels": ()}],
    ids=str,
)
@pytest.mark.parametrize("rate", [0.3, 0.5, 0.7])
def test_removed_units_equal_masked_units(changes, rate):
    model = changed(**changes)
    chosen = choose_units(model, rate)
    smaller = remove_units(model, chosen)
    with torch.no_grad():
        before = model(*spectra())[0]
    mask_units(model, chosen)
    assert_equal_output(model, smaller)
    assert (model(*spectra())[0] - before).abs().max() > 1e-3  # the masks do change something
    assert count_parameters(smaller) < count_parameters(model)


@pytest.mark.parametrize("name", removable_units(changed()))
def test_each_kind_of_unit_alone(name):
    model = changed()
    chosen = {name: torch.tensor([0, 2])}
    smaller = remove_units(model, chosen)
    assert smaller.config.widths == {name: removable_units(model)[name].count - 2}
    mask_units(model, chosen)
    assert_equal_output(model, smaller)


def test_units_can_be_removed_twice():
    model = changed()
    first = choose_units(model, 0.3)
    smaller = remove_units(model, first)
    second = choose_units(smaller, 0.5)
    mask_units(smaller, second)
    smallest = remove_units(smaller, second)
    assert_equal_output(smaller, smallest)
    rebuilt = EffiFusionGenerator(smallest.config)
    rebuilt.load_state_dict(smallest.state_dict())
    assert_equal_output(smallest, rebuilt.eval())


def test_the_model_itself_stays_as_it_is():
    model = changed()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    remove_units(model, choose_units(model, 0.5))
    assert model.config.widths == {}
    assert all(torch.equal(before[n], t) for n, t in model.state_dict().items())


def test_smaller_weights_are_saved_with_their_widths(tmp_path):
    model = changed()
    smaller = remove_units(model, choose_units(model, 0.5))
    path = tmp_path / "smaller.safetensors"
    weights.save_weights(smaller, path)
    loaded = weights.load(path)
    assert loaded.config == smaller.config
    assert_equal_output(smaller, loaded)


def test_gradients_reach_every_parameter_of_a_smaller_model():
    model = changed()
    smaller = remove_units(model, choose_units(model, 0.5)).train()
    magnitude, phase = smaller(*spectra())
    (magnitude.square().mean() + phase.cos().mean()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in smaller.parameters())


def test_what_is_read_with_small_weights_goes_first():
    model = changed()
    layer = model.blocks[0].time.feed_forward_in
    with torch.no_grad():
        layer[3].weight[:, 8:40] *= 1e-3
    chosen = choose_units(model, 0.5)
    assert chosen["blocks.0.time.feed_forward_in"].tolist() == list(range(8, 40))


def test_at_most_the_share_goes_and_channels_stay_in_multiples_of_eight():
    model = changed(channels=32, head_channels=8)
    for rate in (0.01, 0.3, 0.5, 0.7, 0.99):
        chosen, all_units = choose_units(model, rate), removable_units(model)
        for name, units in all_units.items():
            left = units.count - len(chosen[name])
            assert left >= max(1, (1 - rate) * units.count - 1e-6)
            assert left % 8 == 0 or units.whole
            assert left - (1 - rate) * units.count < (1 if units.whole else 8)


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, float("nan")])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ValueError, match="above 0 and below 1"):
        choose_units(changed(), rate)


@pytest.mark.parametrize(
    "widths", [{"blocks.7": 3}, {"encoder.0": 0}, {"encoder.0": 17}, {"encoder.0": 2.5}], ids=str
)
def test_widths_that_the_network_cannot_have_are_refused(widths):
    with pytest.raises(ValueError, match="widths(:| must be) "):
        EffiFusionGenerator(GeneratorConfig(**SMALL, widths=widths))
