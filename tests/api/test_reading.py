"""The rule base over HTTP."""

from __future__ import annotations

import re
from html import escape
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from api.shapes import problem
from eligibility.api import docs, models
from eligibility.rulebase.model import DECIDING, Rulebase
from eligibility.vocabulary.schema import json_schema

LISTS: dict[str, type[BaseModel]] = {
    "/v1/facts": models.FactList,
    "/v1/facts/form": models.Form,
    "/v1/rules": models.RuleList,
    "/v1/sources": models.SourceList,
    "/v1/profiles": models.ProfileList,
    "/v1/rulebases": models.RulebaseList,
    "/healthz": models.Health,
}


def read(client: TestClient, path: str, **parameters: str) -> Any:
    response = client.get(path, params=parameters)
    assert response.status_code == 200, response.text[:500]
    return response.json()


def documented(body: Any, model: type[BaseModel]) -> None:
    """Every field of an answer is in its model, and the other way round."""
    found = model.model_validate(body).model_dump(by_alias=True, exclude_unset=True)
    assert found == body


@pytest.mark.parametrize("path", LISTS)
def test_lists_are_as_documented(client: TestClient, path: str) -> None:
    documented(read(client, path), LISTS[path])


def test_every_rule_can_be_read(client: TestClient, rulebase: Rulebase) -> None:
    for rule_id, rule in rulebase.rules.items():
        body = read(client, f"/v1/rules/{rule_id}")
        documented(body, models.RuleDetail)
        if rule.kind in DECIDING:
            assert body["when"]["text"]["zh"]
            assert body["when"]["text"]["en"]
        else:
            assert (
                body["duties"]
                or body["hard"]
                or body["weights"]
                or body["flips"]
                or (body["measures"])
            )
        assert [s["id"] for s in body["sources"]] == list(rule.citations)
        assert all(s["quotes"] for s in body["sources"])


def test_every_source_can_be_read(client: TestClient, rulebase: Rulebase) -> None:
    for source_id in rulebase.sources:
        body = read(client, f"/v1/sources/{source_id}")
        documented(body, models.SourceEntry)
        cited = [r.id for r in rulebase.rules.values() if source_id in r.citations]
        assert body["cited_by"] == cited


def test_the_dictionary_is_whole(client: TestClient, rulebase: Rulebase) -> None:
    body = read(client, "/v1/facts")
    assert body["rulebase"] == rulebase.digest
    assert [f["key"] for f in body["facts"]] == list(rulebase.vocabulary.facts)
    assert {r["name"] for r in body["records"]} == set(rulebase.vocabulary.records)
    asked = {f["key"] for f in body["facts"] if f["rules"]}
    assert len(asked) > 1


def test_schema_and_example_fit(client: TestClient, rulebase: Rulebase) -> None:
    schema = read(client, "/v1/facts/schema")
    assert schema == json_schema(rulebase.vocabulary)
    example = read(client, "/v1/facts/example")
    jsonschema.Draft202012Validator(schema).validate(example)
    assert client.post("/v1/decisions", json={"case": example}).status_code == 201


def test_rules_are_filtered(client: TestClient, rulebase: Rulebase) -> None:
    every = read(client, "/v1/rules")["rules"]
    assert [r["id"] for r in every] == sorted(rulebase.rules)
    for name in ("kind", "layer", "basis"):
        for value in {r[name] for r in every} - {None}:
            found = read(client, "/v1/rules", **{name: value})["rules"]
            assert found == [r for r in every if r[name] == value]


def test_rules_of_a_profile_are_those_it_applies(client: TestClient, rulebase: Rulebase) -> None:
    for profile in rulebase.profiles:
        body = read(client, "/v1/rules", profile=profile, as_of="2024-09-22")
        decision = client.post(
            "/v1/decisions",
            params={"explain": "full", "dry_run": "true"},
            json={"case": {}, "profile": profile, "as_of": "2024-09-22"},
        ).json()
        case_rules = {r["id"] for r in body["rules"] if r["kind"] in ("bar", "qualify")}
        assert case_rules == {r["id"] for r in decision["rules"]}


def test_profiles_show_their_layers(client: TestClient) -> None:
    profiles = {p["id"]: p for p in read(client, "/v1/profiles")["profiles"]}
    assert profiles["js-yancheng"]["chain"] == ["js-yancheng", "js", "national"]
    assert profiles["national"]["chain"] == ["national"]


def test_the_rule_base_in_force(client: TestClient, rulebase: Rulebase) -> None:
    (only,) = read(client, "/v1/rulebases")["rulebases"]
    assert (only["digest"], only["version"]) == (rulebase.digest, rulebase.version)
    assert only["in_force"] is True
    names = {o["outcome"] for o in only["outcomes"]}
    assert {"eligible", "not_eligible", "need_info"} <= names


# --- faults ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/rules/XX-1", "unknown_rule"),
        ("/v1/sources/nothing", "unknown_source"),
        ("/v1/rules/%00", "unknown_rule"),
        ("/v1/rules/%FF%FE", "unknown_rule"),
        ("/v1/rules/%ED%A0%80", "unknown_rule"),
        ("/v1/rules/" + "x" * 4000, "unknown_rule"),
        ("/v1/sources/%F0%9F%98%80", "unknown_source"),
        ("/v1/rules/a%2Fb", "not_found"),
        ("/v1/rules/", "not_found"),
        ("/v1/nothing", "not_found"),
        ("/", "not_found"),
        ("/v1/rules?profile=scc", "unknown_profile"),
        ("/v1/rules?profile=%ED%A0%80", "unknown_profile"),
    ],
)
def test_what_does_not_exist(client: TestClient, path: str, code: str) -> None:
    problem(client.get(path), 404, code)


