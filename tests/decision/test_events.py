"""Events: read strictly, standing whatever their order, laid over the facts of a decision."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision.follow_ups import CASE, DECIDED, FAR, decided, decider, event, ground
from eligibility.decision.events import Event, case_after, read_event, standing, unplaced
from eligibility.decision.follow_up import case_now, changed_facts
from eligibility.errors import FactsError
from eligibility.vocabulary.payload import read_case, write_case

BASE = decider().rulebase
NAMES = [f"e{n}" for n in range(6)]


def refused(payload: Any, today: date = FAR) -> list[tuple[str, str]]:
    with pytest.raises(FactsError) as caught:
        read_event(payload, BASE, today)
    return [(str(p.place), p.code) for p in caught.value.problems]


def test_an_event_is_read_by_key_or_label() -> None:
    en = read_event({"type": "served", "on": "2024-09-20"}, BASE, FAR, "c")
    zh = read_event({"type": "决定送达原执行法院", "on": "2024-09-20"}, BASE, FAR, "c")
    assert (en.type, en.on) == (zh.type, zh.on) == ("served", date(2024, 9, 20))


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ([], [("event", "wrong_type")]),
        ({}, [("type", "missing_field"), ("on", "missing_field")]),
        ({"type": "serve", "on": "2024-09-20"}, [("type", "unknown_event")]),
        ({"type": "served", "on": "2024-02-30"}, [("on", "no_such_date")]),
        ({"type": "served", "on": "2031-01-01"}, [("on", "future_event")]),
        ({"type": "served", "on": "2024-09-20", "x": 1}, [("x", "unknown_field")]),
        ({"type": "decided", "on": "2024-09-20"}, [("facts.decided_mode", "missing_fact")]),
        (
            {"type": "decided", "on": "2024-09-20", "facts": {"decided_mode": "指令"}},
            [("facts.decided_mode", "unknown_value")],
        ),
        (
            {"type": "served", "on": "2024-09-20", "facts": {"court_id": "x"}},
            [("facts.court_id", "unknown_fact")],
        ),
        (
            {"type": "served", "on": "2024-09-20", "withdrawn": True},
            [("corrects", "missing_field")],
        ),
        ({"type": "served", "on": "2024-09-20", "property": -1}, [("property", "wrong_type")]),
        ({"type": "served", "on": "2024-09-20", "note": 3}, [("note", "wrong_type")]),
    ],
)
def test_misfits_are_named_with_their_path(payload: Any, found: list[tuple[str, str]]) -> None:
    assert sorted(refused(payload)) == sorted(found)


def test_without_an_id_the_content_names_the_event() -> None:
    one = {"type": "served", "on": "2024-09-20"}
    assert read_event(one, BASE, FAR, "a").id == read_event(dict(one), BASE, FAR, "a").id
    assert read_event(one, BASE, FAR, "a").id != read_event(one, BASE, FAR, "b").id


# --- corrections --------------------------------------------------------------------------------


def test_a_correction_takes_the_place_of_what_it_corrects() -> None:
    wrong = event("served", "2024-09-20", id="e1")
    right = event("served", "2024-09-10", id="e2", corrects="e1")
    assert standing([right, wrong]) == [right]


def test_a_withdrawn_event_never_happened_and_may_be_restored() -> None:
    made = event("served", "2024-09-20", id="e1")
    taken_back = event("served", "2024-09-20", id="e2", corrects="e1", withdrawn=True)
    restored = event("served", "2024-09-21", id="e3", corrects="e2")
    assert standing([made, taken_back]) == []
    assert standing([restored, taken_back, made]) == [restored]


def test_of_two_corrections_the_later_day_stands() -> None:
    made = event("served", "2024-09-20", id="e1")
    two = [event("served", f"2024-09-{d}", id=f"c{d}", corrects="e1") for d in (21, 22)]
    assert [e.id for e in standing([made, *two])] == ["c22"]


@st.composite
def event_sets(draw: st.DrawFn) -> list[Event]:
    out = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1)):
        on = DECIDED + timedelta(days=draw(st.integers(-20, 60)))
        corrects = draw(st.sampled_from(["", "", *NAMES]))
        withdrawn = bool(corrects) and draw(st.booleans())
        out.append(Event(name, "feedback", on, corrects=corrects, withdrawn=withdrawn))
    return out


@given(event_sets().flatmap(lambda e: st.tuples(st.just(e), st.permutations(e))))
def test_order_of_arrival_does_not_matter(two: tuple[list[Event], list[Event]]) -> None:
    given_, shuffled = two
    assert standing(given_) == standing(shuffled)


@given(event_sets())
def test_what_stands_is_uncorrected_and_not_withdrawn(events: list[Event]) -> None:
    corrected = {e.corrects for e in events}
    for event_ in standing(events):
        assert event_.id not in corrected
        assert not event_.withdrawn
    plain = [e for e in events if not e.corrects and e.id not in corrected]
    assert {e.id for e in plain} <= {e.id for e in standing(events)}


# --- the case after them ------------------------------------------------------------------------


def test_an_event_after_the_decision_changes_its_facts() -> None:
    case = ground().case
    after = case_after(case, [event("completed", "2024-10-10")], BASE)
    assert after.facts["procedure_status"] == "completed"
    assert all(r["property_execution_completed"] is True for r in after.records["property"])
    assert case.facts["procedure_status"] == "enforcing"


def test_an_event_before_the_decision_only_fills_in() -> None:
    case = ground().case
    seizure = {"nearest_seizure_expiry_date": "2025-01-01"}
    early = event("seizure_renewed", "2024-08-30", facts=seizure)
    late = event("seizure_renewed", "2024-09-03", facts=seizure)
    known = case.facts["nearest_seizure_expiry_date"]
    fact = "nearest_seizure_expiry_date"
    assert case_after(case, [early], BASE).facts[fact] == known
    assert case_after(case, [late], BASE).facts[fact] == date(2025, 1, 1)


def test_a_stay_begins_and_ends() -> None:
    stays = [
        event("suspended", "2024-09-10", doc_no="中1"),
        event("resumed", "2024-09-30"),
    ]
    (interval,) = case_after(ground().case, stays, BASE).intervals or ()
    assert (interval.kind, interval.start, interval.end, interval.doc_no) == (
        "suspension",
        date(2024, 9, 10),
        date(2024, 9, 30),
        "中1",
    )
    assert case_after(ground().case, stays, BASE).facts["procedure_status"] == "enforcing"


def test_a_filed_case_belongs_to_the_receiving_court() -> None:
    now = case_now(ground().case, [decided("2024-09-10"), event("filed", "2024-10-09")], BASE)
    assert now["court_id"] == "阜宁法院"
    assert now["prior_courts"] == ["亭湖法院"]
    assert now["prior_cross_count"] == 1
    assert now["current_court_filing_date"] == "2024-10-09"


def test_changed_facts_name_their_event() -> None:
    late, case = event("suspended", "2024-09-10", id="s1"), ground().case
    changed = {c["fact"]: c for c in changed_facts(case, case, [late], BASE)}
    assert changed["procedure_status"]["then"] == "enforcing"
    assert changed["procedure_status"]["now"] == "suspended"
    assert changed["procedure_status"]["event"] == "s1"


def test_a_case_is_written_as_it_is_read() -> None:
    case = read_case(CASE, BASE.vocabulary, DECIDED)
    again = read_case(write_case(case, BASE.vocabulary), BASE.vocabulary, DECIDED)
    assert again == case


def test_a_withdrawn_event_leaves_a_change_of_its_own() -> None:
    suspended = event("suspended", "2024-09-10", id="s1")
    first = ground().case
    decided_again = case_after(first, [suspended], BASE)
    changed = {c["fact"]: c for c in changed_facts(decided_again, first, [], BASE)}
    assert changed["procedure_status"]["then"] == "suspended"
    assert changed["procedure_status"]["now"] == "enforcing"
    assert changed["procedure_status"]["event"] is None


def test_an_event_that_does_not_name_the_debtor_is_about_none_of_several() -> None:
    of_debtors = ("settlement_state", "bankruptcy_state")
    one = {key: CASE[key] for key in of_debtors}
    two = {k: v for k, v in CASE.items() if k not in of_debtors} | {"debtors": [one, one]}
    case, accepted = ground(two).case, event("bankruptcy_accepted", "2024-09-10", id="b1")
    rows = case_after(case, [accepted], BASE).records["debtor"]
    assert [row["bankruptcy_state"] for row in rows] == ["none", "none"]
    (problem,) = unplaced(case, [accepted], BASE)
    assert problem.code == "event_without_record"
    named = event("bankruptcy_accepted", "2024-09-10", id="b1", debtor=1)
    assert unplaced(case, [named], BASE) == []
