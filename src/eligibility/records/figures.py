"""The figures of a court and a period, counted from the decisions and events on record.

What the record does not say of every case is left unknown, not counted as no: a leaders'
share over cases of which the handler is not recorded would be a guess.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from eligibility.courts.figures import Figures, Number
from eligibility.courts.periods import Period
from eligibility.decision.duties import FollowUp, OwedDuty
from eligibility.decision.events import standing
from eligibility.errors import Text
from eligibility.records.decisions import Recorded
from eligibility.records.follow_up import CaseFile, FollowUps
from eligibility.records.vault import is_sealed
from eligibility.rulebase.model import Court, Rulebase

REPORT = "court_report"
REFUSED = frozenset({"return_to_cure", "not_eligible", "not_submittable"})
# 终结本次执行程序 is no end in substance: such a case is still watched.
OPEN = frozenset({None, "enforcing", "terminated_this_time", "suspended", "deferred"})
FEEDBACK = "last_feedback_date"
_UNIT = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Crossed:
    """A case that a court decided to cross: by whom, on which day, and how it went on."""

    decided_on: date
    by: Court | None
    handled_by: Court | None
    handled_on: date
    requested_on: date | None
    facts: Mapping[str, Any]
    closed: bool
    feedback_late: bool


def count_figures(followed: FollowUps, court: Court, period: Period, today: date) -> Figures:
    """The figures of a court in a period, as things stood on its last day (or today)."""
    until = min(period.last, today)
    crossed: list[Crossed] = []
    reports: list[Recorded] = []
    for case in followed.case_files(court.id):
        reports += [d for d in case.decisions if _is_report(d, court, period)]
        crossed += _crossed(followed, case, until)
    values: dict[str, Number] = {}
    notes: list[Text] = []
    _count_reports(values, reports)
    _count_handled(values, notes, [c for c in crossed if _handles(c, court, period)])
    _count_decided(values, notes, [c for c in crossed if c.by is court], period)
    by_rule = _by_rule(reports, followed.decider.rulebase)
    return Figures(court.id, period, values, by_rule, {}, tuple(notes))


# --- reports --------------------------------------------------------------------------------------


def _is_report(decision: Recorded, court: Court, period: Period) -> bool:
    """A report of the court, once: deciding again is not another report."""
    mine = decision.channel == REPORT and decision.court_id == court.id
    return mine and decision.follows is None and period.covers(decision.as_of)


def _count_reports(values: dict[str, Number], reports: Sequence[Recorded]) -> None:
    values["q_reports"] = len(reports)
    values["q_reports_returned"] = sum(d.outcome in REFUSED for d in reports)


def _by_rule(reports: Sequence[Recorded], base: Rulebase) -> dict[str, int]:
    """Of the reports returned, how many by each bar that took effect."""
    counted: Counter[str] = Counter()
    for decision in reports:
        if decision.outcome in REFUSED and not is_sealed(decision):
            rules = json.loads(decision.body)["rules"]
            counted.update(
                r["id"] for r in rules if r["kind"] == "bar" and r["effective"] == "true"
            )
    named = {r for rule in base.rules.values() for m in rule.measures for r in m.by_rule}
    return {rule: counted[rule] for rule in sorted(named)}


# --- crossed cases --------------------------------------------------------------------------------


def _crossed(followed: FollowUps, case: CaseFile, until: date) -> Iterator[Crossed]:
    """The case, if a crossing was decided by then."""
    stands = [event for event in standing(case.events) if event.on <= until]
    grounds = followed.grounds([d for d in case.decisions if d.as_of <= until and not is_sealed(d)])
    if not grounds:
        return
    follow_up = FollowUp(grounds, stands, until)
    facts = follow_up.standpoint(len(grounds) - 1, until, False).case.facts
    decided_on = _day(facts.get("decision_date"))
    if decided_on is None:
        return
    find = follow_up.register.find
    original = find(grounds[0].case.facts.get("court_id"))
    superior = follow_up.register.next_higher(original) if original else None
    mode = follow_up.rulebase.modes.get(str(facts.get("decided_mode")))
    moves = mode is not None and mode.power_moves
    filed_on = _day(facts.get("receiving_filing_date"))
    status = facts.get("procedure_status")
    yield Crossed(
        decided_on=decided_on,
        by=find(facts.get("deciding_court")) or superior,
        handled_by=find(facts.get("receiving_court")) if moves else original,
        handled_on=(filed_on if moves else None) or decided_on,
        requested_on=_day(facts.get("request_received_date") or facts.get("report_date")),
        facts=facts,
        closed=status not in OPEN or _day(facts.get("exit_approved_date")) is not None,
        feedback_late=any(
            _feedback_late(owed, until, follow_up.rulebase) for owed in follow_up.duties()
        ),
    )


def _feedback_late(owed: OwedDuty, until: date, base: Rulebase) -> bool:
    reports = any(FEEDBACK in base.events[name].day for name in owed.duty.done_by)
    return reports and owed.state(until) in ("overdue", "lapsed")


def _handles(case: Crossed, court: Court, period: Period) -> bool:
    return case.handled_by is court and period.covers(case.handled_on)


def _count_handled(
    values: dict[str, Number], notes: list[Text], handled: Sequence[Crossed]
) -> None:
    """Cases that the court handles, and of them those by leaders and those with progress."""
    values["q_cross_cases_handled"] = len(handled)
    leader = Text("由院局庭领导承办", "a leader handles them")
    _count_true(values, notes, "q_leader_handled", leader, _told(handled, "handled_by_leader"))
    progress = Text("有实质进展", "they progressed in substance")
    _count_true(values, notes, "q_progressed", progress, _told(handled, "substantive_progress"))


def _told(cases: Sequence[Crossed], fact: str) -> list[bool | None]:
    return [case.facts.get(fact) for case in cases]


def _count_true(
    values: dict[str, Number],
    notes: list[Text],
    figure: str,
    what: Text,
    told: Sequence[bool | None],
    wanted: bool = True,
) -> None:
    """How many are so; not known, with a note, where that is not recorded of every case."""
    silent = told.count(None)
    if not silent:
        values[figure] = told.count(wanted)
        return
    notes.append(
        Text(
            f"{silent} 件没有记载是否{what.zh}，件数未知",
            f"of {silent} cases it is not recorded whether {what.en}",
        )
    )


def _count_decided(
    values: dict[str, Number], notes: list[Text], decided: Sequence[Crossed], period: Period
) -> None:
    """Cases that the court decided to cross: how long it took, and whether it watches them."""
    within = [case for case in decided if period.covers(case.decided_on)]
    values["q_decisions"] = len(within)
    flows = [case.decided_on - case.requested_on for case in within if case.requested_on]
    if flows and len(flows) == len(within):
        total = sum(flows, timedelta())
        values["q_avg_flow_days"] = (Decimal(total.days) / len(flows)).quantize(_UNIT)
    still = [case for case in decided if not case.closed]
    values["q_open"] = len(still)
    named = Text("确定督办责任人", "a person is named to supervise them")
    _count_true(
        values,
        notes,
        "q_open_without_supervisor",
        named,
        _told(still, "supervisor_named"),
        wanted=False,
    )
    values["q_feedback_late"] = sum(case.feedback_late for case in still)


def _day(value: Any) -> date | None:
    return value if isinstance(value, date) else None
