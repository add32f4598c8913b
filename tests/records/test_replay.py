"""A decision comes out as it did, by the rule base it was made by; what does not is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eligibility.decision import decide
from eligibility.decision.decide import Decider
from eligibility.errors import NotFound
from eligibility.records import replay as module
from eligibility.records.database import Database
from eligibility.records.follow_up import FollowUps
from eligibility.records.replay import MOST_DIFFERENCES, Replayer, differences
from eligibility.rulebase import canonical
from eligibility.rulebase.loader import load
from records.samples import KEY, NOW
from records.tampering import opened
from rulebase.rulebases import base_rulebase, base_texts, shipped_texts
from test_cases import CASES, ORDINARY, PROFILES

CASE = {"case_no": "（2024）苏0902执1号", "request_channel": "party_application"}
TODAY = date(2024, 9, 1)


@pytest.fixture(name="replayer")
def fixture_replayer(database: Database) -> Iterator[Replayer]:
    replayer = Replayer(database, KEY)
    yield replayer
    replayer.close()


@pytest.fixture(name="followed")
def fixture_followed(database: Database) -> Iterator[FollowUps]:
    decider = Decider(base_rulebase())
    yield FollowUps(database, decider, base_texts(), KEY)
    decider.close()


def recorded(followed: FollowUps, case: dict[str, Any] | None = None, **asked: Any) -> str:
    case = CASE if case is None else case
    body = followed.decider.decide(case, today=TODAY, **({"engine": "native"} | asked))
    return str(followed.record_decision({"case": case}, body, NOW)["decision_id"])


def altered(folder: Path, decision: str, column: str, value: str) -> None:
    with opened(folder) as raw:
        raw.execute(f"UPDATE decisions SET {column} = ? WHERE id = ?", (value, decision))


def body_of(followed: FollowUps, decision: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(followed.decision(decision).body)
    return found


# --- the same again -------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_told_case_comes_out_the_same(database: Database, replayer: Replayer) -> None:
    texts = shipped_texts()
    decider = Decider(load(texts))
    followed = FollowUps(database, decider, texts, KEY)
    for number, case in enumerate(CASES):
        facts = {**ORDINARY, **case["facts"], **case.get("assumed", {})}
        recorded(
            followed,
            facts,
            profile=PROFILES[case["profile"]],
            engine="verified",
            full=number % 2 == 0,
        )
    decider.close()
    found = list(replayer.replay_all())
    assert len(found) == len(CASES)
    assert [one.as_dict() for one in found if not one.identical] == []
    assert not any(one.notes for one in found)


def test_deciding_again_after_events_is_replayed_too(
    followed: FollowUps, replayer: Replayer
) -> None:
    recorded(followed)
    again = followed.reevaluate(str(CASE["case_no"]), NOW, TODAY)
    assert replayer.replay(again["decision_id"]).identical


def test_more_decisions_than_a_page(
    followed: FollowUps, replayer: Replayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    made = [recorded(followed) for _ in range(4)]
    assert [one.decision_id for one in replayer.replay_all()] == made


def test_an_unknown_decision(replayer: Replayer) -> None:
    with pytest.raises(NotFound):
        replayer.replay("nothing")


def test_the_rule_base_of_then_decides(database: Database, replayer: Replayer) -> None:
    """Afterwards another rule base is in force, by which the case would come out otherwise."""
    case = {**CASE, "interference": True}
    then = FollowUps(database, Decider(base_rulebase()), base_texts(), KEY)
    made = recorded(then, case)
    texts = base_texts()
    assert "- interference is true" in texts["rules.yaml"]
    texts["rules.yaml"] = texts["rules.yaml"].replace(
        "- interference is true", "- interference is false"
    )
    now = FollowUps(database, Decider(load(texts)), texts, KEY)
    other = recorded(now, case)
    assert body_of(now, made)["rules"] != body_of(now, other)["rules"]
    for decision in (made, other):
        assert replayer.replay(decision).identical
    then.decider.close()
    now.decider.close()


# --- another program ------------------------------------------------------------------------------


def test_a_later_program_says_that_the_digest_is_another(
    followed: FollowUps, replayer: Replayer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with opened(tmp_path) as raw:  # so that it is kept again, with its seal
        raw.execute("DELETE FROM rulebases")
    made = recorded(followed)
    monkeypatch.setattr(canonical, "_LEFT_OUT", canonical._LEFT_OUT | {"citations"})
    found = replayer.replay(made)
    assert found.identical
    assert [note.code for note in found.notes] == ["digest_changed"]


def test_texts_of_another_renderer_are_not_compared(
    followed: FollowUps, replayer: Replayer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = recorded(followed)
    body = body_of(followed, made)
    body["outcome_label"]["zh"] = "从前的说法"
    altered(tmp_path, made, "body", json.dumps(body))
    found = replayer.replay(made)
    assert [d.path for d in found.differences] == ["outcome_label.zh"]
    monkeypatch.setattr(decide, "RENDERER", "2")
    found = replayer.replay(made)
    assert found.identical
    assert [note.code for note in found.notes] == ["renderer_changed"]
    body["outcome"] = "eligible!"
    altered(tmp_path, made, "body", json.dumps(body))
    assert [d.path for d in replayer.replay(made).differences] == ["outcome"]


# --- what differs ---------------------------------------------------------------------------------


def test_an_altered_body_is_told_by_its_path(
    followed: FollowUps, replayer: Replayer, tmp_path: Path
) -> None:
    made = recorded(followed)
    body = body_of(followed, made)
    rule = body["rules"][0]
    then = rule["verdict"]
    rule["verdict"] = "false" if then == "true" else "true"
    altered(tmp_path, made, "body", json.dumps(body))
    found = replayer.replay(made)
    assert not found.identical
    assert found.as_dict()["differences"] == [
        {"path": "rules[0].verdict", "then": rule["verdict"], "now": then}
    ]


@pytest.mark.parametrize("key", ["warnings", "rules", "renderer"])
def test_a_field_that_was_taken_out_is_told(
    followed: FollowUps, replayer: Replayer, tmp_path: Path, key: str
) -> None:
    made = recorded(followed)
    body = body_of(followed, made)
    del body[key]
    altered(tmp_path, made, "body", json.dumps(body))
    assert key in [d.path for d in replayer.replay(made).differences]


def test_an_altered_request_is_told(
    followed: FollowUps, replayer: Replayer, tmp_path: Path
) -> None:
    made = recorded(followed)
    altered(tmp_path, made, "request", '{"case": {"case_no": "another"}}')
    assert "case_no" in [d.path for d in replayer.replay(made).differences]


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("request", "no JSON", "json_syntax"),
        ("request", "{}", "record_unreadable"),
        ("request", '{"case": {"no_such_fact": 1}}', "unknown_fact"),
        ("body", "no JSON", "record_unreadable"),
        ("body", "[]", "record_unreadable"),
        ("profile", "nowhere", "unknown_profile"),
    ],
)
def test_what_cannot_be_decided_again_says_why(
    followed: FollowUps, replayer: Replayer, tmp_path: Path, column: str, value: str, code: str
) -> None:
    made, sound = recorded(followed), recorded(followed)
    altered(tmp_path, made, column, value)
    found = replayer.replay(made)
    assert not found.identical
    assert [problem.code for problem in found.problems] == [code]
    assert [one.identical for one in replayer.replay_all()] == [False, True]
    assert replayer.replay(sound).identical


def test_one_rule_base_that_is_altered_does_not_withhold_the_others(
    database: Database, followed: FollowUps, replayer: Replayer, tmp_path: Path
) -> None:
    recorded(followed)
    texts = base_texts()
    texts["base.yaml"] = texts["base.yaml"].replace('version: "test"', 'version: "other"')
    other = FollowUps(database, Decider(load(texts)), texts, KEY)
    recorded(other)
    with opened(tmp_path) as raw:
        raw.execute("UPDATE rulebases SET texts = x'00' WHERE version = 'test'")
    found = list(replayer.replay_all())
    assert [problem.code for one in found for problem in one.problems] == ["rulebase_altered"]
    assert [one.identical for one in found] == [False, True]
    other.decider.close()


def test_many_differences_are_counted(
    followed: FollowUps, replayer: Replayer, tmp_path: Path
) -> None:
    made = recorded(followed)
    body = body_of(followed, made) | {f"more{i}": i for i in range(MOST_DIFFERENCES + 7)}
    altered(tmp_path, made, "body", json.dumps(body))
    found = replayer.replay(made)
    assert (len(found.differences), found.omitted) == (MOST_DIFFERENCES, 7)


# --- comparing ------------------------------------------------------------------------------------

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.floats(0, 3), st.sampled_from("ab")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=12,
)


# INVARIANT: no difference is told of equal values, and of different ones there is at least one.
@given(JSON, JSON)
def test_values_differ_exactly_where_their_json_does(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (not list(differences(one, other, True))) == same
    assert not list(differences(one, deepcopy(one), True))


@pytest.mark.parametrize(
    ("then", "now", "path"),
    [
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, "a[1].b"),
        ({"a": [1]}, {"a": [1, 2]}, "a[1]"),
        ({"a": 1}, {}, "a"),
        ({}, {"a": None}, "a"),
        ({"a": 1}, {"a": True}, "a"),
        ({"a": 1}, {"a": 1.0}, "a"),
        ({"a": {"zh": "x"}}, {"a": {"en": "x"}}, "a.zh"),
        ({"a": {"zh": "x"}}, {"a": "x"}, "a"),
    ],
)
def test_the_place_of_a_difference(then: Any, now: Any, path: str) -> None:
    assert next(differences(then, now, False)).path == path


def test_texts_may_be_left_aside() -> None:
    then, now = {"a": [{"zh": "x", "en": "y"}]}, {"a": [{"zh": "1", "en": "2"}]}
    assert not list(differences(then, now, False))
    assert [d.path for d in differences(then, now, True)] == ["a[0].zh", "a[0].en"]
