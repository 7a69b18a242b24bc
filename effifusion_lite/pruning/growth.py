"""Growth: a larger generator that computes what a smaller, trained one computes.

The reverse of pruning. A network of a million parameters learns slowly on a CPU; grown from a small
one it starts where that one has come to, and has room to go on.

Chapter: 07 Dynamic pruning.
"""

import math

import torch
from torch import Tensor

from effifusion_lite.generator import EffiFusionGenerator, GeneratorConfig


@torch.no_grad()
def grow(
    model: EffiFusionGenerator, config: GeneratorConfig, noise: float = 0.0, seed: int = 0
) -> EffiFusionGenerator:
    """A wider and deeper generator with the same output.

    Each channel becomes a group of equal channels, and whatever reads it shares its weight out
    among them. Attention gets wider heads in the same way, or more heads that are equal. Further
    blocks end in a norm whose gain is zero, so that they add nothing until they have learnt. Equal
    channels get equal gradients and would stay equal for ever: a little noise on the weights sets
    them free to learn different things, at the cost of an output that is only nearly the same.

    Args:
        model: a trained generator.
        config: shape of the larger one: channels and the number of blocks are larger or equal,
            head channels grow like the channels or stay, all else is the same.
        noise: standard deviation of the noise on the grown weights, as a share of the root mean
            square of each weight matrix.
        seed: of the noise and of the new blocks.

    Returns:
        The larger generator.

    Raises:
        ValueError: if the larger network does not follow from the smaller one in this way, or the
            noise is negative or NaN.

    Source: Net2Net (Chen, Goodfellow and Shlens 2016), arXiv 1511.05641; zero gains as in
        ReZero (Bachlechner et al. 2020), arXiv 2003.04887.
    """
    if not 0 <= noise < math.inf:
        raise ValueError(f"noise must be at least 0, not {noise}")
    factor = config.channels // model.config.channels
    _check(model.config, config, factor)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        larger = EffiFusionGenerator(config)
    trained = dict(model.named_parameters())
    wider_heads = config.head_channels > model.config.head_channels
    for name, parameter in larger.named_parameters():
        if name in trained:
            weight = trained[name]
            if not wider_heads:
                weight = _repeated_heads(name, weight, factor)
            parameter.copy_(_widened(weight, parameter.shape))
            if ".attention.query." in name and wider_heads:
                # Products of `factor` times as many terms, divided by the root of their number.
                parameter.div_(math.sqrt(factor))
            if parameter.ndim > 1:
                random = torch.randn(parameter.shape, generator=generator)
                parameter.add_(noise * parameter.square().mean().sqrt() * random)
    for block in larger.blocks[model.config.blocks :]:
        for conformer in (block.time, block.frequency):
            conformer.norm.weight.zero_()
            conformer.norm.bias.zero_()
    return larger.eval()


def _check(small: GeneratorConfig, large: GeneratorConfig, factor: int) -> None:
    free = {"channels", "head_channels", "blocks"}
    before, after = small.to_dict(), large.to_dict()
    changed = [name for name in before if name not in free and before[name] != after[name]]
    if changed:
        raise ValueError(f"growth keeps {', '.join(changed)} as they are")
    if small.widths:
        raise ValueError("a network whose units were removed cannot grow")
    if factor < 1 or factor * small.channels != large.channels:
        raise ValueError(f"channels must be a multiple of {small.channels}, not {large.channels}")
    if large.head_channels not in (small.head_channels, factor * small.head_channels):
        raise ValueError(
            f"head_channels must stay {small.head_channels} or grow like the channels, to "
            f"{factor * small.head_channels}"
        )
    if large.blocks < small.blocks:
        raise ValueError(f"blocks must be at least {small.blocks}, not {large.blocks}")


def _repeated_heads(name: str, weight: Tensor, factor: int) -> Tensor:
    """All heads that an attention layer makes, once more after themselves, ``factor`` times in all,
    or shared out so where it reads them; other weights as they are."""
    if any(f".attention.{layer}." in name for layer in ("query", "key", "value")):
        return weight.repeat(factor, *[1] * (weight.ndim - 1))
    if name.endswith(".attention.output.weight"):
        return weight.repeat(1, factor) / factor
    return weight


def _widened(weight: Tensor, shape: torch.Size) -> Tensor:
    """Outputs (dimension 0) are repeated; inputs (dimension 1) are repeated and shared out."""
    weight = weight.repeat_interleave(shape[0] // weight.shape[0], 0)
    if weight.ndim == 1 or weight.shape[1] == shape[1]:
        return weight
    factor = shape[1] // weight.shape[1]
    return weight.repeat_interleave(factor, 1) / factor
