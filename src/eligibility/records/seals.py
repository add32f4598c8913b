"""Seals: what only the holder of the log key can write, and he can tell to be unaltered.

A seal is ``<id of the key>:<HMAC-SHA256>`` over a purpose and parts, each with its length, so
that no two lists of parts read alike and no seal of one kind passes for one of another.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from datetime import date, datetime
from hashlib import sha256

from eligibility.errors import MalformedInput, Problem, Text
from eligibility.records.tables import in_utc

SHORTEST_KEY = 32
"""Characters of a key: as hexadecimal digits, 128 bits."""

Part = str | bytes | int | date | None
"""What can be sealed. A point in time counts to the microsecond, in UTC."""

_ID_DIGITS = 8


class LogKey:
    """The secret that the log of decisions is sealed with; never shown, not even by ``repr``.

    ``id`` tells keys apart and gives nothing of them away.
    """

    def __init__(self, secret: str) -> None:
        """Raises :class:`MalformedInput` (``bad_log_key``) if it is too short to be a secret."""
        if len(secret) < SHORTEST_KEY:
            raise MalformedInput(
                Problem(
                    "bad_log_key",
                    Text(
                        f"记录密钥至少 {SHORTEST_KEY} 个字符",
                        f"the key of the log has at least {SHORTEST_KEY} characters",
                    ),
                )
            )
        self._secret = secret.encode()
        self.id = self._mac("eligibility log key", ())[:_ID_DIGITS]

    def __repr__(self) -> str:
        return f"LogKey({self.id})"

    def seal(self, purpose: str, *parts: Part) -> str:
        """The seal of these parts."""
        return f"{self.id}:{self._mac(purpose, parts)}"

    def fits(self, seal: str, purpose: str, *parts: Part) -> bool:
        """Whether this key sealed these parts."""
        return hmac.compare_digest(seal.encode(), self.seal(purpose, *parts).encode())

    def made(self, seal: str) -> bool:
        """Whether a seal says that it is of this key; not whether that is true."""
        return seal.startswith(f"{self.id}:")

    def _mac(self, purpose: str, parts: Iterable[Part]) -> str:
        framed = b"".join(_framed(part) for part in (purpose, *parts))
        return hmac.digest(self._secret, framed, "sha256").hex()


def text_digest(text: str) -> str:
    """``sha256:…`` of a text; for what needs no key."""
    return "sha256:" + sha256(text.encode()).hexdigest()


def _framed(part: Part) -> bytes:
    """One part with its length. # INVARIANT: different lists of parts differ when joined."""
    if part is None:
        return b"-"
    raw = part if isinstance(part, bytes) else _written(part).encode()
    return b"%d:%b" % (len(raw), raw)


def _written(part: str | int | date) -> str:
    """As SQLite stores it, so that what is read there as bytes needs no reading at all."""
    if isinstance(part, datetime):
        return in_utc(part).replace(tzinfo=None).isoformat(" ", "microseconds")
    return part.isoformat() if isinstance(part, date) else str(part)
