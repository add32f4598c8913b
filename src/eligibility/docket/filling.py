"""Values put into the unknown places of Arrow columns, also inside lists of records."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eligibility.docket.identifiers import Ints
from eligibility.docket.mentions import Words, is_records

NOT_FILLED = -1


def fill_column(column: pa.Array | None, values: Ints, kind: pa.DataType) -> pa.Array:
    """A column with ``values`` (``NOT_FILLED``: none) where it is null; made if there is none."""
    found = pa.array(values, mask=values == NOT_FILLED).cast(kind)
    if column is None or pa.types.is_null(column.type):
        return found
    try:
        return pc.coalesce(column, found.cast(column.type))
    except pa.ArrowException:  # a column of another type: its rows are refused when read
        return column


def fill_records(
    column: pa.Array, fills: Mapping[str, Ints], words: Words, kind: pa.DataType
) -> pa.Array:
    """A column of lists with values put into its records, fact by fact."""
    records = column.flatten()
    names = [field.name for field in records.type]
    children = dict(zip(names, records.flatten(), strict=True))
    for key, values in fills.items():
        name = next((name for name in names if words.facts.get(name) == key), key)
        children[name] = fill_column(children.get(name), values, kind)
    made = pa.StructArray.from_arrays(
        list(children.values()), names=list(children), mask=records.is_null()
    )
    sizes = np.asarray(pc.list_value_length(column).fill_null(0), dtype=np.int64)
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    silent = np.append(np.asarray(column.is_null()), False)
    large = pa.types.is_large_list(column.type)
    whole = pa.array(offsets, pa.int64() if large else pa.int32(), mask=silent)
    return (pa.LargeListArray if large else pa.ListArray).from_arrays(whole, made)


def fill_batch(
    batch: pa.RecordBatch,
    case: Mapping[str, tuple[Ints, pa.DataType]],
    records: tuple[str, Mapping[str, Ints]] | None,
    words: Words,
) -> pa.RecordBatch:
    """A batch with facts of the case and of one kind of record put in where they are unknown."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    for key, (values, kind) in case.items():
        name = next((name for name in columns if words.facts.get(name) == key), key)
        columns[name] = fill_column(columns.get(name), values, kind)
    if records is not None:
        kind_of, fills = records
        for name, column in columns.items():
            if words.lists.get(name) == kind_of and is_records(column.type):
                columns[name] = fill_records(column, fills, words, pa.int64())
                break
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
