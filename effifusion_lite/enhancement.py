"""Enhancement of any recording: any sample rate, any number of channels, any length.

Chapter: 10 Out of the notebook.
"""

from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from effifusion_lite.audio import SAMPLE_RATE, fit_length, resample
from effifusion_lite.generator import EffiFusionGenerator
from effifusion_lite.spectral import analyse, synthesise
from effifusion_lite.weights import load

SILENCE = 1e-7  # RMS (−140 dB relative to full scale) below which a recording counts as silent
LONGEST = 30.0  # s that are enhanced in one piece; memory grows with it, 1.4 GB for `lite`
WINDOW = 8.0  # s of one piece of a longer recording
CROSSFADE = 1.0  # s that neighbouring pieces share
MOST_CHANNELS = 32  # more channels than that, and than samples: probably [N, C]

Waveform = TypeVar("Waveform", np.ndarray, Tensor)


@torch.no_grad()
def enhance_16k(model: EffiFusionGenerator, waveform: Tensor, rms: Tensor | None = None) -> Tensor:
    """Enhance waveforms of 16 kHz in one piece.

    The model sees each waveform scaled by sqrt(N / Σ x²), which is a root mean square of 1; the
    result is scaled back. Silence comes back as zeros.

    Args:
        model: the generator.
        waveform: noisy speech, 16 kHz, on the model's device.
        rms: root mean square to scale by instead of the waveform's own, one for each.

    Returns:
        Enhanced speech.

    Shape:
        waveform `[B, N]` samples, rms `[B, 1]` -> `[B, N]` samples.

    Raises:
        ValueError: the waveform does not have the shape `[B, N]` with N ≥ 1.

    Chapter: 10.
    Source: scaling as in MP-SENet (2023).
    """
    own = _root_mean_square(waveform)  # [B, 1]
    rms = own if rms is None else rms
    silent = own < SILENCE
    scaled = torch.where(silent, 0, waveform / rms.clamp_min(SILENCE))  # [B, N]
    magnitude, phase = analyse(scaled, model.config.spectral)  # [B, F, T]
    magnitude, phase = model(magnitude, phase)
    enhanced = synthesise(magnitude, phase, waveform.shape[-1], model.config.spectral)  # [B, N]
    return torch.where(silent, 0, enhanced * rms)


def enhance_in_windows(
    model: EffiFusionGenerator,
    waveform: Tensor,
    window: float = WINDOW,
    crossfade: float = CROSSFADE,
    level: Literal["file", "window"] = "file",
    progress: bool = False,
) -> Tensor:
    """Enhance waveforms of 16 kHz of any length, in overlapping pieces that fade into each other.

    Args:
        model: the generator.
        waveform: noisy speech, 16 kHz, on the model's device.
        window: length of a piece, seconds; the last one is moved forward to be as long.
        crossfade: what neighbouring pieces share, seconds; at most half of `window`.
        level: scale each piece by the level of the whole waveform, or by its own.
        progress: show a progress bar.

    Returns:
        Enhanced speech.

    Shape:
        `[B, N]` samples -> `[B, N]` samples.

    Raises:
        ValueError: `crossfade` is not between one sample and half of `window`.

    Chapter: 10.
    Source: choice of this project.
    """
    length, fade = round(window * SAMPLE_RATE), round(crossfade * SAMPLE_RATE)
    if not 1 <= fade <= length // 2:
        raise ValueError("crossfade must be longer than 0 and at most half of window")
    total = waveform.shape[-1]
    if total <= length:
        return enhance_16k(model, waveform)
    rms = _root_mean_square(waveform) if level == "file" else None
    ramp = (torch.arange(fade, device=waveform.device) + 0.5) / fade  # [fade]
    enhanced = torch.zeros_like(waveform)
    end = 0  # of what is enhanced so far
    starts = [*range(0, total - length, length - fade), total - length]
    for start in tqdm(starts, unit="window", leave=False, disable=not progress):
        piece = enhance_16k(model, waveform[:, start : start + length], rms)  # [B, length]
        if start > 0:  # the piece before fades out where this one fades in
            shared = slice(end - fade, end)
            offset = end - fade - start  # more than 0 for the last piece alone
            before = enhanced[:, shared] * (1 - ramp)
            enhanced[:, shared] = before + piece[:, offset : offset + fade] * ramp
            piece = piece[:, offset + fade :]
        enhanced[:, end : start + length] = piece
        end = start + length
    return enhanced


