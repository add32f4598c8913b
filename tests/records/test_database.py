"""Durability, failures and many users at once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import Connection, func, insert, select, text

from eligibility.errors import NotFound
from eligibility.records import database as module
from eligibility.records import decisions
from eligibility.records.database import Database, RecordsError, file_url, insert_all, lock_case
from eligibility.records.tables import DECISIONS, DUTIES, PROJECTIONS
from records.samples import NOW, keep_base, record

CHINA = timezone(timedelta(hours=8))


class Undone(Exception):
    """Ends a transaction of which nothing is to be kept."""


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(DECISIONS)).scalar_one()


def refused(act: Callable[[], object], code: str = "database_unavailable") -> str:
    """What a failure says, on one line."""
    with pytest.raises(RecordsError) as caught:
        act()
    (problem,) = caught.value.problems
    assert problem.code == code
    assert caught.value.status == 503
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.sqlite
@pytest.mark.parametrize("way", ["begin", "read"])
def test_every_connection_is_durable(database: Database, way: str) -> None:
    with getattr(database, way)() as connection:
        found = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "busy_timeout": module.PATIENCE * 1000,
    }


@pytest.mark.sqlite
def test_rows_that_are_inserted_plainly_are_stored_as_sqlalchemy_stores_them(
    database: Database,
) -> None:
    row = {
        "id": "d1",
        "case_key": "（2026）粤01执1号",
        "case_no": None,
        "rule": "XQ-01",
        "duty": "urge",
        "role": "court",
        "court_id": "c",
        "starts_on": date(2026, 7, 1),
        "due": None,
        "done_on": date(1999, 12, 31),
        "ended_on": None,
        "lapses_on": None,
        "moving": True,
        "decision_id": "x",
        "body": '{"zh": "義務"}',
    }
    mark = {"case_key": "k", "projected_at": datetime(2026, 7, 1, 8, 30, 0, 5, CHINA), "digest": ""}
    stored = []
    for plainly in (True, False):
        with suppress(Undone), database.begin() as connection:
            for table, values in ((DUTIES, row), (PROJECTIONS, mark)):
                if plainly:
                    insert_all(connection, table, [values])
                else:
                    connection.execute(insert(table), [values])
                columns = ", ".join(f"{name}, typeof({name})" for name in values)
                found = connection.execute(text(f"SELECT {columns} FROM {table.name}"))
                stored.append(tuple(found.one()))
            raise Undone
    assert stored[:2] == stored[2:]
    assert stored[0][14:16] == ("2026-07-01", "text")


def test_a_file_that_was_not_in_wal_mode_is_put_in_it(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE other (a)")
    connection.close()
    database = Database.open(file_url(path))
    with database.read() as opened:
        assert opened.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
    database.close()


def test_a_transaction_is_kept_whole_or_not_at_all(database: Database) -> None:
    def stop_halfway() -> None:
        with database.begin() as connection:
            record(connection)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stop_halfway()
    with database.read() as connection:
        assert count(connection) == 0


@pytest.mark.sqlite
def test_a_write_transaction_holds_the_lock_from_its_beginning(
    database: Database, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    other = Database(url)
    with database.begin():
        assert "locked" in refused(lambda: other.begin().__enter__())
    other.close()


def test_reading_sees_one_state_while_others_write(database: Database) -> None:
    with database.read() as reading:
        assert count(reading) == 0
        with database.begin() as writing:
            record(writing)
        assert count(reading) == 0
    with database.read() as reading:
        assert count(reading) == 1


def test_what_is_written_while_reading_is_not_kept(database: Database) -> None:
    with suppress(RecordsError), database.read() as connection:  # PostgreSQL refuses at once
        record(connection)
    with database.read() as connection:
        assert count(connection) == 0


def test_threads_write_at_once_and_nothing_is_lost(database: Database) -> None:
    def write(thread: int) -> list[str]:
        ids = []
        for i in range(20):
            with database.begin() as connection:
                lock_case(connection, f"case {thread}")
                ids.append(record(connection, case_no=f"case {thread}", body=f"{thread}.{i}"))
        return ids

    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(write, range(8)))
    with database.read() as connection:
        for thread, ids in enumerate(written):
            found = decisions.of_case(connection, f"case {thread}")
            assert [one.id for one in found] == ids
            assert [one.body for one in found] == [f"{thread}.{i}" for i in range(20)]
            assert [one.seq for one in found] == sorted({one.seq for one in found})
        assert count(connection) == 160


OPEN = """
import sys
from eligibility.records.database import Database
from eligibility.records import schema
print("ready", flush=True)
sys.stdin.readline()
for url in sys.argv[1:]:
    Database.open(url).close()
