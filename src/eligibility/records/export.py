"""The log of decisions for use elsewhere: record by record, in little memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, select

from eligibility.records import decisions
from eligibility.records.database import Database
from eligibility.records.decisions import Recorded
from eligibility.records.tables import DECISIONS

PAGE = 200
Entry = dict[str, Any]
FIELDS = (*Recorded.__slots__, "before")
SCHEMA = pa.schema([(n, pa.int64() if n == "seq" else pa.string()) for n in FIELDS])


def entries(
    database: Database,
    *,
    court_id: str | None = None,
    decided_from: datetime | None = None,
    decided_to: datetime | None = None,
) -> Iterator[Entry]:
    """The records of the log in their order, with their hash, in one state of the database.

    ``decided_from`` is the first moment meant, ``decided_to`` the first no longer meant.
    ``request``, ``body`` and ``findings`` are the texts that were recorded, byte for byte, sealed
    where they were sealed: the hash is over them and not over what they mean. ``before`` is the
    hash of the record before, which that one is over as well.
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
            before = _before(connection, page)
            for recorded in page:
                yield told(recorded, before[recorded.seq])
            if len(page) < PAGE:
                return
            after = page[-1].seq


def write_lines(found: Iterator[Entry], file: IO[bytes]) -> int:
    """NDJSON: one record a line; how many there were."""
    count = 0
    for entry in found:
        file.write(line(entry))
        count += 1
    return count


def line(entry: Entry) -> bytes:
    """The one way to write an entry as a line of NDJSON. Raises :class:`ValueError`."""
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def told(recorded: Recorded, before: str | None) -> Entry:
    """An entry: a record as texts, with the hash of the one before it."""
    days = {"as_of": recorded.as_of.isoformat(), "decided_at": recorded.decided_at.isoformat()}
    return asdict(recorded) | days | {"before": before}


def _before(connection: Connection, page: Sequence[Recorded]) -> dict[int, str | None]:
    """By number of a record, the hash of the one before it."""
    c = DECISIONS.c
    wanted = [recorded.seq - 1 for recorded in page]
    found = connection.execute(select(c.seq, c.hash).where(c.seq.in_(wanted)))
    hashes: dict[int, str | None] = {row.seq: row.hash for row in found}
    return {seq + 1: hashes.get(seq) for seq in wanted}


def write_parquet(found: Iterator[Entry], file: IO[bytes]) -> int:
    """Parquet: one row a record; how many there were."""
    schema, count, rows = SCHEMA, 0, []
    with pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as writer:
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
