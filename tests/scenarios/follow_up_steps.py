"""Steps about what follows a decision: events, duties, deciding again.

An event stands in a table with its day and, where it carries facts, as 事实=值 parted by ；.
"""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

import pytest
from pytest_bdd import given, parsers, then, when

from eligibility.decision.duties import FollowUp, OwedDuty
from eligibility.decision.events import Event, read_event, standing
from eligibility.decision.follow_up import STATES, case_now, changed_facts, entry_on, lasting_entry
from eligibility.decision.standpoint import Ground
from eligibility.vocabulary.values import from_wire, shown
from scenarios.examination import Examination, Table, value_of

CASE = "场景案件"
SPECIAL = {"编号": "id", "更正": "corrects", "答复": "answers", "文号": "doc_no"}
RECORDS = {"财产": "property", "被执行人": "debtor"}


class Following:
    """The decision of a scenario as the ground of duties, and what happened since."""

    def __init__(self, examination: Examination) -> None:
        self.examination = examination
        self.events: list[Event] = []

    @property
    def base(self) -> Any:
        return self.examination.rulebase

    def ground(self) -> Ground:
        made = self.examination
        day = date.fromisoformat(made.answer["as_of"])
        facts = copy.deepcopy(made.facts)
        return Ground.of(made.decider.assess(facts, day, made.profile, "native"), "决定")

    def add(self, day: str, kind: str, content: str) -> None:
        payload: dict[str, Any] = {"on": day, "type": kind, "facts": {}}
        for part in filter(None, (p.strip() for p in content.split("；"))):
            word, _, text = part.partition("=")
            if word in SPECIAL:
                payload[SPECIAL[word]] = text
            elif word in RECORDS:
                payload[RECORDS[word]] = int(text) - 1
            elif word == "撤回":
                payload["withdrawn"] = text == "是"
            else:
                fact = self.examination.fact(word)
                payload["facts"][fact.key] = value_of(fact, text)
        self.events.append(read_event(payload, self.base, date(2030, 1, 1), CASE))

    def duties(self, as_of: date) -> list[OwedDuty]:
        """The duties on a day; not those that only a lapse still to come would start."""
        past = [event for event in self.events if event.on <= as_of]
        made = FollowUp([self.ground()], standing(past), as_of).duties()
        return [o for o in made if o.start.kind != "lapse" or (o.start.on or as_of) <= as_of]

    def duty(self, name: str, as_of: str) -> OwedDuty:
        """``XR-04``, or ``XR-08.start`` where the rule has several; the last to start.

        ``XR-05#1`` is the first of those that one rule started again and again.
        """
        name, _, number = name.partition("#")
        found = [
            owed
            for owed in self.duties(date.fromisoformat(as_of))
            if name in (owed.rule.id, f"{owed.rule.id}.{owed.duty.key}")
        ]
        assert found, f"没有义务“{name}”"
        started = [owed for owed in found if owed.start.on is not None] or found
        started.sort(key=lambda owed: owed.start.on or date.min)
        return started[int(number) - 1 if number else -1]

    def entry(self, name: str, as_of: str) -> dict[str, Any]:
        day = date.fromisoformat(as_of)
        owed = self.duty(name, as_of)
        return entry_on(lasting_entry(owed, CASE, self.base), owed.state(day), day)


@pytest.fixture
def following(examination: Examination) -> Following:
    return Following(examination)


@given("此后发生:")
@when("此后发生:")
def happened(following: Following, datatable: Table) -> None:
    for day, kind, *content in datatable:
        if day:
            following.add(day, kind, content[0] if content else "")


@when(parsers.parse('"{day}"又有"{kind}"'))
def happened_too(following: Following, day: str, kind: str) -> None:
    following.add(day, kind, "")


@when("这些事件以相反的次序到达")
def reversed_arrival(following: Following) -> None:
    following.events.reverse()


@then(parsers.parse('截至"{day}"，义务"{name}"为"{state}"'))
def duty_stands(following: Following, day: str, name: str, state: str) -> None:
    owed = following.duty(name, day)
    assert STATES[owed.state(date.fromisoformat(day))].zh == state


@then(parsers.parse('截至"{day}"，没有义务"{name}"'))
def no_duty(following: Following, day: str, name: str) -> None:
    found = {owed.rule.id for owed in following.duties(date.fromisoformat(day))}
    keys = {f"{o.rule.id}.{o.duty.key}" for o in following.duties(date.fromisoformat(day))}
    assert name not in found | keys


@then(parsers.parse('截至"{day}"，义务"{name}"的期限为"{due}"'))
def duty_due(following: Following, day: str, name: str, due: str) -> None:
    assert following.entry(name, day)["due"] == due


@then(parsers.parse('截至"{day}"，义务"{name}"的期限因"{days}"顺延'))
def duty_moved(following: Following, day: str, name: str, days: str) -> None:
    moved = [m["day"] for m in following.entry(name, day)["due_trail"]["moved_by"]]
    assert moved == days.split("、")


@then(parsers.parse('截至"{day}"，义务"{name}"由"{court}"承担'))
def duty_owner(following: Following, day: str, name: str, court: str) -> None:
    assert following.entry(name, day)["who"]["court"]["label"]["zh"] == court


@then(parsers.parse('截至"{day}"，义务"{name}"应发"{instrument}"'))
def duty_instrument(following: Following, day: str, name: str, instrument: str) -> None:
    reached = following.entry(name, day)["instrument_due"]
    assert reached is not None, "尚未到任何一级"
    assert reached["label"]["zh"] == instrument


@then(parsers.parse('截至"{day}"，义务"{name}"待"{event}"'))
def duty_waits(following: Following, day: str, name: str, event: str) -> None:
    entry = following.entry(name, day)
    assert entry["state"] == "waiting"
    assert event in entry["after_event"]["zh"]


@then(parsers.parse('截至"{day}"，义务"{name}"待查明"{word}"'))
def duty_misses(following: Following, day: str, name: str, word: str) -> None:
    entry = following.entry(name, day)
    assert entry["state"] == "waiting"
    assert word in [fact["label"]["zh"] for fact in entry["missing"]]


@then(parsers.parse('审查所据的"{word}"已由"{then}"变为"{now}"'))
def fact_changed(following: Following, word: str, then: str, now: str) -> None:
    fact = following.examination.fact(word)
    stands = standing(following.events)
    case = following.ground().case
    changed = {c["fact"]: c for c in changed_facts(case, case, stands, following.base)}
    assert fact.key in changed, f"“{word}”没有变化"
    before = shown(fact, from_wire(fact, changed[fact.key]["then"])).zh
    assert before == then
    assert changed[fact.key]["shown"]["zh"] == now


@when(parsers.parse('按事件后的事实于"{day}"重新审查'))
def decide_again(following: Following, day: str) -> None:
    made = following.examination
    past = [event for event in following.events if event.on <= date.fromisoformat(day)]
    made.facts = case_now(following.ground().case, standing(past), following.base)
    made.as_of = date.fromisoformat(day)
    made.examine()
