"""Several rule bases in service: by day, by digest, swapped while requests run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from eligibility.api.app import create_app
from eligibility.api.service import Service, now
from eligibility.engines import trial
from eligibility.errors import EngineError, Problem, Text
from eligibility.records import activations
from eligibility.records.database import file_url
from eligibility.rulebase.loader import load
from eligibility.rulefiles import read_texts
from eligibility.settings import Settings
from eligibility.vocabulary.values import FIRST_DAY
from rulebase.rulebases import base_texts

DAY = "2026-03-01"


def version(number: str) -> dict[str, str]:
    """The small rule base with another version, and the title of a rule marked by it."""
    texts = {
        name: text.replace('version: "test"', f'version: "{number}"').replace(
            "督促期满", f"督促期满第{number}版"
        )
        for name, text in base_texts().items()
    }
    assert texts != base_texts()
    return texts


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    for name, text in version("1").items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


@pytest.fixture(name="settings")
def fixture_settings(tmp_path: Path, folder: Path) -> Settings:
    return Settings(
        rules=str(folder),
        data_dir=str(tmp_path / "data"),
        database_url=file_url(tmp_path / "r.db"),
        log_key="k" * 40,
    )


def started(settings: Settings) -> FastAPI:
    return create_app(load(read_texts(Path(str(settings.rules)))), settings)


@pytest.fixture(name="app")
def fixture_app(settings: Settings) -> FastAPI:
    return started(settings)


@pytest.fixture(name="client")
def fixture_client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def publish(service: Service, number: str) -> str:
    found = service.follow_ups
    with found.database.begin() as connection:
        base, _ = activations.publish(connection, version(number), now(), found.log_key)
    return base.digest


def decide(client: Any, dry: bool = True, **body: Any) -> dict[str, Any]:
    answer = client.post(
        "/v1/decisions", params={"dry_run": str(dry).lower()}, json={"case": {}, **body}
    )
    assert answer.status_code == (200 if dry else 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


def version_of(client: Any, **body: Any) -> str:
    return str(decide(client, **body)["rulebase"]["version"])


def activate(client: Any, digest: str, since: str | None = None) -> httpx.Response:
    body = {"by": "tester", "note": "n"} | ({"effective_from": since} if since else {})
    answer: httpx.Response = client.post(f"/v1/rulebases/{digest}/activate", json=body)
    return answer


def test_the_day_picks_the_version_and_taking_back_restores(
    client: TestClient, app: FastAPI
) -> None:
    service: Service = app.state.service
    two = publish(service, "2")
    assert version_of(client) == version_of(client, as_of=DAY) == "1"
    made = activate(client, two, DAY)
    assert made.status_code == 201, made.text
    assert version_of(client) == version_of(client, as_of=DAY) == "2"
    assert version_of(client, as_of="2026-02-28") == "1"
    assert decide(client, dry=False, as_of="2026-02-28")["rulebase"]["version"] == "1"
    assert decide(client, dry=False)["rulebase"]["version"] == "2"
    assert client.get("/healthz").json()["rulebase"] == two
    listed = client.get("/v1/rulebases").json()
    spans = {r["version"]: (r["in_force"], r["effective"]) for r in listed["rulebases"]}
    assert spans["2"] == (True, [{"from": DAY, "to": None}])
    assert spans["1"][0] is False
    assert spans["1"][1][0]["to"] == "2026-02-28"
    assert [a["by"] for a in listed["activations"]] == ["folder", "tester"]
    back = client.post("/v1/rulebases/rollback", json={"by": "tester"})
    assert (back.status_code, back.json()["withdraws"]) == (201, made.json()["seq"])
    assert version_of(client) == "1"
    again = client.post("/v1/rulebases/rollback", json={"by": "tester"})
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_roll_back")


def test_a_published_version_may_be_named(client: TestClient, app: FastAPI) -> None:
    two = publish(app.state.service, "2")
    assert version_of(client, rulebase=two) == "2"
    made = decide(client, dry=False, rulebase=two)
    assert made["rulebase"]["digest"] == two
    replayed = client.post(f"/v1/decisions/{made['decision_id']}/replay").json()
    assert replayed["identical"] is True
    for path in ("/v1/facts", "/v1/rules", "/v1/profiles", "/v1/courts"):
        assert client.get(path, params={"rulebase": two}).json()["rulebase"] == two
    assert client.get(f"/v1/rulebases/{two}").json()["effective"] == []
    for unknown in ("sha256:" + "0" * 64, "x", "\x00"):
        answer = client.post("/v1/decisions", json={"case": {}, "rulebase": unknown})
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_rulebase")
    assert activate(client, "sha256:" + "0" * 64).status_code == 404


def test_a_bad_one_is_refused_and_the_old_one_serves_on(
    client: TestClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    service: Service = app.state.service
    two = publish(service, "2")

    def crash(*_: object) -> None:
        raise EngineError(Problem("engine_trial_failed", Text("崩溃", "crashed")))

    monkeypatch.setattr(trial, "trial", crash)
    answer = activate(client, two, DAY)
    assert (answer.status_code, answer.json()["code"]) == (422, "engine_trial_failed")
    assert "crashed" in answer.json()["detail"]
    assert answer.json()["errors"][0]["path"] == "digest"
    assert client.get("/v1/rulebases").json()["activations"] == []
    assert version_of(client) == "1"


def problem_code(service: Service) -> str:
    problem = service.versions.problem
    return problem.code if problem else ""


def test_what_cannot_be_loaded_leaves_the_old_one_and_says_so(
    client: TestClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process activated what this one cannot read."""
    service: Service = app.state.service
    two = publish(service, "2")
    read = service.versions.rulebase

    def unreadable(digest: str) -> Any:
        if digest == two:
            raise EngineError(Problem("rulebase_altered", Text("改动", "altered")))
        return read(digest)

    with monkeypatch.context() as patched:
        patched.setattr(service.versions, "rulebase", unreadable)
        with service.follow_ups.database.begin() as connection:
            own = service.versions.own
            activations.publish(connection, version("1"), now(), service.follow_ups.log_key)
            activations.activate(connection, two, FIRST_DAY, now(), served=own.digest, by="other")
        service.versions.refresh()
        assert problem_code(service) == "rulebase_altered"
        service.versions.refresh()
        assert problem_code(service) == "rulebase_altered"
        assert version_of(client) == "1"
    service.versions._again_at = 0.0
    service.versions.refresh()
    assert problem_code(service) == ""
    assert version_of(client) == "2"


