"""``screen --ignore-column``: columns that are no facts are passed over, and no others."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.conftest import Run
from cli.conftest import fixture_cli as fixture_cli
from eligibility.docket.tasks import Job, screening_of
from eligibility.rulebase.loader import load
from eligibility.rulefiles import read_texts, rules_folder

ROWS: list[dict[str, Any]] = [
    {"执行案号": "1", "备注": "[看卷]", "承办人": "甲"},
    {"执行案号": "2", "备注": "", "承办人": ""},
    {"执行案号": "3", "执行立案日期": "2099-01-01", "承办人": "乙"},
]
IGNORED = ("--ignore-column", "备注", "--ignore-column", "承办人")


@pytest.fixture(autouse=True)
def _shipped_rules(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ELIGIBILITY_RULES")


def written(folder: Path, kind: str) -> Path:
    path = folder / f"d{kind}"
    if kind == ".ndjson":
        path.write_text("\n".join(json.dumps(row) for row in ROWS), "utf-8")
    elif kind == ".parquet":
        pq.write_table(pa.Table.from_pylist([dict.fromkeys(ROWS[2]) | row for row in ROWS]), path)
    else:
        names = list(dict.fromkeys(name for row in ROWS for name in row))
        cells = [[row.get(name, "") for name in names] for row in ROWS]
        path.write_text("\n".join(",".join(line) for line in [names, *cells]), "gb18030")
    return path


def screened(cli: Run, path: Path, *options: str) -> list[dict[str, Any]]:
    out = path.with_name("out.ndjson")
    ran = cli("screen", str(path), "-o", str(out), "--as-of", "2025-06-01", *options)
    assert ran.code == 0, ran.err
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("kind", [".csv", ".ndjson", ".parquet"])
@pytest.mark.parametrize("facts", ["--docket-facts", "--no-docket-facts"])
def test_they_say_nothing(cli: Run, tmp_path: Path, kind: str, facts: str) -> None:
    """The last row is rejected for its date, and for that alone."""
    path = written(tmp_path, kind)
    found = screened(cli, path, *IGNORED, facts)
    assert [bool(entry["outcome"]) for entry in found] == [True, True, False]
    assert "future_event" in found[2]["error"]
    assert "unknown_fact" not in found[2]["error"]
    named = screened(cli, path, "--ignore-column", "承办人", facts)
    assert "备注: unknown_fact" in named[0]["error"]


@pytest.mark.parametrize("name", ["执行案号", "case_no", "debtors", "被执行人", "which"])
def test_what_is_read_is_not_passed_over(cli: Run, tmp_path: Path, name: str) -> None:
    path = written(tmp_path, ".csv")
    options = ("--profile-column", "which", "--ignore-column", name)
    ran = cli("screen", str(path), "-o", str(tmp_path / "out.csv"), *options)
    assert ran.code == 2
    assert ran.err.startswith("usage: ")


def test_workers_of_spark_pass_them_over_too() -> None:
    texts = read_texts(rules_folder())
    day = date(2025, 6, 1)
    job = Job(load(texts).digest, texts, day, day, None, None, False, ".csv")
    assert screening_of(job).ignored == frozenset()
    with_names = Job(
        job.digest, texts, day, day, None, None, False, ".csv", ignored=frozenset({"备注"})
    )
    assert screening_of(with_names).ignored == {"备注"}
