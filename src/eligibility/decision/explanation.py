"""Why a rule is true, false or unknown: its condition as a tree of sentences.

What a tree says whatever the case (sentences, labels, parameters) is made once for a program;
a case puts in its values and truths. Trees share those parts: they are read, never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from eligibility.circuit.lower import operand_of
from eligibility.decision.derive import Known
from eligibility.engines.diagram import Kept
from eligibility.logic import Truth, conjunction, disjunction, negation, word
from eligibility.rulebase.conditions import (
    All,
    Condition,
    Leaf,
    Not,
    Over,
    Param,
    leaves,
    test_of,
)
from eligibility.rulebase.duties import Duty
from eligibility.rulebase.model import ALWAYS_TRUE, Definition, Rule, Rulebase
from eligibility.vocabulary.model import CASE, Fact, Type
from eligibility.vocabulary.values import shown, to_wire

SHOWN_RECORDS = 20
TREES_KEPT = 1024
_MANY_VALUES = (Type.TEXT, Type.RECORDS)
Tree = dict[str, Any]
Explained = tuple[Tree, Truth]
Judge = Callable[[Known, int], Truth]
Told = Callable[[Any], tuple[Any, dict[str, str]]]
_CLOSED: Mapping[str, Truth] = {"assume_true": True, "assume_false": False}
_MAIN = Leaf("is_main", "is", True)


class Explainer:
    """Explains rules for one case; ``flat``: the kinds whose only record stands in the case."""

    def __init__(self, reasons: Reasons, derived: Known, flat: set[str]) -> None:
        self.reasons = reasons
        self.derived = derived
        self.flat = flat

    def rule(self, rule: Rule) -> Tree:
        """The tree of a rule: its condition, and its exemption under ``not``."""
        return self.reasons.tree_of(rule, self)

    def condition(self, condition: Condition, scope: str = CASE, index: int = 0) -> Explained:
        """The tree of any condition, seen from a scope, and its truth."""
        return self.reasons.of(condition, scope)(self, index)

    def truth(self, condition: Condition, scope: str = CASE, index: int = 0) -> Truth:
        """The truth alone. INVARIANT: that of :meth:`condition`."""
        return self.reasons.judge(condition, scope)(self.derived, index)


Explain = Callable[[Explainer, int], Explained]


@dataclass(frozen=True, slots=True)
class RuleReason:
    """What explains a rule, and all that its tree shows of a case: facts of the case, and of
    each kind of record (also where it only counts them). ``keep``: few values make few trees.
    """

    explain: Explain
    facts: tuple[str, ...]
    records: tuple[tuple[str, tuple[str, ...]], ...]
    keep: bool

    def shows(self, at: Explainer) -> Hashable:
        """INVARIANT: the tree is a function of the rule and of this."""
        derived = at.derived
        case = derived.facts
        shown = (derived.as_of, *[case.get(key) for key in self.facts])
        if not self.records:
            return shown
        return shown, *[
            (
                scope in at.flat,
                *[tuple([r.get(key) for key in keys]) for r in derived.records.get(scope, ())],
            )
            for scope, keys in self.records
        ]


@dataclass(frozen=True, slots=True)
class DutyCondition:
    """The conditions of a duty with the scopes they are seen from, ready to be judged.

    ``names``: the facts named in the conditions of the rule and the duty.
    """

    asked: tuple[tuple[Condition, str], ...]
    judges: tuple[Judge, ...]
    names: frozenset[str]


class Reasons:
    """The conditions of a rule base with its parameters, each compiled when first asked for.

    What is kept is bounded by the rule base: a condition of it is compiled once a scope. Of the
    trees of rules the latest are kept.
    """

    def __init__(self, rulebase: Rulebase, parameters: Mapping[str, Any]) -> None:
        self.rulebase = rulebase
        self.parameters = parameters
        self._rules: dict[str, RuleReason] = {}
        self._trees = Kept(TREES_KEPT)
        self._asked: dict[str, set[str]] = {}  # by scope, of the rule being compiled
        self._entries: dict[str, Tree] = {}
        self._duties: dict[tuple[str, str, bool], DutyCondition] = {}
        # A condition is kept beside what was made of it, so that its id stays its own.
        self._explained: dict[tuple[int, str], tuple[Condition, Explain]] = {}
        self._judged: dict[tuple[int, str], tuple[Condition, Judge]] = {}
        self._told: dict[str, Told] = {}

    def tree_of(self, rule: Rule, at: Explainer) -> Tree:
        """The tree of a rule in a case. Cases that differ in nothing it shows share it."""
        reason = self._rules.get(rule.id)
        if reason is None:
            reason = self._rules[rule.id] = self._reason(rule)
        if not reason.keep:
            return reason.explain(at, 0)[0]
        key = rule.id, reason.shows(at)
        found: Tree | None = self._trees.get(key)
        if found is None:
            found = reason.explain(at, 0)[0]
            self._trees.keep(key, found)
        return found

    def of(self, condition: Condition, scope: str) -> Explain:
        key = (id(condition), scope)
        found = self._explained.get(key)
        if found is None:
            found = self._explained[key] = (condition, self._explain(condition, scope, {}))
        return found[1]

    def judge(self, condition: Condition, scope: str) -> Judge:
        key = (id(condition), scope)
        found = self._judged.get(key)
        if found is None:
            found = self._judged[key] = (condition, self._judge(condition, scope))
        return found[1]

    def entry(self, rule: Rule) -> Tree:
        """What a decision says of a rule; what the case settles is still None. To be copied."""
        found = self._entries.get(rule.id)
        if found is None:
            found = self._entries[rule.id] = self._entry(rule)
        return found

    def _entry(self, rule: Rule) -> Tree:
        entry: Tree = {
            "id": rule.id,
            "title": rule.title.as_dict(),
            "kind": rule.kind,
            "layer": rule.layer,
            "verdict": None,
            "effective": None,
            "defeated_by": None,
            "advisory": rule.advisory,
            "absolute": not self.rulebase.layers[rule.layer].defeasible,
            "basis": rule.basis,
            "proposed_parts": [t.as_dict() for t in rule.proposed_parts],
            "citations": list(rule.citations),
            "consequence": rule.consequence.as_dict(),
            "because": None,
        }
        if rule.grants:
            entry |= {"grants": rule.grants, "modes": list(rule.modes)}
        if rule.effect:
            bodies = self.rulebase.bodies
            entry |= {"effect": rule.effect, "cure": rule.cure.as_dict()}
            entry["override_by"] = {b: bodies[b].as_dict() for b in rule.override_by}
        return entry

    def of_duty(self, rule: Rule, duty: Duty, with_own: bool) -> DutyCondition:
        """What must hold for a duty: the condition of its rule and (``with_own``) its own."""
        key = (rule.id, duty.key, with_own)
        found = self._duties.get(key)
        if found is None:
            asked: list[tuple[Condition, str]] = []
            if rule.when != ALWAYS_TRUE:
                asked.append((rule.when, CASE))
            if duty.when is not None and with_own:
                asked.append((duty.when, duty.each or CASE))
            written = [rule.when, *([duty.when] if duty.when is not None else [])]
            names = frozenset(leaf.fact for condition in written for leaf in leaves(condition))
            judges = tuple(self.judge(*where) for where in asked)
            found = self._duties[key] = DutyCondition(tuple(asked), judges, names)
        return found

    # --- trees -----------------------------------------------------------------------------------

    def _reason(self, rule: Rule) -> RuleReason:
        self._asked = {}
        explain, types = self._rule(rule), self.rulebase.vocabulary.facts
        asked = {scope: tuple(sorted(keys)) for scope, keys in self._asked.items()}
        keep = not any(types[key].type in _MANY_VALUES for keys in asked.values() for key in keys)
        case = asked.pop(CASE, ())
        return RuleReason(explain, case, tuple(sorted(asked.items())), keep)

    def _rule(self, rule: Rule) -> Explain:
        if rule.over is None:
            return self._body(rule, CASE)
        over = rule.over
        return self._records(over, self._main(over, self._body(rule, over.scope)))

    def _body(self, rule: Rule, scope: str) -> Explain:
        met = self._explain(rule.when, scope, rule.on_unknown)
        if rule.unless is None:
            return met
        silent = {leaf.fact: "assume_false" for leaf in leaves(rule.unless)}
        exempt = _negated(self._explain(rule.unless, scope, silent))
        return _joined("all", [met, exempt])

    def _explain(self, condition: Condition, scope: str, closings: Mapping[str, str]) -> Explain:
        if isinstance(condition, Leaf):
            return self._leaf(condition, scope, closings)
        if isinstance(condition, Not):
            return _negated(self._explain(condition.child, scope, closings))
        if isinstance(condition, Over):
            return self._over(condition, closings)
        parts = [self._explain(c, scope, closings) for c in condition.children]
        return _joined("all" if isinstance(condition, All) else "any", parts)

    def _over(self, over: Over, closings: Mapping[str, str]) -> Explain:
        return self._records(
            over, self._main(over, self._explain(over.child, over.scope, closings))
        )

    def _main(self, over: Over, body: Explain) -> Explain:
        """A condition on main records only says first that the record is one."""
        return _joined("all", [self._leaf(_MAIN, over.scope, {}), body]) if over.main else body

    def _records(self, over: Over, body: Explain) -> Explain:
        kind = self.rulebase.vocabulary.records[over.scope]
        scope, name = over.scope, "every" if over.every else "any"
        self._asked.setdefault(scope, set())
        join = conjunction if over.every else disjunction
        label = {"list": kind.list_key, **kind.label.as_dict()}

        def explain(at: Explainer, _: int) -> Explained:
            parts = [body(at, i) for i in range(len(at.derived.records.get(scope, ())))]
            if len(parts) == 1 and scope in at.flat:
                return parts[0]
            truth = join(t for _, t in parts)
            children = [part for part, _ in parts]
            if len(parts) > SHOWN_RECORDS:
                telling = [part for part, t in parts if t == truth]
                children = telling + [part for part, t in parts if t != truth]
            tree, truth = _node(name, truth, children[:SHOWN_RECORDS])
            tree["over"] = label
            if len(parts) > SHOWN_RECORDS:
                tree["omitted"] = len(parts) - SHOWN_RECORDS
            return tree, truth

        return explain

    def _leaf(self, leaf: Leaf, scope: str, closings: Mapping[str, str]) -> Explain:
        closing = closings.get(leaf.fact)
        definition = self.rulebase.definitions.get(leaf.fact)
        if definition is not None:
            whole, inside = _spelled_out(leaf, definition, scope)
            return _defined(self._explain(whole, inside, {}), definition, inside, closing)
        fact = self.rulebase.vocabulary.facts[leaf.fact]
        if fact.scope not in (CASE, scope):
            rolled = self._over(_rolled_up(leaf, fact), closings)
            return rolled if closing is None else _closing(rolled, closing)
        return self._sentence(leaf, fact, closing)

    def _sentence(self, leaf: Leaf, fact: Fact, closing: str | None) -> Explain:
        key, scope, told = fact.key, fact.scope, self._telling(fact)
        self._asked.setdefault(scope, set()).add(key)
        written = self.rulebase.names.written
        sentence = {"zh": written(leaf, "zh"), "en": written(leaf, "en")}
        held_by, more = fact.held_by.as_dict(), self._parameter(leaf)
        operand = operand_of(leaf, self.parameters, self.rulebase.vocabulary)
        test = test_of(leaf.op)

        def explain(at: Explainer, index: int) -> Explained:
            derived = at.derived
            value = derived.value(scope, index, key)
            truth: Truth = None if value is None else test(value, operand, derived.as_of)
            wire, seen = told(value)
            tree: Tree = {
                "fact": key,
                "sentence": sentence,
                "value": wire,
                "shown": seen,
                "held_by": held_by,
                "truth": word(truth),
                **more,
            }
            return (tree, truth) if closing is None else _closed(tree, truth, closing)

        return explain

    def _parameter(self, leaf: Leaf) -> Tree:
        if not isinstance(leaf.operand, Param):
            return {}
        name = leaf.operand.name
        return {"parameter": {"name": name, "value": _number(self.parameters[name])}}

    def _telling(self, fact: Fact) -> Told:
        """A value on the wire and as people read it; those of which there are few are kept."""
        found = self._told.get(fact.key)
        if found is not None:
            return found

        def made(value: Any) -> tuple[Any, dict[str, str]]:
            return to_wire(fact, value), shown(fact, value).as_dict()

        known: dict[Any, tuple[Any, dict[str, str]]] = {None: made(None)}
        if fact.type is Type.ENUM:
            known |= {value: made(value) for value in fact.values}
        elif fact.type is Type.BOOL:
            known |= {value: made(value) for value in (False, True)}

        def told(value: Any) -> tuple[Any, dict[str, str]]:
            return known.get(value) or made(value)

        self._told[fact.key] = told
        return told

    # --- truths ----------------------------------------------------------------------------------

    def _judge(self, condition: Condition, scope: str) -> Judge:
        if isinstance(condition, Leaf):
            return self._judge_leaf(condition, scope)
        if isinstance(condition, Not):
            inner = self._judge(condition.child, scope)
            return lambda derived, index: negation(inner(derived, index))
        if isinstance(condition, Over):
            return self._judge_over(condition)
        parts = [self._judge(c, scope) for c in condition.children]
        return _judge_joined(parts, not isinstance(condition, All))

    def _judge_over(self, over: Over) -> Judge:
        scope, body = over.scope, self._judge(over.child, over.scope)
        join = conjunction if over.every else disjunction
        main = self._judge_leaf(_MAIN, scope) if over.main else None

        def judge(derived: Known, _: int) -> Truth:
            places = range(len(derived.records.get(scope, ())))
            if main is None:
                return join(body(derived, i) for i in places)
            return join(conjunction((main(derived, i), body(derived, i))) for i in places)

        return judge

    def _judge_leaf(self, leaf: Leaf, scope: str) -> Judge:
        definition = self.rulebase.definitions.get(leaf.fact)
        if definition is not None:
            whole, inside = _spelled_out(leaf, definition, scope)
            return self._judge(whole, inside)
        fact = self.rulebase.vocabulary.facts[leaf.fact]
        if fact.scope not in (CASE, scope):
            return self._judge_over(_rolled_up(leaf, fact))
        key, own, test = fact.key, fact.scope, test_of(leaf.op)
        operand = operand_of(leaf, self.parameters, self.rulebase.vocabulary)

        def judge(derived: Known, index: int) -> Truth:
            store = derived.facts if own == CASE else derived.records[own][index]
            value = store.get(key)
            return None if value is None else test(value, operand, derived.as_of)

        return judge


def _spelled_out(leaf: Leaf, definition: Definition, scope: str) -> tuple[Condition, str]:
    """What a leaf that names a definition says, and the scope that it is seen from."""
    inner: Condition = definition.when
    if definition.scope not in (CASE, scope):
        inner = Over(False, definition.scope, inner)
    positive = (leaf.op == "is") == bool(leaf.operand)
    return (inner if positive else Not(inner)), scope if definition.scope == scope else CASE


def _rolled_up(leaf: Leaf, fact: Fact) -> Over:
    """A leaf about the records of a kind, seen from outside of them."""
    return Over(fact.rollup == "every", fact.scope, leaf, fact.rollup == "main")


def _judge_joined(parts: list[Judge], decisive: bool) -> Judge:
    """Conjunction or disjunction, written out: it is asked of every duty of every case."""

    def judge(derived: Known, index: int) -> Truth:
        result: Truth = not decisive
        for part in parts:
            truth = part(derived, index)
            if truth is decisive:
                return decisive
            if truth is None:
                result = None
        return result

    return judge


def _joined(op: str, parts: list[Explain]) -> Explain:
    join = conjunction if op == "all" else disjunction

    def explain(at: Explainer, index: int) -> Explained:
        found = [part(at, index) for part in parts]
        return _node(op, join(t for _, t in found), [tree for tree, _ in found])

    return explain


def _negated(inner: Explain) -> Explain:
    def explain(at: Explainer, index: int) -> Explained:
        tree, truth = inner(at, index)
        return _node("not", negation(truth), [tree])

    return explain


def _defined(inner: Explain, definition: Definition, inside: str, closing: str | None) -> Explain:
    title, own = definition.title.as_dict(), inside != CASE

    def explain(at: Explainer, index: int) -> Explained:
        tree, truth = inner(at, index if own else 0)
        tree["definition"] = title
        return _closed(tree, truth, closing)

    return explain


def _closing(inner: Explain, closing: str) -> Explain:
    return lambda at, index: _closed(*inner(at, index), closing)


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
