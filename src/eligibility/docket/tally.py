"""What a screening found, counted as it goes; counts of parts add up to those of the whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

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

    def add(self, entry: dict[str, Any]) -> None:
        """Count one row of a result."""
        self.rows += 1
        if entry["error"] is not None:
            self.rejects += 1
            if len(self.rejected) < SHOWN_REJECTS:
                self.rejected.append(entry["error"])
            return
        self.outcomes[entry["outcome"]] += 1
        self.rules.update(entry["effective_rules"])
        self._of_court(entry["court_id"] or "")[entry["outcome"]] += 1

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
            "outcomes": dict(self.outcomes.most_common()),
            "rules": dict(sorted(self.rules.items())),
            "courts": {court: dict(found) for court, found in sorted(self.courts.items())},
            "rejected": {"count": self.rejects, "first": self.rejected},
        }
