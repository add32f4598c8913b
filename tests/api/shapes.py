"""What every error must look like, whoever found the fault."""

from __future__ import annotations

from typing import Any

from httpx import Response

from eligibility.api.models import ProblemDocument
from eligibility.api.problems import MEDIA_TYPE, TITLES


def problem(response: Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The problem document of a response, checked."""
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == MEDIA_TYPE
    body: dict[str, Any] = response.json()
    ProblemDocument.model_validate(body)
    members = ["type", "title", "status", "code", "detail", "errors", "request_id"]
    assert list(body) == members
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["status"] == status
    assert body["title"] == f"{TITLES[status].zh} / {TITLES[status].en}"
    assert body["code"] == body["errors"][0]["code"]
    assert body["type"] == f"urn:eligibility:problem:{body['code']}"
    for entry in body["errors"]:
        assert set(entry) <= {"path", "code", "message", "rule", "hint", "allowed"}
        assert entry["message"]["zh"]
        assert entry["message"]["en"]
    assert "Traceback" not in response.text
    if code is not None:
        assert body["code"] == code
    return body
