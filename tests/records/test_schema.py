"""The migrations make what the tables say, and what was recorded cannot be changed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from eligibility.records import activations, chain, events, idempotency, journal, schema
from eligibility.records.database import Database, RecordsError, file_url
from eligibility.records.tables import ADDED_TO_ONLY, METADATA, REVISION
from records.samples import CASE, DAY, KEY, NOW, record
from rulebase.rulebases import base_rulebase


def content(path: Path) -> list[str]:
    """Everything in a database, as statements."""
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_the_migrations_make_what_the_tables_say(database: Database) -> None:
    with database.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), METADATA)
        names = set(inspect(connection).get_table_names())
    assert differences == []
    assert names == {*METADATA.tables, "alembic_version"}


def test_the_revision_is_the_last_of_the_migrations() -> None:
    script = ScriptDirectory.from_config(schema.configuration())
    assert script.get_current_head() == REVISION
    assert script.get_bases() == ["0001"]


def test_opening_again_changes_nothing(database: Database, url: str, tmp_path: Path) -> None:
    before = content(tmp_path / "records.db")
    Database.open(url).close()
    with database.begin() as connection:
        schema.upgrade(connection)
    assert content(tmp_path / "records.db") == before
    assert any("CREATE TRIGGER" in line for line in before)


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE projections (a)")  # the last that the migration creates
    connection.close()
    before = content(path)
    with pytest.raises(RecordsError, match="already exists"):
        Database.open(file_url(path))
    assert content(path) == before


def test_a_database_of_a_newer_program_is_left_alone(
    database: Database, url: str, tmp_path: Path
) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = content(tmp_path / "records.db")
    with pytest.raises(RecordsError) as caught:
        Database.open(url)
    assert caught.value.code == "database_version"
    assert content(tmp_path / "records.db") == before


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE {table} SET rowid = rowid",
        "DELETE FROM {table}",
        "INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
        "UPDATE OR IGNORE {table} SET rowid = rowid",
    ],
)
@pytest.mark.parametrize("table", ADDED_TO_ONLY)
def test_recorded_rows_are_never_changed(
    database: Database, tmp_path: Path, table: str, change: str
) -> None:
    with database.begin() as connection:
        made = record(connection, log_key=KEY)
        chain.checkpoint(connection, KEY, NOW)
        idempotency.keep(connection, idempotency.once("k", {}), made, NOW)
        entered = journal.Journal(connection, KEY, NOW)
        events.append(connection, CASE, "e1", "served", DAY, {}, None, NOW, journal=entered)
        base = base_rulebase().digest
        activations.activate(connection, base, DAY, NOW, served=base, by="tester", log_key=KEY)
    before = content(tmp_path / "records.db")
    with pytest.raises(IntegrityError, match="never changed"), database.begin() as connection:
        connection.execute(text(change.format(table=table)))
    assert content(tmp_path / "records.db") == before


@pytest.mark.sqlite
def test_a_number_is_never_used_again(database: Database) -> None:
    with database.begin() as connection:
        record(connection)
        (table,) = connection.execute(
            text("SELECT sql FROM sqlite_master WHERE name = 'decisions'")
        ).scalars()
    assert "AUTOINCREMENT" in table


def test_a_decision_needs_its_rule_base(database: Database) -> None:
    with pytest.raises(IntegrityError), database.begin() as connection:
        record(connection, digest="sha256:none")
