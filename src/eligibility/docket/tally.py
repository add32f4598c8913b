"""What a screening found, counted as it goes; counts of parts add up to those of the whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

SHOWN_REJECTS = 20
MOST_COURTS = 10_000
"""Courts counted one by one; there are fewer, unless a column holds something else."""
OTHER_COURTS = "…"


@dataclass(slots=True)
class Tally:
    """Counts of the rows of a result; ``rejected`` holds the first reasons in full."""

    rows: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    courts: dict[str, Counter[str]] = field(default_factory=dict)
    rejected: list[str] = field(default_factory=list)
    rejects: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch of results."""
        self.rows += batch.num_rows
        errors = batch.column("error")
        refused = errors.drop_null()
        self.rejects += len(refused)
        self.rejected += refused.slice(0, SHOWN_REJECTS - len(self.rejected)).to_pylist()
        judged = batch.filter(errors.is_null()) if len(refused) else batch
        for found in judged.column("effective_rules").flatten().value_counts():
            self.rules[found["values"].as_py()] += found["counts"].as_py()
        keys = [judged.column(name).cast("string") for name in ("court_id", "outcome")]
        table = pa.table(keys, ["court", "outcome"])
        pairs = table.group_by(["court", "outcome"], use_threads=False)
        for found in pairs.aggregate([([], "count_all")]).to_pylist():
            self.outcomes[found["outcome"]] += found["count_all"]
            self._of_court(found["court"] or "")[found["outcome"]] += found["count_all"]

    def merge(self, later: Tally) -> None:
        """Add what was counted of the rows that follow.

        INVARIANT: parts merged in order give the tally of all their rows in order, as long as
        these have no more than ``MOST_COURTS`` courts.
        """
        self.rows += later.rows
        self.outcomes.update(later.outcomes)
        self.rules.update(later.rules)
        for court, found in later.courts.items():
            self._of_court(court).update(found)
        self.rejected = (self.rejected + later.rejected)[:SHOWN_REJECTS]
        self.rejects += later.rejects

    def _of_court(self, court: str) -> Counter[str]:
        if court not in self.courts and len(self.courts) >= MOST_COURTS:
            court = OTHER_COURTS
        return self.courts.setdefault(court, Counter())

    def as_dict(self) -> dict[str, Any]:
        """The summary as JSON data."""
        return {
            "rows": self.rows,
            "outcomes": dict(
                sorted(self.outcomes.items(), key=lambda found: (-found[1], found[0]))
            ),
            "rules": dict(sorted(self.rules.items())),
            "courts": {court: dict(sorted(n.items())) for court, n in sorted(self.courts.items())},
            "rejected": {"count": self.rejects, "first": self.rejected},
        }
