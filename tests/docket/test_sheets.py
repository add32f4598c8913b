"""CSV read as columns says of every row what the row-wise reader says of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from docket.plain import Spoiler
from eligibility.decision.decide import Decider
from eligibility.docket import sheets, tables
from eligibility.docket.batches import beside, screened
from eligibility.docket.facts import EXTRA, DocketFacts
from eligibility.docket.mentions import Words, mentions_of_payloads
from eligibility.docket.references import whole_file
from eligibility.docket.results import result_schema
from eligibility.docket.screening import Screening
from eligibility.docket.sheets import read_blocks
from eligibility.rulefiles import load_rules
from eligibility.vocabulary.model import Vocabulary

AS_OF = date(2025, 6, 1)
EXPORT = Path(__file__).resolve().parents[2] / "examples" / "dockets" / "spreadsheet-export.csv"
Cells = list[list[str]]


@pytest.fixture(name="screening", scope="module")
def fixture_screening() -> Iterator[Screening]:
    decider = Decider(load_rules())
    yield Screening(decider, AS_OF, AS_OF, None, False)
    decider.close()


# --- against the row-wise reader ------------------------------------------------------------------


def by_rows(
    screening: Screening, path: Path, column: str | None, complete: bool | None
) -> list[dict[str, Any]]:
    """The results of rows read one by one; with the facts of the docket unless None."""
    base = screening.decider.rulebase
    rows = list(tables.read_rows(path, base.vocabulary, column))
    if complete is None:
        return screening.screen_rows(rows).to_pylist() if rows else []
    said = mentions_of_payloads([row.payload for row in rows], Words.of(base.vocabulary))
    facts = DocketFacts.of_mentions([said], base, None, AS_OF, complete=complete)
    filled, more = facts.fill_rows(rows)
    found = screening.screen_rows(filled)
    extra = pa.RecordBatch.from_pylist(more, EXTRA)
    out: list[dict[str, Any]] = beside(found, extra).to_pylist()
    return out


def by_columns(
    screening: Screening, path: Path, column: str | None, complete: bool | None
) -> list[dict[str, Any]]:
    facts = None
    if complete is not None:
        base = screening.decider.rulebase
        facts = DocketFacts.gather([path], base, None, AS_OF, complete=complete)
    found = screened(screening, whole_file(path), column, facts)
    return [entry for part in found for entry in beside(part.batch, part.more).to_pylist()]


def same(screening: Screening, path: Path, column: str | None = None) -> list[dict[str, Any]]:
    """Asserts that both ways agree; the results."""
    out: list[dict[str, Any]] = []
    for complete in (None, True):
        out = by_rows(screening, path, column, complete)
        assert by_columns(screening, path, column, complete) == out
    lines = [
        row.place for row in tables.read_rows(path, screening.decider.rulebase.vocabulary, None)
    ]
    blocks = read_blocks(path, screening.decider.rulebase.vocabulary)
    assert [f"{path}:{line}" for block in blocks for line in block.lines] == lines
    return out


def share_hard(path: Path, vocabulary: Vocabulary) -> float:
    blocks = list(read_blocks(path, vocabulary))
    rows = sum(len(block.hard) for block in blocks)
    return sum(int(block.hard.sum()) for block in blocks) / max(rows, 1)


# --- hostile tables -------------------------------------------------------------------------------


class Spreadsheet:
    """Writes cases as people and programs write them, some cells wrongly."""

    def __init__(self, random: Random, spoiler: Spoiler) -> None:
        self.random, self.spoiler = random, spoiler
        self.vocabulary = spoiler.vocabulary

    def write(self, path: Path, count: int) -> None:
        random = self.random
        names = [*self.spoiler.schema.names]
        random.shuffle(names)
        cases = tables.csv_cases([*map(writable, self.spoiler.payloads(count))], names)
        rows = [[self.cell(name, str(case[name])) for name in names] for case in cases]
        table = [[self.heading(name) for name in names], *rows]
        if random.random() < 0.3:
            table[0].append(random.choice(("", "没有这个事实", " ")))
            for row in table[1:]:
                row.append(random.choice(("",) * 9 + ("x",)))
        self.ragged(table)
        text = self.text(table)
        encoding = random.choice(("utf-8", "utf-8-sig", "gb18030"))
        path.write_bytes(text.encode(encoding, "replace"))

    def heading(self, name: str) -> str:
        fact = self.vocabulary.facts.get(name)
        if fact is None or self.random.random() < 0.5:
            return name
        wide = fact.label.zh.translate(str.maketrans("()", "（）"))
        return self.random.choice((fact.label.zh, wide, f" {fact.label.zh} "))

    def cell(self, name: str, text: str) -> str:
        random = self.random
        if random.random() > 0.15 or not text:
            return text
        forms: list[Callable[[str], str]] = [
            lambda t: f"  {t}\u3000",
            lambda t: self.random.choice(
                ("无", "空", "[", "[]", "[{}]", "x", "0", "-1", "1.5", "是", "TRUE", " ", "，")
            ),
            lambda t: f"{t}\n{t}" if self.random.random() < 0.2 else t,
            lambda t: f'{t}"{t}' if self.random.random() < 0.2 else t,
            lambda t: t.translate(str.maketrans("0123456789-", "０１２３４５６７８９－")),
            self.day,
            self.number,
            self.json,
        ]
        return random.choice(forms)(text)

    def day(self, text: str) -> str:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            return text
        serial = str((day - date(1899, 12, 30)).days)
        odd = (day + timedelta(days=9000)).isoformat()
        written = (f"{day.year}/{day.month}/{day.day}", f"{day.year}年{day.month}月{day.day}日")
        return self.random.choice((*written, serial, odd, f"{written[0]} 0:00"))

    def number(self, text: str) -> str:
        if not text.isdigit():
            return text
        many = "9" * 17
        return self.random.choice(
            (
                f"{int(text):,}",
                f"{text}.00",
                f"{text}.005",
                f"{text}.3333",
                many,
                f"+{text}",
                f"1,{text}",
            )
        )

    def json(self, text: str) -> str:
        if not text.startswith("["):
            return text
        forms = (
            text[:-1],
            text + "]",
            text.replace("}", ', "x": 1}'),
            text.replace("{", '{"x": 1e5, ', 1),
            text.replace('"', "'"),
            text.replace(", ", " , "),
            text.replace("[{", "[null, {"),
            text[:-1] + '], "x": []}\n{"x": [' + text[1:],
            text.replace(": ", ":\n "),
            text.replace("true", "1"),
            json.dumps(json.loads(text)) if "NaN" not in text and "Inf" not in text else text,
        )
        return self.random.choice(forms)

    def ragged(self, table: Cells) -> None:
        for row in table[1:]:
            chance = self.random.random()
            if chance < 0.05:
                while row and not row[-1]:
                    row.pop()
            elif chance < 0.08:
                row += ["", ""]
            elif chance < 0.1:
                row += ["", "x"]
            elif chance < 0.12:
                row[:] = [""] * self.random.choice((0, 1, len(row)))

    def text(self, table: Cells) -> str:
        out = io.StringIO(newline="")
        end = self.random.choice(("\r\n", "\n"))
        if self.random.random() < 0.5:
            csv.writer(out, lineterminator=end).writerows(table)
        else:
            csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(table)
        text = out.getvalue()
        chance = self.random.random()
        if chance < 0.1:  # a quote where none should be, somewhere
            at = self.random.randrange(len(text) // 2, len(text))
            text = text[:at] + '"' + text[at:]
        elif chance < 0.15:
            at = self.random.randrange(len(text) // 2, len(text))
            text = text[:at] + "\r" + text[at:]
        return text.removesuffix(end) if self.random.random() < 0.3 else text


def writable(case: dict[str, Any]) -> dict[str, Any]:
    """Without nulls in lists, for which a table has no writing."""
    return {
        key: [v for v in value if v is not None] if isinstance(value, list) else value
        for key, value in case.items()
    }


@pytest.mark.parametrize("seed", range(12))
def test_hostile_tables_are_read_alike(
    screening: Screening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    random = Random(seed)
    monkeypatch.setattr(sheets, "CHUNK", random.choice((500, 5_000, 40_000)))
    monkeypatch.setattr(sheets, "FEW", random.choice((1, 32)))
    spoiler = Spoiler(screening.decider.rulebase, random, AS_OF, random.choice((0.1, 0.6)))
    path = tmp_path / "d.csv"
    Spreadsheet(random, spoiler).write(path, 40)
    same(screening, path)


def test_an_ordinary_table_is_read_as_columns(screening: Screening, tmp_path: Path) -> None:
    """So that the tests above do not pass because every row is hard."""
    base = screening.decider.rulebase
    spoiler = Spoiler(base, Random(1), AS_OF, 0)
    path = tmp_path / "d.csv"
    batch = tables.csv_cases(spoiler.payloads(300), spoiler.schema.names)
    tables.write_rows(path, ".csv", [batch])
    assert share_hard(path, base.vocabulary) == 0
    assert all(entry["error"] is None for entry in same(screening, path))
    assert share_hard(EXPORT, base.vocabulary) <= 1 / 8


def test_the_spreadsheet_is_read_alike(screening: Screening) -> None:
    assert len(same(screening, EXPORT)) == 8


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("执行案号\n1\n\n2", [2, 4]),
        ("执行案号,是否涉众\n1\n2,\n,\n\n3,是,,\n4,,,x\n", [2, 3, 6, 7]),
        ('执行案号\n"a\nb"\n"c"\n', [3, 4]),
        ('执行案号\n"a""b"\n""""\n', [2, 3]),
        ('执行案号\na"b"\n"c"d\n"e', [2, 3, 4]),
        ("执行案号\r1\r2\r", [2, 3]),
        ("执行案号\n1\n" + "x" * 140_000 + "\n2\n", [2, 3]),
        ("执行案号\na\u2028b,c\n", [2]),
        ("执行案号", []),
    ],
)
def test_rows_end_where_they_end_row_by_row(
    screening: Screening, tmp_path: Path, text: str, lines: list[int]
) -> None:
    path = tmp_path / "d.csv"
    path.write_text(text, "utf-8", newline="")
    same(screening, path)
    blocks = read_blocks(path, screening.decider.rulebase.vocabulary)
    assert [int(line) for block in blocks for line in block.lines] == lines


def test_the_column_of_profiles_is_read_alike(screening: Screening, tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("执行案号,which\n1,sc\n2,\n3,nowhere\n4,[]\n5,空\n", "utf-8")
    found = same(screening, path, "which")
    assert "nowhere" in found[2]["error"]
    assert set(found[0]) > set(result_schema().names)
