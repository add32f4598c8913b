"""Columns taken apart into the cases that they were gathered from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from eligibility.calendars import Interval
from eligibility.docket.columns import KNOWN, NEVER, Column, Columns, Records
from eligibility.vocabulary.model import NONE, Fact, Type, Vocabulary
from eligibility.vocabulary.payload import Case


def value(kind: Type | None, column: Column | None, row: int) -> Any:
    """The typed value that a column holds for a row."""
    if column is None or column.state[row] not in (KNOWN, NEVER):
        return None
    if column.state[row] == NEVER:
        return NONE
    held = int(column.values[row])
    if column.words:
        return column.words[held]
    if kind is Type.DECIMAL:
        return Decimal(held) / 1000
    if kind is Type.DATE:
        return date.fromordinal(held)
    return bool(held) if kind is Type.BOOL else held


def scatter(columns: Columns, vocabulary: Vocabulary) -> list[Case]:
    """INVARIANT: undoes ``gather``, but for overrides and how a record was written."""
    out = []
    for row in range(columns.rows):
        records = {
            scope: [_store(found.facts, vocabulary.facts, at) for at in _span(found, row)]
            for scope, found in columns.records.items()
        }
        intervals = None
        if not columns.silent[row]:
            span = _span(columns.intervals, row)
            intervals = tuple(_interval(columns.intervals, at, at - span[0]) for at in span)
        facts = _store(columns.case.facts, vocabulary.facts, row)
        out.append(Case(facts, records, intervals=intervals))
    return out


def _span(found: Records, row: int) -> range:
    return range(int(found.offsets[row]), int(found.offsets[row + 1]))


def _store(columns: Mapping[str, Column], facts: Mapping[str, Fact], row: int) -> dict[str, Any]:
    held = ((key, value(facts[key].type, column, row)) for key, column in columns.items())
    return {key: found for key, found in held if found is not None}


def _interval(found: Records, row: int, index: int) -> Interval:
    def field(key: str, kind: Type) -> Any:
        return value(kind, found.facts.get(key), row)

    return Interval(
        field("kind", Type.ENUM),
        field("from", Type.DATE),
        field("to", Type.DATE),
        field("doc_no", Type.TEXT),
        field("stated_end", Type.DATE),
        bool(field("guarantee", Type.BOOL)),
        index,
    )
