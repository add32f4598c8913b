"""Cases that may be moved, and what is said of the courts that may receive them."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

from eligibility.api.decisions_model import ReceivingCourts
from eligibility.decision.decide import Decider
from eligibility.decision.receiving import receiving_courts

DAY = date(2024, 9, 2)
Facts = dict[str, Any]
ORDINARY: Facts = {
    "procedure_status": "enforcing",
    "settlement_state": "none",
    "bankruptcy_state": "none",
    "obligation_type": "money",
    "title_content_clear": True,
    "prior_cross_count": 0,
    "returned_before": False,
}
APPLIED: Facts = {
    **ORDINARY,
    "request_channel": "party_application",
    "application_received_date": "2024-01-15",
    "property_available_at_application": True,
    "property_execution_completed": False,
}
INTERFERED: Facts = {
    **ORDINARY,
    "request_channel": "ex_officio",
    "application_received_date": "2023-12-01",
    "interference_record": True,
}
A_SET: Facts = {
    **ORDINARY,
    "request_channel": "ex_officio",
    "court_id": "翠屏区法院",
    "receiving_court": "宜宾中院",
    "same_debtor_open_cases": 138,
    "same_debtor_courts": 11,
    "criminal_civil_overlap": True,
    "obstacle_kinds": ["court_dispute", "mass"],
}
YANCHENG = [
    "js-yancheng-binhai",
    "js-yancheng-dafeng",
    "js-yancheng-dongtai",
    "js-yancheng-funing",
    "js-yancheng-jianhu",
    "js-yancheng-kaifa",
    "js-yancheng-tinghu",
    "js-yancheng-xiangshui",
    "js-yancheng-yandu",
]


def found(decider: Decider, facts: Facts, profile: str | None = None) -> Facts:
    """The receiving courts alone, checked against their model."""
    assessment = decider.assess(
        copy.deepcopy(facts), DAY, profile or decider_profile(decider, facts), "native"
    )
    entry, _ = receiving_courts(assessment, decider.register)
    ReceivingCourts.model_validate(entry)
    assert set(entry) == set(ReceivingCourts.model_fields)
    return entry


def decider_profile(decider: Decider, facts: Facts) -> str:
    court = decider.register.find(facts.get("court_id"))
    return court.profile if court else "national"


def warned(decider: Decider, facts: Facts) -> list[str]:
    answer = decider.decide(facts, today=DAY, engine="native")
    return [w["code"] for w in answer["warnings"]]


def ids(entries: list[Facts]) -> list[str]:
    return [entry["court"] or entry["label"]["zh"] for entry in entries]


def excluded(entry: Facts) -> dict[str, list[str]]:
    return {
        court: [rule["id"] for rule in made["rules"]]
        for court, made in zip(ids(entry["excluded"]), entry["excluded"], strict=True)
    }


def factor(entry: Facts, court: str, name: str) -> Facts:
    ranked = next(made for made in entry["ranked"] if court in (made["court"], made["label"]["zh"]))
    return next(part for part in ranked["factors"] if part["factor"] == name)


def listing(*courts: str, **facts: Any) -> list[Facts]:
    return [{"c_court": court, **facts} for court in courts]
