"""Duties of the shipped rules: when they start, who owes them, when due, what ends them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decision.follow_ups import (
    CASE,
    DECIDED,
    decided,
    decider,
    event,
    followed,
    ground,
)
from eligibility.decision.duties import FollowUp
from eligibility.decision.events import Event, standing
from eligibility.decision.follow_up import duty_entries

BASE = decider().rulebase
YANCHENG = ground(profile="js-yancheng")


def day(text: str) -> date:
    return date.fromisoformat(text)


def stands(events: list[Event], as_of: str, *grounds: Any) -> dict[str, str]:
    made = followed(events, day(as_of), *grounds)
    return {name: owed.state(day(as_of)) for name, owed in made.items()}


def test_a_dry_decision_says_what_each_duty_waits_for() -> None:
    entries = duty_entries(FollowUp([YANCHENG], [], DECIDED).duties(), DECIDED, "", BASE)
    found = {f"{e['rule']}.{e['duty']}": e for e in entries}
    assert found["XR-01.review"]["due"] == "2024-09-18"  # 17 September is 中秋
    assert found["XR-01.review"]["due_trail"]["moved_by"] == [
        {"day": "2024-09-17", "reason": "holiday"}
    ]
    handover = found["XR-04.handover"]
    assert handover["after_event"]["events"] == ["served"]
    assert handover["assumes"]["decided_mode"] == "designate"
    assert handover["who"]["court"]["id"] == "js-yancheng-tinghu"
    assert found["XR-06.file"]["who"]["court"]["id"] == "js-yancheng-funing"
    assert found["XR-11.return"]["contingent"]


def test_hand_over_is_due_ten_days_after_service_across_the_holiday() -> None:
    events = [decided("2024-09-10"), event("served", "2024-09-21")]
    owed = followed(events, day("2024-10-08"))["XR-04.handover"]
    assert owed.due is not None
    assert owed.due.on == day("2024-10-08")
    states = {d: owed.state(day(d)) for d in ("2024-10-08", "2024-10-09", "2024-10-18")}
    assert list(states.values()) == ["open", "overdue", "lapsed"]


def test_the_mode_decided_counts_not_the_one_advised() -> None:
    events = [decided("2024-09-10", "coordinate"), event("served", "2024-09-20")]
    found = followed(events, day("2024-10-20"))
    assert "XR-04.handover" not in found
    assert "XR-10.feedback" in found


def test_feedback_recurs() -> None:
    events = [
        decided("2024-09-10"),
        event("feedback", "2024-10-08"),
        event("feedback", "2024-11-20"),
    ]
    made = FollowUp([ground()], standing(events), day("2024-12-25")).duties()
    feedback = [o for o in made if o.duty.key == "feedback"]
    assert [(o.start.on, o.state(day("2024-12-25"))) for o in feedback] == [
        (day("2024-09-10"), "done"),
        (day("2024-10-08"), "done_late"),
        (day("2024-11-20"), "overdue"),
    ]


def test_an_urge_order_lapses_step_by_step_to_a_clue() -> None:
    issued = event("urge_issued", "2024-09-10", facts={"urge_deadline": "2024-11-08"})
    owed = followed([issued], day("2025-01-01"))["XR-03.reasons"]
    assert owed.due is not None
    assert owed.due.on == day("2024-11-13")
    assert [(s.instrument, s.on.isoformat()) for s in owed.steps] == [
        ("reminder", "2024-11-14"),
        ("supervision_letter", "2024-11-23"),
        ("transfer_ruling", "2024-12-03"),
        ("clue", "2024-12-13"),
    ]
    clue = followed([issued], day("2025-01-01"))["XR-12.verify"]
    assert (clue.start.kind, clue.start.on) == ("lapse", day("2024-12-13"))
    told = [
        issued,
        event("reason_given", "2024-11-12", facts={"justified_reason_documented": True}),
    ]
    assert "XR-12.verify" not in followed(told, day("2025-01-01"))


def test_a_stay_inside_the_urge_period_puts_its_end_off() -> None:
    issued = event("urge_issued", "2024-09-10", facts={"urge_deadline": "2024-11-08"})
    stay = [event("suspended", "2024-10-08", doc_no="中1"), event("resumed", "2024-10-28")]
    owed = followed([issued, *stay], day("2025-01-01"))["XR-03.reasons"]
    assert owed.due is not None
    assert owed.due.start == day("2024-11-28")
    assert not owed.moving
    running = followed([issued, stay[0]], day("2024-12-31"))["XR-03.reasons"]
    assert running.moving


def test_a_seizure_is_renewed_before_hand_over_if_it_expires_soon() -> None:
    case = {**CASE, "nearest_seizure_expiry_date": "2024-11-05"}
    served = [decided("2024-09-10"), event("served", "2024-09-20")]
    soon = followed(served, day("2024-10-06"), ground(case))["XR-05.renew"]
    assert soon.due is not None
    assert soon.due.on == day("2024-10-06")  # thirty days before, no roll-over
    in_time = [*served, event("handed_over", "2024-10-06")]
    late = [*served, event("handed_over", "2024-10-07")]
    assert stands(in_time, "2024-10-20", ground(case))["XR-05.renew"] == "ended"
    assert stands(late, "2024-10-20", ground(case))["XR-05.renew"] == "overdue"
    assert stands(late, "2024-11-05", ground(case))["XR-05.renew"] == "lapsed"
    no_seizure = {**CASE, "nearest_seizure_expiry_date": "none"}
    assert "XR-05.renew" not in followed(served, day("2024-10-20"), ground(no_seizure))
    unknown = {k: v for k, v in CASE.items() if k != "nearest_seizure_expiry_date"}
    waits = followed(served, day("2024-10-20"), ground(unknown))["XR-05.renew"]
    assert waits.missing == ("nearest_seizure_expiry_date",)
    assert waits.state(day("2024-10-20")) == "waiting"


def test_a_seizure_about_to_expire_at_service_leaves_the_days_to_hand_over() -> None:
    case = {**CASE, "nearest_seizure_expiry_date": "2024-10-11"}
    events = [decided("2024-09-10"), event("served", "2024-09-21")]
    owed = followed(events, day("2024-09-22"), ground(case))["XR-05.renew"]
    assert owed.due is not None
    assert (owed.due.on, owed.due.start) == (day("2024-10-08"), day("2024-10-11"))
    assert owed.due.on == owed.due.start - timedelta(days=owed.due.count)
    assert [(s.instrument, s.on.isoformat(), s.after) for s in owed.steps] == [
        ("reminder", "2024-10-09", 1),
        ("remedy", "2024-10-11", 3),  # the day it expires
        ("clue", "2024-10-26", 18),
    ]


def test_one_property_of_several_does_not_answer_an_urge_order() -> None:
    case = {k: v for k, v in CASE.items() if k != "disposable_property_controlled_date"}
    flat = [k for k in case if BASE.vocabulary.facts[k].scope == "property"]
    shared = {k: case.pop(k) for k in flat}
    case["properties"] = [
        {"disposable_property_controlled_date": d, **shared} for d in ("2024-08-20", "2024-08-25")
    ]
    issued = event("urge_issued", "2024-09-10", facts={"urge_deadline": "2024-11-08"})
    sold = event("property_completed", "2024-10-31", property=0)
    owed = followed([issued, sold], day("2024-12-01"), ground(case))["XR-03.reasons"]
    assert (owed.done, owed.state(day("2024-12-01"))) == (None, "lapsed")


def test_a_completed_case_leaves_no_court_late() -> None:
    events = [
        decided("2024-09-10"),
        event("supervisor_named", "2024-09-10"),
        event("served", "2024-09-20"),
        event("material_missing", "2024-09-25"),
        event("handed_over", "2024-10-08"),
        event("assistance_requested", "2024-10-09"),
        event("completed", "2025-06-30"),
    ]
    before, after = stands(events, "2025-06-29"), stands(events, "2025-06-30")
    late = {name for name, state in before.items() if state in ("overdue", "lapsed")}
    assert {"XR-04.supplement", "XR-06.file", "XR-07.cooperate", "XR-08.start"} <= late
    assert not {name for name in late if after[name] in ("overdue", "lapsed")}


def test_property_controlled_before_the_hand_over_is_not_the_designated_courts_delay() -> None:
    again = {**CASE, "decided_mode": "designate"}
    waits = followed([decided("2024-09-10")], day("2024-10-20"), ground(again))["XR-08.start"]
    assert (waits.start.kind, waits.start.what) == ("none", "handed_over")
    handed = [decided("2024-09-10"), event("handed_over", "2024-10-08")]
    made = FollowUp([ground(again)], standing(handed), day("2024-12-01")).duties()
    assert [o.start.on for o in made if o.duty.key == "start"] == [day("2024-10-08")]


def test_each_property_has_its_own_time_limit() -> None:
    case = {k: v for k, v in CASE.items() if k != "disposable_property_controlled_date"}
    record = (
        {"justified_reason_documented": True} if "justified_reason_documented" not in CASE else {}
    )
    flat = ("disposal_legal_bars", "justified_reason_documented")
    moved = {k: case.pop(k) for k in flat if BASE.vocabulary.facts[k].scope == "property"}
    case["properties"] = [
        {"disposable_property_controlled_date": "2024-08-20", **moved, **record},
        {"disposable_property_controlled_date": "2024-08-25", **moved, **record},
    ]
    events = [
        decided("2024-09-10"),
        event("handed_over", "2024-10-08"),
        event("disposal_started", "2024-10-20", property=1),
    ]
    made = FollowUp([ground(case)], standing(events), day("2024-12-01")).duties()
    states = {o.record: o.state(day("2024-12-01")) for o in made if o.duty.key == "start"}
    assert states == {0: "lapsed", 1: "done"}


def test_an_answer_ends_only_the_duty_it_answers() -> None:
    events = [
        decided("2024-09-10"),
        event("assistance_requested", "2024-10-08", id="a1"),
        event("assistance_requested", "2024-10-09", id="a2"),
        event("assistance_given", "2024-10-10", answers="a2"),
    ]
    made = FollowUp([ground()], standing(events), day("2024-12-01")).duties()
    states = {o.start.id: o.state(day("2024-12-01")) for o in made if o.duty.key == "cooperate"}
    assert states == {"a1": "lapsed", "a2": "done"}


def test_a_return_without_approval_counts_as_still_handled() -> None:
    events = [decided("2024-09-10"), event("handed_over", "2024-10-08")]
    returned = event("returned", "2024-11-01")
    assert stands([*events, returned], "2024-11-03")["XR-11.resume"] == "overdue"
    approved = event("exit_approved", "2024-10-25")
    found = stands([*events, approved, returned], "2024-11-03")
    assert found["XR-11.return"] == "done"
    assert found["XR-11.resume"] == "done"


def test_objections_go_to_the_court_in_charge() -> None:
    filed = event("objection_filed", "2024-10-20")
    before = followed([decided("2024-09-10"), filed], day("2024-10-21"))["XR-09.examine"]
    after = followed(
        [decided("2024-09-10"), event("handed_over", "2024-10-08"), filed], day("2024-10-21")
    )["XR-09.examine"]
    assert after.court is not None
    assert after.court.id == "js-yancheng-funing"
    assert before.court is None  # whether the case was handed over is not on record


def test_a_second_decision_keeps_what_the_first_began() -> None:
    events = [decided("2024-09-10"), event("served", "2024-09-20")]
    second = ground({**CASE, "decided_mode": "designate"}, day("2024-10-20"), name="D2")
    found = followed(events, day("2024-10-25"), ground(), second)["XR-04.handover"]
    assert (found.ground, found.due.on if found.due else None) == ("D1", day("2024-09-30"))


def test_a_clue_found_night_after_night_is_one_clue() -> None:
    idle = {**CASE, "online_inquiry_done": False}
    nights = [ground(idle, day(f"2024-09-{d:02}"), name=f"D{d}") for d in range(2, 12)]
    made = FollowUp(nights, [], day("2024-09-30")).duties()
    assert [o.start.on for o in made if o.rule.id == "XR-12"] == [day("2024-09-02")]
    cured = ground(CASE, day("2024-09-12"), name="D12")
    again = ground(idle, day("2024-09-13"), name="D13")
    made = FollowUp([*nights, cured, again], [], day("2024-09-30")).duties()
    starts = [o.start.on for o in made if o.rule.id == "XR-12"]
    assert starts == [day("2024-09-02"), day("2024-09-13")]


# --- properties -----------------------------------------------------------------------------------

KINDS = ["decided", "served", "handed_over", "filed", "feedback", "supervisor_named"]
KINDS += ["disposal_started", "suspended", "resumed", "completed", "assistance_requested"]
KINDS += ["assistance_given", "exit_approved", "returned", "urge_issued", "reason_given"]
CARRIED: dict[str, dict[str, Any]] = {
    "decided": {"decided_mode": "designate"},
    "urge_issued": {"urge_deadline": "2024-11-08"},
    "reason_given": {"justified_reason_documented": True},
}


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    kinds = draw(st.lists(st.sampled_from(KINDS), max_size=8))
    out: list[Event] = []
    for number, kind in enumerate(kinds):
        on = DECIDED + timedelta(days=draw(st.integers(0, 150)))
        corrects = draw(st.sampled_from(["", "", "", "", *[e.id for e in out]]))
        rest = {"corrects": corrects} if corrects else {}
        out.append(
            event(kind, on.isoformat(), id=f"e{number}", facts=CARRIED.get(kind, {}), **rest)
        )
    return out


def states_at(events: list[Event], as_of: date) -> dict[str, tuple[str, date | None]]:
    made = FollowUp([ground()], standing(events), as_of).duties()
    return {
        owed.id: (owed.state(as_of), owed.due.on if owed.due else None)
        for owed in made
        if owed.start.on is not None and owed.start.on <= as_of and not owed.moving
    }


@settings(max_examples=60)
@given(
    histories().flatmap(lambda e: st.tuples(st.just(e), st.permutations(e))), st.integers(0, 200)
)
def test_order_of_events_does_not_matter(two: tuple[list[Event], list[Event]], after: int) -> None:
    as_of = DECIDED + timedelta(days=after)
    assert states_at(two[0], as_of) == states_at(two[1], as_of)


@settings(max_examples=60)
@given(histories(), st.integers(0, 200))
def test_what_happens_later_changes_no_earlier_state(events: list[Event], after: int) -> None:
    as_of = DECIDED + timedelta(days=after)
    stand = standing(events)
    past = [e for e in stand if e.on <= as_of]
    assert states_at(past, as_of) == states_at(stand, as_of)


@settings(max_examples=60)
@given(histories())
def test_no_deadline_falls_on_a_closed_day(events: list[Event]) -> None:
    for owed in FollowUp([ground()], standing(events), DECIDED).duties():
        if owed.due is not None and owed.duty.due is not None and owed.duty.due.rolls:
            assert BASE.calendar.is_working_day(owed.due.on), owed.id


@pytest.mark.parametrize("rule", [r for r in BASE.rules.values() if r.kind == "require"])
def test_every_require_rule_says_who_and_cites(rule: Any) -> None:
    assert rule.duties
    assert rule.citations
    for duty in rule.duties:
        assert duty.who in BASE.roles
        assert duty.done_by


@pytest.mark.parametrize("rule", [r for r in BASE.rules.values() if r.kind == "require"])
def test_no_ladder_is_passed_off_as_reported_or_law(rule: Any) -> None:
    assert any(duty.ladder for duty in rule.duties)
    assert any("措施" in part.zh for part in rule.proposed_parts), rule.id


def test_what_the_sources_say_is_said_in_their_words() -> None:
    review = BASE.rules["XR-01"].duties[0].what.zh
    assert "充分考虑当事人意愿，做好沟通释明" in review
    assert "征求" not in review
    (days,) = BASE.parameters["return_days"].values
    assert (days.value, days.basis) == (15, "proposed")
    assert "类推委托执行规定第九条" in days.ground.zh
    assert any("15日内" in quote for quote in BASE.sources["L41"].quotes)
