"""A docket to fill in as a workbook: a column a fact, with what may stand in it and who holds it.

Three sheets: the docket, the explanations with the English keys, the values to choose from.
Saved as CSV (UTF-8 or GB18030) the first sheet is a docket as ``screen`` reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import xlsxwriter

from eligibility.vocabulary.model import CASE, Fact, RecordKind, Type, Vocabulary
from eligibility.vocabulary.values import FIRST_DAY, LAST_DAY

ROWS = 5_000  # that the checks of the sheet cover
DOCKET, EXPLAINED, CHOICES = "案件表", "填写说明", "可选值"
TRUTHS = ("是", "否")
_COLUMNS = (
    ("列名", 26),
    ("英文键 key", 30),
    ("English", 34),
    ("填写方式 how to fill", 30),
    ("可选值 values", 46),
    ("记载于 held by", 28),
    ("说明 note", 46),
)
_GUIDE = (
    "每行一案。空格子表示未知，不当作“否”或 0；“无”表示已知从未发生；“空”表示已知没有。",
    "填好后把“案件表”另存为 CSV，再用 eligibility screen 筛查。",
    "One case a row. An empty cell is unknown, never false and never zero; 无: it never happened.",
    "空: known to be none. Save the first sheet as CSV and screen it.",
)
_HOW = {
    Type.BOOL: ("是 / 否", "是 or 否"),
    Type.INT: ("整数", "a whole number"),
    Type.MONEY: ("金额，元", "an amount in yuan"),
    Type.DECIMAL: ("数字", "a number"),
    Type.DATE: ("日期", "a date"),
    Type.ENUM: ("从可选值中选一", "one of the values"),
    Type.SET: ("从可选值中选，以“、”隔开", "some of the values, joined by 、"),
    Type.TEXT: ("文字", "a text"),
    Type.RECORDS: ("JSON 列表", "a JSON list"),
}
Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: a fact, or the list of the records of a kind. ``single``: the fact belongs
    to a record and stands here for a case with only one of them."""

    heading: str
    key: str
    english: str
    fact: Fact | None = None
    single: RecordKind | None = None

    @property
    def how(self) -> tuple[str, str]:
        """How to fill it, in both languages."""
        if self.fact is None:
            return "多条记录：JSON 列表", "several records: a JSON list"
        zh, en = _HOW[self.fact.type]
        if self.fact.many:
            zh, en = "以“、”隔开", "joined by 、"
        if self.fact.can_be_none:
            zh, en = f"{zh}，或“无”", f"{en}, or 无"
        if self.single is not None:
            zh = f"{zh}（仅有一项{self.single.label.zh}时）"
            en = f"{en} (where there is one {self.single.label.en})"
        return zh, en


def columns(vocabulary: Vocabulary, lang: str = "zh", single: bool = False) -> Iterator[Column]:
    """The columns of a docket: facts of the case, those of its one record of a kind where
    ``single`` is wished, then the lists of records."""
    made = vocabulary.payload_scopes()
    for scope in made if single else (CASE,):
        for fact in vocabulary.of_scope(scope):
            if fact.type is not Type.RECORDS and fact.derive is None:
                word = fact.key if lang == "en" else fact.label.zh
                kind = None if scope == CASE else vocabulary.records[scope]
                yield Column(word, fact.key, fact.label.en, fact, kind)
    for kind in vocabulary.records.values():
        if kind.name in made or kind.fields:
            named = vocabulary.named(kind.label.zh)  # the label of a list may be that of a fact
            plain = lang != "en" and (named is None or named.type is Type.RECORDS)
            word = kind.label.zh if plain else kind.list_key
            yield Column(word, kind.list_key, kind.label.en)


def workbook(vocabulary: Vocabulary) -> bytes:
    """The workbook, as the bytes of an ``.xlsx`` file."""
    raw = BytesIO()
    with xlsxwriter.Workbook(raw, {"in_memory": True}) as book:
        _Template(book, list(columns(vocabulary, single=True))).write()
    return raw.getvalue()


