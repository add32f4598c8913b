"""The shapes of documents: which keys a mapping may have and what stands in them.

One table of shapes serves reading (unknown keys, wrong types), the JSON Schema that
gives editors completion, and the formatter (each key and closed word has a Chinese and
an English form).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from eligibility.documents import Item
from eligibility.errors import Problem, Text, nearest
from eligibility.slips import in_value

Schema = dict[str, Any]


@dataclass(slots=True)
class Reading:
    """What reading a document found: problems, and every word that has two forms."""

    problems: list[Problem] = field(default_factory=list)
    words: list[tuple[Item, str, str]] = field(default_factory=list)

    def problem(
        self,
        code: str,
        item: Item,
        zh: str,
        en: str,
        hint: Text | None = None,
        allowed: tuple[str, ...] = (),
        rule: str = "",
    ) -> None:
        place = item.span
        self.problems.append(Problem(code, Text(zh, en), place, rule, hint, allowed))

    def word(self, item: Item, en: str, zh: str) -> None:
        if zh and en != zh:
            self.words.append((item, en, zh))


class Type(Protocol):
    """The type of a value in a document."""

    def check(self, item: Item, reading: Reading) -> None:
        """Report what does not fit; put closed words and keys in their English form."""

    def schema(self) -> Schema: ...


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value of one of the Python types ``kinds``, described by ``name``."""

    name: Text
    kinds: tuple[type, ...]
    json: tuple[str, ...]

    def check(self, item: Item, reading: Reading) -> None:
        value = item.value
        if type(value) in self.kinds:
            return
        if self.kinds == (str,) and not isinstance(value, (list, dict)) and item.raw:
            item.value = item.raw
            return
        reading.problem(
            "wrong_type",
            item,
            f"此处应为{self.name.zh}",
            f"expected {self.name.en} here",
            in_value(item.raw),
        )
        _forget(item)

    def schema(self) -> Schema:
        return {"type": list(self.json) if len(self.json) > 1 else self.json[0]}


def _no_mapping(item: Item, reading: Reading) -> None:
    zh, en = "此处应为键值表", "expected a mapping here"
    reading.problem("wrong_type", item, zh, en, in_value(item.raw))


def _forget(item: Item) -> None:
    """A value that was reported counts as absent, so that nothing below trips over it."""
    item.value, item.raw, item.keys = None, "", None


STRING = Scalar(Text("文字", "a text"), (str,), ("string",))
BOOL = Scalar(Text("true 或 false", "true or false"), (bool,), ("boolean",))
INT = Scalar(Text("整数", "a whole number"), (int,), ("integer",))
NUMBER = Scalar(Text("数字", "a number"), (int, Decimal), ("number",))
DATE = Scalar(Text("日期（如 2024-01-31）", "a date such as 2024-01-31"), (date,), ("string",))
ANY_SCALAR = Scalar(
    Text("单个值", "a single value"),
    (str, int, bool, Decimal, date, type(None)),
    ("string", "number", "boolean", "null"),
)


@dataclass(frozen=True, slots=True)
class TextType:
    """``{zh: …, en: …}``, or a plain text meant for both."""

    def check(self, item: Item, reading: Reading) -> None:
        if isinstance(item.value, dict):
            Shape({"zh": Field(STRING, required=True), "en": Field(STRING)}).check(item, reading)
        else:
            STRING.check(item, reading)

    def schema(self) -> Schema:
        texts = {"zh": {"type": "string"}, "en": {"type": "string"}}
        return {
            "oneOf": [
                {"type": "string"},
                {"type": "object", "properties": texts, "required": ["zh"]},
            ]
        }


TEXT = TextType()


