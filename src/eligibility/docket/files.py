"""Cases of a file as payloads: NDJSON, JSON, YAML or a table with Chinese or English headings.

Texts in, payloads with their places out; a row that cannot be read is an error in its place
and stops no other.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import PurePath
from typing import Any

from eligibility.documents import read_json, read_yaml
from eligibility.errors import EligibilityError, MalformedInput, Problem, Text
from eligibility.vocabulary.model import Fact, Type, Vocabulary

Placed = tuple[str, Any]  # a place in a file, and a payload or an EligibilityError
NUMBERS = (Type.INT, Type.MONEY, Type.DECIMAL)
NOTHING = "空"
_NUMBER = re.compile(r"[+-]?([0-9]{1,30}|[0-9]{1,3}(,[0-9]{3}){1,9})(\.[0-9]{1,30})?")
_BETWEEN = re.compile("[、，,；;]")  # what stands between the entries of a list in a cell
BRACKETS = str.maketrans("（）", "()")
_WIDE = str.maketrans("０１２３４５６７８９，．－＋", "0123456789,.-+")


def read_cases(name: str, text: str, vocabulary: Vocabulary) -> Iterator[Placed]:
    """Each case of a file with its place."""
    if PurePath(name).suffix.lower() == ".csv":
        for place, row in table_rows(name, text):
            yield place, row if isinstance(row, EligibilityError) else _case(row, vocabulary)
    else:
        yield from read_listed(name, text)


def read_listed(name: str, text: str) -> Iterator[Placed]:
    """Each payload of an NDJSON, JSON or YAML file (a list, or one alone) with its place."""
    kind = PurePath(name).suffix.lower()
    if kind in (".ndjson", ".jsonl"):
        for number, line in enumerate(text.split("\n"), 1):
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


Row = dict[str, str]  # heading -> text of a cell that is not empty


def table_rows(name: str, text: str) -> Iterator[tuple[str, Row | EligibilityError]]:
    """The rows of a table with their places; a row that cannot be read is an error in its place.

    Raises MalformedInput where the headings cannot be read (``no_header``, ``bad_table``,
    ``duplicate_heading``).
    """
    rows = csv.reader(io.StringIO(text))
    headings = _headings(rows, name)
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"{name}:{rows.line_num}", MalformedInput(_bad_table(error, name, rows.line_num))
            return  # where the next row begins is not known any more
        if any(cell.strip() for cell in cells):
            place = f"{name}:{rows.line_num}"
            yield place, _row(headings, cells, place)


def _headings(rows: Any, name: str) -> list[str]:
    try:
        header = [word.strip() for word in next(rows, [])]
    except csv.Error as error:
        raise MalformedInput(_bad_table(error, name, rows.line_num)) from None
    if not any(header):
        said = Text("表格没有表头", "the table has no header")
        raise MalformedInput(Problem("no_header", said, name))
    for number, word in enumerate(header):
        if word and word in header[:number]:
            said = Text(f"列名“{word[:80]}”出现两次", f"the heading '{word[:80]}' stands twice")
            raise MalformedInput(Problem("duplicate_heading", said, f"{name}:{rows.line_num}"))
    return header


def _row(headings: Sequence[str], cells: Sequence[str], place: str) -> Row | EligibilityError:
    row: Row = {}
    for number, cell in enumerate(cells):
        text = cell.strip()
        if not text:
            continue
        heading = headings[number] if number < len(headings) else ""
        if not heading:
            said = Text(f"“{text[:40]}”所在的列没有列名", f"'{text[:40]}' stands under no heading")
            return MalformedInput(Problem("cell_without_heading", said, place))
        row[heading] = text
    return row


def _bad_table(error: csv.Error, name: str, line: int) -> Problem:
    said = Text(f"表格不能读取：{error}", f"the table cannot be read: {error}")
    return Problem("bad_table", said, f"{name}:{line}")


def _case(row: Row, vocabulary: Vocabulary) -> dict[str, Any]:
    """A row as a case; an empty cell says nothing, an unknown heading is left to the reader."""
    case: dict[str, Any] = {}
    for heading, text in row.items():
        fact = vocabulary.named(heading)
        case[heading] = cell_value(fact, text) if fact else text
    return case


def cell_value(fact: Fact, text: str) -> Any:
    """The wire value that a cell stands for; what does not fit is left for the reader to name."""
    if fact.type is Type.SET or fact.many:
        if text == NOTHING:
            return []
        # A cell of separators alone is no empty list: it is left to be refused.
        parts = [part.strip() for part in _BETWEEN.split(text) if part.strip()] or [text]
        return [_choice(fact, part) for part in parts]
    if fact.type is Type.ENUM:
        return _choice(fact, text)
    if fact.type in NUMBERS and text != "无":
        return number(text)
    if fact.type is Type.BOOL:
        return {"true": True, "false": False}.get(text.lower(), text)
    return text


def _choice(fact: Fact, word: str) -> str:
    """A value as the dictionary writes it; Chinese keyboards make its brackets wide."""
    narrow = word.translate(BRACKETS)
    return narrow if fact.value_named(word) is None and fact.value_named(narrow) else word


def number(text: str) -> Any:
    """The number in a cell, or the text itself where it holds none written plainly.

    Thousands may be set off by commas, in groups of three, and digits be full-width.
    """
    plain = text.translate(_WIDE)
    if not _NUMBER.fullmatch(plain):
        return text
    value = Decimal(plain.replace(",", ""))
    return int(value) if value == value.to_integral_value() else value
