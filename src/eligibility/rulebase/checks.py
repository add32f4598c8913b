"""What a rule base must satisfy beyond its shape: names resolve, defeats make sense.

Errors go to ``reading.problems`` (the rule base is refused), findings that a reader
should know of to ``builder.warnings``.
"""

from __future__ import annotations

from collections.abc import Iterator

from eligibility.documents import Item
from eligibility.errors import Problem, Text
from eligibility.rulebase import model as m
from eligibility.rulebase.build import Builder
from eligibility.rulebase.conditions import All, Any_, Condition, Leaf, Not, Over
from eligibility.shapes import Reading
from eligibility.vocabulary.model import CASE

CASE_RULES = ("qualify", "bar")


def check_rulebase(rulebase: m.Rulebase, builder: Builder, reading: Reading) -> None:
    """Report every fault of the whole that no single file shows."""
    check = _Check(rulebase, builder)
    for rule in rulebase.rules.values():
        check.rule(rule)
    check.defeat_cycles()
    check.outcomes()
    check.profiles()
    check.parameters()
    check.courts()
    check.definitions()
    check.modes()


def defeated_by(rule: m.Rule, rulebase: m.Rulebase) -> list[str]:
    """Ids of the rules that ``rule`` defeats, layers resolved."""
    by_layer = [
        r.id for r in rulebase.rules.values() if r.layer in rule.defeats_layers and r.id != rule.id
    ]
    return list(dict.fromkeys([*rule.defeats, *by_layer]))


