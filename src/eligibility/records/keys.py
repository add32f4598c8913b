"""API keys: who may call the service, with which roles, for which courts.

A key is ``elg_<id>_<secret>``: the id names it in lists and logs, the secret is 256 random bits
and is shown once. Kept is its SHA-256 alone, which for a secret of that strength needs neither
salt nor stretching.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest

from sqlalchemy import Connection, RowMapping, insert, select, update

from eligibility.errors import Conflict, FactsError, NotFound, Problem, Text, nearest
from eligibility.records.names import LONGEST_NAME, unfit
from eligibility.records.tables import API_KEYS

PREFIX = "elg_"
ROLES = ("case_system", "policy_editor", "policy_approver", "reviewer", "auditor", "admin")

_SHAPE = re.compile(r"elg_([0-9a-f]{12})_([0-9a-f]{64})")
_NOBODY = sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret; ``courts`` None: not limited to any.

    Valid from ``created_at`` until ``expires_at`` (the first moment at which it no longer is)
    or ``revoked_at``.
    """

    id: str
    name: str
    roles: frozenset[str]
    courts: frozenset[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def state(self, now: datetime) -> str:
        """``valid``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"


def create(
    connection: Connection,
    name: str,
    roles: Collection[str],
    now: datetime,
    courts: Collection[str] | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A new key, and what its holder sends: the only time that it is known.

    ``courts``: ids of courts that it is limited to. Raises FactsError (``bad_key_name``,
    ``unknown_role``, ``key_expired_already``) and Conflict (``key_name_taken``): while a key
    is valid its name is that of one caller.
    """
    if not name.strip() or unfit(name) or len(name) > LONGEST_NAME:
        zh, en = f"名称应为 1 至 {LONGEST_NAME} 字", f"a name has 1 to {LONGEST_NAME} characters"
        raise FactsError(Problem("bad_key_name", Text(zh, en), "name"))
    check_roles(roles)
    if expires_at is not None and expires_at <= now:
        said = Text("到期日已过", "that day is over")
        raise FactsError(Problem("key_expired_already", said, "expires"))
    if any(key.name == name and key.state(now) == "valid" for key in every(connection)):
        said = Text(f"已有名为“{name}”的有效密钥", f"a valid key has the name '{name}'")
        raise Conflict(Problem("key_name_taken", said, "name"))
    identity, secret = secrets.token_hex(6), secrets.token_hex(32)
    limited = None if courts is None else frozenset(courts)
    made = ApiKey(identity, name, frozenset(roles), limited, now, expires_at, None)
    values = {
        "id": made.id,
        "name": made.name,
        "hash": _hash(secret),
        "roles": json.dumps(sorted(made.roles)),
        "courts": None if limited is None else json.dumps(sorted(limited), ensure_ascii=False),
        "created_at": now,
        "expires_at": expires_at,
    }
    connection.execute(insert(API_KEYS).values(values))
    return made, f"{PREFIX}{identity}_{secret}"


def check_roles(roles: Collection[str]) -> None:
    """Raises FactsError (``unknown_role``, ``missing_field``)."""
    if not roles:
        said = Text("须写明至少一个角色", "name at least one role")
        raise FactsError(Problem("missing_field", said, "role", allowed=ROLES))
    for role in roles:
        if role not in ROLES:
            shown = role[:80]
            said = Text(f"没有角色“{shown}”", f"there is no role '{shown}'")
            hint = nearest(shown, ROLES)
            raise FactsError(Problem("unknown_role", said, "role", hint=hint, allowed=ROLES))


def presented(connection: Connection, text: str) -> ApiKey | None:
    """The key that was sent, whatever its state; None if it is none of ours."""
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        return None
    row = _row(connection, shape[1])
    right = compare_digest(_hash(shape[2]), _NOBODY if row is None else row["hash"])
    return _key(row) if right and row is not None else None


def every(connection: Connection) -> list[ApiKey]:
    """All keys, also those no longer valid, first to last."""
    c = API_KEYS.c
    rows = connection.execute(select(API_KEYS).order_by(c.created_at, c.id)).mappings()
    return [_key(row) for row in rows]


def revoke(connection: Connection, key_id: str, now: datetime) -> ApiKey:
    """The key, from now on refused; again changes nothing. Raises NotFound (``unknown_key_id``)."""
    if _row(connection, key_id) is None:
        shown = key_id[:80]
        said = Text(f"没有密钥“{shown}”", f"there is no key '{shown}'")
        raise NotFound(Problem("unknown_key_id", said, "id"))
    c = API_KEYS.c
    valid = (c.id == key_id) & c.revoked_at.is_(None)
    connection.execute(update(API_KEYS).where(valid).values(revoked_at=now))
    row = _row(connection, key_id)
    assert row is not None  # keys are never deleted
    return _key(row)


def _row(connection: Connection, key_id: str) -> RowMapping | None:
    return connection.execute(select(API_KEYS).where(API_KEYS.c.id == key_id)).mappings().first()


def _key(row: RowMapping) -> ApiKey:
    return ApiKey(
        id=row["id"],
        name=row["name"],
        roles=frozenset(json.loads(row["roles"])),
        courts=None if row["courts"] is None else frozenset(json.loads(row["courts"])),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )


def _hash(secret: str) -> str:
    return sha256(secret.encode("ascii")).hexdigest()
