"""What all checks share: compare the reader's function with the reference, say what is wrong."""

import copy
import dis
from collections.abc import Callable, Iterable
from functools import partial
from itertools import product
from types import FunctionType, ModuleType

import torch
from torch import Tensor

from effifusion_lite.lesson.checks.outcome import (
    NOTHING_YET,
    TOLERANCE,
    Case,
    Outcome,
    describe,
    equal,
    run,
)

Mistakes = list[tuple[str, Callable]]
NO_RETURN = (
    "your function computes something but returns nothing: `return` is missing (if the three dots "
    "are still there, put your code where the three dots stand)"
)


class CheckFailed(AssertionError):
    """An exercise is not solved yet; the message says what is wrong."""


def compare(
    function: Callable, reference: Callable, mistakes: Mistakes, cases: list[Case]
) -> list[str]:
    """Compare the reader's function with the reference in all cases.

    Args:
        function: the reader's function.
        reference: what it should do.
        mistakes: pairs of a sentence about a likely mistake and a function that makes it. It is
            named only where it explains all cases: it gives the same results, or stops in the
            same words.
        cases: the inputs.

    Returns:
        Sentences that say what is wrong; none where all results are right.
    """
    outcomes = [run(function, reference, case) for case in cases]
    if all(outcome.problem == NOTHING_YET for outcome in outcomes):
        return [NO_RETURN if _computes(function) else NOTHING_YET]
    problems = []
    if not all(outcome.right for outcome in outcomes):
        problems.append(
            _named(outcomes, reference, mistakes)
            or diagnose(outcomes, partial(_unused, function, reference, outcomes))
            + _in_place_of_an_argument(function, reference, cases)
        )
    else:
        dtypes = [(outcome.result.dtype, outcome.expected.dtype) for outcome in outcomes]
        problems += dict.fromkeys(
            f"the values are right, but the dtype is {got} where {wanted} is expected"
            for got, wanted in dtypes
            if got != wanted
        )
    changed = dict.fromkeys(name for outcome in outcomes for name in outcome.changed)
    if changed:
        problems.append(
            f"{'' if problems else 'the values are right, but '}your function changes its input "
            f"in place ({', '.join(changed)}): work on a copy, or write {_kept(changed, cases[0])}"
        )
    return problems


def diagnose(outcomes: list[Outcome], find_unused: Callable[[], list[str]]) -> str:
    """Say what is wrong, in words that fit every exercise.

    Args:
        outcomes: all cases, at least one of them not right.
        find_unused: gives the names of arguments that the function does not use.

    Returns:
        One sentence: right in some cases only, a sign, conjugate, transposed, a constant factor,
        magnitudes or phases alone right; else what is wrong in the first case.
    """
    return (
        _right_in_some(outcomes, find_unused)
        or _explain(outcomes, _TRANSFORMED)
        or _constant_factor(outcomes)
        or _half_right(outcomes)
        or f"{describe(outcomes[0].case)}: {outcomes[0].difference()}"
    )


def verdict(exercise: str, problems: list[str], checks: int, strict: bool) -> bool:
    """Print the outcome of a check, or raise it.

    Args:
        exercise: its name.
        problems: one sentence for each problem.
        checks: how many checks were made.
        strict: whether a problem is raised instead of printed.

    Returns:
        True where there is no problem.

    Raises:
        CheckFailed: there is a problem, and `strict` is set.
    """
    if not problems:
        print(f"{exercise}: all {checks} checks passed.")
        return True
    text = "\n".join([f"{exercise}: not yet.", *(f"  - {problem}" for problem in problems)])
    if strict:
        raise CheckFailed(text)
    print(text)
    return False


def _kept(changed: Iterable[str], case: Case) -> str:
    """Examples of code that leaves the arguments as they are."""
    if any(isinstance(case[name], list) for name in changed):
        return "y = x[::-1] instead of x.reverse(), y = x[0] * 2 instead of x[0] *= 2"
    return "x = x * 2 instead of x *= 2"


def _transpose(tensor: Tensor) -> Tensor:
    return tensor.mT if tensor.ndim > 1 else tensor


