"""A docket screened in batches says of every case what is said of it alone."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.conftest import Run
from cli.conftest import fixture_cli as fixture_cli
from eligibility.circuit.lower import lower
from eligibility.decision.decide import Decider
from eligibility.docket.results import Row
from eligibility.docket.screening import Screening
from eligibility.docket.synth import Synthesis
from eligibility.docket.tables import docket_schema
from eligibility.engines.docket import Children, DocketEngine
from eligibility.engines.native import NativeEngine, QuantifiedConditions
from eligibility.errors import EligibilityError
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules
from eligibility.vocabulary.model import Type
from oracle.generate import CaseWriter, random_base

AS_OF = date(2025, 6, 1)


@pytest.fixture(name="shipped", scope="module")
def fixture_shipped() -> Rulebase:
    return load_rules()


# --- the engine ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_a_batch_is_its_rows(seed: int) -> None:
    """Random circuits, random masks, no record up to three, overrides."""
    random = Random(seed)
    circuit = lower(random_base(seed), "low", AS_OF).circuit
    cases, records = [], []
    for _ in range(40):
        cases.append([random.randint(1, made.unknown) for made in circuit.inputs])
        records.append(
            {
                scope: [
                    [random.randint(1, m.unknown) for m in made]
                    for _ in range(random.randint(0, 3))
                ]
                for scope, made in circuit.record_inputs.items()
            }
        )
    overridden = [random.getrandbits(len(circuit.rules)) for _ in cases]
    children = {}
    for scope, made in circuit.record_inputs.items():
        flat = [row for case in records for row in case[scope]]
        offsets = np.cumsum([0] + [len(case[scope]) for case in records], dtype=np.int64)
        table = np.array(flat, dtype=np.uint32).reshape(-1, len(made))
        children[scope] = Children(offsets, list(table.T))
    lifted = np.array([[o >> i & 1 for i in range(len(circuit.rules))] for o in overridden], bool)
    inputs = list(np.array(cases, dtype=np.uint32).T)
    found = DocketEngine(circuit).evaluate(inputs, children, lifted)
    native, quantified = NativeEngine(circuit), QuantifiedConditions(circuit)
    for row, case in enumerate(cases):
        quantified.fill(case, records[row])
        assert found.of(row) == native.evaluate(case, overridden[row])


# --- the whole ----------------------------------------------------------------------------------


def alone(decider: Decider, payload: Any, profile: str) -> dict[str, Any] | str:
    try:
        body = decider.decide(payload, today=AS_OF, as_of=AS_OF, profile=profile, engine="native")
    except EligibilityError as error:
        return error.code
    change = body["changes_on"] or {}
    return {
        "outcome": body["outcome"],
        "possible_outcomes": body["possible_outcomes"],
        "recommended_mode": next((m["mode"] for m in body["modes"] if m["recommended"]), None),
        "effective_rules": sorted(r["id"] for r in body["rules"] if r["effective"] == "true"),
        "unknown_facts": sorted({q["path"] for q in body["questions"]}),
        "changes_on": change.get("date"),
        "changes_to": change.get("outcome"),
    }


def compare(decider: Decider, payloads: list[Any], profile: str) -> None:
    screening = Screening(decider, AS_OF, AS_OF, profile, True)
    rows = [Row(f"docket:{n}", payload) for n, payload in enumerate(payloads)]
    entries = list(screening.screen(rows))
    assert len(entries) == len(payloads)
    for payload, entry in zip(payloads, entries, strict=True):
        one = alone(decider, payload, profile)
        if isinstance(one, str):
            assert f": {one}: " in entry["error"]
            continue
        assert entry["error"] is None
        found = {key: entry[key] for key in one}
        assert found | {"effective_rules": sorted(found["effective_rules"])} == one


@pytest.mark.parametrize("profile", ["national", "js-yancheng", "sc"])
def test_each_case_is_answered_as_alone(shipped: Rulebase, profile: str) -> None:
    decider = Decider(shipped)
    writer = CaseWriter(shipped, Random(profile), AS_OF)
    payloads = [*Synthesis(shipped, 7, AS_OF).cases(40), *(writer.payload() for _ in range(20))]
    compare(decider, payloads, profile)


def test_the_hostile_row_stops_no_other(shipped: Rulebase) -> None:
    payloads: list[Any] = [
        {"case_no": 5},
        [],
        {"nonsense": 1},
        {"filing_date": "2099-01-01"},
        {"debtors": []},
        {"properties": [{}] * 201},
        {"procedure_status": "completed"},
    ]
    compare(Decider(shipped), payloads, "national")


def test_a_derived_text_that_is_given_is_compared_in_every_batch(shipped: Rulebase) -> None:
    """Also in a batch of one row, where the derived text is the only word of its column."""
    derived = [f.key for f in shipped.vocabulary.derived_facts if f.type is Type.TEXT]
    assert "objection_court" in derived
    decider = Decider(shipped)
    screening = Screening(decider, AS_OF, AS_OF, None, False)
    refused = 0
    for case in Synthesis(shipped, 3, AS_OF).cases(40):
        row = case | dict.fromkeys(derived, "no court")
        alone = list(screening.screen([Row("d:1", row)]))
        batch = pa.RecordBatch.from_pylist([row], docket_schema(shipped.vocabulary))
        assert screening.screen_batch(batch, ("d", 1)).to_pylist() == alone
        refused += "contradicts_derivation" in str(alone[0]["error"])
    decider.close()
    assert refused > 10


# --- files --------------------------------------------------------------------------------------


def screened(cli: Run, out: Path, *arguments: str) -> list[dict[str, Any]]:
    ran = cli("screen", *arguments, "-o", str(out), "--as-of", "2025-06-01")
    assert ran.code == 0, ran.err
    if out.suffix == ".parquet":
        rows: list[dict[str, Any]] = pq.read_table(out).to_pylist()
        return rows
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def test_when_outcomes_change_is_told_unless_it_is_not_wanted(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ELIGIBILITY_RULES")
    source = tmp_path / "docket.ndjson"
    made = ("-n", "60", "--seed", "4", "--as-of", "2025-06-01", "-o", str(source))
    assert cli("docket", "synth", *made).code == 0
    told = screened(cli, tmp_path / "told.ndjson", str(source))
    bare = screened(cli, tmp_path / "bare.ndjson", str(source), "--no-dates")
    assert any(row["changes_on"] and row["changes_to"] for row in told)
    nothing = {"changes_on": None, "changes_to": None}
    assert bare == [row | nothing for row in told]


def test_every_kind_of_file_says_the_same(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ELIGIBILITY_RULES")
    found = []
    for kind in ("ndjson", "csv", "parquet"):
        source = tmp_path / f"docket.{kind}"
        made = ("-n", "120", "--seed", "4", "--as-of", "2025-06-01", "-o", str(source))
        assert cli("docket", "synth", *made).code == 0
        rows = screened(
            cli, tmp_path / f"out.{'parquet' if kind == 'csv' else 'ndjson'}", str(source)
        )
        found.append([{k: v for k, v in row.items() if k != "error"} for row in rows])
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_table_as_offices_write_it(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.delenv("ELIGIBILITY_RULES")
    table = tmp_path / "案件.csv"
    lines = ["执行案号,程序状态,执行立案日期", "甲,执行完毕,2024/7/1", "乙,执行中,45474"]
    text = "\n".join([*lines, "丙,没有,", "丁,执行中,2024-13-01"])
    table.write_text(text, encoding=encoding)
    summary = tmp_path / "sum.json"
    rows = screened(
        cli, tmp_path / "out.ndjson", str(tmp_path / "*.csv"), "--summary", str(summary)
    )
    assert [row["case_no"] is not None for row in rows] == [True, True, False, False] or len(
        rows
    ) == 4
    assert rows[0]["outcome"] == "not_submittable"
    assert rows[1]["error"] is None
    assert f"{table}:4" in rows[2]["error"]
    assert "unknown_value" in rows[2]["error"]
    assert "no_such_date" in rows[3]["error"]
    told = json.loads(summary.read_text("utf-8"))
    assert (told["rows"], told["rejected"]["count"]) == (4, 2)


def test_a_cut_run_leaves_no_half_file(cli: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and nothing else")
    ran = cli("screen", str(broken), "-o", str(tmp_path / "out.csv"))
    assert (ran.code, ran.err.split(":")[0]) == (2, "cannot_read")
    assert [path.name for path in tmp_path.iterdir()] == ["broken.parquet"]


def test_what_is_no_docket_is_refused(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x", "utf-8")
    assert cli("screen", str(tmp_path / "a.txt"), "-o", "out.csv").err.startswith("unknown_suffix")
    assert cli("screen", str(tmp_path / "no.csv"), "-o", "out.csv").err.startswith("cannot_read")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_template_is_a_docket_of_no_case(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    """Every heading is known: a row below it with only a number is a case."""
    monkeypatch.delenv("ELIGIBILITY_RULES")
    header = cli("facts", "--template", "csv", "--lang", lang).out
    assert ("执行案号" if lang == "zh" else "case_no") in header.strip().split(",")
    empty = tmp_path / "a.csv"
    empty.write_text(header + "甲" + "," * header.count(",") + "\n", "utf-8")
    full = tmp_path / "b.csv"
    full.write_text(header + ",".join(["无此值"] * (header.count(",") + 1)) + "\n", "utf-8")
    rows = screened(cli, tmp_path / "out.ndjson", str(empty), str(full))
    assert rows[0]["error"] is None
    assert rows[0]["case_no"] == "甲"
    assert "unknown_fact" not in rows[1]["error"]
    assert "wrong_type" in rows[1]["error"]
