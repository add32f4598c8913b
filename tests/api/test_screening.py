"""Dockets in the background, from the request to the file; one service runs them all."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import update

from api.shapes import problem
from api.test_access import World
from eligibility.api.app import create_app
from eligibility.api.service import now
from eligibility.records import screenings
from eligibility.records.tables import SCREENINGS
from eligibility.settings import Settings
from rulebase.rulebases import BASE, base_rulebase

CSV = {"Content-Type": "text/csv"}
OURS = "low"
LIMIT = 40_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("screenings")


@pytest.fixture(scope="module")
def world(folder: Path) -> Iterator[World]:
    settings = Settings(
        data_dir=str(folder),
        rules=str(BASE),
        engine="native",
        auth="keys",
        max_docket_bytes=LIMIT,
        screening_jobs=2,
    )
    app = create_app(base_rulebase(), settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield World(client, app, {}, {})


@pytest.fixture(scope="module")
def head(world: World) -> dict[str, str]:
    return world.key()


def table(*courts: str | None) -> bytes:
    lines = [f"案{number},{court or ''}" for number, court in enumerate(courts)]
    return "\n".join(["案号,执行法院", *lines]).encode("gb18030")


def submit(
    world: World, body: bytes, head: dict[str, str], kind: str = "text/csv", **query: Any
) -> str:
    sent = {**head, "Content-Type": kind}
    answer = world.client.post("/v1/screenings", content=body, headers=sent, params=query)
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert answer.headers["location"] == f"/v1/screenings/{made['id']}" == made["links"]["self"]
    return str(made["id"])


def ended(world: World, job: str, head: dict[str, str]) -> dict[str, Any]:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = world.client.get(f"/v1/screenings/{job}", headers=head).json()
        if found["state"] in screenings.ENDED:
            return dict(found)
        time.sleep(0.05)
    raise AssertionError(found)


def lines(world: World, job: str, head: dict[str, str]) -> list[dict[str, Any]]:
    answer = world.client.get(f"/v1/screenings/{job}/result", headers=head)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.fixture(scope="module")
def done(world: World, head: dict[str, str]) -> dict[str, Any]:
    body = table("某县法院", "low", None) + "\n坏,无此法院".encode("gb18030")
    job = submit(world, body, head, as_of="2025-06-01", format="ndjson")
    return ended(world, job, head)


# --- what comes out -------------------------------------------------------------------------------


def test_a_bad_row_is_a_row_of_the_result(
    world: World, head: dict[str, str], done: dict[str, Any]
) -> None:
    assert done["state"] == "done", done
    rows = lines(world, done["id"], head)
    assert [row["case_no"] for row in rows] == ["案0", "案1", "案2", "坏"]
    summary = done["summary"]
    assert summary["rows"] == done["rows_done"] == 4
    assert summary["rejected"]["count"] == sum(row["error"] is not None for row in rows)
    assert done["bytes_done"] == done["bytes_total"] > 0
    assert done["rulebase"] == base_rulebase().digest
    assert done["problems"] == []


def test_every_form_in_and_out(world: World, head: dict[str, str]) -> None:
    bad = json.dumps({"case_no": "乙", "nonsense": 1}, ensure_ascii=False)
    good = json.dumps({"案号": "甲"}, ensure_ascii=False)
    told = f"{good}\n{bad}\nno json\n".encode()
    first = submit(world, told, head, "application/x-ndjson", format="parquet")
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"case_no": ["甲", "丙"]}), sink)
    body = sink.getvalue().to_pybytes()
    second = submit(world, body, head, "application/vnd.apache.parquet", format="csv")
    assert ended(world, first, head)["state"] == ended(world, second, head)["state"] == "done"
    one = world.client.get(f"/v1/screenings/{first}/result", headers=head)
    rows = pq.read_table(pa.BufferReader(one.content)).to_pylist()
    assert [row["case_no"] for row in rows] == ["甲", "乙", None]
    assert rows[0]["error"] is None
    assert rows[1]["error"].startswith("docket.ndjson:2: ")
    assert "unknown_fact" in rows[1]["error"]
    assert rows[2]["error"].startswith("docket.ndjson:3: ")
    other = world.client.get(f"/v1/screenings/{second}/result", headers=head)
    assert other.headers["content-type"].startswith("text/csv")
    assert [line.split(",")[0] for line in other.text.splitlines()[1:]] == ["甲", "丙"]


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("application/vnd.apache.parquet", b"PAR1 and nothing else", "cannot_read"),
        ("text/csv", b"\n\n", "no_header"),
        ("text/csv", "案号,案号\n".encode(), "duplicate_heading"),
    ],
)
def test_a_file_that_cannot_be_read_fails_with_its_code(
    world: World, head: dict[str, str], folder: Path, kind: str, body: bytes, code: str
) -> None:
    found = ended(world, submit(world, body, head, kind), head)
    assert (found["state"], found["problems"][0]["code"]) == ("failed", code)
    assert str(folder) not in json.dumps(found)
    assert found["links"]["result"] is None
    answer = world.client.get(f"/v1/screenings/{found['id']}/result", headers=head)
    problem(answer, 409, "screening_not_done")
    assert not (folder / "screenings" / found["id"]).exists()


def test_of_a_docket_nothing_but_the_result_is_kept(
    world: World, folder: Path, done: dict[str, Any]
) -> None:
    kept = folder / "screenings" / done["id"]
    assert [path.name for path in kept.iterdir()] == ["result-1.ndjson"]
    assert {p.stat().st_mode & 0o777 for p in (kept, kept.parent)} == {0o700}
    assert (kept / "result-1.ndjson").stat().st_mode & 0o777 == 0o600


# --- the file -------------------------------------------------------------------------------------


def test_a_result_is_fetched_in_parts(
    world: World, head: dict[str, str], done: dict[str, Any]
) -> None:
    url = f"/v1/screenings/{done['id']}/result"
    whole = world.client.get(url, headers=head)
    name = f"screening-{done['id']}.ndjson"
    assert whole.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert whole.headers["cache-control"] == "no-store"
    assert len(whole.headers.get_list("etag")) == 1
    tag = whole.headers["etag"]
    part = world.client.get(url, headers={**head, "Range": "bytes=5-9", "If-Range": tag})
    assert (part.status_code, part.content) == (206, whole.content[5:10])
    same = world.client.get(url, headers={**head, "If-None-Match": tag})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == tag
    far = world.client.get(url, headers={**head, "Range": "bytes=999999-"})
    problem(far, 416, "bad_range")
    assert far.headers["content-range"] == f"bytes */{len(whole.content)}"
    problem(world.client.get(url, headers={**head, "Range": "bytes=x-y"}), 400, "bad_range")
    measured = world.client.head(url, headers=head)
    assert (measured.status_code, measured.content) == (200, b"")
    assert int(measured.headers["content-length"]) == len(whole.content)


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("declared", [True, False])
def test_a_docket_too_large(
    world: World, head: dict[str, str], folder: Path, declared: bool
) -> None:
    before = sorted((folder / "screenings").iterdir())
    body = b"x" * (LIMIT + 1)
    parts = body if declared else iter([body[:LIMIT], body[LIMIT:]])
    answer = world.client.post("/v1/screenings", content=parts, headers={**head, **CSV})
    problem(answer, 413, "docket_too_large")
    assert sorted((folder / "screenings").iterdir()) == before


@pytest.mark.parametrize(
    ("sent", "query", "status", "code"),
    [
        ({"Content-Type": "application/json"}, {}, 415, "unsupported_media_type"),
        ({"Content-Encoding": "gzip"}, {}, 415, "unsupported_media_type"),
        ({}, {"profile": "nowhere"}, 404, "unknown_profile"),
        ({}, {"rulebase": "sha256:" + "0" * 64}, 404, "unknown_rulebase"),
        ({}, {"format": "xlsx"}, 422, "unknown_value"),
        ({}, {"as_of": "1900-01-01"}, 422, None),
        ({}, {"nonsense": "1"}, 422, "unknown_field"),
        ({"Idempotency-Key": "键".encode()}, {}, 422, "bad_idempotency_key"),
    ],
)
def test_what_cannot_be_a_screening(
    world: World,
    head: dict[str, str],
    sent: dict[str, Any],
    query: dict[str, str],
    status: int,
    code: str | None,
) -> None:
    headers = {**head, **CSV, **sent}
    answer = world.client.post("/v1/screenings", content=b"a", headers=headers, params=query)
    problem(answer, status, code)


def test_no_more_dockets_than_may_wait(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=str(tmp_path),
        rules=str(BASE),
        engine="native",
        screening_jobs=0,
        screening_queue=1,
    )
    with TestClient(create_app(base_rulebase(), settings)) as client:
        first = client.post("/v1/screenings", content=b"a", headers=CSV)
        assert first.status_code == 202
        problem(client.post("/v1/screenings", content=b"a", headers=CSV), 503, "screenings_full")
        metrics = client.get("/metrics").text
        assert 'eligibility_screenings{state="queued"} 1.0' in metrics
        assert metrics.count("# TYPE eligibility_screenings gauge") == 1


# --- keys, callers, courts ------------------------------------------------------------------------


def test_a_key_is_one_job_of_its_caller(world: World, head: dict[str, str]) -> None:
    keyed = {**head, "Idempotency-Key": "nightly"}
    first = submit(world, table(OURS), keyed)
    assert submit(world, table(OURS), keyed) == first
    other = {**world.key(), "Idempotency-Key": "nightly"}
    assert submit(world, table(OURS), other) != first
    answer = world.client.post(
        "/v1/screenings", content=table(OURS, OURS), headers={**keyed, **CSV}
    )
    problem(answer, 409, "idempotency_conflict")


def test_only_rows_of_its_own_courts_are_answered(world: World, head: dict[str, str]) -> None:
    limited = world.key("case_system", courts=[OURS])
    body = table("某县法院", "low", "top", None)
    job = submit(world, body, limited, format="ndjson")
    found = ended(world, job, limited)
    rows = lines(world, job, limited)
    assert [row["error"] is None for row in rows] == [True, True, False, False]
    for number, row in enumerate(rows[2:], 4):
        assert row["error"].startswith(f"docket.csv:{number}: court_id: other_court: ")
        assert row["outcome"] is None
        assert row["possible_outcomes"] == row["effective_rules"] == []
    assert found["summary"]["rejected"]["count"] == 2
    assert sum(found["summary"]["outcomes"].values()) == 2
    whole = submit(world, body, head, format="ndjson")
    ended(world, whole, head)
    assert "other_court" not in json.dumps(lines(world, whole, head))


def test_jobs_are_seen_by_who_asked_and_who_is_not_limited(
    world: World, head: dict[str, str]
) -> None:
    mine = world.key("case_system", courts=[OURS])
    job = submit(world, table(OURS), mine)
    ended(world, job, mine)
    other = world.key("case_system", courts=[OURS])
    for method, address in (("GET", ""), ("GET", "/result"), ("POST", "/cancel")):
        url = f"/v1/screenings/{job}{address}"
        problem(world.client.request(method, url, headers=other), 404, "unknown_screening")
    assert job not in world.client.get("/v1/screenings", headers=other).text
    for seeing in (mine, head, world.key("auditor")):
        assert job in world.client.get("/v1/screenings", headers=seeing).text
        assert world.client.get(f"/v1/screenings/{job}", headers=seeing).status_code == 200


def test_who_may_what(world: World, done: dict[str, Any]) -> None:
    auditor, editor = world.key("auditor"), world.key("policy_editor")
    post = world.client.post
    for caller in (auditor, editor):
        refused = post("/v1/screenings", content=table(), headers={**caller, **CSV})
        problem(refused, 403, "role_required")
        refused = post(f"/v1/screenings/{done['id']}/cancel", headers=caller)
        problem(refused, 403, "role_required")
    problem(world.client.get("/v1/screenings", headers=editor), 403, "role_required")


def test_pages(world: World, head: dict[str, str]) -> None:
    mine = {submit(world, table(OURS), head) for _ in range(3)}
    bad = submit(world, "案号,案号\n".encode(), head)
    ended(world, bad, head)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while query:
        page = world.client.get("/v1/screenings", headers=head, params=query).json()
        seen += [job["id"] for job in page["screenings"]]
        query = {"limit": 2, "cursor": page["next"]} if page["next"] else {}
    whole = world.client.get("/v1/screenings", headers=head).json()
    assert seen == [job["id"] for job in whole["screenings"]]
    assert len(set(seen)) == len(seen)
    assert mine | {bad} <= set(seen)
    params = {"state": "failed"}
    failed = world.client.get("/v1/screenings", headers=head, params=params).json()
    assert bad in {job["id"] for job in failed["screenings"]}
    assert {job["state"] for job in failed["screenings"]} == {"failed"}


# --- the end of a job -----------------------------------------------------------------------------


def test_a_job_that_runs_is_cancelled(world: World, head: dict[str, str], folder: Path) -> None:
    # Overrides are judged case by case: slow enough to be met at work.
    lines = [f"案{number},{OURS},[{{}}]" for number in range(2400)]
    body = "\n".join(["案号,执行法院,overrides", *lines]).encode()
    job = submit(world, body, head, dates="true")
    while world.client.get(f"/v1/screenings/{job}", headers=head).json()["state"] == "queued":
        time.sleep(0.02)
    answer = world.client.post(f"/v1/screenings/{job}/cancel", headers=head)
    assert answer.status_code == 200
    assert answer.json()["cancelling"] is True
    found = ended(world, job, head)
    assert (found["state"], found["cancelling"]) == ("cancelled", False)
    again = world.client.post(f"/v1/screenings/{job}/cancel", headers=head)
    assert again.json()["state"] == "cancelled"
    until = time.monotonic() + 10
    while (folder / "screenings" / job).exists():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_what_is_done_is_not_cancelled(
    world: World, head: dict[str, str], done: dict[str, Any]
) -> None:
    answer = world.client.post(f"/v1/screenings/{done['id']}/cancel", headers=head)
    problem(answer, 409, "screening_ended")


def test_old_jobs_are_deleted_with_their_files(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path), rules=str(BASE), engine="native", screening_jobs=0)
    app: FastAPI = create_app(base_rulebase(), settings)
    with TestClient(app) as client:
        made = client.post("/v1/screenings", content=b"a", headers=CSV).json()
        client.post("/v1/screenings", content=b"a", headers=CSV)
        client.post(f"{made['links']['self']}/cancel")
        (lost,) = (tmp_path / "screenings").iterdir()
        database, jobs = app.state.service.follow_ups.database, app.state.screenings
        long_ago = now() - timedelta(days=settings.screening_retention_days + 1)
        with database.begin() as connection:
            connection.execute(
                update(SCREENINGS).where(SCREENINGS.c.id == made["id"]).values(finished_at=long_ago)
            )
        jobs.sweep()
        problem(client.get(made["links"]["self"]), 404, "unknown_screening")
        (lost / "docket.csv").unlink()
        jobs.sweep()
        found = client.get(f"/v1/screenings/{lost.name}").json()
        assert (found["state"], found["problems"][0]["code"]) == ("failed", "docket_lost")
        assert list((tmp_path / "screenings").iterdir()) == []


def test_only_folders_of_jobs_are_cleared_away(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path), rules=str(BASE), engine="native", screening_jobs=0)
    app: FastAPI = create_app(base_rulebase(), settings)
    left, other, new = (tmp_path / "screenings" / name for name in ("0" * 32, "x", "1" * 32))
    with TestClient(app):
        for path in (left, other, new):
            path.mkdir(parents=True)
        for path in (left, other):
            os.utime(path, (0, 0))
        app.state.screenings.sweep()
        assert sorted(path.name for path in left.parent.iterdir()) == [new.name, "x"]


def test_the_log_names_no_case(
    world: World, head: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        ended(world, submit(world, table("某县法院"), head), head)
        ended(world, submit(world, "案号,案号\n".encode(), head), head)
    assert "screening" in caplog.text
    assert "案0" not in caplog.text
    assert "某县" not in caplog.text
