"""The log of decisions on the command line: verified, exported, computed again."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cli.conftest import Run
from eligibility.rulefiles import shipped

CASES: tuple[dict[str, Any], ...] = (
    {"case_no": "（2024）苏0902执1号", "interference": True},
    {"court_id": "low"},
    {},
)
NAMES = ("seq", "id", "case_no", "court_id", "request", "body", "decided_at", "hash")


class Log:
    """The command line over a database and a key of its own."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.run = run
        self.folder = folder
        self.file = folder / "eligibility.db"

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = self.run(*arguments)
        assert done.code == code, (done.out, done.err)
        return done.err if code == 2 else done.out

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code))

    def alter(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            for change in ("update", "delete"):
                connection.execute(f"DROP TRIGGER IF EXISTS decisions_refuse_{change}")
                connection.execute(f"DROP TRIGGER IF EXISTS checkpoints_refuse_{change}")
            for statement in statements:
                connection.execute(statement)


@pytest.fixture(name="log")
def fixture_log(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    """Three decisions."""
    monkeypatch.setenv("ELIGIBILITY_DATA_DIR", str(tmp_path))
    for number, case in enumerate(CASES):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(case, ensure_ascii=False), "utf-8")
        assert cli("decide", "--record", "--engine", "native", str(path)).code == 0
    return Log(cli, tmp_path)


def test_the_key_is_made_for_its_owner_alone(log: Log) -> None:
    mode = os.stat(log.folder / "log.key").st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert len((log.folder / "log.key").read_text("ascii").strip()) == 64


# --- verify and checkpoint ------------------------------------------------------------------------


def test_a_sound_log(log: Log) -> None:
    assert "完好" in log("log", "verify")
    found = log.json("log", "verify")
    assert found["intact"]
    assert (found["records"], found["rulebases"], found["wanting"]) == (3, 1, 0)
    assert found["last"]["seq"] == 3


def test_the_first_bad_record_is_named(log: Log) -> None:
    ids = [json.loads(line)["id"] for line in log("log", "export", "-o", "-").splitlines()]
    log.alter("UPDATE decisions SET outcome = 'eligible!' WHERE seq = 2")
    assert log("log", "verify", code=1).startswith(f"2  {ids[1]}  record_changed")
    (found,) = log.json("log", "verify", code=1)["findings"]
    assert (found["seq"], found["decision_id"], found["code"]) == (2, ids[1], "record_changed")


def test_a_checkpoint_kept_elsewhere_finds_what_is_cut_off(log: Log) -> None:
    line = log("log", "checkpoint")
    assert log("log", "checkpoint") == line  # the same as long as nothing is added
    assert json.loads(line)["seq"] == 3
    kept = log.folder / "checkpoint.json"
    kept.write_text(line)
    log("log", "verify", "--checkpoint", str(kept))
    log.alter("DELETE FROM checkpoints", "DELETE FROM decisions WHERE seq = 3")
    log("log", "verify")
    found = log.json("log", "verify", "--checkpoint", str(kept), code=1)
    assert [f["code"] for f in found["findings"]] == ["records_cut_off"]


def test_a_file_that_is_no_checkpoint(log: Log) -> None:
    kept = log.folder / "checkpoint.json"
    kept.write_text("{}")
    assert log("log", "verify", "--checkpoint", str(kept), code=2).startswith("bad_checkpoint")


def test_the_key_may_be_set_instead(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = (log.folder / "log.key").read_text("ascii").strip()
    (log.folder / "log.key").unlink()
    assert log("log", "verify", code=2).startswith("no_log_key")
    assert not (log.folder / "log.key").exists()
    monkeypatch.setenv("ELIGIBILITY_LOG_KEY", secret)
    log("log", "verify")
    monkeypatch.setenv("ELIGIBILITY_LOG_KEY", "x" * 32)
    assert "other_log_key" in log("log", "verify", code=1)
    case = str(log.folder / "0.json")
    assert log("decide", "--record", case, code=2).startswith("other_log_key")
    monkeypatch.setenv("ELIGIBILITY_LOG_KEY", "short")
    assert log("log", "verify", code=2).startswith("bad_log_key")


def test_a_key_file_that_cannot_be_used(log: Log) -> None:
    (log.folder / "log.key").write_bytes(b"\xff" * 40)
    assert log("log", "verify", code=2).startswith("bad_log_key")
    (log.folder / "log.key").write_bytes(b"")
    assert log("log", "verify", code=2).startswith("bad_log_key")


def test_a_log_that_is_not_there_is_not_made(log: Log) -> None:
    for command in (("log", "verify"), ("replay", "--all"), ("log", "export", "-o", "-")):
        nowhere = log.folder / "nowhere.db"
        assert log(*command, "--database", str(nowhere), code=2).startswith("no_database")
        assert not nowhere.exists()


def test_an_empty_log_has_no_checkpoint(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELIGIBILITY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ELIGIBILITY_LOG_KEY", "k" * 32)
    cli("keys", "create", "auditor", "--role", "auditor")
    done = cli("log", "checkpoint")
    assert (done.code, done.err.startswith("empty_log")) == (2, True)
    event = tmp_path / "e.json"
    event.write_text('{"case_no": "1", "type": "served", "on": "2024-09-20"}')
    cli("events", "add", str(event), "--rules", str(shipped("rules")))
    assert "1" in cli("log", "verify").out.splitlines()[1]
    said = json.loads(cli("log", "checkpoint").out)  # of an event alone
    assert (said["seq"], said["journal"][:2]) == (0, "1:")
    kept = tmp_path / "checkpoint.json"
    kept.write_text(json.dumps(said))
    assert cli("log", "verify", "--checkpoint", str(kept)).code == 0
    with closing(sqlite3.connect(tmp_path / "eligibility.db")) as raw:
        for table in ("journal", "events"):
            raw.execute(f"DROP TRIGGER {table}_refuse_delete")
            raw.execute(f"DELETE FROM {table}")
        raw.commit()
    assert cli("log", "verify").code == 0  # nothing inside tells any more
    done = cli("log", "verify", "--checkpoint", str(kept))
    assert (done.code, "records_cut_off" in done.out) == (1, True)


# --- export ---------------------------------------------------------------------------------------


def test_records_are_exported_as_they_are(log: Log) -> None:
    out = log.folder / "out.ndjson"
    assert log("log", "export", "-o", str(out)).startswith("3 ")
    assert out.read_text("utf-8") == log("log", "export", "-o", "-")
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    with closing(sqlite3.connect(log.file)) as connection:
        stored = connection.execute("SELECT request, body, hash FROM decisions ORDER BY seq")
        assert [(r["request"], r["body"], r["hash"]) for r in rows] == stored.fetchall()
    assert all(set(NAMES) <= row.keys() for row in rows)
    assert not list(log.folder.glob("*.part"))


def test_records_are_chosen_by_day_and_court(log: Log) -> None:
    def lines(*arguments: str) -> int:
        return len(log("log", "export", "-o", "-", *arguments).splitlines())

    today = datetime.now().astimezone().date()
    tomorrow, yesterday = (str(today + timedelta(days=n)) for n in (1, -1))
    assert lines("--from", yesterday, "--to", tomorrow) == 3
    assert lines("--from", tomorrow) == 0
    assert lines("--to", yesterday) == 0
    assert lines("--court", "某县法院") == 1
    assert "bad_date" in log("log", "export", "-o", "-", "--from", "yesterday", code=2)
    assert "unknown_court" in log("log", "export", "-o", "-", "--court", "nowhere", code=2)


def test_what_cannot_be_written(log: Log) -> None:
    out = str(log.folder / "nowhere" / "out.ndjson")
    assert log("log", "export", "-o", out, code=2).startswith("cannot_write")


def test_parquet_says_the_same(log: Log) -> None:
    out = log.folder / "out.parquet"
    log("log", "export", "-o", str(out))
    rows = pq.read_table(out).to_pylist()
    assert rows == [json.loads(line) for line in log("log", "export", "-o", "-").splitlines()]


# --- replay ---------------------------------------------------------------------------------------


def test_decisions_are_computed_again(log: Log) -> None:
    assert "0 份不同" in log("replay", "--all")
    lines = log("replay", "--all", "--json").splitlines()
    assert [json.loads(line)["identical"] for line in lines] == [True] * 3
    decision = json.loads(lines[0])["decision_id"]
    assert "identical" in log("replay", decision)
    assert log.json("replay", decision) == json.loads(lines[0])
    (log.folder / "log.key").unlink()  # not needed, as long as no rule base changed its digest
    assert log.json("replay", decision)["identical"]


def test_a_decision_that_differs_is_shown(log: Log) -> None:
    log.alter("UPDATE decisions SET body = replace(body, '\"native\"', '1')")
    out = log("replay", "--all", code=1)
    assert "3 份不同" in out
    assert 'engine: 1 → "native"' in out
    decision = out.split()[0]
    (found,) = log.json("replay", decision, code=1)["differences"]
    assert found == {"path": "engine", "then": 1, "now": "native"}


def test_what_to_replay_must_be_said(log: Log) -> None:
    assert log("replay", code=2).startswith("usage")
    assert log("replay", "x", "--all", code=2).startswith("usage")
    assert log("replay", "nothing", code=2).startswith("unknown_decision")
