"""Random payloads drawn from a vocabulary: right ones, and ones with something wrong."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import strategies as st

from eligibility.vocabulary.model import CASE, Fact, RecordKind, Type, Vocabulary
from eligibility.vocabulary.payload import INTERVALS
from eligibility.vocabulary.values import FIRST_DAY, LAST_DAY, MAX_NUMBER, MAX_TEXT

Payload = dict[str, Any]
Strategy = st.SearchStrategy[Any]
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
EVENT_DAYS = (date(2023, 1, 1), date(2025, 6, 30))
JUNK: Strategy = st.sampled_from(
    [
        True, False, 0, 1, -1, 7, 1.5, -0.5, MAX_NUMBER, MAX_NUMBER + 1, 10**30, -(10**30),
        "", "是", "否", "true", "TRUE", "none", "None", "无", "null", "2024-02-29", "2023-02-29",
        "1949-09-30", "1949-10-01", "2199-12-31", "2200-01-01", "2024-1-1", "20240101",
        "2024-01-01T00:00:00", "2024-01-01 ", "２０２４-01-01", "0000-00-00", "first", "\x00",
        "x" * MAX_TEXT, "x" * (MAX_TEXT + 1), [], [[]], [None], [""], ["x"], [1], {}, [{}],
        {"x": 1}, [{"x": 1}], [{"kind": "announcement"}],
    ]
)  # fmt: skip


def days(first: date = FIRST_DAY, last: date = LAST_DAY) -> Strategy:
    return st.dates(first, last).map(date.isoformat)


def numbers(fact: Fact) -> Strategy:
    """Within the bounds of a fact; whole, or with two decimals."""
    low = -MAX_NUMBER if fact.minimum is None else fact.minimum
    high = MAX_NUMBER if fact.maximum is None else fact.maximum
    near = st.integers(low, min(high, low + 400))
    whole = st.one_of(near, st.integers(low, high))
    if fact.type is Type.INT:
        return whole
    most = min(high, 10**12)  # beyond that a float has no cents
    return st.one_of(whole, st.integers(low * 100, most * 100).map(lambda n: n / 100))


def right(fact: Fact, first: date = FIRST_DAY, last: date = LAST_DAY) -> Strategy:
    """Values that fit a fact, unknown among them."""
    words = [*fact.values, *(t.zh for t in fact.values.values())]
    fitting: Strategy
    if fact.many:
        fitting = st.lists(TEXT, max_size=3)
    elif fact.type is Type.BOOL:
        fitting = st.sampled_from([True, False, "是", "否"])
    elif fact.type in (Type.INT, Type.MONEY, Type.DECIMAL):
        fitting = numbers(fact)
    elif fact.type is Type.DATE:
        fitting = days(first, last)
        if fact.event:
            fitting = st.one_of(fitting, st.sampled_from(["none", "无"]))
    elif fact.type is Type.ENUM:
        fitting = st.sampled_from(words)
    elif fact.type is Type.SET:
        fitting = st.lists(st.sampled_from(words), max_size=4)
    elif fact.type is Type.TEXT:
        fitting = TEXT
    else:
        fitting = st.nothing()
    return st.one_of(fitting, fitting, fitting, st.none())


def _value(fact: Fact, wrong: bool) -> Strategy:
    return st.one_of(right(fact), right(fact), JUNK) if wrong else right(fact, *EVENT_DAYS)


def _fields(kind: RecordKind, vocabulary: Vocabulary) -> list[Fact]:
    return list(kind.fields.values()) or list(vocabulary.of_scope(kind.name))


@st.composite
def record(draw: st.DrawFn, kind: RecordKind, vocabulary: Vocabulary, wrong: bool) -> Payload:
    """One record; an interval has its kind and beginning unless something may be wrong."""
    facts = _fields(kind, vocabulary)
    out: Payload = {}
    for fact in draw(st.lists(st.sampled_from(facts), max_size=6, unique_by=id)):
        word = draw(st.sampled_from([fact.key, fact.key, fact.label.zh]))
        out[word] = draw(_value(fact, wrong))
    if kind.list_key == INTERVALS and (not wrong or draw(st.booleans())):
        by_key = {f.key: f for f in facts}
        out["kind"] = draw(st.sampled_from(list(by_key["kind"].values)))
        out["from"], out["to"] = sorted(draw(st.tuples(days(*EVENT_DAYS), days(*EVENT_DAYS))))
        for key in ("kind", "from", "to"):
            out.pop(by_key[key].label.zh, None)
    if wrong and draw(st.integers(0, 9)) == 0:
        out[draw(TEXT)] = draw(JUNK)
    return out


@st.composite
def payload(draw: st.DrawFn, vocabulary: Vocabulary, wrong: bool, most: int = 12) -> Payload:
    """A case. Not ``wrong``: every value has the right type, and nothing is ambiguous."""
    lists = vocabulary.lists()
    listed = [k for k in lists.values() if draw(st.integers(0, 2)) == 0]
    names = {k.name for k in listed}
    facts = [
        f
        for f in vocabulary.facts.values()
        if f.scope in vocabulary.payload_scopes()
        and f.type is not Type.RECORDS
        and (wrong or f.scope == CASE or f.scope not in names)
        and (wrong or (not f.derived and not f.alias_of))
    ]
    out: Payload = {}
    for fact in draw(st.lists(st.sampled_from(facts), max_size=most, unique_by=id)):
        word = draw(st.sampled_from([fact.key, fact.key, fact.label.zh]))
        out[word] = draw(_value(fact, wrong))
    for kind in listed:
        least = 0 if kind.may_be_empty or wrong else 1
        records = st.lists(record(kind, vocabulary, wrong), min_size=least, max_size=3)
        out[kind.list_key] = draw(st.one_of(records, JUNK) if wrong else records)
    if wrong and draw(st.integers(0, 9)) == 0:
        out[draw(TEXT)] = draw(JUNK)
    return out
