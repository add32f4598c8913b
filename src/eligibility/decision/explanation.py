"""Why a rule is true, false or unknown: its condition as a tree of sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from eligibility.circuit.lower import operand_of
from eligibility.decision.derive import Derived
from eligibility.logic import Truth, conjunction, disjunction, negation, word
from eligibility.rulebase.conditions import All, Condition, Leaf, Not, Over, Param, holds, leaves
from eligibility.rulebase.model import Rule, Rulebase
from eligibility.vocabulary.model import CASE, Fact
from eligibility.vocabulary.values import shown, to_wire

SHOWN_RECORDS = 20
Tree = dict[str, Any]
Explained = tuple[Tree, Truth]
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
        if rule.over is None:
            return self._body(rule, CASE, 0)[0]
        over = rule.over

        def body(index: int) -> Explained:
            return self._main(over, index, self._body(rule, over.scope, index))

        return self._records(over, body)[0]

    def condition(self, condition: Condition, scope: str = CASE, index: int = 0) -> Explained:
        """The tree of any condition, seen from a scope, and its truth."""
        return self._explain(condition, scope, index, {})

    def _body(self, rule: Rule, scope: str, index: int) -> Explained:
        met = self._explain(rule.when, scope, index, rule.on_unknown)
        if rule.unless is None:
            return met
        silent = {leaf.fact: "assume_false" for leaf in leaves(rule.unless)}
        tree, truth = self._explain(rule.unless, scope, index, silent)
        parts = [met, _node("not", negation(truth), [tree])]
        return _node("all", conjunction(t for _, t in parts), [tree for tree, _ in parts])

    def _explain(
        self, condition: Condition, scope: str, index: int, closings: Mapping[str, str]
    ) -> Explained:
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

    def _over(self, over: Over, closings: Mapping[str, str]) -> Explained:
        def body(index: int) -> Explained:
            return self._main(over, index, self._explain(over.child, over.scope, index, closings))

        return self._records(over, body)

    def _main(self, over: Over, index: int, found: Explained) -> Explained:
        """A condition on main records only says first that the record is one."""
        if not over.main:
            return found
        main = self._leaf(Leaf("is_main", "is", True), over.scope, index, {})
        return _node("all", conjunction([main[1], found[1]]), [main[0], found[0]])

    def _records(self, over: Over, body: Callable[[int], Explained]) -> Explained:
        parts = [body(i) for i in range(len(self.derived.records.get(over.scope, [])))]
        join = conjunction if over.every else disjunction
        if len(parts) == 1 and over.scope in self.flat:
            return parts[0]
        kind = self.rulebase.vocabulary.records[over.scope]
        name = "every" if over.every else "any"
        truth = join(t for _, t in parts)
        telling = [part for part, t in parts if t == truth] + [p for p, t in parts if t != truth]
        children = telling if len(parts) > SHOWN_RECORDS else [part for part, _ in parts]
        tree, truth = _node(name, truth, children[:SHOWN_RECORDS])
        tree["over"] = {"list": kind.list_key, **kind.label.as_dict()}
        if len(parts) > SHOWN_RECORDS:
            tree["omitted"] = len(parts) - SHOWN_RECORDS
        return tree, truth

    def _leaf(self, leaf: Leaf, scope: str, index: int, closings: Mapping[str, str]) -> Explained:
        definition = self.rulebase.definitions.get(leaf.fact)
        if definition is not None:
            inner: Condition = definition.when
            if definition.scope not in (CASE, scope):
                inner = Over(False, definition.scope, inner)
            positive = (leaf.op == "is") == bool(leaf.operand)
            whole = inner if positive else Not(inner)
            where = (scope, index) if definition.scope == scope else (CASE, 0)
            tree, truth = self._explain(whole, *where, {})
            tree["definition"] = definition.title.as_dict()
            return _closed(tree, truth, closings.get(leaf.fact))
        fact = self.rulebase.vocabulary.facts[leaf.fact]
        if fact.scope not in (CASE, scope):
            over = Over(fact.rollup == "every", fact.scope, leaf, fact.rollup == "main")
            return _closed(*self._over(over, closings), closings.get(fact.key))
        value = self.derived.value(fact.scope, index, fact.key)
        operand = operand_of(leaf, self.parameters, self.rulebase.vocabulary)
        truth = holds(leaf.op, value, operand, self.derived.as_of)
        tree = self._sentence(leaf, fact, value)
        tree["truth"] = word(truth)
        if isinstance(leaf.operand, Param):
            name = leaf.operand.name
            tree["parameter"] = {"name": name, "value": _number(self.parameters[name])}
        return _closed(tree, truth, closings.get(fact.key))

    def _sentence(self, leaf: Leaf, fact: Fact, value: Any) -> Tree:
        written = self.rulebase.names.written
        return {
            "fact": fact.key,
            "sentence": {"zh": written(leaf, "zh"), "en": written(leaf, "en")},
            "value": to_wire(fact, value),
            "shown": shown(fact, value).as_dict(),
            "held_by": fact.held_by.as_dict(),
        }


def _closed(tree: Tree, truth: Truth, closing: str | None) -> Explained:
    """What silence is taken for, where a rule says so."""
    if truth is None and closing is not None:
        truth = _CLOSED[closing]
        tree |= {"presumed": True, "truth": word(truth)}
    return tree, truth


def _node(op: str, truth: Truth, children: list[Tree]) -> Explained:
    return {"op": op, "truth": word(truth), "children": children}, truth


def _number(value: Any) -> Any:
    return value if isinstance(value, (int, str, bool)) else float(value)
