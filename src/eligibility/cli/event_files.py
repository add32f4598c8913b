"""Files of events: JSON, NDJSON, YAML or CSV, one event each; a bad one stops no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from eligibility.cli.output import read_file
from eligibility.docket.files import Placed, Row, cell_value, read_listed, table_rows
from eligibility.errors import EligibilityError, MalformedInput, Problem, Text
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
TRUTH = {"是": True, "true": True, "否": False, "false": False}
MOST_DIGITS = 9


def read_events(name: str, vocabulary: Vocabulary) -> Iterator[Placed]:
    """Each event of a file with its place: a payload, or the error that kept it from being one."""
    text = read_file(name)
    if PurePath(name).suffix.lower() != ".csv":
        yield from read_listed(name, text)
        return
    for place, row in table_rows(name, text):
        yield place, row if isinstance(row, EligibilityError) else _event(row, place, vocabulary)


def _event(row: Row, place: str, vocabulary: Vocabulary) -> dict[str, Any] | EligibilityError:
    """A row as an event; empty cells say nothing."""
    event: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    for heading, text in row.items():
        column = COLUMNS.get(heading, heading)
        fact = None if column in COLUMNS.values() else vocabulary.named(column)
        key = fact.key if fact else column
        if key in (facts if fact else event):
            zh, en = f"“{heading}”与另一列是同一项", f"'{heading}' is what another column is"
            return MalformedInput(Problem("duplicate_fact", Text(zh, en), place))
        if fact is not None:
            facts[key] = cell_value(fact, text)
        elif column == "withdrawn":
            event[key] = TRUTH.get(text, text)
        elif column in ("property", "debtor"):
            event[key] = _whole(text)
        else:
            event[key] = text
    return event | ({"facts": facts} if facts else {})


def _whole(text: str) -> Any:
    """A plain whole number, or the text itself for the reader of events to refuse."""
    plain = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
    return int(text) if plain else text