class _Check:
    def __init__(self, rulebase: m.Rulebase, builder: Builder) -> None:
        self.rulebase = rulebase
        self.builder = builder

    def _item(self, kind: str, name: str, *keys: str) -> Item:
        item = self.builder.items[f"{kind}:{name}"]
        for key in keys:
            item = item.get(key) or item
        return item

    def _names(self, rule: m.Rule, key: str, code: str, noun: tuple[str, str], known: object) -> None:
        item = self._item("rule", rule.id)
        child = item.get(key)
        options = list(known)  # type: ignore[call-overload]
        for entry in child.sequence if child and child.sequence else ([child] if child else []):
            self.builder.known(code, noun, entry, options, rule.id)

    def rule(self, rule: m.Rule) -> None:
        base = self.rulebase
        self._names(rule, "layer", "unknown_layer", ("层级", "layer"), base.layers)
        self._names(rule, "profile", "unknown_profile", ("辖区规则", "profile"), base.profiles)
        self._names(rule, "citations", "unknown_source", ("来源", "source"), base.sources)
        self._names(rule, "modes", "unknown_mode", ("方式", "mode"), base.modes)
        self._names(rule, "channel", "unknown_channel", ("启动方式", "channel"), base.channels)
        self._names(rule, "override_by", "unknown_body", ("机关", "body"), base.bodies)
        self._provenance(rule)
        self._attributes(rule)
        self._scopes(rule)
        self._closings(rule)
        self._defeats(rule)

    def _provenance(self, rule: m.Rule) -> None:
        item = self._item("rule", rule.id)
        if rule.basis == "proposed" and not rule.ground.zh:
            self.builder.problem(
                "missing_ground",
                item,
                "建议性规则（basis: proposed）须写明理由（ground）",
                "a proposed rule must state its ground",
                rule=rule.id,
            )
        if rule.basis != "proposed" and not rule.citations:
            self.builder.problem(
                "missing_citation",
                item,
                "法律规定或公开报道的规则须有依据（citations）",
                "a rule with basis statute or reported must cite a source",
                rule=rule.id,
            )
        for citation in rule.citations:
            source = self.rulebase.sources.get(citation)
            if source is not None and not any(q.strip() for q in source.quotes):
                self.builder.problem(
                    "citation_without_quote",
                    self._item("rule", rule.id, "citations"),
                    f"来源“{citation}”没有原文",
                    f"source '{citation}' has no quote",
                    rule=rule.id,
                )

    def _attributes(self, rule: m.Rule) -> None:
        item = self._item("rule", rule.id)
        layer = self.rulebase.layers.get(rule.layer)
        if rule.kind == "bar" and not rule.effect:
            self._missing(item, rule, "effect", "效果")
        if rule.kind == "qualify" and not rule.grants and not rule.advisory:
            self._missing(item, rule, "grants", "准予")
        if rule.effect == "return" and not rule.cure.zh:
            self._missing(item, rule, "cure", "补正")
        if layer and layer.channels and rule.channel != layer.channels:
            names = ", ".join(sorted(layer.channels))
            self.builder.problem(
                "layer_channel",
                item.get("channel") or item,
                f"“{layer.label.zh}”层的规则只约束 {names}，请写 channel: [{names}]",
                f"rules of layer '{layer.name}' bind {names} only: write channel: [{names}]",
                rule=rule.id,
            )
        if rule.override_by and (layer is None or not layer.defeasible):
            self.builder.problem(
                "stay_override",
                item.get("override_by") or item,
                "该层级的限制不得准予例外",
                "a bar of this layer cannot be overridden",
                rule=rule.id,
            )

    def _missing(self, item: Item, rule: m.Rule, key: str, zh: str) -> None:
        self.builder.problem("missing_key", item, f"缺少“{zh}”", f"'{key}' is missing", rule=rule.id)

    def _scopes(self, rule: m.Rule) -> None:
        scope = rule.over.scope if rule.over else CASE
        for condition in (rule.when, rule.unless):
            if condition is not None:
                self._check_scope(condition, scope, rule.id)

    def _check_scope(self, condition: Condition, scope: str, name: str) -> None:
        for over in _overs(condition):
            if scope != CASE or any(True for _ in _overs(over.child)):
                place = Item(None, over.span)
                self.builder.problem(
                    "nested_quantifier",
                    place,
                    "“任一/每一”之内不能再写“任一/每一”",
                    "a quantifier inside a quantifier is not supported",
                    rule=name,
                )

    def _closings(self, rule: m.Rule) -> None:
        used = {leaf.fact for leaf in _leaves(rule.when)}
        item = self._item("rule", rule.id, "on_unknown")
        for fact in rule.on_unknown:
            if fact not in used:
                self.builder.problem(
                    "unused_closing",
                    item,
                    f"on_unknown 中的“{fact}”没有出现在条件中",
                    f"'{fact}' in on_unknown does not occur in the condition",
                    rule=rule.id,
                )

    def _defeats(self, rule: m.Rule) -> None:
        item = self._item("rule", rule.id, "defeats")
        for child in item.sequence if item.sequence else []:
            layer = child.get("layer") or child.get("层级")
            if layer is not None:
                self.builder.known(
                    "unknown_layer", ("层级", "layer"), layer, self.rulebase.layers, rule.id
                )
            elif isinstance(child.value, str):
                self.builder.known(
                    "unknown_rule", ("规则", "rule"), child, self.rulebase.rules, rule.id
                )
        for target in defeated_by(rule, self.rulebase):
            other = self.rulebase.rules.get(target)
            layer_of = self.rulebase.layers.get(other.layer) if other else None
            if layer_of is not None and not layer_of.defeasible:
                self.builder.problem(
                    "defeat_of_stay",
                    item,
                    f"“{target}”属于“{layer_of.label.zh}”层，不能被优先",
                    f"'{target}' is in layer '{layer_of.name}', which cannot be defeated",
                    rule=rule.id,
                )

    def defeat_cycles(self) -> None:
        """Defeat must be acyclic, or effectiveness has no meaning."""
        state: dict[str, int] = {}

        def visit(rule_id: str, path: tuple[str, ...]) -> None:
            state[rule_id] = 1
            for target in defeated_by(self.rulebase.rules[rule_id], self.rulebase):
                if target not in self.rulebase.rules:
                    continue
                if state.get(target) == 1:
                    loop = [*path[path.index(target) :], target] if target in path else [target]
                    chain = " → ".join([*loop])
                    self.builder.problem(
                        "cyclic_defeat",
                        self._item("rule", rule_id, "defeats"),
                        f"规则互相优先：{chain}",
                        f"rules defeat each other in a circle: {chain}",
                        rule=rule_id,
                    )
                elif target not in state:
                    visit(target, (*path, target))
            state[rule_id] = 2

        for rule_id in self.rulebase.rules:
            if rule_id not in state:
                visit(rule_id, (rule_id,))

    def outcomes(self) -> None:
        outcomes = self.rulebase.outcomes
        items = [i for k, i in self.builder.items.items() if k.startswith("outcome:")]
        if not outcomes or outcomes[-1].when:
            place = items[-1] if items else self.builder.sections["meta"]
            self.builder.problem(
                "no_final_outcome",
                place,
                "最后一个结论必须无条件（when: true）",
                "the last outcome must hold always (when: true)",
            )
        for outcome, item in list(zip(outcomes, items, strict=False))[:-1]:
            if not outcome.when:
                self.builder.problem(
                    "unreachable_outcome",
                    item,
                    f"“{outcome.name}”无条件成立，其后的结论永远不会出现",
                    f"'{outcome.name}' always holds: nothing after it can be reached",
                )
            for key in set(outcome.when) - {"kind", "layer", "effect", "grants"}:
                self.builder.problem(
                    "unknown_key", item, f"没有“{key}”这个键", f"there is no key '{key}' here"
                )

    def profiles(self) -> None:
        for profile in self.rulebase.profiles.values():
            item = self._item("profile", profile.id)
            extends = item.get("extends")
            if extends is not None:
                self.builder.known(
                    "unknown_profile", ("辖区规则", "profile"), extends, self.rulebase.profiles
                )
            adopts = item.get("adopts")
            for child in adopts.sequence if adopts else []:
                if not self.builder.known(
                    "unknown_rule", ("规则", "rule"), child, self.rulebase.rules
                ):
                    continue
                rule = self.rulebase.rules[child.raw]
                if rule.basis != "proposed":
                    self.builder.problem(
                        "needless_adoption",
                        child,
                        f"“{rule.id}”不是建议性规则，无须采纳",
                        f"'{rule.id}' is not a proposed rule and needs no adoption",
                    )

    def parameters(self) -> None:
        for parameter in self.rulebase.parameters.values():
            item = self._item("parameter", parameter.key)
            values = item.get("values")
            for child in values.sequence if values else []:
                self._parameter_value(parameter, item, child)

    def _parameter_value(self, parameter: m.Parameter, item: Item, child: Item) -> None:
        value_item = child.get("value")
        if value_item is None:
            return
        value = value_item.plain()
        low, high = item.get("minimum"), item.get("maximum")
        fits = {
            "int": isinstance(value, int) and not isinstance(value, bool),
            "decimal": not isinstance(value, (bool, str)) and value is not None,
            "bool": isinstance(value, bool),
            "choice": value in parameter.choices,
        }[parameter.type]
        if not fits:
            allowed = "、".join(parameter.choices) or parameter.type
            self.builder.problem(
                "type_mismatch",
                value_item,
                f"参数“{parameter.label.zh}”的值应为 {allowed}",
                f"parameter '{parameter.key}' takes {allowed}",
            )
        elif parameter.type in ("int", "decimal") and (
            (low is not None and value < low.plain()) or (high is not None and value > high.plain())
        ):
            self.builder.problem(
                "out_of_range",
                value_item,
                f"参数“{parameter.label.zh}”超出范围",
                f"parameter '{parameter.key}' is out of its range",
            )
        citations = child.get("citations")
        for cited in citations.sequence if citations else []:
            self.builder.known("unknown_source", ("来源", "source"), cited, self.rulebase.sources)
        if (profile := child.get("profile")) is not None:
            self.builder.known(
                "unknown_profile", ("辖区规则", "profile"), profile, self.rulebase.profiles
            )
        basis = child.get("basis")
        if basis is not None and basis.value == "proposed" and child.get("ground") is None:
            self.builder.problem(
                "missing_ground",
                child,
                f"建议性的参数值须写明理由：{parameter.label.zh}",
                f"a proposed value must state its ground: {parameter.key}",
            )

    def courts(self) -> None:
        for court in self.rulebase.courts.values():
            item = self._item("court", court.id)
            for key, noun, known in (
                ("parent", ("法院", "court"), self.rulebase.courts),
                ("profile", ("辖区规则", "profile"), self.rulebase.profiles),
            ):
                child = item.get(key)
                if child is not None and child.raw:
                    self.builder.known(f"unknown_{noun[1]}", noun, child, known)  # type: ignore[arg-type]

    def definitions(self) -> None:
        for definition in self.rulebase.definitions.values():
            self._check_scope(definition.when, definition.scope, definition.key)
            for leaf in _leaves(definition.when):
                if leaf.fact in self.rulebase.definitions:
                    self.builder.problem(
                        "nested_definition",
                        Item(None, leaf.span),
                        "认定之中不能再引用认定",
                        "a definition cannot use a definition",
                        rule=definition.key,
                    )

    def modes(self) -> None:
        for mode in self.rulebase.modes.values():
            item = self._item("mode", mode.name, "decided_by")
            self.builder.known("unknown_body", ("机关", "body"), item, self.rulebase.bodies)

    def warn(self, problem: Problem) -> None:
        self.builder.warnings.append(problem)


def _leaves(condition: Condition) -> Iterator[Leaf]:
    from eligibility.rulebase.conditions import leaves

    return leaves(condition)


def _overs(condition: Condition) -> Iterator[Over]:
    if isinstance(condition, Over):
        yield condition
    elif isinstance(condition, (All, Any_)):
        for child in condition.children:
            yield from _overs(child)
    elif isinstance(condition, Not):
        yield from _overs(condition.child)


__all__ = ["Text", "check_rulebase", "defeated_by"]
