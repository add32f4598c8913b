"""Checks of words and comparisons: labels that sentences can hold, comparisons that can fail.

A label stands in sentences between spaces and in lists between commas; one that holds
either could be written but never read back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from eligibility.documents import Item
from eligibility.rulebase.checker import Checker, used_leaves
from eligibility.rulebase.conditions import Leaf, Param, holds
from eligibility.rulebase.language import BY_NAME, MOST, NUMERIC
from eligibility.vocabulary.model import Fact, Type

MAX_SET_VALUES = 12
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_IN_LABEL = re.compile(r"\s")
_IN_VALUE = re.compile(r"[,，、\[\]\n]|^\s|\s$")
_DAY = date(2024, 1, 1)
VALUE_KINDS: Mapping[str, tuple[type, ...]] = {
    "int": (int,),
    "decimal": (int, Decimal),
    "bool": (bool,),
    "choice": (str,),
}


class WordChecks(Checker):
    """Labels of facts, values and parameters; operands of comparisons."""

    def run(self) -> None:
        self.labels()
        self.sets()
        for kind, name, condition in self.conditions():
            for leaf in used_leaves([condition]):
                self.comparison(leaf, name if kind == "rule" else "")

    # --- labels ------------------------------------------------------------------------------

    def labels(self) -> None:
        section = self.builder.sections.get("facts")
        items = section.mapping if section else {}
        taken: dict[str, str] = {}
        for key, fact in self.rulebase.vocabulary.facts.items():
            item = items[key]
            self._key(key, item)
            self._label(fact.label.zh, item)
            taken[fact.label.zh] = key
            self._values(fact, item)
        for key, fact in self.rulebase.names.definitions.items():
            place = Item(None, fact.span)
            self._label(fact.label.zh, place)
            other = taken.get(fact.label.zh)
            if other:
                self._duplicate(fact.label.zh, other, key, place)
        self._parameters()

    def _parameters(self) -> None:
        taken: dict[str, str] = {}
        for key, parameter in self.rulebase.parameters.items():
            item = self.item("parameter", key)
            self._key(key, item)
            self._label(parameter.label.zh, item)
            other = taken.setdefault(parameter.label.zh, key)
            if other != key:
                self._duplicate(parameter.label.zh, other, key, item)

    def _values(self, fact: Fact, item: Item) -> None:
        values = item.get("values")
        taken: dict[str, str] = {}
        for key, child in (values.mapping if values else {}).items():
            label = fact.values[key].zh
            self._key(key, child)
            if _IN_VALUE.search(label):
                self._bad(
                    "bad_label", child, label, "不能含有逗号、顿号、方括号", "no commas or brackets"
                )
            other = taken.setdefault(label, key)
            if other != key or (label in fact.values and label != key):
                self._duplicate(label, other, key, child)

    def _key(self, key: str, item: Item) -> None:
        if not _KEY.fullmatch(key):
            self._bad(
                "bad_key", item, key, "键只能用字母、数字、下划线", "letters, digits and _ only"
            )

    def _label(self, label: str, item: Item) -> None:
        if _IN_LABEL.search(label) or label.startswith("$"):
            self._bad("bad_label", item, label, "名称中不能有空格", "a label has no spaces")

    def _bad(self, code: str, item: Item, word: str, zh: str, en: str) -> None:
        shown = word[:40]
        self.problem(
            code, item, f"“{shown}”不能用在条件中：{zh}", f"'{shown}' cannot be used: {en}"
        )

    def _duplicate(self, label: str, one: str, other: str, item: Item) -> None:
        self.problem(
            "duplicate_label",
            item,
            f"“{label}”同时是 {one} 与 {other} 的名称",
            f"'{label}' is the label of both {one} and {other}",
        )

    # --- comparisons -------------------------------------------------------------------------

    def sets(self) -> None:
        """A set is cut into regions by its members: too many of them explode."""
        used = {leaf.fact: leaf for _, _, c in self.conditions() for leaf in used_leaves([c])}
        for key, fact in self.rulebase.vocabulary.facts.items():
            if fact.type is Type.SET and key in used and len(fact.values) > MAX_SET_VALUES:
                self.problem(
                    "too_many_values",
                    fact.span,
                    f"“{fact.label.zh}”有 {len(fact.values)} 个取值，条件中的多选最多 "
                    f"{MAX_SET_VALUES} 个；请合并取值或拆成两个事实",
                    f"'{key}' has {len(fact.values)} values, a set in conditions at most "
                    f"{MAX_SET_VALUES}: merge values or split the fact",
                )

    def comparison(self, leaf: Leaf, rule: str) -> None:
        """The operand fits the fact, and the comparison can come out either way."""
        fact = self.rulebase.names.fact(leaf.fact)
        if fact is None:
            return
        if isinstance(leaf.operand, Param) and not (
            self._parameter_fits(leaf, fact, rule) and self._in_reach(leaf, rule)
        ):
            return
        verdicts = {self._can(fact, leaf.op, operand) for operand in self._operands(leaf)}
        if len(verdicts) == 1 and (only := verdicts.pop()) is not None:
            zh, en = ("必然成立", "always holds") if only else ("不可能成立", "can never hold")
            limits_zh, limits_en = _limits(fact)
            self.problem(
                "impossible_comparison",
                leaf.span,
                f"“{fact.label.zh}”{limits_zh}，此比较{zh}，请改写或删去",
                f"'{fact.key}' {limits_en}: this comparison {en}",
                rule=rule,
            )

    def _parameter_fits(self, leaf: Leaf, fact: Fact, rule: str) -> bool:
        parameter = self.rulebase.parameters[leaf.operand.name]
        if BY_NAME[leaf.op].operand == "count" or fact.type in (Type.INT, Type.MONEY):
            wanted: tuple[str, ...] = ("int",)
        else:
            wanted = {
                Type.DECIMAL: ("int", "decimal"),
                Type.BOOL: ("bool",),
                Type.ENUM: ("choice",),
            }.get(fact.type, ())
        fits = parameter.type in wanted
        if fits and fact.type is Type.ENUM:
            fits = set(parameter.choices) <= set(fact.values)
        if not fits:
            expected = " / ".join(wanted)
            self.problem(
                "type_mismatch",
                leaf.span,
                f"参数“{parameter.label.zh}”的类型是 {parameter.type}，不能与“{fact.label.zh}”比较"
                f"（应为 {expected}）",
                f"parameter '{parameter.key}' is {parameter.type} and cannot be compared with "
                f"'{fact.key}' (expected {expected})",
                rule=rule,
            )
        return fits

    def _in_reach(self, leaf: Leaf, rule: str) -> bool:
        """A parameter that counts days or months stays within a hundred years."""
        most = MOST.get(leaf.op)
        odd = [v for v in self._operands(leaf) if most is not None and not 0 <= v <= most]
        if odd:
            name = leaf.operand.name
            self.problem(
                "out_of_range",
                leaf.span,
                f"参数“{name}”用于此处应在 0 与 {most} 之间，其值有 {odd[0]}",
                f"parameter '{name}' is {odd[0]}: here it goes from 0 to {most}",
                rule=rule,
            )
        return not odd

    def _operands(self, leaf: Leaf) -> Iterator[Any]:
        if not isinstance(leaf.operand, Param):
            yield leaf.operand
            return
        parameter = self.rulebase.parameters[leaf.operand.name]
        kinds = VALUE_KINDS.get(parameter.type, ())
        for value in parameter.values:
            if type(value.value) in kinds:  # one of another type is reported where it stands
                yield value.value

    def _can(self, fact: Fact, op: str, operand: Any) -> bool | None:
        """True: the comparison always holds; False: never; None: it depends."""
        values = list(_extremes(fact, op, operand))
        if not values:
            return None
        truths = {bool(holds(op, value, operand, _DAY)) for value in values}
        return truths.pop() if len(truths) == 1 else None


def _extremes(fact: Fact, op: str, operand: Any) -> Iterator[Any]:
    """Values between which a comparison must change, if it ever does."""
    if fact.type in NUMERIC:
        scale = 100 if fact.type is Type.MONEY else 1
        if not isinstance(operand, (int, Decimal)):
            return
        low = fact.minimum * scale if fact.minimum is not None else operand - 2
        high = fact.maximum * scale if fact.maximum is not None else operand + 2
        yield from (low, high)
        if low <= operand <= high:
            yield operand
    elif fact.type is Type.ENUM and op in ("in", "not_in"):
        yield from fact.values
    elif fact.type is Type.SET and op == "at_least":
        yield from (frozenset(), frozenset(fact.values))


def _limits(fact: Fact) -> tuple[str, str]:
    values: Mapping[str, Any] = fact.values
    if values:
        return f"有 {len(values)} 个取值", f"has {len(values)} values"
    low = "…" if fact.minimum is None else fact.minimum
    high = "…" if fact.maximum is None else fact.maximum
    return f"在 {low} 与 {high} 之间", f"goes from {low} to {high}"
