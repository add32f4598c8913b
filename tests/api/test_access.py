"""Who may do what: every route, with the records of two courts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from httpx import Response

from api.shapes import problem
from decision.follow_ups import CASE
from eligibility.api.access import roles_of
from eligibility.api.app import create_app
from eligibility.api.headers import SECURITY
from eligibility.api.service import now
from eligibility.records import keys
from eligibility.rulebase.model import Rulebase
from eligibility.settings import Settings

OURS, THEIRS = "js-yancheng-tinghu", "js-yancheng-sheyang"
PUBLIC = {"/docs", "/healthz", "/metrics", "/openapi.json", "/readyz"}
EVERYTHING = list(keys.ROLES)
NUMBERS = {OURS: "（2024）苏0902执71号", THEIRS: "（2024）苏0924执72号"}


class World(NamedTuple):
    """A service with keys, and one decided case of either court."""

    client: TestClient
    app: FastAPI
    decisions: dict[str, str]
    duties: dict[str, list[str]]

    def key(
        self, *roles: str, courts: list[str] | None = None, expired: bool = False
    ) -> dict[str, str]:
        """The header of a new key; an expired one was made two days ago for a day."""
        database = self.app.state.service.follow_ups.database
        made_at = now() - timedelta(days=2) if expired else now()
        ends = made_at + timedelta(days=1) if expired else None
        name = f"key {now().timestamp()}"
        with database.begin() as connection:
            _, secret = keys.create(connection, name, roles or EVERYTHING, made_at, courts, ends)
        return {"Authorization": f"Bearer {secret}"}


def deciding(court: str | None, number: str | None, **facts: Any) -> dict[str, Any]:
    case = {**CASE, "court_id": court, "case_no": number, "receiving_court": None, **facts}
    case["main_property_court"] = court
    return {"case": {k: v for k, v in case.items() if v is not None}, "as_of": "2024-09-02"}


@pytest.fixture(scope="module")
def world(rulebase: Rulebase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("access")
    app = create_app(rulebase, Settings(data_dir=str(folder), engine="native", auth="keys"))
    with TestClient(app, raise_server_exceptions=False) as client:
        made = World(client, app, {}, {})
        head = made.key()
        for court, number in NUMBERS.items():
            answer = client.post("/v1/decisions", json=deciding(court, number), headers=head)
            assert answer.status_code == 201, answer.text
            made.decisions[court] = answer.json()["decision_id"]
            event = {"case_no": number, "type": "served", "on": "2024-09-03", "id": f"e-{court}"}
            told = client.post("/v1/events", json=event, headers=head)
            assert told.status_code == 201, told.text
            found = client.get("/v1/follow-ups", params={"case_no": number}, headers=head).json()
            made.duties[court] = [entry["id"] for entry in found["follow_ups"]]
            assert made.duties[court]
        yield made


def test_ids_of_events_tell_nothing_of_other_cases(world: World) -> None:
    """An id that another court's case has is answered as one that nobody has."""
    head = world.key("case_system", courts=[OURS])
    event = {"case_no": NUMBERS[OURS], "type": "served"}
    answers = []
    for number, taken in enumerate((f"e-{THEIRS}", "an id that nobody has")):
        sent = [
            event | {"id": f"early-{number}", "on": "2024-09-04", "corrects": taken},
            event | {"id": taken, "on": "2024-09-03"},
            event | {"id": taken, "on": "2024-09-03"},
            event | {"id": taken, "on": "2024-09-05"},
        ]
        made = [world.client.post("/v1/events", json=body, headers=head) for body in sent]
        assert [answer.json().get("code") for answer in made[3:]] == ["event_conflict"]
        answers.append([answer.status_code for answer in made])
    assert answers == [[201, 201, 200, 409]] * 2
    url = f"/v1/cases/{quote(NUMBERS[THEIRS])}/follow-up"
    theirs = world.client.get(url, headers=world.key()).json()
    assert [e["id"] for e in theirs["events"]] == [f"e-{THEIRS}"]


