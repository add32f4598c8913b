"""What a decision says beside its outcome: warnings, traces, and how much of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from eligibility.decision.decide import Decider
from eligibility.errors import FactsError
from eligibility.rulefiles import load_rules

DAY = date(2024, 9, 22)
PARTY: dict[str, Any] = {
    "request_channel": "party_application",
    "procedure_status": "enforcing",
    "settlement_state": "none",
    "bankruptcy_state": "none",
    "obligation_type": "money",
    "property_available_at_application": True,
    "property_execution_completed": False,
}


@pytest.fixture(scope="module")
def decider() -> Iterator[Decider]:
    made = Decider(load_rules())
    yield made
    made.close()


def warned(decision: dict[str, Any]) -> list[str]:
    return [w["code"] for w in decision["warnings"]]


def test_a_clock_that_cannot_have_run_is_not_taken_as_run(decider: Decider) -> None:
    facts = {
        **PARTY,
        "application_received_date": "2024-09-01",
        "statutory_six_months_exceeded": True,
    }
    with pytest.raises(FactsError) as caught:
        decider.decide(facts, today=DAY)
    assert caught.value.code == "contradicts_derivation"


def test_a_value_given_against_a_presumption_is_pointed_out(decider: Decider) -> None:
    facts = {
        **PARTY,
        "application_received_date": "2024-01-15",
        "statutory_six_months_exceeded": False,
    }
    found = decider.decide(facts, today=DAY)
    assert found["outcome"] != "eligible"
    assert "given_against_presumption" in warned(found)


def test_a_court_that_the_register_does_not_know_is_pointed_out(decider: Decider) -> None:
    found = decider.decide({**PARTY, "court_id": "阜宁县人名法院"}, today=DAY)
    assert found["profile"] == "national"
    hints = [w["hint"]["zh"] for w in found["warnings"] if w["code"] == "unknown_court"]
    assert len(hints) == 1
    assert "阜宁县人民法院" in hints[0]


def test_only_proposals_in_effect_are_warned_of(decider: Decider) -> None:
    empty = decider.decide({}, today=DAY, profile="js-yancheng")
    assert "proposed_rules" not in warned(empty)
    uncured = {**PARTY, "request_channel": "court_report", "filing_date": "2024-09-01"}
    assert "proposed_rules" in warned(decider.decide(uncured, today=DAY, profile="js-yancheng"))


def test_an_override_is_on_the_record(decider: Decider) -> None:
    override = {"bar": "XB-06", "body": "决定法院执行局长", "reason": "急", "doc_no": "批1"}
    facts = {**PARTY, "request_channel": "court_report", "filing_date": "2024-09-01"}
    found = decider.decide({**facts, "overrides": [override]}, today=DAY, profile="js-yancheng")
    entry = next(r for r in found["rules"] if r["id"] == "XB-06")
    assert (entry["verdict"], entry["effective"]) == ("true", "false")
    assert entry["override"] == override


def test_the_channel_is_asked_for_with_the_rules_that_hang_on_it(decider: Decider) -> None:
    facts = {"court_id": "阜宁县人民法院", "filing_date": "2024-01-01"}
    asked = decider.decide(facts, today=DAY)["questions"]
    place = [q["fact"] for q in asked].index("request_channel")
    assert {"XQ-04", "XB-09"} <= set(asked[place]["rules"])


def test_many_records_do_not_make_an_endless_answer(decider: Decider) -> None:
    facts: dict[str, Any] = {"properties": [{}] * 200, "debtors": [{}] * 200}
    found = decider.decide(facts, today=DAY, profile="js-yancheng", engine="native")
    assert len(json.dumps(found, ensure_ascii=False).encode()) < 1_500_000
    assert found["outcome"] == "need_info"
