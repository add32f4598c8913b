"""A database of its own for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eligibility.records.database import Database, file_url
from records.samples import keep_base


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
