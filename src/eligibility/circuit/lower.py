"""Lowers the rules of one profile and one date in law into a circuit.

Definitions are put in place, parameters resolved, closings attached to their leaves,
NOT pushed to the leaves (a negated leaf is the leaf of the other regions), equal nodes
shared. Nothing else is rewritten: every step is an identity of Kleene's logic, so that
the verdicts are those of the rules as written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from eligibility.circuit.model import Circuit, Input, Node, Op, Outcome, Quantifier, RuleNode
from eligibility.circuit.regions import Regions, Test, partition
from eligibility.rulebase.checks import defeated_by
from eligibility.rulebase.conditions import All, Condition, Leaf, Not, Over, Param, leaves
from eligibility.rulebase.model import DECIDING, Constraint, OutcomeDef, Rule, Rulebase
from eligibility.vocabulary.model import CASE, Type, Vocabulary

CHANNEL = "request_channel"
MAIN = "is_main"
Key = tuple[str, str]  # scope of an input and its fact
_DUAL = {Op.AND: Op.OR, Op.OR: Op.AND, Op.CERTAINLY: Op.POSSIBLY, Op.POSSIBLY: Op.CERTAINLY}


@dataclass(frozen=True, slots=True)
class Lowered:
    """A circuit with what is needed to feed it and to read its answer.

    ``regions[i]`` belongs to ``circuit.inputs[i]`` (None for a quantified condition),
    ``record_regions[scope][k]`` to the k-th input of that scope. ``rules[i]`` is the rule
    of ``circuit.rules[i]``, ``outcomes[i]`` that of ``circuit.outcomes[i]``.
    ``feasible`` is the node that holds of every case whose facts can be true together.
    """

    rulebase: Rulebase
    profile: str
    parameters: Mapping[str, Any]
    circuit: Circuit
    regions: tuple[Regions | None, ...]
    record_regions: Mapping[str, tuple[Regions, ...]]
    rules: tuple[Rule, ...]
    outcomes: tuple[OutcomeDef, ...]
    mode_nodes: Mapping[str, int]
    constraint_nodes: tuple[tuple[Constraint, int], ...]

    def positions(self) -> dict[str, int]:
        """Rule id -> position in the circuit."""
        return {rule.id: i for i, rule in enumerate(self.rules)}


def lower(rulebase: Rulebase, profile: str, as_of: date) -> Lowered:
    """The circuit of ``profile`` as the law stands on ``as_of``."""
    return _Lowering(rulebase, profile, as_of).run()


def operand_of(leaf: Leaf, parameters: Mapping[str, Any], vocabulary: Vocabulary) -> Any:
    """What a leaf compares with; a parameter for an amount of money is in yuan, not fen."""
    if not isinstance(leaf.operand, Param):
        return leaf.operand
    value = parameters[leaf.operand.name]
    fact = vocabulary.facts.get(leaf.fact)
    return int(value * 100) if fact is not None and fact.type is Type.MONEY else value


# --- conditions made concrete --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Concrete:
    """A leaf with its scope, its resolved test and its closing (None, CERTAINLY, POSSIBLY)."""

    scope: str
    fact: str
    test: Test
    closing: Op | None = None


Tree = Any  # Concrete | ("and"|"or", [Tree]) | ("not", Tree) | ("over", every, scope, Tree)


class _Lowering:
    def __init__(self, rulebase: Rulebase, profile: str, as_of: date) -> None:
        self.rulebase = rulebase
        self.profile = profile
        self.parameters = rulebase.parameters_at(profile, as_of)
        self.rules = tuple(r for r in rulebase.rules_in_force(profile, as_of) if r.kind in DECIDING)
        self.nodes: list[Node] = []
        self.known: dict[Node, int] = {}
        self.inputs: list[Input] = []
        self.index: dict[Key, int] = {}
        self.quantifiers: list[Quantifier] = []
        self.quantified: dict[Quantifier, int] = {}

    def run(self) -> Lowered:
        verdicts = [self.verdict(rule) for rule in self.rules]
        modes = [
            (mode, self.tree(mode.insufficient_when, CASE, {}))
            for mode in self.rulebase.modes.values()
            if mode.insufficient_when is not None
        ]
        constraints = [(c, self.tree(c.never, c.scope, {})) for c in self.rulebase.constraints]
        self.make_inputs([*verdicts, *(tree for _, tree in modes)], constraints)
        built = [self.node(tree) for tree in verdicts]
        channels = [self.channel(rule) for rule in self.rules]
        mode_nodes = {mode.name: self.node(tree) for mode, tree in modes}
        constraint_nodes = tuple((c, self.node(tree)) for c, tree in constraints)
        return self.finish(built, channels, mode_nodes, constraint_nodes)

    # --- trees -----------------------------------------------------------------------------

    def verdict(self, rule: Rule) -> Tree:
        """Condition and not unless, inside the rule's quantifier if it has one."""
        scope = rule.over.scope if rule.over else CASE
        closings = {
            fact: Op.CERTAINLY if how == "assume_false" else Op.POSSIBLY
            for fact, how in rule.on_unknown.items()
        }
        tree = self.tree(rule.when, scope, closings)
        if rule.unless is not None:
            every = {leaf.fact: Op.CERTAINLY for leaf in leaves(rule.unless)}
            tree = ("and", [tree, ("not", self.tree(rule.unless, scope, every))])
        return self.over(rule.over, tree) if rule.over else tree

    def over(self, over: Over, body: Tree) -> Tree:
        if over.main:
            body = ("and", [Concrete(over.scope, MAIN, ("is", True)), body])
        return ("over", over.every, over.scope, body)

    def tree(self, condition: Condition, scope: str, closings: Mapping[str, Op]) -> Tree:
        if isinstance(condition, Leaf):
            return self.leaf(condition, scope, closings)
        if isinstance(condition, Not):
            return ("not", self.tree(condition.child, scope, closings))
        if isinstance(condition, Over):
            return self.over(condition, self.tree(condition.child, condition.scope, closings))
        word = "and" if isinstance(condition, All) else "or"
        return (word, [self.tree(c, scope, closings) for c in condition.children])

    def leaf(self, leaf: Leaf, scope: str, closings: Mapping[str, Op]) -> Tree:
        closing = closings.get(leaf.fact)
        tree = self.sentence(leaf, scope)
        return tree if closing is None else _closed(tree, closing)

    def sentence(self, leaf: Leaf, scope: str) -> Tree:
        """A leaf left open: of a definition, of this scope, or rolled up from records."""
        definition = self.rulebase.definitions.get(leaf.fact)
        if definition is not None:
            tree = self.tree(definition.when, definition.scope, {})
            if definition.scope not in (CASE, scope):
                tree = ("over", False, definition.scope, tree)
            positive = (leaf.op == "is") == bool(leaf.operand)
            return tree if positive else ("not", tree)
        fact = self.rulebase.vocabulary.facts[leaf.fact]
        concrete = Concrete(fact.scope, fact.key, self.test(leaf))
        if fact.scope in (CASE, scope):
            return concrete
        if fact.rollup == "main":
            main = Concrete(fact.scope, MAIN, ("is", True))
            return ("over", False, fact.scope, ("and", [main, concrete]))
        return ("over", fact.rollup == "every", fact.scope, concrete)

    def test(self, leaf: Leaf) -> Test:
        return leaf.op, operand_of(leaf, self.parameters, self.rulebase.vocabulary)

    # --- inputs ----------------------------------------------------------------------------

    def make_inputs(self, trees: list[Tree], constraints: list[tuple[Constraint, Tree]]) -> None:
        """One input per fact that a rule or mode asks about, cut by all tests made on it."""
        tests: dict[Key, list[Test]] = {(CASE, CHANNEL): self.channel_tests()}
        for tree in trees:
            for leaf in _concretes(tree):
                tests.setdefault((leaf.scope, leaf.fact), []).append(leaf.test)
        for _, tree in constraints:
            for leaf in _concretes(tree):
                tests.setdefault((leaf.scope, leaf.fact), []).append(leaf.test)
        facts = self.rulebase.vocabulary.facts
        self.partitions = {key: partition(facts[key[1]], found) for key, found in tests.items()}
        self.case_regions: list[Regions | None] = []
        self.record_inputs: dict[str, list[Input]] = {}
        self.record_regions: dict[str, list[Regions]] = {}
        for (scope, fact), regions in sorted(self.partitions.items()):
            made = Input(fact, regions.count)
            if scope == CASE:
                self.index[scope, fact] = len(self.inputs)
                self.inputs.append(made)
                self.case_regions.append(regions)
            else:
                scoped = self.record_inputs.setdefault(scope, [])
                self.index[scope, fact] = len(scoped)
                scoped.append(made)
                self.record_regions.setdefault(scope, []).append(regions)

    def channel_tests(self) -> list[Test]:
        return [("is", name) for name in self.rulebase.vocabulary.facts[CHANNEL].values]

    # --- nodes -----------------------------------------------------------------------------

    def add(self, node: Node) -> int:
        found = self.known.get(node)
        if found is None:
            found = self.known[node] = len(self.nodes)
            self.nodes.append(node)
        return found

    def node(self, tree: Tree, negated: bool = False) -> int:
        if isinstance(tree, Concrete):
            return self.literal(tree, negated)
        if tree[0] == "not":
            return self.node(tree[1], not negated)
        if tree[0] == "over":
            return self.quantifier(tree, negated)
        op = Op.AND if (tree[0] == "and") != negated else Op.OR
        return self.junction(op, [self.node(child, negated) for child in tree[1]])

    def literal(self, leaf: Concrete, negated: bool) -> int:
        regions = self.partitions[leaf.scope, leaf.fact]
        mask = regions.mask(leaf.test)
        if negated:
            mask ^= regions.unknown
        made = self.add(Node(Op.LEAF, (), self.position(leaf.scope, leaf.fact), mask))
        if leaf.closing is None:
            return made
        return self.add(Node(_DUAL[leaf.closing] if negated else leaf.closing, (made,)))

    def position(self, scope: str, fact: str) -> int:
        """Record inputs are numbered after all case inputs, quantified ones included; the
        offset is put right in :meth:`finish`, here they are negative."""
        place = self.index[scope, fact]
        return place if scope == CASE else -2 - place

    def quantifier(self, tree: Tree, negated: bool) -> int:
        _, every, scope, body = tree
        made = Quantifier(every, scope, self.node(body))
        if made not in self.quantified:
            self.quantified[made] = len(self.inputs)
            name = f"{'every' if every else 'any'} {scope} #{len(self.quantifiers)}"
            self.inputs.append(Input(name, 2, len(self.quantifiers)))
            self.case_regions.append(None)
            self.quantifiers.append(made)
        return self.add(Node(Op.LEAF, (), self.quantified[made], 1 if negated else 2))

    def junction(self, op: Op, children: list[int]) -> int:
        flat: list[int] = []
        for child in children:
            node = self.nodes[child]
            flat.extend(node.operands if node.op is op else (child,))
        unit, zero = (Op.TRUE, Op.FALSE) if op is Op.AND else (Op.FALSE, Op.TRUE)
        kept = [c for c in dict.fromkeys(flat) if self.nodes[c].op is not unit]
        if any(self.nodes[c].op is zero for c in kept):
            return self.add(Node(zero))
        if not kept:
            return self.add(Node(unit))
        kept = self.absorbed(op, kept)
        return kept[0] if len(kept) == 1 else self.add(Node(op, tuple(sorted(kept))))

    def absorbed(self, op: Op, children: list[int]) -> list[int]:
        """a and (a or b) = a; the same for or."""
        present = set(children)
        return [
            c
            for c in children
            if self.nodes[c].op is not _DUAL[op] or not present & set(self.nodes[c].operands)
        ]

    def channel(self, rule: Rule) -> int:
        if not rule.channel:
            return self.add(Node(Op.TRUE))
        regions = self.partitions[CASE, CHANNEL]
        mask = 0
        for name in rule.channel:
            mask |= regions.mask(("is", name))
        return self.add(Node(Op.LEAF, (), self.index[CASE, CHANNEL], mask))

    # --- the whole ---------------------------------------------------------------------------

    def finish(
        self,
        verdicts: list[int],
        channels: list[int],
        mode_nodes: Mapping[str, int],
        constraint_nodes: tuple[tuple[Constraint, int], ...],
    ) -> Lowered:
        base = len(self.inputs)
        nodes = tuple(
            Node(n.op, n.operands, base - n.input - 2, n.mask)
            if n.op is Op.LEAF and n.input < 0
            else n
            for n in self.nodes
        )
        defeaters = self.defeaters()
        strata = _strata(defeaters)
        rules = tuple(
            RuleNode(rule.id, verdicts[i], channels[i], strata[i], defeaters[i])
            for i, rule in enumerate(self.rules)
        )
        outcomes = tuple(Outcome(o.name, self.outcome_rules(o)) for o in self.rulebase.outcomes)
        circuit = Circuit(
            nodes,
            tuple(self.inputs),
            rules,
            outcomes,
            tuple(self.quantifiers),
            {scope: tuple(found) for scope, found in self.record_inputs.items()},
        )
        return Lowered(
            self.rulebase,
            self.profile,
            self.parameters,
            circuit,
            tuple(self.case_regions),
            {scope: tuple(found) for scope, found in self.record_regions.items()},
            self.rules,
            self.rulebase.outcomes,
            mode_nodes,
            constraint_nodes,
        )

    def defeaters(self) -> list[int]:
        """For each rule the mask of the rules that defeat it."""
        position = {rule.id: i for i, rule in enumerate(self.rules)}
        masks = [0] * len(self.rules)
        for i, rule in enumerate(self.rules):
            for target in defeated_by(rule, self.rulebase):
                if target in position:
                    masks[position[target]] |= 1 << i
        return masks

    def outcome_rules(self, outcome: OutcomeDef) -> int:
        if not outcome.when:
            return -1
        return sum(
            1 << i
            for i, rule in enumerate(self.rules)
            if not rule.advisory
            and all(getattr(rule, key) == value for key, value in outcome.when.items())
        )


def _closed(tree: Tree, closing: Op) -> Tree:
    """A tree closed as a whole, by closing its leaves: Kleene's tables distribute over it."""
    if isinstance(tree, Concrete):
        return replace(tree, closing=closing)
    if tree[0] == "not":
        return ("not", _closed(tree[1], _DUAL[closing]))
    if tree[0] == "over":
        return (*tree[:-1], _closed(tree[-1], closing))
    return (tree[0], [_closed(child, closing) for child in tree[1]])


def _strata(defeaters: list[int]) -> list[int]:
    strata = [0] * len(defeaters)
    for _ in defeaters:
        for i, mask in enumerate(defeaters):
            below = [strata[j] for j in range(len(defeaters)) if mask >> j & 1]
            strata[i] = max(below) + 1 if below else 0
    return strata


def _concretes(tree: Tree) -> Iterator[Concrete]:
    if isinstance(tree, Concrete):
        yield tree
    elif tree[0] in ("and", "or"):
        for child in tree[1]:
            yield from _concretes(child)
    else:
        yield from _concretes(tree[-1])
