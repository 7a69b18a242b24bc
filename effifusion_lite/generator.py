"""The generator: encoder, two-stage blocks, magnitude decoder and phase decoder.

Chapter: 04 The generator.
"""

from dataclasses import asdict, dataclass, field, replace

import torch
from torch import Tensor, nn

from effifusion_lite.attention import TwoStageBlock
from effifusion_lite.convolution import (
    ConvBlock,
    DilatedDenseBlock,
    InstanceNorm,
    MultiScaleBlock,
    PointwiseConv,
    SubPixelUpsample,
)
from effifusion_lite.settings import AT_LEAST_1, POSITIVE, check_fields
from effifusion_lite.spectral import IMAG_EPS, REAL_EPS, SpectralConfig, wrap


@dataclass(frozen=True)
class GeneratorConfig:
    """Everything that decides the shape of the generator; it travels with the weights.

    Args:
        channels: width C of the whole network; on a CPU, multiples of 16 are fast.
        blocks: number of two-stage blocks.
        head_channels: channels of one attention head.
        expansion: hidden units of a feed-forward layer for each channel.
        conv_kernel: length of the conformers' depthwise convolution, odd.
        dilations: dilation of each layer of the dense blocks, in frames.
        multi_scale_kernels: kernel sizes of the multi-scale block; empty leaves the block out.
        separable: depthwise-separable (true) or full convolutions (false).
        dual_norm: second norm of the attention.
        phase_decoder: without it the noisy phase is kept.
        phase_correction: the phase decoder gives what is added to the noisy phase (true) or the
            phase itself (false).
        mask_ceiling: largest value of the mask on the compressed magnitude.
        widths: number of units in the parts that pruning made smaller, by name, see
            :func:`effifusion_lite.pruning.units.removable_units`.
        spectral: transform and compression (compression 1 switches it off).

    Raises:
        ValueError: if a value is of another type, or out of range; from the modules, if the numbers
            do not fit together.

    Source: see the modules; widths and depths of the presets are a choice of this project.
    """

    channels: int = 64
    blocks: int = 4
    head_channels: int = 16
    expansion: int = 4
    conv_kernel: int = 31
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    multi_scale_kernels: tuple[int, ...] = (3, 5, 7)
    separable: bool = True
    dual_norm: bool = True
    phase_decoder: bool = True
    phase_correction: bool = True
    mask_ceiling: float = 2.0
    widths: dict[str, int] = field(default_factory=dict)
    spectral: SpectralConfig = field(default_factory=SpectralConfig)

    def __post_init__(self):
        positive = "channels blocks head_channels expansion conv_kernel dilations"
        rules = dict.fromkeys(positive.split(), AT_LEAST_1)
        rules |= {"multi_scale_kernels": AT_LEAST_1, "mask_ceiling": POSITIVE}
        check_fields(self, rules)

    def to_dict(self) -> dict:
        """The configuration as plain numbers, lists and dictionaries."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "GeneratorConfig":
        """Inverse of :meth:`to_dict`.

        Raises:
            TypeError: if a name is unknown.
            ValueError: if a value is out of range.
        """
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        spectral = values.pop("spectral", {})
        if not isinstance(spectral, dict):
            raise ValueError(f"spectral must be a table, not {spectral!r}")
        spectral = SpectralConfig(**spectral)
        return cls(**values, spectral=spectral)


PRESETS = {
    "full": GeneratorConfig(head_channels=32),
    "lite": GeneratorConfig(channels=32, blocks=2),
    "tiny": GeneratorConfig(channels=16, blocks=2),
}


def preset(name: str, **changes) -> GeneratorConfig:
    """The configuration of that name, with fields replaced.

    Args:
        name: "full", "lite" or "tiny".
        changes: fields of :class:`GeneratorConfig` to replace.

    Returns:
        The configuration.

    Raises:
        ValueError: if there is no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"there is no preset {name!r}; choose from {', '.join(PRESETS)}")
    return replace(PRESETS[name], **changes)


class Encoder(nn.Sequential):
    """Raises the two input channels to C, looks back and ahead in time, and halves frequency.

    Shape:
        ``[B, 2, T, F]`` → ``[B, C, T, ceil(F / 2)]``.

    Source: order of the parts as summaries of arXiv 2508.14525 report; the multi-scale block at the
        end is a choice of this project.
    """

    def __init__(self, config: GeneratorConfig):
        channels, separable = config.channels, config.separable
        layers = [
            ConvBlock(2, channels, separable=separable),
            DilatedDenseBlock(channels, config.dilations, separable),
            ConvBlock(channels, channels, (1, 3), stride=2, separable=separable),
        ]
        if config.multi_scale_kernels:
            layers.append(MultiScaleBlock(channels, config.multi_scale_kernels, separable))
        super().__init__(*layers)


