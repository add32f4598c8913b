"""Arrow batches of a docket read into columns.

What :func:`~eligibility.vocabulary.payload.read_case` accepts of a plain row is read here for
all rows at once; a row with anything else in it (a value that does not fit, an unknown
heading, a date in the future, an override) is marked odd, for the reader of single cases.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from eligibility.docket.cells import Cells, Wire, nothing, present
from eligibility.docket.columns import KNOWN, UNKNOWN, Bits, Column, Columns, Ints, Records, Table
from eligibility.rulebase.conditions import leaves
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.model import CASE, Fact, RecordKind, Type, Vocabulary
from eligibility.vocabulary.payload import (
    AS_OF_ALIAS,
    INTERVALS,
    MAX_RECORDS,
    OVERRIDES,
    REQUIRED_IN_INTERVALS,
)
from eligibility.vocabulary.reader import inputs_of
from eligibility.vocabulary.values import from_wire


@dataclass(slots=True)
class _Lists:
    """The records of one list column, null lists left out: ``lone`` are the rows of those."""

    records: Records
    lone: Bits


def asked_texts(rulebase: Rulebase) -> set[str]:
    """The texts that decide anything: those a derivation or a rule looks at, derived ones, which
    where they are given must be those that are derived, and the court.
    """
    vocabulary = rulebase.vocabulary
    conditions = [
        *(part for rule in rulebase.rules.values() for part in (rule.when, rule.unless)),
        *(made.when for made in rulebase.definitions.values()),
        *(made.never for made in rulebase.constraints),
        *(mode.insufficient_when for mode in rulebase.modes.values()),
    ]
    named = {leaf.fact for part in conditions if part is not None for leaf in leaves(part)}
    for fact in vocabulary.derived_facts:
        named.update((fact.key, *inputs_of(fact, vocabulary)))
    return named | {"court_id", "jurisdiction_profile"}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A batch as columns. ``flat``: for each kind the cases whose only record stands flat, or
    not at all.
    """

    columns: Columns
    flat: Mapping[str, Bits]


class Decoder:
    """Reads batches of one vocabulary; not to be shared by threads.

    ``asked``: texts that a derivation or a rule looks at; of other texts only the fit is
    checked. INVARIANT: a row that is not odd holds the facts of ``read_case``, and one that
    ``read_case`` refuses is odd.
    """

    def __init__(
        self, vocabulary: Vocabulary, asked: Collection[str], wire: Wire = from_wire
    ) -> None:
        self.vocabulary, self.asked, self.wire = vocabulary, asked, wire
        self.lists = vocabulary.lists()
        self.list_labels = {kind.label.zh: kind for kind in self.lists.values()}
        self._cells: dict[tuple[str, str], Cells] = {}

    def decode(self, batch: pa.RecordBatch, as_of: date | None, today: date) -> Decoded:
        """The columns of a batch. ``as_of``: the day of all; else that of the row, else today."""
        for cells in self._cells.values():
            cells.forget_many()
        return _Decoding(self, batch).decoded(as_of, today)

    def cells(self, scope: str, fact: Fact) -> Cells:
        key = (scope, fact.key)
        found = self._cells.get(key)
        if found is None:
            unread = fact.key not in self.asked or scope not in self.vocabulary.payload_scopes()
            found = self._cells[key] = Cells(fact, self.wire, unread)
        return found

    def kind_named(self, heading: str, fact: Fact | None) -> RecordKind | None:
        """The kind of record whose list has this heading."""
        kind = self.lists.get(heading) or self.list_labels.get(heading)
        if kind is not None and (fact is None or fact.type is Type.RECORDS):
            return kind
        if fact is not None and fact.type is Type.RECORDS:
            return self.lists[fact.key]
        return None

    def field_named(self, kind: RecordKind, name: str) -> Fact | None:
        if kind.fields:
            by_label = (f for f in kind.fields.values() if f.label.zh == name)
            return kind.fields.get(name) or next(by_label, None)
        fact = self.vocabulary.named(name)
        return fact if fact is not None and fact.scope == kind.name else None


