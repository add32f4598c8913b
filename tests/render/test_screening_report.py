"""The page on a screening: its numbers, its order, and that it is safe and whole by itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docket.results import Entry, row, written
from eligibility.docket.report import Wishes, report_entry
from eligibility.docket.result_file import ResultFile, described
from eligibility.docket.tables import result_schema, write_rows
from eligibility.render.screening_report import screening_report, share, yuan
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules
from render.html_page import Html

SOON = {"changes_on": "2025-07-01", "changes_to": "return_to_cure"}
ROWS = [
    row("（2025）苏0903执1号", "mandatory_transfer", rules=["XQ-08"]),
    row("（2025）苏0903执2号", **SOON, rules=["XQ-03"], recommended_mode="designate"),
    row("（2025）苏0903执3号", "return_to_cure", rules=["XB-09", "XQ-03"]),
    row("（2025）苏0923执4号", court="阜宁法院", rules=["XQ-03"]),
    row(
        "（2025）苏0923执5号",
        "need_info",
        "阜宁法院",
        possible=["eligible", "return_to_cure"],
        facts=["debtors[0].settlement_state"],
    ),
    row(
        "（2025）苏0923执6号", error="d.csv:7: filing_date: no_such_date: 日历上没有 / no such day"
    ),
]
BEFORE = [
    row("（2025）苏0903执2号", "return_to_cure", rules=["XB-06", "XQ-03"]),
    *ROWS[2:],
    row("（2024）苏0903执9号"),
]
ABOUT = {
    "as_of": "2025-06-01",
    "made_on": "2025-06-02",
    "dates": True,
    "rulebase": {"version": "1", "digest": "sha256:00"},
}


@pytest.fixture(name="shipped", scope="module")
def fixture_shipped() -> Rulebase:
    return load_rules()


def told(path: Path, rows: list[Entry], about: Entry) -> ResultFile:
    write_rows(path, ".parquet", [rows], described(result_schema(), about))
    return ResultFile(path)


@pytest.fixture(name="page")
def fixture_page(shipped: Rulebase, tmp_path: Path) -> Html:
    docket = tmp_path / "d.csv"
    amounts = ["1200000", '"3,400,000.5"', "5", "6", "7", "8"]
    lines = [f"{entry['case_no']},{amount}" for entry, amount in zip(ROWS, amounts, strict=True)]
    docket.write_text("\n".join(["执行案号,未执行到位标的额", *lines]), "utf-8")
    about = ABOUT | {"rulebase": {"version": shipped.version, "digest": shipped.digest}}
    after = told(tmp_path / "r.parquet", ROWS, about)
    before = told(tmp_path / "y.parquet", BEFORE, ABOUT)
    return Html(screening_report(report_entry(after, shipped, Wishes([docket], before))))


def section(page: Html, name: str) -> str:
    """The text from one heading to the next."""
    heads = page.of("h2")
    texts = page.text
    starts = [texts.index(head.text) for head in heads]
    at = [head.attributes["id"] for head in heads].index(name)
    return texts[starts[at] : [*starts, len(texts)][at + 1]]


def flat(text: str) -> str:
    return " ".join(text.split())


def test_it_stands_by_itself(page: Html) -> None:
    assert page.declarations == ["DOCTYPE html"]
    tags = {e.tag for e in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "form", "object"}
    for element in page.elements:
        assert not {name for name in element.attributes if name.startswith("on")}
        assert element.attributes.get("href", "#").startswith("#")
        assert "src" not in element.attributes
    (policy,) = [e for e in page.of("meta") if "http-equiv" in e.attributes]
    assert policy.attributes["content"].startswith("default-src 'none'")
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    targets = {e.attributes["href"].removeprefix("#") for e in page.of("a")}
    assert targets <= set(ids)
    (html,) = page.of("html")
    assert html.attributes["lang"] == "zh-CN"


def test_what_comes_first_stands_first(page: Html) -> None:
    said = flat(section(page, "first"))
    order = [said.index(f"执{n}号") for n in (1, 2, 4)]
    assert order == sorted(order)
    assert "至 2025-06-30，余 29 日" in said
    assert "此后退回补正" in said
    assert "3,400,000.50" in said
    assert "执3号" not in said
    assert "指令(指定)执行" in said


def test_numbers_stand_beside_every_bar(page: Html) -> None:
    outcomes = flat(section(page, "outcomes"))
    assert "可以法院间交叉 eligible可以法院间交叉 22 · 33.3%" in outcomes
    bars = page.of("svg", "bar")
    assert all(e.children[0].tag == "title" and e.children[0].text.strip() for e in bars)
    # One bar an outcome, one a court, one a rule.
    assert len(bars) == 5 + 2 + 3
    (counts, *_) = [e for e in page.of("table") if e.children[0].tag == "caption"]
    assert "盐城市盐都区人民法院" in flat(counts.text)


def test_nothing_proposed_stands_as_law(page: Html, shipped: Rulebase) -> None:
    rows = {e.attributes["id"]: flat(e.text) for e in page.of("tr") if "id" in e.attributes}
    for rule_id, words in (
        ("XQ-08", "法律规定 law"),
        ("XQ-03", "公开报道 reported"),
        ("XB-09", "建议 proposed"),
    ):
        rule, said = shipped.rules[rule_id], rows[f"rule-{rule_id}"]
        assert rule.title.zh in said
        assert words in said
        for cited in rule.citations:
            assert cited in said
    assert "法律规定 law" not in rows["rule-XB-09"]
    assert "不是法律" in rows["rule-XB-09"]
    law = [e for e in page.of("span", "statute") if e.text.startswith("法律规定")]
    assert len(law) == 2  # the legend and XQ-08


def test_what_changed_and_why(page: Html) -> None:
    said = flat(section(page, "differences"))
    for words in ("1 新增案件", "1 不再出现", "1 已补正", "0 结论改变", "4 没有变化"):
        assert words.replace(" ", "") in said.replace(" ", ""), words
    assert "不再起作用 XB-06 未超过六个月(报请)" in said
    assert "两次所用的规则库不同" in said
    assert "基准日 2025-06-01" in said


def test_what_is_not_known_is_said(shipped: Rulebase, tmp_path: Path) -> None:
    """No day, no rule base, no amounts, no dates, an outcome and a rule that nobody knows."""
    rows = [row("1", "unheard_of", "无此法院", rules=["ZZ-99"]), row("2", court=None)]
    entry = report_entry(written(tmp_path / "r.csv", rows), shipped, Wishes())
    said = flat(Html(screening_report(entry)).text)
    assert "审查基准日结果文件未记载" in said
    assert "规则库结果文件未记载" in said
    assert "没有未执行到位标的额" in said
    assert "没有结论何日改变的日期" in said
    assert "ZZ-99 规则库中没有此规则" in said
    assert "（不在法院名录中）" in said
    assert "（未写执行法院）" in said
    assert "unheard_of" in said


HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "{{ 7 * 7 }}{% raw %}",
    "</title></style><b>",
    "&lt;&#x3c;",
    "案\u202e号\x00\x1b[31m",
)


@pytest.mark.parametrize("word", HOSTILE)
def test_a_hostile_docket_stays_text(shipped: Rulebase, tmp_path: Path, word: str) -> None:
    changes = {"changes_on": "2025-07-01", "changes_to": word}
    rows = [
        row(word, "mandatory_transfer", word, rules=[word], **changes),
        row(f"{word}2", word, word, rules=["XQ-03"], recommended_mode=word),
        row(f"{word}3", error=f"{word}:1: {word}"),
        row("4", "need_info", possible=["eligible", word], facts=[f"{word}[0].{word}"]),
    ]
    before = [row(word, "return_to_cure", word, rules=[f"{word}x"]), row("4", word), row("4", word)]
    plain = [entry | {"case_no": "n", "court_id": "n"} for entry in rows[:1]]
    page = report(shipped, tmp_path, rows, before)
    harmless = report(shipped, tmp_path, plain, before[:1])
    assert {e.tag for e in page.elements} <= {e.tag for e in harmless.elements} | {"small"}
    shown = re.sub("[\x00-\x1f\u202e]", "\ufffd", word)
    assert shown in page.text
    assert "alert" not in {name for e in page.elements for name in e.attributes}
    assert not [c for c in page.text if c in "\u202e\x00\x1b"]


def report(base: Rulebase, folder: Path, rows: list[Entry], before: list[Entry]) -> Html:
    after, since = written(folder / "a.parquet", rows), written(folder / "b.parquet", before)
    return Html(screening_report(report_entry(after, base, Wishes((), since))))


def test_a_screening_of_nothing_has_a_page(shipped: Rulebase, tmp_path: Path) -> None:
    page = report(shipped, tmp_path, [], [])
    assert "没有应当移送、期限将至或者可以交叉的案件" in flat(page.text)


@pytest.mark.parametrize(
    ("count", "whole", "said"),
    [(0, 0, "0%"), (0, 9, "0%"), (9, 9, "100%"), (1, 10**6, "0.1%"), (999_999, 10**6, "99.9%")],
)
def test_a_share_is_neither_nothing_nor_all_where_it_is_not(
    count: int, whole: int, said: str
) -> None:
    assert share(count, whole) == said


def test_amounts_show_fen_only_where_there_are_some() -> None:
    assert [yuan(v) for v in (None, 0.0, 1234567.0, 0.5)] == ["—", "0", "1,234,567", "0.50"]