class _Decoder(nn.Module):
    """What both decoders share: dense block, doubling of frequency, pointwise convolution."""

    def __init__(self, config: GeneratorConfig, outputs: int):
        super().__init__()
        self.bins = config.spectral.bins
        self.layers = nn.Sequential(
            DilatedDenseBlock(config.channels, config.dilations, config.separable),
            SubPixelUpsample(config.channels, config.separable),
            InstanceNorm(config.channels),
            nn.Hardswish(),
            PointwiseConv(config.channels, outputs, bias=True),
        )

    def decode(self, x: Tensor) -> Tensor:
        return self.layers(x)[..., : self.bins]  # [B, outputs, T, F]


class MagnitudeDecoder(_Decoder):
    """A mask between 0 and the ceiling for each point of the compressed magnitude.

    The mask is ``ceiling * sigmoid(slope[f] * x)`` with a learned slope for each frequency.

    Shape:
        ``[B, C, T, ceil(F / 2)]`` → mask ``[B, F, T]``.

    Source: learnable sigmoid of MetricGAN+ (Fu et al. 2021) as in MP-SENet (2023).
    """

    def __init__(self, config: GeneratorConfig):
        super().__init__(config, outputs=1)
        self.ceiling = config.mask_ceiling
        self.slope = nn.Parameter(torch.ones(self.bins))

    def forward(self, x: Tensor) -> Tensor:
        logits = self.decode(x).float()[:, 0]  # [B, T, F]
        return self.ceiling * torch.sigmoid(self.slope * logits).transpose(1, 2)  # [B, F, T]


class PhaseDecoder(_Decoder):
    """An angle for each point, that of a pseudo real and a pseudo imaginary part side by side.

    Added to the noisy phase, as here by default, the angle starts near the noisy phase, which is
    the best guess where speech is loud; given alone, a small network has first to learn to hand the
    noisy phase through. Its parts start near 1 and 0, so that hardly anything is added before it
    has learnt.

    Shape:
        ``[B, C, T, ceil(F / 2)]``, noisy phase ``[B, F, T]`` → phase ``[B, F, T]`` (radians,
        between −π and π).

    Source: parallel estimation of Ai and Ling (2023) as in MP-SENet (2023); that it is a correction
        is a choice of this project.
    """

    def __init__(self, config: GeneratorConfig):
        super().__init__(config, outputs=2)
        self.correction = config.phase_correction
        if self.correction:
            last = self.layers[-1]
            with torch.no_grad():
                last.weight.mul_(0.1)
                last.bias.copy_(torch.tensor([1.0, 0.0]))

    def forward(self, x: Tensor, noisy: Tensor) -> Tensor:
        real, imag = self.decode(x).float().unbind(1)  # two of [B, T, F]
        angle = torch.atan2(imag + IMAG_EPS, real + REAL_EPS).transpose(1, 2)  # [B, F, T]
        return wrap(noisy + angle) if self.correction else angle


class EffiFusionGenerator(nn.Module):
    """Noisy compressed magnitude and phase in, enhanced compressed magnitude and phase out.

    Args:
        config: shape of the network; kept as ``self.config``.

    Shape:
        magnitude ``[B, F, T]`` (compressed), phase ``[B, F, T]`` (radians) → the same two.

    Raises:
        ValueError: if the inputs do not have the shape ``[B, F, T]`` with F as configured.

    Source: framework as summaries of arXiv 2508.14525 report; sizes after MP-SENet (2023).
    """

    def __init__(self, config: GeneratorConfig = PRESETS["full"]):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.blocks = nn.Sequential(
            *(
                TwoStageBlock(
                    config.channels,
                    config.head_channels,
                    config.dual_norm,
                    config.conv_kernel,
                    config.expansion,
                )
                for _ in range(config.blocks)
            )
        )
        self.magnitude_decoder = MagnitudeDecoder(config)
        self.phase_decoder = PhaseDecoder(config) if config.phase_decoder else None
        if config.widths:
            # The only import that runs back up: what is pruned is a generator.
            from effifusion_lite.pruning import narrow

            narrow(self, config.widths)
        self.to(memory_format=torch.channels_last)

    def forward(self, magnitude: Tensor, phase: Tensor) -> tuple[Tensor, Tensor]:
        bins = self.config.spectral.bins
        if magnitude.ndim != 3 or magnitude.shape != phase.shape or magnitude.shape[1] != bins:
            raise ValueError(
                f"magnitude and phase must both have shape [B, {bins}, T], "
                f"not {list(magnitude.shape)} and {list(phase.shape)}"
            )
        x = torch.stack([magnitude, phase], dim=-1).permute(0, 3, 2, 1)  # [B, 2, T, F]
        x = self.encoder(x.contiguous(memory_format=torch.channels_last))  # [B, C, T, F']
        x = self.blocks(x.permute(0, 2, 3, 1).contiguous())  # [B, T, F', C]
        x = x.permute(0, 3, 1, 2)  # [B, C, T, F']
        enhanced = magnitude * self.magnitude_decoder(x)
        if self.phase_decoder is not None:
            phase = self.phase_decoder(x, phase)
        return enhanced, phase


def count_parameters(model: nn.Module) -> int:
    """Number of learned parameters.

    Args:
        model: any module.

    Returns:
        The number of scalars that an optimiser would see.

    Source: definition.
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
