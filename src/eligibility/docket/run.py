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

import numpy as np
import pyarrow as pa

from eligibility.courts.register import Register
from eligibility.docket import tables
from eligibility.docket.batches import ahead, beside, screened, write_batches
from eligibility.docket.facts import EXTRA, DocketFacts
from eligibility.docket.result_file import described
from eligibility.docket.results import COLUMNS, LISTS, Entry, replaced, result_schema
from eligibility.docket.screening import Screening
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
        pairs = table.group_by(["court", "outcome"], use_threads=False)
        for found in pairs.aggregate([([], "count_all")]).to_pylist():
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


class OwnCourts:
    """Withholds the answers on cases of other courts, as ``POST /v1/decisions`` refuses them."""

    def __init__(self, register: Register, courts: frozenset[str]) -> None:
        self._register, self._courts = register, courts

    def kept(self, batch: pa.RecordBatch, place: Callable[[int], str]) -> pa.RecordBatch:
        """The results; where the court is none of its own, a reason instead.

        ``place``: of each row of the batch in its file.
        """
        # INVARIANT: no entry with an outcome names a court outside ``courts``
        named = batch.column("court_id").cast("string").dictionary_encode()
        words = [self._own(word) for word in named.dictionary.to_pylist()]
        codes = named.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
        own = np.array([*words, self._own(None)], dtype=bool)[codes]
        judged = np.asarray(batch.column("error").is_null())
        others = judged & ~own
        if not others.any():
            return batch
        held = batch.select(["case_no", "court_id"]).filter(pa.array(others)).to_pylist()
        rows = np.flatnonzero(others).tolist()
        entries = [_of_other(place(row), entry) for row, entry in zip(rows, held, strict=True)]
        return replaced(batch, entries, others)

    def _own(self, named: str | None) -> bool:
        court = self._register.find(named)
        return (court.id if court else named) in self._courts


def _of_other(place: str, named: Entry) -> Entry:
    out: Entry = {column: [] if column in LISTS else None for column in COLUMNS}
    return out | named | {"error": f"{place}: {OTHER_COURT.line()}"}


def run(
    screening: Screening,
    files: Sequence[Path],
    out: Path,
    *,
    profile_column: str | None = None,
    courts: frozenset[str] | None = None,
    facts: DocketFacts | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Tally:
    """Screen the files, in order, into ``out``; both kinds are told by their suffix.

    ``courts``: ids of the executing courts whose cases are answered; a case of another, or of
    none, is rejected (``other_court``). None: no limit. ``facts``: those of the docket, put where
    a row leaves them unknown; they add columns to the result. Raises MalformedInput where a file
    as a whole cannot be read or the result not be written; ``out`` is then as it was before.
    """
    kind = tables.suffix_of(out)
    tally = Tally()
    limit = None if courts is None else OwnCourts(screening.decider.register, courts)
    with tables.whole_file(out) as part:
        batches = _batches(screening, files, profile_column, limit, facts, progress, tally)
        schema = result_schema() if facts is None else pa.schema([*result_schema(), *EXTRA])
        write_batches(part, kind, batches, described(schema, _about(screening)))
    return tally


def _about(screening: Screening) -> dict[str, Any]:
    """What a result rests on, for its metadata."""
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
    limit: OwnCourts | None,
    facts: DocketFacts | None,
    progress: Callable[[Progress], None],
    tally: Tally,
) -> Iterator[pa.RecordBatch]:
    """Batches of results, counted and told of."""
    total, before = _size(files), 0
    for path in files:
        for found in ahead(screened(screening, path, profile_column, facts)):
            batch = found.batch if limit is None else limit.kept(found.batch, found.place)
            batch = beside(batch, found.more)
            tally.add(batch)
            progress(Progress(path, tally.rows, before + found.bytes_done, total))
            yield batch
        before += _size([path])
        progress(Progress(path, tally.rows, before, total))


def _size(files: Sequence[Path]) -> int:
    return sum(path.stat().st_size for path in files if path.is_file())
