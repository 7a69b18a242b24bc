"""What the generator minimises.

Layout: spectra are ``[B, F, T]``, waveforms ``[B, N]``; magnitudes are compressed, phases in
radians.

Chapter: 05 Losses and metrics.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from effifusion_lite.settings import AT_LEAST_0, check_fields
from effifusion_lite.spectral import SpectralConfig, analyse, complex_spectrum, synthesise, wrap


@dataclass(frozen=True)
class LossWeights:
    """Weight of each term of the generator's loss; 0 leaves a term out.

    Args:
        magnitude: squared error of the compressed magnitude.
        phase: sum of the three anti-wrapped phase errors.
        complex: squared error of real and imaginary part of the compressed spectrum, summed.
        waveform: absolute error of the samples.
        consistency: squared error between the compressed spectrum that the generator gives and the
            one that its waveform has.
        metric: squared distance of the discriminator's score from the best score.
        perceptual: disturbance that PESQ measures, as a differentiable twin of PESQ gives it; about
            0.5 for good and 4 for bad speech.

    Raises:
        ValueError: if a weight is no number, or negative.

    Source: MP-SENet (2023); the paper's own weights are not known.
    """

    magnitude: float = 0.9
    phase: float = 0.3
    complex: float = 0.1
    waveform: float = 0.2
    consistency: float = 0.1
    metric: float = 0.05
    perceptual: float = 0.0

    def __post_init__(self):
        check_fields(self, dict.fromkeys(vars(self), AT_LEAST_0))


def anti_wrap(difference: Tensor) -> Tensor:
    """Size of a phase difference on the circle: ``|x − 2π · round(x / 2π)|``.

    Args:
        difference: difference of two phases in radians.

    Returns:
        Distance in radians, between 0 and π.

    Shape:
        any shape, kept (radians).

    Source: Ai and Ling (2023).
    """
    return wrap(difference).abs()


def phase_losses(clean: Tensor, enhanced: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean anti-wrapped error of the phase and of its steps along frequency and time.

    Args:
        clean: phase of the clean speech.
        enhanced: phase that the generator gives.

    Returns:
        Errors of instantaneous phase, group delay (step along frequency) and instantaneous angular
        frequency (step along time), in radians.

    Shape:
        two of ``[B, F, T]`` (radians) → three scalars.

    Source: Ai and Ling (2023), as in MP-SENet (2023).
    """
    error = enhanced - clean  # the step of a difference is the difference of the steps
    return (
        anti_wrap(error).mean(),
        anti_wrap(error.diff(dim=1)).mean(),
        anti_wrap(error.diff(dim=2)).mean(),
    )


class PerceptualLoss(nn.Module):
    """The disturbance that PESQ measures, written so that it has gradients.

    It is what PESQ takes away from its best raw score of 4.5, without the alignment of delays.
    Examples without clean speech, for which PESQ is not defined, are left out.

    Raises:
        ValueError: if the package torch-pesq is not installed.

    Shape:
        two of ``[B, N]`` (samples, 16 kHz) → a scalar.

    Source: ITU-T P.862, as in the package torch-pesq (AudioLabs Erlangen).
    """

    def __init__(self):
        super().__init__()
        try:
            from torch_pesq import PesqLoss
        except ModuleNotFoundError as error:
            raise ValueError(
                "the perceptual loss needs the package torch-pesq: pip install "
                '"effifusion-lite[train]", or set its weight to 0'
            ) from error
        self.disturbance = PesqLoss(1.0, sample_rate=16000)

    def forward(self, clean: Tensor, enhanced: Tensor) -> Tensor:
        heard = clean.square().mean(-1) > 1e-8
        if not heard.any():
            return 0 * enhanced.sum()
        return self.disturbance(clean[heard], enhanced[heard]).mean().float()


def _complex_error(first: Tensor, second: Tensor) -> Tensor:
    """Mean squared error of the real parts plus that of the imaginary parts."""
    first, second = torch.view_as_real(first), torch.view_as_real(second)  # [B, F, T, 2]
    return 2 * F.mse_loss(first, second)


def generator_losses(
    clean: Tensor,
    magnitude: Tensor,
    phase: Tensor,
    config: SpectralConfig,
    score: Tensor | None = None,
    perceptual: PerceptualLoss | None = None,
) -> tuple[dict[str, Tensor], Tensor]:
    """All terms of the generator's loss, not yet weighted.

    Args:
        clean: clean waveform at the level of the generator's input.
        magnitude: compressed magnitude that the generator gives.
        phase: phase that the generator gives.
        config: transform settings.
        score: the discriminator's score of the enhanced speech, if there is one.
        perceptual: the perceptual loss, if that term is asked for.

    Returns:
        The terms by name (names of :class:`LossWeights`), and the enhanced waveform.

    Shape:
        clean ``[B, N]`` (samples), magnitude and phase ``[B, F, T]``, score ``[B]`` → scalars and
        ``[B, N]``.

    Source: MP-SENet (2023); metric term of MetricGAN (Fu et al. 2019).
    """
    clean_magnitude, clean_phase = analyse(clean, config)
    enhanced = synthesise(magnitude, phase, clean.shape[-1], config)
    spectrum = complex_spectrum(magnitude, phase)
    losses = {
        "magnitude": F.mse_loss(magnitude, clean_magnitude),
        "phase": sum(phase_losses(clean_phase, phase)),
        "complex": _complex_error(spectrum, complex_spectrum(clean_magnitude, clean_phase)),
        "waveform": F.l1_loss(enhanced, clean),
        "consistency": _complex_error(spectrum, complex_spectrum(*analyse(enhanced, config))),
    }
    if score is not None:
        losses["metric"] = F.mse_loss(score, torch.ones_like(score))
    if perceptual is not None:
        losses["perceptual"] = perceptual(clean, enhanced)
    return losses, enhanced


def weighted_sum(losses: dict[str, Tensor], weights: LossWeights) -> Tensor:
    """The generator's loss.

    Args:
        losses: terms by name, as :func:`generator_losses` gives them.
        weights: weight of each term.

    Returns:
        A scalar.

    Source: MP-SENet (2023).
    """
    return sum(getattr(weights, name) * value for name, value in losses.items())
