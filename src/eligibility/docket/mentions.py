"""What the rows of a docket say of debtors, courts and properties, as columns.

The few facts that counting over all rows needs, from Arrow batches (without Python for a
single row) or from payloads. Nothing is judged here: what cannot be read counts as not said,
and is named when the row is screened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from eligibility.docket.identifiers import Codes, Ints, comparable, trimmed
from eligibility.docket.policy import COURTS, DEBTOR, OPEN_CASES, OVERLOADED
from eligibility.docket.sheets import Block, read_blocks
from eligibility.docket.tables import read_rows, readable, suffix_of
from eligibility.vocabulary.model import Vocabulary

PROPERTY = "property"
CASE_NO, COURT, STATUS, CHANNEL = "case_no", "court_id", "procedure_status", "request_channel"
RETURNED, DEBTOR_ID, PROPERTY_ID = "returned_before", "debtor_id", "property_id"
OF_CASE = (CASE_NO, COURT, STATUS, CHANNEL, RETURNED, OVERLOADED)
OF_DEBTOR = (DEBTOR_ID, OPEN_CASES, COURTS)
COUNTED = frozenset({CASE_NO, COURT, STATUS, CHANNEL, RETURNED, DEBTOR_ID, PROPERTY_ID})
"""The facts that the first pass reads."""
NOT_SAID, UNREADABLE = -1, -2
BATCH = 1 << 16
LARGE_GROUP = 1 << 14
_PAYLOADS = 1 << 12
States = NDArray[np.int8]
Placed = tuple[int, Mapping[Any, Any]]
_TRUTHS = {"true": 1, "是": 1, "false": 0, "否": 0}


@dataclass(frozen=True, slots=True)
class Words:
    """The names under which facts and lists of records stand in a docket."""

    facts: Mapping[str, str]  # word -> key
    lists: Mapping[str, str]  # word -> kind of record

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> Words:
        keys = (*OF_CASE, *OF_DEBTOR, PROPERTY_ID)
        known = [vocabulary.facts[key] for key in keys if key in vocabulary.facts]
        facts = {word: fact.key for fact in known for word in (fact.key, fact.label.zh)}
        lists = {}
        for kind in vocabulary.records.values():
            if kind.name in (DEBTOR, PROPERTY):
                lists.update(dict.fromkeys((kind.list_key, kind.label.zh), kind.name))
        return cls(facts, {word: kind for word, kind in lists.items() if word not in facts})


@dataclass(frozen=True, slots=True)
class Debtors:
    """Debtors of a batch: the row of each, its identifier (null: not known), and the counts that
    the row gives (``NOT_SAID``, ``UNREADABLE``). ``flat``: written in the row itself.
    """

    owners: Codes
    ids: pa.Array
    cases: Ints
    courts: Ints
    flat: bool


@dataclass(frozen=True, slots=True)
class Mentions:
    """A batch. Texts are null where nothing is said, and may be in a dictionary (except case
    numbers); ``returned`` and ``overloaded`` are 1, 0, ``NOT_SAID`` or ``UNREADABLE``.
    """

    rows: int
    texts: Mapping[str, pa.Array]  # case_no, court_id, procedure_status, request_channel
    returned: States
    overloaded: States
    debtors: tuple[Debtors, ...]
    property_owners: Codes
    properties: pa.Array


def read_mentions(
    path: Path, vocabulary: Vocabulary, groups: range | None = None
) -> Iterator[Mentions]:
    """The mentions of a docket file, batch by batch; of Parquet only the columns needed.

    ``groups``: only these row groups of a Parquet file.
    Raises MalformedInput where the file itself cannot be read.
    """
    words = Words.of(vocabulary)
    if suffix_of(path) == ".parquet":
        with (
            readable(path),
            pq.ParquetFile(path, read_dictionary=_dictionaries(path, words)) as file,
        ):
            needed = _needed(file.schema, words)
            for batch in file.iter_batches(BATCH, row_groups=groups, columns=needed):
                yield mentions_of_batch(batch, words)
        return
    if suffix_of(path) == ".csv":
        for block in read_blocks(path, vocabulary):
            yield from _of_block(block, words)
        return
    rows = read_rows(path, vocabulary, None)
    while batch := [row.payload for row in islice(rows, _PAYLOADS)]:
        yield mentions_of_payloads(batch, words)


def _of_block(block: Block, words: Words) -> Iterator[Mentions]:
    """The mentions of rows of a CSV file, in order, hard rows as payloads."""
    bounds = np.flatnonzero(np.diff(block.hard)) + 1
    for rows in np.split(np.arange(len(block.hard)), bounds):
        if block.hard[rows[0]]:
            payloads = [row.payload for row in block.rows(rows.tolist())]
            yield mentions_of_payloads(payloads, words)
        else:
            batch = block.batch.slice(rows[0], len(rows))
            yield mentions_of_batch(batch, words)


def _needed(schema: pq.ParquetSchema, words: Words) -> list[str]:
    """The paths of the columns that the first pass reads, inside lists too."""
    paths = [schema.column(i).path.split(".") for i in range(len(schema))]
    return [
        ".".join(path)
        for path in paths
        if words.facts.get(path[-1]) in COUNTED and (len(path) == 1 or path[0] in words.lists)
    ]


def _dictionaries(path: Path, words: Words) -> list[str]:
    """The columns of few words, which are read as such: batches then end with the groups of the
    file, so not where these are small.
    """
    with pq.ParquetFile(path) as file:
        known, few = file.metadata, {COURT, STATUS, CHANNEL}
        if known.num_rows < LARGE_GROUP * max(known.num_row_groups, 1):
            return []
        columns = (file.schema.column(i) for i in range(len(file.schema)))
        return [
            column.path
            for column in columns
            if column.physical_type == "BYTE_ARRAY" and words.facts.get(column.path) in few
        ]


# --- Arrow --------------------------------------------------------------------------------------


def mentions_of_batch(batch: pa.RecordBatch, words: Words) -> Mentions:
    """The mentions of rows as a docket in Parquet has them."""
    rows, found, lists = batch.num_rows, dict[str, pa.Array](), dict[str, pa.Array]()
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name in words.facts:
            found.setdefault(words.facts[name], column)
        elif name in words.lists and is_records(column.type):
            lists.setdefault(words.lists[name], column)
    every = np.arange(rows, dtype=np.int32)
    debtors = []
    for kind, column in lists.items():
        if kind == DEBTOR:
            owners, records = _records(column, words)
            debtors.append(_debtors(owners, records, False))
    if found.keys() & set(OF_DEBTOR):
        debtors.append(_debtors(every, found, True))
    owners, records = every, found
    if PROPERTY in lists:
        owners, records = _records(lists[PROPERTY], words)
    ids = comparable(_texts(records.get(PROPERTY_ID), len(owners)))
    return Mentions(
        rows,
        {CASE_NO: _texts(found.get(CASE_NO), rows)}
        | {key: _words(found.get(key), rows) for key in (COURT, STATUS, CHANNEL)},
        _truths(found.get(RETURNED), rows),
        _truths(found.get(OVERLOADED), rows),
        tuple(debtors),
        owners,
        ids,
    )


def is_records(kind: pa.DataType) -> bool:
    """Whether a column holds lists of records."""
    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return bool(listed and pa.types.is_struct(kind.value_type))


def _records(column: pa.Array, words: Words) -> tuple[Codes, dict[str, pa.Array]]:
    """The records of a column of lists: the row of each, and their fields by key."""
    owners = np.asarray(pc.list_parent_indices(column)).astype(np.int32)
    values = column.flatten()
    fields: dict[str, pa.Array] = {}
    for field, child in zip(values.type, values.flatten(), strict=True):
        if field.name in words.facts:
            fields.setdefault(words.facts[field.name], child)
    return owners, fields


def _debtors(owners: Codes, fields: Mapping[str, pa.Array], flat: bool) -> Debtors:
    ids = comparable(_texts(fields.get(DEBTOR_ID), len(owners)))
    cases, courts = (_numbers(fields.get(key), len(owners)) for key in (OPEN_CASES, COURTS))
    return Debtors(owners, ids, cases, courts, flat)


def _texts(column: pa.Array | None, rows: int) -> pa.Array:
    """Texts; null where nothing is said or no text stands."""
    if column is not None and pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if column is None or not _is_text(column.type):
        return pa.nulls(rows, pa.string())
    return trimmed(column.cast(pa.string()))


def _words(column: pa.Array | None, rows: int) -> pa.Array:
    """As :func:`_texts`, in a dictionary where they are."""
    if column is None or not pa.types.is_dictionary(column.type):
        return _texts(column, rows)
    if not _is_text(column.type.value_type):
        return pa.nulls(rows, pa.string())
    return pa.DictionaryArray.from_arrays(column.indices, _texts(column.dictionary, 0))


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _numbers(column: pa.Array | None, rows: int) -> Ints:
    if column is None:
        return np.full(rows, NOT_SAID, dtype=np.int64)
    out = np.full(rows, UNREADABLE, dtype=np.int64)
    if pa.types.is_integer(column.type):
        out = np.asarray(column.cast(pa.int64(), safe=False).fill_null(NOT_SAID)).copy()
        out[out < NOT_SAID] = UNREADABLE
    elif pa.types.is_floating(column.type):
        plain = np.asarray(column.cast(pa.float64()).fill_null(NOT_SAID))
        whole = np.isfinite(plain) & (np.floor(plain) == plain) & (np.abs(plain) < 1e15)
        out[whole] = plain[whole].astype(np.int64)
    out[np.asarray(column.is_null())] = NOT_SAID
    return out


def _truths(column: pa.Array | None, rows: int) -> States:
    if column is None:
        return np.full(rows, NOT_SAID, dtype=np.int8)
    out = np.full(rows, UNREADABLE, dtype=np.int8)
    if pa.types.is_boolean(column.type):
        out = np.asarray(column.cast(pa.int8()).fill_null(NOT_SAID)).copy()
    elif _is_text(column.type) or pa.types.is_dictionary(column.type):
        texts = _texts(column, rows)
        for word, truth in _TRUTHS.items():
            out[np.asarray(pc.equal(texts, word).fill_null(False))] = truth
    out[np.asarray(column.is_null())] = NOT_SAID
    return out


# --- payloads -----------------------------------------------------------------------------------


def mentions_of_payloads(payloads: Sequence[Any], words: Words) -> Mentions:
    """The mentions of rows as payloads: debtors of lists, then debtors written in the row."""
    said = [facts_of(payload, words) for payload in payloads]
    held = [(n, h) for n, p in enumerate(payloads) for h in _held(p, words, PROPERTY)]
    properties = [_text(facts_of(record, words).get(PROPERTY_ID)) for _, record in held]
    keys = (CASE_NO, COURT, STATUS, CHANNEL)
    return Mentions(
        len(payloads),
        {key: pa.array([_text(s.get(key)) for s in said], pa.string()) for key in keys},
        np.array([_truth(s.get(RETURNED)) for s in said], dtype=np.int8),
        np.array([_truth(s.get(OVERLOADED)) for s in said], dtype=np.int8),
        tuple(_debtors_said(held, words, flat) for flat, held in debtors_of(payloads, words)),
        _rows(held),
        comparable(pa.array(properties, pa.string())),
    )


def debtors_of(payloads: Sequence[Any], words: Words) -> list[tuple[bool, list[Placed]]]:
    """The debtors of rows, each with the number of its row: those of lists (False), and those
    that stand in the row itself (True)."""
    held = [(n, d) for n, p in enumerate(payloads) for d in _held(p, words, DEBTOR)]
    return [
        (flat, [(n, d) for n, d in held if (d is payloads[n]) is flat]) for flat in (False, True)
    ]


def _debtors_said(held: Sequence[Placed], words: Words, flat: bool) -> Debtors:
    fields = [facts_of(record, words) for _, record in held]
    ids = pa.array([_text(f.get(DEBTOR_ID)) for f in fields], pa.string())
    cases, courts = (
        np.array([_number(f.get(key)) for f in fields], dtype=np.int64)
        for key in (OPEN_CASES, COURTS)
    )
    return Debtors(_rows(held), comparable(ids), cases, courts, flat)


def _rows(held: Sequence[Placed]) -> Codes:
    return np.array([number for number, _ in held], dtype=np.int32)


def facts_of(record: Any, words: Words) -> dict[str, Any]:
    """The facts of a row or record that matter here, by key."""
    if not isinstance(record, Mapping):
        return {}
    named = ((words.facts.get(str(word)), value) for word, value in record.items())
    return {key: value for key, value in named if key is not None}


def list_word(payload: Mapping[Any, Any], words: Words, kind: str) -> Any:
    """The name under which a row has its list of records of a kind; None where it has none."""
    named = (
        w for w, v in payload.items() if isinstance(v, list) and words.lists.get(str(w)) == kind
    )
    return next(named, None)


def _held(payload: Any, words: Words, kind: str) -> list[Mapping[Any, Any]]:
    if not isinstance(payload, Mapping):
        return []
    word = list_word(payload, words, kind)
    if word is not None:
        return [record for record in payload[word] if isinstance(record, Mapping)]
    keys = OF_DEBTOR if kind == DEBTOR else (PROPERTY_ID,)
    return [payload] if facts_of(payload, words).keys() & set(keys) else []


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    return value.strip().encode("utf-8", "replace").decode() or None


def _number(value: Any) -> int:
    if value is None:
        return NOT_SAID
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62:
        return value
    return UNREADABLE


def _truth(value: Any) -> int:
    if value is None:
        return NOT_SAID
    if isinstance(value, bool):
        return int(value)
    return _TRUTHS.get(value, UNREADABLE) if isinstance(value, str) else UNREADABLE
