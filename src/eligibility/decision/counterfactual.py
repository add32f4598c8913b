"""What would have to change for a better outcome: what the court can do, what nobody can.

A set of changes counts only if every completion of the unknown facts is then better:
facts that stay unknown are universally quantified, so a shortest path in the diagram
would be wrong.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from eligibility.circuit.regions import Regions
from eligibility.decision.assess import Assessment, outcome_names
from eligibility.decision.questions import regions_of
from eligibility.engines.diagram import Question, outcomes_of
from eligibility.engines.mdd import FIRST_OUTCOME, Residual
from eligibility.errors import FactsError
from eligibility.vocabulary.model import CASE, Fact, Type
from eligibility.vocabulary.reader import inputs_of
from eligibility.vocabulary.values import Unfit, from_wire, shown, to_wire

LARGEST_SET = 3
MOST_TRIED = 300
SHOWN = 12
CHANNEL = "request_channel"
SUBMITTER = "submitting_court"
ANOTHER = "另一法院"
Found = tuple[tuple[int, ...], frozenset[int]]  # steps by position, and the outcomes after them


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one fact, with the variables it moves, and more that people are told."""

    fact: Fact
    path: str
    now: Any
    value: Any
    moves: tuple[tuple[int, int], ...]
    more: Mapping[str, Any]

    def entry(self) -> dict[str, Any]:
        """As people read it."""
        fact = self.fact
        return {
            "fact": fact.key,
            "path": self.path,
            "label": fact.label.as_dict(),
            "from": to_wire(fact, self.now),
            "to": to_wire(fact, self.value),
            "shown": shown(fact, self.value).as_dict(),
            **self.more,
        }


def counterfactual(assessment: Assessment, question: Question) -> dict[str, Any]:
    """``{can_do, cannot_change}``; both empty where no outcome is better."""
    ranks = [outcome.rank for outcome in assessment.program.lowered.outcomes]
    worst = min((ranks[p] for p in assessment.positions), default=0)
    if worst >= max(ranks):
        return {"can_do": [], "cannot_change": []}
    search = _Search(assessment, question, ranks, worst)
    steps = list(_court_steps(assessment, question))
    can = search.sets(steps)
    if not can and len(assessment.outcomes) == 1:
        can = search.sets(steps, certain=False, largest=2)
    choices = list(_other_choices(assessment, question))
    places = {place for choice in choices for place in choice.places}
    matters = search.matters(places)
    steps = [s for c in choices if not matters.isdisjoint(c.places) for s in c.steps(assessment)]
    cannot = search.sets(steps, largest=2, places=places)
    return {"can_do": can[:SHOWN], "cannot_change": cannot[:SHOWN]}


class _Tree:
    """The steps of a search. ``options``: what those from a position on could move, together."""

    def __init__(self, root: Residual, steps: list[Step], certain: bool) -> None:
        self.root = root
        self.steps = steps
        self.certain = certain
        self.options: list[Mapping[int, int]] = [{}]
        for step in reversed(steps):
            options = dict(self.options[-1])
            for place, mask in step.moves:
                options[place] = options.get(place, 0) | mask
            self.options.append(options)
        self.options.reverse()


