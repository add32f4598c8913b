"""Supervision of a court and a period for people: a page, and rows for a spreadsheet.

Both take what ``supervise`` answers; the chart is in :mod:`eligibility.render.supervision_chart`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from eligibility.render.measures import MARKS, REASONS, bounds, figure, heading, status
from eligibility.render.page import Page
from eligibility.render.words import Speaker
from eligibility.rulebase.model import Rulebase

Entry = dict[str, Any]

_PERIODS = {"month": ("月", "month"), "quarter": ("季度", "quarter"), "year": ("年", "year")}
_STYLES = {True: "green", False: "red", None: ""}
# The columns of the spreadsheet by key, each with its heading.
COLUMNS = {
    "court": ("法院", "court"),
    "period": ("期间", "period"),
    "from": ("起", "from"),
    "to": ("止", "to"),
    "rule": ("规则", "rule"),
    "basis": ("依据性质", "basis"),
    "measure": ("指标键", "measure"),
    "label": ("指标", "label"),
    "of_label": ("件数项目", "counted"),
    "of": ("件数", "count"),
    "per_label": ("总数项目", "out of"),
    "per": ("总数", "total"),
    "value": ("数值", "value"),
    "at_least": ("不低于", "at least"),
    "at_most": ("不高于", "at most"),
    "meets": ("达标", "meets"),
    "more_to_reach": ("再有几件达标", "more to reach"),
    "over": ("超出", "over"),
    "reason": ("不评价的原因", "not assessed because"),
    "by_rule": ("按规则", "by rule"),
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs what begins so


# --- the page ------------------------------------------------------------------------------------


def supervision_page(answer: Entry, rulebase: Rulebase, lang: str = "zh") -> Page:
    """The answer as a page, each rule with its sources."""
    return _Supervision(answer, rulebase, Speaker(lang)).page()


class _Supervision:
    def __init__(self, answer: Entry, rulebase: Rulebase, say: Speaker) -> None:
        self.answer, self.rulebase, self.say = answer, rulebase, say
        self.out = Page()
        self.quoted: set[str] = set()

    def page(self) -> Page:
        self.head()
        for rule in self.answer["rules"]:
            self.rule(rule)
        self.tail()
        return self.out

    def word(self, zh: str, en: str) -> str:
        return zh if self.say.zh else en

    def head(self) -> None:
        answer, say = self.answer, self.say
        period, base = answer["period"], answer["rulebase"]
        profile = self.rulebase.profiles[answer["profile"]].label.in_language(say.lang)
        self.out.add(heading(answer, say.lang), 0, "bold")
        rows = [
            [self.word("期间", "Period"), f"{period['text']}  {period['from']} – {period['to']}"],
            [say("profile"), f"{profile} ({answer['profile']})"],
            [self.word("基准日", "As of"), answer["as_of"]],
            [say("rulebase"), f"{base['version']}  {base['digest'][:19]}"],
        ]
        self.out.table(rows)

    def rule(self, rule: Entry) -> None:
        say, out = self.say, self.out
        basis = say.bracketed(say.closed("basis", rule["basis"]))
        out.title(f"{rule['id']}  {say.text(rule['title'])} {basis}")
        for measure in rule["measures"]:
            self.measure(measure)
        if rule["other_period"]:
            by = _PERIODS[rule["period"]][0 if say.zh else 1]
            text = self.word(f"规则以{by}计，此处期间不同", f"the rule counts by {by}; not so here")
            out.add(text, 2, "yellow", "! ")
        if say.text(rule["consequence"]):
            out.add(say.label(say("consequence"), say.text(rule["consequence"])), 2)
        if rule.get("ground"):
            out.add(say.label(say("ground"), say.text(rule["ground"])), 2)
        for part in rule["proposed_parts"]:
            out.add(say.label(say("proposed_part"), say.text(part)), 2, "yellow")
        self.sources(rule["citations"])

    def measure(self, measure: Entry) -> None:
        say, out = self.say, self.out
        text = say.label(say.text(measure["label"]), figure(measure, say.lang))
        out.add(text, 2, _STYLES[measure["meets"]], f"{MARKS[measure['meets']]} ")
        out.add(status(measure, say.lang), 4)
        for number in (measure["of"], measure["per"]):
            if number is not None and number["source"] is not None:
                source = f"{self.word('数字来自', 'from')} {say.text(number['source'])}"
                out.add(say.label(say.text(number["label"]), source), 4, "dim")
        if measure["by_rule"]:
            head = "其中（一件可以同时属于几条）", "Of these (one may fall under several)"
            out.add(self.word(*head), 4)
        for part in measure["by_rule"]:
            count = self.word("未知", "unknown") if part["count"] is None else str(part["count"])
            out.add(say.label(say.text(part["title"]), count), 6, "", f"{part['rule']}  ")

    def sources(self, citations: list[str]) -> None:
        say = self.say
        again = [cited for cited in citations if cited in self.quoted]
        for cited in citations:
            source = self.rulebase.sources.get(cited)
            if source is None or cited in self.quoted:
                continue
            text = f"{source.title.in_language(say.lang)} {say.quoted('…'.join(source.quotes))}"
            self.out.add(text, 2, "dim", f"{cited} ")
        if again:
            self.out.add(f"{say.joined(again)} {say('quoted_above')}", 2, "dim")
        self.quoted.update(citations)

    def tail(self) -> None:
        say, out, answer = self.say, self.out, self.answer
        if answer["missing"]:
            out.title(self.word("缺少的数字", "Figures missing"))
        for fact in answer["missing"]:
            text = f"{say.text(fact['label'])} ({fact['fact']})  {say.joined(fact['rules'])}"
            out.add(text, 2, "", "? ")
        if answer["notes"]:
            out.title(self.word("说明", "Notes"))
        for note in answer["notes"]:
            out.add(say.text(note), 2, "", "· ")
        out.add("")
        out.add(say.text(answer["notice"]), 0, "dim")


# --- the spreadsheet -----------------------------------------------------------------------------


def supervision_csv(answers: Iterable[Entry], lang: str = "zh") -> str:
    """A heading and one line for each measure of each answer; what is not known is empty.

    Shares are numbers (0.4545); ``by_rule`` is written ``XB-08=3; XB-09=``. A text that a
    spreadsheet would run as a formula gets an apostrophe before it. Lines end in CR LF
    (RFC 4180); spreadsheets that expect it want the file written as UTF-8 with a signature.
    """
    at = 1 if lang == "en" else 0
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(heading[at] for heading in COLUMNS.values())
    for answer in answers:
        for rule in answer["rules"]:
            for measure in rule["measures"]:
                row = _row(answer, rule, measure, Speaker(lang))
                writer.writerow(_cell(row[key]) for key in COLUMNS)
    return out.getvalue()


def _row(answer: Entry, rule: Entry, measure: Entry, say: Speaker) -> Entry:
    of, per, period = measure["of"], measure["per"], answer["period"]
    lines, reason = bounds(measure), REASONS.get(measure["reason"])
    yes, no = say("yes"), say("no")
    return {
        "court": say.text(answer["court"]["label"]),
        **{key: period[key] for key in ("from", "to")},
        "period": period["text"],
        "rule": rule["id"],
        "basis": say.closed("basis", rule["basis"]),
        "measure": measure["key"],
        "label": say.text(measure["label"]),
        "of_label": say.text(of["label"]),
        "of": of["value"],
        "per_label": say.text(per["label"]) if per else None,
        "per": per["value"] if per else None,
        "value": measure["value"],
        "at_least": lines.get("at_least"),
        "at_most": lines.get("at_most"),
        "meets": {True: yes, False: no, None: None}[measure["meets"]],
        "more_to_reach": measure["more_to_reach"],
        "over": measure["over"],
        "reason": reason[0 if say.zh else 1] if reason else None,
        "by_rule": "; ".join(f"{p['rule']}={_number(p['count'])}" for p in measure["by_rule"]),
    }


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
