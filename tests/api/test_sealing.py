"""A service that seals the data of cases: what is answered once it was shredded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.shapes import problem
from decision.follow_ups import CASE
from eligibility.api.app import create_app
from eligibility.api.service import Service, now
from eligibility.records.database import RecordsError
from eligibility.records.shredding import shred
from eligibility.records.verification import verify
from eligibility.rulebase.model import Rulebase
from eligibility.settings import Settings

AS_OF = "2024-09-02"
NOTE = "当事人张三三到庭"
GONE = "（2024）苏0903执71号"
KEPT = "（2024）苏0903执72号"


@pytest.fixture(name="sealing", scope="module")
def fixture_sealing(rulebase: Rulebase, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    folder = str(tmp_path_factory.mktemp("sealing"))
    return create_app(rulebase, Settings(data_dir=folder, engine="native", sealing_key="s" * 32))


@pytest.fixture(name="sealed", scope="module")
def fixture_sealed(sealing: FastAPI) -> Iterator[TestClient]:
    with TestClient(sealing, raise_server_exceptions=False) as client:
        yield client


def decide(client: TestClient, case_no: str, key: str | None = None) -> Any:
    asked = {"case": {**CASE, "case_no": case_no}, "as_of": AS_OF, "profile": "js-yancheng"}
    return client.post("/v1/decisions", json=asked, headers={"Idempotency-Key": key} if key else {})


def event(client: TestClient, case_no: str, identity: str) -> Any:
    said = {"case_no": case_no, "id": identity, "type": "served", "on": "2024-09-20"}
    return client.post("/v1/events", json=said | {"note": NOTE})


def test_a_case_from_decision_to_shredding(sealing: FastAPI, sealed: TestClient) -> None:
    service: Service = sealing.state.service
    made = decide(sealed, GONE, "once").json()["decision_id"]
    other = decide(sealed, KEPT).json()["decision_id"]
    assert event(sealed, GONE, "e71").status_code == 201
    told = sealed.get(f"/v1/cases/{GONE}/follow-up").json()
    assert told["follow_ups"]
    assert NOTE in sealed.get(f"/v1/cases/{GONE}/follow-up").text
    assert sealed.get("/v1/follow-ups", params={"case_no": GONE}).json()["count"]
    assert decide(sealed, GONE, "once").json()["decision_id"] == made
    with service.follow_ups.database.begin() as connection:
        key = service.follow_ups.log_key
        assert key is not None
        shred(connection, key, GONE, now(), reason="保管期满", by="a", approved_by="b")

    for asked in (
        sealed.get(f"/v1/decisions/{made}"),
        sealed.post(f"/v1/decisions/{made}/reevaluate"),
        sealed.get(f"/v1/decisions/{made}/notices/urge_order"),
        decide(sealed, GONE, "once"),
        event(sealed, GONE, "e71"),
        event(sealed, GONE, "e73"),
    ):
        problem(asked, 410, "shredded")
    listed = sealed.get("/v1/decisions", params={"case_no": GONE}).json()
    assert [d["decision_id"] for d in listed["decisions"]] == [made]
    told = sealed.get(f"/v1/cases/{GONE}/follow-up")
    assert NOTE not in told.text
    assert (told.json()["follow_ups"], told.json()["events"]) == ([], [])
    assert [w["code"] for w in told.json()["warnings"]] == ["shredded"]
    assert sealed.get("/v1/follow-ups", params={"case_no": GONE}).json()["count"] == 0
    replayed = sealed.post(f"/v1/decisions/{made}/replay").json()
    assert [p["code"] for p in replayed["problems"]] == ["shredded"]
    assert sealed.get(f"/v1/decisions/{other}").status_code == 200
    assert sealed.post(f"/v1/decisions/{other}/replay").json()["identical"]
    assert verify(service.follow_ups.database, key).intact


def test_shredded_is_described(sealed: TestClient) -> None:
    paths = sealed.get("/openapi.json").json()["paths"]
    for path, method in (
        ("/v1/decisions", "post"),
        ("/v1/decisions/{decision_id}", "get"),
        ("/v1/events", "post"),
    ):
        assert "410" in paths[path][method]["responses"]


@pytest.mark.parametrize(
    ("key", "code"), [(None, "no_sealing_key"), ("n" * 32, "other_sealing_key")]
)
def test_a_service_does_not_start_without_the_sealing_key(
    rulebase: Rulebase, tmp_path: Path, key: str | None, code: str
) -> None:
    def app(sealing_key: str | None) -> FastAPI:
        folder = str(tmp_path)
        return create_app(
            rulebase, Settings(data_dir=folder, engine="native", sealing_key=sealing_key)
        )

    with TestClient(app("s" * 32)) as client:
        assert decide(client, KEPT).status_code == 201
    with pytest.raises(RecordsError) as caught, TestClient(app(key)):
        pass
    assert caught.value.code == code
