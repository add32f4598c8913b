"""One request sent twice is one decision: keys that senders give their requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select

from eligibility.errors import Conflict, FactsError, Problem, Text
from eligibility.records.events import canonical_json
from eligibility.records.seals import text_digest
from eligibility.records.tables import IDEMPOTENCY

HEADER = "Idempotency-Key"
LONGEST = 200
PATTERN = rf"^[ -~]{{1,{LONGEST}}}$"

# Number of the space of PostgreSQL's advisory locks for keys.
_KEYS = 0x6B657973


class Once(NamedTuple):
    """A request to be carried out once: the key of its sender, and what the request says."""

    key: str
    request_hash: str


def once(key: str, request: Mapping[str, Any], caller: str | None = None) -> Once:
    """``request``: everything the answer depends on; its order and layout do not count.

    Every ``caller`` has keys of its own. Raises :class:`FactsError` (``bad_idempotency_key``).
    """
    if re.fullmatch(PATTERN, key) is None:
        said = Text(
            f"应为 1 至 {LONGEST} 个可打印的 ASCII 字符",
            f"expected 1 to {LONGEST} printable ASCII characters",
        )
        raise FactsError(Problem("bad_idempotency_key", said, HEADER))
    if caller is not None:
        key = f"{key}\n{caller}"  # no key holds a line break
    return Once(key, text_digest(canonical_json(request)))


def lock(connection: Connection, asked: Once) -> None:
    """Until the end of the transaction no other one passes here with the same key.

    To be taken before anything else is. SQLite lets one transaction write at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_KEYS, func.hashtext(asked.key))))


def decided(connection: Connection, asked: Once) -> str | None:
    """The id of the decision recorded for the key; None if there is none yet.

    Raises :class:`Conflict` (``idempotency_conflict``) if that was of another request.
    """
    c = IDEMPOTENCY.c
    row = connection.execute(
        select(c.request_hash, c.decision_id).where(c.key == asked.key)
    ).first()
    if row is None:
        return None
    if row.request_hash != asked.request_hash:
        said = Text(
            "此键已用于内容不同的请求，请换用新键",
            "the key was used for a request that says otherwise; use a new key",
        )
        raise Conflict(Problem("idempotency_conflict", said, HEADER))
    return str(row.decision_id)


def keep(connection: Connection, asked: Once, decision_id: str, now: datetime) -> None:
    """Remember the decision of a key, in the transaction that records it."""
    connection.execute(
        insert(IDEMPOTENCY)
        .values(
            key=asked.key, request_hash=asked.request_hash, decision_id=decision_id, made_at=now
        )
        .inline()
    )
