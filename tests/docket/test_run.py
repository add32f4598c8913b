"""A run says how far it is, and is whole or leaves nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from eligibility.decision.decide import Decider
from eligibility.docket import batches, sheets, tables
from eligibility.docket import tally as counts
from eligibility.docket.results import result_schema
from eligibility.docket.run import Progress, run
from eligibility.docket.screening import Screening
from eligibility.docket.tally import Tally
from rulebase.rulebases import base_rulebase

DAY = date(2025, 6, 1)


@pytest.fixture(name="screening")
def fixture_screening() -> Iterator[Screening]:
    decider = Decider(base_rulebase())
    yield Screening(decider, DAY, DAY, None, False)
    decider.close()


def dockets(folder: Path, rows: int) -> list[Path]:
    names = [f"（2024）苏0902执{number}号" for number in range(rows)]
    csv, lines, columns = (folder / f"d.{kind}" for kind in ("csv", "ndjson", "parquet"))
    csv.write_bytes("\r\n".join(["案号", *names]).encode("gb18030"))
    lines.write_text("\n".join(json.dumps({"case_no": name}) for name in names), "utf-8")
    tables.write_rows(
        columns,
        ".parquet",
        [[{"case_no": name} for name in names]],
        pa.schema([("case_no", pa.string())]),
    )
    return [csv, lines, columns]


def test_progress_grows_to_the_whole(
    screening: Screening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "BATCH", 500)
    monkeypatch.setattr(sheets, "CHUNK", 5_000)
    monkeypatch.setattr(batches, "ROWS", 500)
    files = dockets(tmp_path, 2000)
    told: list[Progress] = []
    tally = run(screening, files, tmp_path / "out.csv", progress=told.append)
    assert (tally.rows, tally.rejects) == (6000, 0)
    size = sum(path.stat().st_size for path in files)
    assert told[-1] == Progress(files[-1], 6000, size, size)
    assert {p.bytes_total for p in told} == {size}
    assert [p.rows for p in told] == sorted(p.rows for p in told)
    assert [p.bytes_done for p in told] == sorted(p.bytes_done for p in told)
    for path in files:  # each file is told of on its way, not only at its end
        assert len({p.bytes_done for p in told if p.file == path}) >= 3


class Enough(Exception):
    pass


def test_a_run_that_is_ended_leaves_what_was_there(screening: Screening, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        raise Enough

    out = tmp_path / "out.csv"
    out.write_text("before", "utf-8")
    files = dockets(tmp_path, 10)
    with pytest.raises(Enough):
        run(screening, files, out, progress=stop)
    assert out.read_text("utf-8") == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"out.csv", *(f.name for f in files)}


def test_what_is_counted_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "MOST_COURTS", 2)
    tally = Tally()
    made: list[dict[str, Any]] = [
        {"outcome": "x", "effective_rules": [], "court_id": court}
        for court in ("a", "b", "c", "d", "a", None)
    ]
    tally.add(pa.RecordBatch.from_pylist(made[:3], result_schema()))
    tally.add(pa.RecordBatch.from_pylist(made[3:], result_schema()))
    assert {court: dict(n) for court, n in tally.courts.items()} == {
        "a": {"x": 2},
        "b": {"x": 1},
        "…": {"x": 3},
    }
