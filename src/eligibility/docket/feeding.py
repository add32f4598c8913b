"""One program fed with columns: derived facts, region masks, the circuit, constraints."""

from __future__ import annotations

import numpy as np

from eligibility.decision.program import Program
from eligibility.docket.columns import Bits, Columns
from eligibility.docket.deriving import Batch, BulkDerivations
from eligibility.docket.encoding import Encoder, Masks
from eligibility.docket.turning import needed_facts
from eligibility.engines.docket import Children, DocketEngine, Evaluation
from eligibility.vocabulary.model import CASE


class Feed:
    """Evaluates batches by one program.

    INVARIANT: the inputs of a row that is not odd are those of ``Program.read``, and a row
    that no case can be like (a constraint is violated) is odd.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.engine = DocketEngine(program.circuit)
        self.derivations = BulkDerivations(program)
        self.needed = needed_facts(program)
        lowered = program.lowered
        self.encoders = [None if r is None else Encoder(r) for r in lowered.regions]
        self.record_encoders = {
            scope: [Encoder(r) for r in found] for scope, found in lowered.record_regions.items()
        }
        scopes = {q.scope for q in program.circuit.quantifiers} | {*self.record_encoders}
        scopes |= {c.scope for c, _ in lowered.constraint_nodes}
        self.scopes = sorted(scopes - {CASE})

    def evaluate(self, columns: Columns) -> Evaluation:
        """The circuit on a batch. Fills in derived facts and marks rows odd."""
        _, found = self.read(columns)
        columns.odd |= self.impossible(found)
        return found

    def read(self, columns: Columns) -> tuple[Batch, Evaluation]:
        """The batch as derived and the circuit on it, also of rows that no case can be like."""
        derived = self.derivations.derive(columns)
        inputs: list[Masks] = []
        for encoder in self.encoders:
            if encoder is None:  # a quantified condition, filled in by the engine
                inputs.append(np.ones(columns.rows, dtype=np.uint8))
                continue
            column = columns.case.facts.get(encoder.regions.fact.key)
            masks = encoder.encode(column, columns.as_of)
            columns.odd |= masks == 0
            inputs.append(masks)
        children = {scope: self._children(columns, scope) for scope in self.scopes}
        found = self.engine.evaluation(inputs, children)
        return derived, found

    def _children(self, columns: Columns, scope: str) -> Children:
        encoders = self.record_encoders.get(scope, [])
        records = columns.records.get(scope)
        if records is None:
            nothing: list[Masks] = [np.zeros(0, dtype=e.type) for e in encoders]
            return Children(np.zeros(columns.rows + 1, dtype=np.int64), nothing)
        owners = records.owners()
        as_of = columns.as_of[owners]
        inputs: list[Masks] = []
        for encoder in encoders:
            masks = encoder.encode(records.facts.get(encoder.regions.fact.key), as_of)
            columns.odd[owners[masks == 0]] = True
            inputs.append(masks)
        return Children(records.offsets, inputs)

    def impossible(self, found: Evaluation) -> Bits:
        """Cases whose known facts violate a constraint."""
        out = np.zeros(found.count, dtype=bool)
        for constraint, node in self.program.lowered.constraint_nodes:
            if constraint.scope == CASE:
                out |= found.truth(node)[0]
            else:
                violated, _ = found.truth(node, constraint.scope)
                out[found.owners[constraint.scope][violated]] = True
        return out
