"""Steps about two screenings of one docket: what differs, and because of which rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pytest_bdd import given, parsers, then, when

from eligibility.docket.differences import compare
from eligibility.docket.files import cell_value
from eligibility.docket.result_file import ResultFile
from eligibility.docket.results import Row
from eligibility.docket.screening import Screening
from eligibility.docket.tables import result_schema, write_rows
from scenarios.examination import ORDINARY, Examination, Table, listed

KINDS = {
    "新增案件": "new",
    "不再出现": "gone",
    "变为不能审查": "now_rejected",
    "恢复可以审查": "now_judged",
    "已补正": "cured",
    "结论改变": "outcome_changed",
    "结论未变，理由改变": "reasons_changed",
}


@dataclass
class Nights:
    """The dockets of two nights, and how their results differ."""

    folder: Path
    dockets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    counted: dict[str, Any] = field(default_factory=dict)
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)

    def case(self, number: str) -> dict[str, Any]:
        assert number in self.cases, f"{number} 没有被列为有差别：{list(self.cases)}"
        return self.cases[number]


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


@given(parsers.parse("{night}的案件表:"))
def docket_of(nights: Nights, examination: Examination, night: str, datatable: Table) -> None:
    """Ordinary cases of 盐都法院, with what the table says of each; an empty cell is unknown."""
    head, *rows = datatable
    facts = [examination.fact(word) for word in head]
    made = []
    for row in rows:
        case: dict[str, Any] = {**ORDINARY, "court_id": "盐都法院"}
        for fact, text in zip(facts, row, strict=True):
            case.pop(fact.key, None)
            if text:
                case[fact.key] = cell_value(fact, text)
        made.append(case)
    nights.dockets[night] = made


@when(parsers.parse('"{day}"筛查上次的案件表，"{then_day}"筛查本次的案件表，两相比较'))
def screened_twice(nights: Nights, examination: Examination, day: str, then_day: str) -> None:
    files = []
    for night, when_ in (("上次", day), ("本次", then_day)):
        as_of = date.fromisoformat(when_)
        screening = Screening(examination.decider, as_of, as_of, examination.profile, False)
        rows = [Row(f"{night}:{n}", case) for n, case in enumerate(nights.dockets[night], 1)]
        path = nights.folder / f"{night}.parquet"
        write_rows(path, ".parquet", [list(screening.screen(rows))], result_schema())
        files.append(ResultFile(path))

    def keep(table: pa.Table) -> None:
        nights.cases.update({case["case_no"]: case for case in table.to_pylist()})

    nights.counted = compare(files[0], files[1], examination.rulebase, keep)


@then(parsers.parse('"{number}"{kind}，结论由"{was}"变为"{now}"'))
def changed_from_to(
    nights: Nights, examination: Examination, number: str, kind: str, was: str, now: str
) -> None:
    case = nights.case(number)
    said = [examination.decider.outcome_label(case[k]).zh for k in ("outcome_before", "outcome")]
    assert (case["kind"], *said) == (KINDS[kind], was, now)


@then(parsers.parse('"{number}"为{kind}，结论为"{now}"'))
def is_of_kind(nights: Nights, examination: Examination, number: str, kind: str, now: str) -> None:
    case = nights.case(number)
    assert case["kind"] == KINDS[kind]
    assert examination.decider.outcome_label(case["outcome"]).zh == now


@then(parsers.parse('"{number}"为{kind}，原因为"{error}"'))
def is_rejected(nights: Nights, number: str, kind: str, error: str) -> None:
    case = nights.case(number)
    assert case["kind"] == KINDS[kind]
    assert error in case["error"]


@then(parsers.parse('"{number}"不再出现，上次的结论为"{was}"'))
def is_gone(nights: Nights, examination: Examination, number: str, was: str) -> None:
    case = nights.case(number)
    assert case["kind"] == "gone"
    assert examination.decider.outcome_label(case["outcome_before"]).zh == was


@then(parsers.parse('"{number}"不再起作用的规则恰为"{rules}"'))
def rules_ceased(nights: Nights, number: str, rules: str) -> None:
    assert nights.case(number)["rules_ceased"] == listed(rules)


@then(parsers.parse('"{number}"开始起作用的规则恰为"{rules}"'))
def rules_began(nights: Nights, number: str, rules: str) -> None:
    assert nights.case(number)["rules_began"] == listed(rules)


@then(parsers.parse('"{number}"没有开始起作用的规则'))
def no_rules_began(nights: Nights, number: str) -> None:
    assert nights.case(number)["rules_began"] == []


@then(parsers.parse('"{number}"不再待查的事实包括"{labels}"'))
def facts_known(nights: Nights, examination: Examination, number: str, labels: str) -> None:
    keys = {examination.fact(label).key for label in listed(labels)}
    found = {path.rsplit(".", 1)[-1] for path in nights.case(number)["facts_no_longer_open"]}
    assert keys <= found


@then(parsers.parse('"{number}"没有变化'))
def unchanged(nights: Nights, number: str) -> None:
    assert number not in nights.cases


@then(parsers.parse('"{number}"案号重复，不作对照'))
def not_compared(nights: Nights, number: str) -> None:
    assert number not in nights.cases
    assert number in [one["case_no"] for one in nights.counted["duplicates"]["first"]]
