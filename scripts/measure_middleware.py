"""What the operational middleware costs a request, in microseconds: with it less without it.

Run: python scripts/measure_middleware.py [REQUESTS]
"""

from __future__ import annotations

import asyncio
import gc
import logging.config
import sys
from time import process_time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eligibility.api import logs
from eligibility.api.conditional import Conditional
from eligibility.api.exchange import Exchanges
from eligibility.api.head import HeadAsGet
from eligibility.api.limits import Limits
from eligibility.api.metrics import Metrics
from eligibility.settings import Settings


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def receive() -> Message:
    return {"type": "http.request", "body": b"{}", "more_body": False}


async def send(message: Message) -> None:
    return None


async def seconds(app: ASGIApp, requests: int) -> float:
    started = process_time()
    for _ in range(requests):
        scope: Scope = {"type": "http", "method": "POST", "path": "/x", "headers": []}
        await app(scope, receive, send)
    return process_time() - started


def main() -> None:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    settings = Settings(rate_per_second=1e9)
    logging.config.dictConfig(logs.configuration(settings))
    stack = Limits(HeadAsGet(Conditional(bare)), settings)
    whole = Exchanges(stack, Metrics())
    gc.freeze()
    for name, app in (("limits", stack), ("everything", whole)):
        taken = min(
            asyncio.run(seconds(app, requests)) - asyncio.run(seconds(bare, requests))
            for _ in range(7)
        )
        print(f"{name}: {taken / requests * 1e6:.1f} µs a request")


if __name__ == "__main__":
    main()
