"""Rules, facts, sources and profiles as plain JSON data, for every reader of a rule base.

The API, the command line and the printed specification show the same thing because they
all take it from here. Conditions come twice: as a tree of sentences, and as the indented
text of that tree in the words that policy staff write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from eligibility.errors import NotFound, Problem, Text, nearest
from eligibility.rulebase.check_after import parameters_of
from eligibility.rulebase.checks import defeated_by
from eligibility.rulebase.conditions import Condition, Param, leaves
from eligibility.rulebase.describe_after import describe_after
from eligibility.rulebase.describe_conditions import describe_condition, quantifier_words
from eligibility.rulebase.model import (
    ALWAYS_TRUE,
    Court,
    Definition,
    Parameter,
    ParameterValue,
    Period,
    Profile,
    Rule,
    Rulebase,
    Source,
)
from eligibility.vocabulary.model import Fact
from eligibility.vocabulary.values import to_wire

Data = dict[str, Any]
_T = TypeVar("_T")
_SHOWN = 80


def named(found: Mapping[str, _T], name: str, code: str, noun: tuple[str, str]) -> _T:
    """The entry of a name. Raises :class:`NotFound` with the nearest name as a hint."""
    if name in found:
        return found[name]
    short = name[:_SHOWN].encode("utf-8", "backslashreplace").decode()
    message = Text(f"没有{noun[0]}“{short}”", f"no {noun[1]} '{short}'")
    raise NotFound(Problem(code, message, "", "", nearest(short, list(found))))


def find_rule(rulebase: Rulebase, rule_id: str) -> Rule:
    """The rule of an id. Raises :class:`NotFound`."""
    return named(rulebase.rules, rule_id, "unknown_rule", ("规则", "rule"))


def find_source(rulebase: Rulebase, source_id: str) -> Source:
    """The source of an id. Raises :class:`NotFound`."""
    return named(rulebase.sources, source_id, "unknown_source", ("来源", "source"))


# --- rules --------------------------------------------------------------------------------


def rule_words(rulebase: Rulebase) -> dict[str, list[str]]:
    """The kinds, bases and layers that rules of this rule base have, in which to ask for some."""
    rules = rulebase.rules.values()
    return {
        "kind": sorted({rule.kind for rule in rules}),
        "basis": sorted({rule.basis for rule in rules}),
        "layer": list(rulebase.layers),
    }


def summarise_rule(rule: Rule) -> Data:
    """A rule on one line of a list."""
    return {
        "id": rule.id,
        "title": rule.title.as_dict(),
        "kind": rule.kind,
        "layer": rule.layer or None,
        "profile": rule.profile,
        "basis": rule.basis,
        "citations": list(rule.citations),
        "effective": describe_period(rule.effective),
    }


def describe_rule(rule: Rule, rulebase: Rulebase) -> Data:
    """Everything about a rule: its condition in both languages, its sources with quotes."""
    conditions = conditions_of(rule)
    over = None
    if rule.over is not None:
        zh, en = quantifier_words(rule.over, rulebase)
        over = {"zh": zh, "en": en}
    return {
        **summarise_rule(rule),
        "layer_label": rulebase.layers[rule.layer].label.as_dict() if rule.layer else None,
        "over": over,
        "when": None if rule.when == ALWAYS_TRUE else describe_condition(rule.when, rulebase),
        "unless": None if rule.unless is None else describe_condition(rule.unless, rulebase),
        "on_unknown": dict(rule.on_unknown),
        "channel": sorted(rule.channel),
        "grants": rule.grants or None,
        "effect": rule.effect or None,
        "modes": list(rule.modes),
        "defeats": defeated_by(rule, rulebase),
        "advisory": rule.advisory,
        "set_level": rule.set_level,
        "in_stay": rule.in_stay or None,
        **describe_after(rule, rulebase),
        "cure": _text(rule.cure),
        "override_by": [_labelled(b, rulebase.bodies[b]) for b in rule.override_by],
        "exception": _text(rule.exception),
        "consequence": _text(rule.consequence),
        "note": _text(rule.note),
        "proposed_parts": [t.as_dict() for t in rule.proposed_parts],
        "ground": _text(rule.ground),
        "adopted_by": [p for p in rulebase.profiles if rule.id in rulebase.adopted(p)],
        "facts": [
            _labelled(key, fact.label)
            for key in dict.fromkeys(leaf.fact for c in conditions for leaf in leaves(c))
            if (fact := rulebase.names.fact(key)) is not None
        ],
        "parameters": [
            describe_parameter(rulebase.parameters[name]) for name in _parameters(rule, conditions)
        ],
        "sources": [
            describe_source(rulebase.sources[c]) for c in rule.citations if c in rulebase.sources
        ],
        "place": str(rule.span),
    }


def conditions_of(rule: Rule) -> list[Condition]:
    """Every condition of a rule, those of its duties included."""
    own = [rule.when] if rule.unless is None else [rule.when, rule.unless]
    return own + [duty.when for duty in rule.duties if duty.when is not None]


def _parameters(rule: Rule, conditions: Iterable[Condition]) -> list[str]:
    operands = (leaf.operand for c in conditions for leaf in leaves(c))
    named = [o for o in operands if isinstance(o, Param)]
    return list(dict.fromkeys(p.name for p in [*named, *parameters_of(rule)]))


def describe_definition(definition: Definition, rulebase: Rulebase) -> Data:
    """A named finding with its condition."""
    return {
        "key": definition.key,
        "title": definition.title.as_dict(),
        "scope": definition.scope,
        "when": describe_condition(definition.when, rulebase),
        "basis": definition.basis,
        "ground": _text(definition.ground),
        "citations": list(definition.citations),
    }


def describe_parameter(parameter: Parameter) -> Data:
    """A parameter with its dated values."""
    return {
        "key": parameter.key,
        "label": parameter.label.as_dict(),
        "type": parameter.type,
        "unit": parameter.unit or None,
        "choices": [_labelled(k, t) for k, t in parameter.choices.items()],
        "set_by": _text(parameter.set_by),
        "values": [_parameter_value(v) for v in parameter.values],
    }


def _parameter_value(value: ParameterValue) -> Data:
    return {
        "value": _number(value.value),
        "profile": value.profile or None,
        "effective": describe_period(value.effective),
        "basis": value.basis,
        "ground": _text(value.ground),
        "citations": list(value.citations),
    }


# --- facts --------------------------------------------------------------------------------


def describe_fact(fact: Fact, rulebase: Rulebase | None = None) -> Data:
    """A fact of the dictionary; with a rule base, also the rules that ask for it."""
    out: Data = {
        "key": fact.key,
        "label": fact.label.as_dict(),
        "type": str(fact.type),
        "scope": fact.scope,
        "unit": fact.unit or None,
        "values": [_labelled(key, label) for key, label in fact.values.items()],
        "can_be_none": fact.can_be_none,
        "many": fact.many,
        "minimum": fact.minimum,
        "maximum": fact.maximum,
        "derived": fact.derived,
        "alias_of": fact.alias_of or None,
        "held_by": _text(fact.held_by),
        "actionable_by": fact.action.by,
        "note": _text(fact.note),
        "presumed": None if fact.presume is None else _presumed(fact),
    }
    if rulebase is not None:
        out["rules"] = [r.id for r in rulebase.rules.values() if asks_for(r, fact.key, rulebase)]
    return out


def asks_for(rule: Rule, fact: str, rulebase: Rulebase) -> bool:
    """Whether a rule names a fact, directly or through a definition."""
    conditions = conditions_of(rule)
    seen: set[str] = set()
    while conditions:
        for leaf in leaves(conditions.pop()):
            if leaf.fact == fact:
                return True
            definition = rulebase.definitions.get(leaf.fact)
            if definition is not None and leaf.fact not in seen:
                seen.add(leaf.fact)
                conditions.append(definition.when)
    return False


def _presumed(fact: Fact) -> Any:
    return list(fact.presume) if isinstance(fact.presume, tuple) else to_wire(fact, fact.presume)


# --- sources and profiles ---------------------------------------------------------------------


def describe_source(source: Source, rulebase: Rulebase | None = None) -> Data:
    """A source with its verbatim quotes; with a rule base, also what cites it."""
    out: Data = {
        "id": source.id,
        "title": source.title.as_dict(),
        "kind": source.kind,
        "locator": source.locator or None,
        "quotes": list(source.quotes),
        "url": source.url or None,
        "gloss": _text(source.gloss),
        "note": _text(source.note),
        "verified": source.verified,
    }
    if rulebase is not None:
        out["cited_by"] = [r.id for r in rulebase.rules.values() if source.id in r.citations]
    return out


def describe_court(court: Court) -> Data:
    """A court of the register."""
    load = court.load
    return {
        "id": court.id,
        "label": court.label.as_dict(),
        "level": court.level,
        "parent": court.parent or None,
        "profile": court.profile or None,
        "line": court.line or None,
        "aliases": list(court.aliases),
        "district": court.district or None,
        "teams": list(court.teams),
        "load": None
        if load is None
        else {
            "officers": load.officers,
            "open_cases": load.open_cases,
            "capacity": load.capacity,
            "on": _iso(load.on),
            "illustrative": load.illustrative,
        },
    }


def describe_profile(profile: Profile, rulebase: Rulebase) -> Data:
    """A profile with the layers above it and the proposed rules it adopts."""
    chain = rulebase.chain(profile.id)
    return {
        "id": profile.id,
        "label": profile.label.as_dict(),
        "extends": profile.extends or None,
        "chain": list(chain),
        "adopts": sorted(rulebase.adopted(profile.id)),
        "adopts_itself": profile.adopts is not None,
        "rules": [r.id for r in _sorted_rules(rulebase, lambda r: r.profile in chain)],
    }


def describe_rulebase(rulebase: Rulebase) -> Data:
    """What identifies a rule base, and how much is in it."""
    return {
        "version": rulebase.version,
        "digest": rulebase.digest,
        "counts": {
            "facts": len(rulebase.vocabulary.facts),
            "rules": len(rulebase.rules),
            "definitions": len(rulebase.definitions),
            "parameters": len(rulebase.parameters),
            "sources": len(rulebase.sources),
            "profiles": len(rulebase.profiles),
            "courts": len(rulebase.courts),
        },
        "outcomes": [
            {"outcome": name, "label": label.as_dict()}
            for name, label in outcome_labels(rulebase).items()
        ],
        "warnings": [w.as_dict() for w in rulebase.warnings],
    }


def outcome_labels(rulebase: Rulebase) -> dict[str, Text]:
    """Every outcome a decision can have, in order, each once."""
    found = {o.name: o.label for o in reversed(rulebase.outcomes)}
    ordered = {o.name: found[o.name] for o in rulebase.outcomes}
    return {**ordered, **{k: v for k, v in rulebase.outcome_labels.items() if k not in ordered}}


def _sorted_rules(rulebase: Rulebase, keep: Callable[[Rule], bool]) -> list[Rule]:
    return [rulebase.rules[i] for i in sorted(rulebase.rules) if keep(rulebase.rules[i])]


def describe_period(period: Period) -> Data | None:
    """Dates in law, or None where something always holds."""
    if period.start is None and period.until is None and not period.note.zh:
        return None
    return {
        "from": _iso(period.start),
        "to": _iso(period.until),
        "note": _text(period.note),
    }


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _text(text: Text) -> dict[str, str] | None:
    return text.as_dict() if text.zh or text.en else None


def _labelled(key: str, label: Text) -> Data:
    return {"key": key, "label": label.as_dict()}


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
