"""The cases of a comparison written to one file, table by table as they come."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from eligibility.docket.differences import SCHEMA

_PIECE = 4096
_FORMULA = r"^([=+\-@\t])"  # a spreadsheet runs what begins so


class CaseFile:
    """Parquet, CSV (lists joined by ``、``, with a signature for spreadsheets) or NDJSON by
    ``kind``, a suffix. Closed by leaving its ``with``."""

    def __init__(self, path: Path, kind: str) -> None:
        self.kind = kind
        self.raw = path.open("wb")
        self.writer: Any = None
        if kind == ".parquet":
            self.writer = pq.ParquetWriter(self.raw, SCHEMA, compression="zstd")
        elif kind == ".csv":
            self.raw.write(BOM_UTF8)
            self.writer = pa.csv.CSVWriter(
                self.raw, pa.schema([(name, pa.string()) for name in SCHEMA.names])
            )

    def __enter__(self) -> CaseFile:
        return self

    def __exit__(self, *error: object) -> None:
        if self.writer is not None:
            self.writer.close()
        self.raw.close()

    def add(self, table: pa.Table) -> None:
        """Cases in tables of :data:`~eligibility.docket.differences.SCHEMA`."""
        if self.kind == ".parquet":
            self.writer.write_table(table)
        elif self.kind == ".csv":
            self.writer.write_table(pa.table({n: _cells(table[n]) for n in table.column_names}))
        else:
            for batch in table.to_batches(max_chunksize=_PIECE):
                lines = (json.dumps(case, ensure_ascii=False) for case in batch.to_pylist())
                self.raw.writelines(f"{line}\n".encode() for line in lines)


def _cells(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as texts; what a spreadsheet would take for a formula is kept a text."""
    if pa.types.is_list(column.type):
        column = pc.binary_join(column, "、")
    return pc.replace_substring_regex(column.cast(pa.string()), _FORMULA, r"'\1")
