"""Check of exercise 2 of chapter 07: channels removed from a gated layer."""

from collections.abc import Callable
from itertools import permutations

import torch
from torch import Tensor

from effifusion_lite.lesson.checks.outcome import NOTHING_YET, describe, run
from effifusion_lite.lesson.checks.report import NO_RETURN, Mistakes, compare, verdict

_NAMES = ("expand", "bias", "reduce")  # what the function takes and returns, smaller


def check_removal(function: Callable, strict: bool = False) -> bool:
    """Check exercise 2: channels removed from a gated layer.

    Args:
        function: `(expand, bias, reduce, units) -> the three without the units`.
        strict: whether a wrong answer raises instead of being printed.

    Returns:
        True where all checks passed; what is wrong is printed.

    Shape:
        `expand` [2 * H, C], `bias` [2 * H], `reduce` [C, H], `units` [n].

    Raises:
        CheckFailed: the answer is wrong, and `strict` is set.
    """
    mistakes = [(sentence, _together(mistake)) for sentence, mistake in _MISTAKES]
    generator = torch.Generator().manual_seed(1)
    cases = []
    for hidden, channels, units in ((6, 3, [1, 2]), (10, 4, [0, 3, 7, 8]), (5, 2, [2])):
        cases.append(
            {
                "expand": torch.randn(2 * hidden, channels, generator=generator),
                "bias": torch.randn(2 * hidden, generator=generator),
                "reduce": torch.randn(channels, hidden, generator=generator),
                "units": torch.tensor(units),
            }
        )
    problems = _nothing_yet(function, cases)
    problems = problems or compare(_together(function), _together(_without), mistakes, cases)
    if not problems or problems[0] not in dict(_MISTAKES):
        problems = _which_part(function, cases) or problems
    return verdict("Exercise 2", problems, len(cases), strict)


def _others(count: int, units: Tensor) -> Tensor:
    stays = torch.ones(count, dtype=torch.bool)
    stays[units] = False
    return stays


def _rest(reduce: Tensor, units: Tensor) -> Tensor:
    return _others(reduce.shape[1], units)


def _rows(reduce: Tensor, units: Tensor) -> Tensor:
    """The rows of `expand` that make the units: values, then gates."""
    return torch.cat([units, units + reduce.shape[1]])


def _without(expand: Tensor, bias: Tensor, reduce: Tensor, units: Tensor) -> tuple[Tensor, ...]:
    rows = _others(len(bias), _rows(reduce, units))
    return expand[rows], bias[rows], reduce[:, _rest(reduce, units)]


def _without_rows(rows_of: Callable) -> Callable:
    """A removal that takes other rows out of `expand` and `bias`."""

    def removal(expand, bias, reduce, units):
        rows = _others(len(bias), rows_of(expand, reduce, units))
        return expand[rows], bias[rows], reduce[:, _rest(reduce, units)]

    return removal


def _with(part: str, change: Callable) -> Callable:
    """The right removal, after which one of the three is changed or replaced."""

    def removal(*case):
        right = dict(zip(_NAMES, _without(*case), strict=True))
        return tuple((right | {part: change(right[part], *case)}).values())

    return removal


def _gates_first(expand, bias, reduce, units):
    expand, bias, reduce = _without(expand, bias, reduce, units)
    return expand.roll(reduce.shape[1], 0), bias.roll(reduce.shape[1], 0), reduce


def _zeros(expand, bias, reduce, units):
    rows = _rows(reduce, units)
    return (
        expand.index_fill(0, rows, 0),
        bias.index_fill(0, rows, 0),
        reduce.index_fill(1, units, 0),
    )


def _the_removed(expand, bias, reduce, units):
    rows = _rows(reduce, units)
    return expand[rows], bias[rows], reduce[:, units]


def _last(expand, bias, reduce, units):
    hidden = reduce.shape[1]
    return _without(expand, bias, reduce, torch.arange(hidden - len(units), hidden))


def _first_alone(expand, bias, reduce, units):
    return _without(expand, bias, reduce, units[:1])


