"""A database of its own for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eligibility.records import decisions
from eligibility.records.database import Database, file_url
from eligibility.records.rulebases import Library
from records.samples import KEY, keep_base
from records.tampering import COUNT, record_whole


@pytest.fixture(name="url")
def fixture_url(tmp_path: Path) -> str:
    return file_url(tmp_path / "records.db")


@pytest.fixture(name="database")
def fixture_database(url: str) -> Iterator[Database]:
    """Holds the small rule base and nothing else."""
    database = Database.open(url)
    with database.begin() as connection:
        keep_base(connection)
    yield database
    database.close()


@pytest.fixture(name="log")
def fixture_log(database: Database) -> Database:
    """Twelve records, each in a transaction of its own."""
    for number in range(1, COUNT + 1):
        with database.begin() as connection:
            earlier = decisions.search(connection, limit=1)
            follows = earlier[0].id if number == 5 else None
            record_whole(connection, number, follows=follows)
    return database


@pytest.fixture(name="library")
def fixture_library(database: Database) -> Library:
    return Library(database, KEY)
