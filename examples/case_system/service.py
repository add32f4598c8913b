"""The service as a case system calls it: patient with trouble, plain about refusals."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import httpx

from .outbox import Outbox

PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""Answers that say nothing about the request: the same one may be answered later."""
FIRST_WAIT, LONGEST_WAIT = 0.25, 30.0  # seconds
OWED = ("open", "overdue", "lapsed")


class Unavailable(Exception):
    """The service gave no answer for as long as we were ready to wait."""


class Locked(Exception):
    """The service does not know who we are (401): no message is at fault."""


class Service:
    """``key``: bearer, if any. ``patience``: seconds in which one request is tried again."""

    def __init__(self, base: str, key: str | None, patience: float) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # This client goes where it is told: no proxy, no credentials from the environment.
        self._http = httpx.Client(base_url=base, headers=headers, timeout=70, trust_env=False)
        self.patience = patience

    def close(self) -> None:
        self._http.close()

    def send(self, outbox: Outbox) -> None:
        """Send what waits, in order, and keep each answer before the next is sent.

        A message whose answer was lost is sent again as it was: under its key (a case) or its
        id (an event) the service answers with what it has recorded.
        """
        for message in outbox.waiting():
            headers = {"Content-Type": "application/json"}
            if message.path == "/v1/decisions":
                headers["Idempotency-Key"] = message.key
            answer = self._ask("POST", message.path, content=message.body, headers=headers)
            outbox.settle(message, "answered" if answer.is_success else "refused", answer.text)

    def duties(self, as_of: str | None) -> Iterator[dict[str, Any]]:
        """What is owed on a day (default: the service's today), page by page."""
        asked: dict[str, Any] = {"state": OWED} | ({"as_of": as_of} if as_of else {})
        while True:
            answer = self._ask("GET", "/v1/follow-ups", params=asked)
            answer.raise_for_status()
            page = answer.json()
            yield from page["follow_ups"]
            if page["next"] is None:
                return
            asked["cursor"] = page["next"]

    def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The answer, or Unavailable; waits longer each time, and as long as Retry-After asks."""
        end, wait = time.monotonic() + self.patience, FIRST_WAIT
        while True:
            asked = 0.0
            try:
                answer = self._http.request(method, path, **request)
            except httpx.TransportError as error:
                trouble = f"{type(error).__name__}: {error}"
            else:
                if answer.status_code == 401:
                    raise Locked(answer.text)
                if answer.status_code not in PASSING:
                    return answer
                trouble, asked = f"{answer.status_code}: {answer.text}", retry_after(answer)
            pause = max(asked, wait * random.uniform(0.5, 1.0))
            if time.monotonic() + pause > end:
                raise Unavailable(trouble)
            time.sleep(pause)
            wait = min(2 * wait, LONGEST_WAIT)


def retry_after(answer: httpx.Response) -> float:
    """Seconds that the service asks to wait; 0 where it does not say so in seconds."""
    said = answer.headers.get("Retry-After", "")
    return float(said) if said.isascii() and said.isdigit() else 0.0
