"""Kleene's three-valued logic: true, false and unknown (None).

Unknown is a value, never false (S. C. Kleene, Introduction to Metamathematics, §64).
"""

from __future__ import annotations

from collections.abc import Iterable

Truth = bool | None


def negation(value: Truth) -> Truth:
    return None if value is None else not value


def conjunction(values: Iterable[Truth]) -> Truth:
    """True when all are true, false when one is false, else unknown."""
    result: Truth = True
    for value in values:
        if value is False:
            return False
        if value is None:
            result = None
    return result


def disjunction(values: Iterable[Truth]) -> Truth:
    """True when one is true, false when all are false, else unknown."""
    result: Truth = False
    for value in values:
        if value is True:
            return True
        if value is None:
            result = None
    return result


def word(value: Truth) -> str:
    """The truth as it is written on the wire: ``true``, ``false`` or ``unknown``."""
    return "unknown" if value is None else ("true" if value else "false")
