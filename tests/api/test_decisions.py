"""``POST /v1/decisions``: what is answered, and how faults are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response

from api.shapes import problem
from eligibility.api.app import create_app
from eligibility.api.decisions_model import Decision
from eligibility.api.service import Service
from eligibility.circuit.model import Engine, Verdicts
from eligibility.engines.verified import VerifiedEngine
from eligibility.errors import EngineError, Problem, Text
from eligibility.rulebase.model import Rulebase
from eligibility.settings import Settings
from eligibility.vocabulary.schema import example

AS_OF = "2024-09-22"


def ask(client: TestClient, body: Any, **parameters: str) -> Response:
    """A dry run, unless the parameters say otherwise."""
    asked = {"dry_run": "true", **parameters}
    response: Response = client.post("/v1/decisions", json=body, params=asked)
    return response


@pytest.fixture
def case(rulebase: Rulebase) -> dict[str, Any]:
    return example(rulebase.vocabulary)


def test_a_dry_run_decides_and_records_nothing(
    client: TestClient, rulebase: Rulebase, case: dict[str, Any]
) -> None:
    response = ask(client, {"case": case, "as_of": AS_OF})
    assert response.status_code == 200
    body = response.json()
    assert body["as_of"] == AS_OF
    assert body["rulebase"] == {"version": rulebase.version, "digest": rulebase.digest}
    assert body["case_no"] == case["case_no"]
    assert not {"decision_id", "decided_at"} & body.keys()
    assert ask(client, {"case": case, "as_of": AS_OF}).json() == body


@pytest.mark.parametrize("explain", [{}, {"explain": "full"}])
@pytest.mark.parametrize("profile", ["national", "js-yancheng", "sc"])
def test_every_field_of_an_answer_is_documented(
    client: TestClient, case: dict[str, Any], profile: str, explain: dict[str, str]
) -> None:
    for facts in ({}, case):
        body = ask(client, {"case": facts, "as_of": AS_OF, "profile": profile}, **explain).json()
        model = Decision.model_validate(body)
        assert model.model_dump(by_alias=True, exclude_unset=True) == body


def test_what_is_unknown_is_asked_for(client: TestClient) -> None:
    body = ask(client, {"case": {}, "as_of": AS_OF}).json()
    assert body["outcome"] == "need_info"
    assert len(body["possible_outcomes"]) > 1
    assert body["questions"]


def test_full_explanation_lists_every_rule_and_quotes(client: TestClient) -> None:
    short = ask(client, {"case": {}, "as_of": AS_OF}).json()
    full = ask(client, {"case": {}, "as_of": AS_OF}, explain="full").json()
    assert {r["id"] for r in short["rules"]} <= {r["id"] for r in full["rules"]}
    assert "sources" not in short
    assert set(full["sources"]) == {c for r in full["rules"] for c in r["citations"]}


def test_today_is_the_day_where_none_is_given(client: TestClient) -> None:
    before = datetime.now().astimezone().date()
    body = ask(client, {"case": {}}).json()
    assert before.isoformat() <= body["as_of"] <= datetime.now().astimezone().date().isoformat()


def test_the_day_may_stand_in_the_case(client: TestClient) -> None:
    assert ask(client, {"case": {"evaluation_date": AS_OF}}).json()["as_of"] == AS_OF


def test_nulls_are_as_good_as_omissions(client: TestClient) -> None:
    body = {"case": {}, "as_of": AS_OF}
    nulls = {**body, "profile": None, "rulebase": None}
    assert ask(client, nulls).json() == ask(client, body).json()


def test_the_rule_base_may_be_named(client: TestClient, rulebase: Rulebase) -> None:
    assert ask(client, {"case": {}, "rulebase": rulebase.digest}).status_code == 200
    found = problem(ask(client, {"case": {}, "rulebase": "sha256:0"}), 404, "unknown_rulebase")
    assert found["errors"][0]["allowed"] == [rulebase.digest]


def test_a_decision_is_recorded_as_it_was_answered(
    client: TestClient, case: dict[str, Any]
) -> None:
    dry = ask(client, {"case": case, "as_of": AS_OF}).json()
    response = client.post("/v1/decisions", json={"case": case, "as_of": AS_OF})
    assert response.status_code == 201
    body = response.json()
    Decision.model_validate(body)
    assert {k: v for k, v in body.items() if k not in ("decision_id", "decided_at")} == dry
    kept = client.get(f"/v1/decisions/{body['decision_id']}")
    assert kept.status_code == 200
    assert kept.json() == body


# --- faults ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ({}, "missing_field", "case"),
        ({"case": 1}, "wrong_type", "case"),
        ({"case": []}, "wrong_type", "case"),
        ({"case": None}, "wrong_type", "case"),
        ([], "wrong_type", ""),
        ("case", "wrong_type", ""),
        ({"case": {}, "as_of": "yesterday"}, "wrong_type", "as_of"),
        ({"case": {}, "as_of": 20240101}, "wrong_type", "as_of"),
        ({"case": {}, "as_of": "none"}, "wrong_type", "as_of"),
        ({"case": {}, "as_of": "2024-02-30"}, "no_such_date", "as_of"),
        ({"case": {}, "as_of": "9999-12-31"}, "out_of_range", "as_of"),
        ({"case": {}, "as_of": "0001-01-01"}, "out_of_range", "as_of"),
        ({"case": {}, "profile": 1}, "wrong_type", "profile"),
        ({"case": {}, "rulebase": {}}, "wrong_type", "rulebase"),
        ({"case": {"no_such_fact": 1}}, "unknown_fact", "no_such_fact"),
        ({"case": {"evaluation_date": AS_OF}, "as_of": "2024-01-01"}, "as_of_conflict", None),
        ({"case": {"properties": [1]}}, "wrong_type", "properties[0]"),
        ({"case": {"properties": [{"x": 1}]}}, "unknown_fact", "properties[0].x"),
    ],
)
def test_what_does_not_fit_is_named(
    client: TestClient, body: Any, code: str, path: str | None
) -> None:
    found = problem(ask(client, body), 422, code)
    if path is not None:
        assert found["errors"][0]["path"] == path


def test_a_misspelt_key_is_answered_with_the_right_one(client: TestClient) -> None:
    found = problem(ask(client, {"case": {}, "profil": "sc"}), 422, "unknown_field")
    assert "profile" in found["errors"][0]["hint"]["en"]
    assert found["errors"][0]["allowed"] == ["case", "profile", "as_of", "rulebase"]


def test_an_unknown_profile_is_answered_with_the_nearest(client: TestClient) -> None:
    found = problem(ask(client, {"case": {}, "profile": "js-yanchen"}), 404, "unknown_profile")
    assert "js-yancheng" in found["errors"][0]["hint"]["en"]


def test_every_fault_is_listed(client: TestClient) -> None:
    found = problem(ask(client, {"case": {"a": 1, "b": 2, "properties": 3}}), 422)
    assert [e["path"] for e in found["errors"]] == ["a", "b", "properties"]


@pytest.mark.parametrize(
    ("parameters", "code", "path"),
    [
        ({"dryrun": "true"}, "unknown_field", "dryrun"),
        ({"dry_run": "maybe"}, "wrong_type", "dry_run"),
        ({"explain": "all"}, "unknown_value", "explain"),
    ],
)
def test_query_parameters_are_checked(
    client: TestClient, parameters: dict[str, str], code: str, path: str
) -> None:
    found = problem(ask(client, {"case": {}}, **parameters), 422, code)
    assert found["errors"][0]["path"] == path


# --- failures of the service ----------------------------------------------------------------


@pytest.fixture
def broken(rulebase: Rulebase) -> FastAPI:
    return create_app(rulebase, Settings(engine="native"))


def test_disagreeing_engines_are_no_decision(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disagree(*_: object, **__: object) -> None:
        raise EngineError(Problem("engines_disagree", Text("不一致", "they disagree")))

    monkeypatch.setattr(broken.state.service.decider, "decided", disagree)
    client = TestClient(broken, raise_server_exceptions=False)
    problem(ask(client, {"case": {}}), 503, "engines_disagree")


class Failing:
    """An engine that answers wrongly, or not at all."""

    def __init__(self, engine: Engine, fails: bool) -> None:
        self.engine, self.fails = engine, fails

    def evaluate(self, inputs: Sequence[int], overridden: int = 0) -> Verdicts:
        if self.fails:
            raise EngineError(Problem("engine_failed", Text("出错", "it failed")))
        found = self.engine.evaluate(inputs, overridden)
        return found._replace(true=found.true ^ 1)


@pytest.mark.parametrize("fails", [False, True])
def test_a_failed_comparison_is_logged_without_facts(
    rulebase: Rulebase, caplog: pytest.LogCaptureFixture, fails: bool
) -> None:
    app = create_app(rulebase, Settings())
    service: Service = app.state.service
    program = service.decider.programs.at("national", date.fromisoformat(AS_OF))
    engine = program.engine("verified")
    assert isinstance(engine, VerifiedEngine)
    engine.second = Failing(engine.first, fails)
    client = TestClient(app, raise_server_exceptions=False)
    code = "engine_failed" if fails else "engines_disagree"
    body = {"case": {"case_no": "（2024）苏09执1号"}, "as_of": AS_OF, "profile": "national"}
    problem(ask(client, body), 503, code)
    (record,) = caplog.records
    line = record.getMessage()
    assert (record.name, record.levelname) == ("eligibility", "ERROR")
    assert line.startswith(code)
    assert "\n" not in line
    assert "执1号" not in line
    rules = "?" if fails else program.circuit.rules[0].id
    assert f" rules={rules} first=(true:" in line
    assert (" second=?" if fails else " second=(true:") in line
    assert engine.disagreements == (not fails)
    service.close()


def test_the_unforeseen_shows_nothing_of_the_inside(
    broken: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr(broken.state.service.decider, "decided", fail)
    client = TestClient(broken, raise_server_exceptions=False)
    response = ask(client, {"case": {}})
    problem(response, 500, "internal_error")
    assert "secret" not in response.text
