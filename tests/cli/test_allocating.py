"""``allocate`` on the dockets of the examples."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cli.conftest import Run

DOCKETS = Path(__file__).parents[2] / "examples" / "dockets"


@pytest.fixture
def shipped(cli: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("ELIGIBILITY_RULES")
    return cli


def test_notarised_debts_are_moved_out_of_the_city(shipped: Run, tmp_path: Path) -> None:
    target = tmp_path / "plan.csv"
    arguments = ["--decider", "四川高院", "--as-of", "2024-06-30", "--must-move"]
    docket = str(DOCKETS / "notarised-debts.csv")
    done = shipped("allocate", docket, *arguments, "--json", "-o", str(target))
    assert done.code == 0, done.err
    plan = json.loads(done.out)
    assert plan["counts"] == {"moved": 55, "staying": 0, "dropped": 5, "rejected": 0}
    assert {entry["code"] for entry in plan["dropped"]} == {"not_movable"}
    assert plan["spread_after"] < plan["spread_before"]
    assert all(not a["to"].startswith("sc-chengdu") for a in plan["assignments"])
    with target.open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60
    assert sum(row["处理"] == "调出" for row in rows) == 55
    page = shipped("allocate", docket, *arguments)
    assert "停止期间暂不审查" in page.out
    assert "示例负荷" in page.out


def test_cases_of_a_rotation_go_elsewhere(shipped: Run) -> None:
    docket = str(DOCKETS / "layered-rotation.csv")
    done = shipped("allocate", docket, "--decider", "盐城中院", "--way", "rotate", "--json")
    plan = json.loads(done.out)
    assert plan["counts"]["moved"] == 54
    assert all(a["from"] != a["to"] for a in plan["assignments"])
    assert len({turn["from"] for turn in plan["ring"]}) == len(plan["ring"])


def test_the_cap_on_moves_is_kept(shipped: Run) -> None:
    docket = str(DOCKETS / "layered-rotation.csv")
    arguments = ["--decider", "盐城中院", "--max-moves", "7", "--json"]
    assert json.loads(shipped("allocate", docket, *arguments).out)["counts"]["moved"] <= 7


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nowhere.csv", "--decider", "盐城中院"], "cannot_read"),
        ([str(DOCKETS / "layered-rotation.csv"), "--decider", "没有"], "unknown_court"),
        ([str(DOCKETS / "layered-rotation.csv")], "usage"),
    ],
)
def test_misuse_is_one_line(shipped: Run, arguments: list[str], code: str) -> None:
    done = shipped("allocate", *arguments)
    assert done.code == 2
    assert done.err.startswith(code)
