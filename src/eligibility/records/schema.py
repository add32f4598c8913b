"""The schema of a database, brought to the newest revision by the migrations of the package.

Apart from :mod:`eligibility.records.database` because alembic takes a fifth of a second to
import, which only a database that is not yet at :data:`~eligibility.records.tables.REVISION`
needs.
"""

from __future__ import annotations

from threading import Lock

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

# alembic keeps the migration that runs in the variables of a module.
_one_at_a_time = Lock()


class UnknownRevision(Exception):
    """The database is at a revision that this program does not have: a newer one made it."""


def configuration(connection: Connection | None = None) -> Config:
    """What alembic needs to find the migrations and, to run them, a connection."""
    config = Config()
    config.set_main_option("script_location", "eligibility.records:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """Run the migrations that the database lacks, in the transaction that is open."""
    with _one_at_a_time:
        try:
            command.upgrade(configuration(connection), "head")
        except CommandError as error:
            raise UnknownRevision(str(error)) from error
