"""The steps of 受指定法院: who decides, who may receive the case, in which order, and why."""

from __future__ import annotations

from typing import Any

from pytest_bdd import given, parsers, then

from scenarios.examination import Examination, Table, listed

Entry = dict[str, Any]


def courts(examination: Examination) -> Entry:
    return examination.answer["receiving_courts"]  # type: ignore[no-any-return]


def court(examination: Examination, word: str) -> str:
    """The full name of a court; of one that the register does not know, the word itself."""
    found = examination.decider.register.find(word)
    return found.label.zh if found else word


def names(entries: list[Entry]) -> list[str]:
    return [entry["label"]["zh"] for entry in entries]


def ranked(examination: Examination, word: str) -> Entry:
    name = court(examination, word)
    found = [entry for entry in courts(examination)["ranked"] if entry["label"]["zh"] == name]
    assert found, f"“{name}”没有列入排序"
    return found[0]  # type: ignore[no-any-return]


def labelled(entries: list[Entry], label: str) -> Entry:
    found = [entry for entry in entries if entry["label"]["zh"] == label]
    assert found, f"没有“{label}”：{names(entries)}"
    return found[0]


# --- 假如 ---------------------------------------------------------------------------------


@given("候选法院如下:")
def candidates(examination: Examination, datatable: Table) -> None:
    examination.records("candidate", datatable)


# --- 那么 ---------------------------------------------------------------------------------


@then(parsers.parse('决定法院为"{word}"'))
def decider_is(examination: Examination, word: str) -> None:
    decider = courts(examination)["decider"]
    assert decider is not None
    assert decider["label"]["zh"] == court(examination, word)


@then(parsers.parse('有决定权的法院为"{word}"'))
def competent_court_is(examination: Examination, word: str) -> None:
    competent = courts(examination)["competent_court"]
    assert competent is not None
    assert competent["label"]["zh"] == court(examination, word)


@then(parsers.parse('不能确定决定法院，待查明"{words}"'))
def decider_unknown(examination: Examination, words: str) -> None:
    found = courts(examination)
    assert (found["decider"], found["ranked"], found["excluded"]) == (None, [], [])
    assert names(found["unknown"]) == listed(words)


@then(parsers.parse('规则"{rule}"把"{word}"排在第一'))
def first_is(examination: Examination, rule: str, word: str) -> None:
    found = courts(examination)
    assert found["rule"] is not None
    assert found["rule"]["id"] == rule
    assert names(found["ranked"])[0] == court(examination, word)
    assert not found["ranked"][0]["tied"]


@then(parsers.parse('依次排为"{words}"'))
def order_is(examination: Examination, words: str) -> None:
    first = [court(examination, word) for word in listed(words)]
    assert names(courts(examination)["ranked"])[: len(first)] == first


@then(parsers.parse('"{word}"排在最后'))
def last_is(examination: Examination, word: str) -> None:
    assert names(courts(examination)["ranked"])[-1] == court(examination, word)


@then(parsers.parse('"{words}"并列'))
def tied(examination: Examination, words: str) -> None:
    found = [ranked(examination, word) for word in listed(words)]
    assert all(entry["tied"] for entry in found)
    assert len({entry["rank"] for entry in found}) == 1


@then(parsers.parse('"{word}"得分{score:f}，其中"{label}"{share:f}'))
def score_is(examination: Examination, word: str, score: float, label: str, share: float) -> None:
    entry = ranked(examination, word)
    assert (entry["score"], labelled(entry["factors"], label)["share"]) == (score, share)


@then(parsers.parse("第一名与第二名相差{gap:f}"))
def gap_is(examination: Examination, gap: float) -> None:
    assert courts(examination)["gap"] == gap


@then(parsers.parse('规则"{rule}"排除"{words}"，因为"{reason}"'))
def excluded_by(examination: Examination, rule: str, words: str, reason: str) -> None:
    for word in listed(words):
        entry = labelled(courts(examination)["excluded"], court(examination, word))
        reasons = {r["id"]: [text["zh"] for text in r["reasons"]] for r in entry["rules"]}
        assert reason in reasons.get(rule, []), reasons


