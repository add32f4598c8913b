"""Rules, facts and sources for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eligibility.render.page import Page
from eligibility.render.rule_parts import add_parts
from eligibility.render.words import Speaker
from eligibility.rulebase.checks import defeated_by
from eligibility.rulebase.model import Rulebase
from eligibility.rulebase.shape import CLOSINGS

Entry = dict[str, Any]

_ATTRIBUTES = (
    ("layer_label", "层级", "layer"),
    ("grants", "准予", "grants"),
    ("effect", "效果", "effect"),
    ("modes", "方式", "modes"),
    ("channel", "启动方式", "channel"),
    ("defeats", "优先于", "defeats"),
    ("defeaters", "被其优先", "defeated by"),
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
    ("ground", "理由", "ground"),
    ("note", "说明", "note"),
)
_EXCEPTION = {"zh": "例外备注（不参与判断）", "en": "exception (a remark, decides nothing)"}
_IN_STAY = {"prepare": "可先准备"}


def rule_page(rule: Entry, rulebase: Rulebase, lang: str = "zh") -> Page:
    """A rule as ``describe_rule`` gives it."""
    say, out = Speaker(lang), Page()
    rule = _in_words(rule, rulebase) if say.zh else rule
    rule = rule | {"defeaters": _defeaters(rule["id"], rulebase)}
    tags = [say.closed("kind", rule["kind"]), say.closed("basis", rule["basis"]), rule["profile"]]
    out.add(
        f"{say.text(rule['title'])} {say.bracketed(say.joined(tags))}", 0, "bold", rule["id"] + "  "
    )
    rows = []
    for key, zh, en in _ATTRIBUTES:
        value = _attribute(say, key, rule[key])
        if value:
            rows.append([zh if say.zh else en, value])
    for key, zh, en in _TEXTS:
        if rule[key]:
            rows.append([zh if say.zh else en, say.text(rule[key])])
    out.table(rows, 2)
    if rule["exception"]:
        out.add(say.label(_EXCEPTION[say.lang], say.text(rule["exception"])), 2, "dim")
    _conditions(out, say, rule)
    add_parts(out, say, rule)
    for part in rule["proposed_parts"]:
        out.add(say.label(say("proposed_part"), say.text(part)), 2, "yellow")
    _parameters(out, say, rule["parameters"])
    if rule["sources"]:
        out.title(say("law"))
    for source in rule["sources"]:
        out.add(source_line(source, say), 2, "", f"{source['id']}  ")
    out.add(rule["place"], 0, "dim")
    return out


def _in_words(rule: Entry, rulebase: Rulebase) -> Entry:
    """The rule with Chinese names where it has keys; what people type stands in brackets."""
    facts = {f["key"]: f["label"]["zh"] for f in rule["facts"]}

    def profile(name: str) -> str:
        return f"{rulebase.profiles[name].label.zh} ({name})"

    return rule | {
        "profile": profile(rule["profile"]),
        "adopted_by": [profile(name) for name in rule["adopted_by"]],
        "channel": [rulebase.channels[name].zh for name in rule["channel"]],
        "modes": [rulebase.modes[name].label.zh for name in rule["modes"]],
        "in_stay": _IN_STAY.get(rule["in_stay"], rule["in_stay"]),
        "on_unknown": {facts.get(key, key): how for key, how in rule["on_unknown"].items()},
    }


def _defeaters(rule_id: str, rulebase: Rulebase) -> list[str]:
    """The rules that take precedence over this one."""
    return sorted(r.id for r in rulebase.rules.values() if rule_id in defeated_by(r, rulebase))


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
