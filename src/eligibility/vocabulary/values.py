"""Values of facts: from the wire, from a rule sentence, and back.

A value that does not fit is a problem with its place and the allowed values; nothing is
coerced, guessed or dropped.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from eligibility.errors import Problem, Text, nearest
from eligibility.vocabulary.model import NONE, Fact, Type

MAX_TEXT = 4_000
MAX_NUMBER = 10**15
FIRST_DAY = date(1949, 10, 1)
LAST_DAY = date(2199, 12, 31)
_FEN = Decimal("0.01")


class Unfit(Exception):
    """A value does not fit a fact; carries the problem without its place."""

    def __init__(
        self,
        code: str,
        zh: str,
        en: str,
        allowed: tuple[str, ...] = (),
        hint: Text | None = None,
    ) -> None:
        super().__init__(en)
        self.code, self.text, self.allowed, self.hint = code, Text(zh, en), allowed, hint

    def at(self, place: str) -> Problem:
        return Problem(self.code, self.text, place, "", self.hint, self.allowed)


def from_wire(fact: Fact, raw: Any) -> Any:
    """The typed value of ``raw`` (a JSON or YAML value); None = unknown. Raises Unfit."""
    if raw is None:
        return None
    if fact.many:
        return _many(fact, raw)
    return _READERS[fact.type](fact, raw)


def _many(fact: Fact, raw: Any) -> frozenset[str]:
    if not isinstance(raw, (list, tuple)):
        raise Unfit("wrong_type", "应为列表", "expected a list")
    return frozenset(_text(fact, item) for item in raw)


def _bool(fact: Fact, raw: Any) -> bool:
    if raw is True or raw == "是":
        return True
    if raw is False or raw == "否":
        return False
    quoted = raw in ("true", "false")
    hint = Text(f"写作 {raw}，不加引号", f"write {raw} without quotation marks") if quoted else None
    zh, en = "应为 true 或 false（是/否）", "expected true or false"
    raise Unfit("wrong_type", zh, en, ("true", "false"), hint)


def _number(fact: Fact, raw: Any) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, (int, Decimal, float)):
        raise Unfit("wrong_type", "应为数字", "expected a number")
    value = raw if isinstance(raw, Decimal) else Decimal(str(raw))
    if not value.is_finite():
        raise Unfit("wrong_type", "应为有限的数字", "expected a finite number")
    low = fact.minimum if fact.minimum is not None else -MAX_NUMBER
    high = fact.maximum if fact.maximum is not None else MAX_NUMBER
    if not low <= value <= high:
        raise Unfit("out_of_range", f"应在 {low} 与 {high} 之间", f"expected {low} to {high}")
    return value


def _int(fact: Fact, raw: Any) -> int:
    value = _number(fact, raw)
    if value != int(value) or (isinstance(raw, Decimal) and raw.as_tuple().exponent):
        raise Unfit("wrong_type", "应为整数", "expected a whole number")
    return int(value)


def _money(fact: Fact, raw: Any) -> int:
    value = _number(fact, raw)
    rounded = value.quantize(_FEN)  # multiplying first would round long fractions away
    if value != rounded:
        raise Unfit("wrong_type", "金额以元计，最多两位小数", "yuan with two decimals at most")
    return int(rounded * 100)


def _decimal(fact: Fact, raw: Any) -> Decimal:
    return _number(fact, raw)


def _date(fact: Fact, raw: Any) -> Any:
    if fact.event and raw in ("none", "无"):
        return NONE
    value = raw if isinstance(raw, date) else _iso(fact, raw)
    if not FIRST_DAY <= value <= LAST_DAY:
        raise Unfit(
            "out_of_range",
            f"日期应在 {FIRST_DAY} 与 {LAST_DAY} 之间",
            f"expected a date from {FIRST_DAY} to {LAST_DAY}",
        )
    return value


def _iso(fact: Fact, raw: Any) -> date:
    none = "，或“无”" if fact.event else ""
    en_none = " or 'none'" if fact.event else ""
    if not isinstance(raw, str):
        raise Unfit("wrong_type", f"应为日期（如 2024-01-31{none}）", f"expected a date{en_none}")
    if len(raw) != 10 or raw[4] != "-" or raw[7] != "-":
        raise Unfit(
            "wrong_type",
            f"应为日期（如 2024-01-31{none}）",
            f"expected a date such as 2024-01-31{en_none}",
        )
    try:
        return date.fromisoformat(raw)
    except ValueError:
        raise Unfit("no_such_date", "没有这一天", "no such date") from None


def _enum(fact: Fact, raw: Any) -> str:
    value = fact.value_named(raw) if isinstance(raw, str) else None
    if value is not None:
        return value
    allowed = tuple(fact.values)
    labels = [t.zh for t in fact.values.values()]
    short = isinstance(raw, str) and len(raw) < 200
    hint = nearest(raw, [*allowed, *labels]) if short else None
    zh, en = f"可取值：{'、'.join(labels)}", f"one of: {', '.join(allowed)}"
    raise Unfit("unknown_value", zh, en, allowed, hint)


def _set(fact: Fact, raw: Any) -> frozenset[str]:
    if not isinstance(raw, (list, tuple)):
        raise Unfit("wrong_type", "应为列表（无则写 []）", "expected a list ([] for none)")
    return frozenset(_enum(fact, item) for item in raw)


def _text(fact: Fact, raw: Any) -> str:
    if not isinstance(raw, str):
        raise Unfit("wrong_type", "应为文字", "expected a text")
    if len(raw) > MAX_TEXT:
        raise Unfit("text_too_long", f"文字不得超过 {MAX_TEXT} 字", f"over {MAX_TEXT} characters")
    if any("\ud800" <= c <= "\udfff" for c in raw):
        raise Unfit("lone_surrogate", "含有残缺字符（孤立代理项）", "a lone surrogate in a text")
    return raw


def _records(fact: Fact, raw: Any) -> Any:
    raise Unfit("wrong_type", "应为记录列表", "expected a list of records")


_READERS = {
    Type.BOOL: _bool,
    Type.INT: _int,
    Type.MONEY: _money,
    Type.DECIMAL: _decimal,
    Type.DATE: _date,
    Type.ENUM: _enum,
    Type.SET: _set,
    Type.TEXT: _text,
    Type.RECORDS: _records,
}


def to_wire(fact: Fact, value: Any) -> Any:
    """The JSON value of a typed value; the inverse of :func:`from_wire`."""
    if value is None:
        return None
    if value is NONE:
        return "none"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, frozenset):
        return [v for v in fact.values if v in value] if fact.values else sorted(value)
    if fact.type is Type.MONEY:
        return float(Decimal(value) / 100) if value % 100 else value // 100
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    return value


def shown(fact: Fact, value: Any) -> Text:
    """A value as people read it."""
    if value is None:
        return Text("未知", "unknown")
    if value is NONE:
        return Text("无", "none")
    if isinstance(value, bool):
        return Text("是", "yes") if value else Text("否", "no")
    if isinstance(value, frozenset):
        if not value:
            return Text("空", "empty")
        parts = [fact.values.get(v, Text(v, v)) for v in to_wire(fact, value)]
        return Text("、".join(p.zh for p in parts), ", ".join(p.en for p in parts))
    if fact.type is Type.ENUM:
        return fact.values.get(value, Text(value, value))
    unit = {"day": "日", "month": "个月", "case": "件", "court": "家"}.get(fact.unit, "")
    plain = to_wire(fact, value)
    if fact.type is Type.MONEY:
        return Text(f"{plain:,} 元", f"{plain:,} yuan")
    return Text(f"{plain}{unit and ' ' + unit}", f"{plain}{' ' + fact.unit if fact.unit else ''}")
