"""When time alone changes an outcome, against every day that follows."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from decision.moving import DAY, on_the_move
from eligibility.decision.assess import Assessment, assess
from eligibility.decision.changes import changes_on
from eligibility.decision.program import Program, Programs
from eligibility.errors import FactsError
from eligibility.rulefiles import load_rules
from eligibility.vocabulary.payload import Case

AHEAD = 220


@pytest.fixture(scope="module")
def programs() -> Programs:
    return Programs(load_rules())


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


@pytest.mark.parametrize("profile", ["js-yancheng", "sc"])
def test_no_earlier_day_changes_the_outcome(programs: Programs, profile: str) -> None:
    program, changed = programs.at(profile, DAY), 0
    for case in on_the_move(programs.rulebase, 3, 120):
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
