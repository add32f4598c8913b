"""Which cases to act on first: mandatory transfers, then the nearest deadline, then the amount.

A deadline is a change by time alone that a court must not sleep through: the transfer becomes
mandatory, what is open today is lost, or today's best outcome is certain no more. A change
for the better is none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from eligibility.docket.results import Codes, Ints, listed, outcomes_of
from eligibility.rulebase.model import OutcomeDef, Rulebase

NEED_INFO = "need_info"
DEADLINES = ("becomes_mandatory", "lost", "uncertain")
_NO_RANK, _NEVER = 1_000, np.iinfo(np.int64).max
_KEPT = ("case_no", "court_id", "outcome", "recommended_mode", "effective_rules")
Entry = dict[str, Any]


class Priorities:
    """Keeps the ``top`` cases of a result as its batches pass by. ``counts``: how many cases
    are mandatory, have a deadline, or may be crossed, with all that are not shown."""

    def __init__(self, rulebase: Rulebase, top: int) -> None:
        self.top = top
        self.outcomes = Codes(rulebase.outcome_labels)
        self.open = {o.name for o in rulebase.outcomes if o.when.get("kind") == "qualify"}
        self.mandatory = {o.name for o in rulebase.outcomes if o.when.get("layer") == "mandatory"}
        self.mandatory &= self.open
        self.ranks = _ranks(rulebase.outcomes)
        self.best_rank = max(self.ranks.values(), default=0)
        self.counts = dict.fromkeys(("mandatory", "deadline", "open"), 0)
        self.dated = False
        self._row = 0
        self._best: list[tuple[tuple[int, int, float, int], Entry]] = []

    def add(self, batch: pa.RecordBatch, amounts: pa.Array | None) -> None:
        outcomes = outcomes_of(batch, self.outcomes)
        then = self.outcomes.of(batch["changes_to"])
        dated = pc.is_valid(batch["changes_on"]).to_numpy(zero_copy_only=False)
        self.dated = self.dated or bool(dated.any())
        deadline = np.where(dated, self._deadlines(batch, outcomes, then), 0)
        mandatory, open_ = (self._among(outcomes, names) for names in (self.mandatory, self.open))
        for name, found in (
            ("mandatory", mandatory),
            ("deadline", deadline > 0),
            ("open", open_),
        ):
            self.counts[name] += int(found.sum())
        rows = np.flatnonzero(mandatory | open_ | (deadline > 0))
        keys = (~mandatory, _days(batch["changes_on"], deadline > 0), _less(amounts, batch))
        self._keep(batch, rows, keys, deadline, amounts)
        self._row += batch.num_rows

    def first(self) -> list[Entry]:
        """The cases in order."""
        return [entry for _, entry in self._best]

    def _among(self, outcomes: Ints, names: set[str]) -> NDArray[np.bool_]:
        return np.isin(outcomes, [self.outcomes.number(name) for name in names])

    def _deadlines(self, batch: pa.RecordBatch, outcomes: Ints, then: Ints) -> Ints:
        """For each row the kind of deadline that its change is, from 1; 0 where it is none."""
        lowest = np.full(batch.num_rows, _NO_RANK, dtype=np.int64)
        rows, possible = listed(batch, "possible_outcomes", self.outcomes)
        ranks = np.array([self.ranks.get(w, -1) for w in self.outcomes.words], dtype=np.int64)
        np.minimum.at(lowest, rows, ranks[possible])
        lowest[lowest == _NO_RANK] = -1
        after = np.where(then >= 0, ranks[then], _NO_RANK)
        lost = (after >= 0) & (after < lowest)
        uncertain = (then == self.outcomes.number(NEED_INFO)) & (lowest == self.best_rank)
        becomes = self._among(then, self.mandatory) & ~self._among(outcomes, self.mandatory)
        return np.select([becomes, lost, uncertain], [1, 2, 3], 0)

    def _keep(
        self,
        batch: pa.RecordBatch,
        rows: Ints,
        keys: tuple[NDArray[np.bool_], Ints, NDArray[np.float64]],
        deadline: Ints,
        amounts: pa.Array | None,
    ) -> None:
        """The best of the rows so far and these; ties in the order of the docket."""
        group, day, less = (key[rows] for key in keys)
        order = np.lexsort((rows, less, day, group))[: self.top]
        found = self._best
        for at in order.tolist():
            row = int(rows[at])
            key = (int(group[at]), int(day[at]), float(less[at]), self._row + row)
            if len(self._best) >= self.top and key > self._best[-1][0]:
                break
            entry = {name: batch[name][row].as_py() for name in _KEPT}
            kind = int(deadline[row])
            entry["deadline"] = DEADLINES[kind - 1] if kind else None
            for name in ("changes_on", "changes_to"):
                entry[name] = batch[name][row].as_py() if kind else None
            entry["amount_yuan"] = None if amounts is None else amounts[row].as_py()
            found = [*found, (key, entry)]
        self._best = sorted(found, key=lambda one: one[0])[: self.top]


def _ranks(outcomes: tuple[OutcomeDef, ...]) -> dict[str, int]:
    """How good each outcome is; one that stands twice by the lower."""
    out: dict[str, int] = {}
    for outcome in outcomes:
        out[outcome.name] = min(outcome.rank, out.get(outcome.name, outcome.rank))
    return out


def _days(column: pa.Array, wanted: NDArray[np.bool_]) -> Ints:
    """The day of each row as a number; a row that is not wanted comes last."""
    days = pc.strptime(column, format="%Y-%m-%d", unit="s", error_is_null=True)
    found = days.cast(pa.int64()).fill_null(_NEVER).to_numpy(zero_copy_only=False)
    return np.where(wanted, found, _NEVER)


def _less(amounts: pa.Array | None, batch: pa.RecordBatch) -> NDArray[np.float64]:
    """The smaller, the larger the amount; one that is not known comes last."""
    if amounts is None:
        return np.zeros(batch.num_rows)
    found = amounts.cast(pa.float64()).fill_null(-np.inf).to_numpy(zero_copy_only=False)
    return -np.where(np.isnan(found), -np.inf, found)
