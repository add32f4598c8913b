"""What every notice needs: the case's facts, its courts, footnotes, and the blanks left."""

from __future__ import annotations

from datetime import date
from typing import Any

from markupsafe import Markup

from eligibility.render.footnotes import Footnotes, Reference
from eligibility.render.particulars import Particulars
from eligibility.rulebase.conditions import Param
from eligibility.rulebase.model import Court, Rulebase

Entry = dict[str, Any]

BLANK = "______"
LATE = ("overdue", "lapsed")
"""The states of a duty in which its due date has passed unfulfilled."""


class Draft:
    """A notice in the making.

    ``notes`` are the footnotes of the document, ``remark_notes`` those of the remarks to the
    drafter, which are no part of it.
    """

    def __init__(
        self, view: Entry, decision: Entry, rulebase: Rulebase, today: date, until: date | None
    ) -> None:
        self.view, self.decision, self.rulebase = view, decision, rulebase
        self.today, self.until = today, until
        self.profile: str = decision["profile"]
        since = view["since_decision"] or {}
        self.facts = Particulars(since.get("case") or {}, rulebase)
        self.notes = Footnotes(rulebase, self.profile)
        self.remark_notes = Footnotes(rulebase, self.profile, "remark-")
        self.blanks: list[str] = []
        self.remarks: list[tuple[str, Reference]] = []

    @property
    def case_no(self) -> str | None:
        """The case number; a case without one goes by its decision, which is no number."""
        name = self.view["case_no"]
        return None if name == self.decision.get("decision_id") else name

    def fill(self, value: Any, what: str) -> Any:
        """A value, or a blank to write on, which the draft lists as still to be filled."""
        if str(value or "").strip():
            return value
        if what not in self.blanks:
            self.blanks.append(what)
        return Markup('<span class="blank" title="{}">{}</span>').format(what, BLANK)

    def remark(self, text: str, reference: Reference | None = None) -> None:
        """A hint to the drafter."""
        self.remarks.append((text, reference or Reference(self.remark_notes)))

    def above(self, court: Court | None) -> str:
        """The name of the next-higher court; empty where the register does not know it."""
        higher = self.rulebase.courts.get(court.parent) if court else None
        return higher.label.zh if higher else ""

    def days(
        self, count: int | Param, day: date, value: int | None = None
    ) -> tuple[int | None, Reference]:
        """A number of days and, where a parameter gives it, a reference to that parameter."""
        if not isinstance(count, Param):
            return count, Reference(self.notes)
        found = self.rulebase.parameter_value(count.name, self.profile, day)
        reference = self.notes.parameter(count.name, day, value)
        return (found.value if found else None), reference

    def quote(self, name: str) -> str:
        """The first passage of a source, verbatim; empty where the rule base lacks it."""
        source = self.rulebase.sources.get(name)
        return source.quotes[0].rstrip("。") if source else ""


def court_label(entry: Entry) -> str:
    """The court that owes a duty; empty where it is not known."""
    court = entry["who"]["court"]
    return str(court["label"]["zh"]) if court else ""


def statement(text: str, reference: Reference) -> Entry:
    """A statement with its reference, for a template."""
    return {"text": text, "refs": reference}
