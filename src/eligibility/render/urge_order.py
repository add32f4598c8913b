"""An urge order (督促执行令): by the next-higher court, to the court that executes the case.

What it names follows 执行程序解释11 and 12 and rule XR-02: the property, the measures to
take, the time limit, what follows a lapse, and the written notice to the creditor.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from eligibility.render.footnotes import Footnotes, rule_told
from eligibility.render.notice_draft import LATE, Draft, court_label, statement
from eligibility.render.particulars import Particulars, chinese_day
from eligibility.render.words import Speaker
from eligibility.rulebase.duties import Duty
from eligibility.rulebase.model import Court, Rule

Entry = dict[str, Any]

FORM, LAPSE, APPLICATION = "L20", "L21", "L3"
"""Sources: 执行程序解释11 and 12, 民诉法237."""

ISSUED = "urge_issued"
_DAYS = "urge_days"
_UNMET = ("open", *LATE)
_BACKGROUND = (
    "filing_date",
    "request_channel",
    "request_received_date",
    "outstanding_amount_yuan",
)
_PROPERTY = (
    "enforceable_property_exists",
    "main_property_court",
    "nearest_seizure_expiry_date",
    "undistributed_funds_yuan",
)


class UrgeOrder(Draft):
    """The parts of an urge order and of the notice to the creditor."""

    def parts(self, entry: Entry | None) -> Entry:
        """What the template prints; ``entry`` is a duty that the order is about, if any."""
        facts, executing = self.facts, self.facts.court("court_id")
        issuer = self.above(executing)
        if not issuer and entry is not None and entry["who"]["role"] == "deciding_court":
            issuer = court_label(entry)
        self._remarks()
        creditor_notes = Footnotes(self.rulebase, self.profile, "creditor-")
        return {
            "issuer": issuer,
            "addressee": facts.court_name("court_id"),
            "debtors": self._debtors(),
            "background": facts.of(_BACKGROUND),
            "examined": chinese_day(self.decision["as_of"]),
            "outcome": self.decision["outcome_label"]["zh"],
            "decision_refs": self.notes.decision(self.decision),
            "grounds": list(self._grounds()),
            "form": statement(self.quote(FORM), self.notes.source(FORM)),
            "properties": facts.records("property"),
            "no_property": facts.has_none("property"),
            "property_facts": facts.of(_PROPERTY),
            "measures": [
                *self._cures(),
                *self._steps(),
                *self._unmet(entry, executing),
            ],
            "days": self.notes.parameter(_DAYS, self.today),
            "lapse": statement(self.quote(LAPSE), self.notes.source(LAPSE)),
            "reasons": list(self._reasons()),
            "creditor_notes": creditor_notes,
            "creditor_form": statement(self.quote(FORM), creditor_notes.source(FORM)),
            "creditor_lapse": statement(self.quote(LAPSE), creditor_notes.source(LAPSE)),
        }

    def _debtors(self) -> list[str]:
        rows = self.facts.payload.get("debtors") or [self.facts.payload]
        return [row["debtor_id"] for row in rows if row.get("debtor_id")]

    def _grounds(self) -> Iterator[Entry]:
        """The rules of the decision that open this mode."""
        for rule in self.decision["rules"]:
            if rule["effective"] == "true" and "urge" in (rule.get("modes") or ()):
                text = f"规则{rule['id']}“{rule['title']['zh']}”"
                yield statement(text, self.notes.rule(rule["id"], rule))

    # --- the measures to take --------------------------------------------------------------------

    def _cures(self) -> Iterator[Entry]:
        """What ends a bar that the decision found."""
        for rule in self.decision["rules"]:
            if rule["kind"] == "bar" and rule["effective"] == "true" and rule.get("cure"):
                yield statement(rule["cure"]["zh"], self.notes.rule(rule["id"], rule))

    def _steps(self) -> Iterator[Entry]:
        """The acts open to the court by the decision, each once, with what is on record now.

        Papers that a report would need are no measures of execution, and a step that names
        another court is none that this court takes.
        """
        seen: set[str] = set()
        for option in self.decision["counterfactual"]["can_do"]:
            for step in option["steps"]:
                fact = self.rulebase.vocabulary.facts.get(step["fact"])
                elsewhere = fact is not None and fact.action.to == "other"
                wanted = step.get("how") == "act" and not elsewhere
                if wanted and step["path"] not in seen:
                    seen.add(step["path"])
                    yield statement(self._step(step), self.notes.decision(self.decision))

    def _step(self, step: Entry) -> str:
        place = f"〔{step['path']}〕" if "[" in step["path"] else ""
        now = Particulars({step["fact"]: step["from"]}, self.rulebase).of([step["fact"]])
        shown = now[0].text if now else "未记载"
        return f"采取措施：{step['label']['zh']}{place}（现记载：{shown}）"

    def _unmet(self, entry: Entry | None, executing: Court | None) -> Iterator[Entry]:
        """The duties that the executing court has begun to owe and not fulfilled."""
        duties = {found["id"]: found for found in self.view["follow_ups"]}
        if entry is not None:
            duties.setdefault(entry["id"], entry)
        for duty in duties.values():
            court = duty["who"]["court"] or {}
            owes = executing is not None and court.get("id") == executing.id
            if owes and duty["state"] in _UNMET:
                text = f"{duty['what']['zh']}（{self._standing(duty)}）"
                yield statement(text, self.notes.rule(duty["rule"], duty))

    def _standing(self, duty: Entry) -> str:
        due = date.fromisoformat(duty["due"])
        late = (self.today - due).days
        tail = f"，至{chinese_day(self.today)}已逾期{late}日" if late > 0 else ""
        return f"期限为{chinese_day(due)}{tail}"

    # --- what follows ----------------------------------------------------------------------------

    def _reasons(self) -> Iterator[Entry]:
        """What the court owes once the time is over, by the rules in force."""
        for rule, duty in self._duties():
            if ISSUED in duty.starts_on and duty.due is not None:
                count, days = self.days(duty.due.count, self.today)
                span = f"{count}{Speaker('zh')(f'unit.{duty.due.unit}')}" if count else ""
                refs = self.notes.rule(rule.id, rule_told(rule)) + days
                yield statement(duty.what.zh, refs) | {"span": span}

    def _remarks(self) -> None:
        """Why this mode may not be the one, on what it rests, what a missing date means."""
        self._doubts()
        if self.facts.value("request_channel") != "party_application":
            text = (
                "督促执行令的条文以申请执行人的申请为前提；本案记载的启动方式不是依申请，"
                "或者没有记载，签发前请核对法律依据"
            )
            self.remark(text, self.remark_notes.source(APPLICATION))
        if self.until is None:
            for rule, duty in self._duties():
                if ISSUED in duty.done_by and rule.consequence.zh:
                    reference = self.remark_notes.rule(rule.id, rule_told(rule))
                    self.remark(rule.consequence.zh, reference)

    def _doubts(self) -> None:
        """What the decision says against urging."""
        mode = next((m for m in self.decision["modes"] if m["mode"] == "urge"), None)
        reference = self.remark_notes.decision(self.decision)
        if mode is None:
            self.remark("所依据的审查决定没有列出督促执行", reference)
        elif not mode["recommended"]:
            why = (mode["why"] or {}).get("zh", "").rstrip("。")
            self.remark(f"所依据的审查决定没有建议采用督促执行{why and '：' + why}", reference)

    def _duties(self) -> Iterator[tuple[Rule, Duty]]:
        for rule in self.rulebase.rules_in_force(self.profile, self.today):
            for duty in rule.duties:
                yield rule, duty
