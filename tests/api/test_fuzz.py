"""Thousands of requests from the service's own description, and from its dictionary.

No request may be answered with a 5xx, and every answer must be as the description says.
"""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.shapes import problem
from eligibility.api.app import create_app
from eligibility.rulebase.describe import outcome_labels
from eligibility.rulefiles import load_rules
from eligibility.settings import Settings
from vocabulary.payloads import EVENT_DAYS, days, payload

RULEBASE = load_rules()
APP: FastAPI = create_app(
    RULEBASE, Settings(engine="verified", screening_jobs=0, screening_queue=1_000_000)
)
CLIENT = TestClient(APP, raise_server_exceptions=False)
OUTCOMES = set(outcome_labels(RULEBASE))
DOCUMENTED = {200, 201, 400, 404, 409, 413, 415, 422, 503}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
HURRY = settings(
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
DESCRIPTION = schemathesis.openapi.from_asgi("/openapi.json", APP)


def of_schema(
    mode: schemathesis.GenerationMode, path: str = "/v1/decisions", method: str = "POST"
) -> st.SearchStrategy[Any]:
    return DESCRIPTION[path][method].as_strategy(generation_mode=mode)


def check(request: Any) -> None:
    request.validate_response(request.call(app=APP), checks=CHECKS)


def check_dry(request: Any) -> None:
    """Nothing is recorded, unless the request says so: records of one case would pile up."""
    request.query = {"dry_run": "true", **(request.query or {})}
    check(request)


@pytest.mark.slow
@seed(20240922)
@settings(HURRY, max_examples=1000)
@given(of_schema(schemathesis.GenerationMode.POSITIVE))
def test_requests_that_fit_the_description(request: Any) -> None:
    check_dry(request)


@pytest.mark.slow
@seed(20240922)
@settings(HURRY, max_examples=1000)
@given(of_schema(schemathesis.GenerationMode.NEGATIVE))
def test_requests_that_do_not(request: Any) -> None:
    check_dry(request)


# Nothing of these requests can be wrong: they take a name and no parameters.
ONLY_NAMED = {
    "/v1/decisions/{decision_id}",
    "/v1/decisions/{decision_id}/replay",
    "/v1/courts/{court}/calendar.ics",
    "/v1/screenings/{screening_id}",
    "/v1/screenings/{screening_id}/cancel",
    "/v1/screenings/{screening_id}/result",
}
FOLLOWED = [
    ("/v1/events", "POST"),
    ("/v1/follow-ups", "GET"),
    ("/v1/follow-ups/{duty_id}", "GET"),
    ("/v1/decisions", "GET"),
    ("/v1/decisions/{decision_id}", "GET"),
    ("/v1/decisions/{decision_id}/replay", "POST"),
    ("/v1/decisions/{decision_id}/follow-up", "GET"),
    ("/v1/cases/{case_no}/follow-up", "GET"),
    ("/v1/courts/{court}/supervision", "GET"),
    ("/v1/courts/{court}/calendar.ics", "GET"),
    ("/v1/screenings", "POST"),
    ("/v1/screenings", "GET"),
    ("/v1/screenings/{screening_id}", "GET"),
    ("/v1/screenings/{screening_id}/cancel", "POST"),
    ("/v1/screenings/{screening_id}/result", "GET"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "method", "mode"),
    [
        (path, method, mode)
        for path, method in FOLLOWED
        for mode in schemathesis.GenerationMode
        if not (path in ONLY_NAMED and mode is schemathesis.GenerationMode.NEGATIVE)
    ],
)
def test_what_follows_a_decision(path: str, method: str, mode: schemathesis.GenerationMode) -> None:
    @seed(20240922)
    @settings(HURRY, max_examples=60)
    @given(of_schema(mode, path, method))
    def run(request: Any) -> None:
        check(request)

    run()


PROFILES = st.sampled_from([None, *RULEBASE.profiles])
AS_OF = st.one_of(st.none(), days(EVENT_DAYS[1]), days(*EVENT_DAYS))


def decide(body: dict[str, Any], explain: str | None) -> Any:
    return CLIENT.post(
        "/v1/decisions",
        json={k: v for k, v in body.items() if v is not None},
        params={"dry_run": "true"} | ({"explain": explain} if explain else {}),
    )


@pytest.mark.slow
@seed(20240922)
@settings(HURRY, max_examples=150)
@given(payload(RULEBASE.vocabulary, wrong=False, most=40), PROFILES, AS_OF)
def test_cases_that_are_right_reach_the_engines(
    case: dict[str, Any], profile: str | None, as_of: str | None
) -> None:
    """Right types, arbitrary values: decided, or refused for contradicting itself."""
    explain = "full" if len(case) % 2 else None
    response = decide({"case": case, "profile": profile, "as_of": as_of}, explain)
    if response.status_code != 200:
        body = problem(response, response.status_code)
        known = {"impossible_combination", "contradicts_derivation", "future_event"}
        known |= {"dates_out_of_order"}
        codes = {e["code"] for e in body["errors"]}
        # A case may also name a profile that the rule base does not have.
        assert codes <= known or (response.status_code, codes) == (404, {"unknown_profile"})
        return
    body = response.json()
    assert body["outcome"] in OUTCOMES
    assert set(body["possible_outcomes"]) <= OUTCOMES - {"need_info"}
    assert body["possible_outcomes"]
    assert (body["outcome"] == "need_info") == (len(body["possible_outcomes"]) > 1)


@pytest.mark.slow
@seed(20240922)
@settings(HURRY, max_examples=300)
@given(payload(RULEBASE.vocabulary, wrong=True, most=20), PROFILES, AS_OF)
def test_cases_with_something_wrong(
    case: dict[str, Any], profile: str | None, as_of: str | None
) -> None:
    response = decide({"case": case, "profile": profile, "as_of": as_of}, None)
    assert response.status_code in DOCUMENTED - {503}
    if response.status_code != 200:
        problem(response, response.status_code)
