"""What is put to the test: one rule base for one profile and day, in every implementation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Any

from eligibility.circuit.lower import lower
from eligibility.circuit.model import Verdicts
from eligibility.decision.derive import Derived
from eligibility.decision.program import Program, Reading, overrides_mask
from eligibility.engines.durable import DurableEngine
from eligibility.errors import FactsError
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.payload import Case, read_case
from oracle.generate import CaseWriter
from oracle.interpreter import Interpreter, Known, Opinion


@dataclass
class Read:
    """A case as far as the engines: typed, derived, cut into regions."""

    payload: dict[str, Any]
    case: Case
    derived: Derived
    reading: Reading
    overridden: int

    @property
    def known(self) -> Known:
        return Known(self.derived.facts, self.derived.records)


@dataclass
class Subject:
    """A rule base in force for a profile on a day."""

    rulebase: Rulebase
    profile: str
    as_of: date
    program: Program
    interpreter: Interpreter

    @property
    def ids(self) -> list[str]:
        return [rule.id for rule in self.program.circuit.rules]

    def writer(self, seed: int, usual: float = 0.7) -> CaseWriter:
        return CaseWriter(self.rulebase, Random(seed), self.as_of, usual)

    def read(self, payload: dict[str, Any]) -> Read | None:
        """The case, or None where its random facts contradict each other."""
        try:
            case = read_case(payload, self.rulebase.vocabulary, self.as_of)
            derived = self.program.derive(case, self.as_of)
        except FactsError:
            return None
        overridden = overrides_mask(case, self.program, lambda *_: None)
        return Read(payload, case, derived, self.program.read(derived), overridden)

    def cases(self, seed: int, count: int, missing: float | None = None) -> Iterator[Read]:
        """So many random cases that make sense."""
        writer = self.writer(seed)
        while count:
            read = self.read(writer.payload(missing))
            if read is not None:
                count -= 1
                yield read

    def native(self, read: Read) -> Verdicts:
        return self.program.native.evaluate(read.reading.inputs, read.overridden)

    def as_written(self, read: Read) -> Verdicts:
        """The interpreter's opinion in the form of an engine's answer."""
        return self.verdicts(self.interpreter.opinion(read.known, lifted(read.case, self.rulebase)))

    def verdicts(self, opinion: Opinion) -> Verdicts:
        def mask(truths: dict[str, bool | None], *wanted: bool | None) -> int:
            return sum(1 << i for i, name in enumerate(self.ids) if truths[name] in wanted)

        return Verdicts(
            mask(opinion.verdicts, True),
            mask(opinion.verdicts, True, None),
            mask(opinion.effective, True),
            mask(opinion.effective, True, None),
            sum(1 << position for position in opinion.outcomes),
        )

    def random_inputs(self, random: Random, missing: float) -> list[int]:
        """Masks of regions: mostly known or unknown, now and then anything between."""
        inputs = []
        for one in self.program.circuit.inputs:
            if random.random() < missing:
                inputs.append(one.unknown)
            elif random.random() < 0.02:
                inputs.append(random.randint(1, one.unknown))
            else:
                inputs.append(1 << random.randrange(one.regions))
        return inputs


def lifted(case: Case, rulebase: Rulebase) -> set[str]:
    """Rules that a recorded exception sets aside: by a body that may, with reason and paper."""
    out = set()
    for record in case.overrides:
        rule = rulebase.rules.get(record.get("bar", ""))
        if rule is None or not record.get("reason") or not record.get("doc_no"):
            continue
        names = {*rule.override_by, *(rulebase.bodies[b].zh for b in rule.override_by)}
        if record.get("body") in names:
            out.add(rule.id)
    return out


def make_subject(rulebase: Rulebase, profile: str, as_of: date) -> Subject:
    program = Program(lower(rulebase, profile, as_of))
    interpreter = Interpreter(rulebase, profile, as_of)
    assert [r.id for r in interpreter.rules] == [r.id for r in program.circuit.rules]
    return Subject(rulebase, profile, as_of, program, interpreter)


@contextmanager
def durable_engine(subject: Subject) -> Iterator[DurableEngine]:
    engine = DurableEngine(subject.program.circuit)
    try:
        yield engine
    finally:
        engine.close()
