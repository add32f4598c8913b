"""Where decisions, events and duties are kept, for the commands that use them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from eligibility.cli.output import refuse

if TYPE_CHECKING:
    from eligibility.records.follow_up import FollowUps
    from eligibility.settings import Settings

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="数据库 / database (else ELIGIBILITY_DATABASE_URL, else a file in the data folder)",
    ),
]


def follow_ups(database: str | None, rules: str | None, reading: bool = False) -> FollowUps:
    """The records in the database asked for, with the rule base asked for.

    A file that does not exist is made, but not for a command that is only ``reading``: it
    would say of a misspelt name that nothing is on record. Raises MalformedInput
    (``no_database``).
    """
    from eligibility.decision.decide import Decider
    from eligibility.records.database import Database, RecordsError
    from eligibility.records.follow_up import FollowUps
    from eligibility.records.seals import LogKey
    from eligibility.records.vault import vault_of
    from eligibility.rulebase.loader import load
    from eligibility.rulefiles import read_texts, rules_folder
    from eligibility.settings import log_secret, read_settings

    settings = read_settings(database_url=database)
    url = url_of(settings)
    if reading:
        check_there(url)
    texts = read_texts(rules_folder(rules))
    opened = Database.open(url)
    key, vault = LogKey(log_secret(settings)), vault_of(settings.sealing_key)
    try:
        with opened.read() as connection:
            vault.check(connection)
    except RecordsError:
        opened.close()
        raise
    return FollowUps(opened, Decider(load(texts)), texts, key, vault)


def check_there(url: str) -> None:
    """Refuse (``no_database``) a database that is a file and does not exist."""
    from eligibility.records.database import Database

    named = Database(url)  # connects to nothing
    named.close()
    if named.file is not None and not named.file.exists():
        zh = "没有这个数据库文件；核对 --database 或 ELIGIBILITY_DATABASE_URL"
        en = "there is no such database file; check --database or ELIGIBILITY_DATABASE_URL"
        refuse("no_database", zh, en, str(named.file))


def url_of(settings: Settings) -> str:
    """The URL of the database asked for, which may be given as the path of a file."""
    from eligibility.records.database import file_url

    url = settings.database_url or file_url(f"{settings.data_dir}/eligibility.db")
    return url if "://" in url else file_url(url)


def moment() -> datetime:
    """Now, in UTC; read here and handed down."""
    return datetime.now(UTC)
