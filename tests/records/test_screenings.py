"""A job is run by one process at a time, and how it ended is said by the last one alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from eligibility.errors import Conflict, NotFound
from eligibility.records import screenings
from eligibility.records.database import Database
from eligibility.records.idempotency import once
from eligibility.records.screenings import MOST_LOST, Job, Ordered
from records.samples import NOW
from rulebase.rulebases import base_rulebase

LEASE = timedelta(seconds=60)
REQUEST = {"kind": "csv", "format": "csv"}


def submit(database: Database, job_id: str, key: str | None = None, **request: Any) -> Job:
    asked = {**REQUEST, **request}
    ordered = Ordered(
        id=job_id,
        caller="key:a",
        request=asked,
        digest=base_rulebase().digest,
        docket_bytes=100,
        host="here",
        once=once(key or job_id, asked, "key:a"),
    )
    with database.begin() as connection:
        return screenings.submit(connection, ordered, NOW, key is not None)[0]


def claim(
    database: Database, now: datetime = NOW, host: str = "here", most: int = 1, holds: bool = True
) -> Job | None:
    with database.begin() as connection:
        return screenings.claim(
            connection, now, host=host, most=most, lease=LEASE, holds=lambda job: holds
        )


def claimed(database: Database, now: datetime = NOW) -> Job:
    job = claim(database, now)
    assert job is not None
    return job


def finish(database: Database, job: Job, **more: Any) -> bool:
    with database.begin() as connection:
        return screenings.finish(connection, job, NOW, "done", **more)


def find(database: Database, job_id: str) -> Job:
    with database.read() as connection:
        return screenings.find(connection, job_id)


def test_from_asking_to_the_end(database: Database) -> None:
    submit(database, "a")
    job = claimed(database)
    assert (job.id, job.state, job.attempt, job.started_at) == ("a", "running", 1, NOW)
    with database.begin() as connection:
        assert screenings.beat(connection, job, NOW, LEASE, 7, 70) == "ours"
    assert (find(database, "a").rows_done, find(database, "a").bytes_done) == (7, 70)
    assert finish(database, job, rows=9, summary={"rows": 9, "词": 1})
    found = find(database, "a")
    assert (found.state, found.rows_done, found.bytes_done) == ("done", 9, 100)
    assert (found.summary, found.problems) == ({"rows": 9, "词": 1}, [])
    assert claim(database) is None


def test_many_processes_claim_each_job_once(database: Database) -> None:
    for number in range(6):
        submit(database, f"j{number}")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: claim(database, host=f"h{n}", most=1), range(12)))
    ids = [job.id for job in made if job is not None]
    assert sorted(ids) == [f"j{number}" for number in range(6)]


def test_no_more_at_once_than_a_machine_runs(database: Database) -> None:
    for number in range(3):
        submit(database, f"j{number}")
    assert claim(database, most=0) is None
    assert claim(database, most=2) is not None
    assert claim(database, most=2) is not None
    assert claim(database, most=2) is None
    other = claim(database, host="there", most=2)
    assert other is not None
    assert (other.id, other.host) == ("j2", "there")


def test_a_job_without_its_docket_here_is_left_to_others(database: Database) -> None:
    submit(database, "a")
    assert claim(database, holds=False) is None
    assert claim(database) is not None


def test_a_lease_that_ran_out_is_taken_over_and_the_first_holder_has_no_say(
    database: Database,
) -> None:
    submit(database, "a")
    first = claimed(database)
    assert claim(database, NOW + LEASE / 2) is None
    second = claimed(database, NOW + LEASE)
    assert (second.attempt, second.lost) == (2, 1)
    with database.begin() as connection:
        assert screenings.beat(connection, first, NOW, LEASE, 99, 99) == "lost"
        assert not screenings.give_back(connection, first, NOW)
    assert not finish(database, first, rows=1)
    assert find(database, "a").state == "running"
    assert finish(database, second, rows=2)


def test_a_lease_that_is_prolonged_is_not_taken_over(database: Database) -> None:
    submit(database, "a")
    job = claimed(database)
    later = NOW + LEASE / 2
    with database.begin() as connection:
        screenings.beat(connection, job, later, LEASE, 0, 0)
    assert claim(database, NOW + LEASE) is None
    assert claim(database, later + LEASE) is not None


def test_what_ends_its_processes_is_given_up(database: Database) -> None:
    submit(database, "a")
    moment = NOW
    for _ in range(MOST_LOST + 1):
        claimed(database, moment)
        moment += LEASE
    assert claim(database, moment) is None
    found = find(database, "a")
    assert (found.state, found.problems[0]["code"]) == ("failed", "screening_crashed")


def test_what_is_given_back_begins_again_and_is_not_lost(database: Database) -> None:
    submit(database, "a")
    for _ in range(MOST_LOST + 3):
        job = claimed(database)
        with database.begin() as connection:
            screenings.beat(connection, job, NOW, LEASE, 5, 5)
            assert screenings.give_back(connection, job, NOW)
        found = find(database, "a")
        assert (found.state, found.rows_done, found.lost) == ("queued", 0, 0)


@pytest.mark.parametrize("how", ["waits", "runs", "given back", "vanished"])
def test_cancelled(database: Database, how: str) -> None:
    submit(database, "a")
    job = None if how == "waits" else claimed(database)
    with database.begin() as connection:
        made = screenings.cancel(connection, "a", NOW)
    assert (made.state == "cancelled") == (job is None)
    if job is not None:
        assert made.cancelling
        with database.begin() as connection:
            if how == "runs":
                assert screenings.beat(connection, job, NOW, LEASE, 0, 0) == "cancelling"
                assert screenings.finish(connection, job, NOW, "cancelled")
            elif how == "given back":
                assert screenings.give_back(connection, job, NOW)
        assert claim(database, NOW + LEASE) is None
    with database.begin() as connection:
        again = screenings.cancel(connection, "a", NOW)
    assert (again.state, again.cancelling) == ("cancelled", False)


def test_what_has_ended_cannot_be_cancelled(database: Database) -> None:
    submit(database, "a")
    finish(database, claimed(database))
    with pytest.raises(Conflict, match="screening_ended"), database.begin() as connection:
        screenings.cancel(connection, "a", NOW)
    with pytest.raises(NotFound, match="unknown_screening"), database.begin() as connection:
        screenings.cancel(connection, "b", NOW)


def test_a_key_is_one_job(database: Database) -> None:
    assert submit(database, "a", key="k").id == "a"
    assert submit(database, "b", key="k").id == "a"
    assert submit(database, "c").id == "c"
    with pytest.raises(Conflict, match="idempotency_conflict"):
        submit(database, "d", key="k", format="parquet")
    with database.read() as connection:
        assert [job.id for job in screenings.search(connection, limit=9)] == ["c", "a"]


def test_listed_by_caller_state_and_page(database: Database) -> None:
    for number in range(5):
        submit(database, f"j{number}")
    claimed(database)
    with database.read() as connection:
        first = screenings.search(connection, limit=2)
        rest = screenings.search(connection, before_seq=first[-1].seq, limit=9)
        assert [job.id for job in [*first, *rest]] == ["j4", "j3", "j2", "j1", "j0"]
        assert screenings.search(connection, of="key:b", limit=9) == []
        running = screenings.search(connection, of="key:a", state="running", limit=9)
        assert [job.id for job in running] == ["j0"]
        with pytest.raises(NotFound):
            screenings.find(connection, "j0", "key:b")
        assert screenings.counts(connection) == {
            **dict.fromkeys(screenings.STATES, 0),
            "queued": 4,
            "running": 1,
        }


def test_what_is_old_is_forgotten_but_what_runs(database: Database) -> None:
    for number in range(3):
        submit(database, f"j{number}")
    finish(database, claimed(database))
    claimed(database)
    with database.begin() as connection:
        assert not screenings.any_before(connection, NOW)
        assert screenings.forget(connection, NOW) == []
        later = NOW + timedelta(days=1)
        assert screenings.any_before(connection, later)
        assert sorted(screenings.forget(connection, later)) == ["j0", "j2"]
        assert list(screenings.among(connection, ["j0", "j1", "j2"])) == ["j1"]
