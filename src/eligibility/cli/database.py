"""Where decisions, events and duties are kept, for the commands that use them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

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


def follow_ups(database: str | None, rules: str | None) -> FollowUps:
    """The records in the database asked for, with the rule base asked for."""
    from eligibility.decision.decide import Decider
    from eligibility.records.database import Database
    from eligibility.records.follow_up import FollowUps
    from eligibility.records.seals import LogKey
    from eligibility.rulebase.loader import load
    from eligibility.rulefiles import read_texts, rules_folder
    from eligibility.settings import log_secret, read_settings

    settings = read_settings(database_url=database)
    texts = read_texts(rules_folder(rules))
    opened = Database.open(url_of(settings))
    return FollowUps(opened, Decider(load(texts)), texts, LogKey(log_secret(settings)))


def url_of(settings: Settings) -> str:
    """The URL of the database asked for, which may be given as the path of a file."""
    from eligibility.records.database import file_url

    url = settings.database_url or file_url(f"{settings.data_dir}/eligibility.db")
    return url if "://" in url else file_url(url)


def moment() -> datetime:
    """Now, in UTC; read here and handed down."""
    return datetime.now(UTC)