_TRANSFORMED = [
    ("every value has the wrong sign", lambda outcome: -outcome.expected),
    (
        "this is the complex conjugate: the imaginary part has the wrong sign",
        lambda outcome: outcome.expected.conj(),
    ),
    (
        "the result is transposed: its last two dimensions are swapped",
        lambda outcome: _transpose(outcome.expected),
    ),
    (
        "the result is transposed and conjugated: to transpose alone, take .T or .mT, not .H",
        lambda outcome: _transpose(outcome.expected).conj(),
    ),
]


def _named(outcomes: list[Outcome], reference: Callable, mistakes: Mistakes) -> str:
    """Return the sentence of the first mistake that explains all cases, or ""."""
    for sentence, mistake in mistakes:
        if all(o.same(run(mistake, reference, o.case)) for o in outcomes):
            return sentence
    return ""


def _in_place_of_an_argument(function: Callable, reference: Callable, cases: list[Case]) -> str:
    """Say which of the notebook's variables belongs to an argument, or "".

    It does where the function is right in all cases as soon as the variable has the value of the
    argument. A constant or an import that it uses with good reason is thus never named.
    """
    names = _variables(function)[:3]
    for arguments in product([None, *cases[0]], repeat=len(names)):
        chosen = {n: a for n, a in zip(names, arguments, strict=True) if a is not None}
        if chosen and all(_right_with(chosen, function, reference, case) for case in cases):
            listed = " and ".join(f"the argument {a} in place of {n}" for n, a in chosen.items())
            return f"; your function reads {' and '.join(chosen)} from the notebook: take {listed}"
    return ""


def _right_with(
    chosen: dict[str, str], function: Callable, reference: Callable, case: Case
) -> bool:
    """Whether the function is right once some variables have the values of arguments."""
    values = {name: copy.deepcopy(case[argument]) for name, argument in chosen.items()}
    return run(_with_values(function, values), reference, case).right


def _with_values(function: FunctionType, values: dict[str, object]) -> FunctionType:
    """The same function, for which some of the notebook's variables have other values."""
    names = function.__globals__ | values
    changed = FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    changed.__kwdefaults__ = function.__kwdefaults__
    return changed


def _computes(function: Callable) -> bool:
    """Whether there is more in a function than its text, a constant and a return."""
    idle = ("RESUME", "NOP", "LOAD_CONST", "RETURN", "POP_TOP")
    return hasattr(function, "__code__") and any(
        not step.opname.startswith(idle) for step in dis.get_instructions(function)
    )


def _explain(outcomes: list[Outcome], explanations: list[tuple[str, Callable]]) -> str:
    """Return the first sentence whose function gives the results of all cases, or ""."""
    if any(outcome.result is None for outcome in outcomes):
        return ""
    for sentence, explanation in explanations:
        if all(outcome.agrees(explanation(outcome)) for outcome in outcomes):
            return sentence
    return ""


def _right_in_some(outcomes: list[Outcome], find_unused: Callable[[], list[str]]) -> str:
    """Say for which arguments the result is right, and which of them it should use, or ""."""
    right = [outcome.case for outcome in outcomes if outcome.right]
    wrong = [outcome for outcome in outcomes if not outcome.right]
    if not right:
        return ""
    good, first = right[0], wrong[0].case
    differing = [n for n in good if describe({n: good[n]}) != describe({n: first[n]})]
    # A name decides where all that is right has one value of it, and nothing that is wrong has it.
    deciding = [
        name
        for name in _numbers(good)
        if {case[name] for case in right} == {good[name]}
        and all(outcome.case[name] != good[name] for outcome in wrong)
    ]
    unused = find_unused()
    advised = unused or (deciding if len(deciding) == 1 else [])
    names = advised or differing or [*good]

    def told(case):
        return describe({name: case[name] for name in names})

    bad = next((o for o in wrong if told(o.case) != told(good)), wrong[0])
    advice = ""
    if unused:
        advice = f": use the argument{'s' * (len(unused) > 1)} {' and '.join(unused)}"
    elif advised:
        advice = f": look at what your function does with {advised[0]}"
    return f"right for {told(good)}, wrong for {told(bad.case)}{advice} ({bad.difference()})"


