"""The facts of a docket: ``python -m benchmarks.docket_facts [--rows N] [--seed S]``.

A made-up Parquet file of N cases (identifiers of 18 characters, few debtors with many cases),
read once for what counts and once to put the facts in, against a scan of the same columns.
Prints seconds and the peak of memory, each step in a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from eligibility.docket.facts import DocketFacts
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules

AS_OF = date(2025, 6, 1)
CHUNK = 1 << 16
STATUSES = ("enforcing", "suspended", "terminated_this_time", "completed", "terminated")
WEIGHTS = (0.5, 0.05, 0.25, 0.15, 0.05)


def batches(rulebase: Rulebase, rows: int, seed: int) -> Iterator[pa.RecordBatch]:
    """Cases with one to three debtors, half of whom are drawn from few (Zipf)."""
    random = np.random.default_rng(seed)
    courts = [court.id for court in rulebase.courts.values() if court.level == "basic"]
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        held = random.choice((1, 2, 3), count, p=(0.8, 0.15, 0.05))
        offsets = np.concatenate(([0], np.cumsum(held))).astype(np.int32)
        named = int(offsets[-1])
        few = (random.pareto(0.5, named) * 20).astype(np.int64) % 200_000
        other = 200_000 + random.integers(0, 2 * rows, named)
        debtors = np.where(random.random(named) < 0.5, few, other)
        ids = pa.array([f"5101{number:014d}" for number in debtors])
        unknown = pa.nulls(named, pa.int64())
        records = pa.StructArray.from_arrays(
            [ids, unknown, unknown], ["debtor_id", "same_debtor_open_cases", "same_debtor_courts"]
        )
        assets = random.integers(0, 20 * rows, count)
        held_assets = pa.StructArray.from_arrays(
            [pa.array([f"5101040010{number:012d}" for number in assets])], ["property_id"]
        )
        yield pa.RecordBatch.from_pydict(
            {
                "case_no": [f"（2025）川0104执{start + n}号" for n in range(count)],
                "court_id": random.choice(courts, count),
                "procedure_status": random.choice(STATUSES, count, p=WEIGHTS),
                "debtors": pa.ListArray.from_arrays(pa.array(offsets), records),
                "properties": pa.ListArray.from_arrays(
                    pa.array(np.arange(count + 1, dtype=np.int32)), held_assets
                ),
                "court_overloaded": pa.nulls(count, pa.bool_()),
            }
        )


def make(path: Path, rows: int, seed: int) -> None:
    writer = None
    for batch in batches(load_rules(None), rows, seed):
        writer = writer or pq.ParquetWriter(path, batch.schema, compression="zstd")
        writer.write_batch(batch)
    if writer is not None:
        writer.close()


Seconds = tuple[float, float]  # on the clock, and of the processor


class Clock:
    """Seconds since the last reading: a busy machine makes the two differ."""

    def __init__(self) -> None:
        self.begun = time.perf_counter(), time.process_time()

    def read(self) -> Seconds:
        now = time.perf_counter(), time.process_time()
        spent = now[0] - self.begun[0], now[1] - self.begun[1]
        self.begun = now
        return spent


def scan(path: Path) -> dict[str, Seconds]:
    clock = Clock()
    with pq.ParquetFile(path) as file:
        for _ in file.iter_batches(CHUNK):
            pass
    return {"scan": clock.read()}


def gather(path: Path) -> dict[str, Seconds]:
    rulebase = load_rules(None)
    clock = Clock()
    facts = DocketFacts.gather([path], rulebase, "sc", AS_OF)
    spent = {"first pass": clock.read()}
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(CHUNK):
            facts.filled(batch)
    return spent | {"scan, fill and columns of the result": clock.read()}


def apart(work: Any, path: Path) -> tuple[dict[str, Seconds], float]:
    """The seconds of a step run in a new process, and the peak of its memory in MB."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        return pool.apply(measured, (work, path))


def measured(work: Any, path: Path) -> tuple[dict[str, Seconds], float]:
    found: dict[str, Seconds] = work(path)
    return found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "docket.parquet")
        make(path, given.rows, given.seed)
        print(f"{given.rows:,} cases, {path.stat().st_size / 1e6:,.0f} MB of Parquet")
        for work in (scan, gather):
            found, peak = apart(work, path)
            for name, (seconds, busy) in found.items():
                print(f"{name}: {seconds:.2f} s, of the processor {busy:.2f} s")
            print(f"peak {peak:,.0f} MB")


if __name__ == "__main__":
    main()
