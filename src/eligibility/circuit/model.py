"""The circuit: inputs cut into regions, and/or/not over them, rules, outcomes.

An *input* is a fact (or a quantified condition) whose values are cut into *regions*
that no leaf of the rule base tells apart. What is known of it is a bit mask of the
regions still possible: one bit set = known, all bits set = unknown. A leaf asks whether
the value lies in some of the regions; so a leaf is true when no other region is
possible, false when none of its own is, unknown otherwise. All typed comparison is done
once, before any engine runs; engines see small integers only and no text of a user.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol


class Op(Enum):
    """What a node does. CERTAINLY and POSSIBLY close their one operand to a definite truth."""

    TRUE = "true"
    FALSE = "false"
    LEAF = "leaf"
    NOT = "not"
    AND = "and"
    OR = "or"
    CERTAINLY = "certainly"
    POSSIBLY = "possibly"


@dataclass(frozen=True, slots=True)
class Node:
    """One node; operands are indices of earlier nodes in :attr:`Circuit.nodes`.

    LEAF uses ``input`` and ``mask`` (regions in which it holds) and has no operands.
    CERTAINLY/POSSIBLY have exactly one operand, which is a LEAF or a NOT of a LEAF.
    """

    op: Op
    operands: tuple[int, ...] = ()
    input: int = -1
    mask: int = 0


@dataclass(frozen=True, slots=True)
class Input:
    """One input of the circuit.

    ``fact``: key of the fact, or name of the quantified condition. ``regions``: number of
    regions (at least 1); region r is bit ``1 << r``. ``quantifier``: index into
    :attr:`Circuit.quantifiers`, or -1 for a plain fact. A quantified condition has the two
    regions 0 = false and 1 = true.
    """

    fact: str
    regions: int
    quantifier: int = -1

    @property
    def unknown(self) -> int:
        """The mask of a value of which nothing is known."""
        return (1 << self.regions) - 1


@dataclass(frozen=True, slots=True)
class Quantifier:
    """A condition over records: ``any`` or ``every`` record of ``scope`` satisfies ``body``.

    ``body`` is a node index; its leaves use plain case inputs and inputs of ``scope``.
    """

    every: bool
    scope: str
    body: int


@dataclass(frozen=True, slots=True)
class RuleNode:
    """A rule as the circuit sees it.

    ``verdict`` is the node of condition-and-not-unless; ``channel`` the node that says
    whether the channel lets it take effect; ``defeaters`` a bit mask of rules (bit i =
    ``Circuit.rules[i]``) whose effectiveness defeats it, all in lower strata.
    """

    id: str
    verdict: int
    channel: int
    stratum: int = 0
    defeaters: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """An outcome in order: it holds when any rule of ``rules`` is effective; -1 = always."""

    name: str
    rules: int


@dataclass(frozen=True, slots=True)
class Circuit:
    """A rule base lowered for one profile and one date in law.

    ``inputs`` are the inputs the engines receive, in order: case facts and quantified
    conditions. ``record_inputs`` are the inputs inside quantifier bodies, per scope: in a
    body, input ``len(inputs) + k`` is input k of the quantifier's scope. ``nodes`` are in
    topological order and shared (equal nodes occur once).
    INVARIANT: operands of a node have smaller indices than the node.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Input, ...]
    rules: tuple[RuleNode, ...]
    outcomes: tuple[Outcome, ...]
    quantifiers: tuple[Quantifier, ...] = ()
    record_inputs: dict[str, tuple[Input, ...]] = field(default_factory=dict)

    def strata(self) -> list[list[int]]:
        """Rule indices by stratum, lowest first."""
        depth = max((r.stratum for r in self.rules), default=-1)
        return [[i for i, r in enumerate(self.rules) if r.stratum == s] for s in range(depth + 1)]


class Verdicts(NamedTuple):
    """What an engine answers: bit masks over rules and outcomes.

    ``true``/``possible``: rules whose verdict is true / not false. ``effective`` /
    ``maybe_effective``: the same after channel, overrides and defeat. ``outcomes``: bit i
    = the outcome at position i is possible in Kleene logic (walking down the order until
    one certainly holds).
    INVARIANT: true is a subset of possible, effective of maybe_effective.
    """

    true: int
    possible: int
    effective: int
    maybe_effective: int
    outcomes: int


class Engine(Protocol):
    """Evaluates a circuit; nothing else.

    ``inputs``: one region mask per ``Circuit.inputs``, never 0. ``overridden``: bit mask
    of rules lifted by a recorded override (such a rule is never effective).
    """

    def evaluate(self, inputs: Sequence[int], overridden: int = 0) -> Verdicts: ...
