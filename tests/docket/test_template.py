"""The docket to fill in as a workbook, read back from its parts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest

from cli.conftest import Run
from cli.conftest import fixture_cli as fixture_cli
from eligibility.docket.template import columns
from eligibility.rulefiles import load_rules
from eligibility.vocabulary.model import Type

VOCABULARY = load_rules().vocabulary
SPACE = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


class Workbook:
    """What a workbook says, by the names of its parts."""

    def __init__(self, path: Path) -> None:
        with ZipFile(path) as parts:
            self.parts = {
                name: ElementTree.fromstring(parts.read(name))
                for name in parts.namelist()
                if name.endswith((".xml", ".rels"))
            }
        items = self.parts["xl/sharedStrings.xml"].findall("x:si", SPACE)
        self.strings = ["".join(t.itertext()) for t in items]

    def cells(self, sheet: int) -> dict[str, str]:
        found = self.parts[f"xl/worksheets/sheet{sheet}.xml"].iterfind(".//x:c[@t='s']", SPACE)
        return {c.attrib["r"]: self.strings[int(c.findtext("x:v", "", SPACE))] for c in found}

    def row(self, sheet: int, number: int) -> list[str]:
        return [t for at, t in self.cells(sheet).items() if re.sub("[A-Z]", "", at) == str(number)]

    def checks(self) -> dict[str, ElementTree.Element]:
        """The checks of the docket by the letters of their column."""
        sheet = self.parts["xl/worksheets/sheet1.xml"]
        found = sheet.iterfind(".//x:dataValidation", SPACE)
        return {re.sub("[^A-Z]", "", c.attrib["sqref"].split(":")[0]): c for c in found}

    def comments(self) -> dict[str, str]:
        found = self.parts["xl/comments1.xml"].iterfind(".//x:comment", SPACE)
        return {c.attrib["ref"]: "".join(c.itertext()) for c in found}


@pytest.fixture(name="made")
def fixture_made(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbook:
    monkeypatch.delenv("ELIGIBILITY_RULES")
    path = tmp_path / "docket.xlsx"
    ran = cli("facts", "--template", "xlsx", "-o", str(path))
    assert (ran.code, ran.out) == (0, f"{path}\n")
    return Workbook(path)


def place(made: Workbook, heading: str) -> str:
    """The letters of a column."""
    (found,) = [at for at, text in made.cells(1).items() if text == heading]
    return found.removesuffix("1")


def formulas(check: ElementTree.Element) -> Iterator[str]:
    for name in ("formula1", "formula2"):
        text = check.findtext(f"x:{name}", None, SPACE)
        if text is not None:
            yield text


def test_every_heading_is_a_fact_or_a_list_and_is_explained(made: Workbook) -> None:
    headings = made.row(1, 1)
    assert headings[:2] == ["执行案号", "现执行法院"]
    assert {"和解状态", "查封顺位", "财产", "扣除期间记录"} <= set(headings)
    assert len(headings) == len(set(headings))
    lists = {kind.label.zh for kind in VOCABULARY.records.values()}
    assert all(VOCABULARY.named(word) or word in lists for word in headings)
    explained = made.cells(2)
    assert [explained[f"A{row}"] for row in range(6, 6 + len(headings))] == headings
    keys = [explained[f"B{row}"] for row in range(6, 6 + len(headings))]
    assert keys == [column.key for column in columns(VOCABULARY, single=True)]


def test_enums_and_truths_are_chosen_from_lists(made: Workbook) -> None:
    checks, choices = made.checks(), made.cells(3)
    (truths,) = formulas(checks[place(made, "给付内容明确")])
    assert truths == '"是,否"'
    for fact in VOCABULARY.of_scope("case"):
        if fact.type is not Type.ENUM or fact.derive:
            continue
        (where,) = formulas(checks[place(made, fact.label.zh)])
        found = re.fullmatch(r"'可选值'!\$([A-Z]+)\$2:\$\1\$(\d+)", where)
        assert found is not None, where
        column, last = found[1], int(found[2])
        assert choices[f"{column}1"] == fact.label.zh
        listed = [choices[f"{column}{row}"] for row in range(2, last + 1)]
        assert listed == [label.zh for label in fact.values.values()]
        assert f"{column}{last + 1}" not in choices


def test_days_and_amounts_are_checked_as_the_reader_checks_them(made: Workbook) -> None:
    checks = made.checks()
    day, event, amount = (
        checks[place(made, word)] for word in ("执行立案日期", "内部交叉日期", "未执行到位标的额")
    )
    assert day.attrib["type"] == "date"
    assert list(formulas(day)) == ["18172", "109574"]  # 1949-10-01 and 2199-12-31
    assert event.attrib["type"] == "custom"
    assert '="无"' in next(formulas(event))
    assert (amount.attrib["type"], list(formulas(amount))) == ("decimal", ["0", "1000000000000"])
    assert place(made, "障碍类型") not in checks  # several values in a cell


def test_the_header_stays_and_says_who_holds_each_fact(made: Workbook) -> None:
    pane = made.parts["xl/worksheets/sheet1.xml"].find(".//x:pane", SPACE)
    assert pane is not None
    assert (pane.attrib["ySplit"], pane.attrib["state"]) == ("1", "frozen")
    comments = made.comments()
    assert len(comments) == len(made.row(1, 1))
    for fact in VOCABULARY.of_scope("case"):
        if fact.type is not Type.RECORDS and not fact.derive and fact.held_by.zh:
            assert f"记载于：{fact.held_by.zh}" in comments[f"{place(made, fact.label.zh)}1"]
    styles = made.parts["xl/styles.xml"].iterfind(".//x:numFmt", SPACE)
    assert "yyyy-mm-dd" in {style.attrib["formatCode"] for style in styles}


@pytest.mark.parametrize(
    "arguments", [("--template", "xlsx"), ("--template", "ods"), ("-o", "x"), ("--template",)]
)
def test_what_is_not_asked_rightly_is_refused(cli: Run, arguments: tuple[str, ...]) -> None:
    assert (ran := cli("facts", *arguments)).code == 2
    assert ran.out == ""
