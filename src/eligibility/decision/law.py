"""The law in force for a profile on a day, kept for the days between which it does not change."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from eligibility.rulebase.model import Rule, Rulebase


@dataclass(frozen=True, slots=True)
class Sign:
    """What of a case stands for an event that nobody reported: days, else facts that it sets.

    ``days``: facts with their scopes, the first that holds a day counts; ``sets``: facts with
    scope and value.
    """

    event: str
    days: tuple[tuple[str, str], ...]
    sets: tuple[tuple[str, str, Any], ...]


class Law:
    """Rules and parameters by profile and stretch of days without a change of law.

    What is kept is bounded by the rule base: profiles times dates of law.
    INVARIANT: what is kept is what the rule base says for that very day.
    """

    def __init__(self, rulebase: Rulebase) -> None:
        self.rulebase = rulebase
        self.dates = rulebase.law_dates()
        self.duties = tuple(
            (rule, duty) for rule in rulebase.rules.values() for duty in rule.duties
        )
        """Every duty there is, with its rule, whenever that is in force."""
        self.signs = tuple(_signs(rulebase))
        """How cases tell of events, in the order of the rule base."""
        self._rules: dict[tuple[str, int], dict[str, Rule]] = {}
        self._parameters: dict[tuple[str, int], Mapping[str, Any]] = {}

    def stretch(self, on: date) -> int:
        """How many times the law had changed by a day, counted from its first date."""
        return bisect_right(self.dates, on)

    def rules(self, profile: str, on: date) -> Mapping[str, Rule]:
        """The rules in force by id, in order of id. Raises NotFound (no such profile)."""
        key = (profile, self.stretch(on))
        found = self._rules.get(key)
        if found is None:
            in_force = self.rulebase.rules_in_force(profile, on)
            found = self._rules[key] = {rule.id: rule for rule in in_force}
        return found

    def parameters(self, profile: str, on: date) -> Mapping[str, Any]:
        """Every parameter with the value in force, None where there is none."""
        key = (profile, self.stretch(on))
        found = self._parameters.get(key)
        if found is None:
            found = self._parameters[key] = self.rulebase.parameters_at(profile, on)
        return found


def _signs(rulebase: Rulebase) -> Iterator[Sign]:
    facts = rulebase.vocabulary.facts
    for kind in rulebase.events.values():
        days = tuple((key, facts[key].scope) for key in kind.day)
        sets = tuple((key, facts[key].scope, value) for key, value in kind.sets.items())
        if days or (sets and not kind.facts):
            yield Sign(kind.name, days, () if days else sets)
