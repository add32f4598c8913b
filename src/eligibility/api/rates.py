"""How often each caller may ask: a token bucket for everyone.

Whoever proved who they are (a key, the subject of a token) is counted under that name, whatever
the address; anybody else under their address. So a court behind the same proxy or NAT as another
is not held up by it, and nobody gets more by using several addresses.

A batch is one request, however many lines it has: its status is sent before its lines are read,
so no line could be refused any more, and each group of lines waits until the answers before it
are with the caller, which is a limit by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from time import monotonic

from eligibility.errors import Problem, Text
from eligibility.settings import Settings

REMEMBERED = 10_000
"""Callers, and as many addresses, whose buckets are kept."""
NETWORK = 64
"""Bits of an IPv6 address that one subscriber cannot choose: the rest are."""
TOO_OFTEN = Problem(
    "rate_limited", Text("请求过于频繁，请稍后再试", "too many requests; try again later")
)

log = logging.getLogger("eligibility.access")


class Buckets:
    """A token bucket for each caller: ``rate`` tokens a second, ``burst`` at most.

    ``clock`` gives seconds that never go back. A caller forgotten for others starts full.
    """

    # INVARIANT: in no t seconds has a caller more than burst + rate * t tokens
    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self.rate, self.burst, self.clock = rate, burst, clock
        self._known: dict[str, tuple[float, float]] = {}

    def wait(self, caller: str) -> float:
        """Take a token: 0.0, or in how many seconds there is one."""
        now = self.clock()
        tokens, then = self._known.pop(caller, (float(self.burst), now))
        tokens = min(float(self.burst), tokens + (now - then) * self.rate)
        taken = tokens >= 1.0
        self._known[caller] = (tokens - 1.0 if taken else tokens, now)
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        return 0.0 if taken else (1.0 - tokens) / self.rate


class Rates:
    """The buckets of one process, if there is a limit. For its event loop alone.

    Names and addresses have rooms of their own: many addresses make no name forgotten.
    """

    def __init__(self, settings: Settings) -> None:
        rate = settings.rate_per_second
        burst = settings.rate_burst or max(1, ceil(rate or 1))
        self._names = Buckets(rate, burst) if rate else None
        self._addresses = Buckets(rate, burst) if rate else None

    def of_caller(self, name: str) -> float:
        """Seconds that a caller who proved this name is to wait; 0.0: go on."""
        return self._names.wait(name) if self._names else 0.0

    def of_address(self, client: tuple[str, int] | None) -> float:
        """Seconds that somebody at this address is to wait; 0.0: go on."""
        return self._addresses.wait(_network(client)) if self._addresses else 0.0


def retry_after(seconds: float) -> dict[str, str]:
    """The header that says when to come back."""
    return {"Retry-After": str(max(1, ceil(seconds)))}


def tell(method: str, route: str, client: tuple[str, int] | None, name: str | None) -> None:
    """The refusal in the log, as other refusals are there."""
    address, who = client[0] if client else "?", repr(name) if name else "nobody known"
    log.warning("refused 429 rate_limited; %s %s from %s by %s", method, route, address, who)


def _network(client: tuple[str, int] | None) -> str:
    address = client[0] if client else ""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((int(found), NETWORK), strict=False))
