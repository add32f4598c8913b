"""One case to one decision: the whole of ``docs``' contract, as plain JSON data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import product
from typing import Any

from eligibility.courts.register import Register
from eligibility.decision.assess import Assessment, assess
from eligibility.decision.changes import changes_on
from eligibility.decision.counterfactual import counterfactual
from eligibility.decision.duties import FollowUp, OwedDuty
from eligibility.decision.explanation import Explainer
from eligibility.decision.follow_up import entries_on, lasting_entry, told_of_duty
from eligibility.decision.modes import modes
from eligibility.decision.program import Programs
from eligibility.decision.questions import Interview, presumed
from eligibility.decision.receiving import receiving_courts
from eligibility.decision.report import clock_entries, rule_entries, warnings
from eligibility.decision.standpoint import Ground
from eligibility.engines.diagram import EXPANDED
from eligibility.errors import Text
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.payload import Case, read_case


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision with what it was made of: for whoever records it.

    ``owed``: the duties that it starts, with their lasting entries; ``lasting``: they are the
    same whatever the day they are asked for.
    """

    body: dict[str, Any]
    found: Assessment
    ground: Ground
    owed: tuple[tuple[OwedDuty, dict[str, Any]], ...]
    lasting: bool


@dataclass(frozen=True, slots=True)
class Briefed:
    """A decision without its reasons, with what it was made of."""

    body: dict[str, Any]
    found: Assessment


DEFAULT_PROFILE = "national"
RENDERER = "1"


