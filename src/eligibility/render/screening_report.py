"""What came out of a screening as one page for people: HTML that needs nothing else.

No script, no network: it opens from a disk, prints, and reads on a phone. Chinese first.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from eligibility.render.characters import printable
from eligibility.render.screening_chart import bar, patterns, sample

Entry = dict[str, Any]
BARS_SHOWN = 30
BASES = {
    "statute": ("法律规定", "law", "法律、司法解释的规定", "what a statute or interpretation says"),
    "reported": (
        "公开报道",
        "reported",
        "报道中地方的做法，不是法律",
        "a local practice as reported; not law",
    ),
    "proposed": (
        "建议",
        "proposed",
        "本规则库的建议，不是法律，由采用的法院决定",
        "a proposal of this rule base, not law; for the court that adopts it",
    ),
}
KINDS = {
    "new": ("新增案件", "new cases"),
    "gone": ("不再出现", "gone"),
    "court_changed": ("执行法院不同", "at another court"),
    "now_rejected": ("变为不能审查", "can no longer be judged"),
    "now_judged": ("恢复可以审查", "can be judged again"),
    "cured": ("已补正", "cured"),
    "outcome_changed": ("结论改变", "other outcome"),
    "reasons_changed": ("结论未变，理由改变", "same outcome, other reasons"),
    "same": ("没有变化", "the same"),
}
GROUPS = {
    "mandatory": ("应当移送", "Transfer is mandatory"),
    "deadline": ("期限将至", "A deadline is near"),
    "open": ("可以交叉，按标的额", "May be crossed, by amount"),
}


def screening_report(entry: Entry) -> str:
    """The page of a report (:func:`eligibility.docket.report.report_entry`)."""
    page = _Page(entry)
    return _environment().get_template("screening_report.html").render(entry=entry, page=page)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("eligibility.render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printed,
    )
    made.globals.update(
        bar=bar, patterns=patterns, sample=sample, bases=BASES, kinds=KINDS, groups=GROUPS
    )
    made.filters.update(number=number, yuan=yuan, share=share)
    return made


def _printed(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return "" if value is None else value


def number(value: int) -> str:
    return f"{value:,}"


def yuan(value: float | None) -> str:
    """An amount in yuan, with fen only where there are some."""
    if value is None:
        return "—"
    return f"{value:,.2f}".removesuffix(".00")


def share(count: int, whole: int) -> str:
    """A share in per cent; what is there is never shown as nothing, nor a part as all."""
    if not whole or not count:
        return "0%"
    found = 100 * count / whole
    if count < whole:
        found = min(max(found, 0.1), 99.9)
    return f"{found:.1f}%" if count < whole else "100%"


class _Page:
    """What the template asks about an entry."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.outcomes = entry["outcomes"]
        self.bars_shown = BARS_SHOWN
        self.as_of = entry["result"].get("as_of")
        self.top = entry["first"]["top"]

    def count(self, *names: str) -> int:
        return sum(o["cases"] for o in self.outcomes if o["outcome"] in names)

    def parts(self, counts: dict[str, int]) -> list[tuple[str, int]]:
        """Counts by outcome in the order of the page."""
        return [(o["outcome"], counts.get(o["outcome"], 0)) for o in self.outcomes]

    def told(self, counts: dict[str, int]) -> str:
        """A bar in words."""
        labels = {o["outcome"]: o["label"]["zh"] for o in self.outcomes}
        return "，".join(f"{labels[n]} {c:,}" for n, c in self.parts(counts) if c)

    def most(self, name: str) -> int:
        """The largest count of a list of the entry."""
        return max((one["cases"] for one in self.entry[name]), default=0)

    def last_day(self, case: Entry) -> str:
        """The last day on which today's outcome holds."""
        found = _day(case.get("changes_on"))
        return (found - timedelta(days=1)).isoformat() if found else ""

    def days_left(self, case: Entry) -> int | None:
        """Days from the day of evaluation to the last day; None where one is not known."""
        then, now = _day(case.get("changes_on")), _day(self.as_of)
        return (then - now).days - 1 if then and now else None

    def other_rulebase(self) -> bool:
        """Whether the result rests on another rule base than the words of this page."""
        found = (self.entry["result"].get("rulebase") or {}).get("digest")
        return found is not None and found != self.entry["rulebase"]["digest"]

    def courts_of(self, rule: Entry) -> list[tuple[Entry, int]]:
        """The courts of a rule, most cases first."""
        labels = {court["court"]: court["label"] for court in self.entry["courts"]}
        found = sorted(rule["by_court"].items(), key=lambda one: (-one[1], one[0]))
        return [(labels[name], count) for name, count in found]

    def fact(self, path: str) -> str:
        """The name of the fact at the end of a path of the differences."""
        words = {one["fact"]: one["label"]["zh"] for one in self.entry["differences"]["fact_words"]}
        key = path.rsplit(".", 1)[-1]
        place = path.removesuffix(key).rstrip(".")
        return f"{words.get(key, key)}（{place}）" if place else words.get(key, key)

    def title_of(self, rule_id: str) -> Entry | None:
        known = [*self.entry["rules"], *(self.entry["differences"] or {}).get("rule_words", [])]
        return next((r["title"] for r in known if r["id"] == rule_id and r["known"]), None)

    def listed(self, rule_id: str) -> bool:
        """Whether the page has a row of the rule to point to."""
        return any(rule["id"] == rule_id for rule in self.entry["rules"])


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except (TypeError, ValueError):
        return None
