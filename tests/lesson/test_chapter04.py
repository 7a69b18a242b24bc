"""The checks of the exercises name each likely mistake, and their references are the package's."""

import pytest
import torch

from effifusion_lite.convolution import SubPixelUpsample
from effifusion_lite.generator import GeneratorConfig, PhaseDecoder, count_parameters
from effifusion_lite.lesson.checks import chapter04
from notebooks import build
from notebooks.compose import fill
from notebooks.rules import source_cells


def _function(name):
    """The solution, from the exercise cell of the chapter's source."""
    code = next(
        cell.source
        for cell in source_cells(*build.sources(["04"]))
        if "exercise" in cell.tags and f"def {name}(" in cell.source
    )
    names = {"torch": torch}
    exec(fill(code), names)
    return names[name]


def _parameters(
    channels, outputs, inputs=(1, 2, 3, 4), norm=2, up=2, taps=3, full="", biases=(0, 0)
):
    """Count a decoder, here and there wrongly."""
    total = outputs * (channels + 1)
    layers = [*(("dense", 9, n, 1) for n in inputs), ("up", taps, 1, up)]
    for name, k, i, o in layers:
        i, o = i * channels, o * channels
        total += k * i * o if name in full else k * i + i * o
        total += norm * channels + biases[0] * i + biases[1] * o
    return total


def _angle(s, x):
    return s.angle() - x.angle()


def _mask(ratio, m, c):
    return ratio.clamp(min=0).pow(c).clamp(max=m)


