"""Check of the exercise of chapter 01 that is about the STFT."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict
from effifusion_lite.spectral import SpectralConfig, stft

_SEED = 1


def check_stft(function: Callable, strict: bool = False) -> bool:
    """Check exercise 2: the STFT without a loop.

    Args:
        function: `(waveform, n_fft, hop_length) -> spectrum`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `waveform` [N], the result complex [F, T] with F = n_fft // 2 + 1, T = 1 + N // hop_length.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "the padding is missing: add n_fft // 2 zeros on both sides, so that frame t is "
            "centred on sample t * hop_length",
            lambda x, n, h: _torch_stft(x, n, h, center=False),
        ),
        (
            "the padding mirrors the signal, as torch.stft does by default: here it is zeros "
            "(pad_mode='constant')",
            lambda x, n, h: _torch_stft(x, n, h, pad_mode="reflect"),
        ),
        (
            "the window is missing: multiply each frame by a Hann window before the FFT",
            lambda x, n, h: _torch_stft(x, n, h, window=torch.ones(n)),
        ),
        (
            "the window is the symmetric one: torch.hann_window(n_fft) is periodic, and its "
            "shifted squares add up to a constant",
            lambda x, n, h: _torch_stft(x, n, h, torch.hann_window(n, periodic=False)),
        ),
        (
            "the hop is n_fft // 2: use the argument hop_length",
            lambda x, n, h: _torch_stft(x, n, n // 2),
        ),
        (
            "the hop is n_fft, so that the frames do not overlap: use the argument hop_length",
            lambda x, n, h: _torch_stft(x, n, n),
        ),
        (
            "the hop is n_fft // 4: use the argument hop_length",
            lambda x, n, h: _torch_stft(x, n, n // 4),
        ),
        (
            "frames and frequencies are swapped: the result is [F, T], frequency first",
            lambda x, n, h: _spectrum(x, n, h).T,
        ),
        (
            "the result is divided by sqrt(n_fft), as norm='ortho' does: leave the division out",
            lambda x, n, h: _spectrum(x, n, h) / n**0.5,
        ),
        (
            "the result is divided by n_fft, as norm='forward' does: leave the division out",
            lambda x, n, h: _spectrum(x, n, h) / n,
        ),
        (
            "all n_fft bins are there: the upper half mirrors the lower one, torch.fft.rfft "
            "leaves it out",
            lambda x, n, h: _torch_stft(x, n, h, onesided=False),
        ),
        *_MISTAKES_WITH_FRAMES,
    ]
    generator = torch.Generator().manual_seed(_SEED)
    sizes = ((1600, 400, 100), (1234, 400, 100), (2000, 512, 100), (1500, 400, 64), (2000, 512, 64))
    cases = [
        {
            "waveform": torch.randn(samples, generator=generator),
            "n_fft": n_fft,
            "hop_length": hop_length,
        }
        for samples, n_fft, hop_length in sizes
    ]
    problems = compare(function, _spectrum, mistakes, cases)
    return verdict("Exercise 2", problems, len(cases), strict)


def _frames(x: Tensor, n: int, h: int, left: int | None = None, right: int | None = None) -> Tensor:
    """Frames [T, n], without a window, of the waveform with half a frame of zeros on both sides."""
    left, right = (n // 2 if zeros is None else zeros for zeros in (left, right))
    return pad(x, (left, right)).unfold(0, n, h)


def _of_frames(frames: Tensor) -> Tensor:
    return torch.fft.rfft(frames * torch.hann_window(frames.shape[1])).T


def _window_over_all(x: Tensor, n: int) -> Tensor:
    padded = pad(x, (n // 2, n // 2))
    return padded * torch.hann_window(len(padded))


def _windowed_in_place(x: Tensor, n: int, h: int) -> Tensor:
    frames = _frames(x, n, h)
    frames *= torch.hann_window(n)
    return torch.fft.rfft(frames).T


_ANOTHER_WINDOW = "the window is another one: take torch.hann_window(n_fft) as it is"
_UNFOLD_SWAPPED = (
    "two arguments of unfold are swapped: unfold(0, n_fft, hop_length), first the length of a "
    "frame, then the step"
)
_ONE_SIDE = "the padding is on one side only: add n_fft // 2 zeros on both sides"
_ALONG_TIME = "rfft runs over the frames (dim=0): it has to run over the samples of each frame"
_MISTAKES_WITH_FRAMES: Mistakes = [
    (
        "frames *= window changes samples that overlapping frames share, several times: write "
        "frames = frames * window",
        _windowed_in_place,
    ),
    (
        "the window is there twice: multiply each frame by it once",
        lambda x, n, h: _of_frames(_frames(x, n, h) * torch.hann_window(n)),
    ),
    (
        "reshape only counts the same numbers into another shape: to swap frames and "
        "frequencies, transpose with .T",
        lambda x, n, h: _spectrum(x, n, h).T.reshape(n // 2 + 1, -1),
    ),
    (_ONE_SIDE, lambda x, n, h: _of_frames(_frames(x, n, h, right=0))),
    (_ONE_SIDE, lambda x, n, h: _of_frames(_frames(x, n, h, left=0))),
    (_ONE_SIDE, lambda x, n, h: _of_frames(_frames(x, n, h, left=n, right=0))),
    (_ONE_SIDE, lambda x, n, h: _of_frames(_frames(x, n, h, left=0, right=n))),
    (
        "there are n_fft zeros on both sides: half of that, n_fft // 2, centres frame t on "
        "sample t * hop_length",
        lambda x, n, h: _of_frames(_frames(x, n, h, left=n, right=n)),
    ),
    (
        "the window covers the whole waveform once: multiply each frame by it, after unfold",
        lambda x, n, h: torch.fft.rfft(_window_over_all(x, n).unfold(0, n, h)).T,
    ),
    (_ANOTHER_WINDOW, lambda x, n, h: _torch_stft(x, n, h, torch.hann_window(n).sqrt())),
    (_ANOTHER_WINDOW, lambda x, n, h: _torch_stft(x, n, h, torch.hamming_window(n))),
    (
        "there are hop_length zeros on both sides: n_fft // 2 of them centre frame t on sample "
        "t * hop_length",
        lambda x, n, h: _of_frames(_frames(x, n, h, left=h, right=h)),
    ),
    (
        _UNFOLD_SWAPPED,
        lambda x, n, h: _frames(x, h, n, n // 2, n // 2) * torch.hann_window(n),
    ),
    (_UNFOLD_SWAPPED, lambda x, n, h: _of_frames(_frames(x, h, n, n // 2, n // 2))),
    (
        "the window comes after the transform: multiply the samples of each frame by it first",
        lambda x, n, h: torch.fft.rfft(_frames(x, n, h)) * torch.hann_window(n),
    ),
    (
        "the window comes after the transform: multiply the samples of each frame by it first",
        lambda x, n, h: torch.fft.rfft(_frames(x, n, h)).T * torch.hann_window(n),
    ),
    (
        _ALONG_TIME,
        lambda x, n, h: torch.fft.rfft(_frames(x, n, h) * torch.hann_window(n), dim=0),
    ),
    (
        _ALONG_TIME,
        lambda x, n, h: torch.fft.rfft(_frames(x, n, h) * torch.hann_window(n), dim=0).T,
    ),
]


def _spectrum(waveform: Tensor, n_fft: int, hop_length: int) -> Tensor:
    return stft(waveform[None], SpectralConfig(n_fft, hop_length, win_length=n_fft))[0]


def _torch_stft(
    waveform: Tensor,
    n_fft: int,
    hop_length: int,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "constant",
    onesided: bool = True,
) -> Tensor:
    return torch.stft(
        waveform,
        n_fft,
        hop_length,
        window=torch.hann_window(n_fft) if window is None else window,
        center=center,
        pad_mode=pad_mode,
        onesided=onesided,
        return_complex=True,
    )
