"""Whether the service's memory stays level over millions of decisions.

``python -m benchmarks.soak_service`` sends batches to one server, no case twice, and prints
what its processes occupy; the last line is the growth a million decisions.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from statistics import linear_regression

from benchmarks.load import BatchConnection, batches, load
from benchmarks.serving import Server, bodies, end_orderly, machine

CONNECTIONS = 8
LINES = 200
EVERY = 100_000
READINGS = 10  # at the least
POLL_SECONDS = 0.05
MB = 1024 * 1024


async def soak(server: Server, path: str, decisions: int) -> list[tuple[int, int]]:
    """Decisions answered so far and bytes occupied then, printed as they are read."""
    every = max(1, min(EVERY, decisions // READINGS))
    readings: list[tuple[int, int]] = []
    async with load(
        server.port, batches(path, bodies(), LINES), CONNECTIONS, BatchConnection
    ) as tally:
        while not readings or readings[-1][0] < decisions:
            await asyncio.sleep(POLL_SECONDS)
            rate = tally.rate()
            if tally.answered < min(every * (len(readings) + 1), decisions):
                continue
            readings.append((tally.answered, server.rss()))
            print(
                f"{tally.answered:>12,} decisions  {readings[-1][1] / MB:8.1f} MB  "
                f"{rate:10,.0f} decisions/s",
                flush=True,
            )
    tally.check()
    if tally.refused:
        raise RuntimeError(f"{tally.refused} lines were refused")
    return readings


def growth(readings: list[tuple[int, int]]) -> float:
    """Bytes a million decisions: the least-squares line through the later half of readings.

    The earlier half is left out: while code and caches are first used, memory grows.
    """
    later = readings[len(readings) // 2 :]
    if len({answered for answered, _ in later}) < 2:
        raise ValueError("too few readings to tell growth by")
    slope: float = linear_regression(*zip(*later, strict=True)).slope
    return slope * 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak_service")
    parser.add_argument("--decisions", type=int, default=2_000_000, help="default: 2000000")
    parser.add_argument("--recorded", action="store_true", help="record every decision")
    parser.add_argument("--answer", choices=("brief", "whole"), default="brief")
    parser.add_argument("--workers", type=int, default=1, help="default: 1")
    parser.add_argument("--folder", type=Path, help="where the log is; default: temporary files")
    given = parser.parse_args()
    end_orderly()
    dry_run = "" if given.recorded else "&dry_run=true"
    path = f"/v1/decisions/batch?answer={given.answer}{dry_run}"
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name).resolve()
        print(machine(folder))
        with Server.eligibility(folder, given.workers) as server:
            print(f"{path}, {given.workers} worker(s); at the start {server.rss() / MB:.1f} MB")
            readings = asyncio.run(soak(server, path, given.decisions))
    print(
        f"growth: {growth(readings) / MB:+.1f} MB per million decisions "
        f"(later half of {len(readings)} readings)"
    )


if __name__ == "__main__":
    main()
