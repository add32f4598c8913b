"""A case of the articles from decision to closure on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run

CASE_NO = "（2024）苏0902执1号"
CASE = f"""\
title: 姜先生案
case:
  执行案号: {CASE_NO}
  现执行法院: 亭湖法院
  受指定法院: 阜宁法院
  启动方式: 报请(执行法院)
  程序状态: 执行中
  和解状态: 无
  破产状态: 无
  义务类型: 金钱给付
  给付内容明确: true
  既往法院间交叉次数: 0
  曾被退回补正/不予交叉: false
  在账未发放案款: 0
  主要财产所在地法院: 阜宁法院
  有可供执行财产: true
  被执行人下落不明: true
  障碍类型: [财产在外地]
  执行立案日期: 2024-01-08
  报请日: 2024-09-02
  已发起网络查控: true
  已现场调查: true
  已发报告财产令: true
  最久未核实财产线索天数: 0
  可处置财产首次有效控制日: 2024-07-01
  法定不得处分事由: []
  未处置/未执结的正当理由已有书面材料: true
  已在集中执行名单: false
as_of: 2024-09-02
"""
EVENTS = f"""\
案号,事件,日期,编号,交叉方式,受指定法院,由院局庭领导承办
{CASE_NO},作出交叉决定,2024-09-14,e1,指令(指定)执行,阜宁法院,
{CASE_NO},决定送达原执行法院,2024-09-21,e2,,,
{CASE_NO},移送完成,2024-10-09,e3,,,
{CASE_NO},受指定法院立案,2024-10-12,e4,,,是
"""


class Followed:
    """The command line over a database of its own."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.run = run
        self.folder = folder
        self.database = ("--database", str(folder / "records.db"))

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = self.run(*arguments, *self.database)
        assert done.code == code, done.err
        return done.out if code == 0 else done.err

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))


@pytest.fixture
def followed(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Followed:
    monkeypatch.delenv("ELIGIBILITY_RULES")  # the rule base as shipped
    made = Followed(cli, tmp_path)
    made("decide", made.file("case.yaml", CASE))
    return made


def states(followed: Followed, as_of: str) -> dict[str, str]:
    rows = followed.json("follow-ups", "list", "--as-of", as_of)
    return {f"{row['rule']}.{row['duty']}": row["state"] for row in rows}


def test_a_case_is_followed_to_closure(followed: Followed) -> None:
    assert states(followed, "2024-09-18")["XR-01.review"] == "open"
    assert states(followed, "2024-09-19")["XR-01.review"] == "overdue"
    added = followed("events", "add", followed.file("events.csv", EVENTS))
    assert added.count("已记录") == 4
    # The tenth day after service falls into the holidays of 国庆; the first working day is the 8th.
    assert states(followed, "2024-10-08")["XR-04.handover"] == "open"
    assert states(followed, "2024-10-09")["XR-04.handover"] == "done_late"
    completed = f'{{"case_no": "{CASE_NO}", "type": "completed", "on": "2024-12-20"}}'
    followed("events", "add", followed.file("end.json", completed))
    view = followed.json("follow-ups", "show", CASE_NO, "--as-of", "2024-12-31")
    assert view["since_decision"]["outcome_now"] == "not_submittable"
    again = followed.json("follow-ups", "reevaluate", CASE_NO, "--as-of", "2024-12-31")
    assert again["follows"] == view["decisions"][0]["id"]
    assert again["outcome"] == "not_submittable"


def test_the_ledger_rebuilt_says_the_same(followed: Followed) -> None:
    followed("events", "add", followed.file("events.csv", EVENTS))
    before = followed.json("follow-ups", "list", "--as-of", "2024-10-31")
    assert followed("follow-ups", "rebuild").startswith("1 ")
    assert followed.json("follow-ups", "list", "--as-of", "2024-10-31") == before


def test_a_bad_row_stops_no_other_and_is_named(followed: Followed) -> None:
    text = EVENTS.replace("移送完成,2024-10-09", "移送完毕,2024-10-09")
    name = followed.file("events.csv", text)
    err = followed("events", "add", name, code=2)
    assert f"{name}:4" in err
    assert "unknown_event" in err
    assert "移送完成" in err  # the nearest word
    assert states(followed, "2024-10-08")["XR-04.handover"] == "open"
    again = followed("events", "add", followed.file("again.csv", EVENTS))
    assert again.count("已有记录") == 3
    assert again.count("已记录") == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("e.ndjson", '{"case_no": "1", "type": "served", "on": "2024-09-20"}\n\n{"case_no": "1"\n'),
        ("e.yaml", "- {case_no: '1', type: served, on: 2024-09-20}\n- {case_no: '1'}\n"),
        ("e.json", '[{"case_no": "1", "type": "served", "on": "2024-09-20"}, {}]'),
    ],
)
def test_every_kind_of_file_is_read(followed: Followed, name: str, text: str) -> None:
    followed("events", "add", followed.file(name, text), code=2)
    view = followed.json("follow-ups", "show", "1")
    assert [event["type"] for event in view["events"]] == ["served"]


