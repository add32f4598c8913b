"""A case followed after its decision, for tests: by default designated from 亭湖 to 阜宁."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

from eligibility.decision.decide import Decider
from eligibility.decision.duties import FollowUp, OwedDuty
from eligibility.decision.events import Event, read_event, standing
from eligibility.decision.standpoint import Ground
from eligibility.rulefiles import load_rules

FAR = date(2030, 12, 31)
DECIDED = date(2024, 9, 2)
CASE: dict[str, Any] = {
    "case_no": "（2024）苏0902执1号",
    "court_id": "亭湖法院",
    "receiving_court": "阜宁法院",
    "request_channel": "court_report",
    "procedure_status": "enforcing",
    "settlement_state": "none",
    "bankruptcy_state": "none",
    "obligation_type": "money",
    "title_content_clear": True,
    "prior_cross_count": 0,
    "returned_before": False,
    "undistributed_funds_yuan": 0,
    "main_property_court": "阜宁法院",
    "enforceable_property_exists": True,
    "obstacle_kinds": ["asset_elsewhere"],
    "filing_date": "2024-01-08",
    "report_date": "2024-09-02",
    "online_inquiry_done": True,
    "onsite_inquiry_done": True,
    "property_report_order_issued": True,
    "oldest_unverified_clue_days": 0,
    "disposable_property_controlled_date": "2024-08-20",
    "disposal_legal_bars": [],
    "justified_reason_documented": True,
    "in_open_centralisation": False,
    "nearest_seizure_expiry_date": "2027-02-19",
    "last_effective_measure_date": "2024-08-20",
}


@cache
def decider() -> Decider:
    return Decider(load_rules())


def ground(
    case: dict[str, Any] | None = None, on: date = DECIDED, profile: str = "sc", name: str = "D1"
) -> Ground:
    found = decider().assess(CASE if case is None else case, on, profile, "native")
    return Ground.of(found, name)


def event(kind: str, on: str, **rest: Any) -> Event:
    facts = rest.pop("facts", {})
    payload = {"type": kind, "on": on, "facts": facts, **rest}
    return read_event(payload, decider().rulebase, FAR, "case")


def decided(on: str, mode: str = "designate") -> Event:
    facts = {"decided_mode": mode, "receiving_court": "阜宁法院", "deciding_court": "盐城中院"}
    return event("decided", on, facts=facts)


def followed(events: list[Event], as_of: date, *grounds: Ground) -> dict[str, OwedDuty]:
    """The duties of a case by ``RULE.key``; of several, the last to start."""
    made = FollowUp(grounds or (ground(),), standing(events), as_of).duties()
    made.sort(key=lambda d: d.start.on or date.min)
    return {f"{owed.rule.id}.{owed.duty.key}": owed for owed in made}
