"""What all checks share: diagnoses that hold for every chapter, copies of the inputs, NaN."""

import pytest
import torch

from effifusion_lite.lesson.checks import report
from effifusion_lite.lesson.checks.outcome import equal

SQUARE = torch.randn(4, 4, dtype=torch.complex64, generator=torch.Generator().manual_seed(1))
LONG = torch.randn(2, 5, dtype=torch.complex64, generator=torch.Generator().manual_seed(2))
CASES = [{"x": SQUARE, "c": 0.3}, {"x": LONG, "c": 0.45}]


def _right(x, c):
    return c * x


def _problems(function, mistakes=()):
    return report.compare(function, _right, [*mistakes], CASES)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x, c: 10 * c * x, "a constant factor: every value is 10 times the expected one"),
        (lambda x, c: c * x / 400, "a constant factor: every value is 1/400 times the expected"),
        (lambda x, c: 1j * c * x, "every value is (0.000+1.000j) times"),
        (lambda x, c: x, "a factor that depends on the case: 3.333 for c=0.3, 2.222 for c=0.45"),
        (lambda x, c: 0 * x, "all values are 0"),
        (lambda x, c: c * x.abs() + 0j, "all magnitudes are right, the phases are not"),
        (lambda x, c: c * x * x.abs(), "all phases are right, the magnitudes are not"),
        (lambda x, c: -c * x, "every value has the wrong sign"),
        (lambda x, c: c * x.conj(), "this is the complex conjugate"),
        (lambda x, c: c * x.T, "the result is transposed: its last two dimensions are swapped"),
        (lambda x, c: c * x.mH, "the result is transposed and conjugated"),
        (lambda x, c: 0.3 * x, "right for c=0.3, wrong for c=0.45: use the argument c"),
        (lambda x, c: c * x[:1], "x [4, 4], c=0.3: shape [1, 4] where [4, 4] is expected"),
        (lambda x, c: c * x.real, "the result is real where a complex one is expected"),
        (lambda x, c: c * x.to(torch.complex128), "dtype is torch.complex128 where"),
        (
            lambda x, c: (c * x).to(torch.complex128 if c > 0.4 else x.dtype),
            "dtype is torch.complex128",
        ),
        (lambda x, c: c * x * torch.nan, "the result contains NaN or infinite values"),
        (lambda x, c: [x], "your function returns list where a torch.Tensor is expected"),
        (lambda x, c: c * x + 1, "x [4, 4], c=0.3: the values differ, relative error"),
        (lambda x, c: x.missing, "x [4, 4], c=0.3: your function stopped with AttributeError"),
        (
            lambda x, c: c * x[:, 4] if c > 0.3 else c * x,
            "wrong for c=0.45: look at what your function does with c (",
        ),
    ],
)
def test_general_diagnoses(function, message):
    (problem,) = _problems(function)
    assert message in problem


def test_a_right_answer_has_no_problem():
    assert _problems(_right) == []


def test_a_mistake_that_explains_one_case_only_is_not_named():
    mistakes = [("the wrong guess", lambda x, c: c * x.conj() if c < 0.4 else x)]
    (problem,) = _problems(lambda x, c: c * x.conj(), mistakes)
    assert problem.startswith("this is the complex conjugate")
    assert _problems(mistakes[0][1], mistakes) == ["the wrong guess"]


def test_a_mistake_that_stops_is_named_by_its_words():
    mistakes = [("another end", lambda x, c: x[9]), ("the end", lambda x, c: x[..., 9])]
    assert _problems(lambda x, c: c * x[..., 9], mistakes) == ["the end"]


def test_inputs_are_copies_and_in_place_is_told():
    before = SQUARE.clone()
    right, wrong = _problems(lambda x, c: x.mul_(c)), _problems(lambda x, c: x.mul_(-c))
    assert torch.equal(SQUARE, before)
    assert len(right) == 1 and right[0].startswith("the values are right, but your function")
    assert wrong[0] == "every value has the wrong sign"
    assert wrong[1].startswith("your function changes its input in place (x)")


def test_an_expectation_that_spoils_its_input_spoils_nothing():
    assert report.compare(_right, lambda x, c: x.mul_(c), [], CASES) == []


def test_nan_is_reported_and_never_equal_to_numbers():
    numbers, nan = torch.ones(3), torch.tensor([1.0, torch.nan, 1.0])
    assert not equal(nan, numbers)
    assert equal(nan, nan.clone())
    problems = report.compare(lambda x: nan, lambda x: numbers, [], [{"x": numbers}])
    assert problems == ["x [3]: the result contains NaN or infinite values, the first at [1]"]


def test_verdict_prints_or_raises(capsys):
    assert report.verdict("Exercise 1", [], 3, strict=True) is True
    assert report.verdict("Exercise 1", ["this", "that"], 3, strict=False) is False
    printed = capsys.readouterr().out
    assert printed == "Exercise 1: all 3 checks passed.\nExercise 1: not yet.\n  - this\n  - that\n"
    with pytest.raises(report.CheckFailed, match="not yet.\n  - this"):
        report.verdict("Exercise 1", ["this"], 3, strict=True)
