"""Texts with their names in, a checked rule base out; nothing is read from disk here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from eligibility.calendars import WorkingCalendar
from eligibility.documents import Item, read_yaml
from eligibility.errors import Problem, RulebaseError, Span
from eligibility.rulebase import model as m
from eligibility.rulebase.build import Builder
from eligibility.rulebase.canonical import digest
from eligibility.rulebase.checks import check_rulebase
from eligibility.rulebase.shape import FILE
from eligibility.shapes import Reading
from eligibility.vocabulary.reader import read_vocabulary


def load(texts: Mapping[str, str]) -> m.Rulebase:
    """The rule base in ``texts`` (file name -> YAML text).

    Raises :class:`RulebaseError` with every problem found, each with its place.
    """
    rulebase, reading = read(texts)
    if rulebase is None or reading.problems:
        raise RulebaseError(sorted_problems(reading.problems))
    return rulebase


def read(texts: Mapping[str, str]) -> tuple[m.Rulebase | None, Reading]:
    """The rule base if it could be built at all, and everything found on the way.

    ``reading.problems`` are errors; warnings are in :attr:`Rulebase.warnings`.
    """
    reading = Reading()
    documents = _documents(texts, reading)
    if len(documents) < len(texts):
        return None, reading
    sections = _merge(documents, reading)
    vocabulary = read_vocabulary(sections, reading)
    builder = Builder(sections, vocabulary, reading)
    rulebase = builder.rulebase(_calendar(sections, reading))
    if rulebase is None:
        return None, reading
    check_rulebase(rulebase, builder)
    if reading.problems:
        _name_rules(reading, sections, texts)
        return rulebase, reading
    return m.Rulebase(
        **{
            **{name: getattr(rulebase, name) for name in rulebase.__slots__},
            "digest": digest(rulebase),
            "warnings": tuple(builder.warnings),
        }
    ), reading


def sorted_problems(problems: Iterable[Problem]) -> list[Problem]:
    """Problems by place, each once."""
    return sorted(dict.fromkeys(problems), key=_order)


def _order(problem: Problem) -> tuple[str, int, int, str]:
    place = problem.place
    if isinstance(place, Span):
        return place.file, place.line, place.column, problem.code
    return str(place), 0, 0, problem.code


def _name_rules(reading: Reading, sections: Mapping[str, Item], texts: Mapping[str, str]) -> None:
    """Give problems of shape inside a rule the rule's id."""
    ranges = []
    for name in ("rules", "definitions"):
        section = sections.get(name)
        for item in section.sequence if section else []:
            known = item.get("id") or item.get("key")
            last = texts[item.span.file].count("\n", 0, item.end) + 1
            if known is not None and known.raw:
                ranges.append((item.span.file, item.span.line, last, known.raw))
    for i, problem in enumerate(reading.problems):
        place = problem.place
        if problem.rule or not isinstance(place, Span):
            continue
        for file, first, last, rule in ranges:
            if place.file == file and first <= place.line <= last:
                reading.problems[i] = replace(problem, rule=rule)
                break


def _documents(texts: Mapping[str, str], reading: Reading) -> list[Item]:
    documents = []
    for name in sorted(texts):
        try:
            item = read_yaml(texts[name], name)
        except RulebaseError as error:
            reading.problems.extend(error.problems)
            continue
        FILE.check(item, reading)
        documents.append(item)
    return documents


def _merge(documents: list[Item], reading: Reading) -> dict[str, Item]:
    """One section per top-level key: lists joined, mappings united, scalars once."""
    merged: dict[str, Item] = {}
    for document in documents:
        for key, item in document.mapping.items():
            if key not in merged:
                keys = dict(item.keys or {})
                value: Any = item.value
                if isinstance(value, (list, dict)):
                    value = value.copy()
                merged[key] = Item(value, item.span, raw=item.raw, keys=keys)
            else:
                _join(key, merged[key], item, reading)
    return merged


def _join(key: str, into: Item, item: Item, reading: Reading) -> None:
    if isinstance(into.value, list) and isinstance(item.value, list):
        into.value.extend(item.value)
    elif isinstance(into.value, dict) and isinstance(item.value, dict):
        for name, child in item.value.items():
            if name in into.value:
                reading.problem(
                    "duplicate_definition",
                    (item.keys or {}).get(name, child),
                    f"“{name}”在 {into.value[name].span} 已定义",
                    f"'{name}' is already defined at {into.value[name].span}",
                )
            else:
                into.value[name] = child
                if into.keys is not None and item.keys is not None:
                    into.keys[name] = item.keys[name]
    else:
        reading.problem(
            "duplicate_definition",
            item,
            f"“{key}”在 {into.span} 已定义",
            f"'{key}' is already defined at {into.span}",
        )


def _calendar(sections: Mapping[str, Item], reading: Reading) -> WorkingCalendar:
    section = sections.get("calendar")
    data = {}
    for year, item in (section.mapping if section else {}).items():
        plain = item.plain()
        if not year.isdecimal() or len(year) != 4:
            shown = year[:40]
            reading.problem(
                "bad_calendar", item, f"“{shown}”不是年份", f"'{shown}' is not a year such as 2024"
            )
        elif _calendar_year(plain):  # what its shape allows; misfits are reported already
            data[int(year)] = plain
    return WorkingCalendar.from_data(data)


def _calendar_year(plain: Any) -> bool:
    return (
        isinstance(plain, dict)
        and "closed" in plain
        and all(
            isinstance(plain.get(key, []), list)
            and all(type(day) is date for day in plain.get(key, []))
            for key in ("closed", "working")
        )
    )
