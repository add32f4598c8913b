"""Other ways to screen the docket of :mod:`benchmarks.docket`, for comparison.

DuckDB with SQL made from the same circuit, ``native`` row by row on all cores, Spark on this
machine. DuckDB and PySpark are optional: without them the command says so.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from importlib.util import find_spec
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import docket_sql
from benchmarks.memory import apart
from eligibility.decision.assess import assess, outcome_names
from eligibility.decision.decide import Decider
from eligibility.decision.modes import recommended_mode
from eligibility.decision.program import Program
from eligibility.decision.questions import Interview
from eligibility.docket.batches import read_batches
from eligibility.docket.children import usual_workers
from eligibility.docket.columns import KNOWN, NEVER, Column, Columns
from eligibility.docket.decoding import Decoder, asked_texts
from eligibility.docket.feeding import Feed
from eligibility.docket.gathering import narrowed
from eligibility.docket.results import without_silence
from eligibility.docket.run import run
from eligibility.docket.screening import Screening
from eligibility.errors import EligibilityError
from eligibility.rulefiles import load_rules
from eligibility.vocabulary.model import CASE, Fact, Type
from eligibility.vocabulary.payload import read_case

PROFILE = "sc"
"""SQL is made from one circuit, so the peers screen by one profile, and we beside them."""
CORES = 2
PEERS = ("duckdb", "native", "spark")
ROWS = 1 << 16
SHOWN = 3


def installed(name: str, extra: str) -> bool:
    if find_spec(name) is not None:
        return True
    print(f"  {name} is not installed: left out (pip install 'eligibility[{extra}]')")
    return False


# --- what DuckDB is given -------------------------------------------------------------------------


def with_derived(source: Path, path: Path, as_of: date) -> tuple[list[str], list[str]]:
    """The docket with the derived facts that SQL does not derive put in; their names, and those
    of the facts that SQL derives.
    """
    decider = Decider(load_rules(None))
    program = decider.programs.at(PROFILE, as_of)
    feed, vocabulary = Feed(program), decider.rulebase.vocabulary
    decoder = Decoder(vocabulary, asked_texts(decider.rulebase))
    ready = docket_sql.ready_made(program)
    with pq.ParquetFile(source) as file:
        writer = None
        for batch in file.iter_batches(ROWS):
            columns = narrowed(decoder.decode(batch, as_of, as_of).columns, feed.needed)
            feed.read(columns)
            made = _put_in(batch, columns, ready, program)
            writer = writer or pq.ParquetWriter(path, made.schema, compression="zstd")
            writer.write_batch(made)
        if writer is not None:
            writer.close()
    decider.close()
    counted = [fact.key for fact in docket_sql.counted_in_sql(program)]
    return [fact.key for held in ready.values() for fact in held], counted


def _put_in(
    batch: pa.RecordBatch, columns: Columns, ready: dict[str, list[Fact]], program: Program
) -> pa.RecordBatch:
    held = dict(zip(batch.schema.names, batch.columns, strict=True))
    for fact in ready.get(CASE, ()):
        held[fact.key] = _array(fact, columns.case.facts[fact.key])
    for scope, facts in ready.items():
        if scope != CASE:
            kind = program.lowered.rulebase.vocabulary.records[scope]
            records = columns.records[scope]
            made = {fact.key: _array(fact, records.facts[fact.key]) for fact in facts}
            held[kind.list_key] = _with_fields(held[kind.list_key], records.offsets, made)
    return pa.RecordBatch.from_arrays(list(held.values()), names=list(held))


def _with_fields(column: pa.Array, offsets: Any, made: dict[str, pa.Array]) -> pa.Array:
    """Records with more fields; where there was no list there is one record of nulls."""
    lone = np.asarray(column.is_null())
    of_list = np.repeat(~lone, np.diff(offsets))
    at = np.where(of_list, np.cumsum(of_list) - 1, 0)
    flat = column.flatten().take(pa.array(at, mask=~of_list))
    children = dict(zip([f.name for f in flat.type], flat.flatten(), strict=True)) | made
    whole = pa.StructArray.from_arrays(list(children.values()), names=list(children))
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), whole)


def _array(fact: Fact, column: Column) -> pa.Array:
    """A derived fact as SQL is given it: texts, truths, numbers (decimals in thousandths)."""
    unknown = (column.state != KNOWN) & (column.state != NEVER)
    never = column.state == NEVER
    if column.words:
        words = pa.array([*map(str, column.words), "none"])
        return words.take(pa.array(np.where(never, len(column.words), column.values), mask=unknown))
    if fact.type is Type.BOOL:
        return pa.array(column.values.astype(bool), mask=unknown | never)
    if fact.type in docket_sql.NUMBERS:
        return pa.array(np.where(never, docket_sql.NEVER, column.values), mask=unknown)
    return pa.nulls(len(column.values), pa.string())


# --- DuckDB ---------------------------------------------------------------------------------------


def by_duckdb(source: Path, out: Path, as_of: date, rounds: int) -> list[float]:
    """Seconds of each round, Parquet to Parquet on two threads."""
    import duckdb

    decider = Decider(load_rules(None))
    said = docket_sql.query(decider.programs.at(PROFILE, as_of), f"read_parquet('{source}')", as_of)
    decider.close()
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {CORES}")
        connection.execute("SET preserve_insertion_order = true")

        def run() -> None:
            connection.execute(f"COPY ({said}) TO '{out}' (FORMAT parquet, COMPRESSION zstd)")

        return [_seconds(run) for _ in range(rounds)]


def _seconds(work: Any) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def compared(ours: Path, theirs: Path, as_of: date, rows: int) -> tuple[int, int, int, int]:
    """Of the first rows: how many were compared, differ, were settled by diagrams only, and
    were refused by us.
    """
    decider = Decider(load_rules(None))
    program = decider.programs.at(PROFILE, as_of)
    rules = [rule.id for rule in program.circuit.rules]
    seen = differ = settled = refused = 0
    for one, other in islice(zip(_entries(ours), _entries(theirs), strict=True), rows):
        if one["error"]:
            refused += 1
            continue
        seen += 1
        kleene = outcome_names(program, _bits(other["outcomes"]))
        said = [rules[i] for i in _bits(other["effective"])]
        same = one["case_no"] == other["case_no"] and said == one["effective_rules"]
        same &= set(one["possible_outcomes"]) <= set(kleene)
        same &= len(kleene) > 1 or one["outcome"] == other["outcome"]
        differ += not same
        settled += len(one["possible_outcomes"]) < len(kleene)
        if not same and differ <= SHOWN:
            print(f"differs: {one['case_no']}: {one['outcome']} {one['effective_rules']}")
            print(f"  DuckDB: {other['outcome']} {said}")
    decider.close()
    return seen, differ, settled, refused


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(4096):
            yield from batch.to_pylist()


def _bits(mask: int) -> list[int]:
    return [i for i in range(mask.bit_length()) if mask >> i & 1]


# --- native, row by row ---------------------------------------------------------------------------


def by_native(source: Path, as_of: date, rows: int) -> float:
    """Seconds a case on all cores: the first rows, each process a part of them, warm."""
    with ProcessPoolExecutor(CORES, mp_context=get_context("spawn")) as pool:
        part = rows // CORES
        work = partial(_one_by_one, source, as_of, part)
        list(pool.map(work, [0] * CORES))  # programs and diagrams
        spent = list(pool.map(work, range(CORES)))
    return max(spent) / (part * CORES)


_KEPT: list[Decider] = []


def _one_by_one(source: Path, as_of: date, part: int, number: int) -> float:
    """Reads and decides the rows of one part alone; without the rows' reading from Parquet."""
    if not _KEPT:
        _KEPT.append(Decider(load_rules(None)))
    decider = _KEPT[0]
    rows = islice(_entries(source), number * part, (number + 1) * part)
    held = [without_silence(row) for row in rows]
    return _seconds(lambda: [answered(decider, row, PROFILE, as_of) for row in held])


