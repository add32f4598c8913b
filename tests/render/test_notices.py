"""Notices to print: filled from the records, blank where they are silent, every law cited."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eligibility.errors import FactsError, NotFound
from eligibility.render.notices import KINDS, notice
from eligibility.render.particulars import chinese_day
from eligibility.rulebase.model import Rulebase
from render.cases import Entry, Followed
from render.html_page import Html

BLANK = "______"
DAY_ONE = date(2024, 9, 12)
DAY = re.compile(r"\d{4}年\d{1,2}月\d{1,2}日")
NUMBER = re.compile(r"（\d{4}）[^（）\s，。；]{1,20}?号")
ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
HOSTILE = [
    "<script>alert(1)</script>",
    "{{7*7}}{% raw %}",
    "\"'><img src=x onerror=alert(1)>",
    "</p></article></style>",
    "&lt;b&gt; &amp; &#x3c;",
    "长" * 4000,
    "w" * 4000,
    "a\x00b\u202ec\u2028d\x1be\ud800f",
    "行一\r\n行二",
]


def order(followed: Followed, base: Rulebase, on: str = "2024-09-12", **more: Any) -> str:
    entry = more.pop("entry", None)
    today = date.fromisoformat(on)
    return notice("urge_order", followed.view(on), followed.decision, entry, base, today, **more)


def letter(followed: Followed, base: Rulebase, on: str, rule: str, **more: Any) -> str:
    entry = more.pop("entry", None) or followed.duty(on, rule)
    today, view = date.fromisoformat(on), followed.view(on)
    kind = "supervision_letter"
    return notice(kind, view, followed.decision, entry, base, today, **more)


@pytest.fixture(scope="module")
def documents(
    base: Rulebase, designated: Followed, urged: Followed, barred: Followed
) -> dict[str, str]:
    """One of each sort, on a day on which it would be written."""
    return {
        "urge": order(urged, base, until=date(2024, 11, 12), doc_no="（2024）苏09执监12号"),
        "urge of a barred case": order(barred, base),
        "urge of a transferred case": order(designated, base, "2024-10-20"),
        "hand-over": letter(designated, base, "2024-10-20", "XR-04", until=date(2024, 10, 25)),
        "seizure": letter(designated, base, "2027-02-15", "XR-05"),
        "reasons": letter(urged, base, "2024-11-25", "XR-03"),
        "reminder only": letter(urged, base, "2024-11-15", "XR-03"),
    }


# --- what is refused --------------------------------------------------------------------------


def test_an_unknown_kind_is_refused_with_a_hint(base: Rulebase, urged: Followed) -> None:
    with pytest.raises(NotFound) as caught:
        notice("urge_odrer", urged.view("2024-09-12"), urged.decision, None, base, DAY_ONE)
    (problem,) = caught.value.problems
    assert problem.code == "unknown_notice"
    assert problem.hint is not None
    assert "urge_order" in problem.hint.zh
    assert problem.allowed == tuple(KINDS)


@pytest.mark.parametrize(
    ("on", "rule"),
    [
        ("2024-11-12", "XR-03"),  # open
        ("2024-11-13", "XR-03"),  # its last day
        ("2024-11-25", "XR-02"),  # done
        ("2024-09-12", "XR-03"),  # waiting
    ],
)
def test_a_duty_that_is_not_late_gets_no_letter(
    base: Rulebase, urged: Followed, on: str, rule: str
) -> None:
    with pytest.raises(FactsError) as caught:
        letter(urged, base, on, rule)
    assert caught.value.code == "nothing_due"
    assert caught.value.status == 422


def test_a_state_of_another_day_starts_no_letter(base: Rulebase, urged: Followed) -> None:
    entry, view = urged.duty("2024-11-25", "XR-03"), urged.view("2024-11-13")
    with pytest.raises(FactsError, match="nothing_due"):
        notice(
            "supervision_letter",
            view,
            urged.decision,
            entry,
            base,
            date.fromisoformat(entry["due"]),
        )


def test_a_letter_needs_a_duty(base: Rulebase, urged: Followed) -> None:
    view, today = urged.view("2024-11-25"), date(2024, 11, 25)
    with pytest.raises(FactsError, match="nothing_due"):
        notice("supervision_letter", view, urged.decision, None, base, today)


# --- the urge order ---------------------------------------------------------------------------


def test_an_urge_order_is_filled_from_the_records(documents: dict[str, str]) -> None:
    page = Html(documents["urge"])
    text = page.text
    assert page.of("h1")[0].text == "督促执行令"
    assert page.of("p", "court")[0].text == "江苏省盐城市中级人民法院"
    assert page.of("p", "to")[0].text == "盐城市亭湖区人民法院："
    assert page.of("p", "number")[0].text == "（2024）苏09执监12号"
    assert "执行案号为（2024）苏0902执88号" in text
    assert "（被执行人标识：91320900MA1X0000XX）" in text
    assert "未执行到位标的额为860,000元（记载于：办案系统）" in text
    assert "规则XQ-04“申请时有财产超过六个月未执行完结”" in text
    assert "最迟于2024年11月12日执行完结" in text
    assert "期满后5日内，未执行完结的，书面说明理由并附证据" in text


def test_an_urge_order_lists_the_property_with_its_records(documents: dict[str, str]) -> None:
    rows = [e.text for e in Html(documents["urge"]).of("tr")]
    assert any("苏（2019）盐城市不动产权第0012345号" in row for row in rows)
    controlled = next(row for row in rows if "首次有效控制日" in row)
    assert "2024年2月20日" in controlled
    assert "查封裁定及协助执行送达回证" in controlled
    assert any("查封顺位轮候登记机关回执" in row for row in rows)
    started = next(row for row in rows if "启动处置之日" in row)
    assert "无" in started


def test_an_urge_order_quotes_the_form_and_the_lapse(
    documents: dict[str, str], base: Rulebase
) -> None:
    text = Html(documents["urge"]).text
    for source in ("L20", "L21"):
        assert base.sources[source].quotes[0].rstrip("。") in text
    assert Html(documents["urge"]).text.count(base.sources["L21"].quotes[0]) == 4
    assert "通知书" in [e.text for e in Html(documents["urge"]).of("h1")]


def test_measures_come_from_cures_acts_and_unmet_duties(documents: dict[str, str]) -> None:
    text = Html(documents["urge of a barred case"]).text
    assert "启动确定参考价、拍卖或者扣划；或者书面说明法定障碍" in text
    assert "采取措施：启动处置之日（现记载：未记载）" in text
    assert "未处置/未执结的正当理由已有书面材料" not in text  # a paper for the report, no measure
    text = Html(documents["urge of a transferred case"]).text
    assert "移送电子卷、执行依据、财产清单、查控手续、案款台账、未办结事项清单" in text
    assert "期限为2024年10月8日，至2024年10月20日已逾期12日" in text


def test_what_the_decision_says_against_urging_is_told(
    base: Rulebase, documents: dict[str, str], designated: Followed
) -> None:
    assert (
        "没有建议采用督促执行：障碍在原执行法院能力或地域之外"
        in Html(documents["urge of a transferred case"]).text
    )
    assert "没有建议采用督促执行" not in Html(documents["urge"]).text
    other = designated.decision | {"modes": []}
    view, today = designated.view("2024-09-12"), date(2024, 9, 12)
    text = Html(notice("urge_order", view, other, None, base, today)).text
    assert "没有列出督促执行" in text


def test_an_order_without_a_date_says_what_that_means(
    base: Rulebase, urged: Followed, documents: dict[str, str]
) -> None:
    assert "未载明期限的，视为未督促" in Html(order(urged, base)).text
    assert "未载明期限的，视为未督促" not in Html(documents["urge"]).text


def test_the_articles_on_applications_are_doubted_without_one(documents: dict[str, str]) -> None:
    doubt = "签发前请核对法律依据"
    assert doubt not in Html(documents["urge"]).text
    assert doubt in Html(documents["urge of a barred case"]).text


# --- the supervision letter -------------------------------------------------------------------


def test_a_letter_tells_how_the_due_date_came_about(documents: dict[str, str]) -> None:
    page = Html(documents["hand-over"])
    text = page.text
    assert page.of("h1")[0].text == "执行监督函"
    assert page.of("p", "court")[0].text == "江苏省盐城市中级人民法院"
    assert page.of("p", "to")[0].text == "盐城市亭湖区人民法院："
    assert "2024年9月21日，决定送达原执行法院（记载于：送达回证，送达9号）" in text
    assert "期限自2024年9月21日起10日" in text
    assert "届满日为2024年10月1日；2024年10月1日（节假日）、2024年10月2日（节假日）" in text
    assert "即2024年10月8日" in text
    assert "期限已过12日" in text
    assert "请你院最迟于2024年10月25日完成" in text
    assert "逾期10日（2024年10月18日），执行监督函" in text
    assert "其后依次为：逾期30日（2024年11月7日），再次执行监督函并通报" in text
    assert "本案没有发出措施的记载" in text


def test_a_letter_lists_what_was_sent_before_as_it_stands(documents: dict[str, str]) -> None:
    text = Html(documents["reasons"]).text
    assert "2024年9月13日，发出督促执行令，（2024）苏09执监12号" in text
    assert "2024年11月15日，系统提醒，提醒4号" in text
    assert "提醒3号" not in text  # corrected
    assert "期限自督促届满日(含停止期间顺延)（2024年11月8日）起5日" in text


def test_a_letter_before_its_step_says_so(documents: dict[str, str]) -> None:
    early = "按措施梯度，执行监督函自2024年11月23日起发出；现已到：系统提醒"
    assert early in Html(documents["reminder only"]).text
    assert "起发出；" not in Html(documents["reasons"]).text
    assert "措施梯度中没有执行监督函" in Html(documents["seizure"]).text


def test_a_time_limit_before_a_day_is_told_as_such(documents: dict[str, str]) -> None:
    text = Html(documents["seizure"]).text
    assert "应当在最近查控届满日（2027年2月19日）（记载于：查控期限台账）之前30日" in text
    assert "即2027年1月20日" in text
    assert "开始之日不计算在内" not in text


def test_a_provisional_date_is_called_one(base: Rulebase, urged: Followed) -> None:
    entry = deepcopy(urged.duty("2024-11-25", "XR-03"))
    entry["due_trail"]["provisional"] = True
    text = Html(letter(urged, base, "2024-11-25", "XR-03", entry=entry)).text
    assert "此期限为暂定" in text
    assert "公布后须重新计算" in text


def test_the_deciding_court_is_not_written_to_by_itself(base: Rulebase, urged: Followed) -> None:
    entry = deepcopy(urged.duty("2024-11-25", "XR-03"))
    yancheng = base.courts["js-yancheng"]
    entry["who"]["court"] = {"id": yancheng.id, "label": yancheng.label.as_dict()}
    page = Html(letter(urged, base, "2024-11-25", "XR-03", entry=entry))
    assert page.of("p", "to")[0].text == f"{yancheng.label.zh}："
    assert page.of("p", "court")[0].text == base.courts[yancheng.parent].label.zh


# --- blanks: nothing is invented -----------------------------------------------------------------


def bare(view: Entry) -> Entry:
    """The view of a case of which nothing is known."""
    return view | {"case_no": None, "since_decision": None, "events": []}


def test_what_is_not_known_stays_blank(base: Rulebase, urged: Followed) -> None:
    view, today = bare(urged.view("2024-11-25")), date(2024, 11, 25)
    page = Html(notice("urge_order", view, urged.decision, None, base, today))
    assert [e.text for e in page.of("p", "court")] == [BLANK, BLANK]
    assert page.of("p", "to")[0].text == f"{BLANK}："
    assert page.of("p", "number")[0].text == f"（{BLANK}）{BLANK}号"
    assert f"申请执行人{BLANK}与被执行人{BLANK}因{BLANK}一案，执行案号为{BLANK}" in page.text
    assert f"可供执行的财产：{BLANK}" in page.text
    assert f"最迟于{BLANK}执行完结" in page.text
    assert not page.of("table")
    remarks = page.of("section", "remarks")[0].text
    for blank in ("发文法院（上一级法院）", "执行法院", "执行案号", "案由", "督促期限届满之日"):
        assert blank in remarks


def test_known_to_have_no_property_is_not_a_blank(base: Rulebase, urged: Followed) -> None:
    view = deepcopy(urged.view("2024-09-12"))
    view["since_decision"]["case"]["properties"] = []
    text = Html(notice("urge_order", view, urged.decision, None, base, date(2024, 9, 12))).text
    assert "据记载没有财产" in text
    assert "可供执行的财产：" not in text


def test_a_case_that_goes_by_its_decision_has_no_number(base: Rulebase, urged: Followed) -> None:
    view = urged.view("2024-09-12") | {"case_no": urged.decision["decision_id"]}
    text = Html(notice("urge_order", view, urged.decision, None, base, date(2024, 9, 12))).text
    assert f"执行案号为{BLANK}" in text


def test_the_day_of_signing_is_left_to_the_signer(documents: dict[str, str]) -> None:
    for text in documents.values():
        assert "____年__月__日" in text


def test_every_day_and_number_is_on_record(
    base: Rulebase,
    documents: dict[str, str],
    urged: Followed,
    designated: Followed,
    barred: Followed,
) -> None:
    """INVARIANT: a document holds no date and no case number that its inputs do not hold."""
    views = [
        *(urged.view(day) for day in ("2024-09-12", "2024-11-15", "2024-11-25")),
        *(designated.view(day) for day in ("2024-10-20", "2027-02-15")),
        barred.view("2024-09-12"),
    ]
    decisions = [followed.decision for followed in (urged, designated, barred)]
    told = json.dumps([views, decisions], ensure_ascii=False)
    days = {chinese_day(day) for day in ISO.findall(told)}
    days |= {chinese_day(d) for d in ("2024-11-12", "2024-10-25")}  # those set for doing it
    laws = "".join(s.title.zh + "".join(s.quotes) for s in base.sources.values())
    for name, text in documents.items():
        body = Html(text).text
        assert set(DAY.findall(body)) <= days | set(DAY.findall(laws)), name
        for number in NUMBER.findall(body):
            assert number in told or number in laws, (name, number)


# --- citations -----------------------------------------------------------------------------------


def test_every_reference_has_its_note_and_every_note_its_reference(
    documents: dict[str, str],
) -> None:
    for name, text in documents.items():
        page = Html(text)
        numbers: dict[str, list[int]] = {}
        for anchor in page.notes:
            part, number = re.fullmatch(r"note-(\D*)(\d+)", anchor).groups()  # type: ignore[union-attr]
            numbers.setdefault(part, []).append(int(number))
        for found in numbers.values():
            assert found == list(range(1, len(found) + 1)), name
        targets = {e.attributes["href"].removeprefix("#") for e in page.of("a")}
        assert targets <= page.notes.keys(), name


def test_every_statement_of_law_is_followed_by_a_reference(documents: dict[str, str]) -> None:
    for name, text in documents.items():
        found = re.findall(r'<span class="law">(?:(?!</span>).)*</span>(.{0,60})', text, re.DOTALL)
        assert found, name
        for after in found:
            assert re.match(r'[，。]?<sup class="ref"><a href="#note-', after), (name, after)


def expanded(reference: str) -> list[int]:
    """The numbers of a reference, ranges written out."""
    out: list[int] = []
    for first, last in re.findall(r"\[(\d+)\](?:–\[(\d+)\])?", reference):
        out += range(int(first), int(last or first) + 1)
    return out


def test_notes_are_numbered_as_they_are_met(documents: dict[str, str]) -> None:
    for name, text in documents.items():
        met = 0
        for reference in re.findall(r'<sup class="ref">(<a href="#note-\d.*?)</sup>', text):
            new = [n for n in expanded(re.sub("<[^>]*>", "", reference)) if n > met]
            assert new == list(range(met + 1, met + 1 + len(new))), name
            met += len(new)
        assert met > 3, name


def test_a_note_holds_the_source_verbatim_and_what_it_is(
    documents: dict[str, str], base: Rulebase
) -> None:
    kinds = {"statute": "〔法律规定〕", "article": "〔公开报道〕", "public": "〔公开报道〕"}
    cited = set()
    for text in documents.values():
        for note in Html(text).notes.values():
            name = re.match(r"\[\d+\]([LSP]\d+) ", note)
            if name is None:
                continue
            source = base.sources[name[1]]
            cited.add(source.id)
            assert source.title.zh in note
            assert source.locator in note
            assert all(f"「{quote}」" in note for quote in source.quotes)
            assert kinds[source.kind] in note
            assert "建议" not in note.replace("".join(source.quotes), "")
    assert {"L20", "L21", "L11", "S31", "L3", "L16", "P24"} <= cited


def test_a_proposal_is_never_called_law(documents: dict[str, str], base: Rulebase) -> None:
    """INVARIANT: what the rule base proposes is marked so wherever it is printed."""
    seen = set()
    for text in documents.values():
        for note in Html(text).notes.values():
            rule = re.match(r"\[\d+\]规则 (X[A-Z]-\d+)", note)
            if rule:
                basis = base.rules[rule[1]].basis
                assert ("〔建议，不是法律规定〕" in note) == (basis == "proposed")
                for part in base.rules[rule[1]].proposed_parts:
                    assert f"“{part.zh}”" in note
                    assert "属于建议，不是法律规定" in note
                seen.add(basis)
            if note.split("]", 1)[1].startswith("参数"):
                assert "〔建议，不是法律规定〕" in note
                seen.add("parameter")
    assert {"statute", "reported", "parameter"} <= seen


def test_a_parameter_of_another_rule_base_is_not_cited(base: Rulebase, urged: Followed) -> None:
    entry = deepcopy(urged.duty("2024-11-25", "XR-03"))
    assert "参数“说明理由期限”：5" in letter(urged, base, "2024-11-25", "XR-03")
    entry["due_trail"]["count"] = 4
    text = letter(urged, base, "2024-11-25", "XR-03", entry=entry)
    assert '起<span class="law">4日</span>' in text
    assert "参数“说明理由期限”" not in text


def test_a_source_that_is_not_loaded_is_not_made_up(base: Rulebase, urged: Followed) -> None:
    sources = {name: s for name, s in base.sources.items() if name not in ("L20", "L21")}
    lacking = replace(base, sources=sources)
    page = Html(order(urged, lacking))
    assert "上一级人民法院应当裁定由本院执行" not in page.text
    assert any("L20（规则库未载此来源，签发前须核对原文）" in n for n in page.notes.values())


def test_a_rule_no_longer_in_the_rule_base_still_prints(base: Rulebase, urged: Followed) -> None:
    lacking = replace(base, rules={k: v for k, v in base.rules.items() if k != "XR-03"})
    text = letter(urged, lacking, "2024-11-25", "XR-03")
    assert "规则 XR-03《督促期满》〔法律规定〕" in text


# --- the page --------------------------------------------------------------------------------


def test_the_document_needs_nothing_else(documents: dict[str, str]) -> None:
    for text in documents.values():
        page = Html(text)
        assert page.declarations == ["DOCTYPE html"]
        assert not [e for e in page.elements if e.tag in ("script", "link", "img", "iframe")]
        assert not [e for e in page.elements if "src" in e.attributes]
        assert all(e.attributes["href"].startswith("#") for e in page.of("a"))
        (style,) = page.of("style")
        assert "url(" not in style.text
        assert "@import" not in style.text
        assert "size: A4" in style.text
        assert "草稿 DRAFT" in page.text


Writer = Callable[[str, str], str]


@pytest.fixture(scope="module")
def writer(base: Rulebase, urged: Followed) -> Writer:
    """Writes a notice of a case in which every text that people write is one word."""
    on = "2024-11-25"
    view, duty = urged.view(on), urged.duty(on, "XR-03")

    def write(kind: str, word: str) -> str:
        spiked, decision, entry = deepcopy(view), deepcopy(urged.decision), deepcopy(duty)
        label = {"zh": word, "en": word}
        spiked["case_no"] = word
        case = spiked["since_decision"]["case"]
        case["deciding_court"] = case["debtors"][0]["debtor_id"] = word
        for row in case["properties"]:
            row["property_id"] = word
        for event in spiked["events"]:
            event |= {"doc_no": word, "note": word}
        entry["who"]["court"] = {"id": None, "label": label}
        entry["what"] = entry["title"] = decision["outcome_label"] = label
        return notice(kind, spiked, decision, entry, base, date.fromisoformat(on), word)

    return write


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_stay_texts(writer: Writer, kind: str, text: str) -> None:
    check_hostile(writer, kind, text)


@given(kind=st.sampled_from(list(KINDS)), text=st.text(min_size=1).filter(str.strip))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_text_changes_the_document(writer: Writer, kind: str, text: str) -> None:
    """INVARIANT: whatever the texts of a case hold, the document has the same elements."""
    check_hostile(writer, kind, text)


def check_hostile(writer: Writer, kind: str, text: str) -> None:
    spiked = writer(kind, text)
    page = Html(spiked)
    assert page.shape == Html(writer(kind, "甲")).shape
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", spiked)
    if text.isprintable():
        assert text in page.text
    assert not re.search("<(script|img|b)[ >]", spiked)
