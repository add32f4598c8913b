"""Files of events: JSON, NDJSON, YAML or CSV, one event each; a bad one stops no other."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import PurePath
from typing import Any

from eligibility.cli.deciding import parse
from eligibility.cli.output import read_file, refuse
from eligibility.documents import read_json
from eligibility.errors import EligibilityError
from eligibility.vocabulary.model import Type, Vocabulary

# Columns of a table of events that are not facts: Chinese heading -> key.
COLUMNS = {
    "案号": "case_no",
    "执行案号": "case_no",
    "决定编号": "decision_id",
    "编号": "id",
    "事件": "type",
    "日期": "on",
    "文号": "doc_no",
    "说明": "note",
    "更正": "corrects",
    "撤回": "withdrawn",
    "答复": "answers",
    "财产": "property",
    "被执行人": "debtor",
}
_NUMBERS = (Type.INT, Type.MONEY, Type.DECIMAL)
Placed = tuple[str, Any]


def read_events(name: str, vocabulary: Vocabulary) -> Iterator[Placed]:
    """Each event of a file with its place: a payload, or the error that kept it from being one."""
    text = read_file(name)
    kind = PurePath(name).suffix.lower()
    if kind == ".csv":
        yield from _table(name, text, vocabulary)
    elif kind in (".ndjson", ".jsonl"):
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield f"{name}:{number}", _line(line)
    else:
        document = parse(text, name)
        found = document if isinstance(document, list) else [document]
        for number, one in enumerate(found):
            yield (f"{name}[{number}]" if isinstance(document, list) else name), one


def _line(line: str) -> Any:
    try:
        return read_json(line.encode())
    except EligibilityError as error:
        return error


def _table(name: str, text: str, vocabulary: Vocabulary) -> Iterator[Placed]:
    rows = csv.reader(io.StringIO(text))
    header = next(rows, None)
    if not header:
        refuse("no_header", "表格没有表头", "the table has no header", name)
    columns = [COLUMNS.get(word.strip(), word.strip()) for word in header]
    for row in rows:
        if any(cell.strip() for cell in row):
            yield f"{name}:{rows.line_num}", _row(columns, row, vocabulary)


def _row(columns: list[str], row: list[str], vocabulary: Vocabulary) -> dict[str, Any]:
    """A row as an event; empty cells say nothing."""
    event: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    for column, cell in zip(columns, row, strict=False):
        text = cell.strip()
        if not text:
            continue
        fact = vocabulary.named(column)
        if column == "withdrawn":
            event[column] = {"是": True, "true": True, "否": False, "false": False}.get(text, text)
        elif column in ("property", "debtor"):
            event[column] = _number(text)
        elif column in COLUMNS.values() or fact is None:
            event[column] = text
        elif fact.type is Type.SET:
            facts[fact.key] = [] if text == "空" else text.split("、")
        else:
            facts[fact.key] = _number(text) if fact.type in _NUMBERS else _truth(fact.type, text)
    return event | ({"facts": facts} if facts else {})


def _truth(kind: Type, text: str) -> Any:
    words = {"true": True, "false": False} if kind is Type.BOOL else {}
    return words.get(text.lower(), text)


def _number(text: str) -> Any:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return int(number) if number == number.to_integral_value() else number