def addresses(app: FastAPI, court: str, decision: str, duty: str) -> list[tuple[str, str]]:
    """Every route under /v1, filled in with what is a court's."""
    values = {
        "{decision_id}": decision,
        "{duty_id}": quote(duty, safe=""),
        "{case_no}": quote(NUMBERS[court]),
        "{court}": court,
        "{kind}": "urge_order",
        "{digest}": "sha256:" + "0" * 64,
        "{rule_id}": "XB-09",
        "{source_id}": "L63",
        "{screening_id}": "0" * 32,
    }
    found = []
    for path, methods in app.openapi()["paths"].items():
        filled = path
        for name, value in values.items():
            filled = filled.replace(name, value)
        assert "{" not in filled, f"a test value for {path}"
        found += [(method.upper(), filled) for method in methods if path not in PUBLIC]
    return found


def everywhere(world: World, court: str, head: dict[str, str]) -> Iterator[tuple[str, Response]]:
    sent: dict[str, Any] = {
        "/v1/decisions": deciding(court, NUMBERS[court]),
        "/v1/events": {"case_no": NUMBERS[court], "type": "served", "on": "2024-09-05"},
    }
    for method, path in addresses(world.app, court, world.decisions[court], world.duties[court][0]):
        for query in ("", "?limit=1", f"?court={court}", f"?case_no={quote(NUMBERS[court])}"):
            if query and path not in ("/v1/decisions", "/v1/follow-ups"):
                continue
            if method == "POST" and query:
                continue
            if path.endswith("/supervision"):
                query = "?period=2024Q3"
            body = sent.get(path, {"type": "served", "on": "2024-09-05"})
            given = {"json": body} if method == "POST" and "events" in path else {}
            given = {"json": body} if (method, path) == ("POST", "/v1/decisions") else given
            answer = world.client.request(method, path + query, headers=head, **given)
            yield f"{method} {path}{query}", answer


# --- declared roles -------------------------------------------------------------------------------


def test_every_route_says_who_may_call_it(app: FastAPI) -> None:
    silent = []
    every = list(iter_route_contexts(app.routes))
    assert len(every) > 20
    for route in every:
        path = getattr(route, "path", "?")
        roles = roles_of(route)
        if roles is None and path != "/openapi.json":
            silent.append(path)
        if roles == frozenset():
            assert path in PUBLIC
    assert silent == []


def test_the_description_shows_who_may_call(world: World, app: FastAPI) -> None:
    document = world.client.get("/openapi.json").json()
    assert document["components"]["securitySchemes"].keys() == {"keys"}
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert ("security" in operation) == (path not in PUBLIC), path
            if path not in PUBLIC:
                assert {"401", "403"} <= operation["responses"].keys()
                assert operation["security"][0]["keys"]
    assert "securitySchemes" not in app.openapi()["components"]


# --- 401, 403 -------------------------------------------------------------------------------------


def credentials(world: World, kind: str) -> dict[str, str]:
    if kind == "none":
        return {}
    head = world.key(expired=kind == "expired")
    text = head["Authorization"].removeprefix("Bearer ")
    if kind == "revoked":
        with world.app.state.service.follow_ups.database.begin() as connection:
            keys.revoke(connection, text.split("_")[1], now())
    last = "0" if text[-1] != "0" else "1"
    changed = {
        "wrong secret": f"Bearer {text[:-1]}{last}",
        "unknown": f"Bearer elg_{'0' * 12}_{'0' * 64}",
        "not ours": "Bearer abc",
        "empty": "Bearer ",
        "basic": f"Basic {text}",
    }
    return {"Authorization": changed.get(kind, f"Bearer {text}")}


