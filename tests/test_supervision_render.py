"""Supervision as a page, as rows for a spreadsheet and as a chart."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eligibility.courts.figures import Figures
from eligibility.courts.periods import parse_period
from eligibility.courts.supervision import supervise
from eligibility.errors import Text
from eligibility.render.measures import percent
from eligibility.render.page import columns
from eligibility.render.supervision import COLUMNS, supervision_csv, supervision_page
from eligibility.render.supervision_chart import BAR_FROM, BAR_TO, WIDTH, fitted, supervision_svg
from eligibility.rulebase.comparisons import Measure
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules

SVG = "{http://www.w3.org/2000/svg}"
Entry = dict[str, Any]
ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@pytest.fixture(scope="module")
def shipped() -> Rulebase:
    return load_rules()


def answer(
    rulebase: Rulebase,
    profile: str,
    values: dict[str, Any],
    by_rule: dict[str, int] | None = None,
    court: str = "某院",
) -> Entry:
    found = Figures(court, parse_period("2025Q1"), values, by_rule)
    return supervise(rulebase, profile, found, date(2025, 3, 31))


@pytest.fixture(scope="module")
def sichuan(shipped: Rulebase) -> Entry:
    values = {
        "q_cross_cases_handled": 11,
        "q_leader_handled": 5,
        "q_open": 7,
        "q_open_without_supervisor": 0,
        "q_feedback_late": 2,
    }
    return answer(shipped, "sc", values, court="四川高院")


@st.composite
def answers(draw: st.DrawFn) -> tuple[str, dict[str, int], dict[str, int]]:
    """A profile, figures that can be true together, and a breakdown."""
    values: dict[str, int] = {}
    wholes = {
        "q_cross_cases_handled": ("q_leader_handled", "q_progressed"),
        "q_open": ("q_open_without_supervisor", "q_feedback_late"),
        "q_reports": ("q_reports_returned",),
    }
    for whole, parts in wholes.items():
        count = draw(st.integers(0, 40) | st.integers(0, 100_000))
        for part in parts:
            if draw(st.booleans()):
                values[part] = draw(st.integers(0, count))
        if draw(st.booleans()):
            values[whole] = count
    by_rule = st.integers(0, values.get("q_reports_returned", 5))
    profile = draw(st.sampled_from(["national", "js-yancheng", "sc"]))
    counts = draw(st.dictionaries(st.sampled_from(["XB-08", "XB-09", "XB-10"]), by_rule))
    return profile, values, counts


def relabelled(rulebase: Rulebase, label: Text) -> Rulebase:
    """XV-04 with one measure of this name, and a line."""
    measure = Measure("m", label, "q_reports_returned", "q_reports", at_least=1)
    rule = replace(rulebase.rules["XV-04"], measures=(measure,))
    return replace(rulebase, rules={**rulebase.rules, "XV-04": rule})


def measures(out: Entry) -> list[Entry]:
    return [measure for rule in out["rules"] for measure in rule["measures"]]


# --- the page ------------------------------------------------------------------------------------


def test_page_says_share_counts_line_and_what_is_lacking(shipped: Rulebase, sichuan: Entry) -> None:
    text = supervision_page(sichuan, shipped).text()
    assert "四川省高级人民法院 2025年第1季度 监督指标" in text
    assert "✗ 院局庭领导承办占比：45.5%（5/11）" in text
    assert "不低于 50%；✗ 未达标；再有 1 件且都计入“其中院局庭领导承办数”即达标" in text
    assert "✓ 未办结且无督办责任人：0.0%（0/7）" in text
    assert "不高于 0%；✗ 未达标；超出 2 件" in text
    assert "占比不低于50%”」" in text.replace("\n", "").replace(" ", "")
    assert "? 平均流转反馈天数 (q_avg_flow_days)  XV-04" in text
    assert text.rstrip().endswith("不影响任何个案的审查结论")


def test_page_in_english(shipped: Rulebase, sichuan: Entry) -> None:
    text = supervision_page(sichuan, shipped, "en").text(width=200)
    assert "✗ share handled by leaders: 45.5% (5/11)" in text
    assert "at least 50%; ✗ misses the line; 1 more, all counted in" in text


def test_page_shows_the_breakdown_or_withholds_it(shipped: Rulebase) -> None:
    reports = {"q_reports": 10, "q_reports_returned": 5}
    page = supervision_page(answer(shipped, "js-yancheng", reports, {"XB-08": 3}), shipped)
    assert "50.0%（5/10）" in page.text()
    assert "XB-08  未依法进行财产调查：3" in page.text()
    assert "XB-09  有可处置财产而未启动处置：未知" in page.text()
    few = answer(shipped, "js-yancheng", {**reports, "q_reports": 9}, {"XB-08": 3})
    text = supervision_page(few, shipped).text()
    assert "报请被退回占比：5/9" in text
    assert "“本院报请数”不足 10，只列件数，不评价" in text
    assert "未依法进行财产调查" not in text


@given(st.integers(0, 9).flatmap(lambda per: st.tuples(st.integers(0, per), st.just(per))))
def test_no_form_shows_a_suppressed_share(shipped: Rulebase, counts: tuple[int, int]) -> None:
    of, per = counts
    values = {"q_reports_returned": of, "q_reports": per}
    few = answer(shipped, "js-yancheng", values, {"XB-08": of})
    assert "%" not in supervision_page(few, shipped).text()
    assert "%" not in re.sub(r">\d+%<", "", supervision_svg(few)).replace('"100%"', "")
    row = rows(supervision_csv([few]))[0]
    shown = [row[COLUMNS[key][0]] for key in ("value", "meets", "more_to_reach", "over", "by_rule")]
    assert shown == [""] * 5


@pytest.mark.parametrize(
    ("of", "per", "lines", "shown"),
    [
        (333, 764, (), "43.6%"),
        (19287, 33488, (), "57.6%"),
        (5, 10, (0.5,), "50.0%"),
        (16743, 33488, (0.5,), "49.997%"),
        (16743, 33488, (), "50.0%"),
        (0, 3, (0,), "0.0%"),
        (1, 10000, (0,), "0.01%"),
        (99999, 100000, (), "99.999%"),
        (1, 3, (0.333,), "33.33%"),
        (7, 7, (1,), "100.0%"),
    ],
)
def test_percent_is_not_rounded_onto_a_line(
    of: int, per: int, lines: tuple[float, ...], shown: str
) -> None:
    assert percent(of, per, lines) == shown


@given(st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_percent_lies_on_the_side_of_the_share(counts: tuple[int, int]) -> None:
    of, per = counts
    shown = Fraction(percent(of, per, (0.5,)).removesuffix("%")) / 100
    share = Fraction(of, per)
    assert abs(shown - share) <= Fraction(1, 2000)
    for line in (Fraction(0), Fraction(1, 2), Fraction(1)):
        assert (shown > line, shown < line) == (share > line, share < line)


# --- the spreadsheet -----------------------------------------------------------------------------


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@given(st.lists(answers(), max_size=3), st.sampled_from(["zh", "en"]))
def test_rows_parse_back_to_the_same_numbers(
    shipped: Rulebase, drawn: list[tuple[str, dict[str, int], dict[str, int]]], lang: str
) -> None:
    found = [answer(shipped, *one) for one in drawn]
    read = rows(supervision_csv(found, lang))
    expected = [measure for one in found for measure in measures(one)]
    assert len(read) == len(expected)
    name = {key: heads[lang == "en"] for key, heads in COLUMNS.items()}
    for row, measure in zip(read, expected, strict=True):
        line = measure["line"] or {}
        wanted = {
            "of": measure["of"]["value"],
            "per": measure["per"] and measure["per"]["value"],
            "value": measure["value"],
            "more_to_reach": measure["more_to_reach"],
            "over": measure["over"],
            **{k: line.get(k) and line[k]["value"] for k in ("at_least", "at_most")},
        }
        assert {k: _number(row[name[k]]) for k in wanted} == wanted
        yes = {"是": True, "yes": True, "否": False, "no": False, "": None}
        assert yes[row[name["meets"]]] is measure["meets"]
        assert bool(row[name["reason"]]) == bool(measure["reason"])
        parts = [part.split("=") for part in row[name["by_rule"]].split("; ") if part]
        assert [(rule, _number(count)) for rule, count in parts] == [
            (part["rule"], part["count"]) for part in measure["by_rule"]
        ]


def _number(text: str) -> int | float | None:
    if not text:
        return None
    return float(text) if "." in text else int(text)


def test_rows_have_a_heading_even_without_answers() -> None:
    assert supervision_csv([]).strip().split(",") == [zh for zh, _ in COLUMNS.values()]


@pytest.mark.parametrize("name", ["=1+1", "+86", "-2", "@x", "\tx", '甲,"乙"\r\n丙'])
def test_no_text_is_a_formula_or_breaks_its_row(shipped: Rulebase, name: str) -> None:
    (row,) = {row["法院"] for row in rows(supervision_csv([answer(shipped, "sc", {}, None, name)]))}
    assert row.removeprefix("'") == name
    assert not row.startswith(("=", "+", "-", "@", "\t"))


# --- the chart -----------------------------------------------------------------------------------


def drawn_row(svg: str, label: str) -> ElementTree.Element:
    groups = ElementTree.fromstring(svg).iter(f"{SVG}g")
    return next(group for group in groups if group.findtext(f"{SVG}title") == label)


def test_chart_has_title_description_legend_and_lines(sichuan: Entry) -> None:
    svg = supervision_svg(sichuan)
    root = ElementTree.fromstring(svg)
    assert root.findtext(f"{SVG}title") == "四川省高级人民法院 2025年第1季度 监督指标"
    assert "院局庭领导承办占比：45.5%（5/11）" in (root.findtext(f"{SVG}desc") or "")
    texts = [element.text for element in root.iter(f"{SVG}text")]
    for word in ("达标", "未达标", "不评价", "标准线"):
        assert word in texts
    assert "不设标准线" not in texts  # none is drawn here
    share = drawn_row(svg, "院局庭领导承办占比")
    boxes = [box.attrib for box in share.iter(f"{SVG}rect")]
    middle = (BAR_FROM + BAR_TO) / 2
    assert [float(b["x"]) for b in boxes] == [BAR_FROM, BAR_FROM, middle - 1.5]
    assert float(boxes[1]["width"]) == pytest.approx((BAR_TO - BAR_FROM) * 0.4545)
    assert boxes[1]["fill"] == "url(#hatch)"


def test_chart_tells_results_without_colour(sichuan: Entry) -> None:
    """Met, missed and open differ in their mark and in words."""
    svg = supervision_svg(sichuan)
    said = {
        label: " ".join(text.text or "" for text in drawn_row(svg, label).iter(f"{SVG}text"))
        for label in ("院局庭领导承办占比", "未办结且无督办责任人", "平均流转反馈天数")
    }
    assert "✗ 45.5%" in said["院局庭领导承办占比"]
    assert "✗ 未达标" in said["院局庭领导承办占比"]
    assert "✓ 达标" in said["未办结且无督办责任人"]
    assert "缺少：平均流转反馈天数" in said["平均流转反馈天数"]


def test_chart_draws_no_bar_for_what_is_not_assessed(shipped: Rulebase) -> None:
    svg = supervision_svg(answer(shipped, "sc", {"q_cross_cases_handled": 0}))
    boxes = [b.attrib for b in drawn_row(svg, "院局庭领导承办占比").iter(f"{SVG}rect")]
    assert "stroke-dasharray" in boxes[0]
    assert boxes[0]["fill"] == "none"
    assert len(boxes) == 2  # its outline and the mark of the line


@given(answers(), st.text(max_size=60), st.text(min_size=1, max_size=60))
def test_chart_is_well_formed_whatever_the_texts_hold(
    shipped: Rulebase, drawn: tuple[str, dict[str, int], dict[str, int]], court: str, label: str
) -> None:
    """Labels come back from the parser as they are, save what XML cannot hold."""
    base = relabelled(shipped, Text(f"<&>'\"]]>{label}", label))
    profile, values, by_rule = drawn
    found = answer(base, profile, values, by_rule, f"院{court}")
    svg = supervision_svg(found)
    root = ElementTree.fromstring(svg.encode("utf-8"))
    titles = [element.text for element in root.iter(f"{SVG}title")][1:]
    assert titles == [_as_xml(measure["label"]["zh"]) for measure in measures(found)]


def _as_xml(text: str) -> str:
    """What a parser gives back: U+FFFD for what cannot be, one kind of line end."""
    return ILLEGAL.sub("\ufffd", text).replace("\r\n", "\n").replace("\r", "\n")


LABELS = st.text("执行案件，占比 -abc", min_size=1, max_size=90)


@given(answers(), st.sampled_from(["zh", "en"]), LABELS)
def test_chart_keeps_its_texts_apart(
    shipped: Rulebase, drawn: tuple[str, dict[str, int], dict[str, int]], lang: str, label: str
) -> None:
    """No text runs into another or over the edge, by a generous guess at its width."""
    base = relabelled(shipped, Text(label, label))
    profile, values, by_rule = drawn
    found = answer(base, profile, values, by_rule, f"院{label}")
    root = ElementTree.fromstring(supervision_svg(found, lang))
    boxes = sorted(_extent(text) for text in root.iter(f"{SVG}text"))
    assert all(left >= 0 and right <= WIDTH for left, right, _, _ in boxes)
    height = float(root.attrib["height"])
    assert all(top >= 0 and bottom <= height for _, _, top, bottom in boxes)
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            across = one[0] < other[1] and other[0] < one[1]
            down = one[2] < other[3] and other[2] < one[3]
            assert not (across and down), (one, other)


def _extent(text: ElementTree.Element) -> tuple[float, float, float, float]:
    """Left, right, top and bottom of a text: a Latin letter 0.54 of its size, a Chinese one all."""
    size, x, y = (float(text.attrib[key]) for key in ("font-size", "x", "y"))
    content = text.text or ""
    wide = columns(content) - len(content)
    width = size * (wide + 0.54 * (len(content) - wide))
    left = x - width / 2 if text.attrib["text-anchor"] == "middle" else x
    return left, left + width, y - 0.8 * size, y + 0.2 * size


@given(st.text(max_size=200), st.integers(4, 60))
def test_lines_fit_and_lose_no_letter(text: str, width: int) -> None:
    lines = fitted(text, width)
    assert all(columns(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
