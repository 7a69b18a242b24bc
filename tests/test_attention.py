import math

import pytest
import torch

from effifusion_lite.attention import Conformer, DualNormAttention, FeedForward, TwoStageBlock


def tokens(batch=2, frames=6, bins=5, channels=8):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, frames, bins, channels, generator=generator)


@pytest.mark.parametrize("axis", ["time", "frequency"])
def test_attention_equals_a_slow_twin(axis):
    layer = DualNormAttention(8, axis, head_channels=4)
    torch.nn.init.normal_(layer.gain, generator=torch.Generator().manual_seed(1))
    x = tokens()
    y = layer(x)
    for b in range(2):
        for other in range(5 if axis == "time" else 6):
            place = (b, slice(None), other) if axis == "time" else (b, other)
            sequence = x[place]  # [length, C]
            normed = layer.norm_in(sequence)
            query, key, value = layer.query(normed), layer.key(normed), layer.value(normed)
            heads = []
            for h in (slice(0, 4), slice(4, 8)):
                weights = torch.softmax(query[:, h] @ key[:, h].T / math.sqrt(4), dim=-1)
                heads.append(weights @ value[:, h])
            out = layer.output(torch.cat(heads, dim=-1))
            expected = sequence + layer.gain * layer.norm_out(out)
            torch.testing.assert_close(y[place], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("module", [DualNormAttention, Conformer])
def test_time_sees_one_frequency_and_frequency_one_frame(module):
    x = tokens()
    changed = x.clone()
    changed[0, 2, 3] = torch.arange(8.0)
    time, frequency = (module(8, axis, head_channels=4) for axis in ("time", "frequency"))
    moved = (time(changed) - time(x)).abs().sum(-1) > 1e-6  # [B, T, F]
    assert moved[0, :, 3].all()
    moved[0, :, 3] = False
    assert not moved.any()
    moved = (frequency(changed) - frequency(x)).abs().sum(-1) > 1e-6
    assert moved[0, 2].all()
    moved[0, 2] = False
    assert not moved.any()


def test_items_of_a_batch_do_not_see_each_other():
    block = TwoStageBlock(8, head_channels=4)
    x = tokens()
    single = torch.cat([block(x[:1]), block(x[1:])])
    torch.testing.assert_close(block(x), single, atol=1e-5, rtol=1e-5)


def test_pieces_for_the_cache_change_nothing(monkeypatch):
    block = TwoStageBlock(8, head_channels=4)
    x = tokens().requires_grad_()
    parameters = (x, *block.parameters())
    whole = block(x)
    for name in ("CACHED_POINTS", "LEARNING_POINTS"):  # 1 frequency, 1 frame
        monkeypatch.setattr(f"effifusion_lite.attention.{name}", 13)
    calls = []
    block.time.register_forward_hook(lambda *_: calls.append("time"))
    pieces = block(x)
    assert len(calls) == 5
    torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=1e-5)
    first, second = (torch.autograd.grad(y.sin().sum(), parameters) for y in (whole, pieces))
    torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)


def test_single_norm_leaves_the_second_norm_out():
    both, one = (DualNormAttention(8, "time", 4, dual) for dual in (True, False))
    one.load_state_dict(both.state_dict())
    x = tokens()
    added = (one(x) - x) / one.gain
    torch.testing.assert_close((both(x) - x) / both.gain, both.norm_out(added), atol=1e-4, rtol=0)
    assert not torch.allclose(both(x), one(x), atol=1e-3)


def test_conformer_is_its_parts_in_a_row():
    conformer = Conformer(8, "time", head_channels=4, kernel_size=3)
    x = tokens()
    y = x + 0.5 * conformer.feed_forward_in(x)
    y = conformer.attention(y)
    y = y + conformer.convolution(y)
    y = y + 0.5 * conformer.feed_forward_out(y)
    torch.testing.assert_close(conformer(x), conformer.norm(y))


def test_feed_forward_has_the_hidden_units_that_are_asked_for():
    assert FeedForward(8, 20)[1].weight.shape == (20, 8)


def test_channels_that_do_not_fit_into_heads_are_refused():
    with pytest.raises(ValueError, match="multiple of head_channels"):
        DualNormAttention(24, "time", head_channels=16)