@dataclass(frozen=True, slots=True)
class OneOf:
    """A closed word: key -> Chinese form (empty = the key is used in both languages)."""

    words: Mapping[str, str]

    def check(self, item: Item, reading: Reading) -> None:
        raw = item.raw
        for en, zh in self.words.items():
            if raw in (en, zh) and raw:
                reading.word(item, en, zh)
                item.value = en
                return
        allowed = tuple(w for pair in self.words.items() for w in pair if w)
        reading.problem(
            "unknown_word",
            item,
            f"此处不能写“{raw}”，可写：{'、'.join(allowed)}",
            f"'{raw}' is not allowed here; one of {', '.join(self.words)}",
            nearest(raw, allowed) or in_value(raw),
            allowed,
        )
        _forget(item)

    def schema(self) -> Schema:
        return {"enum": [w for pair in self.words.items() for w in dict.fromkeys(pair) if w]}


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; a single value stands for a list of one where ``single`` is set."""

    of: Type
    single: bool = False

    def check(self, item: Item, reading: Reading) -> None:
        if self.single and not isinstance(item.value, list):
            self.of.check(item, reading)
            item.value = [Item(item.value, item.span, raw=item.raw, keys=item.keys)]
            return
        if not isinstance(item.value, list):
            hint = in_value(item.raw)
            reading.problem("wrong_type", item, "此处应为列表", "expected a list here", hint)
            item.value = []
            return
        for child in item.value:
            self.of.check(child, reading)

    def schema(self) -> Schema:
        return {"type": "array", "items": self.of.schema()}


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping from free keys to values of one type."""

    of: Type

    def check(self, item: Item, reading: Reading) -> None:
        if not isinstance(item.value, dict):
            _no_mapping(item, reading)
            item.value = {}
            return
        for child in item.value.values():
            self.of.check(child, reading)

    def schema(self) -> Schema:
        return {"type": "object", "additionalProperties": self.of.schema()}


@dataclass(frozen=True, slots=True)
class Free:
    """Anything; checked by whoever reads it."""

    json: Mapping[str, Any] = field(default_factory=dict)

    def check(self, item: Item, reading: Reading) -> None:
        return None

    def schema(self) -> Schema:
        return dict(self.json)


FREE = Free()


@dataclass(frozen=True, slots=True)
class Field:
    """A key of a mapping: the type of its value and its Chinese form."""

    type: Type
    zh: str = ""
    required: bool = False
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """A mapping with known keys."""

    fields: Mapping[str, Field]

    def check(self, item: Item, reading: Reading) -> None:
        if not isinstance(item.value, dict):
            _no_mapping(item, reading)
            item.value = {}
            return
        chinese = {f.zh: key for key, f in self.fields.items() if f.zh}
        out: dict[str, Item] = {}
        keys: dict[str, Item] = {}
        for raw, value in item.value.items():
            key_item = (item.keys or {}).get(raw, value)
            key = raw if raw in self.fields else chinese.get(raw, "")
            if not key:
                self._unknown(raw, key_item, reading)
                continue
            if key in out:
                reading.problem("duplicate_key", key_item, f"重复的键“{raw}”", f"key '{raw}' twice")
                continue
            reading.word(key_item, key, self.fields[key].zh)
            self.fields[key].type.check(value, reading)
            out[key] = value
            keys[key] = key_item
        item.value = out
        item.keys = keys
        for key, spec in self.fields.items():
            if spec.required and key not in out:
                name = spec.zh or key
                reading.problem("missing_key", item, f"缺少“{name}”", f"'{key}' is missing")

    def _unknown(self, raw: str, item: Item, reading: Reading) -> None:
        known = [w for key, f in self.fields.items() for w in (key, f.zh) if w]
        reading.problem(
            "unknown_key",
            item,
            f"没有“{raw}”这个键",
            f"there is no key '{raw}' here",
            in_value(raw) or nearest(raw, known),
            tuple(self.fields),
        )

    def schema(self) -> Schema:
        properties: Schema = {}
        for key, spec in self.fields.items():
            described = spec.type.schema()
            if spec.doc or spec.zh:
                described = {**described, "description": f"{spec.zh} {spec.doc}".strip()}
            properties[key] = described
            if spec.zh:
                properties[spec.zh] = described
        return {"type": "object", "properties": properties, "additionalProperties": False}


def text_of(item: Item | None) -> Text:
    """The text in an item that a :data:`TEXT` field holds; empty when absent."""
    if item is None:
        return Text("", "")
    if isinstance(item.value, dict):
        zh = item.value["zh"].raw if "zh" in item.value else ""
        en = item.value["en"].raw if "en" in item.value else zh
        return Text(zh, en)
    raw = item.raw or str(item.value or "")
    return Text(raw, raw)
