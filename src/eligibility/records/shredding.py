"""Shredding: the data of a case made unreadable for good, its records standing as they are.

The data key of the case is deleted, and an entry of the journal says so, in one transaction.
What the chains cover is the sealed text, so they stay whole. Copies of the wrapped key may be
left in old pages of the database and in back-ups; changing the sealing key (:func:`rewrap`)
and destroying the old one ends those too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from eligibility.errors import Conflict, FactsError, NotFound, Problem, Text
from eligibility.records import decisions, events
from eligibility.records.database import lock_case
from eligibility.records.follow_up import unknown_case
from eligibility.records.journal import REWRAP, SHREDDING, Journal
from eligibility.records.names import check_texts
from eligibility.records.scope import is_new
from eligibility.records.sealing_key import PREFIX, SealingKey, key_id_of
from eligibility.records.seals import LogKey
from eligibility.records.tables import CASE_KEYS, DECISIONS, DUTIES, EVENTS
from eligibility.records.vault import Vault, shredded_keys

LONGEST_REASON = 2000
LONGEST_NAME = 200
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Shredding:
    """What was shredded: ``decisions`` and ``events`` of the case that were sealed.

    ``plain`` counts those that were recorded unsealed: they are part of the chain as they are,
    and stay readable.
    """

    case_key: str
    key_id: str
    decisions: int
    events: int
    plain: int
    shredded_at: datetime

    def as_dict(self) -> dict[str, Any]:
        return {
            "case": self.case_key,
            "key": self.key_id,
            "decisions": self.decisions,
            "events": self.events,
            "plain": self.plain,
            "shredded_at": self.shredded_at.isoformat(),
        }


def shred(
    connection: Connection,
    log_key: LogKey,
    case_key: str,
    now: datetime,
    *,
    reason: str,
    by: str,
    approved_by: str,
) -> Shredding:
    """Delete the data key of a case, on record with who did it, who agreed and why.

    Its duties leave the ledger. Raises FactsError (nobody named, the same person twice),
    NotFound (``unknown_case``), and Conflict: ``already_shredded``, ``nothing_sealed``.
    """
    _check_said(reason, by, approved_by)
    journal = Journal(connection, log_key, now)
    lock_case(connection, case_key)
    if connection.dialect.name == "sqlite":  # or the deleted key would stay in a free page
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
    key_id = connection.execute(
        select(CASE_KEYS.c.id).where(CASE_KEYS.c.case_key == case_key)
    ).scalar()
    if key_id is None:
        raise _nothing(connection, case_key)
    sealed, plain = _counted(connection, DECISIONS, case_key)
    sealed_events, plain_events = _counted(connection, EVENTS, case_key)
    connection.execute(delete(DUTIES).where(DUTIES.c.case_key == case_key))
    connection.execute(delete(CASE_KEYS).where(CASE_KEYS.c.id == key_id))
    said = {"keys": [key_id], "reason": reason, "by": by, "approved_by": approved_by}
    body = json.dumps(said, ensure_ascii=False, sort_keys=True)
    journal.add(SHREDDING, case_key=case_key, body=body)
    return Shredding(case_key, key_id, sealed, sealed_events, plain + plain_events, now)


def rewrap(
    connection: Connection, log_key: LogKey, old: SealingKey, new: SealingKey, now: datetime
) -> int:
    """Put the data keys under a new sealing key; how many. What they sealed stays as it is.

    Services that run with the old key can neither read nor seal from then on. Raises
    Unreadable and RecordsError (``other_sealing_key``), and then nothing is changed.
    """
    journal = Journal(connection, log_key, now)  # nobody makes a data key meanwhile
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
    opening, count, after = Vault(old), 0, ""
    while True:
        page = select(CASE_KEYS).where(CASE_KEYS.c.id > after).order_by(CASE_KEYS.c.id)
        rows = connection.execute(page.limit(_AT_ONCE)).mappings().all()
        for row in rows:
            wrapped = new.wrap(opening.unwrapped(row), row["case_key"])
            kept = {"wrapped": wrapped, "wrapped_by": new.id}
            connection.execute(update(CASE_KEYS).where(CASE_KEYS.c.id == row["id"]).values(kept))
        count += len(rows)
        if len(rows) < _AT_ONCE:
            break
        after = rows[-1]["id"]
    said = {"from": old.id, "to": new.id, "keys": count}
    journal.add(REWRAP, body=json.dumps(said, sort_keys=True))
    return count


def _check_said(reason: str, by: str, approved_by: str) -> None:
    check_texts({"reason": reason, "by": by, "approved_by": approved_by}, "shredding")
    for place, said, longest in (
        ("reason", reason, LONGEST_REASON),
        ("by", by, LONGEST_NAME),
        ("approved_by", approved_by, LONGEST_NAME),
    ):
        if not said.strip():
            text = Text("须写明缘由、办理人和批准人", "say why, who does it and who approved")
            raise FactsError(Problem("missing_field", text, place))
        if len(said) > longest:
            text = Text(f"不得超过 {longest} 字", f"at most {longest} characters")
            raise FactsError(Problem("text_too_long", text, place))
    if by.strip() == approved_by.strip():
        text = Text("办理人和批准人不得为同一人", "who does it cannot approve it")
        raise FactsError(Problem("four_eyes", text, "approved_by"))


def _nothing(connection: Connection, case_key: str) -> Conflict | NotFound:
    if is_new(connection, case_key):
        return unknown_case(case_key)
    sealed = (
        _counted(connection, DECISIONS, case_key)[0] + _counted(connection, EVENTS, case_key)[0]
    )
    if sealed and not _lost(connection, case_key):
        text = Text("该案资料已销毁", "the data of the case was shredded already")
        return Conflict(Problem("already_shredded", text, "case_no"))
    text = Text(
        "该案没有可以销毁的封存资料：决定和事件是未封存时留存的，或者数据密钥已丢失",
        "the case has no sealed data to shred: it was recorded unsealed, or its data key is lost",
    )
    return Conflict(Problem("nothing_sealed", text, "case_no"))


def _lost(connection: Connection, case_key: str) -> bool:
    bodies = [made.body for made in decisions.of_case(connection, case_key)]
    bodies += [event.body for event in events.of_case(connection, case_key)]
    return not {i for b in bodies if (i := key_id_of(b))} <= shredded_keys(connection)


def _counted(connection: Connection, table: Any, case_key: str) -> tuple[int, int]:
    """The rows of a case that are sealed, and those that are not."""
    mine = table.c.case_key == case_key
    sealed = table.c.body.startswith(PREFIX, autoescape=True)
    counts = [
        connection.execute(select(func.count()).select_from(table).where(mine, which)).scalar_one()
        for which in (sealed, ~sealed)
    ]
    return counts[0], counts[1]
