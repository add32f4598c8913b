"""The HTTP service beside handlers that do nothing, and the batch route.

``python -m benchmarks.service`` prints, from one run:

- ``POST /v1/decisions`` (``verified``, every decision recorded and on the disk when answered)
  relative to the same route doing nothing (same application, middleware and checks of the
  request, ready answers of the same sizes) and to a bare FastAPI handler. One worker, 16
  connections, each asking again when answered; rounds are paired, the figures are medians.
- decisions a second of ``POST /v1/decisions/batch``, with one worker and two.

The load is made by this process, the servers are others. Every request is another case.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from statistics import median, quantiles

from benchmarks.load import BatchConnection, Tally, batches, load, singles
from benchmarks.serving import Server, bodies, end_orderly, examples, machine

CONNECTIONS = 16
BATCH_CONNECTIONS = 2  # a worker
LEAST_LINES = 256  # a round lasts until so many are answered, however slow they are
POLL_SECONDS = 0.05
ROUTE = "/v1/decisions"
WARM_UP = 0.5
IDLE = {"same": "same route doing nothing", "bare": "bare FastAPI handler"}
BATCHES = {
    "dry run, brief": "?dry_run=true&answer=brief",
    "dry run, whole": "?dry_run=true&answer=whole",
    "recorded, brief": "?answer=brief",
    "recorded, whole": "?answer=whole",
}


async def measure(
    port: int, requests: Iterator[bytes], seconds: float
) -> tuple[float, float, Tally]:
    """Answers a second, the share of a core that asking took, and the tally."""
    async with load(port, requests, CONNECTIONS) as tally:
        await asyncio.sleep(seconds)
        rate, effort = tally.rate(), tally.effort()
    tally.check()
    return rate, effort, tally


async def measure_batches(
    port: int, requests: Iterator[bytes], seconds: float, connections: int
) -> tuple[float, float, Tally]:
    """The same of batches: lines answered a second."""
    async with load(port, requests, connections, BatchConnection) as tally:
        await asyncio.sleep(seconds)
        while tally.answered < LEAST_LINES:
            await asyncio.sleep(POLL_SECONDS)
            tally.check()
        rate, effort = tally.rate(), tally.effort()
    tally.check()
    return rate, effort, tally


def compare(folder: Path, seconds: float, rounds: int) -> None:
    """Print the route relative to those that do nothing."""
    asked = bodies()
    with ExitStack() as servers:
        real = servers.enter_context(Server.eligibility(folder / "single"))
        ready = folder / "answers"
        answers = [real.post(ROUTE, body) for body in islice(asked, len(examples()))]
        ready.write_bytes(b"".join(answer.rstrip() + b"\n" for answer in answers))
        ports = {"decisions": real.port}
        for kind in IDLE:
            idle = Server(["benchmarks.idle_server", kind, str(ready)], folder / kind)
            ports[kind] = servers.enter_context(idle).port
        requests = singles(ROUTE, asked)
        for port in ports.values():
            asyncio.run(measure(port, requests, WARM_UP))
        found: dict[str, list[tuple[float, float, Tally]]] = {name: [] for name in ports}
        for number in range(rounds):
            names = list(ports)
            for name in names[number % len(names) :] + names[: number % len(names)]:
                found[name].append(asyncio.run(measure(ports[name], requests, seconds)))
    print(f"answers: {median(map(len, answers)) / 1000:.0f} kB (median)")
    for name, rows in found.items():
        waited = quantiles([w for *_, tally in rows for w in tally.waited], n=100)
        print(
            f"{IDLE.get(name, 'POST /v1/decisions, recorded')}: "
            f"{median(rate for rate, *_ in rows):,.0f} requests/s, "
            f"{waited[49] * 1e3:.1f} ms (99 %: {waited[98] * 1e3:.1f} ms), "
            f"load took {median(effort for _, effort, _ in rows):.0%} of a core"
        )
    for kind, words in IDLE.items():
        ratios = [a[0] / b[0] for a, b in zip(found["decisions"], found[kind], strict=True)]
        print(
            f"decisions relative to the {words}: {median(ratios):.2f} "
            f"(rounds: {', '.join(f'{ratio:.2f}' for ratio in ratios)})"
        )


def batch(folder: Path, seconds: float, rounds: int, lines: int, workers: int) -> None:
    """Print what the batch route decides a second."""
    asked = bodies()
    with Server.eligibility(folder / f"batch-{workers}", workers) as server:
        for words, query in BATCHES.items():
            requests = batches(f"{ROUTE}/batch{query}", asked, lines)
            rows = []
            for _ in range(rounds):
                rows.append(
                    asyncio.run(
                        measure_batches(server.port, requests, seconds, BATCH_CONNECTIONS * workers)
                    )
                )
                server.settle()
            refused = sum(tally.refused for *_, tally in rows)
            print(
                f"batch, {words}, {workers} worker{'s' * (workers > 1)}: "
                f"{median(rate for rate, *_ in rows):,.0f} decisions/s, "
                f"load took {median(effort for _, effort, _ in rows):.0%} of a core"
                + (f"; {refused} LINES REFUSED" if refused else "")
            )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a round; default: 5")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--lines", type=int, default=200, help="of a batch; default: 200")
    parser.add_argument("--folder", type=Path, help="where the log is; default: temporary files")
    given = parser.parse_args()
    end_orderly()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name).resolve()
        print(machine(folder), flush=True)
        print(f"{given.rounds} rounds of {given.seconds:g} s, {CONNECTIONS} connections")
        compare(folder, given.seconds, given.rounds)
        print(f"batches of {given.lines} lines, {BATCH_CONNECTIONS} connections a worker")
        for workers in (1, 2):
            batch(folder, given.seconds, given.rounds, given.lines, workers)


if __name__ == "__main__":
    main()