_LOST = (
    "rows of some units, columns of others: the shapes fit, but `reduce` loses its {} columns, not "
    "those of the units"
)
_BIAS_LOST = (
    "`bias` loses its {} entries: it has to lose those of the rows that `expand` loses, u and H + u"
)
_MISTAKES: Mistakes = [
    (
        "the gates of the units are still there: unit u has two rows, u and H + u",
        _without_rows(lambda expand, reduce, units: units),
    ),
    (
        "the values of the units are still there: unit u has two rows, u and H + u",
        _without_rows(lambda expand, reduce, units: units + reduce.shape[1]),
    ),
    (
        "value and gate of a unit are no neighbours: they are in rows u and H + u",
        _without_rows(lambda expand, reduce, units: torch.cat([2 * units, 2 * units + 1])),
    ),
    (
        "the gate of unit u is in row H + u, not in C + u: H is the number of columns of `reduce`",
        _without_rows(lambda expand, reduce, units: torch.cat([units, units + expand.shape[1]])),
    ),
    (
        "the gates come before the values: keep the order of the rows, first values, then gates",
        _gates_first,
    ),
    (
        "the bias has an entry for each row of `expand`: remove the same entries",
        _with("bias", lambda right, expand, bias, reduce, units: bias),
    ),
    (
        _BIAS_LOST.format("last"),
        _with("bias", lambda right, expand, bias, reduce, units: bias[: len(right)]),
    ),
    (
        _BIAS_LOST.format("first"),
        _with("bias", lambda right, expand, bias, reduce, units: bias[2 * len(units) :]),
    ),
    (
        "the bias has the right length, but all its entries are 0: keep those of the units that "
        "stay",
        _with("bias", lambda right, *case: 0 * right),
    ),
    (
        "the columns are still there: what made a unit and what reads it go together",
        _with("reduce", lambda right, expand, bias, reduce, units: reduce),
    ),
    (
        _LOST.format("last"),
        _with("reduce", lambda right, expand, bias, reduce, units: reduce[:, : -len(units)]),
    ),
    (
        _LOST.format("first"),
        _with("reduce", lambda right, expand, bias, reduce, units: reduce[:, len(units) :]),
    ),
    ("`reduce` is transposed: it stays [C, H]", _with("reduce", lambda right, *case: right.T)),
    (
        "`reduce` is multiplied by H over the units that stay: leave its weights as they are, "
        "since the masked layer does not make up for the missing units either",
        _with("reduce", lambda right, e, b, reduce, u: right * reduce.shape[1] / right.shape[1]),
    ),
    (
        "the units are masked with zeros, and the matrices are as large as before: take the rows "
        "and columns out",
        _zeros,
    ),
    ("these are the units that should go: keep the others", _the_removed),
    ("the last n units go: take those whose numbers are in `units`", _last),
    ("only the first of the `units` goes: take out all of them", _first_alone),
    (
        "return three tensors: `expand`, `bias` and `reduce`, without the units",
        lambda expand, bias, reduce, units: (),
    ),
    *(
        (
            "the three come in another order: return `expand`, `bias`, `reduce`",
            lambda *case, order=order: tuple(_without(*case)[i] for i in order),
        )
        for order in permutations(range(3))
        if order != (0, 1, 2)
    ),
]


def _triple(result) -> bool:
    three = isinstance(result, tuple | list) and len(result) == 3
    return three and all(isinstance(part, Tensor) for part in result)


def _together(function: Callable) -> Callable:
    """The three tensors as one, or an empty tuple where the function returns something else."""

    def joined(*case):
        result = function(*case)
        return torch.cat([part.flatten() for part in result]) if _triple(result) else ()

    return joined


def _nothing_yet(function: Callable, cases: list[dict]) -> list[str]:
    """What `compare` says of a function that returns nothing."""
    said = compare(function, lambda *case: torch.zeros(()), [], cases)
    return [sentence for sentence in said if sentence in (NOTHING_YET, NO_RETURN)]


def _which_part(function: Callable, cases: list[dict]) -> list[str]:
    """Say which of the three tensors is wrong, where the function returns three."""

    def outcomes(i):
        def part(of):
            def chosen(*case):
                result = of(*case)
                return result[i] if _triple(result) else ()

            return chosen

        return [run(part(function), part(_without), case) for case in cases]

    found = {name: outcomes(i) for i, name in enumerate(_NAMES)}
    if any(outcome.result is None for part in found.values() for outcome in part):
        return []
    for name, part in found.items():
        for outcome in part:
            if outcome.result.shape != outcome.expected.shape:
                return [f"{describe(outcome.case)}: `{name}` has {outcome.difference()}"]
    right = [f"`{name}`" for name, part in found.items() if all(o.right for o in part)]
    wrong = [f"`{name}`" for name in _NAMES if f"`{name}`" not in right]
    if not wrong:
        return []
    sentence = f"all shapes are right, but the values of {' and '.join(wrong)} are wrong"
    return [sentence + (f"; those of {' and '.join(right)} are right" if right else "")]
