"""Many decisions and many reloads, and what they leave in memory.

The comparison engine is a C library that frees nothing by itself; this is the proof that
the engines give back what they take.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from random import Random
from time import perf_counter

from eligibility.circuit.lower import lower
from eligibility.circuit.model import Circuit
from eligibility.engines.durable import DurableEngine
from eligibility.engines.native import NativeEngine
from eligibility.engines.verified import VerifiedEngine
from eligibility.rulebase.model import Rulebase

REPORTS = 10
VARIETY = 4_096


@dataclass(frozen=True, slots=True)
class Measure:
    """Memory in use after so many decisions or reloads, and the seconds since the start."""

    what: str
    done: int
    resident_kib: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.what} {self.done:>9,}  {self.resident_kib:>9,} KiB  {self.seconds:8.1f} s"


@dataclass(slots=True)
class Figures:
    """All measures; growth counts from the second one, when every cache has been filled."""

    measures: list[Measure] = field(default_factory=list)
    disagreements: int = 0

    def growth(self, what: str) -> int:
        """KiB gained between the second and the last measure of one kind."""
        found = [m.resident_kib for m in self.measures if m.what == what]
        return found[-1] - found[1] if len(found) > 1 else 0

    def per_second(self, what: str) -> float:
        found = [m for m in self.measures if m.what == what]
        seconds = found[-1].seconds - found[0].seconds
        return (found[-1].done - found[0].done) / seconds if seconds else 0.0


def resident_kib() -> int:
    """Memory of this process in RAM; 0 where the system does not tell."""
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        return 0
    return next((int(x.split()[1]) for x in status.splitlines() if x.startswith("VmRSS")), 0)


def soak(
    rulebase: Rulebase,
    profile: str,
    as_of: date,
    decisions: int = 1_000_000,
    reloads: int = 1_000,
    report: Callable[[str], object] | None = None,
) -> Figures:
    """Decide and reload with both engines; every decision is compared, a difference raises."""
    figures, start = Figures(), perf_counter()

    def note(what: str, done: int) -> None:
        measure = Measure(what, done, resident_kib(), perf_counter() - start)
        figures.measures.append(measure)
        if report is not None:
            report(str(measure))

    circuit = lower(rulebase, profile, as_of).circuit
    with DurableEngine(circuit) as durable:
        engine = VerifiedEngine(NativeEngine(circuit), durable, circuit)
        cases = _cases(circuit)
        _repeat("decisions", decisions, lambda i: engine.evaluate(cases[i % VARIETY]), note)
        figures.disagreements = engine.disagreements
    _repeat("reloads", reloads, lambda _: _reload(rulebase, profile, as_of), note)
    return figures


def _repeat(
    what: str, count: int, step: Callable[[int], object], note: Callable[[str, int], None]
) -> None:
    note(what, 0)
    done = 0
    for part in range(1, REPORTS + 1):
        until = count * part // REPORTS
        for number in range(done, until):
            step(number)
        done = until
        note(what, done)


def _reload(rulebase: Rulebase, profile: str, as_of: date) -> None:
    """What a change of the rules does: lower, build both engines, decide once, let go."""
    circuit = lower(rulebase, profile, as_of).circuit
    with DurableEngine(circuit) as durable:
        engine = VerifiedEngine(NativeEngine(circuit), durable, circuit)
        engine.evaluate([one.unknown for one in circuit.inputs])


def _cases(circuit: Circuit) -> list[list[int]]:
    """Inputs with none to nearly all facts unknown; the same on every run."""
    random = Random(1)

    def mask(regions: int, unknown: float) -> int:
        known = random.random() > unknown
        return 1 << random.randrange(regions) if known else (1 << regions) - 1

    return [
        [mask(one.regions, number / VARIETY) for one in circuit.inputs] for number in range(VARIETY)
    ]
