"""The log of decisions for use elsewhere: record by record, in little memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from eligibility.records import decisions
from eligibility.records.database import Database

PAGE = 200
Entry = dict[str, Any]


def entries(
    database: Database,
    *,
    court_id: str | None = None,
    decided_from: datetime | None = None,
    decided_to: datetime | None = None,
) -> Iterator[Entry]:
    """The records of the log in their order, with their hash, in one state of the database.

    ``decided_from`` is the first moment meant, ``decided_to`` the first no longer meant.
    ``request`` and ``body`` are the texts that were recorded, byte for byte: the hash is over
    them and not over what they mean.
    """
    after: int | None = None
    with database.read() as connection:
        while True:
            page = decisions.search(
                connection,
                court_id=court_id,
                decided_from=decided_from,
                decided_to=decided_to,
                after_seq=after,
                limit=PAGE,
            )
            for recorded in page:
                days = {
                    "as_of": recorded.as_of.isoformat(),
                    "decided_at": recorded.decided_at.isoformat(),
                }
                yield asdict(recorded) | days
            if len(page) < PAGE:
                return
            after = page[-1].seq


def write_lines(found: Iterator[Entry], file: IO[bytes]) -> int:
    """NDJSON: one record a line; how many there were."""
    count = 0
    for entry in found:
        file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        count += 1
    return count


def write_parquet(found: Iterator[Entry], file: IO[bytes]) -> int:
    """Parquet: one row a record; how many there were."""
    names = [f for f in decisions.Recorded.__slots__ if f != "seq"]
    schema = pa.schema([("seq", pa.int64()), *((name, pa.string()) for name in names)])
    count, rows = 0, []
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for entry in found:
            rows.append(entry)
            if len(rows) == PAGE:
                count += _flush(writer, schema, rows)
        count += _flush(writer, schema, rows)
    return count


def _flush(writer: Any, schema: Any, rows: list[Entry]) -> int:
    count = len(rows)
    writer.write_table(pa.Table.from_pylist(rows, schema))
    rows.clear()
    return count
