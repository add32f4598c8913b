"""Personal data on record: sealed by the data key of its case, and opened while that is there.

Without a sealing key nothing is sealed, and what is sealed cannot be opened. A data key that
is gone was shredded where the journal says so; else it is lost, which is another thing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from eligibility.errors import EligibilityError, Problem, Text
from eligibility.records.database import RecordsError
from eligibility.records.decisions import Recorded
from eligibility.records.events import StoredEvent
from eligibility.records.journal import SHREDDING
from eligibility.records.sealing_key import (
    DataKey,
    SealingKey,
    key_id_of,
    new_data_key,
    packed,
)
from eligibility.records.tables import CASE_KEYS, JOURNAL

SEALED = ("request", "body", "findings")
"""Columns of a decision that hold what was said of the case and what was found."""

_AT_ONCE = 500


class Shredded(EligibilityError):
    """What was asked for is on record, and its content was destroyed."""

    status = 410


class Unreadable(EligibilityError):
    """What is on record is sealed, and cannot be opened here."""

    status = 503


class Vault:
    """Seals and opens with the data keys of a database; may be shared by threads.

    Keys are looked up in the transaction that reads, never remembered: from the moment that
    one is shredded, nothing that it sealed can be read.
    """

    def __init__(self, key: SealingKey | None = None) -> None:
        self.key = key

    def check(self, connection: Connection) -> None:
        """Raises :class:`RecordsError` where data keys are there that this key did not wrap."""
        wrapped_by = CASE_KEYS.c.wrapped_by
        foreign = select(wrapped_by).where(wrapped_by != (self.key.id if self.key else ""))
        if connection.execute(foreign.limit(1)).first() is not None:
            raise RecordsError(_OTHER_KEY if self.key else _NO_KEY)

    def keys_of(self, connection: Connection, cases: Collection[str]) -> dict[str, DataKey]:
        """The data keys that cases have. Raises :class:`Unreadable`."""
        if self.key is None or not cases:
            return {}
        found = select(CASE_KEYS).where(CASE_KEYS.c.case_key.in_(sorted(cases)))
        rows = connection.execute(found).mappings()
        return {row["case_key"]: self.unwrapped(row) for row in rows}

    def new_key(self, case_key: str, now: datetime) -> tuple[DataKey, dict[str, Any]]:
        """A data key for a case that has none, and its row. A sealing key is there."""
        assert self.key is not None
        made = new_data_key()
        row = {
            "id": made.id,
            "case_key": case_key,
            "wrapped": self.key.wrap(made, case_key),
            "wrapped_by": self.key.id,
            "made_at": now,
        }
        return made, row

    def key_for(self, connection: Connection, case_key: str, now: datetime) -> DataKey | None:
        """The data key of a case, made where there is none; None where nothing is sealed."""
        if self.key is None:
            return None
        found = self.keys_of(connection, [case_key]).get(case_key)
        if found is None:
            found, row = self.new_key(case_key, now)
            connection.execute(insert(CASE_KEYS).values(row).inline())
        return found

    def unwrapped(self, row: Any) -> DataKey:
        """The data key of a row. Raises :class:`Unreadable`."""
        if self.key is None:
            raise Unreadable(_NO_KEY)
        if row["wrapped_by"] != self.key.id:
            raise Unreadable(_OTHER_KEY)
        try:
            return self.key.unwrap(row["wrapped"], row["id"], row["case_key"])
        except ValueError as error:
            raise Unreadable(_damaged(row["id"])) from error

    def reader(self, connection: Connection) -> Reader:
        """Opens what one transaction reads."""
        return Reader(self, connection)


def vault_of(secret: str | None) -> Vault:
    """The vault of a sealing key, where one is set. Raises MalformedInput."""
    return Vault(None if secret is None else SealingKey(secret))


class Reader:
    """Opens sealed texts in one transaction; keys that it looked up serve to its end."""

    def __init__(self, vault: Vault, connection: Connection) -> None:
        self._vault = vault
        self._connection = connection
        self._keys: dict[str, DataKey] = {}
        self._shredded: set[str] = set()

    def text(self, place: str, text: str) -> str:
        """A text as it was before it was sealed; one that is not sealed as it is.

        Raises :class:`Shredded`, :class:`Unreadable`.
        """
        key_id = key_id_of(text)
        if key_id is None:
            return text
        if not self._at_hand([key_id])[key_id]:
            raise shredded()
        try:
            return self._keys[key_id].open(place, text)
        except ValueError as error:
            raise Unreadable(_damaged(key_id)) from error

    def decision(self, recorded: Recorded) -> Recorded:
        """A decision opened. Raises :class:`Shredded`, :class:`Unreadable`."""
        if key_id_of(recorded.body) is None:
            return recorded
        values: dict[str, Any] = {
            name: self.text(f"decisions.{name}:{recorded.id}", value)
            for name in SEALED
            if (value := getattr(recorded, name)) is not None
        }
        return replace(recorded, **values)

    def decisions(self, found: Sequence[Recorded]) -> list[Recorded]:
        """Decisions opened; those that were shredded stay sealed (:func:`is_sealed`)."""
        hold = self._at_hand(key_id_of(made.body) for made in found)
        return [self.decision(d) if _open(hold, d.body) else d for d in found]

    def events(self, found: Sequence[StoredEvent]) -> list[StoredEvent]:
        """Events opened, without those that were shredded."""
        hold = self._at_hand(key_id_of(event.body) for event in found)
        return [
            replace(event, body=self.text(f"events.body:{event.id}", event.body))
            for event in found
            if _open(hold, event.body)
        ]

    def _at_hand(self, wanted: Iterable[str | None]) -> dict[str, bool]:
        """Whether a data key is there (True) or was shredded. Raises :class:`Unreadable`."""
        ids = sorted({key_id for key_id in wanted if key_id is not None})
        missing = [i for i in ids if i not in self._keys and i not in self._shredded]
        for start in range(0, len(missing), _AT_ONCE):
            some = missing[start : start + _AT_ONCE]
            rows = self._connection.execute(select(CASE_KEYS).where(CASE_KEYS.c.id.in_(some)))
            self._keys |= {row["id"]: self._vault.unwrapped(row) for row in rows.mappings()}
        gone = [i for i in missing if i not in self._keys]
        if gone:
            self._shredded |= shredded_keys(self._connection)
            lost = next((i for i in gone if i not in self._shredded), None)
            if lost is not None:
                raise Unreadable(_lost(lost))
        return {i: i in self._keys for i in ids}


def is_sealed(recorded: Recorded) -> bool:
    """Of a decision that a :class:`Reader` gave: whether it was shredded."""
    return key_id_of(recorded.body) is not None


def shredded_keys(connection: Connection) -> set[str]:
    """The ids of all data keys that the journal says were shredded."""
    bodies = select(JOURNAL.c.body).where(JOURNAL.c.kind == SHREDDING)
    return {i for body in connection.execute(bodies).scalars() for i in json.loads(body)["keys"]}


def sealed_text(key: DataKey | None, place: str, text: str) -> str:
    """A text as it is kept."""
    return text if key is None else key.seal(place, packed(text))


def sealed_columns(
    key: DataKey | None, decision_id: str, ready: Mapping[str, bytes]
) -> dict[str, str]:
    """Packed columns of a decision as they are kept; none where nothing is sealed."""
    if key is None:
        return {}
    return {n: key.seal(f"decisions.{n}:{decision_id}", raw) for n, raw in ready.items()}


def shredded() -> Shredded:
    """What is answered for what was shredded."""
    return Shredded(_SHREDDED)


def _open(hold: dict[str, bool], text: str) -> bool:
    key_id = key_id_of(text)
    return key_id is None or hold[key_id]


def _lost(key_id: str) -> Problem:
    return Problem(
        "data_key_missing",
        Text(
            f"数据密钥 {key_id} 不在，而记录中没有销毁它：不是销毁，是丢失",
            f"the data key {key_id} is gone and nobody shredded it: it is lost",
        ),
    )


def _damaged(key_id: str) -> Problem:
    return Problem(
        "sealed_unreadable",
        Text(
            f"封存的内容或其数据密钥 {key_id} 已损坏",
            f"what is sealed, or its data key {key_id}, is damaged",
        ),
    )


_SHREDDED = Problem(
    "shredded",
    Text(
        "该案资料已销毁，记录仍在，内容不能再读取",
        "the data of the case was shredded: the record stands, its content is gone",
    ),
)
_NO_KEY = Problem(
    "no_sealing_key",
    Text(
        "案件资料已封存，须有封存密钥（ELIGIBILITY_SEALING_KEY）",
        "the data of cases is sealed; the sealing key (ELIGIBILITY_SEALING_KEY) is needed",
    ),
)
_OTHER_KEY = Problem(
    "other_sealing_key",
    Text(
        "案件资料由另一封存密钥封存，请换回该密钥（ELIGIBILITY_SEALING_KEY）",
        "the data of cases is sealed under another key; use that one (ELIGIBILITY_SEALING_KEY)",
    ),
)