class _Search:
    """Looks for the smallest sets of steps, cutting off what cannot lead anywhere."""

    def __init__(
        self, assessment: Assessment, question: Question, ranks: Sequence[int], worst: int
    ) -> None:
        self.assessment = assessment
        self.question = question
        self.ranks = ranks
        self.worst = worst
        self.worth = {FIRST_OUTCOME + i: rank for i, rank in enumerate(ranks)}
        self.tried = 0

    def matters(self, places: Set[int]) -> set[int]:
        """The variables that could change the outcome if these were free."""
        return set(self.question.freed(places).support())

    def sets(
        self,
        steps: list[Step],
        certain: bool = True,
        largest: int = LARGEST_SET,
        places: Set[int] | None = None,
    ) -> list[dict[str, Any]]:
        """Smallest sets of steps, no supersets of one already found.

        ``places``: the variables that count as free; by default those that the steps move.
        """
        if places is None:
            places = {place for step in steps for place, _ in step.moves}
        kept, key = self.question.built.kept, self._key(steps, certain, largest, places)
        found = kept.get(key)
        if found is None:
            found = self._sets(steps, certain, largest, places)
            kept.keep(key, found)
        return [
            self._entry([steps[i] for i in picked], outcomes, certain) for picked, outcomes in found
        ]

    def _key(self, steps: list[Step], certain: bool, largest: int, places: Set[int]) -> Hashable:
        """All that a search depends on: what is known, and what each step would move."""
        moves = tuple((step.path, step.moves) for step in steps)
        free = tuple(sorted(places))
        return (tuple(self.question.allowed), moves, free, self.worst, certain, largest)

    def _sets(
        self, steps: list[Step], certain: bool, largest: int, places: Set[int]
    ) -> list[Found]:
        root = self.question.freed(places)
        matters = set(root.support())
        useful = [s for s in steps if any(place in matters for place, _ in s.moves)]
        tree = _Tree(root, useful, certain)
        numbers = {id(step): i for i, step in enumerate(steps)}
        found: dict[frozenset[int], Found] = {}
        self.tried = 0
        for size in range(1, largest + 1):
            for picked in self._of_size(tree, 0, (), size):
                members = frozenset(numbers[id(step)] for step in picked)
                if self.tried > MOST_TRIED or any(smaller <= members for smaller in found):
                    continue
                self.tried += 1
                outcomes = self._after(root, picked)
                if self._better(outcomes, certain):
                    found[members] = tuple(numbers[id(step)] for step in picked), outcomes
        return list(found.values())

    def _of_size(
        self, tree: _Tree, first: int, picked: tuple[Step, ...], size: int
    ) -> Iterator[tuple[Step, ...]]:
        """Sets that extend ``picked`` by later steps to a size, while these could still help."""
        if size == 0:
            yield picked
            return
        if self.tried > MOST_TRIED or (tree.certain and not self._hope(tree, picked, first)):
            return
        for i in range(first, len(tree.steps)):
            step = tree.steps[i]
            if all(step.path != other.path for other in picked):
                yield from self._of_size(tree, i + 1, (*picked, step), size - 1)

    def _hope(self, tree: _Tree, picked: tuple[Step, ...], first: int) -> bool:
        """Whether some choice among the later steps could make every completion better."""
        self.tried += 1
        secured = tree.root.secured(self._taken(picked), tree.options[first], self.worth)
        return secured is not None and secured > self.worst

    def _taken(self, steps: tuple[Step, ...]) -> list[int]:
        allowed = list(self.question.allowed)
        for step in steps:
            for place, mask in step.moves:
                allowed[place] = mask
        return allowed

    def _after(self, root: Residual, steps: tuple[Step, ...]) -> frozenset[int]:
        return outcomes_of(root.reachable(self._taken(steps)))

    def _better(self, outcomes: frozenset[int], certain: bool) -> bool:
        if not outcomes:
            return False
        pick = min if certain else max
        return pick(self.ranks[p] for p in outcomes) > self.worst

    def _entry(
        self, steps: Sequence[Step], outcomes: frozenset[int], certain: bool
    ) -> dict[str, Any]:
        return {
            "steps": [step.entry() for step in steps],
            "outcomes": list(outcome_names(self.assessment.program, outcomes)),
            "certain": certain,
        }


# --- steps of the submitting court --------------------------------------------------------------


def _court_steps(assessment: Assessment, question: Question) -> Iterator[Step]:
    """Each step the submitting court can still take, with all that follows from it.

    Only facts count whose variables, if they were free, could change the outcome at all.
    """
    vocabulary = assessment.program.lowered.rulebase.vocabulary
    places = {
        (fact.key, index): found
        for fact in vocabulary.facts.values()
        if fact.action.by == SUBMITTER and fact.type is not Type.RECORDS
        for index in range(_records(assessment, fact.scope))
        if (found := _places(assessment, question, fact, index))
    }
    root = question.freed(place for found in places.values() for place in found)
    matters = set(root.support())
    for (key, index), found in places.items():
        if matters.intersection(found):
            yield from _steps_of(assessment, question, vocabulary.facts[key], index)


def _places(assessment: Assessment, question: Question, fact: Fact, index: int) -> list[int]:
    """The variables that a fact moves: its own and those of facts derived from it."""
    program = assessment.program
    return [
        place
        for scope, inputs in program.moved_by(fact.key).items()
        for i in ([index] if scope == fact.scope else range(_records(assessment, scope)))
        for place in question.places(scope, i, inputs)
    ]


def _records(assessment: Assessment, scope: str) -> int:
    return 1 if scope == CASE else len(assessment.case.records.get(scope, ()))


def _steps_of(assessment: Assessment, question: Question, fact: Fact, index: int) -> Iterator[Step]:
    as_of = assessment.derived.as_of
    now = assessment.derived.value(fact.scope, index, fact.key)
    if fact.derive is not None and now is not None and not _given(assessment, fact, index):
        return
    for value, tested, wait in _targets(assessment, fact, now, as_of):
        moves = _moves(assessment, question, fact, index, tested)
        if moves:
            more = {"how": fact.action.how, **({"wait_days": wait} if wait else {})}
            yield Step(fact, _path(assessment, fact, index), now, value, moves, more)


def _given(assessment: Assessment, fact: Fact, index: int) -> bool:
    case = assessment.case
    store = case.facts if fact.scope == CASE else case.records[fact.scope][index]
    return fact.key in store


