"""The caged engine is equal to Kleene's logic, and no fault of the library is an answer."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from random import Random
from time import sleep
from typing import Any

import pytest

from eligibility.circuit.model import Circuit, Input, Node, Op, Outcome, RuleNode, Verdicts
from eligibility.engines import durable_cage, trial
from eligibility.engines.durable import DurableEngine
from eligibility.engines.durable_cage import Cage, Library, check_names, fnv, load, token_names
from eligibility.engines.durable_rulesets import PENDING, Rule, Shard, Terms, plan
from eligibility.errors import EngineError

pytest.importorskip("durable_rules_engine")

CIRCUITS, EACH = 240, 90
Truth = bool | None


# --- a slow and obvious evaluator ----------------------------------------------------------------


def both(truths: Sequence[Truth]) -> Truth:
    return False if False in truths else None if None in truths else True


def either(truths: Sequence[Truth]) -> Truth:
    return True if True in truths else None if None in truths else False


def contrary(truth: Truth) -> Truth:
    return None if truth is None else not truth


def truths_of(circuit: Circuit, inputs: Sequence[int]) -> list[Truth]:
    """The truth of every node, in their order."""
    known: list[Truth] = []
    for node in circuit.nodes:
        parts = [known[o] for o in node.operands]
        match node.op:
            case Op.TRUE | Op.FALSE:
                known.append(node.op is Op.TRUE)
            case Op.LEAF:
                regions = [r for r in range(62) if inputs[node.input] >> r & 1]
                inside = {bool(node.mask >> r & 1) for r in regions}
                known.append(inside.pop() if len(inside) == 1 else None)
            case Op.NOT:
                known.append(contrary(parts[0]))
            case Op.AND:
                known.append(both(parts))
            case Op.OR:
                known.append(either(parts))
            case Op.CERTAINLY:
                known.append(parts[0] is True)
            case Op.POSSIBLY:
                known.append(parts[0] is not False)
    return known


def kleene(circuit: Circuit, inputs: Sequence[int], overridden: int) -> Verdicts:
    known = truths_of(circuit, inputs)
    verdicts = [known[rule.verdict] for rule in circuit.rules]
    effective: list[Truth] = [False] * len(circuit.rules)
    for members in circuit.strata():
        for i in members:
            rule = circuit.rules[i]
            defeat = either([t for d, t in enumerate(effective) if rule.defeaters >> d & 1])
            free = not overridden >> i & 1
            effective[i] = both([verdicts[i], known[rule.channel], free, contrary(defeat)])
    possible = 0
    for i, outcome in enumerate(circuit.outcomes):
        holds = either([t for j, t in enumerate(effective) if outcome.rules >> j & 1])
        holds = True if outcome.rules == -1 else holds
        possible |= (holds is not False) << i
        if holds is True:
            break

    def mask(truths: Sequence[Truth], wanted: Sequence[Truth]) -> int:
        return sum(1 << i for i, t in enumerate(truths) if t in wanted)

    yes, perhaps = (True,), (True, None)
    return Verdicts(
        mask(verdicts, yes),
        mask(verdicts, perhaps),
        mask(effective, yes),
        mask(effective, perhaps),
        possible,
    )


# --- random circuits -----------------------------------------------------------------------------


class Builder:
    def __init__(self, regions: Sequence[int]) -> None:
        self.nodes: list[Node] = []
        self.inputs = tuple(Input(f"f{i}", n) for i, n in enumerate(regions))

    def add(self, op: Op, *operands: int, input: int = -1, mask: int = 0) -> int:
        self.nodes.append(Node(op, operands, input, mask))
        return len(self.nodes) - 1

    def leaf(self, input: int, mask: int) -> int:
        return self.add(Op.LEAF, input=input, mask=mask)

    def circuit(self, rules: Sequence[RuleNode], outcomes: Sequence[Outcome]) -> Circuit:
        return Circuit(tuple(self.nodes), self.inputs, tuple(rules), tuple(outcomes))


def random_circuit(random: Random) -> Circuit:
    build = Builder([random.randint(1, 5) for _ in range(random.randint(1, 14))])
    for _ in range(random.randint(2, 30)):
        number = random.randrange(len(build.inputs))
        leaf = build.leaf(number, random.randrange(1 << build.inputs[number].regions))
        if random.random() < 0.3:
            leaf = build.add(Op.NOT, leaf)
        if random.random() < 0.3:
            build.add(random.choice([Op.CERTAINLY, Op.POSSIBLY]), leaf)
    if random.random() < 0.3:
        build.add(random.choice([Op.TRUE, Op.FALSE]))
    for _ in range(random.randint(0, 60)):
        op = random.choice([Op.NOT, Op.AND, Op.AND, Op.OR, Op.OR])
        size = 1 if op is Op.NOT else random.randint(2, random.choice([3, 6]))
        build.add(op, *random.choices(range(len(build.nodes)), k=size))
    return build.circuit(*random_rules(random, len(build.nodes)))


def random_rules(random: Random, nodes: int) -> tuple[list[RuleNode], list[Outcome]]:
    count = random.randint(1, 40)
    strata = sorted(random.choices(range(random.randint(1, 4)), k=count))
    strata = [s - strata[0] for s in strata]
    if random.random() < 0.5:
        random.shuffle(strata)
    channels = [random.randrange(nodes) for _ in range(3)]
    rules = []
    for i, stratum in enumerate(strata):
        lower = [j for j, s in enumerate(strata) if s < stratum]
        beaten = random.sample(lower, min(len(lower), random.choice([0, 0, 1, 3])))
        rules.append(
            RuleNode(
                f"R{i}",
                random.randrange(nodes),
                random.choice(channels),
                stratum,
                sum(1 << j for j in beaten),
            )
        )
    masks = [0, (1 << count) - 1, *(random.getrandbits(count) for _ in range(3))]
    masks += [1 << random.randrange(count) for _ in range(6)]
    wanted = [random.choice(masks) for _ in range(random.randint(0, 9))]
    if random.random() < 0.7:
        wanted.insert(random.randint(len(wanted) // 2, len(wanted)), -1)
    return rules, [Outcome(f"o{i}", mask) for i, mask in enumerate(wanted)]


def random_inputs(random: Random, circuit: Circuit, unknown: float) -> list[int]:
    out = []
    for one in circuit.inputs:
        chance = random.random()
        if chance < unknown * 0.7:
            out.append(one.unknown)
        elif chance < unknown:
            out.append(random.randint(1, one.unknown))
        else:
            out.append(1 << random.randrange(one.regions))
    return out


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


def always(build: Builder, verdicts: Sequence[int]) -> Circuit:
    """Rules of these verdicts in a channel that is always open."""
    channel = build.add(Op.TRUE)
    rules = [RuleNode(f"R{i}", v, channel) for i, v in enumerate(verdicts)]
    return build.circuit(rules, [Outcome("first", 1), Outcome("other", -1)])


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


def deep(levels: int) -> Circuit:
    """all and any in turn, a leaf at each level."""
    build = Builder([3] * 25)
    node = build.leaf(0, 1)
    for i in range(levels):
        leaf = build.leaf(i % 25, 1 + i % 6)
        node = build.add((Op.AND, Op.OR)[i % 2], node, leaf)
        if i % 7 == 0:
            node = build.add(Op.NOT, node)
    return always(build, [node])


def many_rules(count: int, distinct: bool) -> Circuit:
    """Rules that share their first leaf, or none."""
    build = Builder([4] * 60)
    verdicts = []
    for i in range(count):
        first = build.leaf(i % 60 if distinct else 0, 1 + i // 60 if distinct else 3)
        some = build.add(Op.OR, build.leaf((i + 7) % 60, 3), build.leaf((i + 11) % 60, 5))
        verdicts.append(build.add(Op.AND, first, some))
    return always(build, verdicts)


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


# --- the cage ------------------------------------------------------------------------------------

ONE_RULE = Shard([Rule(1, 0, frozenset([0]))])
NAMES = {0: "a"}
FACTS = durable_cage.HEAD + ',"a":1}'


class Faulty:
    """The library with one function that answers wrongly, once or until told otherwise."""

    def __init__(self) -> None:
        self.library: Any = load()
        self.calls: list[str] = []
        self.instead: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self.calls.append(name)
            if name in self.instead:
                answer = self.instead.pop(name)
                if isinstance(answer, BaseException):
                    raise answer
                return answer
            return getattr(self.library, name)(*arguments)

        return call

    def cage(self) -> Cage:
        library: Library = self
        return Cage(library, ONE_RULE, NAMES)


@pytest.fixture
def faulty() -> Faulty:
    return Faulty()


@pytest.fixture
def cage(faulty: Faulty) -> Iterator[Cage]:
    caged = faulty.cage()
    assert caged.fire(FACTS) == 1
    yield caged
    caged.close()


def error_of(cage: Cage) -> EngineError:
    with pytest.raises(EngineError) as caught:
        cage.fire(FACTS)
    return caught.value


@pytest.mark.parametrize(
    ("function", "answer"),
    [
        ("assert_fact", (1, 1)),
        ("assert_fact", (2, 1)),
        ("assert_fact", (3, 1)),
        ("assert_fact", RuntimeError("Could not assert fact, error code: 303")),
        ("assert_fact", MemoryError()),
        ("start_action_for_state", None),
        ("start_action_for_state", ("{}", '{"777":[{"m":{}}]}')),
        ("start_action_for_state", RuntimeError("error code: 307")),
        ("complete_and_start_action", None),
        ("complete_and_start_action", RuntimeError("error code: 307")),
        ("retract_fact", RuntimeError("error code: 306")),
        ("get_facts", '[{"id":"f"}]'),
    ],
)
def test_a_fault_of_the_library_is_a_failed_decision(
    faulty: Faulty, cage: Cage, function: str, answer: object
) -> None:
    faulty.instead[function] = answer
    faulty.calls.clear()
    assert error_of(cage).code == "engine_failed"
    assert faulty.calls[-1] == "delete_ruleset"
    # The ruleset is built anew and decides again.
    assert cage.fire(FACTS) == 1
    assert cage.fire(durable_cage.HEAD + "}") == 0
    assert "create_ruleset" in faulty.calls


def test_the_fact_is_retracted_even_if_reading_fails(faulty: Faulty, cage: Cage) -> None:
    faulty.instead["start_action_for_state"] = RuntimeError("x")
    faulty.calls.clear()
    error_of(cage)
    assert "retract_fact" in faulty.calls


def test_an_interrupt_is_passed_on_and_the_ruleset_dropped(faulty: Faulty, cage: Cage) -> None:
    faulty.instead["start_action_for_state"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        cage.fire(FACTS)
    assert faulty.calls[-1] == "delete_ruleset"
    assert cage.fire(FACTS) == 1


def test_a_fact_left_behind_is_noticed(cage: Cage, faulty: Faulty) -> None:
    """Were retracting to do nothing, the next fact would be refused, not merged with it."""
    faulty.instead["retract_fact"] = (0, 1)
    assert error_of(cage).code == "engine_failed"
    assert cage.fire(durable_cage.HEAD + "}") == 0


def test_no_fact_is_left_after_a_decision(faulty: Faulty, cage: Cage) -> None:
    cage.fire(FACTS)
    handle = cage._handle
    assert faulty.library.get_facts(handle, durable_cage.SESSION) == "[]"


def test_the_state_is_freed_only_after_a_rule_has_fired(faulty: Faulty) -> None:
    """Before that the library frees memory that it never set."""
    faulty.instead["start_action_for_state"] = None
    with pytest.raises(EngineError):
        faulty.cage()
    assert "delete_state" not in faulty.calls
    assert faulty.calls[-1] == "delete_ruleset"


def test_a_record_without_facts_matches_nothing(cage: Cage) -> None:
    assert cage.fire(durable_cage.HEAD + "}") == 0


def test_the_hash_is_that_of_the_library() -> None:
    known = {"id": 926444256, "sid": 3593476751, "$and": 3746487396, "$forward": 739185624}
    assert {name: fnv(name) for name in known} == known


def test_names_of_equal_hash_are_one_name_to_the_library_and_refused() -> None:
    one, two = "costarring", "liquid"
    assert fnv(one) == fnv(two)
    mistaken = Cage(load(), ONE_RULE, {0: one})
    assert mistaken.fire(f'{durable_cage.HEAD},"{two}":1}}') == 1
    mistaken.close()
    with pytest.raises(EngineError) as caught:
        check_names([one, two])
    assert caught.value.code == "engine_failed"


@pytest.mark.parametrize("name", ["id", "sid", "$or", durable_cage.MARKER])
def test_names_of_the_library_are_refused(name: str) -> None:
    with pytest.raises(EngineError):
        check_names([name])


def test_generated_names_are_short_and_distinct() -> None:
    names = token_names(2000)
    assert len(set(names)) == 2000
    assert not {"id", "sid"} & set(names)
    assert max(map(len, names)) <= 3


def test_no_text_of_a_rule_base_reaches_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    library: Any = load()

    class Listening:
        def __getattr__(self, name: str) -> Any:
            def call(*arguments: Any) -> Any:
                seen.extend(a for a in arguments if isinstance(a, str))
                return getattr(library, name)(*arguments)

            return call

    monkeypatch.setattr("eligibility.engines.durable.load", Listening)
    build = Builder([2])
    leaf = build.leaf(0, 1)
    circuit = Circuit(
        tuple(build.nodes),
        (Input("秘密", 2),),
        (RuleNode("规则", leaf, leaf),),
        (Outcome("结果", 1),),
    )
    with DurableEngine(circuit) as engine:
        engine.evaluate([1])
    assert seen
    assert all(text.isascii() and not {"规则", "秘密"} & {text} for text in seen)


def test_without_the_library_the_engine_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(EngineError) as caught:
        DurableEngine(Builder([1]).circuit([], []))
    assert caught.value.code == "engine_unavailable"


# --- the engine ----------------------------------------------------------------------------------


def test_a_failed_decision_does_not_spoil_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    faulty = Faulty()
    monkeypatch.setattr("eligibility.engines.durable.load", lambda: faulty)
    random = Random(5)
    circuit = random_circuit(random)
    inputs = random_inputs(random, circuit, 0.3)
    with DurableEngine(circuit) as engine:
        faulty.instead["assert_fact"] = (2, 1)
        with pytest.raises(EngineError) as caught:
            engine.evaluate(inputs)
        assert caught.value.code == "engine_failed"
        assert engine.evaluate(inputs) == kleene(circuit, inputs, 0)


@pytest.mark.parametrize("inputs", [[0, 1], [4, 1], [1], [1, 1, 1], [-1, 1]])
def test_inputs_that_are_not_regions_are_refused(inputs: list[int]) -> None:
    build = Builder([2, 2])
    node = build.add(Op.AND, build.leaf(0, 1), build.leaf(1, 1))
    with DurableEngine(always(build, [node])) as engine:
        with pytest.raises(EngineError):
            engine.evaluate(inputs)
        assert engine.evaluate([1, 1]).true == 1


def test_a_defeat_from_the_same_stratum_is_refused() -> None:
    build = Builder([2])
    leaf = build.leaf(0, 1)
    rules = [RuleNode("a", leaf, leaf), RuleNode("b", leaf, leaf, 0, 1)]
    with pytest.raises(EngineError):
        DurableEngine(build.circuit(rules, []))


def test_a_closed_engine_does_not_answer() -> None:
    engine = DurableEngine(deep(3))
    engine.close()
    engine.close()
    with pytest.raises(EngineError):
        engine.evaluate([1] * 25)


def test_closing_frees_every_ruleset(monkeypatch: pytest.MonkeyPatch) -> None:
    faulty = Faulty()
    monkeypatch.setattr("eligibility.engines.durable.load", lambda: faulty)
    DurableEngine(many_rules(200, distinct=True)).close()
    assert faulty.calls.count("create_ruleset") > 1
    assert faulty.calls.count("delete_ruleset") == faulty.calls.count("create_ruleset")
    assert faulty.calls.count("delete_state") == faulty.calls.count("create_ruleset")


def resident_kib() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is read from /proc")
def test_reloading_gives_memory_back() -> None:
    """A ruleset of this size takes about a megabyte; a leak of a tenth of it would show."""
    circuit = many_rules(60, distinct=False)
    for _ in range(30):
        DurableEngine(circuit).close()
    gc.collect()
    before = resident_kib()
    for _ in range(60):
        DurableEngine(circuit).close()
    gc.collect()
    assert resident_kib() - before < 6_000


# --- the trial in a process of its own -----------------------------------------------------------


def dies(circuit: Circuit, send: Connection) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hangs(circuit: Circuit, send: Connection) -> None:
    sleep(60)


def fails(circuit: Circuit, send: Connection) -> None:
    send.send("RuntimeError: no")


def dies_late(circuit: Circuit, send: Connection) -> None:
    send.send("passed")
    os._exit(3)


def test_a_sound_circuit_passes_the_trial() -> None:
    trial.trial(deep(5))


@pytest.mark.parametrize(
    ("child", "said"),
    [(dies, "exit code -11"), (hangs, "within 1.5 s"), (fails, "no"), (dies_late, "exit code 3")],
)
def test_a_trial_that_ends_badly_is_an_error(
    monkeypatch: pytest.MonkeyPatch, child: Any, said: str
) -> None:
    monkeypatch.setattr(trial, "_child", child)
    with pytest.raises(EngineError) as caught:
        trial.trial(deep(3), timeout=1.5 if child is hangs else 30)
    assert caught.value.code == "engine_trial_failed"
    assert said in str(caught.value)


def test_an_engine_that_cannot_be_built_fails_the_trial() -> None:
    build = Builder([2])
    leaf = build.leaf(0, 1)
    rules = [RuleNode("a", leaf, leaf), RuleNode("b", leaf, leaf, 0, 1)]
    with pytest.raises(EngineError) as caught:
        trial.trial(build.circuit(rules, []))
    assert caught.value.code == "engine_trial_failed"
    assert "stratum" in str(caught.value)
