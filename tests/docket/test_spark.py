"""By Spark a docket has the answers that it has here; what is lost or cut leaves no trace."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.conftest import Run
from cli.conftest import fixture_cli as fixture_cli
from docket.plain import spoilt_docket
from eligibility.docket import spark, tables
from eligibility.docket.parts import DONE
from eligibility.docket.references import Reference
from eligibility.docket.spark import Cluster, screen_docket
from eligibility.docket.synth import Synthesis
from eligibility.docket.tasks import Job, Part, screen_reference, screening_of
from eligibility.errors import EngineError
from eligibility.rulebase.loader import load
from eligibility.rulefiles import load_rules, read_texts, rules_folder

AS_OF = date(2025, 6, 1)
FIRST, SECOND, GROUP = 700, 150, 60
HERE = ("--runner", "spark", "--spark-master", "local[2]")

pytestmark = [
    pytest.mark.slow,
    # The gateway to the virtual machine stays open until the tests end.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.fixture(autouse=True)
def java() -> None:
    assert "JAVA_HOME" in os.environ or shutil.which("java"), (
        "these tests need Java 17 or newer, and there is no 'java' on the path:"
        " install the package 'default-jre-headless'"
    )


@pytest.fixture(autouse=True)
def shipped_rules(monkeypatch: pytest.MonkeyPatch, cli: Run) -> None:
    monkeypatch.delenv("ELIGIBILITY_RULES")


@pytest.fixture(name="docket", scope="module")
def fixture_docket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files of made-up cases: Parquet in many row groups, NDJSON, CSV."""
    base, folder = load_rules(), tmp_path_factory.mktemp("docket")
    made = spoilt_docket(list(Synthesis(base, 5, AS_OF).cases(FIRST + SECOND)))
    schema = tables.docket_schema(base.vocabulary)
    table = pa.Table.from_pylist(made[:FIRST], schema)
    pq.write_table(table, folder / "a.parquet", row_group_size=GROUP)
    lines = [json.dumps(case, ensure_ascii=False) for case in made[FIRST:]]
    lines[3:3] = ["{broken", "", "[]", '{"case_no": 5}', '{"nonsense": 1}']
    (folder / "b.ndjson").write_text("\n".join(lines), "utf-8")
    text = (
        "执行案号,现执行法院,立案日期\n1,亭湖法院,45474\n2,亭湖法院,2024/7/1,too much\n3,阜宁法院\n"
    )
    (folder / "c.csv").write_text(text, "gb18030")
    return folder


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a result; of a folder those of its parts in order of name."""
    parts = sorted(path.glob("part-*")) if path.is_dir() else [path]
    return [row for part in parts for row in pq.ParquetFile(part).read().to_pylist()]


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    "options",
    [
        ["--as-of", "2025-06-01", "--complete"],
        ["--as-of", "2025-06-01", "--profile", "sc", "--debtors", "debtors.csv"],
    ],
)
def test_the_answers_are_those_of_one_process(
    cli: Run, docket: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: list[str]
) -> None:
    """Relative names, several kinds of files, hostile rows, counts over all rows."""
    monkeypatch.chdir(tmp_path)
    for path in docket.iterdir():
        (tmp_path / path.name).symlink_to(path)
    Path("debtors.csv").write_text("debtor_id,open_cases,courts\nD1,50,4\nD7,2,1\n", "utf-8")
    command = ["screen", "a.parquet", "b.ndjson", "c.csv", *options, "--json"]
    here = cli(*command, "-o", "here.parquet")
    there = cli(*command, "-o", "there.parquet", *HERE, "--summary", "summary.json")
    assert here.code == there.code == 0, there.err
    assert json.loads(there.out) == json.loads(here.out) == json.loads(
        Path("summary.json").read_text("utf-8")
    )  # fmt: skip
    expected = rows_of(Path("here.parquet"))
    assert rows_of(Path("there.parquet")) == expected
    errors = [row["error"] for row in expected if row["error"]]
    assert len(errors) > 30
    assert {error.split(":")[0] for error in errors} == {"a.parquet", "b.ndjson", "c.csv"}
    assert len(list(Path("there.parquet").glob("part-*"))) >= 8
    whole = pq.read_table("there.parquet")
    assert whole.num_rows == len(expected)
    assert whole.schema == pq.read_schema("here.parquet")
    assert any(row["chain"] for row in expected)
    assert any(row["facts_from_docket"] for row in expected)


def test_rows_with_profiles_of_their_own_and_csv_parts(
    cli: Run, docket: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    table = pq.read_table(docket / "a.parquet").slice(0, 300)
    names = [("sc", "national", None, "js-yancheng", "nowhere")[n % 5] for n in range(300)]
    table = table.append_column("辖区", pa.array(names))
    pq.write_table(table, "d.parquet", row_group_size=50)
    command = ["screen", "d.parquet", "--profile-column", "辖区", "--no-docket-facts"]
    assert cli(*command, "-o", "here.csv").code == 0
    there = cli(*command, "-o", "there.csv", *HERE)
    assert there.code == 0, there.err
    header, *rows = Path("here.csv").read_text("utf-8-sig").splitlines()
    parts = [p.read_text("utf-8-sig").splitlines() for p in sorted(Path("there.csv").glob("part*"))]
    assert len(parts) == 6
    assert all(part[0] == header for part in parts)
    assert [row for part in parts for row in part[1:]] == rows


def job_of() -> Job:
    texts = read_texts(rules_folder())
    return Job(load(texts).digest, texts, AS_OF, AS_OF, None, None, False, ".parquet")


def test_a_worker_lost_after_writing_does_not_double_its_rows(
    docket: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Processes die when their part is written, and before; the attempts that follow count."""
    died = tmp_path / "died"
    died.mkdir()

    def dying(job: Job, number: int, reference: Reference, portion: str | None) -> Part:
        mark = died / str(number)
        if number in (1, 4) and not mark.exists():
            mark.touch()
            if number == 4:
                screen_reference(job, number, reference, portion)
            os._exit(1)
        return screen_reference(job, number, reference, portion)

    monkeypatch.setattr(spark, "screen_reference", dying)
    out = tmp_path / "out"
    files = [docket / "a.parquet"]
    tally, _ = screen_docket(Cluster("local[2,3]"), job_of(), files, out)
    assert left_in(died) == {"1", "4"}
    assert tally.rows == FIRST
    table = pq.read_table(docket / "a.parquet", columns=["case_no"])
    assert [row["case_no"] for row in rows_of(out)] == table["case_no"].to_pylist()
    assert left_in(tmp_path) == {"died", "out"}


