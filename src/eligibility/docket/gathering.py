"""Cases read one by one gathered into columns, and parts of batches taken out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from eligibility.docket.columns import (
    KNOWN,
    NEVER,
    Column,
    Columns,
    Ints,
    Records,
    Table,
)
from eligibility.vocabulary.model import NONE, Fact, Type, Vocabulary
from eligibility.vocabulary.payload import Case

INTERVAL = "excluded_interval"
_THOUSANDTHS = 1000
_LARGEST = 2**62


class _Misfit(Exception):
    """A value that a column cannot hold."""


class _Gathered:
    """One column in the making."""

    def __init__(self, rows: int, fact: Fact | None) -> None:
        self.values = np.zeros(rows, dtype=np.int64)
        self.state = np.zeros(rows, dtype=np.uint8)
        self.fact = fact
        self.words: dict[Any, int] = {}

    def put(self, row: int, value: Any) -> None:
        if value is None:
            return
        if value is NONE:
            self.state[row] = NEVER
            return
        self.values[row] = self._number(value)
        self.state[row] = KNOWN

    def _number(self, value: Any) -> int:
        if isinstance(value, bool):
            return int(value)
        if isinstance(value, date):
            return value.toordinal()
        if isinstance(value, (int, Decimal)):
            thousandths = self.fact is not None and self.fact.type is Type.DECIMAL
            scaled: int | Decimal = value * (_THOUSANDTHS if thousandths else 1)
            if scaled != int(scaled) or not -_LARGEST <= scaled <= _LARGEST:
                raise _Misfit
            return int(scaled)
        return self.words.setdefault(value, len(self.words))

    def column(self) -> Column:
        return Column(self.values, self.state, tuple(self.words))


def gather(cases: Sequence[Case], vocabulary: Vocabulary, as_of: Sequence[date]) -> Columns:
    """The columns of cases, each with the day on which it is evaluated.

    A case with a value that columns cannot hold exactly, or with overrides, is marked odd.
    """
    odd = np.array([bool(case.overrides) for case in cases], dtype=bool)
    kinds = dict.fromkeys([*vocabulary.payload_scopes()[1:]])
    for case in cases:
        kinds.update(dict.fromkeys(case.records))
    rows = [(i, case.facts) for i, case in enumerate(cases)]
    table = Table(len(cases), _columns(rows, vocabulary.facts, odd))
    records = {
        kind: _records([case.records.get(kind, ()) for case in cases], vocabulary.facts, odd)
        for kind in kinds
    }
    listed = [
        [
            {
                "kind": i.kind,
                "from": i.start,
                "to": i.end,
                "doc_no": i.doc_no,
                "stated_end": i.stated_end,
                "guarantee": i.guarantee,
            }
            for i in case.intervals or ()
        ]
        for case in cases
    ]
    intervals = _records(listed, {}, odd)
    silent = np.array([case.intervals is None for case in cases], dtype=bool)
    days = np.array([day.toordinal() for day in as_of], dtype=np.int64)
    return Columns(days, table, records, intervals, silent, odd)


def _records(
    listed: Sequence[Sequence[dict[str, Any]]], facts: Mapping[str, Fact], odd: Any
) -> Records:
    counts = np.array([len(found) for found in listed], dtype=np.int64)
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    rows = [(i, record) for i, found in enumerate(listed) for record in found]
    return Records(len(rows), _columns(rows, facts, odd), offsets)


def _columns(
    rows: Sequence[tuple[int, Mapping[str, Any]]], facts: Mapping[str, Fact], odd: Any
) -> dict[str, Column]:
    found: dict[str, _Gathered] = {}
    for row, (case, values) in enumerate(rows):
        for key, value in values.items():
            column = found.get(key)
            if column is None:
                column = found[key] = _Gathered(len(rows), facts.get(key))
            try:
                column.put(row, value)
            except _Misfit:
                odd[case] = True
    return {key: column.column() for key, column in found.items()}


def take(columns: Columns, rows: Ints, as_of: Ints | None = None) -> Columns:
    """Some cases as a batch of its own, a case as often as it is named; on other days with
    ``as_of``.
    """
    return Columns(
        columns.as_of[rows] if as_of is None else as_of,
        Table(len(rows), _taken(columns.case, rows)),
        {kind: _take_records(found, rows) for kind, found in columns.records.items()},
        _take_records(columns.intervals, rows),
        columns.silent[rows],
        columns.odd[rows],
    )


def copied(columns: Columns) -> Columns:
    """The same batch, to be filled in without changing this one; arrays are shared."""
    return Columns(
        columns.as_of,
        Table(columns.rows, dict(columns.case.facts)),
        {k: Records(r.rows, dict(r.facts), r.offsets) for k, r in columns.records.items()},
        columns.intervals,
        columns.silent,
        columns.odd.copy(),
    )


def narrowed(columns: Columns, keys: Collection[str]) -> Columns:
    """The same batch with these facts only."""
    records = {
        kind: Records(found.rows, _only(found, keys), found.offsets)
        for kind, found in columns.records.items()
    }
    case = Table(columns.rows, _only(columns.case, keys))
    return Columns(
        columns.as_of, case, records, columns.intervals, columns.silent, columns.odd.copy()
    )


def _only(table: Table, keys: Collection[str]) -> dict[str, Column]:
    return {key: column for key, column in table.facts.items() if key in keys}


def _take_records(found: Records, rows: Ints) -> Records:
    first = found.offsets[rows]
    counts = found.offsets[rows + 1] - first
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    at = np.arange(offsets[-1]) + np.repeat(first - offsets[:-1], counts)
    return Records(len(at), _taken(found, at), offsets)


def _taken(table: Table, rows: Ints) -> dict[str, Column]:
    return {
        key: Column(column.values[rows], column.state[rows], column.words)
        for key, column in table.facts.items()
    }
