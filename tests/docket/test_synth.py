"""Made-up dockets: the same for everybody, and every rule and outcome happens in them."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from eligibility.decision.decide import Decider
from eligibility.docket.screening import Screening
from eligibility.docket.synth import Synthesis
from eligibility.docket.tables import docket_schema
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules

AS_OF = date(2025, 6, 1)
CASES = 12_000


@pytest.fixture(scope="module")
def shipped() -> Rulebase:
    return load_rules(None)


@pytest.fixture(scope="module")
def cases(shipped: Rulebase) -> list[dict[str, Any]]:
    return list(Synthesis(shipped, 1, AS_OF).cases(CASES))


def test_every_rule_and_outcome_happens(shipped: Rulebase, cases: list[dict[str, Any]]) -> None:
    docket = pa.RecordBatch.from_pylist(cases, docket_schema(shipped.vocabulary))
    decider = Decider(shipped)
    outcomes = set(shipped.outcome_labels)
    try:
        for profile in shipped.profiles:
            screening = Screening(decider, AS_OF, AS_OF, profile, dates=False)
            result = screening.screen_batch(docket, ("synth", 0))
            assert not result.column("error").drop_null()
            held = {
                rule for rules in result.column("effective_rules").to_pylist() for rule in rules
            }
            rules = decider.programs.at(profile, AS_OF).circuit.rules
            assert held == {rule.id for rule in rules}, profile
            assert outcomes <= set(result.column("outcome").to_pylist()), profile
    finally:
        decider.close()


def test_a_case_is_the_same_whatever_is_made_before_it(
    shipped: Rulebase, cases: list[dict[str, Any]]
) -> None:
    again = Synthesis(shipped, 1, AS_OF)
    assert [again.case(number) for number in (7_000, 3, 11_999)] == [
        cases[7_000],
        cases[3],
        cases[11_999],
    ]
    assert Synthesis(shipped, 2, AS_OF).case(3) != cases[3]


def test_few_debtors_owe_in_many_cases(cases: list[dict[str, Any]]) -> None:
    owed = Counter(d["debtor_id"] for case in cases for d in case["debtors"] if "debtor_id" in d)
    many = sum(count for _, count in owed.most_common(len(owed) // 100))
    assert many > sum(owed.values()) / 5
    assert sum(count == 1 for count in owed.values()) > len(owed) / 2
