"""What to ask, in which order, and what silence was taken for.

The facts to ask for are the variables left in the diagram after the known facts are put
in: a fact that cannot change the outcome is never asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eligibility.circuit.regions import Regions
from eligibility.circuit.truth import support
from eligibility.decision.assess import Assessment, outcome_names
from eligibility.decision.silence import Closed
from eligibility.engines.diagram import Question, Variable, outcomes_of
from eligibility.engines.mdd import IMPOSSIBLE, Residual
from eligibility.vocabulary.model import CASE, Fact
from eligibility.vocabulary.reader import inputs_of
from eligibility.vocabulary.values import to_wire

ORDERED_UP_TO = 20
SHOWN_RECORDS = 20


class Interview:
    """The questions of one assessment."""

    def __init__(self, assessment: Assessment, question: Question) -> None:
        self.assessment = assessment
        self.asked = question
        self.lowered = assessment.program.lowered
        self.vocabulary = self.lowered.rulebase.vocabulary
        self.cones = assessment.program.cones

    def paths(self) -> set[str]:
        """The paths of the question set, without its order: what a docket needs."""
        return {
            self._path(self._first_unknown(fact, index), index)
            for place in self.asked.freed().support()
            for fact, index in self._facts(self.asked.built.variables[place])
        }

    def questions(self) -> list[dict[str, Any]]:
        """The question set in its order: fewest questions expected to remain first."""
        left = self.asked.freed()
        ranked = sorted((self._rank(left, v), v) for v in left.support())
        out: dict[tuple[str, str], dict[str, Any]] = {}
        for _, place in ranked:
            for fact, index in self._facts(self.asked.built.variables[place]):
                self._ask(out, fact, index)
        return list(out.values())

    def _ask(self, out: dict[tuple[str, str], dict[str, Any]], fact: Fact, index: int) -> None:
        source = self._first_unknown(fact, index)
        path = self._path(source, index)
        entry = out.setdefault((path, source.key), self._entry(source, path))
        if source.key != fact.key:
            entry.setdefault("decides", [])
            if fact.key not in entry["decides"]:
                entry["decides"].append(fact.key)
        entry["rules"] = sorted({*entry["rules"], *self._rules(fact.key)})

    def _facts(self, variable: Variable) -> Iterator[tuple[Fact, int]]:
        """The fact to ask for, with its record.

        Where records are too many to stand in the diagram one by one, all that is unknown
        of those that leave the condition open: more than is needed, but never nothing.
        """
        if variable.scope != "quantifier":
            yield fact_of(self.assessment, variable), self.asked.index(variable)
            return
        program, reading = self.assessment.program, self.assessment.reading
        made = program.circuit.quantifiers[variable.input]
        names = support(program.circuit, made.body, made.scope)
        for index, record in enumerate(reading.records.get(made.scope, [])[:SHOWN_RECORDS]):
            if program.quantified.record(variable.input, reading.inputs, record) != 3:
                continue
            for fact in (self.vocabulary.facts[name] for name in names):
                near = fact.scope in (CASE, made.scope)
                if near and self.assessment.derived.value(fact.scope, index, fact.key) is None:
                    yield fact, index

    def _rank(self, left: Residual, variable: int) -> tuple[float, float, int, str]:
        """(questions expected to remain, minus share that settles, layer, key)."""
        name = self._key(self.asked.built.variables[variable])
        layer = self._layer(name)
        if len(left.support()) > ORDERED_UP_TO:
            return 0.0, 0.0, layer, name
        remaining, settled, answers = 0, 0, 0
        allowed = list(self.asked.allowed)
        for region in range(left.store.variables[variable]):
            if not self.asked.allowed[variable] >> region & 1:
                continue
            allowed[variable] = 1 << region
            then = left.restrict(allowed)
            if then.root == IMPOSSIBLE:
                continue
            answers += 1
            count = len(then.support())
            remaining += count
            settled += count == 0
        answers = answers or 1
        return remaining / answers, -settled / answers, layer, name

    def _key(self, variable: Variable) -> str:
        if variable.scope == "quantifier":
            return "~"
        return fact_of(self.assessment, variable).key

    def _layer(self, fact: str) -> int:
        order = list(self.lowered.rulebase.layers)
        found = [
            order.index(rule.layer)
            for rule, cone in zip(self.lowered.rules, self.cones, strict=True)
            if fact in cone
        ]
        return min(found, default=len(order))

    def _rules(self, fact: str) -> list[str]:
        """Rules still open, in verdict or in effect, that depend on a fact."""
        verdicts = self.assessment.verdicts
        undecided = (
            verdicts.possible & ~verdicts.true | verdicts.maybe_effective & ~verdicts.effective
        )
        return [
            rule.id
            for i, rule in enumerate(self.lowered.rules)
            if undecided >> i & 1 and fact in self.cones[i]
        ]

    def _first_unknown(self, fact: Fact, index: int) -> Fact:
        """A derived fact is asked for through its first unknown input."""
        derived = self.assessment.derived
        for name in inputs_of(fact, self.vocabulary):
            source = self.vocabulary.facts.get(name)
            if source is None or source.presume is not None or source.type == "records":
                continue
            near = source.scope in (CASE, fact.scope)
            if near and derived.value(source.scope, index, name) is None:
                return self._first_unknown(source, index)
        return fact

    def _path(self, fact: Fact, index: int) -> str:
        lists = self.assessment.program.list_keys
        return self.assessment.case.path(fact.scope, index, fact.key, lists)

    def _entry(self, fact: Fact, path: str) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "fact": fact.key,
            "path": path,
            "label": fact.label.as_dict(),
            "type": str(fact.type),
            "held_by": fact.held_by.as_dict(),
            "rules": [],
        }
        if fact.values:
            entry["values"] = {key: label.as_dict() for key, label in fact.values.items()}
        return entry


def fact_of(assessment: Assessment, variable: Variable) -> Fact:
    """The fact that a variable of the diagram stands for."""
    regions = regions_of(assessment, variable)
    return regions.fact


def regions_of(assessment: Assessment, variable: Variable) -> Regions:
    """The regions of a variable's fact."""
    lowered = assessment.program.lowered
    found = (
        lowered.regions[variable.input]
        if variable.scope == CASE
        else lowered.record_regions[variable.scope][variable.input]
    )
    assert found is not None
    return found


