"""The checks of chapter 01: each likely mistake by name."""

import pytest
import torch

from effifusion_lite.lesson.checks import chapter01
from notebooks import build
from notebooks.compose import blank, fill
from notebooks.rules import source_cells

EPSILON = 1e-9


def _function(name, variant):
    """The reader's function, from the exercise cell of the chapter's source."""
    cells = source_cells(*build.sources(["01"]))
    source = next(cell.source for cell in cells if f"def {name}(" in cell.source)
    names = {"torch": torch}
    exec(variant(source), names)
    return names[name]


def _own(n, h):
    """The step of each bin's own frequency."""
    return 2 * torch.pi * h / n * torch.arange(n // 2 + 1)[:, None]


def _extra(p, n, h):
    extra = p.diff(dim=1) - _own(n, h)
    return torch.atan2(extra.sin(), extra.cos())


def _hertz(step, h):
    return step * 16000 / (2 * torch.pi * h)


def _power(spectrum):
    return spectrum.real.square() + spectrum.imag.square() + EPSILON


def _stft(x, n, h, window=None, **options):
    window = torch.hann_window(n) if window is None else window
    options = {"pad_mode": "constant", "return_complex": True} | options
    return torch.stft(x, n, h, window=window, **options)


def _padded(x, n):
    return torch.nn.functional.pad(x, (n // 2, n // 2))


def _by_frames(x, n, h, padding):
    frames = torch.nn.functional.pad(x, padding).unfold(0, n, h)
    return torch.fft.rfft(frames * torch.hann_window(n))


def _windowed_in_place(x, n, h):
    frames = _padded(x, n).unfold(0, n, h)
    frames *= torch.hann_window(n)
    return torch.fft.rfft(frames).T


def _turns_off(angle):
    return angle - 2 * torch.pi * torch.round(angle / (2 * torch.pi))


def _once(angle):
    angle = angle.clone()
    angle[angle > torch.pi] -= 2 * torch.pi
    angle[angle < -torch.pi] += 2 * torch.pi
    return angle


def _expecting(step, p, h):
    return _hertz(step + _turns_off(p.diff(dim=1) - step), h)


def _degrees(p, n, h):
    step = 360 * h / n * torch.arange(n // 2 + 1)[:, None]
    extra = p.diff(dim=1) - step
    return (step + extra - 360 * (extra / 360).round()) / 360 * 16000 / h


def _bins(n):
    return 16000 / n * torch.arange(n // 2 + 1)[:, None]


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda s, c: (20 * s.abs().log10()) ** c, "works on decibels"),
        (lambda s, c: 20 * s.abs().log10(), "this is a logarithm"),
        (lambda s, c: s.abs() ** (1 / c), "exponent is inverted"),
        (lambda s, c: _power(s) ** c, "square root is missing"),
        (lambda s, c: s.real.abs() ** c, "imaginary part is missing: the magnitude is sqrt"),
        (lambda s, c: s.imag.abs() ** c, "real part is missing: the magnitude is sqrt"),
        (lambda s, c: (s.real + s.imag).abs() ** c, "not |re + im|"),
        (lambda s, c: s.abs().log1p(), "this is a logarithm"),
        (lambda s, c: s.abs() ** c / (s.abs() ** c).max(), "divided by its maximum"),
        (lambda s, c: (s.abs() ** c) + EPSILON, "add a small epsilon under the root"),
        (lambda s, c: s.abs(), "this is the magnitude itself"),
        (lambda s, c: c * s.abs(), "multiplies by c"),
        (lambda s, c: (s.real**2 + s.imag**2).sqrt() ** c, "a square root, like every power"),
        (lambda s, c: (s.real**2 + s.imag**2) ** (c / 2), "a square root, like every power"),
        (lambda s, c: s.abs() ** c, ": magnitude ** c has an infinite slope at 0"),
        (lambda s, c: s.abs() ** c, "add a small epsilon"),
        (lambda s, c: s.abs() ** 0.3, "right for exponent=0.3, wrong for exponent=0.45"),
        (lambda s, c: s.abs() ** 0.3, "use the argument exponent"),
        (lambda s, c: 3 * s.abs() ** c, "every value is 3 times the expected one"),
        (lambda s, c: -(s.abs() ** c), "every value has the wrong sign"),
        (lambda s, c: (s.abs() ** c).mT, "the result is transposed"),
        (lambda s, c: (s.abs() ** c).double(), "dtype is torch.float64 where torch.float32"),
        (lambda s, c: (_power(s).sqrt() ** c).detach(), "no gradient can flow"),
        (lambda s, c: s.abs().numpy() ** c, "returns ndarray where a torch.Tensor is expected"),
        (lambda s, c: s**c, "is complex where a real one is expected"),
        (
            lambda s, c: (s.abs() ** c)[0],
            "exponent=0.3: shape [201, 7] where [1, 201, 7] is expected",
        ),
        (lambda s, c: s.abs() ** c + 0.2, "the values differ"),
        (lambda s, c: (s.real**2 + s.imag**2 + 1e-4).sqrt() ** c, "epsilon 0.0001 is too large"),
        (lambda s, c: (s.real**2 + s.imag**2 + 1e-3).sqrt() ** c, "epsilon 0.001 is too large"),
        (lambda s, c: (s.abs() + 1e-3) ** c, "epsilon 0.001 is too large"),
        (lambda s, c: s.abs() ** c + 1e-2, "epsilon 0.01 is too large"),
        (lambda s, c: 20 * (s.abs() ** c).log10(), "c times the decibels"),
        (lambda s, c: _power(s).sqrt().pow_(c), "write m = m ** c instead of m **= c"),
        (lambda s, c: torch.no_grad()(_power)(s).sqrt() ** c, "leave out torch.no_grad()"),
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
        (lambda x, n, h: _stft(x, n, h).abs(), "is real where a complex one is expected"),
        (lambda x, n, h: _stft(x, n, n // 4), "hop is n_fft // 4"),
        (lambda x, n, h: _stft(x, n, h, normalized=True), "norm='ortho'"),
        (lambda x, n, h: _stft(x, n, h) / n, "norm='forward'"),
        (lambda x, n, h: 2 / n * _stft(x, n, h), "1/200 for n_fft=400, hop_length=100, 1/256 for"),
        (lambda x, n, h: _stft(x, n, h).conj(), "complex conjugate"),
        (lambda x, n, h: _stft(x, n, h).mH, "transposed and conjugated"),
        (lambda x, n, h: _stft(x, n, h)[:, :-1], "n_fft=400, hop_length=100: shape [201, 16] wh"),
        (lambda x, n, h: _stft(x, 400, h), "right for n_fft=400, wrong for n_fft=512: use the"),
        (
            lambda x, n, h: _stft(x, n, 100),
            "right for hop_length=100, wrong for hop_length=64: use",
        ),
        (lambda x, n, h: _stft(x, 400, 100), "use the arguments n_fft and hop_length"),
        (lambda x, n, h: _stft(x, n, h, torch.hann_window(400)), "right for n_fft=400, wrong for"),
        (
            lambda x, n, h: _stft(x[: len(x) // h * h], n, h),
            "right for waveform [1600], wrong for waveform [1234] (",
        ),
        (_windowed_in_place, "frames *= window changes samples"),
        (lambda x, n, h: _stft(x, n, h, torch.hann_window(n).square()), "window is there twice"),
        (lambda x, n, h: _by_frames(x, n, h, (n // 2, n // 2)).reshape(n // 2 + 1, -1), "reshape"),
        (lambda x, n, h: _by_frames(x, n, h, (n // 2, 0)).T, "padding is on one side only"),
        (lambda x, n, h: _by_frames(x, n, h, (0, n // 2)).T, "padding is on one side only"),
        (lambda x, n, h: _by_frames(x, n, h, (n, 0)).T, "padding is on one side only"),
        (lambda x, n, h: _by_frames(x, n, h, (0, n)).T, "padding is on one side only"),
        (lambda x, n, h: _by_frames(x, n, h, (n, n)).T, "there are n_fft zeros on both sides"),
        (
            lambda x, n, h: torch.fft.rfft(_padded(x, n).unfold(0, h, n) * torch.hann_window(n)).T,
            "two arguments of unfold are swapped",
        ),
        (
            lambda x, n, h: torch.fft.rfft(_padded(x, n).unfold(0, h, n) * torch.hann_window(h)).T,
            "two arguments of unfold are swapped",
        ),
        (
            lambda x, n, h: (
                torch.fft.rfft(
                    (_padded(x, n) * torch.hann_window(len(_padded(x, n)))).unfold(0, n, h)
                ).T
            ),
            "the window covers the whole waveform",
        ),
        (lambda x, n, h: _stft(x, n, h, torch.hann_window(n).sqrt()), "the window is another one"),
        (lambda x, n, h: _stft(x, n, h, torch.hamming_window(n)), "the window is another one"),
        (lambda x, n, h: _by_frames(x, n, h, (h, h)).T, "hop_length zeros on both sides"),
        (
            lambda x, n, h: torch.fft.rfft(_padded(x, n).unfold(0, n, h)) * torch.hann_window(n),
            "the window comes after the transform",
        ),
        (
            lambda x, n, h: torch.fft.rfft(_padded(x, n).unfold(0, n, h)).T * torch.hann_window(n),
            "the window comes after the transform",
        ),
        (
            lambda x, n, h: torch.fft.rfft(
                _padded(x, n).unfold(0, n, h) * torch.hann_window(n), dim=0
            ),
            "rfft runs over the frames",
        ),
        (
            lambda x, n, h: (
                torch.fft.rfft((_padded(x, n).unfold(0, n, h) * torch.hann_window(n)).T).T
            ),
            "rfft runs over the frames",
        ),
        (lambda x, n, h: _stft(x, n, h).abs() + 0j, "all magnitudes are right, the phases are not"),
    ],
)
def test_mistakes_in_exercise_2_are_named(mistake, message, capsys):
    assert chapter01.check_stft(mistake) is False
    assert message in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda p, n, h: _hertz(p.diff(dim=1), h), "up to whole turns"),
        (lambda p, n, h: _hertz(_own(n, h) + (p.diff(dim=1) - _own(n, h)), h), "up to whole turns"),
        (
            lambda p, n, h: _hertz(torch.atan2(p.diff(dim=1).sin(), p.diff(dim=1).cos()), h),
            "this wraps the step itself",
        ),
        (lambda p, n, h: _hertz(_extra(p, n, h), h), "distance from the bin's own frequency: add"),
        (lambda p, n, h: _hertz(_own(n, h) + 0 * p[:, 1:], h), "the frequency of the bin alone"),
        (lambda p, n, h: _hertz(_own(n, h) + _extra(-p, n, h), h), "the phase runs backwards"),
        (lambda p, n, h: _hertz(_own(n, h) - _extra(p, n, h), h), "has the wrong sign"),
        (
            lambda p, n, h: _hertz(_own(n, h) + (p.diff(dim=1) - _own(n, h)) % (2 * torch.pi), h),
            "wrapped to 0 ... 2 pi",
        ),
        (
            lambda p, n, h: _hertz(_own(n, h), h) + _hertz(_extra(p, n, h), n),
            "hop_length samples, not n_fft",
        ),
        (lambda p, n, h: (_own(n, h) + _extra(p, n, h)) / h, "in radians per sample"),
        (lambda p, n, h: _own(n, h) + _extra(p, n, h), "in radians per hop"),
        (lambda p, n, h: _bins(n) + _hertz(_extra(p, n, h), 1), "missing in the distance from the"),
        (
            lambda p, n, h: _hertz(_own(n, h) + _turns_off(p.diff(dim=1) + _own(n, h)), h),
            "added to the measured one",
        ),
        (lambda p, n, h: _expecting(_own(n, h) * 16000 / n, p, h), "numbered 0, 1, 2"),
        (
            lambda p, n, h: _expecting(torch.pi / 2 * torch.arange(len(p))[:, None], p, 100),
            "right for hop_length=100, wrong for hop_length=64: use the argument hop_length",
        ),
        (lambda p, n, h: _hertz(_own(n, h) + _extra(p, n, h), h) / 16000, "in turns per sample"),
        (
            lambda p, n, h: (_own(n, h) + _extra(p, n, h)) * 16000 / h,
            "2 pi is missing: an angle of 2 pi is one turn",
        ),
        (
            lambda p, n, h: _hertz(_own(400, h)[: n // 2 + 1] + _extra(p[:201], 400, h), h),
            "right for n_fft=400, wrong for n_fft=512: look at what your function does with n_fft",
        ),
        (
            lambda p, n, h: _hertz(_own(n, 100) + _extra(p, n, 100), 100),
            "right for hop_length=100, wrong for hop_length=64: use the argument hop_length",
        ),
        (lambda p, n, h: _hertz(p.diff(dim=0), h), "shape [200, 6] where [201, 5] is expected"),
        (lambda p, n, h: _hertz(_own(n, h) + _extra(p, n, h), h).T, "the result is transposed"),
        (lambda p, n, h: _bins(n) + _hertz(_turns_off(p.diff(dim=1)), h), "is not subtracted"),
        (lambda p, n, h: _bins(n) + _hertz(p.diff(dim=1), h), "its step is not subtracted"),
        (
            lambda p, n, h: _expecting(torch.arange(n // 2 + 1)[:, None] * h / n, p, h),
            "2 pi is missing in the expected step",
        ),
        (
            lambda p, n, h: (
                _bins(n)
                + _hertz(_turns_off(p.diff(dim=1) - torch.arange(n // 2 + 1)[:, None] * h / n), h)
            ),
            "2 pi is missing in the expected step",
        ),
        (lambda p, n, h: _expecting(_own(n, 1), p, h), "hop is missing in the expected step"),
        (
            lambda p, n, h: _bins(n) + _hertz(_turns_off(p.diff(dim=1) - _own(n, 1)), h),
            "hop is missing in the expected step",
        ),
        (lambda p, n, h: _expecting(_own(n, h) * n**2 / h**2, p, h), "fraction is upside down"),
        (
            lambda p, n, h: (
                _bins(n) + _hertz(_turns_off(p.diff(dim=1) - _own(n, h) * n**2 / h**2), h)
            ),
            "fraction is upside down",
        ),
        (lambda p, n, h: _hertz(_own(n, h) + _extra(p, n, h), 1), "hop is missing in the result"),
        (lambda p, n, h: _bins(n) + _extra(p, n, h) * 16000 / h, "2 pi is missing in the distance"),
        (
            lambda p, n, h: _hertz(_own(n, h) + _once(p.diff(dim=1) - _own(n, h)), h),
            "one turn at most is taken off",
        ),
        (
            lambda p, n, h: _hertz(_own(n, h) + (p.diff(dim=1) - _own(n, h)).fmod(2 * torch.pi), h),
            "torch.fmod keeps the sign",
        ),
        (
            lambda p, n, h: _hertz(
                _own(n, h) + (p.diff(dim=1) - _own(n, h) + torch.pi).fmod(2 * torch.pi) - torch.pi,
                h,
            ),
            "torch.fmod keeps the sign",
        ),
        (lambda p, n, h: _degrees(p, n, h), "the phase is taken for degrees"),
        (lambda p, n, h: _expecting(_own(n + 2, h)[1:] * (n + 2) / n, p, h), "counted from 1"),
        (lambda p, n, h: _turns_off(p[1:] - p[:-1] - _own(n, h)), "taken from bin to bin"),
        (lambda p, n, h: _turns_off(p.diff(dim=1) - _own(n, h).flatten()), "steps are a row"),
    ],
)
def test_mistakes_in_exercise_3_are_named(mistake, message, capsys):
    assert chapter01.check_frequency(mistake) is False
    assert message in capsys.readouterr().out


def test_the_solution_of_exercise_3_measures_a_tone():
    tone = torch.sin(2 * torch.pi * 1010 * torch.arange(4000) / 16000)
    phase = _stft(tone, 400, 100).angle()
    frequency = _function("my_frequency", fill)(phase, 400, 100)
    assert frequency[25, 5:-5] == pytest.approx(1010, abs=0.1)


def test_the_bug_is_found_by_its_property_and_not_named(capsys):
    buggy = _function("my_recombine", blank)
    number = buggy(torch.ones(1, 1, 1), torch.ones(1, 1, 1), 0.3)
    assert number.abs().item() == pytest.approx(1)  # the magnitude is right
    assert number.angle().item() == pytest.approx(1 / 0.3 - 2 * torch.pi, abs=1e-4)
    assert chapter01.check_recombine(buggy) is False
    printed = capsys.readouterr().out
    assert "all magnitudes are right, the phases are not" in printed
    assert "power" not in printed


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda m, p, c: torch.polar(m, p), "compression is not undone"),
        (lambda m, p, c: torch.polar(m**c, p), "compressed a second time"),
        (lambda m, p, c: torch.polar(m ** (1 / c), -p), "conjugate"),
        (lambda m, p, c: torch.polar(m, -p), "wrong sign, and the compression is not undone"),
        (lambda m, p, c: torch.polar(m ** (1 / c), p.deg2rad()), "taken for degrees"),
        (lambda m, p, c: torch.polar(m ** (1 / c), p.rad2deg()), "converted to degrees"),
        (lambda m, p, c: m ** (1 / c) * (p.sin() + 1j * p.cos()), "sine and cosine are swapped"),
        (lambda m, p, c: m ** (1 / c) * p.cos(), "imaginary part is missing"),
        (lambda m, p, c: torch.polar(m**1 / c, p), "m ** 1 / c means (m ** 1) / c"),
        (lambda m, p, c: torch.polar(m, p) ** (1 / c), "what comes out for the magnitude 1 and"),
        (lambda m, p, c: torch.polar(p, m ** (1 / c)), "arguments of torch.polar are swapped"),
        (lambda m, p, c: torch.polar(p, m), "are swapped, and the compression is not undone"),
        (lambda m, p, c: torch.complex(m ** (1 / c), p), "not magnitude and phase: m cos(p)"),
        (lambda m, p, c: torch.complex(m, p), "not magnitude and phase; and the compression"),
        (lambda m, p, c: torch.polar(m ** (1 / 0.3), p), "wrong for exponent=0.45: use the"),
        (lambda m, p, c: m ** (1 / c) * p.cos() + 1j * p.sin(), "brackets are missing"),
        (
            lambda m, p, c: torch.complex(m ** (1 / c) * p.cos(), m * p.sin()),
            "the real part is expanded, the imaginary part is not",
        ),
        (
            lambda m, p, c: torch.complex(m * p.cos(), m ** (1 / c) * p.sin()),
            "the imaginary part is expanded, the real part is not",
        ),
        (lambda m, p, c: torch.polar(m**0.3, p), "a second time, with the exponent 0.3"),
        (
            lambda m, p, c: torch.complex((m * p.cos()) ** (1 / c), (m * p.sin()) ** (1 / c)),
            "expanded one by one",
        ),
        (lambda m, p, c: m ** (1 / c) + 0j, "all magnitudes are right, the phases are not"),
        (lambda m, p, c: torch.polar(m ** (1 / c), p.abs()), "all magnitudes are right"),
        (lambda m, p, c: torch.polar(m ** (1 / c), c * p), "all magnitudes are right"),
        (lambda m, p, c: torch.polar(m**2, p), "all phases are right, the magnitudes are not"),
        (lambda m, p, c: torch.polar(m.pow_(1 / c), p), "right, but your function changes its"),
        (lambda m, p, c: torch.polar(m.pow_(1 / c), p), "in place (compressed)"),
        (lambda m, p, c: torch.polar(m.mul_(1 / c), p), "changes its input in place"),
    ],
)
def test_mistakes_in_exercise_4_are_named(mistake, message, capsys):
    assert chapter01.check_recombine(mistake) is False
    assert message in capsys.readouterr().out


def test_the_notebooks_variables_are_told_apart_from_arguments(capsys):
    names = {"torch": torch, "N_FFT": 400, "HOP": 100, "stft": _stft}
    exec("def my_stft(waveform, n_fft, hop_length): return stft(waveform, N_FFT, HOP)", names)
    assert chapter01.check_stft(names["my_stft"]) is False
    printed = capsys.readouterr().out
    assert "right for n_fft=400, hop_length=100, wrong for n_fft=512, hop_length=100" in printed
    assert "your function reads N_FFT and HOP from the notebook" in printed
    assert "take the argument n_fft in place of N_FFT and the argument hop_length in pl" in printed


@pytest.mark.parametrize(
    "body",
    [
        "return 3 * RATE / 16000 * frequency(phase, n_fft, hop_length)",
        "return 3 * pi / pi * frequency(phase, n_fft, hop_length)",
    ],
)
def test_constants_and_imports_are_not_blamed(body, capsys):
    names = {"pi": torch.pi, "RATE": 16000, "frequency": _function("my_frequency", fill)}
    exec(f"def my_frequency(phase, n_fft, hop_length): {body}", names)
    assert chapter01.check_frequency(names["my_frequency"]) is False
    printed = capsys.readouterr().out
    assert "every value is 3 times the expected one" in printed
    assert "from the notebook" not in printed


def test_a_forgotten_return_is_told_so(capsys):
    def forgotten(spectrum, exponent):
        magnitude = _power(spectrum).sqrt()
        magnitude**exponent

    assert chapter01.check_compressed_magnitude(forgotten) is False
    assert "returns nothing: `return` is missing" in capsys.readouterr().out


def test_a_gradient_that_cannot_be_computed_is_part_of_the_answer(capsys):
    def fails_on_silence(spectrum, exponent):
        return torch.from_numpy(spectrum.abs().numpy()) ** exponent

    assert chapter01.check_compressed_magnitude(fails_on_silence) is False
    assert "on silence your function stopped with RuntimeError" in capsys.readouterr().out
