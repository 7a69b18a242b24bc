import math

import pytest
import torch

from effifusion_lite import losses
from effifusion_lite.listening import clips
from effifusion_lite.losses import LossWeights
from effifusion_lite.spectral import SpectralConfig, analyse, complex_spectrum

CONFIG = SpectralConfig()


def waveform(seed=0, samples=1600):
    return torch.randn(2, samples, generator=torch.Generator().manual_seed(seed))


def test_anti_wrapping_is_the_distance_on_the_circle():
    difference = torch.tensor([0.0, 3.0, -3.0, 2 * math.pi, math.pi + 0.1, -7 * math.pi / 2])
    expected = torch.tensor([0.0, 3.0, 3.0, 0.0, math.pi - 0.1, math.pi / 2])
    torch.testing.assert_close(losses.anti_wrap(difference), expected, atol=1e-5, rtol=0)


def test_phase_losses_equal_a_slow_twin():
    clean, enhanced = (analyse(waveform(seed), CONFIG)[1] for seed in (0, 1))

    def circle(x):
        return abs(math.remainder(x, 2 * math.pi))

    def mean(values):
        return sum(values) / len(values)

    c, e = clean[0, :5, :4].double(), enhanced[0, :5, :4].double()
    phase = mean([circle((e - c)[f, t].item()) for f in range(5) for t in range(4)])
    delay = [circle((e[f + 1, t] - e[f, t] - c[f + 1, t] + c[f, t]).item())
             for f in range(4) for t in range(4)]  # fmt: skip
    frequency = [circle((e[f, t + 1] - e[f, t] - c[f, t + 1] + c[f, t]).item())
                 for f in range(5) for t in range(3)]  # fmt: skip
    ours = losses.phase_losses(clean[:1, :5, :4], enhanced[:1, :5, :4])
    for value, expected in zip(ours, (phase, mean(delay), mean(frequency)), strict=True):
        assert abs(value.item() - expected) < 1e-5


def test_a_constant_turn_costs_phase_but_neither_delay_nor_frequency():
    phase = analyse(waveform(), CONFIG)[1]
    turned = losses.phase_losses(phase, phase + 0.5)
    assert [round(x.item(), 4) for x in turned] == [0.5, 0.0, 0.0]


def test_the_clean_speech_itself_costs_nothing():
    clean = waveform()
    terms, enhanced = losses.generator_losses(clean, *analyse(clean, CONFIG), CONFIG)
    torch.testing.assert_close(enhanced, clean, atol=1e-4, rtol=0)
    assert all(term.item() < 1e-5 for term in terms.values())


def test_terms_have_known_values():
    clean = waveform()
    magnitude, phase = analyse(clean, CONFIG)
    score = torch.tensor([0.5, 1.0])
    terms, enhanced = losses.generator_losses(clean, magnitude + 0.1, phase, CONFIG, score)
    assert terms["magnitude"].item() == pytest.approx(0.01, rel=1e-3)
    assert terms["complex"].item() == pytest.approx(0.01, rel=1e-3)
    assert terms["waveform"].item() == pytest.approx((enhanced - clean).abs().mean().item())
    assert terms["metric"].item() == pytest.approx(0.125)
    weights = LossWeights(1, 2, 3, 4, 5, 6)
    expected = sum(w * t.item() for w, t in zip(range(1, 7), terms.values(), strict=True))
    assert losses.weighted_sum(terms, weights).item() == pytest.approx(expected)


def test_consistency_sees_spectra_that_no_waveform_has():
    clean = waveform()
    magnitude, phase = analyse(clean, CONFIG)
    generator = torch.Generator().manual_seed(3)
    random = 2 * math.pi * torch.rand(phase.shape, generator=generator)
    terms, enhanced = losses.generator_losses(clean, magnitude, random, CONFIG)
    own = complex_spectrum(*analyse(enhanced, CONFIG))
    expected = (complex_spectrum(magnitude, random) - own).abs().square().mean()
    assert terms["consistency"].item() == pytest.approx(expected.item(), rel=1e-4)
    assert terms["consistency"] > 0.01


def test_perceptual_loss_is_what_pesq_takes_away_from_its_best_score():
    pytest.importorskip("torch_pesq", reason="the perceptual loss needs torch-pesq")
    pesq = pytest.importorskip("pesq", reason="pesq is not installed").pesq
    clean = torch.from_numpy(clips.load("clb_kettle")[0][None, :48000])
    noise = 0.3 * clean.std() * torch.randn(1, 48000, generator=torch.Generator().manual_seed(0))
    disturbance = losses.PerceptualLoss()
    for gain in (0.1, 0.3, 1.0):
        mixture = clean + gain * noise
        raw = 4.5 - disturbance(clean, mixture).item()
        expected = pesq(16000, clean[0].numpy(), mixture[0].numpy(), "wb")
        assert 0.999 + 4 / (1 + math.exp(-1.3669 * raw + 3.8224)) == pytest.approx(
            expected, abs=0.2
        )


def test_perceptual_loss_leaves_silent_examples_out():
    pytest.importorskip("torch_pesq", reason="the perceptual loss needs torch-pesq")
    disturbance = losses.PerceptualLoss()
    clean = waveform(samples=16000)
    enhanced = (clean + 0.1 * waveform(1, 16000)).requires_grad_()
    both = disturbance(torch.stack([clean[0], torch.zeros(16000)]), enhanced)
    assert both.item() == pytest.approx(disturbance(clean[:1], enhanced[:1]).item(), rel=1e-5)
    both.backward()
    assert enhanced.grad.isfinite().all()
    assert enhanced.grad[0].abs().max() > 0
    assert disturbance(torch.zeros(2, 16000), enhanced).item() == 0


def test_perceptual_loss_is_one_of_the_terms():
    pytest.importorskip("torch_pesq", reason="the perceptual loss needs torch-pesq")
    clean, disturbance = waveform(samples=16000), losses.PerceptualLoss()
    magnitude, phase = analyse(clean, CONFIG)
    terms, enhanced = losses.generator_losses(
        clean, magnitude + 0.1, phase, CONFIG, perceptual=disturbance
    )
    assert terms["perceptual"].item() == pytest.approx(disturbance(clean, enhanced).item())
    assert losses.weighted_sum(terms, LossWeights(0, 0, 0, 0, 0, 0, 2)).item() == pytest.approx(
        2 * terms["perceptual"].item()
    )


def test_gradients_are_finite_on_silence():
    magnitude = torch.zeros(1, 201, 17, requires_grad=True)
    phase = torch.zeros(1, 201, 17, requires_grad=True)
    terms, _ = losses.generator_losses(torch.zeros(1, 1600), magnitude + 1e-3, phase, CONFIG)
    losses.weighted_sum(terms, LossWeights()).backward()
    assert magnitude.grad.isfinite().all()
    assert phase.grad.isfinite().all()
