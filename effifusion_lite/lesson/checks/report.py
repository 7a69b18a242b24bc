"""What all checks share: run the reader's function, name the likely mistake, print the verdict."""

from collections.abc import Callable

import torch
from torch import Tensor

TOLERANCE = 1e-4  # relative: norm of the difference over norm of the expected result

Mistakes = list[tuple[str, Callable[..., Tensor]]]


def attempt(function: Callable, *arguments) -> tuple[Tensor | None, str]:
    """Run the reader's function, and put into words why it gave no tensor.

    An exception of the reader's function is part of the answer, not a fault of the notebook: it
    comes back as a sentence.

    Args:
        function: the reader's function.
        arguments: what it is called with.

    Returns:
        The tensor and "", or None and one sentence.
    """
    try:
        result = function(*arguments)
    except Exception as error:
        return None, f"your function stopped with {type(error).__name__}: {error}"
    if result is None or result is ...:
        return None, "your function returns nothing yet: put your code where the three dots stand"
    if not isinstance(result, Tensor):
        return None, f"your function returns {type(result).__name__}, a torch.Tensor is expected"
    return result, ""


def compare(function: Callable, reference: Callable, mistakes: Mistakes, arguments: tuple) -> str:
    """Compare the reader's function with the reference on one input.

    Args:
        function: the reader's function.
        reference: what it should do.
        mistakes: pairs of a sentence about a likely mistake and a function that makes it.
        arguments: the input of all of them.

    Returns:
        "" where the results agree within TOLERANCE, else one sentence that says what is wrong.
    """
    result, problem = attempt(function, *arguments)
    if problem:
        return problem
    expected = reference(*arguments)
    for sentence, mistake in mistakes:
        if equal(result, mistake(*arguments)) and not equal(result, expected):
            return sentence
    if result.shape != expected.shape:
        return f"the shape is {[*result.shape]}, expected is {[*expected.shape]}"
    if result.is_complex() != expected.is_complex():
        kinds = {True: "complex", False: "real"}
        got, wanted = kinds[result.is_complex()], kinds[expected.is_complex()]
        return f"the result is {got}, expected is a {wanted} tensor"
    if not equal(result, expected):
        if not torch.isfinite(torch.view_as_real(result) if result.is_complex() else result).all():
            return "the result contains NaN or infinite values"
        return f"the values differ: relative error {distance(result, expected):.1e}"
    return ""


def equal(result: Tensor, expected: Tensor) -> bool:
    """Tell whether shapes and kinds agree and values too, within TOLERANCE, NaN equal to NaN."""
    if result.shape != expected.shape or result.is_complex() != expected.is_complex():
        return False
    if not torch.equal(result.isnan(), expected.isnan()):
        return False
    return distance(result.nan_to_num(), expected.nan_to_num()) < TOLERANCE


def distance(result: Tensor, expected: Tensor) -> float:
    """Norm of the difference relative to the norm of the expected result."""
    difference = (result.detach() - expected.detach()).norm()
    return float(difference / expected.detach().norm().clamp_min(1e-12))


def verdict(exercise: str, problems: list[str]) -> bool:
    """Print the outcome of a check.

    Args:
        exercise: its name.
        problems: one sentence a problem, empty strings for what went well.

    Returns:
        True where there is no problem.
    """
    found = [problem for problem in dict.fromkeys(problems) if problem]
    if not found:
        print(f"{exercise}: all {len(problems)} checks passed.")
        return True
    print(f"{exercise}: not yet.")
    for problem in found:
        print(f"  - {problem}")
    return False
