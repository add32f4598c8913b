"""Which moving inputs can matter to the outcome of a case at all.

Every input that time may move is taken for wholly unknown, and Kleene's logic says which
nodes are decided all the same. A node that is not decided passes on which moving inputs it
rests on; what reaches the outcomes matters. INVARIANT: if no moving input matters to a case,
its possible outcomes are the same whatever regions the moving inputs lie in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eligibility.circuit.model import Node, Op, Quantifier
from eligibility.decision.program import Program
from eligibility.docket.columns import Bits, Ints
from eligibility.engines.diagram import EXPANDED
from eligibility.engines.docket import Children, Masks
from eligibility.vocabulary.model import CASE

Marks = NDArray[np.uint32]  # bit t: rests on moving input t
ALL = np.uint32(0xFFFFFFFF)


class _Known(NamedTuple):
    """Of each row: certainly true, possibly true, what it rests on (None for nothing)."""

    certain: Bits
    possible: Bits
    marks: Marks | None


@dataclass(frozen=True, slots=True)
class Moving:
    """An input that may move: ``rows`` of its scope, ``mark`` its bit, ``every`` all regions."""

    scope: str
    input: int
    rows: Bits
    mark: int
    every: int


def relevant(
    program: Program,
    inputs: Sequence[Masks],
    children: Mapping[str, Children],
    moving: Sequence[Moving],
) -> Marks:
    """For each case the marks of the moving inputs that can matter to its outcome.

    ``inputs`` and ``children`` as :class:`eligibility.engines.docket.DocketEngine` takes them.
    """
    return _Relevance(program, inputs, children, moving).marks()


class _Relevance:
    def __init__(
        self,
        program: Program,
        inputs: Sequence[Masks],
        children: Mapping[str, Children],
        moving: Sequence[Moving],
    ) -> None:
        self.program, self.circuit = program, program.circuit
        self.base = len(self.circuit.inputs)
        self.rows = len(inputs[0]) if inputs else 0
        self.inputs = list(inputs)
        self.children = {
            scope: Children(found.offsets, list(found.inputs)) for scope, found in children.items()
        }
        self.owners = {scope: found.owners() for scope, found in children.items()}
        self.input_marks: dict[tuple[str, int], Marks] = {}
        for one in moving:
            self._free(one)
        self.memo: dict[tuple[int, str], _Known] = {}
        self._quantify()

    def _free(self, one: Moving) -> None:
        if not one.rows.any() or one.scope not in (CASE, *self.children):
            return
        self.input_marks[one.scope, one.input] = np.where(one.rows, one.mark, 0).astype(np.uint32)
        held: list[Masks] = self.inputs
        if one.scope != CASE:
            held = list(self.children[one.scope].inputs)
            self.children[one.scope] = Children(self.children[one.scope].offsets, held)
        column = held[one.input].copy()
        column[one.rows] = one.every
        held[one.input] = column

    def _quantify(self) -> None:
        """The quantified conditions in order: an inner one stands before the one that uses it."""
        for place, made in enumerate(self.circuit.inputs):
            if made.quantifier >= 0:
                quantifier = self.circuit.quantifiers[made.quantifier]
                found = self._fold(self._known(quantifier.body, quantifier.scope), quantifier)
                mask = np.where(found.certain, 2, np.where(found.possible, 3, 1))
                self.inputs[place] = mask.astype(np.uint8)
                if found.marks is not None:
                    self.input_marks[CASE, place] = found.marks

    def _fold(self, found: _Known, quantifier: Quantifier) -> _Known:
        """Records folded over the cases; of no records nothing is the decisive one."""
        scope, every = quantifier.scope, quantifier.every
        certain, possible = (self._held(bits ^ every, scope) > 0 for bits in found[:2])
        if every:
            certain, possible = ~certain, ~possible
        return _settled(certain, possible, self._over_cases(found.marks, scope))

    def _held(self, bits: Bits, scope: str) -> Ints:
        total = np.concatenate(([0], np.cumsum(bits, dtype=np.int64)))
        offsets = self.children[scope].offsets
        out: Ints = total[offsets[1:]] - total[offsets[:-1]]
        return out

    def _over_cases(self, marks: Marks | None, scope: str) -> Marks | None:
        if marks is None:
            return None
        out = np.zeros(self.rows, dtype=np.uint32)
        offsets = self.children[scope].offsets
        some = np.flatnonzero(np.diff(offsets))
        if some.size:
            out[some] = np.bitwise_or.reduceat(marks, offsets[some])
        return out

    # --- nodes -------------------------------------------------------------------------------

    def _known(self, index: int, scope: str = "") -> _Known:
        key = (index, scope)
        found = self.memo.get(key)
        if found is None:
            found = self.memo[key] = self._made(self.circuit.nodes[index], scope)
        return found

    def _made(self, node: Node, scope: str) -> _Known:
        if node.op in (Op.TRUE, Op.FALSE):
            size = len(self.owners[scope]) if scope else self.rows
            bits = np.full(size, node.op is Op.TRUE)
            return _Known(bits, bits, None)
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
        if node.input >= self.base:
            place = node.input - self.base
            column = self.children[scope].inputs[place]
            marks = self.input_marks.get((scope, place))
        else:
            column, marks = self.inputs[node.input], self.input_marks.get((CASE, node.input))
            if scope:
                column = column[self.owners[scope]]
                marks = None if marks is None else marks[self.owners[scope]]
        mask = column.dtype.type(node.mask)
        return _settled((column & ~mask) == 0, (column & mask) != 0, marks)

    # --- what matters ------------------------------------------------------------------------

    def marks(self) -> Marks:
        effective = self._effective()
        out = np.zeros(self.rows, dtype=np.uint32)
        still = np.ones(self.rows, dtype=bool)
        names: dict[str, Bits] = {}
        for outcome, defined in zip(
            self.circuit.outcomes, self.program.lowered.outcomes, strict=True
        ):
            name = defined.name
            before = names.get(name, np.zeros(self.rows, dtype=bool))
            if outcome.rules == -1:
                names[name] = before | still
                break
            chosen = [effective[i] for i in range(len(effective)) if outcome.rules >> i & 1]
            if not chosen:
                continue
            holds = _joined(chosen, False)
            reached = still & holds.possible
            if holds.marks is not None:
                out |= np.where(reached, holds.marks, 0).astype(np.uint32)
            names[name] = before | reached
            still = still & ~holds.certain
        several = np.sum(list(names.values()), axis=0) > 1
        return np.where(several, out | self._of_sets(), out).astype(np.uint32)

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
        out = np.zeros(self.rows, dtype=np.uint32)
        for constraint, node in self.program.lowered.constraint_nodes:
            if constraint.scope == CASE:
                marks = self._known(node).marks
            elif constraint.scope in self.children:
                found = self._known(node, constraint.scope)
                marks = self._over_cases(found.marks, constraint.scope)
            else:  # nothing is known of these records here
                marks = np.full(self.rows, ALL)
            if marks is not None:
                out |= marks
        for held in self.children.values():
            out[np.diff(held.offsets) > EXPANDED] = ALL
        return out


def _settled(certain: Bits, possible: Bits, marks: Marks | None) -> _Known:
    """A node that is decided rests on nothing."""
    if marks is not None:
        marks = np.where(possible & ~certain, marks, 0).astype(np.uint32)
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
