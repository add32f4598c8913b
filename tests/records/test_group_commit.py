"""Decisions recorded at the same time are one transaction, and each has its own fate."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select

from eligibility.decision.decide import Decider
from eligibility.errors import Conflict, NotFound, Problem, Text
from eligibility.records import chain, events
from eligibility.records.database import Database, RecordsError
from eligibility.records.follow_up import FollowUps
from eligibility.records.group_commit import GroupCommit
from eligibility.records.idempotency import once
from eligibility.records.tables import DECISIONS, PROJECTIONS
from eligibility.records.verification import verify
from records.samples import DAY, KEY, NOW, record
from records.tampering import codes, opened
from rulebase.rulebases import base_rulebase, base_texts


@pytest.fixture(name="followed")
def fixture_followed(database: Database) -> Iterator[FollowUps]:
    decider = Decider(base_rulebase())
    yield FollowUps(database, decider, base_texts(), KEY)
    decider.close()


class Held:
    """Stops the first group until others have come, so that they are one group for sure."""

    def __init__(self, followed: FollowUps, others: int) -> None:
        self.sizes: list[int] = []
        group = followed.recorder._group
        write = group._write

        def slow(items: Sequence[Any]) -> Any:
            if not self.sizes:
                wait_for(lambda: group.backlog().length == others + 1)
            self.sizes.append(len(items))
            return write(items)

        group._write = slow


def wait_for(holds: Any) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.001)


def make(followed: FollowUps, **given_: Any) -> dict[str, Any]:
    body = followed.decider.decide({}, today=DAY, engine="native")
    return followed.record_decision({"case": {}}, body, NOW, **given_)


def all_of(followed: FollowUps, calls: list[dict[str, Any]]) -> list[Any]:
    """What becomes of a first call and of the others, which come while it is written."""
    group = followed.recorder._group

    def call(given_: dict[str, Any]) -> Any:
        try:
            return make(followed, **given_)
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        first = pool.submit(call, calls[0])
        wait_for(lambda: group.backlog().length == 1)
        return [f.result(60) for f in [first, *(pool.submit(call, c) for c in calls[1:])]]


def test_what_comes_together_is_written_together(followed: FollowUps, database: Database) -> None:
    commits: list[int] = []
    event.listen(database._engine, "commit", lambda connection: commits.append(1))
    held = Held(followed, 20)
    made = all_of(followed, [{}] * 21)
    assert held.sizes == [1, 20]
    assert len(commits) == 2
    with database.read() as connection:
        kept = set(connection.execute(select(DECISIONS.c.id)).scalars())
        marked = list(connection.execute(select(PROJECTIONS.c.case_key)).scalars())
    assert kept == {one["decision_id"] for one in made}
    assert len(marked) == 21
    assert verify(database, KEY).intact
    assert followed.recorder.backlog() == (0, 0.0)


def test_a_bad_record_fails_alone(
    followed: FollowUps, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is refused before it is written, another by the database while it is."""
    Held(followed, 4)
    calls: list[dict[str, Any]] = [{}, {}, {"follows": "nothing"}, {"caller": "\ud800"}, {}]
    made = all_of(followed, calls)
    assert isinstance(made[2], NotFound)
    assert isinstance(made[3], UnicodeEncodeError)
    good = {made[i]["decision_id"] for i in (0, 1, 4)}
    with database.read() as connection:
        assert set(connection.execute(select(DECISIONS.c.id)).scalars()) == good
    assert verify(database, KEY).intact


def test_one_key_in_one_group_is_one_decision(followed: FollowUps, database: Database) -> None:
    Held(followed, 4)
    one, other = once("k", {"a": 1}), once("k", {"a": 2})
    made = all_of(followed, [{}, *({"once": one} for _ in range(3)), {"once": other}])
    answers = [m for m in made[1:] if isinstance(m, dict)]
    refused = [m for m in made[1:] if isinstance(m, Conflict)]
    # Whichever came first has the key.
    assert {len(answers), len(refused)} in ({3, 1}, {1, 3})
    assert len({a["decision_id"] for a in answers}) == 1
    with database.read() as connection:
        assert len(connection.execute(select(DECISIONS.c.id)).all()) == 2


def test_nothing_is_acknowledged_where_the_group_fails(
    followed: FollowUps, database: Database
) -> None:
    first = make(followed)

    def refuse(connection: Any) -> None:
        raise RecordsError(Problem("database_unavailable", Text("磁盘已满", "the disk is full")))

    event.listen(database._engine, "commit", refuse)
    Held(followed, 4)
    made = all_of(followed, [{}] * 5)
    event.remove(database._engine, "commit", refuse)
    assert [type(m) for m in made] == [RecordsError] * 5
    assert {m.status for m in made} == {503}
    assert len({id(m) for m in made}) == 5  # each thread raises its own
    with database.read() as connection:
        kept = list(connection.execute(select(DECISIONS.c.id)).scalars())
    assert kept == [first["decision_id"]]
    make(followed)  # and goes on without a restart
    assert verify(database, KEY).intact


