"""Columns as region masks: what the circuit is fed, for all cases at once.

INVARIANT: the mask of every row is the one that ``Regions.encode`` gives its value on its
day; a row whose value lies in no region has the mask 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eligibility.calendars import add_months
from eligibility.circuit.regions import Regions
from eligibility.docket.columns import KNOWN, NEVER, Column, Ints
from eligibility.vocabulary.model import NONE, Type
from eligibility.vocabulary.values import FIRST_DAY, LAST_DAY

Masks = NDArray[Any]  # of the smallest unsigned type that holds the regions
LARGEST = 2**62
AROUND = 5  # days on either side of a threshold that are looked at one by one
DAYS_KEPT = 4_000
_THOUSANDTHS = 1000
_RELATIVE = ("days_ago", "within_days", "months_ago", "within_months")


def width(regions: int) -> type[np.unsignedinteger[Any]]:
    """The smallest type of mask."""
    return np.uint8 if regions <= 8 else np.uint16 if regions <= 16 else np.uint32


class Encoder:
    """Encodes the columns of one input of a circuit."""

    def __init__(self, regions: Regions) -> None:
        self.regions = regions
        self.type = width(regions.count)
        kind = regions.fact.type
        self.numeric = kind in (Type.INT, Type.MONEY, Type.DECIMAL)
        self.dated = kind is Type.DATE
        self.relative = any(op in _RELATIVE for op, _ in regions.tests)
        self._words: dict[Any, int] = {}
        self._days: dict[int, tuple[list[int], list[int]]] = {}
        self._edges: tuple[list[int], list[int]] | None = None

    def encode(self, column: Column | None, as_of: Ints) -> Masks:
        """The masks of a column; of none, those of values of which nothing is known."""
        if column is None:
            return np.full(len(as_of), self.regions.unknown, dtype=self.type)
        found = self._known(column, as_of)
        found[column.state != KNOWN] = self.regions.unknown
        never = column.state == NEVER
        if never.any():
            day = date.fromordinal(int(as_of[0]))
            found[never] = self._mask(NONE, day)
        return found

    def _known(self, column: Column, as_of: Ints) -> Masks:
        if self.numeric:
            if self._edges is None:
                self._edges = self._numbers()
            return self._cut(column.values, *self._edges)
        if self.dated:
            return self._dates(column.values, as_of)
        if self.regions.fact.type is Type.BOOL and not self.regions.fact.many:
            table = [self._mask(False, date.min), self._mask(True, date.min)]
        else:
            table = [self._word(word) for word in column.words] or [0]
        out: Masks = np.array(table, dtype=self.type)[column.values]
        return out

    def _word(self, word: Any) -> int:
        found = self._words.get(word)
        if found is None:
            if len(self._words) > 100_000:
                self._words.clear()
            found = self._words[word] = self._mask(word, date.min)
        return found

    def _mask(self, value: Any, as_of: date) -> int:
        """The mask of one value, 0 where it lies in no region."""
        try:
            return self.regions.encode(value, as_of)
        except (KeyError, OverflowError):
            return 0

    # --- numbers -----------------------------------------------------------------------------

    def _numbers(self) -> tuple[list[int], list[int]]:
        """Where the mask changes, and the masks between: the first of a stretch stands for it."""
        scale = _THOUSANDTHS if self.regions.fact.type is Type.DECIMAL else 1
        edges: set[int] = set()
        for _, operand in self.regions.tests:
            for number in operand if isinstance(operand, (tuple, frozenset)) else (operand,):
                if isinstance(number, (int, Decimal)):
                    at = number * scale
                    below = math.floor(at)
                    edges.update((below, below + 1))
        ordered = sorted(edges)
        firsts = [min(ordered, default=0) - 1, *ordered]
        plain = self.regions.fact.type is not Type.DECIMAL
        values = [n if plain else Decimal(n) / _THOUSANDTHS for n in firsts]
        return _merged(ordered, [self._mask(value, date.min) for value in values])

    def _cut(self, values: Ints, edges: Sequence[int], masks: Sequence[int]) -> Masks:
        if len(edges) > 8:
            place: Any = np.searchsorted(np.array(edges), values, side="right")
        else:
            place = np.zeros(len(values), dtype=np.uint8)
            for edge in edges:
                place += values >= edge
        out: Masks = np.array(masks, dtype=self.type)[place]
        return out

    # --- dates -------------------------------------------------------------------------------

    def _dates(self, values: Ints, as_of: Ints) -> Masks:
        if not self.relative:
            return np.full(len(values), self._mask(FIRST_DAY, FIRST_DAY), dtype=self.type)
        if not len(as_of) or as_of.min() == as_of.max():
            return self._cut(values, *self._on(int(as_of.max(initial=1))))
        days, which = np.unique(as_of, return_inverse=True)
        found = [self._on(int(day)) for day in days]
        most = max(len(edges) for edges, _ in found)
        limits = np.array([[*e, *[LARGEST] * (most - len(e))] for e, _ in found]).reshape(-1, most)
        masks = np.array([[*m, *[0] * (most + 1 - len(m))] for _, m in found], dtype=self.type)
        place = np.zeros(len(values), dtype=np.int64)
        for number in range(most):
            place += values >= limits[which, number]
        out: Masks = masks[which, place]
        return out

    def _on(self, as_of: int) -> tuple[list[int], list[int]]:
        """The edges on a day of evaluation."""
        found = self._days.get(as_of)
        if found is None:
            if len(self._days) >= DAYS_KEPT:
                self._days.clear()
            found = self._days[as_of] = self._thresholds(date.fromordinal(as_of))
        return found

    def _thresholds(self, as_of: date) -> tuple[list[int], list[int]]:
        around: set[int] = set()
        for op, operand in self.regions.tests:
            if op in _RELATIVE:
                day = _before(as_of, op, operand).toordinal()
                around.update(range(day - AROUND, day + AROUND + 1))
        first, last = FIRST_DAY.toordinal(), LAST_DAY.toordinal()
        edges = sorted(n for n in around if first < n <= last)
        firsts = [first, *edges]
        return _merged(edges, [self._mask(date.fromordinal(n), as_of) for n in firsts])


def _before(as_of: date, op: str, operand: int) -> date:
    try:
        if "days" in op:
            return as_of - timedelta(days=operand)
        return add_months(as_of, -operand)
    except (OverflowError, ValueError):
        return FIRST_DAY


def _merged(edges: Sequence[int], masks: Sequence[int]) -> tuple[list[int], list[int]]:
    """Without the edges at which nothing changes."""
    kept, out = [], [masks[0]]
    for edge, mask in zip(edges, masks[1:], strict=True):
        if mask != out[-1]:
            kept.append(edge)
            out.append(mask)
    return kept, out