def answered(decider: Decider, payload: Any, profile: str, as_of: date) -> Any:
    """What a row of a result says, but for days of change."""
    try:
        case = read_case(payload, decider.rulebase.vocabulary, as_of)
        found = assess(decider.programs.at(profile, as_of), case, as_of, "native")
    except EligibilityError as error:
        return error.code
    several = len(found.outcomes) > 1
    unknown = sorted(Interview(found, found.question()).paths()) if several else []
    return found.outcome, found.outcomes, recommended_mode(found), found.verdicts.effective, unknown


# --- all of them ----------------------------------------------------------------------------------


def beside_peers(
    source: Path, rows: int, rounds: int, sample: int, as_of: date, asked: Sequence[str]
) -> int:
    """Prints ours and theirs by one profile; 1 where DuckDB answers a row otherwise."""
    ours = source.with_name("ours.parquet")
    seconds, peak = apart(by_us, source, ours, as_of, rounds)
    each = median(seconds) / rows
    print(f"\npeers, profile {PROFILE}, without the facts of the docket:")
    print(f"  this product: {_median(seconds)}, peak {peak:,.0f} MB")
    differ = 0
    if "duckdb" in asked:
        differ = _duckdb(source, ours, as_of, rows, rounds, sample, each)
    if "native" in asked:
        _native(source, as_of, min(sample, rows), each)
    if "spark" in asked:
        _spark(source, rounds)
    return 1 if differ else 0


