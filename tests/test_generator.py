import pytest
import torch

from effifusion_lite.generator import (
    PRESETS,
    EffiFusionGenerator,
    GeneratorConfig,
    count_parameters,
    preset,
)
from effifusion_lite.losses import anti_wrap
from effifusion_lite.spectral import SpectralConfig, analyse, wrap

SMALL = GeneratorConfig(channels=8, blocks=1, head_channels=4, conv_kernel=5)


def spectra(batch=2, samples=1500, config=SMALL):
    waveform = torch.randn(batch, samples, generator=torch.Generator().manual_seed(0))
    return analyse(waveform, config.spectral)


@pytest.mark.parametrize(
    ("name", "parameters"), [("full", 1_080_094), ("lite", 170_110), ("tiny", 48_814)]
)
def test_exact_parameter_counts(name, parameters):
    assert count_parameters(EffiFusionGenerator(PRESETS[name])) == parameters


def test_parameters_of_each_part_of_full():
    model = EffiFusionGenerator(PRESETS["full"])
    parts = {name: count_parameters(part) for name, part in model.named_children()}
    assert parts["blocks"] / count_parameters(model) > 0.8  # most weights sit in the conformers
    assert sum(parts.values()) == count_parameters(model)


def test_half_precision_as_on_a_gpu():
    model, inputs = EffiFusionGenerator(SMALL), spectra()
    with torch.autocast("cpu", torch.bfloat16):
        magnitude, phase = model(*inputs)
    assert magnitude.dtype == phase.dtype == torch.float32
    # bfloat16 keeps eight bits: each step may be wrong by 0.4 %.
    whole, whole_phase = model(*inputs)
    assert torch.linalg.norm(magnitude - whole) < 0.01 * torch.linalg.norm(whole)
    assert anti_wrap(phase - whole_phase).mean() < 0.005


ABLATIONS = {
    "standard convolution": {"separable": False},
    "single norm": {"dual_norm": False},
    "no multi-scale": {"multi_scale_kernels": ()},
    "no compression": {"spectral": SpectralConfig(compression=1.0)},
    "noisy phase": {"phase_decoder": False},
    "phase without the noisy one": {"phase_correction": False},
}


@pytest.mark.parametrize("changes", [{}, *ABLATIONS.values()], ids=["complete", *ABLATIONS])
def test_every_parameter_gets_a_gradient(changes):
    model = EffiFusionGenerator(GeneratorConfig(**{**SMALL.__dict__, **changes}))
    magnitude, phase = spectra(config=model.config)
    enhanced, enhanced_phase = model(magnitude, phase)
    assert enhanced.shape == enhanced_phase.shape == magnitude.shape
    assert (enhanced >= 0).all()
    (enhanced.square().sum() + enhanced_phase.cos().sum()).backward()
    dead = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert dead == []


def test_noisy_phase_is_kept_without_phase_decoder():
    model = EffiFusionGenerator(GeneratorConfig(**{**SMALL.__dict__, "phase_decoder": False}))
    magnitude, phase = spectra()
    assert model(magnitude, phase)[1] is phase


@torch.no_grad()
def test_untrained_correction_leaves_the_noisy_phase_nearly_alone():
    model = EffiFusionGenerator(SMALL)
    magnitude, phase = spectra()
    assert anti_wrap(model(magnitude, phase)[1] - phase).mean() < 0.1  # radians
    absolute = EffiFusionGenerator(GeneratorConfig(**{**SMALL.__dict__, "phase_correction": False}))
    assert anti_wrap(absolute(magnitude, phase)[1] - phase).mean() > 1.0


@torch.no_grad()
def test_correction_is_added_to_the_noisy_phase():
    model = EffiFusionGenerator(SMALL)
    features, phase = torch.randn(2, 8, 16, 101), spectra()[1]
    turned = model.phase_decoder(features, phase + 0.5) - model.phase_decoder(features, phase)
    torch.testing.assert_close(wrap(turned), torch.full_like(phase, 0.5), atol=1e-5, rtol=0)
    assert model.phase_decoder(features, phase + 0.5).abs().max() <= torch.pi + 1e-6


@torch.no_grad()
def test_a_batch_of_two_equals_two_of_one():
    model = EffiFusionGenerator(SMALL).eval()
    magnitude, phase = spectra()
    both = model(magnitude, phase)
    for i in range(2):
        single = model(magnitude[i : i + 1], phase[i : i + 1])
        torch.testing.assert_close(both[0][i], single[0][0], atol=1e-5, rtol=1e-4)
        distance = torch.remainder(both[1][i] - single[1][0] + torch.pi, 2 * torch.pi) - torch.pi
        assert distance.abs().max() < 1e-2


@torch.no_grad()
def test_mask_stays_between_zero_and_the_ceiling():
    model = EffiFusionGenerator(SMALL).eval()
    magnitude, phase = spectra()
    mask = model(magnitude, phase)[0] / magnitude
    assert mask.min() > 0
    assert mask.max() < SMALL.mask_ceiling


def test_silence_has_finite_gradients():
    model = EffiFusionGenerator(SMALL)
    magnitude, phase = model(*analyse(torch.zeros(1, 1000), SMALL.spectral))
    (magnitude.sum() + phase.sum()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_configuration_survives_its_dictionary():
    config = preset("tiny", dual_norm=False, spectral=SpectralConfig(compression=0.5))
    assert GeneratorConfig.from_dict(config.to_dict()) == config


def test_unknown_preset_and_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="choose from full, lite, tiny"):
        preset("huge")
    with pytest.raises(ValueError, match=r"\[B, 201, T\]"):
        EffiFusionGenerator(SMALL)(torch.zeros(1, 257, 4), torch.zeros(1, 257, 4))
