"""Regions: the values of a fact that no leaf of the rule base tells apart.

Every comparison of a typed value happens here, once; what leaves this module is a bit
mask of regions (one bit = known, all bits = unknown).
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from eligibility.calendars import add_months
from eligibility.rulebase.conditions import holds
from eligibility.vocabulary.model import NONE, Fact, Type
from eligibility.vocabulary.values import FIRST_DAY

MAX_SET_VALUES = 12
Test = tuple[str, Any]  # operator and resolved operand
_DAYS = frozenset({"days_ago", "within_days"})
_MONTHS = frozenset({"months_ago", "within_months"})
_SAMPLE_DAY = date(2024, 8, 15)


@dataclass(slots=True)
class Regions:
    """The partition of one fact by the tests that the leaves make on it.

    ``vectors``: for each region the truth of each test. ``encode(value, as_of)`` gives the
    mask of a value. INVARIANT: a test holds for a value iff the value's region is in the
    test's mask.
    """

    fact: Fact
    tests: tuple[Test, ...]
    vectors: tuple[tuple[bool, ...], ...]
    encode: Callable[[Any, date], int]
    _masks: dict[Test, int] = field(default_factory=dict)
    _kept: dict[date, dict[int, list[Any]]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def count(self) -> int:
        return len(self.vectors)

    @property
    def unknown(self) -> int:
        return (1 << len(self.vectors)) - 1

    def mask(self, test: Test) -> int:
        """The regions in which a test holds."""
        known = self._masks.get(test)
        if known is None:
            position = self.tests.index(test)
            known = sum(1 << r for r, vector in enumerate(self.vectors) if vector[position])
            self._masks[test] = known
        return known

    def sample(self, region: int, as_of: date, near: Any = None) -> Any:
        """A value of the region on this day, or None where the day has none.

        Of several dates or numbers the one closest to ``near`` (a date: by default ``as_of``).
        """
        found = self._sampled(as_of).get(1 << region)
        if not found:
            return None
        return self._closest(found, as_of, near)

    def samples(self, as_of: date, near: Any) -> Iterator[tuple[int, Any]]:
        """The mask and the :meth:`sample` of every region that has one on this day."""
        kept = self._sampled(as_of)
        for region in range(self.count):
            found = kept.get(1 << region)
            if found:
                yield 1 << region, self._closest(found, as_of, near)

    def sampled(self, as_of: date) -> Set[int]:
        """The masks of the regions that have a sample on this day."""
        return self._sampled(as_of).keys()

    def _closest(self, found: list[Any], as_of: date, near: Any) -> Any:
        if len(found) == 1:
            return found[0]
        place = _place(as_of if near is None and self.fact.type is Type.DATE else near)
        if place is None:
            return found[0]
        placed = [
            (abs(at - place), i) for i, v in enumerate(found) if (at := _place(v)) is not None
        ]
        return found[min(placed)[1]] if placed else found[0]

    def _sampled(self, as_of: date) -> dict[int, list[Any]]:
        """The values to choose from, by region; those of the latest day are kept.

        INVARIANT: a function of the day, so whether it is kept shows only in time.
        """
        day = as_of if self.fact.type is Type.DATE else _SAMPLE_DAY
        kept = self._kept.get(day)
        if kept is None:
            kept = {}
            for value in samples(self.fact, self.tests, as_of):
                kept.setdefault(self.encode(value, as_of), []).append(value)
            self._kept.clear()
            self._kept[day] = kept
        return kept


def _place(value: Any) -> Decimal | None:
    """Where a number or date lies on its line; None for other values."""
    if isinstance(value, date):
        return Decimal(value.toordinal())
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return Decimal(value)
    return None


def partition(fact: Fact, tests: Iterable[Test]) -> Regions:
    """Cut the values of a fact into the regions of ``tests``."""
    ordered = tuple(dict.fromkeys(tests))
    vectors: dict[tuple[bool, ...], int] = {}
    for as_of in _days_to_try(fact, ordered):
        for value in samples(fact, ordered, as_of):
            vectors.setdefault(_vector(ordered, value, as_of), len(vectors))
    unknown = (1 << len(vectors)) - 1
    return Regions(fact, ordered, tuple(vectors), _encoder(fact, ordered, vectors, unknown))


def _vector(tests: tuple[Test, ...], value: Any, as_of: date) -> tuple[bool, ...]:
    return tuple(bool(holds(op, value, operand, as_of)) for op, operand in tests)


def _encoder(
    fact: Fact,
    tests: tuple[Test, ...],
    vectors: dict[tuple[bool, ...], int],
    unknown: int,
) -> Callable[[Any, date], int]:
    if fact.type in (Type.INT, Type.MONEY, Type.DECIMAL):
        return _numeric_encoder(tests, vectors, unknown)
    relative = any(op in _DAYS or op in _MONTHS for op, _ in tests)
    memo: dict[Any, int] = {None: unknown}

    def encode(value: Any, as_of: date) -> int:
        if relative:
            return unknown if value is None else 1 << vectors[_vector(tests, value, as_of)]
        key = value if fact.type is not Type.DATE or value is NONE or value is None else True
        mask = memo.get(key)
        if mask is None:
            mask = memo[key] = 1 << vectors[_vector(tests, value, as_of)]
        return mask

    return encode


def _numeric_encoder(
    tests: tuple[Test, ...], vectors: dict[tuple[bool, ...], int], unknown: int
) -> Callable[[Any, date], int]:
    """Numbers by binary search: below which thresholds does the value lie?"""
    from_here = sorted({x for op, x in tests if op in ("ge", "lt", "is", "is_not")})
    past_here = sorted({x for op, x in tests if op in ("gt", "le", "is", "is_not")})
    memo: dict[tuple[int, int], int] = {}
    none = (
        1 << vectors[_vector(tests, NONE, _SAMPLE_DAY)]
        if _vector(tests, NONE, _SAMPLE_DAY) in vectors
        else unknown
    )

    def encode(value: Any, as_of: date) -> int:
        if value is None:
            return unknown
        if value is NONE:
            return none
        key = (bisect_right(from_here, value), bisect_left(past_here, value))
        mask = memo.get(key)
        if mask is None:
            mask = memo[key] = 1 << vectors[_vector(tests, value, as_of)]
        return mask

    return encode


def samples(fact: Fact, tests: tuple[Test, ...], as_of: date) -> Iterator[Any]:
    """Values that between them reach every region on a day."""
    if fact.type is Type.BOOL:
        yield from (False, True)
    elif fact.type is Type.ENUM:
        yield from fact.values
    elif fact.type is Type.SET:
        values = list(fact.values)
        for size in range(len(values) + 1):
            yield from map(frozenset, itertools.combinations(values, size))
    elif fact.type is Type.DATE:
        yield from _dates(fact, tests, as_of)
    else:
        yield from _numbers(fact, tests)


def _numbers(fact: Fact, tests: tuple[Test, ...]) -> Iterator[Any]:
    scale = 100 if fact.type is Type.MONEY else 1
    low = (fact.minimum if fact.minimum is not None else -(10**15)) * scale
    high = (fact.maximum if fact.maximum is not None else 10**15) * scale
    step: int | Decimal = Decimal("0.001") if fact.type is Type.DECIMAL else 1
    points: set[int | Decimal] = {low, high}
    for _, x in tests:
        points.update((x - step, x, x + step))
    if fact.type is Type.DECIMAL:
        points.update((a + b) / 2 for a, b in itertools.pairwise(sorted(map(Decimal, points))))
    yield from sorted(p for p in points if low <= p <= high)
    if fact.derive is not None:
        yield NONE


def _dates(fact: Fact, tests: tuple[Test, ...], as_of: date) -> Iterator[Any]:
    if fact.can_be_none:
        yield NONE
    ordinals = {as_of.toordinal(), FIRST_DAY.toordinal()}
    for op, operand in tests:
        if op in _DAYS:
            around = as_of.toordinal() - operand
        elif op in _MONTHS:
            around = add_months(as_of, -operand).toordinal()
        else:
            continue
        ordinals.update(range(around - 4, around + 5))
    for ordinal in sorted(ordinals):
        day = date.fromordinal(max(ordinal, 1))
        if FIRST_DAY <= day <= as_of:
            yield day


def _days_to_try(fact: Fact, tests: tuple[Test, ...]) -> Iterator[date]:
    """Days of evaluation that show every order of the thresholds.

    Thresholds of one unit keep their order; days and months change places with the
    length of the months, which repeats every four years but for a century without its leap day.
    """
    yield _SAMPLE_DAY
    ages = [(op, x) for op, x in tests if op in _DAYS or op in _MONTHS]
    if fact.type is not Type.DATE or len({op in _MONTHS for op, _ in ages}) < 2:
        return
    seen: set[tuple[int, ...]] = set()
    around_2100 = (date(2099, 1, 1) + timedelta(days=n) for n in range(1461))
    for day in itertools.chain((_SAMPLE_DAY + timedelta(days=n) for n in range(1461)), around_2100):
        limits = [_limit(op, x, day) for op, x in ages]
        ranks = {limit: rank for rank, limit in enumerate(sorted(set(limits)))}
        order = tuple(ranks[limit] for limit in limits)
        if order not in seen:
            seen.add(order)
            yield day


def _limit(op: str, count: int, as_of: date) -> int:
    """The first day whose period of ``count`` days or months has not run on ``as_of``."""
    if op in _DAYS:
        return as_of.toordinal() - count
    day = add_months(as_of, -count)
    while add_months(day, count) < as_of:
        day += timedelta(days=1)
    while add_months(day - timedelta(days=1), count) >= as_of:
        day -= timedelta(days=1)
    return day.toordinal()
