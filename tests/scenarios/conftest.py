"""The steps of the scenarios in ``features/``: few, general and typed.

A scenario says what is recorded of a case, has it examined, and states the outcome and
the rules that caused it. Words in the tables are those of the fact dictionary.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from pytest_bdd import given, parsers, then, when

from eligibility.decision.decide import Decider
from eligibility.rulebase.model import Parameter
from eligibility.rulefiles import load_rules
from scenarios.examination import ORDINARY, Examination, Table, listed, value_of


def pytest_bdd_apply_tag(tag: str, function: object) -> bool:
    """Tags are for readers; they are not pytest markers."""
    return True


@pytest.fixture(scope="session")
def shared_decider() -> Iterator[Decider]:
    decider = Decider(load_rules())
    yield decider
    decider.close()


@pytest.fixture(scope="session")
def deciders_without() -> dict[str, Decider]:
    return {}


@pytest.fixture
def examination(
    shared_decider: Decider, deciders_without: dict[str, Decider]
) -> Iterator[Examination]:
    made = Examination(shared_decider, deciders_without)
    yield made
    if made.decider is not shared_decider:
        made.decider.close()


# --- 假如 ---------------------------------------------------------------------------------


@given("一件普通的执行案件")
def ordinary_case(examination: Examination) -> None:
    examination.facts.update(ORDINARY)


@given("一件没有任何记载的执行案件")
def empty_case(examination: Examination) -> None:
    examination.facts.clear()


@given(parsers.parse('适用"{profile}"的规则'))
def profile_applies(examination: Examination, profile: str) -> None:
    known = examination.rulebase.profiles.values()
    found = [p.id for p in known if profile in (p.id, p.label.zh)]
    assert found, f"没有辖区规则“{profile}”"
    examination.profile = found[0]


@given(parsers.parse('审查基准日为"{day}"'))
@when(parsers.parse('审查基准日改为"{day}"'))
def examined_on(examination: Examination, day: str) -> None:
    examination.as_of = date.fromisoformat(day)


@given("案件记载:")
@given("另有记载:")
def recorded(examination: Examination, datatable: Table) -> None:
    for word, text in datatable:
        examination.put(word, text)


@given("财产如下:")
def properties(examination: Examination, datatable: Table) -> None:
    examination.records("property", datatable)


@given("被执行人如下:")
def debtors(examination: Examination, datatable: Table) -> None:
    examination.records("debtor", datatable)


@given("扣除期间如下:")
def intervals(examination: Examination, datatable: Table) -> None:
    examination.records("excluded_interval", datatable)


@given("准予例外如下:")
def overrides(examination: Examination, datatable: Table) -> None:
    examination.records("override", datatable)


@given(parsers.parse('误记"{word}"为"{text}"'))
def misrecorded(examination: Examination, word: str, text: str) -> None:
    """A word or value that the dictionary may not know, put into the case as it is."""
    fact = examination.rulebase.vocabulary.named(word)
    if fact is not None:
        examination.facts.pop(fact.key, None)
    examination.facts[word] = text


@given(parsers.parse('参数"{name}"定为"{text}"'))
def parameter_is(examination: Examination, name: str, text: str) -> None:
    base = examination.rulebase
    known = base.parameters.values()
    found = next((p for p in known if name in (p.key, p.label.zh)), None)
    assert found is not None, f"没有参数“{name}”"
    value = replace(found.values[0], value=_parameter_value(found, text), profile="")
    changed = {**base.parameters, found.key: replace(found, values=(value,))}
    examination.decider = Decider(replace(base, parameters=changed))
    examination.without = {}


def _parameter_value(parameter: Parameter, text: str) -> Any:
    if parameter.type == "bool":
        return text == "是"
    if parameter.type == "choice":
        labels = {label.zh: key for key, label in parameter.choices.items()}
        return labels.get(text, text)
    return int(text)


# --- 当 -----------------------------------------------------------------------------------


@when("审查该案")
@when("再次审查该案")
def examine(examination: Examination) -> None:
    examination.examine()


@when(parsers.parse('把"{word}"改为"{text}"'))
def change(examination: Examination, word: str, text: str) -> None:
    examination.put(word, text)


@when(parsers.parse('把第{number:d}个{kind}的"{word}"改为"{text}"'))
def change_record(examination: Examination, number: int, kind: str, word: str, text: str) -> None:
    known = examination.rulebase.vocabulary.records.values()
    made = next(k for k in known if k.label.zh == kind)
    record = examination.facts[made.list_key][number - 1]
    fact = examination.fact(word, made.name)
    record.pop(fact.key, None)
    if text != "未知":
        record[fact.key] = value_of(fact, text)


# --- 那么 ---------------------------------------------------------------------------------


def outcome_label(examination: Examination, name: str) -> str:
    return examination.decider.outcome_label(name).zh


@then(parsers.parse('结论为"{label}"'))
def outcome_is(examination: Examination, label: str) -> None:
    assert outcome_label(examination, examination.answer["outcome"]) == label


@then(parsers.parse('可能的结论恰为"{labels}"'))
def possible_outcomes_are(examination: Examination, labels: str) -> None:
    possible = examination.answer["possible_outcomes"]
    assert {outcome_label(examination, name) for name in possible} == set(listed(labels))


@then(parsers.parse('起作用的规则包括"{rules}"'))
def rules_effective(examination: Examination, rules: str) -> None:
    effective = {r["id"] for r in examination.answer["rules"] if r["effective"] == "true"}
    assert set(listed(rules)) <= effective


@then(parsers.parse('规则"{rule}"起作用'))
def rule_effective(examination: Examination, rule: str) -> None:
    assert examination.rule(rule)["effective"] == "true"


@then(parsers.parse('起作用的限制恰为"{rules}"'))
def bars_are(examination: Examination, rules: str) -> None:
    effective = {
        r["id"]
        for r in examination.answer["rules"]
        if r["effective"] == "true" and r["kind"] == "bar"
    }
    assert effective == set(listed(rules))


@then(parsers.parse('规则"{rule}"决定了结论'))
def rule_decides(examination: Examination, rule: str) -> None:
    """The rule is in effect, and without it the case would come out otherwise."""
    assert examination.rule(rule)["effective"] == "true"
    if rule not in examination.without:
        base = examination.rulebase
        others = {key: made for key, made in base.rules.items() if key != rule}
        examination.without[rule] = Decider(replace(base, rules=others))
    then = examination.without[rule].assess(
        copy.deepcopy(examination.facts),
        date.fromisoformat(examination.answer["as_of"]),
        examination.profile,
        engine="native",
    )
    assert then.outcome != examination.answer["outcome"]


@then(parsers.parse('规则"{rules}"不成立'))
def rules_false(examination: Examination, rules: str) -> None:
    assert {r: examination.rule(r)["verdict"] for r in listed(rules)} == dict.fromkeys(
        listed(rules), "false"
    )


@then(parsers.parse('规则"{rule}"是否成立尚不能确定'))
def rule_unknown(examination: Examination, rule: str) -> None:
    assert examination.rule(rule)["verdict"] == "unknown"


@then(parsers.parse('规则"{rule}"成立，但不适用于该启动方式'))
def rule_off_channel(examination: Examination, rule: str) -> None:
    entry = examination.rule(rule)
    assert (entry["verdict"], entry["effective"]) == ("true", "false")
    assert "channel" in entry["defeated_by"]


@then(parsers.parse('规则"{rule}"成立，但"{winner}"优先'))
def rule_defeated(examination: Examination, rule: str, winner: str) -> None:
    entry = examination.rule(rule)
    assert (entry["verdict"], entry["effective"]) == ("true", "false")
    assert winner in entry["defeated_by"]


@then(parsers.parse('规则"{rule}"成立，但已获准例外'))
def rule_overridden(examination: Examination, rule: str) -> None:
    entry = examination.rule(rule)
    assert (entry["verdict"], entry["effective"]) == ("true", "false")
    assert "override" in entry["defeated_by"]


@then(parsers.parse('规则"{rule}"成立，仅作提示'))
def rule_advisory(examination: Examination, rule: str) -> None:
    entry = examination.rule(rule)
    assert entry["advisory"]
    assert entry["verdict"] == "true"


@then(parsers.parse('规则"{rule}"未予适用'))
def rule_not_in_profile(examination: Examination, rule: str) -> None:
    assert rule in examination.rulebase.rules
    assert rule not in {r["id"] for r in examination.answer["rules"]}


@then(parsers.parse('建议方式为"{label}"'))
def recommended(examination: Examination, label: str) -> None:
    chosen = [m["label"]["zh"] for m in examination.answer["modes"] if m["recommended"]]
    assert chosen == [label]


@then(parsers.parse('可选方式包括"{labels}"'))
def modes_open(examination: Examination, labels: str) -> None:
    assert set(listed(labels)) <= {m["label"]["zh"] for m in examination.answer["modes"]}


@then(parsers.parse('可选方式不包括"{labels}"'))
def modes_closed(examination: Examination, labels: str) -> None:
    assert not set(listed(labels)) & {m["label"]["zh"] for m in examination.answer["modes"]}


@then(parsers.parse('停止期间可以先行准备的方式恰为"{labels}"'))
def prepared(examination: Examination, labels: str) -> None:
    modes = examination.answer["modes"]
    assert {m["label"]["zh"] for m in modes if m.get("prepare_only")} == set(listed(labels))


@then(parsers.parse('"{label}"由"{body}"决定'))
def mode_decided_by(examination: Examination, label: str, body: str) -> None:
    found = [m for m in examination.answer["modes"] if m["label"]["zh"] == label]
    assert [m["decided_by_label"]["zh"] for m in found] == [body]


def clocks(examination: Examination, label: str) -> list[dict[str, Any]]:
    found = [c for c in examination.answer["clocks"] if c["label"]["zh"] == label]
    assert found, f"没有期间“{label}”"
    return found


@then(parsers.parse('"{label}"自"{start}"起算，扣除{days:d}日，于"{expires}"届满'))
def clock_is(examination: Examination, label: str, start: str, days: int, expires: str) -> None:
    found = [(c["start"], c["deducted_days"], c["expires"]) for c in clocks(examination, label)]
    assert (start, days, expires) in found


@then(parsers.parse('"{label}"不计顺延应于"{nominal}"届满'))
def clock_before_rollover(examination: Examination, label: str, nominal: str) -> None:
    assert nominal in [c["nominal"] for c in clocks(examination, label)]


@then(parsers.parse('"{label}"的届满日因"{days}"休假顺延'))
def clock_moved(examination: Examination, label: str, days: str) -> None:
    moved = [[m["day"] for m in c["moved_by"]] for c in clocks(examination, label)]
    assert listed(days) in moved


@then(parsers.parse('"{label}"的届满日没有顺延'))
def clock_not_moved(examination: Examination, label: str) -> None:
    assert [c["moved_by"] for c in clocks(examination, label)] == [[]]


@then(parsers.parse('"{label}"按另一种读法于"{expires}"届满'))
def clock_other_reading(examination: Examination, label: str, expires: str) -> None:
    assert [c["other_reading"]["expires"] for c in clocks(examination, label)] == [expires]


@then(parsers.parse('应当询问"{labels}"'))
def asks(examination: Examination, labels: str) -> None:
    assert set(listed(labels)) <= {q["label"]["zh"] for q in examination.answer["questions"]}


@then(parsers.parse('依次询问"{labels}"'))
def asks_in_order(examination: Examination, labels: str) -> None:
    assert [q["label"]["zh"] for q in examination.answer["questions"]] == listed(labels)


@then(parsers.parse('"{labels}"查阅"{holder}"'))
def asks_of(examination: Examination, labels: str, holder: str) -> None:
    questions = examination.answer["questions"]
    held = {q["label"]["zh"] for q in questions if q["held_by"]["zh"] == holder}
    assert held == set(listed(labels))


@then(parsers.parse('不询问"{labels}"'))
def does_not_ask(examination: Examination, labels: str) -> None:
    known = {f.label.zh for f in examination.rulebase.vocabulary.facts.values()}
    assert set(listed(labels)) <= known
    assert not set(listed(labels)) & {q["label"]["zh"] for q in examination.answer["questions"]}


@then("不再需要询问")
def asks_nothing(examination: Examination) -> None:
    assert examination.answer["questions"] == []


@then(parsers.parse('未记载的"{label}"使规则"{rule}"的"{leaf}"视为{how}'))
def presumed(examination: Examination, label: str, rule: str, leaf: str, how: str) -> None:
    fact = examination.fact(label)
    found = [
        p["as"]
        for p in examination.answer["presumed"]
        if p["fact"] == fact.key and rule in p["rules"] and p.get("leaf", {}).get("zh") == leaf
    ]
    assert found == [{"成立": True, "不成立": False}[how]]


@then(parsers.parse('如果"{leaf}"其实{how}，可能的结论恰为"{labels}"'))
def presumed_otherwise(examination: Examination, leaf: str, how: str, labels: str) -> None:
    holds = {"成立": True, "不成立": False}[how]
    found = [
        {outcome_label(examination, name) for name in p["outcomes_if_otherwise"]}
        for p in examination.answer["presumed"]
        if p.get("leaf", {}).get("zh") == leaf and p["as"] is not holds
    ]
    assert found == [set(listed(labels))]


@then(parsers.parse('有提醒"{text}"'))
def warned(examination: Examination, text: str) -> None:
    messages = [w["message"]["zh"] for w in examination.answer["warnings"]]
    assert any(text in m for m in messages), messages


@then(parsers.parse('到"{day}"结论变为"{label}"'))
def changes_by_time(examination: Examination, day: str, label: str) -> None:
    change = examination.answer["changes_on"]
    assert change is not None
    assert (change["date"], outcome_label(examination, change["outcome"])) == (day, label)


@then("时间经过不会改变结论")
def no_change_by_time(examination: Examination) -> None:
    assert examination.answer["changes_on"] is None


@then(parsers.parse('本院改变"{labels}"即可改善结论'))
def can_do(examination: Examination, labels: str) -> None:
    sets = [
        {step["label"]["zh"] for step in entry["steps"]}
        for entry in examination.answer["counterfactual"]["can_do"]
        if entry["certain"]
    ]
    assert set(listed(labels)) in sets, sets


@then(parsers.parse('其中"{label}"须属实并有书面材料'))
def step_needs_paper(examination: Examination, label: str) -> None:
    steps = steps_named(examination, "can_do", label)
    assert {step["how"] for step in steps} == {"document"}


@then(parsers.parse('其中"{label}"之后须再等待{days:d}日'))
def step_needs_time(examination: Examination, label: str, days: int) -> None:
    steps = steps_named(examination, "can_do", label)
    assert {step.get("wait_days") for step in steps} == {days}


@then(parsers.parse('结论取决于本院不能改变的"{label}"'))
def not_for_the_court(examination: Examination, label: str) -> None:
    assert steps_named(examination, "cannot_change", label)
    assert not steps_named(examination, "can_do", label)


def steps_named(examination: Examination, part: str, label: str) -> list[dict[str, Any]]:
    sets = examination.answer["counterfactual"][part]
    return [step for entry in sets for step in entry["steps"] if step["label"]["zh"] == label]


@then("本院没有可以改善结论的办法")
def can_do_nothing(examination: Examination) -> None:
    sets = examination.answer["counterfactual"]["can_do"]
    assert [entry for entry in sets if entry["certain"]] == []


@then(parsers.parse('补正要求为"{text}"'))
def cure_is(examination: Examination, text: str) -> None:
    rules = [r for r in examination.answer["rules"] if r["effective"] == "true"]
    cures = [r["cure"]["zh"] for r in rules if r.get("cure")]
    assert any(text in cure for cure in cures), cures


@then(parsers.parse('该案被拒收，位置为"{path}"，原因为"{text}"'))
def refused(examination: Examination, path: str, text: str) -> None:
    assert examination.refusal is not None
    problems = [
        (examination.place(str(p.place)), p.message.zh + (p.hint.zh if p.hint else ""))
        for p in examination.refusal.problems
    ]
    assert any(place == path and text in message for place, message in problems), problems
