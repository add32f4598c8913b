"""The ends of the chains: of decisions, and of the journal of everything else on record.

Both are added to under one lock. Each record names the end of the other chain as well, so
that a chain whose end was cut off is found by the next record of the other.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from sqlalchemy import Connection, Select, Table, func, select

from eligibility.errors import Problem, Text
from eligibility.records.database import RecordsError
from eligibility.records.seals import LogKey

APPENDING = 0x656C6F67
"""Number of PostgreSQL's advisory lock for adding to the log."""


class Link(NamedTuple):
    """The end of the chain: the number of the last record, and its seal. ``(0, None)``: empty."""

    seq: int
    hash: str | None

    def told(self) -> str | None:
        """As the other chain names it; None where there is no seal to name."""
        return None if self.hash is None else f"{self.seq}:{self.hash}"


def named(text: str) -> Link:
    """The link of :meth:`Link.told`. Raises :class:`ValueError`."""
    seq, _, hash = text.partition(":")
    return Link(int(seq), hash)


def lock(connection: Connection) -> None:
    """From here to the end of the transaction nobody else adds to a chain.

    It is the first lock that a transaction takes, before those of cases and rule bases, or
    two could wait for each other. SQLite needs none of this: it lets one transaction write at
    a time.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(APPENDING)))


def end(connection: Connection, table: Table) -> Link:
    """The end of a chain as it is stored."""
    row = connection.execute(_last_of(table)).first()
    return Link(0, None) if row is None else Link(row.seq, row.hash)


@cache
def _last_of(table: Table) -> Select[tuple[int, str | None]]:
    c = table.c
    return select(c.seq, c.hash).order_by(c.seq.desc()).limit(1)


def check(last: Link, key: LogKey | None) -> None:
    """Raises :class:`RecordsError` where a chain cannot go on with this key, or without."""
    if last.hash is None:
        return
    if key is None:
        raise RecordsError(_NO_KEY)
    if not key.made(last.hash):
        raise RecordsError(_OTHER_KEY)


_NO_KEY = Problem(
    "no_log_key",
    Text(
        "决定记录已用密钥封存，没有密钥不能续写",
        "the log of decisions is sealed with a key; without it nothing can be added",
    ),
)
_OTHER_KEY = Problem(
    "other_log_key",
    Text(
        "决定记录由另一密钥封存，请换回该密钥（ELIGIBILITY_LOG_KEY 或数据文件夹的 log.key）",
        "the log of decisions is sealed with another key; use that one"
        " (ELIGIBILITY_LOG_KEY, or log.key in the data folder)",
    ),
)
