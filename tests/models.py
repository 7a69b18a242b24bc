"""Small networks that several tests need."""

import torch

from effifusion_lite.generator import EffiFusionGenerator, GeneratorConfig

SMALL = dict(channels=16, blocks=1, head_channels=4, conv_kernel=5, dilations=(1, 2))


def changed(**changes):
    """A model whose parameters, norms and biases included, are all different from their start."""
    torch.manual_seed(0)
    model = EffiFusionGenerator(GeneratorConfig(**SMALL | changes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model
