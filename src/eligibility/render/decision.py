"""A decision for people: what was decided and why."""

from __future__ import annotations

import re
from typing import Any

from eligibility.render.outlook import Entry, Outlook
from eligibility.render.page import Page
from eligibility.render.words import MARKS, Speaker
from eligibility.rulebase.model import Rulebase

_PARAMETER = re.compile(r"\$\S+")


def decision_page(
    body: Entry, rulebase: Rulebase, lang: str = "zh", title: Any = "", full: bool = False
) -> Page:
    """The decision ``body`` as a page; ``full`` shows the reasons of every rule."""
    return _Decision(body, rulebase, Speaker(lang), full).page(title)


class _Decision(Outlook):
    """The whole page: the answer and the reasons, then the outlook."""

    def page(self, title: Any) -> Page:
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

    # --- the answer --------------------------------------------------------------------------

    def headline(self, title: Any) -> None:
        say, body = self.say, self.body
        name = body["outcome"]
        case = " ".join(part for part in (body.get("case_no") or "", say.text(title)) if part)
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
        again = []
        for cited in rule["citations"]:
            source = self.rulebase.sources.get(cited)
            if source is None:
                continue
            if cited in self.quoted:
                again.append(cited)
                continue
            self.quoted.add(cited)
            text = f"{source.title.in_language(say.lang)} {say.quoted('…'.join(source.quotes))}"
            self.out.add(text, 4, "dim", f"{cited} ")
        if again:
            self.out.add(f"{say.joined(again)} {say('quoted_above')}", 4, "dim")

    def _because(self, tree: Entry, indent: int) -> None:
        mark = MARKS[tree["truth"]]
        if "sentence" in tree:
            self.out.add(self._sentence(tree), indent, "", f"{mark} ")
            return
        children = tree["children"]
        if tree["op"] == "not" and "sentence" in children[0]:
            self.out.add(
                f"{self._junction(tree)}: {self._sentence(children[0])}", indent, "", f"{mark} "
            )
            return
        if tree["op"] == "all" and "definition" not in tree and "over" not in tree:
            for child in children:
                self._because(child, indent)
            return
        self.out.add(self._junction(tree), indent, "", f"{mark} ")
        for number, child in enumerate(children):
            if "over" in tree and len(children) > 1:
                record = f"{tree['over']['list']}[{number}]"
                self.out.add(record, indent + 2, "", f"{MARKS[child['truth']]} ")
                self._because(child, indent + 4)
            else:
                self._because(child, indent + 2)

    def _sentence(self, tree: Entry) -> str:
        say = self.say
        text = say.text(tree["sentence"])
        if "parameter" in tree:
            value = tree["parameter"]["value"]
            text = _PARAMETER.sub(lambda found: f"{found[0]}={value}", text)
        note = say.text(tree["shown"])
        if tree.get("presumed"):
            note = say("presumed_true" if tree["truth"] == "true" else "presumed_false")
        return f"{text}（{note}）" if say.zh else f"{text} ({note})"

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
            if rule.get("override"):
                self.out.add(self._lifted(rule["override"]), 4)
            if self.full:
                self._because(rule["because"], 4)
                self._provenance(rule)

    def _lifted(self, override: Entry) -> str:
        """The recorded override: who lifted the rule, by which paper and why."""
        say = self.say
        body = self.rulebase.bodies.get(override["body"])
        who = body.in_language(say.lang) if body else override["body"]
        paper = say.label(say("paper"), override["doc_no"])
        reason = say.label(say("ground"), override["reason"])
        return say.label(say("override_record"), say.joined([who, paper, reason]))

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
