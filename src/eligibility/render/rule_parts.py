"""What a rule that decides no case says, for people: duties, weights, measures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eligibility.render.page import Page
from eligibility.render.words import Speaker

Entry = dict[str, Any]


def add_parts(page: Page, say: Speaker, rule: Entry) -> None:
    """Adds the parts of a rule as ``describe_rule`` gives it."""
    for duty in rule["duties"]:
        page.title(f"{say('duty')} {duty['key']}")
        for line in _duty(say, duty):
            page.add(line, 2)
    if rule["hard"]:
        page.add(say("hard"), 2, "bold")
    for key in ("weights", "flips"):
        if rule[key]:
            page.title(say(key))
        for entry in rule[key]:
            parameter = f"  ${entry['parameter']}" if "parameter" in entry else ""
            page.add(f"{say.text(entry['label'])}{parameter}", 2)
    for measure in rule["measures"]:
        page.title(say.label(say("measure"), say.text(measure["label"])))
        for line in _measure(say, measure):
            page.add(line, 2)


def _duty(say: Speaker, duty: Entry) -> Iterator[str]:
    yield say.label(say.text(duty["who"]["label"]), say.text(duty["what"]))
    if duty["when"]:
        yield from duty["when"]["text"][say.lang].splitlines()
    starts = [say.text(event["label"]) for event in duty["starts_on"]]
    starts += [say("on_decision")] if duty["on_decision"] else []
    starts += [f"{rule} {say('on_verdict')}" for rule in duty["on_verdict"]]
    starts += [f"{rule} {say('on_lapse_of')}" for rule in duty["on_lapse_of"]]
    yield say.label(say("starts"), say.joined(starts))
    if duty["due"]:
        yield say.label(say("due"), _due(say, duty["due"]))
    for key in ("done_by", "ended_by"):
        if duty[key]:
            yield say.label(say(key), say.joined([say.text(e["label"]) for e in duty[key]]))
    for rung in duty["ladder"]:
        days = f"{_count(rung['after'])} {say('days_late')}"
        yield f"{days}  {say.text(rung['label'])}"


def _due(say: Speaker, due: Entry) -> str:
    parts = [_count(due["count"]), say(f"unit.{due['unit']}")]
    if due["of"]:
        before = say("before_date") if due["before"] else ""
        parts = [say("counted_from"), say.text(due["of"]["label"]), before, *parts]
    return " ".join(part for part in parts if part)


def _measure(say: Speaker, measure: Entry) -> Iterator[str]:
    figure = say.text(measure["of"]["label"])
    yield f"{figure} / {say.text(measure['per']['label'])}" if measure["per"] else figure
    for key in ("at_least", "at_most", "suppress_under"):
        if measure[key] is not None:
            yield say.label(say(key), _count(measure[key]))
    if measure["by_rule"]:
        yield say.label(say("by_rule"), say.joined(measure["by_rule"]))


def _count(count: int | Entry) -> str:
    return f"${count['parameter']}" if isinstance(count, dict) else str(count)
