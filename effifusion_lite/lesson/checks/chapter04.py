"""Checks of the exercises of chapter 04, the generator."""

from collections.abc import Callable
from functools import partial
from itertools import product

import torch
from torch import Tensor

from effifusion_lite.lesson.checks.outcome import Case, run
from effifusion_lite.lesson.checks.report import Mistakes, compare, verdict

_SEED = 1


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
    sizes = product((4, 6, 10), (1, 2, 3))
    cases = [{"channels": channels, "outputs": outputs} for channels, outputs in sizes]
    problems = compare(function, _decoder, _COUNTED_WRONGLY, cases)
    if problems:
        problems += _gap(function, cases)
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
    generator = torch.Generator().manual_seed(_SEED)
    settings = ((2.0, 0.3), (1.1, 0.3), (2.0, 0.5), (1.1, 0.5))
    cases = []
    for ceiling, exponent in settings:
        clean, noisy = torch.randn(2, 9, 40, dtype=torch.complex64, generator=generator)
        cases.append({"clean": clean, "noisy": noisy, "ceiling": ceiling, "exponent": exponent})
    problems = compare(function, _phase_sensitive, _masks_that_differ(), cases)
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
            "this gives the same values as the code above: the shape is right, but an input bin "
            "reaches outputs in other frames and at other frequencies",
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
            "the two halves are averaged, and the mean is repeated: the first half gives the even "
            "frequencies, the second half the odd ones",
            lambda x: torch.stack(x.chunk(2, dim=1)).mean(dim=0).repeat_interleave(2, dim=-1),
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


def _full(taps: int, inputs: int, outputs: int) -> int:
    return taps * inputs * outputs


def _biased(depthwise: bool, pointwise: bool) -> Callable:
    """Count a separable convolution with biases that it does not have."""
    return lambda k, i, o: _separable(k, i, o) + depthwise * i + pointwise * o


def _decoder(
    channels: int,
    outputs: int,
    inputs: tuple[int, ...] = (1, 2, 3, 4),
    norm: int = 2,
    doubled: int = 2,
    taps: tuple[int, int] = (9, 3),
    dense_layer: Callable = _separable,
    upsampling: Callable = _separable,
) -> int:
    """Count a decoder; the arguments after the first two make the mistakes."""
    dense = sum(dense_layer(taps[0], i * channels, channels) + norm * channels for i in inputs)
    upsample = upsampling(taps[1], channels, doubled * channels) + norm * channels
    return dense + upsample + outputs * (channels + 1)


def _wrongly(**changes) -> Callable:
    return lambda c, o: _decoder(c, o, **changes)


def _both(layer: Callable) -> Callable:
    return _wrongly(dense_layer=layer, upsampling=layer)


_NO_BIAS = "a convolution that a norm follows has no bias"
_COUNTED_WRONGLY: Mistakes = [
    (
        "this counts full convolutions, k * C_in * C_out: a separable one has "
        "k * C_in + C_in * C_out",
        _both(_full),
    ),
    (
        "the dense block is counted with full convolutions: a separable one has "
        "k * C_in + C_in * C_out",
        _wrongly(dense_layer=_full),
    ),
    (
        "the upsampling is counted as a full convolution: a separable one has "
        "k * C_in + C_in * C_out",
        _wrongly(upsampling=_full),
    ),
    (
        "the depthwise kernels are missing: a separable convolution has k * C_in + C_in * C_out",
        _wrongly(taps=(0, 0)),
    ),
    (
        "each layer of the dense block sees the outputs of all before it: its inputs are C, "
        "2C, 3C, 4C",
        _wrongly(inputs=(1, 1, 1, 1)),
    ),
    (
        "the block's input counts, too: the inputs of its layers are C, 2C, 3C, 4C",
        _wrongly(inputs=(0, 1, 2, 3)),
    ),
    ("the dense block is missing: four layers, a norm each", _wrongly(inputs=())),
    (
        "only one layer of the dense block is counted: there are four",
        _wrongly(inputs=(1,)),
    ),
    (
        "the instance norms are missing: each has a gain and an offset for every channel, 2C, "
        "and there are five",
        _wrongly(norm=0),
    ),
    (
        "an instance norm has 2C parameters, a gain and an offset for every channel",
        _wrongly(norm=1),
    ),
    (
        "the norms of the dense block are missing: there are five in all",
        lambda c, o: _decoder(c, o) - 8 * c,
    ),
    (
        "the norm after the upsampling is missing: there are five in all",
        lambda c, o: _decoder(c, o) - 2 * c,
    ),
    (
        "the upsampling is missing: a separable convolution with three taps, C channels in and "
        "2C out",
        lambda c, o: _decoder(c, o) - _separable(3, c, 2 * c),
    ),
    (
        "the upsampling gives 2C channels, which are laid side by side: its pointwise part "
        "has C * 2C weights",
        _wrongly(doubled=1),
    ),
    ("the last layer has a bias, one for each output", lambda c, o: _decoder(c, o) - o),
    (
        "the last layer is missing: C weights and a bias for each output",
        lambda c, o: _decoder(c, o) - o * (c + 1),
    ),
    (f"these are biases too many: {_NO_BIAS}", _both(_biased(True, True))),
    (f"the depthwise kernels have no bias: {_NO_BIAS}", _both(_biased(True, False))),
    (
        f"these are 6C too many: {_NO_BIAS}; or, if you counted none, the kernel of the upsampling "
        "has three taps, not nine",
        _both(_biased(False, True)),
    ),
    (
        "both outputs come from one dense block and one upsampling: only the last layer grows "
        "with the outputs",
        lambda c, o: o * _decoder(c, 1),
    ),
    *(
        ("the slopes of the sigmoid are counted: leave them out here", slopes)
        for slopes in (
            lambda c, o: _decoder(c, o) + 201,
            lambda c, o: _decoder(c, o) + 201 * o,
            lambda c, o: _decoder(c, o) + 201 * (o == 1),
        )
    ),
]


