"""A case under examination in a scenario: what was said of it, and the answer it got."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from eligibility.decision.decide import Decider
from eligibility.errors import EligibilityError
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.model import Fact, Type

# What every case of the sources is taken to be unless a scenario says otherwise.
ORDINARY = {
    "procedure_status": "enforcing",
    "settlement_state": "none",
    "bankruptcy_state": "none",
    "obligation_type": "money",
    "title_content_clear": True,
    "prior_cross_count": 0,
    "returned_before": False,
    "undistributed_funds_yuan": 0,
}
Table = list[list[str]]


@dataclass
class Examination:
    """What a scenario has said so far, and the answer it got.

    ``without``: deciders by the same rules less one, by the id of that rule, once made.
    """

    decider: Decider
    without: dict[str, Decider]
    facts: dict[str, Any] = field(default_factory=dict)
    profile: str = "national"
    as_of: date | None = None
    decision: dict[str, Any] | None = None
    refusal: EligibilityError | None = None

    @property
    def rulebase(self) -> Rulebase:
        return self.decider.rulebase

    @property
    def answer(self) -> dict[str, Any]:
        if self.decision is None:
            raise AssertionError(f"该案未能得出结论：{self.refusal}")
        return self.decision

    def rule(self, rule_id: str) -> dict[str, Any]:
        """The entry of a rule in the decision (decisions here list every rule)."""
        found = [r for r in self.answer["rules"] if r["id"] == rule_id]
        assert found, f"规则 {rule_id} 不在适用范围内"
        return found[0]  # type: ignore[no-any-return]

    def fact(self, word: str, kind: str = "") -> Fact:
        records = self.rulebase.vocabulary.records
        if kind and records[kind].fields:
            return next(f for f in records[kind].fields.values() if word in (f.key, f.label.zh))
        fact = self.rulebase.vocabulary.named(word)
        assert fact is not None, f"事实字典中没有“{word}”"
        return fact

    def place(self, path: str) -> str:
        """A path in a case as people read it: ``properties[0].seizure_rank``, 财产1的查封顺位."""
        vocabulary = self.rulebase.vocabulary
        labels = {"case": "本案"}
        for kind in vocabulary.records.values():
            labels.update({field.key: field.label.zh for field in kind.fields.values()})
            labels[kind.list_key] = kind.label.zh
        words = []
        for part in path.split("."):
            key, _, index = part.partition("[")
            fact = vocabulary.facts.get(key)
            label = labels.get(key) or (fact.label.zh if fact else key)
            words.append(f"{label}{int(index[:-1]) + 1}" if index else label)
        return "的".join(words)

    def put(self, word: str, text: str) -> None:
        fact = self.fact(word)
        self.facts.pop(fact.key, None)
        if text != "未知":
            self.facts[fact.key] = value_of(fact, text)

    def records(self, kind: str, table: Table) -> None:
        header, *rows = table
        made = []
        for row in rows:
            pairs = zip(header, row, strict=True)
            known = [(self.fact(word, kind), text) for word, text in pairs if text != "未知"]
            made.append({fact.key: value_of(fact, text) for fact, text in known})
            for fact, _ in known:
                self.facts.pop(fact.key, None)
        for fact in self.rulebase.vocabulary.of_scope(kind):
            default = self.facts.pop(fact.key, None)
            if default is not None:
                for record in made:
                    record.setdefault(fact.key, default)
        self.facts[self.rulebase.vocabulary.records[kind].list_key] = made

    def examine(self) -> None:
        self.decision = self.refusal = None
        try:
            self.decision = self.decider.decide(
                copy.deepcopy(self.facts),
                today=date(2024, 9, 2),
                as_of=self.as_of,
                profile=self.profile,
                engine="verified",
                full=True,
            )
        except EligibilityError as error:
            self.refusal = error


def value_of(fact: Fact, text: str) -> Any:
    """The wire value that a cell of a table stands for."""
    if fact.type is Type.SET or fact.many:
        return [] if text == "空" else [part.strip() for part in text.split("、")]
    if fact.type in (Type.INT, Type.MONEY, Type.DECIMAL) and text != "无":
        number = Decimal(text)
        return int(number) if number == int(number) else number
    return text


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.split("、") if part.strip()]
