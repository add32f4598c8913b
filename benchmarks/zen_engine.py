"""The circuit put to ZEN engine in its own forms, three-valued by guards.

Facts are validated and flat (derived facts and quantifiers resolved): a number for the
region of each fact, null for unknown. Verdicts are computed by ZEN; for compiled
expressions and the decision table, effectiveness and outcome are resolved in Python, as a
user of these forms would; the expression graph does everything inside.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import zen

from eligibility.circuit.model import Circuit, Op, Verdicts

Context = dict[str, int | None]
Evaluate = Callable[[Context], Verdicts]
Cell = tuple[int, bool]  # regions, and whether null will do
Row = dict[int, Cell]


def context(inputs: Sequence[int]) -> Context:
    """Region numbers by input; null where more than one region is possible."""
    return {
        f"x{i}": None if mask & (mask - 1) else mask.bit_length() - 1
        for i, mask in enumerate(inputs)
    }


def expressions(circuit: Circuit) -> Evaluate:
    """One compiled expression that yields both truths of every rule; resolution in Python."""
    parts = [
        expression(circuit, node, sure)
        for rule in circuit.rules
        for node in (rule.verdict, rule.channel)
        for sure in (True, False)
    ]
    compiled = zen.compile_expression("[" + ", ".join(parts) + "]")

    def evaluate(facts: Context) -> Verdicts:
        found = compiled.evaluate(facts)
        return resolve(circuit, *(_mask(found[k::4]) for k in range(4)))

    return evaluate


def table(circuit: Circuit) -> Evaluate:
    """One decision table, every match collected; rows are conjunctions."""
    rows, outputs = [], []
    for i, rule in enumerate(circuit.rules):
        for k, (node, sure) in enumerate(
            [
                (rule.verdict, True),
                (rule.verdict, False),
                (rule.channel, True),
                (rule.channel, False),
            ]
        ):
            for row in _rows(circuit, node, sure, False):
                rows.append(row)
                outputs.append(4 * i + k)
    columns = sorted({number for row in rows for number in row})
    content = {
        "hitPolicy": "collect",
        "inputs": [{"id": f"c{n}", "name": f"x{n}", "field": f"x{n}"} for n in columns],
        "outputs": [{"id": "o", "name": "r", "field": "r"}],
        "rules": [
            {
                "_id": f"r{k}",
                **{f"c{n}": _test("$", row[n]) if n in row else "" for n in columns},
                "o": str(output),
            }
            for k, (row, output) in enumerate(zip(rows, outputs, strict=True))
        ],
    }
    decision = _decision({"id": "n", "type": "decisionTableNode", "content": content})

    def evaluate(facts: Context) -> Verdicts:
        masks = [0, 0, 0, 0]
        for match in decision.evaluate(facts)["result"]:
            masks[match["r"] & 3] |= 1 << (match["r"] >> 2)
        return resolve(circuit, *masks)

    return evaluate


def graph(circuit: Circuit) -> Evaluate:
    """One expression node with verdicts, defeat and outcomes, everything inside."""
    made: list[tuple[str, str]] = []
    for i, rule in enumerate(circuit.rules):
        made.append((f"t{i}", expression(circuit, rule.verdict, True)))
        made.append((f"p{i}", expression(circuit, rule.verdict, False)))
    for stratum in circuit.strata():
        for i in stratum:
            rule = circuit.rules[i]
            sure, maybe = (expression(circuit, rule.channel, s) for s in (True, False))
            beaten = [j for j in range(len(circuit.rules)) if rule.defeaters >> j & 1]
            made.append((f"e{i}", _and([f"$.t{i}", sure, *(f"not($.m{j})" for j in beaten)])))
            made.append((f"m{i}", _and([f"$.p{i}", maybe, *(f"not($.e{j})" for j in beaten)])))
    decided = "false"
    for k, outcome in enumerate(circuit.outcomes):
        rules = [i for i in range(len(circuit.rules)) if outcome.rules >> i & 1]
        always = outcome.rules == -1
        may = "true" if always else _or([f"$.m{i}" for i in rules])
        must = "true" if always else _or([f"$.e{i}" for i in rules])
        made.append((f"o{k}", f"not({decided}) and {may}"))
        made.append((f"d{k}", f"({decided}) or ({must})"))
        decided = f"$.d{k}"
    content = {"expressions": [{"id": k, "key": k, "value": v} for k, v in made]}
    decision = _decision({"id": "n", "type": "expressionNode", "content": content})

    def evaluate(facts: Context) -> Verdicts:
        found = decision.evaluate(facts)["result"]
        many = range(len(circuit.rules))
        masks = [_mask([found[f"{name}{i}"] for i in many]) for name in "tpem"]
        return Verdicts(*masks, _mask([found[f"o{k}"] for k in range(len(circuit.outcomes))]))

    return evaluate


# --- shared ------------------------------------------------------------------------------------


def resolve(circuit: Circuit, true: int, possible: int, sure: int, maybe: int) -> Verdicts:
    """Effectiveness and outcomes from verdicts and channels."""
    effective, maybe_effective = true & sure, possible & maybe
    for stratum in circuit.strata()[1:]:
        for i in stratum:
            defeaters = circuit.rules[i].defeaters
            if maybe_effective & defeaters:
                effective &= ~(1 << i)
            if effective & defeaters:
                maybe_effective &= ~(1 << i)
    outcomes = 0
    for k, outcome in enumerate(circuit.outcomes):
        if outcome.rules == -1 or maybe_effective & outcome.rules:
            outcomes |= 1 << k
        if outcome.rules == -1 or effective & outcome.rules:
            break
    return Verdicts(true, possible, effective, maybe_effective, outcomes)


def expression(circuit: Circuit, index: int, sure: bool) -> str:
    """A ZEN expression for one of the two truths of a node."""
    node = circuit.nodes[index]
    if node.op in (Op.TRUE, Op.FALSE):
        return node.op.value
    if node.op is Op.LEAF:
        return "(" + _test(f"x{node.input}", (node.mask, not sure)) + ")"
    if node.op in (Op.CERTAINLY, Op.POSSIBLY):
        return expression(circuit, node.operands[0], node.op is Op.CERTAINLY)
    parts = [expression(circuit, child, sure) for child in node.operands]
    return "(" + (" and " if node.op is Op.AND else " or ").join(parts) + ")"


def _test(name: str, cell: Cell) -> str:
    mask, null = cell
    regions = ", ".join(str(r) for r in range(mask.bit_length()) if mask >> r & 1)
    inside = f"{name} in [{regions}]"
    return f"{name} == null or {inside}" if null else f"{name} != null and {inside}"


def _rows(circuit: Circuit, index: int, sure: bool, inner: bool) -> list[Row]:
    """Disjunctive normal form of one truth of a node."""
    node = circuit.nodes[index]
    if node.op is Op.TRUE:
        return [{}]
    if node.op is Op.FALSE:
        return []
    if node.op is Op.LEAF:
        return [{node.input: (node.mask, not sure)}]
    if node.op in (Op.CERTAINLY, Op.POSSIBLY):
        return _rows(circuit, node.operands[0], node.op is Op.CERTAINLY, True)
    parts = [_rows(circuit, child, sure, inner) for child in node.operands]
    if node.op is Op.OR:
        return [row for part in parts for row in part]
    rows: list[Row] = [{}]
    for part in parts:
        rows = [_both(a, b) for a in rows for b in part]
    return rows


def _both(a: Row, b: Row) -> Row:
    out = dict(a)
    for number, (mask, null) in b.items():
        other = out.get(number, (-1, True))
        out[number] = (other[0] & mask, other[1] and null)
    return out


def _and(parts: Sequence[str]) -> str:
    return " and ".join(parts)


def _or(parts: Sequence[str]) -> str:
    return "(" + " or ".join(parts) + ")" if parts else "false"


def _mask(truths: Sequence[Any]) -> int:
    return sum(1 << i for i, truth in enumerate(truths) if truth)


def _decision(node: dict[str, Any]) -> Any:
    place = {"position": {"x": 0, "y": 0}}
    nodes = [
        {"id": "in", "name": "in", "type": "inputNode", **place},
        {"name": "node", **node, **place},
        {"id": "out", "name": "out", "type": "outputNode", **place},
    ]
    edges = [
        {"id": "a", "type": "edge", "sourceId": "in", "targetId": "n"},
        {"id": "b", "type": "edge", "sourceId": "n", "targetId": "out"},
    ]
    return zen.ZenEngine().create_decision(json.dumps({"nodes": nodes, "edges": edges}))