def _gap(function: Callable, cases: list[Case]) -> list[str]:
    """Say by which terms the reader's formula differs from the right one, or nothing.

    A formula that is at most a square in C and linear in O has six coefficients: nine cases show
    what they are, and whether it is one.
    """
    outcomes = [run(function, _decoder, case) for case in cases]
    if any(o.right or o.result is None or o.result.ndim for o in outcomes):
        return []
    gaps = torch.stack([outcome.result - outcome.expected for outcome in outcomes]).double()
    sizes = torch.tensor([[*case.values()] for case in cases], dtype=torch.float64)
    c, o = sizes.unbind(1)
    terms = {"C²": c * c, "C²·O": c * c * o, "C": c, "C·O": c * o, "O": o, "": torch.ones_like(c)}
    matrix = torch.stack([*terms.values()], dim=1)  # [cases, 6]
    found = torch.linalg.lstsq(matrix, gaps).solution.round()
    if not torch.allclose(matrix @ found, gaps):
        return []
    listed = {name: int(number) for name, number in zip(terms, found, strict=True) if number}
    text = " ".join(
        f"{'+' if number > 0 else '−'} {abs(number) if abs(number) > 1 or not name else ''}{name}"
        for name, number in listed.items()
    )
    return [f"with C channels and O outputs, your count minus the right one is {text}"]


def _limited(mask: Tensor, ceiling: float, exponent: float) -> Tensor:
    return mask.clamp(min=0).pow(exponent).clamp(max=ceiling)


def _phase_sensitive(clean: Tensor, noisy: Tensor, ceiling: float, exponent: float) -> Tensor:
    return _limited((clean / noisy).real, ceiling, exponent)


# The mask step by step: first the right way, then wrong ones, each with its sentence.
_LENGTHS = [
    ("", lambda s, x: s.abs() / x.abs()),
    ("the ratio is upside down: clean over noisy", lambda s, x: x.abs() / s.abs()),
    ("the ratio of the magnitudes is missing: |S| / |X|", lambda s, x: torch.ones(s.shape)),
    ("the length of the clean arrow is not yet divided by that of the noisy one: |S| / |X|",
     lambda s, x: s.abs()),
    ("this is the clean spectrum times the noisy one: divide it by the square of |X|",
     lambda s, x: s.abs() * x.abs()),
]  # fmt: skip
_ANGLES = [
    ("", lambda s, x: (s.angle() - x.angle()).cos()),
    ("the cosine of the angle between clean and noisy is missing", lambda s, x: 1.0),
    ("this takes the sine of the angle: the part along the noisy arrow is the cosine",
     lambda s, x: (s.angle() - x.angle()).sin()),
    ("this takes the cosine of the sum of the phases: it is that of their difference",
     lambda s, x: (s.angle() + x.angle()).cos()),
]  # fmt: skip
_SIGNS = [
    ("", lambda mask: mask.clamp(min=0)),
    ("a negative mask was made positive: where the two arrows point away from each other the best "
     "mask is 0, so use clamp instead of abs", lambda mask: mask.abs()),
    ("negative values are left, of which a power is NaN: clamp the mask at 0 first",
     lambda mask: mask),
]  # fmt: skip
_POWERS = [
    ("", lambda mask, ceiling, c: mask.pow(c).clamp(max=ceiling)),
    ("this is the mask on the linear magnitude: raise it to the power `exponent`",
     lambda mask, ceiling, c: mask.clamp(max=ceiling)),
    ("the exponent is inverted: the mask on the compressed magnitude is mask ** exponent",
     lambda mask, ceiling, c: mask.pow(1 / c).clamp(max=ceiling)),
    ("the ceiling limits the mask before the compression: compress first, then limit",
     lambda mask, ceiling, c: mask.clamp(max=ceiling).pow(c)),
    ("the ceiling is missing", lambda mask, ceiling, c: mask.pow(c)),
    ("both the exponent and the ceiling are missing", lambda mask, ceiling, c: mask),
]  # fmt: skip


def _masks_that_differ() -> Mistakes:
    """Masks with one wrong step, then with two, each with what is wrong."""
    mistakes: Mistakes = [
        (
            "only the magnitudes are compressed: the cosine takes the power `exponent`, too",
            lambda s, x, m, c: ((s / x).abs().pow(c) * (s / x).angle().cos()).clamp(0, m),
        ),
        (
            "this is the masked magnitude: return the mask alone",
            lambda s, x, m, c: _phase_sensitive(s, x, m, c) * x.abs().pow(c),
        ),
    ]
    for wrong_steps in (1, 2):
        for length, angle, sign, power in product(_LENGTHS, _ANGLES, _SIGNS, _POWERS):
            wrong = [sentence for sentence, _ in (length, angle, sign, power) if sentence]
            if len(wrong) == wrong_steps:
                steps = length[1], angle[1], sign[1], power[1]
                mistakes.append(("; and ".join(wrong), partial(_in_steps, steps)))
    return mistakes


def _in_steps(steps, clean: Tensor, noisy: Tensor, ceiling: float, exponent: float) -> Tensor:
    length, angle, sign, power = steps
    return power(sign(length(clean, noisy) * angle(clean, noisy)), ceiling, exponent)


def _interleave(even: Tensor, odd: Tensor) -> Tensor:
    return torch.stack([even, odd], dim=-1).flatten(-2)


def _upsampled(x: Tensor) -> Tensor:
    return _interleave(*x.chunk(2, dim=1))
