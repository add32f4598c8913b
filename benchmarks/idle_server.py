"""What ``benchmarks.service`` compares with; run as a process of its own.

``python -m benchmarks.idle_server KIND ANSWERS --port PORT`` where KIND is ``same`` (the
service's application, its middleware and the checks of a request; answers are read from a
file, one a line) or ``bare`` (a FastAPI application of one handler that reads nothing).
Unlike every other benchmark this imports the service: it is a server, and measures nothing.
"""

from __future__ import annotations

import argparse
from itertools import cycle
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Query, Request, Response

from eligibility.api.app import app_from_environment
from eligibility.api.models import DecisionQuery
from eligibility.api.requests import read_body, read_decision
from eligibility.api.routes import IdempotencyKey
from eligibility.settings import read_settings


def same(answers: list[bytes]) -> FastAPI:
    """The service, its first route replaced by one that decides and records nothing."""
    app = app_from_environment()
    service = app.state.service
    ready = cycle(answers)

    @app.post("/v1/decisions", status_code=201)
    async def decide(
        request: Request, query: Annotated[DecisionQuery, Query()], key: IdempotencyKey = None
    ) -> Response:
        body = await read_body(request, service.settings.max_body_bytes)
        read_decision(body, service.request_shape)
        return Response(next(ready), 201, media_type="application/json")

    app.router.routes.insert(0, app.router.routes.pop())
    return app


def bare() -> FastAPI:
    app = FastAPI()

    @app.post("/v1/decisions", status_code=201)
    async def decide() -> Response:
        return Response(b"{}", 201, media_type="application/json")

    @app.get("/healthz")
    async def health() -> Response:
        return Response(b"{}", media_type="application/json")

    return app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("same", "bare"))
    parser.add_argument("answers", type=Path)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    settings = read_settings()
    app = same(given.answers.read_bytes().splitlines()) if given.kind == "same" else bare()
    uvicorn.run(app, host=settings.host, port=given.port, log_level=settings.log_level)


if __name__ == "__main__":
    main()
