"""Configurations: what may stand in them.

Chapter: none.
"""

from effifusion_lite.settings.fields import (
    AT_LEAST_0,
    AT_LEAST_1,
    BELOW_1,
    POSITIVE,
    RISING,
    SHARE,
    check_fields,
)

__all__ = [
    "AT_LEAST_0",
    "AT_LEAST_1",
    "BELOW_1",
    "POSITIVE",
    "RISING",
    "SHARE",
    "check_fields",
]
