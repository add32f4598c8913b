"""What a decision leaves open: what is missing, what time or the court would change."""

from __future__ import annotations

import re
from typing import Any

from eligibility.render.duties import DutyLines
from eligibility.render.page import Page
from eligibility.render.receiving import CourtLines
from eligibility.render.words import Speaker
from eligibility.rulebase.model import Rulebase

Entry = dict[str, Any]

# How values without a label of their own are said: keys of the product's words.
_PLAIN = {"[]": "empty", "none": "never", "True": "yes", "False": "no"}


class Outlook:
    """Writes these parts of a decision to a page."""

    def __init__(self, body: Entry, rulebase: Rulebase, say: Speaker, full: bool) -> None:
        self.body = body
        self.rulebase = rulebase
        self.say = say
        self.full = full
        self.out = Page()
        self.quoted: set[str] = set()

    def outcome(self, name: str) -> str:
        for outcome in self.rulebase.outcomes:
            if outcome.name == name:
                return outcome.label.in_language(self.say.lang)
        label = self.rulebase.outcome_labels.get(name)
        return label.in_language(self.say.lang) if label else name

    def outcomes(self, names: list[str]) -> str:
        return self.say.joined([self.outcome(n) for n in names])

    # --- what is missing -----------------------------------------------------------------------

    def presumed(self) -> None:
        """What silence was taken for; what would change nothing is only counted."""
        say, now = self.say, self.body["possible_outcomes"]
        shown = [
            entry
            for entry in self.body["presumed"]
            if self.full or entry["outcomes_if_otherwise"] != now
        ]
        if self.body["presumed"]:
            self.out.title(say("presumed"))
        for entry in shown:
            self.out.add(self._presumption(entry, now), 2, "", "· ")
        rest = len(self.body["presumed"]) - len(shown)
        if rest:
            text = say("presumed_rest").replace("#", str(rest))
            self.out.add(text, 2, "dim")

    def _presumption(self, entry: Entry, now: list[str]) -> str:
        say = self.say
        if "leaf" in entry:
            word = "presumed_true" if entry["as"] else "presumed_false"
            text = say.label(say.text(entry["leaf"]), say(word))
        else:
            fact = self.rulebase.vocabulary.facts.get(entry["fact"])
            name = fact.label.in_language(say.lang) if fact else entry["fact"]
            text = say.label(name, f"{say('taken_as')} {self._value(entry)}")
        then = entry["outcomes_if_otherwise"]
        changed = say("same") if then == now else self.outcomes(then)
        place = f" {say.bracketed(entry['path'])}" if "[" in entry["path"] else ""
        otherwise = say.label(say("otherwise"), changed)
        tail = f"（{otherwise}）" if say.zh else f" ({otherwise})"
        return f"{text}{place}{tail}  {say.joined(entry['rules'])}".rstrip()

    def _value(self, entry: Entry) -> str:
        """What silence about a fact was taken for, in words."""
        fact, value = self.rulebase.vocabulary.facts.get(entry["fact"]), entry["as"]
        label = fact.values.get(value) if fact and isinstance(value, str) else None
        if label is not None:
            return label.in_language(self.say.lang)
        word = _PLAIN.get(str(value))
        return self.say(word) if word else str(value)

    def questions(self) -> None:
        say = self.say
        if not self.body["questions"]:
            return
        self.out.title(say("questions"))
        groups: dict[str, list[Entry]] = {}
        for entry in self.body["questions"]:
            groups.setdefault(say.text(entry["held_by"]), []).append(entry)
        number = 0
        for holder, entries in groups.items():
            self.out.add(holder or "—", 2, "bold")
            for entry in entries:
                number += 1
                self.out.add(self._question(entry), 4, "", f"{number}. ")

    def _question(self, entry: Entry) -> str:
        say = self.say
        values = [say.text(v) for v in (entry.get("values") or {}).values()]
        choice = f"：{' / '.join(values)}" if values and say.zh else ""
        if values and not say.zh:
            choice = f": {' / '.join(values)}"
        rules = say.joined(entry["rules"])
        return f"{say.text(entry['label'])} ({entry['path']}){choice}  {rules}".rstrip()

    # --- time ----------------------------------------------------------------------------------

    def clocks(self) -> None:
        say = self.say
        if self.body["clocks"]:
            self.out.title(say("clocks"))
        for clock in self.body["clocks"]:
            record = f" #{clock['record'] + 1}" if "record" in clock else ""
            self.out.add(self._clock(clock), 2, "", f"{say.text(clock['label'])}{record}  ")
            for interval in clock["intervals"]:
                capped = say("capped") if interval["capped"] else ""
                span = f"{interval['from']} – {interval['to']}"
                kind = self._interval_kind(interval["kind"])
                self.out.add(f"{kind} {span} {interval['days']} {say('days')}{capped}", 4, "", "− ")
            other = clock.get("other_reading")
            if other:
                self.out.add(say.label(say("other_reading"), self._clock(other)), 4)

    def _clock(self, clock: Entry) -> str:
        say = self.say
        parts = [f"{say('start')} {clock['start']}", f"{clock['months']} {say('months')}"]
        if clock["deducted_days"]:
            parts.append(f"{say('deducted')} {clock['deducted_days']} {say('days')}")
        parts.append(f"{say('expires')} {clock['expires']}")
        if clock["moved_by"]:
            moved = [f"{m['day']} {self._reason(m['reason'])}" for m in clock["moved_by"]]
            parts.append(f"{say('moved')} {say.joined(moved)}")
        parts.append(say("exceeded" if clock["exceeded"] else "running"))
        tail = say("provisional") if clock.get("provisional") else ""
        return ("，" if say.zh else ", ").join(parts) + tail

    def _reason(self, reason: str) -> str:
        return self.say(reason) if reason in ("weekend", "holiday") else reason

    def _interval_kind(self, kind: str) -> str:
        for record in self.rulebase.vocabulary.records.values():
            label = record.fields["kind"].values.get(kind) if "kind" in record.fields else None
            if label is not None:
                return label.in_language(self.say.lang)
        return kind

    def time(self) -> None:
        say, change = self.say, self.body["changes_on"]
        self.out.title(say("time"))
        if change is None:
            self.out.add(say("no_change"), 2)
            return
        names = self.outcomes(change["possible_outcomes"])
        self.out.add(f"{change['date']} {say('then')} {names}", 2)

    # --- what would change it --------------------------------------------------------------------

    def counterfactual(self, which: str) -> None:
        say = self.say
        found = self.body["counterfactual"][which]
        if found:
            self.out.title(say(which))
        for entry in found:
            steps = f" {say('and')} ".join(self._step(s) for s in entry["steps"])
            certain = "" if entry["certain"] else say("uncertain")
            names = self.outcomes(entry["outcomes"])
            comma = "，" if say.zh else ", "
            self.out.add(f"{steps}{comma}{say('leads')} {names}{certain}", 2, "", "· ")

    def _step(self, step: Entry) -> str:
        say = self.say
        place = f" {say.bracketed(step['path'])}" if "[" in step["path"] else ""
        text = f"{say.text(step['label'])}{place} {say('to')} {say.text(step['shown'])}"
        notes = [say(step["how"])] if step.get("how") in ("act", "document") else []
        if step.get("wait_days"):
            notes.append(f"{say('wait')} {step['wait_days']} {say('days')}")
        return text + (say.bracketed(say.joined(notes)) if notes else "")

    def modes(self) -> None:
        say = self.say
        if self.body["modes"]:
            self.out.title(say("modes"))
        for mode in self.body["modes"]:
            tags = [
                say(key) for key in ("recommended", "set_level", "prepare_only") if mode.get(key)
            ]
            by = say.text(mode.get("decided_by_label"))
            head = [say.text(mode["label"]), by, say.text(mode["instrument"])]
            text = ("，" if say.zh else ", ").join(part for part in head if part)
            tag = f" {say.bracketed(say.joined(tags))}" if tags else ""
            style = "bold" if mode["recommended"] else ""
            self.out.add(
                f"{text}{tag}  {say.joined(mode['rules'])}", 2, style, "→ " if style else "· "
            )
            if say.text(mode["why"]):
                self.out.add(say.text(mode["why"]), 6)

    # --- afterwards -------------------------------------------------------------------------

    def receiving(self) -> None:
        """Who may receive the case, or what must be known to say so."""
        found = self.body.get("receiving_courts") or {}
        if not (found.get("decider") or found.get("unknown")):
            return
        self.out.title(self.say("receiving"))
        if len(self.body["possible_outcomes"]) > 1:
            self.out.add(self.say("if_moved"), 2, "dim")
        CourtLines(self.out, self.say, self.full).add(found)

    def duties(self) -> None:
        """The duties a decision starts; those that may never arise only on request."""
        found = self.body.get("follow_ups") or []
        shown = [entry for entry in found if self.full or not entry.get("contingent")]
        if shown:
            self.out.title(self.say("duties"))
            DutyLines(self.out, self.say).add(shown)
        rest = len(found) - len(shown)
        if rest:
            text = self.say("contingent_rest").replace("#", str(rest))
            self.out.add(text, 2, "dim")

    def warnings(self) -> None:
        say = self.say
        if self.body["warnings"]:
            self.out.title(say("warnings"))
        for entry in self.body["warnings"]:
            path = str(entry.get("path") or "")
            place = f"{path}: " if self._in_case(path) else ""
            self.out.add(f"{place}{say.text(entry['message'])}", 2, "yellow", "! ")

    def _in_case(self, path: str) -> bool:
        """Whether a path leads to something the reader wrote in the case."""
        name, vocabulary = re.split(r"[.\[]", path)[0], self.rulebase.vocabulary
        lists = {kind.list_key for kind in vocabulary.records.values()}
        return name in vocabulary.facts or name in lists or name == "overrides"
