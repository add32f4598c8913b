"""What happened to a case after a decision: typed events, and the case as they leave it.

Events may arrive in any order; which of them stand, and what the case is after them, depends
on the set alone. Nothing is deleted: a mistake is mended by a later event that names the one
it corrects, or withdraws it.

    >>> standing([filed, Event("e2", "filed", day, corrects=filed.id)])   # the second only
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from hashlib import sha256
from json import dumps
from typing import Any

from eligibility.calendars import Interval
from eligibility.errors import FactsError, Problem, Text, nearest
from eligibility.rulebase.duties import EventType
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.model import CASE, Fact, Type
from eligibility.vocabulary.payload import Case
from eligibility.vocabulary.values import Unfit, from_wire, to_wire

KEYS = ("id", "type", "on", "facts", "doc_no", "note", "corrects", "withdrawn", "answers")
TEXTS = ("id", "doc_no", "note", "corrects", "answers")
MOST_RECORDS = 200
_DAY = Fact("on", Text("日期", "day"), Type.DATE)
_NOTE = Fact("note", Text("说明", "note"), Type.TEXT)


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``facts`` are typed; ``records`` says which property or debtor it is about.

    ``answers`` is the id of the event that it answers (which request, which objection);
    ``corrects`` that of the event it takes the place of; ``withdrawn``: it leaves nothing
    in that place.
    """

    id: str
    type: str
    on: date
    facts: Mapping[str, Any] = field(default_factory=dict)
    records: Mapping[str, int] = field(default_factory=dict)
    doc_no: str = ""
    note: str = ""
    corrects: str = ""
    withdrawn: bool = False
    answers: str = ""

    def order(self) -> tuple[date, str]:
        """Events of one case in the order of the days they happened on."""
        return self.on, self.id


# --- from the wire ------------------------------------------------------------------------------


def read_event(payload: Any, rulebase: Rulebase, today: date, case: str = "") -> Event:
    """The event in a payload. Raises :class:`FactsError` with every misfit and its path.

    Without an ``id`` the event is named by its content (and its ``case``), so that sending
    it twice is still one event.
    """
    reader = _Reader(rulebase, today)
    event = reader.event(payload, case)
    if reader.problems or event is None:
        raise FactsError(reader.problems)
    return event


