"""Sentences of the rule language: one table of operators, read and written in two languages.

``有可供执行财产 为 是`` and ``enforceable_property_exists is true`` are the same leaf.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from eligibility.documents import Item, resolve
from eligibility.errors import EligibilityError, Text, nearest
from eligibility.rulebase.conditions import All, Any_, Condition, Leaf, Not, Over, Param
from eligibility.shapes import Reading
from eligibility.slips import in_value
from eligibility.vocabulary.model import CASE, Fact, Type, Vocabulary
from eligibility.vocabulary.reader import TYPES
from eligibility.vocabulary.values import Unfit, from_wire

_SPACES = re.compile(r"\s+")
_SHOWN = 80
_TRUTHS = {"true": True, "false": False}  # 是 and 否 are words of a case too
NUMERIC = (Type.INT, Type.MONEY, Type.DECIMAL)


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator: words before and after the operand, and the types it applies to.

    ``operand``: value, values, number (of the fact's own kind), count, or word (a fixed
    word such as ``none``).
    """

    name: str
    en: tuple[str, str]
    zh: tuple[str, str]
    operand: str
    types: tuple[Type, ...]


OPERATORS = (
    Operator("is_not_none", ("is not none", ""), ("不为 无", ""), "word", (Type.DATE,)),
    Operator("is_none", ("is none", ""), ("为 无", ""), "word", (Type.DATE,)),
    Operator("is_not_empty", ("is not empty", ""), ("不为 空", ""), "word", (Type.SET,)),
    Operator("is_empty", ("is empty", ""), ("为 空", ""), "word", (Type.SET,)),
    Operator("exactly", ("is exactly", ""), ("恰为", ""), "values", (Type.SET,)),
    Operator("is_not", ("is not", ""), ("不为", ""), "value", (Type.BOOL, Type.ENUM, Type.INT)),
    Operator("is", ("is", ""), ("为", ""), "value", (Type.BOOL, Type.ENUM, Type.INT)),
    Operator("not_in", ("not in", ""), ("不属于", ""), "values", (Type.ENUM,)),
    Operator("in", ("in", ""), ("属于", ""), "values", (Type.ENUM,)),
    Operator("ge", (">=", ""), ("大于等于", ""), "number", NUMERIC),
    Operator("gt", (">", ""), ("大于", ""), "number", NUMERIC),
    Operator("le", ("<=", ""), ("小于等于", ""), "number", NUMERIC),
    Operator("lt", ("<", ""), ("小于", ""), "number", NUMERIC),
    Operator("any_of", ("has any of", ""), ("含有任一", ""), "values", (Type.SET,)),
    Operator("all_of", ("has all of", ""), ("含有全部", ""), "values", (Type.SET,)),
    Operator("at_least", ("has at least", ""), ("至少含有", ""), "count", (Type.SET,)),
    Operator("days_ago", ("more than", "days ago"), ("距今超过", "日"), "count", (Type.DATE,)),
    Operator("within_days", ("within", "days"), ("距今不超过", "日"), "count", (Type.DATE,)),
    Operator(
        "months_ago", ("more than", "months ago"), ("距今超过", "个月"), "count", (Type.DATE,)
    ),
    Operator("within_months", ("within", "months"), ("距今不超过", "个月"), "count", (Type.DATE,)),
)
# A hundred years: what lies further back cannot be told from what never was.
MOST = {"days_ago": 36500, "within_days": 36500, "months_ago": 1200, "within_months": 1200}
BY_NAME = {o.name: o for o in OPERATORS}
JUNCTIONS = {"all": "全部", "any": "任一", "not": "非"}


