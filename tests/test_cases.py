"""The told cases and the boundary cases, through both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from eligibility.decision.decide import Decider
from eligibility.rulefiles import load_rules

HERE = Path(__file__).parent / "cases"
PROFILES = {"national": "national", "江苏盐城": "js-yancheng", "四川": "sc"}
# What every case is unless it says otherwise; in service these are unknown when absent.
ORDINARY = {
    "procedure_status": "enforcing",
    "settlement_state": "none",
    "bankruptcy_state": "none",
    "obligation_type": "money",
    "title_content_clear": True,
    "prior_cross_count": 0,
    "returned_before": False,
    "undistributed_funds_yuan": 0,
}
CASES = [
    case
    for name in ("told.yaml", "boundaries.yaml")
    for case in yaml.safe_load((HERE / name).read_text("utf-8"))
]


@pytest.fixture(scope="module")
def decider() -> Iterator[Decider]:
    made = Decider(load_rules())
    yield made
    made.close()


def test_no_case_is_missing() -> None:
    assert len(CASES) == 36


@pytest.mark.parametrize("case", CASES, ids=[case["id"].split()[0] for case in CASES])
def test_decides_as_expected(decider: Decider, case: dict[str, Any]) -> None:
    facts = {**ORDINARY, **case["facts"], **case.get("assumed", {})}
    decision = decider.decide(
        facts,
        today=date(2024, 9, 1),
        profile=PROFILES[case["profile"]],
        engine="verified",
        full=True,
    )
    assert decision["outcome"] == case["expect"].lower()
    effective = {r["id"] for r in decision["rules"] if r["effective"] == "true"}
    assert {*case.get("q", []), *case.get("b", [])} <= effective
    silent = {r["id"] for r in decision["rules"] if r["effective"] == "false"}
    outside = set(decider.rulebase.rules) - {r["id"] for r in decision["rules"]}
    assert set(case.get("not_fired", [])) <= silent | outside
