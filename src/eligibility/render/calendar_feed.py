"""The duties of a court as a calendar feed (iCalendar, RFC 5545) to subscribe to.

One all-day event for each duty that still has to be done, on the day it is due. What a
duty is called stays the same for good, so that a calendar that fetches the feed again
moves or drops its entries instead of doubling them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from icalendar import Alarm, Calendar, Event, vText

from eligibility.render.characters import one_line
from eligibility.render.duties import DutyLines
from eligibility.render.page import Page
from eligibility.render.words import Speaker

Entry = dict[str, Any]

RUNNING = ("open", "overdue", "lapsed")
_PRODUCT = "-//eligibility//follow-ups//ZH"
_REFRESH = timedelta(hours=12)
_AHEAD = timedelta(days=3)  # how long before the due date a reminder rings
_SHORT = 24  # characters of what is to be done that stand in the title
_NO_WRAP = 1_000_000


def feed(court_label: Mapping[str, str] | str, entries: Iterable[Entry], now: datetime) -> bytes:
    """The calendar of a court: its duties that are open, overdue or lapsed, with due dates.

    ``entries``: rows of the ledger (entries of follow-ups with ``case_no``); ``now``: a time
    with a zone, the only thing that differs between two feeds of the same entries.
    Raises ValueError where ``now`` has no zone.
    """
    if now.tzinfo is None:
        raise ValueError("the time of a feed needs a zone")
    name = f"交叉执行后续义务 {Speaker('zh').text(court_label)}".strip()
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", vText(one_line(name)))
    calendar.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vText("PT12H"))
    for entry in _shown(entries):
        calendar.add_component(_event(entry, now.astimezone(UTC)))
    written: bytes = calendar.to_ical()
    return written


def _shown(entries: Iterable[Entry]) -> list[Entry]:
    """The duties of the feed by due date, each once, in an order of their own."""
    running = {e["id"]: e for e in entries if e["state"] in RUNNING and e["due"]}
    return sorted(running.values(), key=lambda e: (e["due"], e["id"]))


def _event(entry: Entry, now: datetime) -> Event:
    event = Event()
    event.add("uid", one_line(f"{entry['id']}@eligibility"))
    event.add("dtstamp", now)
    event.add("dtstart", date.fromisoformat(entry["due"]))
    event.add("summary", one_line(summary(entry)))
    event.add("description", "\n".join(one_line(line) for line in description(entry)))
    event.add("categories", [one_line(entry["state_label"]["zh"]), one_line(entry["state"])])
    event.add("status", "TENTATIVE" if _may_change(entry) else "CONFIRMED")
    event.add("transp", "TRANSPARENT")  # a time limit takes no time of the day
    if entry["state"] == "open":
        event.add_component(_alarm(entry))
    return event


def _may_change(entry: Entry) -> bool:
    """Whether the due date rests on holidays not yet published, or on a mode only assumed."""
    return bool(entry["due_trail"]["provisional"] or entry.get("assumes"))


def _alarm(entry: Entry) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("trigger", -_AHEAD)
    alarm.add("description", one_line(f"三日后到期：{summary(entry)}"))
    return alarm


def summary(entry: Entry) -> str:
    """``【已逾期】案号 事项``: the first words of what is to be done."""
    case = entry.get("case_no") or "（案号未载）"
    what = " ".join(entry["what"]["zh"].split())
    short = what.split("；")[0].split("：")[0].rstrip("。")
    if len(short) > _SHORT:
        short = short[: _SHORT - 1] + "…"
    return f"【{entry['state_label']['zh']}】{case} {short}"


def description(entry: Entry) -> list[str]:
    """Who, what and how the due date was computed; the rule and its basis; the ladder."""
    say = Speaker("zh")
    page = Page()
    DutyLines(page, say).add([entry])
    lines = [line.strip() for line in page.text(_NO_WRAP).splitlines()]
    law = "" if entry["basis"] != "proposed" else "，不是法律规定"
    basis = say.bracketed(say.closed("basis", entry["basis"]) + law)
    lines.append(say.label("规则", f"{entry['rule']} {say.text(entry['title'])}{basis}"))
    if entry["proposed_parts"]:
        parts = say.joined([say.text(part) for part in entry["proposed_parts"]])
        lines.append(say.label(say("proposed_part"), parts))
    if entry["citations"]:
        lines.append(say.label(say("law"), say.joined(list(entry["citations"]))))
    steps = [_step(step) for step in entry["on_lapse"]]
    if steps:
        lines.append(say.label("逾期措施", "；".join(steps)))
    return lines


def _step(step: Entry) -> str:
    reached = "（已到）" if step["reached"] else ""
    return f"{step['on']} {step['label']['zh']}{reached}"
