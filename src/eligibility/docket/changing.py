"""On which day time alone changes the outcomes of the cases of a batch, and to what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np

from eligibility.decision.assess import NEED_INFO
from eligibility.decision.program import Program, Programs
from eligibility.docket.columns import Bits, Columns, Ints, numbered
from eligibility.docket.deriving import Batch
from eligibility.docket.feeding import Feed
from eligibility.docket.open_cases import OpenCases
from eligibility.docket.outcomes import PossibleOutcomes
from eligibility.docket.turning import NO_DAY, Turning
from eligibility.engines.docket import BatchVerdicts, Evaluation


@dataclass(slots=True)
class Changes:
    """The rows that change, with the day and the outcome of each as words.

    ``alone``: rows of a batch of which it is not certain.
    """

    rows: Ints
    days: tuple[list[str | None], Ints]
    outcomes: tuple[list[str | None], Ints]
    alone: Bits


class Changing:
    """Finds the changes of batches; keeps what belongs to a program."""

    def __init__(
        self,
        programs: Programs,
        feed_of: Callable[[Program], Feed],
        open_cases: OpenCases,
    ) -> None:
        self.programs, self.feed_of = programs, feed_of
        self.outcomes = PossibleOutcomes(feed_of, open_cases)
        self._turning: dict[int, Turning] = {}

    def changes(
        self,
        program: Program,
        given: Columns,
        derived: Batch,
        evaluation: Evaluation,
        verdicts: BatchVerdicts,
    ) -> Changes:
        """``given``: the batch before its facts were derived, ``derived``: after."""
        feed = self.feed_of(program)
        turning = self._turning.get(id(program))
        if turning is None:
            turning = Turning(self.programs, program, feed.derivations, self.outcomes)
            self._turning[id(program)] = turning
        impossible, odd = feed.impossible(evaluation), derived.columns.odd
        now = self.outcomes.codes(program, evaluation, verdicts, odd, impossible)
        turned = turning.first_changes(given, derived, evaluation, now)
        rows = np.flatnonzero(turned.day != NO_DAY)
        days, of_day = numbered(turned.day[rows])
        sets, of_set = numbered(turned.outcomes[rows])
        said: list[str | None] = []
        for code in sets.tolist():
            names = self.outcomes.names[code]
            said.append(names[0] if len(names) == 1 else NEED_INFO)
        listed: list[str | None] = [date.fromordinal(day).isoformat() for day in days.tolist()]
        return Changes(rows, (listed, of_day), (said, of_set), turned.alone)
