"""When time alone changes an outcome, against every day that follows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from eligibility.decision.assess import Assessment, assess
from eligibility.decision.changes import changes_on
from eligibility.decision.program import Program, Programs
from eligibility.docket.synth import Synthesis
from eligibility.errors import FactsError
from eligibility.rulefiles import load_rules
from eligibility.vocabulary.payload import Case, read_case

DAY = date(2025, 6, 1)
AHEAD = 220
LIVE = {
    "procedure_status": "enforcing",
    "title_content_clear": True,
    "prior_cross_count": 0,
    "in_open_centralisation": False,
    "entrusted_in": False,
}


@pytest.fixture(scope="module")
def programs() -> Programs:
    return Programs(load_rules())


def before(days: int) -> str:
    return (DAY - timedelta(days=days)).isoformat()


def on_the_move(programs: Programs, seed: int, count: int) -> Iterator[Case]:
    """Cases in which a period is about to end: undisposed property, an urge order, a discovery."""
    random = Random(seed)
    for payload in Synthesis(programs.rulebase, seed, DAY).cases(count):
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
        yield read_case(payload, programs.rulebase.vocabulary, DAY)


def on(program: Program, case: Case, day: date) -> Assessment | None:
    try:
        return assess(program, case, day, "native")
    except FactsError:
        return None


def first_change(program: Program, case: Case, now: tuple[str, ...]) -> date | None:
    for ahead in range(1, AHEAD):
        then = on(program, case, DAY + timedelta(days=ahead))
        if then is not None and then.outcomes != now:
            return DAY + timedelta(days=ahead)
    return None


@pytest.mark.parametrize("profile", ["national", "js-yancheng", "sc"])
def test_no_earlier_day_changes_the_outcome(programs: Programs, profile: str) -> None:
    program, changed = programs.at(profile, DAY), 0
    for case in on_the_move(programs, 3, 120):
        found = on(program, case, DAY)
        if found is None:
            continue
        told: dict[str, Any] = changes_on(found, programs) or {}
        expected = first_change(program, case, found.outcomes)
        if expected is None:
            assert not told or date.fromisoformat(told["date"]) >= DAY + timedelta(days=AHEAD)
        else:
            assert told
            assert told["date"] == expected.isoformat()
            changed += 1
    assert changed >= 5
