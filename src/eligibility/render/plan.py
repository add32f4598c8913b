"""A plan for many cases, for people: loads before and after, moves, what was dropped and why."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from eligibility.render.page import Page
from eligibility.render.words import Speaker

Entry = dict[str, Any]
COLUMNS = {
    "case_no": ("案号", "case number"),
    "from": ("现执行法院", "from"),
    "to": ("拟指定法院", "to"),
    "distance_km": ("距主要财产公里", "km to the main property"),
    "status": ("处理", "what"),
    "reason": ("原因", "why"),
}
STATUS = {
    "move": ("调出", "moved"),
    "stay": ("不动", "stays"),
    "drop": ("未调", "dropped"),
    "reject": ("未读入", "not read"),
}


def plan_page(plan: Entry, names: Mapping[str, str], lang: str = "zh") -> Page:
    """A plan as ``plan_entry`` gives it; ``names``: court id -> name."""
    say, out = Speaker(lang), Page()
    out.table(_summary(plan, say))
    out.title("各法院负荷" if say.zh else "Load by court")
    out.table([_head(say), *(_load(load, names) for load in plan["loads"])], 2, head=True)
    if plan["ring"]:
        out.title("轮转" if say.zh else "Ring")
        for turn in plan["ring"]:
            out.add(f"{_name(turn['from'], names)} → {_name(turn['to'], names)}", 2)
    for key, zh, en in (("dropped", "未调的原因", "Dropped"), ("rejected", "未读入", "Not read")):
        counted = Counter(say.text(entry["reason"]) for entry in plan[key])
        if counted:
            out.title(zh if say.zh else en)
        for reason, count in counted.most_common():
            out.add(f"{count}  {reason}", 2)
    for note in plan["notes"]:
        out.add(say.text(note), 0, "yellow", "! ")
    return out


def _summary(plan: Entry, say: Speaker) -> list[list[str]]:
    counts = plan["counts"]
    spread = f"{_number(plan['spread_before'])} → {_number(plan['spread_after'])}"
    best = "已证最优" if say.zh else "proved best"
    if plan["gap"] is None:
        best = "未证最优" if say.zh else "not proved best"
    elif plan["gap"]:
        within = "与最优相差至多" if say.zh else "from the best at most"
        best = f"{within} {_number(plan['gap'])}"
    rows = [
        ("调出 / 不动 / 未调 / 未读入", "moved / stay / dropped / not read", _four(counts)),
        ("人均在办之离散（件/人）", "spread of cases per officer", spread),
        ("距主要财产合计（公里）", "kilometres to the main property", _number(plan["total_km"])),
        ("求解", "solver", say.joined([plan["solver"], best])),
        ("规则库", "rule base", plan["rulebase"]["digest"][:19]),
    ]
    return [[zh if say.zh else en, text] for zh, en, text in rows]


def _four(counts: Mapping[str, int]) -> str:
    return " / ".join(str(counts[key]) for key in ("moved", "staying", "dropped", "rejected"))


def _head(say: Speaker) -> list[str]:
    if say.zh:
        return ["编号", "在办", "人均", "调入", "调出", "之后在办", "之后人均", "可承办", "法院"]
    return ["id", "open", "each", "in", "out", "open after", "each after", "capacity", "court"]


def _load(load: Entry, names: Mapping[str, str]) -> list[str]:
    keys = (
        "court",
        "open_before",
        "per_officer_before",
        "received",
        "sent",
        "open_after",
        "per_officer_after",
        "capacity",
    )
    return [*(_number(load[key]) for key in keys), _name(load["court"], names)]


def _number(value: Any) -> str:
    if value is None:
        return "—"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _name(court: str, names: Mapping[str, str]) -> str:
    return names.get(court, court)


def plan_csv(plan: Entry, lang: str = "zh") -> str:
    """Every case of a plan on a row: moved, staying, dropped or not read."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    place = 0 if lang == "zh" else 1
    writer.writerow([words[place] for words in COLUMNS.values()])
    for entry in _rows(plan):
        status = STATUS[entry["status"]][place]
        reason = entry.get("reason") or {}
        writer.writerow(
            [
                _cell(entry["case_no"]),
                entry.get("from") or "",
                entry.get("to") or "",
                "" if entry.get("distance_km") is None else f"{entry['distance_km']:.1f}",
                status,
                reason.get(lang, ""),
            ]
        )
    return "\ufeff" + out.getvalue()


def _rows(plan: Entry) -> Iterable[Entry]:
    yield from (entry | {"status": "move"} for entry in plan["assignments"])
    yield from ({"case_no": case_no, "status": "stay"} for case_no in plan["staying"])
    yield from (entry | {"status": "drop"} for entry in plan["dropped"])
    yield from (entry | {"status": "reject"} for entry in plan["rejected"])


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
