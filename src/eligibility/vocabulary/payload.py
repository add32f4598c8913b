"""A case as callers send it, read into typed values; every misfit named with its path.

Keys and enum values may be English keys or Chinese labels. Facts of a record (a property,
a debtor) may stand flat in the case: they then describe its only record of that kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from eligibility.calendars import Interval
from eligibility.errors import FactsError, Problem, Text, nearest
from eligibility.vocabulary.model import CASE, Fact, RecordKind, Type, Vocabulary
from eligibility.vocabulary.values import Unfit, from_wire, to_wire

MAX_RECORDS = 200
MAX_PROBLEMS = 100
INTERVALS = "excluded_intervals"
REQUIRED_IN_INTERVALS = ("kind", "from")
OVERRIDES = "overrides"
AS_OF_ALIAS = "evaluation_date"
_SHOWN = 80


@dataclass(slots=True)
class Case:
    """The facts of a case as recorded: known values only, records as lists.

    ``records`` always has a list for each kind of the payload; ``flat`` names the kinds
    whose single record was written flat (or not at all). ``intervals`` is None where the
    case says nothing about them.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    flat: set[str] = field(default_factory=set)
    intervals: tuple[Interval, ...] | None = None
    overrides: tuple[Mapping[str, str], ...] = ()
    as_of: date | None = None

    def path(self, scope: str, index: int, key: str, lists: Mapping[str, str]) -> str:
        """The JSON path of a fact."""
        if scope == CASE or scope in self.flat:
            return key
        return f"{lists[scope]}[{index}].{key}"


def read_case(payload: Any, vocabulary: Vocabulary, as_of: date | None = None) -> Case:
    """The typed case. Raises :class:`FactsError` with every misfit found."""
    reader = _Reader(vocabulary)
    case = reader.case(payload)
    reader.dates(case, as_of)
    if reader.problems:
        raise FactsError(reader.problems)
    return case


def write_case(case: Case, vocabulary: Vocabulary) -> dict[str, Any]:
    """The payload of a case: what :func:`read_case` reads back as the same case."""
    out = {key: to_wire(vocabulary.facts[key], value) for key, value in case.facts.items()}
    for kind in vocabulary.records.values():
        made = case.records.get(kind.name)
        if made is None:
            continue
        rows = [{k: to_wire(vocabulary.facts[k], v) for k, v in row.items()} for row in made]
        if kind.name in case.flat:
            out.update(rows[0])
        else:
            out[kind.list_key] = rows
    if case.intervals is not None:
        out[INTERVALS] = [_interval_to_wire(interval) for interval in case.intervals]
    if case.overrides:
        out[OVERRIDES] = [dict(record) for record in case.overrides]
    return out


def _interval_to_wire(interval: Interval) -> dict[str, Any]:
    days = {"from": interval.start, "to": interval.end, "stated_end": interval.stated_end}
    out: dict[str, Any] = {"kind": interval.kind}
    out.update({key: day.isoformat() for key, day in days.items() if day is not None})
    if interval.doc_no:
        out["doc_no"] = interval.doc_no
    return out | ({"guarantee": True} if interval.guarantee else {})


