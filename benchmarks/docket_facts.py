"""The facts of a docket: ``python -m benchmarks.docket_facts [--rows N] [--seed S] [--narrow]``.

A made-up Parquet file of N cases, read once for what counts and once more to put the facts
in. Whole cases with all their columns (few made up, their debtors, properties and numbers drawn
anew for every case, half of the debtors from few), against a scan of the whole file on two
threads; with ``--narrow`` only the columns that count. Prints seconds, microseconds a case,
ratios to the scan, and the peak of memory, each step in a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eligibility.docket.batches import ahead, read_batches
from eligibility.docket.facts import DocketFacts
from eligibility.docket.mentions import read_mentions
from eligibility.docket.synth import DEBTORS, OTHER_DEBTORS, Synthesis
from eligibility.docket.tables import docket_schema
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules

AS_OF = date(2025, 6, 1)
CHUNK = 1 << 16
DISTINCT = 50_000
STATUSES = ("enforcing", "suspended", "terminated_this_time", "completed", "terminated")
WEIGHTS = (0.5, 0.05, 0.25, 0.15, 0.05)


def narrow(rulebase: Rulebase, rows: int, seed: int) -> Iterator[pa.RecordBatch]:
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


def whole(rulebase: Rulebase, rows: int, seed: int) -> Iterator[pa.RecordBatch]:
    """Cases with all their columns, drawn again from few that were made up, with debtors,
    properties and numbers of their own.
    """
    random = np.random.default_rng(seed)
    cases = list(Synthesis(rulebase, seed, AS_OF).cases(min(rows, DISTINCT)))
    made = pa.RecordBatch.from_pylist(cases, docket_schema(rulebase.vocabulary))
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        batch = made.take(pa.array(random.integers(0, len(cases), count)))
        for name, key, draw in (
            ("debtors", "debtor_id", lambda named: _debtors(random, named)),
            ("properties", "property_id", lambda named: random.integers(0, 20 * rows, named)),
        ):
            at = batch.schema.get_field_index(name)
            drawn = _with_ids(batch.column(at), key, draw)
            batch = batch.set_column(at, name, drawn)
        numbers = [f"（2025）川0104执{start + n}号" for n in range(count)]
        yield batch.set_column(
            batch.schema.get_field_index("case_no"), "case_no", pa.array(numbers)
        )


def _debtors(random: np.random.Generator, named: int) -> Any:
    """As :class:`Synthesis` draws them."""
    few = (random.pareto(0.5, named) * 20).astype(np.int64) % DEBTORS
    other = DEBTORS + random.integers(0, OTHER_DEBTORS, named)
    return np.where(random.random(named) < 0.5, few, other)


def _with_ids(column: pa.Array, key: str, draw: Callable[[int], Any]) -> pa.Array:
    """A column of records that have identifiers of 20 characters drawn anew where they had any."""
    records = column.flatten()
    children = dict(zip([f.name for f in records.type], records.flatten(), strict=True))
    numbers = draw(len(records))
    ids = pa.array([f"51010400{number:012d}" for number in numbers])
    silent = pa.scalar(None, pa.string())
    children[key] = pc.if_else(children[key].is_valid(), ids, silent)
    made = pa.StructArray.from_arrays(list(children.values()), names=list(children))
    sizes = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), made)


def make(path: Path, rows: int, seed: int, batches: Any) -> None:
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
    pa.set_cpu_count(2)
    clock = Clock()
    _scan(path)
    return {"scan": clock.read()}


def _scan(path: Path) -> None:
    with pq.ParquetFile(path) as file:
        for _ in file.iter_batches(CHUNK):
            pass


def gather(path: Path) -> dict[str, Seconds]:
    """The first pass, reading ahead of counting; then filling, without what reading takes."""
    pa.set_cpu_count(2)
    rulebase = load_rules(None)
    clock = Clock()
    mentions = ahead(read_mentions(path, rulebase.vocabulary))
    facts = DocketFacts.of_mentions(mentions, rulebase, "sc", AS_OF)
    spent = {"first pass": clock.read()}
    filling = [0.0, 0.0]
    for batch, _, _ in read_batches(path, CHUNK):
        clock.read()
        facts.filled(batch)
        for at, seconds in enumerate(clock.read()):
            filling[at] += seconds
    return spent | {"filling": (filling[0], filling[1])}


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
    parser.add_argument("--narrow", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "docket.parquet")
        # In a process of its own, whose memory does not count.
        made = narrow if given.narrow else whole
        context = multiprocessing.get_context("spawn")
        maker = context.Process(target=make, args=(path, given.rows, given.seed, made))
        maker.start()
        maker.join()
        print(f"{given.rows:,} cases, {path.stat().st_size / 1e6:,.0f} MB of Parquet")
        scanned: Seconds = (1.0, 1.0)
        for work in (scan, gather):
            found, peak = apart(work, path)
            scanned = found.get("scan", scanned)
            for name, spent in found.items():
                by_clock, by_processor = (s / one for s, one in zip(spent, scanned, strict=True))
                print(
                    f"{name}: {spent[0]:.2f} s ({by_clock:.2f} x the scan), of the processor "
                    f"{spent[1]:.2f} s ({by_processor:.2f} x), {spent[1] / given.rows * 1e6:.2f} "
                    "us a case"
                )
            print(f"peak {peak:,.0f} MB")


if __name__ == "__main__":
    main()