def test_the_nearest_rule_is_named(client: TestClient, rulebase: Rulebase) -> None:
    known = next(iter(rulebase.rules))
    body = problem(client.get(f"/v1/rules/{known}x"), 404)
    assert known in body["errors"][0]["hint"]["zh"]


@pytest.mark.parametrize(
    ("query", "code", "path"),
    [
        ("kind=bars", "unknown_value", "kind"),
        ("layer=x", "unknown_value", "layer"),
        ("basis=%00", "unknown_value", "basis"),
        ("kinds=bar", "unknown_field", "kinds"),
        ("as_of=soon", "wrong_type", "as_of"),
        ("as_of=2024-02-30", "wrong_type", "as_of"),
    ],
)
def test_filters_that_name_nothing(client: TestClient, query: str, code: str, path: str) -> None:
    body = problem(client.get(f"/v1/rules?{query}"), 422, code)
    assert body["errors"][0]["path"] == path


READS = [
    *LISTS,
    "/v1/facts/schema",
    "/v1/facts/example",
    "/v1/rules/XB-09",
    "/v1/sources/L63",
]


@pytest.mark.parametrize("path", READS)
def test_unknown_query_parameters_are_refused(client: TestClient, path: str) -> None:
    body = problem(client.get(path, params={"rulebases": "x"}), 422, "unknown_field")
    assert body["errors"][0]["path"] == "rulebases"


@pytest.mark.parametrize("path", [p for p in READS if p != "/healthz"])
def test_the_rule_base_to_read_may_be_named(
    client: TestClient, rulebase: Rulebase, path: str
) -> None:
    assert read(client, path, rulebase=rulebase.digest) == read(client, path)
    body = problem(client.get(path, params={"rulebase": "foo"}), 404, "unknown_rulebase")
    assert body["errors"][0]["allowed"] == [rulebase.digest]
    operations = read(client, "/openapi.json")["paths"]
    described = path.replace("XB-09", "{rule_id}").replace("L63", "{source_id}")
    assert "rulebase" in {p["name"] for p in operations[described]["get"]["parameters"]}


@pytest.mark.parametrize("path", [*READS, "/docs", "/openapi.json"])
def test_head_answers_as_get_without_the_body(client: TestClient, path: str) -> None:
    same = {"X-Request-Id": "the-same-id"}
    head, whole = client.head(path, headers=same), client.get(path, headers=same)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers == whole.headers


def test_head_of_what_get_does_not_answer(client: TestClient) -> None:
    assert client.head("/v1/rules/XX-1").status_code == 404
    assert client.head("/v1/facts?x=1").status_code == 422
    refused = client.head("/v1/events")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert client.post("/v1/facts").headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_methods_that_do_not_exist(client: TestClient, method: str) -> None:
    response = client.request(method, "/v1/decisions")
    problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "GET, HEAD, POST"


# --- OpenAPI --------------------------------------------------------------------------------


def test_openapi_is_complete(client: TestClient, rulebase: Rulebase) -> None:
    document = read(client, "/openapi.json")
    assert document["openapi"].startswith("3.1")
    assert "HTTPValidationError" not in str(document)
    references = _references(document)
    assert references <= {f"#/components/schemas/{n}" for n in document["components"]["schemas"]}
    asked = document["components"]["schemas"]["DecisionRequest"]["properties"]["case"]
    assert asked["properties"] == json_schema(rulebase.vocabulary)["properties"]


def test_the_worked_examples_are_true(client: TestClient) -> None:
    operation = read(client, "/openapi.json")["paths"]["/v1/decisions"]["post"]
    requests = operation["requestBody"]["content"]["application/json"]["examples"]
    answers = operation["responses"]["200"]["content"]["application/json"]["examples"]
    assert set(requests) == set(answers) == {"case", "empty"}
    for name, request in requests.items():
        response = client.post("/v1/decisions?dry_run=true", json=request["value"])
        assert response.json() == answers[name]["value"]


def test_docs_are_served_and_load_nothing(client: TestClient) -> None:
    response = client.get("/docs")
    assert response.headers["content-type"].startswith("text/html")
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    text = response.text
    assert not re.search(r"<script|<link|<img|\ssrc=|@import|url\(", text)
    assert re.findall(r'href="([^"]*)"', text) == ["openapi.json"]
    for path, methods in read(client, "/openapi.json")["paths"].items():
        for method, operation in methods.items():
            assert f"<h2>{method.upper()} {path}</h2>" in text
            assert escape(operation["summary"]) in text
    # requests and answers of deciding, a refusal, the bodies of events and of activations
    assert text.count("<details>") == 9
    assert client.get("/redoc").status_code == 404


def test_docs_escape_what_they_show() -> None:
    info = {"title": "<b>", "version": "1", "description": "<i>"}
    operation = {"summary": "<u>", "responses": {"200": {"description": "<s>"}}}
    shown = docs.page({"info": info, "paths": {"/<p>": {"get": operation}}})
    assert not re.search("<b>|<i>|<u>|<s>|/<p>", shown)


def _references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(_references(v) for v in node.values()))
    if isinstance(node, list):
        return set().union(*(_references(v) for v in node))
    return set()
