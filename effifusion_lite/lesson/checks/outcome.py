"""What the reader's function made of one input, and how two results are compared.

A case is a dictionary from the names of the arguments to their values, in the order in which the
function takes them. The function gets copies, so it cannot spoil what it is compared with.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

TOLERANCE = 1e-4  # relative: norm of the difference over norm of the expected result
NOTHING_YET = "your function returns nothing yet: put your code where the three dots stand"

Case = dict[str, object]


@dataclass(frozen=True)
class Outcome:
    """What the reader's function made of one case.

    Args:
        case: the arguments.
        expected: the right result.
        result: the reader's result, None where there is no tensor.
        problem: why there is no tensor, else "".
        changed: names of the arguments that the function changed in place.
    """

    case: Case
    expected: Tensor
    result: Tensor | None
    problem: str
    changed: list[str]

    @property
    def right(self) -> bool:
        """Whether the values are right."""
        return self.agrees(self.expected)

    def agrees(self, tensor: Tensor) -> bool:
        """Tell whether there is a result and it equals `tensor`."""
        return self.result is not None and equal(self.result, tensor)

    def same(self, other: "Outcome") -> bool:
        """Tell whether another function gave the same result, or stopped in the same words."""
        if self.result is None:
            return self.problem == other.problem
        return other.result is not None and equal(self.result, other.result)

    def difference(self) -> str:
        """Say how the result differs from what is expected, in a few words."""
        if self.problem:
            return self.problem
        if self.result.shape != self.expected.shape:
            return f"shape {[*self.result.shape]} where {[*self.expected.shape]} is expected"
        if self.result.is_complex() != self.expected.is_complex():
            kinds = {True: "complex", False: "real"}
            got, wanted = kinds[self.result.is_complex()], kinds[self.expected.is_complex()]
            return f"the result is {got} where a {wanted} one is expected"
        if not self.result.isfinite().all():
            first = (~self.result.isfinite()).nonzero()[0].tolist()  # [] for a single number
            place = f", the first at {first}" if first else ""
            return f"the result contains NaN or infinite values{place}"
        if self.expected.dtype == torch.bool and self.expected.numel() <= 8:
            return f"{self.result.tolist()} where {self.expected.tolist()} is expected"
        if self.result.ndim == 0:
            return f"{_number(self.result)} where {_number(self.expected)} is expected"
        if _whole(self.expected) and _whole(self.result):
            wrong = self.result != self.expected
            first = tuple(wrong.nonzero()[0].tolist())
            return (
                f"{int(wrong.sum())} of {wrong.numel()} values are wrong, the first at "
                f"{[*first]}: {_number(self.result[first])} where "
                f"{_number(self.expected[first])} is expected"
            )
        return f"the values differ, relative error {distance(self.result, self.expected):.1e}"


def run(function: Callable, reference: Callable, case: Case) -> Outcome:
    """Run the reference and the reader's function, each on a copy of one case.

    An exception of the reader's function is part of the answer, not a fault of the notebook: it
    comes back as a sentence.

    Args:
        function: the reader's function.
        reference: what it should do.
        case: the arguments.

    Returns:
        The outcome.
    """
    expected = call(reference, case)
    arguments = copy.deepcopy(case)
    try:
        result = function(*arguments.values())
    except Exception as error:
        result, problem = None, f"your function stopped with {type(error).__name__}: {error}"
    else:
        problem = _wrong_type(result, expected)
    changed = [name for name, value in case.items() if not _same(value, arguments[name])]
    return Outcome(
        case, as_tensor(expected), None if problem else as_tensor(result), problem, changed
    )


def call(function: Callable, case: Case):
    """Call a function with a copy of a case."""
    return function(*copy.deepcopy(case).values())


def describe(case: Case) -> str:
    """Write the arguments of a case: numbers and lists of them by value, arrays by shape."""
    return ", ".join(_argument(name, value) for name, value in case.items())


def as_tensor(value) -> Tensor:
    """Return a tensor without its gradient; NumPy's arrays and numbers become double precision."""
    if isinstance(value, Tensor):
        return value.detach()
    array = np.asarray(value)
    return torch.as_tensor(array.astype(np.complex128 if array.dtype.kind == "c" else np.float64))


def equal(result: Tensor, expected: Tensor) -> bool:
    """Tell whether shapes and kinds agree and values too, within TOLERANCE.

    NaN equals NaN, and an infinity one of the same sign.
    """
    if result.shape != expected.shape or result.is_complex() != expected.is_complex():
        return False
    if not torch.equal(result.isnan(), expected.isnan()):
        return False
    infinite = expected.isinf()
    if not (torch.equal(result.isinf(), infinite) and (result == expected)[infinite].all()):
        return False
    return distance(result, expected) < TOLERANCE


def distance(result: Tensor, expected: Tensor) -> float:
    """Relative norm of the difference to the expected result; NaN and infinity count as 0."""
    result, expected = (
        x.detach().to(torch.complex128).nan_to_num(posinf=0, neginf=0) for x in (result, expected)
    )
    return float((result - expected).norm() / expected.norm().clamp_min(1e-12))


def _whole(tensor: Tensor) -> bool:
    """Whether all values are whole numbers, such as labels, places and counts."""
    tensor = tensor.detach()
    return not tensor.is_complex() and bool(((tensor % 1 == 0) & (tensor.abs() < 1e15)).all())


def _number(tensor: Tensor) -> str:
    """Write one number: a whole one with all its digits, others with four."""
    return f"{tensor.item():.0f}" if _whole(tensor) else f"{tensor.item():.4g}"


def _wrong_type(result, expected) -> str:
    if result is None or result is ...:
        return NOTHING_YET
    types = (Tensor,) if isinstance(expected, Tensor) else (int, float, np.number, np.ndarray)
    numeric = not isinstance(result, np.ndarray) or result.dtype.kind in "biufc"
    if isinstance(result, types) and numeric:
        return ""
    wanted = {Tensor: "a torch.Tensor", np.ndarray: "an array of numbers"}
    kind = type(result).__name__ if numeric else f"an array of {result.dtype.name}"
    return (
        f"your function returns {kind} where {wanted.get(type(expected), 'a number')} is expected"
    )


def _same(first, second) -> bool:
    if isinstance(first, list):
        return len(first) == len(second) and all(map(_same, first, second))
    numeric = np.asarray(first).dtype.kind in "fc"  # which can be NaN
    return np.array_equal(first, second, equal_nan=numeric)


def _argument(name: str, value) -> str:
    if isinstance(value, list):
        if not all(hasattr(item, "shape") for item in value):
            return f"{name} {value}"
        shapes = [[*item.shape] for item in value]
        alike = all(shape == shapes[0] for shape in shapes)
        return f"{name} {len(shapes)} × {shapes[0]}" if alike else f"{name} {shapes}"
    return f"{name} {[*value.shape]}" if hasattr(value, "shape") else f"{name}={value}"
