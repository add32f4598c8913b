"""A docket cut into parts: every row in one of them, and nothing known of it lost on the way."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docket.dockets import blurred, dockets
from eligibility.docket.batches import read_batches
from eligibility.docket.facts import DocketFacts
from eligibility.docket.mentions import Mentions, Words, mentions_of_payloads
from eligibility.docket.parts import DONE, attempt_name, whole_folder
from eligibility.docket.portions import (
    Basis,
    read_portion,
    read_written,
    write_mentions,
    write_portion,
)
from eligibility.docket.references import Reference, references_of, rows_of
from eligibility.docket.results import Row, result_schema
from eligibility.docket.tables import read_rows
from eligibility.docket.tally import SHOWN_REJECTS, Tally
from eligibility.errors import EligibilityError, MalformedInput
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules

AS_OF = date(2025, 6, 1)


@pytest.fixture(name="shipped", scope="module")
def fixture_shipped() -> Rulebase:
    return load_rules()


# --- references ---------------------------------------------------------------------------------


def parquet(path: Path, sizes: list[int]) -> None:
    """A file with row groups of these sizes, its rows numbered."""
    schema = pa.schema([("case_no", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        done = 0
        for size in sizes:
            numbers = [str(done + n) for n in range(size)]
            writer.write_table(pa.table({"case_no": numbers}, schema), row_group_size=max(size, 1))
            done += size


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=3), st.integers(1, 4))
def test_each_row_is_in_one_reference_in_order(
    shipped: Rulebase, tmp_path_factory: pytest.TempPathFactory, files: list[list[int]], cores: int
) -> None:
    folder = tmp_path_factory.mktemp("docket")
    paths = [folder / f"{n}.parquet" for n in range(len(files))]
    for path, sizes in zip(paths, files, strict=True):
        parquet(path, sizes)
    words = shipped.vocabulary
    found = [
        (first + n, row["case_no"])
        for r in references_of(paths, cores)
        for batch, first, _ in read_batches(Path(r.path), 4, r.row_groups, r.before)
        for n, row in enumerate(batch.to_pylist())
    ]
    rows = [row for path in paths for row in read_rows(path, words, None)]
    assert found == [(int(r.place.rpartition(":")[2]), r.payload["case_no"]) for r in rows]


def test_a_large_docket_has_work_for_every_core(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    parquet(path, [10] * 30)
    assert len(references_of([path], 4)) == 15
    assert len(references_of([path], 1)) == 3


def test_places_and_errors_name_the_file_as_it_was_given(
    shipped: Rulebase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text("案号,\n1\n2,more\n", "utf-8")
    (reference,) = references_of([Path("d.csv")], 2)
    rows = list(rows_of(reference, shipped.vocabulary, None))
    assert [row.place for row in rows] == ["d.csv:2", "d.csv:3"]
    assert isinstance(rows[1].payload, EligibilityError)
    assert rows[1].payload.problems[0].place == "d.csv:3"
    gone = Reference("e.csv", str(tmp_path / "e.csv"))
    with pytest.raises(MalformedInput) as raised:
        list(rows_of(gone, shipped.vocabulary, None))
    assert raised.value.problems[0].place == "e.csv"


def test_a_file_that_is_no_parquet_is_refused_before_any_work(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(MalformedInput) as raised:
        references_of([path], 2)
    assert raised.value.code == "cannot_read"


# --- the folder ---------------------------------------------------------------------------------


def write(out: Path, *texts: str) -> None:
    with whole_folder(out, ".csv") as folder:
        names = [attempt_name(n, ".csv") for n in range(len(texts))]
        for name, text in zip(names, texts, strict=True):
            (folder.attempts / name).write_text(text)
            (folder.attempts / attempt_name(0, ".csv")).write_text("a lost attempt")
        folder.keep(names)


def interrupted(out: Path) -> None:
    with whole_folder(out, ".csv") as folder:
        (folder.attempts / "x").write_text("half")
        raise KeyboardInterrupt


def held(out: Path) -> list[str]:
    return [path.read_text() for path in sorted(out.glob("part-*.csv"))]


def test_only_attempts_that_count_are_in_the_result(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, *(str(n) for n in range(12)))
    assert held(out) == [str(n) for n in range(12)]
    assert {p.name for p in out.iterdir()} == {DONE, *(f"part-{n:05}.csv" for n in range(12))}
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_the_result_of_an_earlier_run_is_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, "old", "old")
    write(out, "new")
    assert held(out) == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_run_that_is_cut_leaves_the_earlier_result(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, "old")
    with pytest.raises(KeyboardInterrupt):
        interrupted(out)
    with pytest.raises(MalformedInput), whole_folder(out, ".csv") as folder:
        folder.keep(["a file that is gone"])
    assert held(out) == ["old"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_no_result_is_not_overwritten(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    mine = out if kind == "file" else out / "mine"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(EligibilityError) as raised, whole_folder(out, ".csv"):
        raise AssertionError("begun all the same")
    assert raised.value.code == "output_exists"
    assert mine.read_text() == "mine"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(MalformedInput) as raised, whole_folder(tmp_path / "no" / "out", ".csv"):
        raise AssertionError("begun all the same")
    assert raised.value.code == "cannot_write"


# --- counts -------------------------------------------------------------------------------------

ENTRIES = st.fixed_dictionaries(
    {
        "error": st.sampled_from([None, None, "a: wrong"]),
        "outcome": st.sampled_from(["eligible", "stayed", "need_info"]),
        "court_id": st.sampled_from([None, "x", "y"]),
        "effective_rules": st.lists(st.sampled_from(["XQ-01", "XB-02"]), max_size=2),
    }
)


@given(st.lists(st.lists(ENTRIES, max_size=30), max_size=4))
def test_parts_add_up_to_the_whole(parts: list[list[dict[str, Any]]]) -> None:
    whole, merged = Tally(), Tally()
    for part in parts:
        counted = Tally()
        batch = pa.RecordBatch.from_pylist(part, result_schema())
        whole.add(batch)
        counted.add(batch)
        merged.merge(counted)
    assert merged.as_dict() == whole.as_dict()
    assert list(merged.as_dict()["outcomes"]) == list(whole.as_dict()["outcomes"])
    assert len(merged.rejected) == min(merged.rejects, SHOWN_REJECTS)


# --- facts of the docket ------------------------------------------------------------------------


def mentions(rows: list[Any], words: Words) -> Mentions:
    return mentions_of_payloads(rows, words)


@settings(max_examples=40)
@given(st.data(), st.booleans())
def test_a_portion_fills_its_rows_as_the_whole_docket_does(
    shipped: Rulebase, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, complete: bool
) -> None:
    rows = data.draw(dockets().flatmap(blurred))
    cut = data.draw(st.integers(0, len(rows)))
    register = pa.table({"debtor_id": ["甲"], "open_cases": [12], "courts": [3]})
    words, folder = Words.of(shipped.vocabulary), tmp_path_factory.mktemp("facts")

    def gather(said: list[Mentions]) -> DocketFacts:
        return DocketFacts.of_mentions(
            said, shipped, "sc", AS_OF, complete=complete, debtors=register
        )

    whole = gather([mentions(rows, words)])
    parts = [rows[:cut], rows[cut:]]
    written = [folder / f"{n}.mentions" for n in range(2)]
    for path, part in zip(written, parts, strict=True):
        write_mentions(path, [mentions(part[:2], words), mentions(part[2:], words)])
    facts = gather([one for path in written for one in read_written(path)])
    assert facts.summary() == whole.summary()
    found = []
    for path, part in zip(written, parts, strict=True):
        write_portion(path.with_suffix(".facts"), facts, read_written(path))
        portion = read_portion(path.with_suffix(".facts"), shipped, Basis.of(facts))
        filled, extra = portion.fill_rows([Row("", payload) for payload in part])
        found += list(zip(filled, extra, strict=True))
    filled, extra = whole.fill_rows([Row("", payload) for payload in rows])
    assert found == list(zip(filled, extra, strict=True))
