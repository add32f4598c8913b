"""What a result holds, counted; and which of its cases come first."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from docket.results import Entry, made_up, place, row, written
from eligibility.courts.register import Register
from eligibility.docket.amounts import Amounts
from eligibility.docket.breakdown import Breakdown
from eligibility.docket.priorities import Priorities
from eligibility.docket.result_file import ResultFile
from eligibility.errors import EligibilityError
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules


@pytest.fixture(name="shipped", scope="module")
def fixture_shipped() -> Rulebase:
    return load_rules()


def counted(base: Rulebase, file: ResultFile) -> Entry:
    breakdown = Breakdown(Register(base.courts))
    for batch in file.batches():
        breakdown.add(batch)
    return breakdown.as_dict()


# --- counts ---------------------------------------------------------------------------------------


def test_told_rows_are_counted(shipped: Rulebase, tmp_path: Path) -> None:
    """Courts under whatever name; a fact that two records lack is one; errors by their code."""
    facts = ["properties[0].seizure_rank", "properties[1].seizure_rank", "filing_date"]
    error = "d.csv:9: properties[0].seizure_rank: wrong_type: 应为 / expected; d.csv: x: no_such: y"
    rows = [
        row("1", "return_to_cure", rules=["XB-06", "XB-09"]),
        row("2", "return_to_cure", "js-yancheng-yandu", rules=["XB-09"]),
        row("3", "need_info", "阜宁法院", possible=["eligible", "return_to_cure"], facts=facts),
        row("4", "eligible", "无此法院", rules=["XQ-19"]),
        row(None, court=None, error=error),
    ]
    assert counted(shipped, written(tmp_path / "r.parquet", rows)) == {
        "rows": 5,
        "outcomes": {"rejected": 1, "eligible": 1, "need_info": 1, "return_to_cure": 2},
        "courts": {
            "": {"rejected": 1},
            "*": {"eligible": 1},
            "js-yancheng-funing": {"need_info": 1},
            "js-yancheng-yandu": {"return_to_cure": 2},
        },
        "rules": {
            "XB-06": {
                "cases": 1,
                "by_outcome": {"return_to_cure": 1},
                "by_court": {"js-yancheng-yandu": 1},
            },
            "XB-09": {
                "cases": 2,
                "by_outcome": {"return_to_cure": 2},
                "by_court": {"js-yancheng-yandu": 2},
            },
            "XQ-19": {"cases": 1, "by_outcome": {"eligible": 1}, "by_court": {"*": 1}},
        },
        "unknown_facts": {"filing_date": 1, "seizure_rank": 1},
        "rejected": {"count": 1, "by_code": {"wrong_type": 1}, "first": [error]},
    }


@pytest.mark.parametrize("kind", ["parquet", "csv", "ndjson"])
def test_made_rows_are_counted_as_one_by_one(shipped: Rulebase, tmp_path: Path, kind: str) -> None:
    rows = made_up(Random(kind), 2000, 5000)
    found = counted(shipped, written(tmp_path / f"r.{kind}", rows, 130))
    court: Counter[tuple[Any, Any]] = Counter()
    rule: Counter[tuple[Any, Any]] = Counter()
    for entry in rows:
        where = place(entry)
        where = "*" if where == "不知何处法院" else where or ""
        outcome = entry["outcome"] or "rejected"
        court[where, outcome] += 1
        rule.update((r, outcome) for r in entry["effective_rules"])
        rule.update((r, where) for r in entry["effective_rules"])
    assert {(c, o): n for c, by in found["courts"].items() for o, n in by.items()} == court
    cells = [
        (r, k, n)
        for r, by in found["rules"].items()
        for part in ("by_outcome", "by_court")
        for k, n in by[part].items()
    ]
    assert {(r, k): n for r, k, n in cells} == rule
    assert found["rejected"]["by_code"] == {"no_such_date": found["outcomes"]["rejected"]}


# --- what comes first -----------------------------------------------------------------------------


def first(base: Rulebase, file: ResultFile, docket: Path | None = None, top: int = 9) -> Priorities:
    found = Priorities(base, top)
    amounts = Amounts([docket], base.vocabulary) if docket else None
    for batch in file.batches():
        found.add(batch, amounts.beside(batch["case_no"]) if amounts else None)
    if amounts:
        amounts.finish()
    return found


def numbers(found: Priorities) -> dict[str, list[str]]:
    return {name: [case["case_no"] for case in cases] for name, cases in found.first().items()}


def test_mandatory_then_the_nearest_deadline_then_the_largest(
    shipped: Rulebase, tmp_path: Path
) -> None:
    soon, later = {"changes_on": "2025-07-01"}, {"changes_on": "2025-09-01"}
    rows = [
        row("1"),
        row("2", **later, changes_to="return_to_cure"),
        row("3", "mandatory_transfer"),
        row("4", **soon, changes_to="return_to_cure"),
        row("5", "not_eligible"),
        row("6", "mandatory_transfer"),
        row("7", **soon, changes_to="return_to_cure"),
        row("8"),
        row("9", "return_to_cure", **soon, changes_to="eligible"),
        row("10", "mandatory_transfer", **later, changes_to="stayed"),
    ]
    amounts = (5, 1, 20, 3, 999, 30, "1,234.5", None, 999, 1)
    docket = tmp_path / "d.csv"
    cells = [f'{n + 1},"{a or ""}"' for n, a in enumerate(amounts)]
    docket.write_text("\n".join(["执行案号,未执行到位标的额", *cells]), "utf-8")
    found = first(shipped, written(tmp_path / "r.parquet", rows, 3), docket)
    assert numbers(found) == {
        "mandatory": ["10", "6", "3"],
        "deadline": ["7", "4", "2"],
        "open": ["1", "8"],
    }
    case = found.first()["deadline"][0]
    assert (case["deadline"], case["changes_on"], case["amount_yuan"]) == (
        "lost",
        "2025-07-01",
        1234.5,
    )
    shorter = first(shipped, written(tmp_path / "s.parquet", rows, 3), docket, top=1)
    assert numbers(shorter) == {"mandatory": ["10"], "deadline": ["7"], "open": ["1"]}
    assert shorter.counts == {"mandatory": 3, "deadline": 3, "open": 2}


@pytest.mark.parametrize(
    ("outcome", "possible", "then", "deadline"),
    [
        ("eligible", None, "return_to_cure", "lost"),
        ("eligible_internal", None, "return_to_cure", "lost"),
        ("eligible", None, "mandatory_transfer", "becomes_mandatory"),
        ("stayed", None, "mandatory_transfer", "becomes_mandatory"),
        ("need_info", ["eligible", "stayed"], "mandatory_transfer", "becomes_mandatory"),
        ("return_to_cure", None, "not_eligible", "lost"),
        ("need_info", ["eligible", "eligible_internal"], "return_to_cure", "lost"),
        ("need_info", ["eligible", "return_to_cure"], "return_to_cure", None),
        ("eligible", None, "need_info", "uncertain"),
        ("eligible_internal", None, "need_info", None),
        ("return_to_cure", None, "eligible", None),
        ("stayed", None, "eligible", None),
        ("eligible", None, "unheard_of", None),
    ],
)
def test_only_a_change_to_the_worse_is_a_deadline(
    shipped: Rulebase, tmp_path: Path, outcome: str, possible: Any, then: str, deadline: Any
) -> None:
    more = {"possible": possible} if possible else {}
    rows = [row("1", outcome, **more, changes_on="2025-07-01", changes_to=then)]
    found = first(shipped, written(tmp_path / "r.parquet", rows))
    assert found.counts["deadline"] == (0 if deadline is None else 1)
    assert [c["deadline"] for c in found.first()["deadline"]] == [deadline] * (deadline is not None)


def test_the_first_of_many_batches_are_those_of_a_sort(shipped: Rulebase, tmp_path: Path) -> None:
    random = Random(3)
    rows, amounts = [], []
    for number in range(2000):
        day = f"2025-{random.randint(6, 9):02}-{random.randint(1, 28):02}"
        then = {"changes_on": day, "changes_to": "return_to_cure"} if number % 3 else {}
        outcome = random.choice(("eligible", "mandatory_transfer", "return_to_cure"))
        rows.append(row(str(number), outcome, **(then if outcome == "eligible" else {})))
        amounts.append(random.randint(1, 50))
    docket = tmp_path / "d.ndjson"
    cell = '{"case_no": "%s", "outstanding_amount_yuan": %d}'
    docket.write_text("\n".join(cell % pair for pair in enumerate(amounts)), "utf-8")
    found = numbers(first(shipped, written(tmp_path / "r.parquet", rows, 61), docket, top=25))

    def plain(cases: list[Entry]) -> list[str]:
        def key(entry: Entry) -> tuple[str, int, int]:
            number = int(entry["case_no"])
            return entry["changes_on"] or "9", -amounts[number], number

        return [entry["case_no"] for entry in sorted(cases, key=key)][:25]

    mandatory = [e for e in rows if e["outcome"] == "mandatory_transfer"]
    eligible = [e for e in rows if e["outcome"] == "eligible"]
    assert found["mandatory"] == plain(mandatory)
    assert found["deadline"] == plain([e for e in eligible if e["changes_on"]])
    assert found["open"] == plain([e for e in eligible if not e["changes_on"]])


@pytest.mark.parametrize("lines", [["1", "3"], ["1"], ["1", "2", "3"]])
def test_a_docket_of_other_cases_gives_no_amounts(
    shipped: Rulebase, tmp_path: Path, lines: list[str]
) -> None:
    docket = tmp_path / "d.csv"
    docket.write_text("\n".join(["执行案号,未执行到位标的额", *(f"{n},7" for n in lines)]), "utf-8")
    result = written(tmp_path / "r.parquet", [row("1"), row("2")])
    with pytest.raises(EligibilityError) as refused:
        first(shipped, result, docket)
    assert refused.value.code == "docket_differs"


# --- files that are none --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", b"case_no,outcome\n1,eligible\n", "not_a_result"),
        ("a.ndjson", b'{"case_no": "1"}\n', "not_a_result"),
        ("a.ndjson", b"{", "cannot_read"),
        ("a.parquet", b"PAR1", "cannot_read"),
        ("a.txt", b"", "unknown_suffix"),
    ],
)
def test_what_is_no_result_is_refused(
    shipped: Rulebase, tmp_path: Path, name: str, content: bytes, code: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(EligibilityError) as refused:
        counted(shipped, ResultFile(path))
    assert refused.value.code == code


@pytest.mark.parametrize("kind", ["parquet", "csv", "ndjson"])
def test_a_result_without_rows_is_one(shipped: Rulebase, tmp_path: Path, kind: str) -> None:
    assert counted(shipped, written(tmp_path / f"r.{kind}", []))["rows"] == 0
