"""A docket as a Chinese spreadsheet exports it is screened as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run
from cli.conftest import fixture_cli as fixture_cli
from eligibility.docket.files import cell_value, number
from eligibility.docket.tables import excel_day
from eligibility.rulefiles import load_rules

EXPORT = Path(__file__).resolve().parents[2] / "examples" / "dockets" / "spreadsheet-export.csv"
VOCABULARY = load_rules().vocabulary


@pytest.fixture(name="screened")
def fixture_screened(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, dict[str, Any]]:
    """The results of the export by the last part of the case number."""
    monkeypatch.delenv("ELIGIBILITY_RULES")
    out = tmp_path / "out.ndjson"
    ran = cli("screen", str(EXPORT), "-o", str(out), "--as-of", "2025-06-01")
    assert ran.code == 0, ran.err
    found = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    return {entry["case_no"].split("执")[1]: entry for entry in found}


def test_the_export_is_one(screened: dict[str, Any]) -> None:
    """GB18030, CR LF, columns and rows left over, wide brackets and commas, three forms of days."""
    raw = EXPORT.read_bytes()
    with pytest.raises(UnicodeDecodeError):
        raw.decode("utf-8")
    lines = raw.decode("gb18030").split("\r\n")
    assert lines[0].endswith(",,,")
    assert set(lines[-2]) == {","}
    cells = "\n".join(lines)
    for written in ("2024/3/1", "2024年5月6日", "45170", "2024/2/1 0:00", '"12,680,000.00"'):
        assert written in cells
    assert "财产在外地，地方干预或人情" in cells
    assert "报请（执行法院）" in cells
    assert len(screened) == 8


@pytest.mark.parametrize(
    ("case", "outcome", "rule"),
    [
        ("1101号", "eligible", "XQ-03"),
        ("2207号", "return_to_cure", "XB-08"),
        ("318号", "mandatory_transfer", "XQ-08"),
        ("77号", "stayed", "XB-03"),
        ("1502号", "not_submittable", "XB-01"),
        ("640号", "return_to_cure", "XB-13"),
        ("908号", "return_to_cure", "XB-14"),
    ],
)
def test_each_row_is_judged(screened: dict[str, Any], case: str, outcome: str, rule: str) -> None:
    assert screened[case]["error"] is None
    assert screened[case]["outcome"] == outcome
    assert rule in screened[case]["effective_rules"]


def test_an_amount_that_is_none_is_refused_where_it_stands(screened: dict[str, Any]) -> None:
    said = screened["55号"]["error"]
    assert f"{EXPORT}:9: outstanding_amount_yuan: wrong_type" in said


# --- cells ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1,234,567", 1_234_567),
        ("12，680，000.50", "12680000.50"),
        ("３４５", 345),
        ("-5", -5),
        ("12,34", None),
        ("1,2345", None),
        ("1,234,", None),
        ("约30万", None),
        ("1e5", None),
        ("٣", None),
    ],
)
def test_thousands_are_threes_or_it_is_no_number(cell: str, value: Any) -> None:
    """A comma that sets off no thousand could be a decimal point: nothing is guessed."""
    found = number(cell)
    assert found == cell if value is None else str(found) == str(value)


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("2024/7/1", "2024-07-01"),
        ("2024-7-1", "2024-07-01"),
        ("2024.7.1", "2024-07-01"),
        ("2024年7月1日", "2024-07-01"),
        ("2024/7/1 0:00", "2024-07-01"),
        ("2024/07/01 00:00:00", "2024-07-01"),
        ("45474", "2024-07-01"),
        ("2024/7/1 9:30", "2024/7/1 9:30"),
        ("7/1/2024", "7/1/2024"),
        ("24/7/1", "24/7/1"),
        ("无", "无"),
    ],
)
def test_days_are_read_as_spreadsheets_write_them(cell: str, day: str) -> None:
    assert excel_day(cell) == day


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        ("涉众、人案矛盾", ["涉众", "人案矛盾"]),
        ("涉众，人案矛盾", ["涉众", "人案矛盾"]),
        ("涉众; 人案矛盾；", ["涉众", "人案矛盾"]),
        ("空", []),
        ("，", ["，"]),
    ],
)
def test_lists_are_set_off_by_any_comma(cell: str, values: list[str]) -> None:
    """A cell of commas alone is not the empty list, which means known to be none."""
    assert cell_value(VOCABULARY.facts["obstacle_kinds"], cell) == values


def test_no_value_holds_what_sets_off_values() -> None:
    words = [label.zh for fact in VOCABULARY.facts.values() for label in fact.values.values()]
    sets = [f for f in VOCABULARY.facts.values() if f.type == "set"]
    assert sets
    assert [
        w for f in sets for w in (t.zh for t in f.values.values()) if set(w) & set("、，,；;")
    ] == []
    assert [word for word in words if set(word) & set("（）")] == []
