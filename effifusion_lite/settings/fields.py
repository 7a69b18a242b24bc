"""Checks of configurations: the type and the range of each field, with its name in the message.

Chapter: none.
"""

import math
from collections.abc import Callable
from dataclasses import fields
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

Rule = tuple[Callable[[Any], bool], str]

AT_LEAST_0: Rule = (lambda x: x >= 0, "at least 0")
AT_LEAST_1: Rule = (lambda x: x >= 1, "at least 1")
POSITIVE: Rule = (lambda x: x > 0, "greater than 0")
SHARE: Rule = (lambda x: 0 <= x <= 1, "between 0 and 1")
BELOW_1: Rule = (lambda x: 0 <= x < 1, "at least 0 and below 1")
RISING: Rule = (lambda pair: pair[0] <= pair[1], "a lower and a higher number, in this order")

TYPES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def check_fields(config: Any, rules: dict[str, Rule] | None = None) -> None:
    """Check a dataclass against its own type hints, then against rules.

    Args:
        config: an instance of a dataclass, whose hints are int, float, bool, str, None, other
            dataclasses, and tuples, dictionaries and alternatives of these. A bool is no number;
            numbers are finite.
        rules: for some fields what must hold, and how to say it; None as a value is not checked,
            and entries of a tuple are checked one by one (but for `RISING`).

    Raises:
        ValueError: a field does not fit; the message has its name and its value.
    """
    hints = get_type_hints(type(config))
    for field in fields(config):
        value = getattr(config, field.name)
        if not _fits(value, hints[field.name]):
            raise ValueError(f"{field.name} must be {_describe(hints[field.name])}, not {value!r}")
    for name, (holds, text) in (rules or {}).items():
        value = getattr(config, name)
        alone = holds is RISING[0] or not isinstance(value, tuple)
        if value is not None and not all(map(holds, [value] if alone else value)):
            raise ValueError(f"{name} must be {text}, not {value!r}")


def _fits(value: Any, hint: Any) -> bool:
    kinds = get_args(hint)
    if get_origin(hint) is UnionType:
        return any(_fits(value, kind) for kind in kinds)
    if get_origin(hint) is tuple:
        if not isinstance(value, tuple):
            return False
        if kinds[-1] is Ellipsis:
            return all(_fits(entry, kinds[0]) for entry in value)
        return len(value) == len(kinds) and all(map(_fits, value, kinds))
    if get_origin(hint) is dict:
        return isinstance(value, dict) and all(
            _fits(key, kinds[0]) and _fits(entry, kinds[1]) for key, entry in value.items()
        )
    if hint is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if hint is float:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, hint)


def _describe(hint: Any) -> str:
    kinds = get_args(hint)
    if get_origin(hint) is UnionType:
        return " or ".join(_describe(kind) for kind in kinds if kind is not NoneType)
    if get_origin(hint) is tuple and kinds[-1] is not Ellipsis:
        return f"a list of {len(kinds)}: {', '.join(map(_describe, kinds))}"
    if get_origin(hint) is tuple:
        return f"a list, each entry {_describe(kinds[0])}"
    if get_origin(hint) is dict:
        return f"a table, each entry {_describe(kinds[1])}"
    return TYPES.get(hint, getattr(hint, "__name__", str(hint)))
