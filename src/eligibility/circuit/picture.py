"""A rule's circuit as people read it: a tree of lines, or Graphviz text.

Shows what the engines run: definitions and parameters put in place, NOT pushed to the
leaves, closings on their leaves. Lines carry a node's meaning in the words of the rule
language.
"""

from __future__ import annotations

from collections.abc import Iterator

from eligibility.circuit.lower import Lowered
from eligibility.circuit.model import Node, Op, RuleNode
from eligibility.circuit.regions import Regions
from eligibility.errors import NotFound, Problem, Text
from eligibility.rulebase.conditions import Leaf
from eligibility.rulebase.language import sentence
from eligibility.vocabulary.model import Type

Line = tuple[int, str]
_DUAL = {
    "is": "is_not",
    "in": "not_in",
    "is_none": "is_not_none",
    "is_empty": "is_not_empty",
}
_DUAL.update({b: a for a, b in _DUAL.items()})
_WORDS = {
    Op.AND: ("全部", "all"),
    Op.OR: ("任一", "any"),
    Op.TRUE: ("恒真", "always"),
    Op.FALSE: ("恒假", "never"),
    Op.NOT: ("非", "not"),
    Op.CERTAINLY: ("确知", "certainly"),
    Op.POSSIBLY: ("不能排除", "possibly"),
}
_HEADS = {
    "verdict": ("成立", "verdict"),
    "channel": ("启动方式", "channel"),
    "defeat": ("无生效之", "no effective"),
}


class Picture:
    """Draws the rules of one lowered rule base."""

    def __init__(self, lowered: Lowered, lang: str = "zh") -> None:
        self.lowered = lowered
        self.circuit = lowered.circuit
        self.lang = lang
        self.base = len(self.circuit.inputs)

    def lines(self, rule_id: str) -> list[Line]:
        """The tree of a rule: verdict, channel, defeaters. Raises :class:`NotFound`."""
        rule = self._rule(rule_id)
        out = [(0, self._word(_HEADS["verdict"])), *self._walk(rule.verdict, "", 1)]
        if self.circuit.nodes[rule.channel].op is not Op.TRUE:
            out.append((0, self._word(_HEADS["channel"])))
            out += self._walk(rule.channel, "", 1)
        defeaters = self._defeaters(rule)
        if defeaters:
            out.append((0, f"{self._word(_HEADS['defeat'])} {', '.join(defeaters)}"))
        return out

    def dot(self, rule_id: str) -> str:
        """The same as a directed graph; shared nodes are drawn once."""
        rule = self._rule(rule_id)
        out = [f'digraph "{_escaped(rule_id)}" {{', "  rankdir=TB; node [shape=box];"]
        out.append(f'  rule [label="{_escaped(rule_id)}", shape=doubleoctagon];')
        drawn: set[tuple[int, str]] = set()
        for name, node in (("verdict", rule.verdict), ("channel", rule.channel)):
            if name == "verdict" or self.circuit.nodes[node].op is not Op.TRUE:
                out.append(f'  rule -> {_name(node, "")} [label="{self._word(_HEADS[name])}"];')
                out += self._graph(node, "", drawn)
        for other in self._defeaters(rule):
            out.append(f'  "{_escaped(other)}" -> rule [arrowhead=tee, style=dashed];')
        return "\n".join([*out, "}"]) + "\n"

    def _rule(self, rule_id: str) -> RuleNode:
        for rule in self.circuit.rules:
            if rule.id == rule_id:
                return rule
        profile = self.lowered.profile
        raise NotFound(
            Problem(
                "no_circuit",
                Text(
                    f"规则“{rule_id}”在“{profile}”没有电路（未生效或不是准入、限制规则）",
                    f"rule '{rule_id}' has no circuit in '{profile}'",
                ),
            )
        )

    def _defeaters(self, rule: RuleNode) -> list[str]:
        return [r.id for i, r in enumerate(self.circuit.rules) if rule.defeaters >> i & 1]

    def _word(self, words: tuple[str, str]) -> str:
        return words[0 if self.lang == "zh" else 1]

    # --- nodes -----------------------------------------------------------------------------

    def _walk(self, index: int, scope: str, depth: int) -> Iterator[Line]:
        text, children, inner = self._node(index, scope)
        yield depth, text
        for child in children:
            yield from self._walk(child, inner, depth + 1)

    def _node(self, index: int, scope: str) -> tuple[str, tuple[int, ...], str]:
        """The text of a node, its children, and the scope in which they are read."""
        node = self.circuit.nodes[index]
        if node.op is Op.LEAF:
            return self._leaf(node, scope)
        if node.op in (Op.CERTAINLY, Op.POSSIBLY, Op.NOT):
            inner, children, below = self._node(node.operands[0], scope)
            return f"{self._word(_WORDS[node.op])}: {inner}", children, below
        return self._word(_WORDS[node.op]), node.operands, scope

    def _leaf(self, node: Node, scope: str) -> tuple[str, tuple[int, ...], str]:
        if node.input >= self.base:
            regions = self.lowered.record_regions[scope][node.input - self.base]
            return self._sentence(regions, node.mask), (), scope
        made = self.circuit.inputs[node.input]
        if made.quantifier < 0:
            found = self.lowered.regions[node.input]
            assert found is not None
            return self._sentence(found, node.mask), (), scope
        quantifier = self.circuit.quantifiers[made.quantifier]
        label = self.lowered.rulebase.vocabulary.records[quantifier.scope].label
        words = ("每一", "every ") if quantifier.every else ("任一", "any ")
        text = words[0] + label.zh if self.lang == "zh" else words[1] + quantifier.scope
        if node.mask == 1:
            text = f"{self._word(_WORDS[Op.NOT])}: {text}"
        return text, (quantifier.body,), quantifier.scope

    def _sentence(self, regions: Regions, mask: int) -> str:
        """The regions of a leaf as a sentence of the language."""
        names = self.lowered.rulebase.names
        key = regions.fact.key
        if regions.fact.type is Type.BOOL and regions.count == 2:
            op, operand = regions.tests[0]
            value = (op == "is") == bool(operand)  # what holds where the first test does
            if regions.mask((op, operand)) != mask:
                value = not value
            return sentence(Leaf(key, "is", value), names, self.lang)
        for negated, wanted in ((False, mask), (True, mask ^ regions.unknown)):
            for op, operand in regions.tests:
                if regions.mask((op, operand)) != wanted:
                    continue
                if not negated:
                    return sentence(Leaf(key, op, operand), names, self.lang)
                if op in _DUAL:
                    return sentence(Leaf(key, _DUAL[op], operand), names, self.lang)
                text = sentence(Leaf(key, op, operand), names, self.lang)
                return f"{self._word(_WORDS[Op.NOT])}: {text}"
        values = tuple(
            value
            for value in regions.fact.values
            if regions.fact.type is Type.ENUM and regions.mask(("is", value)) & mask
        )
        return sentence(Leaf(key, "in", values), names, self.lang)

    def _graph(self, index: int, scope: str, drawn: set[tuple[int, str]]) -> Iterator[str]:
        if (index, scope) in drawn:
            return
        drawn.add((index, scope))
        text, children, inner = self._node(index, scope)
        yield f'  {_name(index, scope)} [label="{_escaped(text)}"];'
        for child in children:
            yield f"  {_name(index, scope)} -> {_name(child, inner)};"
            yield from self._graph(child, inner, drawn)


def _name(index: int, scope: str) -> str:
    return f"n{index}{scope}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