def _reshaped(x):
    """What the code of the hunt gives, written in other words."""
    batch, channels, frames, bins = x.shape
    return x.flatten(1).unflatten(1, (channels // 2, frames, 2 * bins))


def test_the_reference_counts_as_the_package_does():
    function = _function("my_decoder_parameters")
    for channels in (8, 16, 64):
        decoder = PhaseDecoder(GeneratorConfig(channels=channels))
        assert function(channels, 2) == count_parameters(decoder)


def test_the_reference_upsamples_as_the_package_does():
    function = _function("my_upsample")
    x = torch.randn(2, 6, 5, 4, generator=torch.Generator().manual_seed(0))
    upsample = SubPixelUpsample(3)
    upsample.conv = torch.nn.Identity()
    assert torch.equal(function(x), upsample(x))


def test_no_other_mask_comes_nearer_to_the_clean_spectrum():
    function = _function("my_phase_sensitive_mask")
    clean, noisy = torch.randn(
        2, 9, 40, dtype=torch.complex64, generator=torch.Generator().manual_seed(0)
    )
    best = function(clean, noisy, 100.0, 1.0)
    error = (best * noisy - clean).abs()
    for other in (best + 0.05, (best - 0.05).clamp(min=0)):
        assert ((other * noisy - clean).abs() >= error - 1e-6).all()


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda c, o: _parameters(c, o, full="dense up"), "this counts full convolutions"),
        (lambda c, o: _parameters(c, o, full="dense"), "the dense block is counted with full"),
        (lambda c, o: _parameters(c, o, full="up"), "the upsampling is counted as a full"),
        (lambda c, o: _parameters(c, o) - 93 * c, "the depthwise kernels are missing"),
        (lambda c, o: _parameters(c, o, (1, 1, 1, 1)), "sees the outputs of all before it"),
        (lambda c, o: _parameters(c, o, (0, 1, 2, 3)), "the block's input counts, too"),
        (lambda c, o: _parameters(c, o, ()), "the dense block is missing"),
        (lambda c, o: _parameters(c, o, (1,)), "only one layer of the dense block"),
        (lambda c, o: _parameters(c, o, norm=0), "the instance norms are missing"),
        (lambda c, o: _parameters(c, o, norm=1), "an instance norm has 2C parameters"),
        (lambda c, o: _parameters(c, o) - 8 * c, "the norms of the dense block are missing"),
        (lambda c, o: _parameters(c, o) - 2 * c, "the norm after the upsampling is missing"),
        (lambda c, o: _parameters(c, o) - 3 * c - 2 * c * c, "the upsampling is missing"),
        (lambda c, o: _parameters(c, o, up=1), "the upsampling gives 2C channels"),
        (lambda c, o: _parameters(c, o, taps=9), "has three taps, not nine"),
        (lambda c, o: _parameters(c, o) - o, "the last layer has a bias"),
        (lambda c, o: _parameters(c, o) - o * (c + 1), "the last layer is missing"),
        (lambda c, o: _parameters(c, o, biases=(1, 1)), "these are biases too many"),
        (lambda c, o: _parameters(c, o, biases=(1, 0)), "the depthwise kernels have no bias"),
        (lambda c, o: _parameters(c, o, biases=(0, 1)), "that a norm follows has no bias"),
        (lambda c, o: o * _parameters(c, 1), "both outputs come from one dense block"),
        (lambda c, o: _parameters(c, o) + 201, "the slopes of the sigmoid are counted"),
        (lambda c, o: _parameters(c, o) + 201 * o, "the slopes of the sigmoid are counted"),
        (lambda c, o: _parameters(c, o) + 201 * (o == 1), "the slopes of the sigmoid"),
        (lambda c, o: _parameters(c, 1), "right for outputs=1, wrong for outputs=2: use the"),
        (lambda c, o: _parameters(4, o), "right for channels=4, wrong for channels=6: use the"),
        (lambda c, o: _parameters(c, o) + 3 * c - 7, "channels=4, outputs=1: 614 where 609 is"),
        (lambda c, o: _parameters(c, o) + 3 * c - 7, "count minus the right one is + 3C − 7"),
        (lambda c, o: _parameters(c, o) - c * c * o, "count minus the right one is − C²·O"),
    ],
)
def test_mistakes_in_exercise_1_are_named(mistake, message, capsys):
    assert chapter04.check_decoder_parameters(mistake) is False
    assert message in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            lambda s, x, m, c: _mask(s.abs() / x.abs(), m, c),
            "cosine of the angle between clean and noisy is missing",
        ),
        (lambda s, x, m, c: _mask(s.abs() / x.abs() * _angle(s, x).sin(), m, c), "the sine of"),
        (
            lambda s, x, m, c: _mask(s.abs() / x.abs() * (s.angle() + x.angle()).cos(), m, c),
            "cosine of the sum",
        ),
        (
            lambda s, x, m, c: _mask(_angle(s, x).cos(), m, c),
            "the ratio of the magnitudes",
        ),
        (lambda s, x, m, c: _mask((s / x).real.abs(), m, c), "use clamp instead of abs"),
        (lambda s, x, m, c: ((s / x).real ** c).clamp(max=m), "clamp the mask at 0 first"),
        (lambda s, x, m, c: _mask((x / s).real, m, c), "the ratio is upside down"),
        (
            lambda s, x, m, c: _mask((x / s).abs(), m, c),
            "clean over noisy; and the cosine",
        ),
        (lambda s, x, m, c: (x / s).real.clamp(0, m), "clean over noisy; and this is"),
        (lambda s, x, m, c: _mask((s * x.conj()).real / x.abs(), m, c), "is not yet divided by"),
        (lambda s, x, m, c: _mask((s * x.conj()).real, m, c), "by the square of |X|"),
        (lambda s, x, m, c: (s / x).real, "the mask at 0 first; and both the exponent and"),
        (lambda s, x, m, c: _mask((s / x).real, m, c) * x.abs() ** c, "return the mask alone"),
        (lambda s, x, m, c: (s / x).real.clamp(0, m), "this is the mask on the linear magnitude"),
        (lambda s, x, m, c: _mask((s / x).real, m, 1 / c), "the exponent is inverted"),
        (
            lambda s, x, m, c: ((s / x).abs() ** c * _angle(s, x).cos()).clamp(0, m),
            "only the magnitudes are compressed",
        ),
        (lambda s, x, m, c: (s / x).real.clamp(0, m) ** c, "compress first, then limit"),
        (lambda s, x, m, c: (s / x).real.clamp(min=0) ** c, "the ceiling is missing"),
        (lambda s, x, m, c: _mask((s / x).real, 2.0, c), "use the argument ceiling"),
        (lambda s, x, m, c: _mask((s / x).real, m, 0.3), "use the argument exponent"),
        (lambda s, x, m, c: s / x, "is complex where a real one is expected"),
    ],
)
def test_mistakes_in_exercise_2_are_named(mistake, message, capsys):
    assert chapter04.check_phase_sensitive_mask(mistake) is False
    assert message in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (_reshaped, "this gives the same values as the code above"),
        (lambda x: torch.stack(x.chunk(2, 1)).mean(0).repeat_interleave(2, -1), "are averaged"),
        (lambda x: torch.cat(x.chunk(2, 1), -1), "lie one after the other"),
        (lambda x: torch.stack([*x.chunk(2, 1)][::-1], -1).flatten(-2), "even and odd are swapped"),
        (lambda x: torch.stack([x[:, ::2], x[:, 1::2]], -1).flatten(-2), "neighbouring channels"),
        (lambda x: x.chunk(2, 1)[0].repeat_interleave(2, -1), "each value is repeated"),
        (lambda x: torch.stack(x.chunk(2, 1), 3).flatten(2, 3), "time is doubled"),
    ],
)
def test_mistakes_in_exercise_3_are_named(mistake, message, capsys):
    assert chapter04.check_upsample(mistake) is False
    assert message in capsys.readouterr().out
