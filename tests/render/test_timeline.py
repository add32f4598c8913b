"""A case from decision to closure, and the ledger, as people read them."""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import date

import pytest

from eligibility.render.page import Page
from eligibility.render.timeline import duty_list_page, timeline_page
from eligibility.rulebase.model import Rulebase
from render.cases import Entry, Followed

WIDE = 1_000


def sections(page: Page) -> dict[str, list[str]]:
    """The lines of a page under each of its titles; those before the first under ``""``."""
    out: dict[str, list[str]] = {"": []}
    name = ""
    for line in page.lines:
        if line[3] == "title":
            name = line[2]
            out[name] = []
        elif line[1] or line[2]:
            out[name].append(f"{line[1]}{line[2]}".strip())
    return out


def zh(view: Entry, base: Rulebase) -> dict[str, list[str]]:
    return sections(timeline_page(view, base))


def test_the_head_names_the_case_and_its_latest_outcome(urged: Followed, base: Rulebase) -> None:
    head = "\n".join(zh(urged.view("2024-11-25"), base)[""])
    for text in ("（2024）苏0902执88号", "可以法院间交叉 (eligible)", "2024-09-02", "2024-11-25"):
        assert text in head
    assert "江苏盐城 (js-yancheng)" in head


def test_what_changed_since_the_decision(urged: Followed, base: Rulebase) -> None:
    found = zh(urged.view("2024-11-25"), base)["决定以来的变化"]
    assert "· 交叉方式  未记载 → 督促执行（2024-09-10 作出交叉决定）" in found
    assert any(line.startswith("→ 按现在的事实重新审查") for line in found)


def test_another_outcome_now_is_worth_deciding_again(urged: Followed, base: Rulebase) -> None:
    view = deepcopy(urged.view("2024-11-25"))
    label = {"zh": "应当移送", "en": "transfer is mandatory"}
    view["since_decision"] |= {
        "stale": True,
        "outcome_now": "transfer_mandatory",
        "outcome_now_label": label,
        "possible_outcomes_now": ["transfer_mandatory"],
    }
    found = zh(view, base)["决定以来的变化"]
    assert found[-2:] == ["→ 按现在的事实重新审查：应当移送", "! 值得重新审查"]


def test_facts_that_cannot_be_decided_are_told(urged: Followed, base: Rulebase) -> None:
    view = deepcopy(urged.view("2024-11-25"))
    message = {"zh": "日期先后颠倒", "en": "dates in the wrong order"}
    since = {"problems": [{"path": "urge_deadline", "code": "x", "message": message}]}
    kept = {k: view["since_decision"][k] for k in ("decision_id", "stale", "changed")}
    view["since_decision"] = kept | since
    assert "urge_deadline: 日期先后颠倒" in zh(view, base)["决定以来的变化"]
    english = sections(timeline_page(view, base, "en"))["Since the decision"]
    assert "urge_deadline: dates in the wrong order" in english


def test_events_stand_by_day_and_corrected_ones_are_struck(urged: Followed, base: Rulebase) -> None:
    found = zh(urged.view("2024-11-25"), base)["经过"]
    days = [line.split()[0] for line in found if re.match(r"\d{4}-", line)]
    assert days == sorted(days)
    assert len(days) == len(set(days))
    struck = [line for line in found if "✗" in line]
    assert len(struck) == 3
    assert sum("〔已撤回〕" in line for line in struck) == 1
    assert sum("〔撤回〕" in line for line in struck) == 1
    (corrected,) = [line for line in struck if "〔已更正〕" in line]
    assert "提醒3号" in corrected
    (instead,) = [line for line in found if "提醒4号" in line]
    assert "✗" not in instead
    assert "更正" in instead


def test_events_after_the_day_do_not_count_yet(urged: Followed, base: Rulebase) -> None:
    found = zh(urged.view("2024-09-12"), base)["经过"]
    later = [line for line in found if "发出督促执行令" in line]
    assert later
    assert all("〔晚于截至日〕" in line for line in later)


