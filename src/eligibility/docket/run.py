"""Dockets screened from files into a file: the one place where that is done.

The result appears when it is whole; whoever started the run is told how far it is after every
batch, and ends it by raising there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa

from eligibility.courts.register import Register
from eligibility.docket import tables
from eligibility.docket.facts import EXTRA, NOTHING, DocketFacts
from eligibility.docket.screening import COLUMNS, LISTS, Entry, Row, Screening
from eligibility.docket.tables import Meter
from eligibility.docket.tally import Tally
from eligibility.errors import Problem, Text

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
    out |= {column: NOTHING[column] for column in entry if column in NOTHING}
    named = {key: entry[key] for key in ("case_no", "court_id")}
    return out | named | {"error": f"{row.place}: {OTHER_COURT.line()}"}


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
    none, is rejected (``other_court``). None: no limit. ``facts``: put in where a row leaves
    them unknown, and shown in columns of their own. Raises MalformedInput where a file as a
    whole cannot be read or the result not be written; ``out`` is then as it was before.
    """
    kind = tables.suffix_of(out)
    tally = Tally()
    limit = None if courts is None else OwnCourts(screening.decider.register, courts)
    with tables.whole_file(out) as part:
        batches = _batches(screening, files, profile_column, limit, facts, progress, tally)
        tables.write_rows(part, kind, batches, schema_of(facts))
    return tally


def schema_of(facts: DocketFacts | None) -> pa.Schema:
    """The columns of a result."""
    schema = tables.result_schema()
    return pa.schema([*schema, *EXTRA]) if facts else schema


def screen_batch(
    screening: Screening, facts: DocketFacts | None, batch: Sequence[Row]
) -> list[Entry]:
    """The result of a batch of rows, with the columns of :func:`schema_of`."""
    rows, extra = facts.fill_rows(batch) if facts else (batch, [])
    found = list(screening.screen(rows))
    for entry, more in zip(found, extra, strict=bool(extra)):
        entry.update(more if entry["error"] is None else NOTHING)
    return found


def _batches(
    screening: Screening,
    files: Sequence[Path],
    profile_column: str | None,
    limit: OwnCourts | None,
    facts: DocketFacts | None,
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
            found = screen_batch(screening, facts, batch)
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
