"""Texts in, one rule base out: order and layout do not matter, faults never escape."""

from __future__ import annotations

import random
from copy import deepcopy
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from eligibility.assurance.soundness import examine
from eligibility.errors import RulebaseError
from eligibility.rulebase.loader import load
from rulebase.rulebases import TODAY, base_rulebase, base_texts, with_file

ODD: tuple[Any, ...] = (
    "", None, 3, -1, True, [], {}, [1], {"a": 1}, "x", "none", "2024-01-01", "城",
    [[]], {"zh": [1]}, "a" * 50, 1.5, "$x", "any",
)  # fmt: skip


def test_the_order_of_files_and_entries_does_not_matter() -> None:
    texts = base_texts()
    documents = {name: yaml.safe_load(text) for name, text in texts.items()}
    documents["rules.yaml"]["rules"].reverse()
    shuffled = {f"z{len(name)}{name}": documents[name] for name in sorted(texts, reverse=True)}
    again = {n: yaml.safe_dump(d, allow_unicode=True, sort_keys=False) for n, d in shuffled.items()}
    assert load(again).digest == base_rulebase().digest


def test_a_change_of_content_changes_the_digest() -> None:
    texts = base_texts()
    texts["parameters.yaml"] = texts["parameters.yaml"].replace("value: 30", "value: 31")
    assert load(texts).digest != base_rulebase().digest


def test_problems_are_sorted_and_whole() -> None:
    text = "rulez: 1\nrules:\n- {id: X, kind: bar}\n- {id: Y, kind: boo}\n"
    with pytest.raises(RulebaseError) as caught:
        load(with_file(text))
    lines = [p.place.line for p in caught.value.problems]  # type: ignore[union-attr]
    assert lines == sorted(lines)
    assert {p.rule for p in caught.value.problems} == {"", "X", "Y"}


def test_nothing_is_not_a_rule_base() -> None:
    for texts in ({}, {"a.yaml": ""}, {"a.yaml": "# nothing\n"}):
        with pytest.raises(RulebaseError):
            load(texts)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    entries = value.items() if isinstance(value, dict) else ()
    for key, child in entries or (enumerate(value) if isinstance(value, list) else ()):
        found += places(child, (*path, key))
    return found


@settings(deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(range(len(ODD))), st.integers(1, 2))
def test_no_text_makes_the_loader_fail(seed: int, which: int, times: int) -> None:
    """A rule base with parts replaced or left out has problems, never an exception."""
    rng, odd = random.Random(seed), ODD[which]
    texts = base_texts()
    name = rng.choice(sorted(texts))
    document = yaml.safe_load(texts[name])
    for _ in range(times):
        found = places(document)
        if not found:
            break
        *above, last = rng.choice(found)
        target = document
        for key in above:
            target = target[key]
        if rng.random() < 0.3:
            del target[last]
        else:
            target[last] = deepcopy(odd)  # the same list twice could hold itself
    texts[name] = yaml.safe_dump(document, allow_unicode=True)
    for problem in examine(texts, TODAY).problems:
        assert problem.code
        assert problem.message.zh
