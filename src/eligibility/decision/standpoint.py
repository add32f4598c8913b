"""The facts of a case as they stood on a day, and whether the condition of a duty held then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from eligibility.decision.assess import Assessment
from eligibility.decision.derive import Known
from eligibility.decision.explanation import Explainer, Tree
from eligibility.decision.modes import recommended_mode
from eligibility.decision.program import Program
from eligibility.errors import FactsError
from eligibility.logic import Truth, conjunction
from eligibility.rulebase.duties import Duty
from eligibility.rulebase.model import Rule
from eligibility.vocabulary.payload import Case

MODE = "decided_mode"


@dataclass(frozen=True, slots=True)
class Ground:
    """A decision as the ground of duties: its facts and day, what it found and advised."""

    id: str
    program: Program
    case: Case
    as_of: date
    mode: str | None
    verdicts: frozenset[str]

    @classmethod
    def of(cls, found: Assessment, decision_id: str = "") -> Ground:
        """The ground that an assessment is."""
        rules = found.program.lowered.rules
        holding = {r.id for i, r in enumerate(rules) if found.verdicts.true >> i & 1}
        return cls(
            decision_id,
            found.program,
            found.case,
            found.derived.as_of,
            recommended_mode(found),
            frozenset(holding),
        )


@dataclass(frozen=True, slots=True)
class Met:
    """The truth of a duty's condition, and which facts it hangs on where unknown."""

    truth: Truth
    missing: tuple[str, ...] = ()
    assumed: str = ""


@dataclass
class Standpoint:
    """A decision's facts with the events up to a day.

    ``assumed``: the mode taken for granted where no decision on the mode is on record.
    ``known``: every fact of this case on this day, where that is at hand already. Facts that
    contradict each other leave every condition unknown.
    """

    ground: Ground
    case: Case
    on: date
    assumed: str
    known: Callable[[], Known] | None = None

    @cached_property
    def assumes(self) -> bool:
        asked = MODE in self.ground.program.lowered.rulebase.vocabulary.facts
        return asked and bool(self.assumed) and self.case.facts.get(MODE) is None

    @cached_property
    def derived(self) -> Known | None:
        program = self.ground.program
        try:
            known = self.known() if self.known else program.derive_all(self.case, self.on)
            if self.assumes:
                mode = program.lowered.rulebase.vocabulary.facts[MODE]
                known = program.if_given(known, self.case, mode, 0, self.assumed)
        except FactsError:
            return None
        return known

    def met(self, rule: Rule, duty: Duty, record: int | None, with_own: bool, telling: bool) -> Met:
        """The condition of the rule and (``with_own``) that of the duty.

        ``telling``: with the facts that it hangs on where it is unknown.
        """
        derived, reasons = self.derived, self.ground.program.reasons
        if derived is None:
            return Met(None)
        condition, index = reasons.of_duty(rule, duty, with_own), record or 0
        truth: Truth = True
        for judge in condition.judges:
            truth = conjunction((truth, judge(derived, index)))
            if truth is False:
                return _NOT_MET
        missing: list[str] = []
        if truth is None and telling:
            explainer = Explainer(reasons, derived, self.case.flat)
            missing = _unknown([explainer.condition(c, s, index)[0] for c, s in condition.asked])
        assumed = self.assumed if MODE in condition.names and self.assumes else ""
        return Met(truth, tuple(dict.fromkeys(missing)), assumed)

    def value(self, key: str) -> Any:
        """A fact of the case, given or derived."""
        if self.derived is None:
            return self.case.facts.get(key)
        return self.derived.facts.get(key)


_NOT_MET = Met(False)


def _unknown(trees: Sequence[Tree]) -> list[str]:
    """The facts of the leaves that are unknown."""
    out: list[str] = []
    for tree in trees:
        if "fact" in tree and tree["truth"] == "unknown":
            out.append(tree["fact"])
        out += _unknown(tree.get("children", ()))
    return out