def test_a_restart_keeps_the_schedule(app: FastAPI, settings: Settings) -> None:
    service: Service = app.state.service
    two = publish(service, "2")
    with TestClient(app) as client:
        assert activate(client, two, DAY).status_code == 201
    with TestClient(started(settings)) as client:
        assert version_of(client) == "2"
        assert version_of(client, as_of="2026-02-28") == "1"


# --- hot, under load ------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(name="server")
def fixture_server(settings: Settings, app: FastAPI, tmp_path: Path) -> Iterator[str]:
    """A real server with two worker processes; its output goes to a file."""
    port = free_port()
    given = {f"ELIGIBILITY_{k.upper()}": str(v) for k, v in settings.model_dump().items() if v}
    arguments = ["-m", "eligibility", "serve", "--workers", "2", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with (tmp_path / "server.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env={**os.environ, **given},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            until = time.monotonic() + 60
            while time.monotonic() < until:
                try:
                    httpx.get(f"{url}/healthz", timeout=5)
                    break
                except httpx.TransportError:
                    time.sleep(0.2)
            yield url
        finally:
            process.terminate()
            process.wait(30)


def test_swapping_under_load_fails_and_mixes_nothing(server: str, app: FastAPI) -> None:
    service: Service = app.state.service
    digests = {publish(service, "2"): "2", publish(service, "3"): "3"}
    names = {service.versions.own.digest: "1", **digests}
    stop, failed, seen = threading.Event(), [], set[str]()

    def ask(dry: bool) -> None:
        with httpx.Client(base_url=server, timeout=60) as client:
            while not stop.is_set():
                try:
                    body = decide(client, dry)
                    found = body["rulebase"]
                    assert names[found["digest"]] == found["version"]
                    titles = [r["title"]["zh"] for r in body["rules"] if r["id"] == "Q-1"]
                    assert titles == [f"督促期满第{found['version']}版"]
                    seen.add(found["version"])
                except Exception as error:
                    failed.append(repr(error))
                    return

    threads = [threading.Thread(target=ask, args=(n % 2 == 0,)) for n in range(4)]
    for thread in threads:
        thread.start()
    last = ""
    with httpx.Client(base_url=server, timeout=120) as client:
        for _ in range(3):
            for last in digests:
                made = activate(client, last, DAY)
                assert made.status_code == 201, made.text
        time.sleep(3)
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []
    assert seen >= {"2", "3"}
    answered = set()
    for _ in range(40):  # a connection each, so that both workers are asked
        answered.add(httpx.get(f"{server}/healthz", timeout=30).json()["rulebase"])
    assert answered == {last}
    service.close()
