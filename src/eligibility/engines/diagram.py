"""The circuit as a decision diagram: every completion of the unknown facts at once.

Variables are facts, branches their regions. A fact that some rule closes has a second
variable for those leaves with one more branch, *silent*: while the fact is unknown the
closed leaves keep their presumed truth and the others range over the fact's values.
Records are expanded while they are few; where they are many, a record whose conditions
are all decided counts through a *decided* variable, and beyond that a quantified
condition is one variable of two values and the answer is not exact.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from eligibility.circuit.model import Circuit, Node, Op
from eligibility.circuit.truth import truth
from eligibility.engines.mdd import FIRST_OUTCOME, IMPOSSIBLE, TRUE, Diagrams, Residual
from eligibility.engines.native import QuantifiedConditions

EXPANDED = 2
SHAPES_KEPT = 32
ANSWERS_KEPT = 64  # per shape; some 10 kB each


@dataclass(frozen=True, slots=True)
class Variable:
    """What a level of the diagram stands for.

    ``scope`` is ``case``, a record kind, or ``quantifier``; ``index`` the record;
    ``input`` the input of the circuit (or the quantifier's number); ``closed`` marks the
    variable of closed leaves, whose last branch is *silent*.
    """

    scope: str
    index: int
    input: int
    closed: bool = False


Shape = tuple[tuple[str, int], ...]  # expanded records per scope; -1 = not expanded


class Kept:
    """The latest answers of a diagram: many cases differ in nothing that it tells apart.

    INVARIANT: an answer is a function of its key, so whether it is kept shows only in time.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable) -> Any:
        """The answer to a question, None if it is not kept."""
        if key not in self._answers:
            return None
        self._answers.move_to_end(key)
        return self._answers[key]

    def keep(self, key: Hashable, answer: Any) -> None:
        self._answers[key] = answer
        if len(self._answers) > self.most:
            self._answers.popitem(last=False)


@dataclass(slots=True)
class Built:
    """The diagram of one shape: its variables, their places, its root.

    ``twins``: place of a closed variable -> place of the open variable of the same fact
    (or -1 where no open leaf asks about it). ``plan``: for each variable its scope, record,
    input and the mask of *silent* (0 where it has none). ``choices``: the variables of facts,
    each once, with the closed ones that move with it.
    """

    store: Diagrams
    variables: list[Variable]
    position: dict[Variable, int]
    root: int
    nodes: int
    twins: dict[int, int]
    plan: list[tuple[str, int, int, int]]
    places: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    choices: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    kept: Kept = field(default_factory=lambda: Kept(ANSWERS_KEPT))

    def __post_init__(self) -> None:
        for place, v in enumerate(self.variables):
            self.places.setdefault((v.scope, v.input), []).append(place)
            if v.scope != "quantifier" and self.twins.get(place, -1) < 0:
                closed = tuple(c for c, open_ in self.twins.items() if open_ == place)
                self.choices.append((place, closed))

    def left(self, allowed: tuple[int, ...]) -> Residual:
        """The diagram left by some knowledge."""
        found: Residual | None = self.kept.get(allowed)
        if found is None:
            found = self.store.restrict(self.root, allowed)
            self.kept.keep(allowed, found)
        return found


@dataclass(slots=True)
class Question:
    """A diagram with what is known of each variable.

    ``allowed``: mask per variable; ``chosen``: for each scope the indices of the records
    that were expanded; ``exact`` is False where the set of outcomes may be too wide.
    """

    built: Built
    allowed: list[int]
    chosen: dict[str, list[int]]
    exact: bool

    def outcomes(self) -> frozenset[int]:
        """Positions of the outcomes that some completion reaches."""
        return outcomes_of(self.built.store.reachable(self.built.root, self.allowed))

    def freed(self, places: Iterable[int] = ()) -> Residual:
        """The diagram left when only these variables are free and all others as known."""
        allowed = list(self.allowed)
        for place in places:
            allowed[place] = (1 << self.built.store.variables[place]) - 1
        return self.built.left(tuple(allowed))

    def index(self, variable: Variable) -> int:
        """The index of the record that a variable speaks of."""
        if variable.scope in ("case", "quantifier"):
            return 0
        return self.chosen[variable.scope][variable.index]

    def places(self, scope: str, index: int, inputs: Collection[int]) -> list[int]:
        """Places of the variables of some inputs, for one record or the case."""
        found = [
            place
            for number in inputs
            for place in self.built.places.get((scope, number), ())
            if self.index(self.built.variables[place]) == index
        ]
        return sorted(found)


