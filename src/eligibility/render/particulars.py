"""The facts of a case as a document states them: their value in words, and their record.

Only what the case says: a fact that is not known has no particular, and nothing stands in
for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

from eligibility.errors import Text
from eligibility.rulebase.model import Court, Rulebase

_UNITS = {"day": "日", "month": "个月", "case": "件", "court": "家", "yuan": "元", "percent": "%"}
_YES_NO = {True: Text("是", "yes"), False: Text("否", "no")}
_EMPTY, _NEVER, _UNKNOWN = Text("空", "empty"), Text("无", "none"), Text("未记载", "not recorded")


class Particular(NamedTuple):
    """One fact of a case: what it is called, its value, and the record that holds it."""

    label: str
    text: str
    held_by: str


class Particulars:
    """The facts of one case (a payload, as ``since_decision.case`` has it), in Chinese."""

    def __init__(self, payload: Mapping[str, Any], rulebase: Rulebase) -> None:
        self.payload = payload
        self.rulebase = rulebase
        self.facts = rulebase.vocabulary.facts

    def value(self, key: str) -> Any:
        """The value as the case has it; None where it is not known."""
        return self.payload.get(key)

    def of(self, keys: Iterable[str]) -> list[Particular]:
        """The known ones of some facts of the case."""
        return self._told(self.payload, keys)

    def records(self, kind: str) -> list[list[Particular]]:
        """The known facts of each record of a kind; a single one may stand in the case itself."""
        keys = [key for key, fact in self.facts.items() if fact.scope == kind]
        rows = self.payload.get(self.rulebase.vocabulary.records[kind].list_key)
        if rows is None:
            rows = [self.payload]
        return [told for row in rows if (told := self._told(row, keys))]

    def has_none(self, kind: str) -> bool:
        """Whether the case says that there is no record of a kind."""
        return self.payload.get(self.rulebase.vocabulary.records[kind].list_key) == []

    def _told(self, row: Mapping[str, Any], keys: Iterable[str]) -> list[Particular]:
        return [
            Particular(self.facts[key].label.zh, self._text(key, row[key]), self.held_by(key))
            for key in keys
            if key in self.facts and row.get(key) is not None
        ]

    def _text(self, key: str, value: Any) -> str:
        text = "没有" if value == [] else value_text(key, value, self.rulebase).zh
        dated = self.facts[key].type == "date" and value != "none"
        return chinese_day(text) if dated else text

    def held_by(self, key: str) -> str:
        """The record that holds a fact; empty where the dictionary names none."""
        return self.facts[key].held_by.zh if key in self.facts else ""

    def court(self, key: str) -> Court | None:
        """The court of the register that a fact names by id, name or alias."""
        return court_named(self.value(key), self.rulebase)

    def court_name(self, key: str) -> str:
        """The full name of a court, or the name that the case has; empty where unknown."""
        court = self.court(key)
        return court.label.zh if court else str(self.value(key) or "")


def court_named(name: object, rulebase: Rulebase) -> Court | None:
    """The court with this id, name or alias."""
    for court in rulebase.courts.values():
        if name in (court.id, court.label.zh, *court.aliases):
            return court
    return None


def value_text(key: str, value: Any, rulebase: Rulebase) -> Text:
    """The value of a fact, as JSON has it, in words."""
    fact = rulebase.vocabulary.facts.get(key)
    if value is None:
        return _UNKNOWN
    if isinstance(value, bool):
        return _YES_NO[value]
    if value == []:
        return _EMPTY
    if isinstance(value, list):
        parts = [_named(key, v, rulebase) for v in value]
        return Text("、".join(p.zh for p in parts), ", ".join(p.en for p in parts))
    if fact is not None and isinstance(value, (int, float)):
        unit = _UNITS.get(fact.unit, "")
        return Text(f"{value:,}{unit}", f"{value:,} {fact.unit}".strip())
    return _named(key, value, rulebase)


def _named(key: str, value: Any, rulebase: Rulebase) -> Text:
    """A word of a fact by its label; a word that the fact does not know, as it stands."""
    fact, plain = rulebase.vocabulary.facts.get(key), Text(str(value), str(value))
    if fact is None:
        return plain
    if fact.can_be_none and value == "none":
        return _NEVER
    return fact.values.get(value, plain)


def chinese_day(day: date | str) -> str:
    """``2024年1月31日``, from a date or as JSON writes one."""
    found = date.fromisoformat(day) if isinstance(day, str) else day
    return f"{found.year}年{found.month}月{found.day}日"
