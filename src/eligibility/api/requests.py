"""A request body read strictly: bounded, declared JSON, one reading, no unknown keys."""

from __future__ import annotations

from codecs import BOM_UTF8
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any

from fastapi import Request
from pydantic import BaseModel, ValidationError

from eligibility.api.problems import RequestError, problem_of
from eligibility.documents import read_json
from eligibility.errors import FactsError, Problem, Text, nearest
from eligibility.vocabulary.model import Fact, Type
from eligibility.vocabulary.values import Unfit, from_wire

MAX_KEYS = 20
MAX_ITEMS = 500_000
"""Commas in a body: a case has far fewer values, whatever its lists hold."""
_AS_OF = Fact("as_of", Text("审查基准日", "day of evaluation"), Type.DATE)


@dataclass(frozen=True, slots=True)
class DecisionInput:
    """What a caller asks to be decided."""

    case: dict[str, Any]
    profile: str | None
    as_of: date | None
    rulebase: str | None


async def read_body(request: Request, limit: int) -> bytes:
    """The body of a JSON request, refused before it is read where it is too large."""
    check_media_type(request)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared[:20]) > limit:
        raise _too_large(limit)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def check_media_type(request: Request, media_type: str = "application/json") -> None:
    """Refuse a body that is declared to be something else, or compressed."""
    kind, _, rest = request.headers.get("content-type", "").partition(";")
    parameters = dict(p.strip().lower().partition("=")[::2] for p in rest.split(";") if p.strip())
    charset = parameters.get("charset", "utf-8").strip('"')
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if kind.strip().lower() != media_type or charset not in ("utf-8", "utf8"):
        raise _unsupported(f"请以 {media_type}（UTF-8）发送", f"send {media_type} in UTF-8")
    if encoding != "identity":
        raise _unsupported("请不要压缩请求内容", "send the body uncompressed")


def _unsupported(zh: str, en: str) -> RequestError:
    return RequestError(415, Problem("unsupported_media_type", Text(zh, en)))


def _too_large(limit: int) -> RequestError:
    text = Text(f"请求内容不得超过 {limit} 字节", f"the body must not exceed {limit} bytes")
    return RequestError(413, Problem("body_too_large", text))


def read_decision(body: bytes, shape: type[BaseModel]) -> DecisionInput:
    """The body of a decision request. Raises MalformedInput or FactsError."""
    data = _document(body)
    if isinstance(data, dict):  # more keys than there are cannot be right: a few tell enough
        data = dict(islice(data.items(), MAX_KEYS))
    try:
        checked = shape.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        problems = (problem_of(dict(e), list(shape.model_fields)) for e in found)
        raise FactsError(problems) from None
    return DecisionInput(
        case=data["case"],
        profile=getattr(checked, "profile", None),
        as_of=day_of(getattr(checked, "as_of", None), "as_of"),
        rulebase=getattr(checked, "rulebase", None),
    )


def read_event_body(body: bytes) -> dict[str, Any]:
    """The body of an event as a mapping; what is in it is read with the rule base."""
    data = _document(body)
    if isinstance(data, dict):
        return dict(islice(data.items(), MAX_KEYS))
    raise FactsError(Problem("wrong_type", Text("应为键值表", "expected a JSON object"), "event"))


def _document(body: bytes) -> Any:
    """The JSON of a body, refused before it is built where it holds too much."""
    if body.count(b",") > MAX_ITEMS:
        text = Text(f"一次请求不得超过 {MAX_ITEMS} 项", f"at most {MAX_ITEMS} values a request")
        raise RequestError(413, Problem("too_many_items", text))
    return read_json(body.removeprefix(BOM_UTF8))  # some programs write the mark, as files may


def day_of(raw: str | None, place: str) -> date | None:
    """Within the same bounds as the dates of a case: outside them nothing can be computed."""
    try:
        day: date | None = from_wire(_AS_OF, raw)
    except Unfit as error:
        raise FactsError(error.at(place)) from None
    return day


def known_word(word: str | None, known: list[str], place: str) -> None:
    """Refuse a filter that names nothing, with the words that would do."""
    if word is None or word in known:
        return
    text = Text(f"可取值：{'、'.join(known)}", f"one of: {', '.join(known)}")
    hint = nearest(word[:80], known)
    raise FactsError(Problem("unknown_value", text, place, "", hint, tuple(known)))
