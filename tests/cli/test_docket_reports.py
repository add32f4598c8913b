"""``docket report``, ``docket diff`` and the report of ``screen``, as commands."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cli.conftest import Run
from cli.conftest import fixture_cli as fixture_cli
from eligibility.cli import run
from render.html_page import Html

HEAD = (
    "执行案号,现执行法院,启动方式,程序状态,义务类型,和解状态,破产状态,给付内容明确,曾被退回补正/不予交叉,"
    "既往法院间交叉次数,已发起网络查控,已现场调查,未执行到位标的额"
)
KNOWN = "金钱给付,无,无,是,否,0"
CASE = f"盐都法院,报请(执行法院),执行中,{KNOWN}"


@pytest.fixture(name="nights", scope="module")
def fixture_nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nights: 甲 is ended, 丙 is gone, 丁 is new, 戊 can no longer be read."""
    folder = tmp_path_factory.mktemp("nights")
    nights = {
        "one": [
            f"甲,{CASE},否,否,100",
            f"乙,盐都法院,报请(执行法院),执行完毕,{KNOWN},,,",
            f"丙,{CASE},是,是,",
            f"戊,{CASE},,,",
        ],
        "two": [
            f"甲,盐城市盐都区人民法院,报请(执行法院),执行完毕,{KNOWN},是,是,100",
            f"乙,盐都法院,报请(执行法院),执行完毕,{KNOWN},,,",
            f"丁,{CASE},,,7",
            f"戊,盐都法院,报请(执行法院),不详,{KNOWN},,,",
        ],
    }
    with pytest.MonkeyPatch.context() as here:
        here.delenv("ELIGIBILITY_RULES", raising=False)
        here.chdir(folder)
        for name, lines in nights.items():
            (folder / f"{name}.csv").write_text("\n".join([HEAD, *lines]), "utf-8")
            screened = ("screen", f"{name}.csv", "-o", f"{name}.parquet")
            assert run([*screened, "--as-of", "2025-06-01"]) == 0
    return folder


@pytest.fixture(name="folder")
def fixture_folder(nights: Path, cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The two nights in a folder of the test."""
    monkeypatch.delenv("ELIGIBILITY_RULES")
    monkeypatch.chdir(tmp_path)
    for path in nights.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def difference(cli: Run, *arguments: str) -> Any:
    ran = cli("docket", "diff", *arguments, "--json")
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_the_differences_of_two_nights(cli: Run, folder: Path) -> None:
    found = difference(cli, "one.parquet", "two.parquet", "-o", "diff.csv")
    kinds = {kind: count for kind, count in found["kinds"].items() if count}
    assert kinds == {"outcome_changed": 1, "same": 1, "new": 1, "gone": 1, "now_rejected": 1}
    assert found["flows"] == {"return_to_cure": {"not_submittable": 1}}
    assert found["rules_began"] == {"XB-01": 1}
    assert found["rules_ceased"] == {}
    assert found["before"]["rulebase"] == found["after"]["rulebase"]
    assert found["after"]["as_of"] == "2025-06-01"
    with Path("diff.csv").open(encoding="utf-8-sig", newline="") as file:
        cases = {case["case_no"]: case for case in csv.DictReader(file)}
    assert {number: case["kind"] for number, case in cases.items()} == {
        "甲": "outcome_changed",
        "丁": "new",
        "戊": "now_rejected",
        "丙": "gone",
    }
    assert cases["甲"]["rules_began"] == "XB-01"
    assert cases["戊"]["error"].startswith("two.csv:5: procedure_status: unknown_value")
    page = cli("docket", "diff", "one.parquet", "two.parquet").out
    assert "退回补正 → 无案可交叉" in page
    assert "XB-01  案件已结" in page


@pytest.mark.parametrize("kind", ["parquet", "ndjson", "csv"])
def test_every_kind_of_file_of_cases_says_the_same(cli: Run, folder: Path, kind: str) -> None:
    difference(cli, "one.parquet", "two.parquet", "-o", f"d.{kind}")
    path = Path(f"d.{kind}")
    if kind == "parquet":
        cases = pq.read_table(path).to_pylist()
    elif kind == "ndjson":
        cases = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    else:
        cases = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
    assert [(case["case_no"], case["kind"]) for case in cases] == [
        ("甲", "outcome_changed"),
        ("戊", "now_rejected"),
        ("丁", "new"),
        ("丙", "gone"),
    ]


def test_screen_writes_the_report_of_its_result(cli: Run, folder: Path) -> None:
    """The same that ``docket report`` writes of the finished file, amounts from the docket."""
    arguments = ("two.csv", "-o", "again.parquet", "--as-of", "2025-06-01")
    ran = cli("screen", *arguments, "--report", "r.html", "--since", "one.parquet")
    assert ran.code == 0, ran.err
    whole = Path("r.html").read_text("utf-8")
    page = Html(whole)
    assert "与上次筛查相比" in page.text
    alone = ("again.parquet", "--docket", "two.csv", "--since", "one.parquet", "-o", "s.html")
    assert cli("docket", "report", *alone).code == 0
    assert Path("s.html").read_text("utf-8") == whole
    told = json.loads(cli("docket", "report", "again.parquet", "--json").out)
    assert told["rows"] == 4
    assert told["rejected"]["by_code"] == {"unknown_value": 1}
    assert told["differences"] is None
    assert told["result"]["as_of"] == "2025-06-01"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("docket", "report", "one.parquet"), "usage"),
        (("docket", "report", "one.csv", "-o", "r.html"), "not_a_result"),
        (("docket", "report", "no.parquet", "-o", "r.html"), "cannot_read"),
        (("docket", "report", "one.parquet", "-o", "one.parquet"), "same_file"),
        (
            ("docket", "report", "one.parquet", "-o", "r.html", "--docket", "two.csv"),
            "docket_differs",
        ),
        (("docket", "report", "one.parquet", "-o", "no/r.html"), "cannot_write"),
        (("docket", "diff", "one.parquet", "two.parquet", "-o", "./two.parquet"), "same_file"),
        (("docket", "diff", "one.parquet", "two.parquet", "-o", "d.txt"), "unknown_suffix"),
        (("screen", "one.csv", "-o", "x.csv", "--since", "one.parquet"), "usage"),
        (
            ("screen", "one.csv", "-o", "y.csv", "--report", "r.html", "--since", "./y.csv"),
            "same_file",
        ),
        (
            ("screen", "one.csv", "-o", "x.csv", "--report", "r.html", "--since", "no.csv"),
            "cannot_read",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    cli: Run, folder: Path, arguments: tuple[str, ...], code: str
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    ran = cli(*arguments)
    assert (ran.code, ran.err.split(":")[0]) == (2, code)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
