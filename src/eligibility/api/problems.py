"""Errors over HTTP: one shape (RFC 9457) whoever found the fault, and never a stack trace."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path

from eligibility.api.exchange import CURRENT, route_of
from eligibility.api.headers import SECURITY
from eligibility.errors import EligibilityError, EngineError, Problem, Text, nearest
from eligibility.vocabulary.values import FIRST_DAY, LAST_DAY

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("eligibility")

TITLES: dict[int, Text] = {
    400: Text("请求格式有误", "malformed request"),
    401: Text("未通过身份验证", "not authenticated"),
    403: Text("无权办理", "not allowed"),
    404: Text("没有找到", "not found"),
    405: Text("不支持此方法", "method not allowed"),
    408: Text("请求超时", "request timeout"),
    409: Text("与当前状态冲突", "conflict"),
    410: Text("内容已销毁", "the content is gone"),
    413: Text("请求过大", "request too large"),
    415: Text("不支持的媒体类型", "unsupported media type"),
    416: Text("没有所请求的范围", "no such range"),
    422: Text("内容不符合要求", "the content does not fit"),
    429: Text("请求过于频繁", "too many requests"),
    500: Text("服务内部错误", "internal error"),
    503: Text("暂不能作出结论", "no decision is available"),
    504: Text("未能在时限内答复", "no answer in time"),
}
# Codes for what the framework refuses before a route is reached.
_OF_STATUS: dict[int, Problem] = {
    404: Problem("not_found", Text("没有这个地址", "there is nothing at this address")),
    405: Problem("method_not_allowed", Text("此地址不支持该方法", "not a method of this address")),
}
# What pydantic's error types start with, and what should have stood there.
_EXPECTED: dict[str, Text] = {
    "model": Text("应为键值表（JSON 对象）", "expected a JSON object"),
    "dict": Text("应为键值表（JSON 对象）", "expected a JSON object"),
    "string": Text("应为文字", "expected a text"),
    "bool": Text("应为 true 或 false", "expected true or false"),
    "datetime": Text(
        "应为带时区的时刻（如 2024-01-31T09:00:00+08:00）",
        "expected a moment with its time zone, such as 2024-01-31T09:00:00+08:00",
    ),
    "date": Text(
        f"应为 {FIRST_DAY} 至 {LAST_DAY} 间的日期（如 2024-01-31）",
        f"expected a date such as 2024-01-31, from {FIRST_DAY} to {LAST_DAY}",
    ),
}
BROKEN = Problem("internal_error", Text("服务内部错误，已记录", "internal error; it was logged"))


class RequestError(EligibilityError):
    """A request that is refused for a reason of HTTP, with its status."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(problem)
        self.status = status


def problem_body(status: int, problems: Sequence[Problem]) -> dict[str, Any]:
    """The document of one or more problems; the first gives the code."""
    title = TITLES.get(status) or Text("", HTTPStatus(status).phrase)
    first = problems[0]
    body: dict[str, Any] = {
        "type": f"urn:eligibility:problem:{first.code}",
        "title": f"{title.zh} / {title.en}" if title.zh else title.en,
        "status": status,
        "code": first.code,
        "detail": first.line(),
        "errors": [p.as_dict() for p in problems],
    }
    exchange = CURRENT.get()
    if exchange is not None:
        exchange.code = first.code
        body["request_id"] = exchange.id
    return body


def respond(
    status: int, problems: Sequence[Problem], headers: dict[str, str] | None = None
) -> JSONResponse:
    return JSONResponse(problem_body(status, problems), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Give every kind of failure the same shape."""
    app.add_exception_handler(EligibilityError, _ours)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(RequestValidationError, _parameters)
    app.add_exception_handler(Exception, _unforeseen)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, EligibilityError)
    if isinstance(error, EngineError):
        log.error("%s %s", error, error.evidence)
    return respond(error.status, error.problems or [BROKEN])


async def _gone(request: Request, error: Exception) -> Response:
    """The caller hung up while sending: nobody is left to answer, and nothing is amiss here."""
    return Response(status_code=400)


async def _framework(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    phrase = str(error.detail)
    problem = _OF_STATUS.get(error.status_code) or Problem("http_error", Text(phrase, phrase))
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(_methods(request) or [headers["Allow"]])
    return respond(error.status_code, [problem], headers)


def _methods(request: Request) -> list[str]:
    """Every method of the resource at this address; HEAD wherever GET is (head.py).

    An address with a name of its own (``/v1/decisions/batch``) is not that of a decision.
    """
    paths = request.app.openapi()["paths"]
    own = [paths[request.url.path]] if request.url.path in paths else None
    fits = own or [m for p, m in paths.items() if compile_path(p)[0].match(request.url.path)]
    found = {method.upper() for methods in fits for method in methods}
    return sorted(found | ({"HEAD"} if "GET" in found else set()))


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    log.error("%s failed", route_of(request.scope), exc_info=error)
    return respond(500, [BROKEN], SECURITY)


async def _parameters(request: Request, error: Exception) -> JSONResponse:
    """Query and path parameters that the framework checked."""
    assert isinstance(error, RequestValidationError)
    return respond(422, [problem_of(e) for e in error.errors()])


def problem_of(error: Mapping[str, Any], known: Sequence[str] = ()) -> Problem:
    """One finding of pydantic in our words; ``known``: the keys there are, for hints."""
    place = path_of(error["loc"])
    kind = str(error["type"])
    if kind == "missing":
        return Problem("missing_field", Text("必须填写", "is required"), place)
    if kind == "extra_forbidden":
        text = Text(f"没有名为“{place}”的项", f"there is no '{place}' here")
        return Problem("unknown_field", text, place, "", nearest(place, known), tuple(known))
    if kind in ("literal_error", "enum"):
        expected = str((error.get("ctx") or {}).get("expected", ""))
        allowed = tuple(w.strip(" '") for w in expected.replace(" or ", ", ").split(","))
        text = Text(f"可取值：{'、'.join(allowed)}", f"one of: {', '.join(allowed)}")
        return Problem("unknown_value", text, place, allowed=allowed)
    text = _EXPECTED.get(kind.partition("_")[0]) or Text("类型不符", str(error["msg"]))
    return Problem("wrong_type", text, place)


def path_of(location: Sequence[int | str]) -> str:
    """``("query", "as_of")`` as ``as_of``; ``("items", 0)`` as ``items[0]``."""
    parts = list(location)
    if parts and parts[0] in ("body", "query", "path", "header"):
        parts = parts[1:]
    out = ""
    for part in parts:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            shown = part.encode("utf-8", "backslashreplace").decode()[:80]
            out += f".{shown}" if out else shown
    return out
