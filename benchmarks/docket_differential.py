"""Batches against single cases, and Spark against both: every column of every result.

Half of the cases are made up as ``docket synth`` makes them, half are spoilt by the generator of
the tests (values that do not fit, dates in the future, lists too long, unknown columns).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from functools import partial
from itertools import zip_longest
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from eligibility.decision.assess import assess
from eligibility.decision.changes import changes_on
from eligibility.decision.decide import Decider
from eligibility.decision.modes import recommended_mode
from eligibility.decision.questions import Interview
from eligibility.docket.facts import DocketFacts
from eligibility.docket.mentions import read_mentions
from eligibility.docket.results import COLUMNS, Entry, without_silence
from eligibility.docket.run import run
from eligibility.docket.screening import Screening
from eligibility.docket.spark import Cluster, screen_docket
from eligibility.docket.tasks import Job
from eligibility.errors import EligibilityError
from eligibility.rulebase.loader import load
from eligibility.rulefiles import read_texts, rules_folder
from eligibility.vocabulary.payload import read_case

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from docket.plain import Spoiler

AS_OF = date(2025, 6, 1)
BATCH = 4096
PROFILES = ("national", "js-yancheng", "sc")
COMPARED = tuple(name for name in COLUMNS if name not in ("case_no", "court_id", "error"))


def differential(rows: int, seed: int, spark: bool) -> int:
    """Prints the numbers; how many cases are answered otherwise."""
    texts = read_texts(rules_folder())
    decider, found = Decider(load(texts)), 0
    try:
        for number, profile in enumerate(PROFILES):
            batches = list(_cases(decider, seed + number, rows // len(PROFILES)))
            found += _alone(decider, profile, batches)
            if spark:
                found += _spark(decider, texts, profile, batches)
    finally:
        decider.close()
    return found


def _cases(decider: Decider, seed: int, rows: int) -> Iterator[pa.RecordBatch]:
    spoilers = [Spoiler(decider.rulebase, Random(f"{seed}/{n}"), AS_OF, n) for n in (0, 1)]
    for first in range(0, rows, BATCH):
        count = min(BATCH, rows - first)
        halves = [
            s.batch(n) for s, n in zip(spoilers, (count // 2, count - count // 2), strict=True)
        ]
        yield pa.Table.from_batches(halves).combine_chunks().to_batches()[0]


# --- one by one -----------------------------------------------------------------------------------


def _alone(decider: Decider, profile: str, batches: list[pa.RecordBatch]) -> int:
    screening = Screening(decider, AS_OF, AS_OF, profile, True)
    rows = differ = refused = 0
    for batch in batches:
        found = screening.screen_batch(batch, ("docket", 1)).to_pylist()
        for row, entry in zip(batch.to_pylist(), found, strict=True):
            payload = without_silence(row)
            rows, refused = rows + 1, refused + bool(entry["error"])
            differ += _differs(alone(decider, payload, profile), entry, payload)
    odd = screening.odd / max(rows, 1)
    print(
        f"{profile}: batches against native, {rows:,} cases, {refused:,} of them refused, "
        f"{odd:.1%} judged alone: {differ} differences"
    )
    return differ


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


def _differs(one: tuple[Any, ...], entry: Entry, payload: Any) -> bool:
    many = tuple(entry[name] for name in COMPARED)
    same = one[1] in entry["error"] if entry["error"] else one == many
    if not same:
        print(f"{payload.get('case_no')}: alone {one}, in the docket {many} {entry['error']}")
    return not same


# --- Spark ----------------------------------------------------------------------------------------


def _spark(
    decider: Decider, texts: dict[str, str], profile: str, batches: list[pa.RecordBatch]
) -> int:
    """The same file by Spark and here, with the facts of the docket: row by row, all columns."""
    base = decider.rulebase
    gather = partial(
        DocketFacts.of_mentions, rulebase=base, profile=profile, day=AS_OF, complete=True
    )
    job = Job(base.digest, texts, AS_OF, AS_OF, profile, None, True, ".parquet")
    with TemporaryDirectory() as name:
        source, here, there = (
            Path(name, n) for n in ("d.parquet", "here.parquet", "there.parquet")
        )
        with pq.ParquetWriter(source, batches[0].schema) as writer:
            for batch in batches:
                writer.write_batch(batch, row_group_size=500)
        facts = gather(read_mentions(source, base.vocabulary))
        run(Screening(decider, AS_OF, AS_OF, profile, True), [source], here, facts=facts)
        screen_docket(Cluster("local[2]"), job, [source], there, gather)
        differ = rows = 0
        for one, other in zip_longest(_entries(here), _entries(there)):
            rows += 1
            differ += one != other
            if one != other:
                print(f"here {one}, Spark {other}")
    print(f"{profile}: Spark local[2] against here, {rows:,} cases: {differ} differences")
    return differ


def _entries(path: Path) -> Iterator[Entry]:
    for part in sorted(path.glob("part-*")) if path.is_dir() else [path]:
        with pq.ParquetFile(part) as file:
            for batch in file.iter_batches():
                yield from batch.to_pylist()
