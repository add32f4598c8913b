"""The journal: a chain of what is on record besides decisions.

An entry stands for an event, an activation, the shredding of a case's data, or a change of the
sealing key. It holds a seal over the row that it stands for, and is sealed itself with the
entry before it, so a row that was changed, removed, moved or put in is found.

Rows from before there was a journal are covered by its first entries, all of a table by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, insert

from eligibility.records import heads
from eligibility.records.chain import as_text, stored
from eligibility.records.heads import Link
from eligibility.records.seals import LogKey, Part
from eligibility.records.tables import ACTIVATIONS, DECISIONS, EVENTS, JOURNAL

EVENT, ACTIVATION, COVER, SHREDDING, REWRAP = "event", "activation", "cover", "shredding", "rewrap"

ENTRY = "eligibility journal 1"
COVERED = "eligibility covered rows 1"
# What ENTRY covers, in this order for good.
COLUMNS = ("seq", "kind", "ref", "seal", "case_key", "body", "beside", "made_at")


class Rows(NamedTuple):
    """Rows that entries stand for: what their seals cover, in this order for good."""

    table: Table
    purpose: str
    columns: tuple[str, ...]

    def seal(self, key: LogKey, parts: Sequence[Part]) -> str:
        return key.seal(self.purpose, *parts)


ROWS: dict[str, Rows] = {
    EVENT: Rows(
        EVENTS,
        "eligibility event 1",
        ("seq", "id", "case_key", "type", "happened_on", "body", "corrects", "recorded_at"),
    ),
    ACTIVATION: Rows(
        ACTIVATIONS,
        "eligibility activation 1",
        ("seq", "digest", "effective_from", "withdraws", "activated_at", "by", "note"),
    ),
}


class RawEntry(NamedTuple):
    """An entry as it is stored."""

    seq: int
    parts: tuple[Part, ...]
    hash: str

    def column(self, name: str) -> Part:
        return self.parts[COLUMNS.index(name)]


class Journal:
    """The end of the journal in one transaction, to be opened before its rows are inserted.

    From here to the end of the transaction nobody else adds to a chain. Without a key nothing
    is entered, which is refused where something is.
    """

    def __init__(self, connection: Connection, key: LogKey | None, now: datetime) -> None:
        """Raises :class:`RecordsError` (``no_log_key``, ``other_log_key``)."""
        heads.lock(connection)
        self._connection = connection
        self._key = key
        self._now = now
        self._last = heads.end(connection, JOURNAL)
        heads.check(self._last, key)
        beside = heads.end(connection, DECISIONS)
        heads.check(beside, key)
        self._beside = beside.told()
        if not self._last.seq:
            self._cover()

    def add_row(self, kind: str, row: Mapping[str, Any], case_key: str | None = None) -> None:
        """Enter a row that was inserted."""
        rows = ROWS[kind]
        if self._key is not None:
            seal = rows.seal(self._key, [row[name] for name in rows.columns])
            self.add(kind, ref=row["seq"], seal=seal, case_key=case_key)

    def add(
        self,
        kind: str,
        *,
        ref: int | None = None,
        seal: str | None = None,
        case_key: str | None = None,
        body: str | None = None,
    ) -> None:
        """Make an entry at the end."""
        if self._key is None:
            return
        values: dict[str, Any] = {
            "seq": self._last.seq + 1,
            "kind": kind,
            "ref": ref,
            "seal": seal,
            "case_key": case_key,
            "body": body,
            "beside": self._beside,
            "made_at": self._now,
        }
        hash = link(self._key, self._last.hash, [values[name] for name in COLUMNS])
        self._connection.execute(insert(JOURNAL).values({**values, "hash": hash}).inline())
        self._last = Link(values["seq"], hash)

    def _cover(self) -> None:
        """Vouch for the rows that are there already, as they are."""
        if self._key is None:
            return
        for kind, rows in ROWS.items():
            last, seal = 0, None
            for parts in stored(self._connection, rows.table, rows.columns):
                last, seal = parts[0], covered(self._key, seal, rows, tuple(parts))
            if last:
                self.add(COVER, ref=last, seal=seal, body=kind)


def begin(connection: Connection, key: LogKey, now: datetime) -> None:
    """Cover what is on record from before the journal, where that is not done yet."""
    Journal(connection, key, now)


def covered(key: LogKey, before: str | None, rows: Rows, parts: Sequence[Part]) -> str:
    """The seal over all rows up to this one, given that of the one before."""
    return key.seal(COVERED, before, rows.seal(key, parts))


def link(key: LogKey, before: str | None, parts: Sequence[Part]) -> str:
    """The seal of an entry, given that of the one before it."""
    # INVARIANT: no value of an entry can change without its seal or an earlier one changing
    return key.seal(ENTRY, before, *parts)


def walk(connection: Connection) -> Iterator[RawEntry]:
    """Every entry from first to last, in little memory."""
    for *parts, hash in stored(connection, JOURNAL, (*COLUMNS, "hash")):
        yield RawEntry(parts[0], tuple(parts), str(as_text(hash)))
