import math

import numpy as np
import pytest
import torch

from effifusion_lite.discriminator import MetricDiscriminator, discriminator_loss
from effifusion_lite.listening import clips
from effifusion_lite.metrics import pesq
from effifusion_lite.training.labels import PesqLabels, normalised_pesq, worker_pool


def magnitudes(seed, batch=3):
    return torch.rand(batch, 201, 40, generator=torch.Generator().manual_seed(seed))


def test_score_is_one_number_for_each_item_and_every_parameter_learns():
    network = MetricDiscriminator()
    score = network(magnitudes(0), magnitudes(1))
    assert score.shape == (3,)
    assert ((score > 0) & (score < 1.2)).all()
    labels = torch.tensor([0.2, 0.5, 0.9])
    discriminator_loss(network, magnitudes(0), magnitudes(1), labels).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_items_of_a_batch_do_not_see_each_other():
    network = MetricDiscriminator().eval()
    clean, enhanced = magnitudes(0), magnitudes(1)
    single = torch.cat([network(clean[i : i + 1], enhanced[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(network(clean, enhanced), single, atol=1e-5, rtol=1e-4)


def test_a_failed_label_masks_its_item_and_never_the_batch():
    network = MetricDiscriminator().eval()
    clean, enhanced = magnitudes(0), magnitudes(1)
    labels = torch.tensor([0.2, float("nan"), 0.9])
    known = torch.tensor([0, 2])
    expected = (network(clean, clean) - 1).square().mean()
    expected = expected + (network(clean[known], enhanced[known]) - labels[known]).square().mean()
    torch.testing.assert_close(discriminator_loss(network, clean, enhanced, labels), expected)
    unknown = discriminator_loss(network, clean, enhanced, torch.full((3,), float("nan")))
    torch.testing.assert_close(unknown, (network(clean, clean) - 1).square().mean())


def test_it_learns_to_tell_labels_apart():
    network = MetricDiscriminator()
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3)
    clean = magnitudes(0, 4)
    enhanced = clean + torch.tensor([0.0, 0.3, 0.6, 1.2])[:, None, None] * magnitudes(1, 4)
    labels = torch.tensor([1.0, 0.7, 0.4, 0.1])
    for _ in range(60):
        optimiser.zero_grad()
        loss = discriminator_loss(network, clean, enhanced, labels)
        loss.backward()
        optimiser.step()
    score = network(clean, enhanced)
    assert (score.diff() < 0).all()
    assert loss < 0.05


def test_labels_of_real_speech_and_of_silence():
    pytest.importorskip("pesq")
    clean, noisy = clips.pair(clips.names("noisy")[0])
    silence = np.zeros_like(clean)
    with worker_pool(1) as pool:
        labels = PesqLabels(pool, np.stack([clean, silence]), np.stack([noisy, noisy])).collect()
    assert labels[0] == pytest.approx((pesq(clean, noisy) - 1) / 3.5)
    assert math.isnan(labels[1])
    assert normalised_pesq(clean, clean) == pytest.approx((4.644 - 1) / 3.5, abs=1e-3)