def test_a_worker_lost_again_and_again_leaves_no_result(
    docket: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def dying(job: Job, number: int, reference: Reference, portion: str | None) -> Part:
        os._exit(1)

    monkeypatch.setattr(spark, "screen_reference", dying)
    with pytest.raises(EngineError) as raised:
        screen_docket(Cluster("local[2,2]"), job_of(), [docket / "c.csv"], tmp_path / "out")
    assert raised.value.code == "spark_failed"
    assert left_in(tmp_path) == set()


def test_a_process_compiles_a_rule_base_once() -> None:
    job = job_of()
    first = screening_of(job)
    assert screening_of(replace(job, folder="elsewhere", texts={}, kind=".csv")) is first
    assert screening_of(replace(job, profile="sc")) is not first


def test_another_program_on_a_worker_decides_nothing(docket: Path, tmp_path: Path) -> None:
    job = job_of()
    texts = {name: text.replace("2026.1", "2026.2") for name, text in job.texts.items()}
    assert texts != job.texts
    other = replace(job, texts=texts)
    with pytest.raises(EngineError) as raised:
        screen_docket(Cluster("local[2]"), other, [docket / "c.csv"], tmp_path / "out")
    assert raised.value.code == "worker_differs"
    assert left_in(tmp_path) == set()


def test_a_file_that_cannot_be_read_stops_all_as_it_does_here(
    cli: Run, docket: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("headless.csv").write_text(",,\n1,2,3\n", "utf-8")
    command = ["screen", str(docket / "a.parquet"), "headless.csv", "-o"]
    here, there = cli(*command, "here.parquet"), cli(*command, "there.parquet", *HERE)
    assert (there.code, there.err) == (here.code, here.err)
    assert there.err.startswith("no_header: headless.csv")
    assert left_in(tmp_path) == {"headless.csv"}


def test_pages_that_are_damaged_are_named(
    cli: Run, docket: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    raw = bytearray((docket / "a.parquet").read_bytes())
    raw[4 : len(raw) // 2] = bytes(len(raw) // 2 - 4)
    Path("d.parquet").write_bytes(raw)
    ran = cli("screen", "d.parquet", "-o", "out.parquet", *HERE)
    assert ran.code == 2
    assert ran.err.startswith("cannot_read: d.parquet: ")
    assert left_in(tmp_path) == {"d.parquet"}


def test_a_run_that_is_interrupted_leaves_nothing(docket: Path, tmp_path: Path) -> None:
    table = pq.read_table(docket / "a.parquet")
    pq.write_table(pa.concat_tables([table] * 12), tmp_path / "d.parquet", row_group_size=500)
    command = [sys.executable, "-m", "eligibility", "screen", "d.parquet", "-o", "out.parquet"]
    command.append("--no-docket-facts")
    env = os.environ | {"PYTHONUTF8": "1"}
    process = subprocess.Popen(
        [*command, *HERE], cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True
    )
    try:
        until = time.monotonic() + 120
        while not list(tmp_path.glob(".out.parquet.*.parts/attempts/*.parquet")):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until, "no task ever wrote anything"
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, err
    assert left_in(tmp_path) == {"d.parquet"}


# --- what is missing ----------------------------------------------------------------------------


def test_nothing_else_needs_pyspark() -> None:
    names = "eligibility.cli.app, eligibility.docket.spark, eligibility.docket.tasks"
    check = f"import sys, {names}; sys.exit(bool({{'pyspark', 'py4j'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], timeout=120).returncode == 0


def test_without_pyspark_it_says_what_to_install(
    cli: Run, docket: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    ran = cli("screen", str(docket / "c.csv"), "-o", str(tmp_path / "out.csv"), *HERE)
    assert ran.code == 2
    assert ran.err.startswith("not_installed: ")
    assert "eligibility[spark]" in ran.err
    assert ran.err.count("\n") == 1
    assert left_in(tmp_path) == set()


def test_without_java_it_says_so(
    cli: Run, docket: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = cli("screen", str(docket / "c.csv"), "-o", str(tmp_path / "out.csv"), *HERE)
    assert ran.code == 2
    assert ran.err.startswith("not_installed: ")
    assert "Java" in ran.err


@pytest.mark.parametrize(
    "wrong",
    [
        ["--spark-master", "yarn"],
        [*HERE, "--spark-conf", "memory=1g"],
    ],
)
def test_options_that_make_no_sense(
    cli: Run, docket: Path, tmp_path: Path, wrong: list[str]
) -> None:
    ran = cli("screen", str(docket / "c.csv"), "-o", str(tmp_path / "out.csv"), *wrong)
    assert ran.code == 2
    assert ran.err.startswith("usage: ")


def test_the_report_is_that_of_the_result_here(
    cli: Run, docket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made from the parts as from one file, also compared with an earlier result by Spark."""
    monkeypatch.chdir(tmp_path)
    source = str(docket / "a.parquet")
    pages = []
    for name, runner in (("here", ()), ("there", HERE)):
        (tmp_path / name).mkdir()
        out, page = f"{name}/out.parquet", f"{name}/r.html"
        ran = cli("screen", source, "-o", out, "--as-of", "2025-06-01", "--report", page, *runner)
        assert ran.code == 0, ran.err
        pages.append(Path(page).read_text("utf-8"))
    assert pages[0] == pages[1]
    assert cli("docket", "diff", "here/out.parquet", "there/out.parquet", "--json").code == 0
    ran = cli("docket", "report", "there/out.parquet", "--since", "there/out.parquet", "--json")
    told = json.loads(ran.out)
    assert told["rows"] == FIRST
    assert told["result"]["as_of"] == "2025-06-01"
    Path("there/out.parquet", DONE).unlink()
    ran = cli("docket", "report", "there/out.parquet", "--json")
    assert ran.code == 2
    assert ran.err.startswith("not_a_result: ")


def test_a_result_of_something_else_is_kept(cli: Run, docket: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("mine")
    ran = cli("screen", str(docket / "c.csv"), "-o", str(out), *HERE)
    assert ran.code == 2
    assert ran.err.startswith("output_exists: ")
    assert out.read_text() == "mine"
    assert not (tmp_path / DONE).exists()
