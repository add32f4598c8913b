"""Notices to print and sign: an urge order (督促执行令), a supervision letter (执行监督函).

A draft for the court to complete: what is on record is filled in, with the record that holds
it; what is not stays a blank to write on. Every statement of law or rule has a footnote with
its source; facts and dates only, no judgement of persons.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from eligibility.errors import NotFound, Problem, Text, nearest
from eligibility.render.characters import printable
from eligibility.render.notice_draft import BLANK
from eligibility.render.particulars import chinese_day
from eligibility.render.supervision_letter import SupervisionLetter
from eligibility.render.urge_order import UrgeOrder
from eligibility.rulebase.model import Rulebase

Entry = dict[str, Any]

KINDS = {
    "urge_order": Text("督促执行令", "urge order"),
    "supervision_letter": Text("执行监督函", "supervision letter"),
}


def notice(
    kind: str,
    view: Entry,
    decision: Entry,
    entry: Entry | None,
    rulebase: Rulebase,
    today: date,
    doc_no: str = "",
    until: date | None = None,
) -> str:
    """A notice as an HTML document that needs nothing else, for A4.

    ``view``: the case as of ``today``; ``decision``: the decision of it that the notice rests
    on; ``entry``: the duty concerned (a letter needs a late one, an urge order may have one);
    ``rulebase``: that of the decision; ``until``: the day set for doing what is asked;
    ``doc_no``: the number of the document. Raises NotFound (``unknown_notice``) and
    FactsError (``nothing_due``: the duty of a letter is not late).
    """
    if kind not in KINDS:
        known = tuple(KINDS)
        text = Text(f"没有文书“{kind[:80]}”", f"no notice '{kind[:80]}'")
        raise NotFound(Problem("unknown_notice", text, "kind", "", nearest(kind, known), known))
    made = SupervisionLetter if kind == "supervision_letter" else UrgeOrder
    draft = made(view, decision, rulebase, today, until)
    return (
        _environment()
        .get_template(f"{kind}.html")
        .render(
            title=KINDS[kind].zh,
            doc_no=doc_no,
            case_no=draft.case_no,
            today=chinese_day(today),
            until=chinese_day(until) if until else "",
            fill=draft.fill,
            notes=draft.notes,
            blanks=draft.blanks,
            remarks=draft.remarks,
            remark_notes=draft.remark_notes,
            **draft.parts(entry),
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("eligibility.render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printed,
    )


def _printed(value: Any) -> Any:
    """What a template puts on the page: unfit characters shown as such, nothing as a blank."""
    if value is None:
        return BLANK
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return value
