"""Who calls, and whether a route is for them.

Every route says next to it which roles may call it (:class:`Allowed`) or that anybody may
(:data:`PUBLIC`); whoever calls is found out before anything else of a request is read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from eligibility.api.oidc import BadToken, TokenReader
from eligibility.api.problems import RequestError, respond
from eligibility.api.rates import TOO_OFTEN, Rates, retry_after
from eligibility.courts.register import Register
from eligibility.errors import Problem, Text
from eligibility.records import keys
from eligibility.records.database import Database
from eligibility.records.keys import ROLES
from eligibility.settings import Settings

log = logging.getLogger("eligibility.access")
CHALLENGE = 'Bearer realm="eligibility"'
ALL_COURTS = "*"
_LONGEST = 16_384


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the name says how it was proved (``key:…``, ``oidc:…``, ``local``).

    ``courts``: ids of the courts whose cases it may see and record; None: of all.
    """

    name: str
    roles: frozenset[str]
    courts: frozenset[str] | None = None


LOCAL = Caller("local", frozenset(ROLES))
"""Whoever calls a service without authentication, which only this computer can reach."""


class AccessError(RequestError):
    """A refusal (401, 403, 429). ``reason`` is for the log: no secret and nothing of a case."""

    def __init__(
        self,
        status: int,
        problem: Problem,
        reason: str,
        challenge: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, problem)
        self.reason = reason
        self.headers = {"WWW-Authenticate": challenge} if challenge else dict(headers or {})


class Gate:
    """Finds out who calls, as ``ELIGIBILITY_AUTH`` says."""

    def __init__(self, settings: Settings, database: Database, register: Register) -> None:
        """Raises MalformedInput (``bad_setting``) where tokens could not be checked."""
        self._ways = frozenset(settings.auth.split("+"))
        self._database = database
        self._register = register
        self._tokens = TokenReader.of(settings) if "oidc" in self._ways else None

    async def caller(self, authorization: str | None, now: datetime) -> Caller:
        """Who sends this header Authorization. Raises AccessError (401)."""
        if "none" in self._ways:
            return LOCAL
        if authorization is None:
            said = Text("请求没有身份凭据", "the request has no credentials")
            hint = Text("请求头写 Authorization: Bearer …", "send Authorization: Bearer …")
            problem = Problem("not_authenticated", said, "Authorization", hint=hint)
            raise AccessError(401, problem, "no credentials", CHALLENGE)
        scheme, _, sent = authorization[:_LONGEST].partition(" ")
        if scheme.lower() != "bearer" or not sent.strip():
            raise _bad("not a bearer token")
        return await run_in_threadpool(self._who, sent.strip(), now)

    def _who(self, sent: str, now: datetime) -> Caller:
        if sent.startswith(keys.PREFIX) and "keys" in self._ways:
            return self._holder(sent, now)
        if self._tokens is None:
            raise _bad("not a key")
        try:
            token = self._tokens.read(sent)
        except BadToken as error:
            raise _bad(f"token: {error}") from error
        roles = frozenset(token.roles) & frozenset(ROLES)
        return Caller(f"oidc:{token.subject}", roles, self._courts(token.courts))

    def _holder(self, sent: str, now: datetime) -> Caller:
        with self._database.read() as connection:
            key = keys.presented(connection, sent)
        if key is None:
            raise _bad("unknown key")
        if key.state(now) != "valid":
            raise _bad(f"key {key.id} is {key.state(now)}")
        return Caller(f"key:{key.name}", key.roles, key.courts)

    def _courts(self, named: list[str]) -> frozenset[str] | None:
        """The courts of a token, by id, name or alias; a token that names none has none."""
        if ALL_COURTS in named:
            return None
        found = ((name, self._register.find(name)) for name in named)
        return frozenset(court.id if court else name for name, court in found)


