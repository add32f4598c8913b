"""What the checks of a rule base share: its model, its items, where to report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eligibility.documents import Item
from eligibility.errors import Problem, Span, Text
from eligibility.rulebase import model as m
from eligibility.rulebase.build import Builder
from eligibility.rulebase.conditions import All, Any_, Condition, Leaf, Not, Over, leaves


class Checker:
    """Reports against the items from which the rule base was built."""

    def __init__(self, rulebase: m.Rulebase, builder: Builder) -> None:
        self.rulebase = rulebase
        self.builder = builder

    def item(self, kind: str, name: str, *keys: str) -> Item:
        """The item of a part, or of a key inside it where that is written."""
        item = self.builder.items[f"{kind}:{name}"]
        for key in keys:
            item = item.get(key) or item
        return item

    def problem(
        self,
        code: str,
        item: Item | Span,
        zh: str,
        en: str,
        hint: Text | None = None,
        rule: str = "",
    ) -> None:
        place = item if isinstance(item, Item) else Item(None, item)
        self.builder.problem(code, place, zh, en, hint, rule)

    def warn(self, code: str, item: Item, zh: str, en: str, rule: str = "") -> None:
        self.builder.warnings.append(Problem(code, Text(zh, en), item.span, rule))

    def names(
        self,
        item: Item | None,
        code: str,
        noun: tuple[str, str],
        known: Iterable[str],
        rule: str = "",
    ) -> None:
        """Every name in an item (one, or a list of them) must be known."""
        if item is None:
            return
        options = list(known)
        entries = item.sequence if isinstance(item.value, list) else [item]
        for entry in entries:
            if entry.raw:
                self.builder.known(code, noun, entry, options, rule)

    def conditions(self) -> Iterator[tuple[str, str, Condition]]:
        """Every condition of the rule base: (kind of part, its name, the condition)."""
        base = self.rulebase
        for rule in base.rules.values():
            yield "rule", rule.id, rule.when
            if rule.unless is not None:
                yield "rule", rule.id, rule.unless
            for duty in rule.duties:
                if duty.when is not None:
                    yield "rule", rule.id, duty.when
        for definition in base.definitions.values():
            yield "definition", definition.key, definition.when
        for mode in base.modes.values():
            if mode.insufficient_when is not None:
                yield "mode", mode.name, mode.insufficient_when
        for constraint in base.constraints:
            yield "constraint", constraint.id, constraint.never


def defeated_by(rule: m.Rule, rulebase: m.Rulebase) -> list[str]:
    """Ids of the rules that ``rule`` defeats, layers resolved."""
    by_layer = [
        r.id for r in rulebase.rules.values() if r.layer in rule.defeats_layers and r.id != rule.id
    ]
    return list(dict.fromkeys([*rule.defeats, *by_layer]))


def overs(condition: Condition) -> Iterator[Over]:
    """The outermost quantifiers of a condition."""
    if isinstance(condition, Over):
        yield condition
    elif isinstance(condition, (All, Any_)):
        for child in condition.children:
            yield from overs(child)
    elif isinstance(condition, Not):
        yield from overs(condition.child)


def used_leaves(conditions: Iterable[Condition | None]) -> Iterator[Leaf]:
    for condition in conditions:
        if condition is not None:
            yield from leaves(condition)
