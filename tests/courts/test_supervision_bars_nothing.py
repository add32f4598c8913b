"""Supervision of a court never touches a case: by structure, and by equality of decisions."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from eligibility.circuit.lower import lower
from eligibility.courts.figures import COURT_PERIOD, SUPERVISE
from eligibility.decision.decide import Decider
from eligibility.errors import FactsError
from eligibility.rulebase.canonical import digest
from eligibility.rulebase.checker import defeated_by
from eligibility.rulebase.conditions import leaves
from eligibility.rulebase.model import Rule, Rulebase
from eligibility.vocabulary.payload import read_case
from oracle.generate import CaseWriter

DAYS = (date(2024, 9, 2), date(2025, 3, 31), date(2026, 1, 1))
PROFILES = {"national": "national", "江苏盐城": "js-yancheng", "四川": "sc"}
CASES = [
    case
    for name in ("told.yaml", "boundaries.yaml")
    for case in yaml.safe_load((Path(__file__).parents[1] / "cases" / name).read_text("utf-8"))
]
Document = dict[str, Any]


@pytest.fixture(scope="module")
def without(shipped: Rulebase) -> Rulebase:
    """The shipped rule base with no supervise rule in it."""
    rules = {key: rule for key, rule in shipped.rules.items() if rule.kind != SUPERVISE}
    assert len(shipped.rules) - len(rules) == 4
    made = replace(shipped, rules=rules)
    return replace(made, digest=digest(made))


@pytest.fixture(scope="module")
def deciders(shipped: Rulebase, without: Rulebase) -> Iterator[tuple[Decider, Decider]]:
    pair = Decider(shipped), Decider(without)
    yield pair
    for decider in pair:
        decider.close()


def supervising(rulebase: Rulebase) -> list[Rule]:
    return [rule for rule in rulebase.rules.values() if rule.kind == SUPERVISE]


# --- by structure --------------------------------------------------------------------------------


def test_a_supervise_rule_has_nothing_that_decides(shipped: Rulebase) -> None:
    for rule in supervising(shipped):
        assert (rule.layer, rule.effect, rule.grants) == ("", "", "")
        assert not any((rule.modes, rule.channel, rule.defeats, rule.defeats_layers))
        assert not any((rule.duties, rule.hard, rule.weights))
        assert not list(leaves(rule.when))
        assert rule.unless is None


def test_no_rule_hangs_on_one(shipped: Rulebase) -> None:
    """Neither gives way to it, nor starts a duty from it."""
    names = {rule.id for rule in supervising(shipped)}
    for rule in shipped.rules.values():
        assert not names & set(defeated_by(rule, shipped))
        for duty in rule.duties:
            assert not names & {*duty.on_verdict, *duty.on_lapse_of}


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("profile", ["national", "js", "js-yancheng", "sc"])
def test_lowering_leaves_them_and_their_figures_out(
    shipped: Rulebase, without: Rulebase, profile: str, day: date
) -> None:
    lowered = lower(shipped, profile, day)
    assert SUPERVISE not in {rule.kind for rule in lowered.rules}
    assert COURT_PERIOD not in lowered.record_regions
    figures = {fact.key for fact in shipped.vocabulary.of_scope(COURT_PERIOD)}
    assert not figures & {made.fact for made in lowered.circuit.inputs}
    assert lowered.circuit == lower(without, profile, day).circuit


def test_no_condition_of_the_rule_base_reads_a_figure(shipped: Rulebase) -> None:
    figures = {fact.key for fact in shipped.vocabulary.of_scope(COURT_PERIOD)}
    trees = [tree for rule in shipped.rules.values() for tree in (rule.when, rule.unless) if tree]
    trees += [made.when for made in shipped.definitions.values()]
    trees += [made.never for made in shipped.constraints]
    trees += [m.insufficient_when for m in shipped.modes.values() if m.insufficient_when]
    trees += [d.when for rule in shipped.rules.values() for d in rule.duties if d.when]
    assert figures
    assert not figures & {leaf.fact for tree in trees for leaf in leaves(tree)}


def test_a_case_cannot_state_a_figure_as_its_own(shipped: Rulebase) -> None:
    for fact in shipped.vocabulary.of_scope(COURT_PERIOD):
        with pytest.raises(FactsError) as error:
            read_case({fact.key: 1}, shipped.vocabulary)
        assert error.value.code == "unknown_fact"


# --- by equality ---------------------------------------------------------------------------------


def decided(decider: Decider, payload: Document, profile: str, day: date) -> Document:
    """The decision, less the digest of the rule base."""
    body = decider.decide(deepcopy(payload), today=day, profile=profile, engine="native", full=True)
    assert body["rulebase"].pop("digest") == decider.rulebase.digest
    return body


def dismal(rulebase: Rulebase, random: Random) -> list[Document]:
    """Records of a court that misses every line, and of one about which little is known."""
    worst = {
        "q_cross_cases_handled": 40,
        "q_leader_handled": 0,
        "q_open": 30,
        "q_open_without_supervisor": 30,
        "q_feedback_late": 30,
        "q_reports": 20,
        "q_reports_returned": 20,
        "q_avg_flow_days": 400,
        "q_progressed": 0,
    }
    assert worst.keys() <= rulebase.vocabulary.facts.keys()
    some = {key: random.randint(0, 40) for key in worst if random.random() < 0.5}
    return [worst, some]


def compared(
    deciders: tuple[Decider, Decider], payload: Document, profile: str, day: date, random: Random
) -> bool:
    """Whether the case could be decided; it is then the same in every combination."""
    base, without = deciders
    try:
        expected = decided(base, payload, profile, day)
    except FactsError:
        return False
    judged = {**payload, "court_periods": dismal(base.rulebase, random)}
    for decider in deciders:
        for case in (payload, judged):
            assert decided(decider, case, profile, day) == expected
    assert base.rulebase.digest != without.rulebase.digest
    return True


@pytest.mark.parametrize("case", CASES, ids=[case["id"].split()[0] for case in CASES])
def test_told_and_boundary_cases_come_out_the_same(
    deciders: tuple[Decider, Decider], case: Document
) -> None:
    payload = {**case["facts"], **case.get("assumed", {})}
    assert compared(deciders, payload, PROFILES[case["profile"]], DAYS[0], Random(1))


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["national", "js-yancheng", "sc"])
def test_random_cases_come_out_the_same(
    shipped: Rulebase, deciders: tuple[Decider, Decider], profile: str
) -> None:
    random = Random(24)
    writer = CaseWriter(shipped, random, DAYS[2], usual=0.9)
    seen = 0
    while seen < 40:
        payload = writer.payload(missing=0.3, records=2)
        payload.pop("asked_court", None)
        seen += compared(deciders, payload, profile, DAYS[2], random)
