"""What an author is told to write instead."""

from __future__ import annotations

import re

import pytest

from eligibility import slips
from eligibility.documents import read_yaml
from eligibility.errors import Problem, RulebaseError, Text, nearest
from eligibility.rulebase.formatter import format_texts
from eligibility.rulebase.loader import load, read
from rulebase.rulebases import RULES, laid_over, shipped_texts, with_file


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("XB-09", ["XQ-09", "XQ-10"], None),
        ("XB-9", ["XQ-09", "XB-09"], "XB-09"),
        ("S63", ["L63"], None),
        ("限至", ["准入", "限制"], "限制"),
        ("全都", ["全部", "任一"], "全部"),
        ("报请", ["依申请(申请执行人)", "报请(执行法院)"], "报请(执行法院)"),
        ("Report_Bar", ["report_bar"], "report_bar"),
        ("“建议”", ["建议"], "建议"),
        ("ｂａｒ", ["bar"], "bar"),
        ("甲", ["乙"], None),
    ],
)
def test_the_nearest_word(word: str, known: list[str], found: str | None) -> None:
    hint = nearest(word, known)
    assert (hint and hint.zh) == (found and f"是否想写“{found}”？")


def test_a_hint_is_set_off_from_the_message() -> None:
    problem = Problem("c", Text("没有“甲”。", "no 'a'"), "p", "", Text("是否想写“乙”？", "try 'b'"))
    assert problem.line("zh") == "p: c: 没有“甲”；是否想写“乙”？"
    assert problem.line("en") == "p: c: no 'a'; try 'b'"


@pytest.mark.parametrize(
    ("raw", "instead"),
    [("３０", "30"), ("30日", "30"), ("三十", "30"), ("一百二十", "120"), ("十五日", "15")],
)
def test_a_number_is_written_in_digits(raw: str, instead: str) -> None:
    hint = slips.in_value(raw)
    assert hint is not None
    assert hint.zh == f"请写“{instead}”"


@pytest.mark.parametrize("raw", ["", "30", "report_bar", "有干预记录", "-3", "js-yancheng"])
def test_nothing_is_said_of_what_is_no_slip(raw: str) -> None:
    assert slips.in_value(raw) is None


@pytest.mark.parametrize(
    "line",
    ["a: 甲：乙", "- a: '“x”'", "url: https://x.cn", "# 甲：乙", "- 有干预记录 为 是", "a: {b: c}"],
)
def test_a_good_line_has_no_slip(line: str) -> None:
    assert slips.in_line(line) is None


def test_a_syntax_error_is_explained_in_chinese() -> None:
    with pytest.raises(RulebaseError) as caught:
        read_yaml("a: [b\nc: d", "f")
    assert "右括号" in caught.value.problems[0].message.zh


def test_a_rule_with_a_broken_body_can_be_named() -> None:
    _, reading = read(laid_over(RULES / "bad" / "broken-rule-still-named"))
    unknown = [p for p in reading.problems if p.code == "unknown_rule"]
    assert [(p.message.zh, p.hint) for p in unknown] == [("没有名为“XB-1”的规则", None)]


def test_a_parameter_too_long_for_its_use_is_found() -> None:
    text = """
parameters:
  start_days:
    label: 启动处置期限
    type: int
    values: [{value: 99999, basis: statute, citations: [L1]}]
"""
    _, reading = read(with_file(text, "parameters.yaml"))
    assert "out_of_range" in {p.code for p in reading.problems}


def test_labels_and_keys_turn_into_each_other() -> None:
    texts = laid_over(RULES / "good" / "labels")
    en = format_texts(texts, "en")
    for line in (
        "layer: report_bar",
        "profile: city",
        "channel: [court_report]",
        "override_by: [bureau]",
        "modes: [urge, designate]",
        "层级: report_bar]",
    ):
        assert line in en["x.yaml"]
    assert "方式: [督促, 指定]" in format_texts(en, "zh")["x.yaml"]
    assert load(en).digest == load(texts).digest


def test_a_parameter_of_a_clock_needs_a_value_everywhere() -> None:
    texts = shipped_texts()
    name = "parameters.yaml"
    texts = {
        **texts,
        name: re.sub(r"(?<=- 值: true\n)", "      自: 2020-01-01\n", texts[name], count=1),
    }
    _, reading = read(texts)
    found = [p for p in reading.problems if p.code == "parameter_without_value"]
    assert ["holiday_rollover" in p.message.en for p in found] == [True]