class _Reader:
    def __init__(self, rulebase: Rulebase, today: date) -> None:
        self.rulebase = rulebase
        self.today = today
        self.problems: list[Problem] = []

    def problem(
        self, code: str, path: str, zh: str, en: str, known: Sequence[str] = (), word: str = ""
    ) -> None:
        hint = nearest(word[:80], known) if word else None
        self.problems.append(Problem(code, Text(zh, en), path, "", hint, tuple(known)[:100]))

    def event(self, payload: Any, case: str) -> Event | None:
        if not isinstance(payload, Mapping):
            self.problem("wrong_type", "event", "事件应为键值表", "an event is a mapping")
            return None
        scopes = self.rulebase.vocabulary.payload_scopes()[1:]
        known = [*KEYS, *scopes]
        for key in payload:
            if key not in known:
                shown = str(key)[:80]
                zh, en = f"事件没有“{shown}”这一项", f"an event has no '{shown}'"
                self.problem("unknown_field", shown, zh, en, known, shown)
        kind = self._type(payload.get("type"))
        on = self._value(_DAY, payload.get("on"), "on")
        if on is None and "on" not in {p.place for p in self.problems}:
            self.problem("missing_field", "on", "必须填写发生日期", "the day is required")
        if on is not None and on > self.today:
            zh, en = f"日期晚于今天 {self.today}", f"is after today, {self.today}"
            self.problem("future_event", "on", zh, en)
        texts = {key: self._text(payload.get(key), key) for key in TEXTS}
        withdrawn = payload.get("withdrawn", False)
        if not isinstance(withdrawn, bool):
            self.problem("wrong_type", "withdrawn", "应为 true 或 false", "expected true or false")
        elif withdrawn and not texts["corrects"]:
            zh, en = (
                "撤回须写明所撤回的事件（corrects）",
                "say which event is withdrawn: 'corrects'",
            )
            self.problem("missing_field", "corrects", zh, en)
        if kind is None or on is None:
            return None
        facts = self._facts(kind, payload.get("facts"), bool(withdrawn))
        records = {s: self._index(payload[s], s) for s in scopes if payload.get(s) is not None}
        name = texts.pop("id") or content_id(case, payload)
        return Event(
            name, kind.name, on, facts=facts, records=records, withdrawn=bool(withdrawn), **texts
        )

    def _type(self, raw: Any) -> EventType | None:
        events = self.rulebase.events
        for event in events.values():
            if raw in (event.name, event.label.zh):
                return event
        words = [w for e in events.values() for w in (e.name, e.label.zh)]
        if raw is None:
            self.problem("missing_field", "type", "必须填写事件类型", "the type is required", words)
        else:
            shown = str(raw)[:80]
            zh, en = f"没有事件“{shown}”", f"no event '{shown}'"
            self.problem("unknown_event", "type", zh, en, words, shown)
        return None

    def _facts(self, kind: EventType, raw: Any, withdrawn: bool) -> dict[str, Any]:
        out: dict[str, Any] = {}
        vocabulary = self.rulebase.vocabulary
        if raw is not None and not isinstance(raw, Mapping):
            self.problem("wrong_type", "facts", "应为键值表", "expected a mapping")
            return out
        for word, value in (raw or {}).items():
            fact = vocabulary.named(str(word))
            if fact is None or fact.key not in kind.facts:
                shown = str(word)[:80]
                zh = f"“{kind.label.zh}”不载“{shown}”"
                en = f"'{kind.name}' does not carry '{shown}'"
                known = [w for k in kind.facts for w in (k, vocabulary.facts[k].label.zh)]
                self.problem("unknown_fact", f"facts.{shown}", zh, en, known, shown)
                continue
            found = self._value(fact, value, f"facts.{fact.key}")
            if found is not None:
                out[fact.key] = found
        for key in kind.required:
            if key not in out and not withdrawn and not self._told(f"facts.{key}"):
                label = vocabulary.facts[key].label
                zh, en = f"必须写明“{label.zh}”", f"'{key}' is required"
                self.problem("missing_fact", f"facts.{key}", zh, en)
        return out

    def _told(self, path: str) -> bool:
        return any(problem.place == path for problem in self.problems)

    def _value(self, fact: Fact, raw: Any, path: str) -> Any:
        try:
            value = from_wire(fact, raw)
        except Unfit as error:
            self.problems.append(error.at(path))
            return None
        late = isinstance(value, date) and not fact.future and value > self.today
        if late and fact is not _DAY:
            self.problem("future_event", path, f"晚于今天 {self.today}", f"is after {self.today}")
        return value

    def _text(self, raw: Any, key: str) -> str:
        if raw is None:
            return ""
        try:
            return str(from_wire(_NOTE, raw))
        except Unfit as error:
            self.problems.append(error.at(key))
            return ""

    def _index(self, raw: Any, scope: str) -> int:
        if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw < MOST_RECORDS:
            return raw
        zh, en = "应为该记录在案件中的序号，从 0 起", "expected its place in the case, from 0"
        self.problem("wrong_type", scope, zh, en)
        return 0


def content_id(case: str, payload: Mapping[str, Any]) -> str:
    """A name for an event without one: its content, with the case that it happened to."""
    text = dumps([case, payload], ensure_ascii=False, sort_keys=True, default=str)
    return "sha256-" + sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def describe_event(event: Event, rulebase: Rulebase) -> dict[str, Any]:
    """The event as JSON data, with its label."""
    facts = rulebase.vocabulary.facts
    out: dict[str, Any] = {
        "id": event.id,
        "type": event.type,
        "label": rulebase.events[event.type].label.as_dict(),
        "on": event.on.isoformat(),
        "facts": {key: to_wire(facts[key], value) for key, value in event.facts.items()},
        **event.records,
    }
    for key in ("doc_no", "note", "corrects", "answers"):
        if getattr(event, key):
            out[key] = getattr(event, key)
    if event.withdrawn:
        out["withdrawn"] = True
    return out


# --- which stand --------------------------------------------------------------------------------


def standing(events: Iterable[Event]) -> list[Event]:
    """The events that count, by day: corrected and withdrawn ones left out.

    INVARIANT: depends on the set of events, not on their order. Of corrections that start
    from the same event and do not correct each other, the later stands (by day, then id).
    """
    found = {event.id: event for event in events}
    corrected = {event.corrects for event in found.values()}
    last: dict[str, Event] = {}
    for event in sorted(found.values(), key=Event.order):
        if event.id not in corrected:
            last[_origin(event, found)] = event
    return sorted((e for e in last.values() if not e.withdrawn), key=Event.order)


