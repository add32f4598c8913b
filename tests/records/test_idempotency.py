"""One request sent twice is one decision, however close together."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier
from typing import Any

import pytest

from eligibility.decision.decide import Decider
from eligibility.errors import Conflict, FactsError
from eligibility.records import decisions
from eligibility.records.database import Database
from eligibility.records.follow_up import FollowUps
from eligibility.records.idempotency import LONGEST, once
from records.samples import KEY, NOW, later
from rulebase.rulebases import base_rulebase, base_texts

REQUEST: dict[str, Any] = {"case": {"case_no": "1"}}


@pytest.fixture(name="decider")
def fixture_decider() -> Iterator[Decider]:
    decider = Decider(base_rulebase())
    yield decider
    decider.close()


@pytest.fixture(name="followed")
def fixture_followed(database: Database, decider: Decider) -> FollowUps:
    return FollowUps(database, decider, base_texts(), KEY)


def send(followed: FollowUps, key: str, request: dict[str, Any], seconds: float = 0) -> Any:
    body = followed.decider.decide(request["case"], today=date(2026, 1, 1), engine="native")
    asked = once(key, request)
    return followed.record_decision(request, body, later(seconds), once=asked)


def count(database: Database) -> int:
    with database.read() as connection:
        return len(decisions.search(connection, limit=100))


def test_the_same_key_is_the_same_answer(database: Database, followed: FollowUps) -> None:
    assert followed.answered(once("k", REQUEST)) is None
    first = send(followed, "k", REQUEST)
    assert send(followed, "k", {"case": {"case_no": "1"}}, 60) == first
    again = followed.answered(once("k", REQUEST))
    assert again is not None
    assert again.body == first
    assert count(database) == 1
    assert send(followed, "other", REQUEST)["decision_id"] != first["decision_id"]
    assert count(database) == 2


def test_the_same_key_for_something_else(database: Database, followed: FollowUps) -> None:
    send(followed, "k", REQUEST)
    other = {"case": {"case_no": "2"}}
    with pytest.raises(Conflict) as caught:
        send(followed, "k", other)
    assert caught.value.code == "idempotency_conflict"
    with pytest.raises(Conflict):
        followed.answered(once("k", other))
    assert count(database) == 1


def test_a_request_that_failed_is_not_remembered(
    database: Database, followed: FollowUps, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("eligibility.records.recording._Group.insert", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            send(followed, "k", REQUEST)
    assert count(database) == 0
    assert followed.answered(once("k", REQUEST)) is None
    send(followed, "k", REQUEST)
    assert count(database) == 1


@pytest.mark.parametrize("requests", [1, 2])
def test_many_at_once_make_one_decision(
    database: Database, url: str, decider: Decider, requests: int
) -> None:
    """Services of their own, as several processes have them. Of two requests one is refused."""
    others = [FollowUps(Database(url), decider, base_texts(), KEY) for _ in range(6)]
    bodies = [
        decider.decide({"case_no": str(i)}, today=date(2026, 1, 1), engine="native")
        for i in range(requests)
    ]
    barrier = Barrier(len(others))

    def work(number: int) -> str | None:
        which = number % requests
        request = {"case": {"case_no": str(which)}}
        barrier.wait()
        try:
            asked = once("k", request)
            made = others[number].record_decision(request, bodies[which], NOW, once=asked)
        except Conflict:
            return None
        return str(made["decision_id"])

    with ThreadPoolExecutor(len(others)) as pool:
        answers = list(pool.map(work, range(len(others))))
    for other in others:
        other.database.close()
    assert count(database) == 1
    assert len(set(answers) - {None}) == 1
    assert answers.count(None) == (0 if requests == 1 else 3)


@pytest.mark.parametrize("key", ["", "a\n", "a\x00b", "é", "案", "x" * (LONGEST + 1)])
def test_keys_that_are_none(key: str) -> None:
    with pytest.raises(FactsError) as caught:
        once(key, {})
    assert caught.value.code == "bad_idempotency_key"


def test_the_order_of_a_request_does_not_count() -> None:
    assert once("k", {"a": 1, "b": [1]}) == once("k", {"b": [1], "a": 1})
    assert once("k", {"a": 1}) != once("k", {"a": 2})
    assert once(" ~" * (LONGEST // 2), {}).key == " ~" * (LONGEST // 2)