def test_duties_stand_in_groups(designated: Followed, urged: Followed, base: Rulebase) -> None:
    found = zh(designated.view("2024-10-20"), base)
    late = "\n".join(found["已逾期"])
    assert "XR-04  原执行法院 盐城市亭湖区人民法院 〔逾期未完成〕  期限：2024-10-08" in late
    assert "应发：执行监督函 2024-10-18" in late
    assert "其后：再次执行监督函并通报 2024-11-07" in late
    assert any(line.startswith("XR-05") for line in found["期限内"])
    assert any("待：移送完成" in line for line in found["待起算"])
    assert any(line.startswith("XR-01") for line in found["已完成/已终止"])
    assert any("待：收到书面异议" in line for line in found["或有（发生才起算）"])


@pytest.mark.parametrize("on", ["2024-09-12", "2024-10-20", "2024-11-15", "2027-02-15"])
def test_no_duty_is_lost_or_told_twice(
    designated: Followed, urged: Followed, base: Rulebase, on: str
) -> None:
    """INVARIANT: every duty of the view stands in exactly one group."""
    for followed in (designated, urged):
        view = followed.view(on)
        shown = [line for line in timeline_page(view, base).lines if line[1].startswith("XR-")]
        owed = sorted(f"{entry['rule']}  " for entry in view["follow_ups"])
        assert sorted(line[1] for line in shown) == owed


def test_several_decisions_are_listed(urged: Followed, base: Rulebase) -> None:
    view = deepcopy(urged.view("2024-11-25"))
    first = view["decisions"][0]
    again = {**first, "id": "again", "as_of": "2024-11-20", "follows": first["id"]}
    view["decisions"].append(again)
    found = zh(view, base)["历次决定"]
    assert len(found) == 2
    assert found[1] == f"2024-11-20  可以法院间交叉 again  承接：{first['id']}"


def test_english_has_no_chinese_words_of_its_own(designated: Followed, base: Rulebase) -> None:
    """Names that people wrote stay as written."""
    text = timeline_page(designated.view("2024-10-20"), base, "en").text(WIDE)
    for written in (
        "（2024）苏0902执1号",
        "（2024）苏09执监7号",
        "送达9号",
        "盐城中院",
        "阜宁法院",
    ):
        text = text.replace(written, "")
    assert re.findall("[\u4e00-\u9fff]+", text) == []
    for word in ("Latest outcome", "Since the decision", "Events", "Overdue", "May never arise"):
        assert word in text


def test_what_people_wrote_stays_on_its_line(urged: Followed, base: Rulebase) -> None:
    view = deepcopy(urged.view("2024-11-25"))
    view["case_no"] = "一\n二\x1b[31m"
    for event in view["events"]:
        event["note"] = "三\r\n四\x1b]0;x\x07"
    lines = timeline_page(view, base).lines
    assert not [line for line in lines if re.search("[\x00-\x1f]", line[1] + line[2])]


def test_events_without_a_decision_have_a_page(base: Rulebase, urged: Followed) -> None:
    view = urged.view("2024-11-25") | {
        "decisions": [],
        "follow_ups": [],
        "since_decision": None,
    }
    found = zh(view, base)
    assert found.keys() == {"", "经过"}


# --- the ledger ----------------------------------------------------------------------------------


def ledger(followed: Followed, on: str) -> list[Entry]:
    view = followed.view(on)
    return [{"case_no": view["case_no"], **entry} for entry in view["follow_ups"]]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_ledger_is_a_table(designated: Followed, lang: str) -> None:
    rows = ledger(designated, "2024-10-20")
    lines = duty_list_page(rows, date(2024, 10, 20), lang).text(WIDE).splitlines()
    assert len(lines) == len(rows) + 2
    assert "2024-10-20" in lines[0]
    for row, line in zip(rows, lines[2:], strict=True):
        parts = [row["due"] or "—", row["state_label"][lang], row["rule"], row["what"][lang]]
        places = [line.index(part) for part in parts]
        assert places == sorted(places)
        assert row["case_no"] in line


def test_a_court_not_known_is_told(designated: Followed) -> None:
    row = deepcopy(ledger(designated, "2024-10-20")[0])
    row["who"]["court"] = row["case_no"] = None
    text = duty_list_page([row], date(2024, 10, 20)).text(WIDE)
    assert f"{row['who']['zh']} （未定）" in text


def test_an_empty_ledger_says_so() -> None:
    assert "（没有）" in duty_list_page([], date(2024, 10, 20)).text()
    assert "(none)" in duty_list_page([], date(2024, 10, 20), "en").text()
