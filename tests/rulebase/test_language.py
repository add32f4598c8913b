"""Sentences and conditions: read and written in two languages without loss."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eligibility.documents import Item, read_yaml
from eligibility.errors import Span
from eligibility.rulebase.conditions import All, Any_, Condition, Leaf, Not, Over, Param
from eligibility.rulebase.language import MOST, OPERATORS, Names, Operator, Sentences, sentence
from eligibility.rulebase.loader import load
from eligibility.shapes import Reading
from eligibility.vocabulary.model import Fact, Type
from rulebase.rulebases import base_rulebase, shipped_texts

NAMES = base_rulebase().names


def read_sentence(text: str, names: Names = NAMES) -> tuple[Leaf | None, Reading]:
    reading = Reading()
    item = Item(text, Span("f", 1, 1), raw=text)
    return Sentences(names, reading).leaf(" ".join(text.split()), item), reading


def operands(fact: Fact, op: Operator) -> st.SearchStrategy[object]:
    kind = op.operand
    if kind == "word":
        return st.none()
    if kind == "values":
        values = st.lists(st.sampled_from(sorted(fact.values)), min_size=1, unique=True)
        return values.map(tuple)
    if kind == "count":
        return st.integers(0, MOST.get(op.name, 999_999)) | st.just(Param("start_days"))
    numbers: dict[Type, st.SearchStrategy[object]] = {
        Type.BOOL: st.booleans(),
        Type.INT: st.integers(fact.minimum or 0, fact.maximum or 9),
        Type.MONEY: st.integers(0, (fact.maximum or 0) * 100),
        Type.DECIMAL: st.decimals(0, 1, places=4).map(lambda d: Decimal(f"{d:f}")),
        Type.ENUM: st.sampled_from(sorted(fact.values) or [""]),
    }
    return numbers[fact.type]


@st.composite
def leaves(draw: st.DrawFn, scope: str | None = None) -> Leaf:
    found = [
        (fact, op)
        for fact in (*NAMES.vocabulary.facts.values(), *NAMES.definitions.values())
        for op in OPERATORS
        if fact.type in op.types and (scope is None or fact.scope == scope)
    ]
    fact, op = draw(st.sampled_from(found))
    return Leaf(fact.key, op.name, draw(operands(fact, op)))


def conditions() -> st.SearchStrategy[Condition]:
    def grown(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
        several = st.lists(inner, min_size=1, max_size=3).map(tuple)
        return several.map(All) | several.map(Any_) | inner.map(Not)

    over = st.builds(Over, st.booleans(), st.sampled_from(["property", "debtor"]), leaves())
    return st.recursive(leaves() | over, grown, max_leaves=8)


def written(condition: Condition, lang: str) -> Iterator[str]:
    """A condition as YAML flow text."""
    if isinstance(condition, Leaf):
        text = sentence(condition, NAMES, lang)
        yield '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return
    if isinstance(condition, Over):
        word = ("每一" if condition.every else "任一") + (
            "财产" if condition.scope == "property" else "被执行人"
        )
        if lang == "en":
            word = f"{'every' if condition.every else 'any'} {condition.scope}"
        yield f"{{{word}: {''.join(written(condition.child, lang))}}}"
        return
    if isinstance(condition, Not):
        yield f"{{{'非' if lang == 'zh' else 'not'}: {''.join(written(condition.child, lang))}}}"
        return
    words = ("全部", "all") if isinstance(condition, All) else ("任一", "any")
    inner = ", ".join("".join(written(child, lang)) for child in condition.children)
    yield f"{{{words[lang == 'en']}: [{inner}]}}"


@given(leaves(), st.sampled_from(["zh", "en"]))
def test_a_sentence_is_read_back_as_written(leaf: Leaf, lang: str) -> None:
    text = sentence(leaf, NAMES, lang)
    found, reading = read_sentence(text)
    assert (found, reading.problems) == (leaf, [])


@given(conditions(), st.sampled_from(["zh", "en"]))
def test_a_condition_is_read_back_as_written(condition: Condition, lang: str) -> None:
    reading = Reading()
    item = read_yaml("".join(written(condition, lang)), "f")
    assert Sentences(NAMES, reading).condition(item) == condition
    assert reading.problems == []


def test_every_sentence_of_the_shipped_rules_is_read_back() -> None:
    base = load(shipped_texts())
    from eligibility.rulebase.conditions import leaves as leaves_of

    for rule in base.rules.values():
        for leaf in leaves_of(rule.when):
            for lang in ("zh", "en"):
                assert read_sentence(sentence(leaf, base.names, lang), base.names)[0] == leaf


@pytest.mark.parametrize(
    ("text", "leaf"),
    [
        ("有干预记录 为 否", Leaf("interference", "is", False)),
        ("amount >= 1000000.50", Leaf("amount", "ge", 100_000_050)),
        ("未执行金额 小于 3", Leaf("amount", "lt", 300)),
        ("crossings >= $many", Leaf("crossings", "ge", Param("many"))),
        ("既往交叉次数 大于等于 $多少为多", Leaf("crossings", "ge", Param("many"))),
        ("obstacles has any of [ties,mass]", Leaf("obstacles", "any_of", ("ties", "mass"))),
        ("障碍类型 含有任一 [地方干预、涉众]", Leaf("obstacles", "any_of", ("ties", "mass"))),
        ("received_date more than 3 months ago", Leaf("received_date", "months_ago", 3)),
        ("收到申请之日 距今超过 3 日", Leaf("received_date", "days_ago", 3)),
        ("urge_result is none_given", Leaf("urge_result", "is", "none_given")),
    ],
)
def test_sentences(text: str, leaf: Leaf) -> None:
    assert read_sentence(text)[0] == leaf


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("interference", "unknown_operator"),
        ("interference is", "unknown_operator"),
        ("interference is maybe", "wrong_type"),
        ("crossings > 1.5", "wrong_type"),
        ("crossings > -1", "out_of_range"),
        ("crossings > NaN", "wrong_type"),
        ("crossings > 1e30", "wrong_type"),
        ("crossings > " + "9" * 60, "wrong_type"),
        ("received_date within many days", "wrong_type"),
        ("received_date more than 1201 months ago", "out_of_range"),
        ("received_date within 36501 days", "out_of_range"),
        ("received_date > 2024-01-01", "type_mismatch"),
        ("obstacles has any of []", "wrong_type"),
        ("obstacles is exactly [ties, ties, nothing]", "unknown_value"),
        ("share > $style", "unknown_parameter"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, code: str) -> None:
    leaf, reading = read_sentence(text)
    assert leaf is None
    assert [p.code for p in reading.problems] == [code]
