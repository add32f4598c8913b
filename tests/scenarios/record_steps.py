"""Steps about decisions on record: sealed, shredded, verified."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pytest_bdd import parsers, then, when
from sqlalchemy import delete

from eligibility.errors import EligibilityError
from eligibility.records import decisions
from eligibility.records.database import Database, file_url
from eligibility.records.follow_up import FollowUps
from eligibility.records.sealing_key import SealingKey
from eligibility.records.seals import LogKey
from eligibility.records.shredding import shred
from eligibility.records.tables import CASE_KEYS
from eligibility.records.vault import Vault
from eligibility.records.verification import Verification, verify
from eligibility.rulefiles import read_texts, shipped
from scenarios.examination import Examination

KEY = LogKey("a key of the scenarios, long enough to be one")
SECRET = SealingKey("a sealing key of the scenarios, long enough")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


class OnRecord:
    """The records of a scenario; ``last`` is the id of the decision recorded last."""

    def __init__(self, examination: Examination, file: Path) -> None:
        self.examination = examination
        self.database = Database.open(file_url(file))
        self.followed = FollowUps(
            self.database, examination.decider, read_texts(shipped("rules")), KEY, Vault(SECRET)
        )
        self.last = ""
        self.refused: str | None = None

    def record(self, case_no: str) -> None:
        made = self.examination
        request = {"case": {**copy.deepcopy(made.facts), "case_no": case_no}}
        day = date.fromisoformat(made.answer["as_of"])
        body = {**made.answer, "case_no": case_no}
        found = made.decider.assess(request["case"], day, made.profile, "native")
        told = made.decider.made(found, body)
        recorded = self.followed.record_decision(request, body, NOW, made=told)
        self.last = str(recorded["decision_id"])

    def shred(self, case_no: str, by: str, approved_by: str) -> None:
        try:
            with self.database.begin() as connection:
                shred(
                    connection,
                    KEY,
                    case_no,
                    NOW,
                    reason="保管期满",
                    by=by,
                    approved_by=approved_by,
                )
        except EligibilityError as error:
            self.refused = error.code

    def verified(self) -> Verification:
        return verify(self.database, KEY)


@pytest.fixture(name="on_record")
def fixture_on_record(examination: Examination, tmp_path: Path) -> Iterator[OnRecord]:
    made = OnRecord(examination, tmp_path / "records.db")
    yield made
    made.database.close()


@when(parsers.parse('该决定以案号"{case_no}"封存留存'))
def sealed(on_record: OnRecord, case_no: str) -> None:
    on_record.record(case_no)


@when(parsers.parse('案件"{case_no}"的资料销毁，办理人"{by}"，批准人"{approved_by}"'))
def shredded(on_record: OnRecord, case_no: str, by: str, approved_by: str) -> None:
    on_record.shred(case_no, by, approved_by)


@when(parsers.parse('案件"{case_no}"的数据密钥丢失'))
def lost(on_record: OnRecord, case_no: str) -> None:
    with on_record.database.begin() as connection:
        connection.execute(delete(CASE_KEYS).where(CASE_KEYS.c.case_key == case_no))


@then("留存的决定可以读取")
def readable(on_record: OnRecord) -> None:
    found = on_record.followed.decision(on_record.last)
    assert json.loads(found.body)["outcome"] == on_record.examination.answer["outcome"]


@then(parsers.parse('留存的决定不能读取，代码为"{code}"'))
def unreadable(on_record: OnRecord, code: str) -> None:
    with pytest.raises(EligibilityError) as caught:
        on_record.followed.decision(on_record.last)
    assert caught.value.code == code


@then(parsers.parse('销毁被拒，代码为"{code}"'))
def refused(on_record: OnRecord, code: str) -> None:
    assert on_record.refused == code


@then(parsers.parse('按案号"{case_no}"仍查到{count:d}份决定'))
def found(on_record: OnRecord, case_no: str, count: int) -> None:
    with on_record.database.read() as connection:
        assert len(decisions.search(connection, case_no=case_no, limit=9)) == count


@then("核验决定记录完好")
def intact(on_record: OnRecord) -> None:
    assert on_record.verified().findings == []


@then(parsers.parse('核验决定记录发现"{code}"'))
def wanting(on_record: OnRecord, code: str) -> None:
    assert [finding.problem.code for finding in on_record.verified().findings] == [code]