def test_too_many_that_wait_are_refused() -> None:
    go = threading.Event()

    def write(items: Sequence[int]) -> list[int]:
        assert go.wait(20)
        return list(items)

    group: GroupCommit[int, int] = GroupCommit(write, most=2, room=3)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(group.submit, 0)
        wait_for(lambda: group.backlog().length == 1 and not group._queue)
        others = [pool.submit(group.submit, i) for i in (1, 2, 3)]
        wait_for(lambda: group.backlog().length == 4)
        with pytest.raises(RecordsError) as caught:
            group.submit(4)
        assert caught.value.code == "records_busy"
        assert group.backlog().oldest_wait > 0
        go.set()
        assert [f.result(20) for f in (first, *others)] == [0, 1, 2, 3]


def test_several_items_are_written_together() -> None:
    """In its order, in groups that are no larger than they may be, and each with its own fate."""
    written: list[list[int]] = []

    def write(items: Sequence[int]) -> list[int | Exception]:
        written.append([*items])
        return [ValueError(str(n)) if n == 3 else n for n in items]

    group: GroupCommit[int, int] = GroupCommit(write, most=4)
    found = group.submit_all(range(6))
    assert written == [[0, 1, 2, 3], [4, 5]]
    assert [type(each) for each in found] == [int, int, int, ValueError, int, int]
    assert group.submit_all([]) == []
    assert group.backlog() == (0, 0.0)


def test_several_that_come_together_from_several_threads() -> None:
    written: list[int] = []

    def write(items: Sequence[int]) -> list[int]:
        written.extend(items)
        return [-n for n in items]

    group: GroupCommit[int, int] = GroupCommit(write, most=5, room=10_000)
    lots = [range(1 + 100 * n, 90 + 100 * n) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(group.submit_all, lots))
    assert found == [[-n for n in lot] for lot in lots]
    assert all([n for n in written if n in lot] == [*lot] for lot in lots)


def test_a_case_decided_again_is_projected_once(followed: FollowUps, database: Database) -> None:
    first = make(followed)
    again = make(followed, follows=first["decision_id"])
    assert again["follows"] == first["decision_id"]
    with database.read() as connection:
        cases = set(connection.execute(select(DECISIONS.c.case_key)).scalars())
        marked = list(connection.execute(select(PROJECTIONS.c.case_key)).scalars())
    assert list(cases) == marked


# --- what the record holds ------------------------------------------------------------------------


def test_the_record_says_who_asked_and_what_was_found(
    followed: FollowUps, database: Database
) -> None:
    made = followed.decision(make(followed, caller="court 12")["decision_id"])
    assert made.caller == "court 12"
    assert json.loads(made.versions or "")["durable_rules"]
    said = json.loads(made.findings or "")
    assert set(said) == {"derived", "verdicts"}
    rules = set(base_rulebase().rules)
    assert {*said["verdicts"]["true"], *said["verdicts"]["false"]} <= rules
    assert verify(database, KEY).intact


@pytest.mark.parametrize("column", chain.ADDED)
@pytest.mark.parametrize("value", [None, "other"])
def test_what_was_added_to_the_record_is_sealed(
    followed: FollowUps, database: Database, tmp_path: Any, column: str, value: str | None
) -> None:
    make(followed, caller="court 12")
    with opened(tmp_path) as raw:
        raw.execute(f"UPDATE decisions SET {column} = ?", (value,))
    assert codes(verify(database, KEY)) == [(1, "record_changed")]


def test_records_from_before_still_fit_and_cannot_be_given_more(
    database: Database, followed: FollowUps, tmp_path: Any
) -> None:
    with database.begin() as connection:
        record(connection, log_key=KEY)
        found = next(chain.walk(connection))
    assert found.hash == KEY.seal("eligibility decision 1", None, *found.parts[: len(chain.SEALED)])
    make(followed)
    assert codes(verify(database, KEY)) == [(1, "record_contradicts")]  # the sample's short body
    with opened(tmp_path) as raw:
        raw.execute("UPDATE decisions SET caller = 'x' WHERE seq = 1")
    assert codes(verify(database, KEY))[0] == (1, "record_changed")


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.dates(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(PLAIN)
def test_canonical_json_is_one_text_however_it_is_written(value: Any) -> None:
    assert events.canonical_json(value) == events._written_out(value)


@pytest.mark.parametrize("value", [{"b": Decimal("1.50"), "a": date(2026, 1, 2)}, {1: 2}])
def test_canonical_json_of_what_json_does_not_have(value: Any) -> None:
    assert events.canonical_json(value) == events._written_out(value)
