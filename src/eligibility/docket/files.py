"""Cases of a file as payloads: NDJSON, JSON, YAML or a table with Chinese or English headings.

Texts in, payloads with their places out; a row that cannot be read is an error in its place
and stops no other.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import PurePath
from typing import Any

from eligibility.documents import read_json, read_yaml
from eligibility.errors import EligibilityError, MalformedInput, Problem, Text
from eligibility.vocabulary.model import Fact, Type, Vocabulary

Placed = tuple[str, Any]  # a place in a file, and a payload or an EligibilityError
NUMBERS = (Type.INT, Type.MONEY, Type.DECIMAL)
NOTHING = "空"


def read_cases(name: str, text: str, vocabulary: Vocabulary) -> Iterator[Placed]:
    """Each case of a file with its place."""
    if PurePath(name).suffix.lower() == ".csv":
        for place, columns, row in table_rows(name, text):
            yield place, _case(columns, row, vocabulary)
    else:
        yield from read_listed(name, text)


def read_listed(name: str, text: str) -> Iterator[Placed]:
    """Each payload of an NDJSON, JSON or YAML file (a list, or one alone) with its place."""
    kind = PurePath(name).suffix.lower()
    if kind in (".ndjson", ".jsonl"):
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield f"{name}:{number}", _line(line)
        return
    listed = text.lstrip()[:1] in ("{", "[") and kind not in (".yaml", ".yml")
    document = read_json(text.encode()) if kind == ".json" or listed else _yaml(text, name)
    if isinstance(document, list):
        for number, one in enumerate(document):
            yield f"{name}[{number}]", one
    else:
        yield name, document


def _yaml(text: str, name: str) -> Any:
    return read_yaml(text, name).plain()


def _line(line: str) -> Any:
    try:
        return read_json(line.encode())
    except EligibilityError as error:
        return error


def table_rows(name: str, text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """The rows of a table: place, headings, cells. Raises MalformedInput (``no_header``)."""
    rows = csv.reader(io.StringIO(text))
    header = next(rows, None)
    if not header:
        said = Text("表格没有表头", "the table has no header")
        raise MalformedInput(Problem("no_header", said, name))
    columns = [word.strip() for word in header]
    for row in rows:
        if any(cell.strip() for cell in row):
            yield f"{name}:{rows.line_num}", columns, row


def _case(columns: Sequence[str], row: Sequence[str], vocabulary: Vocabulary) -> dict[str, Any]:
    """A row as a case; an empty cell says nothing, an unknown heading is left to the reader."""
    case: dict[str, Any] = {}
    for column, text in zip(columns, row, strict=False):
        if text.strip():
            fact = vocabulary.named(column)
            case[column] = cell_value(fact, text.strip()) if fact else text.strip()
    return case


def cell_value(fact: Fact, text: str) -> Any:
    """The wire value that a cell stands for; what does not fit is left for the reader to name."""
    if fact.type is Type.SET or fact.many:
        return [] if text == NOTHING else [part.strip() for part in text.split("、")]
    if fact.type in NUMBERS and text != "无":
        return number(text)
    if fact.type is Type.BOOL:
        return {"true": True, "false": False}.get(text.lower(), text)
    return text


def number(text: str) -> Any:
    """The number in a cell, or the text itself where it holds none."""
    try:
        value = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return text
    return int(value) if value.is_finite() and value == value.to_integral_value() else value