@dataclass(frozen=True, slots=True)
class Names:
    """Everything a sentence may name: facts, definitions (as bool facts), parameters.

    ``parameters``: key -> Chinese label.
    """

    vocabulary: Vocabulary
    definitions: Mapping[str, Fact] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    _written: dict[tuple[str, str, str, str], str] = field(
        default_factory=dict, compare=False, repr=False
    )

    def written(self, leaf: Leaf, lang: str) -> str:
        """:func:`sentence`, kept: a rule base has few leaves, and each is read in every case.

        Equal operands may be written differently (1 and 1.0), so they count as written.
        """
        key = (leaf.fact, leaf.op, str(leaf.operand), lang)
        found = self._written.get(key)
        if found is None:
            found = self._written[key] = sentence(leaf, self, lang)
        return found

    def fact(self, word: str) -> Fact | None:
        found = self.vocabulary.named(word)
        if found is None:
            for fact in self.definitions.values():
                if word in (fact.key, fact.label.zh):
                    return fact
        return found

    def words(self) -> list[str]:
        own = [w for f in self.definitions.values() for w in (f.key, f.label.zh)]
        return self.vocabulary.words() + own

    def parameter(self, word: str) -> str | None:
        if word in self.parameters:
            return word
        return next((k for k, zh in self.parameters.items() if zh == word), None)


def quantifiers(names: Names) -> dict[str, tuple[str, bool, str, bool]]:
    """English key -> (Chinese key, every, scope, main) for each record kind."""
    out: dict[str, tuple[str, bool, str, bool]] = {}
    for name in names.vocabulary.payload_scopes():
        if name == CASE or name not in names.vocabulary.records:
            continue
        zh = names.vocabulary.records[name].label.zh
        out[f"any {name}"] = (f"任一{zh}", False, name, False)
        out[f"every {name}"] = (f"每一{zh}", True, name, False)
        out[f"any main {name}"] = (f"任一主要{zh}", False, name, True)
    return out


def leaf_patterns() -> list[str]:
    """What a sentence looks like, one regular expression per operator, for editors."""
    out = []
    for op in OPERATORS:
        for before, after in (op.en, op.zh):
            operand = "" if op.operand == "word" else " .+"
            tail = f" {re.escape(after)}" if after else ""
            out.append(f"^\\S+ {re.escape(before)}{operand}{tail}$")
    return out


def whole_sentences(names: Names) -> list[str]:
    """Every Chinese sentence that needs no number or list, for completion in editors."""
    out = []
    scopes = names.vocabulary.payload_scopes()
    facts = [f for f in names.vocabulary.facts.values() if f.scope in scopes]
    for fact in [*facts, *names.definitions.values()]:
        for op in OPERATORS:
            if fact.type in op.types and op.operand == "word":
                out.append(f"{fact.label.zh} {op.zh[0]}")
            elif fact.type in op.types and op.name in ("is", "is_not"):
                values = ("是", "否") if fact.type is Type.BOOL else fact.values.values()
                words = [v if isinstance(v, str) else v.zh for v in values]
                out += [f"{fact.label.zh} {op.zh[0]} {word}" for word in words]
    return out


# --- reading -----------------------------------------------------------------------------


