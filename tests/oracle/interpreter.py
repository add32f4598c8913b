"""The rules as they are written, read slowly: the third opinion on every verdict.

Nothing is lowered, nothing compiled, nothing kept. A condition is walked as the tree that
was parsed from the file, once for every case, with comparisons of its own. Whoever doubts
an engine reads this file beside ``docs/rule-language.md``.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from eligibility.rulebase.conditions import All, Any_, Condition, Leaf, Not, Over, Param
from eligibility.rulebase.model import Definition, OutcomeDef, Rule, Rulebase
from eligibility.vocabulary.model import NONE, Fact, Type

Truth = bool | None
Values = Mapping[str, Any]


# --- Kleene's three tables -------------------------------------------------------------------


def no(truth: Truth) -> Truth:
    return None if truth is None else not truth


def all_of(truths: Iterable[Truth]) -> Truth:
    seen = list(truths)
    if False in seen:
        return False
    return None if None in seen else True


def any_of(truths: Iterable[Truth]) -> Truth:
    seen = list(truths)
    if True in seen:
        return True
    return None if None in seen else False


# --- comparisons -----------------------------------------------------------------------------


def months_later(day: date, months: int) -> date:
    """The day of the same number so many months later; the last of a shorter month."""
    year, month = day.year, day.month
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def compare(op: str, value: Any, operand: Any, as_of: date) -> bool:
    """One comparison of a known value. ``none`` compares false with everything."""
    if op in ("is_none", "is_not_none"):
        return (value is NONE) == (op == "is_none")
    if value is NONE:
        return False
    if isinstance(value, date):
        return _compare_date(op, value, operand, as_of)
    if isinstance(value, frozenset):
        return _compare_set(op, value, operand)
    if op in ("in", "not_in"):
        return any(value == choice for choice in operand) == (op == "in")
    if op in ("is", "is_not"):
        return bool(value == operand) == (op == "is")
    below, above = bool(value < operand), bool(value > operand)
    return {"gt": above, "lt": below, "ge": not below, "le": not above}[op]


def _compare_date(op: str, value: date, count: int, as_of: date) -> bool:
    last = value + timedelta(days=count) if "days" in op else months_later(value, count)
    return as_of > last if op in ("days_ago", "months_ago") else as_of <= last


def _compare_set(op: str, value: frozenset[str], operand: Any) -> bool:
    if op in ("is_empty", "is_not_empty"):
        return (len(value) == 0) == (op == "is_empty")
    if op == "at_least":
        return len(value) >= int(operand)
    shared = [choice for choice in operand if choice in value]
    if op == "any_of":
        return len(shared) > 0
    everything = len(shared) == len(operand)
    return everything if op == "all_of" else everything and len(shared) == len(value)


# --- facts -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """What is known of a case: values of the case, and of each record of each kind."""

    facts: Values
    records: Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Where:
    """The record a condition speaks of: ``index`` counts in the list of ``scope``."""

    scope: str = "case"
    index: int = 0


@dataclass(frozen=True)
class Opinion:
    """Verdicts and effectiveness by rule id, and the positions of the possible outcomes."""

    verdicts: dict[str, Truth]
    effective: dict[str, Truth]
    outcomes: tuple[int, ...]


class Interpreter:
    """Reads the rules of one profile as the law stands on one day."""

    def __init__(self, rulebase: Rulebase, profile: str, as_of: date) -> None:
        self.rulebase = rulebase
        self.as_of = as_of
        self.chain = _chain(rulebase, profile)
        self.rules = [r for _, r in sorted(rulebase.rules.items()) if self._applies(r)]
        self.parameters = {key: self._parameter(key) for key in rulebase.parameters}

    # --- what applies ------------------------------------------------------------------------

    def _applies(self, rule: Rule) -> bool:
        if rule.kind not in ("qualify", "bar") or rule.profile not in self.chain:
            return False
        period = rule.effective
        if period.start is not None and self.as_of < period.start:
            return False
        if period.until is not None and self.as_of > period.until:
            return False
        return rule.basis != "proposed" or rule.id in self._adopted()

    def _adopted(self) -> Collection[str]:
        for name in self.chain:
            adopts = self.rulebase.profiles[name].adopts
            if adopts is not None:
                return adopts
        return ()

    def _parameter(self, key: str) -> Any:
        """Of the values in force, those of the nearest profile; of these, the latest."""
        values = self.rulebase.parameters[key].values
        for profile in (*self.chain, ""):
            found = [
                v
                for v in values
                if v.profile == profile
                and (v.effective.start or date.min) <= self.as_of
                and self.as_of <= (v.effective.until or date.max)
            ]
            if found:
                return max(found, key=lambda v: v.effective.start or date.min).value
        return None

    # --- an opinion ----------------------------------------------------------------------------

    def opinion(
        self, known: Known, lifted: Collection[str] = (), recorded: Known | None = None
    ) -> Opinion:
        """What the rules say of a case.

        ``lifted``: rules set aside by a recorded override. ``recorded``: what is really
        known, where ``known`` is a completion of it made up for the sake of argument;
        closed leaves keep to what is recorded.
        """
        reading = _Reading(self, known, _Reading(self, recorded) if recorded else None)
        verdicts = {rule.id: reading.verdict(rule) for rule in self.rules}
        effective: dict[str, Truth] = {}
        for rule in self.rules:
            self._effective(rule, verdicts, lifted, known.facts, effective)
        return Opinion(verdicts, effective, tuple(self._outcomes(effective)))

    def impossible(self, known: Known) -> list[str]:
        """Ids of the constraints that a case certainly violates."""
        reading = _Reading(self, known)
        found = []
        for one in self.rulebase.constraints:
            places = [Where()] if one.scope == "case" else reading.places(one.scope)
            if any(reading.condition(one.never, place, {}) is True for place in places):
                found.append(one.id)
        return found

    def _effective(
        self,
        rule: Rule,
        verdicts: Mapping[str, Truth],
        lifted: Collection[str],
        facts: Values,
        done: dict[str, Truth],
    ) -> Truth:
        if rule.id not in done:
            beaten = any_of(
                self._effective(other, verdicts, lifted, facts, done)
                for other in self.rules
                if _defeats(other, rule)
            )
            channel = self._channel(rule, facts.get("request_channel"))
            allowed = rule.id not in lifted
            done[rule.id] = all_of([verdicts[rule.id], channel, allowed, no(beaten)])
        return done[rule.id]

    def _channel(self, rule: Rule, channel: Any) -> Truth:
        every = self.rulebase.vocabulary.facts["request_channel"].values
        if not rule.channel or rule.channel >= set(every):
            return True
        return None if channel is None else channel in rule.channel

    def _outcomes(self, effective: Mapping[str, Truth]) -> Iterable[int]:
        for position, outcome in enumerate(self.rulebase.outcomes):
            truth: Truth = not outcome.when
            if outcome.when:
                truth = any_of(effective[r.id] for r in self.rules if _makes(r, outcome))
            if truth is not False:
                yield position
            if truth is True:
                return


def _chain(rulebase: Rulebase, profile: str) -> list[str]:
    chain = [profile]
    while rulebase.profiles[chain[-1]].extends:
        chain.append(rulebase.profiles[chain[-1]].extends)
    return chain


def _defeats(rule: Rule, other: Rule) -> bool:
    if other.id in rule.defeats:
        return True
    return rule.id != other.id and other.layer in rule.defeats_layers


def _makes(rule: Rule, outcome: OutcomeDef) -> bool:
    return not rule.advisory and all(
        getattr(rule, attribute) == value for attribute, value in outcome.when.items()
    )


class _Reading:
    """Conditions read for one case."""

    def __init__(
        self, interpreter: Interpreter, known: Known, recorded: _Reading | None = None
    ) -> None:
        self.interpreter = interpreter
        self.known = known
        self.recorded = recorded or self

    def verdict(self, rule: Rule) -> Truth:
        """The condition and no exemption, inside the quantifier if the rule has one."""

        def body(where: Where) -> Truth:
            met = self.condition(rule.when, where, rule.on_unknown)
            if rule.unless is None:
                return met
            return all_of([met, no(self.condition(rule.unless, where, None))])

        if rule.over is None:
            return body(Where())
        return self.quantified(rule.over, body)

    def quantified(self, over: Over, body: Callable[[Where], Truth]) -> Truth:
        truths = []
        for where in self.places(over.scope):
            truth = body(where)
            if over.main:
                truth = all_of([self.value(_IS_MAIN, where), truth])
            truths.append(truth)
        return all_of(truths) if over.every else any_of(truths)

    def condition(self, tree: Condition, where: Where, closings: Mapping[str, str] | None) -> Truth:
        """A condition; ``closings`` None closes every leaf to false (an exemption)."""
        if isinstance(tree, All):
            return all_of(self.condition(child, where, closings) for child in tree.children)
        if isinstance(tree, Any_):
            return any_of(self.condition(child, where, closings) for child in tree.children)
        if isinstance(tree, Not):
            return no(self.condition(tree.child, where, closings))
        if isinstance(tree, Over):
            return self.quantified(tree, lambda at: self.condition(tree.child, at, closings))
        if closings is None:
            return self.recorded.sentence(tree, where) is True
        if tree.fact not in closings:
            return self.sentence(tree, where)
        truth = self.recorded.sentence(tree, where)
        return closings[tree.fact] == "assume_true" if truth is None else truth

    # --- one sentence --------------------------------------------------------------------------

    def sentence(self, leaf: Leaf, where: Where) -> Truth:
        definition = self.interpreter.rulebase.definitions.get(leaf.fact)
        if definition is not None:
            found = self.finding(definition, where)
            return found if (leaf.op == "is") == leaf.operand else no(found)
        fact = self.interpreter.rulebase.vocabulary.facts[leaf.fact]
        if fact.scope == "case":
            return self.value(leaf, Where())
        if fact.scope == where.scope:
            return self.value(leaf, where)
        return self.rolled_up(leaf, fact)

    def rolled_up(self, leaf: Leaf, fact: Fact) -> Truth:
        """A fact of records read from outside them."""
        truths = [self.value(leaf, place) for place in self.places(fact.scope)]
        if fact.rollup == "every":
            return all_of(truths)
        if fact.rollup == "main":
            mains = [self.value(_IS_MAIN, place) for place in self.places(fact.scope)]
            truths = [all_of(pair) for pair in zip(mains, truths, strict=True)]
        return any_of(truths)

    def finding(self, definition: Definition, where: Where) -> Truth:
        """A definition: of the case, of this record, or of any record."""
        if definition.scope == "case":
            return self.condition(definition.when, Where(), {})
        if definition.scope == where.scope:
            return self.condition(definition.when, where, {})
        return any_of(
            self.condition(definition.when, place, {}) for place in self.places(definition.scope)
        )

    def places(self, scope: str) -> list[Where]:
        return [Where(scope, index) for index in range(len(self.known.records.get(scope, [])))]

    def value(self, leaf: Leaf, where: Where) -> Truth:
        """One comparison; unknown if the value is."""
        store = self.known.facts
        if where.scope != "case":
            store = self.known.records[where.scope][where.index]
        value = store.get(leaf.fact)
        if value is None:
            return None
        return compare(leaf.op, value, self.operand(leaf), self.interpreter.as_of)

    def operand(self, leaf: Leaf) -> Any:
        """The operand; a parameter for an amount of money is in yuan, the amount in fen."""
        if not isinstance(leaf.operand, Param):
            return leaf.operand
        value = self.interpreter.parameters[leaf.operand.name]
        fact = self.interpreter.rulebase.vocabulary.facts[leaf.fact]
        return value * 100 if fact.type is Type.MONEY else value


_IS_MAIN = Leaf("is_main", "is", True)
