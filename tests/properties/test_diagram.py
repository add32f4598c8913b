"""The decision diagram against brute force: the outcomes of all completions, one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from math import prod
from random import Random
from typing import Any

import pytest

from eligibility.circuit.lower import lower
from eligibility.decision.assess import assess
from eligibility.decision.program import Program
from eligibility.engines.diagram import EXPANDED, Question, Variable
from eligibility.errors import FactsError
from eligibility.rulebase.loader import load
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.model import Type
from oracle.completions import (
    Place,
    candidate_values,
    completions,
    count,
    recorded_completions,
    unknowns,
)
from oracle.generate import DAYS, BaseWriter, random_base
from oracle.subject import Read, Subject, durable_engine, make_subject

PROFILES = ("national", "js-yancheng", "sc")
MOST = 400  # completions of a case that are tried one by one

pytestmark = pytest.mark.slow


def small_subject(seed: int, constraints: int) -> Subject:
    base = random_base(seed, rules=5 + seed % 4, depth=1 + seed % 2, constraints=constraints)
    return make_subject(base, ("top", "low")[seed % 2], DAYS[seed % len(DAYS)])


def asked(subject: Subject, read: Read) -> Question:
    reading = read.reading
    return subject.program.diagram.question(reading.inputs, reading.records, read.overridden)


def small_cases(subject: Subject, seed: int, wanted: int, records: int) -> Iterator[Read]:
    """Cases that Kleene's logic leaves open, with few enough completions to try them all."""
    writer = subject.writer(seed)
    tries = 0
    while wanted and tries < 400:
        tries += 1
        read = subject.read(writer.payload(missing=0.05 + tries % 6 / 20, records=records))
        if read is None or subject.interpreter.impossible(read.known):
            continue
        if len(kleene(subject, read)) > 1 and count(unknowns(subject, read)) <= MOST:
            wanted -= 1
            yield read


def kleene(subject: Subject, read: Read) -> set[int]:
    mask = subject.native(read).outcomes
    return {i for i in range(mask.bit_length()) if mask >> i & 1}


# --- the set of possible outcomes ----------------------------------------------------------------


@pytest.mark.parametrize("constraints", [0, 3])
@pytest.mark.parametrize("group", range(4))
def test_the_set_is_that_of_all_completions(group: int, constraints: int) -> None:
    """Two records of a kind at most: the diagram is exact."""
    compared = open_ = 0
    for seed in range(group * 10, group * 10 + 10):
        subject = small_subject(seed, constraints)
        for read in small_cases(subject, seed, 6, records=EXPANDED):
            question = asked(subject, read)
            found = set(question.outcomes())
            expected = {o for _, o in completions(subject, read, unknowns(subject, read))}
            assert found == expected, (seed, read.payload)
            assert question.exact
            assert found <= kleene(subject, read)
            compared += 1
            open_ += len(found) > 1
    assert compared >= 30
    assert open_ >= 15


def test_many_records_never_narrow_the_set_and_are_owned_up_to() -> None:
    """Where a set is wider than the completions, the answer says that it is not exact."""
    compared = exact = wider = 0
    for seed in range(100, 120):
        subject = small_subject(seed, constraints=seed % 3)
        for read in small_cases(subject, seed, 8, records=5):
            if max(map(len, read.case.records.values())) <= EXPANDED:
                continue
            question = asked(subject, read)
            found = set(question.outcomes())
            expected = {o for _, o in completions(subject, read, unknowns(subject, read))}
            assert expected <= found <= kleene(subject, read), (seed, read.payload)
            assert found == expected or not question.exact, (seed, read.payload)
            compared += 1
            exact += question.exact
            wider += found != expected
    assert compared >= 40
    assert exact >= compared // 2
    assert wider <= compared // 10


