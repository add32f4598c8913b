"""Derived facts of batches against the same facts derived case by case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docket.hostile import AWKWARD, Hostile
from docket.scattering import scatter, value
from eligibility.decision.derive import Derived
from eligibility.decision.program import Program, Programs
from eligibility.docket.deriving import BulkDerivations
from eligibility.docket.gathering import copied, gather, take
from eligibility.docket.synth import Synthesis
from eligibility.errors import EligibilityError
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules
from eligibility.vocabulary.model import CASE
from eligibility.vocabulary.payload import Case, read_case

PROFILES = ("national", "js-yancheng", "sc")
DAYS = (date(2024, 2, 29), date(2024, 10, 8), date(2025, 6, 1), date(2023, 9, 30))
POLICIES: list[dict[str, Any]] = [
    {},
    {"clock_after_transfer": "continue", "holiday_rollover": False, "undisposed_inclusive": False},
    {"local_clock_policy": "suspension_only", "undisposed_deduct": "none"},
    {"local_clock_policy": "none", "auction_notice_counts": True},
]


@pytest.fixture(scope="module")
def shipped() -> Rulebase:
    return load_rules()


@pytest.fixture(scope="module")
def programs(shipped: Rulebase) -> Programs:
    return Programs(shipped)


def compare(program: Program, cases: Sequence[Case], days: Sequence[date]) -> tuple[int, int]:
    """The number of values compared and of odd rows; asserts that no value differs."""
    vocabulary = program.lowered.rulebase.vocabulary
    columns = gather(cases, vocabulary, days)
    BulkDerivations(program).derive(columns)
    compared = 0
    for row, (case, day) in enumerate(zip(cases, days, strict=True)):
        try:
            alone = program.derive(case, day)
        except EligibilityError:
            assert columns.odd[row], case
            continue
        if columns.odd[row]:
            continue
        for fact in vocabulary.facts.values():
            for index, held in enumerate(_stores(alone, fact.scope)):
                if fact.scope == CASE:
                    found = value(fact.type, columns.case.facts.get(fact.key), row)
                else:
                    records = columns.records[fact.scope]
                    at = records.offsets[row] + index
                    found = value(fact.type, records.facts.get(fact.key), at)
                assert found == held.get(fact.key), (fact.key, index, day, case)
                compared += fact.derive is not None
    return compared, int(columns.odd.sum())


def _stores(alone: Derived, scope: str) -> list[dict[str, Any]]:
    return [alone.facts] if scope == CASE else alone.records.get(scope, [])


def hostile_cases(rulebase: Rulebase, random: Random, count: int) -> list[Case]:
    made = [Hostile(rulebase, random) for _ in range(3)]
    return [random.choice(made).case() for _ in range(count)]


@pytest.mark.parametrize("profile", PROFILES)
def test_made_up_dockets_are_derived_as_case_by_case(programs: Programs, profile: str) -> None:
    """INVARIANT: equal values, and no row of an ordinary docket is judged alone."""
    day = DAYS[2]
    payloads = Synthesis(programs.rulebase, 7, day).cases(1_500)
    cases = [read_case(payload, programs.rulebase.vocabulary, day) for payload in payloads]
    compared, odd = compare(programs.at(profile, day), cases, [day] * len(cases))
    assert compared > 10_000
    assert odd == 0


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("policy", POLICIES)
def test_hostile_cases_under_every_reading_of_the_law(
    programs: Programs, profile: str, policy: dict[str, Any]
) -> None:
    """INVARIANT: each case on a day of its own, whatever the parameters."""
    lowered = programs.at(profile, DAYS[0]).lowered
    program = Program(replace(lowered, parameters={**lowered.parameters, **policy}))
    random = Random(f"{profile} {policy}")
    cases = hostile_cases(programs.rulebase, random, 600)
    days = [random.choice((*DAYS, *AWKWARD)) for _ in cases]
    compared, odd = compare(program, cases, days)
    assert compared > 4_000
    assert odd < len(cases) / 2


@settings(max_examples=60)
@given(
    random=st.randoms(use_true_random=False),
    profile=st.sampled_from(PROFILES),
    count=st.integers(1, 12),
)
def test_any_batch_is_derived_as_case_by_case(
    programs: Programs, random: Random, profile: str, count: int
) -> None:
    cases = hostile_cases(programs.rulebase, random, count)
    days = [random.choice((*DAYS, *AWKWARD)) for _ in cases]
    compare(programs.at(profile, DAYS[0]), cases, days)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_derived_fact_given_as_it_is_derived_is_not_odd(programs: Programs, profile: str) -> None:
    """Also one that no rule asks about, such as the jurisdiction or the day of expiry."""
    day, random = DAYS[2], Random(3)
    program, vocabulary = programs.at(profile, day), programs.rulebase.vocabulary
    cases, wrong = [], 0
    for payload in Synthesis(programs.rulebase, 11, day).cases(800):
        case = read_case(payload, vocabulary, day)
        try:
            derived = program.derive_all(case, day)
        except EligibilityError:
            continue
        key = random.choice([f.key for f in vocabulary.derived_facts if f.scope == CASE])
        case.facts[key] = derived.facts.get(key)
        if case.facts[key] is None:
            del case.facts[key]
        cases.append(case)
    assert compare(program, cases, [day] * len(cases))[1] == 0
    for case in cases:
        given = case.facts.get("statutory_six_months_exceeded")
        if given is not None:
            case.facts["statutory_six_months_exceeded"] = not given
            wrong += 1
    assert wrong > 10
    assert compare(program, cases, [day] * len(cases))[1] == wrong


def test_a_value_that_a_column_cannot_hold_is_judged_alone(programs: Programs) -> None:
    day, vocabulary = DAYS[2], programs.rulebase.vocabulary
    fine = Case({}, {"debtor": [{}], "property": [{"months_undisposed": Decimal("6.001")}]})
    finer = Case({}, {"debtor": [{}], "property": [{"months_undisposed": Decimal("6.0001")}]})
    lifted = Case({}, {"debtor": [{}], "property": []}, overrides=({"bar": "X"},))
    columns = gather([fine, finer, lifted], vocabulary, [day] * 3)
    assert columns.odd.tolist() == [False, True, True]


def test_a_day_that_the_tables_do_not_hold_is_judged_alone(programs: Programs) -> None:
    case = Case({"application_received_date": DAYS[0]}, {"debtor": [{}], "property": []})
    days = [DAYS[0], date(2400, 1, 1), date(1900, 1, 1)]
    columns = gather([case] * 3, programs.rulebase.vocabulary, days)
    BulkDerivations(programs.at("sc", DAYS[0])).derive(columns)
    assert columns.odd.tolist() == [False, True, True]


def test_a_part_of_a_batch_on_another_day(programs: Programs) -> None:
    """INVARIANT: rows taken out of a batch, some twice, are derived as those cases are."""
    random = Random(5)
    cases = hostile_cases(programs.rulebase, random, 60)
    program, vocabulary = programs.at("sc", DAYS[0]), programs.rulebase.vocabulary
    whole = gather(cases, vocabulary, [DAYS[0]] * len(cases))
    rows = np.array([random.randrange(len(cases)) for _ in range(100)])
    day = DAYS[2].toordinal()
    part = take(whole, rows, np.full(len(rows), day))
    direct = gather([cases[r] for r in rows], vocabulary, [DAYS[2]] * len(rows))
    for columns in (part, direct):
        BulkDerivations(program).derive(columns)
    assert part.odd.tolist() == direct.odd.tolist()
    for one, other in [
        (part.case, direct.case),
        *((part.records[s], direct.records[s]) for s in direct.records),
    ]:
        for key, column in other.facts.items():
            fact = vocabulary.facts[key]
            found = [value(fact.type, one.facts[key], i) for i in range(other.rows)]
            assert found == [value(fact.type, column, i) for i in range(other.rows)]


def test_cases_are_gathered_without_loss(programs: Programs) -> None:
    """INVARIANT: a case that is not odd can be had back from the columns."""
    vocabulary = programs.rulebase.vocabulary
    cases = hostile_cases(programs.rulebase, Random(2), 200)
    columns = gather(cases, vocabulary, [DAYS[0]] * len(cases))
    back = scatter(columns, vocabulary)
    kept = [i for i in range(len(cases)) if not columns.odd[i]]
    assert len(kept) > 150
    for i in kept:
        assert back[i].facts == cases[i].facts
        assert back[i].records == cases[i].records
        assert back[i].intervals == cases[i].intervals


def test_a_copy_is_filled_in_without_its_original(programs: Programs) -> None:
    cases = hostile_cases(programs.rulebase, Random(9), 40)
    columns = gather(cases, programs.rulebase.vocabulary, [DAYS[0]] * len(cases))
    before = {key: id(column) for key, column in columns.case.facts.items()}
    BulkDerivations(programs.at("sc", DAYS[0])).derive(copied(columns))
    assert {key: id(column) for key, column in columns.case.facts.items()} == before
    assert not columns.odd.any()
