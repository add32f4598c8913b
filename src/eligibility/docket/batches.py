"""Docket files screened a batch at a time, reading, judging and writing side by side.

Each stage runs in a thread and is at most one batch ahead of the next, so memory is bounded
by the size of a batch and the order of the rows is that of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from eligibility.docket import tables
from eligibility.docket.facts import EXTRA, NOTHING, DocketFacts
from eligibility.docket.screening import Place, Screening
from eligibility.docket.tables import Meter

ROWS = 1 << 16
LARGE_GROUP = 1 << 14
"""Columns of words are read as such where the groups of a file have at least so many rows."""
T = TypeVar("T")
_END: Any = object()


def screened(
    screening: Screening,
    path: Path,
    profile_column: str | None,
    facts: DocketFacts | None = None,
    meter: Meter | None = None,
    rows: int | None = None,
) -> Iterator[pa.RecordBatch]:
    """The results of one docket file, batch by batch, in order.

    ``facts``: those of the docket, filled in where a row leaves them unknown; the columns that
    they add follow those of a result. ``meter`` tells how much of the file was read. Raises
    MalformedInput where the file itself cannot be read.
    """
    meter = meter or Meter()
    if tables.suffix_of(path) == ".parquet":
        with tables.readable(path), closing(meter):
            for batch, first in ahead(read_batches(path, meter, rows or ROWS)):
                yield _judged(screening, batch, (str(path), first), profile_column, facts)
        return
    vocabulary = screening.decider.rulebase.vocabulary
    read = tables.read_rows(path, vocabulary, profile_column, meter)
    while part := list(islice(read, tables.BATCH)):
        if facts is None:
            yield screening.screen_rows(part)
            continue
        filled, more = facts.fill_rows(part)
        yield beside(screening.screen_rows(filled), pa.RecordBatch.from_pylist(more, EXTRA))


def _judged(
    screening: Screening,
    batch: pa.RecordBatch,
    place: Place,
    profile_column: str | None,
    facts: DocketFacts | None,
) -> pa.RecordBatch:
    if facts is None:
        return screening.screen_batch(batch, place, profile_column)
    filled, more = facts.filled(batch, profile_column)
    return beside(screening.screen_batch(filled, place, profile_column), more)


def beside(found: pa.RecordBatch, more: pa.RecordBatch) -> pa.RecordBatch:
    """The columns of a result and those that the facts of the docket add to it.

    A row that could not be judged has nothing of the docket beside its error.
    """
    refused = np.asarray(found.column("error").is_valid())
    if refused.any():
        nothing = pa.RecordBatch.from_pylist([dict(NOTHING)], more.schema)
        rows = np.where(refused, more.num_rows, np.arange(more.num_rows))
        more = pa.concat_batches([more, nothing]).take(pa.array(rows))
    schema = pa.schema([*found.schema, *more.schema])
    return pa.RecordBatch.from_arrays([*found.columns, *more.columns], schema=schema)


def read_batches(
    path: Path, meter: Meter, rows: int = ROWS
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """The batches of a Parquet file, each with the number of its first row from 1."""
    first, size = 1, path.stat().st_size
    with pq.ParquetFile(path, read_dictionary=_words_of(path)) as file:
        total = max(file.metadata.num_rows, 1)
        meter.watch(lambda: size * (first - 1) // total)
        for batch in file.iter_batches(batch_size=rows):
            yield batch, first
            first += batch.num_rows


def _words_of(path: Path) -> list[str]:
    """The columns that are read as words: short texts in the file's own dictionaries.

    Batches of such columns end with the groups of the file, so not where those are small; and
    not where nearly every row has a text of its own.
    """
    with pq.ParquetFile(path) as file:
        found = file.metadata
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
