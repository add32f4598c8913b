"""The truth of one node by walking it: slow, for questions asked once a decision."""

from __future__ import annotations

from collections.abc import Sequence

from eligibility.circuit.model import Circuit, Op
from eligibility.logic import Truth, conjunction, disjunction, negation


def truth(circuit: Circuit, index: int, inputs: Sequence[int], record: Sequence[int] = ()) -> Truth:
    """Kleene truth of a node for region masks of the case and, in a body, of a record."""
    node = circuit.nodes[index]
    if node.op in (Op.TRUE, Op.FALSE):
        return node.op is Op.TRUE
    if node.op is Op.LEAF:
        base = len(circuit.inputs)
        mask = inputs[node.input] if node.input < base else record[node.input - base]
        if not mask & ~node.mask:
            return True
        return None if mask & node.mask else False
    parts = [truth(circuit, child, inputs, record) for child in node.operands]
    if node.op is Op.NOT:
        return negation(parts[0])
    if node.op is Op.CERTAINLY:
        return parts[0] is True
    if node.op is Op.POSSIBLY:
        return parts[0] is not False
    return conjunction(parts) if node.op is Op.AND else disjunction(parts)


def support(circuit: Circuit, index: int, scope: str = "") -> dict[str, None]:
    """The cone of influence of a node: names of the facts it depends on, in order.

    ``scope``: the kind of record that the node speaks of, if it is the body of a quantifier.
    """
    found: dict[str, None] = {}
    _collect(circuit, index, scope, found)
    return found


def _collect(circuit: Circuit, index: int, scope: str, found: dict[str, None]) -> None:
    node = circuit.nodes[index]
    if node.op is Op.LEAF:
        base = len(circuit.inputs)
        if node.input >= base:
            found[circuit.record_inputs[scope][node.input - base].fact] = None
            return
        made = circuit.inputs[node.input]
        if made.quantifier < 0:
            found[made.fact] = None
            return
        quantifier = circuit.quantifiers[made.quantifier]
        _collect(circuit, quantifier.body, quantifier.scope, found)
    for child in node.operands:
        _collect(circuit, child, scope, found)
