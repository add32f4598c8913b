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

Masks = NDArray[np.uint32]
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
        return _Batch(self, inputs, children).verdicts(overridden)


class _Batch:
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
                    self._truth(quantifier.body, quantifier.scope), quantifier
                )
                mask = np.where(certain, 2, np.where(possible, 3, 1))
                self.inputs[place] = mask.astype(np.uint32)

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

    def _truth(self, index: int, scope: str = "") -> Truths:
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
        parts = [self._truth(child, scope) for child in node.operands]
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
        mask = np.uint32(node.mask)
        return (column & ~mask) == 0, (column & mask) != 0

    # --- verdicts ----------------------------------------------------------------------------

    def verdicts(self, overridden: Bits | None) -> BatchVerdicts:
        rules = self.circuit.rules
        shape = (self.count, len(rules))
        true, possible, sure, maybe = (np.zeros(shape, dtype=bool) for _ in range(4))
        for i, rule in enumerate(rules):
            true[:, i], possible[:, i] = self._truth(rule.verdict)
        for i in (i for stratum in self.circuit.strata() for i in stratum):
            certain, may = self._truth(rules[i].channel)
            certain, may = certain & true[:, i], may & possible[:, i]
            for j in range(len(rules)):
                if rules[i].defeaters >> j & 1:
                    certain, may = certain & ~maybe[:, j], may & ~sure[:, j]
            if overridden is not None:
                certain, may = certain & ~overridden[:, i], may & ~overridden[:, i]
            sure[:, i], maybe[:, i] = certain, may
        return BatchVerdicts(true, possible, sure, maybe, self._outcomes(sure, maybe))

    def _outcomes(self, sure: Bits, maybe: Bits) -> Bits:
        """Walking down the order until one certainly holds."""
        outcomes = self.circuit.outcomes
        found = np.zeros((self.count, len(outcomes)), dtype=bool)
        still = np.ones(self.count, dtype=bool)
        for position, outcome in enumerate(outcomes):
            if outcome.rules == -1:
                found[:, position] = still
                break
            chosen = [i for i in range(sure.shape[1]) if outcome.rules >> i & 1]
            found[:, position] = still & maybe[:, chosen].any(axis=1)
            still = still & ~sure[:, chosen].any(axis=1)
        return found
