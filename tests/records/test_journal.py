"""Events and activations stand in a chain: whatever is done to them afterwards is found."""

from __future__ import annotations

import json
import random
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, create_engine, insert, select, text
from sqlalchemy.exc import IntegrityError

from eligibility.records import activations, chain, checkpoints, events, journal, schema, tables
from eligibility.records.database import Database, RecordsError, file_url, lock_case
from eligibility.records.journal import COLUMNS, ROWS, Journal
from eligibility.records.rulebases import Library
from eligibility.records.seals import LogKey
from eligibility.records.verification import Verification, verify
from records.samples import CASE, DAY, KEY, NOW, keep_base, later
from records.tampering import exported, opened, record_whole
from rulebase.rulebases import base_rulebase

OTHER = LogKey("another key of the tests, as long as it needs")
EVENTS = 6
BASE = base_rulebase().digest


def add_event(database: Database, number: int, key: LogKey | None = KEY) -> None:
    with database.begin() as connection:
        entered = Journal(connection, key, later(number))
        lock_case(connection, CASE)
        body = {"note": f"第{number}次 送达"}
        events.append(
            connection,
            CASE,
            f"e{number}",
            "served",
            DAY,
            body,
            None,
            later(number),
            journal=entered,
        )


def activate(database: Database, key: LogKey | None = KEY) -> None:
    with database.begin() as connection:
        activations.activate(
            connection, BASE, date(2026, 1, 1), NOW, served=BASE, by="王编辑", log_key=key
        )


def places(found: Verification) -> list[tuple[str, int, str]]:
    """Table, number and code of every finding."""
    return [(str(f.problem.place) or "decisions", f.seq, f.problem.code) for f in found.findings]


def change(database: Database, *statements: str) -> None:
    """As who owns the database could, past what refuses changes."""
    with database.begin() as connection:
        for table in ("events", "activations", "journal", "decisions", "checkpoints"):
            _unguard(connection, table)
        for statement in statements:
            connection.execute(text(statement))