def by_us(source: Path, out: Path, as_of: date, rounds: int) -> list[float]:
    decider = Decider(load_rules(None))
    screening = Screening(decider, as_of, as_of, PROFILE, False)
    for batch, first, _ in islice(read_batches(source, ROWS), 1):
        screening.screen_batch(batch, (str(source), first))  # programs and diagrams
    workers = usual_workers()
    found = [
        _seconds(lambda: run(screening, [source], out, workers=workers)) for _ in range(rounds)
    ]
    decider.close()
    return found


def _duckdb(
    source: Path, ours: Path, as_of: date, rows: int, rounds: int, sample: int, each: float
) -> int:
    if not installed("duckdb", "bench"):
        return 0
    given, out = source.with_name("given.parquet"), source.with_name("theirs.parquet")
    (ready, counted), _ = apart(with_derived, source, given, as_of)
    seconds, peak = apart(by_duckdb, given, out, as_of, rounds)
    ratio = median(seconds) / rows / each
    print(f"  DuckDB, SQL from the circuit: {_median(seconds)}, peak {peak:,.0f} MB")
    print(f"    {ratio:.2f} x ours. Ready-made in its input: {', '.join(ready)};")
    print(f"    derived in SQL: {', '.join(counted)}. It checks no value, names no missing fact")
    print("    and settles nothing that Kleene's logic leaves open.")
    seen, differ, settled, refused = compared(ours, out, as_of, sample)
    print(
        f"    {seen:,} rows compared: {differ} differences; ours settle {settled} more; "
        f"{refused} rows that we refuse left out"
    )
    return differ


def _native(source: Path, as_of: date, sample: int, each: float) -> None:
    found = by_native(source, as_of, sample)
    print(
        f"  native row by row, {CORES} processes, {sample:,} rows: {found * 1e6:.1f} us a case, "
        f"{found / each:.0f} x ours if all rows take as long"
    )


def _spark(source: Path, rounds: int) -> None:
    if not installed("pyspark", "spark"):
        return
    from benchmarks.docket_spark import beside_spark

    for one in beside_spark(source, rounds, f"local[{CORES}]"):
        said = "the same counts" if one.same else "THE COUNTS DIFFER"
        print(
            f"  Spark local[{CORES}], warm, all profiles, {one.name}: here {one.here:.2f} s, Spark "
            f"{one.spark:.2f} s, {median(one.ratios):.2f} x (median of {rounds}); {said}"
        )


def _median(seconds: list[float]) -> str:
    return f"{median(seconds):.2f} s (median of {len(seconds)})"
