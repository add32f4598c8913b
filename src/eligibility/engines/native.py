"""The definition of truth: a circuit as generated Python, compiled once.

Each rule becomes two boolean expressions over region masks, one for *possibly* and one
for *certainly*; the second is evaluated only where the first holds, for few rules. One function is
generated per known channel and one for an unknown channel, so that effectiveness is a
few mask operations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eligibility.circuit.lower import CHANNEL
from eligibility.circuit.model import Circuit, Node, Op, Verdicts

Function = Callable[[Sequence[int], int], tuple[int, int, int, int, int]]
Body = Callable[[Sequence[int], Sequence[int]], int]


class NativeEngine:
    """Evaluates a circuit with generated Python."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        names = [i.fact for i in circuit.inputs]
        self._channel = names.index(CHANNEL) if CHANNEL in names else -1
        masks = range(1, circuit.inputs[self._channel].unknown + 1) if self._channel >= 0 else (1,)
        self._sources: dict[int, str] = {}
        self._functions: dict[int, Function] = {}
        for mask in masks:
            if mask & (mask - 1) == 0 or mask == masks[-1]:
                self._compile(mask)

    def _compile(self, channel: int) -> Function:
        source = _Generator(self.circuit, self._channel, channel).source()
        self._sources[channel] = source
        function: Function = compiled(source, "evaluate")
        self._functions[channel] = function
        return function

    def evaluate(self, inputs: Sequence[int], overridden: int = 0) -> Verdicts:
        channel = inputs[self._channel] if self._channel >= 0 else 1
        function = self._functions.get(channel) or self._compile(channel)
        return Verdicts(*function(inputs, overridden))


class QuantifiedConditions:
    """Evaluates the bodies of quantified conditions, one record at a time.

    For the common case of one record of each kind one function is generated that fills in
    all conditions; it is the same bodies in a row.
    """

    def __init__(self, circuit: Circuit) -> None:
        self._every = [q.every for q in circuit.quantifiers]
        self._scopes = [q.scope for q in circuit.quantifiers]
        self._bodies = [body_function(circuit, q.body) for q in circuit.quantifiers]
        self._places = [
            (i, m.quantifier) for i, m in enumerate(circuit.inputs) if m.quantifier >= 0
        ]
        self._kinds = sorted(set(self._scopes))
        self._single = compiled(_single_source(circuit, self._places, self._kinds), "single")

    def fill(self, case: list[int], records: Mapping[str, Sequence[Sequence[int]]]) -> None:
        """Put the truth of every quantified condition in its place among the inputs.

        An inner condition stands before the one that uses it.
        """
        found = [records.get(scope, ()) for scope in self._kinds]
        if all(len(rows) == 1 for rows in found):
            self._single(case, *(rows[0] for rows in found))
            return
        for place, index in self._places:
            case[place] = self.evaluate(index, case, records.get(self._scopes[index], ()))

    def record(self, index: int, case: Sequence[int], record: Sequence[int]) -> int:
        """The truth of one body for one record: 1 false, 2 true, 3 unknown."""
        return self._bodies[index](case, record)

    def evaluate(self, index: int, case: Sequence[int], records: Sequence[Sequence[int]]) -> int:
        """The truth of one quantified condition over its records."""
        body = self._bodies[index]
        decisive, other = (1, 2) if self._every[index] else (2, 1)
        seen = 0
        for record in records:
            truth = body(case, record)
            if truth == decisive:
                return decisive
            seen |= truth
        return 3 if seen == 3 else other

    def scope(self, index: int) -> str:
        return self._scopes[index]


def body_function(circuit: Circuit, node: int) -> Body:
    """The truth of a node by the masks of the case and of a record: 1 false, 2 true, 3 unknown."""
    function: Body = compiled(_body_source(circuit, node), "body")
    return function


def compiled(source: str, name: str) -> Any:
    """The function ``name`` of generated source."""
    namespace: dict[str, Any] = {}
    exec(compile(source, f"<circuit {name}>", "exec"), namespace)
    return namespace[name]


def certainly(circuit: Circuit, node: int, names: Callable[[int], str]) -> str:
    """A Python expression that is truthy where the node is certainly true."""
    return _expression(circuit, node, names, True)


def possibly(circuit: Circuit, node: int, names: Callable[[int], str]) -> str:
    """A Python expression that is truthy where the node is not certainly false."""
    return _expression(circuit, node, names, False)


def _expression(circuit: Circuit, index: int, names: Callable[[int], str], certain: bool) -> str:
    node = circuit.nodes[index]
    if node.op is Op.TRUE:
        return "True"
    if node.op is Op.FALSE:
        return "False"
    if node.op is Op.LEAF:
        return _literal(circuit, node, names, certain)
    if node.op is Op.NOT:
        return f"(not {_expression(circuit, node.operands[0], names, not certain)})"
    if node.op in (Op.CERTAINLY, Op.POSSIBLY):
        return _expression(circuit, node.operands[0], names, node.op is Op.CERTAINLY)
    word = " and " if node.op is Op.AND else " or "
    parts = [_expression(circuit, child, names, certain) for child in node.operands]
    return "(" + word.join(parts) + ")"


