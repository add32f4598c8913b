"""Checks of what follows a decision: events, duties, ladders, factors, measures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eligibility.documents import Item
from eligibility.rulebase import model as m
from eligibility.rulebase.checker import Checker, overs
from eligibility.rulebase.conditions import Param
from eligibility.rulebase.duties import Count
from eligibility.rulebase.reading import children, sequence
from eligibility.vocabulary.model import Type
from eligibility.vocabulary.payload import INTERVALS

CANDIDATE = "candidate"
COURT_PERIOD = "court_period"
INSTRUMENT = "issued_instrument"
# What a rule of a kind is nothing without.
_SUBSTANCE = {
    "require": (("duties",), "职责"),
    "prefer": (("hard", "weights", "flips"), "硬性、权重或反转"),
    "supervise": (("measures",), "指标"),
}

_STARTS = ("starts_on", "on_decision", "on_verdict", "on_lapse_of")


class AfterChecks(Checker):
    """One method for each part."""

    def run(self) -> None:
        self.events()
        self.instruments()
        self.ladders()
        self.factors()
        for rule in self.rulebase.rules.values():
            self.substance(rule)
            self.duties(rule)
            self.measures(rule)
            self.weights(rule)
        self.circles()

    # --- events ----------------------------------------------------------------------------------

    def instruments(self) -> None:
        """An event tells which instrument was issued: both must name the same ones."""
        fact = self.rulebase.vocabulary.facts.get(INSTRUMENT)
        known = self.rulebase.instruments
        if fact is not None and set(fact.values) != set(known):
            odd = ", ".join(sorted(set(fact.values) ^ set(known)))
            self.problem(
                "instrument_mismatch",
                self.builder.sections["meta"].get("instruments") or fact.span,
                f"meta.instruments 与事实“{fact.label.zh}”的取值不一致：{odd}",
                f"meta.instruments and the values of '{INSTRUMENT}' differ: {odd}",
            )

    def events(self) -> None:
        facts = self.rulebase.vocabulary.facts
        kinds = self._interval_kinds()
        for event in self.rulebase.events.values():
            item = self.item("event", event.name)
            for child in sequence(item, "day"):
                self._date_fact(child)
            for child in sequence(item, "required"):
                if child.value not in event.facts:
                    zh, en = (
                        "“必载”之事实须先列入“可载”",
                        "what is required must be listed in 'facts'",
                    )
                    self.problem("unknown_fact", child, zh, en)
            scopes = {facts[key].scope for key in (*event.facts, *event.sets, *event.day)}
            if not scopes <= set(self.rulebase.vocabulary.payload_scopes()):
                zh, en = (
                    "事件只能记入案件、财产、被执行人的事实",
                    "an event sets facts of a case only",
                )
                self.problem("misplaced_fact", item, zh, en)
            for key in ("begins", "ends"):
                self.names(item.get(key), "unknown_word", ("期间种类", "interval kind"), kinds)

    def _interval_kinds(self) -> Iterable[str]:
        for kind in self.rulebase.vocabulary.records.values():
            if kind.list_key == INTERVALS:
                return kind.fields["kind"].values
        return ()

    def _date_fact(self, item: Item | None, rule: str = "") -> None:
        fact = self.rulebase.vocabulary.facts.get(str(item.value)) if item else None
        if item is not None and fact is not None and fact.type is not Type.DATE:
            self.problem(
                "type_mismatch",
                item,
                f"“{fact.label.zh}”不是日期",
                f"'{fact.key}' is not a date",
                rule=rule,
            )

    # --- meta ------------------------------------------------------------------------------------

    def ladders(self) -> None:
        """Steps of one ladder follow each other in time; the first is a day late at least."""
        for _, item in children(self.builder.sections["meta"], "ladders"):
            last = 0
            for child in item.sequence:
                after = child.get("after")
                days = after.value if after and isinstance(after.value, int) else None
                if after is not None and days is not None and days <= last:
                    self.problem(
                        "out_of_range",
                        after,
                        f"梯度各级的逾期日数须逐级增大且不小于 1（此前为 {last}）",
                        f"days past due must grow from 1 upwards along a ladder (before: {last})",
                    )
                last = days if days is not None else last

    def factors(self) -> None:
        for key, item in children(self.builder.sections["meta"], "factors"):
            factor = self.rulebase.factors[key]
            self._scoped(item.get("fact") or item, factor.fact, CANDIDATE)

    def _scoped(self, item: Item, key: str, scope: str, rule: str = "") -> None:
        fact = self.rulebase.vocabulary.facts.get(key)
        if fact is not None and fact.scope != scope:
            label = self.rulebase.vocabulary.records[scope].label
            self.problem(
                "misplaced_fact",
                item,
                f"“{fact.label.zh}”不是“{label.zh}”的事实",
                f"'{key}' is not a fact of a {label.en}",
                rule=rule,
            )

    # --- rules -----------------------------------------------------------------------------------

    def substance(self, rule: m.Rule) -> None:
        keys, zh = _SUBSTANCE.get(rule.kind, ((), ""))
        item = self.item("rule", rule.id)
        if keys and not any(item.get(key) for key in keys):
            en = f"'{keys[0]}' is missing" if len(keys) == 1 else f"one of {keys} is missing"
            self.problem("missing_key", item, f"缺少“{zh}”", en, rule=rule.id)

    def duties(self, rule: m.Rule) -> None:
        items = sequence(self.item("rule", rule.id), "duties")
        self._once([duty.key for duty in rule.duties], items, rule)
        for duty, item in zip(rule.duties, items, strict=True):
            self._start(rule, item)
            due = item.get("due")
            if due is not None:
                self._date_fact(due.get("of"), rule.id)
                self._days(due.get("count"), duty.due.count if duty.due else 0, rule)
            kinds = self.rulebase.vocabulary.payload_scopes()[1:]
            self.names(item.get("each"), "unknown_record", ("记录", "record"), kinds, rule.id)
            for over in overs(duty.when) if duty.when and duty.each else ():
                zh, en = "“逐项”的条件中不能再写“任一/每一”", "no quantifier under 'each'"
                self.problem("nested_quantifier", over.span, zh, en, rule=rule.id)

    def _start(self, rule: m.Rule, item: Item) -> None:
        if not any(item.get(key) for key in _STARTS):
            self.problem(
                "duty_without_start",
                item,
                "职责没有写明从何时起（起于、自审查起、规则成立即起、逾期到底即起）",
                "the duty never starts: write starts_on, on_decision, on_verdict or on_lapse_of",
                rule=rule.id,
            )

    def _days(self, item: Item | None, count: Count, rule: m.Rule) -> None:
        if item is None:
            return
        if isinstance(count, Param):
            self._parameter(item, count, ("int",), rule)
        elif count < 0:
            zh, en = (
                "日数不能为负；之前的期限请写“之前: true”",
                "not negative: write 'before: true'",
            )
            self.problem("out_of_range", item, zh, en, rule=rule.id)

    def _parameter(self, item: Item, param: Param, types: tuple[str, ...], rule: m.Rule) -> None:
        parameter = self.rulebase.parameters[param.name]
        if parameter.type not in types:
            self.problem(
                "type_mismatch",
                item,
                f"参数“{parameter.label.zh}”的类型是 {parameter.type}，此处应为 {'、'.join(types)}",
                f"parameter '{parameter.key}' is {parameter.type}, expected {' / '.join(types)}",
                rule=rule.id,
            )

    def weights(self, rule: m.Rule) -> None:
        item = self.item("rule", rule.id).get("weights")
        for child, param in zip(
            item.mapping.values() if item else (), rule.weights.values(), strict=False
        ):
            self._parameter(child, param, ("int", "decimal"), rule)

    def measures(self, rule: m.Rule) -> None:
        items = sequence(self.item("rule", rule.id), "measures")
        self._once([measure.key for measure in rule.measures], items, rule)
        for measure, item in zip(rule.measures, items, strict=True):
            for key, fact in (("of", measure.of), ("per", measure.per)):
                self._scoped(item.get(key) or item, fact, COURT_PERIOD, rule.id)
                self._number(item.get(key) or item, fact, rule.id)
            for key in ("at_least", "at_most", "suppress_under"):
                limit = getattr(measure, key)
                if isinstance(limit, Param):
                    self._parameter(item.get(key) or item, limit, ("int", "decimal"), rule)

    def _number(self, item: Item, key: str, rule: str) -> None:
        fact = self.rulebase.vocabulary.facts.get(key)
        if fact is not None and fact.type not in (Type.INT, Type.DECIMAL):
            self.problem(
                "type_mismatch",
                item,
                f"“{fact.label.zh}”不是数字，不能作指标",
                f"'{key}' is no number and cannot be measured",
                rule=rule,
            )

    def _once(self, keys: list[str], items: list[Item], rule: m.Rule) -> None:
        """Each key of a duty or measure once in its rule."""
        for number, (key, item) in enumerate(zip(keys, items, strict=True)):
            if key in keys[:number]:
                zh, en = f"“{key}”在此规则中重复", f"'{key}' stands twice in this rule"
                self.problem("duplicate_id", item.get("key") or item, zh, en, rule=rule.id)

    def circles(self) -> None:
        """A lapse cannot start, through others, the very duty that lapsed."""
        starts = {r.id: {x for d in r.duties for x in d.on_lapse_of} for r in self.rules()}
        for rule_id in starts:
            reached, pending = set(), set(starts[rule_id])
            while pending:
                name = pending.pop()
                reached.add(name)
                pending |= starts.get(name, set()) - reached
            if rule_id in reached:
                self.problem(
                    "cyclic_lapse",
                    self.item("rule", rule_id),
                    "职责因自己逾期而起，成环",
                    "a duty that starts when it lapses itself: a circle",
                    rule=rule_id,
                )

    def rules(self) -> Iterator[m.Rule]:
        return (rule for rule in self.rulebase.rules.values() if rule.kind == "require")


def parameters_of(rule: m.Rule) -> Iterator[Param]:
    """The parameters that a rule uses outside its conditions."""
    counts: list[object] = []
    for duty in rule.duties:
        counts += [duty.due.count if duty.due else None, *(rung.after for rung in duty.ladder)]
    for measure in rule.measures:
        counts += [measure.at_least, measure.at_most, measure.suppress_under]
    counts += rule.weights.values()
    return (count for count in counts if isinstance(count, Param))
