"""How many cases of a debtor are not substantively closed, and in how many courts.

A docket shows bounds: cases that certainly count, and cases that may (state not known, the
same number in two rows that differ). Each debtor has his own two numbers; they are never
mixed with another's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from eligibility.docket.identifiers import Bits, Codes, Hashes, Index, Ints, comparable
from eligibility.docket.policy import IS_OPEN, MAYBE_OPEN
from eligibility.errors import MalformedInput, Problem, Text

NO_LIMIT = (1 << 31) - 1
BLOCK = 1 << 20  # times that a debtor is named, counted at once
ID, CASES, COUNTED_COURTS = "debtor_id", "open_cases", "courts"


@dataclass(slots=True)
class Bounds:
    """For each debtor the least and the most cases and courts; ``NO_LIMIT``: nobody knows.

    Kept in 32 bits; of a batch (:meth:`at`) in 64.
    """

    cases_low: NDArray[Any]
    cases_high: NDArray[Any]
    courts_low: NDArray[Any]
    courts_high: NDArray[Any]

    def at(self, codes: Codes) -> Bounds:
        """The bounds of some debtors; nothing is known of a code below 0."""
        known = codes >= 0
        made = []
        for values, nothing in zip(self.columns(), (0, NO_LIMIT, 0, NO_LIMIT), strict=True):
            out = np.full(len(codes), nothing, dtype=np.int64)
            out[known] = values[codes[known]]
            made.append(out)
        return Bounds(*made)

    def columns(self) -> tuple[NDArray[Any], ...]:
        return self.cases_low, self.cases_high, self.courts_low, self.courts_high

    def without_limit(self) -> Bounds:
        """The same as lower bounds only: there may be cases elsewhere."""
        no_limit = np.full(len(self.cases_low), NO_LIMIT, dtype=np.int32)
        return Bounds(self.cases_low, no_limit, self.courts_low, no_limit)


@dataclass(frozen=True, slots=True)
class Named:
    """Each time that a row names a debtor (``debtors``, ``rows``), and of each row: a number that
    stands for its case, the row's own where it has no case number (``numbered`` false); the code
    of its court, below ``registered`` for one of the register, -1 where not known; ``open_``:
    NOT_OPEN, MAYBE_OPEN or IS_OPEN.
    """

    debtors: Codes
    rows: Codes
    cases: Hashes
    numbered: Bits
    courts: Codes
    open_: NDArray[np.int8]
    registered: int


def count(named: Named, debtors: int) -> Bounds:
    """What the docket shows of debtors 0 to ``debtors`` - 1, some of them at a time.

    Certain: a numbered case that is open in every row of it; rows without a number are one
    case at least. A court is certain if a certain case has no other and the register knows it
    (names outside of it may mean the same court); one at least. At most: every number and
    court for itself, every row without one.
    INVARIANT: the numbers of any docket in which every unknown is filled in lie within.
    """
    out = Bounds(*(np.zeros(debtors, dtype=np.int32) for _ in range(4)))
    order = np.argsort(named.debtors, kind="stable")
    ends = np.cumsum(np.bincount(named.debtors, minlength=debtors))
    first, begin = 0, 0
    while first < debtors:
        after = int(np.searchsorted(ends, begin + BLOCK, side="right"))
        last = max(first + 1, after)
        block = order[begin : ends[last - 1]]
        found = _count(named, named.debtors[block] - first, named.rows[block], last - first)
        for values, made in zip(out.columns(), found.columns(), strict=True):
            values[first:last] = made
        first, begin = last, int(ends[last - 1])
    return out


def _count(named: Named, d: Codes, rows: Codes, debtors: int) -> Bounds:
    """The bounds of debtors 0 to ``debtors`` - 1, who are named by ``d`` in these rows."""
    c, k = named.cases[rows], named.courts[rows]
    order = np.lexsort((k, c, d))
    d, c, k, rows = d[order], c[order], k[order], rows[order]
    s, numbered = named.open_[rows], named.numbered[rows]
    sure = _by_group(_starts(d, c), s) == IS_OPEN
    alive = s >= MAYBE_OPEN
    d, c, k, sure, numbered = d[alive], c[alive], k[alive], sure[alive], numbered[alive]
    starts = _starts(d, c)
    if not len(starts):
        return Bounds(*(np.zeros(debtors, dtype=np.int64) for _ in range(4)))
    first_of_court = _starts(d, c, k)
    known = np.zeros(len(d), dtype=np.int64)
    known[first_of_court] = k[first_of_court] >= 0
    courts_of_case = np.add.reduceat(known, starts)
    court, owner = np.maximum.reduceat(k, starts), d[starts]
    sure, numbered = sure[starts], numbered[starts]

    low = np.bincount(owner[sure & numbered], minlength=debtors)
    low = np.maximum(low, np.bincount(owner[sure], minlength=debtors) > 0)
    high = np.bincount(owner, np.maximum(courts_of_case, 1), debtors).astype(np.int64)
    certain = sure & (courts_of_case == 1) & (court < named.registered)
    courts_low = distinct_of(owner[certain], court[certain], debtors)
    courts_low = np.maximum(courts_low, low > 0)
    has_court = k >= 0
    courts_high = distinct_of(d[has_court], k[has_court], debtors)
    courts_high += np.bincount(owner[courts_of_case == 0], minlength=debtors)
    return Bounds(low, high, np.minimum(courts_low, low), np.minimum(courts_high, high))


def _starts(*keys: np.ndarray) -> Ints:
    """Where groups of equal keys begin, in sorted columns."""
    if not len(keys[0]):
        return np.zeros(0, dtype=np.int64)
    changed = np.zeros(len(keys[0]) - 1, dtype=bool)
    for key in keys:
        changed |= key[1:] != key[:-1]
    return np.concatenate(([0], np.flatnonzero(changed) + 1))


def _by_group(starts: Ints, values: NDArray[np.int8]) -> NDArray[np.int8]:
    """The least value of each group, at each of its members."""
    if not len(starts):
        return values
    sizes = np.diff(np.append(starts, len(values)))
    return np.repeat(np.minimum.reduceat(values, starts), sizes)


def distinct_of(owners: Codes, values: Codes, size: int) -> Ints:
    """For each owner how many different values it has."""
    width = int(values.max(initial=0)) + 1
    pairs = np.sort(owners.astype(np.int64) * width + values)
    return np.bincount(pairs[_starts(pairs)] // width, minlength=size)


@dataclass
class DebtorCounts:
    """Debtors and what is known of each. ``listed``: the numbers are those of a register given
    from outside; ``seen`` is what the docket shows of him.
    """

    index: Index
    bounds: Bounds
    seen: Bounds
    listed: Bits

    @classmethod
    def of_docket(cls, ids: pa.Array, seen: Bounds, complete: bool) -> DebtorCounts:
        """Counts of a docket; without ``complete`` it shows lower bounds only."""
        bounds = seen if complete else seen.without_limit()
        return cls(Index(ids), bounds, seen, np.zeros(len(ids), dtype=bool))

    @classmethod
    def of_table(cls, table: pa.Table, complete: bool) -> DebtorCounts:
        """Counts made elsewhere: ``debtor_id``, ``open_cases``, ``courts``, each debtor once.

        ``complete``: they are exact; else at least so many. Raises MalformedInput where a
        debtor stands twice or has more courts than cases.
        """
        ids, cases, courts = _columns(table)
        nothing = np.zeros(0, dtype=np.int64)
        empty = Bounds(nothing, nothing, nothing, nothing)
        made = cls.of_docket(pa.array([], pa.string()), empty, complete)
        if complete:
            return made.with_register(table)
        low = [np.asarray(values.fill_null(0)) for values in (cases, courts)]
        return cls.of_docket(ids, Bounds(low[0], low[0], low[1], low[1]), complete)

    def with_register(self, table: pa.Table) -> DebtorCounts:
        """With the numbers of a register of debtors, which stand before those of the docket.

        Columns as in :meth:`of_table`; null: the register does not say, the docket's hold.
        """
        ids, *columns = _columns(table)
        codes = self.index.codes(ids)
        new = np.asarray(codes < 0)
        codes[new] = len(self.index) + np.arange(int(new.sum()))
        every = pa.concat_arrays([self.index.ids, ids.filter(pa.array(new))])
        grown = np.full(len(every), -1, dtype=np.int32)
        grown[: len(self.index)] = np.arange(len(self.index))
        bounds, seen = self.bounds.at(grown), self.seen.at(grown)
        made = bounds.columns()
        for values, low, high in zip(columns, made[::2], made[1::2], strict=True):
            said = ~np.asarray(values.is_null())
            low[codes[said]] = high[codes[said]] = np.asarray(values.fill_null(0))[said]
        np.maximum(bounds.cases_high, bounds.courts_low, out=bounds.cases_high)
        _agree(bounds)
        listed = np.zeros(len(every), dtype=bool)
        listed[: len(self.index)] = self.listed
        listed[codes] = True
        return DebtorCounts(Index(every), bounds, seen, listed)

    @cached_property
    def conflicts(self) -> Bits:
        """The debtors of whom the docket certainly shows more than the register says."""
        more = self.seen.cases_low > self.bounds.cases_high
        more |= self.seen.courts_low > self.bounds.courts_high
        return np.asarray(more & self.listed)


def _agree(bounds: Bounds) -> None:
    """Courts are no more than cases: what one number says of the other."""
    np.minimum(bounds.courts_high, bounds.cases_high, out=bounds.courts_high)
    np.minimum(bounds.courts_low, bounds.courts_high, out=bounds.courts_low)
    np.maximum(bounds.cases_low, bounds.courts_low, out=bounds.cases_low)


def _columns(table: pa.Table) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Identifier, cases and courts of each debtor of a register, once."""
    refuse_contradictions(table, ID)
    ids, cases, courts = _named(table)
    first = _firsts(ids)
    return ids.take(first), cases.take(first), courts.take(first)


