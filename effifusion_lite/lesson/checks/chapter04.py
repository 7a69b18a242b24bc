"""Checks of the exercises of chapter 04, the generator."""

from collections.abc import Callable

import torch
from torch import Tensor

from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

_SEED = 1
_LAYERS = 4  # of a dense block


def check_decoder_parameters(function: Callable, strict: bool = False) -> bool:
    """Check exercise 1: the number of parameters of a decoder.

    Args:
        function: `(channels, outputs) -> number of parameters`, without the slopes of the sigmoid.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "this counts full convolutions, k * C_in * C_out: a separable one has "
            "k * C_in + C_in * C_out",
            lambda c, o: _decoder(c, o, layer=lambda k, i, j: k * i * j),
        ),
        (
            "each layer of the dense block sees the outputs of all before it: its inputs are C, "
            "2C, 3C, 4C",
            lambda c, o: _decoder(c, o, inputs=(1, 1, 1, 1)),
        ),
        (
            "the block's input counts, too: the inputs of its layers are C, 2C, 3C, 4C",
            lambda c, o: _decoder(c, o, inputs=(0, 1, 2, 3)),
        ),
        (
            "only one layer of the dense block is counted: there are four",
            lambda c, o: _decoder(c, o, inputs=(1,)),
        ),
        (
            "the instance norms are missing: each has a gain and an offset for every channel, 2C, "
            "and there are five",
            lambda c, o: _decoder(c, o, norm=0),
        ),
        (
            "an instance norm has 2C parameters, a gain and an offset for every channel",
            lambda c, o: _decoder(c, o, norm=1),
        ),
        (
            "the norm after the upsampling is missing: there are five in all",
            lambda c, o: _decoder(c, o) - 2 * c,
        ),
        (
            "the upsampling gives 2C channels, which are laid side by side: its pointwise part "
            "has C * 2C weights",
            lambda c, o: _decoder(c, o, doubled=1),
        ),
        (
            "the last layer has a bias, one for each output",
            lambda c, o: _decoder(c, o) - o,
        ),
        (
            "the last layer is missing: C weights and a bias for each output",
            lambda c, o: _decoder(c, o) - o * (c + 1),
        ),
        (
            "these are 6C too many: the kernel of the upsampling has three taps, not nine, and the "
            "convolutions before a norm have no bias",
            lambda c, o: _decoder(c, o, taps=9),
        ),
    ]
    sizes = ((4, 1), (4, 2), (6, 1), (10, 2))
    cases = [{"channels": channels, "outputs": outputs} for channels, outputs in sizes]
    problems = compare(function, _decoder, mistakes, cases)
    return verdict("Exercise 1", problems, len(cases), strict)


def check_phase_sensitive_mask(function: Callable, strict: bool = False) -> bool:
    """Check exercise 2: the best mask where the noisy phase is kept.

    Args:
        function: `(clean, noisy, ceiling, exponent) -> mask on the compressed magnitude`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `clean` and `noisy` complex [F, T], the result real [F, T].

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "this is the ratio of the magnitudes: it lacks the cosine of the angle between clean "
            "and noisy",
            lambda s, x, m, c: _limited((s / x).abs(), m, c),
        ),
        (
            "this takes the sine of the angle: the part along the noisy arrow is the cosine",
            lambda s, x, m, c: _limited((s / x).imag, m, c),
        ),
        (
            "this takes the cosine of the sum of the phases: it is that of their difference",
            lambda s, x, m, c: _limited((s / x).abs() * (s.angle() + x.angle()).cos(), m, c),
        ),
        (
            "this is the cosine alone: multiply it by the ratio of the magnitudes",
            lambda s, x, m, c: _limited((s.angle() - x.angle()).cos(), m, c),
        ),
        (
            "a negative mask was made positive: where the two arrows point away from each other "
            "the best mask is 0, so use clamp instead of abs",
            lambda s, x, m, c: _limited((s / x).real.abs(), m, c),
        ),
        (
            "a negative number has no power 0.3 (it gives NaN): clamp the mask at 0 first",
            lambda s, x, m, c: (s / x).real.pow(c).clamp(max=m),
        ),
        (
            "the ratio is upside down: clean over noisy",
            lambda s, x, m, c: _limited((x / s).real, m, c),
        ),
        (
            "this is the mask on the linear magnitude: the compressed magnitude takes its power c",
            lambda s, x, m, c: (s / x).real.clamp(0, m),
        ),
        (
            "the exponent is inverted: the mask on the compressed magnitude is mask ** c",
            lambda s, x, m, c: _limited((s / x).real, m, 1 / c),
        ),
        (
            "only the magnitudes are compressed: the cosine takes the power c, too",
            lambda s, x, m, c: ((s / x).abs().pow(c) * (s.angle() - x.angle()).cos()).clamp(0, m),
        ),
        (
            "the ceiling limits the mask before the compression: compress first, then limit",
            lambda s, x, m, c: (s / x).real.clamp(0, m).pow(c),
        ),
        (
            "the ceiling is missing",
            lambda s, x, m, c: (s / x).real.clamp(min=0).pow(c),
        ),
    ]
    generator = torch.Generator().manual_seed(_SEED)
    settings = ((2.0, 0.3), (1.1, 0.3), (2.0, 0.5), (1.1, 0.5))
    cases = []
    for ceiling, exponent in settings:
        clean, noisy = torch.randn(2, 9, 40, dtype=torch.complex64, generator=generator)
        cases.append({"clean": clean, "noisy": noisy, "ceiling": ceiling, "exponent": exponent})
    problems = compare(function, _phase_sensitive, mistakes, cases)
    return verdict("Exercise 2", problems, len(cases), strict)


