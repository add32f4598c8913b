"""Files of events: JSON, NDJSON, YAML or CSV, one event each; a bad one stops no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from eligibility.cli.output import read_file
from eligibility.docket.files import Placed, cell_value, number, read_listed, table_rows
from eligibility.vocabulary.model import Vocabulary

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


def read_events(name: str, vocabulary: Vocabulary) -> Iterator[Placed]:
    """Each event of a file with its place: a payload, or the error that kept it from being one."""
    text = read_file(name)
    if PurePath(name).suffix.lower() != ".csv":
        yield from read_listed(name, text)
        return
    for place, headings, row in table_rows(name, text):
        columns = [COLUMNS.get(word, word) for word in headings]
        yield place, _event(columns, row, vocabulary)


def _event(columns: list[str], row: list[str], vocabulary: Vocabulary) -> dict[str, Any]:
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
            event[column] = number(text)
        elif column in COLUMNS.values() or fact is None:
            event[column] = text
        else:
            facts[fact.key] = cell_value(fact, text)
    return event | ({"facts": facts} if facts else {})
