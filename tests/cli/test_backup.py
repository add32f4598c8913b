"""Back-ups: made while others write, verified, restored."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import stat
import tarfile
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from cli.conftest import Run
from eligibility.cli import run
from eligibility.records import schema
from eligibility.records.database import Database, file_url
from eligibility.records.tables import REVISION


@pytest.fixture(name="case")
def fixture_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ELIGIBILITY_DATA_DIR", str(tmp_path / "data"))
    path = tmp_path / "case.json"
    path.write_text('{"court_id": "low"}', "utf-8")
    return str(path)


def decided(cli: Run, case: str, times: int = 1) -> None:
    for _ in range(times):
        assert cli("decide", "--record", case).code == 0


def records(cli: Run, *options: str) -> int:
    done = cli("log", "verify", "--json", *options)
    assert done.code == 0, done
    return int(json.loads(done.out)["records"])


def test_what_was_backed_up_is_restored(cli: Run, case: str, tmp_path: Path) -> None:
    decided(cli, case, 3)
    file, other = tmp_path / "b.tar", str(tmp_path / "new" / "r.db")
    done = cli("backup", "-o", str(file))
    assert (done.code, "3 条" in done.out, "另处保存" in done.out) == (0, True, True)
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    with tarfile.open(file) as archive:
        assert archive.getnames() == ["manifest.json", "records.db"]
    assert cli("restore", str(file), "--database", other).code == 0
    assert records(cli, "--database", other) == 3
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["r.db"]


def test_records_are_not_overwritten_unless_asked(cli: Run, case: str, tmp_path: Path) -> None:
    decided(cli, case)
    file = tmp_path / "b.tar"
    assert cli("backup", "-o", str(file)).code == 0
    decided(cli, case, 2)
    assert cli("restore", str(file)).err.startswith("database_not_empty")
    assert records(cli) == 3
    done = cli("restore", str(file), "--force")
    assert done.code == 0, done
    assert records(cli) == 1
    (aside,) = (tmp_path / "data").glob("*.before-restore-*")
    assert records(cli, "--database", str(aside)) == 3


def test_a_database_in_use_is_not_replaced(cli: Run, case: str, tmp_path: Path) -> None:
    decided(cli, case)
    file = tmp_path / "b.tar"
    assert cli("backup", "-o", str(file)).code == 0
    with closing(sqlite3.connect(tmp_path / "data" / "eligibility.db")) as other:
        other.execute("SELECT count(*) FROM decisions").fetchone()
        done = cli("restore", str(file), "--force")
        assert done.err.startswith("database_in_use")
    assert not list((tmp_path / "data").glob("*restor*"))
    assert records(cli) == 1


def test_a_backup_while_others_write(cli: Run, case: str, tmp_path: Path) -> None:
    decided(cli, case)
    stop, failed = Event(), []

    def write() -> None:
        while not stop.is_set():
            failed.extend([code] if (code := run(["decide", "--record", case])) else [])

    writer = Thread(target=write)
    writer.start()
    try:
        made = [cli("backup", "-o", str(tmp_path / f"{n}.tar")) for n in range(5)]
    finally:
        stop.set()
        writer.join()
    assert [done.code for done in made] == [0] * 5
    assert failed == []
    for n in range(5):
        there = str(tmp_path / f"{n}.db")
        assert cli("restore", str(tmp_path / f"{n}.tar"), "--database", there).code == 0
        assert 1 <= records(cli, "--database", there) <= records(cli)


def test_the_key_comes_along_only_when_asked(
    cli: Run, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(cli, case)
    plain, whole = str(tmp_path / "plain.tar"), str(tmp_path / "whole.tar")
    assert cli("backup", "-o", plain).code == 0
    assert cli("backup", "-o", whole, "--with-key").code == 0
    monkeypatch.setenv("ELIGIBILITY_DATA_DIR", str(tmp_path / "elsewhere"))
    assert cli("restore", plain).err.startswith("no_log_key")
    assert cli("restore", whole).code == 0
    assert records(cli) == 1
    assert stat.S_IMODE(os.stat(tmp_path / "elsewhere" / "log.key").st_mode) == 0o600


def test_a_backup_that_was_altered_is_refused(cli: Run, case: str, tmp_path: Path) -> None:
    decided(cli, case, 2)
    file, inner = tmp_path / "b.tar", tmp_path / "inner"
    assert cli("backup", "-o", str(file)).code == 0
    with tarfile.open(file) as archive:
        archive.extractall(inner, filter="data")
    with closing(sqlite3.connect(inner / "records.db", isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER decisions_refuse_delete")
        connection.execute("DELETE FROM decisions WHERE seq = 2")
    with tarfile.open(file, "w") as archive:
        for path in sorted(inner.iterdir()):
            archive.add(path, path.name)
    done = cli("restore", str(file), "--database", str(tmp_path / "r.db"))
    assert done.err.startswith("backup_unsound")
    assert not (tmp_path / "r.db").exists()


def test_what_is_no_backup(cli: Run, case: str, tmp_path: Path) -> None:
    decided(cli, case)
    assert cli("restore", case).err.startswith("bad_backup")
    assert cli("restore", str(tmp_path / "none")).err.startswith("cannot_read")
    nowhere = str(tmp_path / "nowhere" / "b.tar")
    assert cli("backup", "-o", nowhere).err.startswith("cannot_write")


def test_what_cannot_be_written_is_one_line(cli: Run, case: str, tmp_path: Path) -> None:
    decided(cli, case)
    file, obstacle = tmp_path / "b.tar", tmp_path / "obstacle"
    assert cli("backup", "-o", str(file)).code == 0
    obstacle.write_text("a file, not a folder", "utf-8")
    done = cli("restore", str(file), "--database", str(obstacle / "r.db"))
    assert (done.code, done.err.startswith("cannot_write")) == (2, True), done
    assert done.err.count("\n") == 1


def test_what_was_there_is_kept_where_no_link_is_possible(
    cli: Run, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(cli, case)
    file = tmp_path / "b.tar"
    assert cli("backup", "-o", str(file)).code == 0
    decided(cli, case, 2)

    def refused(source: object, target: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", refused)
        done = cli("restore", str(file), "--force")
    assert done.code == 0, done
    assert records(cli) == 1
    (aside,) = (tmp_path / "data").glob("*.before-restore-*")
    assert stat.S_IMODE(os.stat(aside).st_mode) == 0o600
    assert records(cli, "--database", str(aside)) == 3


def test_an_older_schema_is_brought_to_the_newest_in_the_copy_alone(
    cli: Run, case: str, tmp_path: Path
) -> None:
    """The manifest says which schema is inside, and a restored one is the program's."""
    decided(cli, case)  # so that there is a key
    old, file, raw = tmp_path / "old.db", tmp_path / "b.tar", tmp_path / "raw.tar"
    previous = before_the_last_migration(old)
    assert cli("backup", "-o", str(file), "--database", str(old)).code == 0
    assert (manifest(file)["revision"], revision(old)) == (REVISION, previous)

    said = manifest(file) | {"revision": previous}
    (tmp_path / "manifest.json").write_text(json.dumps(said), "utf-8")
    with tarfile.open(raw, "w") as archive:
        archive.add(tmp_path / "manifest.json", "manifest.json")
        archive.add(old, "records.db")
    new = tmp_path / "new.db"
    done = cli("restore", str(raw), "--database", str(new))
    assert done.code == 0, done
    assert revision(new) == REVISION
    decided(cli, case)
    assert records(cli, "--database", str(new)) == 0


def manifest(file: Path) -> dict[str, object]:
    with tarfile.open(file) as archive:
        member = archive.extractfile("manifest.json")
        assert member is not None
        found: dict[str, object] = json.load(member)
        return found


def before_the_last_migration(file: Path) -> str:
    """Make an empty database as the version before this one left it; its revision."""
    script = ScriptDirectory.from_config(schema.configuration()).get_revision(REVISION)
    previous = script.down_revision
    assert isinstance(previous, str)
    database = Database(file_url(file))
    with database.begin() as connection:
        command.upgrade(schema.configuration(connection), previous)
    database.close()
    with closing(sqlite3.connect(file)) as file_alone:
        file_alone.execute("PRAGMA journal_mode=DELETE")
    return previous


def revision(file: Path) -> str | None:
    database = Database(file_url(file))
    try:
        return database.revision()
    finally:
        database.close()
