"""Dockets screened from files into a file: the one place where that is done.

The result appears when it is whole; whoever started the run is told how far it is at the start
and after every batch, and ends it by raising there. A large docket is judged by several processes
(:mod:`~eligibility.docket.crew`); this one counts and writes what they find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from eligibility.courts.register import Register
from eligibility.docket import tables
from eligibility.docket.batches import Screened, ahead, beside, screened, write_batches
from eligibility.docket.crew import Bench, Crew, Order
from eligibility.docket.facts import EXTRA, DocketFacts
from eligibility.docket.mentions import Mentions, read_mentions
from eligibility.docket.parcels import disclosed, enclosed
from eligibility.docket.references import Reference, references_of, rows_about, whole_file
from eligibility.docket.result_file import described
from eligibility.docket.results import COLUMNS, LISTS, Entry, replaced, result_schema
from eligibility.docket.screening import Screening
from eligibility.docket.tally import Tally
from eligibility.errors import Problem, Text

MANY_ROWS = 100_000
"""So many rows are worth several processes."""
ROWS_A_REFERENCE = 1 << 16
"""Few, so that no process waits for another at the end."""
Gather = Callable[[Iterable[Mentions]], DocketFacts]

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
    workers: int = 1,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Tally:
    """Screen the files, in order, into ``out``; both kinds are told by their suffix.

    ``courts``: ids of the executing courts whose cases are answered; a case of another, or of
    none, is rejected (``other_court``). None: no limit. ``facts``: those of the docket, put where
    a row leaves them unknown; they add columns to the result. ``workers``: see :func:`crew_for`.
    Raises MalformedInput where a file as a whole cannot be read or the result not be written;
    ``out`` is then as it was before.
    """
    with crew_for(screening, files, out, workers) as crew:
        if crew is not None and facts is not None:
            facts = crew.share(facts)
        wishes = Wishes(profile_column, courts)
        return _run(screening, files, out, wishes, facts, crew, progress)


def run_docket(
    screening: Screening,
    files: Sequence[Path],
    out: Path,
    gather: Gather | None,
    *,
    profile_column: str | None = None,
    courts: frozenset[str] | None = None,
    workers: int = 1,
    progress: Callable[[Progress], None] = lambda _: None,
) -> tuple[Tally, DocketFacts | None]:
    """As :func:`run`, with the facts of this docket, which it reads first.

    ``gather``: makes them of the mentions of all rows; without it there are none.
    """
    with crew_for(screening, files, out, workers) as crew:
        facts = None
        if gather is not None:
            vocabulary = screening.decider.rulebase.vocabulary
            said = (one for path in files for one in read_mentions(path, vocabulary))
            facts = gather(ahead(said))
            if crew is not None:
                facts = crew.share(facts)
                pa.default_memory_pool().release_unused()
        wishes = Wishes(profile_column, courts)
        return _run(screening, files, out, wishes, facts, crew, progress), facts


@contextmanager
def crew_for(
    screening: Screening, files: Sequence[Path], out: Path, workers: int
) -> Iterator[Crew | None]:
    """Processes that screen so many cases, ``workers`` at most; None where one is enough.

    A process takes a second or two to start, so few cases are screened here.
    """
    size = 1
    if workers > 1 and rows_about(files) >= MANY_ROWS:
        size = min(workers, len(references_of(files, workers, ROWS_A_REFERENCE)))
    if size == 1:
        yield None
        return
    with Crew(Order.of(screening), size, out) as crew:
        yield crew


def _run(
    screening: Screening,
    files: Sequence[Path],
    out: Path,
    wishes: Wishes,
    facts: DocketFacts | None,
    crew: Crew | None,
    progress: Callable[[Progress], None],
) -> Tally:
    kind = tables.suffix_of(out)
    tally = Tally()
    with tables.whole_file(out) as part:
        if crew is None:
            found = _alone(screening, files, wishes, facts)
        else:
            found = _together(crew, files, wishes)
        batches = _told(found, files, tally, progress)
        write_batches(part, kind, batches, schema_of(screening, facts))
    return tally


def schema_of(screening: Screening, facts: DocketFacts | None) -> pa.Schema:
    """The columns of a result, and what it rests on."""
    schema = result_schema() if facts is None else pa.schema([*result_schema(), *EXTRA])
    return described(schema, _about(screening))


def _about(screening: Screening) -> dict[str, Any]:
    """What a result rests on, for its metadata."""
    base, as_of = screening.decider.rulebase, screening.as_of
    return {
        "as_of": None if as_of is None else as_of.isoformat(),
        "made_on": screening.today.isoformat(),
        "dates": screening.dates,
        "rulebase": {"version": base.version, "digest": base.digest},
    }


# --- batches ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is the same for all rows: the column of profiles, and courts, as :func:`run` takes
    them.
    """

    profile_column: str | None
    courts: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Judged:
    """A batch of the result, of a file that was read so far in bytes; ``tally``: of its rows."""

    batch: pa.RecordBatch
    file: Path
    bytes_done: int
    tally: Tally


def _alone(
    screening: Screening, files: Sequence[Path], wishes: Wishes, facts: DocketFacts | None
) -> Iterator[Judged]:
    """The batches of the files, judged here."""
    for path in files:
        found = screened(screening, whole_file(path), wishes.profile_column, facts)
        yield from _counted(screening, ahead(found), path, wishes)


def _together(crew: Crew, files: Sequence[Path], wishes: Wishes) -> Iterator[Judged]:
    """The same, judged by a crew that shares the facts of the docket."""
    references = references_of(files, crew.size, ROWS_A_REFERENCE)
    for found in crew.each(partial(judge_reference, wishes=wishes), references):
        yield replace(found, batch=disclosed(found.batch))


def judge_reference(bench: Bench, reference: Reference, wishes: Wishes) -> Iterator[Judged]:
    """What a process of a crew does: batches, each in one buffer."""
    screening, facts = bench.screening, bench.shared
    found = screened(screening, reference, wishes.profile_column, facts, threads=False)
    for one in _counted(screening, found, Path(reference.name), wishes):
        yield replace(one, batch=enclosed(one.batch))


def _counted(
    screening: Screening, found: Iterator[Screened], file: Path, wishes: Wishes
) -> Iterator[Judged]:
    """What is withheld is put in its place, and the rows are counted."""
    limit = None
    if wishes.courts is not None:
        limit = OwnCourts(screening.decider.register, wishes.courts)
    for one in found:
        batch = one.batch if limit is None else limit.kept(one.batch, one.place)
        batch = beside(batch, one.more)
        tally = Tally()
        tally.add(batch)
        yield Judged(batch, file, one.bytes_done, tally)


def _told(
    found: Iterator[Judged],
    files: Sequence[Path],
    tally: Tally,
    progress: Callable[[Progress], None],
) -> Iterator[pa.RecordBatch]:
    """The batches, counted in ``tally`` and told of."""
    total, before = 0, dict[Path, int]()
    for path in files:
        before[path] = total
        total += path.stat().st_size if path.is_file() else 0
    if files:
        progress(Progress(files[0], 0, 0, total))
    for one in found:
        tally.merge(one.tally)
        progress(Progress(one.file, tally.rows, before[one.file] + one.bytes_done, total))
        yield one.batch
    if files:
        progress(Progress(files[-1], tally.rows, total, total))
