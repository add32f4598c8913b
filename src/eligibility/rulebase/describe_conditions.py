"""Conditions as plain JSON data: a tree of sentences, and the text that policy staff write."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from eligibility.rulebase.conditions import All, Condition, Leaf, Not, Over, Param
from eligibility.rulebase.language import JUNCTIONS, quantifiers, sentence
from eligibility.rulebase.model import Rulebase

Data = dict[str, Any]
_INDENT = "  "


def describe_condition(condition: Condition, rulebase: Rulebase) -> Data:
    """``{tree, text}``: the condition as nested sentences and as indented text."""
    return {
        "tree": _tree(condition, rulebase),
        "text": {lang: "\n".join(_lines(condition, rulebase, lang, "")) for lang in ("zh", "en")},
    }


def _tree(condition: Condition, rulebase: Rulebase) -> Data:
    if isinstance(condition, Leaf):
        return _leaf(condition, rulebase)
    if isinstance(condition, Not):
        return _junction("not", (condition.child,), rulebase)
    if isinstance(condition, Over):
        zh, en = quantifier_words(condition, rulebase)
        child = _tree(condition.child, rulebase)
        return {"op": en, "label": {"zh": zh, "en": en}, "children": [child]}
    return _junction("all" if isinstance(condition, All) else "any", condition.children, rulebase)


def _junction(op: str, children: Iterable[Condition], rulebase: Rulebase) -> Data:
    return {
        "op": op,
        "label": {"zh": JUNCTIONS[op], "en": op},
        "children": [_tree(c, rulebase) for c in children],
    }


def _leaf(leaf: Leaf, rulebase: Rulebase) -> Data:
    out: Data = {
        "fact": leaf.fact,
        "sentence": {lang: sentence(leaf, rulebase.names, lang) for lang in ("zh", "en")},
    }
    if leaf.fact in rulebase.definitions:
        out["definition"] = True
    if isinstance(leaf.operand, Param):
        out["parameter"] = leaf.operand.name
    return out


def quantifier_words(over: Over, rulebase: Rulebase) -> tuple[str, str]:
    """A quantifier in Chinese and English: 任一财产, any property."""
    for en, (zh, every, scope, main) in quantifiers(rulebase.names).items():
        if (every, scope, main) == (over.every, over.scope, over.main):
            return zh, en
    label = rulebase.vocabulary.records[over.scope].label
    return f"每一{label.zh}", f"every {over.scope}"


def _lines(condition: Condition, rulebase: Rulebase, lang: str, indent: str) -> list[str]:
    if isinstance(condition, Leaf):
        return [indent + sentence(condition, rulebase.names, lang)]
    children = (condition.child,) if isinstance(condition, (Over, Not)) else condition.children
    if isinstance(condition, Over):
        head = quantifier_words(condition, rulebase)[lang == "en"]
    elif isinstance(condition, Not):
        head = _word("not", lang)
    else:
        head = _word("all" if isinstance(condition, All) else "any", lang)
    out = [f"{indent}{head}:"]
    for child in children:
        out += _lines(child, rulebase, lang, indent + _INDENT)
    return out


def _word(op: str, lang: str) -> str:
    return JUNCTIONS[op] if lang == "zh" else op
