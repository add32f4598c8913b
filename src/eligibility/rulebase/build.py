"""Builds the typed model from merged sections; what does not resolve is a problem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from eligibility.calendars import WorkingCalendar
from eligibility.documents import Item
from eligibility.errors import Problem, Span, Text, nearest
from eligibility.rulebase import model as m
from eligibility.rulebase.build_after import AfterParts
from eligibility.rulebase.conditions import Condition, Leaf, Over
from eligibility.rulebase.labels import read_labels, use_keys
from eligibility.rulebase.language import Names, Sentences, quantifiers
from eligibility.rulebase.reading import children, load, period, plain, sequence, site, strings
from eligibility.shapes import Reading, text_of
from eligibility.slips import in_value
from eligibility.vocabulary.model import CASE, Fact, Type, Vocabulary


class Builder:
    """Keeps what building needs: sections, names, problems, and the items of each part."""

    def __init__(
        self, sections: Mapping[str, Item], vocabulary: Vocabulary, reading: Reading
    ) -> None:
        self.sections = sections
        self.vocabulary = vocabulary
        self.reading = reading
        self.warnings: list[Problem] = []
        self.items: dict[str, Item] = {}
        self.labels = read_labels(sections)
        use_keys(sections, self.labels, reading)
        self.rule_ids = {plain(item, "id", ""): item for item in reversed(self.listed("rules"))}
        self.names = Names(vocabulary, self._definition_facts(), self._parameter_labels())

    # --- small readers -------------------------------------------------------------------

    def entries(self, name: str) -> Iterator[tuple[str, Item]]:
        section = self.sections.get(name)
        return iter(section.mapping.items() if section else ())

    def listed(self, name: str) -> list[Item]:
        section = self.sections.get(name)
        return section.sequence if section else []

    def problem(
        self, code: str, item: Item, zh: str, en: str, hint: Text | None = None, rule: str = ""
    ) -> None:
        self.reading.problem(code, item, zh, en, hint, rule=rule)

    def known(
        self, code: str, noun: tuple[str, str], item: Item, known: Iterable[str], rule: str = ""
    ) -> bool:
        """Report a name that does not exist, with the nearest one that does."""
        name = item.value if isinstance(item.value, str) else item.raw
        options = list(known)
        if name in options:
            return True
        words = [*options, *self.labels.get(code, {}).values()]
        self.problem(
            code,
            item,
            f"没有名为“{name}”的{noun[0]}",
            f"no {noun[1]} named '{name}'",
            in_value(name) or nearest(name, words),
            rule,
        )
        return False

    def _definition_facts(self) -> dict[str, Fact]:
        out = {}
        for item in self.listed("definitions"):
            key = plain(item, "key", "")
            scope = plain(item, "scope", CASE)
            out[key] = Fact(key, text_of(item.get("title")), Type.BOOL, scope, span=item.span)
        return out

    def _parameter_labels(self) -> dict[str, str]:
        return {key: text_of(item.get("label")).zh for key, item in self.entries("parameters")}

    # --- the parts -----------------------------------------------------------------------

    def rulebase(self, calendar: WorkingCalendar) -> m.Rulebase | None:
        meta = self.sections.get("meta")
        if meta is None:
            root = next(iter(self.sections.values()), Item({}, self._start()))
            self.problem("missing_key", root, "缺少“meta”（总则）", "'meta' is missing")
            return None
        version = self.sections.get("version")
        profiles = {key: self._profile(key, item) for key, item in self.entries("profiles")}
        parameters = {key: self._parameter(key, item) for key, item in self.entries("parameters")}
        self.parameters = parameters
        after = self.after = AfterParts(self, meta)
        return m.Rulebase(
            version=version.raw if version else "",
            vocabulary=self.vocabulary,
            names=self.names,
            layers={k: self._layer(k, i) for k, i in children(meta, "layers")},
            outcomes=tuple(self._outcome(i) for i in sequence(meta, "outcomes")),
            outcome_labels={k: text_of(i) for k, i in children(meta, "labels")},
            channels={k: text_of(i) for k, i in children(meta, "channels")},
            modes={k: self._mode(k, i) for k, i in children(meta, "modes")},
            bodies={k: text_of(i) for k, i in children(meta, "bodies")},
            parameters=parameters,
            sources={key: self._source(key, item) for key, item in self.entries("sources")},
            profiles=profiles,
            courts={key: self._court(key, item) for key, item in self.entries("courts")},
            roles=after.roles(meta),
            instruments=after.instruments(meta),
            factors=after.factors(meta),
            events=after.events(),
            definitions=self._definitions(),
            constraints=tuple(self._constraints()),
            rules=self._rules(),
            calendar=calendar,
            digest="",
        )

    def _start(self) -> Any:
        return next((i.span for i in self.sections.values()), Span("", 1, 1))

    def _profile(self, key: str, item: Item) -> m.Profile:
        adopts = item.get("adopts")
        self.items[f"profile:{key}"] = item
        return m.Profile(
            key,
            text_of(item.get("label")),
            plain(item, "extends", ""),
            None if adopts is None else frozenset(i.raw for i in adopts.sequence),
        )

    def _parameter(self, key: str, item: Item) -> m.Parameter:
        self.items[f"parameter:{key}"] = item
        values = tuple(
            m.ParameterValue(
                child.plain()["value"] if child.get("value") else None,
                period(child),
                plain(child, "profile", ""),
                plain(child, "basis", "proposed"),
                text_of(child.get("ground")),
                strings(child, "citations"),
            )
            for child in sequence(item, "values")
        )
        return m.Parameter(
            key,
            text_of(item.get("label")),
            plain(item, "type", "int"),
            values,
            plain(item, "unit", ""),
            {k: text_of(i) for k, i in children(item, "choices")},
            text_of(item.get("set_by")),
            item.span,
        )

    def _source(self, key: str, item: Item) -> m.Source:
        self.items[f"source:{key}"] = item
        return m.Source(
            key,
            text_of(item.get("title")),
            plain(item, "kind", ""),
            plain(item, "locator", ""),
            strings(item, "quotes"),
            plain(item, "url", ""),
            text_of(item.get("gloss")),
            text_of(item.get("note")),
            plain(item, "verified", True),
        )

    def _court(self, key: str, item: Item) -> m.Court:
        self.items[f"court:{key}"] = item
        return m.Court(
            key,
            text_of(item.get("label")),
            plain(item, "level", ""),
            plain(item, "parent", ""),
            plain(item, "profile", ""),
            plain(item, "line", ""),
            strings(item, "aliases"),
            plain(item, "district", ""),
            site(item.get("site")),
            strings(item, "teams"),
            load(item.get("load")),
        )

    def _layer(self, key: str, item: Item) -> m.Layer:
        channels = frozenset(strings(item, "channels"))
        return m.Layer(key, text_of(item.get("label")), plain(item, "defeasible", True), channels)

    def _outcome(self, item: Item) -> m.OutcomeDef:
        self.items[f"outcome:{len(self.items)}"] = item
        when = item.get("when")
        conditions = when.plain() if when and isinstance(when.value, dict) else {}
        return m.OutcomeDef(
            plain(item, "outcome", ""),
            text_of(item.get("label")),
            plain(item, "rank", 0),
            conditions,
        )

    def _mode(self, key: str, item: Item) -> m.Mode:
        self.items[f"mode:{key}"] = item
        condition = item.get("insufficient_when")
        return m.Mode(
            key,
            text_of(item.get("label")),
            plain(item, "decided_by", ""),
            text_of(item.get("instrument")),
            plain(item, "power_moves", False),
            plain(item, "set_level", False),
            self.condition(condition, CASE, f"mode:{key}") if condition else None,
            text_of(item.get("when_insufficient")),
        )

    def _definitions(self) -> dict[str, m.Definition]:
        out: dict[str, m.Definition] = {}
        for item in self.listed("definitions"):
            key, scope = plain(item, "key", ""), plain(item, "scope", CASE)
            when = item.get("when")
            condition = self.condition(when, scope, key) if when else None
            if key in out:
                self.problem("duplicate_id", item, f"“{key}”重复", f"'{key}' is defined twice")
            elif condition is not None:
                self.items[f"definition:{key}"] = item
                out[key] = m.Definition(
                    key,
                    text_of(item.get("title")),
                    scope,
                    condition,
                    plain(item, "basis", "proposed"),
                    text_of(item.get("ground")),
                    strings(item, "citations"),
                    item.span,
                )
        return out

    def _constraints(self) -> Iterator[m.Constraint]:
        for item in self.listed("constraints"):
            never, scope = item.get("never"), plain(item, "scope", CASE)
            condition = self.condition(never, scope, plain(item, "id", "")) if never else None
            if condition is not None:
                text = text_of(item.get("message"))
                yield m.Constraint(plain(item, "id", ""), scope, condition, text)

    def _rules(self) -> dict[str, m.Rule]:
        out: dict[str, m.Rule] = {}
        for item in self.listed("rules"):
            rule = self._rule(item)
            rule_id = plain(item, "id", "")
            first = self.rule_ids[rule_id]
            if first is not item and rule_id:
                self.problem(
                    "duplicate_id",
                    item.get("id") or item,
                    f"规则编号“{rule_id}”在 {first.span} 已使用",
                    f"rule id '{rule_id}' is already used at {first.span}",
                    rule=rule_id,
                )
            elif rule is not None:
                self.items[f"rule:{rule.id}"] = item
                out[rule.id] = rule
        return out

    def _rule(self, item: Item) -> m.Rule | None:
        rule_id = plain(item, "id", "")
        over = self._over(item.get("over"), rule_id)
        scope = over.scope if over else CASE
        when_item, unless_item = item.get("when"), item.get("unless")
        when = self.condition(when_item, scope, rule_id) if when_item else None
        unless = self.condition(unless_item, scope, rule_id) if unless_item else None
        if not rule_id or (when is None and when_item is not None):
            return None
        defeats, layers = self._defeats(item.get("defeats"), rule_id)
        return m.Rule(
            id=rule_id,
            title=text_of(item.get("title")),
            kind=plain(item, "kind", ""),
            layer=plain(item, "layer", ""),
            profile=plain(item, "profile", ""),
            when=when or m.ALWAYS_TRUE,
            unless=unless,
            over=over,
            grants=plain(item, "grants", ""),
            effect=plain(item, "effect", ""),
            modes=strings(item, "modes"),
            channel=frozenset(strings(item, "channel")),
            on_unknown=self._closings(item.get("on_unknown"), rule_id),
            defeats=defeats,
            defeats_layers=layers,
            advisory=plain(item, "advisory", False),
            set_level=plain(item, "set_level", False),
            in_stay=plain(item, "in_stay", ""),
            duties=self.after.duties(item, rule_id),
            hard=plain(item, "hard", False),
            weights=self.after.weights(item, rule_id),
            flips=self.after.named_list(item, "flips", "factor", rule_id),
            measures=self.after.measures(item, rule_id),
            period=plain(item, "period", ""),
            cure=text_of(item.get("cure")),
            override_by=strings(item, "override_by"),
            exception=text_of(item.get("exception")),
            consequence=text_of(item.get("consequence")),
            note=text_of(item.get("note")),
            basis=plain(item, "basis", "proposed"),
            proposed_parts=tuple(text_of(i) for i in sequence(item, "proposed_parts")),
            ground=text_of(item.get("ground")),
            citations=strings(item, "citations"),
            effective=period(item.get("effective")),
            span=item.span,
        )

    def _over(self, item: Item | None, rule_id: str) -> Over | None:
        if item is None:
            return None
        known = quantifiers(self.names)
        for en, (zh, every, scope, main) in known.items():
            if item.raw in (en, zh):
                self.reading.word(item, en, zh)
                return Over(every, scope, Leaf("", ""), main, item.span)
        self.known("unknown_word", ("范围", "quantifier"), item, known, rule_id)
        return None

    def condition(self, item: Item, scope: str, rule_id: str) -> Condition | None:
        return Sentences(self.names, self.reading, rule_id).condition(item)

    def _closings(self, item: Item | None, rule_id: str) -> dict[str, str]:
        out = {}
        for word, child in (item.mapping if item else {}).items():
            fact = self.names.fact(word)
            key_item = (item.keys or {}).get(word, child) if item else child
            if fact is None:
                self.known("unknown_fact", ("事实", "fact"), key_item, self.names.words(), rule_id)
                continue
            self.reading.word(key_item, fact.key, fact.label.zh)
            out[fact.key] = str(child.value)
        return out

    def _defeats(self, item: Item | None, rule_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        rules, layers = [], []
        for child in item.sequence if item else []:
            layer = child.get("layer") or child.get("层级")
            if layer is not None:
                layers.append(str(layer.value))
            elif isinstance(child.value, str):
                rules.append(child.value)
            else:
                self.problem(
                    "wrong_type",
                    child,
                    "应写规则编号或 layer: 层级",
                    "expected a rule id or 'layer: NAME'",
                    rule=rule_id,
                )
        return tuple(rules), tuple(layers)
