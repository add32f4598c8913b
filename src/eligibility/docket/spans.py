"""Documented intervals of whole batches, and what they take from periods.

The same sweep as in ``calendars``, over all cases at once: first the first interval of
every case, then the second of those that have one, and so on.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import numpy as np

from eligibility.calendars import DEFERRAL
from eligibility.docket.columns import KNOWN, Bits, Column, Columns, Ints, Records, numbered
from eligibility.docket.days import DayTables

ENDLESS = date.max.toordinal() - 366
"""The end of what has no end, as in ``calendars``."""
DEFERRAL_MONTHS, GUARANTEED_MONTHS = 3, 12  # 执行工作规定77, 执行担保规定10


@dataclass(frozen=True, slots=True)
class Spans:
    """Intervals in order of their beginning; those of case ``i`` are
    ``offsets[i]:offsets[i+1]``. ``end`` is where one stops however much time passes.
    """

    start: Ints
    end: Ints
    offsets: Ints

    def sweep(
        self,
        cases: Ints,
        covered: Ints,
        expiry: Ints,
        horizon: Ints,
        within: tuple[Ints, Ints] | None = None,
    ) -> Ints:
        """The expiry of each period, put off by the intervals of its case.

        ``cases``: whose intervals; ``covered``: the day from which they count; ``expiry``:
        the end without them; ``horizon``: the day up to which they count. ``within``: the
        first and the last day on which an interval may begin, else it does not count.
        """
        covered, expiry = covered.copy(), expiry.copy()
        first = self.offsets[cases]
        count = self.offsets[cases + 1] - first
        rows, turn = np.flatnonzero(count), 0
        while rows.size:
            at = first[rows] + turn
            start = self.start[at]
            low = np.maximum(start, covered[rows])
            high = np.minimum(self.end[at], horizon[rows])
            adds = (low < high) & (low < expiry[rows])
            if within is not None:
                adds &= (within[0][rows] <= start) & (start <= within[1][rows])
            put_off = rows[adds]
            expiry[put_off] += (high - low)[adds]
            covered[put_off] = high[adds]
            turn += 1
            rows = rows[count[rows] > turn]
        return expiry


def spans_of(columns: Columns, kinds: Collection[str], days: DayTables) -> Spans:
    """The documented intervals of some kinds."""
    found = columns.intervals
    facts = found.facts
    if not found.rows or not kinds:
        nothing = np.zeros(0, dtype=np.int64)
        return Spans(nothing, nothing, np.zeros(columns.rows + 1, dtype=np.int64))
    kept = _in(facts.get("kind"), kinds, found.rows)
    chosen = np.flatnonzero(kept & _documented(facts.get("doc_no"), kept))
    start = facts["from"].values[chosen]
    end = _ends(found, days)[chosen]
    owners = found.owners()[chosen]
    order = np.lexsort((end, start, owners))
    counts = np.bincount(owners, minlength=columns.rows)
    offsets = np.concatenate(([0], np.cumsum(counts)))
    return Spans(start[order], end[order], offsets)


def _in(column: Column | None, chosen: Collection[str], rows: int) -> Bits:
    if column is None or not column.words:
        return np.zeros(rows, dtype=bool)
    held = np.array([word in chosen for word in column.words])
    out: Bits = held[column.values] & (column.state == KNOWN)
    return out


def _documented(column: Column | None, of: Bits) -> Bits:
    """Which of some intervals have a document."""
    out = np.zeros(len(of), dtype=bool)
    if column is None or not column.words:
        return out
    rows = np.flatnonzero(of & (column.state == KNOWN))
    codes, which = numbered(column.values[rows])
    words = column.words
    said = np.array([bool(words[code].strip()) for code in codes.tolist()], dtype=bool)
    out[rows] = said[which]
    return out


def _ends(found: Records, days: DayTables) -> Ints:
    """Where each interval stops; an open deferral is ended by the law."""
    facts, rows = found.facts, found.rows
    start = facts["from"].values
    deferral = _in(facts.get("kind"), (DEFERRAL,), rows)
    end = np.where(deferral, days.add_months(start, DEFERRAL_MONTHS), ENDLESS)
    stated = facts.get("stated_end")
    if stated is not None:
        end = np.where(deferral & (stated.state == KNOWN), stated.values, end)
    guarantee = facts.get("guarantee")
    if guarantee is not None:
        cap = days.add_months(start, GUARANTEED_MONTHS)
        said = cap if stated is None else np.where(stated.state == KNOWN, stated.values, cap)
        given = deferral & (guarantee.state == KNOWN) & (guarantee.values != 0)
        end = np.where(given, np.minimum(said, cap), end)
    stop = facts.get("to")
    if stop is not None:
        end = np.where(stop.state == KNOWN, stop.values, end)
    out: Ints = end
    return out