class WideSet(BaseWriter):
    """A rule base with a set of seven values, each asked about: 128 regions."""

    def make_facts(self) -> None:
        super().make_facts()
        values = {f"v{i}": {"zh": f"值{i}", "en": f"v{i}"} for i in range(7)}
        self.fact("wide", "case", {"type": "set", "values": values})

    def make_rules(self) -> list[dict[str, Any]]:
        parts = [f"wide has any of [v{i}]" for i in range(7)]
        conditions = [*parts, {"not": {"all": parts}}, {"all": [{"not": p} for p in parts]}]
        return [
            {
                "id": f"W{i}",
                "title": f"规则{i}",
                "profile": "top",
                "layer": "discretion",
                "kind": "qualify",
                "grants": ("internal", "inter_court")[i % 2],
                "when": condition,
                "basis": "statute",
                "citations": ["Z1"],
            }
            for i, condition in enumerate(conditions)
        ]


def test_more_than_sixty_regions_are_not_too_many() -> None:
    """Masks are as wide as they need to be."""
    subject = make_subject(load({"wide.yaml": WideSet(Random(1)).text()}), "top", DAYS[1])
    assert [i.regions for i in subject.program.circuit.inputs if i.fact == "wide"] == [128]
    seen = set()
    with durable_engine(subject) as durable:
        for read in subject.cases(1, 150):
            answer = subject.native(read)
            assert answer == subject.as_written(read), read.payload
            assert answer == durable.evaluate(read.reading.inputs)
            seen.add(answer.true)
    assert len(seen) > 40


# --- the question set ----------------------------------------------------------------------------


def support(subject: Subject, question: Question) -> set[Place]:
    """The facts left in the diagram after the known ones are put in."""
    lowered = subject.program.lowered
    out = set()
    for place in question.freed(_unknown_places(question)).support():
        variable: Variable = question.built.variables[place]
        part = (
            lowered.regions[variable.input]
            if variable.scope == "case"
            else lowered.record_regions[variable.scope][variable.input]
        )
        assert part is not None
        out.add((variable.scope, question.index(variable), part.fact.key))
    return out


def _unknown_places(question: Question) -> list[int]:
    return [i for i, mask in enumerate(question.allowed) if mask & (mask - 1)]


@pytest.mark.parametrize("constraints", [0, 2])
@pytest.mark.parametrize("group", range(3))
def test_the_questions_are_the_facts_that_matter(group: int, constraints: int) -> None:
    """Answers to the questions settle the case; no other fact can move it; each one can.

    Under constraints a fact may matter only for what other facts can be, so that only the
    first two are asked of it.
    """
    compared = 0
    for seed in range(200 + group * 10, 210 + group * 10):
        subject = small_subject(seed, constraints)
        for read in small_cases(subject, seed, 5, records=EXPANDED):
            found = unknowns(subject, read)
            tried = list(completions(subject, read, found))
            asked_for = support(subject, asked(subject, read))
            kept = [i for i, one in enumerate(found) if one.place in asked_for]
            assert len(kept) == len(asked_for)
            settled: dict[tuple[Any, ...], set[int]] = defaultdict(set)
            for values, outcome in tried:
                settled[tuple(values[i] for i in kept)].add(outcome)
            assert all(len(outcomes) == 1 for outcomes in settled.values()), (seed, read.payload)
            if not constraints:
                for i in kept:
                    assert _moves(tried, i), (seed, found[i].place, read.payload)
            compared += 1
    assert compared >= 30


def _moves(tried: list[tuple[tuple[Any, ...], int]], place: int) -> bool:
    """Whether two completions that differ in one fact alone end differently."""
    outcomes: dict[tuple[Any, ...], set[int]] = defaultdict(set)
    for values, outcome in tried:
        outcomes[values[:place] + values[place + 1 :]].add(outcome)
    return any(len(found) > 1 for found in outcomes.values())


# --- the shipped rule base -----------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_shipped_rules_by_brute_force_over_regions(shipped: Rulebase, profile: str) -> None:
    """Six unknown facts at most, every combination of their regions."""
    subject, random = make_subject(shipped, profile, DAYS[3]), Random(7)
    compared = 0
    while compared < 25:
        read = with_few_unknown(subject, random)
        if read is None or len(kleene(subject, read)) == 1:
            continue
        found = unknowns(subject, read)
        if count(found) > MOST:
            continue
        expected = {o for _, o in completions(subject, read, found)}
        assert set(asked(subject, read).outcomes()) == expected, read.payload
        assert expected <= kleene(subject, read)
        compared += 1


