"""Events, duties, weights and measures as plain JSON data; see :mod:`describe`."""

from __future__ import annotations

from typing import Any

from eligibility.rulebase.comparisons import Measure
from eligibility.rulebase.conditions import Param
from eligibility.rulebase.describe_conditions import describe_condition
from eligibility.rulebase.duties import Due, Duty, EventType, Rung
from eligibility.rulebase.model import Rule, Rulebase
from eligibility.vocabulary.model import Fact
from eligibility.vocabulary.values import to_wire

Data = dict[str, Any]


def describe_after(rule: Rule, rulebase: Rulebase) -> Data:
    """What a rule that decides no case says: duties, filter, weights, measures."""
    return {
        "duties": [_duty(duty, rulebase) for duty in rule.duties],
        "hard": rule.hard,
        "weights": [
            {**_labelled(name, rulebase.factors[name].label), "parameter": param.name}
            for name, param in rule.weights.items()
        ],
        "flips": [_labelled(name, rulebase.factors[name].label) for name in rule.flips],
        "measures": [_measure(measure, rulebase) for measure in rule.measures],
        "period": rule.period or None,
    }


def describe_event(event: EventType, rulebase: Rulebase) -> Data:
    """A type of event, with what may be sent with it."""
    facts = rulebase.vocabulary.facts
    return {
        "type": event.name,
        "label": event.label.as_dict(),
        "day": [_fact(facts[key]) for key in event.day],
        "facts": [_fact(facts[key]) for key in event.facts],
        "required": list(event.required),
        "sets": {key: to_wire(facts[key], value) for key, value in event.sets.items()},
        "begins": event.begins or None,
        "ends": list(event.ends),
        "transfers": event.transfers,
        "contingent": event.contingent,
        "note": event.note.as_dict() if event.note.zh else None,
        "starts": _duties_naming(rulebase, event.name, "starts_on"),
        "fulfils": _duties_naming(rulebase, event.name, "done_by"),
    }


def _duties_naming(rulebase: Rulebase, event: str, attribute: str) -> list[str]:
    return [
        f"{rule.id}.{duty.key}"
        for rule in rulebase.rules.values()
        for duty in rule.duties
        if event in getattr(duty, attribute)
    ]


def _duty(duty: Duty, rulebase: Rulebase) -> Data:
    events = rulebase.events

    def labelled(names: tuple[str, ...]) -> list[Data]:
        return [_labelled(name, events[name].label) for name in names]

    return {
        "key": duty.key,
        "who": _labelled(duty.who, rulebase.roles[duty.who].label),
        "what": duty.what.as_dict(),
        "when": None if duty.when is None else describe_condition(duty.when, rulebase),
        "starts_on": labelled(duty.starts_on),
        "on_decision": duty.on_decision,
        "on_verdict": list(duty.on_verdict),
        "on_lapse_of": list(duty.on_lapse_of),
        "each": duty.each or None,
        "due": None if duty.due is None else _due(duty.due, rulebase),
        "done_by": labelled(duty.done_by),
        "ended_by": labelled(duty.ended_by),
        "earlier_counts": duty.earlier_counts,
        "ladder": [_rung(rung, rulebase) for rung in duty.ladder],
    }


def _due(due: Due, rulebase: Rulebase) -> Data:
    return {
        "count": _count(due.count),
        "unit": due.unit,
        "of": _fact(rulebase.vocabulary.facts[due.of]) if due.of else None,
        "before": due.before,
        "rolls": due.rolls,
    }


def _rung(rung: Rung, rulebase: Rulebase) -> Data:
    instrument = rulebase.instruments[rung.instrument]
    return {
        "after": _count(rung.after),
        **_labelled(rung.instrument, instrument.label),
        "formal": instrument.formal,
    }


def _measure(measure: Measure, rulebase: Rulebase) -> Data:
    facts = rulebase.vocabulary.facts
    return {
        "key": measure.key,
        "label": measure.label.as_dict(),
        "of": _fact(facts[measure.of]),
        "per": _fact(facts[measure.per]) if measure.per else None,
        "at_least": _limit(measure.at_least),
        "at_most": _limit(measure.at_most),
        "suppress_under": _limit(measure.suppress_under),
        "by_rule": list(measure.by_rule),
    }


def _count(count: int | Param) -> int | Data:
    return {"parameter": count.name} if isinstance(count, Param) else count


def _limit(limit: int | Param | None) -> int | Data | None:
    return None if limit is None else _count(limit)


def _fact(fact: Fact) -> Data:
    return _labelled(fact.key, fact.label)


def _labelled(key: str, label: Any) -> Data:
    return {"key": key, "label": label.as_dict()}
