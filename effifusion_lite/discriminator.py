"""The metric discriminator: a network that learns to predict PESQ, so that PESQ gets a gradient.

Chapter: 06 The GAN loop.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class MetricDiscriminator(nn.Module):
    """Predicts the normalised PESQ of enhanced speech from two compressed magnitudes.

    Args:
        channels: channels of the first of four convolutions; each next one has twice as many.

    Shape:
        clean and enhanced magnitude ``[B, F, T]`` (compressed) → score ``[B]``, 0 to 1.2, where 1
        is the score of clean speech.

    Source: MetricGAN (Fu et al. 2019) in the form of CMGAN (2022) and MP-SENet (2023).
    """

    def __init__(self, channels: int = 16):
        super().__init__()
        layers, width = [], 2
        for factor in (1, 2, 4, 8):
            conv = nn.Conv2d(width, channels * factor, 4, stride=2, padding=1, bias=False)
            width = channels * factor
            norm = nn.InstanceNorm2d(width, affine=True)
            layers += [spectral_norm(conv), norm, nn.PReLU(width)]
        layers.pop()  # the pooling picks positive values, on which the last PReLU does nothing
        self.features = nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten())
        self.head = nn.Sequential(
            spectral_norm(nn.Linear(width, width // 2)),
            nn.PReLU(width // 2),
            spectral_norm(nn.Linear(width // 2, 1)),
        )
        self.slope = nn.Parameter(torch.ones(()))

    def forward(self, clean: Tensor, enhanced: Tensor) -> Tensor:
        x = torch.stack([clean, enhanced], dim=1)  # [B, 2, F, T]
        x = self.head(self.features(x))[:, 0]  # [B]
        return 1.2 * torch.sigmoid(self.slope * x)


def discriminator_loss(
    discriminator: nn.Module, clean: Tensor, enhanced: Tensor, labels: Tensor
) -> Tensor:
    """Squared error of the scores of (clean, clean) against 1 and of (clean, enhanced) against
    PESQ.

    An item whose label is NaN takes no part in the second term; the others do.

    Args:
        discriminator: the network.
        clean: compressed magnitudes of clean speech.
        enhanced: compressed magnitudes of enhanced speech, detached.
        labels: normalised PESQ of each item, NaN where it could not be computed.

    Returns:
        A scalar.

    Shape:
        two of ``[B, F, T]``, labels ``[B]`` (0 to 1) → scalar.

    Source: MetricGAN (Fu et al. 2019); the mask is a choice of this project.
    """
    ones = discriminator(clean, clean)
    loss = F.mse_loss(ones, torch.ones_like(ones))
    known = ~labels.isnan()
    if known.any():
        loss = loss + F.mse_loss(discriminator(clean[known], enhanced[known]), labels[known])
    return loss
