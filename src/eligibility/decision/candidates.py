"""Who decides on a transfer, which courts come into question, and what is known of each.

Everything comes from the court register and the facts of the case. What neither says stays
unknown: a court is neither taken to be free of ties nor taken to have them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from eligibility.courts.register import Register, cases_per_officer
from eligibility.decision.derive import Known
from eligibility.errors import Problem, Text, nearest
from eligibility.logic import Truth, disjunction
from eligibility.rulebase.model import Court
from eligibility.vocabulary.model import CASE, Vocabulary

CANDIDATE = "candidate"
NAME = "c_court"
WITHIN, LEVEL, FAILED = "c_within_deciding_jurisdiction", "c_same_level", "c_previously_failed"
PROPERTY_SHARE, TEAM, LOAD = "c_main_property_share", "c_special_team", "c_cases_per_officer"

EXECUTING, ASKED, RECORDED = "court_id", "asked_court", "deciding_court"
PROPOSED, PRIOR, CROSSINGS = "receiving_court", "prior_courts", "prior_cross_count"
PROPERTY = "main_property_court"
_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Power:
    """The court that decides, and by what it is the one."""

    court: Court
    why: Text


@dataclass(frozen=True, slots=True)
class Candidate:
    """A court that may receive the case, with its facts (scope ``candidate``, typed).

    ``court`` is None where the register does not know it; ``key`` is its id, else its name.
    ``made_up``: the facts that rest on an illustrative load.
    """

    key: str
    court: Court | None
    label: Text
    facts: Mapping[str, Any]
    made_up: frozenset[str]


@dataclass
class Situation:
    """The courts of one case. ``of_set``: the decision is about a set of cases."""

    register: Register
    vocabulary: Vocabulary
    derived: Known
    of_set: bool = False
    problems: list[Problem] = field(default_factory=list)
    _said: dict[str, Truth] = field(default_factory=dict)
    _above: dict[str, frozenset[str]] = field(default_factory=dict)

    def court(self, key: str) -> Court | None:
        """The court that a fact of the case names, if the register knows it."""
        return self.register.find(self.derived.facts.get(key))

    @cached_property
    def executing(self) -> Court | None:
        return self.court(EXECUTING)

    @cached_property
    def proposed(self) -> Court | None:
        return self.court(PROPOSED)

    @cached_property
    def place(self) -> Court | None:
        """The court where the main property is."""
        return self.court(PROPERTY)

    @cached_property
    def _place_and_above(self) -> frozenset[str]:
        above = self.register.superiors(self.place) if self.place else ()
        return frozenset(c.id for c in (self.place, *above) if c)

    # --- who decides -------------------------------------------------------------------------

    def competent(self, several: bool) -> Power | None:
        """The court that may decide on the proposed transfer (执行程序解释 11).

        The common superior of both courts; or, unless the decision is for a court above
        ``several``, the proposed court if it is a superior itself. Where none is proposed, the
        next-higher court. None where a court is not known.
        """
        executing, proposed = self.executing, self.proposed
        if executing is None or self.unknown():
            return None
        if proposed is None or proposed is executing:
            above = self.register.next_higher(executing)
            return Power(above, _NEXT_HIGHER) if above else None
        if not several and self.register.commands(proposed, executing):
            return Power(proposed, _SUPERIOR_ITSELF)
        common = self.register.common_superior(executing, proposed)
        return Power(common, _COMMON) if common else None

    def power(self, several: bool) -> Power | None:
        """The court that decides: the one on record or asked, if it is a superior of the
        executing court; else the next-higher court, or, where the decision is for a court above
        ``several``, the common superior of the executing and the proposed court.
        """
        if self.executing is None:
            return None
        for key, why in ((RECORDED, _RECORDED), (ASKED, _ASKED)):
            named = self.court(key)
            if named is not None and self.register.commands(named, self.executing):
                return Power(named, why)
        if several:
            return self.competent(several)
        above = self.register.next_higher(self.executing)
        return Power(above, _NEXT_HIGHER) if above else None

    def unknown(self) -> list[str]:
        """The facts that must be known, and name courts of the register, to say who decides."""
        if self.executing is None:
            return [EXECUTING]
        named = self.derived.facts.get(PROPOSED) is not None
        return [PROPOSED] if named and self.proposed is None else []

    # --- which courts ----------------------------------------------------------------------------

    def candidates(self, decider: Court) -> list[Candidate]:
        """The courts of the same level and line under the decider, the proposed court, the
        court of the main property where it lies elsewhere, and those that the caller lists,
        in order of their keys. What the caller says of a court overrides what is derived.
        """
        given = self._given()
        courts = {court.id: court for court in self._in_question(decider)}
        found = []
        for key in {*courts, *given}:
            court = courts.get(key) or self.register.courts.get(key)
            stated = given.get(key, {})
            derived = self._derived(court, decider) if court else {}
            load = court.load if court else None
            made_up = {LOAD} - stated.keys() if load and load.illustrative else ()
            label = court.label if court else Text(key, key)
            facts = {NAME: label.zh, **derived, **stated}
            found.append(Candidate(key, court, label, facts, frozenset(made_up)))
        return sorted(found, key=lambda candidate: candidate.key)

    def _in_question(self, decider: Court) -> Iterator[Court]:
        assert self.executing is not None
        yield from self.register.peers(decider, self.executing)
        beyond = self.property_beyond(decider)
        for court in (self.proposed, beyond):
            if court is not None and court is not self.executing and court is not decider:
                yield court

    def property_beyond(self, decider: Court) -> Court | None:
        """The court of the main property, where it is not one of the decider's."""
        court = self.place
        if court is None or court is self.executing or decider.id in self._place_and_above:
            return None
        return court

    def _given(self) -> dict[str, dict[str, Any]]:
        """The caller's records by court; of records that contradict each other the facts in
        question are unknown, so that their order does not matter.
        """
        out: dict[str, dict[str, Any]] = {}
        clashes: dict[str, set[str]] = {}
        for index, record in enumerate(self.derived.records.get(CANDIDATE, ())):
            name = record.get(NAME)
            if not name:
                self._warn("unnamed_candidate", f"candidates[{index}]", *_UNNAMED)
                continue
            court = self.register.find(name)
            if court is None:
                self._warn_unknown(name, index)
            key = court.id if court else name
            kept = out.setdefault(key, {})
            for fact, value in record.items():
                if fact != NAME and kept.setdefault(fact, value) != value:
                    clashes.setdefault(key, set()).add(fact)
        for key, facts in sorted(clashes.items()):
            labels = [self.vocabulary.facts[fact].label for fact in sorted(facts)]
            self._warn_clash(key, labels)
            out[key] = {fact: v for fact, v in out[key].items() if fact not in facts} | (
                dict.fromkeys(facts)
            )
        return out

    # --- what is known of a court ------------------------------------------------------------

    def _derived(self, court: Court, decider: Court) -> dict[str, Any]:
        if court.parent not in self._above:
            self._above[court.parent] = frozenset(c.id for c in self.register.superiors(court))
        above = self._above[court.parent]
        known = {
            WITHIN: court is decider or decider.id in above,
            LEVEL: self._level_fits(court, decider),
            FAILED: self._failed(court),
            PROPERTY_SHARE: self._property_share(court, above),
            TEAM: self._team(court),
            LOAD: _load(court),
        }
        return {fact: value for fact, value in known.items() if value is not None}

    def _level_fits(self, court: Court, decider: Court) -> bool:
        """Of the level and line of the executing court, or the decider itself. A set may also
        go to a court directly under the decider, one level up (XP-05, S72); such a court is
        among the candidates only where it is named.
        """
        executing = self.executing
        assert executing is not None
        if court is decider or (court.level, court.line) == (executing.level, executing.line):
            return True
        above = self.register.next_higher(executing)
        if above is None or not self.of_set or court.parent != decider.id:
            return False
        return (court.level, court.line) == (above.level, above.line)

    def _failed(self, court: Court) -> Truth:
        """Whether it had the case before: it is the executing court or among the earlier ones.
        A case that was never crossed had no earlier court.
        """
        if court is self.executing:
            return True
        prior = self.derived.facts.get(PRIOR)
        if prior is None:
            return False if self.derived.facts.get(CROSSINGS) == 0 else None
        return any(self.register.find(name) is court for name in prior)

    def _property_share(self, court: Court, above: frozenset[str]) -> Decimal | None:
        """1 where the main property lies in its district, 0 where it lies elsewhere; not known
        where only a court above it is named as the place.
        """
        if self.place is None:
            return None
        if court.id in self._place_and_above:
            return Decimal(1)
        return None if self.place.id in above else Decimal(0)

    def _team(self, court: Court) -> Truth:
        """Whether a team of the court is named for something that the case is.

        A team is named by the Chinese label of a value of a fact of the case (涉众, 专业技术).
        The list of a court is taken as whole; a court without a list is not known.
        """
        for team in court.teams:
            if team not in self._said:
                self._said[team] = self._case_is(team)
        return disjunction(self._said[team] for team in court.teams) if court.teams else None

    def _case_is(self, label: str) -> Truth:
        truths: list[Truth] = []
        scopes = self.vocabulary.payload_scopes()
        for fact in self.vocabulary.facts.values():
            if not fact.values or fact.scope not in scopes:
                continue
            wanted = next((key for key, text in fact.values.items() if text.zh == label), None)
            if wanted is None:
                continue
            one = fact.scope == CASE
            stores = [self.derived.facts] if one else self.derived.records.get(fact.scope, [])
            truths += [_holds(store.get(fact.key), wanted) for store in stores]
        return disjunction(truths)

    # --- findings --------------------------------------------------------------------------------

    def _warn(self, code: str, place: str, zh: str, en: str, hint: Text | None = None) -> None:
        self.problems.append(Problem(code, Text(zh, en), place, hint=hint))

    def _warn_unknown(self, name: str, index: int) -> None:
        shown = name[:40]
        known = [n for c in self.register.courts.values() for n in (c.label.zh, *c.aliases)]
        self._warn(
            "unknown_court",
            f"candidates[{index}].{NAME}",
            f"法院名录中没有“{shown}”，其辖区、级别、负荷未填写的，视为未知",
            f"the court register has no '{shown}': what is not given of it is unknown",
            nearest(shown, known),
        )

    def _warn_clash(self, key: str, labels: Iterable[Text]) -> None:
        court = self.register.courts.get(key)
        name = court.label if court else Text(key[:40], key[:40])
        facts = list(labels)
        self._warn(
            "contradictory_candidate",
            "candidates",
            f"“{name.zh}”填了两次而不一致，视为未知：{'、'.join(t.zh for t in facts)}",
            f"'{name.en}' is listed twice with different values, taken as unknown: "
            + ", ".join(t.en for t in facts),
        )


_NEXT_HIGHER = Text("原执行法院的上一级法院", "next-higher court of the executing court")
_COMMON = Text(
    "原执行法院与拟指定法院的共同上级法院",
    "common superior of the executing and the proposed court",
)
_SUPERIOR_ITSELF = Text(
    "拟指定法院，系原执行法院的上级法院",
    "the proposed court, a superior of the executing court",
)
_RECORDED = Text("已记载的决定法院", "the deciding court on record")
_ASKED = Text(
    "受理请求的法院，系原执行法院的上级法院",
    "the court that was asked, a superior of the executing court",
)
_UNNAMED = (
    "没有写明是哪一个法院，未予考虑",
    "names no court and was not considered",
)


def _holds(value: Any, wanted: str) -> Truth:
    if value is None:
        return None
    return wanted in value if isinstance(value, frozenset) else value == wanted


def _load(court: Court) -> Decimal | None:
    """Open cases per officer, to the hundredth."""
    load = cases_per_officer(court)
    return None if load is None else Decimal(load).quantize(_HUNDREDTH)
