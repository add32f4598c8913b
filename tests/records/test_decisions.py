"""Decisions come back byte for byte and are found by what they are about."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eligibility.decision.decide import Decider
from eligibility.errors import NotFound
from eligibility.records import decisions
from eligibility.records.database import Database
from eligibility.records.rulebases import Library
from records.samples import CASE, DAY, NOW, later, record, undone
from rulebase.rulebases import base_rulebase

# What is to be recorded is refused where it holds a NUL.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def test_a_decision_comes_back_as_it_was_recorded(database: Database) -> None:
    moment = datetime(2026, 1, 2, 11, 4, 5, 678901, tzinfo=timezone(timedelta(hours=8)))
    with database.begin() as connection:
        first = record(connection)
        made = decisions.record(
            connection,
            case_no=CASE,
            court_id="yancheng",
            profile="js-yancheng",
            as_of=date(2025, 12, 31),
            channel="court_report",
            outcome="need_info",
            digest=base_rulebase().digest,
            engine="verified",
            request='{"case": {"a": 1.10}}',
            body='{ "outcome":  "need_info"}\n',
            now=moment,
            follows=first,
        )
    with database.read() as connection:
        found = decisions.find(connection, made)
    assert found == decisions.Recorded(
        seq=2,
        id=made,
        case_key=CASE,
        case_no=CASE,
        court_id="yancheng",
        profile="js-yancheng",
        as_of=date(2025, 12, 31),
        channel="court_report",
        outcome="need_info",
        digest=base_rulebase().digest,
        engine="verified",
        request='{"case": {"a": 1.10}}',
        body='{ "outcome":  "need_info"}\n',
        decided_at=moment,
        follows=first,
    )
    assert found.decided_at.tzinfo is UTC


@pytest.fixture(name="in_china")
def fixture_in_china(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The computer's own zone is eight hours ahead of UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Shanghai")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_china")
def test_times_do_not_depend_on_where_the_computer_is(database: Database) -> None:
    assert NOW.astimezone().utcoffset() == timedelta(hours=8)
    with database.begin() as connection:
        made = record(connection, now=NOW.astimezone())
        assert decisions.find(connection, made).decided_at == NOW
        assert decisions.search(connection, decided_from=NOW, decided_to=later(1), limit=1)


# INVARIANT: what was asked and answered comes back byte for byte.
@given(TEXTS, TEXTS)
def test_texts_come_back_byte_for_byte(shared: Database, request_: str, body: str) -> None:
    with undone(shared) as connection:
        made = record(connection, request=request_, body=body)
        found = decisions.find(connection, made)
    assert (found.request, found.body) == (request_, body)


def test_a_decision_is_replayed_exactly(database: Database) -> None:
    case = {"case_no": CASE, "request_channel": "party_application"}
    request = json.dumps({"case": case, "profile": "national", "as_of": DAY.isoformat()})
    answered = json.dumps(
        Decider(base_rulebase()).decide(
            case, today=DAY, as_of=DAY, profile="national", engine="native"
        )
    )
    with database.begin() as connection:
        made = record(connection, request=request, body=answered)
    with database.read() as connection:
        found = decisions.find(connection, made)
    asked = json.loads(found.request)
    again = Decider(Library(database).get(found.digest)).decide(
        asked["case"],
        today=date(2030, 1, 1),
        as_of=date.fromisoformat(asked["as_of"]),
        profile=asked["profile"],
        engine=found.engine,
    )
    assert json.dumps(again) == found.body


def test_an_unknown_decision(database: Database) -> None:
    with database.read() as connection, pytest.raises(NotFound) as caught:
        decisions.find(connection, "nothing")
    assert caught.value.code == "unknown_decision"


def test_ids_are_uuids_that_sort_by_time() -> None:
    ids = [decisions.new_id(later(i / 1000)) for i in range(1000)]
    assert ids == sorted(ids)
    assert len({decisions.new_id(NOW) for _ in range(1000)}) == 1000
    for text in ids[:20]:
        assert UUID(text).version == 7
        assert str(UUID(text)) == text
    milliseconds = UUID(ids[0]).int >> 80
    assert datetime.fromtimestamp(milliseconds / 1000, UTC) == NOW.replace(microsecond=678000)


def test_an_id_may_stand_in_the_answer_that_it_names(database: Database) -> None:
    made = decisions.new_id(NOW)
    with database.begin() as connection:
        assert record(connection, decision_id=made, body=f'{{"decision_id": "{made}"}}') == made
        assert made in decisions.find(connection, made).body


def test_decisions_of_a_case_stand_in_order(database: Database) -> None:
    with database.begin() as connection:
        made = [record(connection, now=later(-i)) for i in range(3)]
        other = record(connection, case_no="other")
        assert [one.id for one in decisions.of_case(connection, CASE)] == made
        latest = decisions.latest_of_case(connection, CASE)
        assert latest is not None
        assert latest.id == made[-1]
        assert [one.id for one in decisions.of_case(connection, "other")] == [other]
        assert decisions.latest_of_case(connection, "none") is None
        assert decisions.cases(connection) == ["other", CASE]


@pytest.mark.parametrize("case_no", [None, ""])
def test_a_case_without_a_number_is_held_together_by_its_first_decision(
    database: Database, case_no: str | None
) -> None:
    with database.begin() as connection:
        first = record(connection, case_no=case_no)
        second = record(connection, case_no=case_no, follows=first)
        third = record(connection, case_no=case_no, follows=second)
        numbered = record(connection, follows=third)
        key = decisions.case_key_of(case_no, first)
        assert key == f"decision:{first}"
        assert [d.id for d in decisions.of_case(connection, key)] == [first, second, third]
        assert decisions.find(connection, numbered).case_key == CASE


def test_what_is_followed_must_be_on_record(database: Database) -> None:
    with pytest.raises(NotFound), database.begin() as connection:
        record(connection, follows="nothing")


def test_searching(database: Database) -> None:
    with database.begin() as connection:
        ids = [
            record(connection, court_id="a", now=later(0)),
            record(connection, court_id="b", now=later(10), outcome="need_info"),
            record(connection, court_id="a", now=later(20), case_no="other"),
            record(connection, court_id=None, now=later(30), case_no=None),
        ]

        def found(limit: int = 10, **wanted: object) -> list[int]:
            rows = decisions.search(connection, limit=limit, **wanted)  # type: ignore[arg-type]
            return [ids.index(row.id) for row in rows]

        assert found() == [0, 1, 2, 3]
        assert found(limit=2) == [0, 1]
        assert found(court_id="a") == [0, 2]
        assert found(case_no=CASE) == [0, 1]
        assert found(case_no=f"decision:{ids[3]}") == []
        assert found(outcome="need_info") == [1]
        assert found(decided_from=later(10), decided_to=later(30)) == [1, 2]
        assert found(court_id="a", decided_from=later(1)) == [2]
        seq = decisions.find(connection, ids[1]).seq
        assert found(after_seq=seq) == [2, 3]
        assert found(after_seq=seq, limit=1) == [2]