class _Template:
    def __init__(self, book: Any, made: list[Column]) -> None:
        self.book, self.columns = book, made
        self.chosen = 0
        self.docket, self.explained, self.choices = (
            book.add_worksheet(name) for name in (DOCKET, EXPLAINED, CHOICES)
        )
        font = {"font_name": "Microsoft YaHei", "font_size": 10, "valign": "top"}
        self.head = book.add_format(
            font | {"bold": True, "bg_color": "#1F5FA8", "font_color": "#FFFFFF", "border": 1}
        )
        self.head.set_text_wrap()
        self.plain = book.add_format(font | {"text_wrap": True})
        self.formats = {
            Type.DATE: book.add_format(font | {"num_format": "yyyy-mm-dd"}),
            Type.MONEY: book.add_format(font | {"num_format": "#,##0.00"}),
            Type.INT: book.add_format(font | {"num_format": "0"}),
            Type.TEXT: book.add_format(font | {"num_format": "@"}),
        }

    def write(self) -> None:
        self._explain()
        for number, column in enumerate(self.columns):
            self._column(number, column)
        self.docket.set_row(0, 34)
        self.docket.freeze_panes(1, 2)
        self.docket.activate()
        self.book.set_properties({"title": DOCKET, "comments": " ".join(_GUIDE)})

    def _column(self, number: int, column: Column) -> None:
        fact = column.fact
        form = self.formats.get(fact.type, self.plain) if fact else self.plain
        self.docket.set_column(number, number, max(12, 2.1 * len(column.heading)), form)
        self.docket.write_string(0, number, column.heading, self.head)
        self.docket.write_comment(0, number, _comment(column), {"x_scale": 2.2, "y_scale": 1.6})
        check = self._check(number, fact) if fact else None
        if check is not None:
            self.docket.data_validation(1, number, ROWS, number, check | _refusal(column))

    def _check(self, number: int, fact: Fact) -> Entry | None:
        """What the sheet refuses; what a list of several values holds it cannot check."""
        if fact.many or fact.type is Type.SET:
            return None
        if fact.type is Type.BOOL:
            return {"validate": "list", "source": list(TRUTHS)}
        if fact.type is Type.ENUM:
            return {"validate": "list", "source": self._choices(fact)}
        if fact.type is Type.DATE:
            return _days(number, fact)
        if fact.type in (Type.INT, Type.MONEY, Type.DECIMAL):
            low, high = fact.minimum or 0, fact.maximum
            kind = "integer" if fact.type is Type.INT else "decimal"
            if high is None:
                return {"validate": kind, "criteria": ">=", "value": low}
            return {"validate": kind, "criteria": "between", "minimum": low, "maximum": high}
        return None

    def _choices(self, fact: Fact) -> str:
        """The values of a fact in the sheet of choices, under its name; where they stand."""
        number, self.chosen = self.chosen, self.chosen + 1
        self.choices.write_string(0, number, fact.label.zh, self.head)
        labels = [label.zh for label in fact.values.values()]
        self.choices.set_column(number, number, max(2.1 * len(x) for x in [fact.label.zh, *labels]))
        for row, label in enumerate(labels, 1):
            self.choices.write_string(row, number, label, self.plain)
        name = _letters(number)
        return f"='{CHOICES}'!${name}$2:${name}${len(labels) + 1}"

    def _explain(self) -> None:
        sheet = self.explained
        for row, text in enumerate(_GUIDE):
            sheet.merge_range(row, 0, row, len(_COLUMNS) - 1, text, self.plain)
            sheet.set_row(row, 18)
        top = len(_GUIDE)
        for number, (heading, width) in enumerate(_COLUMNS):
            sheet.set_column(number, number, width, self.plain)
            sheet.write_string(top, number, heading, self.head)
        for row, column in enumerate(self.columns, top + 1):
            fact = column.fact
            values = fact.values.items() if fact else ()
            cells = (
                column.heading,
                column.key,
                column.english,
                " / ".join(column.how),
                "；".join(f"{label.zh} = {key}" for key, label in values),
                fact.held_by.zh if fact else "",
                fact.note.zh if fact else "",
            )
            for number, text in enumerate(cells):
                sheet.write_string(row, number, text, self.plain)
        sheet.freeze_panes(top + 1, 1)


def _comment(column: Column) -> str:
    fact = column.fact
    zh, en = column.how
    lines = [f"{column.heading}（{column.key}）", f"{zh} / {en}"]
    if fact is not None and fact.held_by.zh:
        lines.append(f"记载于：{fact.held_by.zh}")
    if fact is not None and fact.type is Type.SET:
        lines.append("可选：" + "、".join(label.zh for label in fact.values.values()))
    if fact is not None and fact.note.zh:
        lines.append(fact.note.zh)
    return "\n".join(lines)


def _refusal(column: Column) -> Entry:
    """What the sheet says to a value that does not fit (a title has 32 characters at most)."""
    zh, en = column.how
    return {
        "ignore_blank": True,
        "error_title": column.heading[:30],
        "error_message": f"应填：{zh}。不知道就留空。\n{en}"[:250],
    }


def _days(number: int, fact: Fact) -> Entry:
    """A day that a case may have, or 无 where the event may be known not to have happened."""
    if not fact.can_be_none:
        days = {"minimum": FIRST_DAY, "maximum": LAST_DAY}
        return {"validate": "date", "criteria": "between", **days}
    cell = f"{_letters(number)}2"
    first, last = (f"DATE({d.year},{d.month},{d.day})" for d in (FIRST_DAY, LAST_DAY))
    day = f"IF(ISNUMBER({cell}),AND({cell}>={first},{cell}<={last}),FALSE)"
    return {"validate": "custom", "value": f'=OR({cell}="无",{day})'}


def _letters(number: int) -> str:
    """The name of a column of a sheet: A, …, Z, AA, …"""
    out = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        out = chr(ord("A") + rest) + out
    return out
