"""Whole dockets: ``python -m benchmarks.docket [--rows N] [--rounds R] [--peers] …``.

A made-up docket of N cases, Parquet to Parquet, with and without the facts of the docket (the
debtor aggregate), in rounds paired with a raw scan of the same file (pyarrow, two threads); the
same of N/10 cases for linearity; the peak of memory of all processes. ``--peers``: beside it
DuckDB with SQL made from the same circuit, ``native`` row by row, and Spark on this machine.
``--csv N``: a CSV of N cases read as
columns and row by row. ``--differential N``: N cases, half of them hostile, screened in
batches and decided one by one, every column of the result compared, the days of change too; with
``--spark`` also by Spark from the same file. Prints every difference and exits 1 if there is one.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.docket_differential import differential
from benchmarks.docket_peers import PEERS, beside_peers
from benchmarks.memory import apart
from eligibility.decision.decide import Decider
from eligibility.docket import tables
from eligibility.docket.batches import ROWS, ahead, read_batches, write_batches
from eligibility.docket.children import usual_workers
from eligibility.docket.facts import DocketFacts
from eligibility.docket.results import result_schema
from eligibility.docket.run import run, run_docket
from eligibility.docket.screening import Screening
from eligibility.docket.sheets import read_blocks
from eligibility.docket.synth import Synthesis
from eligibility.rulefiles import load_rules

AS_OF = date(2025, 6, 1)
CORES = 2
SCAN, ALONE, FACTS = "scan", "screening", "screening with the facts of the docket"
DISTINCT = 50_000
STAGED = 4  # batches looked at stage by stage


def made_up(rows: int, seed: int, path: Path) -> None:
    """A docket of so many rows: at most ``DISTINCT`` made-up cases, repeated in another order
    under case numbers of their own. Making each case anew would take an hour a million.
    """
    rulebase = load_rules(None)
    cases = list(Synthesis(rulebase, seed, AS_OF).cases(min(rows, DISTINCT)))
    whole = pa.Table.from_pylist(cases, tables.docket_schema(rulebase.vocabulary))
    order = np.random.default_rng(seed)
    with pq.ParquetWriter(path, whole.schema, compression="zstd") as writer:
        for first in range(0, rows, ROWS):
            count = min(ROWS, rows - first)
            part = whole.take(pa.array(_chosen(order, count, len(cases))))
            numbers = [f"（2025）执{first + n + 1}号" for n in range(count)]
            at = part.schema.get_field_index("case_no")
            writer.write_table(part.set_column(at, "case_no", pa.array(numbers)))


def _chosen(order: np.random.Generator, count: int, cases: int) -> Any:
    whole = [order.permutation(cases) for _ in range(count // cases + 1)]
    return np.concatenate(whole)[:count]


def scanned(path: Path) -> None:
    """The file read with pyarrow on two threads, and nothing done with it."""
    with pq.ParquetFile(path) as file:
        for _ in file.iter_batches(batch_size=ROWS):
            pass


@dataclass
class Spent:
    """Seconds of the clock and of the processors, those of processes that ended with it."""

    wall: float
    processor: float

    @classmethod
    def on(cls, work: Callable[[], object]) -> Spent:
        begun = time.perf_counter(), _busy()
        work()
        return cls(time.perf_counter() - begun[0], _busy() - begun[1])


def _busy() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


@dataclass
class Measured:
    """One docket: seconds of each round, and what of its rows was judged alone."""

    rows: int
    rounds: list[dict[str, Spent]]
    odd: float
    compiled: float
    peak: float = 0.0

    def times(self, name: str) -> float:
        """The median over the rounds of the time by the clock, against the scan beside it."""
        return statistics.median(r[name].wall / r[SCAN].wall for r in self.rounds)

    def busy(self, name: str) -> float:
        return statistics.median(r[name].processor / r[SCAN].processor for r in self.rounds)

    def each(self, name: str) -> float:
        """Median seconds a case."""
        return statistics.median(r[name].wall for r in self.rounds) / self.rows


def screened(screening: Screening, source: Path, out: Path, facts: bool) -> None:
    """A docket screened as ``screen`` does, with the facts of the docket or without."""
    base, gather = screening.decider.rulebase, None
    if facts:
        gather = partial(
            DocketFacts.of_mentions, rulebase=base, profile=screening.profile, day=AS_OF
        )
    run_docket(screening, [source], out, gather, workers=usual_workers())


def measured(source: Path, rows: int, rounds: int, stages: bool) -> Measured:
    """Rounds of a scan, then the same file screened without and with the facts of the docket."""
    pa.set_cpu_count(CORES)
    decider = Decider(load_rules(None))
    screening = Screening(decider, AS_OF, AS_OF, None, False)
    cold = Spent.on(lambda: _first_batch(screening, source))
    screening.odd = 0
    out = source.with_name("result.parquet")
    works: dict[str, Callable[[], None]] = {
        SCAN: partial(scanned, source),
        ALONE: partial(screened, screening, source, out, False),
        FACTS: partial(screened, screening, source, out, True),
    }
    found = [{name: Spent.on(work) for name, work in works.items()} for _ in range(rounds)]
    odd = screening.odd / max(rows, 1) / rounds / 2
    if stages:
        _stages(screening, source, rows)
    decider.close()
    return Measured(rows, found, odd, cold.wall)


def measure(rows: int, seed: int, rounds: int, folder: Path) -> Path:
    """The docket and a tenth of it; both are printed. The docket's file."""
    found = []
    for count in dict.fromkeys((max(rows // 10, 1), rows)):
        source = folder / f"docket-{count}.parquet"
        apart(made_up, count, seed, source)
        one, peak = apart(measured, source, count, rounds, count == rows)
        one.peak = peak
        found.append(one)
        _show(one, source)
    if len(found) == 2:
        for name in (ALONE, FACTS):
            ratio = found[1].each(name) / found[0].each(name)
            print(f"{name}: time a case at {rows:,} is {ratio:.3f} x that at {rows // 10:,}")
    return source


def _show(found: Measured, source: Path) -> None:
    size = source.stat().st_size / 1e6
    print(f"{found.rows:,} cases, {size:,.0f} MB; compiled in {found.compiled:.1f} s (once)")
    for spent in found.rounds:
        said = ", ".join(f"{name} {s.wall:.2f} s" for name, s in spent.items())
        print(f"  {said}")
    for name in (ALONE, FACTS):
        rate = 1 / found.each(name)
        print(
            f"  {name}: {found.times(name):.2f} x the scan by the clock, {found.busy(name):.2f} x "
            f"by processor time; {rate:,.0f} cases/s (medians of {len(found.rounds)})"
        )
    print(f"  judged alone {found.odd:.3%} of rows; peak of all processes {found.peak:,.0f} MB")


def _first_batch(screening: Screening, source: Path) -> None:
    for batch, first, _ in islice(read_batches(source, ROWS), 1):
        screening.screen_batch(batch, (str(source), first))


def _stages(screening: Screening, source: Path, rows: int) -> None:
    """Processor time of each stage alone, in microseconds a case."""
    read: list[Any] = []
    found: list[Any] = []
    stages: dict[str, Callable[[], None]] = {
        "read": lambda: read.extend(islice(read_batches(source, ROWS), STAGED)),
        "judge": lambda: found.extend(
            screening.screen_batch(batch, (str(source), first)) for batch, first, _ in read
        ),
        "write": lambda: write_batches(
            source.with_name("stage.parquet"), ".parquet", found, result_schema()
        ),
    }
    spent = {name: Spent.on(work).processor for name, work in stages.items()}
    cases = min(rows, STAGED * ROWS)
    print(", ".join(f"{name} {s / cases * 1e6:.2f} us/case" for name, s in spent.items()))


def measure_csv(rows: int, seed: int, rounds: int, folder: Path) -> None:
    """A CSV of so many rows: read as columns against row by row, alone and screened."""
    parquet, source = folder / "table.parquet", folder / "table.csv"
    apart(made_up, rows, seed, parquet)
    with pq.ParquetFile(parquet) as file:
        names = list(file.schema_arrow.names)
        batches = (b.to_pylist() for b in file.iter_batches(tables.BATCH))
        tables.write_rows(source, ".csv", (tables.csv_cases(b, names) for b in batches))
    print(f"CSV of {rows:,} cases, {source.stat().st_size / 1e6:,.0f} MB")
    found, peak = apart(csv_ways, source, rounds)
    for name, (one, many) in found.items():
        ratio = statistics.median(a / b for a, b in zip(one, many, strict=True))
        each = [statistics.median(way) / rows * 1e6 for way in (one, many)]
        print(
            f"  {name}: row by row {each[0]:.1f} us a case, as columns {each[1]:.1f}: "
            f"{ratio:.1f} x faster (median of {rounds})"
        )
    print(f"  peak of all processes {peak:,.0f} MB")


def csv_ways(source: Path, rounds: int) -> dict[str, tuple[list[float], list[float]]]:
    """Seconds by either reader, round by round: reading alone, and screening to a file."""
    decider = Decider(load_rules(None))
    screening = Screening(decider, AS_OF, AS_OF, None, False)
    vocabulary, out = decider.rulebase.vocabulary, source.with_name("result.parquet")

    def rows_screened() -> None:
        listed = tables.read_rows(source, vocabulary, None)
        parts = iter(lambda: list(islice(listed, tables.BATCH)), [])
        found = (screening.screen_rows(part) for part in ahead(parts))
        write_batches(out, ".parquet", found, result_schema())

    ways: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "reading": (
            lambda: sum(1 for _ in tables.read_rows(source, vocabulary, None)),
            lambda: sum(1 for _ in read_blocks(source, vocabulary)),
        ),
        "screening": (rows_screened, lambda: run(screening, [source], out)),
    }
    run(screening, [source], out)  # programs and diagrams
    spent = {
        name: [tuple(Spent.on(way).wall for way in both) for _ in range(rounds)]
        for name, both in ways.items()
    }
    decider.close()
    return {name: ([a for a, _ in p], [b for _, b in p]) for name, p in spent.items()}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--differential", type=int, default=0)
    parser.add_argument("--spark", action="store_true", help="in --differential, Spark too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--csv", type=int, default=0, help="rows of a CSV, by either reader")
    parser.add_argument("--peers", nargs="*", choices=PEERS, help="without a name: all of them")
    parser.add_argument("--sample", type=int, default=10_000, help="rows of native, and compared")
    parser.add_argument("--folder", type=Path, help="where the files are kept meanwhile")
    given = parser.parse_args()
    if given.differential:
        return 1 if differential(given.differential, given.seed, given.spark) else 0
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        if given.csv:
            measure_csv(given.csv, given.seed, given.rounds, Path(name))
            return 0
        source = measure(given.rows, given.seed, given.rounds, Path(name))
        if given.peers is None:
            return 0
        asked = given.peers or PEERS
        return beside_peers(source, given.rows, given.rounds, given.sample, AS_OF, asked)


if __name__ == "__main__":
    sys.exit(main())
