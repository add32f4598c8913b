"""The first day of change for batches against the search case by case."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from typing import Any

import numpy as np
import pytest

from decision.moving import DAY, on_the_move
from docket.hostile import Hostile
from docket.scattering import scatter
from eligibility.decision.assess import Assessment, assess
from eligibility.decision.changes import changes_on
from eligibility.decision.program import Program, Programs, Reading
from eligibility.docket.columns import Columns, Ints
from eligibility.docket.deriving import BulkDerivations
from eligibility.docket.gathering import copied, gather
from eligibility.docket.screening import children_of
from eligibility.docket.synth import Synthesis
from eligibility.docket.turning import IMPOSSIBLE, NO_DAY, Turned, Turning
from eligibility.engines.docket import DocketEngine
from eligibility.errors import EligibilityError
from eligibility.rulebase.model import Period, Rulebase
from eligibility.rulefiles import load_rules
from eligibility.vocabulary.payload import Case, read_case
from oracle.generate import DAYS as DAYS_OF_LAW
from oracle.generate import CaseWriter, random_base

PROFILES = ("national", "js-yancheng", "sc")
DAYS = (date(2024, 2, 29), date(2024, 10, 8), date(2025, 6, 1), date(2023, 9, 30))


@pytest.fixture(scope="module")
def shipped() -> Rulebase:
    return load_rules()


@pytest.fixture(scope="module")
def programs(shipped: Rulebase) -> Programs:
    return Programs(shipped)


class OneByOne:
    """Outcomes of batches from the assessment of each case; counts what it is asked."""

    def __init__(self, programs: Programs) -> None:
        self.vocabulary = programs.rulebase.vocabulary
        self.codes: dict[tuple[str, ...], int] = {}
        self.asked = 0

    def __call__(self, program: Program, columns: Columns) -> Ints:
        self.asked += columns.rows
        cases = scatter(columns, self.vocabulary)
        days = [date.fromordinal(day) for day in columns.as_of.tolist()]
        pairs = zip(cases, days, strict=True)
        return np.array([self.code(on(program, *pair)) for pair in pairs], dtype=np.int64)

    def code(self, found: Assessment | None) -> int:
        if found is None:
            return IMPOSSIBLE
        return self.codes.setdefault(found.outcomes, len(self.codes))


def on(program: Program, case: Case, day: date) -> Assessment | None:
    try:
        return assess(program, case, day, "native")
    except EligibilityError:
        return None


def searched(
    programs: Programs, program: Program, cases: Sequence[Case], days: Sequence[date]
) -> tuple[Turned, OneByOne, list[Assessment | None]]:
    """What bulk code finds, with the assessments that it was given."""
    outcomes_of = OneByOne(programs)
    found = [on(program, case, day) for case, day in zip(cases, days, strict=True)]
    given = gather(cases, programs.rulebase.vocabulary, days)
    bulk = BulkDerivations(program)
    derived = bulk.derive(copied(given))
    nothing = Reading([made.unknown for made in program.circuit.inputs], {})
    readings = [nothing if one is None else one.reading for one in found]
    for reading, case in zip(readings, cases, strict=True):
        if reading is nothing:  # as many records as the columns hold, whatever they say
            continue
        assert {scope: len(rows) for scope, rows in reading.records.items()} == {
            scope: len(rows) for scope, rows in case.records.items()
        }
    readings = [
        one if one is not nothing else _unread(program, case)
        for one, case in zip(readings, cases, strict=True)
    ]
    inputs = list(np.array([r.inputs for r in readings], dtype=np.uint32).T)
    now = np.array([outcomes_of.code(one) for one in found], dtype=np.int64)
    turning = Turning(programs, program, bulk, outcomes_of)
    evaluation = DocketEngine(program.circuit).evaluation(inputs, children_of(program, readings))
    turned = turning.first_changes(given, derived, evaluation, now)
    return turned, outcomes_of, found


def _unread(program: Program, case: Case) -> Reading:
    """Masks of a case of which nothing is known."""
    width = program.circuit.record_inputs
    records = {
        scope: [[made.unknown for made in width.get(scope, ())] for _ in rows]
        for scope, rows in case.records.items()
    }
    return Reading([made.unknown for made in program.circuit.inputs], records)


def compare(
    programs: Programs, program: Program, cases: Sequence[Case], days: Sequence[date]
) -> dict[str, int]:
    """Asserts that no row differs; how many rows change, are left alone, and were asked about."""
    turned, outcomes_of, found = searched(programs, program, cases, days)
    names = {code: outcomes for outcomes, code in outcomes_of.codes.items()}
    changed = 0
    for row, one in enumerate(found):
        if one is None:
            assert turned.day[row] == NO_DAY
            continue
        if turned.alone[row] or cases[row].overrides:
            continue
        expected: dict[str, Any] | None = changes_on(one, programs)
        if expected is None:
            assert turned.day[row] == NO_DAY, (expected, one.outcomes, cases[row])
            continue
        assert turned.day[row] != NO_DAY, (expected, one.outcomes, days[row], cases[row])
        assert date.fromordinal(turned.day[row]).isoformat() == expected["date"]
        assert list(names[turned.outcomes[row]]) == expected["possible_outcomes"]
        changed += 1
    return {"changed": changed, "alone": int(turned.alone.sum()), "asked": outcomes_of.asked}


@pytest.mark.parametrize("profile", PROFILES)
def test_made_up_dockets_turn_as_case_by_case(programs: Programs, profile: str) -> None:
    """INVARIANT: the day and the outcomes of one case; few days have to be looked at."""
    vocabulary = programs.rulebase.vocabulary
    cases = [read_case(p, vocabulary, DAY) for p in Synthesis(programs.rulebase, 7, DAY).cases(500)]
    counts = compare(programs, programs.at(profile, DAY), cases, [DAY] * len(cases))
    assert counts["changed"] > 10
    assert counts["alone"] == 0
    assert counts["asked"] < len(cases)


@pytest.mark.parametrize("profile", PROFILES)
def test_cases_on_the_move_turn_as_case_by_case(programs: Programs, profile: str) -> None:
    """Periods that end soon, stays that do not, clocks of unknown beginning."""
    cases = list(on_the_move(programs.rulebase, 5, 250))
    random = Random(profile)
    days = [DAY + timedelta(days=random.choice((0, 0, 3, 40, 300))) for _ in cases]
    counts = compare(programs, programs.at(profile, DAY), cases, days)
    assert counts["changed"] > 10
    assert counts["alone"] == 0


@pytest.mark.parametrize("profile", PROFILES)
def test_hostile_cases_turn_as_case_by_case(programs: Programs, profile: str) -> None:
    """INVARIANT: each case on a day of its own; no day is found that is not the first."""
    random = Random(profile)
    makers = [Hostile(programs.rulebase, random, 0.005) for _ in range(4)]
    cases = [random.choice(makers).case() for _ in range(350)]
    days = [random.choice(DAYS) for _ in cases]
    counts = compare(programs, programs.at(profile, DAYS[0]), cases, days)
    assert counts["alone"] < len(cases) / 10


def test_random_rule_bases_turn_as_case_by_case() -> None:
    """INVARIANT: also where leaves are closed, combinations impossible, the law about to change."""
    changed = alone = 0
    for seed in range(14):
        counts = on_a_random_base(seed)
        changed, alone = changed + counts["changed"], alone + counts["alone"]
    assert changed > 30
    assert alone < 50


def on_a_random_base(seed: int) -> dict[str, int]:
    rulebase, random = random_base(seed, constraints=seed % 3), Random(seed)
    programs, day = Programs(rulebase), DAYS_OF_LAW[seed % 4]
    writer, cases = CaseWriter(rulebase, random, day), []
    for _ in range(40):
        with suppress(EligibilityError):
            cases.append(read_case(writer.payload(), rulebase.vocabulary, day))
    return compare(programs, programs.at("low", day), cases, [day] * len(cases))


def test_a_change_of_law_is_among_the_days(shipped: Rulebase) -> None:
    """A rule that ends and one that begins soon: days beyond are judged by the law of then."""
    rules, random = dict(shipped.rules), Random(1)
    for key in random.sample(sorted(rules), 12):
        start = DAY + timedelta(days=random.choice((5, 90)))
        until = start + timedelta(days=60)
        rules[key] = replace(
            rules[key],
            effective=Period(*random.choice(((start, None), (None, start), (start, until)))),
        )
    programs = Programs(replace(shipped, rules=rules))
    assert programs.law.dates
    cases = list(on_the_move(programs.rulebase, 9, 120))
    counts = compare(programs, programs.at("sc", DAY), cases, [DAY] * len(cases))
    assert counts["changed"] > 10


def test_a_row_with_very_many_days_is_asked_alone(programs: Programs) -> None:
    """Only the first days are looked at; which those are is for the search of one case."""
    program, left = programs.at("sc", DAY), 0
    for case in on_the_move(programs.rulebase, 3, 40):
        record = {**case.records["property"][0]} if case.records["property"] else {}
        key = "disposable_property_controlled_date"
        case.records["property"] = [{**record, key: DAY - timedelta(days=n)} for n in range(40)]
        turned, _, _ = searched(programs, program, [case], [DAY])
        left += int(turned.alone[0])
        assert turned.alone[0] or turned.day[0] == NO_DAY
    assert left > 0
