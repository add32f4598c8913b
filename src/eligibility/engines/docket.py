"""The circuit on a batch of cases: every node once, as a column of truths.

Kleene's logic over columns: a node is a pair of boolean arrays, *certain* (true whatever the
unknown is) and *possible* (not false whatever it is). Records lie flat behind offsets, as in
Arrow: record j belongs to case i where ``offsets[i] <= j < offsets[i + 1]``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eligibility.circuit.model import Circuit, Node, Op, Verdicts

Masks = NDArray[Any]  # of any unsigned type that holds the regions
Bits = NDArray[np.bool_]
Truths = tuple[Bits, Bits]  # certain, possible


@dataclass(frozen=True, slots=True)
class Children:
    """The records of one kind for all cases: offsets (cases + 1), and a column per input."""

    offsets: NDArray[np.int64]
    inputs: Sequence[Masks]

    def owners(self) -> NDArray[np.int64]:
        """For each record the case that it belongs to."""
        counts = np.diff(self.offsets)
        return np.repeat(np.arange(len(counts)), counts)


@dataclass(frozen=True, slots=True)
class BatchVerdicts:
    """What :class:`Verdicts` says of one case, for all: a row a case, a column a rule.

    ``outcomes`` has a column for each position in the order of the outcomes.
    """

    true: Bits
    possible: Bits
    effective: Bits
    maybe_effective: Bits
    outcomes: Bits

    def of(self, row: int) -> Verdicts:
        """The verdicts on one case as bit masks."""
        columns = (self.true, self.possible, self.effective, self.maybe_effective, self.outcomes)
        return Verdicts(*(_number(column[row]) for column in columns))


def _number(bits: Bits) -> int:
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


class DocketEngine:
    """Evaluates one circuit on batches.

    INVARIANT: every row equals what the native engine says of that case alone.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.base = len(circuit.inputs)

    def evaluate(
        self,
        inputs: Sequence[Masks],
        children: Mapping[str, Children],
        overridden: Bits | None = None,
    ) -> BatchVerdicts:
        """The verdicts on every case.

        ``inputs``: a column of region masks for each input of the circuit; those of quantified
        conditions are filled in from ``children``, whatever they hold. ``overridden``: a row a
        case, a column a rule, where a recorded override lifts it.
        """
        return self.evaluation(inputs, children).verdicts(overridden)

    def evaluation(self, inputs: Sequence[Masks], children: Mapping[str, Children]) -> Evaluation:
        """A batch of which also single nodes may be asked."""
        return Evaluation(self, inputs, children)


