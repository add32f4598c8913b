"""A circuit as SQL for DuckDB: one expression per node, NULL for unknown.

SQL's logic of NULL is Kleene's, so AND, OR and NOT need nothing beside themselves. Conditions
over records are lambdas over columns of lists; rules come after defeat, stratum by stratum.
Facts are read as ``docket synth`` writes them (keys of values, ISO days, ``none``): nothing is
validated. Constants of the day are worked out here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from eligibility.circuit.model import Node, Op, Quantifier
from eligibility.circuit.regions import Regions
from eligibility.decision.program import Program
from eligibility.vocabulary.model import CASE, NONE, Fact, Type
from eligibility.vocabulary.values import FIRST_DAY

NEVER = -(2**50)
"""A number of days or months counted from what is known not to have happened."""
THOUSANDTHS = 1000
RELATIVE = ("days_ago", "within_days", "months_ago", "within_months")
NUMBERS = (Type.INT, Type.MONEY, Type.DECIMAL)
SAID_IN_SQL = "days_since"


def ready_made(program: Program) -> dict[str, list[Fact]]:
    """The derived facts, by scope, that the circuit asks about and that SQL does not derive."""
    out: dict[str, list[Fact]] = {}
    for scope, fact in _asked(program):
        if fact.derive is not None and not _counted(fact):
            out.setdefault(scope, []).append(fact)
    return out


def counted_in_sql(program: Program) -> list[Fact]:
    """The derived facts that SQL derives itself."""
    return [fact for _, fact in _asked(program) if _counted(fact)]


def _asked(program: Program) -> Iterator[tuple[str, Fact]]:
    lowered = program.lowered
    yield from ((CASE, r.fact) for r in lowered.regions if r is not None)
    for scope, found in lowered.record_regions.items():
        yield from ((scope, r.fact) for r in found)


def _counted(fact: Fact) -> bool:
    return fact.derive is not None and fact.derive[0] == SAID_IN_SQL


def query(program: Program, source: str, as_of: date) -> str:
    """Verdicts of all rows of ``source`` (a table or a call): masks of rules whose verdict is
    true and possible, of rules effective and maybe effective after defeat, of outcomes that are
    possible, and the outcome.
    """
    return _Query(program, as_of).text(source)


class _Query:
    """Layers of selections, each with the nodes whose operands stand in those before."""

    def __init__(self, program: Program, as_of: date) -> None:
        self.program, self.as_of = program, as_of
        self.circuit, self.lowered = program.circuit, program.lowered
        self.base = len(self.circuit.inputs)
        self.layers: list[dict[str, str]] = []

    def text(self, source: str) -> str:
        self._nodes()
        self._rules()
        found = source
        for layer in self.layers:
            made = ",\n  ".join(f"{said} AS {name}" for name, said in layer.items())
            found = f"(SELECT *,\n  {made}\nFROM {found})"
        rules, outcomes = self.circuit.rules, self.circuit.outcomes
        verdicts = [f"n{rule.verdict}" for rule in rules]
        effective = [f"e{i}" for i in range(len(rules))]
        named = " ".join(
            f"WHEN o{i} THEN '{made.name}' WHEN o{i} IS NULL THEN 'need_info'"
            for i, made in enumerate(outcomes)
        )
        columns = {
            "true_rules": _mask(f"({name} IS TRUE)" for name in verdicts),
            "possible_rules": _mask(f"({name} IS NOT FALSE)" for name in verdicts),
            "effective": _mask(f"({name} IS TRUE)" for name in effective),
            "maybe_effective": _mask(f"({name} IS NOT FALSE)" for name in effective),
            "outcomes": _mask(f"(p{i} AND o{i} IS NOT FALSE)" for i in range(len(outcomes))),
            "outcome": f"CASE {named} END",
        }
        listed = ",\n  ".join(f"{said} AS {name}" for name, said in columns.items())
        return f"SELECT case_no, court_id,\n  {listed}\nFROM {found}"

    def _put(self, depth: int, name: str, said: str) -> None:
        while len(self.layers) <= depth:
            self.layers.append({})
        self.layers[depth][name] = said

    # --- nodes -------------------------------------------------------------------------------

    def _nodes(self) -> None:
        for index in sorted(self._needed):
            self._put(self._depth(index), f"n{index}", self._node(self.circuit.nodes[index]))
        for number, quantifier in enumerate(self.circuit.quantifiers):
            depth = self._depth_of_condition(number)
            self._put(depth - 1, f"l{number}", self._list(quantifier))
            self._put(depth, f"q{number}", self._condition(quantifier, f"l{number}"))

    @cached_property
    def _needed(self) -> set[int]:
        """The nodes that a rule rests on, but for what stands inside of conditions."""
        todo = [n for rule in self.circuit.rules for n in (rule.verdict, rule.channel)]
        found: set[int] = set()
        while todo:
            index = todo.pop()
            if index not in found:
                found.add(index)
                todo += self.circuit.nodes[index].operands
        return found

    def _depth(self, index: int) -> int:
        node = self.circuit.nodes[index]
        if node.op is Op.LEAF:
            return self._depth_of_input(node.input)
        return max((self._depth(child) + 1 for child in node.operands), default=0)

    def _depth_of_input(self, place: int) -> int:
        if place >= self.base or self.circuit.inputs[place].quantifier < 0:
            return 0
        return self._depth_of_condition(self.circuit.inputs[place].quantifier) + 1

    def _depth_of_condition(self, number: int) -> int:
        body = self.circuit.quantifiers[number].body
        return 1 + max((self._depth_of_input(leaf.input) for leaf in self._leaves(body)), default=0)

    def _leaves(self, index: int) -> Iterator[Node]:
        node = self.circuit.nodes[index]
        if node.op is Op.LEAF:
            yield node
        for child in node.operands:
            yield from self._leaves(child)

    def _node(self, node: Node) -> str:
        if node.op is Op.LEAF:
            return self._leaf(node, "")
        return _joined(node.op, [f"n{child}" for child in node.operands])

    def _list(self, quantifier: Quantifier) -> str:
        """For each record whether it decides the condition: holds, or for ``every`` does not."""
        said = self._inside(quantifier.body, quantifier.scope)
        said = f"NOT ({said})" if quantifier.every else said
        return f"list_transform({self._records(quantifier)}, lambda r: {said})"

    def _condition(self, quantifier: Quantifier, listed: str) -> str:
        """Any record decides it; of no list there is one record of which nothing is known."""
        alone = self._inside(quantifier.body, quantifier.scope, False)
        alone = f"NOT ({alone})" if quantifier.every else alone
        held = (
            f"CASE WHEN {self._records(quantifier)} IS NULL THEN {alone} "
            f"WHEN list_bool_or({listed}) THEN TRUE "
            f"WHEN list_count({listed}) < len({listed}) THEN NULL ELSE FALSE END"
        )
        return f"NOT ({held})" if quantifier.every else held

    def _records(self, quantifier: Quantifier) -> str:
        return self.lowered.rulebase.vocabulary.records[quantifier.scope].list_key

    def _inside(self, index: int, scope: str, there: bool = True) -> str:
        """A node for the record ``r``, or for one of which nothing is said."""
        node = self.circuit.nodes[index]
        if node.op is Op.LEAF:
            return self._leaf(node, scope, there)
        parts = [f"({self._inside(child, scope, there)})" for child in node.operands]
        return _joined(node.op, parts)

    def _leaf(self, node: Node, scope: str, there: bool = True) -> str:
        if node.input < self.base:
            made = self.circuit.inputs[node.input]
            if made.quantifier >= 0:
                return _of_condition(f"q{made.quantifier}", node.mask)
            regions = self.lowered.regions[node.input]
            assert regions is not None
            return Leaf(regions, self.as_of).said(node.mask)
        regions = self.lowered.record_regions[scope][node.input - self.base]
        if not there:  # a record of which nothing is said
            sole = regions.fact.sole
            known = sole is not None and bool(regions.encode(sole, self.as_of) & node.mask)
            return "CAST(NULL AS BOOLEAN)" if sole is None else str(known).upper()
        kind = self.lowered.rulebase.vocabulary.records[scope]
        return Leaf(regions, self.as_of, "r.", kind.list_key).said(node.mask)

    # --- rules -------------------------------------------------------------------------------

    def _rules(self) -> None:
        depth = len(self.layers)
        rules = self.circuit.rules
        for number, stratum in enumerate(self.circuit.strata()):
            for i in stratum:
                parts = [f"n{rules[i].verdict}", f"n{rules[i].channel}"]
                if rules[i].defeaters:
                    parts.append(f"NOT ({_any(rules[i].defeaters)})")
                self._put(depth + number, f"e{i}", " AND ".join(parts))
        depth, still = len(self.layers), []
        for i, outcome in enumerate(self.circuit.outcomes):
            said = "TRUE" if outcome.rules == -1 else _any(outcome.rules)
            self._put(depth, f"o{i}", said)
            self._put(depth + 1, f"p{i}", " AND ".join(still) or "TRUE")
            still.append(f"o{i} IS NOT TRUE")


def _joined(op: Op, parts: list[str]) -> str:
    if op in (Op.TRUE, Op.FALSE):
        return op.value.upper()
    if op is Op.NOT:
        return f"NOT {parts[0]}"
    if op in (Op.CERTAINLY, Op.POSSIBLY):
        return f"{parts[0]} IS {'TRUE' if op is Op.CERTAINLY else 'NOT FALSE'}"
    return (" AND " if op is Op.AND else " OR ").join(parts)


def _of_condition(name: str, mask: int) -> str:
    """A condition has the regions false (1) and true (2)."""
    return {0: "FALSE", 1: f"NOT {name}", 2: name, 3: "TRUE"}[mask]


def _any(rules: int) -> str:
    held = [f"e{i}" for i in range(rules.bit_length()) if rules >> i & 1]
    return " OR ".join(held) or "FALSE"


def _mask(bits: Iterable[str]) -> str:
    return " + ".join(f"(CAST({bit} AS BIGINT) << {i})" for i, bit in enumerate(bits)) or "0"


class Leaf:
    """The leaves on one fact. ``prefix``: what stands before its name; ``listed``: the column of
    records that hold it.
    """

    def __init__(self, regions: Regions, as_of: date, prefix: str = "", listed: str = "") -> None:
        self.regions, self.as_of, self.fact = regions, as_of, regions.fact
        self.name = prefix + self.fact.key
        self.prefix = prefix
        if self.fact.sole is not None:
            only = f"CASE WHEN len({listed}) = 1 THEN {str(self.fact.sole).upper()} END"
            self.name = f"COALESCE({self.name}, {only})"

    def said(self, mask: int) -> str:
        """Whether the value lies in some of the regions; NULL where it is not known."""
        if mask == self.regions.unknown:
            return "TRUE"
        kind = self.fact.type
        if kind is Type.BOOL:
            return self._truth(mask)
        if kind is Type.ENUM:
            words = ", ".join(f"'{v}'" for v in self.fact.values if self._in(v, mask))
            return f"{self.name} IN ({words})" if words else self._nowhere()
        if kind is Type.SET:
            return self._set(mask)
        if kind in NUMBERS:
            return self._number(mask)
        assert kind is Type.DATE, f"{self.fact.key}: no SQL for {kind}"
        return self._day(mask)

    def _in(self, value: Any, mask: int) -> bool:
        return bool(self.regions.encode(value, self.as_of) & mask)

    def _nowhere(self) -> str:
        return f"CASE WHEN {self.name} IS NOT NULL THEN FALSE END"

    def _truth(self, mask: int) -> str:
        held = [value for value in (False, True) if self._in(value, mask)]
        if len(held) != 1:
            return f"({self.name} IN (TRUE, FALSE))" if held else self._nowhere()
        return self.name if held[0] else f"NOT {self.name}"

    def _set(self, mask: int) -> str:
        """A test, or the contrary of one: the leaves of a rule base are no other."""
        for op, operand in self.regions.tests:
            found = self.regions.mask((op, operand))
            if found == mask:
                return self._test(op, operand)
            if found == mask ^ self.regions.unknown:
                return f"NOT ({self._test(op, operand)})"
        vectors = (v for i, v in enumerate(self.regions.vectors) if mask >> i & 1)
        tests = [self._test(op, operand) for op, operand in self.regions.tests]
        cells = (
            " AND ".join(f"({t})" if so else f"NOT ({t})" for t, so in zip(tests, v, strict=True))
            for v in vectors
        )
        return " OR ".join(f"({cell})" for cell in cells)

    def _test(self, op: str, operand: Any) -> str:
        if op in ("is_empty", "is_not_empty"):
            return f"len({self.name}) {'=' if op == 'is_empty' else '>'} 0"
        if op == "at_least":
            return f"len({self.name}) >= {operand}"
        words = "[" + ", ".join(f"'{word}'" for word in sorted(operand)) + "]"
        if op == "any_of":
            return f"list_has_any({self.name}, {words})"
        held = f"list_has_all({self.name}, {words})"
        assert op in ("all_of", "exactly"), f"no SQL for {op}"
        return held if op == "all_of" else f"{held} AND len({self.name}) = {len(operand)}"

    # --- numbers and days ----------------------------------------------------------------------

    def _number(self, mask: int) -> str:
        """Stretches of numbers; money in fen, decimals in thousandths."""
        scale = THOUSANDTHS if self.fact.type is Type.DECIMAL else 1
        edges: set[int] = set()
        for _, operand in self.regions.tests:
            for one in operand if isinstance(operand, (tuple, frozenset)) else (operand,):
                if isinstance(one, (int, Decimal)):
                    edges.update((math.floor(one * scale), math.floor(one * scale) + 1))

        def holds(at: int) -> bool:
            return self._in(Decimal(at) / scale if scale > 1 else at, mask)

        value = self._value()
        said = _stretches(value, sorted(edges), holds, str)
        if self.fact.derive is None:
            return said
        never = self._in(NONE, mask)
        return f"{value} = {NEVER} OR {said}" if never else f"{value} <> {NEVER} AND {said}"

    def _value(self) -> str:
        if self.fact.type is Type.MONEY:
            return f"round({self.name} * 100)"
        if not _counted(self.fact):
            return self.name
        assert self.fact.derive is not None
        day = f"{self.prefix}{self.fact.derive[1]}"
        days = f"date_diff('day', TRY_CAST({day} AS DATE), DATE '{self.as_of}')"
        made = f"CASE WHEN {day} = 'none' THEN {NEVER} WHEN {day} IS NOT NULL THEN {days} END"
        return f"COALESCE({self.name}, {made})"

    def _day(self, mask: int) -> str:
        """ISO days compare as texts."""
        never = self._in(NONE, mask) if self.fact.can_be_none else False
        known = f"{self.name} = 'none' OR " if never else f"{self.name} <> 'none' AND "
        if not any(op in RELATIVE for op, _ in self.regions.tests):
            if self._in(FIRST_DAY, mask) == never:
                return self._nowhere() if not never else f"({self.name} IS NOT NULL OR NULL)"
            return f"{self.name} {'=' if never else '<>'} 'none'"
        held = [FIRST_DAY + timedelta(days=n) for n in range((self.as_of - FIRST_DAY).days + 1)]
        found = [self._in(day, mask) for day in held]
        edges = [n for n in range(1, len(found)) if found[n] != found[n - 1]]

        def day_of(number: int) -> str:
            return f"'{held[number].isoformat()}'"

        said = _stretches(self.name, edges, lambda n: found[max(n, 0)], day_of)
        return f"({known}{said})"


def _stretches(
    value: str, edges: list[int], holds: Callable[[int], bool], written: Callable[[int], str]
) -> str:
    """Where a condition that changes at some edges only holds."""
    firsts = [edges[0] - 1, *edges] if edges else [0]
    parts, n = [], 0
    while n < len(firsts):
        if not holds(firsts[n]):
            n += 1
            continue
        begin = n
        while n < len(firsts) and holds(firsts[n]):
            n += 1
        low = [f"{value} >= {written(firsts[begin])}"] if begin else []
        high = [f"{value} < {written(firsts[n])}"] if n < len(firsts) else []
        parts.append(" AND ".join([*low, *high]) or f"{value} = {value}")
    if not parts:
        return f"{value} <> {value}"
    return "(" + " OR ".join(f"({part})" for part in parts) + ")"