def outcomes_of(terminals: Iterable[int]) -> frozenset[int]:
    """Positions of the outcomes among reached terminals."""
    return frozenset(t - FIRST_OUTCOME for t in terminals if t >= FIRST_OUTCOME)


class DiagramEngine:
    """Builds and asks the diagrams of one circuit.

    ``feasible``: nodes that must be false in any real case (constraints), with the scope
    whose records they speak of (``case`` for none).
    """

    def __init__(self, circuit: Circuit, impossible: Sequence[tuple[str, int]] = ()) -> None:
        self.circuit = circuit
        self.impossible = tuple(impossible)
        self.quantified = QuantifiedConditions(circuit)
        scopes = {q.scope for q in circuit.quantifiers} | {scope for scope, _ in impossible}
        self.scopes = sorted(scopes - {"case"})
        self._built: OrderedDict[tuple[Shape, int], Built] = OrderedDict()

    def question(
        self, inputs: Sequence[int], records: dict[str, list[list[int]]], overridden: int = 0
    ) -> Question:
        """What is known of a case, put to the diagram of its shape."""
        if all(len(records.get(scope, ())) <= EXPANDED for scope in self.scopes):
            return self._all_expanded(inputs, records, overridden)
        chosen, shape = self._shape(inputs, records)
        built = self.of_shape(shape, overridden)
        allowed, exact = [], self._unconstrained(inputs, records, chosen)
        for scope, index, number, silent in built.plan:
            if scope == "case":
                mask = inputs[number]
            elif scope == "quantifier":
                mask, sure = self._decided(number, inputs, records, chosen)
                exact = exact and sure
            else:
                mask = records[scope][chosen[scope][index]][number]
            allowed.append(silent if mask == silent - 1 else mask)
        return Question(built, allowed, chosen, exact)

    def _all_expanded(
        self, inputs: Sequence[int], records: dict[str, list[list[int]]], overridden: int
    ) -> Question:
        """The same where the records are few, as mostly: none is left to decide a condition."""
        shape = tuple((scope, len(records.get(scope, ()))) for scope in self.scopes)
        built = self.of_shape(shape, overridden)
        allowed = []
        for scope, index, number, silent in built.plan:
            if scope == "case":
                mask = inputs[number]
            elif scope == "quantifier":
                mask = 1
            else:
                mask = records[scope][index][number]
            allowed.append(silent if mask == silent - 1 else mask)
        return Question(built, allowed, {scope: list(range(n)) for scope, n in shape}, True)

    # --- shapes ------------------------------------------------------------------------------

    def _shape(
        self, inputs: Sequence[int], records: dict[str, list[list[int]]]
    ) -> tuple[dict[str, list[int]], Shape]:
        chosen: dict[str, list[int]] = {}
        shape = []
        for scope in self.scopes:
            found = records.get(scope, [])
            if len(found) <= EXPANDED:
                kept = list(range(len(found)))
            else:
                kept = [i for i, r in enumerate(found) if self._open(scope, inputs, r)]
            if len(kept) <= EXPANDED:
                chosen[scope] = kept
                shape.append((scope, len(kept)))
            else:
                chosen[scope] = []
                shape.append((scope, -1))
        return chosen, tuple(shape)

    def _unconstrained(
        self,
        inputs: Sequence[int],
        records: dict[str, list[list[int]]],
        chosen: dict[str, list[int]],
    ) -> bool:
        """Whether no constraint may bind a record that was not expanded."""
        return all(
            truth(self.circuit, node, inputs, record) is False
            for scope, node in self.impossible
            for i, record in enumerate(records.get(scope, []))
            if i not in chosen[scope]
        )

    def _open(self, scope: str, inputs: Sequence[int], record: Sequence[int]) -> bool:
        """Whether some condition is undecided for a record."""
        return any(
            q.scope == scope and self.quantified.record(i, inputs, record) == 3
            for i, q in enumerate(self.circuit.quantifiers)
        )

    def _decided(
        self,
        quantifier: int,
        inputs: Sequence[int],
        records: dict[str, list[list[int]]],
        chosen: dict[str, list[int]],
    ) -> tuple[int, bool]:
        """What the records that are not expanded already decide of a quantified condition."""
        made = self.circuit.quantifiers[quantifier]
        found = records.get(made.scope, [])
        expanded = chosen[made.scope]
        if expanded or len(found) <= EXPANDED or not self._any_open(made.scope, inputs, found):
            decisive = 1 if made.every else 2
            rest = [r for i, r in enumerate(found) if i not in expanded]
            decided = any(self.quantified.record(quantifier, inputs, r) == decisive for r in rest)
            return (2 if decided else 1), True
        mask = self.quantified.evaluate(quantifier, inputs, found)
        return mask, mask != 3

    def _any_open(self, scope: str, inputs: Sequence[int], records: list[list[int]]) -> bool:
        return any(self._open(scope, inputs, r) for r in records)

    def of_shape(self, shape: Shape, overridden: int = 0) -> Built:
        """The diagram of cases with these numbers of expanded records."""
        key = (shape, overridden)
        built = self._built.get(key)
        if built is None:
            built = self._built[key] = Builder(self, dict(shape), overridden).build()
            if len(self._built) > SHAPES_KEPT:
                self._built.popitem(last=False)
        else:
            self._built.move_to_end(key)
        return built