@dataclass(slots=True)
class Sentences:
    """Reads conditions, collecting problems and the two forms of each sentence."""

    names: Names
    reading: Reading
    rule: str = ""
    _over: dict[str, tuple[str, bool, str, bool]] = field(init=False)

    def __post_init__(self) -> None:
        self._over = quantifiers(self.names)

    def condition(self, item: Item) -> Condition | None:
        """The condition in an item; None (with problems reported) if it cannot be read."""
        if isinstance(item.value, dict):
            return self._junction(item)
        if isinstance(item.value, list):
            self._problem(
                "bad_condition",
                item,
                "条件列表前须写 all/全部 或 any/任一",
                "put all: or any: before a list",
            )
            return None
        text = _SPACES.sub(" ", item.raw).strip()
        if not text:
            self._problem("bad_condition", item, "条件为空", "the condition is empty")
            return None
        leaf = self.leaf(text, item)
        if leaf is not None:
            en, zh = self.format(leaf, "en"), self.format(leaf, "zh")
            self.reading.word(item, en, zh)
        return leaf

    def _junction(self, item: Item) -> Condition | None:
        if len(item.mapping) != 1:
            self._problem(
                "bad_condition",
                item,
                "每层只能有一个键（全部、任一、非 或 任一财产 等）",
                "exactly one of all, any, not or a quantifier such as 'any property'",
            )
            return None
        raw, child = next(iter(item.mapping.items()))
        key_item = (item.keys or {}).get(raw, item)
        for en, zh in JUNCTIONS.items():
            if raw in (en, zh):
                self.reading.word(key_item, en, zh)
                return self._not(child, item) if en == "not" else self._list(en, child, item)
        for en, (zh, every, scope, main) in self._over.items():
            if raw in (en, zh):
                self.reading.word(key_item, en, zh)
                inner = self.condition(child)
                return inner and Over(every, scope, inner, main, item.span)
        known = [*JUNCTIONS, *JUNCTIONS.values(), *self._over, *(v[0] for v in self._over.values())]
        self._problem(
            "bad_condition",
            key_item,
            f"条件中没有“{raw}”这个键",
            f"no key '{raw}' in a condition",
            in_value(raw) or nearest(raw, known),
        )
        return None

    def _not(self, child: Item, item: Item) -> Condition | None:
        inner = self.condition(child)
        return inner and Not(inner, item.span)

    def _list(self, en: str, child: Item, item: Item) -> Condition | None:
        if not isinstance(child.value, list) or not child.value:
            zh, en = "此处应为条件列表", "expected a list of conditions"
            self._problem("bad_condition", child, zh, en, in_value(child.raw))
            return None
        children = [self.condition(c) for c in child.value]
        if any(c is None for c in children):
            return None
        built = tuple(c for c in children if c is not None)
        return All(built, item.span) if en == "all" else Any_(built, item.span)

    def leaf(self, text: str, item: Item) -> Leaf | None:
        """One sentence; the operand is typed against the fact."""
        word, _, rest = text.partition(" ")
        fact = self.names.fact(word)
        if fact is None:
            self._no_fact(word, item)
            return None
        found = _operators(rest)
        fitting = [(op, operand) for op, operand in found if fact.type in op.types]
        if not fitting:
            self._no_operator(fact, rest, bool(found), item)
            return None
        op, operand = fitting[0]
        try:
            return Leaf(fact.key, op.name, self._operand(fact, op, operand), item.span)
        except Unfit as error:
            self._problem(
                error.code,
                item,
                f"“{fact.label.zh}”不能与“{operand[:_SHOWN]}”比较：{error.text.zh}",
                f"'{fact.key}' cannot be compared with '{operand[:_SHOWN]}': {error.text.en}",
                in_value(operand) or error.hint,
            )
            return None

    def _no_fact(self, word: str, item: Item) -> None:
        shown = word[:_SHOWN]
        glued = re.match(r"(.+?)(大于|小于|不为|为|不属于|属于|>|<|=)", word)
        hint = in_value(shown) or nearest(shown, self.names.words())
        if glued and self.names.fact(glued[1]) is not None:
            hint = Text("词与词之间请加空格", "put spaces between the words")
        self._problem(
            "unknown_fact",
            item,
            f"没有名为“{shown}”的事实",
            f"no fact named '{shown}'",
            hint,
        )

    def _no_operator(self, fact: Fact, rest: str, exists: bool, item: Item) -> None:
        usable = [o for o in OPERATORS if fact.type in o.types]
        rest = rest[:_SHOWN]
        if not usable:
            self._problem(
                "type_mismatch",
                item,
                f"“{fact.label.zh}”是文本或记录，不能用在条件中，请改用是否、单选等类型的事实",
                f"'{fact.key}' is of type {fact.type} and cannot stand in a condition",
            )
            return
        if exists:
            kind = TYPES.words[fact.type]
            self._problem(
                "type_mismatch",
                item,
                f"“{fact.label.zh}”的类型是“{kind}”，不能用“{rest}”比较",
                f"'{fact.key}' is of type {fact.type}: '{rest}' does not apply",
                Text(
                    "可用：" + "、".join(" … ".join(w for w in o.zh if w) for o in usable),
                    "use: " + ", ".join(" … ".join(w for w in o.en if w) for o in usable),
                ),
            )
            return
        words = rest.split(" ")[0] if rest else ""
        self._problem(
            "unknown_operator",
            item,
            f"读不懂“{rest}”",
            f"cannot read '{rest}'",
            nearest(words, [w for o in usable for w in (o.zh[0], o.en[0])])
            or Text(
                "可用：" + "、".join(o.zh[0] for o in usable),
                "use: " + ", ".join(o.en[0] for o in usable),
            ),
        )

    def _operand(self, fact: Fact, op: Operator, text: str) -> Any:
        if op.operand == "word":
            return None
        if op.operand == "values":
            if not (text.startswith("[") and text.endswith("]")):
                raise Unfit("wrong_type", "取值应写在 [ ] 中", "write the values in [ ]")
            words = [w for w in re.split(r"[,，、]\s*", text[1:-1].strip()) if w]
            if not words:
                raise Unfit("wrong_type", "[ ] 中至少写一个取值", "at least one value in [ ]")
            return tuple(dict.fromkeys(self._value(fact, w.strip()) for w in words))
        if text.startswith("$"):
            return self._parameter(text[1:])
        if op.operand == "count":
            return _count(op, text)
        return self._value(fact, text)

    def _parameter(self, word: str) -> Param:
        key = self.names.parameter(word)
        if key is None:
            known = [*self.names.parameters, *self.names.parameters.values()]
            shown = word[:_SHOWN]
            raise Unfit(
                "unknown_parameter",
                f"没有参数“{shown}”",
                f"no parameter '{shown}'",
                hint=nearest(shown, known),
            )
        return Param(key)

    def _value(self, fact: Fact, word: str) -> Any:
        if fact.type is Type.BOOL:
            return from_wire(fact, _TRUTHS.get(word, word))
        if fact.type in NUMERIC:
            try:
                raw = resolve(word, "")
            except EligibilityError:
                raw = word
            return from_wire(fact, raw if isinstance(raw, (int, Decimal)) else word)
        if fact.type is Type.SET:
            member = next(iter(from_wire(fact, [word])))
            return member
        return from_wire(fact, word)

    def _problem(self, code: str, item: Item, zh: str, en: str, hint: Text | None = None) -> None:
        self.reading.problem(code, item, zh, en, hint, rule=self.rule)

    # --- writing ---------------------------------------------------------------------------

    def format(self, leaf: Leaf, lang: str) -> str:
        """The sentence of a leaf; parsing it again gives the same leaf."""
        return sentence(leaf, self.names, lang)


