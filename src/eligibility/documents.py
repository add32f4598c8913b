"""YAML and JSON texts read strictly, with the place of every value.

YAML 1.1 surprises (``no`` = false, octal, sexagesimal) are kept out: only ``true``,
``false``, ``null``, decimal numbers and ISO dates are anything but text. Anchors, tags
and duplicate keys are refused, so that a text has one reading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NoReturn

import yaml

from eligibility.errors import MalformedInput, Problem, RulebaseError, Span, Text

MAX_DEPTH = 64
MAX_EXPONENT_DIGITS = 4
_INT = re.compile(r"[-+]?[0-9]{1,40}")
_DECIMAL = re.compile(r"[-+]?[0-9]{1,40}\.[0-9]{1,40}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}

Scalar = str | int | bool | Decimal | date | None


@dataclass(slots=True)
class Item:
    """A value of a document with its place.

    ``value`` is a scalar, a list of items or a dict from key to item; ``keys`` holds the
    keys of a mapping as items. ``start``/``end`` are character offsets of the token and
    ``style`` its quoting (``""`` plain), which the formatter needs; ``flow`` tells that it
    stands inside ``[…]`` or ``{…}``.
    """

    value: Scalar | list[Item] | dict[str, Item]
    span: Span
    start: int = 0
    end: int = 0
    style: str = ""
    flow: bool = False
    raw: str = ""
    keys: dict[str, Item] | None = None

    @property
    def mapping(self) -> dict[str, Item]:
        return self.value if isinstance(self.value, dict) else {}

    @property
    def sequence(self) -> list[Item]:
        return self.value if isinstance(self.value, list) else []

    def get(self, key: str) -> Item | None:
        return self.mapping.get(key)

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {k: v.plain() for k, v in self.value.items()}
        if isinstance(self.value, list):
            return [v.plain() for v in self.value]
        return self.value

    def walk(self) -> Iterator[Item]:
        yield self
        for child in [*self.mapping.values(), *self.sequence]:
            yield from child.walk()


def read_yaml(text: str, name: str) -> Item:
    """Parse one YAML document; raises :class:`RulebaseError` with the place of the fault."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        events = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        span = Span(name, mark.line + 1, mark.column + 1) if mark else Span(name, 1, 1)
        _refuse("yaml_syntax", span, "YAML 语法错误：", "YAML syntax error: ", str(error.problem))
    except yaml.YAMLError as error:
        _refuse("yaml_syntax", Span(name, 1, 1), "YAML 语法错误：", "YAML error: ", str(error))
    if events is None:
        return Item({}, Span(name, 1, 1), keys={})
    return _Composer(name).item(events, 0, False)


class _Composer:
    """Turns PyYAML nodes into items, refusing what the language does not have."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: set[int] = set()

    def item(self, node: yaml.Node, depth: int, flow: bool) -> Item:
        mark = node.start_mark
        span = Span(self.name, mark.line + 1, mark.column + 1)
        if depth > MAX_DEPTH:
            _refuse("too_deep", span, "嵌套过深", "nested too deeply")
        if id(node) in self.seen:
            _refuse("yaml_alias", span, "不支持 YAML 锚点与引用", "YAML anchors are not supported")
        self.seen.add(id(node))
        flow = flow or bool(getattr(node, "flow_style", False))
        item = Item(None, span, mark.index, node.end_mark.index, flow=flow)
        if isinstance(node, yaml.ScalarNode):
            item.raw = node.value
            item.style = node.style or ""
            item.value = node.value if node.style else resolve(node.value, span)
        elif isinstance(node, yaml.SequenceNode):
            item.value = [self.item(child, depth + 1, flow) for child in node.value]
        else:
            item.value, item.keys = self.mapping(node, depth, flow)
        return item

    def mapping(
        self, node: yaml.Node, depth: int, flow: bool
    ) -> tuple[dict[str, Item], dict[str, Item]]:
        values: dict[str, Item] = {}
        keys: dict[str, Item] = {}
        for key_node, value_node in node.value:
            key = self.item(key_node, depth + 1, flow)
            if not isinstance(key_node, yaml.ScalarNode):
                _refuse("yaml_key", key.span, "键必须是文字", "a key must be a text")
            if key.raw in values:
                _refuse("duplicate_key", key.span, f"重复的键“{key.raw}”", f"key '{key.raw}' twice")
            keys[key.raw] = key
            values[key.raw] = self.item(value_node, depth + 1, flow)
        return values, keys


def resolve(raw: str, span: Span | str) -> Scalar:
    """What a plain YAML scalar means."""
    if raw in _WORDS:
        return _WORDS[raw]
    if _INT.fullmatch(raw):
        return int(raw)
    if _DECIMAL.fullmatch(raw):
        return Decimal(raw)
    if _DATE.fullmatch(raw):
        try:
            return date.fromisoformat(raw)
        except ValueError:
            _refuse("no_such_date", span, f"不存在的日期 {raw}", f"no such date: {raw}")
    return raw


def read_json(text: str | bytes) -> Any:
    """Parse JSON strictly: no duplicate keys, NaN, lone surrogates or deep nesting.

    Numbers with a fraction or exponent come back as :class:`~decimal.Decimal`. Raises
    :class:`MalformedInput`.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError:
            _malformed("not_utf8", "内容不是 UTF-8 编码", "the text is not UTF-8")
    _check_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_fraction,
        )
    except json.JSONDecodeError as error:
        where = f"{error.lineno}:{error.colno}"
        _malformed(
            "json_syntax", f"JSON 语法错误（{where}）", f"JSON error at {where}: {error.msg}"
        )
    if "\\ud" in text.lower() or any("\ud800" <= c <= "\udfff" for c in text):
        _check_surrogates(value)
    return value


def _check_depth(text: str) -> None:
    depth = 0
    in_string = False
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    for match in re.finditer(r'\\.|["\[\]{}]', text):
        char = match[0]
        if char == '"':
            in_string = not in_string
        elif not in_string and char in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                _malformed("too_deep", "嵌套过深", "nested too deeply")
        elif not in_string and char in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                shown = _printable(key)
                _malformed("duplicate_key", f"重复的键“{shown}”", f"key '{shown}' stands twice")
            seen.add(key)
    return out


def _no_constant(word: str) -> NoReturn:
    _malformed("not_a_number", f"{word} 不是 JSON 数字", f"{word} is not a JSON number")


def _integer(digits: str) -> int:
    if len(digits) > 40:
        _malformed("number_too_long", "数字过长", "the number has too many digits")
    return int(digits)


def _fraction(digits: str) -> Decimal:
    if len(digits) > 60:
        _malformed("number_too_long", "数字过长", "the number has too many digits")
    exponent = digits.lower().partition("e")[2]
    if len(exponent.lstrip("+-")) > MAX_EXPONENT_DIGITS:
        _malformed("number_too_long", "数字的指数过大", "the number has too large an exponent")
    return Decimal(digits)


def _check_surrogates(value: Any) -> None:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(item.keys())
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, str) and any("\ud800" <= c <= "\udfff" for c in item):
            _malformed("lone_surrogate", "含有残缺字符（孤立代理项）", "a lone surrogate in a text")


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()[:80]


def _refuse(code: str, place: Span | str, zh: str, en: str, detail: str = "") -> NoReturn:
    raise RulebaseError(Problem(code, Text(zh + detail, en + detail), place))


def _malformed(code: str, zh: str, en: str) -> NoReturn:
    raise MalformedInput(Problem(code, Text(zh, en)))
