"""Tokens of an OpenID Connect provider, which here is a real HTTP server of this test."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi.testclient import TestClient
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from api.shapes import problem
from eligibility.api.app import create_app
from eligibility.api.oidc import is_safe
from eligibility.errors import MalformedInput
from eligibility.rulebase.model import Rulebase
from eligibility.settings import Settings

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class Provider:
    def __init__(self) -> None:
        self.fetched = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                documents = outer.documents()
                body = json.dumps(documents.get(self.path, {})).encode()
                outer.fetched += self.path == "/jwks"
                self.send_response(200 if self.path in documents else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def documents(self) -> dict[str, Any]:
        one = json.loads(RSAAlgorithm.to_jwk(RSA_KEY.public_key())) | {"kid": "rsa", "use": "sig"}
        two = json.loads(ECAlgorithm.to_jwk(EC_KEY.public_key())) | {"kid": "ec"}
        shared = {"kty": "oct", "kid": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.issuer,
                "jwks_uri": f"{self.issuer}/jwks",
            },
            "/jwks": {"keys": [one, two, shared]},
        }

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def guarded(
    rulebase: Rulebase, provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("oidc")
    settings = Settings(
        data_dir=str(folder),
        engine="native",
        auth="keys+oidc",
        oidc_issuer=provider.issuer,
        oidc_audience="eligibility",
        oidc_roles_claim="realm_access.roles",
    )
    with TestClient(create_app(rulebase, settings), raise_server_exceptions=False) as client:
        yield client


def claims(provider: Provider, **given: Any) -> dict[str, Any]:
    told = {
        "iss": provider.issuer,
        "aud": "eligibility",
        "sub": "法官甲",
        "exp": int(time()) + 600,
        "realm_access": {"roles": ["reviewer", "offline_access"]},
        "courts": ["亭湖法院"],
        **given,
    }
    return {name: value for name, value in told.items() if value is not None}


def ask(client: TestClient, token: str, path: str = "/v1/decisions") -> Any:
    return client.get(path, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize(
    ("key", "alg", "kid"),
    [(RSA_KEY, "RS256", "rsa"), (EC_KEY, "ES256", "ec"), (RSA_KEY, "PS256", "rsa")],
)
def test_a_good_token(
    guarded: TestClient, provider: Provider, key: Any, alg: str, kid: str
) -> None:
    if alg == "PS256":  # the key is published without its algorithm: RS256 is meant
        token = jwt.encode(claims(provider), key, alg, {"kid": kid})
        problem(ask(guarded, token), 401, "bad_credentials")
        return
    token = jwt.encode(claims(provider), key, alg, {"kid": kid})
    assert ask(guarded, token).status_code == 200
    court = "/v1/courts/{}/calendar.ics"
    assert ask(guarded, token, court.format("js-yancheng-tinghu")).status_code == 200
    problem(ask(guarded, token, court.format("js-yancheng-funing")), 404, "unknown_court")
    far = jwt.encode(claims(provider, courts="*"), key, alg, {"kid": kid})
    assert ask(guarded, far, court.format("js-yancheng-funing")).status_code == 200
    none = jwt.encode(claims(provider, courts=None), key, alg, {"kid": kid})
    problem(ask(guarded, none, court.format("js-yancheng-tinghu")), 404, "unknown_court")


def test_a_token_without_a_role_of_ours(guarded: TestClient, provider: Provider) -> None:
    for realm in ({"roles": ["root"]}, {}, "reviewer", None):
        token = jwt.encode(claims(provider, realm_access=realm), RSA_KEY, "RS256", {"kid": "rsa"})
        problem(ask(guarded, token), 403, "role_required")


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "http://127.0.0.1:1"},
        {"aud": "another"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"nbf": 4_000_000_000},
        {"sub": None},
        {"sub": "a\nb"},
    ],
)
def test_claims_that_do_not_fit(
    guarded: TestClient, provider: Provider, wrong: dict[str, Any]
) -> None:
    token = jwt.encode(claims(provider, **wrong), RSA_KEY, "RS256", {"kid": "rsa"})
    problem(ask(guarded, token), 401, "bad_credentials")


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(header: dict[str, Any], told: dict[str, Any], secret: bytes | None) -> str:
    text = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(told).encode())}"
    made = b"" if secret is None else hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"{text}.{b64(made)}"


def test_forgeries(guarded: TestClient, provider: Provider) -> None:
    told = claims(provider)
    good = jwt.encode(told, RSA_KEY, "RS256", {"kid": "rsa"})
    head, _, signature = good.split(".")
    tokens = [
        forged({"alg": "none", "typ": "JWT", "kid": "rsa"}, told, None),
        forged({"alg": "HS256", "typ": "JWT", "kid": "rsa"}, told, PEM),
        forged({"alg": "HS256", "typ": "JWT", "kid": "oct"}, told, b"secret" * 5),
        forged({"alg": "RS256", "typ": "JWT", "kid": "rsa"}, told, PEM),
        jwt.encode(told, STRANGER, "RS256", {"kid": "rsa"}),
        jwt.encode(told, STRANGER, "RS256", {"kid": "stranger"}),
        jwt.encode(told, RSA_KEY, "RS256"),
        jwt.encode(told, EC_KEY, "ES256", {"kid": "rsa"}),
        f"{head}.{b64(json.dumps(told | {'courts': '*'}).encode())}.{signature}",
        "a.b.c",
        "elg_" + good,
    ]
    for token in tokens:
        problem(ask(guarded, token), 401, "bad_credentials")


def test_unknown_keys_do_not_flood_the_provider(guarded: TestClient, provider: Provider) -> None:
    before = provider.fetched
    for number in range(20):
        token = jwt.encode(claims(provider), STRANGER, "RS256", {"kid": f"k{number}"})
        problem(ask(guarded, token), 401, "bad_credentials")
    assert provider.fetched - before <= 1


def test_without_its_provider_no_token_is_taken(rulebase: Rulebase, tmp_path: Path) -> None:
    settings = Settings(
        data_dir=str(tmp_path),
        engine="native",
        auth="oidc",
        oidc_issuer="http://127.0.0.1:9",
        oidc_audience="eligibility",
    )
    with TestClient(create_app(rulebase, settings), raise_server_exceptions=False) as client:
        token = jwt.encode({"sub": "a"}, RSA_KEY, "RS256", {"kid": "rsa"})
        problem(ask(client, token), 503, "provider_unavailable")
        problem(ask(client, f"elg_{'0' * 12}_{'0' * 64}"), 401, "bad_credentials")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"oidc_issuer": "https://sso.example"},
        {"oidc_issuer": "http://sso.example", "oidc_audience": "a"},
        {"oidc_issuer": "https://sso.example", "oidc_audience": "a", "oidc_jwks_url": "file:///x"},
    ],
)
def test_settings_that_would_not_be_safe(
    rulebase: Rulebase, tmp_path: Path, given: dict[str, str]
) -> None:
    settings = Settings(data_dir=str(tmp_path), auth="oidc", **given)  # type: ignore[arg-type]
    with pytest.raises(MalformedInput, match="bad_setting"):
        create_app(rulebase, settings)


def test_safe_addresses() -> None:
    assert is_safe("https://sso.example/x")
    assert is_safe("http://127.0.0.1:8080")
    assert is_safe("http://[::1]/")
    for url in (
        "http://sso.example",
        "http://127.0.0.1.example",
        "ftp://127.0.0.1",
        "https://",
        "",
    ):
        assert not is_safe(url)
