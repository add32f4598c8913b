"""Outcomes of batches and the days on which time changes them, all by columns."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from random import Random

import pytest

from decision.moving import DAY, on_the_move
from docket.hostile import Hostile
from eligibility.decision.assess import assess
from eligibility.decision.changes import changes_on
from eligibility.decision.program import Program, Programs
from eligibility.docket.feeding import Feed
from eligibility.docket.gathering import copied, gather
from eligibility.docket.open_cases import OpenCases
from eligibility.docket.outcomes import PossibleOutcomes
from eligibility.docket.synth import Synthesis
from eligibility.docket.turning import ALONE, IMPOSSIBLE, NO_DAY, Turning
from eligibility.errors import EligibilityError
from eligibility.rulefiles import load_rules
from eligibility.vocabulary.payload import Case, read_case
from oracle.generate import DAYS as DAYS_OF_LAW
from oracle.generate import CaseWriter, random_base

PROFILES = ("national", "js-yancheng", "sc")


@pytest.fixture(scope="module")
def programs() -> Programs:
    return Programs(load_rules())


def compare(
    programs: Programs, program: Program, cases: Sequence[Case], days: Sequence[date]
) -> dict[str, int]:
    """Asserts that no row differs from its case alone; how many change and are left alone."""
    feeds: dict[int, Feed] = {}
    outcomes = PossibleOutcomes(lambda p: feeds.setdefault(id(p), Feed(p)), OpenCases())
    feed = feeds[id(program)] = Feed(program)
    given = gather(cases, programs.rulebase.vocabulary, days)
    columns = copied(given)
    derived, evaluation = feed.read(columns)
    impossible, verdicts = feed.impossible(evaluation), evaluation.verdicts()
    now = outcomes.codes(program, evaluation, verdicts, columns.odd, impossible)
    turning = Turning(programs, program, feed.derivations, outcomes)
    turned = turning.first_changes(given, derived, evaluation, now)
    counts = {"changed": 0, "alone": int(turned.alone.sum()), "odd": int((now == ALONE).sum())}
    for row, (case, day) in enumerate(zip(cases, days, strict=True)):
        if now[row] == ALONE or turned.alone[row]:
            continue
        try:
            found = assess(program, case, day, "native")
        except EligibilityError:
            assert now[row] == IMPOSSIBLE
            assert turned.day[row] == NO_DAY
            continue
        assert now[row] >= 0, case
        assert outcomes.names[now[row]] == found.outcomes
        expected = changes_on(found, programs)
        if expected is None:
            assert turned.day[row] == NO_DAY, (expected, case)
            continue
        assert turned.day[row] != NO_DAY, (expected, case)
        assert date.fromordinal(turned.day[row]).isoformat() == expected["date"]
        assert list(outcomes.names[turned.outcomes[row]]) == expected["possible_outcomes"]
        counts["changed"] += 1
    return counts


@pytest.mark.parametrize("profile", PROFILES)
def test_ordinary_dockets(programs: Programs, profile: str) -> None:
    """INVARIANT: outcomes, day of change and outcomes then are those of each case alone."""
    rulebase, random = programs.rulebase, Random(profile)
    payloads = Synthesis(rulebase, 21, DAY).cases(400)
    cases = [read_case(payload, rulebase.vocabulary, DAY) for payload in payloads]
    days = [DAY] * len(cases)
    moving = list(on_the_move(rulebase, 31, 250))
    days += [DAY + timedelta(days=random.choice((0, 2, 40))) for _ in moving]
    counts = compare(programs, programs.at(profile, DAY), [*cases, *moving], days)
    assert counts["changed"] > 40
    assert counts["alone"] + counts["odd"] == 0


@pytest.mark.parametrize("profile", PROFILES)
def test_hostile_cases(programs: Programs, profile: str) -> None:
    random = Random(profile)
    makers = [Hostile(programs.rulebase, random, 0.005) for _ in range(4)]
    cases = [random.choice(makers).case() for _ in range(300)]
    days = [DAY + timedelta(days=random.randrange(-600, 600)) for _ in cases]
    counts = compare(programs, programs.at(profile, DAY), cases, days)
    assert counts["alone"] + counts["odd"] < len(cases) / 2


def test_random_rule_bases() -> None:
    """INVARIANT: the same of rule bases that nobody wrote."""
    changed = 0
    for seed in range(300, 314):
        rulebase, random = random_base(seed, constraints=seed % 3), Random(seed)
        programs, day = Programs(rulebase), DAYS_OF_LAW[seed % 4]
        writer, cases = CaseWriter(rulebase, random, day), []
        for _ in range(40):
            with suppress(EligibilityError):
                cases.append(read_case(writer.payload(), rulebase.vocabulary, day))
        days = [day] * len(cases)
        changed += compare(programs, programs.at("low", day), cases, days)["changed"]
    assert changed > 30
