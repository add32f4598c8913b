"""The dictionary for other programs: JSON Schema, example, form and pydantic type of a case.

The schema describes what :func:`~eligibility.vocabulary.payload.read_case` accepts, and
``read_case`` alone validates: there is one validator, so an answer never depends on which
of two got hold of a case first. What a schema cannot say is left to it:

* a fact, or a list, written under its key and again under its Chinese label;
* facts of a record written flat beside the list of those records;
* dates in order: no event after the day of evaluation, no interval that ends before it begins;
* money with more than two decimals, and whole numbers spelt ``1.0`` or ``1e2``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import WithJsonSchema

from eligibility.errors import Text
from eligibility.vocabulary.model import CASE, Fact, RecordKind, Type, Vocabulary
from eligibility.vocabulary.payload import INTERVALS, MAX_RECORDS, REQUIRED_IN_INTERVALS
from eligibility.vocabulary.values import MAX_NUMBER, MAX_TEXT

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Days from FIRST_DAY to LAST_DAY of the values module.
DAY = (
    r"^(1949-1[0-2]|19[5-9][0-9]-(0[1-9]|1[0-2])|2[01][0-9]{2}-(0[1-9]|1[0-2]))"
    r"-(0[1-9]|[12][0-9]|3[01])$"
)
TRUTHS = ("是", "否")
NEVER = ("none", "无")


def json_schema(vocabulary: Vocabulary) -> Schema:
    """JSON Schema 2020-12 of a case: every key and Chinese label, nothing else."""
    properties: Schema = {}
    aliases: Schema = {}
    for key, label, described in _entries(vocabulary):
        properties[key] = described
        aliases.setdefault(label, _bare(described))
    return {
        "$schema": DIALECT,
        "title": "案件事实 / facts of a case",
        "description": (
            "省略或 null 为未知；事件日期写“无”或 none 为确知未发生；[] 为确知没有。"
            "键与枚举值可用英文键或中文名称。 / "
            "Omitted or null is unknown; none (无) on the date of an event: it did not happen; "
            "[]: known to be empty. Keys and enum values may be English keys or Chinese labels."
        ),
        "type": "object",
        "properties": properties | {k: v for k, v in aliases.items() if k not in properties},
        "additionalProperties": False,
    }


def case_type(vocabulary: Vocabulary) -> Any:
    """A pydantic type for a case: checks for a mapping only, documents itself in full."""
    schema = json_schema(vocabulary)
    del schema["$schema"]
    schema["title"] = "Facts"  # the name of the type in a generated client
    schema["examples"] = [example(vocabulary)]
    return Annotated[dict[str, Any], WithJsonSchema(schema)]


def _entries(vocabulary: Vocabulary) -> Iterator[tuple[str, str, Schema]]:
    """Key, Chinese label and schema of everything a case may hold at its top."""
    lists = vocabulary.lists()
    scopes = vocabulary.payload_scopes()
    for fact in vocabulary.facts.values():
        if fact.scope not in scopes:
            continue
        if fact.type is Type.RECORDS:
            schema = _list(lists[fact.key], vocabulary) | _words(fact)
        else:
            schema = _value(fact) | _words(fact)
        yield fact.key, fact.label.zh, schema
    for kind in lists.values():
        if vocabulary.named(kind.list_key) is None:
            yield kind.list_key, kind.label.zh, _list(kind, vocabulary)


def _list(kind: RecordKind, vocabulary: Vocabulary) -> Schema:
    facts = _fields(kind, vocabulary)
    record: Schema = {
        "type": "object",
        "title": _both(kind.label),
        "properties": {f.key: _value(f) | _words(f) for f in facts},
        "additionalProperties": False,
    }
    for fact in facts:
        record["properties"].setdefault(fact.label.zh, _value(fact))
    if kind.list_key == INTERVALS:
        needed = [_missing(f) for f in facts if f.key in REQUIRED_IN_INTERVALS]
        record["not"] = {"anyOf": needed}
    schema: Schema = {
        "type": ["array", "null"],
        "title": _both(kind.label),
        "items": record,
        "maxItems": MAX_RECORDS,
    }
    if not kind.may_be_empty:
        schema["minItems"] = 1
    return schema


def _fields(kind: RecordKind, vocabulary: Vocabulary) -> list[Fact]:
    return list(kind.fields.values()) or list(vocabulary.of_scope(kind.name))


def _missing(fact: Fact) -> Schema:
    """No known value under the key or the label: each is left out or null."""
    return {"properties": {word: {"type": "null"} for word in (fact.key, fact.label.zh)}}


def _value(fact: Fact) -> Schema:
    """What :func:`~eligibility.vocabulary.values.from_wire` accepts for a fact."""
    if fact.many:
        return {"type": ["array", "null"], "items": {"type": "string", "maxLength": MAX_TEXT}}
    match fact.type:
        case Type.BOOL:
            # One type to a branch: generators of clients refuse an enum of several types.
            word = {"type": "string", "enum": [*TRUTHS]}
            return {"anyOf": [{"type": "boolean"}, word, {"type": "null"}]}
        case Type.INT | Type.MONEY | Type.DECIMAL:
            return {
                "type": ["integer" if fact.type is Type.INT else "number", "null"],
                "minimum": -MAX_NUMBER if fact.minimum is None else fact.minimum,
                "maximum": MAX_NUMBER if fact.maximum is None else fact.maximum,
            }
        case Type.DATE if fact.event:
            day = {"type": "string", "format": "date", "pattern": DAY}
            return {"anyOf": [day, {"type": "string", "enum": [*NEVER]}, {"type": "null"}]}
        case Type.DATE:
            return {"type": ["string", "null"], "format": "date", "pattern": DAY}
        case Type.ENUM:
            return {"type": ["string", "null"], "enum": [*_options(fact), None]}
        case Type.SET:
            return {
                "type": ["array", "null"],
                "items": {"type": "string", "enum": _options(fact)},
            }
        case Type.TEXT:
            return {"type": ["string", "null"], "maxLength": MAX_TEXT}
        case Type.RECORDS:
            return {"type": "null"}


def _options(fact: Fact) -> list[str]:
    return list(dict.fromkeys([*fact.values, *(t.zh for t in fact.values.values())]))


def _words(fact: Fact) -> Schema:
    parts = []
    if fact.derived:
        parts.append("可由其他事实推算 / derived where its inputs are known")
    if fact.held_by.zh:
        parts.append(f"记载于 / held by: {_both(fact.held_by)}")
    if fact.values:
        parts.append("; ".join(f"{k} = {_both(t)}" for k, t in fact.values.items()))
    if fact.type is Type.MONEY:
        parts.append("元，最多两位小数 / yuan, two decimals at most")
    elif fact.unit:
        parts.append(f"单位 / unit: {fact.unit}")
    if fact.note.zh:
        parts.append(_both(fact.note))
    return {"title": _both(fact.label), **({"description": ". ".join(parts)} if parts else {})}


def _both(text: Text) -> str:
    return text.zh if text.zh == text.en or not text.en else f"{text.zh} / {text.en}"


def _bare(schema: Schema) -> Schema:
    """Without words: generators of clients name a type by its title, which must be one's own."""
    bare = {k: v for k, v in schema.items() if k not in ("title", "description")}
    if "properties" in bare.get("items", {}):
        bare["items"] = _bare(bare["items"])
    return bare


