"""Many cases in one request: every line is answered in order, whatever stands in the others."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.shapes import problem
from decision.follow_ups import CASE
from eligibility.api.batch import GROUP_LINES, NDJSON, Lines, in_brief
from eligibility.api.service import Service

NUMBERS = count(1)
AS_OF = "2024-09-02"


def body(**facts: Any) -> dict[str, Any]:
    case = {**CASE, "case_no": f"（2024）川0105执{next(NUMBERS)}号", **facts}
    return {"case": case, "as_of": AS_OF}


def ndjson(*lines: dict[str, Any] | bytes) -> bytes:
    return b"\n".join(x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines)


def send(client: TestClient, content: bytes, key: str = "", **query: Any) -> list[dict[str, Any]]:
    headers = {"Content-Type": NDJSON} | ({"Idempotency-Key": key} if key else {})
    answer = client.post("/v1/decisions/batch", content=content, headers=headers, params=query)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == NDJSON
    assert answer.content.endswith(b"\n")
    return [json.loads(line) for line in answer.content.splitlines()]


def test_each_line_is_decided_as_alone_and_is_on_record(client: TestClient) -> None:
    asked = [body(), body(debtor_unreachable=True), body()]
    answers = send(client, ndjson(*asked))
    for one, answer in zip(asked, answers, strict=True):
        stored = client.get(f"/v1/decisions/{answer['decision_id']}").json()
        assert stored == answer
        alone = client.post("/v1/decisions?dry_run=true", json=one).json()
        assert {k: v for k, v in answer.items() if k not in ("decision_id", "decided_at")} == alone


def test_a_dry_run_records_nothing(client: TestClient) -> None:
    asked = body()
    (answer,) = send(client, ndjson(asked), dry_run=True)
    assert answer == client.post("/v1/decisions?dry_run=true", json=asked).json()
    found = client.get("/v1/decisions", params={"case_no": asked["case"]["case_no"]})
    assert found.json()["count"] == 0


@pytest.mark.parametrize("facts", [{}, {"request_channel": None, "filing_date": None}])
def test_a_brief_answer_says_what_the_whole_one_does(
    client: TestClient, facts: dict[str, None]
) -> None:
    asked = body(**facts)
    whole = client.post("/v1/decisions?dry_run=true", json=asked).json()
    (dry,) = send(client, ndjson(asked), dry_run=True, answer="brief")
    (recorded,) = send(client, ndjson(asked), answer="brief")
    assert dry == {"line": 1, **in_brief(whole)}
    assert recorded == {**dry, "decision_id": recorded["decision_id"]}


def test_bad_lines_are_answered_and_stop_nothing(app: FastAPI, client: TestClient) -> None:
    service: Service = app.state.service
    huge = b'{"case": {"case_no": "' + b"x" * service.settings.max_body_bytes + b'"}}'
    lines = (
        body(),
        b"",
        b"\xff\xfe{}",
        b"{",
        huge,
        b"[" * 100_000,
        {"case": {"no_such_fact": 1}},
        b"   \r",
        {"case": {}, "profile": "nowhere"},
        body(),
    )
    answers = send(client, ndjson(*lines), dry_run=True)
    codes = [(a.get("line"), a.get("status")) for a in answers]
    assert codes == [
        (None, None),
        (3, 400),
        (4, 400),
        (5, 413),
        (6, 400),
        (7, 422),
        (9, 404),
        (None, None),
    ]
    assert answers[3]["code"] == "line_too_long"
    assert answers[5]["errors"][0]["code"] == "unknown_fact"


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n", b"\r\n"])
def test_the_last_line_need_not_end(client: TestClient, end: bytes) -> None:
    assert len(send(client, ndjson(body(), body()) + end, dry_run=True)) == 2


def test_an_empty_body_has_no_answers(client: TestClient) -> None:
    headers = {"Content-Type": NDJSON}
    assert client.post("/v1/decisions/batch", content=b"", headers=headers).content == b""


def test_sent_twice_under_a_key_nothing_is_decided_twice(client: TestClient) -> None:
    lines = ndjson(body(), b"{", body())
    first, again = (send(client, lines, key=f"k{AS_OF}") for _ in range(2))
    assert first[1].pop("request_id") != again[1].pop("request_id")
    assert first == again
    changed = send(client, ndjson(body(), b"{"), key=f"k{AS_OF}")
    assert changed[0]["code"] == "idempotency_conflict"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Content-Type": "application/json"}, 415, "unsupported_media_type"),
        ({"Content-Type": NDJSON, "Content-Encoding": "gzip"}, 415, "unsupported_media_type"),
        ({"Content-Type": NDJSON, "Idempotency-Key": "k" * 185}, 422, "bad_idempotency_key"),
    ],
)
def test_a_request_that_cannot_be_read_is_refused(
    client: TestClient, headers: dict[str, str], status: int, code: str
) -> None:
    answer = client.post("/v1/decisions/batch", content=b"{}", headers=headers)
    assert problem(answer, status)["code"] == code


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_however_the_body_is_cut_the_lines_are_the_same(size: int) -> None:
    text = b"one\n\ntwo two\n" + b"x" * 40 + b"\n \nthree"
    lines = Lines(limit=30)
    found = [line for i in range(0, len(text), size) for line in lines.feed(text[i : i + size])]
    found += lines.last()
    shown = [(line.number, line.text) for line in found]
    assert shown == [(1, b"one"), (3, b"two two"), (4, None), (6, b"three")]


class Connection:
    """A caller who sends part after part and counts what is answered meanwhile."""

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self.parts = parts
        self.sent = self.answered = self.most_ahead = 0

    async def receive(self) -> dict[str, Any]:
        part = await anext(self.parts, None)
        if part is None:
            return {"type": "http.disconnect"}
        self.sent += part.count(b"\n")
        self.most_ahead = max(self.most_ahead, self.sent - self.answered)
        return {"type": "http.request", "body": part, "more_body": True}

    async def send(self, message: dict[str, Any]) -> None:
        self.answered += message.get("body", b"").count(b"\n")


async def _call(app: FastAPI, connection: Connection) -> None:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/decisions/batch",
        "raw_path": b"/v1/decisions/batch",
        "query_string": b"dry_run=true&answer=brief",
        "headers": [(b"content-type", NDJSON.encode())],
        "client": ("test", 1),
        "server": ("test", 1),
    }
    await app(scope, connection.receive, connection.send)  # type: ignore[arg-type]


def test_a_hundred_thousand_lines_need_no_more_memory_than_a_few(
    app: FastAPI, client: TestClient
) -> None:
    """The caller hangs up at the end: that ends the work without a word, too."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b'{"case": 1}\n' * 100

    connection = Connection(parts())
    tracemalloc.start()
    asyncio.run(_call(app, connection))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert connection.answered == connection.sent == 100_000
    assert connection.most_ahead <= 100 + GROUP_LINES
    assert peak < 8_000_000


def test_a_caller_who_hangs_up_stops_the_work(app: FastAPI, client: TestClient) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield ndjson(body()) + b"\n"
        yield b'{"case": {}'

    connection = Connection(parts())
    asyncio.run(_call(app, connection))
    assert connection.answered == 1


def test_it_is_documented(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]["/v1/decisions/batch"]["post"]
    assert NDJSON in described["requestBody"]["content"]
    assert NDJSON in described["responses"]["200"]["content"]