def with_few_unknown(subject: Subject, random: Random) -> Read | None:
    """A case in which everything is stated but one to six facts that rules ask about."""
    writer = subject.writer(random.randrange(10**6), usual=1.0)
    payload = writer.payload(missing=0.0, records=EXPANDED)
    for key in ("overrides", "asked_court"):
        payload.pop(key, None)
    stores = [payload, *payload.get("properties", []), *payload.get("debtors", [])]
    places = [(s, key) for s in stores for key in s if key in writer.near]
    for store, key in random.sample(places, random.randint(1, 6)):
        del store[key]
    read = subject.read(payload)
    return None if read is None or subject.interpreter.impossible(read.known) else read


@pytest.mark.parametrize("profile", PROFILES)
def test_shipped_rules_by_brute_force_over_what_is_recorded(
    shipped: Rulebase, profile: str
) -> None:
    """Real dates and values for one to three inputs, all that follows from them derived anew.

    What is derived from one input hangs together; the constraints of the rule base say how,
    so that the set is no wider than what can be recorded.
    """
    subject, random = make_subject(shipped, profile, DAYS[3]), Random(3)
    compared = 0
    while compared < 12:
        read, missing = with_inputs_unknown(subject, random)
        if read is None or len(kleene(subject, read)) == 1:
            continue
        facts = [shipped.vocabulary.facts[key] for _, key in missing]
        size = prod(len(candidate_values(subject, fact, random)) for fact in facts)
        if size > 200 or count(unknowns(subject, read)) > 5_000:
            continue
        question = asked(subject, read)
        expected = set(recorded_completions(subject, read, missing, random))
        assert set(question.outcomes()) == expected, (read.payload, missing)
        compared += 1


def with_inputs_unknown(
    subject: Subject, random: Random
) -> tuple[Read | None, list[tuple[dict[str, Any], str]]]:
    """A case in which one to three inputs are not stated, and where they would stand."""
    facts = subject.rulebase.vocabulary.facts
    writer = subject.writer(random.randrange(10**6), usual=1.0)
    payload = writer.payload(missing=0.0, records=EXPANDED)
    for key in ("overrides", "asked_court"):
        payload.pop(key, None)
    stores = [payload, *payload.get("properties", []), *payload.get("debtors", [])]
    for store in stores:
        for key in [k for k in store if k in facts and facts[k].derive is not None]:
            del store[key]
    places = [
        (store, key)
        for store in stores
        for key in store
        if key in facts and facts[key].presume is None and facts[key].type is not Type.TEXT
    ]
    missing = random.sample(places, random.randint(1, 3))
    for store, key in missing:
        del store[key]
    read = subject.read(payload) if "debtors" in payload else None
    if read is None or subject.interpreter.impossible(read.known):
        return None, missing
    return read, missing


def test_facts_that_no_completion_makes_possible_are_refused() -> None:
    """Each constraint alone is open, but together they leave nothing."""
    seen = 0
    for seed in range(300, 360):
        subject = small_subject(seed, constraints=6)
        writer = subject.writer(seed)
        for _ in range(20):
            read = subject.read(writer.payload(missing=0.3, records=1))
            if read is None or subject.interpreter.impossible(read.known):
                continue
            if len(kleene(subject, read)) > 1 and not asked(subject, read).outcomes():
                with pytest.raises(FactsError, match="impossible_combination"):
                    assess(subject.program, read.case, subject.as_of, "native")
                seen += 1
    assert seen


@pytest.mark.parametrize("profile", PROFILES)
def test_diagrams_of_the_shipped_rules_are_small(shipped: Rulebase, profile: str) -> None:
    """A diagram that explodes is a rule base nobody can be asked about."""
    program = Program(lower(shipped, profile, DAYS[3]))
    record = {s: [[i.unknown for i in f]] for s, f in program.circuit.record_inputs.items()}
    unknown = [one.unknown for one in program.circuit.inputs]
    built = program.diagram.question(unknown, record).built
    print(f"{profile}: {len(built.variables)} variables, {built.nodes} nodes")
    assert built.nodes < 20_000
