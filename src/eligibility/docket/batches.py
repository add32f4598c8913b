"""Docket files screened a batch at a time, reading, judging and writing side by side.

Each stage runs in a thread and is at most one batch ahead of the next, so memory is bounded
by the size of a batch and the order of the rows is that of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from eligibility.docket import tables
from eligibility.docket.facts import EXTRA, NOTHING, DocketFacts
from eligibility.docket.references import Reference, rows_of, under_own_name
from eligibility.docket.results import Row, replaced
from eligibility.docket.screening import Prepared, Screening
from eligibility.docket.sheets import Block, read_blocks

ROWS = 1 << 16
ROWS_ALONE = 1 << 15  # where several processes hold rows
DATED_ROWS = 1 << 14  # a case is then judged on several days
LARGE_GROUP = 1 << 14
"""Columns of words are read as such where the groups of a file have at least so many rows."""
T = TypeVar("T")
_END: Any = object()


@dataclass(frozen=True, slots=True)
class Screened:
    """The results of one batch. ``more``: the columns that the facts of the docket add to it, if
    any; ``place``: of each row in its file; ``bytes_done``: how much of the file was read.
    """

    batch: pa.RecordBatch
    more: pa.RecordBatch | None
    place: Callable[[int], str]
    bytes_done: int


def screened(
    screening: Screening,
    reference: Reference,
    profile_column: str | None,
    facts: DocketFacts | None = None,
    *,
    threads: bool = True,
) -> Iterator[Screened]:
    """The results of a docket file or some of its row groups, batch by batch, in order.

    ``facts``: those of the docket, put where a row leaves them unknown. ``threads``: reading goes
    on beside judging; without, fewer rows are held at once. Raises MalformedInput where the file
    itself cannot be read.
    """
    path, meter = Path(reference.path), tables.Meter()
    stage: Callable[[Iterator[Any]], Iterator[Any]] = ahead if threads else iter
    if tables.suffix_of(path) == ".parquet":
        with under_own_name(reference), tables.readable(path):
            size, rows = path.stat().st_size, ROWS if threads else ROWS_ALONE
            rows = min(rows, DATED_ROWS) if screening.dates else rows
            read = stage(read_batches(path, rows, reference.row_groups, reference.before))
            for prepared, more, first, share in stage(
                (*_prepared(screening, batch, profile_column, facts), number, part)
                for batch, number, part in read
            ):
                place = partial(_numbered, reference.name, first)
                yield Screened(screening.judged(prepared, place), more, place, int(size * share))
        return
    vocabulary = screening.decider.rulebase.vocabulary
    if tables.suffix_of(path) == ".csv":
        with under_own_name(reference):
            blocks = read_blocks(path, vocabulary, profile_column, reference.name)
            for block in stage(blocks):
                found, more = _of_block(screening, block, profile_column, facts)
                place = partial(_on_line, reference.name, block)
                yield Screened(found, more, place, block.bytes_done)
        return
    listed = rows_of(reference, vocabulary, profile_column, meter)
    while part := list(islice(listed, tables.BATCH)):
        more = None
        if facts is not None:
            part, entries = facts.fill_rows(part)
            more = pa.RecordBatch.from_pylist(entries, EXTRA)
        places = [row.place for row in part]
        yield Screened(screening.screen_rows(part), more, places.__getitem__, meter.done())


def _prepared(
    screening: Screening,
    batch: pa.RecordBatch,
    profile_column: str | None,
    facts: DocketFacts | None,
) -> tuple[Prepared, pa.RecordBatch | None]:
    """A batch with the facts of the docket, read into columns."""
    more = None
    if facts is not None:
        batch, more = facts.filled(batch, profile_column)
    return screening.decoded(batch, profile_column), more


def _of_block(
    screening: Screening, block: Block, profile_column: str | None, facts: DocketFacts | None
) -> tuple[pa.RecordBatch, pa.RecordBatch | None]:
    """The results of rows of a CSV file; what columns do not hold is taken row by row."""

    def alone(numbers: list[int]) -> list[Row]:
        rows = block.rows(numbers)
        return rows if facts is None else facts.fill_rows(rows)[0]

    prepared, more = _prepared(screening, block.batch, profile_column, facts)
    prepared.decoded.columns.odd |= block.hard
    if facts is not None and more is not None and block.hard.any():
        rows = block.rows(np.flatnonzero(block.hard).tolist())
        more = replaced(more, facts.fill_rows(rows)[1], block.hard)
    return screening.judged(replace(prepared, alone=alone), ("", 0)), more


def _on_line(name: str, block: Block, row: int) -> str:
    return f"{name}:{block.lines[row]}"


def beside(found: pa.RecordBatch, more: pa.RecordBatch | None) -> pa.RecordBatch:
    """A result with the columns that the facts of the docket add to it.

    A row that could not be judged has nothing of the docket beside its error.
    """
    if more is None:
        return found
    refused = np.asarray(found.column("error").is_valid())
    if refused.any():
        nothing = pa.RecordBatch.from_pylist([dict(NOTHING)], more.schema)
        rows = np.where(refused, more.num_rows, np.arange(more.num_rows))
        more = pa.concat_batches([more, nothing]).take(pa.array(rows))
    schema = pa.schema([*found.schema, *more.schema])
    return pa.RecordBatch.from_arrays([*found.columns, *more.columns], schema=schema)


def _numbered(path: str, first: int, row: int) -> str:
    return f"{path}:{first + row}"


def read_batches(
    path: Path, rows: int, groups: range | None = None, before: int = 0
) -> Iterator[tuple[pa.RecordBatch, int, float]]:
    """The batches of a Parquet file, each with the number of its first row from 1, and the
    share of the file that is read with it. ``groups``: only these row groups, ``before`` which
    the file has so many rows.
    """
    done = before
    footer, words = _footer(path, path.stat().st_mtime_ns)
    with pq.ParquetFile(path, metadata=footer, read_dictionary=words) as file:
        for batch in file.iter_batches(batch_size=rows, row_groups=groups):
            first, done = done + 1, done + batch.num_rows
            yield batch, first, done / file.metadata.num_rows


@lru_cache(maxsize=2)
def _footer(path: Path, changed: int) -> tuple[pq.FileMetaData, list[str]]:
    """What a file says of itself, which of a large one takes long to read, and its words."""
    with pq.ParquetFile(path) as file:
        return file.metadata, _words_of(file.metadata)


def _words_of(found: pq.FileMetaData) -> list[str]:
    """The columns that are read as words: short texts in the file's own dictionaries.

    Batches of such columns end with the groups of the file, so not where those are small; and
    not where nearly every row has a text of its own.
    """
    if found.num_row_groups == 0 or found.num_rows < LARGE_GROUP * found.num_row_groups:
        return []
    group = found.row_group(0)
    columns = (group.column(n) for n in range(group.num_columns))
    return [
        column.path_in_schema
        for column in columns
        if column.physical_type == "BYTE_ARRAY"
        and "." not in column.path_in_schema
        and column.has_dictionary_page
        and column.total_uncompressed_size < 4 * group.num_rows
    ]


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, the next one being made while one is worked on."""
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(next, items, _END)
        while (found := pending.result()) is not _END:
            pending = pool.submit(next, items, _END)
            yield found


def write_batches(
    path: Path, kind: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema
) -> None:
    """Results to one file of the kind named by ``kind``, a suffix; ``schema`` may say more."""
    if kind == ".parquet":
        with path.open("wb") as raw:
            _write_parquet(raw, batches, schema)
        return
    listed = (batch.to_pylist() for batch in batches)
    tables.write_rows(path, kind, listed)


def _write_parquet(file: IO[bytes], batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
