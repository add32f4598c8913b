"""The server of PostgreSQL that a test may stop and start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from records import postgres


@pytest.fixture(name="server")
def fixture_server() -> Iterator[postgres.Server]:
    with postgres.running(durable=True) as made:
        yield made
