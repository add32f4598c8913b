"""The caged engine is equal to Kleene's logic, whatever the size and shape of the circuit."""

from __future__ import annotations

import threading
from random import Random

import pytest

from eligibility.circuit.model import Circuit, Op, Outcome, RuleNode
from eligibility.engines.durable import DurableEngine
from eligibility.engines.durable_rulesets import PENDING, Terms, plan
from engines.circuits import (
    Builder,
    always,
    deep,
    kleene,
    many_rules,
    random_circuit,
    random_inputs,
)

pytest.importorskip("durable_rules_engine")

CIRCUITS, EACH = 240, 90


def compare(circuit: Circuit, random: Random, cases: int) -> int:
    """Compares that many cases; how many rules came out unknown somewhere."""
    seen = 0
    with DurableEngine(circuit) as engine:
        for number in range(cases):
            inputs = random_inputs(random, circuit, number % 7 / 10)
            overridden = random.getrandbits(len(circuit.rules)) if number % 5 == 0 else 0
            expected = kleene(circuit, inputs, overridden)
            assert engine.evaluate(inputs, overridden) == expected, (inputs, overridden)
            seen |= expected.possible & ~expected.true
    return seen.bit_count()


@pytest.mark.slow
@pytest.mark.parametrize("group", range(8))
def test_equal_to_kleene_on_random_circuits(group: int) -> None:
    random, unknown, compared = Random(group), 0, 0
    for _ in range(CIRCUITS // 8):
        unknown += compare(random_circuit(random), random, EACH)
        compared += EACH
    assert CIRCUITS * EACH >= 20_000
    assert compared == CIRCUITS // 8 * EACH
    assert unknown > 30


# --- what is beyond the limits of one ruleset ----------------------------------------------------


def wide(op: Op, inner: Op, size: int, of: int) -> Circuit:
    """``op`` over ``size`` parts, each ``inner`` over ``of`` leaves of its own."""
    build = Builder([3] * min(size * of, 90))
    parts = []
    for i in range(size):
        leaves = [
            build.leaf((i * of + j) % len(build.inputs), 1 + (i * of + j) // 90 % 6)
            for j in range(of)
        ]
        parts.append(build.add(inner, *leaves))
    return always(build, [build.add(op, *parts)])


def many_outcomes(rules: int, outcomes: int) -> Circuit:
    """Wide overlapping outcomes, of which parts are equal to others, and wide defeats."""
    build = Builder([2] * rules)
    channel = build.add(Op.TRUE)
    half, every = (rules + 1) // 2, (1 << rules) - 1
    lower = (1 << half) - 1
    nodes = [RuleNode(f"R{i}", build.leaf(i, 1), channel) for i in range(half)]
    nodes += [
        RuleNode(f"R{i}", build.leaf(i, 1), channel, 1, lower >> (i - half) // 2)
        for i in range(half, rules)
    ]
    masks = [(every >> (i * 40 % rules) << (i % 3)) & every for i in range(outcomes)]
    return build.circuit(nodes, [Outcome(f"o{i}", m) for i, m in enumerate(masks)])


@pytest.mark.parametrize(
    "circuit",
    [
        pytest.param(wide(Op.OR, Op.OR, 1, 500), id="any of 500"),
        pytest.param(wide(Op.AND, Op.AND, 1, 500), id="all of 500"),
        pytest.param(wide(Op.AND, Op.OR, 30, 10), id="all of 30 any of 10"),
        pytest.param(wide(Op.OR, Op.AND, 60, 8), id="any of 60 all of 8"),
        pytest.param(wide(Op.AND, Op.OR, 3, 60), id="all of 3 any of 60"),
        pytest.param(wide(Op.AND, Op.OR, 150, 2), id="all of 150 any of 2"),
        pytest.param(deep(40), id="40 levels"),
        pytest.param(deep(1500), id="1500 levels"),
        pytest.param(many_rules(200, distinct=False), id="200 rules, one first leaf"),
        pytest.param(many_rules(200, distinct=True), id="200 rules, own first leaf"),
        pytest.param(many_outcomes(100, 12), id="wide outcomes"),
        pytest.param(many_outcomes(300, 9), id="300 rules in outcomes"),
        pytest.param(Builder([1]).circuit([], []), id="nothing"),
    ],
)
def test_large_conditions_are_split_and_stay_equal(circuit: Circuit) -> None:
    compare(circuit, Random(1), 40)


@pytest.mark.parametrize("op", [Op.TRUE, Op.FALSE])
def test_constant_rules_need_no_ruleset(op: Op) -> None:
    build = Builder([2])
    constant = build.add(op)
    leaf = build.leaf(0, 1)
    rules = [RuleNode("c", constant, leaf), RuleNode("d", leaf, constant)]
    rules += [RuleNode("e", build.add(Op.OR, leaf, constant), leaf), RuleNode("f", leaf, leaf)]
    compare(build.circuit(rules, [Outcome("o", 5), Outcome("p", 10)]), Random(1), 20)


def test_rulesets_keep_within_the_limits() -> None:
    terms = Terms()
    some = [terms.any_of(terms.token(100 * i + j) for j in range(9)) for i in range(25)]
    planned = plan(terms, [(1, terms.all_of(some))], 1, PENDING)
    assert len(planned.shards) > 1
    assert planned.earlier
    assert all(len(shard.tokens) <= 230 for shard in planned.shards)


def test_deciding_does_not_follow_the_order_of_nodes_of_equal_outcomes() -> None:
    """Outcomes of equal rules fire as one rule; the walk must still see those between."""
    build = Builder([2, 2])
    channel = build.add(Op.TRUE)
    rules = [RuleNode("a", build.leaf(0, 1), channel), RuleNode("b", build.leaf(1, 1), channel)]
    outcomes = [Outcome("x", 1), Outcome("y", 2), Outcome("x again", 1), Outcome("both", 3)]
    circuit = build.circuit(rules, outcomes)
    with DurableEngine(circuit) as engine:
        for inputs in [[a, b] for a in (1, 2, 3) for b in (1, 2, 3)]:
            assert engine.evaluate(inputs) == kleene(circuit, inputs, 0)


def test_threads_take_turns() -> None:
    random = Random(3)
    circuit = random_circuit(random)
    cases = [random_inputs(random, circuit, 0.3) for _ in range(100)]
    expected = [kleene(circuit, inputs, 0) for inputs in cases]
    wrong: list[int] = []
    with DurableEngine(circuit) as engine:

        def work() -> None:
            wrong.extend(
                i for i, inputs in enumerate(cases) if engine.evaluate(inputs) != expected[i]
            )

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
