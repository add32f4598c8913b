"""Processes killed, a full disk and a database that is away, under load, many times.

``python -m benchmarks.faults [--times 50]`` runs ``eligibility serve --workers 2`` and callers
that send every request under an Idempotency-Key until it is acknowledged. It ends with 1 where
an acknowledged decision is not on record, a key has two, or the log does not verify. PostgreSQL
must be installed; a disk is filled where this runs as root and may mount one.
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
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from eligibility.records.database import file_url
from faults.served import WORKERS, Load, Served, outcome, served, wait_until
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
        with ballast.open("wb") as file:
            try:
                while True:
                    file.write(b"\0" * 65536)
                    file.flush()
            except OSError:
                pass
        wait_until(lambda: sum(load.refusals.values()) > before + 3, "refusals")
        ballast.unlink()

    return fill


def measure(name: str, service: Served, load: Load, fault: Fault, times: int) -> bool:
    """Strikes so many times at random moments, then counts what is on record."""
    chance = random.Random(7)
    for _ in range(times):
        load.wait_for(5)
        time.sleep(chance.uniform(0, 0.2))
        fault()
    load.wait_for(5)
    load.finish()
    found = outcome(load, service.database_url)
    refusals = ", ".join(f"{n} × {s} {code}" for (s, code), n in sorted(load.refusals.items()))
    print(
        f"{name}: {times} times; {found.acknowledged} decisions acknowledged, {found.lost} lost,"
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=50, help="faults of each kind")
    times = parser.parse_args().times
    chance = random.Random(20260105)
    sound = True
    with tempfile.TemporaryDirectory() as name:
        url = file_url(Path(name) / "records.db")
        with served(Path(name), url) as service, Load(service.address) as load:
            sound &= measure("killed, SQLite", service, load, killing(service, chance), times)
    with postgres.running(durable=True) as server, tempfile.TemporaryDirectory() as name:
        with served(Path(name), server.url) as service, Load(service.address) as load:
            fault = restarting(server, chance)
            sound &= measure("PostgreSQL restarted", service, load, fault, times)
        server.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        with served(Path(name), server.url) as service, Load(service.address) as load:
            sound &= measure("killed, PostgreSQL", service, load, killing(service, chance), times)
    with tempfile.TemporaryDirectory() as name, small_disk(Path(name)) as mounted:
        if not mounted:
            print("disk full: not tried, no file system can be mounted here")
            return 0 if sound else 1
        url = file_url(Path(name) / "records.db")
        with served(Path(name), url) as service, Load(service.address) as load:
            fault = filling(Path(name), load)
            sound &= measure("disk full, SQLite", service, load, fault, min(times, 10))
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
