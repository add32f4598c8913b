"""Conditions as trees, and the truth of one leaf for one value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from eligibility.calendars import add_months
from eligibility.errors import NOWHERE, Span
from eligibility.logic import Truth
from eligibility.vocabulary.model import NONE


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter used as an operand; resolved when a rule base is lowered."""

    name: str


Operand = Any  # a typed value, a tuple of values, a Param, or None


@dataclass(frozen=True, slots=True)
class Leaf:
    """One sentence: a fact, an operator of :data:`OPERATORS` and an operand."""

    fact: str
    op: str
    operand: Operand = None
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class All:
    children: tuple[Condition, ...]
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Any_:
    children: tuple[Condition, ...]
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    child: Condition
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Over:
    """A condition that any (or every) record of ``scope`` satisfies; ``main`` = main ones only."""

    every: bool
    scope: str
    child: Condition
    main: bool = False
    span: Span = field(default=NOWHERE, compare=False)


Condition = Leaf | All | Any_ | Not | Over


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Every leaf of a condition, in order of writing."""
    if isinstance(condition, Leaf):
        yield condition
    elif isinstance(condition, (All, Any_)):
        for child in condition.children:
            yield from leaves(child)
    else:
        yield from leaves(condition.child)


def _happened(value: Any) -> bool:
    return value is not NONE


def _within(limit: Callable[[date, int], date]) -> Callable[[Any, Any, date], bool]:
    return lambda value, n, as_of: _happened(value) and as_of <= limit(value, n)


def _beyond(limit: Callable[[date, int], date]) -> Callable[[Any, Any, date], bool]:
    return lambda value, n, as_of: _happened(value) and as_of > limit(value, n)


def _days(start: date, n: int) -> date:
    return start + timedelta(days=n)


# operator -> truth for a known value; comparisons with NONE are false
_TESTS: dict[str, Callable[[Any, Any, date], bool]] = {
    "is": lambda v, x, d: v == x,
    "is_not": lambda v, x, d: _happened(v) and v != x,
    "is_none": lambda v, x, d: v is NONE,
    "is_not_none": lambda v, x, d: v is not NONE,
    "is_empty": lambda v, x, d: not v,
    "is_not_empty": lambda v, x, d: bool(v),
    "in": lambda v, x, d: v in x,
    "not_in": lambda v, x, d: v not in x,
    "gt": lambda v, x, d: _happened(v) and v > x,
    "ge": lambda v, x, d: _happened(v) and v >= x,
    "lt": lambda v, x, d: _happened(v) and v < x,
    "le": lambda v, x, d: _happened(v) and v <= x,
    "any_of": lambda v, x, d: not v.isdisjoint(x),
    "all_of": lambda v, x, d: v.issuperset(x),
    "exactly": lambda v, x, d: v == frozenset(x),
    "at_least": lambda v, x, d: len(v) >= x,
    "days_ago": _beyond(_days),
    "within_days": _within(_days),
    "months_ago": _beyond(add_months),
    "within_months": _within(add_months),
}


def test_of(op: str) -> Callable[[Any, Any, date], bool]:
    """The test of an operator: a known value, the operand, the day of evaluation."""
    return _TESTS[op]


def holds(op: str, value: Any, operand: Any, as_of: date) -> Truth:
    """The truth of one leaf for a typed value; unknown for an unknown value."""
    if value is None:
        return None
    return _TESTS[op](value, operand, as_of)
