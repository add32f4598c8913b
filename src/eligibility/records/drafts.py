"""Decisions made ready to be recorded: all that is kept of them but what others decide.

What a decision is kept with is computed before anything is written, so that a transaction does
no more than write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from eligibility.decision.decide import Decided
from eligibility.decision.duties import FollowUp, OwedDuty, named
from eligibility.decision.follow_up import duty_id, lasting_entry
from eligibility.decision.standpoint import Ground
from eligibility.documents import write_json
from eligibility.errors import FactsError, Problem, Text
from eligibility.records import decisions
from eligibility.records.events import canonical_json
from eligibility.records.findings import VERSIONS, findings
from eligibility.records.idempotency import Once
from eligibility.records.ledger import DutyRow
from eligibility.records.recording import Entry

Data = dict[str, Any]
FIRST_ZONE = timezone(timedelta(hours=14))  # where a day begins first


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision with its id and time, and byte for byte as it is kept and answered.

    ``repeated``: it was on record before, under the key of the request.
    """

    body: Data
    text: bytes
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A decision ready to be recorded, its answer once it is, and the ground of duties it is."""

    entry: Entry
    answer: Answer
    ground: Ground


def draft_of(
    made: Decided,
    request: Mapping[str, Any],
    body: Data,
    now: datetime,
    follows: str | None,
    once: Once | None,
    caller: str | None,
) -> Draft:
    """The draft of a decision; see :meth:`FollowUps.draft`."""
    found, identity = made.found, decisions.new_id(now)
    ground = replace(made.ground, id=identity)
    stamped = {"decision_id": identity, "decided_at": now.isoformat(), **body}
    if follows is not None:
        stamped["follows"] = follows
    text = write_json(stamped)
    key = decisions.case_key_of(body["case_no"], identity)
    facts, program = found.case.facts, found.program
    court = program.register.find(facts.get("court_id"))
    values = {
        "id": identity,
        "case_no": body["case_no"],
        "court_id": court.id if court else facts.get("court_id"),
        "profile": body["profile"],
        "as_of": date.fromisoformat(body["as_of"]),
        "channel": facts.get("request_channel"),
        "outcome": body["outcome"],
        "digest": body["rulebase"]["digest"],
        "engine": body["engine"],
        "request": canonical_json(request),
        "body": text.decode(),
        "decided_at": now,
        "follows": follows,
        "caller": caller,
        "versions": VERSIONS,
        "findings": canonical_json(findings(found)),
    }
    duties = [] if follows else _first_duties(made, ground, key, body["case_no"], now)
    return Draft(Entry(values, once, duties, now, text), Answer(stamped, text), ground)


def check_come(as_of: date, now: datetime) -> None:
    """Raises FactsError (``future_decision``): nothing is decided for a day that has not come."""
    if as_of > now.astimezone(FIRST_ZONE).date():
        zh = f"审查基准日 {as_of} 尚未到来，不能留存；试算请用 dry_run"
        en = f"the day {as_of} has not come yet: nothing is recorded; use dry_run to try"
        raise FactsError(Problem("future_decision", Text(zh, en), "as_of"))


def _first_duties(
    made: Decided, ground: Ground, key: str, case_no: str | None, now: datetime
) -> list[DutyRow]:
    """The ledger of a case of which nothing else is on record.

    Duties that were found when it was decided are not found again, unless they depend on the
    day they are asked for.
    """
    today, base = now.astimezone(UTC).date(), ground.program.lowered.rulebase
    if made.lasting or today == ground.as_of:
        return [_first_row(key, case_no, duty, entry, ground.id) for duty, entry in made.owed]
    found = FollowUp([ground], [], today).duties()
    return [
        duty_row(key, case_no, duty, lasting_entry(duty, key, base), duty.ground) for duty in found
    ]


def _first_row(
    key: str, case_no: str | None, owed: OwedDuty, entry: Data, decision_id: str
) -> DutyRow:
    """A duty that was found before its decision had an id."""
    if owed.unnamed or key != case_no:
        owed = named(owed, decision_id)
        entry = entry | {"id": duty_id(key, owed)}
    return duty_row(key, case_no, owed, entry, decision_id)


def duty_row(
    key: str, case_no: str | None, owed: OwedDuty, entry: Data, decision_id: str
) -> DutyRow:
    """A duty of a decision as a row of the ledger; ``entry`` is its lasting one."""
    course = owed.course
    return DutyRow(
        id=entry["id"],
        case_key=key,
        case_no=case_no,
        rule=owed.rule.id,
        duty=owed.duty.key,
        role=owed.duty.who,
        court_id=owed.court.id if owed.court else owed.court_name or None,
        starts_on=course.starts_on,
        due=course.due,
        done_on=course.done_on,
        ended_on=course.ended_on,
        lapses_on=course.lapses_on,
        moving=owed.moving,
        decision_id=decision_id,
        body=write_json(entry).decode(),
    )
