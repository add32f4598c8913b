"""What many activations leave in memory, and what looking at the schedule costs.

``python -m benchmarks.activations [COUNT]`` alternates between six versions of the shipped rule
base in one process, as a worker of the service follows them: loaded, compiled with both engines,
decided by, recorded by, let go. Prints the memory of the process.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter

from eligibility.api.versions import Versions
from eligibility.decision.decide import Decider
from eligibility.engines.soak import resident_kib
from eligibility.records import activations
from eligibility.records.database import Database, file_url
from eligibility.records.follow_up import FollowUps
from eligibility.records.rulebases import Library
from eligibility.records.seals import LogKey
from eligibility.rulebase.loader import load
from eligibility.rulefiles import read_texts, shipped

KEY = LogKey("a key that is good for measuring only")
DAY = date(2026, 1, 1)
COUNT = 1000
REPORTS = 10
LOOKS = 2000


def versions() -> list[dict[str, str]]:
    """The shipped rule base, and others that differ in their version and so in their digest."""
    texts = read_texts(shipped("rules"))
    version = load(texts).version
    made = [
        {name: text.replace(f'"{version}"', f'"{version}-{n}"') for name, text in texts.items()}
        for n in range(6)
    ]
    if len({load(one).digest for one in made}) != len(made):
        raise SystemExit("the versions do not differ")
    return made


def main(count: int) -> None:
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        database = Database.open(file_url(Path(folder) / "r.db"))
        made = versions()
        own = load(made[0])
        with database.begin() as connection:
            digests = [
                activations.publish(connection, texts, datetime.now(UTC), KEY)[0].digest
                for texts in made
            ]
        service = Versions(own, "verified", lambda: DAY)
        followed = FollowUps(database, service.current.decider, made[0], KEY)
        service.attach(database, Library(database, KEY), lambda v: followed.serve(v.decider))
        _look(database)
        start = perf_counter()
        for number in range(count + 1):
            if number % max(count // REPORTS, 1) == 0:
                seconds = perf_counter() - start
                print(
                    f"activations {number:>6,}  {resident_kib():>9,} KiB  {seconds:7.1f} s",
                    flush=True,
                )
            _activate(database, service, followed, digests[number % len(digests)], own.digest)
        followed.close()
        service.close()


def _activate(
    database: Database, service: Versions, followed: FollowUps, digest: str, own: str
) -> None:
    now = datetime.now(UTC)
    with database.begin() as connection:
        activations.activate(connection, digest, DAY, now, served=own, by="benchmark")
    service.refresh()
    with service.using(service.digest_on(DAY)) as version:
        decider: Decider = version.decider
        body = decider.decide({}, today=DAY)
        if body["rulebase"]["digest"] != digest:
            raise SystemExit("the activation was not followed")
        followed.record_decision({"case": {}}, body, now, decider=decider)


def _look(database: Database) -> None:
    """What reading the number of the last activation would cost every request."""
    start = perf_counter()
    for _ in range(LOOKS):
        with database.read() as connection:
            activations.latest(connection)
    print(f"one look at the schedule: {(perf_counter() - start) / LOOKS * 1e6:.0f} µs")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT)