@pytest.mark.parametrize(
    "kind",
    ["none", "expired", "revoked", "wrong secret", "unknown", "not ours", "empty", "basic"],
)
def test_without_a_valid_key_no_route_answers(
    world: World, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    head = credentials(world, kind)
    code = "not_authenticated" if kind == "none" else "bad_credentials"
    count = 0
    with caplog.at_level(logging.WARNING, "eligibility.access"):
        for _, answer in everywhere(world, OURS, head):
            problem(answer, 401, code)
            assert answer.headers["www-authenticate"].startswith("Bearer ")
            count += 1
    assert len(caplog.records) == count > 20
    secret = head.get("Authorization", "-" * 80).split("_")[-1]
    assert not secret or secret not in caplog.text
    assert "苏0902" not in caplog.text
    assert quote(NUMBERS[OURS]) not in caplog.text


def test_a_role_that_a_route_does_not_name_is_refused(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    by_path = {
        (m, r.path): roles_of(r)
        for r in iter_route_contexts(world.app.routes)
        for m in r.methods or ()
    }
    for role in keys.ROLES:
        head = world.key(role)
        for method, path in [
            ("GET", "/v1/rules"),
            ("GET", "/v1/decisions"),
            ("POST", "/v1/decisions"),
            ("POST", "/v1/events"),
        ]:
            declared = by_path[method, path]
            assert declared is not None
            answer = world.client.request(method, path, headers=head, json={})
            if role in declared:
                assert answer.status_code not in (401, 403)
            else:
                body = problem(answer, 403, "role_required")
                assert body["errors"][0]["allowed"] == sorted(declared)
    assert "wrong role" in caplog.text


# --- courts ---------------------------------------------------------------------------------------


def test_nothing_of_another_court_comes_out(world: World) -> None:
    """Over every route, by every name that its records have: none of them is in an answer."""
    head = world.key(courts=[OURS])
    for asked in (OURS, THEIRS):
        for where, answer in everywhere(world, asked, head):
            if asked == THEIRS and answer.status_code in (403, 404):
                assert world.duties[THEIRS][0] not in answer.text or "/follow-ups/" in where
                continue  # it repeats at most the name that was asked for
            assert answer.status_code < 500, where
            for name in (NUMBERS[THEIRS], world.decisions[THEIRS], *world.duties[THEIRS]):
                assert name not in answer.text, where


def test_its_own_are_there(world: World) -> None:
    head = world.key(courts=[OURS])
    get = world.client.get
    assert get(f"/v1/decisions/{world.decisions[OURS]}", headers=head).status_code == 200
    found = get("/v1/decisions", headers=head).json()["decisions"]
    assert world.decisions[OURS] in [d["decision_id"] for d in found]
    listed = get("/v1/follow-ups", headers=head).json()["follow_ups"]
    assert {entry["id"] for entry in listed} >= set(world.duties[OURS])
    calendar = get(f"/v1/courts/{OURS}/calendar.ics", headers=head)
    assert calendar.status_code == 200


def test_pages_go_on_and_hold_only_its_own(world: World) -> None:
    head, seen, cursor = world.key(courts=[THEIRS]), [], None
    while True:
        query = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = world.client.get("/v1/follow-ups", params=query, headers=head).json()
        seen += [entry["id"] for entry in page["follow_ups"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(set(seen))
    assert set(seen) >= set(world.duties[THEIRS])
    assert not set(seen) & set(world.duties[OURS])


@pytest.mark.parametrize(
    ("method", "address", "theirs", "nothing"),
    [
        ("GET", "/v1/decisions/{}", "decision", "0" * 36),
        ("GET", "/v1/decisions/{}/follow-up", "decision", "0" * 36),
        ("GET", "/v1/decisions/{}/notices/urge_order", "decision", "0" * 36),
        ("POST", "/v1/decisions/{}/replay", "decision", "0" * 36),
        ("POST", "/v1/decisions/{}/reevaluate", "decision", "0" * 36),
        ("GET", "/v1/cases/{}/follow-up", "case", "（2024）苏0924执99号"),
        ("GET", "/v1/follow-ups/{}", "duty", "nothing"),
    ],
)
def test_what_is_another_courts_is_answered_like_nothing(
    world: World, method: str, address: str, theirs: str, nothing: str
) -> None:
    head = {**world.key(courts=[OURS]), "X-Request-Id": "the-same-id"}
    names = {
        "decision": world.decisions[THEIRS],
        "case": NUMBERS[THEIRS],
        "duty": world.duties[THEIRS][0],
    }
    answers = []
    for name in (names[theirs], nothing):
        answer = world.client.request(method, address.format(quote(name, safe="")), headers=head)
        problem(answer, 404)
        answers.append(answer.text.replace(name, "…").replace(name[:80], "…"))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("address", ["calendar.ics", "supervision?period=2024Q3"])
def test_what_a_court_owes_is_for_that_court(world: World, address: str) -> None:
    head = world.key(courts=[OURS])
    mine = world.client.get(f"/v1/courts/{OURS}/{address}", headers=head)
    assert mine.status_code == 200
    for other in (THEIRS, "nowhere"):
        answer = world.client.get(f"/v1/courts/{other}/{address}", headers=head)
        problem(answer, 404, "unknown_court")


@pytest.mark.parametrize(
    "named",
    [
        {"case_no": NUMBERS[THEIRS]},
        {"decision_id": "THEIRS"},
        {"decision_id": "THEIRS", "case_no": NUMBERS[OURS]},
        {"decision_id": "OURS", "case_no": NUMBERS[THEIRS]},
        {"case_no": "（2024）苏0902执404号"},
    ],
)
def test_no_event_for_another_courts_case(world: World, named: dict[str, str]) -> None:
    ids = {"OURS": world.decisions[OURS], "THEIRS": world.decisions[THEIRS]}
    event = {k: ids.get(v, v) for k, v in named.items()} | {"type": "served", "on": "2024-09-05"}
    head = world.key(courts=[OURS])
    problem(world.client.post("/v1/events", json=event, headers=head), 404)


@pytest.mark.parametrize(
    ("court", "number"),
    [
        (THEIRS, "（2024）苏0924执73号"),
        (None, "（2024）苏0902执74号"),
        ("射阳法院", None),
        (OURS, NUMBERS[THEIRS]),
    ],
)
def test_only_cases_of_its_own_courts_are_recorded(
    world: World, court: str | None, number: str | None
) -> None:
    head, asked = world.key(courts=[OURS]), deciding(court, number)
    problem(world.client.post("/v1/decisions", json=asked, headers=head), 403, "other_court")
    tried = world.client.post("/v1/decisions?dry_run=true", json=asked, headers=head)
    assert tried.status_code == 200


def test_a_number_cannot_be_taken_to_read_events_of_no_known_court(world: World) -> None:
    event = {"case_no": "（2024）苏0924执75号", "type": "served", "on": "2024-09-05"}
    assert world.client.post("/v1/events", json=event, headers=world.key()).status_code == 201
    asked, head = deciding(OURS, event["case_no"]), world.key(courts=[OURS])
    problem(world.client.post("/v1/decisions", json=asked, headers=head), 403, "other_court")


def test_a_case_of_no_known_court_is_seen_without_limits_only(world: World) -> None:
    asked = deciding(None, "（2024）苏0902执76号")
    made = world.client.post("/v1/decisions", json=asked, headers=world.key()).json()
    address = f"/v1/decisions/{made['decision_id']}"
    assert world.client.get(address, headers=world.key()).status_code == 200
    problem(world.client.get(address, headers=world.key(courts=[OURS])), 404, "unknown_decision")


def test_idempotency_keys_are_each_callers_own(world: World) -> None:
    asked = deciding(OURS, "（2024）苏0902执77号")
    one, other = world.key(), world.key()
    ids = [
        world.client.post(
            "/v1/decisions", json=asked, headers={**head, "Idempotency-Key": "same"}
        ).json()["decision_id"]
        for head in (one, other, one)
    ]
    assert ids[0] == ids[2] != ids[1]


# --- headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/healthz", "/docs", "/nothing", "/v1/decisions", "/v1/facts"])
def test_every_answer_has_the_security_headers(world: World, path: str) -> None:
    for head in ({}, world.key()):
        answer = world.client.get(path, headers={**head, "Origin": "https://example.org"})
        for name in SECURITY:
            assert name in answer.headers
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "access-control-allow-origin" not in answer.headers