class _Decoding:
    """One batch being decoded."""

    def __init__(self, decoder: Decoder, batch: pa.RecordBatch) -> None:
        self.decoder, self.batch = decoder, batch
        self.rows = batch.num_rows
        self.odd = np.zeros(self.rows, dtype=bool)
        self.facts: dict[str, Column] = {}
        self.flat: dict[str, dict[str, Column]] = {}
        self.lists: dict[str, _Lists] = {}

    def decoded(self, as_of: date | None, today: date) -> Decoded:
        scopes = self.decoder.vocabulary.payload_scopes()
        for heading, array in zip(self.batch.schema.names, self.batch.columns, strict=True):
            if array.null_count < self.rows:
                self._entry(heading, array, scopes)
        days = self._days(as_of, today)
        records = {scope: self._single(scope) for scope in scopes[1:]}
        held = self.lists.get(INTERVALS)
        none = Records(0, {}, np.zeros(self.rows + 1, dtype=np.int64))
        intervals = held.records if held else none
        silent = held.lone if held else np.ones(self.rows, dtype=bool)
        found = Columns(days, Table(self.rows, self.facts), records, intervals, silent, self.odd)
        self._check_days(found)
        return Decoded(found, {scope: self._flat(scope) for scope in scopes[1:]})

    def _entry(self, heading: str, array: pa.Array, scopes: Collection[str]) -> None:
        fact = self.decoder.vocabulary.named(heading)
        kind = self.decoder.kind_named(heading, fact)
        if kind is not None:
            self._list(kind, array)
            return
        if fact is None or fact.scope not in scopes:
            self.odd |= present(array)
            return
        held = self.facts if fact.scope == CASE else self.flat.setdefault(fact.scope, {})
        if fact.key in held:
            self.odd |= present(array)  # the same fact in two columns
            return
        held[fact.key], misfits = self.decoder.cells(fact.scope, fact).read(array)
        self.odd |= misfits

    # --- records -----------------------------------------------------------------------------

    def _list(self, kind: RecordKind, array: pa.Array) -> None:
        known = present(array)
        plain = pa.types.is_list(array.type) and kind.list_key not in self.lists
        if not plain:
            self.odd |= known
            return
        offsets = array.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
        counts = np.diff(offsets)
        flat = array.values.slice(offsets[0], offsets[-1] - offsets[0])
        if counts[~known].any():  # what stands under a null is not there
            flat = flat.filter(pa.array(np.repeat(known, counts)))
            counts = np.where(known, counts, 0)
        self.odd |= counts > MAX_RECORDS
        if not kind.may_be_empty:
            self.odd |= known & (counts == 0)
        served = kind.list_key == INTERVALS or kind.name in self.decoder.vocabulary.payload_scopes()
        if not served or not pa.types.is_struct(flat.type):
            self.odd |= counts > 0 if kind.list_key == OVERRIDES or served else known
            counts, flat = np.zeros_like(counts), flat.slice(0, 0)
        records = Records(len(flat), {}, np.concatenate(([0], np.cumsum(counts))))
        self.lists[kind.list_key] = _Lists(records, ~known)
        if len(flat):
            self._fields(kind, flat, records)

    def _fields(self, kind: RecordKind, flat: pa.Array, records: Records) -> None:
        owners = records.owners()
        self.odd[owners[~present(flat)]] = True
        for number, field in enumerate(flat.type):
            array = flat.field(number)
            if array.null_count == len(array):
                continue
            fact = self.decoder.field_named(kind, field.name)
            if fact is None or fact.key in records.facts:
                self.odd[owners[present(array)]] = True
                continue
            column, misfits = self.decoder.cells(kind.name, fact).read(array)
            records.facts[fact.key] = column
            self.odd[owners[misfits]] = True

    def listed(self, scope: str) -> _Lists | None:
        kind = self.decoder.vocabulary.records.get(scope)
        return None if kind is None else self.lists.get(kind.list_key)

    def _single(self, scope: str) -> Records:
        """The records of a kind; a case without a list has one, made of what stands flat."""
        flat = self.flat.get(scope, {})
        listed = self.listed(scope)
        if listed is None:
            return Records(self.rows, flat, np.arange(self.rows + 1))
        for column in flat.values():
            self.odd |= ~listed.lone & (column.state != UNKNOWN)
        records = listed.records
        if not listed.lone.any():
            return records
        counts = np.diff(records.offsets) + listed.lone
        offsets = np.concatenate(([0], np.cumsum(counts)))
        of_list = np.repeat(~listed.lone, counts)
        out = Records(int(offsets[-1]), {}, offsets)
        for key in dict.fromkeys([*records.facts, *flat]):
            out.facts[key] = _laid(records.facts.get(key), flat.get(key), of_list, listed.lone)
        return out

    def _flat(self, scope: str) -> Bits:
        listed = self.listed(scope)
        return listed.lone if listed else np.ones(self.rows, dtype=bool)

    # --- days --------------------------------------------------------------------------------

    def _days(self, as_of: date | None, today: date) -> Ints:
        days = np.full(self.rows, (as_of or today).toordinal(), dtype=np.int64)
        alias = self.facts.pop(AS_OF_ALIAS, None)
        if alias is None:
            return days
        own = alias.state == KNOWN
        if as_of is not None:
            self.odd |= own & (alias.values != days)
            return days
        out: Ints = np.where(own, alias.values, days)
        return out

    def _check_days(self, columns: Columns) -> None:
        """No event after the day of evaluation, no interval that ends before it begins."""
        facts = self.decoder.vocabulary.facts
        earliest = int(columns.as_of.min()) if self.rows else 0
        tables: list[tuple[str, Table]] = [(CASE, columns.case), *columns.records.items()]
        for _, table in tables:
            for key, column in table.facts.items():
                fact = facts[key]
                dated = fact.type is Type.DATE and not fact.future and not fact.derived
                if dated and column.values.max(initial=0) > earliest:
                    self._after(columns, table, column)
        found = columns.intervals
        if found.rows:
            self._check_intervals(columns, found)

    def _after(self, columns: Columns, table: Table, column: Column) -> None:
        if isinstance(table, Records):
            owners = table.owners()
            self.odd[owners[column.values > columns.as_of[owners]]] = True
        else:
            self.odd |= column.values > columns.as_of

    def _check_intervals(self, columns: Columns, found: Records) -> None:
        owners = found.owners()
        for key in REQUIRED_IN_INTERVALS:
            column = found.facts.get(key) or nothing(found.rows)
            self.odd[owners[column.state == UNKNOWN]] = True
        start = (found.facts.get("from") or nothing(found.rows)).values
        self.odd[owners[start > columns.as_of[owners]]] = True
        end = found.facts.get("to")
        if end is not None:
            self.odd[owners[(end.state == KNOWN) & (end.values < start)]] = True


def _laid(listed: Column | None, flat: Column | None, of_list: Bits, lone: Bits) -> Column:
    """One column of what stands in lists and what stands flat."""
    out = nothing(len(of_list))
    for column, at, part in ((listed, of_list, slice(None)), (flat, ~of_list, lone)):
        if column is not None:
            out.values[at], out.state[at] = column.values[part], column.state[part]
            out.words = max(out.words, column.words, key=len)
    return out
