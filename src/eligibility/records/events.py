"""What happened to a case after a decision, as reported; a mistake is corrected by a new event."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import Connection, select

from eligibility.errors import Conflict, NotFound, Problem, Text
from eligibility.records.database import insert_new
from eligibility.records.journal import EVENT, Journal
from eligibility.records.tables import EVENTS

_PLAIN = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
_JSON = frozenset({str, int, bool, type(None)})  # a float has more than one way to be written


def _as_it_is(place: str, text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event on record.

    ``id`` is the reporter's, so that the same report twice is one event of its case; ``body``
    is what was reported, as :func:`canonical_json`; ``corrects`` is the id of the event it
    replaces.
    """

    seq: int
    id: str
    case_key: str
    type: str
    happened_on: date
    body: str
    corrects: str | None
    recorded_at: datetime


def append(
    connection: Connection,
    case_key: str,
    id: str,
    type: str,
    happened_on: date,
    body: Mapping[str, Any],
    corrects: str | None,
    now: datetime,
    *,
    journal: Journal | None = None,
    opened: Callable[[str, str], str] = _as_it_is,
    sealed: Callable[[str, str], str] = _as_it_is,
) -> tuple[StoredEvent, bool]:
    """Record an event for good; returns it, and whether it is new.

    It is entered in the ``journal``, which was opened by this transaction. ``sealed`` makes of
    the body's place and text what is kept, ``opened`` the text again.

    The same event again changes nothing and returns the one on record. Raises
    :class:`Conflict` if the id stands for another event of the case (``event_conflict``) or the
    corrected event was corrected before (``already_corrected``), and :class:`NotFound`
    (``no_such_event``) if ``corrects`` names, in the end, the event itself.
    """
    if corrects is not None:
        _check_corrected(connection, corrects, id, case_key)
    said: dict[str, Any] = {
        "id": id,
        "case_key": case_key,
        "type": type,
        "happened_on": happened_on,
        "body": canonical_json(body),
        "corrects": corrects,
    }
    place = f"events.body:{id}"
    stored, new = _stored(connection, case_key, id), False
    if stored is None:
        row = {**said, "body": sealed(place, said["body"]), "recorded_at": now}
        new = insert_new(connection, EVENTS, row, "case_key", "id")
        stored = _stored(connection, case_key, id)
        assert stored is not None  # rows are never deleted
        if new and journal is not None:
            journal.add_row(EVENT, {**row, "seq": stored.seq}, case_key)
    stored = replace(stored, body=opened(place, stored.body))
    if any(getattr(stored, name) != value for name, value in said.items()):
        shown = id[:80]
        text = Text(
            f"编号“{shown}”已用于内容不同的事件，请换用新编号",
            f"'{shown}' is the id of an event that says otherwise; use a new id",
        )
        raise Conflict(Problem("event_conflict", text, "id"))
    return stored, new


def of_case(connection: Connection, case_key: str) -> list[StoredEvent]:
    """The events of a case in the order in which they were recorded, corrected ones too."""
    rows = connection.execute(
        select(EVENTS).where(EVENTS.c.case_key == case_key).order_by(EVENTS.c.seq)
    )
    return [StoredEvent(**row) for row in rows.mappings()]


def _stored(connection: Connection, case_key: str, event_id: str) -> StoredEvent | None:
    # INVARIANT: what is on record of other cases changes no answer
    found = select(EVENTS).where(EVENTS.c.case_key == case_key, EVENTS.c.id == event_id)
    row = connection.execute(found).mappings().first()
    return None if row is None else StoredEvent(**row)


def _check_corrected(connection: Connection, corrects: str, id: str, case_key: str) -> None:
    stored = _stored(connection, case_key, corrects)
    if corrects != id and id not in _corrected(connection, stored):
        # The corrected event may arrive after its correction.
        return _check_last(connection, corrects, id, case_key)
    shown = corrects[:80]
    text = Text(
        f"“{shown}”不能由它自己或它更正过的事件更正",
        f"'{shown}' is not corrected by itself or by what it corrects",
    )
    raise NotFound(Problem("no_such_event", text, "corrects"))


def _corrected(connection: Connection, event: StoredEvent | None) -> set[str]:
    """The ids that a chain of corrections goes back to."""
    out: set[str] = set()
    while event is not None and event.corrects is not None and event.corrects not in out:
        out.add(event.corrects)
        event = _stored(connection, event.case_key, event.corrects)
    return out


def _check_last(connection: Connection, corrects: str, id: str, case_key: str) -> None:
    """Corrections form a chain, so that the newest is the one that counts."""
    same = (EVENTS.c.case_key == case_key) & (EVENTS.c.corrects == corrects) & (EVENTS.c.id != id)
    other = connection.execute(select(EVENTS.c.id).where(same)).scalar()
    if other is not None and _stored(connection, case_key, id) is None:
        text = Text(
            f"该事件已由“{other[:80]}”更正；再更正请以它为对象（corrects）",
            f"'{other[:80]}' has corrected that event already; correct that one",
        )
        raise Conflict(Problem("already_corrected", text, "corrects"))


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks; takes what a strict reader of JSON gives.

    A :class:`~decimal.Decimal` is written as the number it is, a date as its ISO text.
    """
    # INVARIANT: all ways the same text
    if not _is_plain(value):
        return _written_out(value)
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # a number beyond 64 bits
        return _PLAIN.encode(value)


def _is_plain(value: Any) -> bool:
    """Whether it is made of what JSON has itself, with texts for keys."""
    kind = type(value)
    if kind is dict:
        for key, inner in value.items():
            if type(key) is not str or (type(inner) not in _JSON and not _is_plain(inner)):
                return False
        return True
    if kind is list:
        return all(type(inner) in _JSON or _is_plain(inner) for inner in value)
    return kind in _JSON


def _written_out(value: Any) -> str:
    if isinstance(value, Mapping):
        items = (f"{_plain(key)}:{_written_out(value[key])}" for key in sorted(value))
        return "{" + ",".join(items) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_written_out, value)) + "]"
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    if isinstance(value, date):
        return _plain(value.isoformat())
    return _plain(value)


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
