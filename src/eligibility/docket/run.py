"""Dockets screened from files into a file: the one place where that is done.

The result appears when it is whole; whoever started the run is told how far it is after every
batch, and ends it by raising there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from eligibility.docket import tables
from eligibility.docket.batches import ahead, screened, write_batches
from eligibility.docket.facts import EXTRA, DocketFacts
from eligibility.docket.result_file import described
from eligibility.docket.results import result_schema
from eligibility.docket.screening import Screening
from eligibility.docket.tables import Meter

SHOWN_REJECTS = 20
MOST_COURTS = 10_000
"""Courts counted one by one; there are fewer, unless a column holds something else."""
OTHER_COURTS = "…"


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

    def add(self, batch: pa.RecordBatch) -> None:
        """A batch of results."""
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
        pairs = table.group_by(["court", "outcome"], use_threads=False).aggregate(
            [([], "count_all")]
        )
        for found in pairs.to_pylist():
            self._count(found["court"] or "", found["outcome"], found["count_all"])

    def _count(self, court: str, outcome: str, cases: int) -> None:
        self.outcomes[outcome] += cases
        if court not in self.courts and len(self.courts) >= MOST_COURTS:
            court = OTHER_COURTS
        self.courts.setdefault(court, Counter())[outcome] += cases

    def as_dict(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "outcomes": dict(self.outcomes.most_common()),
            "rules": dict(sorted(self.rules.items())),
            "courts": {court: dict(found) for court, found in sorted(self.courts.items())},
            "rejected": {"count": self.rejects, "first": self.rejected},
        }


def run(
    screening: Screening,
    files: Sequence[Path],
    out: Path,
    *,
    profile_column: str | None = None,
    facts: DocketFacts | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Tally:
    """Screen the files, in order, into ``out``; both kinds are told by their suffix.

    ``facts``: those of the docket, put where a row leaves them unknown; they add columns to the
    result. Raises MalformedInput where a file as a whole cannot be read or the result not be
    written; ``out`` is then as it was before.
    """
    kind = tables.suffix_of(out)
    tally = Tally()
    with tables.whole_file(out) as part:
        found = _batches(screening, files, profile_column, facts, progress, tally)
        schema = result_schema() if facts is None else pa.schema([*result_schema(), *EXTRA])
        write_batches(part, kind, ahead(found), described(schema, _about(screening)))
    return tally


def _about(screening: Screening) -> dict[str, Any]:
    """What a result rests on."""
    base, as_of = screening.decider.rulebase, screening.as_of
    return {
        "as_of": None if as_of is None else as_of.isoformat(),
        "made_on": screening.today.isoformat(),
        "dates": screening.dates,
        "rulebase": {"version": base.version, "digest": base.digest},
    }


def _batches(
    screening: Screening,
    files: Sequence[Path],
    profile_column: str | None,
    facts: DocketFacts | None,
    progress: Callable[[Progress], None],
    tally: Tally,
) -> Iterator[pa.RecordBatch]:
    """Batches of results, counted and told of."""
    total, before = _size(files), 0
    for path in files:
        meter = Meter()
        for batch in screened(screening, path, profile_column, facts, meter):
            tally.add(batch)
            progress(Progress(path, tally.rows, before + meter.done(), total))
            yield batch
        before += _size([path])
        progress(Progress(path, tally.rows, before, total))


def _size(files: Sequence[Path]) -> int:
    return sum(path.stat().st_size for path in files if path.is_file())
