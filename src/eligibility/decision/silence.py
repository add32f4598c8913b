"""The leaves that silence decides: what a rule takes an unknown fact for, and in which words.

A function of the rules alone, so it is worked out once for a profile and not in every case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from eligibility.circuit.lower import MAIN, Lowered, operand_of
from eligibility.rulebase.conditions import Condition, Leaf, Not, Over
from eligibility.rulebase.model import Rule, Rulebase
from eligibility.vocabulary.model import CASE, Fact


@dataclass(frozen=True, slots=True)
class Closed:
    """A leaf that a rule closes: while its fact is unknown it counts as ``truth``.

    ``test``: operator and operand with the parameters put in.
    """

    rule: str
    fact: Fact
    truth: bool
    zh: str
    en: str
    test: tuple[str, Any]


@dataclass(frozen=True, slots=True)
class Silence:
    """A leaf that rules close alike: what is told of it; what the case settles is still None."""

    closed: Closed
    told: dict[str, Any]


def silences(closed: Iterable[Closed]) -> list[Silence]:
    """The closed leaves, those that say the same taken together, in order."""
    alike: dict[tuple[str, str, bool], list[Closed]] = {}
    for leaf in closed:
        alike.setdefault((leaf.fact.key, leaf.en, leaf.truth), []).append(leaf)
    return [_silence(found) for found in alike.values()]


def _silence(found: list[Closed]) -> Silence:
    first = found[0]
    told = {
        "fact": first.fact.key,
        "path": first.fact.key if first.fact.scope == CASE else None,
        "as": first.truth,
        "leaf": {"zh": first.zh, "en": first.en},
        "held_by": first.fact.held_by.as_dict(),
        "rules": [leaf.rule for leaf in found],
        "outcomes_if_otherwise": None,
    }
    return Silence(first, told)


def closed_leaves(lowered: Lowered) -> list[Closed]:
    """Every closed leaf of every rule, in the order of the rules."""
    base = lowered.rulebase
    return [
        Closed(
            rule.id,
            fact,
            truth,
            base.names.written(leaf, "zh"),
            base.names.written(leaf, "en"),
            (leaf.op, operand_of(leaf, lowered.parameters, base.vocabulary)),
        )
        for rule in lowered.rules
        for leaf, truth in _closed(rule, base)
        if (fact := base.vocabulary.facts.get(leaf.fact)) is not None
    ]


def _closed(rule: Rule, rulebase: Rulebase) -> Iterator[tuple[Leaf, bool]]:
    """The leaves that a rule closes, with the truth each is given."""
    scope = rule.over.scope if rule.over else CASE
    for leaf, at in _placed(rule.when, scope):
        if leaf.fact in rule.on_unknown:
            yield from _open_up(leaf, rule.on_unknown[leaf.fact] == "assume_true", at, rulebase)
    if rule.unless is not None:
        for leaf, at in _placed(rule.unless, scope):
            yield from _open_up(leaf, False, at, rulebase)


def _placed(condition: Condition, scope: str) -> Iterator[tuple[Leaf, str]]:
    """Every leaf with the scope it stands in."""
    if isinstance(condition, Leaf):
        yield condition, scope
    elif isinstance(condition, (Not, Over)):
        inner = condition.scope if isinstance(condition, Over) else scope
        yield from _placed(condition.child, inner)
    else:
        for child in condition.children:
            yield from _placed(child, scope)


def _open_up(
    condition: Condition, truth: bool, scope: str, rulebase: Rulebase
) -> Iterator[tuple[Leaf, bool]]:
    """A closed definition is closed leaf by leaf, under ``not`` the other way round; a fact
    read of the main record with the question which record that is."""
    if isinstance(condition, Leaf):
        definition = rulebase.definitions.get(condition.fact)
        if definition is not None:
            positive = (condition.op == "is") == bool(condition.operand)
            yield from _open_up(definition.when, truth == positive, definition.scope, rulebase)
            return
        yield condition, truth
        fact = rulebase.vocabulary.facts[condition.fact]
        if fact.rollup == "main" and fact.scope not in (CASE, scope):
            yield Leaf(MAIN, "is", True), truth
    elif isinstance(condition, Not):
        yield from _open_up(condition.child, not truth, scope, rulebase)
    elif isinstance(condition, Over):
        yield from _open_up(condition.child, truth, condition.scope, rulebase)
    else:
        for child in condition.children:
            yield from _open_up(child, truth, scope, rulebase)