def _count(op: Operator, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise Unfit("wrong_type", "应为数字或 $参数", "expected a number or $parameter")
    most = MOST.get(op.name)
    if most is not None and int(text) > most:
        raise Unfit("out_of_range", f"最多 {most}", f"at most {most}")
    return int(text)


def _operators(rest: str) -> list[tuple[Operator, str]]:
    """Operators whose words frame ``rest``, with the text of the operand."""
    found = []
    for op in OPERATORS:
        for before, after in (op.en, op.zh):
            if op.operand == "word":
                if rest == before:
                    found.append((op, ""))
                continue
            if not (rest.startswith((before + " ", before + "["))) or not rest.endswith(after):
                continue
            operand = rest[len(before) : len(rest) - len(after)].strip()
            if operand:
                found.append((op, operand))
    return found


def sentence(leaf: Leaf, names: Names, lang: str) -> str:
    """A leaf as a sentence in Chinese or English."""
    fact = names.fact(leaf.fact)
    if fact is None:
        raise KeyError(leaf.fact)
    op = BY_NAME[leaf.op]
    before, after = op.zh if lang == "zh" else op.en
    subject = fact.label.zh if lang == "zh" else fact.key
    if op.operand == "word":
        return f"{subject} {before}"
    operand = _written(leaf.operand, fact, names, lang)
    return f"{subject} {before} {operand}{' ' + after if after else ''}"


def _written(operand: Any, fact: Fact, names: Names, lang: str) -> str:
    if isinstance(operand, Param):
        return "$" + (names.parameters[operand.name] if lang == "zh" else operand.name)
    if isinstance(operand, tuple):
        return "[" + ", ".join(_written(v, fact, names, lang) for v in operand) + "]"
    if isinstance(operand, bool):
        return ("是" if operand else "否") if lang == "zh" else str(operand).lower()
    if isinstance(operand, str) and operand in fact.values:
        return fact.values[operand].zh if lang == "zh" else operand
    if fact.type is Type.MONEY:
        yuan, fen = divmod(abs(operand), 100)
        return f"{'-' if operand < 0 else ''}{yuan}" + (f".{fen:02d}" if fen else "")
    return str(operand)
