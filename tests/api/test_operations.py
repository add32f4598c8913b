"""The service as its operators see it: ids, log, metrics, readiness, limits, ETags, the stop."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.shapes import problem
from decision.follow_ups import CASE
from eligibility.api.app import create_app
from eligibility.api.batch import NDJSON
from eligibility.api.logs import Lines
from eligibility.api.rates import REMEMBERED, Buckets
from eligibility.errors import EngineError, Problem, Text
from eligibility.records.seals import LogKey
from eligibility.rulebase.model import Rulebase
from eligibility.settings import Settings

AS_OF = "2024-09-02"
CASE_NO = "（2024）苏0977执777号"
BODY: dict[str, Any] = {"case": {**CASE, "case_no": CASE_NO}, "as_of": AS_OF}


def metric(client: TestClient, line: str) -> float:
    found = re.search(rf"^{re.escape(line)} (.+)$", client.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.fixture
def apart(rulebase: Rulebase, tmp_path: Path) -> Iterator[FastAPI]:
    """A service of its own, with limits low enough to meet."""
    app = create_app(rulebase, Settings(data_dir=str(tmp_path), rate_per_second=0.5, rate_burst=3))
    yield app
    app.state.service.close()


# --- ids and log ----------------------------------------------------------------------------------


def test_an_id_that_fits_is_taken_over(client: TestClient) -> None:
    given = "case-2024.A_1"
    answer = client.get("/healthz", headers={"X-Request-Id": given})
    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["short", "a" * 65, "blank in 123", "引号".encode(), "-leading1"])
def test_another_id_is_replaced(client: TestClient, given: str | bytes) -> None:
    answer = client.get("/nowhere", headers={b"X-Request-Id": given})
    assert re.fullmatch("[0-9a-f]{32}", problem(answer, 404)["request_id"])


def test_the_log_names_no_case(
    client: TestClient, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    """Case data in every path, query, header and body; none of it in any line."""
    secret = "秘密当事人甲"
    caplog.set_level(logging.DEBUG, "eligibility")
    streams = {form: io.StringIO() for form in ("json", "text")}
    for form, stream in streams.items():
        handler = logging.StreamHandler(stream)
        handler.setFormatter(Lines(form))
        request.addfinalizer(partial(logging.getLogger().removeHandler, handler))
        logging.getLogger().addHandler(handler)
    made = client.post("/v1/decisions", json=BODY).json()
    paths = client.get("/openapi.json").json()["paths"]
    for path, methods in paths.items():
        filled = re.sub(r"\{[^}]+\}", secret, path)
        for method in methods:
            client.request(
                method,
                filled,
                params={"case_no": CASE_NO, "q": secret},
                json=BODY | {secret: secret} if method == "post" else None,
                headers={"X-Request-Id": "bad id " + "x" * 90},
            )
    with patch.object(client.app.state.service, "decide", side_effect=KeyError(secret)):  # type: ignore[attr-defined]
        answer = client.post("/v1/decisions?dry_run=true", json=BODY)
        assert problem(answer, 500, "internal_error")
    written = [line for form in streams for line in streams[form].getvalue().splitlines()]
    assert len(written) > 2 * len(paths)
    for line in written:
        assert secret not in line
        assert CASE_NO not in line
        assert "苏0977" not in line
    lines = [json.loads(line) for line in streams["json"].getvalue().splitlines()]
    assert len(written) == 2 * len(lines)
    first = next(line for line in lines if line.get("decision_id") == made["decision_id"])
    assert first.keys() >= {"time", "level", "request_id", "method", "route", "status", "ms"}
    assert (first["outcome"], first["route"]) == (made["outcome"], "/v1/decisions")
    assert {line["route"] for line in lines if "route" in line} >= set(paths)
    failed = next(line for line in lines if line.get("error") == "KeyError")
    assert failed["request_id"] == answer.json()["request_id"]


# --- metrics --------------------------------------------------------------------------------------


def test_a_decision_is_counted(client: TestClient) -> None:
    def counted(outcome: str) -> float:
        labels = f'outcome="{outcome}",profile="js-yancheng",recorded="true"'
        return metric(client, f"eligibility_decisions_total{{{labels}}}")

    asked = BODY | {"profile": "js-yancheng"}
    made = client.post("/v1/decisions", json=asked).json()
    fired = [r["id"] for r in made["rules"] if r["verdict"] == "true"]
    before, rules = (
        counted(made["outcome"]),
        [metric(client, f'eligibility_rules_fired_total{{rule="{r}"}}') for r in fired],
    )
    client.post("/v1/decisions", json=asked)
    assert counted(made["outcome"]) == before + 1
    assert fired
    assert [metric(client, f'eligibility_rules_fired_total{{rule="{r}"}}') for r in fired] == [
        n + 1 for n in rules
    ]
    assert metric(client, "eligibility_log_records") >= 2
    assert metric(client, "eligibility_records_waiting") == 0
    labels = 'method="POST",route="/v1/decisions",status="201"'
    assert metric(client, f"eligibility_request_seconds_count{{{labels}}}") >= 2
    assert "eligibility_rulebase_info{" in client.get("/metrics").text


def decisions_counted(client: TestClient, outcome: str, recorded: str) -> float:
    labels = f'outcome="{outcome}",profile="js-yancheng",recorded="{recorded}"'
    return metric(client, f"eligibility_decisions_total{{{labels}}}")


def test_a_repeat_under_one_key_is_no_new_decision(client: TestClient) -> None:
    asked = BODY | {"profile": "js-yancheng"}
    key = {"Idempotency-Key": f"counted-{time.time_ns()}"}
    repeats = "eligibility_decisions_repeated_total"
    outcome = client.post("/v1/decisions", json=asked, headers=key).json()["outcome"]
    before = decisions_counted(client, outcome, "true"), metric(client, repeats)
    assert client.post("/v1/decisions", json=asked, headers=key).status_code == 201
    assert decisions_counted(client, outcome, "true") == before[0]
    assert metric(client, repeats) == before[1] + 1
    lines = {"content": json.dumps(asked), "headers": key | {"Content-Type": NDJSON}}
    for counted in (1, 1):
        answer = client.post("/v1/decisions/batch", **lines)
        assert answer.json()["outcome"] == outcome
        assert decisions_counted(client, outcome, "true") == before[0] + counted
    assert metric(client, repeats) == before[1] + 2


def test_every_way_to_decide_is_counted(client: TestClient) -> None:
    """With and without recording, whole and brief: outcome, profile, rules that are true."""
    asked = BODY | {"profile": "js-yancheng"}
    made = client.post("/v1/decisions", json=asked).json()
    fired = [r["id"] for r in made["rules"] if r["verdict"] == "true"]

    def rules() -> list[float]:
        return [metric(client, f'eligibility_rules_fired_total{{rule="{r}"}}') for r in fired]

    for recorded in ("true", "false"):
        for form in ("whole", "brief"):
            query = {"dry_run": str(recorded == "false").lower(), "answer": form}
            before, fired_before = decisions_counted(client, made["outcome"], recorded), rules()
            answer = client.post(
                "/v1/decisions/batch",
                content=json.dumps(asked),
                headers={"Content-Type": NDJSON},
                params=query,
            )
            assert answer.json()["outcome"] == made["outcome"]
            assert decisions_counted(client, made["outcome"], recorded) == before + 1
            assert rules() == [n + 1 for n in fired_before]
    url = f"/v1/decisions/{made['decision_id']}/reevaluate"
    everything = re.compile(
        r'^eligibility_decisions_total\{.*recorded="true"\} (.+)$', re.MULTILINE
    )
    before = sum(map(float, everything.findall(client.get("/metrics").text)))
    assert client.post(url, params={"as_of": AS_OF}).status_code == 201
    assert sum(map(float, everything.findall(client.get("/metrics").text))) == before + 1


# --- readiness ------------------------------------------------------------------------------------


def test_ready(client: TestClient) -> None:
    assert client.get("/readyz").json() == {"status": "ready"}


def test_not_ready_says_why(rulebase: Rulebase, tmp_path: Path) -> None:
    app = create_app(rulebase, Settings(data_dir=str(tmp_path)))
    problem(TestClient(app).get("/readyz"), 503, "starting")
    with TestClient(app) as client, patch("eligibility.api.readiness.KEPT", -1.0):
        service = app.state.service
        assert client.get("/readyz").status_code == 200
        differ = EngineError(Problem("engines_disagree", Text("不一致", "they differ")))
        with patch.object(service.decider, "decided", side_effect=differ):
            problem(client.get("/readyz"), 503, "engines_disagree")
        client.post("/v1/decisions", json=BODY)
        with patch.object(service.follow_ups, "log_key", LogKey("another key of the log" * 3)):
            problem(client.get("/readyz"), 503, "other_log_key")
        with service.follow_ups.database.begin() as connection:
            connection.execute(text("ALTER TABLE alembic_version RENAME TO gone"))
        problem(client.get("/readyz"), 503, "database_unavailable")
        assert client.get("/healthz").status_code == 200


# --- limits ---------------------------------------------------------------------------------------


def test_too_often_is_refused_with_a_time(apart: FastAPI) -> None:
    client = TestClient(apart)
    assert [client.get("/v1/profiles").status_code for _ in range(3)] == [200] * 3
    answer = client.get("/v1/profiles")
    problem(answer, 429, "rate_limited")
    assert answer.headers["retry-after"] in ("1", "2")
    assert client.get("/healthz").status_code == 200
    assert metric(client, 'eligibility_problems_total{code="rate_limited"}') == 1


def test_buckets_fill_with_time_and_are_bounded() -> None:
    moment = [0.0]
    buckets = Buckets(2.0, 2, lambda: moment[0])
    assert [buckets.wait("a") for _ in range(3)] == [0.0, 0.0, 0.5]
    assert buckets.wait("b") == 0.0
    moment[0] = 0.5
    assert buckets.wait("a") == 0.0
    for number in range(2 * REMEMBERED):
        buckets.wait(str(number))
    assert len(buckets._known) == REMEMBERED


@pytest.mark.parametrize("given", ["0", "-1", "nan", "inf", "soon", ""])
def test_a_timeout_is_a_number_of_seconds(client: TestClient, given: str) -> None:
    answer = client.get("/v1/rules", headers={"X-Request-Timeout": given})
    problem(answer, 400, "bad_request_timeout")


# --- ETags ----------------------------------------------------------------------------------------


def test_what_the_caller_has_is_not_sent_again(client: TestClient) -> None:
    made = client.post("/v1/decisions", json=BODY).json()["decision_id"]
    for path in (f"/v1/decisions/{made}", "/v1/rules", "/v1/facts", "/v1/sources", "/v1/rulebases"):
        whole = client.get(path)
        tag = whole.headers["etag"]
        assert re.fullmatch('"[0-9a-f]{32}"', tag)
        for given in (tag, f'"x", W/{tag}', "*"):
            again = client.get(path, headers={"If-None-Match": given})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
        assert client.get(path, headers={"If-None-Match": '"x"'}).content == whole.content
        head = client.head(path)
        assert (head.headers["etag"], head.content) == (tag, b"")
    assert "etag" not in client.get("/nowhere").headers


# --- a real process -------------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Any]:
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        log = (tmp_path / "stderr").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "eligibility", "serve", "--port", str(port), *arguments],
            env={**os.environ, "ELIGIBILITY_DATA_DIR": str(tmp_path), **environment},
            stderr=log,
            text=True,
        )
        log.close()
        started.append(process)
        base, end = f"http://127.0.0.1:{port}", time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None:
            try:
                if httpx.get(f"{base}/readyz").status_code == 200:
                    return process, base
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError((tmp_path / "stderr").read_text())

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_database_named_on_the_command_line(served: Any, tmp_path: Path, workers: str) -> None:
    named = tmp_path / "named.db"
    _, base = served("--workers", workers, "--database", f"sqlite:///{named}")
    case = {"case_no": "C-1", "court_id": "盐城市亭湖区人民法院"}
    assert httpx.post(f"{base}/v1/decisions", json={"case": case}).status_code == 201
    assert named.exists()
    assert not (tmp_path / "eligibility.db").exists()


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_under_load_loses_nothing(served: Any, tmp_path: Path, workers: str) -> None:
    """Every request taken in is answered; every decision acknowledged is on record."""
    process, base = served("--workers", workers, ELIGIBILITY_SHUTDOWN_DELAY="1")
    stopped = Event()

    def load(number: int) -> list[str]:
        made: list[str] = []
        while not stopped.is_set():
            case = {**CASE, "case_no": f"（2024）苏0978执{number}-{len(made)}号"}
            try:
                # A connection for each request: one that is refused was never taken in.
                answer = httpx.post(f"{base}/v1/decisions", json={"case": case, "as_of": AS_OF})
            except httpx.ConnectError:
                break
            assert answer.status_code == 201, answer.text
            made.append(answer.json()["decision_id"])
        return made

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(load, number) for number in range(4)]
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        if workers == "1":
            time.sleep(0.3)
            problem(httpx.get(f"{base}/readyz"), 503, "shutting_down")
        time.sleep(0.3)
        stopped.set()
        kept = [made for future in running for made in future.result()]
    process.wait(30)
    assert kept
    log = (tmp_path / "stderr").read_text()
    assert "苏0978" not in log
    assert sum(json.loads(line).get("status") == 201 for line in log.splitlines()) == len(kept)
    _, again = served()
    with httpx.Client(base_url=again) as client:
        assert {client.get(f"/v1/decisions/{made}").status_code for made in kept} == {200}


@pytest.mark.slow
def test_workers_count_together_and_slow_bodies_are_cut_off(served: Any) -> None:
    _, base = served("--workers", "2", ELIGIBILITY_BODY_TIMEOUT="0.5")
    for _ in range(20):
        httpx.post(f"{base}/v1/decisions?dry_run=true", json=BODY)
    page = httpx.get(f"{base}/metrics").text
    counts = re.findall(r"^eligibility_decisions_total\{.*\} (.+)$", page, re.MULTILINE)
    assert sum(map(float, counts)) == 20
    host, port = base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 20) as slow:
        head = "POST /v1/decisions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        slow.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        answer = b""
        while part := slow.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"body_timeout"' in answer
    with socket.create_connection((host, int(port)), 20) as slow:
        head = "POST /v1/screenings HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
        slow.sendall(f"{head}Content-Length: 9\r\n\r\n".encode())
        for _ in range(8):  # longer in all than a body may take, but it goes on arriving
            slow.sendall(b"x")
            time.sleep(0.15)
        slow.sendall(b"x")
        assert slow.recv(65536).startswith(b"HTTP/1.1 202 ")
    with socket.create_connection((host, int(port)), 20) as slow:
        slow.sendall(f"{head}Content-Length: 9\r\n\r\nx".encode())
        assert slow.recv(65536).startswith(b"HTTP/1.1 408 ")


@pytest.mark.slow
def test_a_late_decision_is_found_by_its_key(served: Any) -> None:
    """Answered 504 in time; what was recorded all the same is what the key then answers."""
    _, base = served()
    headers = {"Idempotency-Key": "late-1", "X-Request-Timeout": "0.0005"}
    late = httpx.post(f"{base}/v1/decisions", json=BODY, headers=headers)
    problem(late, 504, "deadline_exceeded")
    del headers["X-Request-Timeout"]
    made = [httpx.post(f"{base}/v1/decisions", json=BODY, headers=headers) for _ in range(2)]
    assert [m.status_code for m in made] == [201, 201]
    assert made[0].content == made[1].content
    found = httpx.get(f"{base}/v1/decisions", params={"case_no": CASE_NO}).json()
    assert found["count"] == 1
