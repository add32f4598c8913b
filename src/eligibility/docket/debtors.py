"""How many cases of a debtor are not substantively closed, and in how many courts.

A docket shows bounds: cases that certainly count, and cases that may (state not known, the
same number in two rows that differ). Each debtor has his own two numbers; they are never
mixed with another's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
ID, CASES, COUNTED_COURTS = "debtor_id", "open_cases", "courts"


@dataclass(slots=True)
class Bounds:
    """For each debtor the least and the most cases and courts; ``NO_LIMIT``: nobody knows.

    Kept in 32 bits; of a batch (:meth:`at`) in 64. ``slots``: where those of each debtor stand,
    as most debtors have one case and are alike; None: in their order.
    """

    cases_low: NDArray[Any]
    cases_high: NDArray[Any]
    courts_low: NDArray[Any]
    courts_high: NDArray[Any]
    slots: Codes | None = field(default=None, kw_only=True)

    def at(self, codes: Codes) -> Bounds:
        """The bounds of some debtors; nothing is known of a code below 0."""
        unknown = np.flatnonzero(codes < 0)
        places = np.maximum(codes, 0) if len(unknown) else codes
        if self.slots is not None and len(self.slots):
            places = self.slots[places]
        made = []
        for values, nothing in zip(self.columns(), (0, NO_LIMIT, 0, NO_LIMIT), strict=True):
            if len(values) and len(unknown) < len(codes):
                out = values[places].astype(np.int64, copy=False)
                out[unknown] = nothing
            else:
                out = np.full(len(codes), nothing, dtype=np.int64)
            made.append(out)
        return Bounds(*made)

    def columns(self) -> tuple[NDArray[Any], ...]:
        return self.cases_low, self.cases_high, self.courts_low, self.courts_high

    def without_limit(self) -> Bounds:
        """The same as lower bounds only: there may be cases elsewhere."""
        no_limit = np.full(len(self.cases_low), NO_LIMIT, dtype=np.int32)
        return Bounds(self.cases_low, no_limit, self.courts_low, no_limit, slots=self.slots)

    def grown(self, more: Bounds, slots: Codes) -> Bounds:
        """With ``more`` behind; ``slots``: of all debtors."""
        columns = zip(self.columns(), more.columns(), strict=True)
        return Bounds(*(np.concatenate(pair).astype(np.int32) for pair in columns), slots=slots)


@dataclass(frozen=True, slots=True)
class Rows:
    """Of each row: a number that stands for its case, the row's own where it has no case number
    (``numbered`` false); the code of its court, below ``registered`` for one of the register, -1
    where not known; ``open_``: NOT_OPEN, MAYBE_OPEN or IS_OPEN; ``again``: another row may have
    its case, too.
    """

    cases: Hashes
    numbered: Bits
    courts: Codes
    open_: NDArray[np.int8]
    registered: int
    again: Bits

    def kinds(self) -> NDArray[np.uint8]:
        """What a row says of a debtor who is named in no other: one of :data:`KINDS`."""
        court = (self.courts >= 0).astype(np.int8) + (self.courts >= self.registered)
        return ((self.open_ * 3 + court) * 2 + self.numbered).astype(np.uint8)


KINDS = 18


def of_kinds() -> Bounds:
    """The bounds of a debtor in one row of each kind."""
    kind = np.arange(KINDS, dtype=np.int32)
    court, open_ = kind // 2 % 3 - 1, (kind // 6).astype(np.int8)
    cases, none = kind.astype(np.uint64), np.zeros(KINDS, dtype=bool)
    rows = Rows(cases, kind % 2 == 1, court, open_, 1, none)
    return _count(rows, kind, kind, KINDS)


def count(rows: Rows, debtors: Codes, named: Codes, size: int) -> Bounds:
    """What the docket shows of debtors 0 to ``size`` - 1: each time that one is named, and the
    row, in the order of debtors, then of rows.

    Certain: a numbered case that is open in every row of it; rows without a number are one
    case at least. A court is certain if a certain case has no other and the register knows it
    (names outside of it may mean the same court); one at least. At most: every number and
    court for itself, every row without one.
    INVARIANT: the numbers of any docket in which every unknown is filled in lie within.
    """
    tangled = rows.again[named]
    tangled[1:] |= (debtors[1:] == debtors[:-1]) & (named[1:] == named[:-1])
    if not tangled.any():
        return _count_apart(rows, debtors, named, size)
    tangled_debtors = np.zeros(size, dtype=bool)
    tangled_debtors[debtors[tangled]] = True
    tangled = tangled_debtors[debtors]
    out = _count_apart(rows, debtors[~tangled], named[~tangled], size)
    found = _count(rows, debtors[tangled], named[tangled], size)
    for values, made in zip(out.columns(), found.columns(), strict=True):
        values[tangled_debtors] = made[tangled_debtors]
    return out


def _count_apart(rows: Rows, debtors: Codes, named: Codes, size: int) -> Bounds:
    """As :func:`_count`, where every mention of a debtor is another case."""
    open_ = rows.open_[named]
    alive = open_ >= MAYBE_OPEN
    owner, named, sure = debtors[alive], named[alive], open_[alive] == IS_OPEN
    court, sure_owner = rows.courts[named], owner[sure]
    low = np.bincount(owner[sure & rows.numbered[named]], minlength=size)
    low = np.maximum(low, np.bincount(sure_owner, minlength=size) > 0)
    high = np.bincount(owner, minlength=size)
    known = court >= 0
    doubtful = ~(sure & (court < rows.registered))
    keys = owner.astype(np.int64) * (int(court.max(initial=0)) + 1) + court
    keys = np.sort((keys[known] << 1) | doubtful[known])
    keys = keys[_starts(keys >> 1)]
    of = (keys >> 1) // (int(court.max(initial=0)) + 1)
    courts_low = np.bincount(of[keys & 1 == 0], minlength=size)
    courts_low = np.maximum(courts_low, low > 0)
    courts_high = np.bincount(of, minlength=size) + np.bincount(owner[~known], minlength=size)
    return Bounds(low, high, np.minimum(courts_low, low), np.minimum(courts_high, high))


def _count(known_rows: Rows, d: Codes, rows: Codes, debtors: int) -> Bounds:
    """The bounds of debtors 0 to ``debtors`` - 1, who are named by ``d`` in these rows."""
    c, k = known_rows.cases[rows], known_rows.courts[rows]
    order = np.lexsort((k, c, d))
    d, c, k, rows = d[order], c[order], k[order], rows[order]
    s, numbered = known_rows.open_[rows], known_rows.numbered[rows]
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
    certain = sure & (courts_of_case == 1) & (court < known_rows.registered)
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
    from outside; ``seen`` is what the docket shows of him. ``register``: the identifiers of those
    listed, and their codes.
    """

    index: Index
    bounds: Bounds
    seen: Bounds
    listed: Bits
    register: tuple[pa.Array, Codes] | None = None

    @classmethod
    def of_docket(cls, index: Index, seen: Bounds, complete: bool) -> DebtorCounts:
        """Counts of a docket; without ``complete`` it shows lower bounds only."""
        bounds = seen if complete else seen.without_limit()
        return cls(index, bounds, seen, np.zeros(len(index), dtype=bool))

    @classmethod
    def of_table(cls, table: pa.Table, complete: bool) -> DebtorCounts:
        """Counts made elsewhere: ``debtor_id``, ``open_cases``, ``courts``, each debtor once.

        ``complete``: they are exact; else at least so many. Raises MalformedInput where a
        debtor stands twice or has more courts than cases.
        """
        ids, cases, courts = _columns(table)
        nothing = np.zeros(0, dtype=np.int64)
        empty = Bounds(nothing, nothing, nothing, nothing)
        made = cls.of_docket(Index(pa.array([], pa.string())), empty, complete)
        if complete:
            return made.with_register(table)
        low = [np.asarray(values.fill_null(0)) for values in (cases, courts)]
        return cls.of_docket(Index(ids), Bounds(low[0], low[0], low[1], low[1]), complete)

    def with_register(self, table: pa.Table) -> DebtorCounts:
        """With the numbers of a register of debtors, which stand before those of the docket.

        Columns as in :meth:`of_table`; null: the register does not say, the docket's hold.
        """
        ids, *columns = _columns(table)
        codes = self.index.codes(ids)
        bounds, seen = self.bounds.at(codes), self.seen.at(codes)
        new = np.asarray(codes < 0)
        size = len(self.index)
        codes[new] = size + np.arange(int(new.sum()), dtype=np.int32)
        index = self.index.joined(ids.filter(pa.array(new)))
        made = bounds.columns()
        for values, low, high in zip(columns, made[::2], made[1::2], strict=True):
            said = ~np.asarray(values.is_null())
            low[said] = high[said] = np.asarray(values.fill_null(0))[said]
        np.maximum(bounds.cases_high, bounds.courts_low, out=bounds.cases_high)
        _agree(bounds)
        slots = np.arange(len(index), dtype=np.int32)
        if self.seen.slots is not None:
            slots[:size] = self.seen.slots
        slots[codes] = len(self.seen.cases_low) + np.arange(len(codes), dtype=np.int32)
        listed = np.zeros(len(index), dtype=bool)
        listed[:size] = self.listed
        listed[codes] = True
        return DebtorCounts(
            index,
            self.bounds.grown(bounds, slots),
            self.seen.grown(seen, slots),
            listed,
            (ids, codes),
        )

    def conflicting(self, codes: Codes) -> Bits:
        """Of which debtors the docket certainly shows more than the register says."""
        listed = np.zeros(len(codes), dtype=bool)
        if not self.any_listed:
            return listed
        known = codes >= 0
        listed[known] = self.listed[codes[known]]
        seen, bounds = self.seen.at(codes), self.bounds.at(codes)
        more = seen.cases_low > bounds.cases_high
        more |= seen.courts_low > bounds.courts_high
        return np.asarray(more & listed)

    @cached_property
    def any_listed(self) -> bool:
        """Whether a register was given that lists anybody."""
        return bool(self.listed.any())

    @cached_property
    def conflicts(self) -> list[str]:
        """The debtors of whom the docket certainly shows more than the register says."""
        if self.register is None:
            return []
        ids, codes = self.register
        names: list[str] = ids.filter(pa.array(self.conflicting(codes))).to_pylist()
        return names


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
