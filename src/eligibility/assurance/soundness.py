"""Faults of a rule base that only its circuit shows: rules that can never hold, explosions.

The check is exact: a rule's verdict is built as a decision diagram together with the
constraints on facts; a diagram that is *false* has no case that satisfies it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from eligibility.circuit.lower import Lowered, lower
from eligibility.engines.diagram import Builder, DiagramEngine
from eligibility.engines.mdd import FIRST_OUTCOME, NODE_BUDGET, TRUE
from eligibility.errors import EngineError, Problem, Text
from eligibility.rulebase.loader import read, sorted_problems
from eligibility.rulebase.model import Rulebase

MOST_REGIONS = 62
_NEVER = Text(
    "此规则在任何辖区、任何案件中都不可能成立，请检查条件是否自相矛盾",
    "this rule can never hold in any profile: its conditions contradict each other",
)
_BY_SILENCE = Text(
    "事实都已知时此规则不可能成立，只能因事实不明（“未知时”）而成立，请检查条件是否自相矛盾",
    "this rule can hold only through silence (on_unknown), never where the facts are known: "
    "its conditions contradict each other",
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a look at a rule base found; it may be used only without ``problems``."""

    problems: list[Problem]
    warnings: list[Problem]
    digest: str = ""


def examine(texts: Mapping[str, str], today: date, budget: int = NODE_BUDGET) -> Report:
    """Everything that can be said against the rule base in ``texts``, sorted by place."""
    rulebase, reading = read(texts)
    if rulebase is None or reading.problems:
        return Report(sorted_problems(reading.problems), [])
    found = soundness(rulebase, today, budget)
    warnings = [*rulebase.warnings, *found.warnings]
    return Report(sorted_problems(found.problems), sorted_problems(warnings), rulebase.digest)


def soundness(rulebase: Rulebase, today: date, budget: int = NODE_BUDGET) -> Report:
    """Rules and outcomes that no case can reach, in every profile and state of the law."""
    search = _Search(rulebase, budget)
    for profile in rulebase.profiles:
        for day in dict.fromkeys((today, *rulebase.law_dates())):
            search.look(lower(rulebase, profile, day))
    return search.report()


@dataclass(slots=True)
class _Search:
    rulebase: Rulebase
    budget: int
    problems: dict[tuple[str, str], Problem] = field(default_factory=dict)
    in_force: set[str] = field(default_factory=set)
    satisfied: set[str] = field(default_factory=set)
    by_silence: set[str] = field(default_factory=set)
    reached: set[int] = field(default_factory=set)
    exploded: bool = False

    def look(self, lowered: Lowered) -> None:
        """One profile on one date."""
        circuit = lowered.circuit
        self.in_force |= {rule.id for rule in circuit.rules}
        if self._too_fine(lowered):
            return
        missing = {r.id for r in circuit.rules} - self.satisfied
        unreached = set(range(len(circuit.outcomes))) - self.reached
        for records in (1, 2):
            if records == 2 and not missing and not unreached:
                return
            try:
                self._with_records(lowered, records)
            except EngineError:
                return
            missing -= self.satisfied
            unreached -= self.reached

    def _too_fine(self, lowered: Lowered) -> bool:
        every = [*lowered.regions, *(r for found in lowered.record_regions.values() for r in found)]
        wide = [r for r in every if r is not None and r.count > MOST_REGIONS]
        for regions in wide:
            fact = regions.fact
            self._add(
                Problem(
                    "too_many_regions",
                    Text(
                        f"规则把“{fact.label.zh}”分成 {regions.count} 段，最多 {MOST_REGIONS} 段；"
                        "请合并比较",
                        f"the rules cut '{fact.key}' into {regions.count} regions, at most "
                        f"{MOST_REGIONS}: merge some comparisons",
                    ),
                    fact.span,
                ),
                fact.key,
            )
        return bool(wide)

    def _with_records(self, lowered: Lowered, records: int) -> None:
        circuit = lowered.circuit
        scopes = {q.scope for q in circuit.quantifiers}
        engine = DiagramEngine(circuit, [(c.scope, node) for c, node in lowered.constraint_nodes])
        builder = Builder(engine, dict.fromkeys(scopes, records), 0)
        builder.store.budget = self.budget
        allowed, known = _allowed(builder), _known(builder)
        sizes: dict[str, int] = {}
        culprit = ""
        try:
            feasible = builder.feasible()
            for rule in circuit.rules:
                culprit = rule.id
                verdict = builder.node(rule.verdict)
                sizes[rule.id] = builder.store.size(verdict)
                both = builder.store.conjunction([verdict, feasible])
                if TRUE in builder.store.reachable(both, known):
                    self.satisfied.add(rule.id)
                elif TRUE in builder.store.reachable(both, allowed):
                    self.by_silence.add(rule.id)
            culprit = max(sizes, key=lambda name: (sizes[name], name), default="")
            built = builder.build()
        except EngineError:
            self._explosion(lowered, culprit)
            raise
        found = built.store.reachable(built.root, allowed)
        self.reached |= {t - FIRST_OUTCOME for t in found if t >= FIRST_OUTCOME}

    def _explosion(self, lowered: Lowered, culprit: str) -> None:
        rule = self.rulebase.rules.get(culprit)
        self.exploded = True
        self._add(
            Problem(
                "node_budget",
                Text(
                    f"“{lowered.profile}”的规则组合过于复杂（超过 {self.budget} 个节点），"
                    "请拆分此规则或减少其中的事实",
                    f"the rules of '{lowered.profile}' combine into more than {self.budget} "
                    "nodes: split this rule or let it ask about fewer facts",
                ),
                rule.span if rule else "",
                culprit,
            ),
            lowered.profile,
        )

    def _add(self, problem: Problem, key: str) -> None:
        self.problems.setdefault((problem.code, key), problem)

    # --- the answer --------------------------------------------------------------------------

    def report(self) -> Report:
        if not self.problems:
            for rule_id in sorted(self.in_force - self.satisfied):
                rule = self.rulebase.rules[rule_id]
                text = _NEVER if rule_id not in self.by_silence else _BY_SILENCE
                self._add(Problem("never_holds", text, rule.span, rule_id), rule_id)
        return Report(list(self.problems.values()), list(self._warnings()))

    def _warnings(self) -> Iterable[Problem]:
        for rule in self.rulebase.rules.values():
            if rule.kind in ("qualify", "bar") and rule.id not in self.in_force:
                text = Text(
                    "此规则在任何辖区都未施行（未被采纳或已失效）",
                    "this rule is in force in no profile (not adopted, or expired)",
                )
                yield Problem("never_in_force", text, rule.span, rule.id)
        if self.problems or self.exploded:
            return
        for i, outcome in enumerate(self.rulebase.outcomes):
            if i not in self.reached:
                text = Text(
                    f"没有案件会得到“{outcome.label.zh}”（{outcome.name}，第 {i + 1} 项）",
                    f"no case can have the outcome '{outcome.name}' (entry {i + 1})",
                )
                yield Problem("unreachable_outcome", text, "meta.outcomes")


def _allowed(builder: Builder) -> list[int]:
    """Every value of every fact; a condition over records holds by its records alone."""
    return [
        1 if variable.scope == "quantifier" else (1 << count) - 1
        for variable, count in zip(builder.variables, builder.store.variables, strict=True)
    ]


def _known(builder: Builder) -> list[int]:
    """The same with every fact known: closed leaves too have a value, never *silent*."""
    return [
        mask >> 1 if variable.closed and variable.scope != "quantifier" else mask
        for variable, mask in zip(builder.variables, _allowed(builder), strict=True)
    ]
