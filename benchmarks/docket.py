"""Whole dockets: ``python -m benchmarks.docket [--rows N] [--differential N]``.

Without options: a made-up docket of N cases, Parquet to Parquet, against a raw scan of the
same file with pyarrow. ``--differential N``: N made-up cases screened in batches and decided
one by one; prints every difference and exits 1 if there is one.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from eligibility.decision.assess import assess
from eligibility.decision.decide import Decider
from eligibility.decision.modes import recommended_mode
from eligibility.docket import tables
from eligibility.docket.results import Row
from eligibility.docket.screening import Screening
from eligibility.docket.synth import Synthesis
from eligibility.errors import EligibilityError
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules
from eligibility.vocabulary.payload import read_case

AS_OF = date(2025, 6, 1)
PROFILES = ("national", "js-yancheng", "sc")


def alone(decider: Decider, payload: Any, profile: str) -> tuple[Any, ...]:
    """What the native engine says of one case."""
    try:
        case = read_case(payload, decider.rulebase.vocabulary, AS_OF)
        found = assess(decider.programs.at(profile, AS_OF), case, AS_OF, "native")
    except EligibilityError as error:
        return ("error", error.code)
    rules = found.program.circuit.rules
    effective = [r.id for i, r in enumerate(rules) if found.verdicts.effective >> i & 1]
    return found.outcome, list(found.outcomes), recommended_mode(found), effective


def differential(rulebase: Rulebase, rows: int, seed: int) -> int:
    """The number of cases answered otherwise in a batch than alone."""
    decider, differences = Decider(rulebase), 0
    try:
        for profile in PROFILES:
            screening = Screening(decider, AS_OF, AS_OF, profile, False)
            cases = Synthesis(rulebase, seed, AS_OF).cases(rows // len(PROFILES))
            while batch := list(islice(cases, tables.BATCH)):
                placed = [Row(str(i), payload) for i, payload in enumerate(batch)]
                for payload, entry in zip(batch, screening.screen(placed), strict=True):
                    one = alone(decider, payload, profile)
                    differences += differs(one, entry, payload)
    finally:
        decider.close()
    return differences


def differs(one: tuple[Any, ...], entry: tables.Entry, payload: Any) -> bool:
    names = ("outcome", "possible_outcomes", "recommended_mode", "effective_rules")
    many = tuple(entry[name] for name in names)
    same = one[1] in entry["error"] if entry["error"] else one == many
    if not same:
        print(f"{payload['case_no']}: alone {one}, in the docket {many} {entry['error']}")
    return not same


def measure(rulebase: Rulebase, rows: int, seed: int) -> None:
    decider = Decider(rulebase)
    screening = Screening(decider, AS_OF, AS_OF, None, False)
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "docket.parquet"), Path(folder, "result.parquet")
        cases = Synthesis(rulebase, seed, AS_OF).cases(rows)
        made = iter(lambda: list(islice(cases, tables.BATCH)), [])
        tables.write_rows(source, ".parquet", made, tables.docket_schema(rulebase.vocabulary))
        begun = time.perf_counter()
        with pq.ParquetFile(source) as file:
            for _ in file.iter_batches(batch_size=tables.BATCH):
                pass
        scanned = time.perf_counter() - begun
        read = tables.read_rows(source, rulebase.vocabulary, None)
        batches = iter(lambda: list(islice(read, tables.BATCH)), [])
        found = (list(screening.screen(batch)) for batch in batches)
        begun = time.perf_counter()
        tables.write_rows(out, ".parquet", found, tables.result_schema())
        spent = time.perf_counter() - begun
    decider.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{rows:,} cases: scan {scanned:.2f} s; screening {spent:.1f} s")
    print(f"{rows / spent:,.0f} cases/s, {spent / scanned:.0f} x the scan, peak {peak:,.0f} MB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--differential", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rulebase = load_rules(None)
    if given.differential:
        found = differential(rulebase, given.differential, given.seed)
        print(f"{given.differential:,} cases, {found} differences")
        return 1 if found else 0
    measure(rulebase, given.rows, given.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
