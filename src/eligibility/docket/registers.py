"""Registers from outside: the debtors of a province, the loads of its courts.

CSV (UTF-8 or GB18030), NDJSON or Parquet; headings in Chinese or English.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eligibility.docket.debtors import CASES, COUNTED_COURTS, ID, refuse_contradictions
from eligibility.docket.files import number
from eligibility.docket.loads import NUMBERS, Loads, read_loads
from eligibility.docket.policy import COURTS, OPEN_CASES
from eligibility.docket.tables import read_rows, readable, suffix_of
from eligibility.errors import EligibilityError, MalformedInput, Problem, Text
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.model import Fact, Type, Vocabulary
from eligibility.vocabulary.values import Unfit, from_wire

MOST = 10_000_000
SHOWN_PROBLEMS = 20
_CHUNK = 1 << 16
_RAW = Vocabulary({}, {})  # a table read with it keeps its cells as texts
_SCHEMA = pa.schema([(ID, pa.string()), (CASES, pa.int64()), (COUNTED_COURTS, pa.int64())])
_COUNT = Fact("count", Text("件数", "count"), Type.INT, minimum=0, maximum=MOST)
_FACTS = {ID: Fact(ID, Text("标识", "id"), Type.TEXT), CASES: _COUNT, COUNTED_COURTS: _COUNT}
_OF_FACT = {ID: ID, CASES: OPEN_CASES, COUNTED_COURTS: COURTS}


def read_debtors(path: Path, vocabulary: Vocabulary) -> pa.Table:
    """A register of debtors as ``debtor_id``, ``open_cases``, ``courts``.

    Headings also as the facts are called (被执行人标识、同一被执行人未实结案件数、涉及法院数);
    other columns are left alone. An empty cell is not known. Raises MalformedInput where the
    file or a row of it cannot be read.
    """
    words = _words(vocabulary)
    if suffix_of(path) == ".parquet":
        with readable(path):
            found = _typed(pq.read_table(path), words, str(path))
        refuse_contradictions(found, str(path))
        return found
    rows, tables = _rows(path, {w for w, column in words.items() if column != ID}), []
    problems: list[Problem] = []
    while chunk := list(islice(rows, _CHUNK)):
        made = []
        for place, row in chunk:
            try:
                made.append(_debtor(place, row, words))
            except EligibilityError as error:
                problems += error.problems
        if len(problems) >= SHOWN_PROBLEMS:
            break
        tables.append(pa.Table.from_pylist(made, _SCHEMA))
    if problems:
        raise MalformedInput(problems[:SHOWN_PROBLEMS])
    whole = pa.concat_tables(tables) if tables else _SCHEMA.empty_table()
    for name in _SCHEMA.names if len(whole) else ():
        if whole[name].null_count == len(whole):
            raise MalformedInput(_missing(name, str(path)))
    refuse_contradictions(whole, str(path))
    return whole


def read_court_loads(path: Path, rulebase: Rulebase) -> Loads:
    """A table of the loads of all courts of a province (:func:`read_loads`)."""
    return read_loads(_rows(path, NUMBERS), rulebase)


def _words(vocabulary: Vocabulary) -> dict[str, str]:
    """Heading -> column."""
    words = {name: name for name in _SCHEMA.names}
    for name, key in _OF_FACT.items():
        words[key] = name
        if key in vocabulary.facts:
            words[vocabulary.facts[key].label.zh] = name
    return words


def _rows(path: Path, numbers: set[str] | frozenset[str]) -> Iterator[tuple[str, Any]]:
    """Rows with their places; in a CSV the cells under ``numbers`` are numbers."""
    table = suffix_of(path) == ".csv"
    for row in read_rows(path, _RAW, None):
        payload = row.payload
        if table and isinstance(payload, dict):
            typed = {w: number(v) for w, v in payload.items() if w in numbers}
            payload = payload | typed
        yield row.place, payload


def _debtor(place: str, row: Any, words: Mapping[str, str]) -> dict[str, Any]:
    if isinstance(row, EligibilityError):
        raise row
    out: dict[str, Any] = {}
    for word, raw in row.items() if isinstance(row, Mapping) else ():
        name = words.get(str(word))
        if name is None:
            continue
        try:
            out[name] = from_wire(_FACTS[name], raw)
        except Unfit as error:
            raise MalformedInput(error.at(f"{place}: {word}")) from None
    if not out.get(ID):
        raise MalformedInput(_missing(ID, place))
    return out


def _typed(table: pa.Table, words: Mapping[str, str], place: str) -> pa.Table:
    """The columns that count, typed; the others are left out."""
    found = {words[name]: table[name] for name in table.column_names if name in words}
    columns = []
    for name in _SCHEMA.names:
        if name not in found:
            raise MalformedInput(_missing(name, place))
        made = found[name].cast(_SCHEMA.field(name).type)
        outside = name != ID and pc.any(pc.or_(pc.less(made, 0), pc.greater(made, MOST))).as_py()
        if outside:
            said = Text(f"应在 0 与 {MOST} 之间", f"expected 0 to {MOST}")
            raise MalformedInput(Problem("out_of_range", said, f"{place}: {name}"))
        columns.append(made)
    return pa.table(columns, schema=_SCHEMA)


def _missing(name: str, place: str) -> Problem:
    said = Text(f"没有“{name}”", f"'{name}' is missing")
    return Problem("missing_field", said, f"{place}: {name}")
