"""Enhancement of any recording: any sample rate, any number of channels, any length.

Everything goes through as a stream of blocks, in windows that fade into each other, so that memory
does not grow with the length. Sound files: `recordings`.

Chapter: 10 Out of the notebook.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from effifusion_lite.audio import SAMPLE_RATE
from effifusion_lite.audio.streams import check_rate, fit_blocks, resample_blocks, resampled_length
from effifusion_lite.enhancement.silence import Frames, put_back, take_out
from effifusion_lite.enhancement.strength import check_strength, mix_back
from effifusion_lite.generator import EffiFusionGenerator
from effifusion_lite.spectral import analyse, synthesise
from effifusion_lite.weights import load

SILENCE = 1e-7  # RMS (−140 dB relative to full scale) below which a recording counts as silent
WINDOW = 2.1  # s that are enhanced in one piece, chosen by tools/windows.py
CROSSFADE = 0.125  # s that neighbouring windows share
MOST_CHANNELS = 32  # more channels than that, and than samples: probably [N, C]

Waveform = TypeVar("Waveform", np.ndarray, Tensor)


@torch.no_grad()
def enhance_16k(model: EffiFusionGenerator, waveform: Tensor, rms: Tensor | None = None) -> Tensor:
    """Enhance waveforms of 16 kHz in one piece.

    The model sees each waveform scaled by sqrt(N / Σ x²), which is a root mean square of 1; the
    result is scaled back. A silent waveform comes back as zeros; silence within one goes through
    the model with the rest, as in training, where `enhance` leaves it out.

    Args:
        model: the generator, or what else makes `(magnitude, phase)` of `(magnitude, phase)` and
            has its `config`.
        waveform: noisy speech, 16 kHz, on the model's device.
        rms: root mean square to scale by instead of the waveform's own, one for each.

    Returns:
        Enhanced speech.

    Shape:
        waveform `[B, N]` samples, rms `[B, 1]` -> `[B, N]` samples.

    Raises:
        ValueError: the waveform does not have the shape `[B, N]` with N ≥ 1.

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
    blocks: Iterable[np.ndarray],
    length: int,
    rms: np.ndarray | None = None,
    window: float = WINDOW,
    crossfade: float = CROSSFADE,
    progress: bool = False,
) -> Iterator[np.ndarray]:
    """Enhance a stream of 16 kHz in overlapping windows that fade into each other.

    Args:
        model: as `enhance_16k`.
        blocks: noisy speech, 16 kHz.
        length: samples of the whole stream.
        rms: root mean square of each whole channel, to scale all its windows by; None scales each
            window by its own.
        window: length of a window in seconds, at most; all are made equally long.
        crossfade: what neighbouring windows share, seconds; at most half of `window`.
        progress: show a progress bar.

    Returns:
        Enhanced speech, a block for each window.

    Shape:
        blocks `[C, n]` samples, rms `[C]` -> blocks `[C, m]`, `length` samples in all.

    Raises:
        ValueError: `crossfade` is not between one sample and half of `window`, or the model gives
            NaN.
    """
    size, fade = round(window * SAMPLE_RATE), round(crossfade * SAMPLE_RATE)
    if not 1 <= fade <= size // 2:
        raise ValueError("crossfade must be longer than 0 and at most half of window")
    count = max(1, -(-(length - fade) // (size - fade)))  # windows, of equal size
    edges = [index * (length - fade) // count for index in range(count + 1)]
    ramp = (np.arange(fade, dtype=np.float32) + 0.5) / fade  # [fade]
    seconds = round(length / SAMPLE_RATE)
    tail = None  # the end of the window before, not yet given out
    with tqdm(total=seconds, unit="s", leave=False, disable=not progress or count == 1) as bar:
        for index, noisy in enumerate(_cut(blocks, edges, fade)):
            piece = np.stack([_enhance_channel(model, *one) for one in _channels(noisy, rms)])
            if tail is not None:  # it fades out where this window fades in
                piece[:, :fade] = tail * (1 - ramp) + piece[:, :fade] * ramp
            if index < count - 1:
                piece, tail = piece[:, :-fade], piece[:, -fade:]
            yield piece
            bar.update(round(edges[index + 1] / SAMPLE_RATE) - bar.n)


def _cut(blocks: Iterable[np.ndarray], edges: list[int], fade: int) -> Iterator[np.ndarray]:
    """Windows out of a stream of blocks, each from an edge to `fade` samples after the next."""
    blocks = iter(blocks)
    held = next(blocks)  # `[C, n]`, from the edge on
    for start, end in pairwise(edges):
        parts, missing = [held], end + fade - start - held.shape[1]
        while missing > 0:
            parts.append(next(blocks))
            missing -= parts[-1].shape[1]
        held = np.concatenate(parts, axis=1)
        yield held[:, : end + fade - start]
        held = held[:, end - start :]


def _channels(noisy: np.ndarray, rms: np.ndarray | None) -> Iterator[tuple]:
    return zip(noisy, [None] * len(noisy) if rms is None else rms, strict=True)


def _enhance_channel(model: EffiFusionGenerator, noisy: np.ndarray, rms: float | None):
    """`[n]` to `[n]`: one channel at a time, since a batch would need more memory."""
    device = next(model.parameters()).device if isinstance(model, torch.nn.Module) else "cpu"
    waveform = torch.from_numpy(np.ascontiguousarray(noisy))[None].to(device)  # [1, n]
    level = None if rms is None else torch.tensor([[rms]], dtype=torch.float32, device=device)
    enhanced = enhance_16k(model, waveform, level)[0].cpu().numpy()
    if not np.isfinite(enhanced).all():
        raise ValueError("the model returns NaN: its weights are broken, train or load others")
    return enhanced


def measure(
    blocks: Iterable[np.ndarray], sample_rate: int
) -> tuple[int, np.ndarray, list[np.ndarray]]:
    """What must be known of a recording before it is enhanced: length, level, where it sounds.

    Args:
        blocks: all of the recording.
        sample_rate: Hz.

    Returns:
        Samples of each channel at `sample_rate`; at 16 kHz, the root mean square of each where it
        sounds, and the stretches where it does: see `silence.Frames.sounding`.

    Shape:
        blocks `[C, n]` samples -> rms `[C]`, stretches `[K, 2]` for each channel.

    Raises:
        ValueError: the sample rate is none, or a sample is NaN or infinite.
    """
    check_rate(sample_rate)
    length, energy, count, frames = 0, 0.0, 0, Frames()

    def checked():
        nonlocal length
        for block in blocks:
            if not np.isfinite(block).all():
                raise ValueError("it holds NaN or infinite samples: repair the recording first")
            length += block.shape[1]
            yield block

    for block in resample_blocks(checked(), sample_rate, SAMPLE_RATE):
        energy = energy + np.square(block, dtype=np.float64).sum(axis=1)  # [C]
        count += block.shape[1]
        frames.add(block)
    inner = resampled_length(length, sample_rate, SAMPLE_RATE)
    sounding = frames.sounding(inner)
    silent = np.array([inner - np.diff(stretches).sum() for stretches in sounding])  # [C]
    return length, np.sqrt(energy / np.maximum(1, count - silent)), sounding


def enhance_channel(
    model: EffiFusionGenerator,
    blocks: Iterable[np.ndarray],
    sample_rate: int,
    length: int,
    rms: float,
    sounding: np.ndarray,
    progress: bool = False,
) -> Iterator[np.ndarray]:
    """Enhance a channel of any sample rate: to 16 kHz, without silence, in windows, and back.

    Channels go each alone since each is silent at its own times: side by side, one would have to
    wait in memory for the other.

    Args:
        model: as `enhance_16k`.
        blocks: the channel.
        sample_rate: Hz.
        length: samples, as `measure` gives it.
        rms: level, as `measure` gives it.
        sounding: stretches that are not silent, as `measure` gives them.
        progress: show a progress bar for a long recording.

    Returns:
        Enhanced speech, as it comes.

    Shape:
        blocks `[1, n]` samples, sounding `[K, 2]` -> blocks `[1, m]`, `length` samples in all.

    Raises:
        ValueError: the model gives NaN.
    """
    inner = resampled_length(length, sample_rate, SAMPLE_RATE)
    noisy = fit_blocks(resample_blocks(blocks, sample_rate, SAMPLE_RATE), inner)
    noisy, sounds = take_out(noisy, sounding), int(np.diff(sounding).sum())
    clean = enhance_in_windows(model, noisy, sounds, np.array([rms]), progress=progress)
    clean = put_back(clean, sounding, inner)
    yield from fit_blocks(resample_blocks(clean, SAMPLE_RATE, sample_rate), length)


def enhance(
    waveform: Waveform,
    sample_rate: int,
    weights: str | Path | EffiFusionGenerator = "lite",
    progress: bool = False,
    strength: float = 1,
) -> Waveform:
    """Enhance noisy speech.

    Each channel is enhanced on its own. The model works at 16 kHz: at other rates the recording is
    resampled there and back (soxr HQ), and what lies above 8 kHz is gone. Recordings above 2.1 s
    are enhanced in windows. Digital silence is taken out before, and zeros put in its place after:
    speech beside it is enhanced as if it were not there. Gradients do not flow through.

    Args:
        waveform: floating point, NumPy array or torch tensor. Integers have no known full scale:
            convert them first, 16 bits by `waveform / 32768`.
        sample_rate: Hz.
        weights: name of shipped weights, path of a file, or a model.
        progress: show a progress bar for long recordings.
        strength: between 0 and 1; the output is strength · enhanced + (1 − strength) · original,
            so that below 1 what lies above 8 kHz comes back by that share too.

    Returns:
        Enhanced speech of the same type, dtype, shape (and device).

    Shape:
        `[N]` or `[C, N]` samples -> the same.

    Raises:
        ValueError: the waveform is not floating point, has another shape, is empty, or holds NaN or
            infinite samples; the sample rate is none; the weights cannot be loaded; the strength
            does not lie between 0 and 1.
    """
    check_strength(strength)
    model = load(weights) if isinstance(weights, (str, Path)) else weights
    channels = _to_numpy(waveform)  # [C, N]
    length, *known = measure([channels], sample_rate)
    enhanced = np.empty_like(channels)
    for noisy, clean, *of_channel in zip(channels, enhanced, *known, strict=True):
        blocks = enhance_channel(model, [noisy[None]], sample_rate, length, *of_channel, progress)
        mixed = mix_back(blocks, [noisy[None]], strength)
        np.concatenate(list(mixed), axis=1, out=clean[None])
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
        with np.errstate(over="ignore"):  # becomes infinite, which `measure` refuses
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
    samples = np.atleast_2d(samples)
    if samples.shape[0] > max(MOST_CHANNELS, samples.shape[1]):
        raise ValueError(f"waveform has shape {shape}, which is [N, C]: give its transpose [C, N]")
    return samples
