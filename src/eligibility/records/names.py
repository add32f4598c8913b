"""Names that records are kept under: case numbers, ids of events and decisions.

They are keys of the database. A control character in one cannot be stored everywhere and is
seen by nobody; one of many thousand characters fits into no index. Both are refused before
anything is kept, so a name with a control character is never found either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from unicodedata import category

from eligibility.errors import FactsError, Problem, Text

LONGEST_NAME = 200
NAMES = ("case_no", "decision_id", "id", "corrects", "answers")
_UNFIT = ("Cc", "Cs")  # control characters; halves of characters


def unfit(name: str) -> bool:
    """Whether it holds a character that no name on record can have."""
    return any(category(character) in _UNFIT for character in name)


def check_name(name: Any, place: str) -> None:
    """Raises FactsError (``control_character``, ``text_too_long``); other types pass."""
    if not isinstance(name, str):
        return
    if unfit(name):
        raise FactsError(_control_character(place))
    if len(name) > LONGEST_NAME:
        zh, en = f"不得超过 {LONGEST_NAME} 字", f"over {LONGEST_NAME} characters"
        raise FactsError(Problem("text_too_long", Text(zh, en), place))


def check_texts(value: Any, place: str) -> None:
    """Refuse a NUL in any text below: no database keeps one (``control_character``)."""
    if not _holds_nul(value):
        return
    for found, text in _texts(value, place):
        if "\0" in text:
            raise FactsError(_control_character(found))


def named_event(payload: Any) -> Any:
    """The event of a payload with its names checked; blanks around its case number are dropped."""
    if not isinstance(payload, Mapping):
        return payload
    event = dict(payload)
    if isinstance(event.get("case_no"), str):
        event["case_no"] = event["case_no"].strip(" \t\u3000")
    for key in NAMES:
        check_name(event.get(key), key)
    check_texts(event.get("facts"), "facts")
    return event


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any(map(_holds_nul, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_holds_nul, value))


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, f"{place}.{key}".replace("\0", "?"))
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            yield from _texts(inner, f"{place}[{number}]")


def _control_character(place: str) -> Problem:
    said = Text("含有控制字符", "holds a control character")
    return Problem("control_character", said, place)
