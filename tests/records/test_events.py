"""An event is recorded once, however often and by however many it is reported."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from eligibility.documents import read_json
from eligibility.errors import Conflict, NotFound
from eligibility.records import events
from eligibility.records.database import Database
from eligibility.records.events import StoredEvent, canonical_json
from records.samples import CASE, DAY, NOW, later

BODY = {"type": "served", "date": "2026-01-02", "facts": {"b": 1, "a": [Decimal("1.10"), None]}}


def append(connection: Connection, **given: Any) -> tuple[StoredEvent, bool]:
    values: dict[str, Any] = {
        "case_key": CASE,
        "id": "e1",
        "type": "served",
        "happened_on": DAY,
        "body": BODY,
        "corrects": None,
        "now": NOW,
    }
    return events.append(connection, **(values | given))


def test_an_event_comes_back(database: Database) -> None:
    with database.begin() as connection:
        stored, new = append(connection)
    assert new
    assert stored == StoredEvent(
        seq=1,
        id="e1",
        case_key=CASE,
        type="served",
        happened_on=DAY,
        body='{"date":"2026-01-02","facts":{"a":[1.10,null],"b":1},"type":"served"}',
        corrects=None,
        recorded_at=NOW,
    )
    with database.read() as connection:
        assert events.of_case(connection, CASE) == [stored]


def test_the_same_event_again_changes_nothing(database: Database) -> None:
    with database.begin() as connection:
        first, _ = append(connection)
    reordered = {**dict(reversed(BODY.items())), "facts": {"a": [Decimal("1.10"), None], "b": 1}}
    with database.begin() as connection:
        again, new = append(connection, body=reordered, now=later(60))
    assert (again, new) == (first, False)
    with database.read() as connection:
        assert events.of_case(connection, CASE) == [first]


@pytest.mark.parametrize(
    "other",
    [
        {"body": {**BODY, "date": "2026-01-03"}},
        {"body": {}},
        {"happened_on": date(2026, 1, 3)},
        {"type": "filed"},
    ],
)
def test_an_id_does_not_stand_for_two_events(database: Database, other: dict[str, Any]) -> None:
    with database.begin() as connection:
        first, _ = append(connection)
    with pytest.raises(Conflict) as caught, database.begin() as connection:
        append(connection, **other)
    assert (caught.value.code, caught.value.status) == ("event_conflict", 409)
    with database.read() as connection:
        assert events.of_case(connection, CASE) == [first]


def test_cases_have_ids_of_their_own(database: Database) -> None:
    """What is on record of another case changes nothing: not even a refusal tells of it."""
    with database.begin() as connection:
        first, _ = append(connection)
        append(connection, id="e2", corrects="e1")
        other, new = append(connection, case_key="other", body={})
        assert (new, other.id, other.case_key) == (True, "e1", "other")
        assert append(connection, case_key="other", body={}) == (other, False)
        fixed, new = append(connection, case_key="third", id="e3", corrects="e1")
        assert (new, fixed.corrects) == (True, "e1")
        circle, new = append(connection, case_key="third", id="e1", corrects="e2")
        assert new
        assert events.of_case(connection, "third") == [fixed, circle]
        assert events.of_case(connection, CASE)[0] == first


@pytest.mark.parametrize("bodies", [[BODY] * 8, [{"n": i} for i in range(8)]])
def test_many_report_the_same_id_at_once(database: Database, bodies: list[dict[str, Any]]) -> None:
    barrier = Barrier(len(bodies))

    def report(body: dict[str, Any]) -> str:
        barrier.wait()
        try:
            with database.begin() as connection:
                return "new" if append(connection, body=body)[1] else "known"
        except Conflict:
            return "conflict"

    with ThreadPoolExecutor(len(bodies)) as pool:
        ends = sorted(pool.map(report, bodies))
    same = bodies[0] == bodies[1]
    assert ends == (["known"] * 7 + ["new"] if same else ["conflict"] * 7 + ["new"])
    with database.read() as connection:
        assert len(events.of_case(connection, CASE)) == 1


def test_an_event_corrects_one_of_its_case(database: Database) -> None:
    with database.begin() as connection:
        append(connection)
        fixed, new = append(connection, id="e2", corrects="e1", happened_on=date(2026, 1, 1))
        assert (fixed.corrects, new) == ("e1", True)
        assert [e.id for e in events.of_case(connection, CASE)] == ["e1", "e2"]


def test_a_correction_may_arrive_before_what_it_corrects(database: Database) -> None:
    with database.begin() as connection:
        append(connection, id="e2", corrects="e1")
        append(connection, id="e1")
        assert [e.id for e in events.of_case(connection, CASE)] == ["e2", "e1"]


def test_an_event_does_not_correct_itself(database: Database) -> None:
    with pytest.raises(NotFound), database.begin() as connection:
        append(connection, corrects="e1")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**38), 10**38)
    | st.decimals(-1000, 1000, places=5)
    | st.sampled_from([Decimal("1E+2"), Decimal("1.10E-9"), Decimal("-0.0")])
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)


# INVARIANT: canonical JSON says what it was made from, and says it in one way.
@given(JSON)
def test_canonical_json_is_what_it_was_made_from(value: Any) -> None:
    text = canonical_json(value)
    assert read_json(text) == value
    assert canonical_json(read_json(text)) == text


@pytest.mark.parametrize("value", [float("nan"), Decimal("NaN"), Decimal("Infinity"), object()])
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        canonical_json({"a": value})


def test_dates_are_texts() -> None:
    assert canonical_json({"b": date(2026, 1, 2), "a": (1,)}) == '{"a":[1],"b":"2026-01-02"}'
