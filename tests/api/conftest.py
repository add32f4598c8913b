"""One service for all tests, of the rule base as shipped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from eligibility.api.app import create_app
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules
from eligibility.settings import Settings


@pytest.fixture(scope="session")
def rulebase() -> Rulebase:
    return load_rules()


@pytest.fixture(scope="session")
def app(rulebase: Rulebase) -> FastAPI:
    return create_app(rulebase, Settings())


@pytest.fixture(scope="session")
def client(app: FastAPI) -> Iterator[TestClient]:
    """A client that is answered what a caller is: a failure inside is a 500, not an exception."""
    with TestClient(app, raise_server_exceptions=False) as found:
        yield found
