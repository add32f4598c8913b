"""Whole dockets: ``python -m benchmarks.docket [--rows N] [--rounds N] [--differential N]``.

Without options: a made-up docket of N cases, Parquet to Parquet, against a raw scan of the
same file with pyarrow. ``--differential N``: N made-up cases screened in batches and decided
one by one, every column of the result compared, the days of change too; prints every
difference and exits 1 if there is one.
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
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from eligibility.decision.assess import assess
from eligibility.decision.changes import changes_on
from eligibility.decision.decide import Decider
from eligibility.decision.modes import recommended_mode
from eligibility.decision.questions import Interview
from eligibility.docket import tables
from eligibility.docket.batches import ROWS, read_batches, write_batches
from eligibility.docket.results import COLUMNS, result_schema
from eligibility.docket.run import run
from eligibility.docket.screening import Screening
from eligibility.docket.synth import Synthesis
from eligibility.errors import EligibilityError
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules
from eligibility.vocabulary.payload import read_case

AS_OF = date(2025, 6, 1)
DISTINCT = 50_000
STAGED = 4  # batches looked at stage by stage
PROFILES = ("national", "js-yancheng", "sc")
COMPARED = tuple(name for name in COLUMNS if name not in ("case_no", "court_id", "error"))


def alone(decider: Decider, payload: Any, profile: str) -> tuple[Any, ...]:
    """What the native engine says of one case."""
    try:
        case = read_case(payload, decider.rulebase.vocabulary, AS_OF)
        found = assess(decider.programs.at(profile, AS_OF), case, AS_OF, "native")
    except EligibilityError as error:
        return ("error", error.code)
    rules = found.program.circuit.rules
    effective = [r.id for i, r in enumerate(rules) if found.verdicts.effective >> i & 1]
    several = len(found.outcomes) > 1
    unknown = sorted(Interview(found, found.question()).paths()) if several else []
    day = changes_on(found, decider.programs) or {"date": None, "outcome": None}
    names = (found.outcome, list(found.outcomes), recommended_mode(found), effective)
    return *names, unknown, day["date"], day["outcome"]


def differential(rulebase: Rulebase, rows: int, seed: int) -> int:
    """The number of cases answered otherwise in a batch than alone."""
    decider, differences = Decider(rulebase), 0
    schema = tables.docket_schema(rulebase.vocabulary)
    try:
        for profile in PROFILES:
            screening = Screening(decider, AS_OF, AS_OF, profile, True)
            cases = Synthesis(rulebase, seed, AS_OF).cases(rows // len(PROFILES))
            while batch := list(islice(cases, tables.BATCH)):
                arrow = pa.RecordBatch.from_pylist(batch, schema)
                found = screening.screen_batch(arrow, ("docket", 1)).to_pylist()
                for payload, entry in zip(batch, found, strict=True):
                    one = alone(decider, payload, profile)
                    differences += differs(one, entry, payload)
    finally:
        decider.close()
    return differences


def differs(one: tuple[Any, ...], entry: tables.Entry, payload: Any) -> bool:
    many = tuple(entry[name] for name in COMPARED)
    same = one[1] in entry["error"] if entry["error"] else one == many
    if not same:
        print(f"{payload['case_no']}: alone {one}, in the docket {many} {entry['error']}")
    return not same


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
    """Seconds of the clock and of the processors."""

    wall: float
    processor: float

    @classmethod
    def on(cls, work: Callable[[], None]) -> Spent:
        wall, processor = time.perf_counter(), time.process_time()
        work()
        return cls(time.perf_counter() - wall, time.process_time() - processor)


def measure(rulebase: Rulebase, rows: int, seed: int, rounds: int) -> None:
    """Paired rounds: a raw scan, then the same file screened to a file."""
    pa.set_cpu_count(2)
    decider = Decider(rulebase)
    screening = Screening(decider, AS_OF, AS_OF, None, False)
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "docket.parquet"), Path(folder, "result.parquet")
        # In a process of its own, whose memory does not count.
        maker = get_context("spawn").Process(target=made_up, args=(rows, seed, source))
        maker.start()
        maker.join()

        def screen() -> None:
            run(screening, [source], out)

        cold = Spent.on(lambda: _first_batch(screening, source))
        print(f"programs and diagrams made in {cold.wall:.1f} s (once a process)")
        screening.odd = 0
        pairs = [(Spent.on(lambda: scanned(source)), Spent.on(screen)) for _ in range(rounds)]
        odd = screening.odd / rows / rounds
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        _stages(screening, source, rows)
    decider.close()
    for scan, screened_ in pairs:
        print(
            f"{rows:,} cases: scan {scan.wall:.2f} s, screening {screened_.wall:.2f} s; "
            f"{rows / screened_.wall:,.0f} cases/s"
        )
    wall = statistics.median(s.wall / scan.wall for scan, s in pairs)
    processor = statistics.median(s.processor / scan.processor for scan, s in pairs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"median {wall:.1f} x the scan by the clock, {processor:.1f} x by processor time")
    print(f"judged alone {odd:.3%} of rows; peak {peak:,.0f} MB")


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--differential", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rulebase = load_rules(None)
    if given.differential:
        found = differential(rulebase, given.differential, given.seed)
        print(f"{given.differential:,} cases, {found} differences")
        return 1 if found else 0
    measure(rulebase, given.rows, given.seed, given.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