class Decider:
    """Decides cases by one rule base. A decision is a function of its arguments alone."""

    def __init__(self, rulebase: Rulebase) -> None:
        self.rulebase = rulebase
        self.programs = Programs(rulebase)
        self.register = Register(rulebase.courts)
        self._duties: dict[tuple[str, str], dict[str, Any]] = {}

    def decide(
        self,
        payload: Any,
        *,
        today: date,
        as_of: date | None = None,
        profile: str | None = None,
        engine: str = "verified",
        full: bool = False,
    ) -> dict[str, Any]:
        """The decision on a case.

        ``payload``: the facts. ``as_of``: the day of evaluation; without it the case's own
        ``evaluation_date``, else ``today``. ``full`` lists every rule and quotes sources.
        Raises FactsError (the facts do not fit), NotFound (no such profile), EngineError.
        """
        return self.decided(
            payload, today=today, as_of=as_of, profile=profile, engine=engine, full=full
        ).body

    def decided(
        self,
        payload: Any,
        *,
        today: date,
        as_of: date | None = None,
        profile: str | None = None,
        engine: str = "verified",
        full: bool = False,
    ) -> Decided:
        """The same with the assessment that it rests on."""
        found = self._assessed(payload, today, as_of, profile, engine)
        made = self.made(found, {})
        follow_ups = entries_on(made.owed, found.derived.as_of)
        return replace(made, body=self._body(found, follow_ups, engine, full))

    def made(self, found: Assessment, body: dict[str, Any]) -> Decided:
        """A decision that has its body, with what it was made of."""
        ground = Ground.of(found)
        follow_up = FollowUp([ground], [], found.derived.as_of, found.everything)
        case = str(found.case.facts.get("case_no") or "")
        owed = tuple(
            (duty, lasting_entry(duty, case, self.rulebase, self._told(duty)))
            for duty in follow_up.duties()
        )
        return Decided(body, found, ground, owed, follow_up.lasting)

    def brief(
        self,
        payload: Any,
        *,
        today: date,
        as_of: date | None = None,
        profile: str | None = None,
        engine: str = "verified",
    ) -> dict[str, Any]:
        """What :meth:`decide` finds, without reasons: for lists of very many cases.

        INVARIANT: outcomes, effective rules, what is missing and when time changes the outcome
        are those of the whole decision.
        """
        return self.briefed(payload, today=today, as_of=as_of, profile=profile, engine=engine).body

    def briefed(
        self,
        payload: Any,
        *,
        today: date,
        as_of: date | None = None,
        profile: str | None = None,
        engine: str = "verified",
    ) -> Briefed:
        """:meth:`brief`, with what it was made of."""
        found = self._assessed(payload, today, as_of, profile, engine)
        effective = found.verdicts.effective
        asked = Interview(found, found.question()).questions() if len(found.outcomes) > 1 else []
        body = {
            "case_no": found.case.facts.get("case_no"),
            "outcome": found.outcome,
            "possible_outcomes": list(found.outcomes),
            "rules": sorted(
                rule.id for i, rule in enumerate(found.program.lowered.rules) if effective >> i & 1
            ),
            "missing": [question["path"] for question in asked],
            "changes_on": changes_on(found, self.programs),
        }
        return Briefed(body, found)

    def _assessed(
        self, payload: Any, today: date, as_of: date | None, profile: str | None, engine: str
    ) -> Assessment:
        case = read_case(payload, self.rulebase.vocabulary, as_of)
        day = case.as_of
        if day is None:
            case = read_case(payload, self.rulebase.vocabulary, today)
            day = today
        program = self.programs.at(profile or self.profile_of(case), day)
        return assess(program, case, day, engine)

    def assess(
        self, payload: Any, as_of: date, profile: str, engine: str = "verified"
    ) -> Assessment:
        """The core of a decision without its reasons."""
        case = read_case(payload, self.rulebase.vocabulary, as_of)
        return assess(self.programs.at(profile, as_of), case, as_of, engine)

    def warm_up(self, profile: str, day: date) -> Iterator[None]:
        """Compile the diagrams of cases with few records, of which each kind has its own: one
        with each step, so that others can decide in between."""
        vocabulary = self.rulebase.vocabulary
        scopes = [s for s in vocabulary.payload_scopes()[1:] if s in vocabulary.records]
        kinds = [vocabulary.records[scope] for scope in scopes]
        counts = [range(0 if kind.may_be_empty else 1, EXPANDED + 1) for kind in kinds]
        for chosen in product(*counts):
            some = zip(kinds, chosen, strict=True)
            case: dict[str, Any] = {kind.list_key: [{}] * n for kind, n in some}
            self.assess(case, day, profile, "native").question()
            yield

    def profile_of(self, case: Case) -> str:
        """The profile of the executing court in the register, else ``national``."""
        name = case.facts.get("jurisdiction_profile")
        if name:
            return str(name)
        court = self.register.find(case.facts.get("court_id"))
        return (court.profile if court else "") or DEFAULT_PROFILE

    def close(self) -> None:
        self.programs.close()

    def _body(
        self, found: Assessment, follow_ups: list[dict[str, Any]], engine: str, full: bool
    ) -> dict[str, Any]:
        program, derived = found.program, found.derived
        question = found.question()
        explainer = Explainer(program.reasons, derived, found.case.flat)
        receiving, more_warnings = receiving_courts(found, self.register)
        body: dict[str, Any] = {
            "case_no": found.case.facts.get("case_no"),
            "outcome": found.outcome,
            "outcome_label": self.outcome_label(found.outcome).as_dict(),
            "possible_outcomes": list(found.outcomes),
            "exact": found.exact,
            "profile": program.lowered.profile,
            "as_of": derived.as_of.isoformat(),
            "rulebase": {"version": self.rulebase.version, "digest": self.rulebase.digest},
            "engine": engine,
            "renderer": RENDERER,
            "modes": modes(found),
            "rules": rule_entries(found, explainer, full),
            "questions": (
                Interview(found, question).questions() if len(found.outcomes) > 1 else []
            ),
            "presumed": presumed(found, question),
            "clocks": clock_entries(found),
            "changes_on": changes_on(found, self.programs),
            "counterfactual": counterfactual(found, question),
            "follow_ups": follow_ups,
            "receiving_courts": receiving,
            "warnings": [w.as_dict() for w in (*warnings(found), *more_warnings)],
        }
        if full:
            body["sources"] = self._sources(body["rules"])
        return body

    def _told(self, owed: OwedDuty) -> dict[str, Any]:
        key = (owed.rule.id, owed.duty.key)
        found = self._duties.get(key)
        if found is None:
            found = self._duties[key] = told_of_duty(owed.rule, owed.duty, self.rulebase)
        return found

    def outcome_label(self, name: str) -> Text:
        """The name of an outcome for people."""
        for outcome in self.rulebase.outcomes:
            if outcome.name == name:
                return outcome.label
        return self.rulebase.outcome_labels.get(name, Text(name, name))

    def _sources(self, rules: list[dict[str, Any]]) -> dict[str, Any]:
        cited = dict.fromkeys(c for rule in rules for c in rule["citations"])
        return {
            name: {
                "title": source.title.as_dict(),
                "quotes": list(source.quotes),
            }
            for name in cited
            if (source := self.rulebase.sources.get(name)) is not None
        }
