"""Docket files read and written a batch at a time: CSV, NDJSON and Parquet by suffix.

A result is written beside its name and moved there when it is whole, so that a run that is
cut leaves no half file.
"""

from __future__ import annotations

import csv
import json
import os
import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from eligibility.docket.files import BRACKETS, NOTHING, NUMBERS, cell_value
from eligibility.docket.results import Row, without_silence
from eligibility.docket.results import result_schema as result_schema
from eligibility.documents import read_json
from eligibility.errors import EligibilityError, MalformedInput, Problem, Text
from eligibility.vocabulary.model import Fact, Type, Vocabulary

BATCH = 4096
LONGEST_LINE = 4_000_000
SUFFIXES = (".csv", ".ndjson", ".jsonl", ".parquet")
_EXCEL_DAY_ZERO = date(1899, 12, 30)
# A day with, at most, the midnight that a spreadsheet adds.
_DAY = re.compile(
    r"([0-9]{4})(?:[-/.年])([0-9]{1,2})(?:[-/.月])([0-9]{1,2})日?(?: 0?0:00(?::00)?)?"
)
UTF_8, GB18030 = "utf-8-sig", "gb18030"
Entry = dict[str, Any]


class Meter:
    """How much of a file was read: a reader says where to look, and nothing is counted by row."""

    def __init__(self) -> None:
        self._position: Callable[[], int] | None = None
        self._last = 0

    def watch(self, position: Callable[[], int]) -> None:
        """``position`` gives the bytes read so far, until :meth:`close`."""
        self._position = position

    def close(self) -> None:
        """The file is open no longer."""
        self._position = None

    @contextmanager
    def watching(self, position: Callable[[], int]) -> Iterator[None]:
        """``position`` gives the bytes read so far, while the file is open."""
        self.watch(position)
        try:
            yield
        finally:
            self.done()
            self.close()

    def done(self) -> int:
        """Bytes read; what was read ahead counts."""
        if self._position is not None:
            self._last = self._position()
        return self._last


def read_rows(
    path: Path, vocabulary: Vocabulary, profile_column: str | None, meter: Meter | None = None
) -> Iterator[Row]:
    """The rows of a docket file. Raises MalformedInput where the file itself cannot be read."""
    kind = suffix_of(path)
    made = {".csv": csv_rows, ".parquet": _parquet}.get(kind, _ndjson)
    meter = meter or Meter()
    with readable(path), closing(meter):
        for place, payload in made(path, vocabulary, meter):
            yield as_row(place, payload, profile_column)


def as_row(place: str, payload: Any, profile_column: str | None) -> Row:
    """A row of which the column of profiles was taken out."""
    profile = None
    if profile_column is not None and isinstance(payload, dict):
        named = payload.pop(profile_column, None)
        profile = str(named) if named else None
    return Row(place, payload, profile)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """What a reader raises about a file as MalformedInput."""
    try:
        yield
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        why = str(error).splitlines()[0][:200]
        said = Text(f"无法读取：{why}", f"cannot be read: {why}")
        raise MalformedInput(Problem("cannot_read", said, str(path))) from None


def suffix_of(path: Path) -> str:
    """The kind of a docket file."""
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        said = Text(f"案件表的后缀应为 {known}", f"a docket ends in {known}")
        raise MalformedInput(Problem("unknown_suffix", said, str(path), allowed=SUFFIXES))
    return kind


def _ndjson(path: Path, vocabulary: Vocabulary, meter: Meter) -> Iterator[tuple[str, Any]]:
    with path.open("rb") as file:
        meter.watch(file.tell)
        number = 0
        while line := file.readline(LONGEST_LINE):
            number += 1
            if line.strip():
                yield f"{path}:{number}", _line(line.strip())


def _line(line: bytes) -> Any:
    try:
        return read_json(line)
    except EligibilityError as error:
        return error


def _parquet(path: Path, vocabulary: Vocabulary, meter: Meter) -> Iterator[tuple[str, Any]]:
    with pq.ParquetFile(path) as file:
        number, rows, size = 0, file.metadata.num_rows, path.stat().st_size
        meter.watch(lambda: size * number // max(rows, 1))
        for batch in file.iter_batches(batch_size=BATCH):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}:{number}", without_silence(row)


def csv_rows(
    path: Path, vocabulary: Vocabulary, meter: Meter, name: str | None = None, after: int = 0
) -> Iterator[tuple[str, Any]]:
    """The rows of a CSV file one by one, those that end after a line. ``name``: of the file in
    places of rows.
    """
    name = name or str(path)
    encoding = encoding_of(path)
    with (
        path.open("rb") as raw,
        TextIOWrapper(raw, encoding, newline="") as file,
        meter.watching(raw.tell),
    ):
        rows = csv.reader(file)
        headings = [heading_of(heading.strip(), vocabulary) for heading in next(rows, [])]
        check_headings(headings, path)
        facts = [vocabulary.named(heading) for heading in headings]
        while True:
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                said = Text(f"表格不能读取：{error}", f"the table cannot be read: {error}")
                place = f"{name}:{rows.line_num}"
                yield place, MalformedInput(Problem("bad_table", said, place))
                return  # where the next row begins is not known any more
            if rows.line_num > after and any(cell.strip() for cell in cells):
                place = f"{name}:{rows.line_num}"
                yield place, cells_of(headings, facts, cells, place)


def heading_of(word: str, vocabulary: Vocabulary) -> str:
    """A heading as the dictionary writes it: its brackets are narrow."""
    narrow = word.translate(BRACKETS)
    return narrow if vocabulary.named(word) is None and vocabulary.named(narrow) else word


