"""Whatever process dies at whatever moment: nothing acknowledged is lost, nothing is twice."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import httpx
import pytest

from eligibility.records.database import file_url
from faults.served import WORKERS, Load, disconnect, outcome, served, wait_until
from records import postgres

pytestmark = pytest.mark.slow


def test_killed_processes_lose_nothing(tmp_path: Path) -> None:
    """Workers come again by themselves; the service does when it is started, without repair."""
    chance = random.Random(20260104)
    url = file_url(tmp_path / "records.db")
    with served(tmp_path, url) as service, Load(service.address) as load:
        for _ in range(3):
            load.wait_for(10)
            time.sleep(chance.uniform(0, 0.1))
            victim = chance.choice(service.workers())
            os.kill(victim, signal.SIGKILL)
            wait_until(
                lambda gone=victim: (
                    gone not in service.workers() and len(service.workers()) == WORKERS
                ),
                "a worker that was killed comes again",
            )
        load.wait_for(10)
        service.kill_all()
        service.start()
        load.wait_for(10)
        workers = service.workers()
        service.kill_parent()
        wait_until(
            lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers),
            "workers end with their parent, or they would hold the port",
        )
        service.start()
        load.wait_for(10)
        load.finish()
        found = outcome(load, url)
        assert found.sound, found
        assert found.acknowledged > 50
        assert {status for status, _ in load.refusals} <= {503}
        key, made = next(iter(load.acknowledged.items()))
        again = httpx.get(f"{service.address}/v1/decisions/{made}")
        assert again.status_code == 200, key


@pytest.mark.parametrize("how", ["immediate", "fast"])
def test_postgresql_that_is_restarted(tmp_path: Path, server: postgres.Server, how: str) -> None:
    """While it is away every answer is a plain 503; afterwards the service goes on."""
    with served(tmp_path, server.url) as service, Load(service.address) as load:
        pid, workers = service.pid, service.workers()
        for _ in range(2):
            load.wait_for(20)
            server.stop(how)
            before = sum(load.refusals.values())
            wait_until(lambda n=before: sum(load.refusals.values()) > n + 3, "refusals")
            server.start(durable=True)
            load.wait_for(20)
        load.finish()
        assert (service.pid, service.workers()) == (pid, workers)  # nothing was started again
        assert set(load.refusals) == {(503, "database_unavailable")}
        assert load.broken == 0
        found = outcome(load, server.url)
        assert found.sound, found


def test_connections_that_postgresql_ends(tmp_path: Path, server: postgres.Server) -> None:
    with served(tmp_path, server.url) as service, Load(service.address) as load:
        for _ in range(5):
            load.wait_for(10)
            disconnect(server)
        load.wait_for(10)
        load.finish()
        assert set(load.refusals) <= {(503, "database_unavailable")}
        found = outcome(load, server.url)
        assert found.sound, found
