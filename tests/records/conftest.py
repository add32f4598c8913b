"""A database of its own for every test: a SQLite file, and a database of a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import signature
from pathlib import Path

import pytest

from eligibility.records import decisions
from eligibility.records.database import Database, file_url
from eligibility.records.rulebases import Library
from records import postgres
from records.samples import KEY, keep_base
from records.tampering import COUNT, record_whole

DIALECTS = ("sqlite", "postgresql")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """On both databases, but what is about the file: who asks for its folder opens it."""
    if "dialect" not in metafunc.fixturenames:
        return
    about_file = "tmp_path" in signature(metafunc.function).parameters
    only = about_file or metafunc.definition.get_closest_marker("sqlite")
    metafunc.parametrize("dialect", DIALECTS[:1] if only else DIALECTS, scope="session")


@pytest.fixture(name="server", scope="session")
def fixture_server() -> Iterator[postgres.Server]:
    """One for all tests of a process, with a database that every new one is a copy of."""
    with postgres.running() as made:
        made.execute(f"CREATE DATABASE {postgres.TEMPLATE}")
        Database.open(made.url_of(postgres.TEMPLATE)).close()
        yield made


@pytest.fixture(name="url")
def fixture_url(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    if dialect == "sqlite":
        yield file_url(tmp_path / "records.db")
        return
    server: postgres.Server = request.getfixturevalue("server")
    name = server.database(postgres.TEMPLATE)
    yield server.url_of(name)
    server.drop(name)


@pytest.fixture(name="empty_url")
def fixture_empty_url(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A database that no migration has run in."""
    if dialect == "sqlite":
        return file_url(tmp_path / "records.db")
    server: postgres.Server = request.getfixturevalue("server")
    return server.url_of(server.database())


@pytest.fixture(name="shared", scope="module", params=DIALECTS)
def fixture_shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """For tests that keep nothing in it; holds the small rule base."""
    if request.param == "sqlite":
        url = file_url(tmp_path_factory.mktemp("shared") / "records.db")
    else:
        server: postgres.Server = request.getfixturevalue("server")
        url = server.url_of(server.database(postgres.TEMPLATE))
    database = Database.open(url)
    with database.begin() as connection:
        keep_base(connection)
    yield database
    database.close()


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