class _Reader:
    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.problems: list[Problem] = []
        self.lists = vocabulary.lists()
        self.list_labels = {kind.label.zh: key for key, kind in self.lists.items()}

    def problem(
        self,
        code: str,
        path: str,
        zh: str,
        en: str,
        hint: Text | None = None,
        allowed: tuple[str, ...] = (),
    ) -> None:
        self._add(Problem(code, Text(zh, en), path, "", hint, allowed))

    def _add(self, problem: Problem) -> None:
        """Keep a problem; enough of them end the reading, for each costs a search for hints."""
        self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            text = Text(
                f"只列出前 {MAX_PROBLEMS} 处问题", f"only the first {MAX_PROBLEMS} are listed"
            )
            raise FactsError([*self.problems, Problem("too_many_problems", text, "case")])

    def case(self, payload: Any) -> Case:
        case = Case()
        if not isinstance(payload, Mapping):
            self.problem("wrong_type", "case", "案件应为键值表", "a case is a mapping of facts")
            return case
        flat: dict[str, dict[str, Any]] = {}
        for raw_key, raw in payload.items():
            self._entry(case, flat, raw_key, raw)
        for scope in self.vocabulary.payload_scopes()[1:]:
            self._single(case, scope, flat.get(scope, {}))
        return case

    def _entry(self, case: Case, flat: dict[str, dict[str, Any]], raw_key: Any, raw: Any) -> None:
        key = raw_key if isinstance(raw_key, str) else str(raw_key)
        kind = self.lists.get(key) or self.lists.get(self.list_labels.get(key, ""))
        fact = self.vocabulary.named(key)
        if kind is not None and (fact is None or fact.type is Type.RECORDS):
            self._records(case, kind, raw)
            return
        if fact is None or fact.scope not in self.vocabulary.payload_scopes():
            self._unknown_key(key)
            return
        if fact.type is Type.RECORDS:
            self._records(case, self.lists[fact.key], raw)
            return
        target = case.facts if fact.scope == CASE else flat.setdefault(fact.scope, {})
        self._value(target, fact, raw, fact.key)

    def _value(self, target: dict[str, Any], fact: Fact, raw: Any, path: str) -> None:
        if fact.key in target:
            self.problem("duplicate_fact", path, "同一事实写了两次", "the same fact twice")
            return
        try:
            value = from_wire(fact, raw)
        except Unfit as error:
            self._add(error.at(path))
            return
        if value is not None:
            target[fact.key] = value

    def _unknown_key(self, key: str) -> None:
        shown = key[:_SHOWN].encode("utf-8", "backslashreplace").decode()
        known = [*self.vocabulary.words(), *self.lists]
        hint = nearest(shown, known) if len(key) <= _SHOWN else None
        self.problem(
            "unknown_fact", shown, f"没有名为“{shown}”的事实", f"no fact named '{shown}'", hint
        )

    # --- records ---------------------------------------------------------------------------

    def _records(self, case: Case, kind: RecordKind, raw: Any) -> None:
        path = kind.list_key
        if raw is None:
            return
        if not isinstance(raw, list):
            self.problem("wrong_type", path, "应为记录列表", "expected a list of records")
            return
        if len(raw) > MAX_RECORDS:
            self.problem(
                "too_many_records",
                path,
                f"记录不得超过 {MAX_RECORDS} 条",
                f"at most {MAX_RECORDS} records",
            )
            return
        if not raw and not kind.may_be_empty:
            self.problem(
                "no_records", path, f"至少应有一个{kind.label.zh}", f"at least one {kind.label.en}"
            )
            return
        if kind.name in case.records or (path == INTERVALS and case.intervals is not None):
            self.problem("duplicate_fact", path, "同一列表写了两次", "the same list twice")
            return
        built = [self._record(kind, item, f"{path}[{i}]") for i, item in enumerate(raw)]
        if path == INTERVALS:
            case.intervals = tuple(self._interval(i, r, path) for i, r in enumerate(built))
        elif path == OVERRIDES:
            case.overrides = tuple(built)
        else:
            case.records[kind.name] = built

    def _record(self, kind: RecordKind, raw: Any, path: str) -> dict[str, Any]:
        out: dict[str, Any] = {}
        if not isinstance(raw, Mapping):
            self.problem("wrong_type", path, "记录应为键值表", "a record is a mapping")
            return out
        for raw_key, value in raw.items():
            key = str(raw_key)
            fact = self._field(kind, key)
            if fact is None:
                shown = key[:_SHOWN].encode("utf-8", "backslashreplace").decode()
                known = list(kind.fields) or [f.key for f in self.vocabulary.of_scope(kind.name)]
                self.problem(
                    "unknown_fact",
                    f"{path}.{shown}",
                    f"{kind.label.zh}没有“{shown}”这一项",
                    f"a {kind.label.en} has no '{shown}'",
                    nearest(shown, known),
                    tuple(known),
                )
                continue
            self._value(out, fact, value, f"{path}.{fact.key}")
        return out

    def _field(self, kind: RecordKind, key: str) -> Fact | None:
        if kind.fields:
            found = kind.fields.get(key)
            by_label = (f for f in kind.fields.values() if f.label.zh == key)
            return found or next(by_label, None)
        fact = self.vocabulary.named(key)
        return fact if fact is not None and fact.scope == kind.name else None

    def _interval(self, index: int, record: dict[str, Any], path: str) -> Interval:
        where = f"{path}[{index}]"
        for key in REQUIRED_IN_INTERVALS:
            if key not in record:
                self.problem("missing_fact", f"{where}.{key}", "必须填写", "is required")
        start = record.get("from", date.min)
        end = record.get("to")
        if end is not None and end < start:
            self.problem(
                "dates_out_of_order", f"{where}.to", "结束早于开始", "ends before it begins"
            )
        return Interval(
            kind=record.get("kind", "other"),
            start=start,
            end=end,
            doc_no=record.get("doc_no") or None,
            stated_end=record.get("stated_end"),
            guarantee=bool(record.get("guarantee", False)),
            index=index,
        )

    def _single(self, case: Case, scope: str, flat: dict[str, Any]) -> None:
        """Facts written flat are the only record; a list beside them would be ambiguous."""
        if scope not in case.records:
            case.records[scope] = [flat]
            case.flat.add(scope)
        elif flat:
            list_key = self.vocabulary.records[scope].list_key
            for key in flat:
                self.problem(
                    "ambiguous_record",
                    key,
                    f"已有 {list_key} 列表，请把此项写入其中一条",
                    f"there is a list '{list_key}': write this inside one of its records",
                )

    # --- dates -----------------------------------------------------------------------------

    def dates(self, case: Case, as_of: date | None) -> None:
        """The day of evaluation, and no event after it."""
        alias = case.facts.pop(AS_OF_ALIAS, None)
        if alias is not None and as_of is not None and alias != as_of:
            self.problem(
                "as_of_conflict",
                AS_OF_ALIAS,
                f"审查基准日 {alias} 与 as_of {as_of} 不一致",
                f"evaluation_date {alias} differs from as_of {as_of}",
            )
        case.as_of = as_of or alias
        if case.as_of is None:
            return
        lists = {kind.name: kind.list_key for kind in self.lists.values()}
        self._not_after(case, case.facts, CASE, 0, lists)
        for scope, records in case.records.items():
            for index, record in enumerate(records):
                self._not_after(case, record, scope, index, lists)
        for interval in case.intervals or ():
            if interval.start > case.as_of:
                self._future(f"{INTERVALS}[{interval.index}].from", case.as_of)

    def _not_after(
        self,
        case: Case,
        values: Mapping[str, Any],
        scope: str,
        index: int,
        lists: Mapping[str, str],
    ) -> None:
        for key, value in values.items():
            if isinstance(value, date):
                fact = self.vocabulary.facts[key]
                if not fact.future and not fact.derived and case.as_of and value > case.as_of:
                    self._future(case.path(scope, index, key, lists), case.as_of)

    def _future(self, path: str, as_of: date) -> None:
        self.problem(
            "future_event",
            path,
            f"日期晚于审查基准日 {as_of}",
            f"is after the day of evaluation {as_of}",
        )
