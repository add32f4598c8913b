"""Checks of what surrounds the rules: outcomes, profiles, parameters, courts, definitions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from eligibility.documents import Item
from eligibility.errors import Span, Text
from eligibility.rulebase import model as m
from eligibility.rulebase.check_after import parameters_of
from eligibility.rulebase.checker import Checker, overs, used_leaves
from eligibility.rulebase.conditions import Param
from eligibility.rulebase.shape import EFFECTS, GRANTS, KINDS
from eligibility.vocabulary.model import CASE

CHANNEL = "request_channel"
MAIN = "is_main"
_START = date.min


class PartChecks(Checker):
    """One method for each part of a rule base."""

    def run(self) -> None:
        self.outcomes()
        self.layers()
        self.channels()
        self.profiles()
        self.parameters()
        self.parameters_in_force()
        self.courts()
        self.definitions()
        self.modes()
        self.sources()

    def outcomes(self) -> None:
        outcomes = self.rulebase.outcomes
        items = [i for k, i in self.builder.items.items() if k.startswith("outcome:")]
        if not outcomes or outcomes[-1].when:
            place = items[-1] if items else self.builder.sections["meta"]
            self.problem(
                "no_final_outcome",
                place,
                "最后一个结论必须无条件（when: true）",
                "the last outcome must hold always (when: true)",
            )
        for outcome, item in list(zip(outcomes, items, strict=False))[:-1]:
            if not outcome.when:
                self.problem(
                    "unreachable_outcome",
                    item,
                    f"“{outcome.name}”无条件成立，其后的结论永远不会出现，请写明条件或移到最后",
                    f"'{outcome.name}' always holds: give it a condition or move it to the end",
                )
        words: dict[str, tuple[tuple[str, str], Iterable[str]]] = {
            "kind": (("类别", "kind"), KINDS.words),
            "layer": (("层级", "layer"), self.rulebase.layers),
            "effect": (("效果", "effect"), EFFECTS.words),
            "grants": (("准予", "grants"), GRANTS.words),
        }
        for item in items:
            when = item.get("when")
            for key, child in (when.mapping if when else {}).items():
                place = (when.keys or {}).get(key, child) if when else child
                if self._key(key, place, words):
                    code = "unknown_layer" if key == "layer" else "unknown_word"
                    self.names(child, code, *words[key])

    def _key(self, key: str, place: Item, known: Iterable[str]) -> bool:
        if key in known:
            return True
        allowed = ", ".join(known)
        self.problem(
            "unknown_key",
            place,
            f"结论的条件中没有“{key}”，可写：{allowed}",
            f"an outcome's condition has no '{key}': one of {allowed}",
        )
        return False

    def layers(self) -> None:
        meta = self.builder.sections["meta"].get("layers")
        for item in (meta.mapping if meta else {}).values():
            self.names(
                item.get("channels"),
                "unknown_channel",
                ("启动方式", "channel"),
                self.rulebase.channels,
            )

    def channels(self) -> None:
        """The circuit reads the channel from a fact: both must name the same ones."""
        meta = self.builder.sections["meta"]
        place = meta.get("channels") or meta
        fact = self.rulebase.vocabulary.facts.get(CHANNEL)
        if fact is None:
            self.problem(
                "missing_fact", place, f"缺少事实“{CHANNEL}”", f"the fact '{CHANNEL}' is missing"
            )
        elif set(fact.values) != set(self.rulebase.channels):
            odd = ", ".join(sorted(set(fact.values) ^ set(self.rulebase.channels)))
            self.problem(
                "channel_mismatch",
                place,
                f"meta.channels 与事实“{CHANNEL}”的取值不一致：{odd}",
                f"meta.channels and the values of '{CHANNEL}' differ: {odd}",
            )
        for kind, name, condition in self.conditions():
            for over in overs(condition):
                self._main(over.main, over.span, name if kind == "rule" else "")
        for rule in self.rulebase.rules.values():
            if rule.over is not None:
                self._main(rule.over.main, rule.over.span, rule.id)

    def _main(self, main: bool, span: Span, rule: str) -> None:
        if main and MAIN not in self.rulebase.vocabulary.facts:
            self.problem(
                "missing_fact",
                span,
                f"“主要”需要事实“{MAIN}”",
                f"'main' needs the fact '{MAIN}'",
                rule=rule,
            )

    # --- profiles and courts -------------------------------------------------------------------

    def profiles(self) -> None:
        known = self.rulebase.profiles
        for name, circle in self._circles({p.id: p.extends for p in known.values()}):
            place = self.item("profile", name, "extends")
            zh, en = f"上层成环：{circle}", f"'extends' runs in a circle: {circle}"
            self.problem("cyclic_profile", place, zh, en)
        for profile in known.values():
            item = self.item("profile", profile.id)
            self.names(item.get("extends"), "unknown_profile", ("辖区规则", "profile"), known)
            adopts = item.get("adopts")
            self.names(adopts, "unknown_rule", ("规则", "rule"), self.builder.rule_ids)
            for child in adopts.sequence if adopts else []:
                rule = self.rulebase.rules.get(child.raw)
                chain = self._chain(profile.id)
                if rule is not None and chain and rule.profile not in chain:
                    self.problem(
                        "adoption_elsewhere",
                        child,
                        f"“{rule.id}”属于“{rule.profile}”，不在“{profile.id}”及其上层，采纳无效，"
                        "请删去或改写规则的辖区",
                        f"'{rule.id}' is at home in '{rule.profile}', not in '{profile.id}' or "
                        "above: remove it or change the rule's profile",
                    )
                if rule is not None and rule.basis != "proposed":
                    self.problem(
                        "needless_adoption",
                        child,
                        f"“{rule.id}”不是建议性规则，无须采纳，请删去",
                        f"'{rule.id}' is not a proposed rule and needs no adoption: remove it",
                    )

    def courts(self) -> None:
        known = self.rulebase.courts
        for name, chain in self._circles({c.id: c.parent for c in known.values()}):
            place = self.item("court", name, "parent")
            zh, en = f"上级成环：{chain}", f"'parent' runs in a circle: {chain}"
            self.problem("cyclic_court", place, zh, en)
        for court in known.values():
            item = self.item("court", court.id)
            self.names(item.get("parent"), "unknown_court", ("法院", "court"), known)
            self.names(
                item.get("profile"),
                "unknown_profile",
                ("辖区规则", "profile"),
                self.rulebase.profiles,
            )

    def _circles(self, above: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Each circle once: where it starts, and the way round."""
        for name in above:
            seen, current = [name], above[name]
            while current in above and current not in seen:
                seen.append(current)
                current = above[current]
            if current == name == min(seen):
                yield name, " → ".join([*seen, name])

    # --- parameters ------------------------------------------------------------------------------

    def parameters(self) -> None:
        for parameter in self.rulebase.parameters.values():
            item = self.item("parameter", parameter.key)
            values = item.get("values")
            for child, value in zip(
                values.sequence if values else [], parameter.values, strict=False
            ):
                self._value(parameter, item, child)
                self._provenance(parameter, child)
                period = value.effective
                if period.start and period.until and period.until < period.start:
                    self.problem(
                        "dates_out_of_order", child, "结束早于开始", "ends before it begins"
                    )
            self._ambiguous(parameter, values.sequence if values else [])

    def _ambiguous(self, parameter: m.Parameter, items: list[Item]) -> None:
        """Two values of one profile that start together: which one holds?"""
        seen: dict[tuple[str, date], Item] = {}
        for value, item in zip(parameter.values, items, strict=False):
            key = (value.profile, value.effective.start or _START)
            first = seen.setdefault(key, item)
            if first is not item:
                self.problem(
                    "ambiguous_value",
                    item,
                    f"参数“{parameter.label.zh}”同一辖区、同一施行日有两个值（另见 {first.span}）",
                    f"two values of '{parameter.key}' start on the same day (see {first.span})",
                )

    def _value(self, parameter: m.Parameter, item: Item, child: Item) -> None:
        value_item = child.get("value")
        if value_item is None:
            return
        value = value_item.plain()
        low, high = item.get("minimum"), item.get("maximum")
        number = isinstance(value, int) and not isinstance(value, bool)
        fits = {
            "int": number,
            "decimal": number or type(value).__name__ == "Decimal",
            "bool": isinstance(value, bool),
            "choice": isinstance(value, str) and value in parameter.choices,
        }.get(parameter.type, True)
        if not fits:
            allowed = "、".join(parameter.choices) or parameter.type
            self.problem(
                "type_mismatch",
                value_item,
                f"参数“{parameter.label.zh}”的值应为 {allowed}",
                f"parameter '{parameter.key}' takes {allowed}",
            )
        elif parameter.type in ("int", "decimal") and (
            (low is not None and low.value is not None and value < low.plain())
            or (high is not None and high.value is not None and value > high.plain())
        ):
            least, most = (i.raw if i else "…" for i in (low, high))
            self.problem(
                "out_of_range",
                value_item,
                f"参数“{parameter.label.zh}”应在 {least} 与 {most} 之间",
                f"parameter '{parameter.key}' goes from {least} to {most}",
            )

    def _provenance(self, parameter: m.Parameter, child: Item) -> None:
        base = self.rulebase
        self.names(child.get("citations"), "unknown_source", ("来源", "source"), base.sources)
        self.names(child.get("profile"), "unknown_profile", ("辖区规则", "profile"), base.profiles)
        basis = child.get("basis")
        if basis is not None and basis.value == "proposed" and child.get("ground") is None:
            self.problem(
                "missing_ground",
                child,
                f"建议性的参数值须写明理由：{parameter.label.zh}",
                f"a proposed value must state its ground: {parameter.key}",
            )

    def parameters_in_force(self) -> None:
        """A parameter that is used must have a value wherever and whenever it is."""
        days = [_START, *self.rulebase.law_dates()]
        for name, place, rule in self._parameters_used():
            missing = self._without_value(name, rule, days)
            if missing:
                self.problem(
                    "parameter_without_value",
                    place,
                    f"参数“{name}”在“{missing}”没有值，请补一个不限日期、不限辖区的值",
                    f"parameter '{name}' has no value in '{missing}': "
                    "add one without dates and profile",
                    rule=rule.id if rule else "",
                )

    def _parameters_used(self) -> Iterator[tuple[str, Item | Span, m.Rule | None]]:
        """Parameters of conditions, of duties and measures, and of derivations."""
        for kind, name, condition in self.conditions():
            rule = self.rulebase.rules.get(name) if kind == "rule" else None
            for leaf in used_leaves([condition]):
                if isinstance(leaf.operand, Param):
                    yield leaf.operand.name, leaf.span, rule
        for rule in self.rulebase.rules.values():
            for param in parameters_of(rule):
                yield param.name, self.item("rule", rule.id), rule
        for key in sorted(_derived_with(self.rulebase) & self.rulebase.parameters.keys()):
            yield key, self.item("parameter", key), None

    def _without_value(self, key: str, rule: m.Rule | None, days: list[date]) -> str:
        base = self.rulebase
        for profile in base.profiles:
            chain = self._chain(profile)
            if not chain or (rule is not None and rule.profile not in chain):
                continue
            for day in days:
                in_force = rule is None or rule.effective.covers(day)
                if in_force and base.parameter_value(key, profile, day) is None:
                    return profile
        return ""

    def _chain(self, profile: str) -> tuple[str, ...]:
        """The layers of a profile; empty where one of them is unknown (reported elsewhere)."""
        chain: list[str] = []
        while profile and profile not in chain:
            if profile not in self.rulebase.profiles:
                return ()
            chain.append(profile)
            profile = self.rulebase.profiles[profile].extends
        return tuple(chain)

    # --- definitions, modes, sources -----------------------------------------------------------

    def definitions(self) -> None:
        facts = self.rulebase.vocabulary.facts
        scopes = {CASE, *self.rulebase.vocabulary.records}
        for definition in self.rulebase.definitions.values():
            item = self.item("definition", definition.key)
            if definition.key in facts:
                self.problem(
                    "duplicate_id",
                    item.get("key") or item,
                    f"“{definition.key}”已是事实的键",
                    f"'{definition.key}' is the key of a fact already",
                )
            self.names(item.get("scope"), "unknown_record", ("记录类型", "record kind"), scopes)
            citations = item.get("citations")
            self.names(citations, "unknown_source", ("来源", "source"), self.rulebase.sources)
            if definition.basis == "proposed" and not definition.ground.zh:
                self.problem(
                    "missing_ground",
                    item.get("basis") or item,
                    "建议性的认定须写明理由（ground）",
                    "a proposed definition must state its ground",
                )
            for leaf in used_leaves([definition.when]):
                if leaf.fact in self.rulebase.definitions:
                    self.problem(
                        "nested_definition",
                        leaf.span,
                        "认定之中不能再引用认定，请写出其条件",
                        "a definition cannot use a definition: write its condition out",
                        rule=definition.key,
                    )
            for over in overs(definition.when):
                self.problem(
                    "nested_quantifier",
                    over.span,
                    "认定之中不能写“任一/每一”，请用 scope",
                    "a definition cannot hold a quantifier: use its scope",
                    rule=definition.key,
                )

    def modes(self) -> None:
        for mode in self.rulebase.modes.values():
            item = self.item("mode", mode.name).get("decided_by")
            self.names(item, "unknown_body", ("机关", "body"), self.rulebase.bodies)

    def sources(self) -> None:
        """Sources that nothing cites, and cited ones that nobody has verified."""
        cited = {c for r in self.rulebase.rules.values() for c in r.citations}
        cited |= {c for d in self.rulebase.definitions.values() for c in d.citations}
        cited |= {
            c for p in self.rulebase.parameters.values() for v in p.values for c in v.citations
        }
        cited |= {c for k in self.rulebase.vocabulary.clocks.values() for c in k.citations}
        for key, source in self.rulebase.sources.items():
            if key in cited and not source.verified:
                text = Text(f"来源“{key}”尚未核对原文", f"source '{key}' is not verified")
                self.warn("unverified_source", self.item("source", key), text.zh, text.en)


def _derived_with(rulebase: m.Rulebase) -> set[str]:
    """Parameters that clocks and derivations use."""
    vocabulary = rulebase.vocabulary
    words: list[object] = []
    for clock in vocabulary.clocks.values():
        words += [clock.deduct, f"${clock.rollover}", *(clock.after_transfer or {}).values()]
    for fact in vocabulary.facts.values():
        spec = fact.derive[1] if fact.derive else None
        words += spec.values() if isinstance(spec, dict) else ()
    return {w[1:] for w in words if isinstance(w, str) and w.startswith("$")}
