"""The OpenAPI document: what FastAPI derives, plus request bodies and worked examples.

Bodies are read by hand (strictly, see ``requests.py``), so FastAPI does not know them; the
example answers are computed by the service itself and so cannot go stale.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel

from eligibility.api.access import roles_of
from eligibility.api.models import ActivationRequest, ProblemDocument, RollbackRequest
from eligibility.api.models_follow_up import EventRequest
from eligibility.api.problems import MEDIA_TYPE, TITLES, problem_body
from eligibility.api.requests import DecisionInput
from eligibility.api.service import Service
from eligibility.errors import EligibilityError
from eligibility.rulebase.describe import rule_words
from eligibility.vocabulary.schema import example

Document = dict[str, Any]
_REF = "#/components/schemas/{model}"
_EXAMPLE_DAY = date(2024, 9, 22)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route answers when something is wrong, for ``responses=``."""
    schema = {"$ref": _REF.format(model=ProblemDocument.__name__)}
    return {
        status: {
            "description": f"{TITLES[status].zh} / {TITLES[status].en}",
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }


def also(model: type[BaseModel], zh: str, en: str) -> dict[int | str, dict[str, Any]]:
    """An answer 200 beside a route's own 201, for ``responses=``."""
    return {200: {"model": model, "description": f"{zh} / {en}"}}


def in_forms(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """The forms in which a route answers, for ``responses=``."""
    return {200: {"content": {media_type: {} for media_type in media_types}}}


def documented(app: FastAPI, service: Service) -> Callable[[], Document]:
    """The function that FastAPI calls for ``/openapi.json``; the answer is kept."""

    def document() -> Document:
        digest = service.rulebase.digest
        if app.openapi_schema is None or app.state.documented != digest:
            app.openapi_schema = _document(app, service)
            app.state.documented = digest
        return app.openapi_schema

    return document


def _document(app: FastAPI, service: Service) -> Document:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    models = (ProblemDocument, EventRequest, ActivationRequest, RollbackRequest)
    for model in (*models, service.request_shape):
        _add_schema(document, model.model_json_schema(ref_template=_REF), model.__name__)
    _drop_framework_errors(document)
    _add_common_answers(document)
    _describe_deciding(document["paths"]["/v1/decisions"]["post"], service)
    _name_the_words(document["paths"]["/v1/rules"]["get"], service)
    for path, body in _bodies().items():
        document["paths"][path]["post"]["requestBody"] = body
    if service.settings.auth != "none":
        _describe_access(document, app, service.settings.auth)
    return document


def _describe_access(document: Document, app: FastAPI, auth: str) -> None:
    """Who may call what: the schemes, and of every operation its roles and refusals."""
    ways = auth.split("+")
    schemes = {name: scheme for name, scheme in _SCHEMES.items() if name in ways}
    document["components"]["securitySchemes"] = schemes
    for route in iter_route_contexts(app.routes):
        roles = roles_of(route)
        if not roles or not route.include_in_schema:
            continue
        for method in route.methods or ():
            operation = document["paths"][route.path_format][method.lower()]
            operation["security"] = [{name: sorted(roles)} for name in schemes]
            refused = {str(status): said for status, said in problems(401, 403).items()}
            operation["responses"] = refused | operation["responses"]


_SCHEMES: dict[str, Document] = {
    "keys": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "elg_…",
        "description": "接口密钥 / an API key of `eligibility keys create`",
    },
    "oidc": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "统一身份认证的访问令牌 / a token of the OpenID Connect provider",
    },
}


def _bodies() -> dict[str, Document]:
    """By path the bodies of the other requests that are read by hand."""
    event = {"case_no": "（2024）川0105执1号", "type": "served", "on": "2024-09-20"}
    served = _body(EventRequest, event)
    activation = {"by": "执行指挥中心", "note": "2026 年修订", "effective_from": "2026-01-01"}
    return {
        "/v1/events": served,
        "/v1/follow-ups/{duty_id}/events": served,
        "/v1/rulebases/{digest}/activate": _body(ActivationRequest, activation),
        "/v1/rulebases/rollback": _body(RollbackRequest, {"by": "执行指挥中心"}),
    }


def _body(model: type[BaseModel], shown: Document) -> Document:
    schema = {"$ref": _REF.format(model=model.__name__)}
    content = {"application/json": {"schema": schema, "example": shown}}
    return {"required": True, "content": content}


def _name_the_words(operation: Document, service: Service) -> None:
    """The words that a list of rules may be asked for."""
    words = rule_words(service.rulebase)
    for parameter in operation["parameters"]:
        if parameter["name"] in words:
            parameter["schema"]["anyOf"][0]["enum"] = words[parameter["name"]]


def _drop_framework_errors(document: Document) -> None:
    """FastAPI assumes its own shape of a 422; ours is stated where it can happen."""
    for path in document["paths"].values():
        for operation in path.values():
            if "HTTPValidationError" in str(operation["responses"].get("422", "")):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)


def _add_common_answers(document: Document) -> None:
    """What the middleware may answer at any address, and the id that every answer carries."""
    described = {"description": "请求编号 / id of the request", "schema": {"type": "string"}}
    for path in document["paths"].values():
        for method, operation in path.items():
            said = operation["responses"]
            for status, answer in problems(400, 408, 429, 503, 504).items():
                said.setdefault(str(status), answer)
            if method == "get":
                said.setdefault("304", {"description": "未改变 / not modified"})
            for answer in said.values():
                answer.setdefault("headers", {})["X-Request-Id"] = described


def _add_schema(document: Document, schema: Document, name: str) -> None:
    components = document["components"]["schemas"]
    for inner, definition in schema.pop("$defs", {}).items():
        components.setdefault(inner, definition)
    components[name] = schema


def _describe_deciding(operation: Document, service: Service) -> None:
    asked: Document = {
        "case": example(service.rulebase.vocabulary),
        "as_of": _EXAMPLE_DAY.isoformat(),
    }
    empty: Document = {"case": {}, "as_of": _EXAMPLE_DAY.isoformat()}
    operation["requestBody"] = {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": _REF.format(model=service.request_shape.__name__)},
                "examples": {
                    "case": {"summary": "示例案件 / an example case", "value": asked},
                    "empty": {"summary": "尚无任何事实 / nothing is known yet", "value": empty},
                },
            }
        },
    }
    answers = {
        name: {"value": answer}
        for name, body in (("case", asked), ("empty", empty))
        if (answer := _answer(service, body["case"])) is not None
    }
    operation["responses"]["200"]["content"]["application/json"]["examples"] = answers
    refused = operation["responses"]["422"]["content"][MEDIA_TYPE]
    refused["example"] = _refusal(service)


def _answer(service: Service, case: dict[str, Any]) -> Document | None:
    """What the service answers; None where a rule base refuses the made-up case."""
    asked = DecisionInput(case=case, profile=None, as_of=_EXAMPLE_DAY, rulebase=None)
    try:
        return service.decide(asked, full=False)
    except EligibilityError:
        return None


def _refusal(service: Service) -> Document:
    """How a misspelt fact is answered."""
    key = next(iter(service.rulebase.vocabulary.facts))
    try:
        service.decide(DecisionInput({f"{key}_": True}, None, _EXAMPLE_DAY, None), full=False)
    except EligibilityError as error:
        return problem_body(error.status, error.problems)
    return {}