def enhance(
    waveform: Waveform,
    sample_rate: int,
    weights: str | Path | EffiFusionGenerator = "lite",
    progress: bool = False,
) -> Waveform:
    """Enhance noisy speech.

    Each channel is enhanced on its own. The model works at 16 kHz: at other rates the recording is
    resampled there and back (soxr HQ), and what lies above 8 kHz is gone. Recordings above 30 s are
    enhanced in windows of 8 s. Silence gives silence. Gradients do not flow through.

    Args:
        waveform: floating point, NumPy array or torch tensor. Integers have no known full scale:
            convert them first, 16 bits by `waveform / 32768`.
        sample_rate: Hz.
        weights: name of shipped weights, path of a file, or a model.
        progress: show a progress bar for long recordings.

    Returns:
        Enhanced speech of the same type, dtype, shape (and device).

    Shape:
        `[N]` or `[C, N]` samples -> the same.

    Raises:
        ValueError: the waveform is not floating point, has another shape, is empty, or holds NaN or
            infinite samples; the sample rate is none; the weights cannot be loaded.

    Chapter: 10.
    Source: choice of this project.
    """
    model = load(weights) if isinstance(weights, (str, Path)) else weights
    channels = _to_numpy(waveform)  # [C, N]
    enhanced = np.empty_like(channels)
    device = next(model.parameters()).device if isinstance(model, torch.nn.Module) else "cpu"
    for index, channel in enumerate(channels):
        noisy = torch.from_numpy(resample(channel, sample_rate, SAMPLE_RATE)).to(device)  # [M]
        if len(noisy) > LONGEST * SAMPLE_RATE:
            clean = enhance_in_windows(model, noisy[None], progress=progress)[0]  # [M]
        else:
            clean = enhance_16k(model, noisy[None])[0]  # [M]
        back = resample(clean.cpu().numpy(), SAMPLE_RATE, sample_rate)
        enhanced[index] = fit_length(back, channels.shape[1])
    if not np.isfinite(enhanced).all():
        raise ValueError("the model returns NaN: its weights are broken, train or load others")
    enhanced = enhanced.reshape(waveform.shape)
    if isinstance(waveform, Tensor):
        return torch.from_numpy(enhanced).to(waveform.device, waveform.dtype)
    return enhanced.astype(waveform.dtype)


def _root_mean_square(waveform: Tensor) -> Tensor:
    """`[B, N]` to `[B, 1]`, without overflow of the squares."""
    peak = waveform.abs().amax(-1, keepdim=True).clamp_min(SILENCE)
    return peak * (waveform / peak).square().mean(-1, keepdim=True).sqrt()


def _to_numpy(waveform: np.ndarray | Tensor) -> np.ndarray:
    """Check the waveform of the caller; float32 `[C, N]`."""
    if not isinstance(waveform, (np.ndarray, Tensor)):
        raise ValueError(
            f"waveform must be a NumPy array or a torch tensor, not a {type(waveform).__name__}"
        )
    shape = list(waveform.shape)
    if isinstance(waveform, Tensor):
        floating = waveform.is_floating_point()
        samples = waveform.detach().cpu().float().numpy() if floating else None
    else:
        floating = np.issubdtype(waveform.dtype, np.floating)
        with np.errstate(over="ignore"):  # becomes infinite, which is refused below
            samples = waveform.astype(np.float32) if floating else None
    if not floating:
        raise ValueError(
            f"waveform must be floating point with full scale at ±1, not {waveform.dtype}: "
            "divide 16-bit samples by 32768"
        )
    if len(shape) not in (1, 2):
        raise ValueError(f"waveform must have shape [N] or [C, N], not {shape}")
    if samples.size == 0:
        raise ValueError(f"waveform is empty: its shape is {shape}")
    if not np.isfinite(samples).all():
        raise ValueError("waveform holds NaN or infinite samples: repair the recording first")
    samples = np.atleast_2d(samples)
    if samples.shape[0] > max(MOST_CHANNELS, samples.shape[1]):
        raise ValueError(f"waveform has shape {shape}, which is [N, C]: give its transpose [C, N]")
    return samples