def _literal(circuit: Circuit, node: Node, names: Callable[[int], str], certain: bool) -> str:
    name = names(node.input)
    if not certain:
        return f"{name} & {node.mask}"
    return f"(not {name} & {~node.mask & _regions_of(circuit, node.input)})"


def _regions_of(circuit: Circuit, number: int) -> int:
    """All regions of an input; of a record's input, whose scope is not known here, enough."""
    if number < len(circuit.inputs):
        return circuit.inputs[number].unknown
    return max(i.unknown for found in circuit.record_inputs.values() for i in found)


def _single_source(circuit: Circuit, places: list[tuple[int, int]], kinds: list[str]) -> str:
    """All quantified conditions where each kind has one record: any and every coincide."""
    base = len(circuit.inputs)
    lines = [f"def single(x, {', '.join(f'r{k}' for k in range(len(kinds)))}):", "    pass"]
    for place, index in places:
        made = circuit.quantifiers[index]
        record = f"r{kinds.index(made.scope)}"

        def names(number: int, record: str = record) -> str:
            return f"x[{number}]" if number < base else f"{record}[{number - base}]"

        sure, maybe = (f(circuit, made.body, names) for f in (certainly, possibly))
        lines.append(f"    x[{place}] = (2 if {sure} else 3) if {maybe} else 1")
    return "\n".join(lines) + "\n"


def _body_source(circuit: Circuit, body: int) -> str:
    base = len(circuit.inputs)

    def names(index: int) -> str:
        return f"x[{index}]" if index < base else f"r[{index - base}]"

    return (
        "def body(x, r):\n"
        f"    if {certainly(circuit, body, names)}:\n        return 2\n"
        f"    return 3 if {possibly(circuit, body, names)} else 1\n"
    )


class _Generator:
    """Writes the function for one channel mask."""

    def __init__(self, circuit: Circuit, channel_input: int, channel: int) -> None:
        self.circuit = circuit
        self.channel_input = channel_input
        self.channel = channel
        self.lines: list[str] = []

    def names(self, index: int) -> str:
        return str(self.channel) if index == self.channel_input else f"x{index}"

    def source(self) -> str:
        used = sorted(self._used())
        self.lines = ["def evaluate(x, overridden):"]
        if used:
            every = ", ".join(f"x{i}" for i in range(len(self.circuit.inputs)))
            self.lines.append(f"    {every}{',' if len(self.circuit.inputs) == 1 else ''} = x")
        self.lines.append("    t = p = 0")
        for position, rule in enumerate(self.circuit.rules):
            bit = 1 << position
            sure = certainly(self.circuit, rule.verdict, self.names)
            maybe = possibly(self.circuit, rule.verdict, self.names)
            self.lines.append(f"    if {maybe}:\n        p += {bit}")
            test = "" if sure == maybe else f"if {sure}: "
            self.lines.append(f"        {test}t += {bit}")
        self._effectiveness()
        self._outcomes()
        return "\n".join(self.lines) + "\n"

    def _used(self) -> set[int]:
        found: set[int] = set()
        for rule in self.circuit.rules:
            stack = [rule.verdict]
            while stack:
                node = self.circuit.nodes[stack.pop()]
                if node.op is Op.LEAF:
                    found.add(node.input)
                stack.extend(node.operands)
        return found

    def _effectiveness(self) -> None:
        sure = maybe = 0
        for position, rule in enumerate(self.circuit.rules):
            certain, possible = self._channel_truth(rule.channel)
            sure |= certain << position
            maybe |= possible << position
        self.lines.append(f"    et = t & {sure} & ~overridden")
        self.lines.append(f"    ep = p & {maybe} & ~overridden")
        for defeaters, group in self._groups():
            self.lines.append(f"    if ep & {defeaters}:\n        et &= {~group}")
            self.lines.append(f"        if et & {defeaters}:\n            ep &= {~group}")

    def _channel_truth(self, node_index: int) -> tuple[int, int]:
        node = self.circuit.nodes[node_index]
        if node.op is Op.TRUE:
            return 1, 1
        if node.op is not Op.LEAF or node.input != self.channel_input:
            raise ValueError("a channel is a leaf on the request channel")
        return int(not self.channel & ~node.mask), int(bool(self.channel & node.mask))

    def _groups(self) -> list[tuple[int, int]]:
        """(defeaters, rules defeated by exactly these) in order of stratum."""
        groups: dict[tuple[int, int], int] = {}
        for position, rule in enumerate(self.circuit.rules):
            if rule.defeaters:
                key = (rule.stratum, rule.defeaters)
                groups[key] = groups.get(key, 0) | 1 << position
        return [(key[1], group) for key, group in sorted(groups.items())]

    def _outcomes(self) -> None:
        self.lines.append("    o = 0")
        for position, outcome in enumerate(self.circuit.outcomes):
            bit = 1 << position
            if outcome.rules == -1:
                self.lines.append(f"    return t, p, et, ep, o | {bit}")
                return
            self.lines.append(f"    if ep & {outcome.rules}:\n        o |= {bit}")
            self.lines.append(
                f"        if et & {outcome.rules}:\n            return t, p, et, ep, o"
            )
        self.lines.append("    return t, p, et, ep, o")
