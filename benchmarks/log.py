"""What the chain costs a record, and how fast a log is verified and replayed.

``python -m benchmarks.log`` prints medians over the shipped examples, in a temporary folder.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import yaml

from eligibility.decision.decide import Decider
from eligibility.records import chain
from eligibility.records.database import Database, file_url
from eligibility.records.follow_up import FollowUps
from eligibility.records.replay import Replayer
from eligibility.records.rulebases import Library
from eligibility.records.seals import LogKey
from eligibility.records.verification import verify
from eligibility.rulebase.loader import load
from eligibility.rulefiles import read_texts, shipped

KEY = LogKey("a key that is good for measuring only")
DAY = date(2024, 9, 2)
RECORDS = 1000


def examples() -> list[dict[str, Any]]:
    """The cases of the shipped examples, as requests."""
    files = sorted(shipped("examples").glob("*.yaml"))
    read = [yaml.safe_load(file.read_text("utf-8")) for file in files]
    cases = [{"case": request["case"], "profile": request.get("profile")} for request in read]
    found: list[dict[str, Any]] = json.loads(json.dumps(cases, default=str))
    return found


def seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def main() -> None:
    texts = read_texts(shipped("rules"))
    decider = Decider(load(texts))
    with tempfile.TemporaryDirectory() as folder:
        database = Database.open(file_url(Path(folder) / "log.db"))
        followed = FollowUps(database, decider, texts, KEY)
        asked = examples()
        bodies = [
            decider.decide(r["case"], today=DAY, profile=r["profile"], engine="native")
            for r in asked
        ]
        parts = ["x"] * (len(chain.SEALED) - 1) + [json.dumps(bodies[0], ensure_ascii=False)]
        links = [seconds(lambda: chain.link(KEY, "x", parts)) for _ in range(RECORDS)]
        print(f"body: {len(parts[-1].encode()) / 1000:.0f} kB")
        print(f"sealing a record: {median(links) * 1e6:.0f} µs")
        taken = []
        for i in range(RECORDS):
            body = bodies[i % len(bodies)] | {"case_no": str(i)}
            case = asked[i % len(asked)]["case"]
            for name in ("case_no", "执行案号"):
                case.pop(name, None)
            request = {"case": case | {"case_no": str(i)}}
            taken.append(
                seconds(lambda r=request, b=body: followed.record_decision(r, b, datetime.now(UTC)))
            )
        print(f"recording a decision with its duties: {median(taken) * 1e3:.1f} ms")
        library = Library(database, KEY)
        found = verify(database, KEY, library=library)
        assert found.intact, found.findings
        once_more = seconds(lambda: verify(database, KEY, library=library))
        print(f"verifying, its rule base once loaded: {RECORDS / once_more:,.0f} records/s")
        replayer = Replayer(database, KEY)
        replays = list(replayer.replay_all())
        again = seconds(lambda: list(replayer.replay_all()))
        print(f"replaying: {len(replays) / again:,.0f} decisions/s")
        replayer.close()
        followed.close()
    decider.close()


if __name__ == "__main__":
    main()
