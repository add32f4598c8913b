"""Is the journal what it was, and are the rows that its entries stand for?"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from eligibility.errors import Problem, Text
from eligibility.records.chain import as_text, stored
from eligibility.records.heads import Link, named
from eligibility.records.journal import (
    COVER,
    EVENT,
    ROWS,
    SHREDDING,
    RawEntry,
    Rows,
    covered,
    link,
    walk,
)
from eligibility.records.sealing_key import key_id_of
from eligibility.records.seals import LogKey, Part
from eligibility.records.tables import CASE_KEYS

JOURNAL = "journal"
_REMEMBERED = 10_000
Tell = Callable[[str, int, str, str], None]
"""Takes a finding: table, number and id of the row, and the name of what is wrong."""


class JournalCheck:
    """What walking the journal found: ``shredded`` keys, the end that it names of the decisions.

    ``rows`` counts the rows that entries stand for, ``bare`` those that nothing vouches for
    because there is no journal yet.
    """

    def __init__(
        self, key: LogKey, tell: Tell, expected: Mapping[int, Sequence[str]], keys: KeyCheck
    ) -> None:
        self.last = Link(0, None)
        self.rows = 0
        self.bare = 0
        self.beside: Link | None = None
        self.shredded: set[str] = set()
        self._key = key
        self._keys = keys
        self._tell = tell
        self._ahead = {seq: list(hashes) for seq, hashes in expected.items()}

    def run(self, connection: Connection) -> None:
        """Every entry and every row, in little memory."""
        walks = {kind: _Walk(connection, rows) for kind, rows in ROWS.items()}
        for raw in walk(connection):
            sound = self._look_at(raw)
            kind = str(as_text(raw.column("kind")))
            if kind in walks:
                self._row(walks[kind], raw, sound)
            elif kind == COVER and str(as_text(raw.column("body"))) in walks:
                self._cover(walks[str(as_text(raw.column("body")))], raw, sound)
            elif kind == SHREDDING and sound:
                self.shredded |= set(json.loads(str(as_text(raw.column("body"))))["keys"])
        for left in walks.values():
            for row in left.rest():
                if self.last.seq:
                    self._tell(left.table, row[0], left.identity(row), "unentered")
                else:
                    self.bare += 1
        for seq in sorted(self._ahead):
            self._tell(JOURNAL, seq, "", "cut_off")

    def _look_at(self, raw: RawEntry) -> bool:
        before, hash = self.last, raw.hash
        computed = link(self._key, before.hash, raw.parts)
        sound = hash == computed
        if not sound:
            missing = raw.seq - before.seq - 1
            other = not self._key.made(hash)
            why = "other_key" if other else "removed" if missing else "changed"
            self._tell(JOURNAL, raw.seq, "", why)
        self.last = Link(raw.seq, hash)
        if any(wanted != hash for wanted in self._ahead.pop(raw.seq, [])):
            self._tell(JOURNAL, raw.seq, "", "differs")
        beside = as_text(raw.column("beside"))
        if sound and beside is not None:
            self.beside = named(str(beside))
        return sound

    def _row(self, rows: _Walk, raw: RawEntry, sound: bool) -> None:
        ref = _number(raw.column("ref"))
        if ref is None:
            return
        for extra in rows.before(ref):
            self._tell(rows.table, extra[0], rows.identity(extra), "unentered")
        row = rows.take(ref)
        if not sound:
            return  # the entry says nothing of its row
        self.rows += 1
        if row is None:
            self._tell(rows.table, ref, "", "row_removed")
        elif rows.rows.seal(self._key, row) != str(as_text(raw.column("seal"))):
            self._tell(rows.table, ref, rows.identity(row), "row_changed")
        else:
            self._see(rows, row)

    def _see(self, rows: _Walk, row: tuple[Any, ...]) -> None:
        if "body" in rows.rows.columns:
            body = row[rows.rows.columns.index("body")]
            self._keys.see(rows.table, row[0], rows.identity(row), str(as_text(body)))

    def _cover(self, rows: _Walk, raw: RawEntry, sound: bool) -> None:
        """The rows from before the journal, all at once: which of them is at fault is not known."""
        ref, seal, first = _number(raw.column("ref")), None, None
        for row in rows.before((ref or 0) + 1):
            first = first or row
            seal = covered(self._key, seal, rows.rows, row)
            self.rows += sound
        if sound and seal != str(as_text(raw.column("seal"))):
            seq, identity = (first[0], rows.identity(first)) if first else (ref or 0, "")
            self._tell(rows.table, seq, identity, "covered_changed")


class KeyCheck:
    """Are the data keys there that sealed what is on record, but for those that were shredded?"""

    def __init__(self, connection: Connection, tell: Tell) -> None:
        self._connection = connection
        self._tell = tell
        self._there: OrderedDict[str, bool] = OrderedDict()
        self._gone: dict[str, tuple[str, int, str]] = {}

    def see(self, table: str, seq: int, identity: str, text: str) -> None:
        """A text of a record."""
        key_id = key_id_of(text)
        if key_id is None:
            return
        if key_id not in self._there:
            wanted = select(CASE_KEYS.c.id).where(CASE_KEYS.c.id == key_id)
            self._there[key_id] = self._connection.execute(wanted).first() is not None
            if len(self._there) > _REMEMBERED:
                self._there.popitem(last=False)
        if not self._there[key_id]:
            self._gone.setdefault(key_id, (table, seq, identity))

    def finish(self, shredded: Collection[str]) -> None:
        """``shredded``: the keys that the journal says were."""
        for key_id, place in self._gone.items():
            if key_id not in shredded:
                self._tell(*place, "key_missing")
        if shredded:
            there = self._connection.execute(select(CASE_KEYS.c.id)).scalars()
            for key_id in sorted(set(shredded).intersection(there)):
                self._tell(CASE_KEYS.name, 0, key_id, "key_present")


class _Walk:
    """Rows of a table by their number, one of them looked at ahead."""

    def __init__(self, connection: Connection, rows: Rows) -> None:
        self.rows = rows
        self.table = rows.table.name
        self._stored = iter(stored(connection, rows.table, rows.columns))
        self._ahead: tuple[Any, ...] | None = None
        self._move()

    def before(self, seq: int) -> Iterator[tuple[Any, ...]]:
        """The rows with a lower number, which are passed by."""
        while self._ahead is not None and self._ahead[0] < seq:
            yield self._pass()

    def take(self, seq: int) -> tuple[Any, ...] | None:
        """The row of this number, which is passed by; None where there is none."""
        found = self._ahead is not None and self._ahead[0] == seq
        return self._pass() if found else None

    def rest(self) -> Iterator[tuple[Any, ...]]:
        """All rows that are left."""
        while self._ahead is not None:
            yield self._pass()

    def identity(self, row: tuple[Any, ...]) -> str:
        """The id of an event; other rows have none."""
        return str(as_text(row[1])) if self.rows is ROWS[EVENT] else ""

    def _pass(self) -> tuple[Any, ...]:
        assert self._ahead is not None
        passed = self._ahead
        self._move()
        return passed

    def _move(self) -> None:
        row = next(self._stored, None)
        self._ahead = None if row is None else tuple(row)


def _number(part: Part) -> int | None:
    """SQLite's numbers are read as bytes."""
    try:
        return int(str(as_text(part)))
    except ValueError:
        return None