class Builder:
    """Builds the diagram of one shape."""

    def __init__(self, engine: DiagramEngine, shape: dict[str, int], overridden: int) -> None:
        self.circuit = engine.circuit
        self.impossible = engine.impossible
        self.shape = shape
        self.overridden = overridden
        self.base = len(self.circuit.inputs)
        self.variables = list(dict.fromkeys(self._ordered()))
        self.position = {v: i for i, v in enumerate(self.variables)}
        self.store = Diagrams([self._branches(v) for v in self.variables])
        self.memo: dict[tuple[int, str, int], int] = {}

    def build(self) -> Built:
        effective: list[int] = [0] * len(self.circuit.rules)
        for stratum in self.circuit.strata():
            for i in stratum:
                effective[i] = self._effective(i, effective)
        root = IMPOSSIBLE
        for position in range(len(self.circuit.outcomes) - 1, -1, -1):
            rules = self.circuit.outcomes[position].rules
            terminal = FIRST_OUTCOME + position
            if rules == -1:
                root = terminal
                continue
            holds = self.store.disjunction([e for i, e in enumerate(effective) if rules >> i & 1])
            root = self.store.select(holds, terminal, root)
        root = self.store.select(self.feasible(), root, IMPOSSIBLE)
        self.store.forget_work()
        twins = {
            place: self.position.get(Variable(v.scope, v.index, v.input), -1)
            for place, v in enumerate(self.variables)
            if v.closed
        }
        plan = [
            (v.scope, v.index, v.input, 1 << self._branches(v) - 1 if v.closed else 0)
            for v in self.variables
        ]
        size = self.store.size(root)
        return Built(self.store, self.variables, self.position, root, size, twins, plan)

    def _effective(self, index: int, effective: list[int]) -> int:
        rule = self.circuit.rules[index]
        if self.overridden >> index & 1:
            return 0
        beaten = self.store.disjunction(
            [e for i, e in enumerate(effective) if rule.defeaters >> i & 1]
        )
        parts = [self.node(rule.verdict), self.node(rule.channel), self.store.negation(beaten)]
        return self.store.conjunction(parts)

    def feasible(self) -> int:
        result = TRUE
        for scope, node in self.impossible:
            for index in range(1 if scope == "case" else max(self.shape.get(scope, 0), 0)):
                where = ("", 0) if scope == "case" else (scope, index)
                never = self._translate(node, *where)
                result = self.store.select(never, 0, result)
        return result

    def node(self, index: int) -> int:
        return self._translate(index, "", 0)

    def _translate(self, index: int, scope: str, record: int) -> int:
        key = (index, scope, record)
        found = self.memo.get(key)
        if found is None:
            found = self.memo[key] = self._made(self.circuit.nodes[index], scope, record)
        return found

    def _made(self, node: Node, scope: str, record: int) -> int:
        if node.op in (Op.TRUE, Op.FALSE):
            return int(node.op is Op.TRUE)
        if node.op is Op.LEAF:
            return self._leaf(node, scope, record)
        if node.op in (Op.CERTAINLY, Op.POSSIBLY):
            leaf = self.circuit.nodes[node.operands[0]]
            return self._closed(leaf, node.op is Op.POSSIBLY, scope, record)
        parts = [self._translate(child, scope, record) for child in node.operands]
        if node.op is Op.NOT:
            return self.store.negation(parts[0])
        return self.store.conjunction(parts) if node.op is Op.AND else self.store.disjunction(parts)

    def _leaf(self, node: Node, scope: str, record: int) -> int:
        if node.input >= self.base:
            variable = Variable(scope, record, node.input - self.base)
            return self.store.literal(self.position[variable], node.mask)
        quantifier = self.circuit.inputs[node.input].quantifier
        if quantifier >= 0:
            found = self._quantified(quantifier)
            return found if node.mask == 2 else self.store.negation(found)
        return self.store.literal(self.position[Variable("case", 0, node.input)], node.mask)

    def _closed(self, leaf: Node, presumed: bool, scope: str, record: int) -> int:
        if leaf.input >= self.base:
            variable = Variable(scope, record, leaf.input - self.base, True)
        else:
            variable = Variable("case", 0, leaf.input, True)
        place = self.position[variable]
        silent = 1 << (self.store.variables[place] - 1)
        holds = leaf.mask != 0 if presumed else leaf.mask == silent - 1
        return self.store.literal(place, leaf.mask | (silent if holds else 0))

    def _quantified(self, number: int) -> int:
        made = self.circuit.quantifiers[number]
        decided = self.store.literal(self.position[Variable("quantifier", 0, number)], 2)
        count = self.shape[made.scope]
        if count < 0:
            return decided
        parts = [self._translate(made.body, made.scope, i) for i in range(count)]
        if made.every:
            return self.store.select(decided, 0, self.store.conjunction(parts))
        return self.store.select(decided, TRUE, self.store.disjunction(parts))

    # --- the order of variables ----------------------------------------------------------------

    def _branches(self, variable: Variable) -> int:
        if variable.scope == "quantifier":
            return 2
        if variable.scope == "case":
            count = self.circuit.inputs[variable.input].regions
        else:
            count = self.circuit.record_inputs[variable.scope][variable.input].regions
        return count + variable.closed

    def _ordered(self) -> Iterator[Variable]:
        """Channel first, then facts in the order in which the outcomes ask for them."""
        for rule in self.circuit.rules:
            yield from self._variables(rule.channel, "", 0)
        for outcome in self.circuit.outcomes:
            for i, rule in enumerate(self.circuit.rules):
                if outcome.rules >> i & 1:
                    yield from self._variables(rule.verdict, "", 0)
        for rule in self.circuit.rules:
            yield from self._variables(rule.verdict, "", 0)
        for scope, node in self.impossible:
            for index in range(1 if scope == "case" else max(self.shape.get(scope, 0), 0)):
                yield from self._variables(node, "" if scope == "case" else scope, index)

    def _variables(self, index: int, scope: str, record: int) -> Iterator[Variable]:
        node = self.circuit.nodes[index]
        if node.op in (Op.CERTAINLY, Op.POSSIBLY):
            leaf = self.circuit.nodes[node.operands[0]]
            yield self._variable(leaf, scope, record, True)
        elif node.op is Op.LEAF:
            quantifier = (
                self.circuit.inputs[node.input].quantifier if node.input < self.base else -1
            )
            if quantifier < 0:
                yield self._variable(node, scope, record, False)
                return
            yield Variable("quantifier", 0, quantifier)
            made = self.circuit.quantifiers[quantifier]
            for i in range(max(self.shape[made.scope], 0)):
                yield from self._variables(made.body, made.scope, i)
        else:
            for child in node.operands:
                yield from self._variables(child, scope, record)

    def _variable(self, leaf: Node, scope: str, record: int, closed: bool) -> Variable:
        if leaf.input >= self.base:
            return Variable(scope, record, leaf.input - self.base, closed)
        return Variable("case", 0, leaf.input, closed)
