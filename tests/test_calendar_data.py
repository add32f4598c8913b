"""The holiday table that ships is the one the library gives, and another library agrees."""

from __future__ import annotations

from pathlib import Path

import chinese_calendar
import pytest

from eligibility.calendar_data import days_of, last_official_year, write_calendar
from eligibility.rulefiles import load_rules, shipped

SHIPPED = sorted((shipped("rules") / "calendar").glob("*.yaml"))


def test_every_official_year_since_2010_is_shipped() -> None:
    assert [int(p.stem) for p in SHIPPED] == list(range(2010, last_official_year() + 1))


def test_writing_again_gives_the_shipped_files(tmp_path: Path) -> None:
    written = write_calendar(2010, last_official_year(), tmp_path)
    assert {p.name: p.read_text("utf-8") for p in written} == {
        p.name: p.read_text("utf-8") for p in SHIPPED
    }


@pytest.mark.parametrize("year", [int(p.stem) for p in SHIPPED])
def test_another_library_agrees_on_every_day(year: int) -> None:
    calendar = load_rules().calendar
    days = days_of(year)
    ours = [calendar.is_working_day(day) for day in days]
    assert ours == [chinese_calendar.is_workday(day) for day in days]


def test_a_year_without_a_notice_is_provisional() -> None:
    calendar = load_rules().calendar
    last = last_official_year()
    assert not calendar.is_provisional(days_of(last)[40])
    assert calendar.is_provisional(days_of(last + 2)[40])
