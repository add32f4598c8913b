"""The figures of a court and a period, as callers send them or as the ledger counts them.

They describe no case: their facts have a scope of their own, ``court_period``. What is left
out is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from eligibility.courts.periods import Period, parse_period
from eligibility.errors import EligibilityError, FactsError, Problem, Text, nearest
from eligibility.rulebase.comparisons import Measure
from eligibility.rulebase.model import Rulebase
from eligibility.vocabulary.model import Fact, Type
from eligibility.vocabulary.payload import MAX_PROBLEMS
from eligibility.vocabulary.values import Unfit, from_wire

Number = int | Decimal
Named = Callable[[str, str], tuple[str, Fact] | None]

SUPERVISE = "supervise"
COURT_PERIOD = "court_period"
_KEYS = ("court", "period", "figures", "by_rule", "sources", "notes")
_COURT = Fact("court", Text("法院", "court"), Type.TEXT)
_NOTE = Fact("note", Text("说明", "note"), Type.TEXT)
_COUNT = Fact("count", Text("件数", "count"), Type.INT, minimum=0, maximum=10_000_000)
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Figures:
    """What was counted of a court in a period.

    ``values``: by key of a fact of scope ``court_period``; absent = unknown. ``by_rule``: of
    the reports returned, how many by each rule (a return may rest on several); None, or a rule
    that is absent = unknown. ``sources``: where a figure is from, by the same keys as
    ``values``; ``notes``: remarks on all of them.
    """

    court: str
    period: Period
    values: Mapping[str, Number] = field(default_factory=dict)
    by_rule: Mapping[str, int] | None = None
    sources: Mapping[str, Text] = field(default_factory=dict)
    notes: tuple[Text, ...] = ()


def read_figures(payload: Any, rulebase: Rulebase) -> Figures:
    """The figures that a caller sends, typed.

    ``{"court": id or name, "period": "2025Q1", "figures": {fact: number}, "by_rule"?: {rule:
    count}, "sources"?: {fact: text}, "notes"?: [text]}``; a fact is named by its key or Chinese
    label, null is unknown. Raises :class:`FactsError` with every misfit and its JSON path, also
    where a part is larger than its whole (``contradictory_figures``).
    """
    reader = _Reader(rulebase)
    figures = reader.figures(payload)
    if figures is not None:
        for problem in contradictions(figures, rulebase):
            reader.add(problem)
    if reader.problems or figures is None:
        raise FactsError(reader.problems)
    return figures


def contradictions(figures: Figures, rulebase: Rulebase) -> Iterator[Problem]:
    """Figures that cannot be true together: a part larger than the whole that a measure names."""
    facts, values, seen = rulebase.vocabulary.facts, figures.values, set()
    for measure in measures(rulebase):
        of, per = values.get(measure.of), values.get(measure.per)
        if of is not None and per is not None and of > per:
            seen.add((f"figures.{measure.of}", facts[measure.of].label, of, measure.per))
        for rule in measure.by_rule if of is not None else ():
            count = (figures.by_rule or {}).get(rule)
            if count is not None and of is not None and count > of:
                seen.add((f"by_rule.{rule}", Text(rule, rule), count, measure.of))
    for path, name, part, whole in sorted(seen):
        label = facts[whole].label
        message = Text(
            f"“{name.zh}”为 {part}，多于“{label.zh}”的 {values[whole]}",
            f"'{name.en}' is {part}, more than '{label.en}', {values[whole]}",
        )
        yield Problem("contradictory_figures", message, path)


def measures(rulebase: Rulebase) -> Iterator[Measure]:
    """The measures of all rules, in force or not."""
    return (m for rule in rulebase.rules.values() if rule.kind == SUPERVISE for m in rule.measures)


class _Reader:
    def __init__(self, rulebase: Rulebase) -> None:
        self.rulebase = rulebase
        self.problems: list[Problem] = []
        facts = rulebase.vocabulary.of_scope(COURT_PERIOD)
        self.words = {word: fact for fact in facts for word in (fact.key, fact.label.zh)}

    def add(self, problem: Problem) -> None:
        """Keep a problem; enough of them end the reading, for each costs a search for hints."""
        self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            zh, en = f"只列出前 {MAX_PROBLEMS} 处问题", f"only the first {MAX_PROBLEMS} are listed"
            end = Problem("too_many_problems", Text(zh, en), "figures")
            raise FactsError([*self.problems, end])

    def problem(self, code: str, path: str, zh: str, en: str, hint: Text | None = None) -> None:
        self.add(Problem(code, Text(zh, en), path, "", hint))

    def figures(self, payload: Any) -> Figures | None:
        if not isinstance(payload, Mapping):
            zh, en = "应为键值表：法院、期间、数字", "expected a mapping: court, period, figures"
            self.problem("wrong_type", "", zh, en)
            return None
        for key in map(_text, payload):
            if key not in _KEYS:
                zh, en = f"没有“{key}”这一项", f"no field '{key}'"
                self.problem("unknown_field", key, zh, en, nearest(key, _KEYS))
        court = self.required(payload, "court")
        name = None if court is None else self.value(_COURT, court, "court")
        period = self.period(self.required(payload, "period"))
        values = self.table(payload, "figures", self.fact)
        counts = self.table(payload, "by_rule", self.rule)
        sources = self.table(payload, "sources", self.source)
        notes = self.notes(payload.get("notes"))
        if period is None or not name:
            return None
        by_rule = None if payload.get("by_rule") is None else counts
        return Figures(name, period, values, by_rule, sources, notes)

    def required(self, payload: Mapping[Any, Any], key: str) -> Any:
        found = payload.get(key)
        if found is None or found == "":
            self.problem("missing_field", key, "必须填写", "is required")
            return None
        return found

    def period(self, raw: Any) -> Period | None:
        try:
            return None if raw is None else parse_period(raw)
        except EligibilityError as error:
            self.problems += error.problems
            return None

    def table(self, payload: Mapping[Any, Any], part: str, named: Named) -> dict[str, Any]:
        """A mapping of the payload; ``named`` finds the key and the type of an entry."""
        raw, out = payload.get(part), dict[str, Any]()
        if raw is None:
            return out
        if not isinstance(raw, Mapping):
            self.problem("wrong_type", part, "应为键值表", "expected a mapping")
            return out
        for word, item in raw.items():
            path = f"{part}.{_text(word)}"
            found = named(_text(word), path)
            if found is None:
                continue
            key, fact = found
            if key in out:
                zh, en = "同一项写了两次", "the same entry twice"
                self.problem("duplicate_fact", f"{part}.{key}", zh, en)
                continue
            value = self.value(fact, item, f"{part}.{key}")
            if value is not None:
                out[key] = Text(value, value) if fact is _NOTE else value
        return out

    def fact(self, word: str, path: str) -> tuple[str, Fact] | None:
        fact = self.words.get(word)
        if fact is not None:
            return fact.key, fact
        zh, en = f"法院期间没有“{word}”这一数字", f"a court and period has no figure '{word}'"
        self.problem("unknown_fact", path, zh, en, nearest(word, self.words))
        return None

    def source(self, word: str, path: str) -> tuple[str, Fact] | None:
        found = self.fact(word, path)
        return None if found is None else (found[0], _NOTE)

    def rule(self, word: str, path: str) -> tuple[str, Fact] | None:
        if word in self.rulebase.rules:
            return word, _COUNT
        zh, en = f"没有规则“{word}”", f"no rule '{word}'"
        self.problem("unknown_rule", path, zh, en, nearest(word, self.rulebase.rules))
        return None

    def notes(self, raw: Any) -> tuple[Text, ...]:
        if raw is None:
            return ()
        if not isinstance(raw, list):
            self.problem("wrong_type", "notes", "应为列表", "expected a list")
            return ()
        read = [self.value(_NOTE, item, f"notes[{i}]") for i, item in enumerate(raw)]
        return tuple(Text(text, text) for text in read if text)

    def value(self, fact: Fact, raw: Any, path: str) -> Any:
        try:
            return from_wire(fact, raw)
        except Unfit as error:
            self.add(error.at(path))
            return None


def _text(key: Any) -> str:
    return str(key)[:_SHOWN].encode("utf-8", "backslashreplace").decode()
