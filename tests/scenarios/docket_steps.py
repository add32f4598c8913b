"""Steps about whole dockets: a table of cases as offices write it, screened as one."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, then, when

from eligibility.docket import registers, tables
from eligibility.docket.facts import DocketFacts
from eligibility.docket.screening import Screening
from scenarios.examination import Examination, Table, listed


@dataclass
class Docket:
    """The rows of a scenario's docket, and what was found of each."""

    folder: Path
    common: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, str]] = field(default_factory=list)
    debtors: Path | None = None
    found: list[dict[str, Any]] = field(default_factory=list)

    def screen(self, examination: Examination, complete: bool) -> None:
        """Writes the docket, reads it twice as the command does."""
        rulebase, day = examination.rulebase, examination.as_of
        assert day is not None
        path = write(self.folder / "案件表.csv", [self.common | row for row in self.rows])
        counts = registers.read_debtors(self.debtors, rulebase.vocabulary) if self.debtors else None
        profile = examination.profile
        facts = DocketFacts.gather(
            [path], rulebase, profile, day, complete=complete, debtors=counts
        )
        rows, extra = facts.fill_rows(list(tables.read_rows(path, rulebase.vocabulary, None)))
        screening = Screening(examination.decider, day, day, profile, False)
        entries = screening.screen(rows)
        self.found = [e | more for e, more in zip(entries, extra, strict=True)]

    def of(self, outcome: str) -> list[dict[str, Any]]:
        return [entry for entry in self.found if entry["outcome"] == outcome]


def write(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    headings = list(dict.fromkeys(word for row in rows for word in row))
    with path.open("w", encoding="gb18030", newline="") as file:
        writer = csv.DictWriter(file, headings)
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def docket(tmp_path: Path) -> Docket:
    return Docket(tmp_path)


@given("案件表中各案均记载:")
def said_of_all(docket: Docket, datatable: Table) -> None:
    docket.common.update((row[0], row[1]) for row in datatable)


@given(parsers.parse('案件表中有"{debtor}"的案件{count:d}件，轮流在"{courts}"'))
def cases_of(docket: Docket, debtor: str, count: int, courts: str) -> None:
    names = listed(courts)
    for number in range(count):
        made = {"执行案号": f"执{len(docket.rows) + 1}号", "现执行法院": names[number % len(names)]}
        docket.rows.append(made | {"被执行人标识": debtor})


@given(parsers.parse('其中前{count:d}件的"{word}"为"{value}"'))
def first_cases_say(docket: Docket, count: int, word: str, value: str) -> None:
    for row in docket.rows[:count]:
        row[word] = value


@given("全省被执行人统计表:")
def register_of_debtors(docket: Docket, datatable: Table) -> None:
    header, *rows = datatable
    made = [dict(zip(header, row, strict=True)) for row in rows]
    docket.debtors = write(docket.folder / "统计表.csv", made)


@when("成批筛查该案件表")
def screened(docket: Docket, examination: Examination) -> None:
    docket.screen(examination, complete=False)


@when("成批筛查该案件表，案件表是全省全部案件")
def screened_whole(docket: Docket, examination: Examination) -> None:
    docket.screen(examination, complete=True)


@then(parsers.parse('结论为"{label}"的有{count:d}件'))
def so_many(docket: Docket, examination: Examination, label: str, count: int) -> None:
    labels = [examination.decider.outcome_label(entry["outcome"]).zh for entry in docket.found]
    assert labels.count(label) == count, labels


@then(parsers.parse('规则"{rule}"在{count:d}件中起作用'))
def rule_effective_in(docket: Docket, rule: str, count: int) -> None:
    assert sum(rule in entry["effective_rules"] for entry in docket.found) == count


@then(parsers.parse('第{number:d}件还须查明"{word}"'))
def must_be_known(docket: Docket, examination: Examination, number: int, word: str) -> None:
    assert examination.fact(word).key in docket.found[number - 1]["unknown_facts"]


@then(parsers.parse('第{number:d}件的"{word}"补入为"{value}"'))
def put_in(docket: Docket, examination: Examination, number: int, word: str, value: str) -> None:
    expected = f"{examination.fact(word).key}{value}"
    assert expected in docket.found[number - 1]["facts_from_docket"]


@then(parsers.parse('第{number:d}件与案件表不一致的是"{said}"'))
def differs(docket: Docket, number: int, said: str) -> None:
    assert docket.found[number - 1]["differs_from_docket"] == [said]


@then(parsers.parse("第{number:d}件属于{cases:d}件的关联案件，涉及{courts:d}家法院"))
def in_a_chain(docket: Docket, number: int, cases: int, courts: int) -> None:
    entry = docket.found[number - 1]
    assert (entry["chain_cases"], entry["chain_courts"]) == (cases, courts)
