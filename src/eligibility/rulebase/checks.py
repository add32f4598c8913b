"""What a rule base must satisfy beyond its shape: names resolve, defeats make sense.

Errors go to ``reading.problems`` (the rule base is refused), findings that a reader
should know of to ``builder.warnings``.
"""

from __future__ import annotations

from eligibility.documents import Item
from eligibility.errors import Text
from eligibility.rulebase import model as m
from eligibility.rulebase.build import Builder
from eligibility.rulebase.check_after import AfterChecks
from eligibility.rulebase.check_parts import PartChecks
from eligibility.rulebase.check_words import WordChecks
from eligibility.rulebase.checker import Checker, defeated_by, overs, used_leaves
from eligibility.rulebase.conditions import Condition
from eligibility.vocabulary.model import CASE

__all__ = ["check_rulebase", "defeated_by"]

# Attributes that only rules of one kind can have.
_OWNED = {
    "effect": ("bar",),
    "cure": ("bar",),
    "override_by": ("bar",),
    "grants": ("qualify",),
    "modes": ("qualify",),
    **dict.fromkeys(("layer", "unless", "over", "channel", "on_unknown"), m.DECIDING),
    **dict.fromkeys(("defeats", "advisory", "in_stay"), m.DECIDING),
    "when": (*m.DECIDING, "require", "prefer"),
    "duties": ("require",),
    **dict.fromkeys(("hard", "weights", "flips"), ("prefer",)),
    **dict.fromkeys(("measures", "period"), ("supervise",)),
}


def check_rulebase(rulebase: m.Rulebase, builder: Builder) -> None:
    """Report every fault of the whole that no single file shows."""
    rules = RuleChecks(rulebase, builder)
    for rule in rulebase.rules.values():
        rules.rule(rule)
    rules.defeat_cycles()
    PartChecks(rulebase, builder).run()
    WordChecks(rulebase, builder).run()
    AfterChecks(rulebase, builder).run()


