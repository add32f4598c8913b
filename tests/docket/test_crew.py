"""Several processes answer as one does, in its order; what is lost or cut leaves no trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from docket.plain import spoilt_docket
from eligibility.decision.decide import Decider
from eligibility.docket import parcels, run, tables
from eligibility.docket.crew import QUEUED, Bench, Crew, Order
from eligibility.docket.facts import DocketFacts
from eligibility.docket.references import Reference, whole_file
from eligibility.docket.run import Progress
from eligibility.docket.screening import Screening
from eligibility.docket.synth import Synthesis
from eligibility.errors import EngineError, MalformedInput, Problem, Text
from eligibility.rulebase.model import Rulebase
from eligibility.rulefiles import load_rules
from rulebase.rulebases import BASE

AS_OF = date(2025, 6, 1)
FIRST, SECOND, GROUP = 900, 150, 60
OURS = frozenset({"js-yancheng-tinghu", "sc-chengdu-qingyang"})


@pytest.fixture(name="base", scope="module")
def fixture_base() -> Rulebase:
    return load_rules()


@pytest.fixture(name="decider", scope="module")
def fixture_decider(base: Rulebase) -> Iterator[Decider]:
    decider = Decider(base)
    yield decider
    decider.close()


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MANY_ROWS", 2)
    monkeypatch.setattr(run, "ROWS_A_REFERENCE", 2 * GROUP)


def hostile(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows spoilt, with profiles of their own."""
    names = ("sc", "national", None, "js-yancheng", "nowhere")
    return [case | {"辖区": names[n % 5]} for n, case in enumerate(spoilt_docket(cases))]


