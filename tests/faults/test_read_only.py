"""A database that is only read for a time: refused plainly, and well again without a restart."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from eligibility.records.database import Database
from faults.served import (
    Load,
    Way,
    outcome,
    readiness,
    served,
    server_read_only,
    sessions_read_only,
    wait_until,
)
from records import postgres

OWNER = "clerk"
IN_THEIR_WAY = Path(__file__).with_name("read_only_file.py")


def insert_revoked(server: postgres.Server) -> Way:
    """The right to add to one table, taken from the user that the service is."""
    change = f"INSERT ON decisions {{}} {OWNER}"
    return (
        lambda: server.execute(f"REVOKE {change.format('FROM')}"),
        lambda: server.execute(f"GRANT {change.format('TO')}"),
    )


WAYS = {
    "new sessions": (sessions_read_only, "read-only transaction"),
    "the server": (server_read_only, "read-only transaction"),
    "a right": (insert_revoked, "permission denied"),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_postgresql_that_is_only_read(tmp_path: Path, server: postgres.Server, way: str) -> None:
    server.execute(f"CREATE ROLE {OWNER} LOGIN; GRANT ALL ON SCHEMA public TO {OWNER}")
    url = server.url.replace("tester:hush-hush", OWNER)
    making, reason = WAYS[way]
    deny, allow = making(server)
    with served(tmp_path, url) as service, Load(service.address) as load:
        pid, workers = service.pid, service.workers()
        for _ in range(2):
            load.wait_for(10)
            deny()
            before = sum(load.refusals.values())
            wait_until(lambda n=before: sum(load.refusals.values()) > n + 5, "refusals")
            wait_until(lambda: readiness(service.address) == 503, "nobody is ready")
            check_said(service.address, reason)
            allow()
            wait_until(lambda: readiness(service.address) == 200, "it is ready again")
            load.wait_for(10)
        load.finish()
        assert set(load.refusals) == {(503, "database_unavailable")}
        assert (service.pid, service.workers()) == (pid, workers)  # nothing was started again
        found = outcome(load, url)
        assert found.sound, found


def check_said(address: str, reason: str) -> None:
    """Both the readiness and a refused decision say why; what is on record can be read."""
    ready = httpx.get(f"{address}/readyz", timeout=30)
    decided = httpx.post(f"{address}/v1/decisions", json={"case": {}}, timeout=30)
    for answer in (ready, decided):
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "database_unavailable"
        assert reason in answer.json()["detail"]
    assert httpx.get(f"{address}/v1/decisions?limit=1", timeout=30).json()["count"] == 1


def test_a_reading_leaves_the_default_of_the_server(server: postgres.Server) -> None:
    """The driver would begin READ WRITE on a connection that was used to read before."""
    database = Database.open(server.url)
    with database.read() as connection:
        connection.exec_driver_sql("SELECT 1")
    _, allow = server_read_only(server)
    deny, _ = server_read_only(server)
    deny()
    wait_until(lambda: default_of(database) == "on", "the server reads its settings")
    with database.begin() as connection:
        found = connection.exec_driver_sql("SHOW transaction_read_only").scalar()
    assert found == "on"
    allow()
    database.close()


def default_of(database: Database) -> object:
    with database.begin() as connection:
        return connection.exec_driver_sql("SHOW default_transaction_read_only").scalar()


def test_a_file_that_is_only_read_for_a_time(tmp_path: Path) -> None:
    """In a process for which the permissions of a file hold, which they do not for root."""
    bound = "--bounding-set=-dac_override,-dac_read_search"
    as_others = ["setpriv", bound] if os.geteuid() == 0 else []
    script = [sys.executable, str(IN_THEIR_WAY), str(tmp_path)]
    tests = str(Path(__file__).resolve().parent.parent)
    done = subprocess.run(
        [*as_others, *script],
        env={**os.environ, "PYTHONPATH": tests},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["acknowledged", "refused", "acknowledged"]
