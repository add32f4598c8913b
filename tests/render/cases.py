"""Cases followed after their decision, as the service keeps them: a decision and its views."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from decision.follow_ups import CASE, decider
from eligibility.records.database import Database, file_url
from eligibility.records.follow_up import FollowUps
from eligibility.rulefiles import read_texts, rules_folder

Entry = dict[str, Any]

NOW = datetime(2024, 9, 2, 8, tzinfo=UTC)
FAR = date(2030, 12, 31)

# The creditor applies; the court that has the case may still be urged.
URGED: Entry = {
    "case_no": "（2024）苏0902执88号",
    "court_id": "亭湖法院",
    "request_channel": "party_application",
    "procedure_status": "enforcing",
    "obligation_type": "money",
    "title_content_clear": True,
    "enforceable_property_exists": True,
    "application_received_date": "2024-01-05",
    "filing_date": "2024-01-08",
    "outstanding_amount_yuan": 860_000,
    "main_property_court": "亭湖法院",
    "properties": [
        {
            "property_id": "苏（2019）盐城市不动产权第0012345号",
            "is_main": True,
            "property_available_at_application": True,
            "property_execution_completed": False,
            "disposable_property_controlled_date": "2024-02-20",
            "disposal_started_date": "none",
            "seizure_rank": "first",
            "disposal_legal_bars": [],
        },
        {"property_id": "苏J88888", "seizure_rank": "waiting"},
    ],
    "debtors": [
        {
            "debtor_id": "91320900MA1X0000XX",
            "settlement_state": "none",
            "bankruptcy_state": "none",
        }
    ],
}
# A report that is barred: the property was controlled and nobody started to dispose of it.
BARRED: Entry = {
    **{k: v for k, v in CASE.items() if k != "justified_reason_documented"},
    "case_no": "（2024）苏0902执2号",
    "disposable_property_controlled_date": "2024-02-20",
}


class Followed:
    """One case on record; ``view`` is what the service answers about it on a day."""

    def __init__(self, folder: Path, case: Entry, profile: str, events: Sequence[Entry]) -> None:
        texts = read_texts(rules_folder())
        self.case = case
        self.follow_ups = FollowUps(Database.open(file_url(folder / "r.db")), decider(), texts)
        request = {"case": case, "as_of": "2024-09-02", "profile": profile}
        body = decider().decide(case, today=date(2024, 9, 2), profile=profile)
        self.decision = self.follow_ups.record_decision(request, body, NOW)
        self.ids: dict[str, str] = {}
        for event in events:
            self.happened(**event)

    def happened(self, name: str = "", corrects: str = "", **event: Any) -> None:
        """An event; ``corrects`` is the name given to an earlier one."""
        payload = {"case_no": self.case["case_no"], **event}
        if corrects:
            payload["corrects"] = self.ids[corrects]
        said, _ = self.follow_ups.record_event(payload, NOW, FAR)
        self.ids[name] = said["id"]

    def view(self, on: str) -> Entry:
        return self.follow_ups.view(self.case["case_no"], date.fromisoformat(on))

    def duty(self, on: str, rule: str) -> Entry:
        """The duty of a rule on a day; of several, the one that has started."""
        found = [e for e in self.view(on)["follow_ups"] if e["rule"] == rule]
        return next((e for e in found if e["starts"]), found[0])


DESIGNATED_EVENTS: tuple[Entry, ...] = (
    {"type": "requested", "on": "2024-09-02"},
    {
        "type": "decided",
        "on": "2024-09-10",
        "facts": {
            "decided_mode": "designate",
            "receiving_court": "阜宁法院",
            "deciding_court": "盐城中院",
        },
        "doc_no": "（2024）苏09执监7号",
    },
    {"type": "served", "on": "2024-09-21", "doc_no": "送达9号"},
)
URGED_EVENTS: tuple[Entry, ...] = (
    {"type": "requested", "on": "2024-09-02"},
    {
        "type": "decided",
        "on": "2024-09-10",
        "facts": {"decided_mode": "urge", "deciding_court": "盐城中院"},
    },
    {
        "type": "urge_issued",
        "on": "2024-09-13",
        "facts": {"urge_deadline": "2024-11-08"},
        "doc_no": "（2024）苏09执监12号",
    },
    {"name": "stay", "type": "suspended", "on": "2024-10-08", "doc_no": "中1"},
    {"type": "suspended", "on": "2024-10-08", "corrects": "stay", "withdrawn": True},
    {
        "name": "sent",
        "type": "instrument_issued",
        "on": "2024-11-14",
        "facts": {"issued_instrument": "reminder"},
        "doc_no": "提醒3号",
    },
    {
        "type": "instrument_issued",
        "on": "2024-11-15",
        "facts": {"issued_instrument": "reminder"},
        "doc_no": "提醒4号",
        "corrects": "sent",
    },
)
