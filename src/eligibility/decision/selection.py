"""Choosing the receiving court: ``prefer`` rules filter the candidates and rank the rest.

A ``hard`` rule excludes a court of which its condition is false; ``weights`` rank those that
are left; ``flips`` turn factors round. What a condition hangs on and nobody knows excludes
nobody: the court stays, and the facts to confirm stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from eligibility.courts.ranking import Criterion, Number, Ranking, flip, rank
from eligibility.courts.register import Register
from eligibility.decision.assess import Assessment
from eligibility.decision.candidates import CANDIDATE, Candidate, Power, Situation
from eligibility.decision.derive import Known
from eligibility.decision.explanation import Explained, Explainer, Tree
from eligibility.decision.modes import recommended_mode
from eligibility.errors import FactsError, Problem, Text
from eligibility.rulebase.conditions import leaves
from eligibility.rulebase.model import Court, Mode, OutcomeDef, Rule

PREFER = "prefer"
COMMON = "common_superior"  # the body of meta.bodies that decides where several courts take part
ELEVATE = "elevate"  # the mode in which the deciding court itself takes the case
DECIDED_MODE = "decided_mode"
Reasoned = tuple[Rule, Tree]


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate with the hard rules that exclude it, and those that still may."""

    candidate: Candidate
    failed: tuple[Reasoned, ...]
    open: tuple[Reasoned, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A rule of which it is not known whether it turns factors round: if so, ``first``."""

    rule: Rule
    because: Tree
    first: str


@dataclass(slots=True)
class Selection:
    """The courts of a decision. ``wrong``: the asked court may not decide, ``power`` names the
    one that may. ``unknown``: the facts without which nobody can say who decides.
    ``weigher``: the rule that ranks. ``elevated``: why the deciding court would take the case.

    INVARIANT: ``judged`` holds every candidate once; exactly those without a failed rule are
    in ``ranking``, if there is one.
    """

    wrong: bool = False
    power: Power | None = None
    unknown: tuple[str, ...] = ()
    judged: tuple[Judged, ...] = ()
    weigher: Rule | None = None
    ranking: Ranking | None = None
    flipped: tuple[Reasoned, ...] = ()
    undecided: tuple[Reading, ...] = ()
    elevated: Text | None = None
    notes: list[Text] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def select(found: Assessment, register: Register) -> Selection | None:
    """The receiving courts of a decision.

    None unless an outcome that moves the power to enforce is possible and a mode that does so
    is open, or the asked court may not decide.
    """
    wrong, moving = _wrong_court(found), _moving(found)
    return _Selecting(found, register, wrong, moving).run() if wrong or moving else None


# --- whether there is anything to receive ---------------------------------------------------------


def _wrong_court(found: Assessment) -> bool:
    """Whether a bar says that the asked court may not decide."""
    rules, effective = found.program.lowered.rules, found.verdicts.effective
    return any(r.effect == "wrong_court" and effective >> i & 1 for i, r in enumerate(rules))


def _moving(found: Assessment) -> list[Mode]:
    """The open modes that move the power to enforce, least intrusive first.

    Where it is not settled that the case may be moved, also those that may yet open; in a stay
    only those that may be prepared.
    """
    lowered = found.program.lowered
    outcomes = [lowered.outcomes[p] for p in found.positions]
    if not any(_may_move(outcome) for outcome in outcomes):
        return []
    settled = len(found.outcomes) == 1 and not _wrong_court(found)
    mask = found.verdicts.effective if settled else found.verdicts.maybe_effective
    stayed = all(outcome.when.get("effect") == "stay" for outcome in outcomes)
    names = {
        mode
        for i, rule in enumerate(lowered.rules)
        if mask >> i & 1 and rule.kind == "qualify" and not rule.advisory
        if rule.in_stay == "prepare" or not stayed
        for mode in rule.modes
    }
    return [m for m in lowered.rulebase.modes.values() if m.name in names and m.power_moves]


def _may_move(outcome: OutcomeDef) -> bool:
    when = outcome.when
    if when.get("kind") == "qualify":
        return when.get("grants") != "internal"
    return when.get("effect") in ("wrong_court", "stay")


# --- filter and rank ------------------------------------------------------------------------------


class _Selecting:
    """One selection being made. The mode is the one decided or recommended if it moves the
    power, else the least intrusive open one that does.
    """

    def __init__(
        self, found: Assessment, register: Register, wrong: bool, moving: list[Mode]
    ) -> None:
        lowered = found.program.lowered
        self.found, self.register, self.wrong, self.moving = found, register, wrong, moving
        self.base, self.parameters = lowered.rulebase, lowered.parameters
        self.derived = _all_facts(found)
        named = self.derived.facts.get(DECIDED_MODE) or recommended_mode(found)
        self.named = self.base.modes.get(named or "")
        self.mode = self.named if self.named in moving else next(iter(moving), None)
        of_set = self.mode is not None and self.mode.set_level
        self.situation = Situation(register, self.base.vocabulary, self.derived, of_set)
        self.rules = [
            rule
            for rule in found.program.law.rules(lowered.profile, self.derived.as_of).values()
            if rule.kind == PREFER and (of_set or not rule.set_level)
        ]

    def run(self) -> Selection:
        situation = self.situation
        several = self._several()
        power = situation.competent(several) if self.wrong else situation.power(several)
        out = Selection(self.wrong, power, problems=situation.problems)
        if power is None:
            out.unknown = tuple(situation.unknown())
            return out
        out.notes += self._notes(power.court)
        if self.mode is not None and self.mode.name == ELEVATE:
            label = self.mode.label
            out.elevated = Text(f"方式为{label.zh}", f"the mode is: {label.en}")
        if any(mode.name != ELEVATE for mode in self.moving):
            self._choose(out, power.court)
        return out

    def _several(self) -> bool:
        """Whether several courts take part, so that a court above all of them decides."""
        modes = (self.named, self.mode if self.mode and self.mode.set_level else None)
        return any(mode.decided_by == COMMON for mode in modes if mode is not None)

    def _notes(self, decider: Court) -> Iterator[Text]:
        """The main property lies where the decider has no power (本辖区, 执行程序解释 11)."""
        place, executing = self.situation.property_beyond(decider), self.situation.executing
        if place is None or executing is None:
            return
        common = self.register.common_superior(executing, place)
        if common is None:
            return
        top = self.register.next_higher(common) is None
        at, by, over = place.label, decider.label, common.label
        yield Text(
            f"主要财产所在地的{at.zh}不属{by.zh}辖区，须由共同上级法院{over.zh}指令"
            + ("，或者依法委托执行" if top else ""),
            f"the main property is at the {at.en}, outside the area of the {by.en}; only the "
            f"common superior, the {over.en}, could instruct that court"
            + (", or the case be entrusted to it" if top else ""),
        )

    def _choose(self, out: Selection, decider: Court) -> None:
        candidates = self.situation.candidates(decider)
        explainer = self._explainer(candidates)
        out.judged = tuple(self._judged(explainer, candidates))
        left = [judged.candidate for judged in out.judged if not judged.failed]
        if not left:
            out.elevated = out.elevated or _NONE_LEFT
            return
        out.weigher = self._weigher(explainer)
        if out.weigher is not None:
            self._rank(out, out.weigher, explainer, left)

    def _explainer(self, candidates: list[Candidate]) -> Explainer:
        rows = [dict(candidate.facts) for candidate in candidates]
        derived = replace(self.derived, records={**self.derived.records, CANDIDATE: rows})
        return Explainer(self.found.program.reasons, derived, self.found.case.flat)

    def _judged(self, explainer: Explainer, candidates: list[Candidate]) -> Iterator[Judged]:
        """Courts of which a rule asks the same are judged once."""
        hard = [(rule, self._asks(rule)) for rule in self.rules if rule.hard]
        known: dict[tuple[object, ...], Explained] = {}
        for index, candidate in enumerate(candidates):
            failed, open_rules = [], []
            for rule, keys in hard:
                alike = (rule.id, *(candidate.facts.get(key) for key in keys))
                if alike not in known:
                    known[alike] = explainer.condition(rule.when, CANDIDATE, index)
                tree, truth = known[alike]
                if truth is False:
                    failed.append((rule, tree))
                elif truth is None:
                    open_rules.append((rule, tree))
            yield Judged(candidate, tuple(failed), tuple(open_rules))

    def _asks(self, rule: Rule) -> list[str]:
        """The facts of a candidate that a condition asks about, definitions spelled out."""
        definitions = self.base.definitions
        names = [leaf.fact for leaf in leaves(rule.when)]
        inner = [
            leaf.fact for n in names if n in definitions for leaf in leaves(definitions[n].when)
        ]
        facts = self.base.vocabulary.facts
        return [n for n in (*names, *inner) if n in facts and facts[n].scope == CANDIDATE]

    def _weigher(self, explainer: Explainer) -> Rule | None:
        """The rule that ranks: for a set one about sets before others, of a nearer layer before
        a farther one.
        """
        chain = self.base.chain(self.found.program.lowered.profile)
        found = [r for r in self.rules if r.weights and explainer.truth(r.when) is True]
        return min(
            found, key=lambda r: (not r.set_level, chain.index(r.profile), r.id), default=None
        )

    def _rank(
        self, out: Selection, weigher: Rule, explainer: Explainer, left: list[Candidate]
    ) -> None:
        values = {c.key: self._values(c, weigher) for c in left}
        criteria = [
            Criterion(name, self.base.factors[name].better, self.parameters[weight.name] or 0)
            for name, weight in weigher.weights.items()
        ]
        turning = [r for r in self.rules if r.flips and r.set_level == weigher.set_level]
        reasons = [(rule, *explainer.condition(rule.when)) for rule in turning]
        out.flipped = tuple((rule, tree) for rule, tree, truth in reasons if truth is True)
        turned = {factor for rule, _ in out.flipped for factor in rule.flips}
        out.ranking = rank(values, flip(criteria, turned))
        counting = {criterion.factor for criterion in out.ranking.criteria}
        for rule, tree, truth in reasons:
            if truth is None and counting & {*rule.flips} - turned:
                then = rank(values, flip(criteria, turned | {*rule.flips}))
                out.undecided = (*out.undecided, Reading(rule, tree, then.places[0].court))
        if not counting:
            out.notes.append(_NOTHING_TO_RANK_BY)

    def _values(self, candidate: Candidate, weigher: Rule) -> dict[str, Number | None]:
        facts = {name: self.base.factors[name].fact for name in weigher.weights}
        return {name: _number(candidate.facts.get(fact)) for name, fact in facts.items()}


def _all_facts(found: Assessment) -> Known:
    """Every derived fact; where those that no deciding rule asks about contradict each other,
    the facts that the decision rests on.
    """
    try:
        return found.everything()
    except FactsError:
        return found.derived


def _number(value: object) -> Number | None:
    return value if isinstance(value, (bool, int, float, Decimal, Fraction)) else None


_NONE_LEFT = Text("没有剩余的候选法院", "no candidate court is left")
_NOTHING_TO_RANK_BY = Text(
    "各项因素均有候选法院不明，未能排序，按法院编号列出",
    "every factor is unknown for some court: the courts are not ranked but listed by id",
)
