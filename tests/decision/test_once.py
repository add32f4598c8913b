"""What is computed once, or from what is at hand, against the same computed afresh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

import pytest

from eligibility.circuit.regions import partition
from eligibility.circuit.truth import truth
from eligibility.decision.assess import Assessment
from eligibility.decision.decide import Decider
from eligibility.decision.derive import Derivations, Known
from eligibility.decision.duties import FollowUp, named
from eligibility.decision.explanation import Explainer, Reasons
from eligibility.decision.standpoint import Ground
from eligibility.docket.synth import Synthesis
from eligibility.errors import FactsError
from eligibility.vocabulary.model import CASE, Fact
from eligibility.vocabulary.payload import Case

DAYS = (date(2024, 9, 2), date(2025, 12, 31), date(2026, 7, 1))
CASES = 40


@pytest.fixture(scope="module")
def found(decider: Decider) -> list[Assessment]:
    """Cases of several days and profiles, some of which know little."""
    return [*_found(decider)]


def _found(decider: Decider) -> Iterator[Assessment]:
    random, profiles = Random(5), sorted(decider.rulebase.profiles)
    for seed, day in enumerate(DAYS):
        for case in Synthesis(decider.rulebase, seed, day).cases(CASES):
            share = random.choice((0.4, 0.8, 1.0))
            some = {k: v for k, v in case.items() if k == "case_no" or random.random() < share}
            try:
                yield decider.assess(some, day, random.choice(profiles), "native")
            except FactsError:
                continue


def _values(fact: Fact, assessment: Assessment) -> list[Any]:
    """A value of each region of a fact."""
    lowered = assessment.program.lowered
    kinds = [*lowered.regions, *(r for found in lowered.record_regions.values() for r in found)]
    regions = next((r for r in kinds if r is not None and r.fact == fact), None)
    if regions is None:
        return []
    return [value for _, value in regions.samples(assessment.derived.as_of, None)]


def _stores(known: Known) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    return known.facts, known.records


def _given(case: Case, fact: Fact, index: int, value: Any) -> Case:
    facts = dict(case.facts)
    records = {scope: [dict(r) for r in found] for scope, found in case.records.items()}
    (facts if fact.scope == CASE else records[fact.scope][index])[fact.key] = value
    return replace(case, facts=facts, records=records)


def test_a_fact_given_otherwise_is_the_case_derived_with_it(found: list[Assessment]) -> None:
    """What does not rest on the fact is not derived again, and its masks are not read again."""
    random, refused, compared = Random(1), 0, 0
    for assessment in found:
        program, case, before = assessment.program, assessment.case, assessment.derived
        facts = [
            f for f in program.lowered.rulebase.vocabulary.facts.values() if f.type != "records"
        ]
        for fact in random.sample(facts, 25):
            count = 1 if fact.scope == CASE else len(case.records.get(fact.scope, ()))
            for value in _values(fact, assessment)[:3]:
                for index in range(count):
                    changed = _given(case, fact, index, value)
                    try:
                        afresh = program.derive(changed, before.as_of)
                    except FactsError:
                        with pytest.raises(FactsError):
                            program.if_given(before, case, fact, index, value)
                        refused += 1
                        continue
                    again = program.if_given(before, case, fact, index, value)
                    assert _stores(again) == _stores(afresh), (fact.key, value)
                    reading = program.read_again(assessment.reading, again, fact.key)
                    assert reading == program.read(afresh), (fact.key, value)
                    compared += 1
    assert compared > 1_000
    assert refused > 10


def test_the_rest_of_the_derived_facts_are_those_of_the_whole(found: list[Assessment]) -> None:
    more = 0
    for assessment in found:
        lowered = assessment.program.lowered
        every = Derivations(lowered.rulebase, lowered.parameters)
        whole = every.derive(assessment.case, assessment.derived.as_of)
        assert _stores(assessment.everything()) == _stores(whole)
        more += len(whole.facts) > len(assessment.derived.facts)
    assert more > 20


def test_a_truth_is_that_of_its_tree(found: list[Assessment]) -> None:
    seen = set()
    for assessment in found:
        program, flat = assessment.program, assessment.case.flat
        explainer = Explainer(program.reasons, assessment.derived, flat)
        for rule in program.lowered.rules:
            if rule.over is None:
                tree, truth = explainer.condition(rule.when)
                assert explainer.truth(rule.when) is truth, rule.id
                seen.add(tree["truth"])
        for rule in program.law.rules(program.lowered.profile, assessment.derived.as_of).values():
            for duty in rule.duties:
                if duty.when is None:
                    continue
                for index in range(len(assessment.derived.records.get(duty.each, ())) or 1):
                    where = (duty.when, duty.each or CASE, index)
                    if duty.each and not assessment.derived.records.get(duty.each):
                        continue
                    assert explainer.truth(*where) is explainer.condition(*where)[1], duty.key
    assert seen == {"true", "false", "unknown"}


def test_the_tree_of_a_rule_that_was_kept_is_that_of_the_case(found: list[Assessment]) -> None:
    """What another case left behind is told only where every value that it shows is the same."""
    shared = 0
    for assessment in found:
        program, derived, flat = assessment.program, assessment.derived, assessment.case.flat
        fresh = Reasons(program.lowered.rulebase, program.lowered.parameters)
        for rule in program.lowered.rules:
            kept = Explainer(program.reasons, derived, flat).rule(rule)
            assert kept == Explainer(fresh, derived, flat).rule(rule), rule.id
            shared += kept is Explainer(program.reasons, derived, flat).rule(rule)
    assert shared > 1_000


def test_a_compiled_constraint_is_true_where_its_node_is(found: list[Assessment]) -> None:
    word = {1: False, 2: True, 3: None}
    seen = set()
    for assessment in found:
        program, reading = assessment.program, assessment.reading
        nodes = program.lowered.constraint_nodes
        for (constraint, node), (same, body) in zip(nodes, program.constraints, strict=True):
            assert same is constraint
            records = [()] if constraint.scope == CASE else reading.records[constraint.scope]
            for record in records:
                slow = truth(program.circuit, node, reading.inputs, record)
                assert word[body(reading.inputs, record)] is slow, constraint.id
                seen.add(slow)
    assert {False, None} <= seen


def test_the_duties_of_a_decision_named_later_are_those_it_has(found: list[Assessment]) -> None:
    by_decision = 0
    for assessment in found:
        as_of = assessment.derived.as_of
        unnamed = FollowUp([Ground.of(assessment)], [], as_of, assessment.everything).duties()
        own = FollowUp([Ground.of(assessment, "d-1")], [], as_of).duties()
        later = sorted((named(duty, "d-1") for duty in unnamed), key=lambda duty: duty.id)
        assert later == sorted(own, key=lambda duty: duty.id)
        by_decision += sum(duty.start.id.endswith("d-1") for duty in later)
    assert by_decision > 20


def test_samples_that_were_kept_are_those_of_the_day(found: list[Assessment]) -> None:
    kept = [r for r in found[0].program.lowered.regions if r is not None]
    for day in (*DAYS, *DAYS):
        for regions in kept:
            fresh = partition(regions.fact, regions.tests)
            for region in range(regions.count):
                assert regions.sample(region, day) == fresh.sample(region, day), regions.fact.key
