"""Three implementations of the same rules say the same: generated Python, durable_rules, and
the interpreter of the rules as written. A comparison is one case evaluated by two of them.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eligibility.circuit.model import Verdicts
from eligibility.circuit.truth import truth
from eligibility.decision.explanation import Explainer
from eligibility.engines.native import NativeEngine
from eligibility.logic import word
from eligibility.rulebase.model import Rulebase
from oracle.generate import DAYS, random_base
from oracle.subject import Subject, durable_engine, make_subject

PROFILES = ("national", "js-yancheng", "sc")
MASKS, CASES, READ = 24_000, 3_000, 5_000  # of the shipped rule base, each profile
GROUPS, BASES, EACH = 8, 25, 50  # of random rule bases, cases each, compared twice
CLAIM = 100_000

pytestmark = pytest.mark.slow


def test_the_comparisons_of_one_run_add_up_to_the_claim() -> None:
    shipped = len(PROFILES) * (MASKS + CASES + READ)
    random = GROUPS * BASES * EACH * 2
    assert GROUPS * BASES >= 200
    assert shipped + random >= CLAIM


def different(subject: Subject, one: Verdicts, two: Verdicts) -> str:
    """Which rules two answers differ in."""
    names = {
        what: [name for i, name in enumerate(subject.ids) if (a ^ b) >> i & 1]
        for what, a, b in zip(Verdicts._fields[:4], one, two, strict=False)
    }
    return f"{names} outcomes {one.outcomes:b} {two.outcomes:b}"


# --- the shipped rule base ---------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_native_and_durable_agree_on_the_shipped_rules(shipped: Rulebase, profile: str) -> None:
    subject, random, compared = make_subject(shipped, profile, DAYS[3]), Random(1), 0
    with durable_engine(subject) as durable:
        for number in range(MASKS):
            inputs = subject.random_inputs(random, missing=number % 7 / 10)
            overridden = random.getrandbits(len(subject.ids)) if number % 50 == 0 else 0
            one = subject.program.native.evaluate(inputs, overridden)
            two = durable.evaluate(inputs, overridden)
            assert one == two, (inputs, different(subject, one, two))
            compared += 1
        for read in subject.cases(2, CASES):
            one = subject.native(read)
            two = durable.evaluate(read.reading.inputs, read.overridden)
            assert one == two, (read.payload, different(subject, one, two))
            compared += 1
    assert compared == MASKS + CASES


@pytest.mark.parametrize("profile", PROFILES)
def test_native_and_the_rules_as_written_agree(shipped: Rulebase, profile: str) -> None:
    compared = 0
    for number, day in enumerate(DAYS):
        subject = make_subject(shipped, profile, day)
        for read in subject.cases(number, READ // len(DAYS)):
            one, two = subject.native(read), subject.as_written(read)
            assert one == two, (read.payload, different(subject, one, two))
            compared += 1
    assert compared == READ


# --- random rule bases ---------------------------------------------------------------------------


@pytest.mark.parametrize("group", range(GROUPS))
def test_all_three_agree_on_random_rules(group: int) -> None:
    compared = 0
    for seed in range(group * BASES, (group + 1) * BASES):
        subject = random_subject(seed)
        with durable_engine(subject) as durable:
            for read in subject.cases(seed, EACH):
                native = subject.native(read)
                written = subject.as_written(read)
                assert native == written, (seed, read.payload, different(subject, native, written))
                other = durable.evaluate(read.reading.inputs, read.overridden)
                assert native == other, (seed, read.payload, different(subject, native, other))
                compared += 2
    assert compared == BASES * EACH * 2


def random_subject(seed: int) -> Subject:
    base = random_base(seed, rules=6 + seed % 9, depth=1 + seed % 3)
    return make_subject(base, ("top", "low")[seed % 2], DAYS[seed % len(DAYS)])


def test_random_rules_are_not_all_alike() -> None:
    """The comparison would mean little if nothing were ever true, unknown or defeated."""
    seen = Verdicts(0, 0, 0, 0, 0)
    defeated = 0
    for seed in range(10):
        subject = random_subject(seed)
        for read in subject.cases(seed, 30):
            answer = subject.native(read)
            seen = Verdicts(*(a | b for a, b in zip(seen, answer, strict=True)))
            defeated += answer.true & ~answer.effective > 0
    outcomes = len(random_subject(0).rulebase.outcomes)
    assert seen.outcomes == (1 << outcomes) - 1
    assert seen.true
    assert seen.effective
    assert defeated > 50


@pytest.mark.parametrize("seed", range(12))
def test_the_explanation_comes_to_the_verdict(seed: int) -> None:
    """The tree shown to a reviewer is a reading of its own; its top must be the verdict."""
    subject = random_subject(seed)
    reasons = subject.program.reasons
    for read in subject.cases(seed, 20):
        verdicts = subject.interpreter.opinion(read.known).verdicts
        explainer = Explainer(reasons, read.derived, read.case.flat)
        for rule in subject.interpreter.rules:
            shown = explainer.rule(rule)["truth"]
            assert shown == word(verdicts[rule.id]), (rule.id, read.payload)


# --- smallest failing inputs ---------------------------------------------------------------------

SMALL = random_subject(3)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_generated_code_is_the_circuit_walked_node_by_node(data: st.DataObject) -> None:
    circuit = SMALL.program.circuit
    inputs = [data.draw(st.integers(1, i.unknown), label=i.fact) for i in circuit.inputs]
    answer = NativeEngine(circuit).evaluate(inputs)
    for i, rule in enumerate(circuit.rules):
        expected = truth(circuit, rule.verdict, inputs)
        assert (answer.true >> i & 1, answer.possible >> i & 1) == (
            expected is True,
            expected is not False,
        )


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_knowing_more_never_unsettles_a_rule_without_closings(data: st.DataObject) -> None:
    """A circuit without closings is monotone: a smaller mask only decides more."""
    circuit = OPEN.program.circuit
    wide = [data.draw(st.integers(1, i.unknown), label=i.fact) for i in circuit.inputs]
    narrow = [data.draw(st.sampled_from(_parts(mask))) for mask in wide]
    before = OPEN.program.native.evaluate(wide)
    after = OPEN.program.native.evaluate(narrow)
    assert before.true & ~after.true == 0
    assert after.possible & ~before.possible == 0
    assert before.effective & ~after.effective == 0
    assert after.maybe_effective & ~before.maybe_effective == 0
    assert after.outcomes & ~before.outcomes == 0


def _parts(mask: int) -> list[int]:
    return [part for part in range(1, mask + 1) if part & mask == part]


OPEN = make_subject(random_base(5, rules=9, closed=False), "low", DAYS[1])