def _unused(function: Callable, reference: Callable, outcomes: list[Outcome]) -> list[str]:
    """Numbers among the arguments on which the right result depends, but the function's does not.

    Each is given the values that it has in the other cases, while all else stays.
    """

    def ignored(name):
        depends = False
        for outcome in outcomes:
            for value in {other.case[name] for other in outcomes} - {outcome.case[name]}:
                try:
                    changed = run(function, reference, {**outcome.case, name: value})
                except Exception:  # the reference does not take this combination
                    continue
                if not outcome.same(changed):
                    return False
                depends = depends or not equal(changed.expected, outcome.expected)
        return depends

    return [name for name in _numbers(outcomes[0].case) if ignored(name)]


def _half_right(outcomes: list[Outcome]) -> str:
    """Say that the magnitudes of complex results are right, or their phases, or ""."""
    if not all(o.expected.is_complex() and _comparable(o) for o in outcomes):
        return ""
    if all(equal(o.result.abs(), o.expected.abs()) for o in outcomes):
        return "all magnitudes are right, the phases are not"
    if all(equal(torch.sgn(o.result), torch.sgn(o.expected)) for o in outcomes):
        return "all phases are right, the magnitudes are not"
    return ""


def _comparable(outcome: Outcome) -> bool:
    """Whether there is a finite result of the expected shape and kind."""
    result, expected = outcome.result, outcome.expected
    return (
        result is not None
        and result.shape == expected.shape
        and result.is_complex() == expected.is_complex()
        and bool(result.isfinite().all())
    )


def _constant_factor(outcomes: list[Outcome]) -> str:
    """Say by which factor all values are wrong, or ""."""
    factors = [_factor(outcome) for outcome in outcomes]
    if None in factors:
        return ""
    if not any(factors):
        return "all values are 0"
    if all(_close(factor, factors[0]) for factor in factors):
        return f"a constant factor: every value is {_number(factors[0])} times the expected one"
    if any(outcome.expected.numel() == 1 for outcome in outcomes):
        return ""
    other = next(i for i, factor in enumerate(factors) if not _close(factor, factors[0]))
    listed = (
        f"{_number(factors[i])} for {describe(_numbers(outcomes[i].case) or outcomes[i].case)}"
        for i in (0, other)
    )
    return f"a factor that depends on the case: {', '.join(listed)}"


def _factor(outcome: Outcome) -> complex | None:
    """The factor between the result and the expectation, None where there is none."""
    result, expected = outcome.result, outcome.expected
    if result is None or result.shape != expected.shape or not result.isfinite().all():
        return None
    expected = expected.to(torch.promote_types(result.dtype, expected.dtype))
    factor = (expected.conj() * result).sum() / expected.abs().square().sum()
    if not outcome.agrees(factor * outcome.expected):
        return None
    factor = complex(factor)
    return factor.real if abs(factor.imag) <= TOLERANCE * abs(factor) else factor


def _close(factor: complex, other: complex) -> bool:
    return abs(factor - other) <= 10 * TOLERANCE * abs(other)


def _numbers(case: Case) -> Case:
    return {name: value for name, value in case.items() if isinstance(value, (int, float))}


def _number(factor: complex) -> str:
    if isinstance(factor, complex):
        return f"({factor:.3f})"
    inverse = 1 / factor if factor else 0.0
    whole = abs(inverse) > 1.5 and _close(round(inverse), inverse)
    return f"1/{round(inverse)}" if whole else f"{factor:.4g}"


def _variables(function: Callable) -> list[str]:
    """List the values outside the function that it reads, without functions and modules."""
    if not hasattr(function, "__code__"):
        return []
    outside = function.__globals__
    loads = (step for step in dis.get_instructions(function) if step.opname == "LOAD_GLOBAL")
    names = dict.fromkeys(step.argval for step in loads if step.argval in outside)
    return [
        name
        for name in names
        if not callable(outside[name]) and not isinstance(outside[name], ModuleType)
    ]
