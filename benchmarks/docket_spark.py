"""A docket by Spark against the same here: ``python -m benchmarks.docket_spark [--rows N]``.

One made-up docket in Parquet, both runners in turn on the same cores, warm: the virtual
machine runs, the workers have compiled the rule base. Prints the times and their ratio, and
exits 1 where the answers differ. Without the facts of the docket, and with them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq

from eligibility.decision.decide import Decider
from eligibility.docket import tables
from eligibility.docket.children import usual_workers
from eligibility.docket.facts import DocketFacts
from eligibility.docket.mentions import read_mentions
from eligibility.docket.parts import whole_folder
from eligibility.docket.run import run
from eligibility.docket.screening import Screening
from eligibility.docket.spark import Cluster, Gather, connected, screened
from eligibility.docket.synth import Synthesis
from eligibility.docket.tally import Tally
from eligibility.docket.tasks import Job
from eligibility.rulebase.loader import load
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import read_texts, rules_folder

AS_OF = date(2025, 6, 1)
LARGEST_GROUP, GROUPS = 65_536, 12


def docket(path: Path, rulebase: Rulebase, rows: int, distinct: int) -> None:
    """``rows`` cases, of which ``distinct`` are different, in row groups as large as usual."""
    cases = Synthesis(rulebase, 1, AS_OF).cases(min(rows, distinct))
    made = iter(lambda: list(islice(cases, tables.BATCH)), [])
    schema = tables.docket_schema(rulebase.vocabulary)
    group = max(1, min(LARGEST_GROUP, rows // GROUPS))
    part = path.with_suffix(".part.parquet")
    tables.write_rows(part, ".parquet", made, schema)
    table = pq.read_table(part)
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for done in range(0, rows, len(table)):
            writer.write_table(table.slice(0, rows - done), row_group_size=group)
    part.unlink()


def here(screening: Screening, path: Path, out: Path, gather: Gather | None) -> Tally:
    facts = None
    if gather is not None:
        facts = gather(read_mentions(path, screening.decider.rulebase.vocabulary))
    return run(screening, [path], out, facts=facts, workers=usual_workers())


def there(context: Any, job: Job, path: Path, out: Path, gather: Gather | None) -> Tally:
    with whole_folder(out, ".parquet") as folder:
        placed = replace(job, folder=str(folder.attempts))
        return screened(context, placed, [path], folder, gather)[0]


def seconds(run: Callable[[], Tally]) -> tuple[float, Tally]:
    begun = time.perf_counter()
    found = run()
    return time.perf_counter() - begun, found


@dataclass(frozen=True, slots=True)
class Compared:
    """``ratios``: Spark against here, round by round; ``same``: the counts of all rounds."""

    name: str
    ratios: list[float]
    here: float
    spark: float
    same: bool


def beside_spark(source: Path, rounds: int, master: str = "local[2]") -> list[Compared]:
    """A docket by both runners in turn, warm; without the facts of the docket, and with them."""
    texts = read_texts(rules_folder())
    rulebase = load(texts)
    job = Job(rulebase.digest, texts, AS_OF, AS_OF, None, None, False, ".parquet")
    screening = Screening(Decider(rulebase), AS_OF, AS_OF, None, False)
    complete = partial(DocketFacts.of_mentions, rulebase=rulebase, day=AS_OF, complete=True)
    kinds: dict[str, Gather | None] = {"alone": None, "with the facts of the docket": complete}
    out = []
    with TemporaryDirectory(dir=source.parent) as name, connected(Cluster(master)) as context:
        folder = Path(name)
        warm, result, parts = folder / "warm.parquet", folder / "here.parquet", folder / "there"
        docket(warm, rulebase, 2_000, 2_000)
        one, many = partial(here, screening), partial(there, context, job)
        one(warm, result, None)
        many(warm, parts, None)
        for what, gather in kinds.items():
            found = [
                (
                    seconds(partial(one, source, result, gather)),
                    seconds(partial(many, source, parts, gather)),
                )
                for _ in range(rounds)
            ]
            local, spark = ([side[0] for side in sides] for sides in zip(*found, strict=True))
            ratios = [s / t for t, s in zip(local, spark, strict=True)]
            same = all(a.as_dict() == b.as_dict() for (_, a), (_, b) in found)
            out.append(Compared(what, ratios, median(local), median(spark), same))
    screening.decider.close()
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--distinct", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--master", default="local[2]")
    given = parser.parse_args()
    with TemporaryDirectory() as name:
        source = Path(name, "d.parquet")
        docket(source, load(read_texts(rules_folder())), given.rows, given.distinct)
        found = beside_spark(source, given.rounds, given.master)
    for one in found:
        print(f"{given.rows:,} cases {one.name}: here {one.here:.1f} s, Spark {one.spark:.1f} s")
        print(f"Spark / here, median of {given.rounds}: {median(one.ratios):.2f}")
    same = all(one.same for one in found)
    print("the same counts" if same else "THE COUNTS DIFFER")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