def encoding_of(path: Path) -> str:
    """UTF-8 if all of the file is, else the encoding of Chinese office programs."""
    with path.open("rb") as file:
        try:
            decoder = getincrementaldecoder(UTF_8)()
            while part := file.read(1 << 20):
                decoder.decode(part)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return GB18030
    return UTF_8


def check_headings(headings: list[str], path: Path) -> None:
    """Raises MalformedInput where there are none, or one stands twice."""
    if not any(headings):
        said = Text("表格没有表头", "the table has no header")
        raise MalformedInput(Problem("no_header", said, str(path)))
    for number, word in enumerate(headings):
        if word and word in headings[:number]:
            said = Text(f"列名“{word[:80]}”出现两次", f"the heading '{word[:80]}' stands twice")
            raise MalformedInput(Problem("duplicate_heading", said, f"{path}:1"))


def cells_of(
    headings: list[str], facts: list[Fact | None], cells: list[str], place: str
) -> Entry | MalformedInput:
    """The payload of a row of cells."""
    out: Entry = {}
    for number, cell in enumerate(cells):
        text = cell.strip()
        if not text:
            continue
        if number >= len(headings) or not headings[number]:
            said = Text(f"“{text[:40]}”所在的列没有列名", f"'{text[:40]}' stands under no heading")
            return MalformedInput(Problem("cell_without_heading", said, place))
        fact = facts[number]
        out[headings[number]] = cell_of(fact, text) if fact else records_of(text)
    return out


def cell_of(fact: Fact, text: str) -> Any:
    """The wire value that a cell of a table stands for."""
    if fact.type is Type.DATE:
        return excel_day(text)
    if fact.type is Type.RECORDS:
        return records_of(text)
    return cell_value(fact, text)


def excel_day(text: str) -> str:
    """A day as spreadsheets write it (2024/7/1, 2024年7月1日, 2024/7/1 0:00, 45474) as an ISO
    day; anything else as it is."""
    found = _DAY.fullmatch(text)
    if found is not None:
        year, month, day = (int(part) for part in found.groups())
        return f"{year:04}-{month:02}-{day:02}"
    if len(text) == 5 and text.isascii() and text.isdigit():
        return (_EXCEL_DAY_ZERO + timedelta(days=int(text))).isoformat()
    return text


def records_of(text: str) -> Any:
    """A list of records in a cell is written as JSON."""
    if text == NOTHING:
        return []
    if not text.startswith("["):
        return text
    found = _line(text.encode())
    return text if isinstance(found, EligibilityError) else found


# --- writing ------------------------------------------------------------------------------------


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name to write to; the file takes its own name only when all of it is there."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        why = error.strerror or str(error)
        said = Text(f"无法写入：{why}", f"cannot write: {why}")
        raise MalformedInput(Problem("cannot_write", said, str(path))) from None
    finally:
        part.unlink(missing_ok=True)


def write_rows(path: Path, kind: str, batches: Iterable[list[Entry]], schema: Any = None) -> None:
    """Batches of rows to one file of the kind named by ``kind``, a suffix."""
    if kind == ".parquet":
        with path.open("wb") as raw:
            _write_parquet(raw, batches, schema)
    elif kind == ".csv":
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            _write_csv(file, batches)
    else:
        with path.open("w", encoding="utf-8") as file:
            for batch in batches:
                file.writelines(json.dumps(e, ensure_ascii=False) + "\n" for e in batch)


def _write_parquet(file: IO[bytes], batches: Iterable[list[Entry]], schema: pa.Schema) -> None:
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_pylist(batch, schema))


def _write_csv(file: IO[str], batches: Iterable[list[Entry]]) -> None:
    writer = None
    for batch in batches:
        for entry in batch:
            if writer is None:
                writer = csv.DictWriter(file, list(entry))
                writer.writeheader()
            writer.writerow({key: _written(value) for key, value in entry.items()})


def _written(value: Any) -> Any:
    """A cell; what a spreadsheet would take for a formula is kept a text."""
    if isinstance(value, list):
        value = "、".join(value)
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t"):
        return "'" + value
    return value


def docket_schema(vocabulary: Vocabulary) -> pa.Schema:
    """The columns of a docket in Parquet: facts of the case, and the lists of records."""
    fields = []
    for fact in vocabulary.facts.values():
        if fact.scope == "case" and fact.type is not Type.RECORDS:
            fields.append(pa.field(fact.key, arrow_type(fact)))
    for kind in vocabulary.records.values():
        held = list(kind.fields.values()) or list(vocabulary.of_scope(kind.name))
        if kind.name in vocabulary.payload_scopes() or kind.fields:
            record = pa.struct([pa.field(fact.key, arrow_type(fact)) for fact in held])
            fields.append(pa.field(kind.list_key, pa.list_(record)))
    return pa.schema(fields)


def arrow_type(fact: Fact) -> pa.DataType:
    """The column of a fact; days are texts, for an event may be ``none``."""
    if fact.many or fact.type is Type.SET:
        return pa.list_(pa.string())
    if fact.type in NUMBERS:
        return pa.int64() if fact.type is Type.INT else pa.float64()
    return pa.bool_() if fact.type is Type.BOOL else pa.string()


def csv_cases(batch: list[Entry], names: list[str]) -> list[Entry]:
    """Cases as rows of a table: every column there, lists joined, records as JSON."""
    return [{name: _cell_of(case.get(name)) for name in names} for case in batch]


def _cell_of(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        if not value:
            return NOTHING
        if isinstance(value[0], dict):
            return json.dumps(value, ensure_ascii=False)
        return "、".join(value)
    return value