def _unguard(connection: Connection, table: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_refuse_change ON {table}"))
        return
    for kind in ("update", "delete"):
        connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_refuse_{kind}"))


@pytest.fixture(name="kept")
def fixture_kept(database: Database) -> Database:
    """Six events, an activation (two rows), and a decision that comes last."""
    for number in range(1, EVENTS + 1):
        add_event(database, number)
    activate(database)
    with database.begin() as connection:
        record_whole(connection, 1)
    return database


def test_events_and_activations_are_vouched_for(kept: Database) -> None:
    found = verify(kept, KEY)
    assert (found.intact, found.rows, found.journal.seq) == (True, EVENTS + 2, EVENTS + 2)
    assert not found.notes
    assert not verify(kept, OTHER).intact


ALTERED = {
    "UPDATE events SET body = '{}' WHERE seq = 3": ("events", 3, "record_changed"),
    "UPDATE events SET case_key = 'x' WHERE seq = 1": ("events", 1, "record_changed"),
    "UPDATE events SET happened_on = '2026-01-03' WHERE seq = 2": ("events", 2, "record_changed"),
    "DELETE FROM events WHERE seq = 4": ("events", 4, "records_removed"),
    "DELETE FROM events WHERE seq >= 5": ("events", 5, "records_removed"),
    "UPDATE activations SET note = 'x' WHERE seq = 2": ("activations", 2, "record_changed"),
    "DELETE FROM activations WHERE seq = 2": ("activations", 2, "records_removed"),
    "DELETE FROM journal WHERE seq = 3": ("journal", 4, "records_removed"),
    "UPDATE journal SET ref = 5 WHERE seq = 3": ("journal", 3, "record_changed"),
    "UPDATE journal SET seal = 'x' WHERE seq = 3": ("journal", 3, "record_changed"),
    "UPDATE journal SET hash = 'x' WHERE seq = 8": ("journal", 8, "other_log_key"),
}


@pytest.mark.parametrize("statement", ALTERED)
def test_what_is_altered_is_found_first(kept: Database, statement: str) -> None:
    change(kept, statement)
    assert places(verify(kept, KEY))[0] == ALTERED[statement]


def test_events_that_changed_places(kept: Database) -> None:
    move = "UPDATE events SET id = 'e{}', body = replace(body, '第{}次', '第{}次') WHERE id = 'e{}'"
    change(kept, move.format(99, 2, 3, 2), move.format(2, 3, 2, 3), move.format(3, 9, 9, 99))
    assert places(verify(kept, KEY))[0] == ("events", 2, "record_changed")


def test_an_event_that_was_put_in(kept: Database) -> None:
    change(
        kept,
        "INSERT INTO events (id, case_key, type, happened_on, body, recorded_at)"
        " SELECT 'new', case_key, type, happened_on, body, recorded_at FROM events WHERE seq = 1",
    )
    ((table, _, code),) = places(verify(kept, KEY))
    assert (table, code) == ("events", "record_unsealed")


@pytest.mark.parametrize("gone", [1, 3, EVENTS + 2])
def test_a_journal_cut_off_with_its_rows_is_found_by_the_next_decision(
    kept: Database, gone: int
) -> None:
    """The end of both is gone; the decision that came after names where the journal ended."""
    left = EVENTS + 2 - gone
    change(
        kept,
        f"DELETE FROM journal WHERE seq > {left}",
        f"DELETE FROM activations WHERE seq > {max(left - EVENTS, 0)}",
        f"DELETE FROM events WHERE seq > {left}",
    )
    assert places(verify(kept, KEY)) == [("journal", 1, "records_cut_off")]


def test_a_decision_cut_off_is_found_by_the_next_event(kept: Database) -> None:
    add_event(kept, 7)
    change(kept, "DELETE FROM decisions")
    assert places(verify(kept, KEY)) == [("decisions", 1, "records_cut_off")]


def test_what_came_last_is_found_by_a_checkpoint_alone(kept: Database) -> None:
    add_event(kept, 7)
    made = exported(kept)
    assert made.journal is not None
    assert made.journal.startswith(f"{EVENTS + 3}:")
    again = checkpoints.read(json.dumps(made.as_dict()), KEY, "f")
    change(
        kept,
        f"DELETE FROM journal WHERE seq > {EVENTS + 2}",
        "DELETE FROM events WHERE seq > 6",
        "DELETE FROM checkpoints",
    )
    assert verify(kept, KEY).intact
    assert places(verify(kept, KEY, again)) == [("journal", EVENTS + 3, "records_cut_off")]
    add_event(kept, 8)
    assert places(verify(kept, KEY, again)) == [("journal", EVENTS + 3, "checkpoint_differs")]


def test_a_checkpoint_moves_on_with_events_alone(kept: Database) -> None:
    first = exported(kept)
    assert exported(kept) == first
    add_event(kept, 7)
    assert exported(kept).journal != first.journal
    assert exported(kept).seq == first.seq


# --- from before the journal ----------------------------------------------------------------------


@pytest.fixture(name="early")
def fixture_early(database: Database) -> Database:
    """Three events and an activation from before there was a key."""
    for number in range(1, 4):
        add_event(database, number, None)
    activate(database, None)
    return database


def test_rows_from_before_are_told_and_then_covered(early: Database) -> None:
    found = verify(early, KEY)
    assert found.intact
    assert [note.code for note in found.notes] == ["rows_unvouched"]
    with early.begin() as connection:
        journal.begin(connection, KEY, NOW)
        journal.begin(connection, KEY, NOW)  # once only
    add_event(early, 4)
    found = verify(early, KEY)
    assert (found.intact, found.rows, found.journal.seq, found.notes) == (True, 6, 3, [])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET body = '{}' WHERE seq = 2",
        "DELETE FROM events WHERE seq = 2",
        "DELETE FROM events",
    ],
)
def test_a_covered_row_that_is_altered(early: Database, statement: str) -> None:
    add_event(early, 4)
    change(early, statement)
    (table, _, code) = places(verify(early, KEY))[0]
    assert (table, code) == ("events", "record_changed")


def test_without_the_key_nothing_is_entered_any_more(kept: Database) -> None:
    for key, code in ((None, "no_log_key"), (OTHER, "other_log_key")):
        with pytest.raises(RecordsError) as caught:
            add_event(kept, 7, key)
        assert caught.value.code == code
        with pytest.raises(RecordsError):
            activate(kept, key)
    assert verify(kept, KEY).rows == EVENTS + 2


# --- many at once ---------------------------------------------------------------------------------


def test_events_decisions_and_activations_at_once(database: Database) -> None:
    def decide(number: int) -> None:
        with database.begin() as connection:
            record_whole(connection, number)

    def event(number: int) -> None:
        add_event(database, number)

    work = [decide, event, lambda _: activate(database)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: work[n % 3](n), range(24)))
    found = verify(database, KEY)
    assert (found.intact, found.records, found.rows) == (True, 8, 8 + 9), found.findings


@pytest.mark.sqlite
def test_every_byte_of_events_and_journal_that_is_changed_is_found(
    kept: Database, tmp_path: Path
) -> None:
    """Five hundred random places in the values of rows and entries, one after the other."""
    chance = random.Random(20260108)
    library = Library(kept, KEY)
    tables: dict[str, tuple[str, ...]] = {
        "journal": (*COLUMNS[1:], "hash"),
        "events": ROWS["event"].columns[1:],
        "activations": ROWS["activation"].columns[1:],
    }
    done = 0
    with opened(tmp_path) as raw:
        while done < 500:
            table = chance.choice(list(tables))
            (seq,) = raw.execute(f"SELECT seq FROM {table} ORDER BY random()").fetchone()
            column = chance.choice(tables[table])
            before = value_of(raw, table, column, seq)
            if not before:
                continue
            place = chance.randrange(len(before))
            after = before[:place] + bytes([before[place] ^ chance.randrange(1, 256)])
            after += before[place + 1 :]
            done += 1
            put(raw, table, column, seq, after)
            assert not verify(kept, KEY, library=library).intact, (table, column, before, after)
            put(raw, table, column, seq, before)
    assert verify(kept, KEY, library=library).intact


