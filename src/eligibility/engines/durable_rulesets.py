"""Positive conditions over tokens, cut to what a ``durable_rules`` ruleset can bear.

The engine's limits are hard: some are reported as an error code, some overwrite memory,
some loop forever. So they are kept here, with room to spare, before it sees a ruleset.
A term is ``all``/``any`` over tokens, never a negation. What is too large for one
condition is split: a top-level ``any`` into several rules of the same meaning, any other
part into a rule of its own in an earlier ruleset, whose firing is a token of later ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import NamedTuple

TRUE, FALSE = 0, 1
_TOKEN, _ALL, _ANY = 2, 3, 4

# One condition: the engine allows 15 groups and 64 pending alphas in a whole ruleset.
MOST_GROUPS = 12
MOST_WIDTH = 40
MOST_FIRINGS = 64
MOST_TOKENS_IN_RULE = 100
# One ruleset: 251 fields, 511 alphas and 127 "or" exits under a node, 255 rules on a node,
# 4,096 rules.
MOST_TOKENS = 230
MOST_CHILDREN = 400
MOST_EXITS = 100
MOST_RULES_ON_A_NODE = 200
MOST_RULES = 1000
PENDING = 56


class _Cost(NamedTuple):
    """What a term costs in a condition.

    ``width`` bounds the alphas pending at once, ``firings`` how often the rule fires when
    every token is present: the branches of an ``any`` add up, those of an ``all`` multiply.
    """

    groups: int
    width: int
    firings: int
    tokens: int

    @property
    def fits(self) -> bool:
        return (
            self.groups <= MOST_GROUPS
            and self.width <= MOST_WIDTH
            and self.firings <= MOST_FIRINGS
            and self.tokens <= MOST_TOKENS_IN_RULE
        )


_TOKEN_COST = _Cost(0, 1, 1, 1)


class Terms:
    """Terms by number, equal ones once. Tokens of the caller are 0, 1, 2, …

    A negative token ``-1 - t`` stands for term ``t`` computed by an earlier ruleset.
    INVARIANT: the parts of a term have smaller numbers than the term.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, tuple[int, ...]], int] = {}
        self._nodes: list[tuple[int, tuple[int, ...]]] = [(TRUE, ()), (FALSE, ())]
        self._costs: list[_Cost] = [_TOKEN_COST, _TOKEN_COST]
        self._fitted: dict[int, int] = {}

    def token(self, token: int) -> int:
        return self._intern(_TOKEN, (token,))

    def all_of(self, terms: Iterable[int]) -> int:
        return self._join(_ALL, TRUE, FALSE, terms)

    def any_of(self, terms: Iterable[int]) -> int:
        return self._join(_ANY, FALSE, TRUE, terms)

    def alternatives(self, term: int) -> list[int]:
        """Terms that fit one condition each and of which any one makes ``term`` true."""
        kind, parts = self._nodes[term]
        if kind != _ANY:
            return [self._fit(term)]
        found: list[list[int]] = [[]]
        for part in parts:
            if found[-1] and not self._cost(_ANY, [*found[-1], part]).fits:
                found.append([])
            found[-1].append(part)
        return [self.any_of(chunk) for chunk in found]

    def tokens(self, term: int) -> list[int]:
        """The tokens of a term that fits, one for each occurrence."""
        kind, parts = self._nodes[term]
        if kind == _TOKEN:
            return list(parts)
        return [token for part in parts for token in self.tokens(part)]

    def condition(self, term: int, rank: Callable[[int], tuple[int, int]]) -> Condition:
        """A term that fits, with tokens before groups so that rules share a prefix."""
        kind, parts = self._nodes[term]
        if kind == _TOKEN:
            return parts[0]
        tokens = [self._nodes[p][1][0] for p in parts if self._nodes[p][0] == _TOKEN]
        groups = [self.condition(p, rank) for p in parts if self._nodes[p][0] != _TOKEN]
        return Group(kind == _ALL, (*sorted(tokens, key=rank), *groups))

    def _intern(self, kind: int, parts: tuple[int, ...]) -> int:
        key = (kind, parts)
        number = self._numbers.get(key)
        if number is None:
            self._numbers[key] = number = len(self._nodes)
            self._nodes.append(key)
            self._costs.append(_TOKEN_COST if kind == _TOKEN else self._cost(kind, parts))
        return number

    def _join(self, kind: int, neutral: int, absorbing: int, terms: Iterable[int]) -> int:
        parts: set[int] = set()
        for term in terms:
            if term == absorbing:
                return absorbing
            if term == neutral:
                continue
            own_kind, own_parts = self._nodes[term]
            if own_kind == kind and len(own_parts) <= MOST_TOKENS_IN_RULE:
                parts.update(own_parts)
            else:
                parts.add(self._fit(term))
        if len(parts) < 2:
            return parts.pop() if parts else neutral
        return self._intern(kind, tuple(sorted(parts)))

    def _cost(self, kind: int, parts: Sequence[int]) -> _Cost:
        costs = [self._costs[p] for p in parts]
        groups = 1 + sum(c.groups for c in costs)
        tokens = sum(c.tokens for c in costs)
        if kind == _ANY:
            return _Cost(groups, sum(c.width for c in costs), sum(c.firings for c in costs), tokens)
        firings = 1
        for c in costs:
            firings = min(firings * c.firings, MOST_FIRINGS + 1)
        return _Cost(groups, 1 + sum(c.width - 1 for c in costs), firings, tokens)

    def _fit(self, term: int) -> int:
        """A term of the same meaning that fits, parts of it moved to earlier rulesets."""
        if self._costs[term].fits:
            return term
        if term not in self._fitted:
            kind, parts = self._nodes[term]
            self._fitted[term] = self._cut(kind, list(parts))
        return self._fitted[term]

    def _cut(self, kind: int, parts: list[int]) -> int:
        most = MOST_TOKENS_IN_RULE - 1 if kind == _ALL else MOST_WIDTH // 2
        while len(parts) > most:
            chunks = [parts[i : i + most] for i in range(0, len(parts), most)]
            parts = [self._earlier(self._intern(kind, tuple(c))) for c in chunks]
        while not self._cost(kind, parts).fits:
            heaviest = max(parts, key=lambda p: (self._costs[p].width, self._costs[p]))
            parts.remove(heaviest)
            parts.append(self._earlier(heaviest))
        return self._intern(kind, tuple(sorted(set(parts))))

    def _earlier(self, term: int) -> int:
        return term if self._nodes[term][0] == _TOKEN else self.token(-1 - term)


