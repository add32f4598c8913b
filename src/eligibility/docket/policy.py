"""What the rule base says about the facts of a docket: what counts, and when a bound settles.

A docket may show only that a debtor has *at least* so many cases. Such a bound stands for the
value where no rule tells it from anything that it may be instead (十件以上: ten are as good as
two hundred); where a rule does, the fact stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eligibility.docket.identifiers import Bits, Ints
from eligibility.rulebase.conditions import Leaf, Param, leaves
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.reader import inputs_of

DEBTOR = "debtor"
OPEN_CASES, COURTS, OVERLOADED = "same_debtor_open_cases", "same_debtor_courts", "court_overloaded"
COUNT_TERMINATED, OVERLOAD_RATIO = "count_terminated_this_time", "overload_ratio"

ENFORCED = frozenset({"enforcing", "suspended", "deferred"})
"""States of a case that is 未结 (执行中、中止、暂缓)."""
THIS_ROUND = "terminated_this_time"
CLOSED = frozenset({"completed", "terminated", "refused", "dismissed", "cancelled"})
NOT_OPEN, MAYBE_OPEN, IS_OPEN = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where the rules tell one value of a whole-number fact from the next: ``v < cut <= w``.

    ``told``: every value is told from every other (the fact feeds a computation).
    """

    cuts: NDArray[np.int64]
    told: bool = False

    def settled(self, low: Ints, high: Ints) -> Bits:
        """Whether every value from ``low`` to ``high`` is the same to every rule."""
        same: Bits = np.equal(low, high)
        if self.told:
            return same
        found = np.searchsorted(self.cuts, [low, high], side="right")
        return np.asarray(same | (found[0] == found[1]))


@dataclass(frozen=True, slots=True)
class Policy:
    """``terminated``: whether 终本 counts (IS_OPEN, NOT_OPEN), MAYBE_OPEN where the profiles that
    may apply differ. ``cases``, ``courts``: where bounds settle, None where the rule base has no
    such fact.
    """

    terminated: int
    cases: Cuts | None
    courts: Cuts | None

    def openness(self, status: str | None) -> int:
        """Whether a case of this status counts as 未实结; MAYBE_OPEN where it is not known."""
        if status in ENFORCED:
            return IS_OPEN
        if status == THIS_ROUND:
            return self.terminated
        return NOT_OPEN if status in CLOSED else MAYBE_OPEN


def policy_of(rulebase: Rulebase, profile: str | None, day: date | None) -> Policy:
    """What holds for all rows: under ``profile``, or under every profile where rows have their
    own; on ``day``, or as the law ever stands where rows have their own days.
    """
    profiles = list(rulebase.profiles) if profile is None else [profile]
    days = [day] if day is not None else [date.min, *rulebase.law_dates()]
    counted = settled_parameter(rulebase, COUNT_TERMINATED, profiles, days)
    terminated = MAYBE_OPEN if counted is None else IS_OPEN if counted else NOT_OPEN
    return Policy(terminated, *(_cuts(rulebase, key, profiles) for key in (OPEN_CASES, COURTS)))


def settled_parameter(
    rulebase: Rulebase, key: str, profiles: Iterable[str], days: Iterable[date]
) -> Any:
    """The value of a parameter if it is the same under all profiles and days, else None."""
    if key not in rulebase.parameters:
        return None
    days = list(days)
    values = [rulebase.parameter(key, profile, day) for profile in profiles for day in days]
    return values[0] if all(value == values[0] for value in values) else None


def _cuts(rulebase: Rulebase, key: str, profiles: list[str]) -> Cuts | None:
    vocabulary = rulebase.vocabulary
    fact = vocabulary.facts.get(key)
    if fact is None or fact.scope != DEBTOR:
        return None
    nothing = np.zeros(0, dtype=np.int64)
    if any(key in inputs_of(other, vocabulary) for other in vocabulary.facts.values()):
        return Cuts(nothing, told=True)
    found: set[int] = set()
    for leaf in _leaves(rulebase):
        for operand in _operands(leaf, rulebase, profiles) if leaf.fact == key else ():
            made = _cut_by(leaf.op, operand)
            if made is None:
                return Cuts(nothing, told=True)
            found |= made
    return Cuts(np.array(sorted(found), dtype=np.int64))


def _leaves(rulebase: Rulebase) -> Iterator[Leaf]:
    """Every comparison of the rule base, in force or not."""
    rules, modes = rulebase.rules.values(), rulebase.modes.values()
    conditions = [
        *(rule.when for rule in rules),
        *(rule.unless for rule in rules),
        *(definition.when for definition in rulebase.definitions.values()),
        *(constraint.never for constraint in rulebase.constraints),
        *(mode.insufficient_when for mode in modes),
    ]
    for condition in conditions:
        if condition is not None:
            yield from leaves(condition)


def _operands(leaf: Leaf, rulebase: Rulebase, profiles: list[str]) -> Iterator[Any]:
    """What a leaf may compare with: of a parameter every value of these profiles."""
    if not isinstance(leaf.operand, Param):
        yield leaf.operand
        return
    chains = {"", *(name for profile in profiles for name in rulebase.chain(profile))}
    for value in rulebase.parameters[leaf.operand.name].values:
        if value.profile in chains:
            yield value.value


def _cut_by(operator: str, operand: Any) -> set[int] | None:
    """The first whole numbers on which a test answers otherwise than on the one before."""
    if operator in ("is_none", "is_not_none"):
        return set()
    if operator in ("in", "not_in"):
        return {cut for one in operand for cut in (int(one), int(one) + 1)}
    if operator not in ("ge", "lt", "gt", "le", "is", "is_not"):
        return None
    here, past = int(-(-operand // 1)), int(operand // 1) + 1
    return {"ge": {here}, "lt": {here}, "gt": {past}, "le": {past}}.get(operator, {here, past})
