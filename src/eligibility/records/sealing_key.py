"""The sealing key: what the keys of the cases are kept under, and those keys themselves.

Every case has a data key of its own (AES-256-GCM). The database holds it wrapped by the sealing
key, which the database never holds. Who deletes the wrapped key shreds what it sealed.
"""

from __future__ import annotations

import hmac
import os
import zlib
from base64 import b64decode, b64encode
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from eligibility.errors import MalformedInput, Problem, Text

SHORTEST_KEY = 32
PREFIX = "sealed:1:"
"""What a sealed text begins with; then the id of its data key, and nonce with ciphertext."""

_NONCE = 12  # bytes, as NIST SP 800-38D recommends; random, as a data key seals few texts
_KEY = 32
_ID_DIGITS = 8
_FAST = 1
_SHORT = 4096  # bytes; below, compressing takes longer than writing what it saves
_PLAIN, _DEFLATED = b"t", b"z"
_OTHERWISE = "not sealed so by this key"


class SealingKey:
    """The secret over the data keys; never shown, not even by ``repr``."""

    def __init__(self, secret: str) -> None:
        """Raises :class:`MalformedInput` (``bad_sealing_key``) if it is too short for a secret."""
        if len(secret) < SHORTEST_KEY:
            zh = f"封存密钥至少 {SHORTEST_KEY} 个字符"
            en = f"the sealing key has at least {SHORTEST_KEY} characters"
            raise MalformedInput(Problem("bad_sealing_key", Text(zh, en)))
        self._cipher = AESGCM(_derived(secret, b"eligibility wrapping of data keys 1"))
        self.id = _derived(secret, b"eligibility id of a sealing key").hex()[:_ID_DIGITS]

    def __repr__(self) -> str:
        return f"SealingKey({self.id})"

    def wrap(self, data: DataKey, case_key: str) -> str:
        """A data key as it is kept, bound to its id and its case."""
        nonce = os.urandom(_NONCE)
        sealed = self._cipher.encrypt(nonce, data.secret, _bound(data.id, case_key))
        return b64encode(nonce + sealed).decode()

    def unwrap(self, wrapped: str, key_id: str, case_key: str) -> DataKey:
        """Raises :class:`ValueError` where this key did not wrap it so."""
        try:
            raw = b64decode(wrapped, validate=True)
            secret = self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], _bound(key_id, case_key))
        except (InvalidTag, ValueError) as error:
            raise ValueError(_OTHERWISE) from error
        return DataKey(key_id, secret)


class DataKey(NamedTuple):
    """The key of a case. ``id`` is random, and in every text that it sealed."""

    id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"DataKey({self.id})"

    def seal(self, place: str, packed: bytes) -> str:
        """A text (:func:`packed`), bound to the ``place`` where it is kept."""
        nonce = os.urandom(_NONCE)
        sealed = AESGCM(self.secret).encrypt(nonce, packed, place.encode())
        return f"{PREFIX}{self.id}:{b64encode(nonce + sealed).decode()}"

    def open(self, place: str, sealed: str) -> str:
        """The text. Raises :class:`ValueError` where this key did not seal it for this place."""
        try:
            raw = b64decode(sealed.rpartition(":")[2], validate=True)
            found = AESGCM(self.secret).decrypt(raw[:_NONCE], raw[_NONCE:], place.encode())
            return _unpacked(found)
        except (InvalidTag, zlib.error, ValueError) as error:
            raise ValueError(_OTHERWISE) from error


def new_data_key() -> DataKey:
    return DataKey(os.urandom(8).hex(), AESGCM.generate_key(_KEY * 8))


def packed(text: str) -> bytes:
    """A text as it is sealed: a long one compressed, for what is sealed can be no more."""
    raw = text.encode()
    return _PLAIN + raw if len(raw) < _SHORT else _DEFLATED + zlib.compress(raw, _FAST)


def _unpacked(raw: bytes) -> str:
    return (raw[1:] if raw[:1] == _PLAIN else zlib.decompress(raw[1:])).decode()


def key_id_of(text: str | None) -> str | None:
    """The id of the data key that a text is sealed with; None of a text that is not sealed."""
    if text is None or not text.startswith(PREFIX):
        return None
    return text.removeprefix(PREFIX).partition(":")[0]


def _derived(secret: str, purpose: bytes) -> bytes:
    return hmac.digest(secret.encode(), purpose, "sha256")


def _bound(key_id: str, case_key: str) -> bytes:
    return f"eligibility data key 1\n{key_id}\n{case_key}".encode()
