"""A SQLite file that is full or only read: refused plainly, and well again without a restart."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from eligibility.decision.decide import Decider
from eligibility.records.database import Database, RecordsError, file_url
from eligibility.records.follow_up import FollowUps
from eligibility.records.idempotency import once
from eligibility.records.tables import DECISIONS
from eligibility.records.verification import verify
from records.samples import DAY, KEY, NOW
from rulebase.rulebases import base_rulebase, base_texts


@pytest.fixture(name="decider")
def fixture_decider() -> Iterator[Decider]:
    made = Decider(base_rulebase())
    yield made
    made.close()


def send(followed: FollowUps, number: int) -> str | RecordsError:
    request = {"case": {"case_no": str(number)}}
    body = followed.decider.decide(request["case"], today=DAY, engine="native")
    try:
        made = followed.record_decision(request, body, NOW, once=once(str(number), request))
    except RecordsError as error:
        return error
    return str(made["decision_id"])


def kept(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(select(DECISIONS.c.id)).scalars())


def test_a_disk_that_fills_up_and_is_emptied(tmp_path: Path, decider: Decider) -> None:
    database = Database.open(file_url(tmp_path / "records.db"))
    followed = FollowUps(database, decider, base_texts(), KEY)
    room = {"pages": 150}

    @event.listens_for(database._engine, "checkout")
    def limit(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={room['pages']}")

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda n: send(followed, n), range(400)))
        acknowledged = {m for m in made if isinstance(m, str)}
        refused = [m for m in made if isinstance(m, RecordsError)]
        assert acknowledged
        assert refused
        assert {(e.status, e.code) for e in refused} == {(503, "database_unavailable")}
        assert all("full" in str(e) for e in refused)
        assert set(kept(database)) == acknowledged
        assert verify(database, KEY).intact
        room["pages"] = 1_000_000
        again = list(pool.map(lambda n: send(followed, n), range(400)))
    assert len(set(again)) == 400
    assert sorted(kept(database)) == sorted(map(str, again))
    assert {m for m in again if m in acknowledged} == acknowledged  # the same for the same key
    assert verify(database, KEY).intact
    followed.close()


def test_a_file_that_can_only_be_read(tmp_path: Path, decider: Decider) -> None:
    path = tmp_path / "records.db"
    first = FollowUps(Database.open(file_url(path)), decider, base_texts(), KEY)
    made = send(first, 1)
    only_read = Database(f"sqlite:///file:{path}?mode=ro&uri=true")
    followed = FollowUps(only_read, decider, base_texts(), KEY)
    refused = send(followed, 2)
    assert isinstance(refused, RecordsError)
    assert (refused.status, refused.code) == (503, "database_unavailable")
    assert "readonly" in str(refused)
    assert followed.decision(str(made)).id == made
    assert kept(only_read) == [made]
    only_read.close()
    assert isinstance(send(first, 2), str)
    first.close()
