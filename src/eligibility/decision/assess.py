"""The core of a decision: facts to verdicts to the exact set of possible outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from eligibility.circuit.model import Verdicts
from eligibility.decision.derive import Derived, Known
from eligibility.decision.program import Program, Reading, overrides_mask
from eligibility.engines.diagram import Question
from eligibility.errors import FactsError, Problem, Text
from eligibility.vocabulary.model import CASE
from eligibility.vocabulary.payload import Case

NEED_INFO = "need_info"
_TRUE = 2  # of a compiled node
NO_SUCH_CASE = Problem(
    "impossible_combination",
    Text(
        "已知事实合在一起不可能成立：未知的事实无论如何，都与某项约束矛盾",
        "the known facts cannot be true together: whatever the unknown ones are, "
        "some constraint is violated",
    ),
    "case",
)


@dataclass(slots=True)
class Assessment:
    """A case assessed on a day.

    ``positions``: outcomes (by position in the rule base) that some completion of the
    unknown facts makes the first that holds; ``exact`` is False where this set may be too
    wide. ``question`` is the diagram asked, if it was needed.
    """

    program: Program
    case: Case
    derived: Derived
    reading: Reading
    overridden: int
    verdicts: Verdicts
    positions: tuple[int, ...]
    exact: bool
    warnings: list[Problem]
    _everything: Known | None = None
    _question: Question | None = None
    advised: tuple[str | None, dict[str, Text]] | None = None

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Names of the possible outcomes in the order of the rule base."""
        return outcome_names(self.program, self.positions)

    @property
    def outcome(self) -> str:
        names = self.outcomes
        return names[0] if len(names) == 1 else NEED_INFO

    def everything(self) -> Known:
        """Every derived fact, also those no rule asks about. Raises FactsError."""
        if self._everything is None:
            self._everything = self.program.derive_rest(self.derived, self.case)
        return self._everything

    def question(self) -> Question:
        """What is known, put to the diagram."""
        if self._question is None:
            self._question = self.program.diagram.question(
                self.reading.inputs, self.reading.records, self.overridden
            )
        return self._question


def assess(program: Program, case: Case, as_of: date, engine: str = "verified") -> Assessment:
    """Assess a case. Raises FactsError on contradictory facts, EngineError on disagreement."""
    derived = program.derive(case, as_of)
    return assessed(program, case, derived, program.read(derived), engine)


def assessed(
    program: Program, case: Case, derived: Derived, reading: Reading, engine: str
) -> Assessment:
    """The assessment of a case that is derived and read. Raises like :func:`assess`."""
    warnings: list[Problem] = []

    def warn(code: str, place: str, text: Text) -> None:
        warnings.append(Problem(code, text, place))

    refuse_impossible(program, reading)
    overridden = overrides_mask(case, program, warn) if case.overrides else 0
    verdicts = program.evaluate(reading, overridden, engine)
    positions, exact = possible_positions(program, reading, overridden, verdicts)
    if not positions:
        raise FactsError(NO_SUCH_CASE)
    return Assessment(
        program, case, derived, reading, overridden, verdicts, positions, exact, warnings
    )


def possible_positions(
    program: Program, reading: Reading, overridden: int, verdicts: Verdicts
) -> tuple[tuple[int, ...], bool]:
    """Kleene's outcome where it is single, else the exact set from the diagram.

    INVARIANT: the diagram's set lies inside Kleene's.
    """
    kleene = tuple(_bits(verdicts.outcomes))
    if len(outcome_names(program, kleene)) == 1:
        return kleene, True
    question = program.diagram.question(reading.inputs, reading.records, overridden)
    found = tuple(sorted(question.outcomes()))
    return found, question.exact


def outcome_names(program: Program, positions: Iterable[int]) -> tuple[str, ...]:
    outcomes = program.lowered.outcomes
    return tuple(dict.fromkeys(outcomes[p].name for p in sorted(positions)))


def _bits(mask: int) -> list[int]:
    return [i for i in range(mask.bit_length()) if mask >> i & 1]


def refuse_impossible(program: Program, reading: Reading) -> None:
    """Raises FactsError where known facts violate a constraint."""
    problems = []
    for constraint, body in program.constraints:
        case = constraint.scope == CASE
        rows: Sequence[Sequence[int]] = ((),) if case else reading.records.get(constraint.scope, ())
        for index, row in enumerate(rows):
            if body(reading.inputs, row) == _TRUE:
                kind = program.lowered.rulebase.vocabulary.records.get(constraint.scope)
                place = f"{kind.list_key}[{index}]" if kind else "case"
                problems.append(Problem("impossible_combination", constraint.message, place))
    if problems:
        raise FactsError(problems)
