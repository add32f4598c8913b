"""Reads the ``records``, ``facts`` and ``clocks`` of a rule base into a vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from eligibility.documents import Item
from eligibility.errors import nearest
from eligibility.shapes import (
    BOOL,
    FREE,
    INT,
    STRING,
    TEXT,
    Field,
    ListOf,
    MapOf,
    OneOf,
    Reading,
    Shape,
    text_of,
)
from eligibility.vocabulary.model import (
    CASE,
    NONE,
    Action,
    Clock,
    Fact,
    RecordKind,
    Type,
    Vocabulary,
)

TYPES = OneOf(
    {
        "bool": "是否",
        "int": "整数",
        "money": "金额",
        "decimal": "小数",
        "date": "日期",
        "enum": "单选",
        "set": "多选",
        "text": "文本",
        "records": "记录",
    }
)
ROLLUPS = OneOf({"any": "任一", "every": "每一", "main": "主要"})
HOLDERS = OneOf(
    {
        "submitting_court": "报请法院",
        "deciding_court": "决定法院",
        "applicant": "申请执行人",
        "debtor": "被执行人",
        "third_party": "第三方",
        "time": "时间",
        "nobody": "无人",
    }
)
DERIVATIONS = (
    "days_since",
    "days_between",
    "days_until_start",
    "days_to",
    "differs",
    "member",
    "clock",
    "clock_start",
    "clock_expiry",
    "deducted_days",
    "months_elapsed",
    "urge_expiry",
    "urge_result",
    "court_may_decide",
    "profile_of_court",
    "objection_court",
)
_ARGUMENTS = {
    "days_between": 2,
    "days_until_start": 2,
    "differs": 2,
    "member": 2,
    "urge_expiry": 2,
    "urge_result": 3,
    "court_may_decide": 3,
    "objection_court": 3,
}
ACTION = Shape(
    {
        "by": Field(HOLDERS, "由", True),
        "how": Field(OneOf({"act": "采取措施", "document": "补充材料"}), "方式"),
        "to": Field(FREE, "改为"),
        "then_wait": Field(STRING, "其后等待"),
    }
)
_FACT_FIELDS = {
    "label": Field(TEXT, "名称", True),
    "type": Field(TYPES, "类型", True),
    "unit": Field(STRING, "单位"),
    "values": Field(MapOf(TEXT), "取值"),
    "event": Field(BOOL, "事件"),
    "future": Field(BOOL, "可在将来"),
    "minimum": Field(INT, "最小"),
    "maximum": Field(INT, "最大"),
    "list": Field(BOOL, "可多个"),
    "note": Field(TEXT, "说明"),
}
FACT = Shape(
    {
        **_FACT_FIELDS,
        "scope": Field(STRING, "所属"),
        "source": Field(OneOf({"input": "录入", "derived": "推算"}), "来源"),
        "from_docket": Field(BOOL, "由案件库得出"),
        "derive": Field(FREE, "推算方式"),
        "presume": Field(FREE, "未记载时视为"),
        "rollup": Field(ROLLUPS, "汇总"),
        "sole": Field(BOOL, "唯一时视为"),
        "held_by": Field(TEXT, "记载于"),
        "actionable": Field(ACTION, "可改变"),
        "alias_of": Field(STRING, "同"),
    }
)
RECORD = Shape(
    {
        "label": Field(TEXT, "名称", True),
        "list": Field(STRING, "列表键", True),
        "may_be_empty": Field(BOOL, "可为空"),
        "fields": Field(MapOf(Shape(_FACT_FIELDS)), "字段"),
    }
)
CLOCK = Shape(
    {
        "label": Field(TEXT, "名称", True),
        "start": Field(STRING, "起算", True),
        "months": Field(INT, "月数"),
        "scope": Field(STRING, "所属"),
        "deduct": Field(STRING, "扣除"),
        "rollover": Field(STRING, "顺延"),
        "not_before": Field(STRING, "不早于"),
        "after_transfer": Field(
            Shape(
                {
                    "count": Field(STRING, "移送次数", True),
                    "filed": Field(STRING, "移送后立案日", True),
                    "policy": Field(STRING, "规则", True),
                }
            ),
            "移送后",
        ),
        "citations": Field(ListOf(STRING), "依据"),
        "note": Field(TEXT, "说明"),
    }
)
SECTIONS = {
    "records": Field(MapOf(RECORD), "记录类型"),
    "facts": Field(MapOf(FACT), "事实"),
    "clocks": Field(MapOf(CLOCK), "期间"),
}


def read_vocabulary(sections: Mapping[str, Item], reading: Reading) -> Vocabulary:
    """Build the vocabulary from merged, shape-checked sections."""
    facts = {
        key: fact
        for key, item in _entries(sections, "facts")
        if (fact := _fact(key, item, reading)) is not None
    }
    records = {key: _record(key, item, reading) for key, item in _entries(sections, "records")}
    clocks = {key: _clock(key, item) for key, item in _entries(sections, "clocks")}
    vocabulary = Vocabulary(facts, records, clocks)
    _check_references(vocabulary, sections, reading)
    return vocabulary


def _entries(sections: Mapping[str, Item], name: str) -> list[tuple[str, Item]]:
    section = sections.get(name)
    return list(section.mapping.items()) if section else []


def _fact(key: str, item: Item, reading: Reading, scope: str = CASE) -> Fact | None:
    type_item = item.get("type")
    if type_item is None or type_item.value not in {t.value for t in Type}:
        return None
    kind = Type(str(type_item.value))
    values = item.get("values")
    if kind in (Type.ENUM, Type.SET) and not (values and values.mapping):
        reading.problem("missing_key", item, f"“{key}”缺少取值表", f"'{key}' needs values")
    presume = item.get("presume")
    fact = Fact(
        key=key,
        label=text_of(item.get("label")),
        type=kind,
        scope=_plain(item, "scope", scope),
        unit=_plain(item, "unit", ""),
        values={k: text_of(v) for k, v in (values.mapping if values else {}).items()},
        event=_plain(item, "event", False),
        future=_plain(item, "future", False),
        minimum=_plain(item, "minimum", None),
        maximum=_plain(item, "maximum", None),
        many=_plain(item, "list", False),
        derived=_plain(item, "source", "input") == "derived",
        from_docket=_plain(item, "from_docket", False),
        derive=_derive(key, item.get("derive"), reading),
        presume=_presumed(presume),
        rollup=_plain(item, "rollup", "any"),
        sole=_plain(item, "sole", None),
        held_by=text_of(item.get("held_by")),
        action=_action(item.get("actionable")),
        alias_of=_plain(item, "alias_of", ""),
        note=text_of(item.get("note")),
        span=item.span,
    )
    return fact


def _plain(item: Item, key: str, default: Any) -> Any:
    child = item.get(key)
    return default if child is None or child.value is None else child.plain()


def _presumed(item: Item | None) -> Any:
    if item is None:
        return None
    if item.value == "none":
        return NONE
    if isinstance(item.value, list):
        return tuple(child.plain() for child in item.value)
    return item.value


def _derive(key: str, item: Item | None, reading: Reading) -> tuple[str, Any] | None:
    if item is None:
        return None
    plain = item.plain()
    if not isinstance(plain, dict) or len(plain) != 1 or next(iter(plain)) not in DERIVATIONS:
        reading.problem(
            "unknown_derivation",
            item,
            f"“{key}”的推算方式不认识，可写：{'、'.join(DERIVATIONS)}",
            f"'{key}' needs one derivation of: {', '.join(DERIVATIONS)}",
            allowed=DERIVATIONS,
        )
        return None
    kind, argument = next(iter(plain.items()))
    if not _fitting(kind, argument):
        reading.problem(
            "unknown_derivation",
            item,
            f"“{key}”的推算方式“{kind}”写法不对",
            f"'{key}': '{kind}' is not written like this",
        )
        return None
    return kind, argument


def _fitting(kind: str, argument: Any) -> bool:
    """Whether the argument of a derivation has the form that its kind needs."""
    if kind == "months_elapsed":
        return isinstance(argument, dict) and all(
            isinstance(argument.get(key), str) for key in ("from", "to")
        )
    count = _ARGUMENTS.get(kind, 1)
    if count == 1:
        return isinstance(argument, str)
    return (
        isinstance(argument, list)
        and len(argument) == count
        and all(isinstance(name, str) for name in argument)
    )


def _action(item: Item | None) -> Action:
    if item is None:
        return Action()
    to = item.get("to")
    target: tuple[Any, ...] | str = ()
    if to is not None:
        target = tuple(to.plain()) if isinstance(to.value, list) else str(to.plain())
        if isinstance(to.value, (int, Decimal)) and not isinstance(to.value, bool):
            target = (to.value,)
    return Action(
        _plain(item, "by", "nobody"),
        _plain(item, "how", ""),
        target,
        _plain(item, "then_wait", ""),
    )


def _record(name: str, item: Item, reading: Reading) -> RecordKind:
    fields = item.get("fields")
    built = {
        key: fact
        for key, child in (fields.mapping if fields else {}).items()
        if (fact := _fact(key, child, reading, name)) is not None
    }
    return RecordKind(
        name,
        text_of(item.get("label")),
        _plain(item, "list", name),
        _plain(item, "may_be_empty", True),
        built,
    )


def _clock(name: str, item: Item) -> Clock:
    transfer = item.get("after_transfer")
    return Clock(
        name=name,
        label=text_of(item.get("label")),
        start=_plain(item, "start", ""),
        months=_plain(item, "months", 6),
        scope=_plain(item, "scope", CASE),
        deduct=_plain(item, "deduct", "art13"),
        rollover=_plain(item, "rollover", "").lstrip("$"),
        not_before=_plain(item, "not_before", ""),
        after_transfer=transfer.plain() if transfer else None,
        citations=tuple(_plain(item, "citations", [])),
    )


def _check_references(
    vocabulary: Vocabulary, sections: Mapping[str, Item], reading: Reading
) -> None:
    labels: dict[str, str] = {}
    for key, item in _entries(sections, "facts"):
        fact = vocabulary.facts.get(key)
        if fact is None:
            continue
        other = labels.setdefault(fact.label.zh, key)
        if other != key:
            reading.problem(
                "duplicate_label",
                item,
                f"“{fact.label.zh}”同时是 {other} 与 {key} 的名称",
                f"label of both {other} and {key}",
            )
        if fact.scope != CASE and fact.scope not in vocabulary.records:
            _unknown(reading, item, "unknown_record", fact.scope, [*vocabulary.records])
        for name in _derived_from(fact, vocabulary):
            if name not in vocabulary.facts:
                _unknown(reading, item, "unknown_fact", name, vocabulary.words())
    for key, item in _entries(sections, "clocks"):
        clock = vocabulary.clocks[key]
        transfer = clock.after_transfer or {}
        for name in (clock.start, transfer.get("count", ""), transfer.get("filed", "")):
            if name and name not in vocabulary.facts:
                _unknown(reading, item, "unknown_fact", name, vocabulary.words())


def _derived_from(fact: Fact, vocabulary: Vocabulary) -> list[str]:
    """Facts that a derivation names directly (clocks are checked on their own)."""
    if fact.derive is None:
        return []
    kind, argument = fact.derive
    if kind in ("clock", "clock_start", "clock_expiry", "deducted_days"):
        return [] if argument in vocabulary.clocks else [str(argument)]
    if kind == "months_elapsed":
        return [argument["from"], argument["to"]]
    return list(argument) if isinstance(argument, list) else [argument]


def inputs_of(fact: Fact, vocabulary: Vocabulary) -> list[str]:
    """The facts from which a derived fact is computed, in the order they are asked for."""
    if fact.derive is None:
        return []
    kind, argument = fact.derive
    if kind in ("clock", "clock_start", "clock_expiry", "deducted_days"):
        clock = vocabulary.clocks[argument]
        names = [clock.start]
        if clock.not_before:
            names.append(vocabulary.clocks[clock.not_before].start)
        if clock.after_transfer:
            names += [clock.after_transfer["count"], clock.after_transfer["filed"]]
        return [*names, "excluded_intervals"]
    return _derived_from(fact, vocabulary)


def _unknown(reading: Reading, item: Item, code: str, name: str, known: list[str]) -> None:
    noun = {"unknown_fact": ("事实", "fact"), "unknown_record": ("记录类型", "record kind")}[code]
    reading.problem(
        code,
        item,
        f"没有名为“{name}”的{noun[0]}",
        f"no {noun[1]} named '{name}'",
        nearest(name, known),
    )
