"""schemathesis over the whole of ``/openapi.json``, with every check, against a running service."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from eligibility.records import keys
from eligibility.records.database import Database, file_url

CONFIGURATION = Path(__file__).parent / "schemathesis"


@pytest.fixture(name="served")
def fixture_served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The address of a service that asks for keys, and the header of a key with every role."""
    database = Database.open(file_url(tmp_path / "eligibility.db"))
    with database.begin() as connection:
        _, secret = keys.create(connection, "all", list(keys.ROLES), datetime.now(UTC), None, None)
    database.close()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "eligibility", "serve", "--port", str(port)],
        env={
            **os.environ,
            "ELIGIBILITY_DATA_DIR": str(tmp_path),
            "ELIGIBILITY_AUTH": "keys",
            "ELIGIBILITY_LOG_LEVEL": "warning",
            "ELIGIBILITY_SCREENING_JOBS": "0",
            "ELIGIBILITY_SCREENING_QUEUE": "1000000",
        },
    )
    address, end = f"http://127.0.0.1:{port}", time.monotonic() + 60
    try:
        while True:
            try:
                if httpx.get(f"{address}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                assert time.monotonic() < end
                assert process.poll() is None
                time.sleep(0.1)
        yield address, f"Authorization: Bearer {secret}"
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_every_operation_passes_every_check(served: tuple[str, str]) -> None:
    address, header = served
    operations = sum(len(m) for m in httpx.get(f"{address}/openapi.json").json()["paths"].values())
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json"),
            *("--header", header, "--checks", "all", "--continue-on-failure"),
            *("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "5"),
            *("--seed", "20240922", "--generation-database", "none", "--no-color"),
            *("--suppress-health-check", "all", "--request-timeout", "30"),
        ],
        cwd=CONFIGURATION,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "serializers", "PYTHONPATH": str(CONFIGURATION)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr
    tested = re.search(r"Tested: (\d+)", ran.stdout)
    assert tested is not None
    assert int(tested[1]) == operations
