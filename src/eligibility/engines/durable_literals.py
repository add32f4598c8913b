"""From the leaves of a circuit to the literals and records of ``durable_rules``.

A literal is a leaf, its negation, or either of them closed. This is the one thing that
the engines share: when a literal is possible and when it is certain.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from eligibility.circuit.model import Circuit, Node, Op
from eligibility.engines.durable_cage import failed
from eligibility.engines.durable_rulesets import FALSE, TRUE, Terms

# Values of an input, and masks of rules, whose piece of a record is kept.
REMEMBERED = 4096


class Closing(IntEnum):
    """How a literal reads a value not fully known."""

    NONE = 0
    CERTAINLY = 1
    POSSIBLY = 2


class Literal(NamedTuple):
    """True when the value of ``input`` lies in ``mask``."""

    input: int
    mask: int
    closing: Closing

    def negated(self, unknown: int) -> Literal:
        swapped = {Closing.CERTAINLY: Closing.POSSIBLY, Closing.POSSIBLY: Closing.CERTAINLY}
        return Literal(self.input, unknown & ~self.mask, swapped.get(self.closing, Closing.NONE))


class Lowering:
    """The nodes of a circuit as positive terms over literals."""

    def __init__(self, circuit: Circuit) -> None:
        self._nodes = circuit.nodes
        self._inputs = circuit.inputs
        self._tokens: dict[Literal, int] = {}
        self.terms = Terms()

    @property
    def literals(self) -> list[Literal]:
        """The literals met, token by token."""
        return list(self._tokens)

    def lower(self, roots: Sequence[int]) -> list[int]:
        """The term of each root, computed without recursion: circuits may be deep."""
        wanted = self._wanted(roots)
        found: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for number, signs in enumerate(wanted):
            for sign in (0, 1):
                if signs >> sign & 1:
                    found[sign][number] = self._term(self._nodes[number], sign, found)
        return [found[0][root] for root in roots]

    def _wanted(self, roots: Sequence[int]) -> list[int]:
        """Which nodes are needed, as they are (1) and negated (2)."""
        wanted = [0] * len(self._nodes)
        for root in roots:
            wanted[root] |= 1
        for number in reversed(range(len(wanted))):
            signs, node = wanted[number], self._nodes[number]
            if node.op is Op.NOT:
                signs = signs >> 1 | (signs & 1) << 1
            if node.op in (Op.NOT, Op.AND, Op.OR):
                for operand in node.operands:
                    wanted[operand] |= signs
        return wanted

    def _term(self, node: Node, sign: int, found: tuple[dict[int, int], dict[int, int]]) -> int:
        match node.op:
            case Op.TRUE | Op.FALSE:
                return TRUE if (node.op is Op.TRUE) == (sign == 0) else FALSE
            case Op.NOT:
                return found[1 - sign][node.operands[0]]
            case Op.AND | Op.OR:
                operands = [found[sign][operand] for operand in node.operands]
                if (node.op is Op.AND) == (sign == 0):
                    return self.terms.all_of(operands)
                return self.terms.any_of(operands)
            case _:
                return self._literal(node, sign)

    def _literal(self, node: Node, sign: int) -> int:
        closing = {Op.CERTAINLY: Closing.CERTAINLY, Op.POSSIBLY: Closing.POSSIBLY}.get(
            node.op, Closing.NONE
        )
        negations = 0
        while node.op is not Op.LEAF:
            negations += node.op is Op.NOT
            node = self._nodes[node.operands[0]]
        unknown = self._inputs[node.input].unknown
        mask = node.mask & unknown
        literal = Literal(node.input, unknown & ~mask if negations % 2 else mask, closing)
        if sign:
            literal = literal.negated(unknown)
        if literal.mask == 0:
            return FALSE
        if literal.mask == unknown:
            return TRUE
        return self.terms.token(self._tokens.setdefault(literal, len(self._tokens)))


class Fragments(dict[int, str]):
    """For one input, the piece of the record that each of its values brings."""

    def __init__(self, unknown: int, literals: Sequence[tuple[str, int, bool]]) -> None:
        super().__init__()
        self._unknown = unknown
        self._literals = literals

    def __missing__(self, value: int) -> str:
        if not 0 < value <= self._unknown:
            raise failed(f"{value} is not a set of regions")
        text = "".join(
            fragment
            for fragment, mask, any_region in self._literals
            if (value & mask if any_region else not value & ~mask)
        )
        if len(self) < REMEMBERED:
            self[value] = text
        return text
