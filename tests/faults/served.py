"""The service as it is run, callers that never give up, and what must hold afterwards."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import httpx
from sqlalchemy import select

from eligibility.records.database import Database
from eligibility.records.seals import LogKey
from eligibility.records.tables import DECISIONS, IDEMPOTENCY
from eligibility.records.verification import verify
from records import postgres

BASE = Path(__file__).resolve().parent.parent / "rules" / "base"
SECRET = "a key of the tests, long enough to be one"
WORKERS = 2
PATIENCE = 60.0
"""Seconds within which the service must be there (again)."""


def wait_until(holds: object, what: str, patience: float = PATIENCE) -> None:
    until = time.monotonic() + patience
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < until, what
        time.sleep(0.05)


def readiness(address: str) -> int:
    """What ``/readyz`` answers; 0 where nobody does."""
    try:
        return httpx.get(f"{address}/readyz", timeout=30).status_code
    except httpx.TransportError:
        return 0


Way = tuple[Callable[[], None], Callable[[], None]]
"""To deny something, and to allow it again."""


def sessions_read_only(server: postgres.Server) -> Way:
    """The default of the database, which sessions keep that began under it; all begin anew."""

    def by_default(how: str) -> None:
        server.execute(f"ALTER DATABASE postgres {how}", "template1")

    def deny() -> None:
        by_default("SET default_transaction_read_only = on")
        disconnect(server)

    return deny, lambda: by_default("RESET default_transaction_read_only")


def server_read_only(server: postgres.Server) -> Way:
    """The default of the server, at once for sessions at work."""

    def by_default(how: str) -> None:
        server.execute(f"ALTER SYSTEM {how}", "template1")
        server.execute("SELECT pg_reload_conf()", "template1")

    return (
        lambda: by_default("SET default_transaction_read_only = on"),
        lambda: by_default("RESET default_transaction_read_only"),
    )


def disconnect(server: postgres.Server) -> None:
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        "template1",
    )


class Served:
    """``eligibility serve --workers 2`` over a database, with a port of its own."""

    def __init__(self, folder: Path, database_url: str, **settings: str) -> None:
        self.database_url = database_url
        self.log = folder / "service.log"
        self.port = _free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            "ELIGIBILITY_DATABASE_URL": database_url,
            "ELIGIBILITY_DATA_DIR": str(folder),
            "ELIGIBILITY_LOG_KEY": SECRET,
            "ELIGIBILITY_ENGINE": "native",
            "ELIGIBILITY_LOG_LEVEL": "warning",
            **{f"ELIGIBILITY_{name.upper()}": value for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        arguments = ["--rules", str(BASE), "--port", str(self.port), "--workers", str(WORKERS)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "eligibility", "serve", *arguments],
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Until it answers."""
        wait_until(self._answers, self.said())

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.address}/healthz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def workers(self) -> list[int]:
        """The processes that answer requests."""
        try:
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text("ascii")
            pids = [int(pid) for pid in children.split()]
            return [p for p in pids if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]
        except FileNotFoundError:  # one ended meanwhile
            return []

    def kill_all(self) -> None:
        os.killpg(self.pid, signal.SIGKILL)
        self._reap()

    def kill_parent(self) -> None:
        """The parent alone; what becomes of the workers is theirs."""
        os.kill(self.pid, signal.SIGKILL)
        self._reap()

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill_all()

    def _reap(self) -> None:
        assert self._process is not None
        self._process.wait(20)

    def said(self) -> str:
        return self.log.read_text("utf-8", "replace")[-3000:]


@contextmanager
def served(folder: Path, database_url: str, **settings: str) -> Iterator[Served]:
    service = Served(folder, database_url, **settings)
    service.start()
    try:
        service.wait()
        yield service
    finally:
        service.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Load:
    """Callers that send each request, under one key, until it is acknowledged."""

    address: str
    callers: int = 4
    acknowledged: dict[str, str] = field(default_factory=dict)
    refusals: Counter[tuple[int, str]] = field(default_factory=Counter)
    broken: int = 0
    """Requests whose connection broke, so that nobody knew what became of them."""
    _stop: Event = field(default_factory=Event)
    _faults: list[BaseException] = field(default_factory=list)
    _threads: list[Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._threads = [Thread(target=self._call, args=(n,)) for n in range(self.callers)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.finish()

    def finish(self) -> None:
        """No new requests; returns when all that were sent are acknowledged."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._faults:
            raise self._faults[0]

    def wait_for(self, more: int) -> None:
        """Until so many more are acknowledged."""
        goal = len(self.acknowledged) + more
        wait_until(
            lambda: self._faults or len(self.acknowledged) >= goal,
            f"{len(self.acknowledged)} acknowledged, refused: {self.refusals}",
        )

    def _call(self, caller: int) -> None:
        try:
            number = 0
            while not self._stop.is_set():
                number += 1
                self._send(f"{caller}-{number}")
        except BaseException as fault:  # raised where the load ends
            self._faults.append(fault)

    def _send(self, key: str) -> None:
        asked = {"case": {"case_no": f"（2024）苏0902执{key}号"}, "as_of": "2024-09-02"}
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                answer = httpx.post(
                    f"{self.address}/v1/decisions",
                    json=asked,
                    headers={"Idempotency-Key": key},
                    timeout=30,
                )
            except httpx.TransportError:
                self.broken += 1
                time.sleep(0.05)
                continue
            if answer.status_code == 201:
                self.acknowledged[key] = answer.json()["decision_id"]
                return
            self.refusals[answer.status_code, answer.json()["code"]] += 1
            time.sleep(0.05)
        raise AssertionError(f"{key} was never acknowledged; refused: {self.refusals}")


@dataclass(frozen=True)
class Outcome:
    acknowledged: int
    lost: int
    doubled: int
    intact: bool

    @property
    def sound(self) -> bool:
        return self.intact and not self.lost and not self.doubled


def outcome(load: Load, database_url: str) -> Outcome:
    """What became of all that was sent: each was acknowledged in the end, and is one record."""
    database = Database.open(database_url)
    try:
        with database.read() as connection:
            ids = list(connection.execute(select(DECISIONS.c.id)).scalars())
            rows = connection.execute(select(IDEMPOTENCY.c.key, IDEMPOTENCY.c.decision_id))
            keys = {row.key: row.decision_id for row in rows}
        log = verify(database, LogKey(SECRET))
    finally:
        database.close()
    assert log.records == len(ids), json.dumps(log.as_dict(), ensure_ascii=False)
    lost = [k for k, made in load.acknowledged.items() if keys.get(k) != made or made not in ids]
    return Outcome(len(load.acknowledged), len(lost), len(ids) - len(keys), log.intact)