class RuleChecks(Checker):
    """Checks of single rules and of how they defeat each other."""

    def rule(self, rule: m.Rule) -> None:
        base, item = self.rulebase, self.item("rule", rule.id)
        for key, code, noun, known in (
            ("layer", "unknown_layer", ("层级", "layer"), base.layers),
            ("profile", "unknown_profile", ("辖区规则", "profile"), base.profiles),
            ("citations", "unknown_source", ("来源", "source"), base.sources),
            ("modes", "unknown_mode", ("方式", "mode"), base.modes),
            ("channel", "unknown_channel", ("启动方式", "channel"), base.channels),
            ("override_by", "unknown_body", ("机关", "body"), base.bodies),
        ):
            self.names(item.get(key), code, noun, known, rule.id)
        self._provenance(rule)
        self._attributes(rule)
        self._layer(rule)
        self._period(rule)
        self._scopes(rule)
        self._of_a_case(rule)
        self._closings(rule)
        self._defeats(rule)

    def _provenance(self, rule: m.Rule) -> None:
        item = self.item("rule", rule.id)
        basis = item.get("basis")
        if basis is None or basis.value is None:
            return  # reported already
        if rule.basis == "proposed" and not rule.ground.zh and not _reported(item.get("ground")):
            self.problem(
                "missing_ground",
                basis,
                "建议性规则（basis: proposed）须写明理由（ground）",
                "a proposed rule must state its ground",
                rule=rule.id,
            )
        if rule.basis != "proposed" and not rule.citations and not _reported(item.get("citations")):
            self.problem(
                "missing_citation",
                basis,
                "法律规定或公开报道的规则须有依据（citations）",
                "a rule with basis statute or reported must cite a source",
                rule=rule.id,
            )
        for citation in rule.citations:
            source = self.rulebase.sources.get(citation)
            if source is not None and not any(q.strip() for q in source.quotes):
                self.problem(
                    "citation_without_quote",
                    self.item("rule", rule.id, "citations"),
                    f"来源“{citation}”没有原文",
                    f"source '{citation}' has no quote",
                    rule=rule.id,
                )

    def _attributes(self, rule: m.Rule) -> None:
        item = self.item("rule", rule.id)
        if rule.kind == "bar" and item.get("effect") is None:
            self._missing(rule, "effect", "效果")
        if rule.kind == "qualify" and item.get("grants") is None and not rule.advisory:
            self._missing(rule, "grants", "准予")
        for key, zh in (("layer", "层级"), ("when", "条件")):
            if rule.kind in m.DECIDING and item.get(key) is None:
                self._missing(rule, key, zh)
        if rule.effect == "return" and not rule.cure.zh and not _reported(item.get("cure")):
            self._missing(rule, "cure", "补正")
        for key, kinds in _OWNED.items():
            child = item.get(key)
            if child is not None and rule.kind and rule.kind not in kinds:
                owners_zh, owners = "、".join(kinds), " and ".join(kinds)
                self.problem(
                    "misplaced_key",
                    (item.keys or {}).get(key, child),
                    f"“{key}”只用于 {owners_zh} 规则，此规则是 {rule.kind}，请删去",
                    f"'{key}' belongs to {owners} rules, this is a {rule.kind}: remove it",
                    rule=rule.id,
                )

    def _missing(self, rule: m.Rule, key: str, zh: str) -> None:
        item = self.item("rule", rule.id)
        self.problem("missing_key", item, f"缺少“{zh}”", f"'{key}' is missing", rule=rule.id)

    def _layer(self, rule: m.Rule) -> None:
        item, layer = self.item("rule", rule.id), self.rulebase.layers.get(rule.layer)
        if layer is None:
            return
        known = rule.channel <= self.rulebase.channels.keys() and not _reported(item.get("channel"))
        if layer.channels and rule.channel != layer.channels and known:
            names = ", ".join(sorted(layer.channels))
            self.problem(
                "layer_channel",
                item.get("channel") or item,
                f"“{layer.label.zh}”层的规则只约束 {names}，请写 channel: [{names}]",
                f"rules of layer '{layer.name}' bind {names} only: write channel: [{names}]",
                rule=rule.id,
            )
        if rule.override_by and not layer.defeasible:
            self.problem(
                "stay_override",
                item.get("override_by") or item,
                "该层级的限制不得准予例外，请删去 override_by",
                "a bar of this layer cannot be overridden: remove override_by",
                rule=rule.id,
            )

    def _period(self, rule: m.Rule) -> None:
        period = rule.effective
        if period.start and period.until and period.until < period.start:
            self.problem(
                "dates_out_of_order",
                self.item("rule", rule.id, "effective"),
                "施行的结束早于开始",
                "the rule ends before it begins",
                rule=rule.id,
            )

    def _scopes(self, rule: m.Rule) -> None:
        scope = rule.over.scope if rule.over else CASE
        for condition in (rule.when, rule.unless):
            if condition is not None:
                self.check_scope(condition, scope, rule.id)

    def _of_a_case(self, rule: m.Rule) -> None:
        """What decides a case is of that case: no figure of a court, no fact of a candidate."""
        if rule.kind not in m.DECIDING:
            return
        base = self.rulebase
        for leaf in used_leaves([rule.when, rule.unless]):
            made = base.definitions.get(leaf.fact)
            for used in used_leaves([made.when]) if made else (leaf,):
                fact = base.vocabulary.facts.get(used.fact)
                if fact is not None and fact.scope not in base.vocabulary.payload_scopes():
                    self.problem(
                        "misplaced_fact",
                        leaf.span,
                        f"“{fact.label.zh}”不是案件的事实，不能据以审查案件",
                        f"'{fact.key}' is not a fact of a case: no case is decided by it",
                        rule=rule.id,
                    )

    def check_scope(self, condition: Condition, scope: str, name: str) -> None:
        for over in overs(condition):
            if scope != CASE or any(True for _ in overs(over.child)):
                self.problem(
                    "nested_quantifier",
                    over.span,
                    "“任一/每一”之内不能再写“任一/每一”，请拆成两个条件或使用认定（definitions）",
                    "a quantifier inside a quantifier: split the condition or use a definition",
                    rule=name,
                )

    def _closings(self, rule: m.Rule) -> None:
        used = {leaf.fact for leaf in used_leaves([rule.when])}
        for leaf in used_leaves([rule.when]):
            definition = self.rulebase.definitions.get(leaf.fact)
            if definition is not None:
                used |= {inner.fact for inner in used_leaves([definition.when])}
        item = self.item("rule", rule.id, "on_unknown")
        for fact in rule.on_unknown:
            if fact not in used:
                named = self.rulebase.names.fact(fact)
                label = named.label.zh if named else fact
                self.problem(
                    "unused_closing",
                    (item.keys or {}).get(fact) or (item.keys or {}).get(label) or item,
                    f"on_unknown 中的“{label}”没有出现在条件（when）中，请删去",
                    f"'{fact}' in on_unknown does not occur in 'when': remove it",
                    rule=rule.id,
                )

    # --- defeat ------------------------------------------------------------------------------

    def _defeats(self, rule: m.Rule) -> None:
        item = self.item("rule", rule.id, "defeats")
        for child in item.sequence:
            layer = child.get("layer") or child.get("层级")
            if layer is not None:
                self.names(layer, "unknown_layer", ("层级", "layer"), self.rulebase.layers, rule.id)
            else:
                known = self.builder.rule_ids
                self.names(child, "unknown_rule", ("规则", "rule"), known, rule.id)
        for target in defeated_by(rule, self.rulebase):
            other = self.rulebase.rules.get(target)
            layer_of = self.rulebase.layers.get(other.layer) if other else None
            if layer_of is not None and not layer_of.defeasible:
                self.problem(
                    "defeat_of_stay",
                    item,
                    f"“{target}”属于“{layer_of.label.zh}”层，不能被优先",
                    f"'{target}' is in layer '{layer_of.name}', which cannot be defeated",
                    rule=rule.id,
                )

    def defeat_cycles(self) -> None:
        """Defeat must be acyclic, or effectiveness has no meaning."""
        done: set[str] = set()
        for rule_id in self.rulebase.rules:
            self._follow(rule_id, (), done)

    def _follow(self, rule_id: str, path: tuple[str, ...], done: set[str]) -> None:
        if rule_id in path:
            chain = " → ".join([*path[path.index(rule_id) :], rule_id])
            self.problem(
                "cyclic_defeat",
                self.item("rule", path[-1], "defeats"),
                f"规则互相优先：{chain}",
                f"rules defeat each other in a circle: {chain}",
                Text("请删去其中一个 defeats", "remove one of the defeats"),
                path[-1],
            )
            return
        if rule_id in done or rule_id not in self.rulebase.rules:
            return
        for target in defeated_by(self.rulebase.rules[rule_id], self.rulebase):
            self._follow(target, (*path, rule_id), done)
        done.add(rule_id)


def _reported(item: Item | None) -> bool:
    """What was read as of the wrong type, and is empty because of that."""
    if item is None:
        return False
    return item.value is None or item.value == {} or (item.value == [] and bool(item.raw))
