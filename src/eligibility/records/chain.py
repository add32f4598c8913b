"""The chain of the decision log: each record sealed together with the seal of the one before.

So a record that was changed, removed, moved or put in breaks the chain where it happened.
That the end was cut off only a checkpoint shows (:mod:`eligibility.records.checkpoints`).

A record without a hash of its own was made without a key, or before there were hashes. Such
records come first; they are linked as if they had one, so the first that has vouches for all
of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, LargeBinary, Table, cast, select

from eligibility.records import checkpoints, heads
from eligibility.records.database import insert_all
from eligibility.records.heads import Link
from eligibility.records.seals import LogKey, Part
from eligibility.records.tables import DECISIONS, JOURNAL

CHECKPOINT_EVERY = 100
"""Records between two checkpoints that nobody asked for."""

RECORD = "eligibility decision 1"
FULL_RECORD = "eligibility decision 2"
LINKED_RECORD = "eligibility decision 3"
# What RECORD covers, in this order for good; another selection is another purpose.
SEALED = (
    "seq",
    "id",
    "case_key",
    "case_no",
    "court_id",
    "profile",
    "as_of",
    "channel",
    "outcome",
    "digest",
    "engine",
    "request",
    "body",
    "decided_at",
    "follows",
)
# What FULL_RECORD covers as well: the seal of every record that has any of them.
ADDED = ("caller", "versions", "findings")
# What LINKED_RECORD covers as well: the end of the journal when the record was made.
BESIDE = "beside"
COLUMNS = (*SEALED, *ADDED, BESIDE)
_BODY = COLUMNS.index("body")
_AT_ONCE = 50  # records that are in memory while the log is walked


class Raw(NamedTuple):
    """A record as it is stored: texts as bytes where the database could return damaged ones."""

    seq: int
    parts: tuple[Part, ...]
    hash: str | None

    def column(self, name: str) -> Part:
        return self.parts[COLUMNS.index(name)]


def append(
    connection: Connection, values: Mapping[str, Any], key: LogKey | None, now: datetime
) -> int:
    """Add a record at the end of the log, sealed; returns its ``seq``.

    From here to the end of the transaction no other one appends, so records stand in the order
    in which they were committed. Without a key the record has no seal, which is refused where
    others have one. Raises :class:`RecordsError` (``no_log_key``, ``other_log_key``).
    """
    log = Appending(connection, key)
    seq = log.add(values, now)
    log.insert()
    return seq


class Appending:
    """Records at the end of the log in one transaction, inserted together.

    From here to the end of the transaction no other one appends.
    """

    def __init__(self, connection: Connection, key: LogKey | None) -> None:
        """Raises :class:`RecordsError` (``no_log_key``, ``other_log_key``)."""
        heads.lock(connection)
        self._connection = connection
        self._key = key
        self._last = _last(connection, key)
        self._journal = heads.end(connection, JOURNAL)
        heads.check(self._journal, key)
        self._rows: list[dict[str, Any]] = []
        self._checkpoints: list[tuple[int, str, datetime]] = []

    def add(self, values: Mapping[str, Any], now: datetime, body: bytes | None = None) -> int:
        """Seal a record; its ``seq``. ``body``: the same as bytes, where they are at hand."""
        row: dict[str, Any] = {**dict.fromkeys(ADDED), **values}
        row |= {"seq": self._last.seq + 1, "hash": None, BESIDE: self._journal.told()}
        if self._key is not None:
            parts = [row[name] for name in COLUMNS]
            if body is not None:
                parts[_BODY] = body
            row["hash"] = link(self._key, self._last.hash, parts)
            if row["seq"] % CHECKPOINT_EVERY == 0:
                self._checkpoints.append((row["seq"], row["hash"], now))
        self._rows.append(row)
        self._last = Link(row["seq"], row["hash"])
        return int(row["seq"])

    def of(self, decision_id: str) -> str | None:
        """The case of a decision added here."""
        return next((r["case_key"] for r in self._rows if r["id"] == decision_id), None)

    def insert(self) -> None:
        """Put the records into the database."""
        if self._rows:
            insert_all(self._connection, DECISIONS, self._rows)
        if self._key is not None:
            for seq, hash, now in self._checkpoints:
                checkpoints.write(self._connection, self._key, seq, hash, now, self._journal)


def checkpoint(connection: Connection, key: LogKey, now: datetime) -> checkpoints.Checkpoint | None:
    """The checkpoint at the ends of the chains; None where nothing is on record.

    Kept as well, but where one of the same record is kept from before the journal grew.
    """
    heads.lock(connection)
    last, journal = _last(connection, key), heads.end(connection, JOURNAL)
    heads.check(journal, key)
    if last.hash is None:
        return None if journal.hash is None else checkpoints.made(key, 0, "", now, journal)
    found = checkpoints.at(connection, last.seq)
    if found is None:
        return checkpoints.write(connection, key, last.seq, last.hash, now, journal)
    if found.journal == journal.told():
        return found
    return checkpoints.made(key, last.seq, last.hash, now, journal)


def check_key(connection: Connection, key: LogKey | None) -> None:
    """Raises :class:`RecordsError` where the log cannot be continued with this key, or without."""
    for table in (DECISIONS, JOURNAL):
        heads.check(heads.end(connection, table), key)


def link(key: LogKey, before: str | None, parts: Sequence[Part]) -> str:
    """The seal of a record, given that of the one before it."""
    # INVARIANT: no value of a record can change without its seal or an earlier one changing
    full = len(SEALED) + len(ADDED)
    if any(part is not None for part in parts[full:]):
        return key.seal(LINKED_RECORD, before, *parts)
    if all(part is None for part in parts[len(SEALED) : full]):
        return key.seal(RECORD, before, *parts[: len(SEALED)])
    return key.seal(FULL_RECORD, before, *parts[:full])


def walk(connection: Connection) -> Iterator[Raw]:
    """Every record from first to last, however many, in little memory."""
    for *parts, hash in stored(connection, DECISIONS, (*COLUMNS, "hash")):
        yield Raw(parts[0], tuple(parts), as_text(hash))


def stored(
    connection: Connection, table: Table, names: Sequence[str], only: int | None = None
) -> Iterator[Any]:
    """Rows by ``seq``, which comes first, as they can be sealed and whatever is in them.

    ``only``: the one of this number.

    SQLite keeps texts that are no texts and dates that are no dates, so all but ``seq`` are
    read as bytes there.
    """
    columns: list[ColumnElement[Any]] = [table.c[name] for name in names]
    if connection.dialect.name == "sqlite":
        columns = [columns[0], *(cast(c, LargeBinary).label(c.key) for c in columns[1:])]
    rows = select(*columns).order_by(table.c.seq)
    if only is not None:
        rows = rows.where(table.c.seq == only)
    yield from connection.execute(rows, execution_options={"yield_per": _AT_ONCE})


def as_text(value: Any) -> str | None:
    """A text that :func:`stored` read; what is no UTF-8 in it shows as such."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def _last(connection: Connection, key: LogKey | None) -> Link:
    """The end of the chain, as this key may go on from it."""
    last = heads.end(connection, DECISIONS)
    heads.check(last, key)
    if key is None or last.hash is not None or not last.seq:
        return last
    return Link(last.seq, _unsealed(connection, key))


def _unsealed(connection: Connection, key: LogKey) -> str | None:
    """The seal that the last record would have; reads the whole log, once in its life."""
    before: str | None = None
    for raw in walk(connection):
        before = raw.hash or link(key, before, raw.parts)
    return before
