"""Rules, facts and sources for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eligibility.render.page import Page
from eligibility.render.words import Speaker
from eligibility.rulebase.shape import CLOSINGS

Entry = dict[str, Any]

_ATTRIBUTES = (
    ("layer_label", "层级", "layer"),
    ("grants", "准予", "grants"),
    ("effect", "效果", "effect"),
    ("modes", "方式", "modes"),
    ("channel", "启动方式", "channel"),
    ("defeats", "优先于", "defeats"),
    ("override_by", "准予例外", "override by"),
    ("on_unknown", "未知时", "on unknown"),
    ("advisory", "仅提示", "advisory"),
    ("set_level", "成批", "set level"),
    ("in_stay", "停止期间", "in stay"),
    ("effective", "施行", "effective"),
    ("adopted_by", "采纳者", "adopted by"),
)
_TEXTS = (
    ("cure", "补正", "cure"),
    ("consequence", "后果", "consequence"),
    ("exception", "例外", "exception"),
    ("ground", "理由", "ground"),
    ("note", "说明", "note"),
)


def rule_page(rule: Entry, lang: str = "zh") -> Page:
    """A rule as ``describe_rule`` gives it."""
    say, out = Speaker(lang), Page()
    tags = [say.closed("kind", rule["kind"]), say.closed("basis", rule["basis"]), rule["profile"]]
    out.add(
        f"{say.text(rule['title'])} {say.bracketed(say.joined(tags))}", 0, "bold", rule["id"] + "  "
    )
    rows = []
    for key, zh, en in _ATTRIBUTES:
        value = rule[key]
        if key == "on_unknown" and say.zh:
            labels = {f["key"]: say.text(f["label"]) for f in rule["facts"]}
            value = {labels.get(fact, fact): how for fact, how in (value or {}).items()}
        value = _attribute(say, key, value)
        if value:
            rows.append([zh if say.zh else en, value])
    for key, zh, en in _TEXTS:
        if rule[key]:
            rows.append([zh if say.zh else en, say.text(rule[key])])
    out.table(rows, 2)
    _conditions(out, say, rule)
    for part in rule["proposed_parts"]:
        out.add(say.label(say("proposed_part"), say.text(part)), 2, "yellow")
    _parameters(out, say, rule["parameters"])
    if rule["sources"]:
        out.title(say("law"))
    for source in rule["sources"]:
        out.add(source_line(source, say), 2, "", f"{source['id']}  ")
    out.add(rule["place"], 0, "dim")
    return out


def _attribute(say: Speaker, key: str, value: Any) -> str:
    if not value:
        return ""
    if value is True:
        return "✓"
    if key in ("grants", "effect"):
        return say.closed(key, value)
    if key == "effective":
        return f"{value['from'] or '…'} – {value['to'] or '…'} {say.text(value['note'])}".strip()
    if isinstance(value, list):
        return say.joined([say.text(v["label"]) if isinstance(v, dict) else str(v) for v in value])
    if key == "on_unknown":
        return say.joined([f"{fact}: {_closing(say, how)}" for fact, how in value.items()])
    return say.text(value)


def _closing(say: Speaker, how: str) -> str:
    return CLOSINGS.words.get(how, how) if say.zh else how


def _conditions(out: Page, say: Speaker, rule: Entry) -> None:
    for key, zh, en in (("when", "条件", "When"), ("unless", "除非", "Unless")):
        if not rule[key]:
            continue
        over = f" ({say.text(rule['over'])})" if rule["over"] else ""
        out.title((zh if say.zh else en) + over)
        for line in rule[key]["text"][say.lang].splitlines():
            text = line.lstrip()
            out.add(text, 2 + len(line) - len(text))


def _parameters(out: Page, say: Speaker, parameters: list[Entry]) -> None:
    if parameters:
        out.title("参数" if say.zh else "Parameters")
    for parameter in parameters:
        values = [
            f"{v['value']} {say.bracketed(say.closed('basis', v['basis']))}"
            + (f" {v['profile']}" if v["profile"] else "")
            for v in parameter["values"]
        ]
        out.add(say.joined(values), 2, "", f"${parameter['key']}  {say.text(parameter['label'])}  ")


def source_line(source: Entry, say: Speaker) -> str:
    quotes = "…".join(source["quotes"])
    return f"{say.text(source['title'])} {say.quoted(quotes)}"


def source_page(source: Entry, lang: str = "zh") -> Page:
    """A source as ``describe_source`` gives it."""
    say, out = Speaker(lang), Page()
    out.add(say.text(source["title"]), 0, "bold", source["id"] + "  ")
    for key in ("locator", "url"):
        if source[key]:
            out.add(source[key], 2)
    for quote in source["quotes"]:
        out.add(say.quoted(quote), 2)
    for key in ("gloss", "note"):
        if source[key]:
            out.add(say.text(source[key]), 2)
    if source.get("cited_by"):
        word = "引用者" if say.zh else "cited by"
        out.add(say.label(word, say.joined(source["cited_by"])), 2)
    return out


def list_page(rows: list[list[str]], head: list[str]) -> Page:
    """A table with a heading."""
    out = Page()
    out.table([head, *rows], head=True)
    return out


def fact_page(facts: list[Entry], scopes: Mapping[str, str], lang: str) -> Page:
    """The fact dictionary, grouped by what the facts describe."""
    say, out = Speaker(lang), Page()
    groups: dict[str, list[Entry]] = {}
    for fact in facts:
        groups.setdefault(fact["scope"], []).append(fact)
    for scope, members in groups.items():
        out.title(scopes.get(scope, scope))
        for fact in members:
            key, label, kind, notes = _fact_row(say, fact)
            out.add(f"{label}  {kind}", 2, "bold", f"{key}  ")
            if notes:
                out.add(notes, 4)
    return out


def _fact_row(say: Speaker, fact: Entry) -> list[str]:
    notes = []
    if fact["values"]:
        shown = [v["label"]["zh"] if say.zh else v["key"] for v in fact["values"]]
        notes.append("[" + ", ".join(shown) + "]")
    if fact["can_be_none"]:
        notes.append("无" if say.zh else "or none")
    if fact["unit"]:
        notes.append(fact["unit"])
    if fact["derived"]:
        notes.append("推算" if say.zh else "derived")
    if fact["held_by"]:
        notes.append(("← " if say.zh else "from: ") + say.text(fact["held_by"]))
    return [fact["key"], say.text(fact["label"]), fact["type"], " ".join(notes)]