@pytest.fixture(name="docket", scope="module")
def fixture_docket(base: Rulebase, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Parquet in many row groups, NDJSON, CSV, and Parquet again."""
    folder = tmp_path_factory.mktemp("docket")
    made = hostile(list(Synthesis(base, 5, AS_OF).cases(FIRST + SECOND)))
    schema = tables.docket_schema(base.vocabulary).append(pa.field("辖区", pa.string()))
    for name, rows in (("a", made[:FIRST]), ("d", made[-30:])):
        table = pa.Table.from_pylist(rows, schema)
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=GROUP)
    lines = [json.dumps(case, ensure_ascii=False) for case in made[FIRST:]]
    lines[3:3] = ["{broken", "", "[]", '{"case_no": 5}', '{"nonsense": 1}']
    (folder / "b.ndjson").write_text("\n".join(lines), "utf-8")
    text = (
        "执行案号,现执行法院,立案日期\n1,亭湖法院,45474\n2,亭湖法院,2024/7/1,too much\n3,阜宁法院\n"
    )
    (folder / "c.csv").write_text(text, "gb18030")
    return [folder / name for name in ("a.parquet", "b.ndjson", "c.csv", "d.parquet")]


# --- the answers of one process -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("dates", "facts", "courts", "suffix"),
    [
        (False, True, None, ".parquet"),
        (True, False, None, ".parquet"),
        (False, True, OURS, ".csv"),
    ],
)
def test_the_answers_are_those_of_one_process(
    decider: Decider,
    docket: list[Path],
    tmp_path: Path,
    dates: bool,
    facts: bool,
    courts: frozenset[str] | None,
    suffix: str,
) -> None:
    base = decider.rulebase
    gather = partial(DocketFacts.of_mentions, rulebase=base, profile=None, day=AS_OF)
    found, told = [], list[Progress]()
    for workers in (1, 2):
        told.clear()
        out = tmp_path / f"{workers}{suffix}"
        tally, made = run.run_docket(
            Screening(decider, AS_OF, AS_OF, None, dates),
            docket,
            out,
            gather if facts else None,
            profile_column="辖区",
            courts=courts,
            workers=workers,
            progress=told.append,
        )
        found.append((tally, made.summary() if made else None, rows_of(out)))
    one, several = found
    assert several == one
    assert json.dumps(several[0].as_dict()) == json.dumps(one[0].as_dict())
    assert one[0].rows == FIRST + SECOND + 20 + 4 + 3 + 30
    assert one[0].rejects > 200  # also those of a profile that is not there
    assert [p.rows for p in told] == sorted(p.rows for p in told)
    assert [p.bytes_done for p in told] == sorted(p.bytes_done for p in told)
    assert len({p.bytes_done for p in told if p.file == docket[0]}) > 5
    size = sum(path.stat().st_size for path in docket)
    assert told[-1] == Progress(docket[-1], one[0].rows, size, size)
    assert {path.name for path in tmp_path.iterdir()} == {f"1{suffix}", f"2{suffix}"}


def rows_of(path: Path) -> Any:
    """The rows of a result and what else it says."""
    if path.suffix != ".parquet":
        return path.read_bytes()
    table = pq.read_table(path)
    return table.to_pylist(), table.schema, table.schema.metadata


def test_facts_given_reach_every_process(
    decider: Decider, docket: list[Path], tmp_path: Path
) -> None:
    counts = {"debtor_id": ["D1"], "open_cases": [50], "courts": [4]}
    facts = DocketFacts.of_table(pa.table(counts), decider.rulebase, complete=True)
    found = []
    for workers in (1, 2):
        out = tmp_path / f"{workers}.parquet"
        screening = Screening(decider, AS_OF, AS_OF, None, False)
        run.run(screening, docket, out, facts=facts, profile_column="辖区", workers=workers)
        found.append(rows_of(out))
    assert found[0] == found[1]
    assert any("50" in text for row in found[0][0] for text in row["debtor_counts"] or [])


def test_few_cases_are_screened_here(
    decider: Decider, docket: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screening = Screening(decider, AS_OF, AS_OF, None, False)
    with run.crew_for(screening, docket, tmp_path / "x.csv", 9) as crew:
        assert crew is not None
        assert crew.size == 9
    with run.crew_for(screening, docket[2:3], tmp_path / "x.csv", 9) as crew:
        assert crew is None  # a CSV file stays in one process
    monkeypatch.setattr(run, "MANY_ROWS", 100_000)
    with run.crew_for(screening, docket, tmp_path / "x.csv", 9) as crew:
        assert crew is None


# --- faults -------------------------------------------------------------------------------------


@pytest.fixture(name="crew")
def fixture_crew(decider: Decider, tmp_path: Path) -> Iterator[Crew]:
    order = Order.of(Screening(decider, AS_OF, AS_OF, None, False))
    with Crew(order, 2, tmp_path / "out.parquet") as crew:
        yield crew


def references(count: int) -> list[Reference]:
    return [whole_file(Path(str(number))) for number in range(count)]


def finding(bench: Bench, reference: Reference, folder: Path) -> Iterator[Any]:
    """Finds its number, as often as that, the first one late; marks that it was begun."""
    number = int(reference.name)
    (folder / f"{number}.begun").touch()
    while number == 0 and not (folder / "go").exists():
        time.sleep(0.01)
    for _ in range(number):
        yield np.full(9, number), bench.shared


def refusing(bench: Bench, reference: Reference) -> Iterator[Any]:
    number = int(reference.name)
    yield number
    if number >= 3:
        raise MalformedInput(Problem("cannot_read", Text("坏", "bad"), reference.name))


def erring(bench: Bench, reference: Reference) -> Iterator[Any]:
    yield 1
    raise ValueError("case 1")


def dying(bench: Bench, reference: Reference) -> Iterator[Any]:
    yield 1
    if reference.name == "2":
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_is_found_comes_in_order_and_nobody_is_far_ahead(crew: Crew, tmp_path: Path) -> None:
    kept = crew.share({"x": np.arange(5)})
    assert kept["x"].tolist() == [0, 1, 2, 3, 4]
    assert not kept["x"].flags.writeable
    seen: list[tuple[int, list[int]]] = []

    def look() -> None:
        for numbers, shared in crew.each(partial(finding, folder=tmp_path), references(40)):
            seen.append((int(numbers[0]), shared["x"].tolist()))

    looking = Thread(target=look)
    looking.start()
    until(lambda: len(list(tmp_path.glob("*.begun"))), lambda count: count >= 3)
    time.sleep(0.3)
    begun = {int(path.stem) for path in tmp_path.glob("*.begun")}
    (tmp_path / "go").touch()
    looking.join()
    assert max(begun) < 2 * (QUEUED + 1)
    assert seen == [(n, [0, 1, 2, 3, 4]) for n in range(1, 40) for _ in range(n)]
    assert len(list(tmp_path.glob("*.begun"))) == 40


def until(look: Callable[[], Any], enough: Callable[[Any], bool]) -> Any:
    ends = time.monotonic() + 240
    while not enough(found := look()):
        assert time.monotonic() < ends, found
        time.sleep(0.05)
    return found


def test_the_first_fault_in_the_order_of_the_docket_is_raised(crew: Crew) -> None:
    seen: list[int] = []
    with pytest.raises(MalformedInput) as raised:
        seen.extend(crew.each(refusing, references(9)))
    assert raised.value.problems[0].line() == "3: cannot_read: 坏 / bad"
    assert seen == [0, 1, 2, 3]


def test_an_unforeseen_error_names_no_case(crew: Crew) -> None:
    with pytest.raises(EngineError) as raised:
        list(crew.each(erring, references(3)))
    assert raised.value.code == "screening_failed"
    assert "ValueError" in str(raised.value)
    assert "test_crew.py" in str(raised.value)
    assert "case 1" not in str(raised.value)


def test_a_process_that_is_lost_is_told(crew: Crew) -> None:
    with pytest.raises(EngineError) as raised:
        list(crew.each(dying, references(9)))
    assert raised.value.code == "screening_crashed"
    assert "-9" in str(raised.value)


# --- the command --------------------------------------------------------------------------------


def large(folder: Path) -> Path:
    """More cases than one process would take."""
    path = folder / "large.parquet"
    names = [f"（2024）苏0902执{number}号" for number in range(150_000)]
    pq.write_table(pa.table({"case_no": names}), path, row_group_size=25_000)
    return path


@pytest.fixture(name="screening")
def fixture_screening(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The command at work with two processes."""
    command = [sys.executable, "-m", "eligibility", "screen", str(large(tmp_path))]
    options = ["-o", str(tmp_path / "out.parquet"), "--workers", "2", "--no-docket-facts"]
    env = {**os.environ, "ELIGIBILITY_RULES": str(BASE)}
    # Tests that run in the background of a shell ignore interrupts, and so would the command.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [*command, *options],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        signal.signal(signal.SIGINT, before)
        try:
            yield process
        finally:
            process.kill()


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """The processes that screen."""
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    found = [int(word) for word in path.read_text("ascii").split()] if path.exists() else []
    return [pid for pid in found if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]


def gone(pids: list[int]) -> bool:
    def lives(pid: int) -> bool:
        try:
            state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
        except OSError:
            return False
        return state not in "ZX"

    return not any(lives(pid) for pid in pids)


@pytest.mark.parametrize("stopped", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_no_process_and_no_result(
    screening: subprocess.Popen[str], tmp_path: Path, stopped: signal.Signals
) -> None:
    pids = until(lambda: workers_of(screening), lambda found: len(found) == 2)
    if stopped == signal.SIGINT:
        os.killpg(screening.pid, stopped)  # as a terminal does
    else:
        screening.send_signal(stopped)
    _, said = screening.communicate(timeout=240)
    assert screening.returncode != 0
    until(lambda: gone(pids), bool)
    assert not (tmp_path / "out.parquet").exists()
    if stopped == signal.SIGINT:  # else Python may complain in a process that was just starting
        assert "Traceback" not in said
        assert [path.name for path in tmp_path.iterdir()] == ["large.parquet"]


def test_a_process_that_is_killed_is_told_on_the_command_line(
    screening: subprocess.Popen[str], tmp_path: Path
) -> None:
    pids = until(lambda: workers_of(screening), lambda found: len(found) == 2)
    os.kill(pids[1], signal.SIGKILL)
    _, said = screening.communicate(timeout=240)
    assert screening.returncode != 0
    assert "screening_crashed" in said
    assert "Traceback" not in said
    until(lambda: gone(pids), bool)
    assert [path.name for path in tmp_path.iterdir()] == ["large.parquet"]


def test_a_large_docket_is_screened(screening: subprocess.Popen[str], tmp_path: Path) -> None:
    out, said = screening.communicate(timeout=240)
    assert screening.returncode == 0, said
    assert "150,000" in out
    found = pq.read_table(tmp_path / "out.parquet")
    assert found["case_no"].to_pylist() == pq.read_table(large(tmp_path))["case_no"].to_pylist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["large.parquet", "out.parquet"]


# --- parcels ------------------------------------------------------------------------------------


def test_parcels_hold_what_was_put_into_them(tmp_path: Path) -> None:
    things: list[Any] = [
        None,
        {"a": np.arange(100_000), "b": np.zeros(0), "c": np.arange(9)[::2]},
        pa.array(["x", None, "字"]).dictionary_encode(),
        "text",
    ]
    with parcels.unnamed(tmp_path) as file:
        places = [parcels.put(file, thing) for thing in things]
        found = [parcels.get(file.fileno(), place) for place in reversed(places)][::-1]
    assert list(tmp_path.iterdir()) == []
    assert found[0] is None
    assert found[3] == "text"
    assert found[2].equals(things[2])
    for name, values in things[1].items():
        assert found[1][name].tolist() == values.tolist()


def test_of_a_slice_goes_what_it_shows() -> None:
    batch = pa.RecordBatch.from_pydict({"a": [["x"], [], None] * 10_000, "b": range(30_000)})
    part = batch.slice(5, 4)
    buffer = parcels.enclosed(part)
    assert buffer.size < 5000
    assert parcels.disclosed(buffer).equals(part)
