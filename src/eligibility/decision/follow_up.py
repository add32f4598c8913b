"""What must happen next, as JSON data: duties with their dates and ladders, facts gone stale.

Facts and dates only: whether a reason is a good one, and what follows a lapse, people judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from hashlib import sha256
from typing import Any

from eligibility.decision.due import DueDate
from eligibility.decision.duties import Occurrence, OwedDuty, Step
from eligibility.decision.events import Event, case_after
from eligibility.errors import Text
from eligibility.rulebase.duties import Duty
from eligibility.rulebase.model import Rule, Rulebase
from eligibility.vocabulary.model import CASE
from eligibility.vocabulary.payload import Case, write_case
from eligibility.vocabulary.values import shown, to_wire

Entry = dict[str, Any]
STATES: Mapping[str, Text] = {
    "waiting": Text("待起算", "waiting"),
    "open": Text("期限内", "open"),
    "done": Text("已完成", "done"),
    "done_late": Text("逾期完成", "done late"),
    "ended": Text("已终止", "ended"),
    "overdue": Text("已逾期", "overdue"),
    "lapsed": Text("逾期未完成", "lapsed"),
}

_STATE_LABELS = {state: label.as_dict() for state, label in STATES.items()}


def duty_id(case: str, owed: OwedDuty) -> str:
    """The id of a duty: the same for the same case, rule and start, today and in five years."""
    return sha256(f"{case}|{owed.id}".encode()).hexdigest()[:24]


def duty_entries(owed: Sequence[OwedDuty], as_of: date, case: str, base: Rulebase) -> list[Entry]:
    """The duties as of a day: who, what, by when and why, what was done, what follows a lapse."""
    return entries_on([(duty, lasting_entry(duty, case, base)) for duty in owed], as_of)


def entries_on(owed: Sequence[tuple[OwedDuty, Entry]], as_of: date) -> list[Entry]:
    """Lasting entries as of a day; those that only a lapse still to come would start are left
    out."""
    return [
        entry_on(entry, duty.state(as_of), as_of)
        for duty, entry in owed
        if duty.start.kind != "lapse" or (duty.start.on and duty.start.on <= as_of)
    ]


def told_of_duty(rule: Rule, duty: Duty, base: Rulebase) -> Entry:
    """What is told of a duty in every case; what the case settles is still None, or as it is
    before the duty starts.
    """
    return {
        "id": None,
        "rule": rule.id,
        "duty": duty.key,
        "title": rule.title.as_dict(),
        "who": {**_role(duty, base), "court": None},
        "what": duty.what.as_dict(),
        "starts": None,
        "due": None,
        "due_trail": None,
        "after_event": _waits(duty, base) if duty.starts_on else None,
        "done": None,
        "done_by": [_event(name, base) for name in duty.done_by],
        "ended": None,
        "on_lapse": None,
        "basis": rule.basis,
        "proposed_parts": [part.as_dict() for part in rule.proposed_parts],
        "citations": list(rule.citations),
        "contingent": all(base.events[name].contingent for name in duty.starts_on),
    }


def lasting_entry(owed: OwedDuty, case: str, base: Rulebase, told: Entry | None = None) -> Entry:
    """What of a duty does not depend on the day it is looked at.

    ``told``: its :func:`told_of_duty`, where that is at hand.
    """
    duty = owed.duty
    entry = (told or told_of_duty(owed.rule, duty, base)).copy()
    entry["id"] = duty_id(case, owed)
    entry["on_lapse"] = [_step(step, base) for step in owed.steps]
    court = _court(owed)
    if court is not None:
        entry["who"] = entry["who"] | {"court": court}
    if owed.start.kind != "none":
        entry["after_event"], entry["contingent"] = None, False
    if owed.start.on is not None:
        entry["starts"] = _start(owed, owed.start.on, base)
        entry["done"] = _occurrence(owed.done, base)
        entry["ended"] = _occurrence(owed.ended, base)
    if owed.due is not None:
        entry["due"] = owed.due.on.isoformat()
        entry["due_trail"] = _trail(owed.due, owed, base)
    if owed.record is not None:
        entry["record"] = {
            "list": base.vocabulary.records[duty.each].list_key,
            "index": owed.record,
        }
    if owed.met.assumed:
        label = base.modes[owed.met.assumed].label.as_dict()
        entry["assumes"] = {"decided_mode": owed.met.assumed, "label": label}
    if owed.missing:
        entry["missing"] = [_fact(key, base) for key in owed.missing]
    return entry


def entry_on(entry: Entry, state: str, as_of: date) -> Entry:
    """A lasting entry as it reads on a day: its state, and the instrument that is due."""
    late = state in ("overdue", "lapsed")
    steps = [
        step | {"reached": late and as_of.isoformat() >= step["on"]} for step in entry["on_lapse"]
    ]
    out = entry | {
        "state": state,
        "state_label": _STATE_LABELS[state],
        "on_lapse": steps,
        "instrument_due": next((step for step in reversed(steps) if step["reached"]), None),
    }
    day = as_of.isoformat()
    for key in ("done", "ended"):
        if out[key] is not None and out[key]["on"] > day:
            out[key] = None
    return out


def _step(step: Step, base: Rulebase) -> Entry:
    instrument = base.instruments[step.instrument]
    return {
        "after_days": step.after,
        "on": step.on.isoformat(),
        "instrument": step.instrument,
        "label": instrument.label.as_dict(),
        "formal": instrument.formal,
    }


def _role(duty: Duty, base: Rulebase) -> Entry:
    role = base.roles[duty.who]
    return {"role": role.name, **role.label.as_dict()}


def _court(owed: OwedDuty) -> Entry | None:
    """The court that owes a duty."""
    if owed.court is not None:
        return {"id": owed.court.id, "label": owed.court.label.as_dict()}
    if owed.court_name:
        return {"id": None, "label": {"zh": owed.court_name, "en": owed.court_name}}
    return None


def _start(owed: OwedDuty, on: date, base: Rulebase) -> Entry:
    start = owed.start
    out: Entry = {"on": on.isoformat(), "kind": start.kind}
    if start.kind == "event":
        out["event"] = {**_event(start.what, base), "id": start.id}
    elif start.kind == "lapse":
        out["rule"] = start.what
    elif start.kind == "verdict":
        out["rules"] = list(owed.duty.on_verdict)
    return out


def _waits(duty: Duty, base: Rulebase) -> Entry:
    """What a duty that has not started waits for: one of these events."""
    first = [n for n in duty.starts_on if n not in duty.done_by]  # the others start it again
    events = [_event(name, base) for name in first or duty.starts_on]
    zh = "或者".join(event["label"]["zh"] for event in events)
    en = " or ".join(event["label"]["en"] for event in events)
    return {"events": [event["type"] for event in events], "zh": zh, "en": en}


def _trail(due: DueDate, owed: OwedDuty, base: Rulebase) -> Entry:
    out: Entry = {
        "from": due.start.isoformat(),
        "count": due.count,
        "unit": due.unit,
        "before": due.before,
        "nominal": due.nominal.isoformat(),
        "moved_by": [{"day": m.day.isoformat(), "reason": m.reason} for m in due.moved_by],
        "provisional": due.provisional,
    }
    if owed.duty.due and owed.duty.due.of:
        out["fact"] = _fact(owed.duty.due.of, base)
    return out


def _occurrence(found: Occurrence | None, base: Rulebase) -> Entry | None:
    if found is None:
        return None
    out = {"on": found.on.isoformat(), "event": {**_event(found.type, base), "id": found.id}}
    return out | ({"or_before": True} if found.by else {})


def _event(name: str, base: Rulebase) -> Entry:
    return {"type": name, "label": base.events[name].label.as_dict()}


def _fact(key: str, base: Rulebase) -> Entry:
    fact = base.vocabulary.facts[key]
    return {"fact": key, "label": fact.label.as_dict(), "held_by": fact.held_by.as_dict()}


# --- facts gone stale -----------------------------------------------------------------------------


def changed_facts(
    decided: Case, first: Case, events: Sequence[Event], base: Rulebase
) -> list[Entry]:
    """Facts that are not what a decision took them for, each with the event that changed it.

    ``first``: the case before all events. A fact that an event changed which was withdrawn
    after the decision has no event.
    """
    said: dict[str, str] = {}
    now = first
    for event in events:
        after = case_after(first, [e for e in events if e.order() <= event.order()], base, True)
        said |= {path: event.id for path, *_ in _differences(now, after, base)}
        now = after
    return [
        {
            "fact": key,
            "path": path,
            "then": to_wire(fact, then),
            "label": fact.label.as_dict(),
            "now": to_wire(fact, value),
            "shown": shown(fact, value).as_dict(),
            "event": said.get(path),
        }
        for path, key, then, value in _differences(decided, now, base)
        for fact in (base.vocabulary.facts[key],)
    ]


def _differences(then: Case, now: Case, base: Rulebase) -> list[tuple[str, str, Any, Any]]:
    lists = {kind.name: kind.list_key for kind in base.vocabulary.records.values()}
    out = []
    for key in dict.fromkeys([*then.facts, *now.facts]):
        if then.facts.get(key) != now.facts.get(key):
            out.append((key, key, then.facts.get(key), now.facts.get(key)))
    for scope, rows in now.records.items():
        if scope == CASE:
            continue
        for index, row in enumerate(rows):
            before = then.records[scope][index] if index < len(then.records.get(scope, ())) else {}
            for key in dict.fromkeys([*before, *row]):
                if before.get(key) != row.get(key):
                    path = now.path(scope, index, key, lists)
                    out.append((path, key, before.get(key), row.get(key)))
    return out


def case_now(case: Case, events: Sequence[Event], base: Rulebase) -> dict[str, Any]:
    """The case as it stands after its events, as a payload for a new decision."""
    return write_case(case_after(case, events, base, True), base.vocabulary)
