"""Periods of supervision: a month, a quarter, a year, or a span of whole months.

Courts report by quarter; the sources also give totals such as 2023年至2025年9月, so that any
span of whole months is a period. One period has one text:

    >>> str(parse_period("2025Q1").last), str(parse_period("2025-01/2025-03"))
    ('2025-03-31', '2025Q1')
"""

from __future__ import annotations

import re
import unicodedata
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from typing import Any

from eligibility.errors import FactsError, Problem, Text
from eligibility.vocabulary.values import FIRST_DAY, LAST_DAY

FORMS = ("2025", "2025Q1", "2025-03", "2023-01/2025-09")
_YEAR = re.compile(r"([0-9]{4})")
_QUARTER = re.compile(r"([0-9]{4})Q([1-4])")
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_SPAN = re.compile(r"([0-9]{4}-[0-9]{2})/([0-9]{4}-[0-9]{2})")
_YEARS = "(1949|19[5-9][0-9]|2[01][0-9]{2})"
_MONTHS = "(0[1-9]|1[0-2])"
# What no text of a period can fail to match; the span must also not end before it begins.
PATTERN = f"^{_YEARS}(Q[1-4]|-{_MONTHS}(/{_YEARS}-{_MONTHS})?)?$"
_KINDS = {1: "month", 3: "quarter", 12: "year"}
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Period:
    """Whole months from ``first`` to ``last``, both included.

    Raises :class:`FactsError` (``bad_period``) for days that do not bound whole months.
    """

    first: date
    last: date

    def __post_init__(self) -> None:
        whole = self.first.day == 1 and self.last.day == monthrange(*_month(self.last))[1]
        if not whole or self.first > self.last:
            raise FactsError(_bad(f"{self.first}–{self.last}", None))

    @property
    def months(self) -> int:
        return 12 * (self.last.year - self.first.year) + self.last.month - self.first.month + 1

    @property
    def kind(self) -> str:
        """``month``, ``quarter``, ``year`` (as rules name them), else ``span``."""
        aligned = (self.first.month - 1) % self.months == 0
        return _KINDS.get(self.months, "span") if aligned else "span"

    @property
    def quarter(self) -> int:
        """The quarter in which the period begins, from 1."""
        return (self.first.month + 2) // 3

    def __str__(self) -> str:
        """The text that :func:`parse_period` reads."""
        match self.kind:
            case "year":
                return f"{self.first:%Y}"
            case "quarter":
                return f"{self.first:%Y}Q{self.quarter}"
            case "month":
                return f"{self.first:%Y-%m}"
        return f"{self.first:%Y-%m}/{self.last:%Y-%m}"

    @property
    def label(self) -> Text:
        """The period for people: 2025年第1季度."""
        year, month = _month(self.first)
        match self.kind:
            case "year":
                return Text(f"{year}年", f"{year}")
            case "quarter":
                return Text(f"{year}年第{self.quarter}季度", f"Q{self.quarter} {year}")
            case "month":
                return Text(f"{year}年{month}月", f"{self.first:%Y-%m}")
        until = f"{self.last.year}年{self.last.month}月"
        return Text(f"{year}年{month}月至{until}", f"{self.first:%Y-%m} to {self.last:%Y-%m}")

    def covers(self, day: date) -> bool:
        return self.first <= day <= self.last


def parse_period(text: Any, place: str = "period") -> Period:
    """The period that a text names, in one of :data:`FORMS`.

    Raises :class:`FactsError` (``bad_period``) at ``place``; nothing is guessed, but a
    slip such as ``2025-q1`` is told.
    """
    found = _read(text) if isinstance(text, str) else None
    if found is None:
        raise FactsError(_bad(text, _hint(text), place))
    return found


def _read(text: str) -> Period | None:
    if match := _YEAR.fullmatch(text):
        return _between(int(match[1]), 1, int(match[1]), 12)
    if match := _QUARTER.fullmatch(text):
        last = 3 * int(match[2])
        return _between(int(match[1]), last - 2, int(match[1]), last)
    if match := _MONTH.fullmatch(text):
        return _between(int(match[1]), int(match[2]), int(match[1]), int(match[2]))
    if match := _SPAN.fullmatch(text):
        start, end = _MONTH.fullmatch(match[1]), _MONTH.fullmatch(match[2])
        if start and end and match[1] <= match[2]:
            return _between(int(start[1]), int(start[2]), int(end[1]), int(end[2]))
    return None


def _between(year: int, month: int, last_year: int, last_month: int) -> Period | None:
    if not (FIRST_DAY.year <= year and last_year <= LAST_DAY.year):
        return None
    last = date(last_year, last_month, monthrange(last_year, last_month)[1])
    return Period(date(year, month, 1), last)


def _month(day: date) -> tuple[int, int]:
    return day.year, day.month


def _hint(text: Any) -> Text | None:
    """What was meant, where only width, case, spaces, a hyphen before Q or quotes are amiss."""
    if type(text) is int and _read(str(text)):  # `period: 2025` in YAML
        return Text(f'加引号，写作 "{text}"', f'put it in quotation marks: "{text}"')
    if not isinstance(text, str) or len(text) > _SHOWN:
        return None
    plain = unicodedata.normalize("NFKC", text).upper()
    meant = _read(re.sub(r"\s", "", plain).replace("-Q", "Q"))
    return None if meant is None else Text(f"是否想写“{meant}”？", f"did you mean '{meant}'?")


def _bad(text: Any, hint: Text | None, place: str = "period") -> Problem:
    shown = str(text)[:_SHOWN].encode("utf-8", "backslashreplace").decode()
    years = f"{FIRST_DAY.year}–{LAST_DAY.year}"
    message = Text(
        f"“{shown}”不是期间：写年、季度、月，或起止月份（{years}）",
        f"'{shown}' is not a period: a year, a quarter, a month or a span of months ({years})",
    )
    return Problem("bad_period", message, place, "", hint, FORMS)
