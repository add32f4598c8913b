"""Two results compared: told cases, and made ones against a comparison case by case."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from docket.results import Entry, differences, made_up, row, written
from eligibility.docket import result_parts
from eligibility.docket.differences import KINDS, SCHEMA, compare
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules


@pytest.fixture(name="shipped", scope="module")
def fixture_shipped() -> Rulebase:
    return load_rules()


def compared(
    base: Rulebase, folder: Path, before: list[Entry], after: list[Entry], kind: str = "parquet"
) -> tuple[Entry, list[Entry]]:
    """What was counted, and the cases."""
    cases: list[Entry] = []

    def sink(table: pa.Table) -> None:
        assert table.schema == SCHEMA
        cases.extend(table.to_pylist())

    old, new = (
        written(folder / f"{name}.{kind}", rows, 97) for name, rows in (("a", before), ("b", after))
    )
    return compare(old, new, base, sink), cases


def told(case: Entry) -> tuple[Any, ...]:
    keys = ("rules_began", "rules_ceased", "facts_newly_open", "facts_no_longer_open")
    head = ("kind", "case_no", "court_id", "court_before")
    return tuple(case[key] for key in (*head, *keys))


# --- told -----------------------------------------------------------------------------------------


def test_a_cured_case_says_which_bar_is_gone(shipped: Rulebase, tmp_path: Path) -> None:
    before = [row("1", "return_to_cure", rules=["XB-09", "XQ-19"])]
    after = [row("1", "eligible", "js-yancheng-yandu", rules=["XQ-19"])]
    found, (case,) = compared(shipped, tmp_path, before, after)
    assert (case["kind"], case["case_no"], case["court_id"]) == ("cured", "1", "js-yancheng-yandu")
    assert (case["rules_began"], case["rules_ceased"]) == ([], ["XB-09"])
    assert (case["outcome_before"], case["outcome"]) == ("return_to_cure", "eligible")
    assert found["flows"] == {"return_to_cure": {"eligible": 1}}
    assert found["rules_ceased"] == {"XB-09": 1}
    assert found["kinds"]["cured"] == 1


def test_a_bar_gone_beside_another_cures_nothing_yet(shipped: Rulebase, tmp_path: Path) -> None:
    before = [row("1", "return_to_cure", rules=["XB-06", "XB-09"])]
    after = [row("1", "return_to_cure", rules=["XB-06"])]
    found, (case,) = compared(shipped, tmp_path, before, after)
    assert (case["kind"], case["rules_ceased"]) == ("reasons_changed", ["XB-09"])
    assert found["bar_gone_same_outcome"] == 1
    assert found["flows"] == {}


def test_facts_that_became_known_and_errors_that_came(shipped: Rulebase, tmp_path: Path) -> None:
    both = ["eligible", "return_to_cure"]
    before = [
        row("1", "need_info", possible=both, facts=["properties[0].seizure_rank", "filing_date"]),
        row("2"),
        row("3", error="d.csv:3: filing_date: no_such_date: x / x"),
        row("4", error="d.csv:4: filing_date: no_such_date: x / x"),
    ]
    after = [
        row("1", "need_info", possible=both, facts=["filing_date", "overload_only"]),
        row("2", error="d.csv:2: filing_date: no_such_date: x / x"),
        row("3", "not_eligible"),
        row("4", error="d.csv:9: filing_date: no_such_date: x / x"),
    ]
    found, cases = compared(shipped, tmp_path, before, after)
    assert [case["kind"] for case in cases] == ["reasons_changed", "now_rejected", "now_judged"]
    assert cases[0]["facts_newly_open"] == ["overload_only"]
    assert cases[0]["facts_no_longer_open"] == ["properties[0].seizure_rank"]
    assert found["facts_no_longer_open"] == {"seizure_rank": 1}
    assert (cases[1]["outcome_before"], cases[1]["outcome"]) == ("eligible", "rejected")
    assert cases[1]["error"].startswith("d.csv:2")
    assert cases[2]["error_before"].startswith("d.csv:3")
    assert found["still_rejected"] == 1


def test_a_number_that_stands_twice_is_reported_and_compared_with_nothing(
    shipped: Rulebase, tmp_path: Path
) -> None:
    """Twice at one court; the same number at another court is another case."""
    before = [row("1", "return_to_cure"), row("2"), row(None), row(None)]
    after = [row("1"), row("1", court="js-yancheng-yandu"), row("1", court="阜宁法院"), row("2")]
    found, cases = compared(shipped, tmp_path, before, after)
    assert found["duplicates"] == {
        "cases": 1,
        "rows_before": 1,
        "rows": 2,
        "first": [
            {"case_no": "1", "court_id": "js-yancheng-yandu", "rows_before": 1, "rows": 2},
        ],
    }
    assert [told(case)[:3] for case in cases] == [("new", "1", "js-yancheng-funing")]
    assert found["without_number"] == {"before": 2, "after": 0}
    assert (found["rows_before"], found["rows"]) == (4, 4)


def test_a_number_at_another_court_is_said_to_have_moved(shipped: Rulebase, tmp_path: Path) -> None:
    before = [row("1", "return_to_cure", rules=["XB-06"]), row("2"), row("3", court="阜宁法院")]
    after = [row("1", "eligible", court="阜宁法院"), row("3", court="阜宁法院"), row("4")]
    found, cases = compared(shipped, tmp_path, before, after)
    assert [told(case)[:4] for case in cases] == [
        ("court_changed", "1", "js-yancheng-funing", "js-yancheng-yandu"),
        ("new", "4", "js-yancheng-yandu", None),
        ("gone", "2", "js-yancheng-yandu", None),
    ]
    assert cases[0]["rules_ceased"] == ["XB-06"]
    assert found["kinds"]["same"] == 1


def test_nothing_compared_with_nothing(shipped: Rulebase, tmp_path: Path) -> None:
    found, cases = compared(shipped, tmp_path, [], [])
    assert (found["rows"], cases) == (0, [])
    found, cases = compared(shipped, tmp_path, [], [row("1")])
    assert [case["kind"] for case in cases] == ["new"]


# --- made -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["parquet", "csv", "ndjson"])
@pytest.mark.parametrize("rows", [10**6, 300])
def test_made_results_are_compared_as_case_by_case(
    shipped: Rulebase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, rows: int
) -> None:
    """In one part and in many."""
    monkeypatch.setattr(result_parts, "ROWS", rows)
    random = Random(f"{kind}{rows}")
    before, after = made_up(random, 3000, 3000), made_up(random, 3200, 3000)
    found, cases = compared(shipped, tmp_path, before, after, kind)
    plain = differences(before, after)
    assert Counter(map(str, map(told, cases))) == Counter(
        str(one) for one in plain if one[0] != "same"
    )
    counts = Counter(one[0] for one in plain)
    assert {kind: n for kind, n in found["kinds"].items() if n} == counts
    assert set(counts) == set(KINDS)
    for name, at in (("rules_began", 4), ("rules_ceased", 5)):
        assert found[name] == Counter(rule for one in plain for rule in one[at])
    assert found["duplicates"]["cases"] > 200