def test_pages_for_people(followed: Followed) -> None:
    followed("events", "add", followed.file("events.csv", EVENTS))
    for arguments in (
        ("follow-ups", "list", "--court", "阜宁法院"),
        ("follow-ups", "list", "--lang", "en", "--state", "overdue"),
        ("follow-ups", "show", CASE_NO),
        ("follow-ups", "show", CASE_NO, "--lang", "en"),
        ("supervise", "阜宁法院", "--period", "2024Q4"),
    ):
        assert followed(*arguments).strip(), arguments


def test_supervision_counts_what_is_on_record(followed: Followed) -> None:
    followed("events", "add", followed.file("events.csv", EVENTS))
    board = followed.json("supervise", "阜宁法院", "--period", "2024Q4", "--profile", "sc")
    (share,) = next(r for r in board["rules"] if r["id"] == "XV-01")["measures"]
    assert (share["of"]["value"], share["per"]["value"], share["meets"]) == (1, 1, True)
    board = followed.json("supervise", "亭湖法院", "--period", "2024Q3")
    (returned,) = next(r for r in board["rules"] if r["id"] == "XV-03")["measures"]
    assert (returned["of"]["value"], returned["per"]["value"]) == (0, 1)
    assert returned["suppressed"]


def test_a_calendar_feed_is_written(followed: Followed) -> None:
    feed = followed("follow-ups", "calendar", "--court", "盐城中院")
    assert feed.startswith("BEGIN:VCALENDAR")
    assert "XR-01" in feed


def test_what_is_not_there_is_said(followed: Followed) -> None:
    assert "unknown_case" in followed("follow-ups", "show", "没有", code=2)
    assert "unknown_court" in followed("follow-ups", "list", "--court", "没有", code=2)
    assert "unknown_value" in followed("follow-ups", "list", "--state", "late", code=2)
    assert "bad_period" in followed("supervise", "阜宁法院", "--period", "2024-q4", code=2)
    assert "cannot_read" in followed("events", "add", "nowhere.csv", code=2)


def test_a_notice_is_drafted_from_the_record(followed: Followed) -> None:
    html = followed("follow-ups", "notice", "urge_order", CASE_NO, "--as-of", "2024-09-30")
    assert "<h1>督促执行令</h1>" in html
    assert CASE_NO in html
    rows = followed.json("follow-ups", "list", "--as-of", "2024-09-19")
    (late,) = [row["id"] for row in rows if row["rule"] == "XR-01"]
    out = followed.folder / "letter.html"
    letter = ("follow-ups", "notice", "supervision_letter", CASE_NO, "--as-of", "2024-09-20")
    followed(*letter, "--duty", late, "-o", str(out))
    assert "执行监督函" in out.read_text("utf-8")
    assert "nothing_due" in followed(*letter, code=2)
    assert "unknown_duty" in followed(*letter, "--duty", "none", code=2)
    assert "unknown_notice" in followed("follow-ups", "notice", "letter", CASE_NO, code=2)
