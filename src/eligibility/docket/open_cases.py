"""Cases that Kleene's logic leaves open, put to the decision diagrams all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from eligibility.decision.program import Program
from eligibility.docket.columns import Bits, Ints, examples, numbered
from eligibility.docket.residuals import Remainder, Residuals
from eligibility.engines.diagram import EXPANDED, Shape
from eligibility.engines.docket import Evaluation
from eligibility.vocabulary.model import CASE

NONE = -1


@dataclass(slots=True)
class Expanded:
    """Which records of a kind stand in the diagram of each case.

    ``records``: a row a case, the numbers of at most ``EXPANDED`` records in their table,
    else -1; ``count``: how many, -1 where they are too many; ``held``: how many the case has.
    """

    records: Ints
    count: Ints
    held: Ints
    any_open: Bits


@dataclass(slots=True)
class Asked:
    """Open cases of one program: their rows, their diagrams, what is known of each variable."""

    program: Program
    evaluation: Evaluation
    rows: Ints
    diagrams: Ints
    allowed: Ints
    expanded: dict[str, Expanded]
    remainders: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


class OpenCases:
    """The diagrams of all programs of a screening."""

    def __init__(self) -> None:
        self.residuals = Residuals()
        self._numbers: dict[tuple[int, Shape], int] = {}

    def remainder(self, number: int) -> Remainder:
        return self.residuals.remainder(number)

    def question(self, program: Program, evaluation: Evaluation, rows: Ints) -> Asked:
        """What is known of some cases, as ``DiagramEngine.question`` puts it."""
        engine = program.diagram
        expanded = {
            scope: _expanded(program, evaluation, scope, rows)
            for scope in engine.scopes
            if scope in evaluation.children
        }
        nothing = np.zeros(len(rows), dtype=np.int64)
        counts = np.array(
            [expanded[s].count if s in expanded else nothing for s in engine.scopes],
            dtype=np.int64,
        ).reshape(len(engine.scopes), len(rows))
        code = np.zeros(len(rows), dtype=np.int64)
        for line in counts:
            code = code * (EXPANDED + 2) + line + 1
        codes, which = numbered(code)
        first = examples(which, len(codes))
        diagrams = np.zeros(len(rows), dtype=np.int64)
        parts = []
        for number, example in enumerate(first):
            listed = zip(engine.scopes, counts[:, example].tolist(), strict=True)
            shape: Shape = tuple(listed)
            members = np.flatnonzero(which == number)
            diagrams[members] = self._diagram(program, shape)
            parts.append((members, diagrams[example]))
        width = max((len(self.residuals.built[d].plan) for _, d in parts), default=0)
        allowed = np.ones((len(rows), width), dtype=self.residuals.masks)
        asked = Asked(program, evaluation, rows, diagrams, allowed, expanded)
        decided = _decided(asked)
        for members, diagram in parts:
            self._fill(asked, members, int(diagram), decided)
        return asked

    def _diagram(self, program: Program, shape: Shape) -> int:
        key = (id(program), shape)
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = self.residuals.add(program.diagram.of_shape(shape))
        return found

    def _fill(self, asked: Asked, members: Ints, diagram: int, decided: Sequence[Ints]) -> None:
        rows, evaluation = asked.rows[members], asked.evaluation
        for place, (scope, index, number, silent) in enumerate(self.residuals.built[diagram].plan):
            if scope == CASE:
                masks = evaluation.inputs[number][rows]
            elif scope == "quantifier":
                masks = decided[number][members]
            else:
                at = asked.expanded[scope].records[members, index]
                masks = evaluation.children[scope].inputs[number][at]
            masks = masks.astype(self.residuals.masks)
            if silent:
                masks[masks == silent - 1] = silent
            asked.allowed[members, place] = masks

    def answer(self, asked: Sequence[Asked]) -> None:
        """What is left of each case, of all programs at once."""
        if not asked:
            return
        self.residuals.forget_many()
        width = max(one.allowed.shape[1] for one in asked)
        cases = sum(len(one.rows) for one in asked)
        allowed = np.ones((cases, width), dtype=self.residuals.masks)
        begin = 0
        for one in asked:
            allowed[begin : begin + len(one.rows), : one.allowed.shape[1]] = one.allowed
            begin += len(one.rows)
        found = self.residuals.ask(np.concatenate([one.diagrams for one in asked]), allowed)
        begin = 0
        for one in asked:
            one.remainders = found[begin : begin + len(one.rows)]
            begin += len(one.rows)


def open_records(program: Program, evaluation: Evaluation, scope: str) -> Bits:
    """Records of which some quantified condition is undecided."""
    out = np.zeros(len(evaluation.owners[scope]), dtype=bool)
    for quantifier in program.circuit.quantifiers:
        if quantifier.scope == scope:
            certain, possible = evaluation.truth(quantifier.body, scope)
            out |= possible & ~certain
    return out


def _expanded(program: Program, evaluation: Evaluation, scope: str, rows: Ints) -> Expanded:
    offsets = evaluation.children[scope].offsets
    first = offsets[rows]
    held = offsets[rows + 1] - first
    records = np.full((len(rows), EXPANDED), NONE, dtype=np.int64)
    for place in range(EXPANDED):
        few = (held > place) & (held <= EXPANDED)
        records[few, place] = first[few] + place
    count, any_open = held.copy(), np.zeros(len(rows), dtype=bool)
    many = np.flatnonzero(held > EXPANDED)
    if many.size:
        listed = np.flatnonzero(open_records(program, evaluation, scope))
        begin = np.searchsorted(listed, first[many])
        kept = np.searchsorted(listed, first[many] + held[many]) - begin
        any_open[many] = kept > 0
        count[many] = np.where(kept <= EXPANDED, kept, NONE)
        for place in range(EXPANDED):
            few = (kept > place) & (kept <= EXPANDED)
            records[many[few], place] = listed[begin[few] + place]
    return Expanded(records, count, held, any_open)


def _decided(asked: Asked) -> list[Ints]:
    """What the records that are not expanded already decide of each quantified condition."""
    circuit, evaluation = asked.program.circuit, asked.evaluation
    places = {made.quantifier: place for place, made in enumerate(circuit.inputs)}
    out = []
    for number, quantifier in enumerate(circuit.quantifiers):
        found = asked.expanded.get(quantifier.scope)
        if found is None:
            out.append(np.ones(len(asked.rows), dtype=np.int64))
            continue
        certain, possible = evaluation.truth(quantifier.body, quantifier.scope)
        decisive = ~possible if quantifier.every else certain
        total = np.concatenate(([0], np.cumsum(decisive)))
        offsets = evaluation.children[quantifier.scope].offsets
        rest = total[offsets[asked.rows + 1]] - total[offsets[asked.rows]]
        for place in range(EXPANDED):
            held = found.records[:, place]
            inside = held >= 0
            rest[inside] -= decisive[held[inside]]
        whole = (found.count < 0) & found.any_open
        masks = np.where(rest > 0, 2, 1)
        out.append(np.where(whole, evaluation.inputs[places[number]][asked.rows], masks))
    return out
