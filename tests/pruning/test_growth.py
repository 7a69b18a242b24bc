"""A grown network computes what the small one computes, and can learn more."""

import pytest
import torch
from models import changed

from effifusion_lite.command_line.parser import main
from effifusion_lite.generator import GeneratorConfig
from effifusion_lite.losses import anti_wrap
from effifusion_lite.pruning import choose_units, grow, remove_units
from effifusion_lite.weights import load, save_weights

GROWN = {"channels": 32, "head_channels": 8, "blocks": 3}
MORE_HEADS = {"channels": 48}


def spectra():
    generator = torch.Generator().manual_seed(1)
    magnitude = torch.rand(2, 201, 9, generator=generator)
    return magnitude, 6 * torch.rand(2, 201, 9, generator=generator) - 3


def config_of(model, **changes):
    return GeneratorConfig.from_dict(model.config.to_dict() | changes)


@torch.no_grad()
def distance(model, larger):
    """Largest difference of the magnitude, and mean difference of the phase."""
    (a, b), (c, d) = model(*spectra()), larger(*spectra())
    return (a - c).abs().max(), anti_wrap(b - d).mean()


@pytest.mark.parametrize(
    "changes",
    [{}, {"separable": False}, {"dual_norm": False}, {"multi_scale_kernels": ()}],
    ids=str,
)
@pytest.mark.parametrize(
    "grown", [GROWN, MORE_HEADS, {"channels": 48, "head_channels": 12}, {"blocks": 2}], ids=str
)
def test_the_output_stays(changes, grown):
    model = changed(**changes)
    larger = grow(model, config_of(model, **grown))
    magnitude, phase = distance(model, larger)
    assert magnitude < 1e-4
    assert phase < 1e-4


def test_noise_tells_equal_channels_apart_and_changes_little():
    model = changed()
    config = config_of(model, **GROWN)
    weight = "blocks.0.time.feed_forward_in.1.weight"
    twins = grow(model, config).get_parameter(weight)[0:2]
    apart = grow(model, config, noise=0.02).get_parameter(weight)[0:2]
    assert torch.equal(twins[0], twins[1])
    assert not torch.equal(apart[0], apart[1])
    assert 0 < distance(model, grow(model, config, noise=0.02))[0] < 0.5
    again = grow(model, config, noise=0.02).get_parameter(weight)[0:2]
    assert torch.equal(apart, again)


def test_new_blocks_learn():
    model = changed()
    larger = grow(model, config_of(model, **GROWN), noise=0.02).train()
    optimiser = torch.optim.SGD(larger.parameters(), 0.1)
    for _ in range(2):  # a zero gain hides all that stands before it from the first gradient
        optimiser.zero_grad()
        larger(*spectra())[0].square().mean().backward()
        optimiser.step()
    for block in larger.blocks[1:]:
        assert all(parameter.grad.abs().max() > 0 for parameter in block.parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 24}, "channels must be a multiple of 16, not 24"),
        (GROWN | {"head_channels": 16}, "must stay 4 or grow like the channels, to 8"),
        ({"blocks": 0}, "blocks must be at least 1, not 0"),
        ({"expansion": 8, "conv_kernel": 7}, "growth keeps expansion, conv_kernel as they are"),
    ],
)
def test_what_cannot_be_grown_is_refused(changes, message):
    model = changed()
    with pytest.raises(ValueError, match=message):
        grow(model, config_of(model, **changes))


def test_a_pruned_network_is_refused():
    model = changed()
    smaller = remove_units(model, choose_units(model, 0.5))
    with pytest.raises(ValueError, match="whose units were removed cannot grow"):
        grow(smaller, config_of(smaller, **GROWN))


def test_command(tmp_path, capsys):
    model = changed(channels=32, head_channels=16, blocks=1, conv_kernel=31, dilations=(1, 2, 4, 8))
    save_weights(model, tmp_path / "small.safetensors")
    words = ["grow", tmp_path / "small.safetensors", "-o", tmp_path / "large.safetensors"]
    assert main([str(word) for word in [*words, "--preset", "full", "--noise", 0]]) == 0
    larger = load(tmp_path / "large.safetensors")
    assert "-> 1,080,094" in capsys.readouterr().out
    assert distance(model, larger)[0] < 1e-4