# --- example ------------------------------------------------------------------------------


def example(vocabulary: Vocabulary) -> dict[str, Any]:
    """A small case that ``read_case`` accepts: of each scope the first fact of each type."""
    out: dict[str, Any] = {
        f.key: _sample(f) for f in _first_of_each_type(vocabulary.of_scope(CASE))
    }
    for scope in vocabulary.payload_scopes()[1:]:
        if scope in vocabulary.records:
            kind = vocabulary.records[scope]
            facts = _first_of_each_type(vocabulary.of_scope(scope))
            out[kind.list_key] = [{f.key: _sample(f) for f in facts}]
    interval = vocabulary.lists().get(INTERVALS)
    if interval is not None:
        needed = REQUIRED_IN_INTERVALS
        out[INTERVALS] = [{f.key: _sample(f) for f in interval.fields.values() if f.key in needed}]
    return out


def _first_of_each_type(facts: Iterator[Fact]) -> Iterator[Fact]:
    seen: set[Type] = set()
    for fact in facts:
        plain = not (fact.derived or fact.from_docket or fact.alias_of or fact.many)
        if plain and fact.type is not Type.RECORDS and fact.type not in seen:
            seen.add(fact.type)
            yield fact


def _sample(fact: Fact) -> Any:
    lowest = max(fact.minimum or 0, 0)
    samples: dict[Type, Any] = {
        Type.BOOL: True,
        Type.INT: lowest,
        Type.MONEY: lowest,
        Type.DECIMAL: lowest,
        Type.DATE: "2024-01-15",
        Type.ENUM: next(iter(fact.values), None),
        Type.SET: list(fact.values)[:1],
        Type.TEXT: f"{fact.label.zh}示例",
    }
    return samples[fact.type]


# --- form ---------------------------------------------------------------------------------


def form(vocabulary: Vocabulary) -> dict[str, Any]:
    """What a program needs to draw a form: the fields of a case by who holds the record."""
    scopes = []
    lists = vocabulary.lists()
    for kind in (None, *lists.values()):
        facts = list(vocabulary.of_scope(CASE)) if kind is None else _fields(kind, vocabulary)
        scopes.append(
            {
                "scope": CASE if kind is None else kind.name,
                "label": {"zh": "案件", "en": "case"} if kind is None else kind.label.as_dict(),
                "list": None if kind is None else kind.list_key,
                "may_be_empty": kind is None or kind.may_be_empty,
                "may_stand_flat": kind is None or kind.name in vocabulary.payload_scopes(),
                "groups": _groups(facts),
            }
        )
    return {"scopes": scopes}


def _groups(facts: list[Fact]) -> list[dict[str, Any]]:
    """Fields grouped by the record that holds them, so that each paper is opened once."""
    groups: dict[Text, list[dict[str, Any]]] = {}
    for fact in facts:
        if fact.type is not Type.RECORDS:
            groups.setdefault(fact.held_by, []).append(_field(fact))
    return [{"held_by": holder.as_dict(), "fields": found} for holder, found in groups.items()]


def _field(fact: Fact) -> dict[str, Any]:
    return {
        "key": fact.key,
        "label": fact.label.as_dict(),
        "type": str(fact.type),
        "many": fact.many,
        "options": [{"value": k, "label": t.as_dict()} for k, t in fact.values.items()],
        "can_be_none": fact.can_be_none,
        "minimum": fact.minimum,
        "maximum": fact.maximum,
        "unit": "yuan" if fact.type is Type.MONEY else fact.unit or None,
        "help": fact.note.as_dict() if fact.note.zh else None,
        "derived": fact.derived,
    }
