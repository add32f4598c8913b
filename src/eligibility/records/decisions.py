"""The log of decisions: each with what was asked and, byte for byte, what was answered.

Its records are sealed into a chain, see :mod:`eligibility.records.chain`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, select

from eligibility.errors import NotFound, Problem, Text
from eligibility.records import chain
from eligibility.records.scope import Courts, own_cases
from eligibility.records.seals import LogKey
from eligibility.records.tables import DECISIONS, in_utc

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision on record.

    ``request`` is the JSON that was asked (``{"case": …, "profile": …, "as_of": …}``),
    ``body`` the JSON that was answered. ``case_key`` holds the decisions of one case together
    (:func:`case_key_of`); ``follows`` is the earlier decision that this one re-evaluates.
    ``seq`` grows from decision to decision; ``hash`` seals the record and all before it.
    ``caller`` asked for it; ``versions`` names what computed it and ``findings`` holds the derived
    facts and the verdicts of all rules, both as JSON. ``beside`` is where the journal ended.
    Records of before have none of the four. As they are stored, ``request``, ``body`` and
    ``findings`` may be sealed (:mod:`eligibility.records.vault`).
    """

    seq: int
    id: str
    case_key: str
    case_no: str | None
    court_id: str | None
    profile: str
    as_of: date
    channel: str | None
    outcome: str
    digest: str
    engine: str
    request: str
    body: str
    decided_at: datetime
    follows: str | None
    hash: str | None = None
    caller: str | None = None
    versions: str | None = None
    findings: str | None = None
    beside: str | None = None


def new_id(now: datetime) -> str:
    """A UUID (version 7) that sorts by time, to the millisecond; for an answer that names it."""
    milliseconds = (in_utc(now) - _EPOCH) // timedelta(milliseconds=1)
    chance = secrets.randbits(12 + 62)
    bits = milliseconds << 80 | 0x7 << 76 | chance >> 62 << 64
    return str(UUID(int=bits | 0b10 << 62 | chance & (1 << 62) - 1))


def case_key_of(case_no: str | None, decision_id: str) -> str:
    """What holds a case together: its number, or without one its (first) decision."""
    return case_no or f"decision:{decision_id}"


def record(
    connection: Connection,
    *,
    case_no: str | None,
    court_id: str | None,
    profile: str,
    as_of: date,
    channel: str | None,
    outcome: str,
    digest: str,
    engine: str,
    request: str,
    body: str,
    now: datetime,
    follows: str | None = None,
    decision_id: str | None = None,
    log_key: LogKey | None = None,
    caller: str | None = None,
    versions: str | None = None,
    findings: str | None = None,
) -> str:
    """Record a decision for good; returns its id.

    ``decision_id`` (of :func:`new_id`) is given where ``body`` names it. The rule base of
    ``digest`` must be kept. A decision without a case number stays in the case of the one it
    ``follows``. Raises :class:`NotFound` (``unknown_decision``) if that one is not on record,
    and like :func:`chain.append`, which seals the record with the ``log_key``.
    """
    decision_id = decision_id or new_id(now)
    case_key = case_key_of(case_no, decision_id)
    if follows is not None:
        earlier = find(connection, follows)
        case_key = case_no or earlier.case_key
    values = {
        "id": decision_id,
        "case_key": case_key,
        "case_no": case_no,
        "court_id": court_id,
        "profile": profile,
        "as_of": as_of,
        "channel": channel,
        "outcome": outcome,
        "digest": digest,
        "engine": engine,
        "request": request,
        "body": body,
        "decided_at": now,
        "follows": follows,
        "caller": caller,
        "versions": versions,
        "findings": findings,
    }
    chain.append(connection, values, log_key, now)
    return decision_id


def find(connection: Connection, decision_id: str) -> Recorded:
    """Raises :class:`NotFound` (``unknown_decision``)."""
    found = _where(connection, DECISIONS.c.id == decision_id)
    if found:
        return found[0]
    raise unknown(decision_id)


def unknown(decision_id: str) -> NotFound:
    """What is answered for a decision that does not exist, or not for the one who asks."""
    shown = decision_id[:80]
    text = Text(f"没有决定“{shown}”的记录", f"no decision '{shown}' is on record")
    return NotFound(Problem("unknown_decision", text, "decision_id"))


def of_case(connection: Connection, case_key: str) -> list[Recorded]:
    """All decisions of a case, first to last."""
    return _where(connection, DECISIONS.c.case_key == case_key)


def latest_of_case(connection: Connection, case_key: str) -> Recorded | None:
    latest = (
        select(DECISIONS)
        .where(DECISIONS.c.case_key == case_key)
        .order_by(DECISIONS.c.seq.desc())
        .limit(1)
    )
    row = connection.execute(latest).mappings().first()
    return None if row is None else Recorded(**row)


def cases(connection: Connection) -> list[str]:
    """The key of every case with a decision, in order."""
    keys = select(DECISIONS.c.case_key).distinct().order_by(DECISIONS.c.case_key)
    return list(connection.execute(keys).scalars())


def search(
    connection: Connection,
    *,
    court_id: str | None = None,
    case_no: str | None = None,
    outcome: str | None = None,
    decided_from: datetime | None = None,
    decided_to: datetime | None = None,
    after_seq: int | None = None,
    within: Courts = None,
    limit: int,
) -> list[Recorded]:
    """Decisions in the order of the log, at most ``limit``, after that of ``after_seq``.

    ``within``: only of cases that are seen by a caller limited to these courts.
    ``decided_from`` is the first moment meant, ``decided_to`` the first no longer meant.
    """
    c = DECISIONS.c
    wanted: list[ColumnElement[bool]] = []
    if court_id is not None:
        wanted.append(c.court_id == court_id)
    if case_no is not None:  # the key is the number, and has an index
        wanted += [c.case_key == case_no, c.case_no == case_no]
    if outcome is not None:
        wanted.append(c.outcome == outcome)
    if decided_from is not None:
        wanted.append(c.decided_at >= decided_from)
    if decided_to is not None:
        wanted.append(c.decided_at < decided_to)
    if after_seq is not None:
        wanted.append(c.seq > after_seq)
    if within is not None:
        wanted.append(own_cases(c.case_key, within))
    return _where(connection, *wanted, limit=limit)


def _where(
    connection: Connection, *wanted: ColumnElement[bool], limit: int | None = None
) -> list[Recorded]:
    rows = connection.execute(
        select(DECISIONS).where(*wanted).order_by(DECISIONS.c.seq).limit(limit)
    )
    return [Recorded(**row) for row in rows.mappings()]