class Group(NamedTuple):
    """``all`` or ``any`` of a condition, parts in the order in which the engine tests them."""

    all: bool
    parts: tuple[Condition, ...]


Condition = int | Group


class Rule(NamedTuple):
    """A rule to be: when its condition holds, ``bits`` have fired."""

    bits: int
    condition: Condition
    tokens: frozenset[int]


@dataclass(slots=True)
class Shard:
    """The rules of one ruleset, in order; ``tokens`` is all that a record may hold."""

    rules: list[Rule] = field(default_factory=list)

    @property
    def tokens(self) -> list[int]:
        return sorted(frozenset[int]().union(*(r.tokens for r in self.rules)))

    @property
    def bits(self) -> int:
        bits = 0
        for rule in self.rules:
            bits |= rule.bits
        return bits


class _Network:
    """The alpha nodes that the engine will build for a ruleset, to measure them beforehand."""

    def __init__(self) -> None:
        self._children: list[dict[int, int]] = []
        self._exits: list[set[int]] = []
        self._rules: list[int] = []
        self._marker = self._node()
        self._tokens: set[int] = set()

    def add(self, rule: Rule) -> None:
        self._tokens |= rule.tokens
        self._rules[self._link(self._marker, rule.condition)] += 1

    def fits(self, pending: int) -> bool:
        return (
            len(self._tokens) <= MOST_TOKENS
            and sum(self._rules) <= MOST_RULES
            and max(self._rules) <= MOST_RULES_ON_A_NODE
            and max(map(len, self._exits)) <= MOST_EXITS
            and max(map(len, self._children)) <= MOST_CHILDREN
            and self._pending(self._marker, {}) <= pending
        )

    def _node(self) -> int:
        self._children.append({})
        self._exits.append(set())
        self._rules.append(0)
        return len(self._rules) - 1

    def _link(self, parent: int, condition: Condition) -> int:
        if isinstance(condition, int):
            if condition not in self._children[parent]:
                self._children[parent][condition] = self._node()
            return self._children[parent][condition]
        if condition.all:
            for part in condition.parts:
                parent = self._link(parent, part)
            return parent
        way_out = self._node()
        for part in condition.parts:
            self._exits[self._link(parent, part)].add(way_out)
        return way_out

    def _pending(self, node: int, known: dict[int, int]) -> int:
        """The most nodes waiting at once while the engine works below ``node``."""
        if node not in known:
            below = [*self._children[node].values(), *self._exits[node]]
            deepest = max((self._pending(b, known) for b in below), default=0)
            known[node] = max(len(below), len(below) - 1 + deepest)
        return known[node]


