"""The checks of the exercises: stub, solution, and each likely mistake by name."""

import jupytext
import pytest
import torch

from effifusion_lite.lesson.checks import chapter01, report
from notebooks import build

EPSILON = 1e-9
CHECKS = {
    "my_compressed_magnitude": chapter01.check_compressed_magnitude,
    "my_stft": chapter01.check_stft,
    "my_recombine": chapter01.check_recombine,
}


def _function(name, variant):
    """The reader's function, from the exercise cell of the chapter's source."""
    cells = jupytext.read(*build.sources(["01"]), fmt="py:percent").cells
    source = next(cell.source for cell in cells if f"def {name}(" in cell.source)
    names = {"torch": torch}
    exec(variant(source), names)
    return names[name]


def _power(spectrum):
    return spectrum.real.square() + spectrum.imag.square() + EPSILON


def _stft(x, n, h, window=None, **options):
    window = torch.hann_window(n) if window is None else window
    options = {"pad_mode": "constant", "return_complex": True} | options
    return torch.stft(x, n, h, window=window, **options)


@pytest.mark.parametrize("name", CHECKS)
def test_solution_passes(name, capsys):
    assert CHECKS[name](_function(name, build.fill)) is True
    assert "checks passed" in capsys.readouterr().out


@pytest.mark.parametrize("name", CHECKS)
def test_stub_fails_and_says_what_to_do(name, capsys):
    assert CHECKS[name](_function(name, build.blank)) is False
    assert "put your code where the three dots stand" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda s, c: (20 * s.abs().log10()) ** c, "works on decibels"),
        (lambda s, c: 20 * s.abs().log10(), "this is a logarithm"),
        (lambda s, c: s.abs() ** (1 / c), "exponent is inverted"),
        (lambda s, c: _power(s) ** c, "square root is missing"),
        (lambda s, c: s.abs(), "this is the magnitude itself"),
        (lambda s, c: c * s.abs(), "multiplies by c"),
        (lambda s, c: (s.real**2 + s.imag**2).sqrt() ** c, "add a small epsilon"),
        (lambda s, c: (_power(s).sqrt() ** c).detach(), "no gradient can flow"),
        (lambda s, c: s.abs().numpy() ** c, "ndarray, a torch.Tensor is expected"),
        (lambda s, c: s**c, "is complex, expected is a real"),
        (lambda s, c: (s.abs() ** c)[0], "the shape is"),
        (lambda s, c: s.abs() ** c + 0.1, "the values differ"),
        (lambda s, c: s.missing, "stopped with AttributeError"),
    ],
)
def test_mistakes_in_exercise_1_are_named(mistake, message, capsys):
    assert chapter01.check_compressed_magnitude(mistake) is False
    assert message in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda x, n, h: _stft(x, n, h, center=False), "padding is missing"),
        (lambda x, n, h: _stft(x, n, h, pad_mode="reflect"), "padding mirrors the signal"),
        (lambda x, n, h: _stft(x, n, h, torch.ones(n)), "window is missing"),
        (lambda x, n, h: _stft(x, n, h, torch.hann_window(n, periodic=False)), "symmetric one"),
        (lambda x, n, h: _stft(x, n, n // 2), "hop is n_fft // 2"),
        (lambda x, n, h: _stft(x, n, n), "hop is n_fft, so that"),
        (lambda x, n, h: _stft(x, n, h).T, "frames and frequencies are swapped"),
        (lambda x, n, h: _stft(x, n, h, onesided=False), "upper half mirrors"),
        (lambda x, n, h: _stft(x, n, h).abs(), "is real, expected is a complex"),
    ],
)
def test_mistakes_in_exercise_2_are_named(mistake, message, capsys):
    assert chapter01.check_stft(mistake) is False
    assert message in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda m, p, c: torch.polar(m, p), "compression is not undone"),
        (lambda m, p, c: torch.polar(m**c, p), "compressed a second time"),
        (lambda m, p, c: torch.polar(m ** (1 / c), -p), "conjugate"),
        (lambda m, p, c: torch.polar(m ** (1 / c), p.deg2rad()), "taken for degrees"),
        (lambda m, p, c: torch.polar(m ** (1 / c), p.rad2deg()), "converted to degrees"),
        (lambda m, p, c: m ** (1 / c) * (p.sin() + 1j * p.cos()), "sine and cosine are swapped"),
        (lambda m, p, c: m ** (1 / c) * p.cos(), "imaginary part is missing"),
    ],
)
def test_mistakes_in_exercise_3_are_named(mistake, message, capsys):
    assert chapter01.check_recombine(mistake) is False
    assert message in capsys.readouterr().out


@pytest.mark.parametrize("name", CHECKS)
def test_a_mistake_is_said_once(name, capsys):
    CHECKS[name](lambda *arguments: None)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_nan_is_reported_and_never_equal_to_numbers():
    numbers, nan = torch.ones(3), torch.tensor([1.0, torch.nan, 1.0])
    assert not report.equal(nan, numbers)
    assert report.equal(nan, nan.clone())
    problem = report.compare(lambda x: nan, lambda x: numbers, [], (numbers,))
    assert problem == "the result contains NaN or infinite values"
