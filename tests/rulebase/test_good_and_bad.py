"""Rule bases that must be accepted, and faults that must be found at their place.

A case is a folder laid over the base. ``expected.txt`` of a bad case lists every
diagnostic as ``file:line:column: code [rule]``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from eligibility.assurance.soundness import examine
from eligibility.circuit import regions
from eligibility.errors import Problem
from eligibility.rulebase import check_words
from rulebase.rulebases import TODAY, base_texts, cases, laid_over, shipped_texts, with_file


def shown(problem: Problem) -> str:
    rule = f" [{problem.rule}]" if problem.rule else ""
    return f"{problem.place}: {problem.code}{rule}"


@pytest.mark.parametrize("folder", cases("bad"), ids=lambda path: path.name)
def test_a_bad_rule_base_is_refused_with_its_faults(folder: Path) -> None:
    report = examine(laid_over(folder), TODAY)
    expected = (folder / "expected.txt").read_text("utf-8").splitlines()
    assert expected
    assert [shown(p) for p in report.problems] == expected


@pytest.mark.parametrize("folder", cases("bad"), ids=lambda path: path.name)
def test_every_message_is_one_line_in_both_languages(folder: Path) -> None:
    for problem in examine(laid_over(folder), TODAY).problems:
        for text in (problem.message, problem.hint):
            if text is not None:
                assert text.zh.strip()
                assert text.en.isascii() or any(quote in text.en for quote in "'’:→[")
                assert "\n" not in text.zh + text.en
        assert "\n" not in problem.line()


@pytest.mark.parametrize("folder", cases("good"), ids=lambda path: path.name)
def test_a_good_rule_base_is_accepted(folder: Path) -> None:
    assert [p.line() for p in examine(laid_over(folder), TODAY).problems] == []


def test_the_base_and_the_shipped_rules_are_accepted() -> None:
    assert examine(base_texts(), TODAY).problems == []
    assert [p.line() for p in examine(shipped_texts(), TODAY).problems] == []


def test_an_explosion_is_refused_with_its_culprit() -> None:
    report = examine(base_texts(), TODAY, budget=70)
    assert {p.code for p in report.problems} == {"node_budget"}
    assert all(p.rule for p in report.problems)


def test_a_rule_that_no_profile_adopts_is_a_warning() -> None:
    text = """
profiles:
  national: {label: 全国, adopts: []}
  city: {label: 某市, extends: national, adopts: []}
"""
    report = examine(with_file(text, "profiles.yaml"), TODAY)
    assert ("never_in_force", "B-2") in [(p.code, p.rule) for p in report.warnings]


def test_an_outcome_that_no_case_reaches_is_a_warning() -> None:
    text = (
        "meta: {outcomes: ["
        "{outcome: ended, when: {kind: bar, effect: end}, rank: 0, label: 终结},"
        "{outcome: no, when: true, rank: 1, label: 否}]}"
    )
    report = examine(with_file(text, "outcomes.yaml"), TODAY)
    assert [p.code for p in report.warnings] == ["unreachable_outcome"]


def test_both_sides_agree_on_the_largest_set() -> None:
    assert check_words.MAX_SET_VALUES == regions.MAX_SET_VALUES
