"""Rule files rewritten in one language, in place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eligibility.documents import read_yaml
from eligibility.errors import RulebaseError
from eligibility.rulebase.conditions import Condition
from eligibility.rulebase.formatter import format_text, format_texts
from eligibility.rulebase.loader import load
from rulebase.rulebases import base_texts, cases, laid_over, shipped_texts, with_file
from rulebase.test_language import conditions, written

RULE = """rules:
# 为什么有这条规则
- id: X-1   # 编号
  title: 试
  kind: qualify
  layer: discretion
  profile: national
  grants: inter_court
  when: {when}
  basis: statute
  citations: [L1]
"""


@pytest.mark.parametrize("texts", [base_texts(), shipped_texts()], ids=["base", "shipped"])
def test_both_languages_are_one_rule_base(texts: dict[str, str]) -> None:
    digest = load(texts).digest
    zh, en = format_texts(texts, "zh"), format_texts(texts, "en")
    assert load(zh).digest == load(en).digest == digest
    assert format_texts(zh, "zh") == zh
    assert format_texts(en, "en") == en
    assert format_texts(en, "zh") == zh
    assert format_texts(zh, "en") == en


def test_the_shipped_rules_are_written_in_one_language() -> None:
    texts = shipped_texts()
    assert texts in (format_texts(texts, "zh"), format_texts(texts, "en"))


@pytest.mark.parametrize("folder", cases("good"), ids=lambda path: path.name)
def test_good_files_keep_their_meaning(folder: object) -> None:
    texts = laid_over(folder)  # type: ignore[arg-type]
    digest = load(texts).digest
    for lang in ("zh", "en"):
        written_in = format_texts(texts, lang)
        assert load(written_in).digest == digest
        assert format_texts(written_in, lang) == written_in


@settings(deadline=None, max_examples=40)
@given(conditions(), st.sampled_from(["zh", "en"]))
def test_generated_conditions_keep_their_meaning(condition: Condition, lang: str) -> None:
    def when(texts: dict[str, str]) -> Condition:
        from eligibility.rulebase.loader import read

        rulebase, _ = read(texts)
        assert rulebase is not None
        return rulebase.rules["X-1"].when

    texts = with_file(RULE.replace("{when}", "".join(written(condition, lang))))
    zh = format_texts(texts, "zh")
    en = format_texts(zh, "en")
    assert when(zh) == when(en) == condition
    assert format_texts(en, "zh") == zh


def test_comments_and_layout_stay() -> None:
    text = RULE.replace("{when}", "\n    all:\n    - interference is true   # 平台记录")
    zh = format_texts(with_file(text), "zh")["x.yaml"]
    assert "# 为什么有这条规则" in zh
    assert "- 编号: X-1   # 编号" in zh
    assert "    - 有干预记录 为 是   # 平台记录" in zh
    assert zh.count("\n") == text.count("\n")


@pytest.mark.parametrize(
    ("text", "flow", "result"),
    [
        ("plain words", False, "plain words"),
        ("含有任一 [甲, 乙]", False, "含有任一 [甲, 乙]"),
        ("含有任一 [甲, 乙]", True, '"含有任一 [甲, 乙]"'),
        ("a: b", False, '"a: b"'),
        ("a #b", False, '"a #b"'),
        ("- a", False, '"- a"'),
        ("true", False, '"true"'),
        ("12", False, '"12"'),
        ("2024-01-31", False, '"2024-01-31"'),
        ("*a", False, '"*a"'),
        ('say "x"', False, 'say "x"'),
        ('"x"', False, '"\\"x\\""'),
        ("", False, '""'),
        (">= 3", False, '">= 3"'),
        ("a >= 3", False, "a >= 3"),
        ("@a", True, '"@a"'),
    ],
)
def test_quotes_stand_where_plain_would_be_misread(text: str, flow: bool, result: str) -> None:
    source = "[x]" if flow else "x"
    item = read_yaml(source, "f")
    scalar = item.sequence[0] if flow else item
    new = format_text(source, "en", [(scalar, text, "")])
    assert new == (f"[{result}]" if flow else result)
    found = read_yaml(new, "f")
    assert (found.sequence[0] if flow else found).value == text


def test_the_authors_quotes_are_kept() -> None:
    for quote in "'\"":
        source = f"{quote}x{quote}"
        assert format_text(source, "en", [(read_yaml(source, "f"), "it's", "")]) in (
            "'it''s'",
            '"it\'s"',
        )


def test_a_byte_order_mark_stays() -> None:
    texts = with_file("\ufeff" + RULE.replace("{when}", "interference is true"))
    zh = format_texts(texts, "zh")["x.yaml"]
    assert zh.startswith("\ufeff规则:")
    assert "条件: 有干预记录 为 是" in zh


def test_unknown_words_are_left_alone() -> None:
    text = RULE.replace("{when}", "nothing is true")
    assert "条件: nothing is true" in format_texts(with_file(text), "zh")["x.yaml"]


def test_what_is_not_yaml_is_refused() -> None:
    with pytest.raises(RulebaseError, match="yaml_syntax"):
        format_texts(with_file("rules: ["), "zh")
