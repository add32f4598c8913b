"""One request sent twice is one decision: keys that senders give their requests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select

from eligibility.errors import Conflict, FactsError, Problem, Text
from eligibility.records.events import canonical_json
from eligibility.records.seals import text_digest
from eligibility.records.tables import DECISIONS, IDEMPOTENCY

HEADER = "Idempotency-Key"
LONGEST = 200
PATTERN = rf"^[ -~]{{1,{LONGEST}}}$"


class Once(NamedTuple):
    """A request to be carried out once: the key of its sender, and what the request says."""

    key: str
    request_hash: str


def check_key(key: str | None) -> None:
    """Raises :class:`FactsError` (``bad_idempotency_key``) for what cannot be a key."""
    if key is None or re.fullmatch(PATTERN, key):
        return
    said = Text(
        f"应为 1 至 {LONGEST} 个可打印的 ASCII 字符",
        f"expected 1 to {LONGEST} printable ASCII characters",
    )
    raise FactsError(Problem("bad_idempotency_key", said, HEADER))


def once(key: str, request: Mapping[str, Any], caller: str | None = None) -> Once:
    """``request``: everything the answer depends on; its order and layout do not count.

    Every ``caller`` has keys of its own. Raises :class:`FactsError` (``bad_idempotency_key``).
    """
    check_key(key)
    if caller is not None:
        key = f"{key}\n{caller}"  # no key holds a line break
    return Once(key, text_digest(canonical_json(request)))


def decided(connection: Connection, asked: Once, opened: Callable[[str, str], str]) -> str | None:
    """The id of the decision recorded for the key; None if there is none yet.

    ``opened`` opens what is kept at a place. Raises :class:`Conflict`
    (``idempotency_conflict``) if that was of another request, and what ``opened`` raises.
    """
    c = IDEMPOTENCY.c
    found = connection.execute(
        select(c.request_hash, c.decision_id).where(c.key == asked.key)
    ).first()
    if found is None:
        return None
    check(asked, opened(place(found.decision_id), found.request_hash))
    return str(found.decision_id)


def answers(connection: Connection, keys: Iterable[str]) -> dict[str, tuple[str, str, str]]:
    """By key: the hash of the request, the id and the body of the decision recorded for it.

    As they are kept: hash and body may be sealed.
    """
    c = IDEMPOTENCY.c
    found = (
        select(c.key, c.request_hash, DECISIONS.c.id, DECISIONS.c.body)
        .join(DECISIONS, DECISIONS.c.id == c.decision_id)
        .where(c.key.in_(list(keys)))
    )
    return {key: (hash, id, body) for key, hash, id, body in connection.execute(found)}


def place(decision_id: str) -> str:
    """Where the hash of a request is kept, for sealing: facts could be guessed by it."""
    return f"idempotency.request_hash:{decision_id}"


def check(asked: Once, request_hash: str) -> None:
    """Raises :class:`Conflict` (``idempotency_conflict``) if the key was of another request."""
    if request_hash != asked.request_hash:
        said = Text(
            "此键已用于内容不同的请求，请换用新键",
            "the key was used for a request that says otherwise; use a new key",
        )
        raise Conflict(Problem("idempotency_conflict", said, HEADER))


def row(asked: Once, decision_id: str, now: datetime) -> dict[str, Any]:
    """What remembers the decision of a key."""
    return {
        "key": asked.key,
        "request_hash": asked.request_hash,
        "decision_id": decision_id,
        "made_at": now,
    }


def keep(connection: Connection, asked: Once, decision_id: str, now: datetime) -> None:
    """Remember the decision of a key, in the transaction that records it."""
    connection.execute(insert(IDEMPOTENCY).values(row(asked, decision_id, now)).inline())
