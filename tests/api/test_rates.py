"""How often a caller may ask: the bucket for any times, and through HTTP by key and by address."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from api.shapes import problem
from api.test_operations import metric
from eligibility.api.app import create_app
from eligibility.api.batch import NDJSON
from eligibility.api.rates import REMEMBERED, Buckets, Rates
from eligibility.api.service import now
from eligibility.records import keys
from eligibility.rulebase.model import Rulebase
from eligibility.settings import Settings

BURST = 3
GAPS = st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 5)), min_size=1, max_size=60)


@given(rate=st.floats(0.01, 50), burst=st.integers(1, 20), asked=GAPS)
def test_a_bucket_keeps_to_its_rate(
    rate: float, burst: int, asked: list[tuple[str, float]]
) -> None:
    """Whoever else asks: never more than burst + rate * t in any t seconds, and never less."""
    moment = [0.0]
    together = Buckets(rate, burst, lambda: moment[0])
    alone = {name: Buckets(rate, burst, lambda: moment[0]) for name in "ab"}
    let_in: dict[str, list[float]] = {"a": [], "b": []}
    for name, gap in asked:
        moment[0] += gap
        wait = together.wait(name)
        assert wait == alone[name].wait(name)  # others change nothing
        if not wait:
            let_in[name].append(moment[0])
    for times in let_in.values():
        for i, since in enumerate(times):
            for j in range(i, len(times)):
                assert j - i + 1 <= burst + rate * (times[j] - since) + 1e-6


@given(rate=st.floats(0.01, 50), burst=st.integers(1, 20), gap=st.floats(0, 5))
def test_who_waits_as_told_is_let_in(rate: float, burst: int, gap: float) -> None:
    moment = [0.0]
    buckets = Buckets(rate, burst, lambda: moment[0])
    assert [buckets.wait("a") for _ in range(burst)] == [0.0] * burst
    moment[0] += gap
    wait = buckets.wait("a")
    assert wait <= 1 / rate
    moment[0] += wait + 1e-6
    assert not wait or buckets.wait("a") == 0.0


def test_many_addresses_are_bounded_and_crowd_out_no_name() -> None:
    rates = Rates(Settings(rate_per_second=1e-6, rate_burst=1))
    assert rates.of_caller("key:a") == 0.0
    for number in range(REMEMBERED + 10):
        rates.of_address((f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1))
    assert rates.of_caller("key:a") > 0
    assert rates._addresses is not None
    assert len(rates._addresses._known) == REMEMBERED


def test_an_address_is_that_of_a_subscriber() -> None:
    rates = Rates(Settings(rate_per_second=1e-6, rate_burst=1))
    assert rates.of_address(("2001:db8::1", 1)) == 0.0
    assert rates.of_address(("2001:db8::ffff:2", 1)) > 0
    assert rates.of_address(("2001:db8:0:1::1", 1)) == 0.0
    assert rates.of_address(("::ffff:192.0.2.1", 1)) == 0.0
    assert rates.of_address(("192.0.2.1", 2)) > 0
    assert rates.of_address(None) == 0.0
    assert rates.of_address(("a name", 1)) == 0.0


@pytest.fixture(name="app")
def fixture_app(rulebase: Rulebase, tmp_path: Path) -> FastAPI:
    limits = {"rate_per_second": 0.001, "rate_burst": BURST}
    settings = Settings(data_dir=str(tmp_path), engine="native", auth="keys", **limits)  # type: ignore[arg-type]
    return create_app(rulebase, settings)


@pytest.fixture(name="client")
def fixture_client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def key(app: FastAPI, name: str) -> dict[str, str]:
    with app.state.service.follow_ups.database.begin() as connection:
        _, secret = keys.create(connection, name, keys.ROLES, now())
    return {"Authorization": f"Bearer {secret}"}


def test_one_key_is_limited_and_another_is_not(
    app: FastAPI, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = key(app, "ours"), key(app, "theirs")
    caplog.set_level(logging.WARNING, "eligibility.access")
    statuses = [client.get("/v1/profiles", headers=ours).status_code for _ in range(BURST + 2)]
    assert statuses == [200] * BURST + [429] * 2
    refused = client.get("/v1/profiles", headers=ours)
    problem(refused, 429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 1000
    assert client.get("/v1/profiles", headers=theirs).status_code == 200
    assert "refused 429 rate_limited" in caplog.text
    assert "'key:ours'" in caplog.text
    assert metric(client, 'eligibility_problems_total{code="rate_limited"}') == 3
    for path in ("/healthz", "/readyz", "/metrics"):
        assert {client.get(path, headers=ours).status_code for _ in range(BURST + 2)} == {200}


def test_who_proves_nothing_is_counted_by_address_and_holds_up_no_key(
    app: FastAPI, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    ours, wrong = key(app, "ours"), {"Authorization": "Bearer elk_no_such_key"}
    caplog.set_level(logging.WARNING, "eligibility.access")
    sent: list[dict[str, str]] = [wrong, {}, wrong, wrong, {}]
    statuses = [client.get("/v1/profiles", headers=given).status_code for given in sent]
    assert statuses == [401] * BURST + [429] * 2
    assert client.get("/docs").status_code == 429
    assert client.get("/docs", headers=wrong).status_code == 429
    assert client.get("/v1/profiles", headers=ours).status_code == 200
    assert "refused 429 rate_limited; GET ? from testclient by nobody known" in caplog.text


def test_a_batch_is_one_request(app: FastAPI, client: TestClient) -> None:
    ours = key(app, "ours") | {"Content-Type": NDJSON}
    lines = b"\n".join([json.dumps({"case": {}}).encode()] * (BURST + 2))
    answer = client.post("/v1/decisions/batch?dry_run=true", content=lines, headers=ours)
    assert answer.status_code == 200
    assert [json.loads(line).get("status") for line in answer.iter_lines()] == [None] * (BURST + 2)
    again = [client.get("/v1/profiles", headers=ours).status_code for _ in range(BURST)]
    assert again == [200] * (BURST - 1) + [429]