def check_upsample(function: Callable, strict: bool = False) -> bool:
    """Check exercise 3: twice the channels laid side by side as twice the frequencies.

    Args:
        function: `(x) -> y`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `x` [B, 2C, T, F], the result [B, C, T, 2F].

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes: Mistakes = [
        (
            "this is still the code of the hunt: its shape is right, but one input bin reaches "
            "outputs in other frames",
            lambda x: x.reshape(x.shape[0], x.shape[1] // 2, x.shape[2], 2 * x.shape[3]),
        ),
        (
            "the two halves lie one after the other: output 2f must come from the first half, "
            "2f + 1 from the second, at the same f",
            lambda x: torch.cat(x.chunk(2, dim=1), dim=-1),
        ),
        (
            "even and odd are swapped: the first half of the channels gives the even frequencies",
            lambda x: _interleave(*reversed(x.chunk(2, dim=1))),
        ),
        (
            "the pairs are neighbouring channels, 2c and 2c + 1: here they are c and C + c, the "
            "first and the second half",
            lambda x: _interleave(x[:, 0::2], x[:, 1::2]),
        ),
        (
            "the second half of the channels is not used: each value is repeated",
            lambda x: x[:, : x.shape[1] // 2].repeat_interleave(2, dim=-1),
        ),
        (
            "time is doubled: the halves have to be laid side by side along frequency",
            lambda x: torch.stack(x.chunk(2, dim=1), dim=3).flatten(2, 3),
        ),
    ]
    generator = torch.Generator().manual_seed(_SEED)
    shapes = ((1, 2, 3, 4), (1, 6, 5, 4), (2, 8, 3, 7))
    cases = [{"x": torch.randn(shape, generator=generator)} for shape in shapes]
    problems = compare(function, _upsampled, mistakes, cases)
    return verdict("Exercise 3", problems, len(cases), strict)


def _separable(taps: int, inputs: int, outputs: int) -> int:
    return taps * inputs + inputs * outputs


def _decoder(
    channels: int,
    outputs: int,
    inputs: tuple[int, ...] = (1, 2, 3, 4),
    norm: int = 2,
    doubled: int = 2,
    taps: int = 3,
    layer: Callable = _separable,
) -> int:
    dense = sum(layer(9, i * channels, channels) + norm * channels for i in inputs)
    upsample = layer(taps, channels, doubled * channels) + norm * channels
    return dense + upsample + outputs * (channels + 1)


def _limited(mask: Tensor, ceiling: float, exponent: float) -> Tensor:
    return mask.clamp(min=0).pow(exponent).clamp(max=ceiling)


def _phase_sensitive(clean: Tensor, noisy: Tensor, ceiling: float, exponent: float) -> Tensor:
    return _limited((clean / noisy).real, ceiling, exponent)


def _interleave(even: Tensor, odd: Tensor) -> Tensor:
    return torch.stack([even, odd], dim=-1).flatten(-2)


def _upsampled(x: Tensor) -> Tensor:
    return _interleave(*x.chunk(2, dim=1))
