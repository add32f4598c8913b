"""The differences of two screenings as a page of text."""

from __future__ import annotations

from typing import Any

from eligibility.render.page import Page
from eligibility.render.screening_report import KINDS
from eligibility.render.words import Speaker
from eligibility.rulebase.model import Rulebase

Entry = dict[str, Any]
_REJECTED = ("不能审查", "could not be judged")


def differences_page(found: Entry, rulebase: Rulebase, lang: str = "zh") -> Page:
    """What :func:`eligibility.docket.differences.compare` counted, for a terminal."""
    say, out, at = Speaker(lang), Page(), 1 if lang == "en" else 0
    before, after = found["rows_before"], found["rows"]
    head = f"上次 {before:,} 件，本次 {after:,} 件", f"{before:,} cases before, {after:,} now"
    out.add(head[at], 0, "bold")
    for kind, words in KINDS.items():
        out.add(words[at], 2, "", f"{found['kinds'][kind]:>10,}  ")
    if found["bar_gone_same_outcome"]:
        text = "另有限制不再起作用而结论未变", "a bar gone, the same outcome"
        out.add(text[at], 2, "", f"{found['bar_gone_same_outcome']:>10,}  ")
    _flows(found, rulebase, out, at)
    titles = {key: rule.title.in_language(lang) for key, rule in rulebase.rules.items()}
    labels = {k: f.label.in_language(lang) for k, f in rulebase.vocabulary.facts.items()}
    for name, zh, en, words_of in (
        ("rules_began", "开始起作用的规则", "Rules that began to take effect", titles),
        ("rules_ceased", "不再起作用的规则", "Rules that ceased to take effect", titles),
        ("facts_newly_open", "新待查的事实", "Facts newly open", labels),
        ("facts_no_longer_open", "不再待查的事实", "Facts no longer open", labels),
    ):
        if found[name]:
            out.title(zh if say.zh else en)
        for key, count in found[name].items():
            out.add(f"{key}  {words_of.get(key, '')}".rstrip(), 2, "", f"{count:>10,}  ")
    _not_compared(found, out, at)
    return out


def _flows(found: Entry, rulebase: Rulebase, out: Page, at: int) -> None:
    labels = {name: text[at] for name, text in rulebase.outcome_labels.items()}
    labels |= {outcome.name: outcome.label[at] for outcome in reversed(rulebase.outcomes)}
    labels["rejected"] = _REJECTED[at]
    if found["flows"]:
        out.title(("结论怎样改变", "How outcomes changed")[at])
    for was, then in found["flows"].items():
        for now, count in then.items():
            text = f"{labels.get(was, was)} → {labels.get(now, now)}"
            out.add(text, 2, "", f"{count:>10,}  ")


def _not_compared(found: Entry, out: Page, at: int) -> None:
    twice, without = found["duplicates"], found["without_number"]
    if not twice["cases"] and not without["before"] and not without["after"]:
        return
    out.title(("未作对照", "Not compared")[at])
    if twice["cases"]:
        zh = f"同一法院重复的案号 {twice['cases']:,} 个"
        en = f"{twice['cases']:,} numbers that stand twice at a court"
        some = "、".join(f"{one['case_no']}" for one in twice["first"][:5])
        out.add(f"{(zh, en)[at]}: {some}", 2, "yellow", "! ")
    if without["before"] or without["after"]:
        zh = f"没有案号的行：上次 {without['before']:,}，本次 {without['after']:,}"
        en = f"rows without a number: {without['before']:,} before, {without['after']:,} now"
        out.add((zh, en)[at], 2, "yellow", "! ")