class Plan(NamedTuple):
    """Rulesets in the order in which they run; ``earlier``: the bit behind a negative token."""

    shards: list[Shard]
    earlier: dict[int, int]


def plan(terms: Terms, outputs: Sequence[tuple[int, int]], room: int, pending: int) -> Plan:
    """Rulesets for pairs (bits, term), the bits fired where the term holds.

    The lowest ``room`` bits are the caller's, the others free. Rules keep the order of
    ``outputs`` unless they wait for an earlier ruleset. Terms that are constant must be
    left out.
    """
    wanted = [(bits, piece) for bits, term in outputs for piece in terms.alternatives(term)]
    earlier: dict[int, int] = {}
    parts: dict[int, list[int]] = {}
    # A rule for each negative token met, and for those that its own rule brings in.
    open_tokens = {t for _, piece in wanted for t in terms.tokens(piece) if t < 0}
    while open_tokens:
        token = open_tokens.pop()
        earlier[token] = 1 << (room + len(earlier))
        parts[token] = terms.alternatives(-1 - token)
        inner = {t for piece in parts[token] for t in terms.tokens(piece) if t < 0}
        open_tokens |= inner - earlier.keys()
    pieces = [(earlier[t], piece) for t in sorted(parts, reverse=True) for piece in parts[t]]
    layers = _layers(terms, parts)
    rules = _rules(terms, pieces + wanted)
    by_layer: dict[int, list[Rule]] = {}
    for rule in rules:
        layer = max((layers[t] + 1 for t in rule.tokens if t < 0), default=0)
        by_layer.setdefault(layer, []).append(rule)
    shards = [s for layer in sorted(by_layer) for s in _pack(by_layer[layer], pending)]
    return Plan(shards, earlier)


def _layers(terms: Terms, parts: dict[int, list[int]]) -> dict[int, int]:
    """How many rulesets must run before that of each negative token."""
    inner = {
        token: {t for piece in pieces for t in terms.tokens(piece) if t < 0}
        for token, pieces in parts.items()
    }
    layers: dict[int, int] = {}
    for token in TopologicalSorter(inner).static_order():
        layers[token] = max((layers[t] + 1 for t in inner[token]), default=0)
    return layers


def _rules(terms: Terms, pieces: Iterable[tuple[int, int]]) -> list[Rule]:
    """Rules of equal condition once; frequent tokens first, so that they share alphas."""
    merged: dict[int, int] = {}
    for bits, piece in pieces:
        merged[piece] = merged.get(piece, 0) | bits
    tokens = {piece: terms.tokens(piece) for piece in merged}
    often = Counter(token for found in tokens.values() for token in set(found))

    def rank(token: int) -> tuple[int, int]:
        return (-often[token], token)

    return [
        Rule(bits, terms.condition(piece, rank), frozenset(tokens[piece]))
        for piece, bits in merged.items()
    ]


def _pack(rules: Sequence[Rule], pending: int) -> list[Shard]:
    """Rules in order, a new ruleset wherever a limit would be passed."""
    shards: list[Shard] = []
    network = _Network()
    for rule in rules:
        network.add(rule)
        if not shards or (shards[-1].rules and not network.fits(pending)):
            shards.append(Shard())
            network = _Network()
            network.add(rule)
        shards[-1].rules.append(rule)
    return shards
