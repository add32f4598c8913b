"""The log of decisions over HTTP: replay, and requests that are sent twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response

from api.shapes import problem
from decision.follow_ups import CASE
from eligibility.api.app import create_app
from eligibility.api.models_follow_up import Replay
from eligibility.errors import MalformedInput
from eligibility.records.database import RecordsError
from eligibility.records.seals import LogKey
from eligibility.records.verification import verify
from eligibility.rulebase.model import Rulebase
from eligibility.settings import Settings, log_secret

NUMBERS = count(1)
AS_OF = "2024-09-02"


def body(**given: Any) -> dict[str, Any]:
    case = {**CASE, "case_no": f"（2024）苏0903执{next(NUMBERS)}号"}
    return {"case": case, "as_of": AS_OF, **given}


def send(client: TestClient, asked: dict[str, Any], key: str | None, **query: Any) -> Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    sent: Response = client.post("/v1/decisions", json=asked, headers=headers, params=query)
    return sent


def recorded(client: TestClient, case_no: str) -> int:
    return int(client.get("/v1/decisions", params={"case_no": case_no}).json()["count"])


# --- replay ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("explain", [{}, {"explain": "full"}])
def test_a_decision_is_computed_again(client: TestClient, explain: dict[str, str]) -> None:
    made = send(client, body(profile="js-yancheng"), None, **explain).json()["decision_id"]
    answer = client.post(f"/v1/decisions/{made}/replay")
    assert answer.status_code == 200
    Replay.model_validate(answer.json())
    assert answer.json() == {
        "decision_id": made,
        "identical": True,
        "differences": [],
        "omitted": 0,
        "problems": [],
        "notes": [],
    }


def test_a_decision_that_is_not_there_is_not_replayed(client: TestClient) -> None:
    problem(client.post("/v1/decisions/nothing/replay"), 404, "unknown_decision")
    problem(client.post("/v1/decisions/nothing/replay?x=1"), 422, "unknown_field")


def test_replay_is_described(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    described = paths["/v1/decisions/{decision_id}/replay"]["post"]["responses"]
    assert {"200", "404", "422", "503"} <= described.keys()
    deciding = paths["/v1/decisions"]["post"]
    assert "409" in deciding["responses"]
    (header,) = [p for p in deciding["parameters"] if p["in"] == "header"]
    assert header["name"] == "Idempotency-Key"
    assert not header["required"]


# --- Idempotency-Key ------------------------------------------------------------------------------


def test_a_request_sent_twice_is_decided_once(client: TestClient) -> None:
    asked = body()
    first = send(client, asked, "sent twice")
    again = send(client, dict(reversed(asked.items())), "sent twice")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert recorded(client, asked["case"]["case_no"]) == 1
    assert send(client, asked, None).json()["decision_id"] != first.json()["decision_id"]
    assert recorded(client, asked["case"]["case_no"]) == 2


@pytest.mark.parametrize(
    ("change", "query"),
    [({"as_of": "2024-09-03"}, {}), ({"profile": "sc"}, {}), ({}, {"explain": "full"})],
)
def test_another_request_under_the_key_is_refused(
    client: TestClient, change: dict[str, str], query: dict[str, str]
) -> None:
    asked, key = body(), f"key {next(NUMBERS)}"
    assert send(client, asked, key).status_code == 201
    problem(send(client, asked | change, key, **query), 409, "idempotency_conflict")
    assert recorded(client, asked["case"]["case_no"]) == 1


def test_a_refused_request_uses_no_key_up(client: TestClient) -> None:
    problem(send(client, body(profile="nowhere"), "mended"), 404, "unknown_profile")
    assert send(client, body(), "mended").status_code == 201


def test_a_dry_run_has_nothing_to_do_with_keys(client: TestClient) -> None:
    asked = body()
    assert send(client, asked, "dry", dry_run=True).status_code == 200
    assert send(client, body(), "dry").status_code == 201
    answer = send(client, asked, "dry", dry_run=True)
    assert answer.status_code == 200
    assert "decision_id" not in answer.json()


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb", "\xe9"])
def test_a_key_that_is_none(client: TestClient, key: str) -> None:
    headers = {"Idempotency-Key": key.encode("latin-1")}
    answer = client.post("/v1/decisions", json=body(), headers=headers)
    problem(answer, 422, "bad_idempotency_key")


def test_many_at_once_are_one_decision(client: TestClient) -> None:
    asked = body()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: send(client, asked, "all at once"), range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert recorded(client, asked["case"]["case_no"]) == 1


# --- the key of the log ---------------------------------------------------------------------------


def test_what_the_service_records_is_sealed(rulebase: Rulebase, tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path / "data"), engine="native")
    app = create_app(rulebase, settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        assert send(client, body(), None).status_code == 201
        found = verify(app.state.service.follow_ups.database, LogKey(log_secret(settings)))
        assert (found.intact, found.records, found.unsealed) == (True, 1, 0)
    secret = log_secret(settings)
    assert secret not in repr(settings)
    assert secret not in str(app.openapi())


def test_a_service_does_not_start_with_another_key(rulebase: Rulebase, tmp_path: Path) -> None:
    def app(key: str) -> FastAPI:
        settings = Settings(data_dir=str(tmp_path), engine="native", log_key=key)
        return create_app(rulebase, settings)

    with TestClient(app("x" * 32)) as client:
        assert send(client, body(), None).status_code == 201
    with TestClient(app("x" * 32)) as client:
        assert send(client, body(), None).status_code == 201
    with pytest.raises(RecordsError, match="other_log_key"):
        app("y" * 32)


def test_a_key_that_is_too_short(rulebase: Rulebase, tmp_path: Path) -> None:
    with pytest.raises(MalformedInput, match="bad_log_key"):
        create_app(rulebase, Settings(data_dir=str(tmp_path), log_key="short"))
