"""A supervision letter (执行监督函) about one duty that is late.

Who owes what under which rule, how its due date came about, how late it is, what was sent
before and what follows: facts and dates only, no judgement of persons.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from eligibility.errors import FactsError, Problem, Text
from eligibility.render.footnotes import Reference
from eligibility.render.notice_draft import LATE, Draft, court_label
from eligibility.render.particulars import chinese_day, court_named
from eligibility.render.words import Speaker
from eligibility.rulebase.duties import Duty

Entry = dict[str, Any]

COUNTING, INSTRUMENTS = "L11", "S31"
"""Sources: 民诉法85, and the report that names the instruments of supervision."""

_LETTER = "supervision_letter"
_URGED = "urge_issued"


class SupervisionLetter(Draft):
    """The parts of a supervision letter."""

    def parts(self, entry: Entry | None) -> Entry:
        """What the template prints. Raises FactsError (``nothing_due``) where nothing is late."""
        due = date.fromisoformat(entry["due"]) if entry and entry["due"] else None
        late = (self.today - due).days if due else 0
        if entry is None or due is None or late < 1 or entry["state"] not in LATE:
            text = Text("该项职责没有逾期，无函可发", "the duty is not late: no letter is due")
            raise FactsError(Problem("nothing_due", text, "entry"))
        self._remarks(entry)
        steps, day = entry["on_lapse"], self.today.isoformat()
        return {
            "issuer": self._issuer(entry),
            "addressee": court_label(entry),
            "instrument_refs": self.notes.source(INSTRUMENTS),
            "role": entry["who"]["zh"],
            "rule": f"规则{entry['rule']}“{entry['title']['zh']}”",
            "rule_refs": self.notes.rule(entry["rule"], entry),
            "what": entry["what"]["zh"],
            "start": self._start(entry),
            "trail": self._trail(entry),
            "counting_refs": self.notes.source(COUNTING),
            "due": chinese_day(due),
            "late": late,
            "done_by": [event["label"]["zh"] for event in entry["done_by"]],
            "issued": list(self._issued(entry)),
            "reached": [self._rung(entry, step) for step in steps if step["on"] <= day],
            "coming": [self._rung(entry, step) for step in steps if step["on"] > day],
        }

    def _issuer(self, entry: Entry) -> str:
        """The deciding court; to that court itself, the one above it."""
        owes = court_named((entry["who"]["court"] or {}).get("id"), self.rulebase)
        name = self.facts.court_name("deciding_court") or self.above(self.facts.court("court_id"))
        if owes is not None and court_named(name, self.rulebase) is owes:
            return self.above(owes)
        return name

    # --- when it was due -------------------------------------------------------------------------

    def _start(self, entry: Entry) -> Entry:
        """From what the duty runs: an event with its record, a decision, another lapse."""
        start = entry["starts"]
        out = {"on": chinese_day(start["on"]), "what": "作出审查决定", "held_by": ""}
        if start["kind"] == "event":
            out["what"] = start["event"]["label"]["zh"]
            out["held_by"] = self._record(start["event"])
        elif start["kind"] == "lapse":
            out["what"] = f"规则{start['rule']}的职责逾期到底"
        elif start["kind"] == "verdict":
            out["what"] = f"审查认定规则{'、'.join(start['rules'])}成立"
        return out

    def _record(self, event: Entry) -> str:
        """The record that holds the day of an event, with the number of its document."""
        kind = self.rulebase.events.get(event["type"])
        key = event["id"].removeprefix("fact:")
        if key not in self.facts.facts:
            key = kind.day[0] if kind and kind.day else ""
        numbers = [e.get("doc_no") for e in self.view["events"] if e["id"] == event["id"]]
        return "，".join(text for text in (self.facts.held_by(key), *numbers) if text)

    def _trail(self, entry: Entry) -> Entry:
        """How the due date was computed: the count and its ground, the days that moved it."""
        trail, say = entry["due_trail"], Speaker("zh")
        fact = trail.get("fact")
        duty, day = self._written(entry), date.fromisoformat(entry["starts"]["on"])
        days = Reference(self.notes)
        if duty is not None and duty.due is not None:
            days = self.days(duty.due.count, day, trail["count"])[1]
        return {
            "from": chinese_day(trail["from"]),
            "fact": fact["label"]["zh"] if fact else "",
            "held_by": fact["held_by"]["zh"] if fact else "",
            "span": f"{trail['count']}{say('unit.' + trail['unit'])}",
            "span_refs": self.notes.rule(entry["rule"], entry) + days,
            "before": trail["before"],
            "nominal": chinese_day(trail["nominal"]),
            "moved": [f"{chinese_day(m['day'])}（{say(m['reason'])}）" for m in trail["moved_by"]],
            "provisional": trail["provisional"],
        }

    def _written(self, entry: Entry) -> Duty | None:
        """The duty as the rule base has it; None where it has no such duty."""
        rule = self.rulebase.rules.get(entry["rule"])
        found = [duty for duty in rule.duties if duty.key == entry["duty"]] if rule else []
        return found[0] if found else None

    # --- the ladder ------------------------------------------------------------------------------

    def _rung(self, entry: Entry, step: Entry) -> Entry:
        """A step of the ladder; its days come with the ground of their number."""
        duty, day = self._written(entry), date.fromisoformat(entry["starts"]["on"])
        days = Reference(self.notes)
        for rung in duty.ladder if duty else ():
            if rung.instrument == step["instrument"]:
                days = self.days(rung.after, day, step["after_days"])[1]
        return {
            "on": chinese_day(step["on"]),
            "after": step["after_days"],
            "label": step["label"]["zh"],
            "refs": self.notes.rule(entry["rule"], entry) + days,
        }

    def _issued(self, entry: Entry) -> Iterator[Entry]:
        """Instruments on record by now: sent about this duty, or without saying about which."""
        start = (entry["starts"].get("event") or {}).get("id")
        for event in self.view["events"]:
            label = self._instrument(event)
            about = event.get("answers") in (None, start)
            if label and about and event["stands"] and event["on"] <= self.today.isoformat():
                number = event.get("doc_no", "")
                yield {"on": chinese_day(event["on"]), "label": label, "doc_no": number}

    def _instrument(self, event: Entry) -> str:
        """What an event says was sent; empty where it says nothing of the kind."""
        if event["type"] == _URGED:
            return str(event["label"]["zh"])
        name = event["facts"].get("issued_instrument", "")
        kind = self.rulebase.instruments.get(name)
        return kind.label.zh if kind else str(name)

    def _remarks(self, entry: Entry) -> None:
        day, steps = self.today.isoformat(), entry["on_lapse"]
        reached = [step for step in steps if step["on"] <= day]
        letters = [step for step in steps if step["instrument"] == _LETTER]
        now = f"；现已到：{reached[-1]['label']['zh']}" if reached else ""
        if not letters:
            self.remark(f"本项职责的措施梯度中没有执行监督函{now}")
        elif letters[0]["on"] > day:
            self.remark(f"按措施梯度，执行监督函自{chinese_day(letters[0]['on'])}起发出{now}")
        if entry["due_trail"]["provisional"]:
            self.remark("所涉年度的放假安排尚未公布，期限为暂定，公布后须重新计算")
        if entry.get("assumes"):
            mode = entry["assumes"]["label"]["zh"]
            self.remark(f"本项职责以采取“{mode}”方式为前提，案件没有记载已作出该决定")
