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

from eligibility.docket.result_file import Codes, Ints, listed, outcomes_of
from eligibility.rulebase.model import OutcomeDef, Rulebase

NEED_INFO = "need_info"
GROUPS = ("mandatory", "deadline", "open")
DEADLINES = ("becomes_mandatory", "lost", "uncertain")
_NO_RANK, _NEVER = 1_000, np.iinfo(np.int64).max
_KEPT = ("case_no", "court_id", "outcome", "recommended_mode", "effective_rules")
Entry = dict[str, Any]
Key = tuple[int, float, int]  # day, how much less than the largest amount, row


class Priorities:
    """Keeps the first ``top`` cases of each of :data:`GROUPS` as the batches of a result pass
    by; a case is in one group only. ``counts``: how many each has, with all not kept."""

    def __init__(self, rulebase: Rulebase, top: int) -> None:
        self.top = top
        self.outcomes = Codes()
        self.open = {o.name for o in rulebase.outcomes if o.when.get("kind") == "qualify"}
        self.mandatory = {o.name for o in rulebase.outcomes if o.when.get("layer") == "mandatory"}
        self.mandatory &= self.open
        self.ranks = _ranks(rulebase.outcomes)
        self.best_rank = max(self.ranks.values(), default=0)
        self.counts = dict.fromkeys(GROUPS, 0)
        self.dated = False
        self._row = 0
        self._best: dict[str, list[tuple[Key, Entry]]] = {name: [] for name in GROUPS}

    def add(self, batch: pa.RecordBatch, amounts: pa.Array | None) -> None:
        outcomes = outcomes_of(batch, self.outcomes)
        then = self.outcomes.of(batch["changes_to"])
        dated = pc.is_valid(batch["changes_on"]).to_numpy(zero_copy_only=False)
        self.dated = self.dated or bool(dated.any())
        deadline = np.where(dated, self._deadlines(batch, outcomes, then), 0)
        mandatory, open_ = (self._among(outcomes, names) for names in (self.mandatory, self.open))
        group = np.select([mandatory, deadline > 0, open_], [0, 1, 2], -1)
        keys = _days(batch["changes_on"], deadline > 0), _less(amounts, batch)
        for number, name in enumerate(GROUPS):
            rows = np.flatnonzero(group == number)
            self.counts[name] += len(rows)
            self._keep(name, batch, rows, keys, deadline, amounts)
        self._row += batch.num_rows

    def first(self) -> dict[str, list[Entry]]:
        """The cases kept, by group, in order."""
        return {name: [entry for _, entry in kept] for name, kept in self._best.items()}

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
        name: str,
        batch: pa.RecordBatch,
        rows: Ints,
        keys: tuple[Ints, NDArray[np.float64]],
        deadline: Ints,
        amounts: pa.Array | None,
    ) -> None:
        """The best of the rows so far and these; ties in the order of the docket."""
        day, less = (key[rows] for key in keys)
        kept = self._best[name]
        found = list(kept)
        for at in np.lexsort((rows, less, day))[: self.top].tolist():
            row = int(rows[at])
            key = int(day[at]), float(less[at]), self._row + row
            if len(kept) >= self.top and key > kept[-1][0]:
                break
            amount = None if amounts is None else amounts[row].as_py()
            found.append((key, self._entry(batch, row, int(deadline[row]), amount)))
        self._best[name] = sorted(found, key=lambda one: one[0])[: self.top]

    def _entry(self, batch: pa.RecordBatch, row: int, deadline: int, amount: float | None) -> Entry:
        entry = {name: batch[name][row].as_py() for name in _KEPT}
        entry["effective_rules"] = entry["effective_rules"] or []  # CSV has no empty lists
        entry["deadline"] = DEADLINES[deadline - 1] if deadline else None
        for name in ("changes_on", "changes_to"):
            entry[name] = batch[name][row].as_py() if deadline else None
        return entry | {"amount_yuan": amount}


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
