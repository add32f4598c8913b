"""Why a rule is true, false or unknown: its condition as a tree of sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eligibility.decision.derive import Derived
from eligibility.logic import Truth, conjunction, disjunction, negation, word
from eligibility.rulebase.conditions import All, Condition, Leaf, Not, Over, Param, holds, leaves
from eligibility.rulebase.language import sentence
from eligibility.rulebase.model import Rule, Rulebase
from eligibility.vocabulary.model import CASE, Fact
from eligibility.vocabulary.values import shown, to_wire

Tree = dict[str, Any]
_CLOSED: Mapping[str, Truth] = {"assume_true": True, "assume_false": False}


class Explainer:
    """Explains rules for one case; slow and plain, it reads the rules as written."""

    def __init__(
        self, rulebase: Rulebase, parameters: Mapping[str, Any], derived: Derived, flat: set[str]
    ) -> None:
        self.rulebase = rulebase
        self.parameters = parameters
        self.derived = derived
        self.flat = flat

    def rule(self, rule: Rule) -> Tree:
        """The tree of a rule: its condition, and its exemption under ``not``."""
        parts = (rule.when,) if rule.unless is None else (rule.when, Not(rule.unless))
        whole: Condition = parts[0] if len(parts) == 1 else All(parts)
        closings = dict(rule.on_unknown)
        for leaf in leaves(rule.unless) if rule.unless is not None else ():
            closings[leaf.fact] = "assume_false"
        if rule.over is not None:
            whole = Over(rule.over.every, rule.over.scope, whole, rule.over.main)
        tree, _ = self._explain(whole, CASE, 0, closings)
        return tree

    def _explain(
        self, condition: Condition, scope: str, index: int, closings: Mapping[str, str]
    ) -> tuple[Tree, Truth]:
        if isinstance(condition, Leaf):
            return self._leaf(condition, scope, index, closings)
        if isinstance(condition, Not):
            tree, truth = self._explain(condition.child, scope, index, closings)
            return _node("not", negation(truth), [tree])
        if isinstance(condition, Over):
            return self._over(condition, closings)
        parts = [self._explain(c, scope, index, closings) for c in condition.children]
        join = conjunction if isinstance(condition, All) else disjunction
        name = "all" if isinstance(condition, All) else "any"
        return _node(name, join(t for _, t in parts), [tree for tree, _ in parts])

    def _over(self, over: Over, closings: Mapping[str, str]) -> tuple[Tree, Truth]:
        child = over.child
        if over.main:
            child = All((Leaf("is_main", "is", True), child))
        records = self.derived.records.get(over.scope, [])
        parts = [self._explain(child, over.scope, i, closings) for i in range(len(records))]
        join = conjunction if over.every else disjunction
        if len(parts) == 1 and over.scope in self.flat:
            return parts[0]
        kind = self.rulebase.vocabulary.records[over.scope]
        name = "every" if over.every else "any"
        tree, truth = _node(name, join(t for _, t in parts), [t for t, _ in parts])
        tree["over"] = {"list": kind.list_key, **kind.label.as_dict()}
        return tree, truth

    def _leaf(
        self, leaf: Leaf, scope: str, index: int, closings: Mapping[str, str]
    ) -> tuple[Tree, Truth]:
        definition = self.rulebase.definitions.get(leaf.fact)
        if definition is not None:
            inner: Condition = definition.when
            if definition.scope not in (CASE, scope):
                inner = Over(False, definition.scope, inner)
            positive = (leaf.op == "is") == bool(leaf.operand)
            whole = inner if positive else Not(inner)
            tree, truth = self._explain(whole, scope, index, closings)
            tree["definition"] = definition.title.as_dict()
            return tree, truth
        fact = self.rulebase.vocabulary.facts[leaf.fact]
        if fact.scope not in (CASE, scope):
            return self._over(
                Over(fact.rollup == "every", fact.scope, leaf, fact.rollup == "main"), closings
            )
        value = self.derived.value(fact.scope, index, fact.key)
        operand = leaf.operand
        if isinstance(operand, Param):
            operand = self.parameters[operand.name]
        truth = holds(leaf.op, value, operand, self.derived.as_of)
        tree = self._sentence(leaf, fact, value)
        if truth is None and fact.key in closings:
            truth = _CLOSED[closings[fact.key]]
            tree["presumed"] = True
        tree["truth"] = word(truth)
        if isinstance(leaf.operand, Param):
            tree["parameter"] = {"name": leaf.operand.name, "value": _number(operand)}
        return tree, truth

    def _sentence(self, leaf: Leaf, fact: Fact, value: Any) -> Tree:
        names = self.rulebase.names
        return {
            "fact": fact.key,
            "sentence": {"zh": sentence(leaf, names, "zh"), "en": sentence(leaf, names, "en")},
            "value": to_wire(fact, value),
            "shown": shown(fact, value).as_dict(),
            "held_by": fact.held_by.as_dict(),
        }


def _node(op: str, truth: Truth, children: list[Tree]) -> tuple[Tree, Truth]:
    return {"op": op, "truth": word(truth), "children": children}, truth


def _number(value: Any) -> Any:
    return value if isinstance(value, (int, str, bool)) else float(value)
