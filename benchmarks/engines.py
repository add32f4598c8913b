"""One flat decision by every engine: same cases, same answers, ratios in paired rounds.

Run: ``make bench`` or ``.venv/bin/python -m benchmarks.engines``.

A flat decision starts from facts that are validated and flat in each engine's own form
(derived facts and quantifiers resolved, unknown = null) and ends with the two truths of
every verdict, effectiveness after channel and defeat, and the possible outcomes.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from benchmarks import zen_engine
from eligibility.circuit.model import Circuit
from eligibility.decision.program import Programs
from eligibility.rulefiles import load_rules
from eligibility.vocabulary.payload import read_case

AS_OF = date(2024, 9, 2)


def random_inputs(circuit: Circuit, count: int, missing: float, seed: int) -> list[tuple[int, ...]]:
    """Region masks: one region each, or unknown with the given probability."""
    rng = random.Random(seed)
    return [
        tuple(
            i.unknown if rng.random() < missing else 1 << rng.randrange(i.regions)
            for i in circuit.inputs
        )
        for _ in range(count)
    ]


def timed(function: Callable[[Any], Any], cases: Sequence[Any]) -> float:
    """Seconds per case of one pass."""
    start = time.perf_counter()
    for case in cases:
        function(case)
    return (time.perf_counter() - start) / len(cases)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="js-yancheng")
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--missing", type=float, default=0.05)
    options = parser.parse_args()

    rulebase = load_rules()
    program = Programs(rulebase).at(options.profile, AS_OF)
    circuit = program.circuit
    cases = random_inputs(circuit, options.cases, options.missing, seed=1)
    contexts = [zen_engine.context(case) for case in cases]
    engines: dict[str, tuple[Callable[[Any], Any], Sequence[Any]]] = {
        "native": (program.native.evaluate, cases),
        "durable": (program.engine("durable").evaluate, cases),
        "verified": (program.engine("verified").evaluate, cases),
        "ZEN compiled expressions": (zen_engine.expressions(circuit), contexts),
        "ZEN decision table": (zen_engine.table(circuit), contexts),
        "ZEN expression graph": (zen_engine.graph(circuit), contexts),
    }
    _check_same_answers(engines)
    rounds: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(options.rounds):
        for name, (function, given) in engines.items():
            rounds[name].append(timed(function, given))

    print(
        f"profile {options.profile}: {len(circuit.rules)} rules, {len(circuit.inputs)} inputs, "
        f"{options.missing:.0%} missing, {options.cases} cases, medians of {options.rounds} rounds"
    )
    print(f"{'engine':28} {'µs':>9} {'× native':>9}")
    for name, times in rounds.items():
        ratios = [t / n for t, n in zip(times, rounds["native"], strict=True)]
        median = statistics.median(times) * 1e6
        print(f"{name:28} {median:9.1f} {statistics.median(ratios):9.1f}")
    table = [v / t for v, t in zip(rounds["verified"], rounds["ZEN decision table"], strict=True)]
    print(f"verified / ZEN decision table: {statistics.median(table):.2f}")
    _core(program, rulebase, options)


def _check_same_answers(
    engines: dict[str, tuple[Callable[[Any], Any], Sequence[Any]]],
) -> None:
    function, given = engines["native"]
    expected = [tuple(function(case)) for case in given]
    for name, (other, cases) in engines.items():
        found = [tuple(other(case)) for case in cases]
        differing = sum(a != b for a, b in zip(expected, found, strict=True))
        if differing:
            raise SystemExit(f"{name} differs from native on {differing} cases")


def _core(program: Any, rulebase: Any, options: argparse.Namespace) -> None:
    """From typed facts: derived facts, clocks, quantifiers, regions, then the flat decision."""
    from eligibility.vocabulary.schema import example

    case = read_case(example(rulebase.vocabulary), rulebase.vocabulary, AS_OF)
    steps: dict[str, Callable[[Any], Any]] = {
        "derived facts and clocks": lambda _: program.derive(case, AS_OF),
        "regions and quantifiers": lambda derived: program.read(derived),
        "flat decision (native)": lambda reading: program.native.evaluate(reading.inputs),
    }
    value: Any = case
    print("the core from typed facts, one case:")
    for name, step in steps.items():
        given = [value] * options.cases
        found = statistics.median(timed(step, given) for _ in range(options.rounds))
        print(f"  {name:28} {found * 1e6:9.1f} µs")
        value = step(value)


if __name__ == "__main__":
    main()