def _named(table: pa.Table) -> tuple[pa.Array, pa.Array, pa.Array]:
    """The columns of a register, without rows that name no debtor."""
    ids = comparable(_array(table[ID]))
    named = ids.is_valid()
    numbers = (table[name].cast(pa.int64()) for name in (CASES, COUNTED_COURTS))
    cases, courts = (_array(column).filter(named) for column in numbers)
    return ids.filter(named), cases, courts


def _array(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)


def _firsts(ids: pa.Array) -> pa.Array:
    """Where each identifier stands first."""
    codes = np.asarray(ids.dictionary_encode().indices)
    return pa.array(np.sort(np.unique(codes, return_index=True)[1]))


def refuse_contradictions(table: pa.Table, place: str) -> None:
    """Raises MalformedInput where a register of debtors says two things of one of them."""
    ids, cases, courts = _named(table)
    wrong = np.flatnonzero(np.asarray(pc.greater(courts, cases).fill_null(False)))
    if len(wrong):
        who = ids[int(wrong[0])].as_py()
        zh, en = f"被执行人 {who} 的法院数多于案件数", f"debtor {who} has more courts than cases"
        raise MalformedInput(Problem("contradictory_figures", Text(zh, en), place))
    rows = pa.table({ID: ids, CASES: cases, COUNTED_COURTS: courts})
    once = rows.group_by([ID, CASES, COUNTED_COURTS]).aggregate([])
    if len(once) > pc.count_distinct(ids).as_py():
        repeated = pc.value_counts(_array(once[ID]))
        who = repeated.field(0)[pc.index(pc.greater(repeated.field(1), 1), True).as_py()].as_py()
        zh, en = f"被执行人 {who} 有两种件数", f"debtor {who} stands twice with other numbers"
        raise MalformedInput(Problem("duplicate_fact", Text(zh, en), place))
