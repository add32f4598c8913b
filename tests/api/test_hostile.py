"""Requests meant to break something: each is refused politely, and quickly."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response
from starlette.types import Message, Scope

from api.shapes import problem
from eligibility.api.app import create_app
from eligibility.rulebase.model import Rulebase
from eligibility.settings import Settings
from eligibility.vocabulary.model import CASE, Fact, Type
from eligibility.vocabulary.values import FIRST_DAY, LAST_DAY, MAX_NUMBER

JSON = {"content-type": "application/json"}
MEGABYTE = 1_000_000
# Seconds of computing; what this guards against takes minutes.
PATIENCE = 20.0


DRY = "/v1/decisions?dry_run=true"


def send(client: TestClient, body: str | bytes, **headers: str) -> Response:
    content = body.encode() if isinstance(body, str) else body
    response: Response = client.post(DRY, content=content, headers=JSON | headers)
    return response


def facts(inside: str) -> str:
    return '{"case": {' + inside + "}}"


TEXTS: dict[str, tuple[str | bytes, str]] = {
    "nothing": (b"", "json_syntax"),
    "not JSON": ("case", "json_syntax"),
    "cut off": ('{"case": {', "json_syntax"),
    "two documents": ('{"case": {}} {}', "json_syntax"),
    "a comment": ('{"case": {} /* x */}', "json_syntax"),
    "single quotes": ("{'case': {}}", "json_syntax"),
    "trailing comma": ('{"case": {},}', "json_syntax"),
    "a bare control character": (b'{"case": {"case_no": "\x00"}}', "json_syntax"),
    "two byte order marks": (b'\xef\xbb\xbf\xef\xbb\xbf{"case": {}}', "json_syntax"),
    "UTF-16": ('{"case": {}}'.encode("utf-16"), "not_utf8"),
    "broken UTF-8": (b'{"case": {"case_no": "\xff\xfe"}}', "not_utf8"),
    "an encoded surrogate": (b'{"case": {"case_no": "\xed\xa0\x80"}}', "not_utf8"),
    "overlong UTF-8": (b'{"case": {"case_no": "\xc0\xaf"}}', "not_utf8"),
    "a lone surrogate": (facts(r'"case_no": "\ud800"'), "lone_surrogate"),
    "a lone low surrogate": (facts(r'"case_no": "\uDC00x"'), "lone_surrogate"),
    "a lone surrogate in a key": (facts(r'"\ud800": 1'), "lone_surrogate"),
    "a fact twice": (facts('"case_no": "1", "case_no": "2"'), "duplicate_key"),
    "a fact twice, once escaped": (facts(r'"case_no": "1", "\u0063ase_no": "2"'), "duplicate_key"),
    "the case twice": ('{"case": {}, "case": {}}', "duplicate_key"),
    "NaN": (facts('"petition_count": NaN'), "not_a_number"),
    "Infinity": (facts('"petition_count": -Infinity'), "not_a_number"),
    "an endless number": (facts('"petition_count": ' + "1" * 5000), "number_too_long"),
    "an endless fraction": (facts('"petition_count": 1.' + "1" * 5000), "number_too_long"),
    "an endless exponent": (facts('"petition_count": 1e99999999999999999999'), "number_too_long"),
    "a vanishing exponent": (facts('"petition_count": 1e-99999999999999999999'), "number_too_long"),
    "100,000 brackets": ('{"case": ' + "[" * 100_000 + "]" * 100_000 + "}", "too_deep"),
    "100,000 braces": ('{"a":' * 100_000 + "1" + "}" * 100_000, "too_deep"),
    "unclosed brackets": ("[" * MEGABYTE, "too_deep"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_are_no_document(client: TestClient, name: str) -> None:
    body, code = TEXTS[name]
    problem(send(client, body), 400, code)


HUGE: dict[str, tuple[str, str]] = {
    "a text": (facts('"case_no": "' + "x" * MEGABYTE + '"'), "text_too_long"),
    "a text of escapes": (facts('"case_no": "' + r"\u0041" * 160_000 + '"'), "text_too_long"),
    "a key": (facts('"' + "x" * MEGABYTE + '": 1'), "unknown_fact"),
    "an outer key": ('{"' + "x" * MEGABYTE + '": 1}', "missing_field"),
    "an enum value": (facts('"title_type": "' + "x" * MEGABYTE + '"'), "unknown_value"),
    "a profile": ('{"case": {}, "profile": "' + "x" * MEGABYTE + '"}', "unknown_profile"),
    "a digest": ('{"case": {}, "rulebase": "' + "x" * MEGABYTE + '"}', "unknown_rulebase"),
    "a day": ('{"case": {}, "as_of": "' + "x" * MEGABYTE + '"}', "wrong_type"),
    "unknown facts": (facts(",".join(f'"k{i}": 1' for i in range(80_000))), "unknown_fact"),
    "outer keys": ("{" + ",".join(f'"k{i}": 1' for i in range(80_000)) + "}", "missing_field"),
    "a set": (facts('"complexity_tags": [' + ",".join(["[]"] * 300_000) + "]"), "unknown_value"),
    "records": (facts('"properties": [' + ",".join(["{}"] * 300_000) + "]"), "too_many_records"),
    "unknown facts in records": (
        facts('"properties": [' + ",".join(['{"a": 1, "b": 2, "c": 3}'] * 200) + "]"),
        "unknown_fact",
    ),
    "nested as deep as allowed": (facts('"case_no": ' + "[" * 60 + "]" * 60), "wrong_type"),
}


@pytest.mark.parametrize("name", HUGE)
def test_huge_things_are_refused_quickly_and_briefly(client: TestClient, name: str) -> None:
    body, code = HUGE[name]
    assert len(body) < 1024 * 1024
    start = time.process_time()
    response = send(client, body)
    assert time.process_time() - start < PATIENCE
    problem(response, 404 if code in ("unknown_profile", "unknown_rulebase") else 422, code)
    assert len(response.content) < 200_000


def test_as_many_records_as_allowed_are_decided(client: TestClient) -> None:
    one = '{"disposable_property_controlled_date": "2024-01-20"}'
    interval = '{"kind": "appraisal", "from": "2020-01-01", "to": "2020-02-01", "doc_no": "1"}'
    lists = {
        "properties": one,
        "debtors": "{}",
        "excluded_intervals": interval,
        "overrides": '{"bar": "x"}',
    }
    inside = ",".join(f'"{key}": [{",".join([v] * 200)}]' for key, v in lists.items())
    body = '{"as_of": "2024-09-22", "profile": "js-yancheng", "case": {' + inside + "}}"
    start = time.process_time()
    response = send(client, body)
    assert response.status_code == 200, response.text[:500]
    assert time.process_time() - start < PATIENCE


@pytest.mark.parametrize("explain", ["", "?explain=full"])
def test_a_small_body_is_not_answered_with_a_huge_one(client: TestClient, explain: str) -> None:
    days = [(FIRST_DAY + timedelta(days=27_000 + i)).isoformat() for i in range(200)]
    properties = [{"disposable_property_controlled_date": day} for day in days]
    case = {"properties": properties, "debtors": [{}] * 200}
    body = {"case": case, "as_of": "2024-09-22", "profile": "js-yancheng"}
    response = client.post(DRY + explain.replace("?", "&"), json=body)
    assert response.status_code == 200
    assert len(response.content) < 3_000_000


@pytest.mark.parametrize(
    "number",
    ["1e400", "-1e400", "1" + "0" * 30, "-" + "1" + "0" * 30, "1e16", "1e-400", "0.1", "1.5e3"],
)
def test_numbers_out_of_range(client: TestClient, number: str) -> None:
    body = problem(send(client, facts(f'"petition_count": {number}')), 422)
    assert body["code"] in ("out_of_range", "wrong_type")


def test_money_is_exact(client: TestClient, rulebase: Rulebase) -> None:
    """A fraction of a fen is refused however far behind the point it stands."""
    money = next(f for f in rulebase.vocabulary.facts.values() if f.type is Type.MONEY)
    assert money.scope == CASE
    tiny = "1." + "0" * 40 + "1"
    problem(send(client, facts(f'"{money.key}": {tiny}')), 422, "wrong_type")
    assert send(client, facts(f'"{money.key}": 1.100')).status_code == 200


def edges(fact: Fact) -> list[Any]:
    """The outermost values that a fact may have."""
    if fact.type is Type.DATE:
        return [FIRST_DAY.isoformat(), LAST_DAY.isoformat()]
    if fact.type in (Type.INT, Type.MONEY, Type.DECIMAL):
        low = -MAX_NUMBER if fact.minimum is None else fact.minimum
        high = MAX_NUMBER if fact.maximum is None else fact.maximum
        return [low, high]
    return []


def test_the_outermost_values_are_decided(client: TestClient, rulebase: Rulebase) -> None:
    """Nothing overflows: neither on the first nor on the last day that there is."""
    vocabulary = rulebase.vocabulary
    for fact in vocabulary.facts.values():
        if fact.derived or fact.alias_of or fact.scope not in vocabulary.payload_scopes():
            continue
        for value in edges(fact):
            asked = {"as_of": LAST_DAY.isoformat(), "case": {fact.key: value}}
            response = send(client, json.dumps(asked))
            assert response.status_code == 200, (fact.key, value, response.text[:300])


@pytest.mark.parametrize("day", [FIRST_DAY, LAST_DAY])
def test_the_first_and_last_days_are_days_of_evaluation(client: TestClient, day: date) -> None:
    body = json.dumps({"as_of": day.isoformat(), "case": {"evaluation_date": day.isoformat()}})
    assert send(client, body).json()["as_of"] == day.isoformat()


# --- headers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=gbk"},
        {"content-type": ""},
        {"content-type": ";;;="},
        {"content-encoding": "gzip"},
    ],
)
def test_only_plain_json_is_read(client: TestClient, headers: dict[str, str]) -> None:
    problem(send(client, '{"case": {}}', **headers), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "kind",
    ["application/json", "Application/JSON", "application/json;charset=UTF-8"],
)
def test_json_may_be_declared_in_any_way(client: TestClient, kind: str) -> None:
    assert send(client, '{"case": {}}', **{"content-type": kind}).status_code == 200


def test_a_missing_type_is_refused(client: TestClient) -> None:
    problem(client.post("/v1/decisions", content=b'{"case": {}}'), 415)


def test_a_byte_order_mark_is_passed_over(client: TestClient) -> None:
    body = b'{"case": {}, "as_of": "2024-09-22"}'
    marked = send(client, b"\xef\xbb\xbf" + body)
    assert marked.status_code == 200
    assert marked.json() == send(client, body).json()


@pytest.mark.parametrize("word", ["true", "false", "TRUE", "yes", 1, 0])
def test_truths_are_not_guessed(client: TestClient, rulebase: Rulebase, word: Any) -> None:
    facts = rulebase.vocabulary.facts.values()
    fact = next(f for f in facts if f.type is Type.BOOL and f.scope == CASE and not f.derived)
    (entry,) = problem(send(client, json.dumps({"case": {fact.key: word}})), 422)["errors"]
    assert (entry["code"], entry["path"]) == ("wrong_type", fact.key)
    assert ("hint" in entry) == (word in ("true", "false"))
    for english, chinese in ((True, "是"), (False, "否")):
        answers = [
            send(client, json.dumps({"as_of": "2024-09-22", "case": {fact.key: value}})).json()
            for value in (english, chinese)
        ]
        assert answers[0] == answers[1]


def test_a_caller_that_hangs_up_leaves_no_trace(
    app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    """The server sees neither an exception nor an entry in the log."""
    parts: list[Message] = [
        {"type": "http.request", "body": b'{"case"', "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return parts.pop(0)

    async def send_on(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/v1/decisions",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    asyncio.run(app(scope, receive, send_on))
    assert parts == []
    assert sent[0]["status"] == 400
    assert caplog.records == []


@pytest.fixture(scope="module")
def strict(rulebase: Rulebase) -> Iterator[TestClient]:
    app: FastAPI = create_app(rulebase, Settings(max_body_bytes=1024, engine="native"))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_a_body_may_be_as_large_as_allowed_and_no_larger(strict: TestClient) -> None:
    body = '{"case": {}}'
    assert send(strict, body + " " * (1024 - len(body))).status_code == 200
    problem(send(strict, body + " " * (1025 - len(body))), 413, "body_too_large")


def test_a_large_body_is_refused_while_it_comes(strict: TestClient) -> None:
    """A stream without a declared length is cut off at the limit, not read to its end."""
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 512
            yield b" " * 512

    problem(strict.post("/v1/decisions", content=chunks(), headers=JSON), 413, "body_too_large")


@pytest.mark.parametrize("length", ["2000", "99999999999999999999999999"])
def test_a_declared_length_is_enough_to_refuse(strict: TestClient, length: str) -> None:
    problem(send(strict, '{"case": {}}', **{"content-length": length}), 413, "body_too_large")


def test_more_values_than_any_case_has_are_refused_unbuilt(rulebase: Rulebase) -> None:
    app = create_app(rulebase, Settings(max_body_bytes=2_000_000, engine="native"))
    body = facts('"x": [' + "1," * 500_001 + "1]")
    problem(send(TestClient(app, raise_server_exceptions=False), body), 413, "too_many_items")