class Evaluation:
    """One batch: its inputs with the quantified conditions filled in, and the truths of nodes."""

    def __init__(
        self, engine: DocketEngine, inputs: Sequence[Masks], children: Mapping[str, Children]
    ) -> None:
        self.circuit, self.base = engine.circuit, engine.base
        self.inputs = list(inputs)
        self.count = len(inputs[0]) if inputs else 0
        self.children = children
        self.owners = {scope: found.owners() for scope, found in children.items()}
        self.memo: dict[tuple[int, str], Truths] = {}
        self._quantify()

    def _quantify(self) -> None:
        """The quantified conditions in order: an inner one stands before the one that uses it."""
        for place, made in enumerate(self.circuit.inputs):
            if made.quantifier >= 0:
                quantifier = self.circuit.quantifiers[made.quantifier]
                certain, possible = self._fold(
                    self.truth(quantifier.body, quantifier.scope), quantifier
                )
                self.inputs[place] = condition_masks(certain, possible)

    def _fold(self, found: Truths, quantifier: Any) -> Truths:
        """Truths of records folded over the cases; of no records nothing is the decisive one."""
        counts = [self._held(bits ^ quantifier.every, quantifier.scope) for bits in found]
        if quantifier.every:
            return counts[0] == 0, counts[1] == 0
        return counts[0] > 0, counts[1] > 0

    def _held(self, bits: Bits, scope: str) -> NDArray[np.int64]:
        """How many records of each case have the bit."""
        total = np.concatenate(([0], np.cumsum(bits, dtype=np.int64)))
        offsets = self.children[scope].offsets
        out: NDArray[np.int64] = total[offsets[1:]] - total[offsets[:-1]]
        return out

    # --- nodes -------------------------------------------------------------------------------

    def truth(self, index: int, scope: str = "") -> Truths:
        """A node for every case or, of a kind of record, for every record."""
        key = (index, scope)
        found = self.memo.get(key)
        if found is None:
            found = self.memo[key] = self._made(self.circuit.nodes[index], scope)
        return found

    def _made(self, node: Node, scope: str) -> Truths:
        if node.op in (Op.TRUE, Op.FALSE):
            size = len(self.owners[scope]) if scope else self.count
            bits = np.full(size, node.op is Op.TRUE)
            return bits, bits
        if node.op is Op.LEAF:
            return self._leaf(node, scope)
        parts = [self.truth(child, scope) for child in node.operands]
        certain, possible = parts[0]
        if node.op is Op.NOT:
            return ~possible, ~certain
        if node.op in (Op.CERTAINLY, Op.POSSIBLY):
            closed = certain if node.op is Op.CERTAINLY else possible
            return closed, closed
        join = np.logical_and if node.op is Op.AND else np.logical_or
        for one, other in parts[1:]:
            certain, possible = join(certain, one), join(possible, other)
        return certain, possible

    def _leaf(self, node: Node, scope: str) -> Truths:
        if node.input >= self.base:
            column = self.children[scope].inputs[node.input - self.base]
        else:
            column = self.inputs[node.input]
            if scope:
                column = column[self.owners[scope]]
        mask = column.dtype.type(node.mask)
        return (column & ~mask) == 0, (column & mask) != 0

    # --- verdicts ----------------------------------------------------------------------------

    def verdicts(self, overridden: Bits | None = None) -> BatchVerdicts:
        rules = self.circuit.rules
        shape = (len(rules), self.count)
        true, possible, sure, maybe = (np.zeros(shape, dtype=bool) for _ in range(4))
        for i, rule in enumerate(rules):
            true[i], possible[i] = self.truth(rule.verdict)
        beaten: dict[int, Truths] = {}
        for i in (i for stratum in self.circuit.strata() for i in stratum):
            certain, may = self.truth(rules[i].channel)
            certain, may = certain & true[i], may & possible[i]
            if rules[i].defeaters:
                surely, maybe_beaten = beaten.get(rules[i].defeaters) or beaten.setdefault(
                    rules[i].defeaters, _any_of(rules[i].defeaters, sure, maybe)
                )
                certain, may = certain & ~maybe_beaten, may & ~surely
            if overridden is not None:
                certain, may = certain & ~overridden[:, i], may & ~overridden[:, i]
            sure[i], maybe[i] = certain, may
        outcomes = self._outcomes(sure, maybe)
        return BatchVerdicts(true.T, possible.T, sure.T, maybe.T, outcomes.T)

    def _outcomes(self, sure: Bits, maybe: Bits) -> Bits:
        """Walking down the order until one certainly holds."""
        outcomes = self.circuit.outcomes
        found = np.zeros((len(outcomes), self.count), dtype=bool)
        still = np.ones(self.count, dtype=bool)
        for position, outcome in enumerate(outcomes):
            if outcome.rules == -1:
                found[position] = still
                break
            surely, may = _any_of(outcome.rules, sure, maybe)
            found[position] = still & may
            still = still & ~surely
        return found


def _any_of(rules: int, sure: Bits, maybe: Bits) -> Truths:
    """Whether any of some rules is certainly, or may be, effective."""
    surely, may = (np.zeros(sure.shape[1], dtype=bool) for _ in range(2))
    for i in range(len(sure)):
        if rules >> i & 1:
            surely |= sure[i]
            may |= maybe[i]
    return surely, may


def condition_masks(certain: Bits, possible: Bits) -> Masks:
    """The masks of a condition that may be false (1), true (2) or either (3)."""
    return (possible.view(np.uint8) << 1) | ~certain.view(np.uint8) & 1
