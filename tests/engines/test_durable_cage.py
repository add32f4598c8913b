"""No fault of ``durable_rules`` is an answer, a crash of the service or a leak."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from random import Random
from time import sleep
from typing import Any

import pytest

from eligibility.circuit.model import Circuit, Input, Op, Outcome, RuleNode
from eligibility.engines import durable_cage, trial
from eligibility.engines.durable import DurableEngine
from eligibility.engines.durable_cage import Cage, Library, check_names, fnv, load, token_names
from eligibility.engines.durable_rulesets import Rule, Shard
from eligibility.errors import EngineError
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
