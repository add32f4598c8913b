"""Cases in which a period is about to end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from eligibility.docket.synth import Synthesis
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.payload import Case, read_case

DAY = date(2025, 6, 1)
LIVE = {
    "procedure_status": "enforcing",
    "title_content_clear": True,
    "prior_cross_count": 0,
    "in_open_centralisation": False,
    "entrusted_in": False,
}


def before(days: int) -> str:
    return (DAY - timedelta(days=days)).isoformat()


def on_the_move(rulebase: Rulebase, seed: int, count: int) -> Iterator[Case]:
    """Cases in which a period is about to end: undisposed property, an urge order, a discovery."""
    random = Random(seed)
    for payload in Synthesis(rulebase, seed, DAY).cases(count):
        payload |= LIVE
        for debtor in payload["debtors"]:
            debtor |= {"settlement_state": "none", "bankruptcy_state": "none"}
        for found in payload["properties"]:
            found |= {"disposal_started_date": "none", "disposal_legal_bars": []}
            found["disposable_property_controlled_date"] = before(random.randint(90, 175))
            found["property_discovered_date"] = before(random.randint(100, 170))
        kind = random.choice(("announcement", "deferral", "suspension"))
        stay = {"kind": kind, "from": before(random.randint(1, 150)), "doc_no": "1"}
        payload["excluded_intervals"] = [stay, {**stay, "from": before(40), "to": before(20)}]
        if random.random() < 0.5:
            payload |= {"urge_order_date": before(20), "urge_deadline": before(-5)}
            stay["from"] = before(10)
        if random.random() < 0.4:
            payload.pop("application_received_date", None)
        yield read_case(payload, rulebase.vocabulary, DAY)