def value_of(raw: Any, table: str, column: str, seq: int) -> bytes:
    query = f'SELECT CAST("{column}" AS BLOB) FROM {table} WHERE seq = ?'
    (value,) = raw.execute(query, (seq,)).fetchone()
    return value or b""


def put(raw: Any, table: str, column: str, seq: int, value: bytes) -> None:
    """As a text, or in a column of numbers as the number that it is, if it is one."""
    as_stored: bytes | int = value
    if column in ("ref", "withdraws") and re.fullmatch(rb"[1-9][0-9]*", value):
        as_stored = int(value)
    kind = "INTEGER" if isinstance(as_stored, int) else "TEXT"
    statement = f'UPDATE {table} SET "{column}" = CAST(? AS {kind}) WHERE seq = ?'
    raw.execute("PRAGMA foreign_keys = OFF")
    raw.execute(statement, (as_stored, seq))


def test_the_seal_of_a_record_covers_where_the_journal_ended(kept: Database) -> None:
    assert chain.COLUMNS[-1] == chain.BESIDE
    change(kept, "UPDATE decisions SET beside = NULL")
    assert places(verify(kept, KEY)) == [("decisions", 1, "record_changed")]


def test_a_database_of_before_ids_were_of_a_case_is_brought_up(empty_url: str) -> None:
    """Its events stay as they are, numbers and seals too, and are refused to be changed still."""
    before = Database(empty_url)
    with before.begin() as connection:
        command.upgrade(schema.configuration(connection), "0007")
        keep_base(connection)
    for number in (1, 2, 3):
        with before.begin() as connection:
            _insert_event(connection, number)
    with before.read() as connection:
        rows = connection.execute(select(tables.EVENTS).order_by(tables.EVENTS.c.seq)).all()
    before.close()
    database = Database.open(empty_url)
    with database.read() as connection:
        kept_rows = connection.execute(select(tables.EVENTS).order_by(tables.EVENTS.c.seq)).all()
    assert kept_rows == rows
    assert len(rows) == 3
    found = verify(database, KEY)
    assert (found.intact, found.rows, found.notes) == (True, 3, [])
    add_event(database, 4)
    with database.begin() as connection:
        body = {"other": True}
        made, new = events.append(connection, "other", "e1", "served", DAY, body, None, NOW)
    assert (new, made.seq) == (True, 5)
    for change in ("DELETE FROM events", "UPDATE events SET type = 'x'"):
        with pytest.raises(IntegrityError), database.begin() as connection:
            connection.execute(text(change))
    database.close()


def _insert_event(connection: Connection, number: int) -> None:
    """As it was recorded while ids were of the whole database."""
    entered = Journal(connection, KEY, later(number))
    row = {
        "id": f"e{number}",
        "case_key": CASE,
        "type": "served",
        "happened_on": DAY,
        "body": "{}",
        "corrects": "e1" if number > 1 else None,
        "recorded_at": later(number),
    }
    connection.execute(insert(tables.EVENTS).values(row).inline())
    made = connection.execute(select(tables.EVENTS.c.seq).where(tables.EVENTS.c.id == row["id"]))
    entered.add_row(journal.EVENT, {**row, "seq": made.scalar_one()}, CASE)


@pytest.mark.sqlite
def test_a_database_of_before_the_journal_is_brought_up(tmp_path: Path) -> None:
    """Its records verify as they did, its events are covered."""
    file = file_url(tmp_path / "records.db")
    engine = create_engine(file)
    with engine.begin() as connection:
        command.upgrade(schema.configuration(connection), "0005")
        connection.execute(
            text(
                "INSERT INTO events (id, case_key, type, happened_on, body, recorded_at)"
                " VALUES ('e1', 'c', 'served', '2026-01-01', '{}', '2026-01-02 03:04:05.000000')"
            )
        )
    engine.dispose()
    database = Database.open(file)
    assert [note.code for note in verify(database, KEY).notes] == ["rows_unvouched"]
    with database.begin() as connection:
        keep_base(connection)
    with database.begin() as connection:
        journal.begin(connection, KEY, NOW)
        record_whole(connection, 1)
    found = verify(database, KEY)
    assert (found.intact, found.rows, found.records, found.notes) == (True, 1, 1, [])
    database.close()