@then(parsers.parse('规则"{rule}"没有排除任何法院'))
def excludes_nobody(examination: Examination, rule: str) -> None:
    entries = courts(examination)["excluded"]
    assert courts(examination)["ranked"]
    assert [e["label"]["zh"] for e in entries if rule in [r["id"] for r in e["rules"]]] == []


@then(parsers.parse('规则"{rule}"使"{labels}"反向计分'))
def flipped(examination: Examination, rule: str, labels: str) -> None:
    found = {entry["id"]: names(entry["factors"]) for entry in courts(examination)["flipped"]}
    assert found == {rule: listed(labels)}


@then(parsers.parse('规则"{rule}"没有使任何因素反向计分'))
def not_flipped(examination: Examination, rule: str) -> None:
    found = courts(examination)
    assert found["ranked"]
    assert rule not in [entry["id"] for entry in (*found["flipped"], *found["if_also"])]


@then(parsers.parse('规则"{rule}"是否成立待查明"{words}"，如成立第一名为"{word}"'))
def if_also(examination: Examination, rule: str, words: str, word: str) -> None:
    entry = next(e for e in courts(examination)["if_also"] if e["id"] == rule)
    assert names(entry["unknown"]) == listed(words)
    assert entry["first"]["label"]["zh"] == court(examination, word)


@then(parsers.parse('未计入的因素恰为"{labels}"'))
def left_out(examination: Examination, labels: str) -> None:
    assert names(courts(examination)["left_out"]) == listed(labels)


@then(parsers.parse('"{word}"待核实"{labels}"，系规则"{rule}"的条件'))
def to_confirm(examination: Examination, word: str, labels: str, rule: str) -> None:
    facts = ranked(examination, word)["to_confirm"]
    assert [f["label"]["zh"] for f in facts if rule in f["rules"]] == listed(labels)


@then(parsers.parse('"{word}"没有待核实的事项'))
def nothing_to_confirm(examination: Examination, word: str) -> None:
    assert ranked(examination, word)["to_confirm"] == []


@then(parsers.parse('"{label}"的权重在{low:f}%与{high:f}%之间，第一名不变'))
def margin_is(examination: Examination, label: str, low: float, high: float) -> None:
    entry = labelled(courts(examination)["sensitivity"], label)
    assert (entry["from"], entry["to"]) == (low, high)


@then(parsers.parse('"{label}"的权重再{which}，第一名为"{word}"'))
def beyond_margin(examination: Examination, label: str, which: str, word: str) -> None:
    end = {"低": "below", "高": "above"}[which]
    then_first = labelled(courts(examination)["sensitivity"], label)["then"][end]
    assert then_first is not None
    assert then_first["label"]["zh"] == court(examination, word)


@then(parsers.parse('由"{word}"提级执行，因为"{why}"'))
def elevated(examination: Examination, word: str, why: str) -> None:
    elevation = courts(examination)["elevation"]
    assert elevation is not None
    assert elevation["label"]["zh"] == court(examination, word)
    assert elevation["why"]["zh"] == why


@then("无须提级执行")
def not_elevated(examination: Examination) -> None:
    assert courts(examination)["elevation"] is None
    assert courts(examination)["ranked"]


@then("没有候选法院的排序")
def nobody_ranked(examination: Examination) -> None:
    assert (courts(examination)["ranked"], courts(examination)["excluded"]) == ([], [])


@then(parsers.parse('另有说明"{text}"'))
def note(examination: Examination, text: str) -> None:
    assert any(text in entry["zh"] for entry in courts(examination)["notes"])


@then(parsers.parse('没有提醒"{text}"'))
def not_warned(examination: Examination, text: str) -> None:
    assert not any(text in w["message"]["zh"] for w in examination.answer["warnings"])
