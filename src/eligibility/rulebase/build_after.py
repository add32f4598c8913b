"""Builds what follows a decision: roles, instruments, ladders, events, duties, measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eligibility.documents import Item
from eligibility.errors import nearest
from eligibility.rulebase.comparisons import Factor, Measure
from eligibility.rulebase.conditions import Param
from eligibility.rulebase.duties import Count, Due, Duty, EventType, Instrument, Role, Rung
from eligibility.rulebase.reading import children, plain, sequence, strings
from eligibility.shapes import text_of
from eligibility.vocabulary.model import CASE
from eligibility.vocabulary.values import Unfit, from_wire

if TYPE_CHECKING:
    from eligibility.rulebase.build import Builder

# The kinds of names that these parts use: code of an unknown one, and the noun.
NOUNS: Mapping[str, tuple[str, tuple[str, str]]] = {
    "role": ("unknown_role", ("责任者", "role")),
    "instrument": ("unknown_instrument", ("措施", "instrument")),
    "ladder": ("unknown_ladder", ("梯度", "ladder")),
    "factor": ("unknown_factor", ("因素", "factor")),
    "event": ("unknown_event", ("事件", "event")),
    "body": ("unknown_body", ("机关", "body")),
}


class AfterParts:
    """Reads these parts of a rule base; names may be keys or Chinese labels."""

    def __init__(self, builder: Builder, meta: Item) -> None:
        self.builder = builder
        self.known: dict[str, dict[str, str]] = {
            "role": _labels(meta.get("roles")),
            "instrument": _labels(meta.get("instruments")),
            "ladder": dict.fromkeys((k for k, _ in children(meta, "ladders")), ""),
            "factor": _labels(meta.get("factors")),
            "event": _labels(builder.sections.get("events")),
            "body": {k: text_of(i).zh for k, i in children(meta, "bodies")},
        }
        self.ladders = {key: self._ladder(item) for key, item in children(meta, "ladders")}

    # --- names -----------------------------------------------------------------------------------

    def named(self, item: Item, kind: str, rule: str = "") -> str:
        """The key that an item names, by key or label; empty (and reported) if unknown."""
        options = self.known[kind]
        for key, zh in options.items():
            if item.raw in (key, zh) and item.raw:
                self.builder.reading.word(item, key, zh)
                item.value = key
                return key
        if item.raw:
            code, noun = NOUNS[kind]
            words = [w for pair in options.items() for w in pair if w]
            self._unknown(code, noun, item, words, rule)
        return ""

    def named_list(self, item: Item, key: str, kind: str, rule: str = "") -> tuple[str, ...]:
        """The keys that a list under ``key`` names."""
        names = (self.named(child, kind, rule) for child in sequence(item, key))
        return tuple(name for name in names if name)

    def fact(self, item: Item | None, rule: str = "") -> str:
        """The key of the fact that an item names; empty (and reported) if unknown."""
        if item is None or not item.raw:
            return ""
        fact = self.builder.vocabulary.named(item.raw)
        if fact is None:
            words = self.builder.vocabulary.words()
            self._unknown("unknown_fact", ("事实", "fact"), item, words, rule)
            return ""
        self.builder.reading.word(item, fact.key, fact.label.zh)
        item.value = fact.key
        return fact.key

    def _facts(self, item: Item, key: str) -> tuple[str, ...]:
        return tuple(f for f in (self.fact(child) for child in sequence(item, key)) if f)

    def count(self, item: Item | None, rule: str = "") -> Count:
        """A whole number, or a parameter written ``$name``."""
        if item is None or (isinstance(item.value, int) and not isinstance(item.value, bool)):
            return item.value if item is not None and isinstance(item.value, int) else 0
        word = item.raw.removeprefix("$")
        key = self.builder.names.parameter(word) if item.raw.startswith("$") else None
        if key is None:
            known = ["$" + w for pair in self.builder.names.parameters.items() for w in pair]
            self.builder.problem(
                "unknown_parameter" if item.raw.startswith("$") else "wrong_type",
                item,
                f"此处应为整数或“$参数”，不是“{item.raw}”",
                f"expected a whole number or '$parameter' here, not '{item.raw}'",
                nearest(item.raw, known),
                rule,
            )
            return 0
        self.builder.reading.word(item, f"${key}", f"${self.builder.names.parameters[key]}")
        return Param(key)

    def _unknown(
        self, code: str, noun: tuple[str, str], item: Item, words: list[str], rule: str
    ) -> None:
        self.builder.problem(
            code,
            item,
            f"没有名为“{item.raw}”的{noun[0]}",
            f"no {noun[1]} named '{item.raw}'",
            nearest(item.raw, words),
            rule,
        )

    # --- meta ------------------------------------------------------------------------------------

    def roles(self, meta: Item) -> dict[str, Role]:
        out = {}
        for key, item in children(meta, "roles"):
            court, below = self.fact(item.get("court")), self.fact(item.get("superior_of"))
            out[key] = Role(key, text_of(item.get("label")), court, below)
        return out

    def instruments(self, meta: Item) -> dict[str, Instrument]:
        out = {}
        for key, item in children(meta, "instruments"):
            by = item.get("issued_by")
            issued_by = self.named(by, "role") if by else ""
            label = text_of(item.get("label"))
            out[key] = Instrument(key, label, plain(item, "formal", True), issued_by)
        return out

    def factors(self, meta: Item) -> dict[str, Factor]:
        return {
            key: Factor(
                key,
                text_of(item.get("label")),
                self.fact(item.get("fact")),
                plain(item, "better", ""),
            )
            for key, item in children(meta, "factors")
        }

    def _ladder(self, item: Item) -> tuple[Rung, ...]:
        rungs = []
        for child in item.sequence:
            instrument = child.get("instrument")
            name = self.named(instrument, "instrument") if instrument else ""
            rungs.append(Rung(self.count(child.get("after")), name))
        return tuple(rungs)

    # --- events ----------------------------------------------------------------------------------

    def events(self) -> dict[str, EventType]:
        out = {}
        for key, item in self.builder.entries("events"):
            self.builder.items[f"event:{key}"] = item
            out[key] = EventType(
                key,
                text_of(item.get("label")),
                self._facts(item, "day"),
                self._facts(item, "facts"),
                self._facts(item, "required"),
                self._sets(item.get("sets")),
                plain(item, "begins", ""),
                strings(item, "ends"),
                plain(item, "transfers", False),
                plain(item, "contingent", False),
                text_of(item.get("note")),
                item.span,
            )
        return out

    def _sets(self, item: Item | None) -> dict[str, Any]:
        """What an event makes so: values of facts, as typed as those of a case."""
        out: dict[str, Any] = {}
        for word, child in (item.mapping if item else {}).items():
            key = self.fact((item.keys or {}).get(word, child) if item else child)
            if not key:
                continue
            fact = self.builder.vocabulary.facts[key]
            try:
                out[key] = from_wire(fact, child.plain())
            except Unfit as error:
                zh, en = f"“{fact.label.zh}”：{error.text.zh}", f"'{key}': {error.text.en}"
                self.builder.problem(error.code, child, zh, en, error.hint)
        return out

    # --- rules -----------------------------------------------------------------------------------

    def duties(self, rule_item: Item, rule: str) -> tuple[Duty, ...]:
        return tuple(self._duty(item, rule) for item in sequence(rule_item, "duties"))

    def _duty(self, item: Item, rule: str) -> Duty:
        when, who, ladder = item.get("when"), item.get("who"), item.get("ladder")
        each = plain(item, "each", "")
        ladder_name = self.named(ladder, "ladder", rule) if ladder else ""
        return Duty(
            key=plain(item, "key", ""),
            who=self.named(who, "role", rule) if who else "",
            what=text_of(item.get("what")),
            due=self._due(item.get("due"), rule),
            when=self.builder.condition(when, each or CASE, rule) if when else None,
            starts_on=self.named_list(item, "starts_on", "event", rule),
            on_decision=plain(item, "on_decision", False),
            on_verdict=self._rules(item, "on_verdict", rule),
            on_lapse_of=self._rules(item, "on_lapse_of", rule),
            done_by=self.named_list(item, "done_by", "event", rule),
            ended_by=self.named_list(item, "ended_by", "event", rule),
            earlier_counts=plain(item, "earlier_counts", False),
            each=each,
            ladder=self.ladders.get(ladder_name, ()),
            span=item.span,
        )

    def _due(self, item: Item | None, rule: str) -> Due | None:
        if item is None:
            return None
        return Due(
            self.count(item.get("count"), rule),
            plain(item, "unit", "day"),
            self.fact(item.get("of"), rule),
            plain(item, "before", False),
            plain(item, "rolls", True),
        )

    def _rules(self, item: Item, key: str, rule: str) -> tuple[str, ...]:
        known, noun = self.builder.rule_ids, ("规则", "rule")
        found = sequence(item, key)
        return tuple(
            child.raw
            for child in found
            if self.builder.known("unknown_rule", noun, child, known, rule)
        )

    def weights(self, rule_item: Item, rule: str) -> dict[str, Param]:
        item, out = rule_item.get("weights"), {}
        for word, child in (item.mapping if item else {}).items():
            name = self.named((item.keys or {}).get(word, child) if item else child, "factor", rule)
            count = self.count(child, rule)
            if isinstance(count, Param):
                out[name] = count
            elif isinstance(child.value, int):
                zh, en = "权重须写成“$参数”", "a weight is a '$parameter'"
                self.builder.problem("wrong_type", child, zh, en, rule=rule)
        return out

    def measures(self, rule_item: Item, rule: str) -> tuple[Measure, ...]:
        return tuple(self._measure(item, rule) for item in sequence(rule_item, "measures"))

    def _measure(self, item: Item, rule: str) -> Measure:
        def limit(key: str) -> Count | None:
            child = item.get(key)
            return None if child is None else self.count(child, rule)

        return Measure(
            plain(item, "key", ""),
            text_of(item.get("label")),
            self.fact(item.get("of"), rule),
            self.fact(item.get("per"), rule),
            limit("at_least"),
            limit("at_most"),
            limit("suppress_under"),
            self._rules(item, "by_rule", rule),
            item.span,
        )


def _labels(section: Item | None) -> dict[str, str]:
    entries = section.mapping if section else {}
    return {key: text_of(item.get("label")).zh for key, item in entries.items()}