# --- presumptions -----------------------------------------------------------------------------


def presumed(assessment: Assessment, question: Question) -> list[dict[str, Any]]:
    """Every closed leaf and every derivation that rests on silence, and what it would change."""
    otherwise = _Otherwise(assessment, question)
    lists = assessment.program.list_keys
    facts, records = assessment.derived.facts, assessment.derived.records
    found: list[dict[str, Any]] = []
    for silence in assessment.program.silences:
        closed = silence.closed
        key, scope = closed.fact.key, closed.fact.scope
        if scope == CASE:
            if facts.get(key) is None:
                found.append(silence.told | {"outcomes_if_otherwise": otherwise.outcomes(closed)})
            continue
        for index, store in enumerate(records.get(scope, ())[:SHOWN_RECORDS]):
            if store.get(key) is None:
                path = assessment.case.path(scope, index, key, lists)
                outcomes = otherwise.outcomes(closed, index)
                found.append(silence.told | {"path": path, "outcomes_if_otherwise": outcomes})
    return [*found, *_derivations(assessment)]


class _Otherwise:
    """What a silent fact would change, asked of the diagram left when only these are free."""

    def __init__(self, assessment: Assessment, question: Question) -> None:
        self.assessment = assessment
        self.question = question
        silent = [
            place
            for place, (_, _, _, mask) in enumerate(question.built.plan)
            if mask and question.allowed[place] == mask
        ]
        twins = [question.built.twins[place] for place in silent]
        self.root = question.freed(place for place in [*silent, *twins] if place >= 0)
        self.now = list(assessment.outcomes)
        matter = [question.built.variables[place] for place in self.root.support()]
        self.asked = {
            (fact_of(assessment, v).key, question.index(v))
            for v in matter
            if v.scope != "quantifier"
        }

    def outcomes(self, closed: Closed, index: int = 0) -> list[str]:
        """The outcomes possible if the leaf were known to be otherwise."""
        fact, truth = closed.fact, closed.truth
        if (fact.key, index) not in self.asked:
            return self.now
        inputs = self.assessment.program.inputs_of_fact(fact)
        places = self.question.places(fact.scope, index, inputs)
        regions = regions_of(self.assessment, self.question.built.variables[places[0]])
        holds = regions.mask(closed.test)
        flipped = regions.unknown & ~holds if truth else holds
        found: set[int] = set()
        allowed = list(self.question.allowed)
        for region in range(regions.count):
            if flipped >> region & 1:
                for place in places:
                    allowed[place] = 1 << region
                found |= outcomes_of(self.root.reachable(allowed))
        return list(outcome_names(self.assessment.program, found))


def _derivations(assessment: Assessment) -> Iterator[dict[str, Any]]:
    vocabulary = assessment.program.lowered.rulebase.vocabulary
    for key, value in sorted(assessment.derived.presumptions.items()):
        fact = vocabulary.facts[key]
        yield {
            "fact": key,
            "path": key,
            "as": [] if value == () else to_wire(fact, value),
            "held_by": fact.held_by.as_dict(),
            "rules": list(assessment.program.resting_on(key)),
            "outcomes_if_otherwise": list(assessment.outcomes),
        }
