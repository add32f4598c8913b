"""Processes killed, a full disk, a database away or read-only, under load, many times.

``python -m benchmarks.faults [--times 50]`` runs ``eligibility serve --workers 2`` and callers
that send every request under an Idempotency-Key until it is acknowledged. It ends with 1 where
an acknowledged decision is not on record, a key has two, the log does not verify, or
``/readyz`` called a read-only database ready. PostgreSQL must be installed; a disk is filled
where this runs as root and may mount one, a file is made immutable where that stops its writers.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from eligibility.records.database import file_url
from faults.served import (
    WORKERS,
    Load,
    Served,
    outcome,
    readiness,
    served,
    server_read_only,
    sessions_read_only,
    wait_until,
)
from records import postgres

Fault = Callable[[], None]


def killing(service: Served, chance: random.Random) -> Fault:
    """A worker, the parent alone or everything at once; started again as a service manager does."""

    def worker() -> None:
        workers = service.workers()
        if not workers:
            return
        victim = chance.choice(workers)
        os.kill(victim, signal.SIGKILL)
        wait_until(
            lambda: victim not in service.workers() and len(service.workers()) == WORKERS,
            "a worker comes again",
        )

    def everything() -> None:
        service.kill_all()
        service.start()

    def parent() -> None:
        workers = service.workers()
        service.kill_parent()
        wait_until(lambda: not any(Path(f"/proc/{p}").exists() for p in workers), "workers end")
        service.start()

    return lambda: chance.choice([worker, worker, everything, parent])()


def restarting(server: postgres.Server, chance: random.Random) -> Fault:
    def restart() -> None:
        server.stop(chance.choice(["immediate", "fast"]))
        time.sleep(chance.uniform(0, 1))
        server.start(durable=True)

    return restart


def filling(folder: Path, load: Load) -> Fault:
    """The rest of the disk is taken until requests are refused, then given back."""
    ballast = folder / "ballast"

    def fill() -> None:
        before = sum(load.refusals.values())
        try:
            with ballast.open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(b"\0" * 65536)
            wait_until(lambda: sum(load.refusals.values()) > before + 3, "refusals")
        finally:
            ballast.unlink()

    return fill


def denying(service: Served, load: Load, deny: Fault, allow: Fault) -> Fault:
    """Writing is denied until requests are refused and nobody is ready, then allowed."""

    def strike() -> None:
        before = sum(load.refusals.values())
        deny()
        try:
            wait_until(lambda: sum(load.refusals.values()) > before + 3, "refusals")
            wait_until(lambda: readiness(service.address) == 503, "nobody is ready")
        finally:
            allow()
        wait_until(lambda: readiness(service.address) == 200, "it is ready again")

    return strike


def immutable(folder: Path, name: str) -> tuple[Fault, Fault]:
    """The database and its log, so that not even open files can be written."""

    def changed(how: str) -> None:
        files = [str(p) for p in folder.iterdir() if p.name in (name, f"{name}-wal")]
        subprocess.run(["chattr", how, *files], check=True)

    return lambda: changed("+i"), lambda: changed("-i")


def stops_writers(folder: Path) -> bool:
    """Whether an immutable file there cannot be written by who has it open."""
    probe = folder / "probe"
    with probe.open("wb", buffering=0) as file:
        if subprocess.run(["chattr", "+i", str(probe)], stderr=subprocess.DEVNULL).returncode:
            return False
        try:
            file.write(b"x")
        except OSError:
            return True
        finally:
            subprocess.run(["chattr", "-i", str(probe)], check=True)
            probe.unlink()
    return False


def measure(name: str, service: Served, load: Load, fault: Fault, times: int) -> bool:
    """Strikes so many times at random moments, then counts what is on record."""
    chance, began = random.Random(7), time.monotonic()
    for _ in range(times):
        load.wait_for(5)
        time.sleep(chance.uniform(0, 0.2))
        fault()
    load.wait_for(5)
    load.finish()
    seconds = (time.monotonic() - began) / times
    found = outcome(load, service.database_url)
    refusals = ", ".join(f"{n} × {s} {code}" for (s, code), n in sorted(load.refusals.items()))
    print(
        f"{name}: {times} times, {seconds:.1f} s each;"
        f" {found.acknowledged} decisions acknowledged, {found.lost} lost,"
        f" {found.doubled} twice, log {'verifies' if found.intact else 'DOES NOT VERIFY'};"
        f" {load.broken} connections broken; refused: {refusals or 'none'}",
        flush=True,
    )
    return found.sound and {status for status, _ in load.refusals} <= {503}


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Whether a file system of 16 MB could be mounted there."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, stderr=subprocess.DEVNULL).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


def on_sqlite(times: int) -> bool:
    chance = random.Random(20260105)
    with tempfile.TemporaryDirectory() as name:
        url = file_url(Path(name) / "records.db")
        with served(Path(name), url) as service, Load(service.address) as load:
            return measure("killed, SQLite", service, load, killing(service, chance), times)


def read_only_sqlite(times: int) -> bool:
    with tempfile.TemporaryDirectory() as name:
        if not stops_writers(Path(name)):
            print("read-only, SQLite: not tried, no file can be made immutable here", flush=True)
            return True
        url = file_url(Path(name) / "records.db")
        deny, allow = immutable(Path(name), "records.db")
        with served(Path(name), url) as service, Load(service.address) as load:
            fault = denying(service, load, deny, allow)
            return measure("read-only, SQLite", service, load, fault, times)


def on_postgresql(times: int) -> bool:
    chance, sound = random.Random(20260105), True
    with postgres.running(durable=True) as server, tempfile.TemporaryDirectory() as name:
        with served(Path(name), server.url) as service, Load(service.address) as load:
            fault = restarting(server, chance)
            sound &= measure("PostgreSQL restarted", service, load, fault, times)
        server.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        with served(Path(name), server.url) as service, Load(service.address) as load:
            sound &= measure("killed, PostgreSQL", service, load, killing(service, chance), times)
        server.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        ways = [sessions_read_only(server), server_read_only(server)]
        with served(Path(name), server.url) as service, Load(service.address) as load:
            faults = [denying(service, load, deny, allow) for deny, allow in ways]

            def either() -> None:
                chance.choice(faults)()

            sound &= measure("read-only, PostgreSQL", service, load, either, times)
    return sound


def full_disk(times: int) -> bool:
    with tempfile.TemporaryDirectory() as name, small_disk(Path(name)) as mounted:
        if not mounted:
            print("disk full: not tried, no file system can be mounted here")
            return True
        url = file_url(Path(name) / "records.db")
        with served(Path(name), url) as service, Load(service.address) as load:
            fault = filling(Path(name), load)
            return measure("disk full, SQLite", service, load, fault, min(times, 10))


KINDS = {
    "sqlite": on_sqlite,
    "read-only": read_only_sqlite,
    "postgresql": on_postgresql,
    "disk": full_disk,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=50, help="faults of each kind")
    parser.add_argument("--only", choices=KINDS, help="what goes wrong; default: everything")
    given = parser.parse_args()
    kinds = [KINDS[given.only]] if given.only else list(KINDS.values())
    sound = True
    for kind in kinds:
        sound &= kind(given.times)
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