def _origin(event: Event, found: Mapping[str, Event]) -> str:
    """The id of the event that a chain of corrections started from."""
    seen = {event.id}
    while event.corrects in found and event.corrects not in seen:
        event = found[event.corrects]
        seen.add(event.id)
    return event.corrects or event.id


# --- the case after them ------------------------------------------------------------------------


def case_after(
    case: Case, events: Sequence[Event], rulebase: Rulebase, transferred: bool = False
) -> Case:
    """The case as standing events leave it (a copy).

    An event after the case's day of evaluation changes its facts; one on or before that day
    only fills in what the case did not say. ``transferred``: a case filed in the receiving
    court becomes that court's case, crossed once more.
    """
    after = replace(
        case,
        facts=dict(case.facts),
        records={scope: [dict(r) for r in found] for scope, found in case.records.items()},
    )
    for event in events:
        kind = rulebase.events[event.type]
        later = case.as_of is None or event.on > case.as_of
        every = of_the_whole_case(kind, rulebase)
        for key, value in _says(event, kind):
            for store in _stores(after, rulebase.vocabulary.facts[key], event, every):
                if later or store.get(key) is None:
                    store[key] = value
        _stays(after, event, kind)
        if transferred and kind.transfers and later:
            _transfer(after, event)
    return after


def of_the_whole_case(kind: EventType, rulebase: Rulebase) -> bool:
    """Whether an event that names no property or debtor is about all of them."""
    return any(rulebase.vocabulary.facts[key].scope == CASE for key in kind.sets)


def _says(event: Event, kind: EventType) -> list[tuple[str, Any]]:
    day = [(kind.day[0], event.on)] if kind.day else []
    return [*day, *event.facts.items(), *kind.sets.items()]


def _stores(case: Case, fact: Fact, event: Event, every: bool) -> list[dict[str, Any]]:
    """Where a fact of an event goes: the case, the record it names, the only one, or all."""
    if fact.scope == CASE:
        return [case.facts]
    records = case.records.setdefault(fact.scope, [])
    named = event.records.get(fact.scope)
    if named is not None:
        return records[named : named + 1]
    return records if every or len(records) == 1 else []


def _stays(case: Case, event: Event, kind: EventType) -> None:
    intervals = list(case.intervals or ())
    if kind.begins and (kind.begins, event.on) not in {(i.kind, i.start) for i in intervals}:
        number = len(intervals)
        intervals.append(Interval(kind.begins, event.on, None, event.doc_no or None, index=number))
        case.intervals = tuple(intervals)
    elif kind.ends:
        case.intervals = case.intervals and tuple(
            replace(i, end=event.on)
            if i.kind in kind.ends and i.end is None and i.start <= event.on
            else i
            for i in intervals
        )


def _transfer(case: Case, event: Event) -> None:
    """The receiving court is the executing court now, and the case was crossed once more."""
    facts = case.facts
    receiving, original = facts.pop("receiving_court", None), facts.get("court_id")
    if original is not None:
        facts["prior_courts"] = frozenset({original, *(facts.get("prior_courts") or ())})
    count = facts.get("prior_cross_count")
    if count is not None:
        facts["prior_cross_count"] = count + 1
    facts["current_court_filing_date"] = event.on
    if receiving is None:
        facts.pop("court_id", None)
    else:
        facts["court_id"] = receiving


def unplaced(case: Case, events: Sequence[Event], rulebase: Rulebase) -> list[Problem]:
    """Events about a property or debtor that they do not name, where there are several."""
    out = []
    for event in events:
        kind = rulebase.events[event.type]
        for key, _ in _says(event, kind):
            fact = rulebase.vocabulary.facts[key]
            if not _stores(case, fact, event, of_the_whole_case(kind, rulebase)):
                name = rulebase.vocabulary.records[fact.scope]
                text = Text(
                    f"事件“{kind.label.zh}”（{event.on}）没有写明是哪一项{name.label.zh}",
                    f"event '{kind.name}' ({event.on}) does not say which {name.label.en}",
                )
                out.append(Problem("event_without_record", text, f"events.{event.id}"))
                break
    return out