"""


def test_processes_open_a_new_database_at_once(tmp_path: Path) -> None:
    urls = [file_url(tmp_path / f"{i}" / "records.db") for i in range(10)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, *urls],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # communicate() would wait for each in turn
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]
    assert ends == [("", 0)] * 3
    for url in urls:
        database = Database.open(url)
        with database.begin() as connection:
            keep_base(connection)
            record(connection)
        database.close()


def test_threads_open_new_databases_at_once(tmp_path: Path) -> None:
    urls = [file_url(tmp_path / f"{i // 2}.db") for i in range(8)]
    barrier = Barrier(len(urls))

    def open_one(url: str) -> None:
        barrier.wait()
        Database.open(url).close()

    with ThreadPoolExecutor(len(urls)) as pool:
        list(pool.map(open_one, urls))


RECORD_UNTIL_KILLED = """
import sys
from records.samples import record
from eligibility.records.database import Database
database = Database.open(sys.argv[1])
for i in range(100_000):
    with database.begin() as connection:
        made = record(connection, body=str(i) * 100)
    print(made, i, flush=True)
"""


def test_a_killed_process_loses_nothing_that_it_acknowledged(database: Database, url: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", RECORD_UNTIL_KILLED, url],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        cwd=Path(__file__).resolve().parent.parent,
        env={"PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(40)]
    process.kill()
    lines += process.stdout.read().splitlines()
    process.wait()
    process.stdout.close()
    acknowledged = [line.split() for line in lines if line.count(" ") == 1]
    assert len(acknowledged) >= 40
    with database.read() as connection:
        for made, i in acknowledged:
            assert decisions.find(connection, made).body == i * 100
        if connection.dialect.name == "sqlite":
            assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "一 层" / "b?#%" / "records.db"
    Database.open(file_url(path)).close()
    assert path.is_file()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "records.db"
    assert str(path) in refused(lambda: Database.open(file_url(path)))


def test_a_file_that_is_read_only(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    Database.open(file_url(path)).close()
    said = refused(lambda: Database.open(f"sqlite:///file:{path}?mode=ro&uri=true"))
    assert "readonly" in said


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    path.write_text("案号,结论\n" * 1000, "utf-8")
    refused(lambda: Database.open(file_url(path)))
    assert path.read_text("utf-8") == "案号,结论\n" * 1000


@pytest.mark.sqlite
def test_a_disk_that_is_full(database: Database) -> None:
    with database.begin() as connection:
        first = record(connection)

    def fill() -> None:
        with database.begin() as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
            connection.execute(text(f"PRAGMA max_page_count={pages + 2}"))
            record(connection, body="x" * 1_000_000)

    assert "full" in refused(fill)
    with database.read() as connection:
        assert count(connection) == 1
        assert decisions.find(connection, first).body == '{"outcome": "eligible"}'


@pytest.mark.sqlite
def test_a_database_that_another_program_locks(
    url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.close()
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    other = sqlite3.connect(url.removeprefix("sqlite:///"))
    other.execute("BEGIN IMMEDIATE")
    assert "locked" in refused(lambda: Database.open(url))
    other.rollback()
    other.close()
    Database.open(url).close()


@pytest.mark.sqlite
def test_a_transaction_within_a_transaction_is_no_deadlock(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    with database.begin():
        assert "locked" in refused(lambda: database.begin().__enter__())
    with database.begin() as connection:
        record(connection)


def test_errors_of_ours_pass_through(database: Database) -> None:
    with pytest.raises(NotFound), database.begin() as connection:
        decisions.find(connection, "nothing")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "records.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "mysql://a:geheim@host/x",
        "postgresql+asyncpg://a:geheim@host/x",
        "postgresql://a:geheim@host:port/x",
    ],
)
def test_a_url_that_cannot_be_used(url: str) -> None:
    assert "geheim" not in refused(lambda: Database.open(url), "bad_database_url")


@pytest.mark.parametrize("url", ["//u:geheim@127.0.0.1:1/x", "//127.0.0.1:1/x?password=geheim"])
def test_a_failure_holds_no_password(url: str) -> None:
    with pytest.raises(RecordsError) as caught:  # no driver, or no server
        Database.open(f"postgresql:{url}")
    assert caught.value.code in {"not_installed", "database_unavailable"}
    assert "geheim" not in str(caught.value)


def test_a_failure_of_a_statement_holds_no_fact(database: Database) -> None:
    def alter() -> None:
        with database.begin() as connection:
            connection.execute(text("DROP TABLE duties"))
            connection.execute(text("INSERT INTO duties (id) VALUES (:id)"), {"id": "张三"})

    said = refused(alter)
    assert "张三" not in said
    with pytest.raises(RecordsError) as caught:
        alter()
    assert "张三" not in str(caught.value.__cause__)


def test_times_need_a_zone(database: Database) -> None:
    with pytest.raises(ValueError, match="zone"), database.begin() as connection:
        record(connection, now=NOW.replace(tzinfo=None))