def told(why: str, table: str) -> Problem:
    """What is wrong with the journal, or with a row that it vouches for; its place is the table."""
    return replace(_WRONG[why], place=table)


_WRONG = {
    "changed": Problem(
        "record_changed",
        Text(
            "此记录或紧接其前的记录被改动、调换或者插入",
            "this record, or the one right before it, was changed, moved or put in",
        ),
    ),
    "row_changed": Problem(
        "record_changed", Text("此行被改动或者调换", "this row was changed or moved")
    ),
    "covered_changed": Problem(
        "record_changed",
        Text(
            "留痕之前的各行（自此行起）有改动、删除或者插入",
            "of the rows from before the journal, which begin here, one was changed, removed"
            " or put in",
        ),
    ),
    "removed": Problem(
        "records_removed",
        Text("此记录之前缺少记录", "before this one records are missing"),
    ),
    "row_removed": Problem("records_removed", Text("此行已不存在", "this row is gone")),
    "unentered": Problem(
        "record_unsealed",
        Text(
            "此行没有留痕：是插入的，或者留痕被删除",
            "no entry stands for this row: it was put in, or the entry was removed",
        ),
    ),
    "other_key": Problem(
        "other_log_key", Text("此记录不是用本密钥封存的", "this record was sealed with another key")
    ),
    "differs": Problem(
        "checkpoint_differs",
        Text("记录与检查点不符", "the log was another one when the checkpoint was made"),
    ),
    "cut_off": Problem(
        "records_cut_off",
        Text(
            "检查点或决定所指的记录已不存在",
            "the record that a checkpoint or a decision names is gone",
        ),
    ),
    "key_missing": Problem(
        "data_key_missing",
        Text(
            "封存此记录的数据密钥不在，而没有销毁的记载：不是销毁，是丢失",
            "the data key of this record is gone and nobody shredded it: it is lost",
        ),
    ),
    "key_present": Problem(
        "shredded_key_present",
        Text(
            "已销毁的数据密钥又在数据库中：资料可以读取",
            "a data key that was shredded is in the database again: the data can be read",
        ),
    ),
}
