"""A decision for people: what, why, what is missing, what would change it."""

from __future__ import annotations

from typing import Any

from eligibility.render.page import Page
from eligibility.render.words import MARKS, Speaker
from eligibility.rulebase.model import Rulebase

Entry = dict[str, Any]


def decision_page(
    body: Entry, rulebase: Rulebase, lang: str = "zh", title: str = "", full: bool = False
) -> Page:
    """The decision ``body`` as a page; ``full`` shows the reasons of every rule."""
    return _Decision(body, rulebase, Speaker(lang), full).page(title)


class _Decision:
    def __init__(self, body: Entry, rulebase: Rulebase, say: Speaker, full: bool) -> None:
        self.body = body
        self.rulebase = rulebase
        self.say = say
        self.full = full
        self.out = Page()

    def page(self, title: str) -> Page:
        self.headline(title)
        self.rules()
        self.presumed()
        self.questions()
        self.clocks()
        self.time()
        self.counterfactual("can_do")
        self.counterfactual("cannot_change")
        self.modes()
        self.receiving()
        self.duties()
        self.warnings()
        return self.out

    def outcome(self, name: str) -> str:
        for outcome in self.rulebase.outcomes:
            if outcome.name == name:
                return outcome.label.in_language(self.say.lang)
        label = self.rulebase.outcome_labels.get(name)
        return label.in_language(self.say.lang) if label else name

    def outcomes(self, names: list[str]) -> str:
        return self.say.joined([self.outcome(n) for n in names])

    # --- the answer --------------------------------------------------------------------------

    def headline(self, title: str) -> None:
        say, body = self.say, self.body
        name = body["outcome"]
        case = " ".join(part for part in (body.get("case_no") or "", title) if part)
        profile = self.rulebase.profiles[body["profile"]].label.in_language(say.lang)
        digest = body["rulebase"]["digest"][:19]
        rows = [[say("outcome"), f"{self.outcome(name)} ({name})"]]
        if case:
            rows.insert(0, [say("case"), case])
        if len(body["possible_outcomes"]) > 1:
            rows.append([say("possible"), self.outcomes(body["possible_outcomes"])])
        rows += [
            [say("profile"), f"{profile} ({body['profile']})"],
            [say("as_of"), body["as_of"]],
            [
                say("rulebase"),
                f"{body['rulebase']['version']}  {digest}  {say('engine')} {body['engine']}",
            ],
        ]
        self.out.table(rows)
        at = next(i for i, line in enumerate(self.out.lines) if line[2] == rows[bool(case)][1])
        indent, lead, text, _ = self.out.lines[at]
        self.out.lines[at] = (indent, lead, text, "bold")
        if not body.get("exact", True):
            self.out.add(say("inexact"), 2, "yellow", "! ")

    # --- why ---------------------------------------------------------------------------------

    def rules(self) -> None:
        found = self.body["rules"]
        effective = [r for r in found if r["effective"] == "true"]
        self._group("bars", [r for r in effective if r["kind"] == "bar"])
        self._group("qualifying", [r for r in effective if r["kind"] != "bar"])
        idle = [r for r in found if r["verdict"] == "true" and r["effective"] != "true"]
        self._brief("without_effect", idle)
        self._brief("open", [r for r in found if r["verdict"] == "unknown"])
        if self.full:
            self._brief("false_rules", [r for r in found if r["verdict"] == "false"])

    def _group(self, heading: str, rules: list[Entry]) -> None:
        if rules:
            self.out.title(self.say(heading))
        for rule in rules:
            self._rule(rule)

    def _name(self, rule: Entry) -> str:
        say = self.say
        tags = [say.closed("basis", rule["basis"])]
        if rule.get("effect"):
            tags.append(say.closed("effect", rule["effect"]))
        if rule.get("advisory"):
            tags.append(say("advisory"))
        return f"{say.text(rule['title'])} {say.bracketed(say.joined(tags))}"

    def _rule(self, rule: Entry) -> None:
        say, out = self.say, self.out
        out.add(self._name(rule), 2, "bold", f"{rule['id']}  ")
        if say.text(rule["consequence"]):
            out.add(say.label(say("consequence"), say.text(rule["consequence"])), 4)
        if rule["kind"] == "bar":
            if say.text(rule.get("cure")):
                out.add(say.label(say("cure"), say.text(rule["cure"])), 4, "green")
            bodies = [say.text(b) for b in (rule.get("override_by") or {}).values()]
            lifted = say.label(say("override"), say.joined(bodies)) if bodies else say("nobody")
            out.add(lifted, 4)
        self._because(rule["because"], 4)
        self._provenance(rule)

    def _provenance(self, rule: Entry) -> None:
        say = self.say
        if rule.get("ground"):
            self.out.add(say.label(say("ground"), say.text(rule["ground"])), 4)
        for part in rule["proposed_parts"]:
            self.out.add(say.label(say("proposed_part"), say.text(part)), 4, "yellow")
        for cited in rule["citations"]:
            source = self.rulebase.sources.get(cited)
            if source is None:
                continue
            quotes = "…".join(source.quotes)
            text = f"{source.title.in_language(say.lang)} {say.quoted(quotes)}"
            self.out.add(text, 4, "dim", f"{cited} ")

    def _because(self, tree: Entry, indent: int) -> None:
        say, mark = self.say, MARKS[tree["truth"]]
        if "sentence" in tree:
            note = f"（{say.text(tree['shown'])}）" if say.zh else f" ({say.text(tree['shown'])})"
            if tree.get("presumed"):
                word = "presumed_true" if tree["truth"] == "true" else "presumed_false"
                note = f"（{say(word)}）" if say.zh else f" ({say(word)})"
            parameter = tree.get("parameter")
            value = f" = {parameter['value']}" if parameter else ""
            self.out.add(f"{say.text(tree['sentence'])}{value}{note}", indent, "", f"{mark} ")
            return
        children = tree["children"]
        plain = tree["op"] == "all" and "definition" not in tree
        if plain:
            for child in children:
                self._because(child, indent)
            return
        name = self._junction(tree)
        self.out.add(name, indent, "", f"{mark} ")
        for child in children:
            self._because(child, indent + 2)

    def _junction(self, tree: Entry) -> str:
        say = self.say
        words = {
            "all": ("全部", "all"),
            "any": ("任一", "any"),
            "not": ("非", "not"),
            "every": ("每一", "every"),
        }[tree["op"]]
        name = words[0 if say.zh else 1]
        if "over" in tree:
            name += ("" if say.zh else " ") + say.text(tree["over"])
        if "definition" in tree:
            name = f"{say.text(tree['definition'])} ({name})"
        return name

    def _brief(self, heading: str, rules: list[Entry]) -> None:
        if not rules:
            return
        self.out.title(self.say(heading))
        for rule in rules:
            reason = self._why_idle(rule)
            text = self._name(rule) + (f" — {reason}" if reason else "")
            self.out.add(text, 2, "", f"{rule['id']}  ")
            if self.full:
                self._because(rule["because"], 4)
                self._provenance(rule)

    def _why_idle(self, rule: Entry) -> str:
        say = self.say
        if rule["verdict"] != "true":
            return ""
        parts = []
        names = [n for n in rule["defeated_by"] if n not in ("channel", "override")]
        if "channel" in rule["defeated_by"]:
            parts.append(say("channel"))
        if "override" in rule["defeated_by"]:
            parts.append(say("overridden"))
        if names:
            word = "defeated" if rule["effective"] == "false" else "undecided_defeat"
            parts.append(f"{say(word)} {say.joined(names)}")
        return say.joined(parts)

    # --- what is missing -----------------------------------------------------------------------

    def presumed(self) -> None:
        say = self.say
        if self.body["presumed"]:
            self.out.title(say("presumed"))
        now = self.body["possible_outcomes"]
        for entry in self.body["presumed"]:
            if "leaf" in entry:
                word = "presumed_true" if entry["as"] else "presumed_false"
                text = say.label(say.text(entry["leaf"]), say(word))
            else:
                fact = self.rulebase.vocabulary.facts.get(entry["fact"])
                name = fact.label.in_language(say.lang) if fact else entry["fact"]
                shown = "[]" if entry["as"] == [] else str(entry["as"])
                text = say.label(name, f"{say('taken_as')} {shown}")
            then = entry["outcomes_if_otherwise"]
            changed = say("same") if then == now else self.outcomes(then)
            rules = say.joined(entry["rules"])
            place = f" {say.bracketed(entry['path'])}" if "[" in entry["path"] else ""
            tail = (
                f"（{say('otherwise')}：{changed}）"
                if say.zh
                else f" ({say('otherwise')}: {changed})"
            )
            self.out.add(f"{text}{place}{tail}  {rules}".rstrip(), 2, "", "· ")

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
            moved = [f"{m['day']} {m['reason']}" for m in clock["moved_by"]]
            parts.append(f"{say('moved')} {say.joined(moved)}")
        parts.append(say("exceeded" if clock["exceeded"] else "running"))
        tail = say("provisional") if clock.get("provisional") else ""
        return ("，" if say.zh else ", ").join(parts) + tail

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

    # --- afterwards --------------------------------------------------------------------------------

    def receiving(self) -> None:
        say, courts = self.say, self.body.get("receiving_courts") or {}
        ranked, excluded = courts.get("ranked") or [], courts.get("excluded") or []
        if not ranked and not excluded:
            return
        self.out.title(say("receiving"))
        for number, entry in enumerate(ranked, 1):
            self.out.add(self._court(entry), 2, "", f"{number}. ")
        for entry in excluded:
            self.out.add(say.label(say("excluded"), self._court(entry)), 2, "dim")

    def _court(self, entry: Entry) -> str:
        say = self.say
        parts = [say.text(entry.get("label")) or str(entry.get("court") or entry.get("court_id"))]
        if entry.get("score") is not None:
            parts.append(str(entry["score"]))
        parts += [say.text(r) for r in entry.get("reasons") or [] if r]
        if entry.get("reason"):
            parts.append(say.text(entry["reason"]))
        return "  ".join(parts)

    def duties(self) -> None:
        say = self.say
        if self.body.get("follow_ups"):
            self.out.title(say("duties"))
        for entry in self.body.get("follow_ups") or []:
            text = say.text(entry.get("what"))
            who = say.text(entry.get("who"))
            when = entry.get("due") or say.text(entry.get("after_event"))
            label = say("due" if entry.get("due") else "after_event")
            tail = f"  {say.label(label, str(when))}" if when else ""
            self.out.add(
                f"{say.label(who, text) if who else text}{tail}", 2, "", f"{entry['rule']}  "
            )

    def warnings(self) -> None:
        say = self.say
        if self.body["warnings"]:
            self.out.title(say("warnings"))
        for entry in self.body["warnings"]:
            place = f"{entry['path']}: " if entry.get("path") else ""
            self.out.add(f"{place}{say.text(entry['message'])}", 2, "yellow", "! ")