def _targets(
    assessment: Assessment, fact: Fact, now: Any, as_of: date
) -> Iterator[tuple[Any, Any, int]]:
    """(value to reach, value to test with, days to wait) for each way to act on a fact."""
    to = fact.action.to
    if to == "known":
        if not isinstance(now, date):
            wait = int(assessment.program.lowered.parameters.get(fact.action.then_wait) or 0)
            tested = as_of - timedelta(days=wait + 1) if wait else as_of
            yield as_of, tested, wait
    elif to == "add":
        for value in fact.values:
            if value not in (now or ()):
                grown = frozenset({*(now or ()), value})
                yield grown, grown, 0
    elif to == "other":
        yield ANOTHER, ANOTHER, 0
    elif not isinstance(to, str):
        for raw in to:
            try:
                target = from_wire(fact, raw)
            except Unfit:
                continue
            if target is not None and target != now:
                yield target, target, 0


def _moves(
    assessment: Assessment, question: Question, fact: Fact, index: int, value: Any
) -> tuple[tuple[int, int], ...]:
    """The variables of the diagram that a changed fact moves, derived facts included."""
    program, before = assessment.program, assessment.reading
    try:
        known = program.if_given(assessment.derived, assessment.case, fact, index, value)
    except FactsError:
        return ()
    reading = program.read_again(before, known, fact.key)
    if reading is before:
        return ()
    changed = program.diagram.question(reading.inputs, reading.records, assessment.overridden)
    if changed.built is not question.built or changed.chosen != question.chosen:
        return ()
    return tuple(
        (i, mask)
        for i, (mask, before) in enumerate(zip(changed.allowed, question.allowed, strict=True))
        if mask != before
    )


# --- changes that are nobody's to make ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Choice:
    """A known fact that could have been otherwise; ``held``: the mask of its value.

    ``places``: the variables of the diagram that move with it.
    """

    regions: Regions
    index: int
    now: Any
    held: int
    places: tuple[int, ...]

    def steps(self, assessment: Assessment) -> Iterator[Step]:
        """One step for each other value."""
        fact = self.regions.fact
        more = {"held": fact.action.by}
        path = _path(assessment, fact, self.index)
        for mask, value in self.others(assessment.derived.as_of):
            moves = tuple((place, mask) for place in self.places)
            yield Step(fact, path, self.now, value, moves, more)

    def others(self, as_of: date) -> Iterator[tuple[int, Any]]:
        """The other values, with the mask of each."""
        for mask, value in self.regions.samples(as_of, self.now):
            if mask != self.held and _could_become(self.regions.fact, self.now, value):
                yield mask, value

    def open(self, as_of: date) -> bool:
        """Whether there is another value."""
        if _any_value_will_do(self.regions.fact):
            return not self.regions.sampled(as_of) <= {self.held}
        return next(self.others(as_of), None) is not None


def _other_choices(assessment: Assessment, question: Question) -> Iterator[_Choice]:
    """Every known fact that the court cannot change and that could have been otherwise."""
    as_of, left_out = assessment.derived.as_of, _left_out(assessment)
    for place, twins in question.built.choices:
        variable = question.built.variables[place]
        regions = regions_of(assessment, variable)
        fact = regions.fact
        if fact.key in left_out or fact.action.by == SUBMITTER or _counts_days(fact):
            continue
        index = question.index(variable)
        now = assessment.derived.value(fact.scope, index, fact.key)
        if now is None:
            continue
        choice = _Choice(regions, index, now, question.allowed[place], (place, *twins))
        if choice.open(as_of):
            yield choice


def _left_out(assessment: Assessment) -> set[str]:
    """Never the channel, and nothing by which an urge order would lapse."""
    vocabulary = assessment.program.lowered.rulebase.vocabulary
    out = {CHANNEL}
    for fact in vocabulary.derived_facts:
        if fact.derive is not None and fact.derive[0] in ("urge_result", "urge_expiry"):
            out |= {fact.key, *inputs_of(fact, vocabulary)}
    return out


def _could_become(fact: Fact, now: Any, value: Any) -> bool:
    """Not what a case is (its kind of title), and no hindrance more than it has."""
    if fact.type is Type.ENUM and fact.action.by == "nobody":
        return False
    return fact.type is not Type.SET or value <= now


def _any_value_will_do(fact: Fact) -> bool:
    """Whether :func:`_could_become` holds of every value."""
    kept = fact.type is Type.ENUM and fact.action.by == "nobody"
    return fact.type is not Type.SET and not kept


def _counts_days(fact: Fact) -> bool:
    """A count of days or months only grows: what time changes stands in ``changes_on``."""
    return fact.derive is not None and fact.unit in ("day", "month")


def _path(assessment: Assessment, fact: Fact, index: int) -> str:
    return assessment.case.path(fact.scope, index, fact.key, assessment.program.list_keys)
