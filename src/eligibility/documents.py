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

import orjson
import yaml

from eligibility import slips
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
        return _Composer(name, yaml.parse(text, Loader=loader)).document()
    except yaml.MarkedYAMLError as error:
        _syntax(text, name, error)
    except yaml.YAMLError as error:
        detail = " ".join(str(error).split())
        _refuse("yaml_syntax", Span(name, 1, 1), "YAML 语法错误：", "YAML error: ", detail)


def _syntax(text: str, name: str, error: yaml.MarkedYAMLError) -> NoReturn:
    """The fault where the author made it, not where the parser gave up."""
    mark = error.problem_mark or error.context_mark
    span = Span(name, mark.line + 1, mark.column + 1) if mark else Span(name, 1, 1)
    said = slips.complaint(str(error.problem))
    slip = slips.find(text, span.line, said.en)
    if slip is None:
        _refuse("yaml_syntax", span, "YAML 语法错误：" + said.zh, "YAML error: " + said.en)
    zh = f"YAML 语法错误，第 {slip.line} 行"
    en = f"YAML error in line {slip.line}"
    raise RulebaseError(
        Problem("yaml_syntax", Text(zh, en), Span(name, slip.line, slip.column), "", slip.text)
    )


class _Composer:
    """Turns parser events into items, refusing what the language does not have.

    Events, not nodes: the depth is known before a deep text can exhaust the stack, and
    anchors and tags are seen even where nothing refers to them.
    """

    def __init__(self, name: str, events: Iterator[yaml.Event]) -> None:
        self.name = name
        self.events = events

    def document(self) -> Item:
        next(self.events)
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return Item({}, Span(self.name, 1, 1), keys={})
        root = self.item(next(self.events), 0, False)
        next(self.events)
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            where = self.span(after)
            _refuse("yaml_documents", where, "一个文件只能有一个 YAML 文档", "one document a file")
        if root.value is None and not root.raw:
            return Item({}, root.span, keys={})
        return root

    def span(self, event: yaml.Event) -> Span:
        mark: Any = event.start_mark
        return Span(self.name, mark.line + 1, mark.column + 1)

    def item(self, event: Any, depth: int, flow: bool) -> Item:
        start = event.start_mark
        span = Span(self.name, start.line + 1, start.column + 1)
        if depth > MAX_DEPTH:
            _refuse("too_deep", span, "嵌套过深", "nested too deeply")
        kind = type(event)
        if kind is yaml.AliasEvent or event.anchor is not None:
            _refuse("yaml_alias", span, "不支持 YAML 锚点与引用", "YAML anchors are not supported")
        if event.tag is not None:
            _refuse("yaml_tag", span, "不支持 YAML 标签", "YAML tags are not supported")
        if kind is yaml.ScalarEvent:
            raw, style = event.value, event.style or ""
            value = raw if style else resolve(raw, span)
            return Item(value, span, start.index, event.end_mark.index, style, flow, raw)
        item = Item(None, span, start.index, flow=flow or bool(event.flow_style))
        if kind is yaml.SequenceStartEvent:
            item.value = self.sequence(item, depth)
        else:
            item.value, item.keys = self.mapping(item, depth)
        return item

    def sequence(self, item: Item, depth: int) -> list[Item]:
        values = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            values.append(self.item(event, depth + 1, item.flow))
        item.end = _end(event)
        return values

    def mapping(self, item: Item, depth: int) -> tuple[dict[str, Item], dict[str, Item]]:
        values: dict[str, Item] = {}
        keys: dict[str, Item] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.item(event, depth + 1, item.flow)
            if not isinstance(event, yaml.ScalarEvent):
                _refuse("yaml_key", key.span, "键必须是文字", "a key must be a text")
            if key.raw in values:
                shown = _printable(key.raw)
                _refuse("duplicate_key", key.span, f"重复的键“{shown}”", f"key '{shown}' twice")
            keys[key.raw] = key
            values[key.raw] = self.item(next(self.events), depth + 1, item.flow)
        item.end = _end(event)
        return values, keys


def _end(event: yaml.Event) -> int:
    mark: Any = event.end_mark
    return int(mark.index)


def resolve(raw: str, span: Span | str) -> Scalar:
    """What a plain YAML scalar means."""
    if raw in _WORDS:
        return _WORDS[raw]
    if raw[0] not in "+-0123456789":
        return raw
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


def write_json(value: Any) -> bytes:
    """JSON in UTF-8 without spaces, as a decision is stored, shown and compared: one writer for
    all of them, so that the bytes are the same. Several times as fast as :mod:`json`, which
    writes what it does not (numbers beyond 64 bits).
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        plain = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return plain.encode()


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
