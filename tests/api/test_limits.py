"""Cursors, moments and names at and beyond their limits: refused with a reason, never a failure."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from datetime import date, datetime
from typing import Any
from unittest.mock import patch

import pytest
from fastapi.testclient import TestClient
from icalendar import Calendar

from api.shapes import problem
from api.test_follow_up import NUMBERS, decided, designate, send
from decision.follow_ups import CASE
from eligibility.records.follow_up import FollowUps

LISTS = ("/v1/decisions", "/v1/follow-ups")


def cursor(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "sent",
    [
        cursor(json.dumps([10**30])),
        cursor("[-1]"),
        cursor("[true]"),
        cursor("7"),
        cursor("[" * 30_000),
        cursor("[" * 800),
        cursor('[null, "\\ud800", "x"]'),
        cursor('["2024-01-01", "\\u0000", "x"]'),
        cursor('["2024-13-01", "x", "x"]'),
        cursor('[1, "x", "x"]'),
        "游标",
        "!",
    ],
)
def test_what_is_no_cursor_is_refused(client: TestClient, path: str, sent: str) -> None:
    problem(client.get(path, params={"cursor": sent}), 422, "bad_cursor")


def test_a_cursor_of_the_longest_case_number_goes_on(client: TestClient) -> None:
    case_no, _ = decided(client, case_no="执" * 195 + f"{next(NUMBERS):05}")
    asked: dict[str, Any] = {"case_no": case_no, "limit": 1}
    first = client.get("/v1/follow-ups", params=asked).json()
    second = client.get("/v1/follow-ups", params=asked | {"cursor": first["next"]})
    assert second.status_code == 200, second.text
    assert second.json()["follow_ups"] != first["follow_ups"]


@pytest.mark.parametrize(
    "moment",
    [
        {"decided_from": "0001-01-01T00:00:00+08:00"},
        {"decided_to": "9999-12-31T23:59:59-12:00"},
        {"decided_from": "1949-09-30T23:59:59+00:00"},
    ],
)
def test_a_moment_out_of_bounds_is_named(client: TestClient, moment: dict[str, str]) -> None:
    found = problem(client.get("/v1/decisions", params=moment), 422, "out_of_range")
    assert found["errors"][0]["path"] == next(iter(moment))


def test_moments_within_bounds_are_asked_for(client: TestClient) -> None:
    asked = {"decided_from": "1949-10-02T00:00:00+08:00", "decided_to": "2199-12-30T00:00:00-12:00"}
    assert client.get("/v1/decisions", params=asked).status_code == 200


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"id": "a\0b"}, "control_character"),
        ({"id": "a\x1bb"}, "control_character"),
        ({"id": "a" * 201}, "text_too_long"),
        ({"case_no": "1\0"}, "control_character"),
        ({"case_no": "（2024）\n1号"}, "control_character"),
        ({"case_no": "号" * 201}, "text_too_long"),
        ({"corrects": "a\0"}, "control_character"),
        ({"answers": "a" * 201}, "text_too_long"),
        ({"decision_id": "a\0"}, "control_character"),
        ({"type": "decided", "facts": {"receiving_court": "阜宁\0"}}, "control_character"),
    ],
)
def test_names_that_cannot_be_kept_are_refused(
    client: TestClient, sent: dict[str, Any], code: str
) -> None:
    body = {"case_no": "names-1", "type": "served", "on": "2024-09-20", **sent}
    problem(client.post("/v1/events", json=body), 422, code)
    problem(client.get("/v1/cases/names-1/follow-up"), 404, "unknown_case")


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"case_no": "1\0"}, "control_character"),
        ({"执行案号": "1\0"}, "control_character"),
        ({"case_no": "号" * 201}, "text_too_long"),
        ({"court_id": "院" * 201}, "text_too_long"),
        ({"receiving_court": "阜宁\0"}, "control_character"),
    ],
)
def test_a_decision_is_recorded_under_a_name_that_can_be_kept(
    client: TestClient, facts: dict[str, Any], code: str
) -> None:
    body = {"case": {**CASE, **facts}, "as_of": "2024-09-02"}
    problem(client.post("/v1/decisions", json=body), 422, code)


def test_blanks_around_a_case_number_are_dropped(client: TestClient) -> None:
    case_no, _ = decided(client)
    answer = send(client, f" {case_no}\u3000", "served", "2024-09-20")
    assert answer.status_code == 201
    assert answer.json()["event"]["case"] == case_no
    view = client.get(f"/v1/cases/{case_no}/follow-up").json()
    assert [event["type"] for event in view["events"]] == ["served"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/decisions/a%00b", "unknown_decision"),
        ("/v1/decisions/a%00b/follow-up", "unknown_decision"),
        ("/v1/decisions/a%00b/notices/urge_order", "unknown_decision"),
        ("/v1/follow-ups/a%00b", "unknown_duty"),
        ("/v1/cases/a%00b/follow-up", "unknown_case"),
        ("/v1/courts/a%00b", "unknown_court"),
        ("/v1/follow-ups?court=a%00b", "unknown_court"),
    ],
)
def test_what_no_record_can_be_named_is_unknown(client: TestClient, path: str, code: str) -> None:
    """Also where the database would fail on it: it is not asked."""
    with patch("eligibility.records.database.Database.read", side_effect=AssertionError):
        problem(client.get(path), 404, code)


@pytest.mark.parametrize("path", ["/v1/decisions/a%00b/reevaluate", "/v1/decisions/a%00b/replay"])
def test_what_no_decision_can_be_named_is_unknown(client: TestClient, path: str) -> None:
    with patch("eligibility.records.database.Database.read", side_effect=AssertionError):
        problem(client.post(path), 404, "unknown_decision")


@pytest.mark.parametrize(
    "asked", [{"case_no": "a\0"}, {"outcome": "a\0"}], ids=["case_no", "outcome"]
)
def test_a_filter_that_cannot_match_finds_nothing(
    client: TestClient, asked: dict[str, str]
) -> None:
    with patch("eligibility.records.database.Database.read", side_effect=AssertionError):
        for path in LISTS[: 2 if "case_no" in asked else 1]:
            found = client.get(path, params=asked)
            assert found.status_code == 200, found.text
            assert (found.json()["count"], found.json()["next"]) == (0, None)


def test_a_decision_is_shown_byte_for_byte_as_it_was_answered(client: TestClient) -> None:
    case = {**CASE, "case_no": f"（2024）苏0902执{next(NUMBERS)}号"}
    key = {"Idempotency-Key": f"bytes-{next(NUMBERS)}"}
    body = {"case": case, "as_of": "2024-09-02"}
    made = client.post("/v1/decisions", json=body, headers=key)
    assert made.status_code == 201
    url = f"/v1/decisions/{made.json()['decision_id']}"
    assert client.get(url).content == made.content
    assert client.post("/v1/decisions", json=body, headers=key).content == made.content
    again = client.post(f"{url}/reevaluate", params={"as_of": "2024-10-01"})
    assert client.get(f"/v1/decisions/{again.json()['decision_id']}").content == again.content


def two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page of the ledger hold two rows, whatever is asked for."""
    whole = FollowUps.duties

    def duties(self: FollowUps, as_of: date, now: datetime, *, limit: int, **wanted: Any) -> Any:
        return whole(self, as_of, now, limit=min(limit, 2), **wanted)

    monkeypatch.setattr(FollowUps, "duties", duties)


def test_a_calendar_feed_holds_every_duty(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        case_no, _ = decided(client, court_id="大丰法院")
        designate(client, case_no)
        send(client, case_no, "served", "2024-09-21")
    url = "/v1/courts/大丰法院/calendar.ics"
    whole = [str(e["UID"]) for e in Calendar.from_ical(client.get(url).content).walk("VEVENT")]
    two_at_a_time(monkeypatch)
    paged = [str(e["UID"]) for e in Calendar.from_ical(client.get(url).content).walk("VEVENT")]
    assert len(whole) >= 3
    assert paged == whole
