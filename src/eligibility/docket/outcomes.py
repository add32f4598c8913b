"""The sets of possible outcomes of whole batches, as numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from eligibility.decision.assess import outcome_names
from eligibility.decision.program import Program
from eligibility.docket.answers import distinct, packed
from eligibility.docket.columns import Bits, Columns, Ints
from eligibility.docket.feeding import Feed
from eligibility.docket.open_cases import OpenCases
from eligibility.docket.turning import ALONE, IMPOSSIBLE
from eligibility.engines.docket import BatchVerdicts, Evaluation


class PossibleOutcomes:
    """What :class:`eligibility.docket.turning.Turning` asks.

    ``names[code]``: the outcomes that a number stands for. INVARIANT: for a row that is not odd
    they are those of ``decision.assess`` for that case on its day.
    """

    def __init__(self, feed_of: Callable[[Program], Feed], open_cases: OpenCases) -> None:
        self.feed_of, self.open_cases = feed_of, open_cases
        self.names: list[tuple[str, ...]] = []
        self._codes: dict[tuple[str, ...], int] = {}
        self._masks: dict[tuple[int, int], tuple[str, ...]] = {}

    def __call__(self, program: Program, columns: Columns) -> Ints:
        """The number of each row of a batch whose facts are not derived yet; fills them in."""
        feed = self.feed_of(program)
        _, evaluation = feed.read(columns)
        impossible = feed.impossible(evaluation)
        return self.codes(program, evaluation, evaluation.verdicts(), columns.odd, impossible)

    def codes(
        self,
        program: Program,
        evaluation: Evaluation,
        verdicts: BatchVerdicts,
        odd: Bits,
        impossible: Bits,
    ) -> Ints:
        """The same for a batch that was read; ``odd``: for other reasons than ``impossible``."""
        masks, _, which = distinct(packed(verdicts.outcomes.T))
        found = [self._code(program, mask) for mask in masks]
        out = np.array(found, dtype=np.int64)[which]
        out[impossible] = IMPOSSIBLE
        out[odd] = ALONE
        several = np.array([code >= 0 and len(self.names[code]) > 1 for code in found], dtype=bool)
        left = np.flatnonzero(several[which] & (out >= 0))
        if left.size:
            asked = self.open_cases.question(program, evaluation, left)
            self.open_cases.answer([asked])
            numbers, which = np.unique(asked.remainders, return_inverse=True)
            kept = [self.open_cases.remainder(int(number)).outcomes for number in numbers]
            codes = [self._number(outcome_names(program, outcomes)) for outcomes in kept]
            out[left] = np.array(codes, dtype=np.int64)[which]
        return out

    def _code(self, program: Program, mask: int) -> int:
        """The number of the outcomes that Kleene's logic leaves, as a mask of positions."""
        key = (id(program), mask)
        found = self._masks.get(key)
        if found is None:
            held = [i for i in range(mask.bit_length()) if mask >> i & 1]
            found = self._masks[key] = outcome_names(program, held)
        return self._number(found)

    def _number(self, names: tuple[str, ...]) -> int:
        if not names:
            return IMPOSSIBLE
        found = self._codes.get(names)
        if found is None:
            found = self._codes[names] = len(self.names)
            self.names.append(names)
        return found
