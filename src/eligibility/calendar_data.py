"""Writes the holiday table of the rule base from a kept library.

The table is data of the rule base (``rules/calendar/``), so that it is inside the digest
and a decision does not change when a library is updated. Each year names the notice of the
State Council it comes from. Needs the optional dependency group ``calendar``.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path

_SUBSTITUTED = re.compile(r"substituted from (\d\d)/(\d\d)/(\d{4})")
FIRST_YEAR = 2008
NOTICE_ZH = "国务院办公厅关于{}年部分节假日安排的通知"
# Notices that changed a year after its own had been published.
AMENDING_ZH = {
    2015: "国务院关于中国人民抗日战争暨世界反法西斯战争胜利70周年纪念日调休放假的通知",
    2019: "国务院办公厅关于调整2019年劳动节假期安排的通知",
    2020: "国务院办公厅关于延长2020年春节假期的通知",
}
NOTICE_EN = "Notice of the General Office of the State Council on holidays in {}"


def closed_and_working(year: int) -> tuple[list[date], list[date]]:
    """The statutory closed days of a year, and its weekend days made working days (调休).

    A working day made up for a holiday of the next year stands in the year it falls in.
    """
    import holidays

    table = holidays.country_holidays("CN", years=[year, year + 1], language="en_US")
    working = set()
    for name in table.values():
        for month, day, of_year in _SUBSTITUTED.findall(name):
            working.add(date(int(of_year), int(month), int(day)))
    closed = sorted(day for day in table if day.year == year and day not in working)
    return closed, sorted(day for day in working if day.year == year)


def last_official_year() -> int:
    """The last year for which the library knows the official notice.

    Every notice since 2008 moves some working day, so a year without one is a forecast.
    """
    import holidays

    year = FIRST_YEAR
    while True:
        table = holidays.country_holidays("CN", years=[year + 1], language="en_US")
        if not any(_SUBSTITUTED.search(name) for name in table.values()):
            return year
        year += 1


def year_text(year: int) -> str:
    """The YAML file of one year."""
    closed, working = closed_and_working(year)
    notices_zh = "；".join(filter(None, [NOTICE_ZH.format(year), AMENDING_ZH.get(year)]))
    notices_en = NOTICE_EN.format(year) + (" as amended" if year in AMENDING_ZH else "")
    lines = [
        "日历:",
        f"  {year}:",
        f"    通知: {{zh: {notices_zh}, en: {notices_en}}}",
        f"    制表: holidays {version('holidays')}",
        f"    放假: [{_listed(closed)}]",
        f"    上班: [{_listed(working)}]",
    ]
    return "\n".join(lines) + "\n"


def _listed(days: list[date]) -> str:
    return ", ".join(day.isoformat() for day in days)


def write_calendar(first: int, last: int, folder: Path) -> list[Path]:
    """Write one file a year, officially announced years only; returns the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for year in range(max(first, FIRST_YEAR), min(last, last_official_year()) + 1):
        path = folder / f"{year}.yaml"
        path.write_text(year_text(year), encoding="utf-8")
        written.append(path)
    return written


def days_of(year: int) -> list[date]:
    """Every day of a year."""
    start = date(year, 1, 1)
    return [start + timedelta(days=n) for n in range((date(year + 1, 1, 1) - start).days)]
