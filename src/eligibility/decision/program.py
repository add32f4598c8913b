"""A rule base lowered, compiled and ready to run for one profile and law date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from eligibility.circuit.lower import Lowered, lower
from eligibility.circuit.model import Engine, Verdicts
from eligibility.circuit.truth import support
from eligibility.decision.derive import Derivations, Derived, Known
from eligibility.decision.explanation import Reasons
from eligibility.decision.law import Law
from eligibility.decision.silence import Closed, Silence, closed_leaves, silences
from eligibility.decision.turning import Turning, turning_facts
from eligibility.engines.diagram import DiagramEngine
from eligibility.engines.native import Body, NativeEngine, QuantifiedConditions, body_function
from eligibility.engines.verified import VerifiedEngine
from eligibility.errors import EngineError, Problem, Text
from eligibility.rulebase.model import Constraint, Rulebase
from eligibility.vocabulary.model import CASE, Fact
from eligibility.vocabulary.payload import Case
from eligibility.vocabulary.reader import inputs_of

ENGINES = ("verified", "native", "durable")
Encoders = dict[str, tuple[int, Callable[[Any, date], int]]]
_NOTHING: tuple[Encoders, list[int]] = ({}, [])


@dataclass(slots=True)
class Reading:
    """What the circuit is fed for one case: masks of the case and of each record."""

    inputs: list[int]
    records: dict[str, list[list[int]]]


class Program:
    """One circuit with its engines; engines are made when first asked for."""

    def __init__(self, lowered: Lowered, law: Law | None = None) -> None:
        self.lowered = lowered
        self.law = law or Law(lowered.rulebase)
        self.circuit = lowered.circuit
        self.native = NativeEngine(lowered.circuit)
        self.quantified = QuantifiedConditions(lowered.circuit)
        self._engines: dict[str, Engine] = {"native": self.native}
        self._unknown = [made.unknown for made in self.circuit.inputs]
        self._case_encoders: Encoders = {
            regions.fact.key: (i, regions.encode)
            for i, regions in enumerate(lowered.regions)
            if regions is not None
        }
        self._record_encoders: dict[str, tuple[Encoders, list[int]]] = {
            scope: (
                {regions.fact.key: (i, regions.encode) for i, regions in enumerate(found)},
                [regions.unknown for regions in found],
            )
            for scope, found in lowered.record_regions.items()
        }
        self.positions = lowered.positions()
        wanted = [i.fact for i in self.circuit.inputs if i.quantifier < 0]
        wanted += [i.fact for found in self.circuit.record_inputs.values() for i in found]
        self._derivations = Derivations(lowered.rulebase, lowered.parameters, wanted)
        self.register = self._derivations.register
        self._diagram: DiagramEngine | None = None
        self._moved: dict[str, dict[str, set[int]]] = {}
        self._resting: dict[str, tuple[str, ...]] = {}
        self._inputs: dict[str, set[int]] = {}

    @property
    def derivations(self) -> Derivations:
        """The derived facts that the circuit asks about."""
        return self._derivations

    @property
    def diagram(self) -> DiagramEngine:
        """The decision diagram of the circuit, made when first needed."""
        if self._diagram is None:
            impossible = [(c.scope, node) for c, node in self.lowered.constraint_nodes]
            self._diagram = DiagramEngine(self.circuit, impossible)
        return self._diagram

    def inputs_of_fact(self, fact: Fact) -> set[int]:
        """Positions of a fact among the inputs of its scope (at most one)."""
        found = self._inputs.get(fact.key)
        if found is None:
            scope = self.circuit.record_inputs.get(fact.scope, ())
            made = self.circuit.inputs if fact.scope == CASE else scope
            found = {i for i, m in enumerate(made) if m.fact == fact.key and m.quantifier < 0}
            self._inputs[fact.key] = found
        return found

    def moved_by(self, key: str) -> dict[str, set[int]]:
        """Inputs of the circuit, per scope, that a fact or anything derived from it feeds."""
        found = self._moved.get(key)
        if found is None:
            found = self._moved[key] = {}
            names = self._derived_closure(key)
            for i, made in enumerate(self.circuit.inputs):
                if made.fact in names and made.quantifier < 0:
                    found.setdefault(CASE, set()).add(i)
            for scope, made_inputs in self.circuit.record_inputs.items():
                for i, made in enumerate(made_inputs):
                    if made.fact in names:
                        found.setdefault(scope, set()).add(i)
        return found

    @cached_property
    def cones(self) -> list[dict[str, None]]:
        """For each rule the facts that it depends on, its channel included."""
        rules = self.circuit.rules
        return [
            {**support(self.circuit, r.verdict), **support(self.circuit, r.channel)} for r in rules
        ]

    @cached_property
    def reasons(self) -> Reasons:
        """What explains the rules."""
        return Reasons(self.lowered.rulebase, self.lowered.parameters)

    @cached_property
    def closed_leaves(self) -> list[Closed]:
        """What the rules take silence for."""
        return closed_leaves(self.lowered)

    @cached_property
    def silences(self) -> list[Silence]:
        """The same, those that say the same of one fact taken together."""
        return silences(self.closed_leaves)

    @cached_property
    def constraints(self) -> list[tuple[Constraint, Body]]:
        """What cannot be true in any case, each with its truth by masks."""
        found = self.lowered.constraint_nodes
        return [(constraint, body_function(self.circuit, node)) for constraint, node in found]

    @cached_property
    def list_keys(self) -> dict[str, str]:
        """The list of each kind of record in a case."""
        kinds = self.lowered.rulebase.vocabulary.records.values()
        return {kind.name: kind.list_key for kind in kinds}

    @cached_property
    def court_facts(self) -> list[str]:
        """The facts whose values are courts."""
        return self.lowered.rulebase.vocabulary.court_facts()

    @cached_property
    def proposed(self) -> int:
        """The rules that are proposals adopted here, as a mask."""
        return sum(1 << i for i, r in enumerate(self.lowered.rules) if r.basis == "proposed")

    @cached_property
    def turning(self) -> list[Turning]:
        """The facts whose region may change by the mere passing of time."""
        return turning_facts(self.lowered)

    def resting_on(self, key: str) -> tuple[str, ...]:
        """The rules that ask about a fact derived directly from this one."""
        found = self._resting.get(key)
        if found is None:
            vocabulary = self.lowered.rulebase.vocabulary
            derived = {f.key for f in vocabulary.facts.values() if key in inputs_of(f, vocabulary)}
            found = self._resting[key] = tuple(
                rule.id
                for rule in self.circuit.rules
                if derived & support(self.circuit, rule.verdict).keys()
            )
        return found

    def _derived_closure(self, key: str) -> set[str]:
        vocabulary = self.lowered.rulebase.vocabulary
        names = {key}
        while True:
            more = {f.key for f in vocabulary.facts.values() if names & {*inputs_of(f, vocabulary)}}
            if more <= names:
                return names
            names |= more

    def engine(self, name: str) -> Engine:
        """The engine of this name: ``verified`` runs native and durable and compares."""
        if name not in ENGINES:
            raise EngineError(
                Problem(
                    "unknown_engine",
                    Text(f"没有引擎“{name}”", f"no engine '{name}'"),
                    allowed=ENGINES,
                )
            )
        if name not in self._engines:
            from eligibility.engines.durable import DurableEngine

            durable = self._engines.setdefault("durable", DurableEngine(self.circuit))
            self._engines["verified"] = VerifiedEngine(self.native, durable, self.circuit)
        return self._engines[name]

    def close(self) -> None:
        """Free what the engines hold outside Python."""
        durable = self._engines.pop("durable", None)
        self._engines.pop("verified", None)
        close = getattr(durable, "close", None)
        if close is not None:
            close()

    def derive(self, case: Case, as_of: date) -> Derived:
        return self._derivations.derive(case, as_of)

    def derive_all(self, case: Case, as_of: date) -> Known:
        """All derived facts, also those that no rule of the circuit asks about."""
        return self.derive_rest(self.derive(case, as_of), case)

    def derive_rest(self, before: Known, case: Case) -> Known:
        """All derived facts of a case, given those that the circuit asks about."""
        return self._derivations.everything(before, case)

    def if_given(self, before: Known, case: Case, fact: Fact, index: int, value: Any) -> Known:
        """The facts of a case if one of them were given as this value."""
        return self._derivations.if_given(before, case, fact, index, value)

    def read(self, derived: Known) -> Reading:
        """The masks of a case with derived facts."""
        as_of = derived.as_of
        inputs = self._unknown.copy()
        for key, value in derived.facts.items():
            encoder = self._case_encoders.get(key)
            if encoder is not None:
                inputs[encoder[0]] = encoder[1](value, as_of)
        records: dict[str, list[list[int]]] = {}
        for scope, found in derived.records.items():
            encoders, unknown = self._record_encoders.get(scope, _NOTHING)
            records[scope] = rows = []
            for record in found:
                row = unknown.copy()
                for key, value in record.items():
                    encoder = encoders.get(key)
                    if encoder is not None:
                        row[encoder[0]] = encoder[1](value, as_of)
                rows.append(row)
        self.quantified.fill(inputs, records)
        return Reading(inputs, records)

    def read_again(self, before: Reading, known: Known, key: str) -> Reading:
        """The masks of a case of which a fact was given another value.

        INVARIANT: those of :meth:`read`.
        """
        inputs, records = before.inputs.copy(), before.records
        for fact in self._derivations.facts_moved_by(key, known.run.whole):
            if fact.scope == CASE:
                encoder = self._case_encoders.get(fact.key)
                if encoder is not None:
                    inputs[encoder[0]] = encoder[1](known.facts.get(fact.key), known.as_of)
                continue
            encoder = self._record_encoders.get(fact.scope, _NOTHING)[0].get(fact.key)
            if encoder is None:
                continue
            if records is before.records:
                records = {scope: [r.copy() for r in rows] for scope, rows in records.items()}
            for row, store in zip(records[fact.scope], known.records[fact.scope], strict=True):
                row[encoder[0]] = encoder[1](store.get(fact.key), known.as_of)
        if inputs == before.inputs and records == before.records:
            return before
        self.quantified.fill(inputs, records)
        return Reading(inputs, records)

    def evaluate(self, reading: Reading, overridden: int, engine: str = "native") -> Verdicts:
        return self.engine(engine).evaluate(reading.inputs, overridden)


class Programs:
    """Programs of one rule base by profile and law in force; kept once made."""

    def __init__(self, rulebase: Rulebase) -> None:
        self.rulebase = rulebase
        self.law = Law(rulebase)
        self._made: dict[tuple[str, int], Program] = {}

    def at(self, profile: str, as_of: date) -> Program:
        """The program for a profile as the law stands on a day."""
        self.rulebase.profile(profile)
        key = (profile, self.law.stretch(as_of))
        program = self._made.get(key)
        if program is None:
            program = self._made[key] = Program(lower(self.rulebase, profile, as_of), self.law)
        return program

    def next_law_date(self, as_of: date) -> date | None:
        """The next day on which some rule or parameter starts or ends."""
        return next((day for day in self.law.dates if day > as_of), None)

    def close(self) -> None:
        for program in self._made.values():
            program.close()
        self._made.clear()


def overrides_mask(case: Case, program: Program, warn: Callable[[str, str, Text], None]) -> int:
    """Rules lifted by a recorded override of a body that may lift them (and with a paper)."""
    mask = 0
    bodies = program.lowered.rulebase.bodies
    labels = {label.zh: key for key, label in bodies.items()}
    for index, record in enumerate(case.overrides):
        place = f"overrides[{index}]"
        position = program.positions.get(record.get("bar", ""))
        if position is None:
            warn("override_unknown_bar", place, Text("所列规则不在本辖区适用", "no such rule here"))
            continue
        rule = program.lowered.rules[position]
        body = record.get("body", "")
        if labels.get(body, body) not in rule.override_by:
            warn(
                "override_not_allowed",
                place,
                Text(f"{rule.id} 不得由该机关准予例外", f"this body may not lift {rule.id}"),
            )
        elif not record.get("reason") or not record.get("doc_no"):
            warn(
                "override_undocumented",
                place,
                Text("准予例外须写明理由与文号", "an override needs a reason and a paper"),
            )
        else:
            mask |= 1 << position
    return mask
