"""``/readyz`` and ``/metrics``, and how a service is told to stop."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from eligibility.api.access import PUBLIC
from eligibility.api.metrics import MEDIA_TYPE, Metrics
from eligibility.api.models import NoQuery
from eligibility.api.openapi import problems
from eligibility.api.problems import respond
from eligibility.api.readiness import Readiness


class Ready(BaseModel):
    status: Literal["ready"]


def router(readiness: Readiness, metrics: Metrics) -> APIRouter:
    routes = APIRouter(tags=["operations"])

    @routes.get(
        "/readyz",
        response_model=Ready,
        responses=problems(422, 503),
        summary="能否受理 / is it ready",
        dependencies=[PUBLIC],
    )
    async def ready(query: Annotated[NoQuery, Query()]) -> JSONResponse:
        """It can decide and record now; otherwise 503 with every reason."""
        found = await run_in_threadpool(readiness.problems)
        return respond(503, found) if found else JSONResponse({"status": "ready"})

    @routes.get(
        "/metrics",
        summary="Prometheus 指标 / metrics",
        include_in_schema=False,
        dependencies=[PUBLIC],
    )
    async def metric_page() -> Response:
        text = await run_in_threadpool(metrics.text, readiness.state)
        return Response(text, headers={"content-type": MEDIA_TYPE})

    return routes


@contextmanager
def draining(readiness: Readiness, delay: float) -> Iterator[None]:
    """On SIGTERM say at ``/readyz`` that it ends, serve ``delay`` seconds on, then stop.

    The server's own handler then refuses new connections and lets those at work finish.
    """
    previous = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield
        return
    stop, loop = previous, asyncio.get_running_loop()

    def stopping(number: int, frame: FrameType | None) -> None:
        readiness.draining = True
        if delay:
            loop.call_soon_threadsafe(loop.call_later, delay, stop, number, None)
        else:
            stop(number, frame)

    signal.signal(signal.SIGTERM, stopping)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
