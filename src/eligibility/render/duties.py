"""Duties for people: one line each for who, what and when, and the step of the ladder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from eligibility.render.page import Page
from eligibility.render.words import Speaker

Entry = dict[str, Any]
_STYLE = {"overdue": "yellow", "lapsed": "red", "done": "dim", "done_late": "dim", "ended": "dim"}


class DutyLines:
    """Adds duties to a page."""

    def __init__(self, page: Page, say: Speaker) -> None:
        self.page = page
        self.say = say

    def add(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            lead = f"{entry['rule']}  "
            head = f"{self._who(entry)} {self.say.bracketed(self.say.text(entry['state_label']))}"
            self.page.add(f"{head}  {self._when(entry)}", 2, _STYLE.get(entry["state"], ""), lead)
            self.page.add(self.say.text(entry["what"]), 2 + len(lead))
            for line in self._more(entry):
                self.page.add(line, 2 + len(lead), "dim")

    def _who(self, entry: Entry) -> str:
        court = entry["who"]["court"]
        role = self.say.text(entry["who"])
        name = self.say.text(court["label"]) if court else self.say("nobody_known")
        return f"{role} {name}"

    def _when(self, entry: Entry) -> str:
        say = self.say
        if entry["due"]:
            return say.label(say("due"), f"{entry['due']}{self._trail(entry['due_trail'])}")
        if entry.get("missing"):
            names = [say.text(fact["label"]) for fact in entry["missing"]]
            return say.label(say("missing"), say.joined(names))
        if entry["after_event"]:
            return say.label(say("waits_for"), say.text(entry["after_event"]))
        return ""

    def _trail(self, trail: Entry) -> str:
        say = self.say
        before = say("before_date") if trail["before"] else ""
        span = f"{trail['count']} {say('unit.' + trail['unit'])}"
        parts = [f"{say('counted_from')} {trail['from']} {before} {span}".replace("  ", " ")]
        if trail["moved_by"]:
            moved = [f"{m['day']} {say(m['reason'])}" for m in trail["moved_by"]]
            parts.append(f"{say('moved')} {say.joined(moved)}")
        text = ("，" if say.zh else ", ").join(parts)
        tail = say("provisional") if trail["provisional"] else ""
        return f"（{text}）{tail}" if say.zh else f" ({text}){tail}"

    def _more(self, entry: Entry) -> Iterable[str]:
        say = self.say
        if entry["done"]:
            event = say.text(entry["done"]["event"]["label"])
            yield say.label(say("done_on"), f"{entry['done']['on']} {event}")
            return
        if entry.get("assumes"):
            yield say.label(say("assumes"), say.text(entry["assumes"]["label"]))
        if entry.get("instrument_due"):
            step = entry["instrument_due"]
            yield say.label(say("instrument_due"), f"{say.text(step['label'])} {step['on']}")
        coming = [step for step in entry["on_lapse"] if not step["reached"]]
        if coming and entry["state"] in ("overdue", "lapsed"):
            yield say.label(say("next_step"), f"{say.text(coming[0]['label'])} {coming[0]['on']}")
