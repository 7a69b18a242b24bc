import pytest
import torch

from effifusion_lite.generator import EffiFusionGenerator, GeneratorConfig
from effifusion_lite.pruning import DynamicPruner, PruningSchedule, magnitude_mask, sparsity
from effifusion_lite.pruning.masks import prunable_weights

CONFIG = GeneratorConfig(channels=8, blocks=1, head_channels=4, conv_kernel=5)


def test_schedule_is_cubic_between_start_and_end():
    schedule = PruningSchedule(0.8, 100, 200)
    assert schedule.rate_at(0) == schedule.rate_at(100) == 0
    assert schedule.rate_at(150) == pytest.approx(0.8 * (1 - 0.125))
    assert schedule.rate_at(200) == schedule.rate_at(999) == 0.8


@pytest.mark.parametrize("values", [(1.0, 0, 10), (-0.1, 0, 10), (0.5, 10, 10), (0.5, -1, 10)])
def test_impossible_schedules_are_refused(values):
    with pytest.raises(ValueError, match="prun"):
        PruningSchedule(*values)


def test_mask_drops_the_smallest_magnitudes():
    mask = magnitude_mask(torch.tensor([[3.0, -0.1], [0.2, -5.0]]), 0.5)
    assert mask.tolist() == [[1, 0], [0, 1]]


def test_scope_is_the_matrices_between_first_and_last_layer():
    model = EffiFusionGenerator(CONFIG)
    names = prunable_weights(model)
    assert "blocks.0.time.feed_forward_in.1.weight" in names
    assert "encoder.1.layers.3.0.1.weight" in names
    assert not any(n.startswith(("encoder.0", "magnitude_decoder.layers.4")) for n in names)
    assert all(weight.ndim == 2 for weight in names.values())
    assert not any("depthwise" in n or "norm" in n or n.endswith("bias") for n in names)


def train(model, pruner, steps, start=0):
    """Pulls every weight towards 1 by the gradient at the masked weights."""
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(start, start + steps):
        pruner.update(step)
        optimiser.zero_grad()
        with pruner.masked(step):
            sum((w - 1).square().sum() for w in pruner.weights.values()).backward()
        optimiser.step()


def test_forward_sees_zeros_while_the_dense_weights_live_on():
    model = EffiFusionGenerator(CONFIG)
    pruner = DynamicPruner(model, PruningSchedule(0.5, 0, 100, interval=1))
    pruner.update(50)
    before = {n: w.detach().clone() for n, w in pruner.weights.items()}
    with pruner.masked(50):
        assert sparsity(model)["zero_of_prunable"] == pytest.approx(0.5 * (1 - 0.125), abs=0.01)
    assert all(torch.equal(before[n], w) for n, w in pruner.weights.items())


def test_a_weight_may_return_until_the_masks_are_frozen():
    model = EffiFusionGenerator(CONFIG)
    pruner = DynamicPruner(model, PruningSchedule(0.5, 0, 20, interval=5))
    name, weight = next(iter(pruner.weights.items()))
    pruner.update(5)
    first = pruner.masks[name].clone()
    with torch.no_grad():  # as if training had let the removed weights grow
        weight[first == 0] = 10.0
    pruner.update(10)
    assert (pruner.masks[name][first == 0] == 1).any()
    pruner.update(20)
    frozen = pruner.masks[name].clone()
    train(model, pruner, 5, start=21)
    assert torch.equal(pruner.masks[name], frozen)


def test_the_final_model_has_exactly_the_share_of_zeros():
    model = EffiFusionGenerator(CONFIG)
    pruner = DynamicPruner(model, PruningSchedule(0.7, 2, 10, interval=2))
    train(model, pruner, 15)
    pruner.apply(model)
    report = sparsity(model)
    assert report["zero_of_prunable"] == pytest.approx(0.7, abs=0.01)
    assert report["zero_of_all"] == pytest.approx(0.7 * report["prunable"], abs=0.01)


def test_gradients_reach_the_weights_under_the_mask():
    model = EffiFusionGenerator(CONFIG)
    pruner = DynamicPruner(model, PruningSchedule(0.5, 0, 100, interval=1))
    pruner.update(50)
    name, weight = next(iter(pruner.weights.items()))
    with pruner.masked(50):
        (weight - 1).square().sum().backward()
    removed = pruner.masks[name] == 0
    assert (weight.grad[removed] == -2).all()  # the gradient at 0, where the forward pass was
