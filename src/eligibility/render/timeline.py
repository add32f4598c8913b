"""A case from decision to closure, and the ledger of duties, for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from eligibility.render.characters import one_line
from eligibility.render.duties import DutyLines
from eligibility.render.outlook import Outlook
from eligibility.render.page import Page
from eligibility.render.particulars import value_text
from eligibility.render.words import Speaker
from eligibility.rulebase.model import Rulebase

Entry = dict[str, Any]

_WORDS = {
    "latest": ("最近结论", "Latest outcome"),
    "until": ("截至", "Seen on"),
    "decisions": ("历次决定", "Decisions"),
    "after": ("承接", "follows"),
    "since": ("决定以来的变化", "Since the decision"),
    "unchanged": ("事实没有变化", "No fact has changed"),
    "now": ("按现在的事实重新审查", "Decided again on the facts of today"),
    "same": ("结论不变", "the same outcome"),
    "again": ("值得重新审查", "worth deciding again"),
    "cannot": ("现在的事实不能审查", "The facts of today cannot be decided"),
    "events": ("经过", "Events"),
    "corrected": ("已更正", "corrected"),
    "withdrawn": ("已撤回", "withdrawn"),
    "withdrawal": ("撤回", "withdrawal"),
    "later": ("晚于截至日", "after that day"),
    "correction": ("更正", "correction"),
    "overdue": ("已逾期", "Overdue"),
    "open": ("期限内", "Open"),
    "waiting": ("待起算", "Waiting for their start"),
    "contingent": ("或有（发生才起算）", "May never arise"),
    "over": ("已完成/已终止", "Done or ended"),
}
_HEADS = {
    "zh": ["期限", "状态", "责任法院", "案号", "规则", "事项"],
    "en": ["due", "state", "court", "case", "rule", "what"],
}
_GROUPS = {
    "overdue": ("overdue", "lapsed"),
    "open": ("open",),
    "waiting": ("waiting",),
    "over": ("done", "done_late", "ended"),
}
_SEVERAL = 2


def timeline_page(view: Entry, rulebase: Rulebase, lang: str = "zh") -> Page:
    """The view of a case: what was decided, what changed since, events, duties by state."""
    return _Timeline(view, rulebase, Speaker(lang), True).page()


class _Timeline(Outlook):
    """The parts of the page, top to bottom; ``body`` is the view."""

    def page(self) -> Page:
        self.head()
        self.decisions()
        self.since()
        self.events()
        self.groups()
        self.warnings()
        return self.out

    def word(self, key: str) -> str:
        return _WORDS[key][0 if self.say.zh else 1]

    def head(self) -> None:
        view, say = self.body, self.say
        rows = [[say("case"), one_line(view["case_no"] or "—")]]
        if view["decisions"]:
            latest = view["decisions"][-1]
            name = latest["outcome"]
            profile = self.rulebase.profiles.get(latest["profile"])
            label = profile.label.in_language(say.lang) if profile else ""
            rows += [
                [self.word("latest"), f"{self.outcome(name)} ({name})"],
                [say("as_of"), latest["as_of"]],
                [say("profile"), f"{label} ({latest['profile']})".strip()],
            ]
        self.out.table([*rows, [self.word("until"), view["as_of"]]])

    def decisions(self) -> None:
        """All of them, where there are several."""
        made = self.body["decisions"]
        if len(made) < _SEVERAL:
            return
        self.out.title(self.word("decisions"))
        for decision in made:
            text = f"{self.outcome(decision['outcome'])} {decision['id']}"
            if decision["follows"]:
                after = self.say.label(self.word("after"), decision["follows"])
                text = f"{text}  {after}"
            self.out.add(text, 2, "", f"{decision['as_of']}  ")

    # --- since the decision ----------------------------------------------------------------------

    def since(self) -> None:
        since = self.body["since_decision"]
        if since is None:
            return
        self.out.title(self.word("since"))
        for entry in since["changed"]:
            self.out.add(self._changed(entry), 2, "", "· ")
        if not since["changed"]:
            self.out.add(self.word("unchanged"), 2, "dim")
        if "problems" in since:
            self._cannot(since["problems"])
        else:
            self._again(since)

    def _changed(self, entry: Entry) -> str:
        say = self.say
        then = value_text(entry["fact"], entry["then"], self.rulebase).in_language(say.lang)
        place = f" {say.bracketed(entry['path'])}" if "[" in entry["path"] else ""
        now = one_line(say.text(entry["shown"]))
        return f"{say.text(entry['label'])}{place}  {one_line(then)} → {now}{self._by(entry)}"

    def _by(self, entry: Entry) -> str:
        """The event that made a fact known."""
        found = [e for e in self.body["events"] if e["id"] == entry["event"]]
        if not found:
            return ""
        text = f"{found[0]['on']} {self.say.text(found[0]['label'])}"
        return f"（{text}）" if self.say.zh else f" ({text})"

    def _again(self, since: Entry) -> None:
        """What deciding again would give."""
        say = self.say
        name = say.text(since["outcome_now_label"])
        same = since["outcome_now"] == since["outcome_then"]
        text = say.label(self.word("now"), self.word("same") if same else name)
        possible = since["possible_outcomes_now"]
        if len(possible) > 1:
            text += say.bracketed(say.label(say("possible"), self.outcomes(possible)))
        self.out.add(text, 2, "" if same else "yellow", "→ ")
        if since["stale"]:
            self.out.add(self.word("again"), 2, "yellow", "! ")

    def _cannot(self, problems: Iterable[Entry]) -> None:
        self.out.add(self.word("cannot"), 2, "yellow", "! ")
        for problem in problems:
            text = one_line(f"{problem['path']}: {self.say.text(problem['message'])}")
            self.out.add(text, 4, "yellow")

    # --- events ----------------------------------------------------------------------------------

    def events(self) -> None:
        """By day; what no longer counts stays visible, struck."""
        events = self.body["events"]
        if events:
            self.out.title(self.word("events"))
        correctors = {e["corrects"]: e for e in events if e.get("corrects")}
        for day, found in groupby(events, key=lambda event: event["on"]):
            for number, event in enumerate(found):
                tag = self._struck(event, correctors.get(event["id"]))
                lead = day if number == 0 else " " * len(day)
                mark = "✗ " if tag else "  "
                style = "dim" if tag else ""
                self.out.add(f"{self._event(event)}{tag}", 2, style, f"{lead}  {mark}")

    def _struck(self, event: Entry, corrector: Entry | None) -> str:
        """Why an event does not count; empty where it does."""
        if not event["stands"]:
            if event.get("withdrawn"):
                word = "withdrawal"
            else:
                word = "withdrawn" if corrector and corrector.get("withdrawn") else "corrected"
            return f" {self.say.bracketed(self.word(word))}"
        if event["on"] > self.body["as_of"]:
            return f" {self.say.bracketed(self.word('later'))}"
        return ""

    def _event(self, event: Entry) -> str:
        say, facts = self.say, self.rulebase.vocabulary.facts
        parts = []
        for key, value in event["facts"].items():
            label = facts[key].label.in_language(say.lang) if key in facts else key
            text = value_text(key, value, self.rulebase).in_language(say.lang)
            parts.append(f"{label}={one_line(text)}")
        if event.get("doc_no"):
            parts.append(say.label(say("paper"), one_line(event["doc_no"])))
        if event.get("corrects") and event["stands"]:
            parts.append(self.word("correction"))
        if event.get("note"):
            parts.append(one_line(event["note"]))
        told = f"  {say.joined(parts)}" if parts else ""
        return f"{say.text(event['label'])}{told}"

    # --- duties ----------------------------------------------------------------------------------

    def groups(self) -> None:
        """Duties by how they stand; those that may never arise at the end."""
        certain = [e for e in self.body["follow_ups"] if not e["contingent"]]
        for name, states in _GROUPS.items():
            self._group(name, [e for e in certain if e["state"] in states])
        self._group("contingent", [e for e in self.body["follow_ups"] if e["contingent"]])

    def _group(self, name: str, entries: Sequence[Entry]) -> None:
        if entries:
            self.out.title(self.word(name))
            DutyLines(self.out, self.say).add(entries)


# --- the ledger ----------------------------------------------------------------------------------


def duty_list_page(rows: Sequence[Entry], as_of: date | str, lang: str = "zh") -> Page:
    """Rows of the ledger (entries of follow-ups with ``case_no``) as a table."""
    say, out = Speaker(lang), Page()
    until = _WORDS["until"][0 if say.zh else 1]
    out.add(say.label(until, str(as_of)), 0, "dim")
    if not rows:
        out.add(say("none"))
        return out
    out.table([_HEADS["zh" if say.zh else "en"], *(_row(row, say) for row in rows)], head=True)
    return out


def _row(row: Entry, say: Speaker) -> list[str]:
    court = row["who"]["court"]
    owes = say.text(court["label"]) if court else f"{say.text(row['who'])} {say('nobody_known')}"
    cells = [
        row["due"] or "—",
        say.text(row["state_label"]),
        owes,
        row.get("case_no") or "—",
        row["rule"],
        say.text(row["what"]),
    ]
    return [one_line(cell) for cell in cells]
