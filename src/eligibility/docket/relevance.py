"""Which moving inputs can matter to the outcome of a case at all.

Every input that time may move is taken for wholly unknown, and Kleene's logic says which
nodes are decided all the same. A node that is not decided passes on which moving inputs it
rests on; what reaches the outcomes matters. INVARIANT: if no moving input matters to a case,
its possible outcomes are the same whatever regions the moving inputs lie in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eligibility.circuit.model import Node, Op, Quantifier
from eligibility.decision.program import Program
from eligibility.docket.columns import Bits, Ints
from eligibility.engines.diagram import EXPANDED
from eligibility.engines.docket import Evaluation, Masks, condition_masks
from eligibility.vocabulary.model import CASE

Marks = NDArray[Any]  # unsigned; bit t: rests on moving input t
BITS = 16
"""So many inputs have a bit of their own; of more, some share one."""
ALL = (1 << BITS) - 1


class _Known(NamedTuple):
    """Of each row: certainly true, possibly true, what it rests on (None for nothing)."""

    certain: Bits
    possible: Bits
    marks: Marks | None


@dataclass(frozen=True, slots=True)
class Place:
    """An input of the circuit that may move; ``every``: the mask of all its regions."""

    scope: str
    input: int
    every: int


def bit(number: int) -> int:
    """The bit of a place."""
    return number % BITS


class Relevance:
    """What may matter of the moving inputs of one program."""

    def __init__(self, program: Program, places: Sequence[Place]) -> None:
        self.program, self.circuit, self.places = program, program.circuit, list(places)
        self.base = len(self.circuit.inputs)
        self._moving = {(place.scope, place.input) for place in places}
        self._rests: dict[tuple[int, str], bool] = {}

    def marks(self, evaluation: Evaluation, moved: Sequence[Bits]) -> Marks:
        """For each case the marks of the moving inputs that can matter to its outcome.

        ``moved``: for each place the rows of its scope that may move.
        """
        return _Relevance(self, evaluation, moved).marks()

    def rests(self, index: int, scope: str) -> bool:
        """Whether a node rests on an input that may move."""
        key = (index, scope)
        found = self._rests.get(key)
        if found is None:
            found = self._rests[key] = self._resting(self.circuit.nodes[index], scope)
        return found

    def _resting(self, node: Node, scope: str) -> bool:
        if node.op is not Op.LEAF:
            return any(self.rests(child, scope) for child in node.operands)
        if node.input >= self.base:
            return (scope, node.input - self.base) in self._moving
        number = self.circuit.inputs[node.input].quantifier
        if number < 0:
            return (CASE, node.input) in self._moving
        quantifier = self.circuit.quantifiers[number]
        return self.rests(quantifier.body, quantifier.scope)


class _Relevance:
    def __init__(self, of: Relevance, evaluation: Evaluation, moved: Sequence[Bits]) -> None:
        self.of, self.circuit, self.evaluation = of, of.circuit, evaluation
        self.rows, self.owners = evaluation.count, evaluation.owners
        self.inputs: dict[tuple[str, int], tuple[Masks, Marks]] = {}
        for number, (place, rows) in enumerate(zip(of.places, moved, strict=True)):
            held = evaluation.inputs
            if place.scope != CASE:
                if place.scope not in evaluation.children:
                    continue
                held = list(evaluation.children[place.scope].inputs)
            if rows.any():
                column = held[place.input].copy()
                column[rows] = place.every
                marks = rows.astype(np.uint16) << bit(number)
                self.inputs[place.scope, place.input] = column, marks
        self.memo: dict[tuple[int, str], _Known] = {}
        self._quantify()

    def _quantify(self) -> None:
        """The quantified conditions in order: an inner one stands before the one that uses it."""
        for place, made in enumerate(self.circuit.inputs):
            if made.quantifier >= 0:
                quantifier = self.circuit.quantifiers[made.quantifier]
                if self.of.rests(quantifier.body, quantifier.scope):
                    found = self._fold(self._known(quantifier.body, quantifier.scope), quantifier)
                    if found.marks is not None:
                        masks = condition_masks(found.certain, found.possible)
                        self.inputs[CASE, place] = masks, found.marks

    def _fold(self, found: _Known, quantifier: Quantifier) -> _Known:
        """Records folded over the cases; of no records nothing is the decisive one."""
        scope, every = quantifier.scope, quantifier.every
        certain, possible = (self._held(bits ^ every, scope) > 0 for bits in found[:2])
        if every:
            certain, possible = ~certain, ~possible
        return _settled(certain, possible, self._over_cases(found.marks, scope))

    def _held(self, bits: Bits, scope: str) -> Ints:
        total = np.concatenate(([0], np.cumsum(bits, dtype=np.int64)))
        offsets = self.evaluation.children[scope].offsets
        out: Ints = total[offsets[1:]] - total[offsets[:-1]]
        return out

    def _over_cases(self, marks: Marks | None, scope: str) -> Marks | None:
        if marks is None:
            return None
        out = np.zeros(self.rows, dtype=marks.dtype)
        offsets = self.evaluation.children[scope].offsets
        some = np.flatnonzero(np.diff(offsets))
        if some.size:
            out[some] = np.bitwise_or.reduceat(marks, offsets[some])
        return out

    # --- nodes -------------------------------------------------------------------------------

    def _known(self, index: int, scope: str = "") -> _Known:
        key = (index, scope)
        found = self.memo.get(key)
        if found is None:
            if self.of.rests(index, scope):
                found = self._made(self.circuit.nodes[index], scope)
            else:
                found = _Known(*self.evaluation.truth(index, scope), None)
            self.memo[key] = found
        return found

    def _made(self, node: Node, scope: str) -> _Known:
        if node.op is Op.LEAF:
            return self._leaf(node, scope)
        parts = [self._known(child, scope) for child in node.operands]
        if node.op is Op.NOT:
            (part,) = parts
            return _Known(~part.possible, ~part.certain, part.marks)
        if node.op in (Op.CERTAINLY, Op.POSSIBLY):
            return _closed(parts[0], node.op is Op.CERTAINLY)
        return _joined(parts, node.op is Op.AND)

    def _leaf(self, node: Node, scope: str) -> _Known:
        base = self.of.base
        of_record = node.input >= base
        key = (scope, node.input - base) if of_record else (CASE, node.input)
        found = self.inputs.get(key)
        if found is not None:
            column, marks = found
        elif of_record:
            column, marks = self.evaluation.children[scope].inputs[node.input - base], None
        else:
            column, marks = self.evaluation.inputs[node.input], None
        if scope and not of_record:
            column = column[self.owners[scope]]
            marks = None if marks is None else marks[self.owners[scope]]
        mask = column.dtype.type(node.mask)
        return _settled((column & ~mask) == 0, (column & mask) != 0, marks)

    # --- what matters ------------------------------------------------------------------------

    def marks(self) -> Marks:
        effective = self._effective()
        out = np.zeros(self.rows, dtype=np.uint16)
        still = np.ones(self.rows, dtype=bool)
        names: dict[str, Bits] = {}
        defined = self.of.program.lowered.outcomes
        for outcome, name in zip(self.circuit.outcomes, (o.name for o in defined), strict=True):
            before = names.get(name, np.zeros(self.rows, dtype=bool))
            if outcome.rules == -1:
                names[name] = before | still
                break
            chosen = [one for i, one in enumerate(effective) if outcome.rules >> i & 1]
            if not chosen:
                continue
            holds = _joined(chosen, False)
            reached = still & holds.possible
            if holds.marks is not None:
                out |= holds.marks * reached
            names[name] = before | reached
            still = still & ~holds.certain
        several = np.sum(list(names.values()), axis=0) > 1
        out |= self._of_sets() * several
        return out

    def _effective(self) -> list[_Known]:
        rules = self.circuit.rules
        found: dict[int, _Known] = {}
        for i in (i for stratum in self.circuit.strata() for i in stratum):
            parts = [self._known(rules[i].verdict), self._known(rules[i].channel)]
            for j, beaten in found.items():
                if rules[i].defeaters >> j & 1:
                    parts.append(_Known(~beaten.possible, ~beaten.certain, beaten.marks))
            found[i] = _joined(parts, True)
        return [found[i] for i in range(len(rules))]

    def _of_sets(self) -> Marks:
        """What more can matter where several outcomes are possible: which completions there
        are, and how many records the diagram can hold apart.
        """
        out = np.zeros(self.rows, dtype=np.uint16)
        children = self.evaluation.children
        for constraint, node in self.of.program.lowered.constraint_nodes:
            if constraint.scope == CASE:
                marks = self._known(node).marks
            elif constraint.scope in children:
                found = self._known(node, constraint.scope)
                marks = self._over_cases(found.marks, constraint.scope)
            else:  # nothing is known of these records here
                marks = np.full(self.rows, ALL, dtype=np.uint16)
            if marks is not None:
                out |= marks
        for held in children.values():
            out[np.diff(held.offsets) > EXPANDED] = ALL
        return out


def _settled(certain: Bits, possible: Bits, marks: Marks | None) -> _Known:
    """A node that is decided rests on nothing."""
    if marks is not None:
        marks = marks * (possible & ~certain)
        if not marks.any():
            marks = None
    return _Known(certain, possible, marks)


def _joined(parts: Sequence[_Known], every: bool) -> _Known:
    certain, possible, marks = parts[0]
    join = np.logical_and if every else np.logical_or
    for part in parts[1:]:
        certain, possible = join(certain, part.certain), join(possible, part.possible)
        if part.marks is not None:
            marks = part.marks if marks is None else marks | part.marks
    return _settled(certain, possible, marks)


def _closed(part: _Known, certainly: bool) -> _Known:
    """A closing decides what is unknown; of a moving input it is not known what it decides."""
    closed = part.certain if certainly else part.possible
    if part.marks is None:
        return _Known(closed, closed, None)
    moves = part.marks != 0
    return _Known(
        np.where(moves, part.certain, closed), np.where(moves, part.possible, closed), part.marks
    )
