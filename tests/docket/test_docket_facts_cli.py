"""``screen`` with the facts of the docket: files, registers from outside, what it says of them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.conftest import Run
from cli.conftest import fixture_cli as fixture_cli
from eligibility.docket.facts import EXTRA
from eligibility.docket.loads import loads_of_register, read_loads
from eligibility.docket.registers import read_debtors
from eligibility.docket.results import COLUMNS
from eligibility.errors import EligibilityError
from eligibility.rulefiles import load_rules

HEADER = "执行案号,现执行法院,被执行人标识,程序状态,启动方式\n"
COURTS = ("青羊区法院", "富顺法院")
REPORTED = "报请(执行法院)"
BASIC = [c for c in load_rules().courts.values() if c.parent.startswith("sc") and not c.line]


@pytest.fixture(autouse=True)
def _shipped_rules(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ELIGIBILITY_RULES")


def table(path: Path, numbers: range, debtor: str = "甲", status: str = "执行中") -> Path:
    lines = [f"执{n}号,{COURTS[n % 2]},{debtor},{status},{REPORTED}" for n in numbers]
    path.write_text(HEADER + "\n".join(lines) + "\n", encoding="gb18030")
    return path


def screened(
    cli: Run, tmp_path: Path, *arguments: object
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    out, summary = tmp_path / "out.ndjson", tmp_path / "summary.json"
    common = ("-o", out, "--summary", summary, "--profile", "sc", "--as-of", "2025-06-01")
    ran = cli("screen", *map(str, (*arguments, *common)))
    assert ran.code == 0, ran.err
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    return rows, json.loads(summary.read_text("utf-8"))["docket"]


def with_rule(rows: list[dict[str, Any]]) -> int:
    return sum("XQ-12" in row["effective_rules"] for row in rows)


def test_two_files_count_as_one_docket(cli: Run, tmp_path: Path) -> None:
    one, other = table(tmp_path / "a.csv", range(6)), table(tmp_path / "b.csv", range(6, 10))
    rows, said = screened(cli, tmp_path, one)
    assert with_rule(rows) == 0
    rows, said = screened(cli, tmp_path, one, other)
    assert with_rule(rows) == 10
    assert rows[0]["debtor_counts"] == ["甲: 10+/2+"]
    assert {(row["chain"], row["chain_cases"], row["chain_courts"]) for row in rows} == {(1, 10, 2)}
    assert said["chains"] == {"count": 1, "largest": 10}
    assert list(rows[0]) == [*COLUMNS, *EXTRA.names]


def test_a_file_given_twice_counts_once(cli: Run, tmp_path: Path) -> None:
    one = table(tmp_path / "a.csv", range(6))
    other = tmp_path / "copy.csv"
    other.write_bytes(one.read_bytes())
    rows, _ = screened(cli, tmp_path, one, other)
    assert with_rule(rows) == 0
    assert {row["debtor_counts"][0] for row in rows} == {"甲: 6+/2+"}


def test_without_the_facts_of_the_docket_nothing_is_added(cli: Run, tmp_path: Path) -> None:
    one, out = table(tmp_path / "a.csv", range(10)), tmp_path / "out.parquet"
    ran = cli("screen", str(one), "-o", str(out), "--profile", "sc", "--no-docket-facts")
    assert ran.code == 0
    found = pq.read_table(out)
    assert found.column_names == list(COLUMNS)
    assert with_rule(found.to_pylist()) == 0
    refused = cli("screen", str(one), "-o", str(out), "--no-docket-facts", "--complete")
    assert (refused.code, refused.err.split(":")[0]) == (2, "usage")


def test_a_row_that_is_rejected_shows_nothing_of_the_docket(cli: Run, tmp_path: Path) -> None:
    one = table(tmp_path / "a.csv", range(10), status="没有这种状态")
    rows, _ = screened(cli, tmp_path, one)
    assert all(row["error"] and row["chain"] is None for row in rows)
    assert all(row["debtor_counts"] == [] for row in rows)


def test_results_in_parquet_have_the_types_of_the_columns(cli: Run, tmp_path: Path) -> None:
    one, out = table(tmp_path / "a.csv", range(3)), tmp_path / "out.parquet"
    assert cli("screen", str(one), "-o", str(out), "--profile", "sc").code == 0
    found = pq.read_table(out)
    assert found.schema.field("chain_cases").type == pa.int64()
    assert found["chain_cases"].to_pylist() == [3, 3, 3]


# --- registers of debtors -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_a_register_of_debtors_is_read_from_any_kind_of_file(
    cli: Run, tmp_path: Path, kind: str
) -> None:
    source = tmp_path / f"debtors.{kind}"
    rows = [{"debtor_id": "甲", "open_cases": 12, "courts": 3, "name": "某"}]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), source)
    elif kind == "csv":
        heading = "被执行人标识,同一被执行人未实结案件数,涉及法院数,姓名"
        source.write_text(f"{heading}\n甲,12,3,某\n0051,1,1,\n", encoding="gb18030")
    else:
        source.write_text(json.dumps(rows[0]) + "\n", "utf-8")
    one = table(tmp_path / "a.csv", range(1))
    found, said = screened(cli, tmp_path, one, "--debtors", source)
    assert with_rule(found) == 1
    assert found[0]["facts_from_docket"] == ["same_debtor_open_cases=12", "same_debtor_courts=3"]
    assert said["debtors_listed"] == (2 if kind == "csv" else 1)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("debtor_id,open_cases,courts\n甲,1,2\n", "contradictory_figures"),
        ("debtor_id,open_cases,courts\n甲,3,2\n甲,4,2\n", "duplicate_fact"),
        ("debtor_id,open_cases,courts\n甲,很多,2\n", "wrong_type"),
        ("debtor_id,open_cases,courts\n甲,-1,0\n", "out_of_range"),
        ("debtor_id,open_cases\n甲,1\n", "missing_field"),
        ("open_cases,courts\n1,1\n", "missing_field"),
        ("", "no_header"),
    ],
)
def test_a_register_with_faults_is_refused(cli: Run, tmp_path: Path, text: str, code: str) -> None:
    source = tmp_path / "debtors.csv"
    source.write_text(text, "utf-8")
    with pytest.raises(EligibilityError) as refused:
        read_debtors(source, load_rules().vocabulary)
    assert refused.value.code == code
    out = tmp_path / "out.csv"
    one = table(tmp_path / "a.csv", range(2))
    ran = cli("screen", str(one), "-o", str(out), "--debtors", str(source))
    assert (ran.code, ran.err.split(":")[0]) == (2, code)
    assert str(source) in ran.err
    assert not out.exists()


# --- loads --------------------------------------------------------------------------------------


def loads_table(path: Path, heavy: str, extra: str = "") -> Path:
    """Every ordinary court of Sichuan with 10 officers and 1,000 cases, one with many more."""
    lines = ["法院,执行人员,在办案件"]
    lines += [f"{c.label.zh},10,{9000 if c.id == heavy else 1000}" for c in BASIC]
    path.write_text("\n".join(lines) + extra + "\n", "utf-8")
    return path


def test_an_overloaded_court_is_known_from_a_table_of_the_province(
    cli: Run, tmp_path: Path
) -> None:
    one = table(tmp_path / "a.csv", range(2))
    source = loads_table(tmp_path / "loads.csv", "sc-chengdu-qingyang")
    rows, said = screened(cli, tmp_path, one, "--courts-load", source)
    assert [row["facts_from_docket"][-1] for row in rows] == [
        "court_overloaded=true",
        "court_overloaded=false",
    ]
    assert said["loads"]["means"]["sc"] == round((len(BASIC) * 1000 + 8000) / len(BASIC) / 10, 3)


def test_a_load_that_is_given_stays_and_the_difference_is_shown(cli: Run, tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_text("执行案号,现执行法院,法院人案矛盾突出\n1,富顺法院,是\n", "utf-8")
    loads = loads_table(tmp_path / "loads.csv", "sc-chengdu-qingyang")
    (row,), _ = screened(cli, tmp_path, source, "--courts-load", loads)
    assert row["facts_from_docket"] == []
    assert row["differs_from_docket"] == ["court_overloaded: true, counted false"]


def test_figures_made_up_for_an_example_decide_nothing(cli: Run, tmp_path: Path) -> None:
    rows, said = screened(cli, tmp_path, table(tmp_path / "a.csv", range(2)))
    assert said["loads"]["made_up_left_out"]
    assert not any("court_overloaded" in text for row in rows for text in row["facts_from_docket"])
    assert loads_of_register(load_rules()).courts == {}


def test_a_court_without_figures_leaves_the_mean_of_its_province_unknown() -> None:
    rulebase = load_rules()
    rows = [(c.id, {"court_id": c.id, "officers": 10, "open_cases": 100}) for c in BASIC]
    known = read_loads(rows, rulebase)
    assert known.mean("sc") == Decimal(10)
    assert known.overloaded(BASIC[0].id, Decimal("0.9")) is True
    assert known.overloaded(BASIC[0].id, Decimal(1)) is False
    partial = read_loads(rows[1:], rulebase)
    assert partial.mean("sc") is None
    assert partial.overloaded(BASIC[1].id, Decimal("0.9")) is None
    assert partial.missing("sc") == [BASIC[0].id]
    assert partial.counted({BASIC[0].id: 5}).mean("sc") is None


def test_a_complete_docket_counts_the_cases_of_a_court(cli: Run, tmp_path: Path) -> None:
    one, source = table(tmp_path / "a.csv", range(3)), tmp_path / "loads.csv"
    lines = [f"{c.id},1,{'' if c.id == 'sc-chengdu-qingyang' else 0}" for c in BASIC]
    source.write_text("\n".join(["court_id,officers,open_cases", *lines]) + "\n", "utf-8")
    rows, said = screened(cli, tmp_path, one, "--courts-load", source)
    assert said["loads"]["means"] == {"sc": None}
    rows, said = screened(cli, tmp_path, one, "--courts-load", source, "--complete")
    assert said["loads"]["means"]["sc"] == round(2 / len(BASIC), 3)
    assert rows[0]["facts_from_docket"][-1] == "court_overloaded=true"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"court_id": "无此法院", "officers": 1}, "unknown_court"),
        ({"court_id": "富顺法院", "officers": -1}, "out_of_range"),
        ({"court_id": "富顺法院", "人数": 1}, "unknown_field"),
        ({"officers": 1}, "missing_field"),
    ],
)
def test_a_table_of_loads_with_faults_is_refused(row: dict[str, Any], code: str) -> None:
    with pytest.raises(EligibilityError) as refused:
        read_loads([("x:2", row)], load_rules())
    assert refused.value.code == code


def test_a_court_outside_of_the_register_counts_for_its_province() -> None:
    rows = [(c.id, {"court_id": c.id, "officers": 10, "open_cases": 100}) for c in BASIC]
    other = {"法院": "某县人民法院", "执行人员": 10, "在办案件": 100, "高级法院": "四川高院"}
    found = read_loads([*rows, ("x", other)], load_rules())
    assert found.overloaded("某县人民法院", Decimal("0.5")) is True


# --- reports ------------------------------------------------------------------------------------


def test_what_became_of_a_courts_reports_is_in_the_summary(cli: Run, tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    lines = [f"1,富顺法院,{REPORTED},是", f"2,富顺法院,{REPORTED},", f"3,富顺法院,{REPORTED},否"]
    lines += ["4,富顺法院,依申请(申请执行人),是"]
    header = "执行案号,现执行法院,启动方式,曾被退回补正/不予交叉"
    source.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    _, said = screened(cli, tmp_path, source)
    assert said["reports"] == {
        "sc-zigong-fushun": {"reports": 3, "returned_before": 1, "unknown": 1}
    }