class Allowed:
    """The roles that may call a route, declared next to it; as a dependency: the caller."""

    def __init__(self, *roles: str) -> None:
        unknown = set(roles) - set(ROLES)
        if unknown or not roles:
            raise ValueError(f"no roles: {sorted(unknown)}")
        self.roles = frozenset(roles)

    async def __call__(self, request: Request) -> Caller:
        gate: Gate = request.app.state.gate
        sent = request.headers.getlist("authorization")
        if len(sent) > 1:
            raise _bad("several headers Authorization")
        try:
            caller = await gate.caller(sent[0] if sent else None, request.app.state.clock())
        except AccessError:
            if sent:
                _count(request, None)
            raise
        request.state.caller = caller
        if caller is not LOCAL:
            _count(request, caller)
        if caller.roles & self.roles:
            return caller
        wanted = sorted(self.roles)
        said = Text(f"需要角色：{'、'.join(wanted)}", f"needs a role of: {', '.join(wanted)}")
        problem = Problem("role_required", said, allowed=tuple(wanted))
        challenge = f'{CHALLENGE}, error="insufficient_scope"'
        raise AccessError(403, problem, "wrong role", challenge)


def _count(request: Request, caller: Caller | None) -> None:
    """One request more of a caller, or of an address. Raises AccessError (429)."""
    limits: Rates = request.state.rates
    client = request.scope.get("client")
    wait = limits.of_caller(caller.name) if caller else limits.of_address(client)
    if wait:
        raise AccessError(429, TOO_OFTEN, "too many requests", headers=retry_after(wait))


async def anybody() -> None:
    """Declares that a route is for anybody: it tells nothing of a case."""


PUBLIC = Depends(anybody)
ANY_ROLE = Allowed(*ROLES)
DECIDING = Allowed("case_system", "reviewer")
READING = Allowed("case_system", "reviewer", "auditor")
CHECKING = Allowed("reviewer", "auditor")

Decides = Annotated[Caller, Depends(DECIDING)]
"""Decides cases and records what happens to them."""
Reads = Annotated[Caller, Depends(READING)]
"""Reads what is on record."""
Checks = Annotated[Caller, Depends(CHECKING)]
"""Computes again what is on record."""


def roles_of(route: object) -> frozenset[str] | None:
    """The roles that a route declares, none for a public one; None: it declares nothing."""
    dependant = getattr(route, "dependant", None)
    declared = [d.call for d in dependant.dependencies] if dependant else []
    for found in declared:
        if isinstance(found, Allowed):
            return found.roles
    return frozenset() if anybody in declared else None


def other_court(place: str, reason: str) -> AccessError:
    """The refusal of what concerns a court that is not the caller's."""
    said = Text(
        "只能办理凭据所限法院的案件，且案件须写明执行法院",
        "only cases of the caller's own courts, which must be named as executing court",
    )
    return AccessError(403, Problem("other_court", said, place), reason)


def install(app: FastAPI, gate: Gate, clock: Callable[[], datetime]) -> None:
    """Let the routes of the app ask the gate; refusals are answered and logged here."""
    app.state.gate = gate
    app.state.clock = clock
    app.add_exception_handler(AccessError, _refused)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AccessError)
    caller: Caller | None = getattr(request.state, "caller", None)
    log.warning(
        "refused %s %s: %s; %s %s from %s by %s",
        error.status,
        error.code,
        error.reason,
        request.method,
        # Never the address itself: it may hold the number of a case.
        getattr(request.scope.get("route"), "path", "?"),
        request.client.host if request.client else "?",
        repr(caller.name) if caller else "nobody known",
    )
    return respond(error.status, error.problems, error.headers)


def _bad(reason: str) -> AccessError:
    """One answer for every fault of a credential; only the log says which."""
    said = Text("身份凭据无效、已过期或已撤销", "the credentials are invalid, expired or revoked")
    problem = Problem("bad_credentials", said, "Authorization")
    return AccessError(401, problem, reason, f'{CHALLENGE}, error="invalid_token"')
