"""The codes that a row is rejected with: all are in docs/screening.md, and each can happen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run
from cli.conftest import fixture_cli as fixture_cli
from test_error_docs import SOURCE, codes_in

PAGE = SOURCE.parents[1] / "docs" / "screening.md"
# The modules that a row passes through, and what they refuse beyond single rows.
MODULES = (
    "documents.py",
    "vocabulary/payload.py",
    "vocabulary/values.py",
    "decision/assess.py",
    "decision/derive.py",
    "decision/derivations.py",
    "docket/tables.py",
    "docket/files.py",
    "docket/screening.py",
    "docket/run.py",
)
WHOLE_FILE = {"cannot_read", "cannot_write", "unknown_suffix", "no_header", "duplicate_heading"}
NEVER_SHOWN = {"too_many_problems"}
YAML = {"yaml_alias", "yaml_documents", "yaml_key", "yaml_syntax", "yaml_tag"}


OVER_HTTP = {"other_court"}  # asked in tests of the service: the command has no limit of courts


def documented() -> set[str]:
    section = PAGE.read_text("utf-8").split("## 被退回的行")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.+?`) \|", section, re.MULTILINE)
    return {code for row in rows for code in re.findall(r"`(\w+)`", row)}


def test_the_page_lists_what_the_code_can_say_of_a_row() -> None:
    found = {code for name in MODULES for code in codes_in((SOURCE / name).read_text("utf-8"))}
    # Named by the rule base, whose module says much else.
    assert found - WHOLE_FILE - YAML - NEVER_SHOWN | {"unknown_profile"} == documented()


def test_the_page_lists_what_refuses_a_whole_file() -> None:
    section = PAGE.read_text("utf-8").split("整个文件不能读取")[1].split("。")[0]
    assert set(re.findall(r"`(\w+)`", section)) == WHOLE_FILE


ROWS: dict[str, Any] = {
    "unknown_fact": {"无此事实": 1},
    "wrong_type": {"filing_date": 5},
    "unknown_value": {"procedure_status": "x"},
    "out_of_range": {"petition_count": -1},
    "no_such_date": {"filing_date": "2024-02-30"},
    "text_too_long": {"case_no": "x" * 4001},
    "future_event": {"filing_date": "2030-01-01"},
    "dates_out_of_order": {
        "excluded_intervals": [{"kind": "other", "from": "2024-05-02", "to": "2024-05-01"}]
    },
    "impossible_combination": {"涉案财产未处置月数": 7, "控制后天数": 5},
    "contradicts_derivation": {"urge_order_date": "none", "urge_result": "completed"},
    "missing_fact": {"excluded_intervals": [{"kind": "other"}]},
    "no_records": {"debtors": []},
    "too_many_records": {"properties": [{}] * 201},
    "ambiguous_record": {"properties": [{}], "seizure_rank": "first"},
    "duplicate_fact": {"case_no": "1", "执行案号": "1"},
    "as_of_conflict": {"evaluation_date": "2024-01-01"},
    "unknown_profile": {"profile": "nowhere"},
    "json_syntax": b"{",
    "not_utf8": b'{"case_no": "\xff"}',
    "duplicate_key": b'{"case_no": "1", "case_no": "1"}',
    "too_deep": b'{"case_no": ' + b"[" * 80 + b"]" * 80 + b"}",
    "not_a_number": b'{"petition_count": NaN}',
    "number_too_long": b'{"petition_count": ' + b"9" * 5000 + b"}",
    "lone_surrogate": b'{"case_no": "\\ud800"}',
    "cell_without_heading": "执行案号\n1,2\n",
    "bad_table": "执行案号\n" + "x" * 140_000 + "\n",
}


def rejected(cli: Run, folder: Path, row: Any) -> Iterator[str]:
    """The codes that the row is rejected with."""
    if isinstance(row, str):
        source = folder / "d.csv"
        source.write_text(row, "utf-8")
    else:
        source = folder / "d.ndjson"
        source.write_bytes(row if isinstance(row, bytes) else json.dumps(row).encode())
    out = folder / "out.ndjson"
    by = ("--profile-column", "profile") if isinstance(row, dict) and "profile" in row else ()
    ran = cli("screen", str(source), "-o", str(out), "--as-of", "2025-06-01", *by)
    assert ran.code == 0, ran.err
    for line in out.read_text("utf-8").splitlines():
        entry = json.loads(line)
        assert entry["outcome"] is None
        yield from re.findall(r"(?<= )[a-z_0-9]+(?=: )", entry["error"])


@pytest.mark.parametrize("code", ROWS)
def test_a_row_can_be_rejected_so(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.delenv("ELIGIBILITY_RULES")
    assert code in rejected(cli, tmp_path, ROWS[code])


def test_a_result_shows_the_first_five_faults_of_a_row(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That there are more than a hundred is said after the hundredth, so never in a result."""
    monkeypatch.delenv("ELIGIBILITY_RULES")
    found = list(rejected(cli, tmp_path, {f"x{n}": 1 for n in range(200)}))
    assert found.count("unknown_fact") == 5
    assert not NEVER_SHOWN & set(found)


def test_each_code_of_the_page_has_its_row() -> None:
    assert set(ROWS) == documented() - OVER_HTTP
