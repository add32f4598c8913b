"""Bearer tokens of an OpenID Connect provider: signed JWTs, checked against its published keys.

Only asymmetric signatures count, by keys that the provider publishes and the token names; the
keys are kept for a while and fetched again where a token names another one, but not more often
than every :data:`PAUSE` seconds, or anybody could make the service flood its provider.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from ipaddress import ip_address
from threading import Lock
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

import jwt
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from eligibility.api.problems import RequestError
from eligibility.errors import MalformedInput, Problem, Text
from eligibility.settings import Settings

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
KEY_TYPES = ("RSA", "EC", "OKP")
LEEWAY = 30
"""Seconds by which the clocks of provider and service may differ."""
LIFETIME = 300
PAUSE = 10
TIMEOUT = 5
MOST_BYTES = 1_000_000

log = logging.getLogger("eligibility.access")


class BadToken(Exception):
    """A token that proves nothing; the message holds none of its text."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says of its holder."""

    subject: str
    roles: list[str]
    courts: list[str]


class TokenReader:
    """Reads tokens of one issuer for one audience; may be shared by threads."""

    def __init__(
        self, issuer: str, audience: str, keys: ProviderKeys, roles_claim: str, courts_claim: str
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._claims = roles_claim, courts_claim

    @classmethod
    def of(cls, settings: Settings) -> TokenReader:
        """Raises MalformedInput (``bad_setting``) for what is missing or not safe."""
        issuer = _setting(settings.oidc_issuer, "ISSUER")
        audience = _setting(settings.oidc_audience, "AUDIENCE")
        for url, name in ((issuer, "ISSUER"), (settings.oidc_jwks_url, "JWKS_URL")):
            if url is not None and not is_safe(url):
                raise _bad_setting(name, "须为 https 地址", "must be an https URL")
        keys = ProviderKeys(issuer, settings.oidc_jwks_url)
        return cls(issuer, audience, keys, settings.oidc_roles_claim, settings.oidc_courts_claim)

    def read(self, text: str) -> Token:
        """Raises BadToken, and RequestError (503, ``provider_unavailable``)."""
        try:
            header = jwt.get_unverified_header(text)
            if header.get("alg") not in ALGORITHMS:
                raise BadToken("algorithm not allowed")
            claims = jwt.decode(
                text,
                self._keys.named(header.get("kid")),
                algorithms=list(ALGORITHMS),
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (PyJWTError, ValueError, TypeError) as error:
            raise BadToken(type(error).__name__) from error
        subject = claims["sub"]
        if not isinstance(subject, str) or not subject.strip() or not subject.isprintable():
            raise BadToken("no subject")
        roles, courts = (_words(_claim(claims, name)) for name in self._claims)
        return Token(subject[:200], roles, courts)


class ProviderKeys:
    """The signing keys that a provider publishes."""

    def __init__(self, issuer: str, url: str | None) -> None:
        self._issuer = issuer
        self._url = url
        self._lock = Lock()
        self._found: dict[str, PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")

    def named(self, kid: object) -> PyJWK:
        """The key of this id. Raises BadToken, RequestError (503) where none can be had."""
        if not isinstance(kid, str):
            raise BadToken("names no key")
        with self._lock:
            age, pause = monotonic() - self._fetched_at, monotonic() - self._tried_at
            if (kid not in self._found or age > LIFETIME) and pause > PAUSE:
                self._refresh()
            if not self._found:
                raise _unavailable()
            if kid not in self._found:
                raise BadToken("unknown key id")
            return self._found[kid]

    def _refresh(self) -> None:
        """Fetch the keys; those known stay where the provider cannot be reached."""
        self._tried_at = monotonic()
        try:
            listed = fetch_json(self._jwks_url())["keys"]
            found = dict(_usable(entry) for entry in listed if _signs(entry))
        except (OSError, ValueError, TypeError, KeyError, PyJWTError) as error:
            log.error("the keys of the identity provider cannot be had: %s", error)
            return
        self._found = found
        self._fetched_at = monotonic()

    def _jwks_url(self) -> str:
        if self._url is not None:
            return self._url
        document = fetch_json(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != self._issuer:
            raise ValueError("the discovery document is of another issuer")
        url = document.get("jwks_uri")
        if not isinstance(url, str) or not is_safe(url):
            raise ValueError("the discovery document names no https address of keys")
        return url


class _Stay(HTTPRedirectHandler):
    """Follows no redirection: it could lead to where nothing is encrypted."""

    def redirect_request(self, *arguments: Any, **named: Any) -> None:
        return None


def fetch_json(url: str) -> dict[str, Any]:
    """A JSON object from an address that :func:`is_safe`. Raises OSError, ValueError."""
    with build_opener(_Stay).open(url, timeout=TIMEOUT) as answer:
        body = answer.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise ValueError("the answer is too long")
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError("the answer is no JSON object")
    return document


def is_safe(url: str) -> bool:
    """Whether nobody on the way can change what is fetched: https, or this computer itself."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        return bool(host)
    if parts.scheme != "http":
        return False
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _signs(entry: Any) -> bool:
    """A public key for signatures, with an id; a shared secret in the list is none."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("kid"), str)
        and entry.get("kty") in KEY_TYPES
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", ALGORITHMS[0]) in ALGORITHMS
    )


def _usable(entry: dict[str, Any]) -> tuple[str, PyJWK]:
    return entry["kid"], PyJWK.from_dict(entry)


def _claim(claims: dict[str, Any], name: str) -> Any:
    """A claim by its name, or by its path (``realm_access.roles``)."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _words(value: Any) -> list[str]:
    """A list of words, however it is written; anything else is none."""
    if isinstance(value, str):
        return value.split()
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


def _setting(value: str | None, name: str) -> str:
    if not value:
        raise _bad_setting(name, "使用 oidc 时必须设置", "is required with oidc")
    return value


def _bad_setting(name: str, zh: str, en: str) -> MalformedInput:
    return MalformedInput(Problem("bad_setting", Text(zh, en), f"ELIGIBILITY_OIDC_{name}"))


def _unavailable() -> RequestError:
    said = Text(
        "身份认证服务不可用，暂时无法核验令牌",
        "the identity provider is out of reach, so no token can be checked",
    )
    return RequestError(503, Problem("provider_unavailable", said))
