"""Dockets screened from files into a file: the one place where that is done.

The result appears when it is whole; whoever started the run is told how far it is after every
batch, and ends it by raising there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from eligibility.courts.register import Register
from eligibility.docket import tables
from eligibility.docket.result_file import described
from eligibility.docket.screening import COLUMNS, LISTS, Entry, Row, Screening
from eligibility.docket.tables import Meter
from eligibility.errors import Problem, Text

SHOWN_REJECTS = 20
MOST_COURTS = 10_000
"""Courts counted one by one; there are fewer, unless a column holds something else."""
OTHER_COURTS = "…"
OTHER_COURT = Problem(
    "other_court",
    Text(
        "只能筛查凭据所限法院的案件，且案件须写明执行法院",
        "only cases of the caller's own courts, which must be named as executing court",
    ),
    "court_id",
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: rows answered in all, bytes read of all the files."""

    file: Path
    rows: int
    bytes_done: int
    bytes_total: int


class Tally:
    """What a screening found, counted as it goes."""

    def __init__(self) -> None:
        self.rows = 0
        self.outcomes: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.courts: dict[str, Counter[str]] = {}
        self.rejected: list[str] = []
        self.rejects = 0

    def add(self, entry: Entry) -> None:
        self.rows += 1
        if entry["error"] is not None:
            self.rejects += 1
            if len(self.rejected) < SHOWN_REJECTS:
                self.rejected.append(entry["error"])
            return
        self.outcomes[entry["outcome"]] += 1
        self.rules.update(entry["effective_rules"])
        court = entry["court_id"] or ""
        if court not in self.courts and len(self.courts) >= MOST_COURTS:
            court = OTHER_COURTS
        self.courts.setdefault(court, Counter())[entry["outcome"]] += 1

    def as_dict(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "outcomes": dict(self.outcomes.most_common()),
            "rules": dict(sorted(self.rules.items())),
            "courts": {court: dict(found) for court, found in sorted(self.courts.items())},
            "rejected": {"count": self.rejects, "first": self.rejected},
        }


class OwnCourts:
    """Withholds the answers on cases of other courts, as ``POST /v1/decisions`` refuses them."""

    def __init__(self, register: Register, courts: frozenset[str]) -> None:
        self._register, self._courts = register, courts

    def kept(self, rows: Sequence[Row], entries: Sequence[Entry]) -> list[Entry]:
        """The entries of the rows; where the court is none of its own, a reason instead."""
        # INVARIANT: no entry with an outcome names a court outside ``courts``
        return [
            entry
            if entry["error"] is not None or self._own(entry["court_id"])
            else _of_other(r, entry)
            for r, entry in zip(rows, entries, strict=True)
        ]

    def _own(self, named: str | None) -> bool:
        court = self._register.find(named)
        return (court.id if court else named) in self._courts


def _of_other(row: Row, entry: Entry) -> Entry:
    out: Entry = {column: [] if column in LISTS else None for column in COLUMNS}
    named = {key: entry[key] for key in ("case_no", "court_id")}
    return out | named | {"error": f"{row.place}: {OTHER_COURT.line()}"}


def run(
    screening: Screening,
    files: Sequence[Path],
    out: Path,
    *,
    profile_column: str | None = None,
    courts: frozenset[str] | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Tally:
    """Screen the files, in order, into ``out``; both kinds are told by their suffix.

    ``courts``: ids of the executing courts whose cases are answered; a case of another, or of
    none, is rejected (``other_court``). None: no limit. Raises MalformedInput where a file as a
    whole cannot be read or the result not be written; ``out`` is then as it was before.
    """
    kind = tables.suffix_of(out)
    tally = Tally()
    limit = None if courts is None else OwnCourts(screening.decider.register, courts)
    with tables.whole_file(out) as part:
        batches = _batches(screening, files, profile_column, limit, progress, tally)
        schema = described(tables.result_schema(), _about(screening))
        tables.write_rows(part, kind, batches, schema)
    return tally


def _about(screening: Screening) -> dict[str, Any]:
    """What a result rests on, for its metadata."""
    base = screening.decider.rulebase
    return {
        "as_of": screening.as_of.isoformat() if screening.as_of else None,
        "made_on": screening.today.isoformat(),
        "dates": screening.dates,
        "rulebase": {"version": base.version, "digest": base.digest},
    }


def _batches(
    screening: Screening,
    files: Sequence[Path],
    profile_column: str | None,
    limit: OwnCourts | None,
    progress: Callable[[Progress], None],
    tally: Tally,
) -> Iterator[list[Entry]]:
    """Batches of results, counted and told of."""
    vocabulary = screening.decider.rulebase.vocabulary
    total, before = _size(files), 0
    for path in files:
        meter = Meter()
        rows: Iterator[Row] = tables.read_rows(path, vocabulary, profile_column, meter)
        while batch := list(islice(rows, tables.BATCH)):
            found = list(screening.screen(batch))
            if limit is not None:
                found = limit.kept(batch, found)
            for entry in found:
                tally.add(entry)
            progress(Progress(path, tally.rows, before + meter.done(), total))
            yield found
        before += _size([path])
        progress(Progress(path, tally.rows, before, total))


def _size(files: Sequence[Path]) -> int:
    return sum(path.stat().st_size for path in files if path.is_file())
