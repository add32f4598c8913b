"""Which cases of a docket may be moved, and where to: told cases and misfits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from eligibility.courts.plan import Movable
from eligibility.decision.decide import Decider
from eligibility.docket.files import read_cases
from eligibility.docket.movable import Batch, Docket, sort_docket
from eligibility.rulefiles import load_rules

DAY = date(2024, 6, 30)
NOTARISED: dict[str, Any] = {
    "case_no": "1",
    "court_id": "青羊区法院",
    "title_type": "notarized_debt",
    "court_overloaded": True,
    "procedure_status": "enforcing",
    "settlement_state": "none",
    "bankruptcy_state": "none",
    "title_content_clear": True,
    "obligation_type": "money",
}


@pytest.fixture(scope="module")
def decider() -> Iterator[Decider]:
    made = Decider(load_rules())
    yield made
    made.close()


def sort(decider: Decider, *payloads: Any, superior: str = "四川高院") -> Docket:
    court = decider.register.find(superior)
    assert court is not None
    placed = [(f"row {i}", payload) for i, payload in enumerate(payloads)]
    return sort_docket(decider, placed, Batch(court, DAY))


def test_a_case_may_go_to_any_court_of_its_level_under_the_decider(decider: Decider) -> None:
    (case,) = sort(decider, {**NOTARISED, "main_property_court": "富顺法院"}).movable
    assert case.court == "sc-chengdu-qingyang"
    assert "sc-zigong-fushun" in case.allowed
    assert case.distances["sc-zigong-fushun"] == 0.0
    assert all(decider.rulebase.courts[name].level == "basic" for name in case.allowed)
    assert case.court not in case.allowed


def test_an_intermediate_court_moves_within_its_own_area_only(decider: Decider) -> None:
    (case,) = sort(decider, NOTARISED, superior="成都中院").movable
    assert set(case.allowed) == {"sc-chengdu-jinjiang", "sc-chengdu-tianfu"}


def test_a_court_that_failed_before_or_is_conflicted_is_left_out(decider: Decider) -> None:
    prior = {**NOTARISED, "prior_courts": ["富顺法院"]}
    conflicted = {
        **NOTARISED,
        "case_no": "2",
        "candidates": [{"c_court": "富顺法院", "c_conflict": True}],
    }
    for case in sort(decider, prior, conflicted).movable:
        assert "sc-zigong-fushun" not in case.allowed


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"settlement_state": "performing"}, "停止期间"),
        ({"procedure_status": "completed"}, "无案可交叉"),
        ({"court_overloaded": False, "filing_date": "2024-06-01"}, "不符合"),
        ({"settlement_state": None}, "或者"),
    ],
)
def test_what_may_not_be_moved_says_why(decider: Decider, facts: dict[str, Any], said: str) -> None:
    docket = sort(decider, {**NOTARISED, **facts})
    assert docket.movable == ()
    (dropped,) = docket.dropped
    assert dropped.code == "not_movable"
    assert said in dropped.reason.zh


def test_rows_that_cannot_be_read_stop_no_other(decider: Decider) -> None:
    docket = sort(decider, {"case_no": 3}, NOTARISED, [], {**NOTARISED, "court_id": "无此法院"})
    assert len(docket.movable) == 1
    assert [place for place, _ in docket.rejected] == ["row 0", "row 2"]
    assert [entry.code for entry in docket.dropped] == ["unknown_court"]


def test_a_case_closed_on_paper_weighs_only_where_it_goes(decider: Decider) -> None:
    closed = {**NOTARISED, "court_id": "阜宁法院", "procedure_status": "terminated_this_time"}
    (case,) = sort(decider, closed, superior="盐城中院").movable
    assert isinstance(case, Movable)
    assert not case.counted


def test_a_table_and_lines_of_json_say_the_same(decider: Decider, tmp_path: Path) -> None:
    vocabulary = decider.rulebase.vocabulary
    table = (
        '执行案号,在账未发放案款,法院人案矛盾突出,障碍类型,备注\n1,"1,200.50",是,人案矛盾、涉众,\n'
    )
    line = (
        '{"执行案号": "1", "在账未发放案款": 1200.50, "法院人案矛盾突出": "是", '
        '"障碍类型": ["人案矛盾", "涉众"]}\n'
    )
    (one,) = read_cases("x.csv", table, vocabulary)
    (other,) = read_cases("x.ndjson", line, vocabulary)
    assert one[1] == other[1]
    assert (one[0], other[0]) == ("x.csv:2", "x.ndjson:1")
